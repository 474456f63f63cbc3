"""Fakes with a visible rule, so that a reader can work out by hand what a test must see."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from chatbot.decide import EVIDENCE, SIGNS, Calibration, Confidence
from chatbot.desk import Author, Case, Message, Outcome
from chatbot.domain import (
    Action,
    Candidate,
    Citation,
    Conversation,
    Decision,
    Exchange,
    Mood,
    QAPair,
    Reason,
    Reply,
    Role,
    Rows,
    Scores,
    Turn,
    Vectors,
)
from chatbot.errors import Taken, Unavailable, UserError

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class FakeJournal:
    """A Journal in memory: lists that a test may read."""

    def __init__(self) -> None:
        self.languages: dict[str, str | None] = {}
        self.kept: list[tuple[str, str, Reply]] = []  # conversation, text, reply; number = position + 1
        self.thumbs: list[tuple[int, bool | None, str]] = []
        self.queue: list[tuple[str, Reason]] = []
        self.agents: dict[str, str] = {}  # who claimed a conversation of the queue

    def open(self, language: str | None = None, customer: str | None = None, secret: str | None = None) -> str:
        conversation_id = f"conversation-{len(self.languages) + 1}"
        self.languages[conversation_id] = language
        return conversation_id

    def record(self, conversation_id: str, text: str, reply: Reply) -> int:
        self._check(conversation_id)
        self.kept.append((conversation_id, text.encode("utf-8", "replace").decode().replace("\0", "␀"), reply))
        return len(self.kept)

    def feedback(self, exchange_id: int, liked: bool | None, comment: str = "") -> None:
        if not 1 <= exchange_id <= len(self.kept):
            raise UserError(f"The journal knows no exchange {exchange_id}.")
        self.thumbs.append((exchange_id, liked, comment))

    def hand_over(self, conversation_id: str, reason: Reason) -> int:
        self._check(conversation_id)
        if conversation_id not in dict(self.queue):
            self.queue.append((conversation_id, reason))
        waiting = [talk for talk, _ in self.queue if talk not in self.agents]
        return waiting.index(conversation_id) + 1

    def conversation(self, conversation_id: str) -> Conversation:
        self._check(conversation_id)
        said = [(text, reply) for talk, text, reply in self.kept if talk == conversation_id]
        turns = [
            turn
            for text, reply in said
            for turn in (Turn(Role.USER, text), Turn(Role.AGENT, reply.text, reply.answer_id, reply.asks))
        ]
        language = said[-1][1].language if said else self.languages[conversation_id]
        return Conversation(conversation_id, tuple(turns), language)

    def exchanges(self, conversation_id: str) -> list[Exchange]:
        self._check(conversation_id)
        return [
            Exchange(text, reply, number, NOON)
            for number, (talk, text, reply) in enumerate(self.kept, 1)
            if talk == conversation_id
        ]

    def _check(self, conversation_id: str) -> None:
        if conversation_id not in self.languages:
            raise UserError(f"The journal knows no conversation {conversation_id!r}.")


class FakeDesk:
    """A Desk in memory, over the queue of a FakeJournal; every message is written at noon, and every wait is one
    minute."""

    def __init__(self, journal: FakeJournal) -> None:
        self.journal = journal
        self.agents = journal.agents
        self.contacts: dict[str, str] = {}
        self.closed: list[tuple[str, Outcome]] = []
        self.written: list[tuple[str, Message]] = []
        self.claims = 0

    def cases(self) -> list[Case]:
        waiting = [talk for talk, _ in self.journal.queue if talk not in self.agents]
        return [
            Case(
                talk,
                reason,
                NOON,
                waiting.index(talk) + 1 if talk in waiting else 0,
                self.agents.get(talk),
                self.contacts.get(talk, ""),
                self.journal.languages[talk],
                self._last(talk),
            )
            for talk, reason in self.journal.queue
        ]

    def case(self, conversation_id: str) -> Case | None:
        return next((case for case in self.cases() if case.conversation_id == conversation_id), None)

    def claim(self, conversation_id: str, agent: str) -> Case:
        self._mine(conversation_id, agent)
        self.claims += conversation_id not in self.agents
        self.agents[conversation_id] = agent
        return self._mine(conversation_id, agent)

    def release(self, conversation_id: str, agent: str) -> None:
        self._mine(conversation_id, agent)
        self.agents.pop(conversation_id, None)

    def close(self, conversation_id: str, outcome: Outcome, agent: str = "") -> None:
        case = self._mine(conversation_id, None if outcome is Outcome.WITHDRAWN else agent)
        self.agents.pop(conversation_id, None)
        self.journal.queue.remove((conversation_id, case.reason))
        self.closed.append((conversation_id, outcome))

    def say(self, conversation_id: str, author: Author, text: str, name: str = "") -> Message:
        self.journal.conversation(conversation_id)
        message = Message(author, text, NOON, name)
        self.written.append((conversation_id, message))
        return message

    def leave_contact(self, conversation_id: str, contact: str) -> None:
        self._mine(conversation_id, None)
        self.contacts[conversation_id] = contact

    def messages(self, conversation_id: str) -> list[Message]:
        return [message for talk, message in self.written if talk == conversation_id]

    def usual_wait(self) -> float | None:
        return 60.0 if self.claims else None

    def _last(self, conversation_id: str) -> str:
        written = [m.text for m in self.messages(conversation_id) if m.author is Author.CUSTOMER]
        return [*(exchange.text for exchange in self.journal.exchanges(conversation_id)), *written][-1]

    def _mine(self, conversation_id: str, agent: str | None) -> Case:
        case = self.case(conversation_id)
        if case is None:
            raise UserError(f"conversation {conversation_id!r} waits for nobody")
        if agent is not None and case.agent not in (None, agent):
            raise Taken(f"{case.agent} has this conversation already")
        return case


class FakeConnector:
    """A Connector over a dictionary, whose key is the first value; None for a record breaks the line."""

    def __init__(self, records: Mapping[str, Mapping[str, str] | None]) -> None:
        self.records = records
        self.asked: list[dict[str, str]] = []

    def find(self, values: Mapping[str, str]) -> Mapping[str, str] | None:
        self.asked.append(dict(values))
        (key, *_) = values.values()
        if key in self.records and self.records[key] is None:
            raise Unavailable("the fake was told to fail")
        return self.records.get(key)


class FakeResponder:
    """A Responder with a visible rule: it counts the words and says so. "boom" raises, "person" or 人工 hands
    over, "maybe" asks back with the rest of the text as a suggestion. The one candidate repeats the question."""

    def reply(self, conversation: Conversation, text: str) -> Reply:
        if "boom" in text:
            raise RuntimeError("the fake was told to fail")
        if not text.strip():
            return self._reply("What would you like to know?", Decision(Action.CHAT, 0.0, Reason.NO_QUESTION))
        if len(text) > 2000:
            return self._reply("Please say it in fewer words.", Decision(Action.CHAT, 0.0, Reason.TOO_LONG))
        if "person" in text or "人工" in text:
            decision = Decision(Action.HAND_OVER, 0.0, Reason.ASKED_FOR_PERSON)
            return self._reply("A person will be with you.", decision)
        language = "zh" if re.search(r"[一-鿿]", text) else "en"
        said = f"您说了 {len(text)} 个字。" if language == "zh" else f"You asked: {len(text.split())} words."
        candidate = Candidate(QAPair("pair-1", text, said, "A1", language, "handbook"), 0.875, 2.5)
        if "maybe" in text:
            decision = Decision(Action.CLARIFY, 0.55, Reason.AMBIGUOUS, (replace(candidate, confidence=0.55),))
            suggestions = (text.replace("maybe", "").strip(), "How do I pay?")
            return self._reply("Did you mean one of these?", decision, suggestions=suggestions)
        decision = Decision(Action.ANSWER, 0.95, Reason.CONFIDENT, (replace(candidate, confidence=0.95),))
        citations = (Citation("pair-1", "A1", text, "handbook"),)
        return self._reply(said, decision, language, "A1", citations)

    @staticmethod
    def _reply(
        text: str,
        decision: Decision,
        language: str = "en",
        answer_id: str | None = None,
        citations: tuple[Citation, ...] = (),
        suggestions: tuple[str, ...] = (),
    ) -> Reply:
        timings = {"retrieve": 4.0, "rerank": 8.5}
        return Reply(text, decision, language, answer_id, citations, suggestions, timings)


class RecordingResponder:
    """A Responder with a reply for each text that it knows; it hands over others and keeps what it was asked."""

    def __init__(self, replies: Mapping[str, Reply]) -> None:
        self.replies = replies
        self.asked: list[tuple[Conversation, str]] = []

    def reply(self, conversation: Conversation, text: str) -> Reply:
        self.asked.append((conversation, text))
        unsure = Reply("A person will be with you.", Decision(Action.HAND_OVER, 0.0, Reason.UNSURE), "en")
        return self.replies.get(text, unsure)


class FakeMoodReader:
    """A MoodReader: "grr" or 气 is angry, "oh dear" or 怕 is worried."""

    def of(self, text: str) -> Mood:
        if "grr" in text or "气" in text:
            return Mood.ANGRY
        return Mood.WORRIED if "oh dear" in text or "怕" in text else Mood.CALM


class ExactIndex:
    """A VectorIndex with nothing clever in it: every inner product, then sorted by similarity and row."""

    def __init__(self, rows: Rows, vectors: Vectors) -> None:
        self.dimension = vectors.shape[1]
        self.stored: dict[int, Vectors] = {}
        self.add(rows, vectors)

    def search(self, vectors: Vectors, k: int, among: Rows | None = None) -> tuple[Scores, Rows]:
        if k < 1:
            raise ValueError("k")
        similarities = np.full((len(vectors), k), -np.inf, dtype=np.float32)
        rows = np.full((len(vectors), k), -1, dtype=np.int64)
        allowed = [row for row in sorted(self.stored) if among is None or row in among]
        for i, vector in enumerate(self._checked(vectors)):
            scored = [(float(np.float32(vector.astype(float) @ self.stored[row])), row) for row in allowed]
            for j, (similarity, row) in enumerate(sorted(scored, key=lambda s: (-s[0], s[1]))[:k]):
                similarities[i, j], rows[i, j] = similarity, row
        return similarities, rows

    def add(self, rows: Rows, vectors: Vectors) -> None:
        numbers = rows.tolist()
        unusable = len(set(numbers)) < len(numbers) or self.stored.keys() & set(numbers) or -1 in numbers
        if unusable or len(numbers) != len(vectors):
            raise ValueError("rows")
        self.stored.update(zip(numbers, self._checked(vectors).copy(), strict=True))

    def remove(self, rows: Rows) -> None:
        self.vectors(rows)
        for row in rows.tolist():
            del self.stored[row]

    def vectors(self, rows: Rows) -> Vectors:
        if set(rows.tolist()) - self.stored.keys():
            raise ValueError("rows")
        return np.array([self.stored[row] for row in rows.tolist()], dtype=np.float32).reshape(-1, self.dimension)

    def __len__(self) -> int:
        return len(self.stored)

    def _checked(self, vectors: Vectors) -> Vectors:
        if vectors.shape[1:] != (self.dimension,) or not np.isfinite(vectors).all():
            raise ValueError("vectors")
        return vectors


class SharedWords:
    """A LexicalIndex whose score is the share of the text's distinct words that a row holds."""

    def __init__(self, rows: Rows, texts: Sequence[str]) -> None:
        self.words: dict[int, set[str]] = {}
        self.add(rows, texts)

    def search(self, texts: Sequence[str], k: int, among: Rows | None = None) -> tuple[Scores, Rows]:
        if k < 1:
            raise ValueError("k")
        allowed = self.words.keys() if among is None else self.words.keys() & set(among.tolist())
        scores = np.full((len(texts), k), -np.inf, dtype=np.float32)
        rows = np.full((len(texts), k), -1, dtype=np.int64)
        for i, text in enumerate(texts):
            found = [(self._share(text, row), row) for row in allowed]
            best = sorted((s for s in found if s[0] > 0), key=lambda s: (-s[0], s[1]))[:k]
            for j, (share, row) in enumerate(best):
                scores[i, j], rows[i, j] = share, row
        return scores, rows

    def score(self, text: str, rows: Rows) -> Scores:
        self._check(rows)
        return np.array([self._share(text, row) for row in rows.tolist()], dtype=np.float32)

    def add(self, rows: Rows, texts: Sequence[str]) -> None:
        numbers = rows.tolist()
        unusable = len(set(numbers)) < len(numbers) or self.words.keys() & set(numbers) or -1 in numbers
        if unusable or len(numbers) != len(texts):
            raise ValueError("rows")
        self.words.update((row, set(text.split())) for row, text in zip(numbers, texts, strict=True))

    def remove(self, rows: Rows) -> None:
        self._check(rows)
        for row in rows.tolist():
            del self.words[row]

    def __len__(self) -> int:
        return len(self.words)

    def _share(self, text: str, row: int) -> float:
        asked = set(text.split())
        return len(asked & self.words[row]) / max(len(asked), 1)

    def _check(self, rows: Rows) -> None:
        if set(rows.tolist()) - self.words.keys():
            raise ValueError("rows")


class FakeEncoder:
    """An Encoder that counts letters: one coordinate each, and a last one that is always 1; then unit length.
    With the letters "ab", "Abba!" is (2, 2, 1) / 3 and "" is (0, 0, 1). Words do as well as letters: with
    ("parcel", "refund"), "My parcel?" is (1, 0, 1) / √2."""

    def __init__(self, letters: Sequence[str] = "abcdefghijklmnopqrstuvwxyz") -> None:
        self.letters = letters

    @property
    def fingerprint(self) -> str:
        return f"letters {self.letters}"

    @property
    def dimension(self) -> int:
        return len(self.letters) + 1

    def encode(self, texts: Sequence[str]) -> Vectors:
        counts = [[text.lower().count(letter) for letter in self.letters] + [1] for text in texts]
        vectors = np.array(counts, dtype=np.float32).reshape(-1, self.dimension)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class FakeReranker:
    """A Reranker that counts words: those that both texts have, less `strictness` for each that only one has."""

    def __init__(self, strictness: float = 1.0) -> None:
        self.strictness = strictness
        self.read: list[tuple[str, str]] = []  # every pair that was ever scored

    @property
    def fingerprint(self) -> str:
        return f"words, strictness {self.strictness}"

    def score(self, questions: Sequence[str], texts: Sequence[str]) -> Scores:
        self.read += zip(questions, texts, strict=True)
        words = [(set(left.split()), set(right.split())) for left, right in zip(questions, texts, strict=True)]
        scores = [len(left & right) - self.strictness * len(left ^ right) for left, right in words]
        return np.array(scores, dtype=np.float32)


def pair(question: str, answer_id: str, answer: str = "", language: str = "en") -> QAPair:
    """A pair whose id is its question and whose answer, unless given, is "Answer" and the answer's id."""
    return QAPair(question, question, answer if answer else f"Answer {answer_id}.", answer_id, language)


def calibration(
    fusion: Mapping[str, float],
    first: Mapping[str, float] | None = None,
    first_bias: float = 0.0,
    any_: Mapping[str, float] | None = None,
    any_bias: float = 0.0,
    answer_threshold: float = 0.5,
    clarify_threshold: float = 0.5,
    matching: tuple[float, float, float] = (20.0, 0.5, -17.0),
) -> Calibration:
    """Weights by name, 0 where none is given; evidence is taken as it is (mean 0, spread 1)."""

    def weights(names: Sequence[str], given: Mapping[str, float] | None) -> tuple[float, ...]:
        return tuple((given if given is not None else {}).get(name, 0.0) for name in names)

    confidence = Confidence(
        first=weights(SIGNS, first),
        first_bias=first_bias,
        any=weights(SIGNS, any_),
        any_bias=any_bias,
        answer_threshold=answer_threshold,
        clarify_threshold=clarify_threshold,
    )
    return Calibration(
        mean=(0.0,) * len(EVIDENCE),
        spread=(1.0,) * len(EVIDENCE),
        fusion=weights(EVIDENCE, fusion),
        alone=confidence,
        later=confidence,
        matching=matching,
    )


# Similarity alone decides: an answer from 0.85 on, asking back from 0.75 on.
BY_SIMILARITY = calibration({"similarity": 1}, {"similarity": 100}, -85, {"similarity": 100}, -75)
