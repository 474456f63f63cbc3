"""Questions in, candidates out: encode, search, merge, rerank, and sort once, here.

A `Retriever` serves one language. Three searches find answers that may fit (vectors of historical questions,
words of historical questions, vectors of the answers' own texts); the pairs of one `answer_id` are aggregated
into one `Candidate` with six kinds of evidence; the cross-encoder reads the question beside the best pairs of the
most promising answers; the calibration's fusion sorts. Pairs can be added and removed between two questions.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from chatbot.decide import EVIDENCE, Calibration, Floats, blend
from chatbot.domain import (
    Candidate,
    Encoder,
    LexicalIndex,
    QAPair,
    Reranker,
    Rows,
    Scores,
    VectorIndex,
    Vectors,
)
from chatbot.settings import Retrieve
from chatbot.table import AnswerTable
from chatbot.text import clean

SHARPNESS = 0.05  # temperature of the vote among neighbours, the same as in the encoder's training
ROWS_OF_AN_ANSWER = 32  # pairs looked at for an answer that no historical question brought up
RELEVANCE = EVIDENCE.index("relevance")


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What was found for one question, best first, and the milliseconds that each step took for the batch."""

    candidates: tuple[Candidate, ...]
    timings: Mapping[str, float]


class Retriever:
    """The searching and ranking of one language; see `build`."""

    def __init__(
        self,
        table: AnswerTable,
        encoder: Encoder,
        questions: VectorIndex,
        answers: VectorIndex,
        lexical: LexicalIndex,
        reranker: Reranker | None,
        calibration: Calibration,
        settings: Retrieve,
        casefold: bool,
    ) -> None:
        self.table = table
        self.encoder = encoder
        self.questions = questions
        self.answers = answers
        self.lexical = lexical
        self.reranker = reranker
        self.calibration = calibration
        self.settings = settings
        self.casefold = casefold
        self.lock = threading.RLock()

    @classmethod
    def build(
        cls,
        pairs: Sequence[QAPair],
        encoder: Encoder,
        vector_index: Callable[[Rows, Vectors], VectorIndex],
        lexical_index: Callable[[Rows, Sequence[str]], LexicalIndex],
        reranker: Reranker | None,
        calibration: Calibration,
        settings: Retrieve,
        casefold: bool = True,
        vectors: tuple[Vectors, Vectors] | None = None,
    ) -> "Retriever":
        """Encode and index pairs. `vectors` are those of the questions and of the answers (in order of first
        appearance) where they are already known."""
        table = AnswerTable()
        forms = [form(pair.question, casefold) for pair in pairs]
        texts = {pair.answer_id: form(pair.answer, casefold) for pair in reversed(pairs)}
        of_questions, of_answers = vectors or (None, None)
        if of_questions is None:
            of_questions = encoder.encode(forms)
        rows = table.add(pairs, of_questions)
        if of_answers is None:
            of_answers = encoder.encode([texts[answer_id] for answer_id in table.number])
        return cls(
            table,
            encoder,
            vector_index(rows, of_questions),
            vector_index(np.arange(len(table.number), dtype=np.int64), of_answers),
            lexical_index(rows, forms),
            reranker,
            calibration,
            settings,
            casefold,
        )

    def add(self, pairs: Sequence[QAPair]) -> None:
        """Make pairs findable from the next question on."""
        vectors = self.encoder.encode([form(pair.question, self.casefold) for pair in pairs])
        with self.lock:
            known = set(self.table.number)
            rows = self.table.add(pairs, vectors)
            self.questions.add(rows, vectors)
            self.lexical.add(rows, [form(pair.question, self.casefold) for pair in pairs])
            fresh = {pair.answer_id: pair.answer for pair in pairs if pair.answer_id not in known}
            if fresh:
                numbers = np.array([self.table.number[answer_id] for answer_id in fresh], dtype=np.int64)
                self.answers.add(numbers, self.encoder.encode([form(t, self.casefold) for t in fresh.values()]))

    def remove(self, pair_ids: Sequence[str]) -> int:
        """Forget pairs by id; how many were there."""
        wanted = set(pair_ids)
        with self.lock:
            rows = [row for row, pair in self.table.pairs.items() if pair.id in wanted]
            if rows:
                array = np.array(rows, dtype=np.int64)
                gone = self.table.remove(rows, self.questions.vectors(array))
                self.questions.remove(array)
                self.lexical.remove(array)
                if gone:
                    self.answers.remove(np.array([self.table.number.pop(a) for a in gone], dtype=np.int64))
        return len(rows)

    def retrieve(self, texts: Sequence[str], where: Callable[[QAPair], bool] | None = None) -> list[Retrieved]:
        """Candidates for each text, best first. `where` limits the search to pairs that it accepts."""
        return self.retrieve_read([[text] for text in texts], where)

    def retrieve_read(
        self, messages: Sequence[Sequence[str]], where: Callable[[QAPair], bool] | None = None
    ) -> list[Retrieved]:
        """Candidates for each message, best first. A message is one reading or several: its words alone come
        first, then the same words with what was said before. Evidence is the mean over the readings
        (`decide.blend`); the cross-encoder reads the words alone."""
        start = perf_counter()
        forms = [[form(text, self.casefold) for text in readings] for readings in messages]
        flat = [text for readings in forms for text in readings]
        vectors = self.encoder.encode(flat)
        encoded = perf_counter()
        with self.lock:
            found = iter(self._gather(flat, vectors, where))
        gathered = [self._blended([next(found) for _ in readings]) for readings in forms]
        searched = perf_counter()
        if self.reranker is not None:
            self._rerank([readings[0] for readings in forms], gathered)
        scored = perf_counter()
        timings = {
            "encode": 1000 * (encoded - start),
            "search": 1000 * (searched - encoded),
            "rerank": 1000 * (scored - searched),
        }
        return [Retrieved(self._sorted(found), timings) for found in gathered]

    def _gather(
        self, forms: Sequence[str], vectors: Vectors, where: Callable[[QAPair], bool] | None
    ) -> list[list["_Found"]]:
        among = None
        if where is not None:
            among = np.array([row for row, pair in self.table.pairs.items() if where(pair)], dtype=np.int64)
        similarities, rows = self.questions.search(vectors, self.settings.neighbours, among)
        lexical, lexical_rows = self.lexical.search(forms, self.settings.lexical)
        _, numbers = self.answers.search(vectors, self.settings.answers)
        names = {number: answer_id for answer_id, number in self.table.number.items()}
        allowed = None if among is None else set(among.tolist())
        found = []
        for i, text in enumerate(forms):
            near = _pairs_of(rows[i], similarities[i], allowed)
            words = _pairs_of(lexical_rows[i], lexical[i], allowed)
            answer_ids = [names[n] for n in numbers[i].tolist() if n in names]
            found.append(self._aggregate(text, vectors[i], near, words, answer_ids, allowed))
        return found

    def _aggregate(
        self,
        text: str,
        vector: Vectors,
        near: dict[int, float],
        words: dict[int, float],
        answer_ids: Sequence[str],
        allowed: set[int] | None,
    ) -> list["_Found"]:
        """The pairs that came up, by answer, with every kind of evidence but relevance; the best answers only."""
        table = self.table
        rows = {*near, *words}
        seen = {table.pairs[row].answer_id for row in rows}
        for answer_id in answer_ids:
            if answer_id not in seen:
                rows.update(table.rows[answer_id][:ROWS_OF_AN_ANSWER])
        if allowed is not None:
            rows &= allowed
        if not rows:
            return []
        unknown = np.array(sorted(rows - near.keys()), dtype=np.int64)
        similarity = dict(near)
        if len(unknown):
            similarity.update(
                zip(unknown.tolist(), (self.questions.vectors(unknown) @ vector).tolist(), strict=True)
            )
        ordered = np.array(sorted(rows), dtype=np.int64)
        lexical = dict(zip(ordered.tolist(), self.lexical.score(text, ordered).tolist(), strict=True))
        votes = _votes(near, table.pairs)
        by_answer: dict[str, list[int]] = {}
        for row in sorted(rows, key=lambda row: (-similarity[row], row)):
            by_answer.setdefault(table.pairs[row].answer_id, []).append(row)
        chosen = list(by_answer)
        own = self.answers.vectors(np.array([table.number[a] for a in chosen], dtype=np.int64)) @ vector
        centroids = np.stack([table.sums[a] for a in chosen])
        central = (centroids @ vector) / np.maximum(np.linalg.norm(centroids, axis=1), 1e-9)
        found = [
            _Found(
                Candidate(
                    pair=table.pairs[by_answer[answer_id][0]],
                    similarity=similarity[by_answer[answer_id][0]],
                    lexical=max(lexical[row] for row in by_answer[answer_id]),
                    agreement=votes.get(answer_id, 0.0),
                    centroid=float(central[i]),
                    answer_similarity=float(own[i]),
                ),
                [table.pairs[row] for row in by_answer[answer_id][: self.settings.rerank]],
            )
            for i, answer_id in enumerate(chosen)
        ]
        found.sort(key=lambda f: (-self._score(f.candidate, without_relevance=True), f.candidate.pair.answer_id))
        return found[: self.settings.answers]

    def _blended(self, readings: Sequence[list["_Found"]]) -> list["_Found"]:
        """The findings of several readings as those of one message; the best answers only."""
        if len(readings) == 1:
            return readings[0]
        readable = {f.candidate.pair.answer_id: f.readable for found in reversed(readings) for f in found}
        blended = blend([[f.candidate for f in found] for found in readings], self.calibration)
        return [_Found(c, readable[c.pair.answer_id]) for c in blended[: self.settings.answers]]

    def _rerank(self, forms: Sequence[str], gathered: list[list["_Found"]]) -> None:
        """Let the cross-encoder read the pairs of the most promising answers, all of the batch in one call. The
        least relevance that it finds for a text stands in for the answers that it does not read."""
        assert self.reranker is not None
        read = [found[: self.settings.rerank_answers] for found in gathered]
        questions = [text for text, found in zip(forms, read, strict=True) for f in found for _ in f.readable]
        texts = [form(pair.question, self.casefold) for found in read for f in found for pair in f.readable]
        relevances: Scores = self.reranker.score(questions, texts)
        position = 0
        for found, every in zip(read, gathered, strict=True):
            for f in found:
                scores = relevances[position : position + len(f.readable)]
                position += len(f.readable)
                best = int(scores.argmax())
                f.candidate = replace(f.candidate, pair=f.readable[best], relevance=float(scores[best]))
            least = min((f.candidate.relevance for f in found), default=0.0)
            for f in every[len(found) :]:
                f.candidate = replace(f.candidate, relevance=least)

    def _score(self, candidate: Candidate, without_relevance: bool = False) -> float:
        values: Floats = np.array([getattr(candidate, name) for name in EVIDENCE], dtype=np.float64)
        if without_relevance:
            values[RELEVANCE] = self.calibration.mean[RELEVANCE]
        return float(self.calibration.score(values[None])[0])

    def _sorted(self, found: Sequence["_Found"]) -> tuple[Candidate, ...]:
        scored = [replace(f.candidate, score=self._score(f.candidate)) for f in found]
        return tuple(sorted(scored, key=lambda c: (-c.score, c.pair.answer_id)))


@dataclass(slots=True)
class _Found:
    """A candidate on its way, and the pairs of its answer that the cross-encoder shall read."""

    candidate: Candidate
    readable: list[QAPair]


def form(text: str, casefold: bool) -> str:
    """How a text is compared: cleaned, and without case where the language's models do not need it."""
    cleaned = clean(text)
    return cleaned.casefold() if casefold else cleaned


def _pairs_of(rows: Rows, scores: Scores, allowed: set[int] | None) -> dict[int, float]:
    return {
        row: score
        for row, score in zip(rows.tolist(), scores.tolist(), strict=True)
        if row >= 0 and (allowed is None or row in allowed)
    }


def _votes(near: Mapping[int, float], pairs: Mapping[int, QAPair]) -> dict[str, float]:
    """Each answer's share of a soft vote among the neighbours, nearer ones counting more."""
    if not near:
        return {}
    best = max(near.values())
    votes: dict[str, float] = {}
    for row, similarity in near.items():
        weight = float(np.exp((similarity - best) / SHARPNESS))
        votes[pairs[row].answer_id] = votes.get(pairs[row].answer_id, 0.0) + weight
    total = sum(votes.values())
    return {answer_id: vote / total for answer_id, vote in votes.items()}
