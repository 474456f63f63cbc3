"""A part of a vector index that never changes: vectors under row numbers, some of which may be gone.

In:  rows (ascending) and their vectors, in memory or mapped from a file. Out: the nearest rows, exactly scored.

Candidates come from a shortlist or from a scan, somewhat more than are wanted, and are scored again in double
precision. That makes the result independent of how FAISS batches, orders and rounds its sums: a duplicate has the
very similarity of its original, and the row that a tie at rank k lets in is the lowest of those that were looked
at: all with a scan, up to about WIDEST candidates with a shortlist.
"""

import json
import tempfile
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chatbot.domain import Rows, Scores, Vectors
from chatbot.shortlist import EXACT_LIMIT, Bits, Kind, Plan, Shortlist, bits_of, scan

SLACK = 16  # positions scanned for beyond k, so that most ties at rank k need no second scan
WIDEST = 4096  # candidates of a shortlist, however many tie
SCANNED = 20_000  # where no more than so many positions may be found, and a quarter of all, they are scanned
TOLERANCE = 1e-5  # above the rounding error of a float32 inner product of two unit vectors
COPIED = 50_000  # vectors at once
MAPPED = 2**26  # bytes of vectors from which on they are mapped: a mapped file that is cut short ends the process


@dataclass(frozen=True, slots=True)
class Segment:
    """`rows` int64 [n] ascending, `vectors` float32 [n, dim], `living` bool [n]; `bits` are those of `living`,
    None where all live."""

    rows: Rows
    vectors: Vectors
    living: NDArray[np.bool_]
    alive: int
    bits: Bits | None = None
    shortlist: Shortlist | None = None

    @classmethod
    def of(cls, rows: Rows, vectors: Vectors, shortlist: Shortlist | None = None) -> "Segment":
        return cls(rows, vectors, np.ones(len(rows), dtype=bool), len(rows), None, shortlist)

    @classmethod
    def merged(cls, parts: "list[Segment]") -> "Segment":
        """What lives in the parts, without a shortlist. Large ones lie in an unnamed file, which is mapped."""
        at = [part.positions() for part in parts]
        rows = np.concatenate([part.rows[own] for part, own in zip(parts, at, strict=True)])
        place = np.empty(len(rows), np.int64)
        place[np.argsort(rows, kind="stable")] = np.arange(len(rows))
        vectors, start = empty(len(rows), parts[0].vectors.shape[1]), 0
        for part, own in zip(parts, at, strict=True):
            for first in range(0, len(own), COPIED):
                piece = own[first : first + COPIED]
                vectors[place[start : start + len(piece)]] = part.vectors[piece]
                start += len(piece)
        return cls.of(np.sort(rows), vectors)

    @classmethod
    def load(cls, folder: Path) -> "Segment":
        """What `save` wrote, many vectors mapped. Raises ValueError or OSError where it cannot be read."""
        about = json.loads((folder / "segment.json").read_text("utf-8"))
        rows, living = np.load(folder / "rows.npy"), np.load(folder / "living.npy")
        file = folder / "vectors.npy"
        vectors = np.load(file, mmap_mode="r" if file.stat().st_size > MAPPED else None)
        plan = Plan(**about | {"kind": Kind(about["kind"])})
        if not len(rows) == len(living) == len(vectors) or vectors.ndim != 2 or vectors.dtype != np.float32:
            raise ValueError(f"{folder} holds {len(rows)} rows, {len(living)} signs of life, {vectors.shape}")
        if plan.kind is Kind.FLAT:
            return cls.of(rows, vectors).only(living)
        shortlist = Shortlist.load(folder / "shortlist.faiss", plan)
        if (shortlist.index.ntotal, shortlist.index.d) != vectors.shape:
            raise ValueError(f"{folder} has a shortlist of {shortlist.index.ntotal} rows for {vectors.shape}")
        return cls.of(rows, vectors, shortlist).only(living)

    def save(self, folder: Path) -> None:
        """Write a folder. Raises OSError."""
        folder.mkdir()
        plan = Plan(Kind.FLAT) if self.shortlist is None else self.shortlist.plan
        (folder / "segment.json").write_text(json.dumps(asdict(plan)), "utf-8")
        for name, array in (("rows", self.rows), ("vectors", self.vectors), ("living", self.living)):
            np.save(folder / f"{name}.npy", array)
        if self.shortlist is not None:
            self.shortlist.save(folder / "shortlist.faiss")

    def positions(self, rows: Rows | None = None) -> Rows:
        """Where living rows are: of all, or of each of `rows`, -1 for one that is not here."""
        if rows is None:
            return np.flatnonzero(self.living)
        if not len(self.rows):
            return np.full(len(rows), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        return np.where((self.rows[at] == rows) & self.living[at], at, -1)

    def only(self, living: NDArray[np.bool_]) -> "Segment":
        """The same with other signs of life."""
        alive = int(living.sum())
        bits = None if alive == len(living) else np.packbits(living, bitorder="little")
        return replace(self, living=living, alive=alive, bits=bits)

    def without(self, rows: Rows) -> "Segment":
        """Rows that are not here are passed over."""
        at = self.positions(rows)
        living = self.living.copy()
        living[at[at >= 0]] = False
        return self.only(living)

    def nearest(self, queries: Vectors, k: int, among: Rows | None) -> list[tuple[Scores, Rows]]:
        """For each query similarities and rows, best first, equal ones by row: k, or as many as may be found."""
        chosen, reachable = None, self.alive
        if among is not None:
            wanted = np.zeros(len(self.rows) + 1, dtype=bool)
            wanted[self.positions(among)] = True  # the last one stands for rows that are not here
            chosen = np.flatnonzero(wanted[:-1])
            reachable = len(chosen)
        if not reachable:
            return [(np.zeros(0, np.float32), np.zeros(0, np.int64))] * len(queries)
        if self.shortlist is None or reachable <= min(SCANNED, len(self.rows) // 4):
            fetch, width, most = partial(self._scanned, chosen), k + SLACK, reachable
        else:
            fetch, most = partial(self._shortlisted, self.shortlist, chosen), min(reachable, WIDEST)
            width = max(self.shortlist.plan.width, self.shortlist.plan.spare * k)
        results = []
        for query, near in zip(queries, fetch(queries, min(width, reachable)), strict=True):
            similarities, rows = self._scored(query, near)
            while k <= len(rows) < most and similarities[-1] >= similarities[k - 1] - TOLERANCE:  # a tie may go on
                similarities, rows = self._scored(query, fetch(query[None], min(4 * len(rows), reachable))[0])
            results.append((similarities[:k], rows[:k]))
        return results

    def _scanned(self, chosen: Rows | None, queries: Vectors, width: int) -> Rows:
        """Positions int64 [len(queries), width], of the living or of those `chosen`."""
        return scan(self.vectors, self.positions() if chosen is None else chosen, queries, width)

    def _shortlisted(self, shortlist: Shortlist, chosen: Rows | None, queries: Vectors, width: int) -> Rows:
        """The same, about; by scanning where the shortlist does not lead to so many."""
        bits, reachable = self.bits, self.alive
        if chosen is not None:
            bits, reachable = bits_of(chosen, len(self.rows)), len(chosen)
        found = shortlist.search(queries, width, bits, reachable / len(self.rows))
        for i in np.flatnonzero(found[:, -1] < 0).tolist():
            found[i] = self._scanned(chosen, queries[i : i + 1], width)[0]
        return found

    def _scored(self, query: Vectors, near: Rows) -> tuple[Scores, Rows]:
        """Inner products summed in double precision: the same for the same two vectors wherever they stand."""
        at = np.sort(near)
        exact = np.einsum("d,nd->n", query, self.vectors[at], dtype=np.float64).astype(np.float32)
        best = np.argsort(-exact, kind="stable")
        return exact[best], self.rows[at[best]]


def empty(count: int, dimension: int) -> Vectors:
    """Room for vectors: in memory, or, where there are many, in a file without a name that goes with the array."""
    if count <= EXACT_LIMIT:
        return np.empty((count, dimension), np.float32)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.float32, "w+", shape=(count, dimension))
