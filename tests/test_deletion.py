"""The deletion test, with a cross-encoder that counts shared words, so that every curve is there to be seen."""

import pytest

from chatbot.insight.deletion import SHARES, Deletion, Named, Verdict, area, delete, without
from chatbot.lexical import spans
from tests.fakes import FakeReranker

NONE = FakeReranker(strictness=0)  # shared words, and nothing off for the others


def named(text: str, attribution: list[float], attention: list[float] | None = None) -> Named:
    return Named(text, spans(text), attribution, attribution if attention is None else attention)


def test_what_counts_lowers_the_relevance_first_and_what_does_not_never() -> None:
    """Of four words one goes, one, two; a and b are shared: 2, then 1, 1, 0 with either text."""
    found = delete(
        NONE, named("a b c d", [4, 3, 2, 1], [1, 2, 3, 4]), named("b x a y", [3, 2, 4, 1], [1, 4, 2, 3])
    )
    assert found.shares == (0, *SHARES)
    assert found.attribution == (2, 1, 1, 0)
    assert found.attention == (2, 2, 2, 2)
    assert len(found.chance) == 19
    assert {curve[0] for curve in found.chance} == {2}
    counts, looks = found.judge(found.attribution), found.judge(found.attention)
    assert counts.verdict is Verdict.FAITHFUL
    assert counts.lowered == pytest.approx(4 / 3)
    assert (looks.verdict, looks.lowered, looks.beaten, looks.times) == (Verdict.NOT_TRUSTED, 0, 0, 0)
    assert counts.by_chance == pytest.approx(sum(map(area, found.chance)) / 19)
    assert counts.times == pytest.approx(4 / 3 / counts.by_chance)


def test_a_word_goes_from_one_text_at_a_time() -> None:
    """Out of both at once, a b against a b would be b against b, with one word less but nothing that differs."""
    reranker = FakeReranker()
    found = delete(reranker, named("a b", [2, 1]), named("a b", [2, 1]))
    assert found.attribution == (2, 0, 0, 0)  # b against a b: one shared, less one that only one has
    assert set(reranker.read) == {("a b", "a b"), ("b", "a b"), ("a b", "b"), ("a", "a b"), ("a b", "a")}
    assert len(reranker.read) == 5  # each once


def test_of_two_texts_only_the_one_with_words_loses_some() -> None:
    found = delete(NONE, named("", []), named("a b", [1, 2]))
    assert found.attribution == (0, 0, 0, 0)
    assert found.judge(found.attribution).verdict is Verdict.UNTESTED


def test_one_word_each_cannot_be_told_from_chance() -> None:
    found = delete(NONE, named("a", [1]), named("a", [1]))
    assert found.attribution == (1, 0, 0, 0)  # the word goes, and all words with it
    judged = found.judge(found.attribution)
    assert (judged.verdict, judged.lowered, judged.by_chance) == (Verdict.UNTESTED, 1, 1)


def test_nor_can_two_words_each() -> None:
    """One order in four is the best: a before b in both texts."""
    found = delete(NONE, named("a b", [2, 1], [1, 2]), named("a c", [2, 1], [1, 2]))
    assert (found.attribution, found.attention) == ((1, 0, 0, 0), (1, 1, 1, 1))
    assert found.judge(found.attribution).verdict is found.judge(found.attention).verdict is Verdict.UNTESTED


@pytest.mark.parametrize(
    ("curve", "verdict", "times"),
    [
        ((4, 2, 0), Verdict.FAITHFUL, 3),  # falls by 3 where chance falls by 1
        ((4, 3, 3), Verdict.NOT_TRUSTED, 1),  # as chance does
        ((4, 5, 7), Verdict.NOT_TRUSTED, -2),  # rises
    ],
)
def test_the_verdict(curve: tuple[float, ...], verdict: Verdict, times: float) -> None:
    chance = ((4, 4, 4), (4, 2, 2), (4, 3.5, 3.5), (4, 2.5, 2.5), *((4, 3, 3),) * 6)
    judged = Deletion((0, 0.25, 0.5), curve, curve, chance).judge(curve)
    assert (judged.verdict, judged.by_chance, judged.times) == (verdict, 1, times)


def test_what_lowers_nothing_is_no_explanation_even_where_chance_raises() -> None:
    deletion = Deletion((0, 0.5), (1, 1.5), (1, 1), ((1, 2), (1, 3)))
    judged = deletion.judge(deletion.attribution)
    assert (judged.verdict, judged.lowered, judged.times) == (Verdict.NOT_TRUSTED, -0.5, None)


def test_what_stood_apart_stays_apart() -> None:
    english, chinese = named("refund/return, please", [0] * 5), named("我要退货吗", [0] * 3)
    assert without(english, [1]) == "refund return, please"
    assert without(english, [2, 0]) == "/ , please"
    assert [chinese.text[start:end] for start, end in chinese.spans] == ["我要", "退货", "吗"]
    assert without(chinese, [1]) == "我要吗"
    assert without(chinese, [0, 2, 1]) == ""
