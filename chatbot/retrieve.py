"""Questions in, candidates out: encode, search, merge, rerank, and sort once, here.

A `Retriever` serves a language. Three searches find answers that may fit and six kinds of evidence (gather.py).
The cross-encoder reads the question beside the best pairs of the answers that may still come first, unless the
decision is clear without it, and the calibration's fusion sorts (rank.py). Pairs can be added and removed between
two questions.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np

from chatbot.decide import Calibration
from chatbot.domain import Candidate, QAPair, Rows, Vectors
from chatbot.gather import Accepts, Searches
from chatbot.protocols import Classifier, Encoder, LexicalIndex, Reranker, VectorIndex
from chatbot.rank import Budget, blended, judge, promising, ranked, read
from chatbot.settings import Retrieve
from chatbot.table import AnswerTable
from chatbot.text import clean


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
        self.change((), pairs)

    def remove(self, pair_ids: Sequence[str]) -> int:
        """Forget pairs by id; how many were there."""
        return self.change(pair_ids, ())

    def change(self, gone: Sequence[str], pairs: Sequence[QAPair]) -> int:
        """Forget pairs by id and make others findable, both at once for who asks; how many were forgotten. An
        answer whose pairs all go and that comes with others has their text from then on; a question that goes and
        comes keeps its vector."""
        table, wanted = self.table, set(gone)
        forms = [form(pair.question, self.casefold) for pair in pairs]
        vectors = self._kept_or_encoded(forms, wanted)
        texts = {pair.answer_id: form(pair.answer, self.casefold) for pair in reversed(pairs)}
        of_answers = dict(zip(texts, self.encoder.encode(list(texts.values())), strict=True))
        with self.lock:
            leaving = [row for row, pair in table.pairs.items() if pair.id in wanted]
            if leaving:
                array = np.array(leaving, dtype=np.int64)
                emptied = table.remove(leaving, self.questions.vectors(array))
                self.questions.remove(array)
                self.lexical.remove(array)
                if emptied:
                    self.answers.remove(np.array(emptied, dtype=np.int64))
            if pairs:
                fresh = [answer_id for answer_id in texts if answer_id not in table.number]
                rows = table.add(pairs, vectors)
                self.questions.add(rows, vectors)
                self.lexical.add(rows, forms)
                if fresh:
                    numbers = np.array([table.number[answer_id] for answer_id in fresh], dtype=np.int64)
                    self.answers.add(numbers, np.stack([of_answers[answer_id] for answer_id in fresh]))
        return len(leaving)

    def _kept_or_encoded(self, forms: Sequence[str], pair_ids: set[str]) -> Vectors:
        """The vectors of questions, those of these pairs as they are stored: float32 [len(forms), dim]."""
        with self.lock:
            there = {form(p.question, self.casefold): r for r, p in self.table.pairs.items() if p.id in pair_ids}
            rows = np.array([there[text] for text in forms if text in there], dtype=np.int64)
            kept = iter(self.questions.vectors(rows))
        fresh = iter(self.encoder.encode([text for text in forms if text not in there]))
        vectors = [next(kept if text in there else fresh) for text in forms]
        return np.stack(vectors) if vectors else np.zeros((0, self.encoder.dimension), np.float32)

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
            whole = self.calibration  # which may be replaced meanwhile
            unseen = [frozenset[int]()] * len(forms) if hidden is None else hidden
            each = [rows for rows, readings in zip(unseen, forms, strict=True) for _ in readings]
            found = iter(self._searches(whole).gather(flat, vectors, where, each))
        most = self.settings.answers
        gathered = [blended([next(found) for _ in readings], whole, most) for readings in forms]
        searched = perf_counter()
        judges = [whole] * len(gathered)
        if self.reranker is not None:
            took, depth = 1000 * (searched - start) / max(len(forms), 1), self.settings.rerank_answers
            counts = [promising(found, whole, depth) for found in gathered]
            judges = [
                judge(found, whole, len(r) > 1, self.budget.allows(took, found[:count]))
                for found, count, r in zip(gathered, counts, forms, strict=True)
            ]
            unclear = [i for i, judged in enumerate(judges) if judged is whole]
            with self.budget.timing([gathered[i][: counts[i]] for i in unclear]):
                read(
                    self.reranker,
                    [forms[i][0] for i in unclear],
                    [gathered[i] for i in unclear],
                    [counts[i] for i in unclear],
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

    def _searches(self, calibration: Calibration) -> Searches:
        return Searches(
            self.table, self.questions, self.answers, self.lexical, self.classifier, calibration, self.settings
        )


def form(text: str, casefold: bool) -> str:
    """How a text is compared: cleaned, and without case where the language's models do not need it."""
    cleaned = clean(text)
    return cleaned.casefold() if casefold else cleaned
