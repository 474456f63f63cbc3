"""FAISS must find what exact numpy search finds, number for number, in every kind of index."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbot.domain import Rows, Vectors
from chatbot.errors import BotError, Unavailable
from chatbot.index import FaissIndex
from chatbot.protocols import VectorIndex
from chatbot.shortlist import Kind, Plan, Shortlist, plan
from tests.contracts import BuildVectors, VectorIndexContract
from tests.fakes import ExactIndex

KINDS = tuple(Kind)
GIGABYTE = 2**30


def built(kind: Kind) -> Callable[[Rows, Vectors], FaissIndex]:
    return partial(FaissIndex.build, kind=kind)


def clustered(n: int, dimension: int, seed: int = 0) -> Vectors:
    """Unit vectors around n / 50 centres, as questions lie around their answers; each tenth repeats another."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(max(n // 50, 1), dimension))
    vectors = centres[random.integers(len(centres), size=n)] + 0.5 * random.normal(size=(n, dimension))
    vectors[::10] = vectors[n // 2 : n // 2 + len(vectors[::10])]
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


class TestExactIndex(VectorIndexContract):
    @pytest.fixture
    def build(self) -> BuildVectors:
        return ExactIndex


@pytest.mark.parametrize("kind", KINDS)
class TestFaissIndex(VectorIndexContract):
    @pytest.fixture
    def build(self, kind: Kind) -> BuildVectors:
        return built(kind)


@pytest.mark.parametrize("kind", KINDS)
class TestCompacted(VectorIndexContract):
    """The same of an index whose base was built behind its back."""

    @pytest.fixture
    def build(self, kind: Kind) -> BuildVectors:
        def compacted(rows: Rows, vectors: Vectors) -> FaissIndex:
            index = built(kind)(rows[:0], vectors[:0])
            index.add(rows, vectors)
            index.compact()
            return index

        return compacted


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(data=st.data())
def test_equal_to_numpy_search_through_changes(kind: Kind, data: st.DataObject) -> None:
    """Vectors on a coarse grid, so that ties and duplicates are common."""
    axis = st.lists(st.integers(-1, 1), min_size=3, max_size=3).filter(any)

    def draw(n: int) -> Vectors:
        grid = np.array(data.draw(st.lists(axis, min_size=n, max_size=n)), dtype=float).reshape(-1, 3)
        return (grid / np.linalg.norm(grid, axis=1, keepdims=True)).astype(np.float32)

    numbers = data.draw(st.lists(st.integers(0, 2**40), unique=True, max_size=60))
    rows = np.array(numbers, dtype=np.int64)
    vectors = draw(len(rows))
    index, exact = built(kind)(rows, vectors), ExactIndex(rows, vectors)
    if numbers:
        gone = np.array(data.draw(st.lists(st.sampled_from(numbers), unique=True)), dtype=np.int64)
        back = gone[: len(gone) // 2]
        fresh = draw(len(back))
        for each in (index, exact):
            each.remove(gone)
            each.add(back, fresh)
    if data.draw(st.booleans()):
        index.compact()
    among = data.draw(
        st.none() | st.lists(st.sampled_from([*numbers, 2**41])).map(lambda rows: np.array(rows, int))
    )
    queries, k = draw(3), data.draw(st.integers(1, 70))
    similarities, found = index.search(queries, k, among)
    expected_similarities, expected = exact.search(queries, k, among)
    assert np.array_equal(found, expected)
    assert np.array_equal(similarities, expected_similarities)
    assert len(index) == len(exact)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [1, 64])  # FAISS sums small and large batches in different ways
def test_equal_to_numpy_search_on_real_sizes(kind: Kind, batch: int) -> None:
    vectors = clustered(3000, 64)
    rows = np.random.default_rng(1).permutation(10_000)[:3000].astype(np.int64)
    noise = 0.05 * np.random.default_rng(2).normal(size=(batch, 64))
    near = vectors[:batch] + noise
    queries = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    similarities, found = built(kind)(rows, vectors).search(queries, 10)
    expected_similarities, expected = ExactIndex(rows, vectors).search(queries, 10)
    assert np.array_equal(found, expected)
    assert np.abs(similarities - expected_similarities).max() <= 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_more_duplicates_than_are_fetched_at_first_are_still_ordered_by_row(kind: Kind) -> None:
    vectors = np.repeat(clustered(1, 16), 500, axis=0)
    rows = np.arange(500, dtype=np.int64)[::-1].copy()
    assert built(kind)(rows, vectors).search(vectors[:1], 5)[1].tolist() == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("kind", KINDS)
def test_few_allowed_rows_of_many_are_all_found(kind: Kind) -> None:
    vectors = clustered(5000, 32)
    rows = np.arange(5000, dtype=np.int64)
    among = np.random.default_rng(3).choice(rows, 12, replace=False)
    found = built(kind)(rows, vectors).search(clustered(20, 32, seed=4), 12, among)[1]
    assert all(sorted(row) == sorted(among.tolist()) for row in found.tolist())


@pytest.mark.parametrize(
    ("count", "memory", "expected"),
    [
        (0, GIGABYTE, Kind.FLAT),
        (50_000, 0, Kind.FLAT),
        (50_001, GIGABYTE, Kind.GRAPH),
        (200_000, GIGABYTE, Kind.GRAPH),
        (200_001, GIGABYTE, Kind.LISTS),
        (1_000_000, GIGABYTE, Kind.LISTS),
        (1_000_000, GIGABYTE // 2, Kind.PIECES),
        (100_000, 2 * 100_000 * (384 + 8), Kind.LISTS),  # a graph's links would be too much
        (100_000, 2 * 100_000 * (384 + 8) - 2, Kind.PIECES),
    ],
)
def test_the_kind_of_search_follows_from_size_and_memory(count: int, memory: int, expected: Kind) -> None:
    assert plan(count, 384, memory).kind is expected


def test_a_plan_has_the_measures_of_its_kind() -> None:
    assert plan(1_000_000, 384, GIGABYTE).recipe == "IVF3000,SQ8"
    assert plan(1_000_000, 384, GIGABYTE, Kind.PIECES).recipe == "IVF3000,PQ48np"
    assert plan(100_000, 384, GIGABYTE).recipe == "HNSW16,SQ8"
    assert plan(1_000_000, 384, GIGABYTE, Kind.FLAT) == Plan(Kind.FLAT)
    assert plan(100, 7, GIGABYTE, Kind.PIECES) == Plan(Kind.LISTS, "IVF2,SQ8", 2, effort=128, width=128, spare=4)


def test_what_was_asked_for_stays_through_compaction_and_file(tmp_path: Path) -> None:
    vectors, rows = clustered(400, 16), np.arange(400, dtype=np.int64)
    index = built(Kind.GRAPH)(rows[:0], vectors[:0])
    assert index.kind is Kind.FLAT
    index.add(rows, vectors)
    index.save(tmp_path / "index")
    loaded = FaissIndex.load(tmp_path / "index")
    loaded.compact()
    assert loaded.kind is Kind.GRAPH


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_of_mostly_removed_rows_finds_the_same(kind: Kind) -> None:
    vectors, rows = clustered(400, 16), np.arange(400, dtype=np.int64)
    index = built(kind)(rows, vectors)
    index.remove(rows[:150])
    index.remove(rows[150:300])
    expected = ExactIndex(rows[300:], vectors[300:]).search(vectors[:5], 9)[1]
    for _ in range(2):
        assert np.array_equal(index.search(vectors[:5], 9)[1], expected)
        assert len(index) == 100
        index.compact()


def test_what_was_removed_is_not_scanned_either() -> None:
    vectors, rows = clustered(1200, 4), np.arange(1200, dtype=np.int64)
    index = built(Kind.LISTS)(rows, vectors)
    index.remove(rows[:900])
    expected = ExactIndex(rows[900:], vectors[900:]).search(vectors[:5], 9)[1]
    assert np.array_equal(index.search(vectors[:5], 9)[1], expected)


@pytest.mark.parametrize("kind", [Kind.LISTS, Kind.PIECES, Kind.GRAPH])
def test_a_filter_costs_no_recall(kind: Kind) -> None:
    """At any share that may be found, from all to a thousandth, 19 of 20 of what is nearest are found."""
    count = 10_000
    vectors, rows = clustered(count, 32), np.arange(count, dtype=np.int64)
    index, exact = built(kind)(rows, vectors), ExactIndex(rows, vectors)
    assert index.kind is kind
    queries = clustered(20, 32, seed=5)
    for share in (1, 0.5, 0.1, 0.01, 0.001):
        among = np.random.default_rng(6).choice(rows, int(share * count), replace=False)
        found, expected = index.search(queries, 10, among), exact.search(queries, 10, among)
        recall = np.mean([np.isin(a, b).mean() for a, b in zip(found[1], expected[1], strict=True)])
        assert recall >= 0.95, f"{kind} at {share}"
        assert np.isin(found[1], among).all()


class Gate:
    """Builds a shortlist once it is let through; then fails if it shall."""

    def __init__(self, fails: bool = False) -> None:
        self.begun, self.open, self.fails = threading.Event(), threading.Event(), fails

    def build(self, vectors: Vectors, plan: Plan) -> Shortlist | None:
        self.begun.set()
        assert self.open.wait(60)
        if self.fails:
            raise MemoryError("no room for a list")
        return Shortlist.build(vectors, plan)


@pytest.mark.parametrize("kind", KINDS)
def test_a_compaction_loses_nothing_that_came_meanwhile(kind: Kind, tmp_path: Path) -> None:
    vectors, rows = clustered(900, 16), np.arange(900, dtype=np.int64)
    built(kind)(rows[:300], vectors[:300]).save(tmp_path / "index")
    gate = Gate()
    index, exact = FaissIndex.load(tmp_path / "index", gate.build), ExactIndex(rows[:300], vectors[:300])

    def both(change: Callable[[VectorIndex], None]) -> None:
        change(index)
        change(exact)
        for among in (None, rows[::3]):
            found, expected = index.search(vectors[::90], 12, among), exact.search(vectors[::90], 12, among)
            assert np.array_equal(found[1], expected[1])

    both(lambda each: each.add(rows[300:600], vectors[300:600]))
    both(lambda each: each.remove(rows[250:350]))
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(index.compact)
        assert gate.begun.wait(60)
        both(lambda each: each.remove(rows[:50]))  # of the old base
        both(lambda each: each.remove(rows[400:450]))  # of the tail
        both(lambda each: each.add(rows[600:], vectors[600:]))
        both(lambda each: each.add(rows[:20], vectors[800:820]))  # other vectors than before
        both(lambda each: each.add(rows[400:420], vectors[820:840]))
        both(lambda each: each.remove(rows[890:]))  # come and gone
        gate.open.set()
        done.result()
    both(lambda each: each.remove(rows[:1]))
    assert len(index) == len(exact)
    left = rows[1:20]
    assert np.array_equal(index.vectors(left), exact.vectors(left))
    index.compact()
    both(lambda each: each.add(rows[:1], vectors[:1]))


def waited_for_compaction() -> None:
    for thread in threading.enumerate():
        if thread.name == "compaction":
            thread.join(60)


def test_a_long_tail_is_compacted_in_the_background() -> None:
    vectors, rows = clustered(1200, 8), np.arange(1200, dtype=np.int64)
    index = built(Kind.LISTS)(rows[:0], vectors[:0])
    index.add(rows[:1000], vectors[:1000])
    waited_for_compaction()
    kinds = [index.kind]  # all of it is tail
    index.add(rows[1000:], vectors[1000:])
    waited_for_compaction()
    assert [*kinds, index.kind] == [Kind.FLAT, Kind.LISTS]
    index.remove(rows[:1100])
    waited_for_compaction()
    assert index.search(vectors[1150:1151], 1)[1].tolist() == [[1150]]
    assert len(index) == 100


def test_a_compaction_that_fails_is_logged_and_changes_nothing(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    vectors, rows = clustered(1200, 8), np.arange(1200, dtype=np.int64)
    built(Kind.FLAT)(rows[:5], vectors[:5]).save(tmp_path / "index")
    gate = Gate(fails=True)
    gate.open.set()
    index = FaissIndex.load(tmp_path / "index", gate.build)
    index.add(rows[5:], vectors[5:])
    waited_for_compaction()
    assert "could not be compacted" in caplog.text
    assert "no room for a list" in caplog.text
    expected = ExactIndex(rows, vectors).search(vectors[:9], 7)[1]
    assert np.array_equal(index.search(vectors[:9], 7)[1], expected)


def test_a_small_index_does_not_need_its_file_once_it_is_loaded(tmp_path: Path) -> None:
    """A mapped file that is cut short would end the process."""
    vectors, rows = clustered(50, 16), np.arange(50, dtype=np.int64)
    FaissIndex.build(rows, vectors).save(tmp_path / "questions.index")
    loaded = FaissIndex.load(tmp_path / "questions.index")
    expected = loaded.search(vectors, 5)
    for file in (tmp_path / "questions.index").rglob("vectors.npy"):
        file.write_bytes(b"\0" * file.stat().st_size)
    assert np.array_equal(loaded.search(vectors, 5), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_index_comes_back_with_what_was_removed_gone(kind: Kind, tmp_path: Path) -> None:
    vectors, rows = clustered(50, 16), np.arange(50, dtype=np.int64)
    index = built(kind)(rows, vectors)
    index.remove(rows[10:20])
    index.add(rows[10:15], vectors[40:45])
    index.save(tmp_path / "questions.index")
    loaded = FaissIndex.load(tmp_path / "questions.index")
    assert (len(loaded), loaded.kind, loaded.dimension) == (45, index.kind, 16)
    assert np.array_equal(index.search(vectors, 45), loaded.search(vectors, 45))
    loaded.add(rows[15:16], vectors[10:11])
    assert np.array_equal(loaded.vectors(rows[15:16]), vectors[10:11])
    loaded.save(tmp_path / "again.index")
    assert np.array_equal(
        FaissIndex.load(tmp_path / "again.index").search(vectors, 46), loaded.search(vectors, 46)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_saved_is_never_written_to(kind: Kind, tmp_path: Path) -> None:
    vectors, rows = clustered(50, 16), np.arange(50, dtype=np.int64)
    built(kind)(rows, vectors).save(tmp_path / "questions.index")
    files = [path for path in (tmp_path / "questions.index").rglob("*") if path.is_file()]
    before = [path.read_bytes() for path in files]
    loaded = FaissIndex.load(tmp_path / "questions.index")
    loaded.remove(rows[:10])
    loaded.add(rows[:5], vectors[5:10])
    loaded.compact()
    loaded.remove(rows[20:30])
    assert [path.read_bytes() for path in files] == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_that_is_no_index_is_named(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "questions.index"
    with pytest.raises(BotError, match=r"no vector index at .*questions\.index.*chatbot train"):
        FaissIndex.load(path)
    path.mkdir()
    with pytest.raises(BotError, match=r"questions\.index cannot be read"):
        FaissIndex.load(path)
    path.rmdir()
    built(kind)(np.arange(9, dtype=np.int64), clustered(9, 8)).save(path)
    for file in (path / "base").iterdir():
        whole = file.read_bytes()
        for content in (b"", b"not an index at all", b"\x00" * 1000, whole[:-40]):
            file.write_bytes(content)
            with pytest.raises(BotError, match=r"questions\.index cannot be read .*chatbot train"):
                FaissIndex.load(path)
        file.write_bytes(whole)
    assert len(FaissIndex.load(path)) == 9


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "questions.index"
    built(Kind.LISTS)(np.arange(9, dtype=np.int64), clustered(9, 8)).save(path)
    faiss.write_index(faiss.IndexFlatL2(8), str(path / "base" / "shortlist.faiss"))
    with pytest.raises(BotError, match="holds a IndexFlatL2, not lists"):
        FaissIndex.load(path)
    np.save(path / "base" / "rows.npy", np.arange(8))
    with pytest.raises(BotError, match="8 rows, 9 signs of life"):
        FaissIndex.load(path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    index = built(Kind.FLAT)(np.arange(9, dtype=np.int64), clustered(9, 8))
    with pytest.raises(Unavailable, match="missing"):
        index.save(tmp_path / "missing" / "questions.faiss")


@pytest.mark.parametrize("kind", KINDS)
def test_searching_while_rows_come_and_go(kind: Kind) -> None:
    vectors, rows = clustered(600, 32), np.arange(600, dtype=np.int64)
    index = built(kind)(rows[:300], vectors[:300])
    expected = ExactIndex(rows[:300], vectors[:300]).search(vectors[:20], 5, rows[:300])[1]

    def change() -> None:
        for start in range(300, 600, 30):
            index.add(rows[start : start + 30], vectors[start : start + 30])
            index.remove(rows[start : start + 20])

    with ThreadPoolExecutor(4) as pool:
        changed = pool.submit(change)
        found = list(pool.map(lambda _: index.search(vectors[:20], 5, rows[:300])[1], range(60)))
        changed.result()
    assert all(np.array_equal(each, expected) for each in found)
    assert len(index) == 400


def test_messages_name_the_row_and_the_value() -> None:
    index = built(Kind.FLAT)(np.arange(3, dtype=np.int64), clustered(3, 4))
    one = clustered(1, 4)
    with pytest.raises(ValueError, match="Row 2 is in the index already"):
        index.add(np.array([2]), one)
    with pytest.raises(ValueError, match="Row 8 is not in the index"):
        index.remove(np.array([0, 8]))
    with pytest.raises(ValueError, match="Row 1 is given twice"):
        index.remove(np.array([0, 1, 1]))
    with pytest.raises(ValueError, match=r"shape \[n, 4\]; these have \[1, 5\]"):
        index.search(clustered(1, 5), 1)
    with pytest.raises(ValueError, match=r"Vector 0 has the length 2\.0"):
        index.add(np.array([5]), np.array([[0, 2, 0, 0]], dtype=np.float32))
    with pytest.raises(ValueError, match="float32, not float64"):
        index.search(one.astype(np.float64), 1)
