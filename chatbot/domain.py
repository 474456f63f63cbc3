"""The nouns that travel through the chatbot, and the protocols that its parts keep.

Nothing here loads a model, opens a file or imports a library other than numpy. One frozen value passes from
step to step; a step that changes something returns a new value (`dataclasses.replace`).

A score is higher-is-better everywhere, and its name says which kind it is: `similarity` (cosine of two unit
vectors), `relevance` (cross-encoder logit), `lexical` (BM25 as a share of what the question could reach),
`agreement` (share of the nearest historical questions), `confidence` (probability that the answer is right).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]  # [n, dim], each row of unit length
Scores = NDArray[np.float32]  # any shape, higher is better
Rows = NDArray[np.int64]  # positions in an index; -1 where there was nothing more to find

NO_METADATA: Mapping[str, str] = MappingProxyType({})


class Role(StrEnum):
    USER = "user"
    AGENT = "agent"  # the bot or a person: whoever speaks for the company


class Action(StrEnum):
    """What a decision does. The first three are about the question; the last needs no stored answer."""

    ANSWER = "answer"
    CLARIFY = "clarify"
    HAND_OVER = "hand_over"
    CHAT = "chat"


class Reason(StrEnum):
    """Why a decision came out as it did."""

    CONFIDENT = "confident"  # the confidence reached the answer threshold
    REFUSED = "refused"  # the customer says not to want what the best answer is about
    AMBIGUOUS = "ambiguous"  # below it, but the right answer is probably among the first few
    UNSURE = "unsure"  # nothing in the pairs seems to answer it
    ASKED_FOR_PERSON = "asked_for_person"
    SMALL_TALK = "small_talk"
    NO_QUESTION = "no_question"  # empty, or nothing in it that can be read as words
    TOO_LONG = "too_long"


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
    metadata: Mapping[str, str] = field(default_factory=lambda: NO_METADATA)
    count: int = 1

    @staticmethod
    def content_id(question: str, answer_id: str, language: str) -> str:
        """A stable id: 16 hexadecimal digits of the SHA-256 of what the pair says."""
        text = "\x1f".join((language, answer_id, question))
        return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation. `answer_id` is the stored answer that an agent turn gave, if any."""

    role: Role
    text: str
    answer_id: str | None = None


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
    """Where an answer comes from: the historical question, its stored answer's id and its source."""

    pair_id: str
    answer_id: str
    question: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the bot says. `suggestions` are questions to offer as buttons; `timings` are milliseconds a step."""

    text: str
    decision: Decision
    language: str
    answer_id: str | None = None
    citations: tuple[Citation, ...] = ()
    suggestions: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)


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


class Encoder(Protocol):
    """Texts to unit vectors (a bi-encoder)."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same text may give another vector."""
        ...

    @property
    def dimension(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 [len(texts), dimension], rows of unit length, in the order of `texts`."""
        ...


class VectorIndex(Protocol):
    """Unit vectors under stable row numbers, searched by inner product."""

    def search(self, vectors: Vectors, k: int, among: Rows | None = None) -> tuple[Scores, Rows]:
        """Similarities and rows, each [len(vectors), k], best first; ties by the lower row. `among` limits the
        search to those rows. Where fewer than k rows exist, the rest is (-inf, -1)."""
        ...

    def add(self, rows: Rows, vectors: Vectors) -> None: ...

    def remove(self, rows: Rows) -> None: ...

    def vectors(self, rows: Rows) -> Vectors: ...

    def __len__(self) -> int: ...


class LexicalIndex(Protocol):
    """Words under the same row numbers, searched by BM25."""

    def search(self, texts: Sequence[str], k: int, among: Rows | None = None) -> tuple[Scores, Rows]:
        """Scores between 0 and 1 (share of what the text could reach at most) and rows, like VectorIndex."""
        ...

    def score(self, text: str, rows: Rows) -> Scores:
        """float32 [len(rows)]: the same score for chosen rows."""
        ...

    def add(self, rows: Rows, texts: Sequence[str]) -> None: ...

    def remove(self, rows: Rows) -> None: ...

    def __len__(self) -> int: ...


class Classifier(Protocol):
    """Tells the answers apart by a question's vector."""

    def of_answers(self, vectors: Vectors) -> list[dict[str, float]]:
        """For each vector the log-probability of each answer that it knows, by id."""
        ...


class Reranker(Protocol):
    """A cross-encoder: reads a question and a candidate together. It never sorts."""

    @property
    def fingerprint(self) -> str: ...

    def score(self, questions: Sequence[str], texts: Sequence[str]) -> Scores:
        """Relevance (a logit) of each pair (questions[i], texts[i]); float32 [n], in that order."""
        ...


class Responder(Protocol):
    """All that evaluation and the pages need to know of a chatbot."""

    def reply(self, conversation: Conversation, text: str) -> Reply: ...


class Journal(Protocol):
    """What happened, kept. Each call returns only once the record is on disk."""

    def open(self, language: str | None = None) -> str:
        """Start a conversation; its id."""
        ...

    def record(self, conversation_id: str, text: str, reply: Reply) -> int:
        """Keep one exchange (the customer's text and the reply); its number, for feedback."""
        ...

    def feedback(self, exchange_id: int, liked: bool | None, comment: str = "") -> None:
        """Thumbs up (True), down (False) or taken back (None)."""
        ...

    def hand_over(self, conversation_id: str, reason: Reason) -> int:
        """A person was asked for; its place in the queue, from 1."""
        ...

    def conversation(self, conversation_id: str) -> Conversation: ...
