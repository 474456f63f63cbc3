"""What one version of a built bot is made of, written down so that a change of any of it is noticed.

In:  the files of a version, and JSON that describes the bot. Out: a `Manifest`, its JSON text, and back.

Each file is named with its size and hash; the version's name ends with a digest of all the rest, so that a
manifest that was changed by hand is noticed too. Which version is in use, and how one takes the place of another,
is bundle.py's. Whoever reads or checks says what `mends` a damaged bot: a sentence for the end of each error.
"""

import hashlib
import json
import mmap
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from chatbot.errors import BotError

FORMAT = 6  # raise it whenever an older program could not use the folder
DATE, LATER = "%Y%m%dT%H%M%S.%fZ", timedelta(microseconds=1)
VERSION_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class FileRecord:
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """`bot` is JSON that belongs to the caller: settings, fingerprints, calibration."""

    format: int
    version: str
    created: str  # UTC, ISO 8601
    files: Mapping[str, FileRecord]  # by path inside the version's folder, parted by "/"
    bot: Mapping[str, Any]

    @classmethod
    def of(cls, files: Mapping[str, Path], bot: Mapping[str, Any], last: str | None = None) -> "Manifest":
        """Of files as they are now, by their path inside the version's folder. Its name comes after that of the
        version `last`, also where the clock was set back meanwhile."""
        records = {name: FileRecord(_sha256(file), file.stat().st_size) for name, file in files.items()}
        now = datetime.now(UTC)
        if last is not None:
            now = max(now, datetime.strptime(last.partition("-")[0], DATE).replace(tzinfo=UTC) + LATER)
        dated = cls(FORMAT, f"{now:{DATE}}", now.isoformat(), records, bot)
        return replace(dated, version=f"{dated.version}-{digest(asdict(dated))}")

    @classmethod
    def read(cls, path: Path, mends: str) -> "Manifest":
        """The manifest at `path`, checked in itself. BotError where it is damaged or of another format."""
        try:
            fields = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as cause:
            raise BotError(f"{path} is damaged; expected JSON, found: {cause}. {mends}") from cause
        if not isinstance(fields, dict) or "format" not in fields:
            raise BotError(f"{path} is no manifest of a bot: it has no field 'format'. {mends}")
        if fields["format"] != FORMAT:
            raise BotError(f"{path} has the format {fields['format']!r}; expected {FORMAT}. {mends}")
        version = str(fields.get("version"))
        date, _, written = version.partition("-")
        if not VERSION_NAME.fullmatch(version) or written != digest({**fields, "version": date}):
            raise BotError(
                f"{path} is damaged: its fields do not give the digest in its version {version!r}. {mends}"
            )
        try:
            files = {file: FileRecord(**record) for file, record in fields["files"].items()}
            manifest = cls(FORMAT, version, fields["created"], files, fields["bot"])
        except (AttributeError, KeyError, TypeError) as cause:
            raise BotError(f"{path} is no manifest of a bot: {cause!r}. {mends}") from cause
        if not isinstance(manifest.bot, dict) or not all(isinstance(one.bytes, int) for one in files.values()):
            raise BotError(f"{path} is no manifest of a bot: 'bot' or some 'bytes' is something else. {mends}")
        for file in files:
            if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts or {"\\", "\0"} & set(file):
                raise BotError(f"{path} names the file {file!r}, which lies outside the bot. {mends}")
        return manifest

    @property
    def text(self) -> str:
        """What `read` reads."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"

    def check(self, folder: Path, mends: str) -> None:
        """Raise BotError unless every file is in `folder`, and no link out of it, with its size and hash."""
        inside = folder.resolve()
        for name, expected in self.files.items():
            file = folder / name
            if not file.is_file():
                raise BotError(f"{file} is missing. {mends}")
            if not (place := file.resolve()).is_relative_to(inside):
                raise BotError(f"{file} is a link to {place}, which lies outside the bot. {mends}")
            if (size := file.stat().st_size) != expected.bytes:
                raise BotError(f"{file} is damaged: expected {expected.bytes} bytes, found {size}. {mends}")
            if (sha256 := _sha256(file)) != expected.sha256:
                raise BotError(f"{file} is damaged: expected SHA-256 {expected.sha256}, found {sha256}. {mends}")


def digest(fields: Mapping[str, Any]) -> str:
    """12 hexadecimal digits of what a manifest says, whatever the order of its fields."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]


def _sha256(path: Path) -> str:
    """In one piece: a thread that hashes block by block would wait for its turn after each."""
    if not path.stat().st_size:
        return hashlib.sha256().hexdigest()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        return hashlib.sha256(whole).hexdigest()
