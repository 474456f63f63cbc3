"""The nouns that travel through the chatbot.

Nothing here loads a model, opens a file or imports a library other than numpy. One frozen value passes from
step to step; a step that changes something returns a new value (`dataclasses.replace`).

A score is higher-is-better everywhere, and its name says which kind it is: `similarity` (cosine of two unit
vectors), `relevance` (cross-encoder logit), `lexical` (BM25 as a share of what the question could reach),
`agreement` (share of the nearest historical questions), `confidence` (probability that the answer is right).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]  # [n, dim], each row of unit length
Scores = NDArray[np.float32]  # any shape, higher is better
Rows = NDArray[np.int64]  # positions in an index; -1 where there was nothing more to find


class Role(StrEnum):
    USER = "user"
    AGENT = "agent"  # the bot or a person: whoever speaks for the company


class Action(StrEnum):
    """What a decision does. The first three are about the question; the last needs no stored answer."""

    ANSWER = "answer"
    CLARIFY = "clarify"
    HAND_OVER = "hand_over"
    CHAT = "chat"


class Mood(StrEnum):
    """How a customer sounds."""

    CALM = "calm"
    ANGRY = "angry"
    WORRIED = "worried"


class Reason(StrEnum):
    """Why a decision came out as it did."""

    CONFIDENT = "confident"  # the confidence reached the answer threshold
    REFUSED = "refused"  # the customer says not to want what the best answer is about
    AMBIGUOUS = "ambiguous"  # below it, but the right answer is probably among the first few
    UNSURE = "unsure"  # nothing in the pairs seems to answer it
    ASKED_FOR_PERSON = "asked_for_person"
    UPSET = "upset"  # an angry or worried customer would have been asked back again
    SMALL_TALK = "small_talk"
    NO_QUESTION = "no_question"  # empty, or nothing in it that can be read as words
    TOO_LONG = "too_long"
    VALUE_GIVEN = "value_given"  # what an answer had asked for; it need not be found again
    NO_VALUE = "no_value"  # what an answer had asked for is not in the message


@dataclass(frozen=True, slots=True)
class QAPair:
    """One historical question with the answer that served it.

    `question` is as it was typed; `answer` is word for word what the company said. Questions that share an
    `answer_id` share one answer. `count` says how many rows of the source were merged into this one.
    """

    id: str
    question: str
    answer: str
    answer_id: str
    language: str
    source: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    count: int = 1

    @staticmethod
    def content_id(question: str, answer_id: str, language: str) -> str:
        """A stable id: 16 hexadecimal digits of the SHA-256 of what the pair says."""
        text = "\x1f".join((language, answer_id, question))
        return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation. `answer_id` is the stored answer that an agent turn gave, if any; `asks` the
    slot that it asked for, and then `answer_id` is the answer that waits for it."""

    role: Role
    text: str
    answer_id: str | None = None
    asks: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said so far, oldest first; `language` is None until the first words settle it."""

    id: str = ""
    turns: tuple[Turn, ...] = ()
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One stored answer with the evidence that it answers the question.

    `pair` is the historical question of this answer that came closest. `relevance` is 0 where the cross-encoder
    read nothing. `score` is the fused ranking score that candidates are sorted by; `confidence` is the probability
    that this answer is right.
    """

    pair: QAPair
    similarity: float
    relevance: float = 0.0
    lexical: float = 0.0
    agreement: float = 0.0
    centroid: float = 0.0  # cosine with the mean of the answer's historical questions
    answer_similarity: float = 0.0  # cosine with the answer's own text
    classified: float = 0.0  # log-probability of the answer among all that the classifier knows
    score: float = 0.0
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, how sure we are, and from which candidates (best first)."""

    action: Action
    confidence: float
    reason: Reason
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """Where an answer comes from: the historical question, its stored answer's id, its source, and its date where
    the pairs have a column of that name."""

    pair_id: str
    answer_id: str
    question: str
    source: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the bot says. `suggestions` are questions to offer as buttons; `timings` are milliseconds a step;
    `asks` is the slot that it asks for, whose value `answer_id` waits for; `also` names answers that were given
    beside `answer_id`. `offers_person` says that a way to a person should stand out. `version` is the built bot's
    that gave it, None where that is not known."""

    text: str
    decision: Decision
    language: str
    answer_id: str | None = None
    citations: tuple[Citation, ...] = ()
    suggestions: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    asks: str | None = None
    mood: Mood = Mood.CALM
    offers_person: bool = False
    also: tuple[str, ...] = ()
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A customer's message and what the bot made of it. `reply` is None where it failed; `number` is the
    journal's, None where it could not be kept."""

    text: str
    reply: Reply | None = None
    number: int | None = None
    time: datetime | None = None  # UTC, of a kept one


@dataclass(frozen=True, slots=True)
class HeldOutTurn:
    """A turn of a held-out dialogue. `expected` is None where the turn is context and not scored; an empty
    tuple means that nothing in the pairs answers it."""

    role: Role
    text: str
    expected: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class HeldOutDialogue:
    id: str
    language: str
    turns: tuple[HeldOutTurn, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """Two questions and whether they mean the same."""

    left: str
    right: str
    same: bool
