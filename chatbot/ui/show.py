"""What the chat page draws: one visitor's chat as messages and HTML. Pure, and without Gradio.

In: `Chat`, the frozen value that a visitor's session holds. Out: the chatbot's messages, the note under an answer
and the panel of evidence. It exists so that everything a customer typed or a company stored is shown as text, in
one place: Gradio's chatbot and HTML read HTML, so each `<`, and each `&` that could start an entity, is escaped
(`plain`). The others stay, because the chatbot's copy button gives the escaped text.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from chatbot.domain import Action, Conversation, Reply
from chatbot.ui.words import WORDS, Words

SHOWN = 2_000  # characters of one message that the page draws; the bot reads all of it
QUOTED = 160  # characters of a stored question where it is quoted beside the conversation
LISTED = 10  # candidates in the panel

_MARKUP = re.compile(r"<|&(?=[#a-zA-Z])")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, eq=False, slots=True)
class Exchange:
    """What was typed and what came of it. `reply` is None where it failed; `number` is the journal's, `place` the
    one in the queue for a person."""

    text: str
    reply: Reply | None = None
    number: int | None = None
    place: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Chat:
    """One visitor's chat. `language` is the page's; the conversation has its own. (Compared by identity: Gradio
    hashes a session's state.)"""

    language: str = "en"
    conversation: Conversation = field(default_factory=Conversation)
    exchanges: tuple[Exchange, ...] = ()

    @property
    def words(self) -> Words:
        return WORDS[self.language]

    @property
    def last(self) -> Reply | None:
        return self.exchanges[-1].reply if self.exchanges else None


def plain(text: str) -> str:
    """`text` for a place that reads HTML, drawn exactly as typed and cut where it is very long."""
    return _MARKUP.sub(lambda found: html.escape(found[0]), _UNPRINTABLE.sub("\ufffd", text))


def clipped(text: str, words: Words) -> str:
    hidden = len(text) - SHOWN
    return text if hidden <= 0 else f"{text[:SHOWN]}\n{words.more.format(count=f'{hidden:,}')}"


def quoted(text: str) -> str:
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}…"


def answer_text(exchange: Exchange, words: Words) -> str:
    if exchange.reply is None:
        return words.failed
    if exchange.place is None:
        return exchange.reply.text
    return f"{exchange.reply.text}\n{words.place.format(place=exchange.place)}"


def bubbles(exchanges: Sequence[Exchange], words: Words) -> list[dict[str, Any]]:
    """Two chatbot messages for each exchange, so that message i belongs to exchange i // 2."""
    return [
        message
        for exchange in exchanges
        for message in (
            bubble("user", clipped(exchange.text, words)),
            bubble("assistant", answer_text(exchange, words)),
        )
    ]


def bubble(role: str, text: str) -> dict[str, Any]:
    # A dictionary of type "text" is taken as it is; Gradio would strip the indentation of a bare string.
    return {"role": role, "content": {"type": "text", "text": plain(text if text.strip() else "␣")}}


def note(chat: Chat) -> str:
    """HTML under an answer: how sure the bot is, and the historical question that the answer once served."""
    reply = chat.last
    if reply is None or reply.decision.action is not Action.ANSWER:
        return ""
    confidence = reply.decision.confidence
    level = "high" if confidence >= 0.9 else "middle" if confidence >= 0.7 else "low"
    certainty = f'<span class="certainty {level}">{chat.words.certainty(confidence)}</span>'
    if not reply.citations:
        return certainty
    citation = reply.citations[0]
    cited = chat.words.cited.format(question=quoted(citation.question))
    return f"{certainty} <span>{plain(f'{cited} · {citation.source}' if citation.source else cited)}</span>"


def evidence(chat: Chat) -> str:
    """HTML of the panel: the decision, its reason, the time it took, and a row for each candidate."""
    words, reply = chat.words, chat.last
    if reply is None:
        return f'<p class="quiet">{words.no_candidates if chat.exchanges else words.nothing_yet}</p>'
    decision = reply.decision
    summary = f"<p><strong>{words.actions[decision.action]}</strong> {words.reasons[decision.reason]}</p>"
    if reply.timings:
        whole = reply.timings.get("total", sum(reply.timings.values()))
        steps = (f"{plain(step)} {spent:.1f}" for step, spent in reply.timings.items() if step != "total")
        summary += f'<p class="quiet">{words.took.format(milliseconds=f"{whole:.0f}")} ({" · ".join(steps)})</p>'
    if not decision.candidates:
        return f'{summary}<p class="quiet">{words.no_candidates}</p>'
    head = "".join(f"<th>{column}</th>" for column in words.columns)
    rows = "".join(
        f"<tr><td>{plain(c.pair.answer_id)}</td><td>{plain(quoted(c.pair.question))}</td>"
        f"<td>{c.similarity:.2f}</td><td>{_read(c.relevance)}</td><td>{c.confidence:.0%}</td></tr>"
        for c in decision.candidates[:LISTED]
    )
    return f'{summary}<div class="scroll"><table><tr>{head}</tr>{rows}</table></div>'


def _read(relevance: float) -> str:
    return f"{relevance:.1f}" if relevance else "–"
