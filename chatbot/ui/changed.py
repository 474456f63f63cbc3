"""What would change, or has changed, as HTML: counts by language, then each kind with its texts. Pure.

In: `Changes`. Out: a table of counts and a list of each kind, of which the first `LISTED` are drawn; of a reworded
answer, what went and what came is marked. Everything that a file or a person wrote goes through `show.plain`.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from chatbot.domain import QAPair
from chatbot.insight.changes import AnswerChange, Changes
from chatbot.ui.answer_words import AnswerWords
from chatbot.ui.figures import table
from chatbot.ui.show import plain, quoted

LISTED = 50
MARKED = 600  # words of a text; in longer ones nothing is marked
_WORD = re.compile(r"[㐀-鿿]|[^\W㐀-鿿]+|\s+|.", re.DOTALL)


def changed(changes: Changes, words: AnswerWords) -> str:
    """All of it; the words for nothing where nothing changes."""
    counts = changes.counts()
    if not counts:
        return f'<p class="quiet">{words.no_change}</p>'
    kinds = [kind for kind in words.kinds if any(found[kind] for found in counts.values())]
    rows = [(words.kinds[kind], *(f"{counts[language][kind]:,}" for language in sorted(counts))) for kind in kinds]
    summary = table(words.changes, ("", *sorted(counts)), rows)
    return summary + "".join(_section(kind, changes, words) for kind in kinds)


def _section(kind: str, changes: Changes, words: AnswerWords) -> str:
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    match kind:
        case "answers_added" | "answers_removed":
            columns = (words.answer, words.text, words.number)
            found = getattr(changes, kind)
            rows = [(_name(one), _long(one.new or one.old or ""), str(one.questions)) for one in found[:LISTED]]
        case "answers_reworded":
            columns = (words.answer, words.old, words.new)
            found = changes.answers_reworded
            rows = [(_name(one), *marked(one.old or "", one.new or "")) for one in found[:LISTED]]
        case "questions_added" | "questions_removed":
            columns = (words.question, words.answer)
            found = getattr(changes, kind)
            rows = [(plain(quoted(one.question)), plain(one.answer_id)) for one in found[:LISTED]]
        case "questions_moved":
            columns = (words.question, words.old, words.new)
            moved = found = changes.questions_moved
            rows = [(plain(quoted(m.question)), _ids(m.old), _ids(m.new)) for m in moved[:LISTED]]
        case "details_changed":
            columns = (words.question, words.answer, words.fields["source"])
            found = changes.details_changed
            rows = [(plain(quoted(p.question)), plain(p.answer_id), _details(p)) for p in found[:LISTED]]
        case "contradictions":
            columns = (words.question, words.answer)
            several = found = changes.contradictions
            rows = [(plain(quoted(one.question)), _ids(one.answer_ids)) for one in several[:LISTED]]
        case _:
            columns = (words.answer, words.text)
            texts = found = changes.conflicting_answers
            rows = [(plain(one.answer_id), "<hr>".join(map(_long, one.answers))) for one in texts[:LISTED]]
    title, hidden = words.kinds[kind], len(found) - len(rows)
    more = f'<p class="quiet">{words.more.format(count=f"{hidden:,}")}</p>'
    opened = " open" if kind in ("answers_reworded", "answers_removed", "contradictions") else ""
    return (
        f"<details{opened}><summary>{title} ({len(found):,})</summary>"
        f"{table(title, columns, rows)}{more if hidden else ''}</details>"
    )


def marked(old: str, new: str) -> tuple[str, str]:
    """Both texts, with what only the first has in <del> and what only the second has in <ins>."""
    before, after = _WORD.findall(old), _WORD.findall(new)
    if max(len(before), len(after)) > MARKED:
        return _long(old), _long(new)
    left, right = [], []
    for step, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        gone, come = plain("".join(before[i:j])), plain("".join(after[k:m]))
        same = step == "equal"
        left.append(f"<span>{gone}</span>" if same else f"<del>{gone}</del>" if gone else "")
        right.append(f"<span>{come}</span>" if same else f"<ins>{come}</ins>" if come else "")
    return f'<div class="long">{"".join(left)}</div>', f'<div class="long">{"".join(right)}</div>'


def _long(text: str) -> str:
    return f'<div class="long">{plain(text)}</div>'


def _name(one: AnswerChange) -> str:
    return f"{plain(one.answer_id)} <small>{plain(one.language)}</small>"


def _details(pair: QAPair) -> str:
    said = (f"{name}: {value}" for name, value in pair.metadata.items() if value)
    return _long("\n".join(part for part in (pair.source, *said) if part))


def _ids(answer_ids: Sequence[str]) -> str:
    return plain(", ".join(answer_ids))
