"""A bot's folder: whole after kill -9 at any moment, each flipped byte noticed, nothing of the user's lost."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chatbot import bundle
from chatbot.errors import BotError, Unavailable
from chatbot.manifest import Manifest, digest

WRITER = """
import sys
from pathlib import Path
from chatbot import bundle
print("started", flush=True)
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    with bundle.writing(Path(sys.argv[1])) as draft:
        (draft.path / "model").mkdir()
        for name in ("pairs.jsonl", "model/weights"):
            (draft.path / name).write_bytes(f"{name} {number}".encode() * 20_000)
        draft.commit({"number": number})
"""


def write(folder: Path, number: int, keep: int = 3) -> Manifest:
    with bundle.writing(folder, keep) as draft:
        (draft.path / "model").mkdir()
        (draft.path / "pairs.jsonl").write_text(f"问题 {number}\n", encoding="utf-8")
        (draft.path / "model" / "weights").write_bytes(bytes([number]) * 1000)
        return draft.commit({"number": number, "threshold": 0.1 + number})


def start_writer(folder: Path, first: int, last: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(folder), str(first), str(last)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
    assert writer.stdout is not None
    assert writer.stdout.readline() == "started\n"
    return writer


def number_in_use(folder: Path) -> int:
    """The number of the bot that loads, after comparing each file with what its writer wrote."""
    path, manifest = bundle.load(folder)
    number = int(manifest.bot["number"])
    for name in ("pairs.jsonl", "model/weights"):
        assert (path / name).read_bytes() == f"{name} {number}".encode() * 20_000
    return number


def building(folder: Path) -> list[str]:
    return [path.name for path in (folder / "versions").iterdir() if path.name.startswith(".building-")]


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    folder = tmp_path / "bot"
    write(folder, 1)
    return folder


def test_what_was_written_is_loaded(tmp_path: Path) -> None:
    written = write(tmp_path / "new" / "bot", 7)
    path, manifest = bundle.load(tmp_path / "new" / "bot")
    assert manifest == written
    assert path == tmp_path / "new" / "bot" / "versions" / manifest.version
    assert (path / "pairs.jsonl").read_text(encoding="utf-8") == "问题 7\n"
    assert {name: record.bytes for name, record in manifest.files.items()} == {
        "model/weights": 1000,
        "pairs.jsonl": 9,
    }
    assert manifest.bot == {"number": 7, "threshold": 7.1}
    assert json.loads((path / "manifest.json").read_bytes()) == json.loads(
        (path / "../../manifest.json").read_bytes()
    )


def test_leaving_without_a_commit_leaves_the_old_bot(bot: Path) -> None:
    with bundle.writing(bot) as draft:
        (draft.path / "pairs.jsonl").write_text("half")
    with pytest.raises(RuntimeError), bundle.writing(bot) as draft:
        (draft.path / "pairs.jsonl").write_text("half")
        raise RuntimeError
    assert bundle.load(bot)[1].bot["number"] == 1
    assert (len(bundle.versions(bot)), building(bot)) == (1, [])


def test_kill_at_any_moment_leaves_a_whole_bot(tmp_path: Path) -> None:
    """The writer numbers its bots upwards; whatever loads afterwards must be whole and never older than before."""
    moments = random.Random(0)
    folder = tmp_path / "bot"
    start_writer(folder, 0, 1).wait()
    newest = number_in_use(folder)
    leftovers = 0
    for _ in range(25):
        writer = start_writer(folder, newest + 1, 10**6)
        time.sleep(moments.uniform(0, 0.06))
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
        after = number_in_use(folder)
        assert after >= newest
        newest = after
        leftovers += len(building(folder))
        for version in bundle.versions(folder):
            assert bundle.rollback(folder, version).version == version  # checks every file of it
    assert leftovers > 0  # some kills did strike in the middle of a write
    start_writer(folder, newest + 1, newest + 2).wait()
    assert (number_in_use(folder), building(folder)) == (newest + 1, [])


@pytest.mark.parametrize(
    ("owner", "step", "in_use"), [(Path, "rename", 1), (Path, "replace", 1), (bundle, "_prune", 2)]
)
def test_a_crash_at_each_step_of_the_commit(
    bot: Path, owner: object, step: str, in_use: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps in their order: until the manifest was replaced, the old bot is in use."""

    class Crash(BaseException):
        pass

    def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(owner, step, crash)
        with pytest.raises(Crash):
            write(bot, 2)
    assert bundle.load(bot)[1].bot["number"] == in_use
    write(bot, 3)
    assert bundle.load(bot)[1].bot["number"] == 3
    assert building(bot) == []


def test_two_writers_at_once_both_finish(tmp_path: Path) -> None:
    folder = tmp_path / "bot"
    writers = [start_writer(folder, first, first + 8) for first in (100, 200)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert number_in_use(folder) in (107, 207)
    assert (len(bundle.versions(folder)), building(folder)) == (3, [])
    for version in bundle.versions(folder):
        assert bundle.rollback(folder, version).version == version


def test_a_living_writers_draft_is_not_swept_away(bot: Path) -> None:
    with bundle.writing(bot) as slow:
        (slow.path / "pairs.jsonl").write_text("slow")
        write(bot, 2)
        slow.commit({"number": 3})
    assert bundle.load(bot)[1].bot["number"] == 3
    assert [bundle.rollback(bot, version).bot["number"] for version in bundle.versions(bot)] == [1, 2, 3]


def test_each_flipped_byte_is_noticed_and_its_file_named(bot: Path) -> None:
    path, manifest = bundle.load(bot)
    for file in (bot / "manifest.json", *(path / name for name in manifest.files)):
        whole = file.read_bytes()
        for position in {0, len(whole) // 2, len(whole) - 1, *range(0, len(whole), 37)}:
            flipped = bytearray(whole)
            flipped[position] ^= 1
            file.write_bytes(flipped)
            with pytest.raises(BotError) as error:
                bundle.load(bot)
            assert str(file) in str(error.value)
            assert f"chatbot train --pairs FILE --index {bot}" in str(error.value)
        file.write_bytes(whole)
    assert bundle.load(bot)[1] == manifest


def test_a_shortened_or_missing_file_is_named(bot: Path) -> None:
    file = bundle.load(bot)[0] / "model" / "weights"
    file.write_bytes(bytes(10))
    with pytest.raises(BotError, match="weights is damaged: expected 1000 bytes, found 10"):
        bundle.load(bot)
    file.unlink()
    with pytest.raises(BotError, match="weights is missing"):
        bundle.load(bot)


def test_a_rollback_passes_over_versions_that_are_damaged_too(tmp_path: Path) -> None:
    """An edit's version shares files with the one before, and their damage with them."""
    folder = tmp_path / "bot"
    first, second = write(folder, 1), write(folder, 2)
    third = write(folder, 3)
    (folder / "versions" / second.version / "model" / "weights").write_bytes(b"")
    assert bundle.rollback(folder).version == first.version
    (folder / "manifest.json").write_text("{", "utf-8")
    (folder / "versions" / third.version / "pairs.jsonl").unlink()
    assert bundle.rollback(folder).version == first.version
    (folder / "versions" / first.version / "pairs.jsonl").unlink()
    with pytest.raises(BotError, match=rf"no version before the one in use, {first.version}.*Build it with"):
        bundle.rollback(folder)
    (folder / "manifest.json").write_text("{", "utf-8")
    with pytest.raises(BotError, match=rf"{first.version}/pairs.jsonl is missing. Build it with"):
        bundle.rollback(folder)


def test_a_version_comes_after_those_before_where_the_clock_is_set_back(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text("", "utf-8")
    files = {"pairs.jsonl": tmp_path / "pairs.jsonl"}
    made = Manifest.of(files, {}, "29991231T235959.999999Z-0123456789ab")
    assert made.version.startswith("30000101T000000.000000Z-")
    assert Manifest.of(files, {}, "20200101T000000.000000Z-0123456789ab").version < made.version


def test_a_damaged_bot_names_rollback_only_where_there_is_an_earlier_version(bot: Path) -> None:
    (bundle.load(bot)[0] / "pairs.jsonl").write_text("x")
    with pytest.raises(BotError, match="damaged") as error:
        bundle.load(bot)
    assert "rollback" not in str(error.value)
    with pytest.raises(BotError, match=r"no version before the one in use.*chatbot train"):
        bundle.rollback(bot)
    write(bot, 2)
    (bundle.load(bot)[0] / "pairs.jsonl").write_text("x")
    with pytest.raises(BotError, match=f"chatbot rollback --index {bot}"):
        bundle.load(bot)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "a/../../outside", "..\\outside"])
def test_a_manifest_that_points_outside_is_refused(bot: Path, name: str) -> None:
    fields = json.loads((bot / "manifest.json").read_bytes())
    fields["files"][name] = {"sha256": "0" * 64, "bytes": 1}
    date = fields["version"].partition("-")[0]
    fields["version"] = f"{date}-{digest({**fields, 'version': date})}"
    (bot / "manifest.json").write_text(json.dumps(fields))
    with pytest.raises(BotError, match="lies outside the bot"):
        bundle.load(bot)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is damaged; expected JSON"),
        ("{", "is damaged; expected JSON"),
        ("[]", "no field 'format'"),
        ('{"name": "my web app"}', "no field 'format'"),
        ('{"format": 1}', "has the format 1; expected 6"),
        ('{"format": 6}', "do not give the digest in its version 'None'"),
        ('{"format": 6, "version": "../../etc"}', "do not give the digest"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(bot: Path, content: str, message: str) -> None:
    (bot / "manifest.json").write_text(content)
    with pytest.raises(BotError, match=message) as error:
        bundle.load(bot)
    assert "chatbot rollback" in str(error.value)
    assert bundle.rollback(bot).bot["number"] == 1
    assert bundle.load(bot)[1].bot["number"] == 1


def test_folders_that_are_no_bot_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(BotError, match=r"There is no folder .*missing.*chatbot train --pairs FILE --index"):
        bundle.load(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BotError, match=r"manifest\.json is missing \(.*empty holds nothing\)"):
        bundle.load(tmp_path / "empty")
    (tmp_path / "file").write_text("x")
    with pytest.raises(BotError, match="file is a file; expected the folder of a built bot"):
        bundle.load(tmp_path / "file")
    for call in (bundle.load, bundle.rollback):
        with pytest.raises(BotError, match=r"manifest\.json is missing \(.* holds empty, file\)"):
            call(tmp_path)


@pytest.mark.parametrize("name", ["thesis.txt", "manifest.json", ".hidden"])
def test_nothing_of_the_users_is_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(BotError, match=rf"holds other things \({name}\) and no bot"):
        write(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"
    with pytest.raises(BotError, match="is a file; a bot needs a folder"):
        write(tmp_path / name, 1)


def test_the_version_in_use_is_named_without_a_look_at_its_files(bot: Path) -> None:
    _, manifest = bundle.load(bot)
    for file in manifest.files:
        (bot / "versions" / manifest.version / file).unlink()
    assert bundle.in_use(bot) == manifest.version


def test_what_a_user_puts_beside_the_versions_stays(bot: Path) -> None:
    (bot / "notes.txt").write_text("mine")
    (bot / "versions" / "backup").mkdir()
    for number in range(2, 6):
        write(bot, number, keep=1)
    assert (bot / "notes.txt").read_text() == "mine"
    assert (bot / "versions" / "backup").is_dir()
    assert len(bundle.versions(bot)) == 1


def test_a_folder_left_by_a_crash_before_the_first_commit_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "bot" / "versions" / ".building-1-abc").mkdir(parents=True)
    (tmp_path / "bot" / "versions" / ".building-1-abc.lock").touch()
    write(tmp_path / "bot", 4)
    assert bundle.load(tmp_path / "bot")[1].bot["number"] == 4
    assert building(tmp_path / "bot") == []


def test_the_newest_versions_and_the_one_in_use_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "bot"
    names = [write(folder, number, keep=2).version for number in range(4)]
    assert bundle.versions(folder) == names[2:]
    with pytest.raises(ValueError, match="keep must be at least 1"):
        write(folder, 9, keep=0)


def test_rollback(tmp_path: Path) -> None:
    folder = tmp_path / "bot"
    names = [write(folder, number).version for number in range(3)]
    assert bundle.rollback(folder).version == names[1]
    assert bundle.load(folder)[1].version == names[1]
    assert bundle.rollback(folder).version == names[0]
    with pytest.raises(BotError, match=f"no version before the one in use, {names[0]}"):
        bundle.rollback(folder)
    assert bundle.rollback(folder, names[2]).version == names[2]
    assert bundle.load(folder)[1].bot["number"] == 2
    for unknown in ("nonsense", "../..", ""):
        with pytest.raises(BotError, match=f"holds no version '{unknown}'.*{names[0]}"):
            bundle.rollback(folder, unknown)


def test_rollback_to_a_damaged_version_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "bot"
    names = [write(folder, number).version for number in range(2)]
    (folder / "versions" / names[0] / "pairs.jsonl").write_text("x")
    with pytest.raises(BotError, match=rf"{names[0]}/pairs\.jsonl is damaged"):
        bundle.rollback(folder)
    assert bundle.load(folder)[1].version == names[1]


def test_a_lost_manifest_is_put_back_from_the_newest_version(tmp_path: Path) -> None:
    folder = tmp_path / "bot"
    names = [write(folder, number).version for number in range(2)]
    (folder / "manifest.json").unlink()
    with pytest.raises(BotError, match=r"manifest\.json is missing.*chatbot rollback"):
        bundle.load(folder)
    assert bundle.rollback(folder).version == names[1]
    assert bundle.load(folder)[1].version == names[1]


def test_a_file_may_be_linked_from_the_version_before(bot: Path) -> None:
    before, _ = bundle.load(bot)
    with bundle.writing(bot, keep=1) as draft:
        (draft.path / "weights").hardlink_to(before / "model" / "weights")
        draft.commit({"number": 2})
    assert not before.exists()
    assert (bundle.load(bot)[0] / "weights").read_bytes() == bytes([1]) * 1000


def test_a_bot_is_moved_as_a_folder(bot: Path, tmp_path: Path) -> None:
    shutil.move(bot, tmp_path / "elsewhere")
    assert bundle.load(tmp_path / "elsewhere")[1].bot["number"] == 1


def refuse(number: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("number", "message"), [(errno.ENOSPC, "No space left on device"), (errno.EACCES, "Permission denied")]
)
def test_a_file_system_that_refuses_is_unavailable(
    bot: Path, number: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in ("mkdir", "write_bytes", "rename", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(Path, step, refuse(number))
            with pytest.raises(Unavailable, match=rf"The bot in {bot} could not be written: .*{message}"):
                write(bot, 2)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse(number))
        with pytest.raises(Unavailable, match=rf"The bot in {bot} could not be read: .*{message}"):
            bundle.load(bot)
    assert bundle.load(bot)[1].bot["number"] == 1


def test_a_commit_needs_files_and_json(bot: Path) -> None:
    with pytest.raises(ValueError, match="at least one file"), bundle.writing(bot) as draft:
        draft.commit({})
    with pytest.raises(ValueError, match=r"none called manifest\.json"), bundle.writing(bot) as draft:
        (draft.path / "manifest.json").write_text("{}")
        draft.commit({})
    with pytest.raises(ValueError, match="JSON"), bundle.writing(bot) as draft:
        (draft.path / "pairs.jsonl").write_text("x")
        draft.commit({"threshold": float("nan")})
    assert bundle.load(bot)[1].bot["number"] == 1
