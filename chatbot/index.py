"""Unit vectors in, nearest rows out: the only module that knows FAISS.

In:  vectors with the row numbers that their owner gave them; later a question's vector and a k.
Out: similarities (cosines) and rows, best first, equal similarities by the lower row.

Up to `EXACT_LIMIT` rows the search is exact (a flat scan: 0.7 ms for 10,000 rows of 384 numbers). A larger
index is built as an HNSW graph, which may miss a neighbour now and then. What a live index is it stays until the
next build, so one that grows past the limit gets slower, never wrong. A search limited by `among` always scans
exactly: a graph that may only return a few of its nodes loses them.

FAISS is asked for somewhat more than k rows, and those are scored again in double precision and sorted here. That
makes the result independent of how FAISS batches and orders its sums: a duplicate has the very similarity of its
original, and the row that a tie at rank k lets in is always the lowest. Every call holds a lock, because FAISS
does not allow a search during an addition.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from chatbot.domain import Rows, Scores, Vectors
from chatbot.errors import BotError, Unavailable

EXACT_LIMIT = 50_000  # rows; a scan of 384 numbers a row takes about 4 ms there
SLACK = 16  # rows fetched beyond k, so that most ties at rank k need no second search
TOLERANCE = 1e-5  # above the rounding error of a float32 inner product of two unit vectors
GRAPH_LINKS = 32  # links a node in the HNSW graph
GRAPH_BREADTH = 200  # nodes kept open while the graph is built, and at least this many in a search
LONGEST = 1.001  # the length of a unit vector, with rounding
GONE = -1  # the row number of a graph node whose vector was removed

_IDSelectorBitmap: Any = faiss.IDSelectorBitmap  # FAISS's type stubs know these only by their C++ signature
_SearchParameters: Any = faiss.SearchParameters
_SearchParametersHNSW: Any = vars(faiss)["SearchParametersHNSW"]


class FaissIndex:
    """`domain.VectorIndex` on FAISS. A mistake of the caller's is a ValueError, an unreadable file a BotError."""

    def __init__(self, index: Any, rows: set[int]) -> None:
        """`index` is an IndexIDMap2 over IndexFlatIP or IndexHNSWFlat; `rows` are those of its ids that live."""
        self._index = index
        self._rows = rows
        self._lock = threading.RLock()

    @classmethod
    def build(cls, rows: Rows, vectors: Vectors, exact_limit: int = EXACT_LIMIT) -> FaissIndex:
        """An index of `vectors` (float32 [n, dim], unit rows; n may be 0) under `rows` (int64 [n], >= 0)."""
        if vectors.ndim != 2 or vectors.shape[1] == 0:
            raise ValueError(f"Vectors must have the shape [n, dim]; these have {list(vectors.shape)}.")
        built = cls(_empty(vectors.shape[1], graph=len(vectors) > exact_limit), set())
        built.add(rows, vectors)
        return built

    @classmethod
    def load(cls, path: Path) -> FaissIndex:
        """The index that `save` wrote, with the same kind of search. Raises BotError where it cannot be read."""
        if not path.is_file():
            raise BotError(f"There is no vector index at {path}. Build the bot again with `chatbot train`.")
        try:
            index = faiss.read_index(str(path))
        except (RuntimeError, MemoryError) as cause:
            raise BotError(
                f"{path} cannot be read as a FAISS index: it is damaged or of another program. "
                "Build the bot again with `chatbot train`."
            ) from cause
        inner = faiss.downcast_index(index.index) if isinstance(index, faiss.IndexIDMap2) else index
        if not isinstance(index, faiss.IndexIDMap2) or not isinstance(
            inner, faiss.IndexFlatIP | faiss.IndexHNSWFlat
        ):
            raise BotError(
                f"{path} holds a {type(inner).__name__}; expected IndexIDMap2 over IndexFlatIP or IndexHNSWFlat. "
                "Build the bot again with `chatbot train`."
            )
        rows = set(faiss.vector_to_array(index.id_map).tolist())
        rows.discard(GONE)
        return cls(index, rows)

    def save(self, path: Path) -> None:
        """Write one file. Raises Unavailable where the file system refuses."""
        with self._lock:
            try:
                faiss.write_index(self._index, str(path))
            except RuntimeError as cause:
                raise Unavailable(f"The vector index could not be written to {path}: {cause}") from cause

    @property
    def dimension(self) -> int:
        return int(self._index.d)

    @property
    def exact(self) -> bool:
        """Whether every search scans every row (flat), rather than following a graph (HNSW)."""
        return isinstance(self._inner, faiss.IndexFlatIP)

    def __len__(self) -> int:
        return len(self._rows)

    def search(self, vectors: Vectors, k: int, among: Rows | None = None) -> tuple[Scores, Rows]:
        """Similarities (float32) and rows (int64), each [len(vectors), k]; see `domain.VectorIndex.search`.

        Rows of `among` that are not in the index are passed over, as if they had been removed a moment ago.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}.")
        queries = self._checked(vectors)
        similarities = np.full((len(queries), k), -np.inf, dtype=np.float32)
        rows = np.full((len(queries), k), -1, dtype=np.int64)
        with self._lock, _one_thread():
            if among is not None:
                among = np.array(sorted(self._rows.intersection(among.tolist())), dtype=np.int64)
            reachable = len(self) if among is None else len(among)
            if reachable == 0 or len(queries) == 0:
                return similarities, rows
            width = min(k + SLACK, reachable)
            follow = among is None and not self.exact
            fetched = self._follow(queries, width) if follow else self._scan(queries, width, among)
            for i, query in enumerate(queries):
                rough, near = fetched[0][i], fetched[1][i]
                if near[-1] < 0:  # there are rows that the graph did not reach
                    (rough,), (near,) = self._scan(query[None], width, among)
                while len(near) < reachable and rough[-1] >= rough[k - 1] - TOLERANCE:  # a tie may go on
                    (rough,), (near,) = self._scan(query[None], min(4 * len(near), reachable), among)
                exact = _similarities(query, self._index.reconstruct_batch(near))
                best = np.lexsort((near, -exact))[:k]
                similarities[i, : len(best)], rows[i, : len(best)] = exact[best], near[best]
        return similarities, rows

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Put `vectors` (float32 [n, dim]) under `rows` (int64 [n]); a row that is taken is a ValueError."""
        vectors = self._checked(vectors)
        wanted = _distinct(rows)
        if len(wanted) != len(vectors):
            raise ValueError(f"There are {len(wanted)} rows for {len(vectors)} vectors.")
        with self._lock:
            if taken := self._rows.intersection(wanted):
                raise ValueError(f"Row {min(taken)} is in the index already; remove it first.")
            self._index.add_with_ids(vectors, np.array(wanted, dtype=np.int64))
            self._rows.update(wanted)

    def remove(self, rows: Rows) -> None:
        """Forget `rows` (int64 [n]); an unknown row is a ValueError, and then none is removed.

        A graph keeps the node as a stepping stone without a row, and is rebuilt once most of its nodes are such.
        """
        with self._lock:
            gone = self._known(_distinct(rows))
            self._rows.difference_update(gone.tolist())
            if self.exact:
                self._index.remove_ids(gone)
                return
            ids = faiss.rev_swig_ptr(self._index.id_map.data(), self._index.id_map.size())
            ids[np.isin(ids, gone)] = GONE
            self._index.construct_rev_map()
            if 2 * len(self._rows) < len(ids):
                left = np.array(sorted(self._rows), dtype=np.int64)
                rebuilt = _empty(self.dimension, graph=True)
                rebuilt.add_with_ids(self.vectors(left), left)
                self._index = rebuilt

    def vectors(self, rows: Rows) -> Vectors:
        """float32 [len(rows), dim], in the order of `rows`, which may repeat; an unknown row is a ValueError."""
        with self._lock:
            stored: Vectors = self._index.reconstruct_batch(self._known(rows.tolist()))
            return stored

    @property
    def _inner(self) -> Any:
        return faiss.downcast_index(self._index.index)

    @property
    def _storage(self) -> Any:
        """The flat index that holds the vectors: FAISS's own, or the one inside the graph."""
        inner = self._inner
        return inner if isinstance(inner, faiss.IndexFlatIP) else faiss.downcast_index(inner.storage)

    def _follow(self, queries: Vectors, width: int) -> tuple[Scores, Rows]:
        """The `width` best rows that the graph leads to, roughly scored; -1 where it leads nowhere."""
        living = faiss.IDSelectorRange(0, np.iinfo(np.int64).max)
        breadth = max(GRAPH_BREADTH, 2 * width)
        found: tuple[Scores, Rows] = self._index.search(
            queries, width, params=_SearchParametersHNSW(sel=living, efSearch=breadth)
        )
        return found

    def _scan(self, queries: Vectors, width: int, among: Rows | None) -> tuple[Scores, Rows]:
        """The `width` best rows, roughly scored, out of all that live or of `among`; there are that many."""
        ids = faiss.vector_to_array(self._index.id_map)
        wanted = ids != GONE if among is None else np.isin(ids, among)
        bits = np.packbits(wanted, bitorder="little")
        params = None if wanted.all() else _SearchParameters(sel=_IDSelectorBitmap(bits))
        similarities, positions = self._storage.search(queries, width, params=params)
        return similarities, ids[positions]

    def _checked(self, vectors: Vectors) -> Vectors:
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise ValueError(
                f"Vectors must have the shape [n, {self.dimension}]; these have {list(vectors.shape)}."
            )
        if vectors.dtype != np.float32:
            raise ValueError(f"Vectors must be float32, not {vectors.dtype}.")
        lengths = np.linalg.norm(vectors, axis=1)
        if len(wrong := np.flatnonzero(~(lengths <= LONGEST))):
            raise ValueError(
                f"Vector {wrong[0]} has the length {lengths[wrong[0]]}; expected finite numbers and the length 1."
            )
        return np.ascontiguousarray(vectors)

    def _known(self, rows: list[int]) -> Rows:
        if unknown := set(rows) - self._rows:
            raise ValueError(f"Row {min(unknown)} is not in the index.")
        return np.array(rows, dtype=np.int64)


def _empty(dimension: int, graph: bool) -> Any:
    """An empty FAISS index that keeps the caller's row numbers."""
    if not graph:
        return faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))
    inner = faiss.IndexHNSWFlat(dimension, GRAPH_LINKS, faiss.METRIC_INNER_PRODUCT)
    inner.hnsw.efConstruction = GRAPH_BREADTH
    return faiss.IndexIDMap2(inner)


def _distinct(rows: Rows) -> list[int]:
    """`rows` as Python numbers, checked: one dimension, integers, none negative, none twice."""
    if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
        raise ValueError(f"Rows must be integers in one dimension; these are {rows.dtype} {list(rows.shape)}.")
    values, counts = np.unique(rows, return_counts=True)
    if len(values) and values[0] < 0:
        raise ValueError(f"Row {values[0]} is negative; rows count from 0.")
    if len(values) and counts.max() > 1:
        raise ValueError(f"Row {values[counts.argmax()]} is given twice.")
    numbers: list[int] = rows.tolist()
    return numbers


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep FAISS to the calling thread: a search is done before a second one has woken up on a busy machine."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _similarities(query: Vectors, vectors: Vectors) -> Scores:
    """Inner products summed in double precision: the same for the same two vectors wherever they stand."""
    return np.einsum("d,nd->n", query, vectors, dtype=np.float64).astype(np.float32)
