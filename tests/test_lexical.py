"""BM25: what counts as a word, what a score of 1 means, and that it is the textbook's formula."""

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import inf, log

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbot.domain import Rows, Scores
from chatbot.lexical import SMALL, Bm25Index, spans, words
from chatbot.postings import GROUP, Postings, TailTexts
from tests.contracts import BuildTexts, LexicalIndexContract
from tests.fakes import SharedWords


def rows(*numbers: int) -> Rows:
    return np.array(numbers, dtype=np.int64)


class TestSharedWords(LexicalIndexContract):
    @pytest.fixture
    def build(self) -> BuildTexts:
        return SharedWords


class TestBm25Index(LexicalIndexContract):
    @pytest.fixture
    def build(self) -> BuildTexts:
        return Bm25Index.build


class TestBm25IndexWithATail(LexicalIndexContract):
    @pytest.fixture
    def build(self) -> BuildTexts:
        return tailed


class TestBm25IndexThatMerges(LexicalIndexContract):
    @pytest.fixture
    def build(self) -> BuildTexts:
        return partial(Bm25Index.build, small=0, share=0.3)


def tailed(numbers: Rows, texts: Sequence[str]) -> Bm25Index:
    """As a large index: changes stand beside it and are never built in."""
    return Bm25Index.build(numbers, texts, small=0, share=inf)


@dataclass(frozen=True)
class Plain:
    """The slow reference: bm25s gives every text its score, and all of them are sorted. Each text holds words."""

    texts: Sequence[str]

    def search(self, question: str, k: int) -> list[tuple[float, int]]:
        every = self.score(question)
        order = np.lexsort((np.arange(len(every)), -every))[:k]
        return [(float(every[line]), int(line)) for line in order if every[line] > 0]

    def score(self, question: str) -> Scores:
        number: dict[str, int] = {}
        lines = [[number.setdefault(word, len(number)) for word in words(text)] for text in self.texts]
        bm25 = bm25s.BM25(method="lucene")
        bm25.index((lines, number), create_empty_token=False, show_progress=False)
        best = np.maximum.reduceat(bm25.scores["data"], bm25.scores["indptr"][:-1])
        asked = words(question)
        known = bm25.get_tokens_ids(asked)
        reachable = best[known].sum() + (len(asked) - len(known)) * best.max()
        scores: Scores = np.minimum(bm25.get_scores_from_ids(known) / reachable, 1)
        return scores


def found(index: Bm25Index, question: str, k: int) -> list[tuple[float, int]]:
    scores, near = (result[0] for result in index.search([question], k))
    return [(s, row) for s, row in zip(scores.tolist(), near.tolist(), strict=True) if row >= 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Where is ORDER A-17?", ["where", "is", "order", "a", "17"]),
        ("ＡＢＣ１２３ Straße", ["abc123", "strasse"]),
        ("snake_case Привет", ["snake", "case", "привет"]),
        ("退款", ["退款", "退", "款"]),
        ("iPhone退款15天", ["iphone", "退款", "退", "款", "15", "天"]),
        ("我的订单号", ["订单", "单号", "订单号", "我", "的", "订", "单", "号"]),
        ("𠮷", ["𠮷"]),
        ("a_b 退_款", ["a", "b", "退", "款"]),
        ("", []),
        (" ?!… \n", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Order A-17?? 我要退货", ["Order", "A-17", "??", "我要", "退货"]),
        ("don't pay €5.99_", ["don't", "pay", "€", "5.99", "_"]),
        ("退换货：iPhone怎么办", ["退换货", "：", "iPhone", "怎么办"]),
        ("🤷🏽‍♂️ café", ["🤷🏽‍♂️", "café"]),
        (" \n", []),
    ],
)
def test_words_as_a_reader_sees_them(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in spans(text)] == expected


@given(st.text())
def test_all_but_white_space_belongs_to_one_word(text: str) -> None:
    found = spans(text)
    assert found == sorted(found)
    assert all(start < end for start, end in found)
    assert "".join(text[start:end] for start, end in found) == "".join(text.split())


def test_the_score_is_bm25_over_what_the_question_could_reach() -> None:
    """Worked by hand: Lucene's BM25 with k1 = 1.5 and b = 0.75 (Kamphuis et al. 2020)."""
    texts = ["red shoes", "red red hat", "blue hat with a long name"]
    n, average = 3, (2 + 3 + 6) / 3

    def part(word: str, text: str) -> float:
        held = sum(word in t.split() for t in texts)
        times, length = text.split().count(word), len(text.split())
        idf = log(1 + (n - held + 0.5) / (held + 0.5))
        return idf * times / (times + 1.5 * (1 - 0.75 + 0.75 * length / average))

    def best(word: str) -> float:
        return max(part(word, text) for text in texts)

    index = Bm25Index.build(rows(0, 1, 2), texts)
    for text in texts:
        expected = (part("red", text) + part("hat", text)) / (best("red") + best("hat"))
        assert index.score("red hat", rows(texts.index(text)))[0] == pytest.approx(expected, abs=1e-6)
    most = max(best(word) for text in texts for word in text.split())
    expected = part("red", texts[0]) / (best("red") + most)
    assert index.score("red unicorn", rows(0))[0] == pytest.approx(expected, abs=1e-6)


def test_chinese_words_that_are_cut_differently_still_meet() -> None:
    index = Bm25Index.build(rows(0, 1, 2), ["退换货政策", "会员积分", "修改地址"])
    assert index.search(["怎么退货"], 1)[1].tolist() == [[0]]


def test_half_width_and_case_do_not_matter() -> None:
    index = Bm25Index.build(rows(5), ["ｅｒｒｏｒ E２３"])
    assert index.search(["Error e23"], 1)[0].tolist() == [[1]]


@settings(max_examples=60)
@given(
    texts=st.lists(st.text(alphabet="abc 退款货", max_size=12), max_size=12),
    question=st.text(alphabet="abcz 退款货天", max_size=12),
    k=st.integers(1, 15),
)
def test_any_texts_give_shares_in_order(texts: list[str], question: str, k: int) -> None:
    index = Bm25Index.build(np.arange(len(texts), dtype=np.int64), texts)
    scores, found = (result[0] for result in index.search([question], k))
    every = index.score(question, np.arange(len(texts), dtype=np.int64))
    assert ((every >= 0) & (every <= 1)).all()
    expected = sorted((-s, row) for row, s in enumerate(every.tolist()) if s > 0)[:k]
    assert [(-s, row) for s, row in zip(scores.tolist(), found.tolist(), strict=True) if row >= 0] == expected
    shared = [bool(Counter(words(question)) & Counter(words(text))) for text in texts]
    assert [s > 0 for s in every.tolist()] == shared


def test_an_index_that_changed_scores_like_one_built_that_way() -> None:
    changed = Bm25Index.build(rows(1, 2, 3), ["red shoes", "blue hat", "green hat"])
    changed.search(["hat"], 1)
    changed.remove(rows(2))
    changed.add(rows(0), ["red hat"])
    built = Bm25Index.build(rows(3, 0, 1), ["green hat", "red hat", "red shoes"])
    assert np.array_equal(changed.search(["red hat", "shoes"], 3), built.search(["red hat", "shoes"], 3))


WORDS = ["red", "blue", "hat", "shoes", "退款", "退货", "a", "b", "c"]
few_words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=7).map(" ".join)


@settings(max_examples=60)
@given(
    texts=st.lists(few_words, min_size=1, max_size=30),
    question=st.lists(st.sampled_from([*WORDS, "货", "unicorn"]), min_size=1, max_size=8).map(" ".join),
    k=st.integers(1, 12),
)
def test_scores_are_those_of_bm25s_number_for_number(texts: list[str], question: str, k: int) -> None:
    plain = Plain(texts)
    for build in (Bm25Index.build, tailed):
        index = build(np.arange(len(texts)), texts)
        assert found(index, question, k) == plain.search(question, k)
        assert index.score(question, np.arange(len(texts))).tolist() == plain.score(question).tolist()


def test_groups_of_lines_hide_none_of_the_best() -> None:
    """Enough texts that the k-th best is first sought among the heads of groups."""
    chance = np.random.default_rng(5)
    drawn = [
        " ".join(f"w{chance.zipf(1.3) % 200}" for _ in range(chance.integers(1, 9))) for _ in range(40 * GROUP)
    ]
    plain = Plain(drawn)
    index = Bm25Index.build(np.arange(len(drawn)), drawn)
    for k in (1, 3, 9):
        for question in ("w1 w2 w3", "w1 w1 w17", "w150 w2 w2 zzz", "w199"):
            assert found(index, question, k) == plain.search(question, k)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 9), few_words), min_size=1, max_size=25),
    question=few_words,
    share=st.sampled_from([0, 0.4, inf]),
)
def test_after_any_changes_the_rows_are_those_that_are_there(
    steps: list[tuple[int, str]], question: str, share: float
) -> None:
    """A step puts a text under a free row or takes away what is there. What few texts give is what a fresh index
    gives; a large one finds the same rows, with scores that are at most a little older."""
    small, large = Bm25Index.build(rows(), []), Bm25Index.build(rows(), [], small=0, share=share)
    there: dict[int, str] = {}
    for row, text in steps:
        for index in (small, large):
            if row in there:
                index.remove(rows(row))
            else:
                index.add(rows(row), [text])
        if there.pop(row, None) is None:
            there[row] = text
        fresh = Bm25Index.build(rows(*there), list(there.values()))
        every = rows(*sorted(there))
        assert found(small, question, 10) == found(fresh, question, 10)
        assert len(small) == len(large) == len(there)
        found(large, question, 10)
        if large._merging is not None:
            large._merging.join(10)
        near = [row for _, row in found(large, question, 10)]
        assert sorted(near) == sorted(row for _, row in found(fresh, question, 10))
        assert [score for score, _ in found(large, question, 10)] == large.score(question, rows(*near)).tolist()
        assert (large.score(question, every) <= 1).all()


def test_a_tail_is_weighed_with_what_was_known_before() -> None:
    """Row 9 scores what it would if it had been one of the texts that the statistics are of."""
    index = tailed(rows(0, 1), ["red hat", "blue shoes"])
    before = index.score("red hat", rows(0))
    index.add(rows(9), ["red hat"])
    assert index.score("red hat", rows(0, 9)).tolist() == [before[0]] * 2 == [1, 1]
    index.remove(rows(0))
    assert found(index, "red hat", 3) == [(1, 9)]
    assert found(index, "shoes", 3) == [(1, 1)]


def test_few_texts_are_built_anew_at_each_change() -> None:
    index = Bm25Index.build(np.arange(30), [f"hat {i}" for i in range(30)])
    index.add(rows(99), ["hat"])
    assert found(index, "hat 7", 40) == found(
        Bm25Index.build(np.append(np.arange(30), 99), [*(f"hat {i}" for i in range(30)), "hat"]), "hat 7", 40
    )
    assert SMALL == 50_000


class Gated(Postings):
    """Postings that wait, while they are built anew, until they are let go on, or fail."""

    begun: threading.Event
    go: threading.Event
    fails: bool

    def followed(self, gone: object, late: TailTexts, known: int) -> Postings:
        self.begun.set()
        assert self.go.wait(10)
        if self.fails:
            raise MemoryError("no room")
        return Postings.followed(self, gone, late, known)  # type: ignore[arg-type]


def gated(fails: bool = False) -> tuple[Bm25Index, Gated]:
    """A large index that has begun to build in its tail: "green hat" came under 20; 3 and 12 to 19 are gone."""
    index = Bm25Index.build(np.arange(20), [f"hat {i}" for i in range(20)], small=0, share=0.25)
    base = index._base
    fields = (base.rows, base.average, base.starts, base.lines, base.counts, base.weights, base.best)
    slow = Gated(*fields)
    for name, value in (("begun", threading.Event()), ("go", threading.Event()), ("fails", fails)):
        object.__setattr__(slow, name, value)
    index._base = slow
    index._tail.base = slow
    index.add(rows(20), ["green hat"])
    index.remove(rows(3, *range(12, 20)))
    assert found(index, "green", 3) == [(1, 20)]
    assert slow.begun.wait(10)
    return index, slow


def finish(index: Bm25Index, slow: Gated) -> None:
    merging = index._merging
    slow.go.set()
    assert merging is not None
    merging.join(10)


def test_what_changes_while_an_index_is_built_anew_is_not_lost() -> None:
    index, slow = gated()
    index.add(rows(3, 21, 22), ["blue coat", "red coat", "grey coat"])  # row 3 again, with another text
    index.remove(rows(5, 20, 22))
    before = [row for _, row in found(index, "hat coat green 3", 20)]
    finish(index, slow)
    assert index._base is not slow
    assert sorted(row for _, row in found(index, "hat coat green 3", 20)) == sorted(before)
    assert sorted(before) == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 21]
    assert [row for _, row in found(index, "blue coat", 2)] == [3, 21]
    assert len(index) == 12
    with pytest.raises(ValueError, match="Row 20 is not in the index"):
        index.score("hat", rows(20))


def test_an_index_that_cannot_be_built_anew_says_so_and_stays(caplog: pytest.LogCaptureFixture) -> None:
    index, slow = gated(fails=True)
    with caplog.at_level(logging.ERROR):
        finish(index, slow)
    assert "could not be merged" in caplog.text
    assert "no room" in caplog.text
    assert found(index, "green", 3) == [(1, 20)]
    assert len(index) == 12
