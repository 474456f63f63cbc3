"""Files of rows: csv, tsv, jsonl and xlsx on disk become rows with the numbers that a person sees.

In: paths of files and folders. Out: `Table`s, whose rows hold a value under each column's name or the fault that
made them unreadable. Nothing here knows what the columns mean, and no value is changed: a formula, markup or
template in a cell is text like any other.

A spreadsheet row is numbered as the spreadsheet shows it (the header is row 1, an empty row counts, an answer of
three lines is one row); in jsonl it is the line. Empty rows are left out. Of an xlsx workbook the first sheet is
read, and a formula gives its own text, not its result.
"""

import codecs
import csv
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

import openpyxl
from openpyxl.utils.escape import unescape
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.formula import ArrayFormula

from chatbot.errors import CorpusError

TABLES = (".csv", ".jsonl", ".tsv", ".xlsx")
EVERYDAY_SHARE = 0.5  # of the non-ASCII characters; see _reads_as_chinese
DAMAGED = (  # what openpyxl lets through when a workbook is none, is truncated or was tampered with
    BadZipFile,
    InvalidFileException,
    ParseError,
    zlib.error,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `cells` maps a column's name to its value (str, but any JSON value in jsonl; no empty cells);
    where `fault` says why the row could not be read, there are none."""

    number: int
    cells: Mapping[str, object]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` are the header's names or, in jsonl, all keys in order of appearance; `rows` in file order."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def find_files(paths: Sequence[Path], suffixes: Sequence[str]) -> tuple[Path, ...]:
    """The files meant by `paths`: each file itself, and of a folder every file with such a suffix, by name.

    Lock files of an open spreadsheet (~$) and hidden files are passed over in a folder. Raises CorpusError for
    no path, a path that does not exist, another suffix, or a folder with nothing to read.
    """
    kinds = ", ".join(suffixes)
    if not paths:
        raise CorpusError(f"no file was given; give files or folders of {kinds}")
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [
                file
                for file in _entries(path)
                if file.suffix.lower() in suffixes and not file.name.startswith(("~$", ".")) and file.is_file()
            ]
            if not inside:
                raise CorpusError(f"{path}: the folder holds no file of {kinds}; name the files or another folder")
            found.extend(inside)
        elif not path.exists():
            raise CorpusError(f"{path}: there is no such file or folder; check the path")
        elif path.suffix.lower() not in suffixes:
            raise CorpusError(f"{path}: cannot be read as {path.suffix or 'a file with no suffix'}; use {kinds}")
        else:
            found.append(path)
    return tuple(found)


def read_table(path: Path) -> Table:
    """Read a file by its suffix, one of TABLES. Raises CorpusError where there is no row to read."""
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        rows = tuple(_objects(read_text(path)))
        columns = tuple(dict.fromkeys(name for row in rows for name in row.cells))
    else:
        grid = (
            _sheet(path) if suffix == ".xlsx" else _separated(read_text(path), "\t" if suffix == ".tsv" else ",")
        )
        columns = _header(path, grid)
        rows = tuple(_named(columns, number, cells, suffix != ".xlsx") for number, cells in grid)
    if not rows:
        raise CorpusError(f"{path}: there is no row {'below the header' if columns else 'in it'}; add the pairs")
    return Table(path, columns, rows)


def read_text(path: Path) -> str:
    """A text file without its byte order mark: UTF-8, UTF-16 with a mark, or GB18030.

    Raises CorpusError naming the first byte that does not fit, rather than guess and store garbled answers.
    """
    data = _read_bytes(path)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as cause:
            raise CorpusError(f"{path}: byte {cause.start} is not UTF-16; save the file as UTF-8") from cause
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as cause:
        found = f"{path}: byte {cause.start} (0x{data[cause.start]:02x}) is not UTF-8"
    try:
        text = data.decode("gb18030").removeprefix("\ufeff")
    except UnicodeDecodeError as cause:
        raise CorpusError(f"{found}, and byte {cause.start} is not GB18030; save the file as UTF-8") from cause
    if not _reads_as_chinese(data, text):
        raise CorpusError(f"{found}, and read as GB18030 it is no Chinese text; save the file as UTF-8")
    return text


def _reads_as_chinese(data: bytes, text: str) -> bool:
    """Whether `text`, which is `data` as GB18030, can be meant: bytes of other encodings often decode as well.

    Chinese text is mostly punctuation and the 3,755 Han characters of GB 2312's first level; Western bytes that
    happen to decode are not. Big5 bytes may be, in short texts, but then read better as Big5. Japanese and Korean
    EUC bytes cannot be told apart this way.
    """
    everyday = _share(text, "gb2312", 0xD7)
    try:
        other = _share(data.decode("big5"), "big5", 0xC6)
    except UnicodeDecodeError:
        other = 0.0
    return everyday >= max(EVERYDAY_SHARE, other)


def _share(text: str, encoding: str, last: int) -> float:
    """Of the non-ASCII characters, the share that `encoding` has and puts under a lead byte up to `last`."""
    foreign = "".join(character for character in text if not character.isascii())
    leads = foreign.encode(encoding, "ignore")[::2]
    return sum(lead <= last for lead in leads) / max(1, len(foreign))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as cause:
        raise CorpusError(f"{folder}: cannot be listed ({cause.strerror}); check its permissions") from cause


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as cause:
        raise CorpusError(f"{path}: cannot be read ({cause.strerror}); check its permissions") from cause


def _objects(text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as cause:
            yield Row(number, {}, f"the line is not JSON ({cause})")
            continue
        if isinstance(value, dict):
            yield Row(number, {name: cell for name, cell in value.items() if cell is not None})
        else:
            yield Row(number, {}, "the line is not a JSON object")


def _separated(text: str, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Row numbers with the cells, or with the fault of a row that is not well-formed."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # the module's own, which only ever grows
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    for number in count(1):
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as cause:
            yield number, f"a quotation mark is out of place or never closed ({cause})"
            continue
        if any(cell.strip() for cell in cells):
            yield number, cells


def _sheet(path: Path) -> Iterator[tuple[int, list[str] | str]]:
    """Row numbers with the cells of a workbook's first sheet; rows may differ in length."""
    data = io.BytesIO(_read_bytes(path))
    try:
        with closing(openpyxl.load_workbook(data, read_only=True)) as workbook:
            sheet = workbook.worksheets[0]
            sheet.reset_dimensions()  # some writers state them wrongly
            for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
                cells = [_shown(value) for value in values]
                if any(cell.strip() for cell in cells):
                    yield number, cells
    except DAMAGED as cause:
        raise CorpusError(
            f"{path}: cannot be read as a workbook ({type(cause).__name__}: {cause}); it may be damaged or locked "
            "by a password: save it again as .xlsx, or as .csv in UTF-8"
        ) from cause


def _shown(value: object) -> str:
    """A cell's value as text: 12 for a whole number, TRUE for a truth value, and so on as a sheet shows it."""
    match value:
        case None:
            return ""
        case str():
            return unescape(value)
        case bool():
            return str(value).upper()
        case float() if value.is_integer():
            return str(int(value))
        case ArrayFormula(text=text):
            return str(text)
        case _:
            return str(value)


def _header(path: Path, grid: Iterator[tuple[int, list[str] | str]]) -> tuple[str, ...]:
    """The names in the first row that is not empty; a column without one is called "column N"."""
    number, cells = next(grid, (1, []))
    if isinstance(cells, str):
        raise CorpusError(f"{path}, row {number}: the header cannot be read: {cells}")
    columns = tuple(cell.strip() or f"column {place}" for place, cell in enumerate(cells, start=1))
    for place, name in enumerate(columns):
        if name in columns[:place]:
            raise CorpusError(f"{path}, row {number}: two columns are called {name!r}; rename one")
    return columns


def _named(columns: tuple[str, ...], number: int, cells: list[str] | str, rectangular: bool) -> Row:
    if isinstance(cells, str):
        return Row(number, {}, cells)
    if rectangular and len(cells) != len(columns):
        return Row(number, {}, f"it has {len(cells)} cells and the header has {len(columns)}")
    beyond = tuple(f"column {place}" for place in range(len(columns) + 1, len(cells) + 1))
    return Row(number, {name: cell for name, cell in zip(columns + beyond, cells, strict=False) if cell})
