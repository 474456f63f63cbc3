"""The shapes of the API's requests and responses, and how they are made of the nouns.

A request that has more keys than these, or values out of range, is refused with what is wrong.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from chatbot.desk import Author, Case
from chatbot.desk import Message as Written
from chatbot.domain import Action, Citation, Exchange, Mood, QAPair, Reason, Reply
from chatbot.journal import Opened

LONGEST = 20_000  # characters of one text; a bot's own limit may be lower, and is answered in words
BATCH = 100  # questions, or pairs, of one request

Text = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Note = Annotated[str, Field(max_length=500)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$", examples=["en", "zh"])]
Share = Annotated[float, Field(ge=0, le=1)]


class Asked(BaseModel):
    """A request's body."""

    model_config = ConfigDict(extra="forbid")


class Begin(Asked):
    """A new conversation."""

    language: Language | None = Field(default=None, description="The page's; each message is read by its own.")
    customer: Name | None = Field(
        default=None, description="Who it is, in the company's own terms. Only with a key or a customer's session."
    )


class Begun(BaseModel):
    id: str = Field(examples=["0b8f6a1e5d3c4f7e9a2b1c0d9e8f7a6b"])
    token: str = Field(
        description="Shown once. As `Authorization: Bearer`, it opens this conversation and nothing else."
    )
    bot: str = Field(examples=["demo"])


class State(StrEnum):
    """Of a conversation."""

    BOT = "bot"  # the bot answers
    WAITING = "waiting"  # a person was asked for
    PERSON = "person"  # an agent has it, and the bot is quiet


class Standing(BaseModel):
    """How a conversation stands."""

    id: str
    state: State
    language: str | None
    place: int = Field(default=0, description="In the queue, from 1; 0 where nobody is waited for.")
    usual_wait: float | None = Field(
        default=None, description="Seconds that others waited of late, at the median."
    )
    agent: str | None = None

    @classmethod
    def of(cls, conversation_id: str, language: str | None, case: Case | None, wait: float | None) -> Self:
        if case is None:
            return cls(id=conversation_id, state=State.BOT, language=language)
        state = State.WAITING if case.agent is None else State.PERSON
        return cls(
            id=conversation_id,
            state=state,
            language=language,
            place=case.place,
            usual_wait=wait,
            agent=case.agent,
        )


class Say(Asked):
    text: Text = Field(examples=["Where is my parcel?"])
    stream: StrictBool = Field(
        default=False, description="As server-sent events: `delta`s of the text, then the `message`."
    )


class Source(BaseModel):
    """Where an answer comes from."""

    answer_id: str
    question: str = Field(description="The stored question that came closest.")
    source: str
    date: str

    @classmethod
    def of(cls, citation: Citation) -> Self:
        return cls.model_validate(citation, from_attributes=True)


class Speaker(StrEnum):
    CUSTOMER = "customer"
    BOT = "bot"
    AGENT = "agent"


class Message(BaseModel):
    """What one of them said. Of the bot's, why; `exchange` is its number, for feedback."""

    role: Speaker
    text: str
    time: datetime | None = None
    exchange: int | None = None
    name: str = Field(default="", description="Of an agent.")
    action: Action | None = None
    reason: Reason | None = None
    confidence: float | None = Field(default=None, description="Probability that the answer is right.")
    answer_id: str | None = None
    also: list[str] = Field(default=[], description="Ids of further answers in the same text.")
    sources: list[Source] = []
    suggestions: list[str] = Field(default=[], description="Questions to offer.")
    asks: str | None = Field(default=None, description="The slot that the bot asks for.")
    mood: Mood | None = None
    offers_person: bool = False
    version: str | None = Field(default=None, description="Of the bot that said it.")
    milliseconds: float | None = None

    @classmethod
    def of(cls, reply: Reply, exchange: Exchange) -> Self:
        """The bot's."""
        return cls(
            role=Speaker.BOT,
            text=reply.text,
            time=exchange.time,
            exchange=exchange.number,
            action=reply.decision.action,
            reason=reply.decision.reason,
            confidence=reply.decision.confidence,
            answer_id=reply.answer_id,
            also=list(reply.also),
            sources=[Source.of(citation) for citation in reply.citations],
            suggestions=list(reply.suggestions),
            asks=reply.asks,
            mood=reply.mood,
            offers_person=reply.offers_person,
            version=reply.version,
            milliseconds=reply.timings.get("total"),
        )

    @classmethod
    def written(cls, message: Written) -> Self:
        """A person's."""
        role = Speaker.CUSTOMER if message.author is Author.CUSTOMER else Speaker.AGENT
        return cls(role=role, text=message.text, time=message.time, name=message.name)


def messages(entry: Exchange | Written) -> list[Message]:
    """What was said in one entry of a conversation, in order."""
    if isinstance(entry, Written):
        return [Message.written(entry)]
    asked = Message(role=Speaker.CUSTOMER, text=entry.text, time=entry.time, exchange=entry.number)
    return [asked] if entry.reply is None else [asked, Message.of(entry.reply, entry)]


class Delta(BaseModel):
    """A piece of a reply that is streamed."""

    text: str


class Listed(BaseModel):
    """A conversation in a list."""

    id: str
    began: datetime
    language: str | None
    customer: str | None

    @classmethod
    def of(cls, opened: Opened) -> Self:
        return cls(id=opened.id, began=opened.time, language=opened.language, customer=opened.customer)


class Judgement(Asked):
    """A thumb: up, down, or taken back."""

    liked: StrictBool | None
    comment: Note = ""


class AskForPerson(Asked):
    contact: Note = Field(default="", description="Where the customer can be reached.")


class Waiting(BaseModel):
    """An open hand-over, as agents see it."""

    conversation: str
    reason: Reason
    since: datetime
    place: int
    agent: str | None
    contact: str
    language: str | None
    last: str = Field(description="What the customer wrote last.")

    @classmethod
    def of(cls, case: Case) -> Self:
        return cls(
            conversation=case.conversation_id,
            reason=case.reason,
            since=case.since,
            place=case.place,
            agent=case.agent,
            contact=case.contact,
            language=case.language,
            last=case.last,
        )


class Wrote(Asked):
    """An agent's words."""

    text: Text


class Close(Asked):
    outcome: Literal["resolved", "handed_back"]


class Pair(BaseModel):
    """One historical question with the answer that served it."""

    id: str
    question: str
    answer: str
    answer_id: str
    language: str
    source: str
    metadata: dict[str, str]

    @classmethod
    def of(cls, pair: QAPair) -> Self:
        return cls.model_validate(pair, from_attributes=True)


class NewPair(Asked):
    question: Text
    answer_id: Name
    language: Language
    answer: Text | None = Field(default=None, description="Not needed where the answer is there already.")
    source: Note = ""


class Publish(Asked):
    """Pairs that go and pairs that come: all of it or nothing."""

    add: Annotated[list[NewPair], Field(max_length=10_000)] = []
    retire: Annotated[list[Name], Field(max_length=10_000, description="Ids of pairs.")] = []
    after: Name | None = Field(
        default=None, description="The version that this was made for; another one is refused."
    )
    why: Note = ""


class Reword(Asked):
    answer: Text
    language: Language
    why: Note = ""


class Live(BaseModel):
    """What is live after a change."""

    version: str


class Compared(BaseModel):
    """What a file would change, or has changed."""

    version: str = Field(description="Live now.")
    published: bool
    counts: dict[str, dict[str, int]] = Field(description="How many of each kind of change, by language.")
    bad_rows: list[str] = Field(description="Rows that cannot be used, and why; the others can.")
