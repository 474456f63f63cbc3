"""The journal: the contract on the fake and on SQLite, and what only a database has to prove."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from chatbot.domain import Action, Candidate, Decision, Journal, QAPair, Reason, Reply, Role
from chatbot.errors import Unavailable
from chatbot.journal import SqlJournal, cleaned
from tests.contracts import JournalContract
from tests.fakes import FakeJournal

ANSWER = Reply("Three days.", Decision(Action.ANSWER, 0.9, Reason.CONFIDENT), "en", "A1")
UNSURE = replace(ANSWER, decision=Decision(Action.HAND_OVER, 0.1, Reason.UNSURE))
ASKED_BACK = replace(ANSWER, decision=Decision(Action.CLARIFY, 0.5, Reason.AMBIGUOUS))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "journal.sqlite"


@pytest.fixture
def sql_journal(place: Path) -> Iterator[SqlJournal]:
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


def test_a_url_names_the_same_file_as_its_path(place: Path, sql_journal: SqlJournal) -> None:
    talk = sql_journal.open("en")
    again = SqlJournal.connect(f"sqlite:///{place}")
    assert again.conversation(talk).language == "en"
    again.close()


def test_an_exchange_is_stored_with_its_evidence_and_in_utc(place: Path, sql_journal: SqlJournal) -> None:
    pair = QAPair("p1", "how long?", "Three days.", "A1", "en")
    decision = Decision(Action.ANSWER, 0.9, Reason.CONFIDENT, (Candidate(pair, 0.875, 2.5, confidence=0.9),))
    talk = sql_journal.open()
    sql_journal.record(talk, "How long?", replace(ANSWER, decision=decision, timings={"rerank": 8.5}))
    engine = create_engine(f"sqlite:///{place}")
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM exchanges")).mappings().one()
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
    engine.dispose()
    assert (row["action"], row["reason"], row["answer_id"], row["confidence"]) == (
        "answer",
        "confident",
        "A1",
        0.9,
    )
    assert row["timings"] == '{"rerank": 8.5}'
    assert row["candidates"].startswith(
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
    sql_journal.close_hand_over(first)
    assert sql_journal.hand_over(second, Reason.UNSURE) == 1
    assert sql_journal.hand_over(first, Reason.UNSURE) == 2


def test_unanswered_questions_are_counted_and_newest_first(sql_journal: SqlJournal) -> None:
    talk = sql_journal.open()
    for question, reply in (
        ("Do you ship to Mars?", UNSURE),
        ("How long?", ANSWER),
        ("Is it vegan?", ASKED_BACK),
        ("do you ship  to mars", ASKED_BACK),
        ("I want a person", replace(UNSURE, decision=Decision(Action.HAND_OVER, 0.0, Reason.ASKED_FOR_PERSON))),
    ):
        sql_journal.record(talk, question, reply)
    found = sql_journal.unanswered()
    assert [(item.text, item.count) for item in found] == [("do you ship  to mars", 2), ("Is it vegan?", 1)]
    assert found[0].last.utcoffset() == timedelta(0)
    assert sql_journal.unanswered(limit=1) == found[:1]


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


def test_a_failing_write_says_where_and_keeps_the_customers_words_out(
    place: Path, sql_journal: SqlJournal
) -> None:
    talk = sql_journal.open()
    engine = create_engine(f"sqlite:///{place}")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE exchanges"))
    engine.dispose()
    with pytest.raises(Unavailable, match=r"journal\.sqlite could not be written: no such table") as raised:
        sql_journal.record(talk, "my card is 4111", ANSWER)
    assert "4111" not in f"{raised.value} {raised.value.__cause__}"


WRITER = """
import sys
from chatbot.domain import Action, Decision, Reason, Reply
from chatbot.journal import SqlJournal

journal = SqlJournal.connect(sys.argv[1])
talk = journal.open()
print(talk, flush=True)
reply = Reply("yes", Decision(Action.ANSWER, 0.9, Reason.CONFIDENT), "en")
while True:
    text = f"question {len(journal.conversation(talk).turns) // 2 + 1}"
    print(journal.record(talk, text, reply), flush=True)
"""


def test_every_acknowledged_exchange_survives_a_kill(place: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        talk = writer.stdout.readline().strip()
        acknowledged = [int(writer.stdout.readline()) for _ in range(25)]
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout.read().split("\n")[:-1]]
    journal = SqlJournal.connect(place)
    kept = [turn.text for turn in journal.conversation(talk).turns if turn.role is Role.USER]
    journal.close()
    assert acknowledged == list(range(1, len(acknowledged) + 1))
    assert kept[: len(acknowledged)] == [f"question {number}" for number in acknowledged]
