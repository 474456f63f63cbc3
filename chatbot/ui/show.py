"""What the chat page draws: one visitor's chat as messages and HTML. Pure, and without Gradio.

In: `Chat`, the frozen value that a visitor's session holds. Out: the chatbot's messages, the note under an answer,
the state of a hand-over and the panel of evidence. It exists so that everything a customer typed or a company
stored is shown safely, in one place: what customers and agents type as text (`plain`), a stored answer with its
Markdown, if there is any (`rich`).
"""

import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from markdown_it import MarkdownIt

from chatbot.converse import said
from chatbot.desk import Author, Case, Message
from chatbot.domain import Action, Conversation, Exchange, Reply, Role, Turn
from chatbot.ui.words import WORDS, Words

SHOWN = 2_000  # characters of one message that the page draws; the bot reads all of it
QUOTED = 160  # characters of a stored question where it is quoted beside the conversation
NEVER = datetime.max.replace(tzinfo=UTC)  # of what the journal does not hold
LISTED = 10  # candidates in the panel
WRITTEN = frozenset(("paragraph_open", "paragraph_close", "inline", "text", "softbreak"))  # no Markdown in these

_MARKUP = re.compile(r"<|&(?=[#a-zA-Z])")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LINK = re.compile(r"(https?://|mailto:|tel:)", re.IGNORECASE)

Entry = Exchange | Message  # with the bot, or written by a person


@dataclass(frozen=True, eq=False, slots=True)
class Chat:
    """One visitor's chat. `language` is the page's; the conversation has its own. `case` is its open hand-over,
    `wait` the seconds that this usually takes. (Compared by identity: Gradio hashes a session's state.)"""

    language: str = "en"
    conversation_id: str = ""
    entries: tuple[Entry, ...] = ()
    undone: tuple[int, ...] = ()  # numbers of exchanges that the customer took back
    case: Case | None = None
    wait: float | None = None
    blamed: int | None = None  # number of the exchange whose answer did not help, while the page asks why
    pressed: str = ""  # the click on an offered question, or for a person, that was seen last

    @property
    def words(self) -> Words:
        return WORDS[self.language]

    @property
    def conversation(self) -> Conversation:
        """What the bot is to know of: everything that was said and not taken back."""
        conversation = Conversation(self.conversation_id)
        for entry in self.entries:
            if isinstance(entry, Message):
                role = Role.USER if entry.author is Author.CUSTOMER else Role.AGENT
                conversation = replace(conversation, turns=(*conversation.turns, Turn(role, entry.text)))
            elif entry.reply is not None:
                conversation = said(conversation, entry.text, entry.reply)
        return conversation

    @property
    def last(self) -> Reply | None:
        """The reply that stands last, if nothing was written since."""
        entry = self.entries[-1] if self.entries else None
        return entry.reply if isinstance(entry, Exchange) else None

    def before(self, bubble: int) -> tuple["Chat", str]:
        """The chat up to the exchange that a bubble belongs to, and what the customer asked there; all of it and
        nothing where a person wrote the bubble: what people said cannot be taken back."""
        number = owners(self)[bubble]
        gone = self.entries[number:]
        if not all(isinstance(entry, Exchange) for entry in gone):
            return self, ""
        taken_back = tuple(e.number for e in gone if isinstance(e, Exchange) and e.number is not None)
        chat = replace(self, entries=self.entries[:number], undone=(*self.undone, *taken_back), blamed=None)
        return chat, gone[0].text


def entries(exchanges: Sequence[Exchange], messages: Sequence[Message]) -> tuple[Entry, ...]:
    """What was said with the bot and between people, in order."""
    return tuple(sorted((*exchanges, *messages), key=lambda entry: entry.time or NEVER))


def plain(text: str) -> str:
    """`text` for a place that reads HTML, drawn exactly as typed and cut where it is very long."""
    return _MARKUP.sub(lambda found: html.escape(found[0]), printable(text))


def printable(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", text)


def clipped(text: str, words: Words) -> str:
    hidden = len(text) - SHOWN
    return text if hidden <= 0 else f"{text[:SHOWN]}\n{words.more.format(count=f'{hidden:,}')}"


def quoted(text: str) -> str:
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}…"


def bubbles(chat: Chat) -> list[dict[str, Any]]:
    """The chatbot's messages; `owners` tells whose they are."""
    return [message for entry in chat.entries for message in _drawn(entry, chat.words)]


def owners(chat: Chat) -> list[int]:
    """The number of its entry for each of the `bubbles`."""
    return [number for number, entry in enumerate(chat.entries) for _ in _drawn(entry, chat.words)]


def _drawn(entry: Entry, words: Words) -> list[dict[str, Any]]:
    if isinstance(entry, Message):
        text = plain(clipped(entry.text, words))
        if entry.author is Author.CUSTOMER:
            return [bubble("user", text)]
        return [bubble("assistant", f'<strong class="agent">{plain(entry.name)}</strong>{text}')]
    answer = plain(words.failed) if entry.reply is None else rich(entry.reply.text)
    return [bubble("user", plain(clipped(entry.text, words))), bubble("assistant", answer)]


def bubble(role: str, drawn: str) -> dict[str, Any]:
    # A dictionary of type "text" is taken as it is; Gradio would strip the indentation of a bare string.
    return {"role": role, "content": {"type": "text", "text": drawn if drawn.strip() else "␣"}}


class _Reader(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802, its name there
        return _LINK.match(url) is not None


def rich(text: str) -> str:
    """HTML of a stored answer: its Markdown, without HTML and pictures, links to web, mail and telephone only. A
    text that holds no Markdown is drawn as it stands."""
    reader = _Reader("commonmark", {"html": False, "breaks": True}).disable(["image", "entity", "code"])
    tokens = reader.parse(_UNPRINTABLE.sub("\ufffd", text))
    within = [child for token in tokens for child in token.children or ()]
    if {token.type for token in (*tokens, *within)} <= WRITTEN:
        return plain(text)
    for token in within:
        if token.type == "link_open":
            token.attrSet("target", "_blank")
            token.attrSet("rel", "noopener noreferrer nofollow")
    return f'<div class="rich">{reader.renderer.render(tokens, reader.options, {})}</div>'


def spoken(chat: Chat) -> str:
    """What is read out to who listens: what was last said to the customer, what is asked of them, how a hand-over
    stands. Paragraphs stay what they are, so that only what is new is read."""
    entry = chat.entries[-1] if chat.entries else None
    if isinstance(entry, Message):
        said = (
            "" if entry.author is Author.CUSTOMER else f"<strong>{plain(entry.name)}</strong> {plain(entry.text)}"
        )
    else:
        said = "" if entry is None else _drawn(entry, chat.words)[-1]["content"]["text"]
    asks = chat.words.asks_why if chat.blamed is not None else ""
    return f'<div data-said="{len(chat.entries)}">{said}</div><p>{asks}</p>{status(chat)}'


def status(chat: Chat) -> str:
    """HTML of how a hand-over stands: who has it, or the place in the queue and how long it usually takes."""
    case, words = chat.case, chat.words
    if case is None:
        return ""
    if case.agent is not None:
        return f"<p>{plain(words.claimed.format(agent=case.agent))}</p>"
    told = words.place.format(place=case.place)
    if chat.wait is not None:
        told = f"{told} {words.wait.format(minutes=max(1, math.ceil(chat.wait / 60)))}"
    left = f"<p>{plain(words.contact_left.format(contact=quoted(case.contact)))}</p>" if case.contact else ""
    return f"<p>{told}</p>{left}"


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
    told = [chat.words.cited.format(question=quoted(citation.question)), citation.source, citation.date]
    return f"{certainty} <span>{plain(' · '.join(part for part in told if part))}</span>"


def evidence(chat: Chat) -> str:
    """HTML of the panel: the decision, its reason, the time it took, and a row for each candidate."""
    words, reply = chat.words, chat.last
    if reply is None:
        return f'<p class="quiet">{words.no_candidates if chat.entries else words.nothing_yet}</p>'
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
