"""Unit vectors in, nearest rows out; rows come and go between two searches.

In:  vectors with the row numbers that their owner gave them; later a question's vector and a k.
Out: similarities (cosines) and rows, best first, equal similarities by the lower row.

Two segments (segment.py): a base, mapped from its files once it was saved and loaded, with a shortlist where it is
large (shortlist.py), and a tail of what was added since, which is scanned. A change makes new segments out of
the old ones and puts them in place at once. A search takes those that it finds there: it needs no lock, and runs
beside other searches and beside changes. When the tail or what is gone has grown past a share of the base, a
thread builds a new base out of what lives and puts it in place, with what changed meanwhile (`compact`).

    PATH/base/, PATH/tail/   segment.json, rows.npy, vectors.npy, living.npy; shortlist.faiss where there is one
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from chatbot.domain import Rows, Scores, Vectors
from chatbot.errors import BotError, Unavailable
from chatbot.segment import Segment
from chatbot.shortlist import Kind, Plan, Shortlist, memory, one_thread, plan

TAIL_SHARE, TAIL_LEAST, TAIL_MOST = 0.1, 1_000, 20_000  # rows added since: of the base, and in numbers
GONE_SHARE = 0.25  # of the base's rows; and TAIL_LEAST
LONGEST = 1.001  # the length of a unit vector, with rounding

UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, OverflowError, RecursionError)

BuildShortlist = Callable[[Vectors, Plan], Shortlist | None]

log = logging.getLogger(__name__)


class FaissIndex:
    """`protocols.VectorIndex` on FAISS. A caller's mistake is a ValueError, an unreadable file a BotError."""

    def __init__(
        self, base: Segment, tail: Segment, asked: Kind | None = None, build: BuildShortlist = Shortlist.build
    ) -> None:
        """`asked` is the kind that every new base has; None: what `shortlist.plan` says."""
        self._segments = (base, tail)
        self._asked = asked
        self._build = build
        self._lock = threading.Lock()  # held while segments are replaced
        self._compacting = threading.Lock()  # held while a new base is built
        self._changed: list[Rows] = []  # since that began

    @classmethod
    def build(
        cls, rows: Rows, vectors: Vectors, kind: Kind | None = None, build: BuildShortlist = Shortlist.build
    ) -> "FaissIndex":
        """An index of `vectors` (float32 [n, dim], unit rows; n may be 0) under `rows` (int64 [n], >= 0)."""
        if vectors.ndim != 2 or vectors.shape[1] == 0:
            raise ValueError(f"Vectors must have the shape [n, dim]; these have {list(vectors.shape)}.")
        none = _segment(np.zeros(0, np.int64), np.zeros((0, vectors.shape[1]), np.float32))
        base = Segment.merged([none, _segment(_distinct(rows), _checked(vectors, vectors.shape[1]))])
        return cls(_shortlisted(base, kind, build), none, kind, build)

    @classmethod
    def load(cls, path: Path, build: BuildShortlist = Shortlist.build) -> "FaissIndex":
        """The index that `save` wrote, its vectors mapped. Raises BotError where it cannot be read."""
        again = "Build the bot again with `chatbot train`."
        if not path.is_dir():
            raise BotError(f"There is no vector index at {path}. {again}")
        try:
            asked = (path / "kind.txt").read_text("utf-8")
            base, tail = Segment.load(path / "base"), Segment.load(path / "tail")
            return cls(base, tail, Kind(asked) if asked else None, build)
        except UNREADABLE as cause:
            raise BotError(f"{path} cannot be read as a vector index ({cause}): it is damaged. {again}") from cause

    def save(self, path: Path) -> None:
        """Write a folder that is not there yet, after a compaction that is going on. Raises Unavailable where the
        file system refuses."""
        with self._compacting:
            base, tail = self._segments
        try:
            path.mkdir()
            (path / "kind.txt").write_text("" if self._asked is None else self._asked, "utf-8")
            base.save(path / "base")
            tail.save(path / "tail")
        except OSError as cause:
            raise Unavailable(f"The vector index could not be written to {path}: {cause}") from cause

    @property
    def dimension(self) -> int:
        return int(self._segments[0].vectors.shape[1])

    @property
    def kind(self) -> Kind:
        """How the base is searched; the tail is always scanned."""
        shortlist = self._segments[0].shortlist
        return Kind.FLAT if shortlist is None else shortlist.plan.kind

    def __len__(self) -> int:
        base, tail = self._segments
        return base.alive + tail.alive

    def search(self, vectors: Vectors, k: int, among: Rows | None = None) -> tuple[Scores, Rows]:
        """Similarities (float32) and rows (int64), each [len(vectors), k]; see `protocols.VectorIndex.search`.

        Rows of `among` that are not in the index are passed over, as if they had been removed a moment ago.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}.")
        queries = _checked(vectors, self.dimension)
        similarities = np.full((len(queries), k), -np.inf, dtype=np.float32)
        rows = np.full((len(queries), k), -1, dtype=np.int64)
        if not len(queries):
            return similarities, rows
        base, tail = (segment.nearest(queries, k, among) for segment in self._segments)
        for i, (old, new) in enumerate(zip(base, tail, strict=True)):
            found, own = np.concatenate([old[0], new[0]]), np.concatenate([old[1], new[1]])
            best = np.lexsort((own, -found))[:k]
            similarities[i, : len(best)], rows[i, : len(best)] = found[best], own[best]
        return similarities, rows

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Put `vectors` (float32 [n, dim]) under `rows` (int64 [n]); a row that is taken is a ValueError."""
        vectors = _checked(vectors, self.dimension)
        wanted = _distinct(rows)
        if len(wanted) != len(vectors):
            raise ValueError(f"There are {len(wanted)} rows for {len(vectors)} vectors.")
        with self._lock:
            base, tail = self._segments
            if len(taken := wanted[np.maximum(base.positions(wanted), tail.positions(wanted)) >= 0]):
                raise ValueError(f"Row {taken.min()} is in the index already; remove it first.")
            self._change(base, Segment.merged([tail, _segment(wanted, vectors)]), wanted)

    def remove(self, rows: Rows) -> None:
        """Forget `rows` (int64 [n]); an unknown row is a ValueError, and then none is removed."""
        gone = _distinct(rows)
        with self._lock:
            base, tail = self._segments
            _known(gone, base.positions(gone), tail.positions(gone))
            self._change(base.without(gone), tail.without(gone), gone)

    def vectors(self, rows: Rows) -> Vectors:
        """float32 [len(rows), dim], in the order of `rows`, which may repeat; an unknown row is a ValueError."""
        base, tail = self._segments
        old, new = base.positions(rows), tail.positions(rows)
        _known(rows, old, new)
        stored = np.empty((len(rows), self.dimension), np.float32)
        stored[old >= 0] = base.vectors[old[old >= 0]]
        stored[new >= 0] = tail.vectors[new[new >= 0]]
        return stored

    def copy(self) -> "FaissIndex":
        """Shares the segments, which are never changed but replaced."""
        return FaissIndex(*self._segments, self._asked, self._build)

    def compact(self) -> None:
        """Make one base of all that lives, with the kind of search that its size wants. It takes as long as a
        build; searches, additions and removals go on meanwhile. A second call waits, and does it again."""
        with self._compacting:
            self._compact()

    def _compact(self) -> None:
        with self._lock:
            segments, self._changed = self._segments, []
        with one_thread():  # the others are for those who ask
            base = _shortlisted(Segment.merged(list(segments)), self._asked, self._build)
        with self._lock:
            tail = self._segments[1]
            changed = np.concatenate([np.zeros(0, np.int64), *self._changed])
            since = np.isin(tail.rows, changed) & tail.living
            self._segments = base.without(changed), Segment.merged([tail.only(since)])

    def _change(self, base: Segment, tail: Segment, changed: Rows) -> None:
        self._segments = base, tail
        if self._compacting.locked():
            self._changed.append(changed)
        elif _due(base, tail):
            threading.Thread(target=self._compact_in_background, name="compaction").start()

    def _compact_in_background(self) -> None:
        if not self._compacting.acquire(blocking=False):
            return
        try:
            self._compact()
        except Exception:
            log.exception("the vector index could not be compacted: it stays as it was, and answers")
        finally:
            self._compacting.release()


def _due(base: Segment, tail: Segment) -> bool:
    size = len(base.rows)
    added, gone = max(TAIL_LEAST, min(TAIL_SHARE * size, TAIL_MOST)), max(TAIL_LEAST, GONE_SHARE * size)
    return tail.alive > added or size - base.alive > gone


def _shortlisted(base: Segment, asked: Kind | None, build: BuildShortlist) -> Segment:
    chosen = plan(len(base.rows), base.vectors.shape[1], memory(), asked)
    return Segment.of(base.rows, base.vectors, build(base.vectors, chosen))


def _segment(rows: Rows, vectors: Vectors) -> Segment:
    """Of rows in any order."""
    if len(rows) != len(vectors):
        raise ValueError(f"There are {len(rows)} rows for {len(vectors)} vectors.")
    if np.all(rows[:-1] < rows[1:]):
        return Segment.of(rows, vectors)
    order = np.argsort(rows)
    return Segment.of(rows[order], vectors[order])


def _known(rows: Rows, *positions: Rows) -> None:
    if len(unknown := rows[np.maximum.reduce(positions) < 0]):
        raise ValueError(f"Row {unknown.min()} is not in the index.")


def _checked(vectors: Vectors, dimension: int) -> Vectors:
    if vectors.ndim != 2 or vectors.shape[1] != dimension:
        raise ValueError(f"Vectors must have the shape [n, {dimension}]; these have {list(vectors.shape)}.")
    if vectors.dtype != np.float32:
        raise ValueError(f"Vectors must be float32, not {vectors.dtype}.")
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    if len(wrong := np.flatnonzero(~(lengths <= LONGEST))):
        raise ValueError(
            f"Vector {wrong[0]} has the length {lengths[wrong[0]]}; expected finite numbers and the length 1."
        )
    return np.ascontiguousarray(vectors)


def _distinct(rows: Rows) -> Rows:
    """`rows`, checked: one dimension, integers, none negative, none twice."""
    if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
        raise ValueError(f"Rows must be integers in one dimension; these are {rows.dtype} {list(rows.shape)}.")
    values, counts = np.unique(rows, return_counts=True)
    if len(values) and values[0] < 0:
        raise ValueError(f"Row {values[0]} is negative; rows count from 0.")
    if len(values) and counts.max() > 1:
        raise ValueError(f"Row {values[counts.argmax()]} is given twice.")
    return rows.astype(np.int64)
