"""A bot in one file and back: all of it, while somebody writes, and nothing at all of an archive that lies."""

import gzip
import hashlib
import io
import json
import sqlite3
import stat
import tarfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from chatbot import bundle
from chatbot.__main__ import main
from chatbot.backup import FORMAT, LIST, back_up
from chatbot.domain import Action, Decision, Reason, Reply
from chatbot.errors import BotError, Unavailable, UserError
from chatbot.journal import SqlJournal
from chatbot.journal.snapshot import faults, snapshot
from chatbot.restore import restore

CONNECTORS = {
    "orders": {"kind": "sql", "url": "sqlite:///orders.sqlite", "query": "SELECT status FROM o WHERE n = :number"},
    "prices": {"kind": "csv", "file": "tables/prices.csv", "key": {"sku": "number"}},
    "again": {"kind": "csv", "file": "./tables/prices.csv", "key": {"sku": "number"}},
    "gone": {"kind": "csv", "file": "gone.csv", "key": {"sku": "number"}},
    "other": {"kind": "sql", "url": "sqlite:////srv/o.sqlite", "query": "SELECT status FROM o WHERE n = :number"},
    "above": {"kind": "csv", "file": "../secret.csv", "key": {"sku": "number"}},
    "server": {"kind": "sql", "url": "${ORDERS}", "query": "SELECT status FROM o WHERE n = :number"},
}
REPLY = Reply("By card.", Decision(Action.ANSWER, 0.9, Reason.CONFIDENT), "en")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A bot of two versions with a journal and the files of its connectors."""
    folder = tmp_path / "shop"
    templates = {"ask": {"number": {"pattern": "K"}}, "connectors": CONNECTORS}
    for number in (1, 2):
        with bundle.writing(folder) as draft:
            (draft.path / "en").mkdir()
            (draft.path / "en" / "pairs.jsonl").write_text(f"pair {number}\n", "utf-8")
            (draft.path / "templates.json").write_text(json.dumps(templates), "utf-8")
            draft.commit({"settings": {"seed": number}})
    (folder / "tables").mkdir()
    (folder / "tables" / "prices.csv").write_text("sku,price\n1,2\n", "utf-8")
    (tmp_path / "secret.csv").write_text("secret", "utf-8")
    with closing(sqlite3.connect(folder / "orders.sqlite")) as orders:
        orders.execute("CREATE TABLE o (n, status)")
        orders.execute("INSERT INTO o VALUES (1, 'sent')")
        orders.commit()
    journal = SqlJournal.connect(folder / "journal.sqlite")
    journal.record(journal.open("en"), "how do I pay", REPLY)
    journal.database.close()
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows(file: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as opened:
        return opened.execute(query).fetchall()


def packed(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member, data in members:
            archive.addfile(member, io.BytesIO(data))
    return path


def file(name: str, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    return member, data


def members(path: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    found = []
    with tarfile.open(path) as archive:
        for member in archive:
            opened = archive.extractfile(member)
            assert opened is not None
            found.append((member, opened.read()))
    return found


class TestBackup:
    def test_all_that_belongs_to_the_bot_in_use_comes_back(self, shop: Path, tmp_path: Path) -> None:
        output, back = tmp_path / "shop.tar.gz", tmp_path / "new" / "back"
        contents = back_up(shop, output)
        version = bundle.in_use(shop)
        assert contents.version == version
        assert sorted(contents.files) == sorted(
            (
                *("manifest.json", "journal.sqlite", "orders.sqlite", "tables/prices.csv"),
                *(f"versions/{version}/{name}" for name in ("manifest.json", "templates.json", "en/pairs.jsonl")),
            )
        )
        assert [reason.partition(",")[0] for reason in contents.left_out] == [
            *("gone.csv", "/srv/o.sqlite", "../secret.csv")
        ]
        assert restore(output, back) == (contents, None)
        before, after = tree(shop), tree(back)
        assert sorted(after) == sorted(contents.files)
        same = sorted(name for name in after if after[name] == before[name])
        assert same == sorted(name for name in after if not name.endswith(".sqlite"))
        assert rows(back / "orders.sqlite", "SELECT * FROM o") == [(1, "sent")]
        assert rows(back / "journal.sqlite", "SELECT text FROM exchanges") == [("how do I pay",)]
        assert bundle.load(back)[1].bot == {"settings": {"seed": 2}}
        with pytest.raises(BotError):
            bundle.rollback(back)

    def test_with_all_versions_one_can_go_back(self, shop: Path, tmp_path: Path) -> None:
        back_up(shop, tmp_path / "a.tar.gz", every=True)
        restore(tmp_path / "a.tar.gz", tmp_path / "back")
        assert bundle.versions(tmp_path / "back") == bundle.versions(shop)
        assert bundle.rollback(tmp_path / "back").bot == {"settings": {"seed": 1}}

    def test_only_its_owner_may_read_it_and_nothing_else_is_left(self, shop: Path, tmp_path: Path) -> None:
        output = tmp_path / "a.tar.gz"
        back_up(shop, output)
        restore(output, tmp_path / "back")
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "back").rglob("*") if path.is_file()}
        assert (stat.S_IMODE(output.stat().st_mode), modes) == (0o600, {0o600})
        assert stat.S_IMODE((tmp_path / "back").stat().st_mode) == 0o700
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "back", "secret.csv", "shop"]

    def test_it_is_whole_while_a_service_writes(self, shop: Path, tmp_path: Path) -> None:
        journal, stop, written = SqlJournal.connect(shop / "journal.sqlite"), threading.Event(), [1]

        def write() -> None:
            while not stop.is_set():
                talk = journal.open("en")
                for _ in range(2):
                    written[0] = journal.record(talk, "how do I pay " * 50, REPLY)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            for number in range(5):
                at_least = written[0]
                back_up(shop, tmp_path / f"{number}.tar.gz")
                at_most = written[0] + 1
                restore(tmp_path / f"{number}.tar.gz", tmp_path / str(number))
                copy = tmp_path / str(number) / "journal.sqlite"
                assert faults(copy) == []
                ids = [row[0] for row in rows(copy, "SELECT id FROM exchanges ORDER BY id")]
                assert ids == list(range(1, len(ids) + 1))
                assert at_least <= len(ids) <= at_most
                assert rows(copy, "PRAGMA foreign_key_check") == []
        finally:
            stop.set()
            thread.join()
        assert written[0] > 10
        again = SqlJournal.connect(tmp_path / "4" / "journal.sqlite")
        assert again.record(again.open("en"), "and now", REPLY) == len(ids) + 1
        again.database.close()
        journal.database.close()

    def test_a_journal_elsewhere_comes_along_and_one_on_a_server_is_told_how(
        self, shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        elsewhere = tmp_path / "elsewhere.sqlite"
        (shop / "journal.sqlite").rename(elsewhere)
        assert "journal.sqlite" not in back_up(shop, tmp_path / "without.tar.gz").files
        for number, url in enumerate((str(elsewhere), f"sqlite:///{elsewhere}")):
            assert "journal.sqlite" in back_up(shop, tmp_path / f"{number}.tar.gz", url).files
        output = tmp_path / "server.tar.gz"
        url = "postgresql+psycopg://bot:hunter2@db/shop"
        assert main(["backup", "--index", str(shop), "--output", str(output), "--journal", url]) == 0
        said = capsys.readouterr().out
        assert "pg_dump --format=custom" in said and "pg_restore" in said and "hunter2" not in said
        assert b"hunter2" not in gzip.decompress(output.read_bytes())
        assert main(["restore", str(output), "--index", str(tmp_path / "back")]) == 0
        assert "pg_restore" in capsys.readouterr().out

    @pytest.mark.parametrize("output", ["taken", "nowhere/a.tar.gz"])
    def test_an_output_that_cannot_be_written(self, shop: Path, tmp_path: Path, output: str) -> None:
        (tmp_path / "taken").write_text("mine", "utf-8")
        with pytest.raises(UserError, match=r"exists already|there is no folder"):
            back_up(shop, tmp_path / output)
        assert (tmp_path / "taken").read_text("utf-8") == "mine"

    def test_a_damaged_bot_or_journal_is_not_backed_up(self, shop: Path, tmp_path: Path) -> None:
        (shop / "journal.sqlite").write_bytes(b"no database" * 1000)
        with pytest.raises(Unavailable, match=r"journal\.sqlite could not be copied"):
            back_up(shop, tmp_path / "a.tar.gz")
        (shop / "versions" / bundle.in_use(shop) / "en" / "pairs.jsonl").write_text("pair 3\n", "utf-8")
        with pytest.raises(BotError, match="expected SHA-256"):
            back_up(shop, tmp_path / "a.tar.gz")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["secret.csv", "shop"]

    def test_what_is_wrong_with_a_database_is_said(self, tmp_path: Path) -> None:
        whole, broken = tmp_path / "whole", tmp_path / "broken"
        with closing(sqlite3.connect(whole)) as opened:
            opened.execute("CREATE TABLE t (x)")
            opened.execute("CREATE INDEX i ON t (x)")
            opened.executemany("INSERT INTO t VALUES (?)", [("text" * 100,)] * 200)
            opened.commit()
        snapshot(whole, broken)
        assert faults(broken) == []
        data = bytearray(broken.read_bytes())
        data[8192:12288] = b"\xff" * 4096
        broken.write_bytes(data)
        assert faults(broken) != []


class TestRestore:
    def test_a_folder_that_is_there_is_kept_where_it_is_replaced(
        self, shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        output = tmp_path / "a.tar.gz"
        back_up(shop, output)
        bundle.rollback(shop)
        (shop / "more.txt").write_text("mine", "utf-8")
        before = tree(shop)
        assert main(["restore", str(output), "--index", str(shop)]) == 1
        assert capsys.readouterr().err.startswith(f"chatbot: {shop} is not empty; ")
        assert tree(shop) == before
        assert main(["restore", str(output), "--index", str(shop), "--replace"]) == 0
        (kept,) = tmp_path.glob("shop.before-*")
        assert capsys.readouterr().out.splitlines()[1] == f"what was there is in {kept}"
        assert tree(kept) == before
        assert bundle.load(shop)[1].bot == {"settings": {"seed": 2}}
        assert not (shop / "more.txt").exists()

    def test_an_empty_folder_is_filled(self, shop: Path, tmp_path: Path) -> None:
        back_up(shop, tmp_path / "a.tar.gz")
        (tmp_path / "empty").mkdir()
        assert restore(tmp_path / "a.tar.gz", tmp_path / "empty")[1] is None
        assert bundle.in_use(tmp_path / "empty") == bundle.in_use(shop)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda given: given[1:], "backup.json does not come first"),
            (lambda given: given[:-1], "is missing"),
            (lambda given: [*given, file("evil", b"x")], "'evil' is not listed, twice there, or no file"),
            (lambda given: [*given, given[1]], "'manifest.json' is not listed, twice there, or no file"),
            (lambda given: [*given[:-1], linked(given[-1], tarfile.SYMTYPE)], "or no file"),
            (lambda given: [*given[:-1], linked(given[-1], tarfile.LNKTYPE)], "or no file"),
            (lambda given: [*given[:-1], linked(given[-1], tarfile.CHRTYPE)], "or no file"),
            (lambda given: [*given[:-1], linked(given[-1], tarfile.FIFOTYPE)], "or no file"),
            (lambda given: [*given[:-1], file(given[-1][0].name, given[-1][1] + b"x")], "bytes, not"),
            (lambda given: [*given[:-1], file(given[-1][0].name, given[-1][1][::-1])], "has another SHA-256"),
            (lambda given: relisted(given, "../evil"), "it lists '../evil', which lies outside the bot"),
            (lambda given: relisted(given, "/tmp/evil"), "it lists '/tmp/evil', which lies outside the bot"),
            (lambda given: relisted(given, "a/../../evil"), "which lies outside the bot"),
            (lambda given: relisted(given, "a\\evil"), "which lies outside the bot"),
            (lambda given: told(given, format=FORMAT + 1), "another version of chatbot"),
            (lambda given: told(given, files={"x": {"sha256": "", "bytes": -5}}), "is not as it should be"),
            (lambda given: told(given, files={"x": {"sha256": "", "bytes": 10**15}}), "there is room for"),
            (lambda given: told(given, more=1), "is not as it should be (TypeError)"),
            (lambda given: told(given, version="v"), "is at another version than v"),
            (lambda given: [file(LIST, b"[]"), *given[1:]], "is not as it should be"),
        ],
    )
    def test_an_archive_that_lies_changes_nothing(
        self, shop: Path, tmp_path: Path, change: Callable[..., list[tuple[tarfile.TarInfo, bytes]]], said: str
    ) -> None:
        back_up(shop, tmp_path / "good.tar.gz")
        archive = packed(tmp_path / "bad.tar.gz", change(members(tmp_path / "good.tar.gz")))
        before = tree(shop)
        for place in (shop, tmp_path / "new"):
            with pytest.raises(UserError) as caught:
                restore(archive, place, replace=True)
            assert said in str(caught.value)
        assert tree(shop) == before
        left = {path.name for path in tmp_path.iterdir()} - {"good.tar.gz", "bad.tar.gz", "secret.csv", "shop"}
        assert left == set() and not Path("/tmp/evil").exists()

    def test_a_header_that_claims_much_is_not_read(self, tmp_path: Path) -> None:
        """Gigabytes of nothing pack well; tarfile would read such a header whole."""
        header = tarfile.TarInfo("./PaxHeaders/x")
        header.type, header.size = tarfile.XHDTYPE, 3_000_000_000
        archive = tmp_path / "bomb.tar.gz"
        archive.write_bytes(gzip.compress(header.tobuf() + bytes(10_000)))
        with pytest.raises(UserError, match="a header of 3000000000 bytes"):
            restore(archive, tmp_path / "back")

    @pytest.mark.parametrize("cut", [0, 1, 100, -100])
    def test_an_archive_that_ends_too_early(self, shop: Path, tmp_path: Path, cut: int) -> None:
        back_up(shop, tmp_path / "a.tar.gz")
        whole = (tmp_path / "a.tar.gz").read_bytes()
        (tmp_path / "cut.tar.gz").write_bytes(whole[:cut])
        with pytest.raises(UserError, match="damaged or no backup of ours"):
            restore(tmp_path / "cut.tar.gz", tmp_path / "back")
        assert not (tmp_path / "back").exists()

    def test_what_is_no_archive(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("text", "utf-8")
        with pytest.raises(UserError, match="damaged or no backup of ours"):
            restore(tmp_path / "text", tmp_path / "back")
        with pytest.raises(UserError, match="there is no backup"):
            restore(tmp_path / "nothing", tmp_path / "back")
        with pytest.raises(UserError, match="is a file; name a folder"):
            restore(tmp_path / "text", tmp_path / "text", replace=True)


def linked(given: tuple[tarfile.TarInfo, bytes], kind: bytes) -> tuple[tarfile.TarInfo, bytes]:
    """The same name as something else than a file."""
    member = tarfile.TarInfo(given[0].name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member, b""


def told(given: list[tuple[tarfile.TarInfo, bytes]], **other: object) -> list[tuple[tarfile.TarInfo, bytes]]:
    """With another list."""
    return [file(LIST, json.dumps({**json.loads(given[0][1]), **other}).encode()), *given[1:]]


def relisted(given: list[tuple[tarfile.TarInfo, bytes]], name: str) -> list[tuple[tarfile.TarInfo, bytes]]:
    """With one file more, which is listed as it is."""
    files = json.loads(given[0][1])["files"]
    files[name] = {"sha256": hashlib.sha256(b"x").hexdigest(), "bytes": 1}
    return [*told(given, files=files), file(name, b"x")]
