"""What got no answer, or a wrong one, on SQLite and PostgreSQL: counted, found again, and judged once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sql

from chatbot.domain import Action, Decision, Reason, Reply
from chatbot.errors import Taken, UserError
from chatbot.journal import SqlJournal, SqlReviews, Verdict

ANSWER = Reply("Three days.", Decision(Action.ANSWER, 0.9, Reason.CONFIDENT), "en", "A1")
UNSURE = replace(ANSWER, decision=Decision(Action.HAND_OVER, 0.1, Reason.UNSURE))
ASKED_BACK = replace(ANSWER, decision=Decision(Action.CLARIFY, 0.5, Reason.AMBIGUOUS))


@pytest.fixture
def journal(place: str) -> Iterator[SqlJournal]:
    journal = SqlJournal.connect(place)
    yield journal
    journal.close()


@pytest.fixture
def reviews(journal: SqlJournal) -> SqlReviews:
    return SqlReviews(journal.database)


def at(journal: SqlJournal, number: int, time: str) -> None:
    with journal.database.engine.begin() as connection:
        connection.execute(
            sql.text("UPDATE exchanges SET time = :time WHERE id = :id"), {"time": time, "id": number}
        )


def test_unanswered_questions_are_counted_by_the_hour_and_newest_first(
    journal: SqlJournal, reviews: SqlReviews
) -> None:
    talk = journal.open()
    person = replace(UNSURE, decision=Decision(Action.HAND_OVER, 0.0, Reason.ASKED_FOR_PERSON))
    for hour, question, reply in (
        (8, "Do you ship to Mars?", UNSURE),
        (9, "How long?", ANSWER),
        (9, "Do you ship to Mars?", UNSURE),
        (9, "Is it vegan?", ASKED_BACK),
        (9, "do you ship  to mars", ASKED_BACK),
        (9, "是素食吗？", replace(UNSURE, language="zh")),
        (9, "I want a person", person),
    ):
        number = journal.record(talk, question, reply)
        at(journal, number, f"2026-03-01T{hour:02}:{number:02}:00.000000+00:00")
    found = reviews.unanswered()
    assert [(one.text, one.language, one.count) for one in found] == [
        ("是素食吗？", "zh", 1),
        ("do you ship  to mars", "en", 2),
        ("Is it vegan?", "en", 1),
        ("Do you ship to Mars?", "en", 1),
    ]
    assert found[1].time == datetime(2026, 3, 1, 9, 5, tzinfo=UTC)
    assert reviews.unanswered(limit=1) == found[:1]
    assert reviews.unanswered(datetime(2026, 3, 1, 9, tzinfo=UTC)) == found[:3]


def test_a_dismissed_question_stays_away_whoever_asks_it_until_that_is_taken_back(
    journal: SqlJournal, reviews: SqlReviews
) -> None:
    for text in ("How is the weather?", "Is it vegan?"):
        journal.record(journal.open(), text, UNSURE)
    reviews.dismiss(["how is the WEATHER", "never asked"], "en", "Anna")
    journal.record(journal.open(), "How is the weather ?!", UNSURE)
    journal.record(journal.open(), "how is the weather", replace(UNSURE, language="zh"))
    assert [(one.text, one.language) for one in reviews.unanswered()] == [
        ("how is the weather", "zh"),
        ("Is it vegan?", "en"),
    ]
    reviews.dismiss(["How is the weather"], "en", "Bo", dismissed=False)
    assert [one.text for one in reviews.unanswered()][1:] == ["How is the weather ?!", "Is it vegan?"]


def test_a_time_of_another_zone_means_the_same_moment(journal: SqlJournal, reviews: SqlReviews) -> None:
    at(journal, journal.record(journal.open(), "Mars?", UNSURE), "2026-03-01T09:00:00.000000+00:00")
    there = datetime(2026, 3, 1, 9, 30, tzinfo=UTC).astimezone()
    assert len(reviews.unanswered(there - timedelta(hours=1))) == 1
    assert reviews.unanswered(there) == []


def test_the_latest_thumb_and_the_latest_comment_count(journal: SqlJournal, reviews: SqlReviews) -> None:
    talk = journal.open()
    numbers = [journal.record(talk, text, ANSWER) for text in ("one?", "two?", "three?", "four?")]
    for number, liked, comment in (
        (numbers[0], False, ""),
        (numbers[1], False, "Wrong"),
        (numbers[2], True, ""),
        (numbers[1], True, ""),
        (numbers[0], False, "Incomplete"),
        (numbers[3], False, ""),
        (numbers[3], None, ""),
        (numbers[2], False, ""),
    ):
        journal.feedback(number, liked, comment)
    found = reviews.blamed()
    assert [(one.number, one.question, one.answer, one.answer_id, one.comment) for one in found] == [
        (numbers[2], "three?", "Three days.", "A1", ""),
        (numbers[0], "one?", "Three days.", "A1", "Incomplete"),
    ]
    assert (found[0].conversation_id, found[0].language) == (talk, "en")
    assert reviews.blamed(limit=1) == found[:1]


def test_a_judged_answer_leaves_the_list_and_comes_back_when_that_is_taken_back(
    journal: SqlJournal, reviews: SqlReviews
) -> None:
    number = journal.record(journal.open(), "one?", ANSWER)
    journal.feedback(number, False)
    reviews.review(number, Verdict.CORRECTED, "Anna", "A2")
    assert reviews.blamed() == []
    with pytest.raises(Taken, match="Anna has judged this answer already"):
        reviews.review(number, Verdict.RIGHT, "Bo")
    reviews.review(number, Verdict.REOPENED, "Anna")
    assert [one.number for one in reviews.blamed()] == [number]
    with pytest.raises(Taken):
        reviews.review(number, Verdict.REOPENED, "Bo")
    reviews.review(number, Verdict.RIGHT, "Bo")
    assert reviews.blamed() == []
    assert reviews.verdicts(number) == [
        (Verdict.CORRECTED, "Anna"),
        (Verdict.REOPENED, "Anna"),
        (Verdict.RIGHT, "Bo"),
    ]
    with pytest.raises(UserError, match="exchange 99"):
        reviews.review(99, Verdict.RIGHT, "Bo")


def test_of_many_agents_who_judge_at_once_one_is_first(journal: SqlJournal, reviews: SqlReviews) -> None:
    number = journal.record(journal.open(), "one?", ANSWER)

    def judge(agent: int) -> bool:
        try:
            reviews.review(number, Verdict.RIGHT, f"agent {agent}")
        except Taken:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(judge, range(8))) == 1
    assert len(reviews.verdicts(number)) == 1
