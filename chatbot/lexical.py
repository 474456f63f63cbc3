"""Texts in, rows that share their words out: how texts are cut into words, and an index of them that changes.

In:  the historical questions with their row numbers; later a question and a k.
Out: lexical scores and rows, best first, equal scores by the lower row.

Vectors blur exactly what a customer may have been exact about: an order number, a product's name, an error code.
BM25 does not. Its score has no scale of its own, so it is given as the share of what the question could reach: the
sum over the question's words of each word's best score in any row. A word that no row holds counts as much as the
most telling word there is; a question full of unknown words therefore scores low, and 1 means that one row answers
every word as well as any row does.

Words: Unicode NFKC, case folded. Letters and digits make words; runs of Chinese characters are cut by rjieba, and
the characters of longer words are added, so that 退货 and 退换货 still meet.

A change is found by the next search. Up to `small` texts that search builds the index anew, from word numbers and
not from texts (0.06 s for 50,000). Beyond, texts that came since stand in a tail, weighed with the index's own
statistics, and removed rows are passed over; what a question can reach still counts their words. When tail and
removed rows are more than a `share` of the index, it is built anew in a thread of its own, and changes that come
meanwhile are kept. What comes in one go and is more than that share is built in at once.
"""

import logging
import re
import threading
import unicodedata
from collections.abc import Sequence

import numpy as np
import rjieba
from numpy.typing import NDArray
from tqdm import tqdm

from chatbot.domain import Rows, Scores
from chatbot.postings import Postings, Tail, nearest, sums_at

SMALL = 50_000
SHARE = 0.1
LONG = 100_000  # texts take seconds
log = logging.getLogger(__name__)

HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
RUN = re.compile(rf"([{HAN}]+)|[^\W_{HAN}]+")
ANY_HAN = re.compile(rf"[{HAN}]")
WORD = re.compile(r"[^\W_]+")
SEEN = re.compile(rf"([{HAN}]+)|[^\W_{HAN}]+(?:['’.\-][^\W_{HAN}]+)*|(?:[^\w\s]|_)+")


def words(text: str) -> list[str]:
    """The words that are indexed and searched for, repeated ones included.

    `"Ｗhere is order A-17? 退换货"` gives where, is, order, a, 17, 退换, 换货, 退换货, 退, 换, 货.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    if ANY_HAN.search(text) is None:
        return WORD.findall(text)  # the same, in half the time
    found: list[str] = []
    for run in RUN.finditer(text):
        if run[1] is None:
            found.append(run[0])
        else:
            found += [word for word in rjieba.cut_for_search(run[0]) if len(word) > 1]
            found += run[0]
    return found


def spans(text: str) -> list[tuple[int, int]]:
    """Where the words of a text stand as a reader sees them: start and end of each, in order. All but white space
    belongs to one: `"Order A-17?? 我要退货"` is cut into Order, A-17, ??, 我要, 退货."""
    found: list[tuple[int, int]] = []
    for run in SEEN.finditer(text):
        if run[1] is None:
            found.append(run.span())
        else:
            at = run.start()
            found += [(at + start, at + end) for _, start, end in rjieba.tokenize(run[0], "default")]
    return found


class Bm25Index:
    """`protocols.LexicalIndex`. A mistake of the caller's is a ValueError."""

    def __init__(self, base: Postings, small: int, share: float) -> None:
        self._small = small
        self._share = share
        self._number: dict[str, int] = {}  # of each word that was ever met
        self._base = base
        self._gone = np.zeros(len(base), dtype=bool)  # lines of the base that were removed since
        self._tail = Tail(base)
        self._changed = False
        self._merging: threading.Thread | None = None
        self._removed: list[int] = []  # rows, since a merge began
        self._lock = threading.RLock()

    @classmethod
    def build(cls, rows: Rows, texts: Sequence[str], small: int = SMALL, share: float = SHARE) -> "Bm25Index":
        """An index of `texts` under `rows` (int64 [len(texts)], >= 0, none twice); `small`, `share`: see above."""
        built = cls(Postings.empty(), small, share)
        built.add(rows, texts)
        built._settle()
        return built

    def __len__(self) -> int:
        with self._lock:
            return len(self._base) - int(self._gone.sum()) + len(self._tail.line)

    def search(self, texts: Sequence[str], k: int, among: Rows | None = None) -> tuple[Scores, Rows]:
        """Scores (float32, 0 < score <= 1) and rows (int64), each [len(texts), k].

        Only rows that share a word with the text are found, and only those of `among`; the rest is (-inf, -1).
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}.")
        scores = np.full((len(texts), k), -np.inf, dtype=np.float32)
        rows = np.full((len(texts), k), -1, dtype=np.int64)
        with self._lock:
            self._settle()
            base, tail = self._base, self._tail
            gone, late_gone = self._gone, np.zeros(len(tail), dtype=bool)
            late_gone[tail.gone] = True
            if among is not None:
                gone = gone | ~np.isin(base.rows, among)
                late_gone |= ~np.isin(np.array(tail.rows), among)
            gone, late_gone = np.flatnonzero(gone), np.flatnonzero(late_gone)
            for i, text in enumerate(texts):
                asked, reachable = self._asked(text)
                sums, lines = nearest(base, asked, k, gone)
                found = base.rows[lines]
                if len(tail):
                    late, lines = nearest(tail, asked, k, late_gone)
                    sums, found = np.append(sums, late), np.append(found, np.array(tail.rows)[lines])
                shares = np.minimum(sums / reachable, 1)
                order = np.lexsort((found, -shares))[:k]
                scores[i, : len(order)], rows[i, : len(order)] = shares[order], found[order]
        return scores, rows

    def score(self, text: str, rows: Rows) -> Scores:
        """float32 [len(rows)]: the score of each of `rows`, which may repeat; 0 where no word is shared."""
        with self._lock:
            self._settle()
            early, lines = self._known(rows)
            asked, reachable = self._asked(text)
            sums = np.empty(len(rows), dtype=np.float32)
            sums[early] = sums_at(self._base, asked, lines[early])
            sums[~early] = sums_at(self._tail, asked, lines[~early])
        return np.minimum(sums / reachable, 1)

    def add(self, rows: Rows, texts: Sequence[str]) -> None:
        """Put texts under rows; a row that is taken or given twice is a ValueError, and then none is added."""
        if len(rows) != len(texts):
            raise ValueError(f"There are {len(rows)} rows for {len(texts)} texts.")
        _refuse_twice(rows)
        if len(rows) and rows.min() < 0:
            raise ValueError(f"Row {rows.min()} is negative; rows count from 0.")
        with self._lock:
            taken = rows[self._lines(rows)[1] >= 0]
            if len(taken):
                raise ValueError(f"Row {taken.min()} is in the index already; remove it first.")
            number = self._number
            shown = tqdm(texts, desc="words", unit="text", disable=len(texts) < LONG)
            for row, text in zip(rows.tolist(), shown, strict=True):
                self._tail.add(row, [number.setdefault(word, len(number)) for word in words(text)])
            self._changed = True

    def remove(self, rows: Rows) -> None:
        """Forget rows; an unknown row or one given twice is a ValueError, and then none is removed."""
        _refuse_twice(rows)
        with self._lock:
            early, lines = self._known(rows)
            self._gone[lines[early]] = True
            for row in rows[~early].tolist():
                self._tail.remove(row)
            self._removed += rows.tolist()
            self._changed = True

    def copy(self) -> "Bm25Index":
        """Shares the base, which is never changed but replaced."""
        with self._lock:
            self._settle()
            made = Bm25Index(self._base, self._small, self._share)
            made._number = self._number.copy()
            made._gone = self._gone.copy()
            made._tail = self._tail.since(0, self._base)
            made._tail.weigh(len(self._number))
        return made

    def _lines(self, rows: Rows) -> tuple[NDArray[np.bool_], Rows]:
        """Whether each row is in the base, and its line there or in the tail; -1 where it is in neither."""
        lines = self._base.find(rows)
        early = lines >= 0
        early[early] = ~self._gone[lines[early]]
        lines[~early] = [self._tail.line.get(row, -1) for row in rows[~early].tolist()]
        return early, lines

    def _known(self, rows: Rows) -> tuple[NDArray[np.bool_], Rows]:
        early, lines = self._lines(rows)
        unknown = rows[lines < 0]
        if len(unknown):
            raise ValueError(f"Row {unknown.min()} is not in the index.")
        return early, lines

    def _asked(self, text: str) -> tuple[list[int], np.float32]:
        """The numbers of the words that some row holds, and what the whole text can reach (1 for nothing)."""
        asked = words(text)
        numbers = np.array([self._number[word] for word in asked if word in self._number], dtype=np.int64)
        best = self._tail.best[numbers]
        held = best > 0
        reachable = best[held].sum() + (len(asked) - int(held.sum())) * self._tail.most
        return numbers[held].tolist(), reachable if reachable > 0 else np.float32(1)

    def _settle(self) -> None:
        """Make what was added findable."""
        if not self._changed:
            return
        base, tail = self._base, self._tail
        most = self._share * len(base)
        if len(self) <= self._small or not len(base.lines) or len(tail) - tail.weighed > most:
            self._follow(*self._merged())
        else:
            tail.weigh(len(self._number))
            if len(tail) + self._gone.sum() > most and self._merging is None:
                self._merging = threading.Thread(target=self._merge, name="bm25", daemon=True)
                self._merging.start()
        self._changed = False

    def _merged(self) -> tuple[Postings, int]:
        """All that is there, built anew; how many lines of the tail went into it."""
        self._removed = []
        return self._base.followed(self._gone, self._tail.texts(), len(self._number)), len(self._tail)

    def _merge(self) -> None:
        """`_merged` beside the searches, in a thread of its own."""
        try:
            with self._lock:
                base, gone, late = self._base, self._gone.copy(), self._tail.texts()
                lines, known = len(self._tail), len(self._number)
                self._removed = []
            merged = base.followed(gone, late, known)
            with self._lock:
                if self._base is base:
                    self._follow(merged, lines)
        except Exception:
            log.exception(
                "Changes of %d texts could not be merged into the word index; they stay beside it", lines
            )
        finally:
            with self._lock:
                self._merging = None

    def _follow(self, base: Postings, lines: int) -> None:
        """Put `base` in the place of the old one and of the tail's first lines, and keep what happened since."""
        tail = self._tail.since(lines, base)
        tail.weigh(len(self._number))
        gone = np.zeros(len(base), dtype=bool)
        removed = base.find(np.array(self._removed, dtype=np.int64))
        gone[removed[removed >= 0]] = True
        self._base, self._gone, self._tail = base, gone, tail


def _refuse_twice(rows: Rows) -> None:
    distinct, times = np.unique(rows, return_counts=True)
    if len(distinct) < len(rows):
        raise ValueError(f"Row {distinct[times > 1][0]} is given twice.")
