"""A bot in one file, with what customers said to it, made while it serves; restore.py puts it back.

In: a bot's folder, and where its journal is. Out: a .tar.gz that only its owner can read:

    backup.json            format, time, version in use, and every other file with its size and SHA-256; the first
    manifest.json          the bot in use, as in its folder
    versions/VERSION/…     the files of that version, and of the others if wanted
    journal.sqlite         a copy as of one moment, whoever writes meanwhile
    orders.sqlite …        the company's files that the templates' connectors read, if they lie in the folder
"""

import gzip
import hashlib
import io
import json
import os
import secrets
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import urlsplit

from tqdm import tqdm

from chatbot import bundle
from chatbot.answer import Templates
from chatbot.errors import Unavailable, UserError
from chatbot.journal.snapshot import snapshot
from chatbot.manifest import FileRecord
from chatbot.schema import CsvConnector, Source, SqlConnector

FORMAT = 1  # raise it whenever an older program could not restore it
LIST, JOURNAL, TEMPLATES = "backup.json", "journal.sqlite", "templates.json"
PACKED = 1  # gzip's level: weights hardly get smaller, and it is the slowest part
ON_A_SERVER = (
    "the journal, which is on a database server: `pg_dump --format=custom --file=journal.dump DATABASE` keeps it, "
    "and `pg_restore --dbname=DATABASE journal.dump` brings it back"
)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds, and what it says about that."""

    created: str  # UTC, ISO 8601
    version: str  # of the bot in use
    files: Mapping[str, FileRecord]  # by path in the bot's folder, parted by "/"
    left_out: Sequence[str] = ()  # in words, with another way to keep it

    @property
    def bytes(self) -> int:
        return sum(record.bytes for record in self.files.values())


def back_up(folder: Path, output: Path, journal: str | Path | None = None, every: bool = False) -> Contents:
    """Write the bot in `folder` to `output`: the version in use, with `every` all of them. `journal` is as for
    `chatbot serve`. Raises BotError where a version is damaged, UserError where `output` is there or nowhere, and
    Unavailable."""
    if output.exists():
        raise UserError(f"{output} exists already; name another file, or move that one away")
    if not output.parent.is_dir():
        raise UserError(f"there is no folder {output.parent} to write {output.name} to")
    made = output.with_name(f".{output.name}.{secrets.token_hex(4)}")
    beside = made.with_suffix(".files")
    with translated(f"The backup {output}", "written"):
        beside.mkdir(0o700)
        try:
            files, left_out = _gathered(folder, beside, journal, every)
            version = bundle.in_use(beside)
            contents = Contents(datetime.now(UTC).isoformat(), version, _records(files), left_out)
            with open(made, "xb", opener=for_its_owner) as file:
                _pack(file, contents, files)
                file.flush()
                os.fsync(file.fileno())
            made.rename(output)
        finally:
            made.unlink(missing_ok=True)
            shutil.rmtree(beside)
    return contents


def for_its_owner(path: str, flags: int) -> int:
    """An opener of files that nobody else may read."""
    return os.open(path, flags, 0o600)


@contextmanager
def translated(what: str, done: str) -> Iterator[None]:
    """Failures of the file system in words of ours."""
    try:
        yield
    except OSError as cause:
        raise Unavailable(f"{what} could not be {done}: {cause}. Nothing else was changed.") from cause


def _gathered(
    folder: Path, beside: Path, journal: str | Path | None, every: bool
) -> tuple[dict[str, Path], list[str]]:
    """The files to pack, by their name in the archive, and what is left out. Of what may change meanwhile there is
    a copy in the folder `beside`; the files of a version never change."""
    path, manifest = bundle.load(folder)
    (beside / bundle.MANIFEST).write_text(manifest.text, "utf-8")
    files = {bundle.MANIFEST: beside / bundle.MANIFEST}
    for version in bundle.versions(folder) if every else [manifest.version]:
        where, about = bundle.load(folder, version)
        files |= {f"{bundle.VERSIONS}/{version}/{name}": where / name for name in (bundle.MANIFEST, *about.files)}
    left_out = []
    kept = _journal_file(folder / JOURNAL if journal is None else journal)
    if kept is None:
        left_out.append(ON_A_SERVER)
    elif kept.exists() or journal is not None:
        files[JOURNAL] = beside / JOURNAL
        snapshot(kept, files[JOURNAL])
    for name, source in _connectors(path).items():
        given = _file_of(source)
        inside = PurePosixPath(os.path.normpath(given or "."))
        if given is None or inside.as_posix() in files:
            continue
        if inside.is_absolute() or ".." in inside.parts or "$" in given:
            left_out.append(f"{given}, which connector {name} reads outside the bot's folder: copy it yourself")
        elif not (folder / inside).is_file():
            left_out.append(f"{given}, which connector {name} reads and which is not there")
        else:
            copy = files[inside.as_posix()] = beside / f"{len(files)}"
            if isinstance(source, SqlConnector):
                snapshot(folder / inside, copy)
            else:
                shutil.copyfile(folder / inside, copy)
    return files, left_out


def _connectors(version: Path) -> Mapping[str, Source]:
    file = version / TEMPLATES
    if not file.exists():
        return {}
    return Templates.parse(json.loads(file.read_text("utf-8")), TEMPLATES).connectors


def _file_of(source: Source) -> str | None:
    """The path of a connector's file, as it was given; None where it reads none."""
    if isinstance(source, CsvConnector):
        return source.file
    if isinstance(source, SqlConnector) and source.url.startswith("sqlite"):
        return urlsplit(source.url).path[1:] or None
    return None


def _journal_file(place: str | Path) -> Path | None:
    """The file of a journal, as the command line takes it; None where it is on a server."""
    if "://" not in str(place):
        return Path(place)
    url = urlsplit(str(place))
    return Path(url.path[1:]) if url.scheme.startswith("sqlite") else None


def _records(files: Mapping[str, Path]) -> dict[str, FileRecord]:
    records = {}
    for name, file in files.items():
        with file.open("rb") as opened:
            sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        records[name] = FileRecord(sha256, file.stat().st_size)
    return records


def _pack(output: IO[bytes], contents: Contents, files: Mapping[str, Path]) -> None:
    listed = json.dumps({"format": FORMAT, **asdict(contents)}, ensure_ascii=False, indent=1).encode()
    with (
        gzip.GzipFile("", "wb", PACKED, output) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        archive.addfile(_member(LIST, len(listed)), io.BytesIO(listed))
        with tqdm(None, "packing", contents.bytes, unit="B", unit_scale=True, delay=2, disable=None) as shown:
            for name, file in files.items():
                with file.open("rb") as opened:
                    archive.addfile(_member(name, contents.files[name].bytes), opened)
                shown.update(contents.files[name].bytes)


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(datetime.now(UTC).timestamp())
    return member
