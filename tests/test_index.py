"""FAISS must find what exact numpy search finds, number for number, as a flat scan and as a graph."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbot.domain import Rows, Vectors
from chatbot.errors import BotError, Unavailable
from chatbot.index import FaissIndex
from tests.contracts import BuildVectors, VectorIndexContract
from tests.fakes import ExactIndex

GRAPH = -1  # an exact limit that every number of rows is above


def flat(rows: Rows, vectors: Vectors) -> FaissIndex:
    return FaissIndex.build(rows, vectors)


def graph(rows: Rows, vectors: Vectors) -> FaissIndex:
    return FaissIndex.build(rows, vectors, exact_limit=GRAPH)


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


class TestFlat(VectorIndexContract):
    @pytest.fixture
    def build(self) -> BuildVectors:
        return flat


class TestGraph(VectorIndexContract):
    @pytest.fixture
    def build(self) -> BuildVectors:
        return graph


@pytest.mark.parametrize("build", [flat, graph])
@settings(max_examples=60)
@given(data=st.data())
def test_equal_to_numpy_search_through_changes(build: BuildVectors, data: st.DataObject) -> None:
    """Vectors on a coarse grid, so that ties and duplicates are common."""
    axis = st.lists(st.integers(-1, 1), min_size=3, max_size=3).filter(any)

    def draw(n: int) -> Vectors:
        grid = np.array(data.draw(st.lists(axis, min_size=n, max_size=n)), dtype=float).reshape(-1, 3)
        return (grid / np.linalg.norm(grid, axis=1, keepdims=True)).astype(np.float32)

    numbers = data.draw(st.lists(st.integers(0, 2**40), unique=True, max_size=60))
    rows = np.array(numbers, dtype=np.int64)
    vectors = draw(len(rows))
    index, exact = build(rows, vectors), ExactIndex(rows, vectors)
    if numbers:
        gone = np.array(data.draw(st.lists(st.sampled_from(numbers), unique=True)), dtype=np.int64)
        back = gone[: len(gone) // 2]
        fresh = draw(len(back))
        for each in (index, exact):
            each.remove(gone)
            each.add(back, fresh)
    among = data.draw(
        st.none() | st.lists(st.sampled_from([*numbers, 2**41])).map(lambda rows: np.array(rows, int))
    )
    queries, k = draw(3), data.draw(st.integers(1, 70))
    similarities, found = index.search(queries, k, among)
    expected_similarities, expected = exact.search(queries, k, among)
    assert np.array_equal(found, expected)
    assert np.array_equal(similarities, expected_similarities)
    assert len(index) == len(exact)


@pytest.mark.parametrize("build", [flat, graph])
@pytest.mark.parametrize("batch", [1, 64])  # FAISS sums small and large batches in different ways
def test_equal_to_numpy_search_on_real_sizes(build: BuildVectors, batch: int) -> None:
    vectors = clustered(3000, 64)
    rows = np.random.default_rng(1).permutation(10_000)[:3000].astype(np.int64)
    noise = 0.05 * np.random.default_rng(2).normal(size=(batch, 64))
    near = vectors[:batch] + noise
    queries = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    similarities, found = build(rows, vectors).search(queries, 10)
    expected_similarities, expected = ExactIndex(rows, vectors).search(queries, 10)
    assert np.array_equal(found, expected)
    assert np.abs(similarities - expected_similarities).max() <= 1e-6


@pytest.mark.parametrize("build", [flat, graph])
def test_more_duplicates_than_are_fetched_at_first_are_still_ordered_by_row(build: BuildVectors) -> None:
    vectors = np.repeat(clustered(1, 16), 500, axis=0)
    rows = np.arange(500, dtype=np.int64)[::-1].copy()
    assert build(rows, vectors).search(vectors[:1], 5)[1].tolist() == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("build", [flat, graph])
def test_few_allowed_rows_of_many_are_all_found(build: BuildVectors) -> None:
    vectors = clustered(5000, 32)
    rows = np.arange(5000, dtype=np.int64)
    among = np.random.default_rng(3).choice(rows, 12, replace=False)
    found = build(rows, vectors).search(clustered(20, 32, seed=4), 12, among)[1]
    assert all(sorted(row) == sorted(among.tolist()) for row in found.tolist())


def test_the_kind_of_search_follows_from_the_size_at_the_build() -> None:
    vectors, rows = clustered(20, 8), np.arange(20, dtype=np.int64)
    index = FaissIndex.build(rows[:10], vectors[:10], exact_limit=10)
    assert index.exact
    index.add(rows[10:], vectors[10:])
    assert index.exact
    assert not FaissIndex.build(rows, vectors, exact_limit=10).exact


def test_a_graph_of_mostly_removed_rows_is_rebuilt_and_finds_the_same() -> None:
    vectors, rows = clustered(400, 16), np.arange(400, dtype=np.int64)
    index = graph(rows, vectors)
    index.remove(rows[:150])
    index.remove(rows[150:300])
    expected = ExactIndex(rows[300:], vectors[300:]).search(vectors[:5], 9)[1]
    assert np.array_equal(index.search(vectors[:5], 9)[1], expected)
    assert not index.exact
    assert len(index) == 100


@pytest.mark.parametrize("build", [flat, graph])
def test_a_saved_index_comes_back_with_what_was_removed_gone(build: BuildVectors, tmp_path: Path) -> None:
    vectors, rows = clustered(50, 16), np.arange(50, dtype=np.int64)
    index = build(rows, vectors)
    assert isinstance(index, FaissIndex)
    index.remove(rows[10:20])
    index.save(tmp_path / "questions.faiss")
    loaded = FaissIndex.load(tmp_path / "questions.faiss")
    assert (len(loaded), loaded.exact, loaded.dimension) == (40, index.exact, 16)
    assert np.array_equal(index.search(vectors, 45), loaded.search(vectors, 45))
    loaded.add(rows[10:11], vectors[10:11])
    assert np.array_equal(loaded.vectors(rows[10:11]), vectors[10:11])


def test_a_file_that_is_no_index_is_named(tmp_path: Path) -> None:
    path = tmp_path / "questions.faiss"
    with pytest.raises(BotError, match=r"no vector index at .*questions\.faiss.*chatbot train"):
        FaissIndex.load(path)
    for content in (b"", b"not an index at all", b"\x00" * 1000):
        path.write_bytes(content)
        with pytest.raises(BotError, match=r"questions\.faiss cannot be read"):
            FaissIndex.load(path)
    flat(np.arange(9, dtype=np.int64), clustered(9, 8)).save(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BotError, match=r"questions\.faiss cannot be read"):
        FaissIndex.load(path)
    faiss.write_index(faiss.IndexFlatL2(8), str(path))
    with pytest.raises(BotError, match="holds a IndexFlatL2; expected IndexIDMap2"):
        FaissIndex.load(path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    index = flat(np.arange(9, dtype=np.int64), clustered(9, 8))
    with pytest.raises(Unavailable, match="missing"):
        index.save(tmp_path / "missing" / "questions.faiss")


@pytest.mark.parametrize("build", [flat, graph])
def test_searching_while_rows_come_and_go(build: BuildVectors) -> None:
    vectors, rows = clustered(600, 32), np.arange(600, dtype=np.int64)
    index = build(rows[:300], vectors[:300])
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
    index = flat(np.arange(3, dtype=np.int64), clustered(3, 4))
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
