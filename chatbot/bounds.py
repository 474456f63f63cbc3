"""How much of a file that somebody gives is read: beyond that it is refused, before it fills the memory.

In: `Bounds`, and a file, or the bytes of a zip archive of XML, as a workbook is one. Out: bytes, or a
`CorpusError` that says which bound was passed and what to do. What an archive claims of its sizes is not believed:
it is unpacked piece by piece, and nothing of it kept, before anything else reads it. Nor may its XML declare
entities, which stand for other files, or for a text that grows tenfold with each of them.
"""

import io
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from chatbot.errors import CorpusError

PIECE = 1 << 16  # bytes unpacked at once
SMALL = 10_000_000  # bytes that may be packed however tightly


@dataclass(frozen=True, slots=True)
class Bounds:
    """`whole` in bytes, of a file and of what it unpacks to; `row` in characters; `tightness` is how many bytes
    one packed byte may become."""

    whole: int = 512_000_000
    row: int = 10_000_000
    columns: int = 16_384  # as in Excel
    rows: int = 1_048_576  # of a sheet, as in Excel
    tightness: int = 100
    members: int = 10_000


BOUNDS = Bounds()


def read_bytes(path: Path, bounds: Bounds = BOUNDS) -> bytes:
    """A regular file's content. Raises CorpusError."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise CorpusError(f"{path}: is no file of data, but a device, a pipe or a folder; name a file")
        with path.open("rb") as file:
            data = file.read(bounds.whole + 1)
    except OSError as cause:
        raise CorpusError(f"{path}: cannot be read ({cause.strerror}); check its permissions") from cause
    if len(data) > bounds.whole:
        raise CorpusError(f"{path}: has more than {bounds.whole:,} bytes; divide it into several files")
    return data


def check_archive(path: Path, data: bytes, bounds: Bounds = BOUNDS) -> None:
    """Raises CorpusError where an archive unpacks to more than it may; zipfile.BadZipFile, or zlib.error, where it
    is damaged, or says something else of its members than they hold."""
    most = min(bounds.whole, max(SMALL, bounds.tightness * len(data)))
    unpacked = 0
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if len(members) > bounds.members:
            raise CorpusError(
                f"{path}: holds {len(members):,} parts, more than {bounds.members:,}; save it as .csv"
            )
        for member in members:
            prolog = _Prolog(f"{path}, {member.filename}")
            with archive.open(member) as part:
                while piece := part.read(PIECE):
                    unpacked += len(piece)
                    prolog.read(piece)
                    if unpacked > most:
                        raise CorpusError(
                            f"{path}, {member.filename}: unpacks to more than {most:,} bytes, which no workbook "
                            "of this size does; save it as .csv"
                        )


class _Prolog:
    """What comes before the first element of an XML file, where alone a document type can stand."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._over = False
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._end

    def read(self, piece: bytes) -> None:
        """Raises CorpusError for a document type."""
        if not self._over:
            try:
                self._parser.Parse(piece, False)
            except expat.ExpatError:  # a picture, or damaged; whoever wants it as XML will say so
                self._over = True

    def _end(self, *_: object) -> None:
        self._over = True
        self._parser.StartElementHandler = None

    def _refuse(self, *_: object) -> None:
        raise CorpusError(f"{self._place}: declares a document type, which no workbook does; save it as .csv")
