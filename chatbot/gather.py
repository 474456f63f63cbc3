"""What three searches find for a question, by answer, with every kind of evidence but the cross-encoder's.

In: texts with their vectors, and a language's indexes. Out: `Found`s, the answers that look best first. Vectors of
historical questions, words of historical questions and vectors of the answers' own texts bring pairs up; the pairs
of one `answer_id` become one `Candidate`. What is made of them is rank.py's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from chatbot.decide import EVIDENCE, RELEVANCE, Calibration, evidence
from chatbot.domain import Candidate, QAPair, Vectors
from chatbot.protocols import Classifier, LexicalIndex, VectorIndex
from chatbot.rank import Found
from chatbot.settings import Retrieve
from chatbot.table import AnswerTable, first_seen, votes

ROWS_OF_AN_ANSWER = 32  # pairs looked at for an answer that no historical question brought up
CLASSIFIED = EVIDENCE.index("classified")

Accepts = Callable[[QAPair], bool]


@dataclass(frozen=True, slots=True)
class Searches:
    """Those of one language. Whoever gathers holds the lock of who changes its indexes."""

    table: AnswerTable
    questions: VectorIndex
    answers: VectorIndex
    lexical: LexicalIndex
    classifier: Classifier | None
    calibration: Calibration
    settings: Retrieve

    def gather(
        self, forms: Sequence[str], vectors: Vectors, where: Accepts | None, hidden: Sequence[frozenset[int]]
    ) -> list[list[Found]]:
        """The best answers for each text and its vector, by the calibration's fusion without relevance.
        `where` and `hidden` are those of `Retriever.retrieve`."""
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
