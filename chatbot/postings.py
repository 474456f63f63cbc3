"""Word numbers in, BM25 scores and lines out: what is stored of the texts, and the search among them.

In:  for each text its row number and the numbers of its words; later the numbers of a question's words.
Out: sums of weights by line. A line is a text's place in the order of row numbers, or in which they came.

`Postings` are built once and never change: for each word the lines that hold it and what it is worth there. `Tail`
holds the texts that came since; they are weighed with the statistics of the postings they follow.
`Postings.followed` makes one out of both and leaves out what was removed; the texts are not needed again.

The formula is Lucene's (Kamphuis et al. 2020, "Which BM25 do you mean?"), with k1 = 1.5 and b = 0.75:

    weight = log(1 + (n - held + 0.5) / (held + 0.5)) * times / (times + k1 * (1 - b + b * length / average))

Sums are float32, in the order of the question's words. The k best are found without sorting: of groups of lines
each one's highest sum is taken, and what k groups reach is reached by k lines.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix

from chatbot.domain import Rows, Scores

K1, B = 1.5, 0.75
GROUP = 64  # lines
ROUNDING = 2.0**-21  # two sums that differ by less may be the same score once they are divided
TINY = float(np.finfo(np.float32).tiny)

Ints = NDArray[Any]  # of any width


class Lines(Protocol):
    """Where a word is: lines, ascending, and its weight in each."""

    def of(self, word: int) -> tuple[Ints, Scores]: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Postings:
    """Texts as columns of words: word w is in `lines[starts[w] : starts[w + 1]]`."""

    rows: Rows  # [n]: the row number of each line, ascending
    average: float  # words in a line
    starts: Ints  # [words + 1]
    lines: Ints  # [postings]: ascending within a word
    counts: Ints  # [postings]: how often the line holds the word
    weights: Scores  # [postings]
    best: Scores  # [words]: the highest weight of a word in any line, 0 where no line holds it

    @classmethod
    def empty(cls) -> "Postings":
        none = np.zeros(0, dtype=np.int64)
        return cls.build(none, none, none, none, 0)

    @classmethod
    def build(cls, rows: Rows, lines: Ints, words: Ints, counts: Ints, known: int) -> "Postings":
        """`lines[i]`, a place in `rows`, holds the word `words[i]` < `known` so many times; triples may repeat."""
        order = np.argsort(rows, kind="stable")
        place = np.empty(len(rows), dtype=np.int32)
        place[order] = np.arange(len(rows), dtype=np.int32)
        shape = (max(len(rows), 1), max(known, 1))  # SciPy wants a line and a column
        columns = coo_matrix((counts, (place[lines], words)), shape=shape).tocsc()
        columns.sort_indices()
        starts, lines, counts = columns.indptr[: known + 1].astype(np.int64), columns.indices, columns.data
        lengths = np.bincount(lines, weights=counts, minlength=len(rows))
        average = float(counts.sum() / max(len(rows), 1))
        held = np.diff(starts)
        weights = _shrink(lengths, average)[lines] if len(lines) else np.zeros(0)
        weights += counts
        np.divide(counts, weights, out=weights)
        weights *= np.repeat(_rarity(held, len(rows)), held)
        weighed = weights.astype(np.float32)
        best = np.zeros(known, dtype=np.float32)
        if len(weighed):
            best[held > 0] = np.maximum.reduceat(weighed, starts[:-1][held > 0])
        narrow = counts.astype(np.min_scalar_type(int(counts.max(initial=0))))
        return cls(rows[order], average, starts, lines, narrow, weighed, best)

    def __len__(self) -> int:
        return len(self.rows)

    def of(self, word: int) -> tuple[Ints, Scores]:
        if word >= len(self.best):
            return self.lines[:0], self.weights[:0]
        span = slice(self.starts[word], self.starts[word + 1])
        return self.lines[span], self.weights[span]

    def find(self, rows: Rows) -> Ints:
        """The line of each row, -1 where it is not here."""
        if not len(self):
            return np.full(len(rows), -1)
        lines = np.minimum(np.searchsorted(self.rows, rows), len(self) - 1)
        return np.where(self.rows[lines] == rows, lines, -1)

    def weigh(self, words: Ints, counts: Ints, length: int) -> Scores:
        """What each of `words`, all different, is worth in a text of so many words that is not among these."""
        held = np.zeros(len(words), dtype=np.int64)
        here = words < len(self.best)
        held[here] = self.starts[words[here] + 1] - self.starts[words[here]]
        shrink = _shrink(np.array(length), self.average)
        weights: Scores = (_rarity(held, len(self)) * (counts / (shrink + counts))).astype(np.float32)
        return weights

    def followed(self, gone: NDArray[np.bool_], late: "TailTexts", known: int) -> "Postings":
        """Built anew without the lines that are `gone` (bool [n]) and with those of a tail."""
        stays = ~gone
        kept = stays[self.lines]
        words = np.repeat(np.arange(len(self.best), dtype=np.int32), np.diff(self.starts))
        moved = (np.cumsum(stays, dtype=np.int32) - 1)[self.lines[kept]]
        left = int(stays.sum())
        return Postings.build(
            np.concatenate([self.rows[stays], late.rows]),
            np.concatenate([moved, late.lines + np.int32(left)]),
            np.concatenate([words[kept], late.words]),
            np.concatenate([self.counts[kept].astype(np.int32), np.ones(len(late.words), dtype=np.int32)]),
            known,
        )


@dataclass(frozen=True, slots=True)
class TailTexts:
    """A tail's texts that are still there: rows, and each word with the place of its text among them."""

    rows: Rows
    lines: Ints
    words: Ints


class Tail:
    """Texts that came after `base` was built, in the order they came."""

    def __init__(self, base: Postings) -> None:
        self.base = base
        self.best = base.best  # [words], of base and tail
        self.most = base.best.max(initial=0)
        self.line: dict[int, int] = {}  # of each row that is there
        self.gone: list[int] = []  # lines
        self.rows = array("q")
        self.ends = array("q", [0])
        self.words = array("i")
        self.weighed = 0  # lines
        self._lines: dict[int, array[int]] = {}  # of each word
        self._weights: dict[int, array[float]] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, row: int, words: Sequence[int]) -> None:
        """It is found once it is weighed."""
        self.line[row] = len(self.rows)
        self.rows.append(row)
        self.words.extend(words)
        self.ends.append(len(self.words))

    def remove(self, row: int) -> None:
        self.gone.append(self.line.pop(row))

    def weigh(self, known: int) -> None:
        """Make what was added findable; `known` words have a number."""
        self.best = np.concatenate([self.best, np.zeros(known - len(self.best), dtype=np.float32)])
        for line in range(self.weighed, len(self)):
            text = self._text(line)
            words, counts = np.unique(text, return_counts=True)
            weights = self.base.weigh(words, counts, len(text))
            self.best[words] = np.maximum(self.best[words], weights)
            self.most = max(self.most, weights.max(initial=0))
            for word, weight in zip(words.tolist(), weights.tolist(), strict=True):
                self._lines.setdefault(word, array("i")).append(line)
                self._weights.setdefault(word, array("f")).append(weight)
        self.weighed = len(self)

    def of(self, word: int) -> tuple[Ints, Scores]:
        lines, weights = self._lines.get(word, ()), self._weights.get(word, ())
        return np.array(lines, dtype=np.int32), np.array(weights, dtype=np.float32)

    def texts(self) -> TailTexts:
        """A copy of those that are there."""
        there = np.ones(len(self), dtype=bool)
        there[self.gone] = False
        lines = np.repeat(np.arange(len(self)), np.diff(np.array(self.ends)))
        kept = there[lines]
        place = np.cumsum(there, dtype=np.int32) - 1
        return TailTexts(np.array(self.rows)[there], place[lines[kept]], np.array(self.words)[kept])

    def since(self, first: int, base: Postings) -> "Tail":
        """What came from a line on and is still there, behind another base."""
        fresh, gone = Tail(base), set(self.gone)
        for line in range(first, len(self)):
            if line not in gone:
                fresh.add(self.rows[line], self._text(line).tolist())
        return fresh

    def _text(self, line: int) -> Ints:
        return np.array(self.words[self.ends[line] : self.ends[line + 1]], dtype=np.int32)


def sums_at(where: Lines, asked: Sequence[int], lines: Ints) -> Scores:
    """float32 [len(lines)]: the sum of weights in each of some lines."""
    total = np.zeros(len(lines), dtype=np.float32)
    for word in asked:
        held, weights = where.of(word)
        if len(held):
            wanted = lines.astype(held.dtype, copy=False)  # else NumPy copies all that are held
            place = np.minimum(held.searchsorted(wanted), len(held) - 1)
            total += np.where(held[place] == wanted, weights[place], np.float32(0))
    return total


def nearest(where: Lines, asked: Sequence[int], k: int, gone: Ints) -> tuple[Scores, Ints]:
    """The k best sums above 0 with their lines, and those that are as good but for rounding, in any order. Lines
    that are `gone` are not found."""
    total = np.zeros(len(where), dtype=np.float32)
    for word in asked:
        lines, weights = where.of(word)
        np.add.at(total, lines.astype(np.intp), weights)  # three times as fast as with narrower lines
    total[gone] = -np.inf
    near = np.flatnonzero(total >= _least(_heads(total, k), k))
    sums = total[near]
    best = sums >= _least(sums, k)
    return sums[best], near[best]


def _heads(total: Scores, k: int) -> Scores:
    """The highest sum of each group of lines; each line is a group where they are few."""
    groups = len(total) // GROUP
    return total[: groups * GROUP].reshape(GROUP, groups).max(axis=0) if groups > 4 * k else total


def _least(sums: Scores, k: int) -> float:
    """What the k-th highest of some sums reaches but for rounding; just above 0 where there are fewer."""
    least = float(np.partition(sums, -k)[-k]) if len(sums) >= k else 0.0
    return max(least * (1 - ROUNDING), TINY)


def _shrink(lengths: Ints, average: float) -> NDArray[np.float64]:
    """What a word's count is measured against."""
    shrink: NDArray[np.float64] = K1 * ((1 - B) + B * lengths / average)
    return shrink


def _rarity(held: Ints, texts: int) -> Scores:
    rarity: Scores = np.log(1 + (texts - held + 0.5) / (held + 0.5)).astype(np.float32)
    return rarity
