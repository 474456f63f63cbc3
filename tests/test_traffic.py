"""What goes on, counted by hand in two languages."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from chatbot.domain import Action
from chatbot.errors import UserError
from chatbot.insight.traffic import ALL, Exchange, Figures, Often, frame, traffic


def about(value: float) -> Any:
    return pytest.approx(value)


MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


def exchange(
    text: str,
    action: str = "answer",
    answer_id: str | None = None,
    language: str = "en",
    hours: float = 0,
    talk: str = "c1",
    ms: float = 10,
    liked: bool | None = None,
    reason: str = "confident",
) -> Exchange:
    return Exchange(MONDAY + timedelta(hours=hours), talk, language, text, action, reason, answer_id, ms, liked)


EXCHANGES = (
    exchange("Where is it?", answer_id="track", liked=True),
    exchange("where IS it", answer_id="track", hours=1, talk="c2", ms=20, liked=False),
    exchange("tea", "hand_over", hours=2, talk="c2", ms=30, reason="unsure"),
    exchange("hi", "chat", hours=3, talk="c2", ms=100, reason="small_talk"),
    exchange("person", "hand_over", hours=48, talk="c3", ms=7, reason="asked_for_person"),
    exchange("退款", "clarify", language="zh", hours=50, talk="c4", ms=40, reason="ambiguous"),
    exchange("退款！", answer_id="refund", language="zh", hours=51, talk="c4", ms=50, liked=True),
)
SINCE, UNTIL = date(2026, 3, 2), date(2026, 3, 4)


def test_each_day_and_language_those_without_exchanges_too() -> None:
    found = traffic(EXCHANGES, SINCE, UNTIL)
    nothing = (0, 0, 0, 0, 0, 0, 0, 0, None, None)
    monday, tuesday, wednesday = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)
    assert found.days == (
        Figures(monday, "en", 4, 2, 2, 0, 1, 1, 1, 1, 25.0, about(89.5)),  # 30 + 0.85 * 70
        Figures(monday, "zh", *nothing),
        Figures(tuesday, "en", *nothing),
        Figures(tuesday, "zh", *nothing),
        Figures(wednesday, "en", 1, 1, 0, 0, 1, 0, 0, 0, 7.0, 7.0),
        Figures(wednesday, "zh", 2, 1, 1, 1, 0, 0, 1, 0, 45.0, about(49.5)),
    )
    assert found.languages[0] == Figures(None, "en", 5, 3, 2, 0, 2, 1, 1, 1, 20.0, about(86.0))
    assert (found.whole.language, found.whole.exchanges, found.whole.conversations) == (ALL, 7, 4)
    assert found.whole.share(Action.ANSWER) == 3 / 7
    assert found.days[1].share(Action.ANSWER) is None


def test_what_came_most_often() -> None:
    found = traffic(EXCHANGES, SINCE, UNTIL)
    assert found.questions[:3] == (
        Often("where IS it", "en", 2, 1, 1),
        Often("退款！", "zh", 2, 1, 0),
        Often("hi", "en", 1, 0, 0),
    )
    assert found.answers == (Often("track", "en", 2, 1, 1), Often("refund", "zh", 1, 1, 0))
    assert found.handed_over == (Often("asked_for_person", "en", 1, 0, 0), Often("unsure", "en", 1, 0, 0))
    assert len(traffic(EXCHANGES, SINCE, UNTIL, top=1).questions) == 1


def test_days_are_those_of_the_time_zone() -> None:
    there = timezone(timedelta(hours=16))
    found = traffic(EXCHANGES, date(2026, 3, 3), date(2026, 3, 3), there)
    assert [(one.language, one.exchanges) for one in found.days] == [("en", 4)]


def test_nothing_and_one_exchange() -> None:
    empty = traffic([], SINCE, UNTIL)
    assert (empty.days, empty.languages, empty.questions, empty.answers) == ((), (), (), ())
    assert empty.whole == Figures(None, ALL, 0, 0, 0, 0, 0, 0, 0, 0, None, None)
    one = traffic(EXCHANGES[:1], SINCE, SINCE)
    assert one.days == (Figures(SINCE, "en", 1, 1, 1, 0, 0, 0, 1, 0, 10.0, 10.0),)
    assert traffic(EXCHANGES, date(2020, 1, 1), date(2020, 1, 2)).days == ()


def test_a_range_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match=r"2026-03-04 to 2026-03-02 is a range of -1 days; give one of 1 to 3,660"):
        traffic(EXCHANGES, UNTIL, SINCE)
    with pytest.raises(UserError):
        traffic(EXCHANGES, date(1, 1, 1), UNTIL)


def test_a_frame_has_a_row_for_each() -> None:
    table = frame(traffic(EXCHANGES, SINCE, UNTIL).days)
    assert list(table.columns[:4]) == ["day", "language", "exchanges", "conversations"]
    assert table["exchanges"].tolist() == [4, 0, 0, 0, 1, 2]
    assert len(frame([])) == 0 and "day" in frame([]).columns


def test_a_hundred_thousand_exchanges() -> None:
    many = [exchange("where", answer_id="track", hours=n % 72, talk=f"c{n % 5000}") for n in range(100_000)]
    found = traffic(many, SINCE, date(2026, 3, 5))
    assert sum(one.exchanges for one in found.days) == 100_000
    assert found.questions == (Often("where", "en", 100_000, 0, 0),)
