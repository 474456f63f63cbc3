"""The folder of a built bot: written whole or not at all, checked when it is loaded, put back on request.

In:  files that building or training made, and JSON that describes them.
Out: a folder of files that are proved to be those, and their manifest.

    DIR/manifest.json                    the bot in use: its version, and each of its files with hash and size
    DIR/versions/<UTC time>-<digest>/    the files of one bot, with its own copy of the manifest
    DIR/versions/.building-…             a bot that is being written; swept away by the next writer after a crash

A new bot is written beside the old ones, flushed to disk and given its name; then one atomic replacement of
DIR/manifest.json puts it into use. A crash before that instant leaves the old bot, one after it leaves the new
bot, and none leaves a mixture. Two writers do not disturb each other: both versions are whole, and the later
manifest is in use. Files of a version are never changed, so a writer may hard-link one that stayed the same.
Locks are those of the operating system (Linux, macOS) and end with the process that holds them.
"""

import fcntl
import hashlib
import json
import mmap
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from chatbot.errors import BotError, Unavailable

FORMAT = 6  # raise it whenever an older program could not use the folder
MANIFEST = "manifest.json"
VERSIONS = "versions"
BUILDING = ".building-"
VERSION_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class FileRecord:
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a version is made of. `bot` is JSON that belongs to the caller: settings, fingerprints, calibration.

    The version's name ends with a digest of all the rest, so a manifest that was changed by hand is noticed too.
    """

    format: int
    version: str
    created: str  # UTC, ISO 8601
    files: Mapping[str, FileRecord]  # by path inside the version's folder, parted by "/"
    bot: Mapping[str, Any]


class Draft:
    """A version that is being written, see `writing`: put files under `path`, then `commit`."""

    def __init__(self, folder: Path, path: Path, keep: int) -> None:
        self.path = path
        self._folder = folder
        self._keep = keep

    def commit(self, bot: Mapping[str, Any]) -> Manifest:
        """Put what `path` holds into use, described by `bot` (JSON without NaN). Nothing may be written after."""
        found = {file.relative_to(self.path).as_posix(): file for file in _files(self.path)}
        if not found or MANIFEST in found:
            raise ValueError(f"{self.path} must hold at least one file, and none called {MANIFEST}.")
        described = json.loads(json.dumps(dict(bot), allow_nan=False))
        with _translated(self._folder, "written"):
            files = {name: FileRecord(_sha256(file), file.stat().st_size) for name, file in found.items()}
            now = datetime.now(UTC)
            dated = Manifest(FORMAT, f"{now:%Y%m%dT%H%M%S.%f}Z", now.isoformat(), files, described)
            manifest = replace(dated, version=f"{dated.version}-{_digest(asdict(dated))}")
            _write(self.path / MANIFEST, manifest)
            for path in (*found.values(), *self.path.glob("**/")):
                _flush(path)
            with _locked(self._folder / VERSIONS / ".lock"):
                self.path.rename(self._folder / VERSIONS / manifest.version)
                _put_into_use(self._folder, manifest)
                _prune(self._folder, self._keep)
        return manifest


@contextmanager
def writing(folder: Path, keep: int = 3) -> Iterator[Draft]:
    """A new version of the bot in `folder`, which need not exist.

        with writing(folder) as draft:
            (draft.path / "pairs.jsonl").write_text(…)
            manifest = draft.commit({"profile": "balanced"})

    Leaving without a commit, by an exception or not, leaves the bot in use as it was. After a commit the `keep`
    newest versions are kept. Raises BotError where `folder` holds something that is no bot, and Unavailable for
    any failure of the file system on the way (disk full, not permitted).
    """
    if keep < 1:
        raise ValueError(f"keep must be at least 1, not {keep}.")
    with _translated(folder, "written"):
        check_target(folder)
        versions_folder = folder / VERSIONS
        versions_folder.mkdir(parents=True, exist_ok=True)
        _sweep(versions_folder)
        path = versions_folder / f"{BUILDING}{os.getpid()}-{secrets.token_hex(4)}"
        lock = path.with_name(path.name + ".lock")
        with _locked(lock):
            try:
                path.mkdir()
                yield Draft(folder, path, keep)
            finally:
                shutil.rmtree(path, ignore_errors=True)
                lock.unlink(missing_ok=True)


def load(folder: Path) -> tuple[Path, Manifest]:
    """The folder with the files of the bot in use, and its manifest, after every size and hash was checked.

    Raises BotError saying what was expected, what was found and the command that mends it.
    """
    with _translated(folder, "read"):
        manifest = _read(folder, folder / MANIFEST)
        return _verified(folder, manifest), manifest


def versions(folder: Path) -> list[str]:
    """The names of the versions in `folder`, oldest first; empty where it is no bot."""
    found = (path.parent.name for path in (folder / VERSIONS).glob(f"*/{MANIFEST}"))
    return sorted(name for name in found if VERSION_NAME.fullmatch(name))


def in_use(folder: Path) -> str:
    """The name of the version in use; its files are not checked. Raises BotError where there is no manifest."""
    with _translated(folder, "read"):
        return _read(folder, folder / MANIFEST).version


def rollback(folder: Path, version: str | None = None) -> Manifest:
    """Put another version into use, after checking its files; None is the one before the version in use.

    Where the manifest in use cannot be read, None is the newest version. Raises BotError where there is no such
    version or it is damaged; the bot in use then stays.
    """
    known = versions(folder)
    listed = f"It holds {', '.join(known) or 'no version'}."
    with _translated(folder, "written"):
        if version is None:
            try:
                current = _read(folder, folder / MANIFEST).version
            except BotError:
                if not known:
                    raise
                current = None
            earlier = [name for name in known if current is None or name < current]
            if not earlier:
                raise BotError(
                    f"{folder} holds no version before the one in use, {current}. {listed} {_again(folder)}"
                )
            version = earlier[-1]
        elif version not in known:
            raise BotError(f"{folder} holds no version {version!r}. {listed} Name one of those.")
        manifest = _read(folder, folder / VERSIONS / version / MANIFEST)
        _verified(folder, manifest)
        with _locked(folder / VERSIONS / ".lock"):
            _put_into_use(folder, manifest)
    return manifest


def check_target(folder: Path) -> None:
    """Raise BotError unless a bot may be written to `folder`; worth asking before an hour of training."""
    if folder.exists() and not folder.is_dir():
        raise BotError(f"{folder} is a file; a bot needs a folder. Name another with --index.")
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if not names <= {VERSIONS} and not (MANIFEST in names and (folder / VERSIONS).is_dir()):
        raise BotError(
            f"{folder} holds other things ({', '.join(sorted(names)[:3])}) and no bot; nothing was written there. "
            "Name a new or an empty folder with --index."
        )


def _read(folder: Path, path: Path) -> Manifest:
    """The manifest at `path`, checked in itself; BotError where it is missing, damaged or of another format."""
    if not folder.exists():
        raise BotError(f"There is no folder {folder}. {_again(folder)}")
    if not folder.is_dir():
        raise BotError(f"{folder} is a file; expected the folder of a built bot. Name that with --index.")
    if not path.is_file():
        found = ", ".join(sorted(entry.name for entry in folder.iterdir())[:3]) or "nothing"
        raise BotError(f"{path} is missing ({folder} holds {found}), so this is no built bot. {_again(folder)}")
    try:
        fields = json.loads(path.read_bytes())
    except ValueError as cause:
        raise BotError(f"{path} is damaged; expected JSON, found: {cause}. {_again(folder)}") from cause
    if not isinstance(fields, dict) or "format" not in fields:
        raise BotError(f"{path} is no manifest of a bot: it has no field 'format'. {_again(folder)}")
    if fields["format"] != FORMAT:
        raise BotError(f"{path} has the format {fields['format']!r}; expected {FORMAT}. {_again(folder)}")
    version = str(fields.get("version"))
    date, _, digest = version.partition("-")
    if not VERSION_NAME.fullmatch(version) or digest != _digest({**fields, "version": date}):
        raise BotError(
            f"{path} is damaged: its fields do not give the digest in its version {version!r}. {_again(folder)}"
        )
    try:
        files = {file: FileRecord(**record) for file, record in fields["files"].items()}
        manifest = Manifest(FORMAT, version, fields["created"], files, fields["bot"])
    except (AttributeError, KeyError, TypeError) as cause:
        raise BotError(f"{path} is no manifest of a bot: {cause!r}. {_again(folder)}") from cause
    for file in files:
        if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts or "\\" in file:
            raise BotError(f"{path} names the file {file!r}, which lies outside the bot. {_again(folder)}")
    return manifest


def _verified(folder: Path, manifest: Manifest) -> Path:
    """The folder of the version, after every file's size and hash was compared with the manifest's."""
    path = folder / VERSIONS / manifest.version
    mend = _again(folder, before=manifest.version)
    for name, expected in manifest.files.items():
        file = path / name
        if not file.is_file():
            raise BotError(f"{file} is missing. {mend}")
        if (size := file.stat().st_size) != expected.bytes:
            raise BotError(f"{file} is damaged: expected {expected.bytes} bytes, found {size}. {mend}")
        if (sha256 := _sha256(file)) != expected.sha256:
            raise BotError(f"{file} is damaged: expected SHA-256 {expected.sha256}, found {sha256}. {mend}")
    return path


def _again(folder: Path, before: str = "~") -> str:
    """The commands that mend a bot whose version `before` is damaged, or whose manifest is ("~" sorts last)."""
    train = f"`chatbot train --pairs FILE --index {folder}`"
    if any(name < before for name in versions(folder)):
        return f"Go back to an earlier one with `chatbot rollback --index {folder}` or build again with {train}."
    return f"Build it with {train}."


def _put_into_use(folder: Path, manifest: Manifest) -> None:
    """The one instant at which the bot changes. The caller holds the lock."""
    fresh = folder / VERSIONS / f".{MANIFEST}"
    _write(fresh, manifest)
    _flush(folder / VERSIONS)
    fresh.replace(folder / MANIFEST)
    _flush(folder)


def _prune(folder: Path, keep: int) -> None:
    """Delete all but the newest versions; without its manifest, one that is half deleted no longer counts."""
    kept = {*versions(folder)[-keep:], _read(folder, folder / MANIFEST).version}
    for path in (folder / VERSIONS).iterdir():
        if VERSION_NAME.fullmatch(path.name) and path.name not in kept:
            (path / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(path, ignore_errors=True)


def _sweep(versions_folder: Path) -> None:
    """Delete what writers left that no longer run: the lock of a living one cannot be had."""
    for lock in versions_folder.glob(f"{BUILDING}*.lock"):
        try:
            with _locked(lock, wait=False):
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
        except BlockingIOError:
            continue


@contextmanager
def _locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Hold the file at `path` for this process alone; BlockingIOError where it is taken and `wait` is False."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@contextmanager
def _translated(folder: Path, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise Unavailable(f"The bot in {folder} could not be {done}: {cause}") from cause


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sha256(path: Path) -> str:
    """In one piece: a thread that hashes block by block would wait for its turn after each."""
    if not path.stat().st_size:
        return hashlib.sha256().hexdigest()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        return hashlib.sha256(whole).hexdigest()


def _digest(fields: Mapping[str, Any]) -> str:
    """12 hexadecimal digits of what a manifest says, whatever the order of its fields."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]


def _write(path: Path, manifest: Manifest) -> None:
    path.write_text(json.dumps(asdict(manifest), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    _flush(path)


def _flush(path: Path) -> None:
    """Have the operating system bring a file or a folder's entries to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
