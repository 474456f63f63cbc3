"""The protocols that the chatbot's parts keep: what a step may ask of the next, whichever class it is.

Importing one loads no model and no library other than numpy. What travels between the parts is domain.py's; the
desk for hand-overs, with nouns of its own, is desk.py's.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from chatbot.domain import Conversation, Exchange, Reason, Reply, Rows, Scores, Vectors


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


class Connector(Protocol):
    """The company's data, where what a customer gave is looked up. It never writes."""

    def find(self, values: Mapping[str, str]) -> Mapping[str, str] | None:
        """The fields of the one record under these values (by slot), as text, empty where there is none; None
        where there is no such record. Raises Unavailable, also where it takes too long or finds several."""
        ...


class Responder(Protocol):
    """All that evaluation and the pages need to know of a chatbot."""

    def reply(self, conversation: Conversation, text: str) -> Reply: ...


class Journal(Protocol):
    """What happened, kept. Each call returns only once the record is on disk."""

    def open(self, language: str | None = None, customer: str | None = None, secret: str | None = None) -> str:
        """Start a conversation; its id. `customer` is who signed in, if anybody, in the company's own terms;
        `secret` is the SHA-256 of a token that opens it, if there is one."""
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

    def conversation(self, conversation_id: str) -> Conversation:
        """What was said, by the bot and by people."""
        ...

    def exchanges(self, conversation_id: str) -> Sequence[Exchange]:
        """With the bot only, oldest first. A reply's candidates come back without their answers' texts."""
        ...
