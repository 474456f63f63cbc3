"""Unanswered questions by topic: vectors count the words gift, drone, kayak and parcel.

Two texts with the same one of the words have the cosine 1, with different ones 1/2; "gift drone" has 2/√6 = 0.82
to either. A text with none has 1/√2 = 0.71 to those with one.
"""

import math
from datetime import UTC, datetime, timedelta, timezone
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from chatbot.domain import Vectors
from chatbot.insight.gaps import DAYS, Asked, Gap, Near, find, grouped
from chatbot.retrieve import Retriever
from chatbot.settings import Retrieve
from tests.fakes import BY_SIMILARITY, ExactIndex, FakeEncoder, SharedWords, pair

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


def line(language: str = "en") -> Retriever:
    pairs = [pair("where is my parcel", "track"), pair("gift wrapping", "wrap"), pair("refund please", "refund")]
    words: tuple[str, ...] = ("gift", "drone", "kayak", "parcel")
    if language == "zh":
        pairs = [pair("包裹 在 哪里", "track", language="zh"), pair("礼品 包装", "wrap", language="zh")]
        words = ("礼品", "无人机", "包裹")
    return Retriever.build(
        pairs, FakeEncoder(words), ExactIndex, SharedWords, None, BY_SIMILARITY, Retrieve(), casefold=True
    )


def ago(days: float, text: str, count: int = 1) -> Asked:
    return Asked(text, NOW - timedelta(days=days), count)


def test_one_gap_by_hand() -> None:
    asked = [ago(0, "Gift card?"), ago(1, "a gift"), ago(1, "gift card?"), ago(20, "gift, gift", 4)]
    (gap,) = find(asked, line(), NOW, closeness=0.9)
    # sum of (1, 1)/√2 three times and (2, 1)/√5 four times: (5.7, 3.9), 6.8 with the first, 6.9 with the other
    assert gap.name == "gift, gift"
    assert gap.count == 7
    assert gap.texts == ("gift, gift", "a gift", "Gift card?")  # equally near: by their letters
    assert gap.examples == gap.texts
    assert gap.days == (0,) * 12 + (2, 1)
    similarity: Any = pytest.approx(3 / 10**0.5)
    confidence: Any = pytest.approx(1 / (1 + math.exp(85 - 300 / 10**0.5)))
    assert gap.nearest[0] == Near("wrap", "gift wrapping", similarity, confidence)
    assert [one.answer_id for one in gap.nearest] == ["wrap", "refund", "track"]


def test_topics_are_apart_and_the_biggest_comes_first() -> None:
    asked = [
        ago(1, "any drone"),
        ago(2, "kayak hire"),
        ago(2, "the drone", 2),
        ago(3, "a kayak", 5),
        ago(3, "gift"),
    ]
    gaps = find(asked, line(), NOW, closeness=0.6)
    assert [(gap.name, gap.count, gap.texts) for gap in gaps] == [
        ("a kayak", 6, ("a kayak", "kayak hire")),
        ("any drone", 3, ("any drone", "the drone")),
        ("gift", 1, ("gift",)),
    ]
    assert [gap.name for gap in find(asked, line(), NOW, closeness=0.6, most=1)] == ["a kayak"]
    assert len(find(asked, line(), NOW, closeness=0.4)) == 1  # 1/2 is close enough


def test_chinese_is_grouped_alike() -> None:
    asked = [ago(0, "有 无人机 吗"), ago(1, "无人机？", 4), ago(1, "能 送 礼品 吗")]
    gaps = find(asked, line("zh"), NOW, closeness=0.6)
    assert [(gap.name, gap.count) for gap in gaps] == [("无人机？", 5), ("能 送 礼品 吗", 1)]
    assert gaps[1].nearest[0].answer_id == "wrap"


@pytest.mark.parametrize(
    ("early", "late", "rises"),
    [(0, 5, True), (0, 4, False), (3, 11, True), (3, 10, True), (3, 9, False), (5, 5, False), (9, 1, False)],
)
def test_a_trend_rises_where_chance_would_seldom_do_it(early: int, late: int, rises: bool) -> None:
    asked = [Asked("drone", NOW - timedelta(days=10), early), Asked("drone", NOW - timedelta(days=2), late)]
    (gap,) = find([one for one in asked if one.count], line(), NOW)
    assert (sum(gap.days[:7]), sum(gap.days[7:]), gap.rises) == (early, late, rises)


def test_days_are_those_of_the_given_time_zone_and_the_last_is_today() -> None:
    there = timezone(timedelta(hours=8))  # 20:00
    late = Asked("drone", NOW.replace(hour=23))  # tomorrow there
    early = Asked("drone", NOW.replace(hour=15, day=19))
    (gap,) = find([late, early], line(), NOW.astimezone(there))
    assert (gap.count, gap.days) == (2, (0,) * (DAYS - 2) + (1, 0))


def test_nothing_and_one_question_and_what_is_no_question() -> None:
    assert find([], line(), NOW) == ()
    assert find([ago(0, " "), ago(0, "\u200b")], line(), NOW) == ()
    (only,) = find([ago(0, "drone")], line(), NOW)
    assert isinstance(only, Gap) and (only.name, only.count) == ("drone", 1)


def test_the_order_of_what_comes_in_does_not_matter() -> None:
    asked = [ago(n % 20, f"{word} {n}") for n, word in enumerate(["gift", "drone", "kayak", "gift drone"] * 20)]
    assert find(asked, line(), NOW) == find(asked[::-1], line(), NOW)


def unit(*rows: tuple[float, ...]) -> Vectors:
    vectors = np.array(rows, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_beyond_the_limit_questions_join_the_nearest_topic_or_stand_alone() -> None:
    vectors = unit((1, 0, 0), (0, 1, 0), (1, 0.1, 0), (0.1, 1, 0), (0, 0, 1), (0, 0.1, 1))
    groups = grouped(vectors, 0.8, limit=3)
    first, second = groups[0], groups[1]
    assert groups.tolist()[:4] == [first, second, first, second]
    assert len(set(groups.tolist())) == 4 and groups.max() == 3
    # within the limit the last two are one topic
    assert len(set(grouped(vectors, 0.8).tolist())) == 3


def test_five_thousand_questions_take_seconds() -> None:
    vectors = np.random.default_rng(1).normal(size=(5_000, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    start = perf_counter()
    grouped(vectors, 0.5)
    assert perf_counter() - start < 30  # 3 s on a quiet machine
