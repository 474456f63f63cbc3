"""A backup (backup.py) becomes a bot's folder again, whole or not at all.

In: an archive, and the folder that it shall become. Out: that folder, and the one that was there put aside.

An archive is somebody's word. Nothing is taken but what its own list names: regular files alone, by names inside
the folder, no more bytes than listed and than there is room for. They go into a folder beside the place; there
every hash is compared, and the bot and its journal are checked. Only then the folder gets its name.
"""

import gzip
import hashlib
import json
import os
import secrets
import shutil
import tarfile
import zlib
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from chatbot import bundle
from chatbot.backup import FORMAT, JOURNAL, LIST, Contents, for_its_owner, translated
from chatbot.errors import BotError, UserError
from chatbot.journal.snapshot import faults
from chatbot.manifest import FileRecord

MOST_LISTED = 16_000_000  # bytes of the list
PIECE = 1_000_000  # bytes that are read at once; a header that claims to be longer is none of ours
SPARE = 100_000_000  # bytes of the disk that stay free


def restore(archive: Path, folder: Path, replace: bool = False) -> tuple[Contents, Path | None]:
    """Put a backup back as `folder`; what it holds, and where the folder is now that was there. Raises UserError
    where the archive is none of ours or damaged, or where something is there and shall not be replaced."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; name a folder")
    if not replace and folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty; name another folder, or put this one aside with --replace")
    folder = folder.absolute()
    with translated(f"The bot {folder}", "restored"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = folder.with_name(f".{folder.name}.restoring-{secrets.token_hex(4)}")
        made.mkdir(0o700)
        try:
            contents = _unpacked(archive, made)
            try:
                _check(made, contents)
            except BotError as cause:
                told = str(cause).replace(str(made), str(folder))
                raise UserError(
                    f"{archive} holds no bot that can be used, nothing was restored: {told}"
                ) from cause
            return contents, _put_in_place(made, folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)


class _Unzipped(gzip.GzipFile):
    """Reads little at a time, whatever a header in the archive claims."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= MOST_LISTED:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return super().read(size)


def _unpacked(archive: Path, made: Path) -> Contents:
    """Every file that the archive lists, each compared with its hash."""
    if not archive.is_file():
        raise UserError(f"there is no backup {archive}; check the path")
    try:
        with _Unzipped(archive, "rb") as unzipped, tarfile.open(fileobj=unzipped, mode="r:") as opened:
            contents = _listed(opened, archive)
            room = shutil.disk_usage(made).free - SPARE
            if contents.bytes > room:
                needed = f"{contents.bytes / 1e6:,.0f} MB, and there is room for {max(0, room) / 1e6:,.0f}"
                raise UserError(f"{archive} holds {needed}; restore to a larger disk")
            missing = dict(contents.files)
            shown = tqdm(opened, "unpacking", len(missing) + 1, unit="file", delay=2, disable=None)
            for member in shown:
                if member.name == LIST:
                    continue
                record = missing.pop(member.name, None)
                if record is None or member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
                    raise UserError(_damaged(archive, f"{member.name!r} is not listed, twice there, or no file"))
                if member.size != record.bytes:
                    raise UserError(
                        _damaged(archive, f"{member.name!r} has {member.size} bytes, not {record.bytes}")
                    )
                _write(opened, tarfile.data_filter(member, str(made)), made / member.name, record, archive)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeError) as cause:
        raise UserError(_damaged(archive, str(cause))) from cause
    if missing:
        raise UserError(_damaged(archive, f"{sorted(missing)[0]!r} is missing"))
    return contents


def _listed(opened: tarfile.TarFile, archive: Path) -> Contents:
    """What the archive says that it holds; the first file in it."""
    first = opened.next()
    if first is None or first.name != LIST or not first.isreg() or first.size > MOST_LISTED:
        raise UserError(f"{archive} is no backup that `chatbot backup` made: {LIST} does not come first")
    file = opened.extractfile(first)
    assert file is not None
    try:
        with closing(file):
            fields = json.loads(file.read())
        if fields.pop("format") != FORMAT:
            raise UserError(f"{archive} was made by another version of chatbot; restore it with that one")
        files = {name: FileRecord(**record) for name, record in fields.pop("files").items()}
        contents = Contents(**fields, files=files)
        if any(record.bytes < 0 for record in files.values()):
            raise ValueError("a negative size")
    except (ValueError, AttributeError, KeyError, TypeError) as cause:
        raise UserError(_damaged(archive, f"{LIST} is not as it should be ({type(cause).__name__})")) from cause
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or str(path) != name:
            raise UserError(_damaged(archive, f"it lists {name!r}, which lies outside the bot"))
    return contents


def _write(
    opened: tarfile.TarFile, member: tarfile.TarInfo, target: Path, record: FileRecord, archive: Path
) -> None:
    target.parent.mkdir(0o700, parents=True, exist_ok=True)
    source, digest = opened.extractfile(member), hashlib.sha256()
    assert source is not None
    with closing(source), open(target, "xb", opener=for_its_owner) as file:
        while piece := source.read(PIECE):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != record.sha256:
        raise UserError(_damaged(archive, f"{member.name!r} has another SHA-256 than listed"))


def _check(made: Path, contents: Contents) -> None:
    """Raises BotError unless the bot is one that this program can use, and its journal is whole."""
    if bundle.in_use(made) != contents.version:
        raise BotError(f"{made} is at another version than {contents.version}")
    for version in (None, *bundle.versions(made)):
        bundle.load(made, version)
    if (made / JOURNAL).exists() and (wrong := faults(made / JOURNAL)):
        raise BotError(f"{made / JOURNAL} is damaged: {wrong[0]}")


def _put_in_place(made: Path, folder: Path) -> Path | None:
    """Give the folder its name; where the one is now that had it."""
    kept = None
    if folder.exists() and any(folder.iterdir()):
        kept = folder.with_name(f"{folder.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
        folder.rename(kept)
    try:
        made.rename(folder)
    except OSError:
        if kept is not None:
            kept.rename(folder)
        raise
    for path in (folder, *folder.glob("**/"), folder.parent):
        bundle.flush(path)
    return kept


def _damaged(archive: Path, found: str) -> str:
    return f"{archive} is damaged or no backup of ours, nothing was restored: {found}"
