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
import json
import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from chatbot.errors import BotError, Changed, Unavailable
from chatbot.manifest import VERSION_NAME, Manifest

MANIFEST = "manifest.json"
VERSIONS = "versions"
BUILDING = ".building-"


class Draft:
    """A version that is being written, see `writing`: put files under `path`, then `commit`."""

    def __init__(self, folder: Path, path: Path, keep: int) -> None:
        self.path = path
        self._folder = folder
        self._keep = keep

    def commit(self, bot: Mapping[str, Any], after: str | None = None) -> Manifest:
        """Put what `path` holds into use, described by `bot` (JSON without NaN). Nothing may be written after.
        Changed where `after` is given and no longer the version in use: what came meanwhile must not be lost."""
        found = {file.relative_to(self.path).as_posix(): file for file in _files(self.path)}
        if not found or MANIFEST in found:
            raise ValueError(f"{self.path} must hold at least one file, and none called {MANIFEST}.")
        described = json.loads(json.dumps(dict(bot), allow_nan=False))
        with _translated(self._folder, "written"):
            manifest = Manifest.of(found, described, *versions(self._folder)[-1:])
            _write(self.path / MANIFEST, manifest)
            for path in (*found.values(), *self.path.glob("**/")):
                flush(path)
            with _locked(self._folder / VERSIONS / ".lock"):
                if after is not None and (used := in_use(self._folder)) != after:
                    raise Changed(f"{self._folder} is at {used}, no longer {after}; not written; load it again")
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


def load(folder: Path, version: str | None = None, only: Collection[str] | None = None) -> tuple[Path, Manifest]:
    """The folder with the files of the bot in use, or of another version, and its manifest, after every size and
    hash was checked, or `only` those of some files. Raises BotError saying what was expected, what was found and
    the command that mends it."""
    with _translated(folder, "read"):
        if version is not None and version not in (known := versions(folder)):
            raise BotError(f"{folder} holds no version {version!r}. It holds {', '.join(known) or 'no version'}.")
        place = folder / MANIFEST if version is None else folder / VERSIONS / version / MANIFEST
        manifest = _read(folder, place)
        return _checked(folder, manifest, only), manifest


def versions(folder: Path) -> list[str]:
    """The names of the versions in `folder`, oldest first; empty where it is no bot."""
    found = (path.parent.name for path in (folder / VERSIONS).glob(f"*/{MANIFEST}"))
    return sorted(name for name in found if VERSION_NAME.fullmatch(name))


def in_use(folder: Path) -> str:
    """The name of the version in use; its files are not checked. Raises BotError where there is no manifest."""
    with _translated(folder, "read"):
        return _read(folder, folder / MANIFEST).version


def rollback(folder: Path, version: str | None = None) -> Manifest:
    """Put another version into use, after checking its files; None is the newest whole one before the version in
    use: those that an edit made share files, so that damage may be in several.

    Where the manifest in use cannot be read, None is the newest whole version. Raises BotError where there is no
    such version or it is damaged; the bot in use then stays.
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
                mends = _again(folder, "" if current is None else current)
                raise BotError(f"{folder} holds no version before the one in use, {current}. {listed} {mends}")
        elif version not in known:
            raise BotError(f"{folder} holds no version {version!r}. {listed} Name one of those.")
        else:
            earlier = [version]
        manifest = _newest_whole(folder, earlier)
        with _locked(folder / VERSIONS / ".lock"):
            _put_into_use(folder, manifest)
    return manifest


def _newest_whole(folder: Path, names: Sequence[str]) -> Manifest:
    """Of versions, oldest first. Raises BotError for the oldest where all are damaged."""
    *before, name = names
    try:
        manifest = _read(folder, folder / VERSIONS / name / MANIFEST)
        _checked(folder, manifest)
    except BotError:
        if not before:
            raise
        return _newest_whole(folder, before)
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
    """The manifest at `path`; BotError where there is none, or no bot."""
    if not folder.exists():
        raise BotError(f"There is no folder {folder}. {_again(folder)}")
    if not folder.is_dir():
        raise BotError(f"{folder} is a file; expected the folder of a built bot. Name that with --index.")
    if not path.is_file():
        found = ", ".join(sorted(entry.name for entry in folder.iterdir())[:3]) or "nothing"
        raise BotError(f"{path} is missing ({folder} holds {found}), so this is no built bot. {_again(folder)}")
    return Manifest.read(path, _again(folder))


def _checked(folder: Path, manifest: Manifest, only: Collection[str] | None = None) -> Path:
    """The folder of the version, after every file was compared with what the manifest says."""
    path = folder / VERSIONS / manifest.version
    files = {name: record for name, record in manifest.files.items() if only is None or name in only}
    replace(manifest, files=files).check(path, _again(folder, before=manifest.version))
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
    flush(folder / VERSIONS)
    fresh.replace(folder / MANIFEST)
    flush(folder)


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


def _write(path: Path, manifest: Manifest) -> None:
    path.write_text(manifest.text, encoding="utf-8")
    flush(path)


def flush(path: Path) -> None:
    """Have the operating system bring a file or a folder's entries to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
