"""The history as HTML: who changed what and when, newest first, and the versions that nobody's edit made. Pure."""

import html
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from chatbot.journal import Edit, Kind
from chatbot.ui.answer_words import AnswerWords
from chatbot.ui.figures import table
from chatbot.ui.show import plain, quoted


def versions(kept: Sequence[str], used: str, words: AnswerWords) -> list[tuple[str, str]]:
    """Each version with its label, newest first."""
    return [(name, f"{_made(name)} · {words.in_use}" if name == used else _made(name)) for name in reversed(kept)]


def drawn(edits: Sequence[Edit], kept: Collection[str], used: str, words: AnswerWords) -> str:
    """A row for each edit, and for each version that none of them made."""
    makers = {edit.version for edit in edits if edit.kind in (Kind.PUBLISHED, Kind.THRESHOLDS)}
    rows = [(edit.time or datetime.min.replace(tzinfo=UTC), _edit(edit, kept, used, words)) for edit in edits]
    rows += [(_time(name), _alone(name, used, words)) for name in kept if name not in makers]
    rows.sort(key=lambda row: row[0], reverse=True)
    columns = (words.when, words.who, words.what, words.version)
    return table(words.history, columns, [row for _, row in rows])


def _edit(edit: Edit, kept: Collection[str], used: str, words: AnswerWords) -> tuple[str, ...]:
    counts = Counter[str]()
    for found in edit.counts.values():
        counts.update(found)
    numbers = [
        f"{words.kinds[kind]}: {number:,}" for kind, number in counts.items() if number and kind in words.kinds
    ]
    told = f"<strong>{words.done[edit.kind]}</strong> {plain(quoted(edit.why))}"
    show = f'<button type="button" data-show="{edit.number}">{words.show}</button>' if numbers else ""
    made = edit.kind in (Kind.PUBLISHED, Kind.THRESHOLDS)
    state = _state(edit.version, kept, used, words) if made else _made(edit.version)
    when = "" if edit.time is None else f"{edit.time:%Y-%m-%d %H:%M:%S}"
    return when, plain(edit.who), f"{told}<br><small>{' · '.join(numbers)}</small> {show}", state


def _alone(name: str, used: str, words: AnswerWords) -> tuple[str, ...]:
    return _made(name), "", words.elsewhere, _state(name, {name}, used, words)


def _state(name: str, kept: Collection[str], used: str, words: AnswerWords) -> str:
    """The version, and the button that goes back to it."""
    if name == used:
        return f"{_made(name)} <strong>{words.in_use}</strong>"
    if name not in kept:
        return f'{_made(name)} <span class="quiet">{words.not_kept}</span>'
    return f'{_made(name)} <button type="button" data-back="{html.escape(name)}">{words.back}</button>'


def _time(name: str) -> datetime:
    """When a version was made, which its name begins with."""
    try:
        return datetime.strptime(name.partition("-")[0], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _made(name: str) -> str:
    time = _time(name)
    return plain(name) if time.year == 1 else f"{time:%Y-%m-%d %H:%M:%S}"
