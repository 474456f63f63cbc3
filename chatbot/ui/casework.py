"""What the desk draws, as HTML: the inbox, a case's head, its conversation, and answers to suggest. Pure.

Everything that a customer, an agent or a file wrote goes through `show.plain`. Buttons carry what they stand for
in `data-` attributes; the page listens for clicks on them.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chatbot.desk import Author, Case, Message
from chatbot.domain import Candidate, Exchange
from chatbot.ui.desk_words import DESK_WORDS, DeskWords
from chatbot.ui.show import Entry, plain, quoted, rich
from chatbot.ui.words import WORDS, Words

SUGGESTED = 3


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """What one agent looks at: every open case, and one of them with all that was said. (Compared by identity:
    Gradio hashes a session's state.)"""

    language: str = "en"
    agent: str = ""
    cases: tuple[Case, ...] = ()
    chosen: Case | None = None
    entries: tuple[Entry, ...] = ()
    about: tuple[str, ...] = ()
    suggested: tuple[Candidate, ...] = ()

    @property
    def words(self) -> DeskWords:
        return DESK_WORDS[self.language]

    @property
    def page_words(self) -> Words:
        return WORDS[self.language]

    @property
    def talk(self) -> str:
        return "" if self.chosen is None else self.chosen.conversation_id

    @property
    def holds(self) -> bool:
        """Whether the chosen case is this agent's."""
        return self.chosen is not None and self.chosen.agent == self.agent and bool(self.agent)


def inbox(view: View) -> str:
    """A list of buttons, one for each open case; how many there are is read out."""
    if not view.cases:
        return f'<p class="quiet" role="status">{view.words.empty}</p>'
    told = view.words.waits.format(count=len(view.cases))
    items = "".join(_item(case, view) for case in view.cases)
    return f'<p class="unseen" role="status">{told}</p><ul class="inbox">{items}</ul>'


def _item(case: Case, view: View) -> str:
    chosen = str(case.conversation_id == view.talk).lower()
    return (
        f'<li><button type="button" data-talk="{html.escape(case.conversation_id)}" aria-pressed="{chosen}">'
        f'<span class="last">{plain(quoted(case.last))}</span>'
        f'<span class="quiet">{plain(_standing(case, view))}</span></button></li>'
    )


def _standing(case: Case, view: View) -> str:
    if case.agent is not None:
        return view.words.mine if case.agent == view.agent else view.words.with_.format(agent=case.agent)
    return view.words.waiting.format(minutes=int((datetime.now(UTC) - case.since).total_seconds() // 60))


def head(view: View) -> str:
    """Why the chosen case is here, how it stands, where to reach the customer, and what they said."""
    case, words = view.chosen, view.words
    if case is None:
        return f'<p class="quiet">{words.choose}</p>'
    told = [view.page_words.reasons[case.reason], _standing(case, view)]
    if case.contact:
        told.append(words.contact.format(contact=quoted(case.contact)))
    about = "".join(f"<li>{plain(quoted(sentence))}</li>" for sentence in view.about)
    return f"<p>{plain(' · '.join(told))}</p><h2>{words.about}</h2><ul>{about}</ul>"


def transcript(view: View) -> str:
    """What was said, oldest first."""
    if view.chosen is None:
        return ""
    return said(view.entries, view)


def said(entries: Sequence[Entry], view: View) -> str:
    """A conversation, in the words of a view."""
    rows = "".join(row for entry in entries for row in _rows(entry, view))
    return f'<div class="transcript" role="log" aria-label="{view.words.talk}" tabindex="0"><ol>{rows}</ol></div>'


def _rows(entry: Entry, view: View) -> list[str]:
    words = view.words
    if isinstance(entry, Message):
        who = words.customer if entry.author is Author.CUSTOMER else entry.name
        return [_row(entry.author.value, who, plain(entry.text), entry.time)]
    reply = view.page_words.failed if entry.reply is None else entry.reply.text
    return [
        _row("customer", words.customer, plain(entry.text), entry.time),
        _row("bot", words.bot, rich(reply), entry.time),
    ]


def _row(kind: str, who: str, drawn: str, time: datetime | None) -> str:
    at = "" if time is None else f'<time datetime="{time.isoformat()}">{time:%H:%M}</time>'
    return f'<li class="{kind}"><span class="who">{plain(who)} {at}</span><div class="said">{drawn}</div></li>'


def suggestions(view: View) -> str:
    """Stored answers that fit what the customer wrote last, each to be sent as it is or edited first."""
    if view.chosen is None:
        return ""
    words = view.words
    if not view.suggested:
        return f'<h2>{words.suggested}</h2><p class="quiet">{words.nothing_fits}</p>'
    items = "".join(
        f'<li><p class="quiet">{plain(quoted(c.pair.question))} · {c.confidence:.0%}</p>'
        f'<div class="said">{rich(c.pair.answer)}</div>'
        f'<button type="button" data-use="{number}">{words.use}</button>'
        f'<button type="button" data-send="{number}">{words.send_it}</button></li>'
        for number, c in enumerate(view.suggested)
    )
    return f'<h2>{words.suggested}</h2><ul class="answers">{items}</ul>'


def written(entries: Sequence[Entry]) -> list[str]:
    """What the customer wrote, oldest first."""
    return [e.text for e in entries if isinstance(e, Exchange) or e.author is Author.CUSTOMER]
