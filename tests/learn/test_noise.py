"""Mistakes that customers make, in both languages."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.learn.noise import homophone, noisy, other_script


@given(st.text(alphabet="退货怎么了abc ", max_size=12), st.integers(0, 99))
def test_no_text_is_too_strange(text: str, seed: int) -> None:
    assert abs(len(noisy(text, random.Random(seed))) - len(text)) <= 1


def test_one_character_sounds_alike() -> None:
    for seed in range(20):
        made = homophone("退货", random.Random(seed))
        assert len(made) == 2
        assert sum(a != b for a, b in zip(made, "退货", strict=True)) == 1
    assert homophone("refund", random.Random(1)) == "refund"


@pytest.mark.parametrize(
    ("text", "other"), [("订单发货", "訂單發貨"), ("訂單發貨", "订单发货"), ("refund", "refund"), ("", "")]
)
def test_the_other_script(text: str, other: str) -> None:
    assert other_script(text) == other


def test_chinese_meets_all_three_and_english_slips_alone() -> None:
    chinese = {noisy("订单发货", random.Random(seed)) for seed in range(60)}
    assert "訂單發貨" in chinese
    assert any(len(text) != 4 for text in chinese)  # a slip
    english = {noisy("abcd", random.Random(seed)) for seed in range(60)}
    assert all(set(text) <= set("abcd") and text != "abcd" for text in english)
