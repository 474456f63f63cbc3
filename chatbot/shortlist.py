"""Candidates for the nearest neighbours, found fast: the only module that knows FAISS.

In:  unit vectors and a `Plan`; later questions' vectors, how many candidates, and which positions may be found.
Out: positions (0 to n - 1) of candidates, about best first, -1 where there were no more. Who asks scores them.

    flat     up to EXACT_LIMIT vectors: every one is looked at (`scan`)
    graph    up to GRAPH_LIMIT: an HNSW graph over vectors of eight bits a number
    lists    beyond: vectors in lists around centres, eight bits a number; only the nearest lists are looked at
    pieces   where lists would take more than half of the memory, or where it is asked for: lists of vectors cut
             into pieces, one byte each (product quantisation)

A search that is limited to a share of the positions looks at more of them, in proportion. Searches stay on the
calling thread; building takes all, unless the caller says `one_thread`.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from chatbot.domain import Rows, Vectors

EXACT_LIMIT = 50_000  # vectors; a scan of 384 numbers each takes 5 to 15 ms there
GRAPH_LIMIT = 200_000  # vectors; beyond, lists take far less time to build
GRAPH_LINKS = 16  # links a node, to both sides
GRAPH_BREADTH = 100  # nodes kept open while the graph is built
PIECE = 8  # numbers that share a byte
TEACHABLE = 39 * 256  # vectors that FAISS wants to see for the 256 values of a byte
TAUGHT, ROUNDS = 40, 6  # vectors a centre that the centres are learnt from, and how often they are moved
ADDED = 100_000  # vectors at once
FEW = 8  # where at most one of so many positions may be found, these alone are copied and scanned

_IDSelectorBitmap: Any = faiss.IDSelectorBitmap  # FAISS's type stubs know these only by their C++ signature
_knn_inner_product: Any = vars(faiss)["knn_inner_product"]
_SearchParametersHNSW: Any = vars(faiss)["SearchParametersHNSW"]
_SearchParametersIVF: Any = vars(faiss)["SearchParametersIVF"]

Bits = NDArray[np.uint8]  # one a position, the lowest first: whether it may be found


class Kind(StrEnum):
    FLAT = "flat"
    GRAPH = "graph"
    LISTS = "lists"
    PIECES = "pieces"


@dataclass(frozen=True, slots=True)
class Plan:
    """How to look for candidates. `effort` is the nodes kept open in a graph, or the lists looked at; `width` is
    the least number of candidates, and `spare` how many there are for each neighbour that is wanted."""

    kind: Kind
    recipe: str = ""  # as FAISS's index_factory reads it
    lists: int = 0
    effort: int = 0
    width: int = 0
    spare: int = 0


def plan(count: int, dimension: int, memory: int, asked: Kind | None = None) -> Plan:
    """The kind of search for so many vectors in `memory` bytes, unless a kind is `asked` for. Pieces can only be
    taught by TEACHABLE vectors, and nothing by none; below, it is lists and a flat scan."""
    if asked is None:
        if count <= EXACT_LIMIT:
            asked = Kind.FLAT
        elif count <= GRAPH_LIMIT and count * (dimension + 8 * GRAPH_LINKS + 8) <= memory // 2:
            asked = Kind.GRAPH
        else:
            asked = Kind.LISTS if count * (dimension + 8) <= memory // 2 else Kind.PIECES
    if asked is Kind.FLAT or count == 0:
        return Plan(Kind.FLAT)
    if asked is Kind.GRAPH:
        return Plan(asked, f"HNSW{GRAPH_LINKS},SQ8", effort=256, width=128, spare=4)
    lists = max(1, min(int(3 * math.sqrt(count)), count // TAUGHT))
    if asked is Kind.LISTS or count < TEACHABLE:
        return Plan(Kind.LISTS, f"IVF{lists},SQ8", lists, effort=128, width=128, spare=4)
    pieces = max(each for each in range(1, max(dimension // PIECE, 1) + 1) if dimension % each == 0)
    return Plan(asked, f"IVF{lists},PQ{pieces}np", lists, effort=128, width=512, spare=32)


def memory() -> int:
    """Bytes of this machine, used or not: the same vectors shall give the same kind from day to day."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class Shortlist:
    """A FAISS index whose ids are positions. It is never changed after `build`, so that threads may share it."""

    def __init__(self, index: Any, plan: Plan) -> None:
        self.index = index
        self.plan = plan

    @classmethod
    def build(cls, vectors: Vectors, plan: Plan) -> "Shortlist | None":
        """Of `vectors` (float32 [n, dim]); None for a flat plan, which needs nothing but `scan`."""
        if plan.kind is Kind.FLAT:
            return None
        index: Any = faiss.index_factory(vectors.shape[1], plan.recipe, faiss.METRIC_INNER_PRODUCT)
        if plan.kind is Kind.GRAPH:
            index.hnsw.efConstruction = GRAPH_BREADTH
        else:
            index.cp.niter = ROUNDS
            index.cp.min_points_per_centroid = 1  # with few vectors there is one centre; FAISS would warn
        if plan.kind is Kind.PIECES:
            index.pq.cp.max_points_per_centroid = TAUGHT
        wanted = max(plan.lists * TAUGHT, 2 * TEACHABLE)
        chosen = np.arange(len(vectors))
        if wanted < len(vectors):
            chosen = np.sort(np.random.default_rng(0).choice(len(vectors), wanted, replace=False))
        index.train(vectors[chosen])
        for start in range(0, len(vectors), ADDED):
            index.add(np.ascontiguousarray(vectors[start : start + ADDED]))
        return cls(index, plan)

    @classmethod
    def load(cls, path: Path, plan: Plan) -> "Shortlist":
        """What `save` wrote, mapped where FAISS can. Raises ValueError where it is not an index of that plan."""
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except (RuntimeError, MemoryError) as cause:
            raise ValueError(f"{path} cannot be read as a FAISS index") from cause
        expected = {
            Kind.GRAPH: faiss.IndexHNSWSQ,
            Kind.LISTS: faiss.IndexIVFScalarQuantizer,
            Kind.PIECES: faiss.IndexIVFPQ,
        }
        if not isinstance(index, expected[plan.kind]):
            raise ValueError(f"{path} holds a {type(index).__name__}, not {plan.kind}")
        return cls(index, plan)

    def save(self, path: Path) -> None:
        """Raises OSError where the file system refuses."""
        try:
            faiss.write_index(self.index, str(path))
        except RuntimeError as cause:
            raise OSError(str(cause)) from cause

    def search(self, queries: Vectors, width: int, bits: Bits | None, share: float) -> Rows:
        """Positions int64 [len(queries), width] of those whose bit is set, which are that `share` of all; -1 where
        there are no more."""
        selector = None if bits is None else _IDSelectorBitmap(bits)
        if self.plan.kind is Kind.GRAPH:
            breadth = max(self.plan.effort, 2 * width) / share
            params = _SearchParametersHNSW(efSearch=int(min(breadth, self.index.ntotal)), sel=selector)
        else:
            lists = min(self.plan.lists, math.ceil(self.plan.effort / share))
            params = _SearchParametersIVF(nprobe=lists, sel=selector)
        with one_thread():
            found: Rows = self.index.search(queries, width, params=params)[1]
            return found


def scan(vectors: Vectors, chosen: Rows | None, queries: Vectors, width: int) -> Rows:
    """The `width` best positions, int64 [len(queries), width], of all `vectors` or of those at `chosen`
    (ascending); there are at least that many."""
    if chosen is not None and FEW * len(chosen) < len(vectors):
        return np.asarray(chosen[scan(vectors[chosen], None, queries, width)], np.int64)
    selector = None
    if chosen is not None and len(chosen) < len(vectors):
        selector = _IDSelectorBitmap(bits_of(chosen, len(vectors)))
    found, rough = np.empty((len(queries), width), np.int64), np.empty((len(queries), width), np.float32)
    asked, stored, scores, positions = (faiss.swig_ptr(each) for each in (queries, vectors, rough, found))
    with one_thread():
        _knn_inner_product(
            asked, stored, queries.shape[1], len(queries), len(vectors), width, scores, positions, selector
        )
    return found


def bits_of(positions: Rows, count: int) -> Bits:
    chosen = np.zeros(count, dtype=bool)
    chosen[positions] = True
    return np.packbits(chosen, bitorder="little")


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep FAISS to the calling thread: a search is done before a second one has woken up on a busy machine."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
