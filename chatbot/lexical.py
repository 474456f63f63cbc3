"""Texts in, rows that share their words out: the only module that knows BM25 and how Chinese is cut.

In:  the historical questions with their row numbers; later a question and a k.
Out: lexical scores and rows, best first, equal scores by the lower row.

Vectors blur exactly what a customer may have been exact about: an order number, a product's name, an error code.
BM25 does not. Its score has no scale of its own, so it is given as the share of what the question could reach: the
sum over the question's words of each word's best score in any row. A word that no row holds counts as much as the
most telling word there is; a question full of unknown words therefore scores low, and 1 means that one row answers
every word as well as any row does.

Words: Unicode NFKC, case folded. Letters and digits make words; runs of Chinese characters are cut by rjieba, and
the characters of longer words are added, so that 退货 and 退换货 still meet.

bm25s indexes are static. A change is therefore only noted, and the first search after it builds the matrix anew
(about 0.2 s for 10,000 short texts, 0.03 s for 1,000).
"""

import logging
import re
import threading
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bm25s
import numpy as np
import rjieba

from chatbot.domain import Rows, Scores

logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG

HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
RUN = re.compile(rf"([{HAN}]+)|[^\W_{HAN}]+")


def words(text: str) -> list[str]:
    """The words that are indexed and searched for, repeated ones included.

    `"Ｗhere is order A-17? 退换货"` gives where, is, order, a, 17, 退换, 换货, 退换货, 退, 换, 货.
    """
    found: list[str] = []
    for run in RUN.finditer(unicodedata.normalize("NFKC", text).casefold()):
        if run[1] is None:
            found.append(run[0])
        else:
            found += [word for word in rjieba.cut_for_search(run[0]) if len(word) > 1]
            found += run[0]
    return found


@dataclass(frozen=True, slots=True)
class _Matrix:
    """What one build of BM25 gives: its scores by word and row, and the most that each word can add."""

    bm25: Any
    rows: Rows  # [n]: the row number of each of the matrix's lines, ascending
    best: Scores  # [words]: the highest score of a word in any row

    @classmethod
    def build(cls, texts: dict[int, str]) -> "_Matrix | None":
        """None where no text holds any word."""
        rows = sorted(texts)
        number: dict[str, int] = {}
        lines = [[number.setdefault(word, len(number)) for word in words(texts[row])] for row in rows]
        if not number:
            return None
        bm25 = bm25s.BM25(method="lucene")
        bm25.index((lines, number), create_empty_token=False, show_progress=False)
        best = np.maximum.reduceat(bm25.scores["data"], bm25.scores["indptr"][:-1])
        return cls(bm25, np.array(rows, dtype=np.int64), best)

    def score(self, text: str) -> Scores:
        """float32 [n]: the share of what `text` can reach, for every line; 0 where it shares no word."""
        asked = words(text)
        known = self.bm25.get_tokens_ids(asked)
        reachable = self.best[known].sum() + (len(asked) - len(known)) * self.best.max()
        scores: Scores = self.bm25.get_scores_from_ids(known)
        return np.minimum(scores / reachable, 1) if asked else scores


class Bm25Index:
    """`domain.LexicalIndex` on bm25s. A mistake of the caller's is a ValueError, an unreadable file a BotError."""

    def __init__(self, texts: dict[int, str]) -> None:
        self._texts = texts
        self._matrix: _Matrix | None = None
        self._stale = True
        self._lock = threading.RLock()

    @classmethod
    def build(cls, rows: Rows, texts: Sequence[str]) -> "Bm25Index":
        """An index of `texts` under `rows` (int64 [len(texts)], >= 0, none twice)."""
        built = cls({})
        built.add(rows, texts)
        return built

    def __len__(self) -> int:
        return len(self._texts)

    def search(self, texts: Sequence[str], k: int) -> tuple[Scores, Rows]:
        """Scores (float32, 0 < score <= 1) and rows (int64), each [len(texts), k].

        Only rows that share a word with the text are found; the rest is (-inf, -1).
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}.")
        scores = np.full((len(texts), k), -np.inf, dtype=np.float32)
        rows = np.full((len(texts), k), -1, dtype=np.int64)
        matrix = self._built()
        if matrix is None:
            return scores, rows
        for i, text in enumerate(texts):
            found = matrix.score(text)
            least = np.partition(found, -k)[-k] if k < len(found) else 0.0
            near = np.flatnonzero((found >= least) & (found > 0))
            near = near[np.argsort(-found[near], kind="stable")][:k]
            scores[i, : len(near)], rows[i, : len(near)] = found[near], matrix.rows[near]
        return scores, rows

    def score(self, text: str, rows: Rows) -> Scores:
        """float32 [len(rows)]: the score of each of `rows`, which may repeat; 0 where no word is shared."""
        with self._lock:
            self._known(rows)
            matrix = self._built()
        if matrix is None:
            return np.zeros(len(rows), dtype=np.float32)
        return matrix.score(text)[np.searchsorted(matrix.rows, rows)]

    def add(self, rows: Rows, texts: Sequence[str]) -> None:
        """Put texts under rows; a row that is taken or given twice is a ValueError, and then none is added."""
        numbers: list[int] = rows.tolist()
        if len(numbers) != len(texts):
            raise ValueError(f"There are {len(numbers)} rows for {len(texts)} texts.")
        fresh = dict(zip(numbers, texts, strict=True))
        if len(fresh) < len(numbers):
            raise ValueError(f"Row {max(numbers, key=numbers.count)} is given twice.")
        if fresh and min(fresh) < 0:
            raise ValueError(f"Row {min(fresh)} is negative; rows count from 0.")
        with self._lock:
            if taken := fresh.keys() & self._texts.keys():
                raise ValueError(f"Row {min(taken)} is in the index already; remove it first.")
            self._texts.update(fresh)
            self._stale = True

    def remove(self, rows: Rows) -> None:
        """Forget rows; an unknown row or one given twice is a ValueError, and then none is removed."""
        numbers: list[int] = rows.tolist()
        if len(set(numbers)) < len(numbers):
            raise ValueError(f"Row {max(numbers, key=numbers.count)} is given twice.")
        with self._lock:
            self._known(rows)
            for row in numbers:
                del self._texts[row]
            self._stale = True

    def _known(self, rows: Rows) -> None:
        if unknown := set(rows.tolist()) - self._texts.keys():
            raise ValueError(f"Row {min(unknown)} is not in the index.")

    def _built(self) -> _Matrix | None:
        """The matrix of the texts as they are now."""
        with self._lock:
            if self._stale:
                self._matrix = _Matrix.build(self._texts)
                self._stale = False
            return self._matrix
