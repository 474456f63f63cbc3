"""The journal: the contract on the fake, on SQLite and on PostgreSQL, and what only a database has to prove."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text

from chatbot.desk import Author, Desk, Outcome
from chatbot.domain import Action, Candidate, Decision, QAPair, Reason, Reply, Role, Turn
from chatbot.errors import Taken, Unavailable, UserError
from chatbot.insight import traffic
from chatbot.journal import SqlDesk, SqlJournal, between, cleaned
from chatbot.protocols import Journal
from tests.contracts import DeskContract, JournalContract
from tests.fakes import FakeDesk, FakeJournal

ANSWER = Reply("Three days.", Decision(Action.ANSWER, 0.9, Reason.CONFIDENT), "en", "A1")
UNSURE = replace(ANSWER, decision=Decision(Action.HAND_OVER, 0.1, Reason.UNSURE))
ASKED_BACK = replace(ANSWER, decision=Decision(Action.CLARIFY, 0.5, Reason.AMBIGUOUS))


@pytest.fixture
def sql_journal(place: str) -> Iterator[SqlJournal]:
    journal = SqlJournal.connect(place)
    yield journal
    journal.close()


class TestFakeJournal(JournalContract):
    @pytest.fixture
    def journal(self) -> Journal:
        return FakeJournal()


class TestSqlJournal(JournalContract):
    @pytest.fixture
    def journal(self, sql_journal: SqlJournal) -> Journal:
        return sql_journal


class TestFakeDesk(DeskContract):
    @pytest.fixture
    def desk_and_journal(self) -> tuple[Desk, Journal]:
        journal = FakeJournal()
        return FakeDesk(journal), journal


class TestSqlDesk(DeskContract):
    @pytest.fixture
    def desk_and_journal(self, sql_journal: SqlJournal) -> tuple[Desk, Journal]:
        return SqlDesk(sql_journal.database), sql_journal


def test_of_many_agents_who_claim_at_once_one_has_the_case(sql_journal: SqlJournal) -> None:
    desk = SqlDesk(sql_journal.database)
    talks = [sql_journal.open() for _ in range(5)]
    for talk in talks:
        sql_journal.hand_over(talk, Reason.UNSURE)

    def claim(agent: int) -> list[bool]:
        had = []
        for talk in talks:
            try:
                had.append(desk.claim(talk, f"agent {agent}").agent == f"agent {agent}")
            except Taken:
                had.append(False)
        return had

    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(claim, range(8)))
    assert [sum(of_talk) for of_talk in zip(*claims, strict=True)] == [1] * 5


def test_who_asks_for_a_person_at_once_gets_a_place_of_their_own(sql_journal: SqlJournal) -> None:
    talks = [sql_journal.open() for _ in range(8)]
    with ThreadPoolExecutor(16) as pool:
        places = list(pool.map(lambda talk: sql_journal.hand_over(talk, Reason.UNSURE), talks * 3))
    assert sorted(places[:8]) == sorted(set(places[:8]))  # the first time nobody shared one
    cases = SqlDesk(sql_journal.database).cases()
    assert sorted(case.conversation_id for case in cases) == sorted(talks)
    assert [case.place for case in cases] == list(range(1, 9))


def test_of_many_who_close_a_case_at_once_one_did(sql_journal: SqlJournal) -> None:
    desk, talk = SqlDesk(sql_journal.database), sql_journal.open()
    sql_journal.hand_over(talk, Reason.UNSURE)

    def close(_: int) -> bool:
        try:
            desk.close(talk, Outcome.WITHDRAWN)
        except UserError as error:
            assert "waits for nobody" in str(error)
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(close, range(8))) == 1


def test_what_people_wrote_is_part_of_the_conversation(sql_journal: SqlJournal) -> None:
    desk, talk = SqlDesk(sql_journal.database), sql_journal.open()
    sql_journal.record(talk, "parcel?", ANSWER)
    desk.say(talk, Author.CUSTOMER, "hello?")
    desk.say(talk, Author.AGENT, "It is here.", "Anna")
    assert sql_journal.conversation(talk).turns[2:] == (
        Turn(Role.USER, "hello?"),
        Turn(Role.AGENT, "It is here."),
    )


def test_a_conversation_keeps_its_order_where_the_clock_is_set_back(sql_journal: SqlJournal) -> None:
    desk, talk = SqlDesk(sql_journal.database), sql_journal.open()
    sql_journal.record(talk, "first", ANSWER)
    with sql_journal.database.work("written") as connection:  # as if it had been written by a clock that was fast
        connection.execute(text("UPDATE exchanges SET time = '2999-12-31T23:59:59.999999+00:00'"))
    desk.say(talk, Author.CUSTOMER, "second")
    sql_journal.record(talk, "third", ANSWER)
    desk.say(talk, Author.CUSTOMER, "fourth")
    said = [turn.text for turn in sql_journal.conversation(talk).turns if turn.role is Role.USER]
    assert said == ["first", "second", "third", "fourth"]
    assert [one.time and one.time.microsecond for one in sql_journal.exchanges(talk)] == [999_999, 1]
    assert [one.time.microsecond for one in desk.messages(talk)] == [0, 2]


def test_a_url_names_the_same_file_as_its_path(tmp_path: Path) -> None:
    journal = SqlJournal.connect(tmp_path / "journal.sqlite")
    talk = journal.open("en")
    again = SqlJournal.connect(f"sqlite:///{tmp_path}/journal.sqlite")
    assert again.conversation(talk).language == "en"
    for opened in (again, journal):
        opened.close()


def test_an_exchange_is_stored_with_its_evidence_and_in_utc(sql_journal: SqlJournal) -> None:
    pair = QAPair("p1", "how long?", "Three days.", "A1", "en")
    decision = Decision(Action.ANSWER, 0.9, Reason.CONFIDENT, (Candidate(pair, 0.875, 2.5, confidence=0.9),))
    talk = sql_journal.open()
    sql_journal.record(talk, "How long?", replace(ANSWER, decision=decision, timings={"rerank": 8.5}))
    with sql_journal.database.engine.connect() as connection:
        row = (
            connection.execute(text("SELECT *, CAST(candidates AS TEXT) AS written FROM exchanges"))
            .mappings()
            .one()
        )
        durable = {"sqlite": ("PRAGMA synchronous", 2), "postgresql": ("SHOW synchronous_commit", "on")}
        asked, full = durable[connection.dialect.name]
        assert connection.execute(text(asked)).scalar_one() == full
        if connection.dialect.name == "sqlite":
            assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
    assert (row["action"], row["reason"], row["answer_id"], row["confidence"]) == (
        "answer",
        "confident",
        "A1",
        0.9,
    )
    assert row["timings"] in ('{"rerank": 8.5}', {"rerank": 8.5})
    assert row["written"].startswith(
        '[{"pair_id": "p1", "answer_id": "A1", "question": "how long?", "similarity": 0.875, "relevance": 2.5'
    )
    stored = datetime.fromisoformat(row["time"])
    assert stored.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - stored) < timedelta(minutes=1)


def test_the_latest_thumb_counts(sql_journal: SqlJournal) -> None:
    number = sql_journal.record(sql_journal.open(), "How long?", ANSWER)
    assert sql_journal.liked(number) is None
    for liked in (True, False, True, None, False):
        sql_journal.feedback(number, liked)
        assert sql_journal.liked(number) is liked


def test_the_queue_moves_up_when_a_person_took_over(sql_journal: SqlJournal) -> None:
    first, second = sql_journal.open(), sql_journal.open()
    assert [sql_journal.hand_over(talk, Reason.UNSURE) for talk in (first, second)] == [1, 2]
    SqlDesk(sql_journal.database).close(first, Outcome.RESOLVED)
    assert sql_journal.hand_over(second, Reason.UNSURE) == 1
    assert sql_journal.hand_over(first, Reason.UNSURE) == 2


@pytest.mark.parametrize(
    ("one", "other"), [("How  long?", "how long"), ("退款多久？", "退款多久"), ("ＡＢＣ", "abc")]
)
def test_the_same_words_are_the_same_question(one: str, other: str) -> None:
    assert cleaned(one) == cleaned(other)


def test_threads_write_at_once_and_nothing_is_lost(sql_journal: SqlJournal) -> None:
    def visit(visitor: int) -> list[int]:
        talk = sql_journal.open()
        return [sql_journal.record(talk, f"{visitor}", ANSWER) for _ in range(10)] + [
            sql_journal.hand_over(talk, Reason.UNSURE) - 1000
        ]

    with ThreadPoolExecutor(8) as pool:
        visits = list(pool.map(visit, range(8)))
    numbers = [number for visit in visits for number in visit]
    assert sorted(numbers) == [*range(-999, -991), *range(1, 81)]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match=r"file/journal\.sqlite cannot be opened"):
        SqlJournal.connect(tmp_path / "file" / "journal.sqlite")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_text(
        "a letter to the customer service, long enough to be no database" * 20
    )
    with pytest.raises(Unavailable, match=r"journal\.sqlite could not be opened: file is not a database"):
        SqlJournal.connect(tmp_path / "journal.sqlite")


def test_a_failing_write_says_where_and_keeps_the_customers_words_out(sql_journal: SqlJournal) -> None:
    talk = sql_journal.open()
    with sql_journal.database.engine.begin() as connection:
        for table in ("feedback", "reviews", "exchanges"):
            connection.execute(text(f"DROP TABLE {table}"))
    missing = r"(no such table: exchanges|relation \"exchanges\" does not exist)"
    with pytest.raises(Unavailable, match=rf"(journal\.sqlite|/test).* could not be written: {missing}") as raised:
        sql_journal.record(talk, "my card is 4111", ANSWER)
    assert "4111" not in f"{raised.value} {raised.value.__cause__}"


KILLED = """
import os, random, signal, sys, threading, time
from chatbot.domain import Action, Decision, Reason, Reply
from chatbot.journal import SqlJournal, migrate

REPLY = Reply("yes", Decision(Action.ANSWER, 0.9, Reason.CONFIDENT), "en")


def visit(journal):
    talk, said = journal.open(), 0
    while True:
        journal.record(talk, f"question {said}", REPLY)
        os.write(1, f"{talk} {said}\\n".encode())
        said += 1


def serve(ready):
    journal = SqlJournal.connect(sys.argv[1])
    os.write(ready, b".")
    for _ in range(4):
        threading.Thread(target=visit, args=(journal,)).start()
    time.sleep(60)


random.seed(7)
for moment in range(int(sys.argv[2])):
    told, ready = os.pipe()
    child = os.fork()
    if not child:
        serve(ready)
    if moment >= 3:  # before that, perhaps while tables are made
        os.read(told, 1)
    time.sleep(random.uniform(0.01, 0.5))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


def test_every_acknowledged_exchange_survives_a_kill_at_any_moment(place: str) -> None:
    command = [sys.executable, "-c", KILLED, place, "12"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    acknowledged: dict[str, int] = {}
    for line in done.stdout.splitlines():
        talk, number = line.split()
        assert int(number) == acknowledged.get(talk, 0)
        acknowledged[talk] = int(number) + 1
    assert sum(acknowledged.values()) > 20
    journal = SqlJournal.connect(place)
    for talk, count in acknowledged.items():
        kept = [turn.text for turn in journal.conversation(talk).turns if turn.role is Role.USER]
        assert kept == [f"question {number}" for number in range(len(kept))]
        assert count <= len(kept) <= count + 1  # one may be kept and not acknowledged yet
    journal.close()


def test_what_was_asked_in_a_span_of_time_with_the_thumb_that_counts(sql_journal: SqlJournal) -> None:
    first, second = sql_journal.open("en"), sql_journal.open("zh")
    timed = replace(ANSWER, timings={"retrieve": 2.0, "rerank": 3.0, "total": 6.5})
    numbers = [
        sql_journal.record(first, "Where is it?", timed),
        sql_journal.record(
            second, "退款", replace(UNSURE, language="zh", timings={"retrieve": 2.0, "rerank": 3.0})
        ),
        sql_journal.record(first, "hi", replace(ASKED_BACK, answer_id=None)),
        sql_journal.record(first, "later", ANSWER),
    ]
    for liked in (False, True):
        sql_journal.feedback(numbers[0], liked, "a comment")
    for thumb in (True, None):
        sql_journal.feedback(numbers[1], thumb)
    hours = ("2026-03-01T23:59:59.999999", "2026-03-02T00:00:00.000000", "2026-03-02T12:00:00.000000")
    with sql_journal.database.engine.begin() as connection:
        for number, hour in zip(
            numbers, (hours[1], hours[2], hours[0], "2026-03-03T00:00:00.000000"), strict=True
        ):
            connection.execute(
                text("UPDATE exchanges SET time = :time WHERE id = :id"), {"time": f"{hour}+00:00", "id": number}
            )
    east = timezone(timedelta(hours=8))
    since, until = datetime(2026, 3, 2, 8, tzinfo=east), datetime(2026, 3, 3, 8, tzinfo=east)
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    assert between(sql_journal.database, since, until, traffic.Exchange) == [
        traffic.Exchange(midnight, first, "en", "Where is it?", "answer", "confident", "A1", 6.5, True),
        traffic.Exchange(
            midnight + timedelta(hours=12), second, "zh", "退款", "hand_over", "unsure", "A1", 5.0, None
        ),
    ]
    whole = between(
        sql_journal.database, midnight - timedelta(days=1), until + timedelta(days=1), traffic.Exchange
    )
    assert [(one.text, one.milliseconds, one.answer_id) for one in whole] == [
        ("Where is it?", 6.5, "A1"),
        ("退款", 5.0, "A1"),
        ("hi", 0, None),
        ("later", 0, "A1"),
    ]
    assert between(sql_journal.database, until, until, traffic.Exchange) == []
