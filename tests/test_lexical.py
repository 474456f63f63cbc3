"""BM25: what counts as a word, what a score of 1 means, and that it is the textbook's formula."""

from collections import Counter
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbot.domain import Rows
from chatbot.lexical import Bm25Index, words
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
        ("", []),
        (" ?!… \n", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


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
