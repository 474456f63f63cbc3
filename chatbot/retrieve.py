"""Questions in, candidates out: encode, search, merge, rerank, and sort once, here.

A `Retriever` serves one language. Three searches find answers that may fit (vectors of historical questions,
words of historical questions, vectors of the answers' own texts); the pairs of one `answer_id` are aggregated
into one `Candidate` with seven kinds of evidence; the cross-encoder reads the question beside the best pairs of
the most promising answers, unless the decision is clear without it; the calibration's fusion sorts. Pairs can be
added and removed between two questions.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from time import perf_counter

import numpy as np

from chatbot.decide import EVIDENCE, Calibration, evidence
from chatbot.domain import (
    Candidate,
    Classifier,
    Encoder,
    LexicalIndex,
    QAPair,
    Reranker,
    Rows,
    VectorIndex,
    Vectors,
)
from chatbot.rank import Budget, Found, blended, judge, ranked, read
from chatbot.settings import Retrieve
from chatbot.table import AnswerTable, first_seen, votes
from chatbot.text import clean

ROWS_OF_AN_ANSWER = 32  # pairs looked at for an answer that no historical question brought up
RELEVANCE, CLASSIFIED = EVIDENCE.index("relevance"), EVIDENCE.index("classified")

Accepts = Callable[[QAPair], bool]


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What was found for one question, best first, by which calibration it is to be judged, and the milliseconds
    that each step took for the batch."""

    candidates: tuple[Candidate, ...]
    judge: Calibration
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
        self.classifier: Classifier | None = None
        self.budget = Budget()
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

    def vectors_of(self, pairs: Sequence[QAPair]) -> tuple[Vectors, Vectors]:
        """What `build` takes as `vectors`, for some of the pairs that are here."""
        row_of = {pair.id: row for row, pair in self.table.pairs.items()}
        numbers = [self.table.number[answer_id] for answer_id in dict.fromkeys(pair.answer_id for pair in pairs)]
        rows = np.array([row_of[pair.id] for pair in pairs], dtype=np.int64)
        return self.questions.vectors(rows), self.answers.vectors(np.array(numbers, dtype=np.int64))

    def add(self, pairs: Sequence[QAPair]) -> None:
        """Make pairs findable from the next question on."""
        vectors = self.encoder.encode([form(pair.question, self.casefold) for pair in pairs])
        with self.lock:
            fresh = {p.answer_id: p.answer for p in pairs if p.answer_id not in self.table.number}
            rows = self.table.add(pairs, vectors)
            self.questions.add(rows, vectors)
            self.lexical.add(rows, [form(pair.question, self.casefold) for pair in pairs])
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
                    self.answers.remove(np.array(gone, dtype=np.int64))
        return len(rows)

    def retrieve(
        self, texts: Sequence[str], where: Accepts | None = None, hidden: Sequence[frozenset[int]] | None = None
    ) -> list[Retrieved]:
        """Candidates for each text, best first. `where` limits the search to pairs that it accepts. `hidden` holds
        the rows that each text must not see: as if they were removed, but that BM25 still counts their words."""
        return self.retrieve_read([[text] for text in texts], where, hidden)

    def retrieve_read(
        self,
        messages: Sequence[Sequence[str]],
        where: Accepts | None = None,
        hidden: Sequence[frozenset[int]] | None = None,
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
            unseen = [frozenset[int]()] * len(forms) if hidden is None else hidden
            each = [rows for rows, readings in zip(unseen, forms, strict=True) for _ in readings]
            found = iter(self._gather(flat, vectors, where, each))
        most = self.settings.answers
        gathered = [blended([next(found) for _ in readings], self.calibration, most) for readings in forms]
        searched = perf_counter()
        judges = [self.calibration] * len(gathered)
        if self.reranker is not None:
            took, depth = 1000 * (searched - start) / max(len(forms), 1), self.settings.rerank_answers
            judges = [
                judge(f, self.calibration, len(r) > 1, self.budget.allows(took, f[:depth]))
                for f, r in zip(gathered, forms, strict=True)
            ]
            unclear = [i for i, judged in enumerate(judges) if judged is self.calibration]
            to_read = [gathered[i] for i in unclear]
            with self.budget.timing([f[:depth] for f in to_read]):
                read(
                    self.reranker,
                    [forms[i][0] for i in unclear],
                    to_read,
                    depth,
                    partial(form, casefold=self.casefold),
                )
        scored = perf_counter()
        timings = {
            "encode": 1000 * (encoded - start),
            "search": 1000 * (searched - encoded),
            "rerank": 1000 * (scored - searched),
        }
        return [
            Retrieved(ranked(found, judged), judged, timings)
            for found, judged in zip(gathered, judges, strict=True)
        ]

    def _gather(
        self, forms: Sequence[str], vectors: Vectors, where: Accepts | None, hidden: Sequence[frozenset[int]]
    ) -> list[list[Found]]:
        table, take, more = self.table, self.settings, max(map(len, hidden), default=0)
        among, of_answers, refused = None, None, frozenset[int]()
        if where is not None:
            accepted = {row: pair.answer_id for row, pair in table.pairs.items() if where(pair)}
            refused = frozenset(table.pairs.keys() - accepted.keys())
            among = np.array(list(accepted), dtype=np.int64)
            of_answers = np.array([table.number[a] for a in set(accepted.values())], dtype=np.int64)
        similarities, rows = self.questions.search(vectors, take.neighbours + more, among)
        lexical, lexical_rows = self.lexical.search(forms, take.lexical + more, among)
        _, numbers = self.answers.search(vectors, take.answers + more, of_answers)
        known = [{}] * len(forms) if self.classifier is None else self.classifier.of_answers(vectors)
        found = []
        for i, text in enumerate(forms):
            unseen = refused | hidden[i]
            near = first_seen(rows[i], similarities[i], unseen, take.neighbours)
            words = first_seen(lexical_rows[i], lexical[i], unseen, take.lexical)
            answer_ids = [table.answer[n] for n in numbers[i].tolist() if n in table.answer]
            left = [a for a in answer_ids if not hidden[i].issuperset(table.rows[a])][: take.answers]
            found.append(self._aggregate(text, vectors[i], near, words, left, unseen, {} if unseen else known[i]))
        return found

    def _aggregate(
        self,
        text: str,
        vector: Vectors,
        near: dict[int, float],
        words: dict[int, float],
        answer_ids: Sequence[str],
        unseen: frozenset[int],
        classified: Mapping[str, float],
    ) -> list[Found]:
        """The pairs that came up, by answer, with every kind of evidence but relevance; the best answers only.
        What the classifier does not know, such as an answer that came later, gets what speaks neither for nor
        against it; so does all where something is hidden that it has learnt."""
        table = self.table
        rows = {*near, *words}
        seen = {table.pairs[row].answer_id for row in rows}
        for answer_id in answer_ids:
            if answer_id not in seen:
                seeable = (row for row in table.rows[answer_id] if row not in unseen)
                rows.update(islice(seeable, ROWS_OF_AN_ANSWER))
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
        shares = votes(near, table.pairs)
        by_answer: dict[str, list[int]] = {}
        for row in sorted(rows, key=lambda row: (-similarity[row], row)):
            by_answer.setdefault(table.pairs[row].answer_id, []).append(row)
        chosen = list(by_answer)
        own = self.answers.vectors(np.array([table.number[a] for a in chosen], dtype=np.int64)) @ vector
        centroids = np.stack([self._sum(a, unseen) for a in chosen])
        central = (centroids @ vector) / np.maximum(np.linalg.norm(centroids, axis=1), 1e-9)
        found = [
            Found(
                Candidate(
                    pair=table.pairs[by_answer[answer_id][0]],
                    similarity=similarity[by_answer[answer_id][0]],
                    lexical=max(lexical[row] for row in by_answer[answer_id]),
                    agreement=shares.get(answer_id, 0.0),
                    centroid=float(central[i]),
                    answer_similarity=float(own[i]),
                    classified=classified.get(answer_id, self.calibration.mean[CLASSIFIED]),
                ),
                [table.pairs[row] for row in by_answer[answer_id][: self.settings.rerank]],
            )
            for i, answer_id in enumerate(chosen)
        ]
        values = evidence([f.candidate for f in found])
        values[:, RELEVANCE] = self.calibration.mean[RELEVANCE]
        scores = self.calibration.score(values).tolist()
        order = sorted(range(len(found)), key=lambda i: (-scores[i], found[i].candidate.pair.answer_id))
        return [found[i] for i in order[: self.settings.answers]]

    def _sum(self, answer_id: str, unseen: frozenset[int]) -> Vectors:
        """The sum of the vectors of those questions of an answer that may be seen: float32 [dim]."""
        total = self.table.sums[answer_id]
        gone = sorted(unseen.intersection(self.table.rows[answer_id])) if unseen else []
        return total - self.questions.vectors(np.array(gone)).sum(0) if gone else total


def form(text: str, casefold: bool) -> str:
    """How a text is compared: cleaned, and without case where the language's models do not need it."""
    cleaned = clean(text)
    return cleaned.casefold() if casefold else cleaned
