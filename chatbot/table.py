"""Which pair is in which row of the indexes, which rows share an answer, and the sum of their vectors.

In: pairs with the vectors of their questions. Out: the rows they were given, for the indexes to use as well. A
row is given once and never again, so that an index, a saved bot and this table always mean the same pair by it.
The sums give an answer's centroid without going through its questions again. `votes` is what the neighbours of a
question say about answers.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from chatbot.domain import QAPair, Rows, Scores, Vectors

SHARPNESS = 0.05  # temperature of the vote among neighbours, the same as in the encoder's training
CHUNK = 65_536  # vectors read at once of a saved bot, which may hold more than fit into memory


class AnswerTable:
    """The bookkeeping of one language; what it holds is read freely, and changed by its methods alone."""

    def __init__(self) -> None:
        self.pairs: dict[int, QAPair] = {}
        self.number: dict[str, int] = {}  # answer_id -> row in the index of answer texts
        self.answer: dict[int, str] = {}  # and back
        self.rows: dict[str, list[int]] = {}
        self.sums: dict[str, Vectors] = {}
        self.next_row = 0
        self.next_number = 0

    @classmethod
    def restore(
        cls,
        rows: Sequence[int],
        pairs: Sequence[QAPair],
        vectors: Callable[[Rows], Vectors],
        numbers: Mapping[str, int],
    ) -> "AnswerTable":
        """The table of a saved bot: rows and numbers as they were; `vectors` gives those of some rows."""
        table = cls()
        table.number = dict(numbers)
        table.answer = {number: answer_id for answer_id, number in numbers.items()}
        table.next_number = max(numbers.values(), default=-1) + 1
        table.next_row = max(rows, default=-1) + 1
        for start in range(0, len(rows), CHUNK):
            own = rows[start : start + CHUNK]
            table._enter(own, pairs[start : start + CHUNK], vectors(np.array(own, dtype=np.int64)))
        return table

    def add(self, pairs: Sequence[QAPair], vectors: Vectors) -> Rows:
        """Give each pair the next row; the rows."""
        rows = list(range(self.next_row, self.next_row + len(pairs)))
        self.next_row += len(pairs)
        self._enter(rows, pairs, vectors)
        return np.array(rows, dtype=np.int64)

    def _enter(self, rows: Sequence[int], pairs: Sequence[QAPair], vectors: Vectors) -> None:
        for row, pair, vector in zip(rows, pairs, vectors, strict=True):
            answer_id = pair.answer_id
            self.pairs[row] = pair
            if answer_id not in self.number:
                self.number[answer_id] = self.next_number
                self.answer[self.next_number] = answer_id
                self.next_number += 1
            if answer_id in self.rows:
                self.rows[answer_id].append(row)
                self.sums[answer_id] += vector
            else:
                self.rows[answer_id] = [row]
                self.sums[answer_id] = np.array(vector)

    def copy(self) -> "AnswerTable":
        """Another table of the same pairs."""
        table = AnswerTable()
        table.pairs, table.number, table.answer = self.pairs.copy(), self.number.copy(), self.answer.copy()
        table.rows = {answer_id: list(rows) for answer_id, rows in self.rows.items()}
        table.sums = {answer_id: total.copy() for answer_id, total in self.sums.items()}
        table.next_row, table.next_number = self.next_row, self.next_number
        return table

    def remove(self, rows: Sequence[int], vectors: Vectors) -> list[int]:
        """Forget rows, and answers that have no question left; the numbers of those."""
        gone = []
        for row, vector in zip(rows, vectors, strict=True):
            answer_id = self.pairs.pop(row).answer_id
            self.rows[answer_id].remove(row)
            self.sums[answer_id] -= vector
            if not self.rows[answer_id]:
                gone.append(self.number.pop(answer_id))
                del self.rows[answer_id], self.sums[answer_id], self.answer[gone[-1]]
        return gone


def first_seen(rows: Rows, scores: Scores, unseen: frozenset[int], k: int) -> dict[int, float]:
    """The first k rows that may be seen, with their scores."""
    found = zip(rows.tolist(), scores.tolist(), strict=True)
    return dict([(row, score) for row, score in found if row >= 0 and row not in unseen][:k])


def votes(near: Mapping[int, float], pairs: Mapping[int, QAPair]) -> dict[str, float]:
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
