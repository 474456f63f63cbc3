"""A journal's tables: what the steps make of nothing, of an older and of a newer journal, on both databases."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sql
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from chatbot.__main__ import main
from chatbot.desk import Author, Outcome
from chatbot.domain import Action, Decision, Reason, Reply, Role, Turn
from chatbot.errors import Unavailable, UserError
from chatbot.journal import Kind, SqlDesk, SqlEdits, SqlJournal, SqlReviews, Verdict
from chatbot.journal.database import Database, version
from chatbot.journal.migrate import config
from chatbot.journal.schema import SCHEMA, VERSION

UNSURE = Reply("A person will come.", Decision(Action.HAND_OVER, 0.1, Reason.UNSURE), "en", version="v1")
BEFORE = Path(__file__).with_name("unversioned.sql")  # as the last program made it whose journals had no version


def before(place: str) -> sql.Engine:
    """A journal as it was made before journals had a version, with a row or two in every table."""
    script = BEFORE.read_text("utf-8")
    if "://" in place:
        script = script.replace("id INTEGER NOT NULL,\n  ", "id SERIAL NOT NULL,\n  ")
        script = re.sub("(_id) SERIAL", r"\1 INTEGER", script)
    else:
        Path(place).parent.mkdir()
    engine = sql.create_engine(place if "://" in place else f"sqlite:///{place}")
    with engine.begin() as connection:
        for statement in script.strip().split(";\n\n"):
            connection.exec_driver_sql(statement.rstrip(";\n"))
    return engine


def differences(engine: sql.Engine) -> list[object]:
    """Between a database and schema.py."""
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), SCHEMA))


def test_the_steps_make_what_the_schema_says(place: str) -> None:
    database = Database.connect(place)
    assert differences(database.engine) == []
    with database.work("read") as connection:
        scripts = ScriptDirectory.from_config(config(connection))
        assert version(connection) == VERSION == scripts.get_current_head()
        assert [step.revision for step in scripts.walk_revisions()] == ["0004", "0003", "0002", "0001"]
    database.close()


def test_a_journal_without_a_version_comes_through_with_all_that_it_holds(place: str) -> None:
    old = before(place)
    with old.connect() as connection:
        held = {
            name: list(connection.execute(sql.text(f"SELECT * FROM {name} ORDER BY id")).mappings())
            for name in sql.inspect(connection).get_table_names()
        }
    assert len(held) == 11 and all(held.values())
    old.dispose()

    journal = SqlJournal.connect(place)
    assert differences(journal.database.engine) == []
    with journal.database.work("read") as connection:
        for name, rows in held.items():
            kept = connection.execute(sql.text(f"SELECT * FROM {name} ORDER BY id")).mappings()
            assert [{column: row[column] for column in rows[0]} for row in kept] == rows
    talk = "a" * 32
    assert journal.conversation(talk).turns[:2] == (
        Turn(Role.USER, "Where is it? 包裹呢？"),
        Turn(Role.AGENT, "On its way.", "A7", "order_number"),
    )
    kept_reply = journal.exchanges(talk)[0].reply
    assert kept_reply is not None and (kept_reply.version, kept_reply.suggestions) == (None, ("How long?",))
    number = journal.record(talk, "And now?", UNSURE)
    assert number == 3
    assert journal.exchanges(talk)[-1].reply == UNSURE
    desk = SqlDesk(journal.database)
    assert [(case.conversation_id, case.agent) for case in desk.cases()] == [("b" * 32, "Anna")]
    desk.close("b" * 32, Outcome.RESOLVED, "Anna")
    assert [message.author for message in desk.messages("b" * 32)] == [Author.CUSTOMER, Author.AGENT]
    assert SqlReviews(journal.database).verdicts(1) == [(Verdict.RIGHT, "Anna")]
    assert [edit.kind for edit in SqlEdits(journal.database).latest(9)] == [Kind.PUBLISHED]
    journal.close()


def test_an_even_older_one_gets_the_tables_and_the_column_that_it_lacks(place: str) -> None:
    old = before(place)
    with old.begin() as connection:
        for table in ("claims", "closings", "contacts", "messages", "reviews", "dismissals", "edits"):
            connection.execute(sql.text(f"DROP TABLE {table}"))
        connection.execute(sql.text("ALTER TABLE exchanges DROP COLUMN beside"))
    old.dispose()
    journal = SqlJournal.connect(place)
    assert differences(journal.database.engine) == []
    journal.record("a" * 32, "And then?", replace(UNSURE, suggestions=("What?",)))
    replies = [exchange.reply for exchange in journal.exchanges("a" * 32)]
    assert [reply and reply.suggestions for reply in replies] == [(), ("What?",)]
    journal.close()


def test_a_step_that_fails_leaves_the_journal_as_it_was(place: str) -> None:
    old = before(place)
    with old.begin() as connection:
        connection.execute(sql.text("ALTER TABLE exchanges ADD COLUMN version TEXT"))  # a later step adds it too
        there = sorted(sql.inspect(connection).get_table_names())
    with pytest.raises(Unavailable, match=r"could not be brought up to date: .*version"):
        Database.connect(place)
    with old.connect() as connection:
        assert sorted(sql.inspect(connection).get_table_names()) == there
        assert "customer" not in {
            column["name"] for column in sql.inspect(connection).get_columns("conversations")
        }
    old.dispose()


def test_a_journal_of_a_newer_program_is_refused(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    database = Database.connect(place)
    with database.work("written") as connection:
        connection.execute(sql.text("UPDATE alembic_version SET version_num = '0099'"))
    database.close()
    with pytest.raises(UserError, match=f"made by a newer chatbot: .* version 0099, and this one knows {VERSION}"):
        Database.connect(place)
    assert main(["journal", "info", "--journal", place]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("chatbot: The journal ") and line.endswith("Install the newer one again.")


STARTED = """
import os, sys
from chatbot.journal import SqlJournal, migrate

wait, go = os.pipe()
for _ in range(6):
    if not os.fork():
        os.close(go)
        os.read(wait, 1)
        os.write(1, (SqlJournal.connect(sys.argv[1]).open() + "\\n").encode())
        os._exit(0)
os.close(go)
print(sum(os.wait()[1] for _ in range(6)))
"""


def test_programs_that_start_at_once_make_one_journal(place: str) -> None:
    command = [sys.executable, "-c", STARTED, place]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *talks, failed = done.stdout.split()
    assert (failed, len(set(talks)), done.stderr) == ("0", 6, "")
    journal = SqlJournal.connect(place)
    assert [journal.conversation(talk).turns for talk in talks] == [()] * 6
    assert differences(journal.database.engine) == []
    journal.close()
