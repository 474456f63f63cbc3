"""Files of rows: csv, tsv, jsonl and xlsx on disk become rows with the numbers that a person sees; and back.

In: paths of files. Out: `Table`s, whose rows hold a value under each column's name or the fault that made them
unreadable. Nothing here knows what the columns mean, and no value is changed: a formula, markup or template in a
cell is text like any other. What is written for people to open (`write_table`) is text there too: a cell that a
spreadsheet would run gets an apostrophe before it, which is taken away when it is read again.

A spreadsheet row is numbered as the spreadsheet shows it (the header is row 1, an empty row counts, an answer of
three lines is one row); in jsonl it is the line. Empty rows are left out. Of an xlsx workbook the first sheet is
read, and a formula gives its own text, not its result.
"""

import csv
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from zipfile import BadZipFile

import openpyxl
from openpyxl.utils.escape import unescape
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.formula import ArrayFormula

from chatbot.bounds import BOUNDS, Bounds, check_archive, read_bytes
from chatbot.errors import CorpusError, Unavailable
from chatbot.files import decoded

TABLES = (".csv", ".jsonl", ".tsv", ".xlsx")
SHEET_CELL = 32_767  # characters that a cell of it holds
CELL_WEIGHT = 16  # characters that an empty cell counts for
DAMAGED = (  # what openpyxl lets through when a workbook is none, is truncated or was tampered with
    BadZipFile,
    InvalidFileException,
    SyntaxError,
    zlib.error,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    OSError,
    TypeError,
    ValueError,
)
_RUN = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")  # the wide forms are typed by Chinese and Japanese keyboards
_QUOTED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")
_CODED = re.compile("_(?=x[0-9A-Fa-f]{4}_)|[\x01-\x08\x0b-\x1f\ufffe\uffff]")  # not to be had in XML as it is


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


def read_table(path: Path, data: bytes | None = None, bounds: Bounds = BOUNDS) -> Table:
    """Read a file by its suffix, one of TABLES; `data` is what is in it, where that was read before. Raises
    CorpusError where there is no row to read, or more than `bounds` allow."""
    suffix = path.suffix.lower()
    data = read_bytes(path, bounds) if data is None else data
    if suffix == ".jsonl":
        rows = tuple(_objects(path, decoded(path, data), bounds))
        columns = tuple(dict.fromkeys(name for row in rows for name in row.cells))
    else:
        delimiter = "\t" if suffix == ".tsv" else ","
        if suffix == ".xlsx":
            grid = _sheet(path, data, bounds)
        else:
            grid = _separated(path, decoded(path, data), delimiter, bounds)
        columns = _header(path, grid)
        rows = tuple(_named(columns, number, cells, suffix != ".xlsx") for number, cells in grid)
    if not rows:
        raise CorpusError(f"{path}: there is no row {'below the header' if columns else 'in it'}; add the pairs")
    return Table(path, columns, rows)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A .csv (UTF-8 with the mark by which Excel knows it) or .xlsx; numbers stay numbers, None is an empty cell.
    `read_table` gives the same texts back, but for NUL and half characters, which no file holds.

    Raises CorpusError for another suffix, and for more rows or a longer text than a sheet has room for;
    Unavailable where it cannot be written."""
    lines = [[harmless(cell) for cell in line] for line in (columns, *rows)]
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".xlsx"):
        raise CorpusError(f"{path}: cannot be written as {suffix or 'a file with no suffix'}; use .csv, .xlsx")
    if suffix == ".xlsx" and len(lines) > BOUNDS.rows:
        raise CorpusError(f"{path}: a sheet holds {BOUNDS.rows:,} rows, these are {len(lines):,}; use .csv")
    if suffix == ".xlsx":
        lines = [[_coded(cell) for cell in line] for line in lines]
        longest = max((len(cell) for line in lines for cell in line if isinstance(cell, str)), default=0)
        if longest > SHEET_CELL:
            raise CorpusError(
                f"{path}: a cell holds {SHEET_CELL:,} characters, one text has {longest:,}; use .csv"
            )
    try:
        if suffix == ".csv":
            with path.open("w", encoding="utf-8-sig", newline="") as file:
                csv.writer(file).writerows(lines)
        else:
            with path.open("wb") as binary:
                workbook = openpyxl.Workbook(write_only=True)
                sheet = workbook.create_sheet()
                for line in lines:
                    sheet.append(line)
                workbook.save(binary)
    except OSError as cause:
        raise Unavailable(f"{path} cannot be written ({cause.strerror}); choose another place") from cause


def harmless(cell: object) -> str | int | float | None:
    """What a spreadsheet shows and does not run: numbers are as they are, and of a text only one that would be run
    is changed, by an apostrophe before it."""
    if cell is None or isinstance(cell, int | float):
        return cell
    text = str(cell).encode("utf-8", "replace").decode("utf-8").replace("\0", "")
    return f"'{text}" if _RUN.match(text) else text


def _coded(cell: str | int | float | None) -> str | int | float | None:
    """With the characters that XML does not have written as workbooks do: _x000D_."""
    return _CODED.sub(lambda found: f"_x{ord(found[0]):04X}_", cell) if isinstance(cell, str) else cell


def _unquoted(text: str) -> str:
    """What `harmless` was given."""
    return text[1:] if _QUOTED.match(text) else text


def _objects(path: Path, text: str, bounds: Bounds) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        if len(line) > bounds.row:
            raise CorpusError(f"{path}, line {number}: has more than {bounds.row:,} characters; shorten it")
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as cause:
            yield Row(number, {}, f"the line is not JSON ({cause})")
            continue
        if isinstance(value, dict):
            yield Row(number, {name: cell for name, cell in value.items() if cell is not None})
        else:
            yield Row(number, {}, "the line is not a JSON object")


def _separated(path: Path, text: str, delimiter: str, bounds: Bounds) -> Iterator[tuple[int, list[str] | str]]:
    """Row numbers with the cells, or with the fault of a row that is not well-formed."""
    csv.field_size_limit(max(csv.field_size_limit(), bounds.row))  # the module's own, which only ever grows
    number = taken = 0

    def lines() -> Iterator[str]:
        nonlocal taken
        for line in io.StringIO(text, newline=""):
            taken += len(line)
            if taken > bounds.row:
                raise CorpusError(
                    f"{path}, row {number}: has more than {bounds.row:,} characters; perhaps a quotation mark is "
                    "never closed, or the file has no line ends"
                )
            yield line

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    for number in count(1):
        taken = 0
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as cause:
            yield number, f"a quotation mark is out of place or never closed ({cause})"
            continue
        _check_width(path, number, len(cells), bounds)
        if any(cell.strip() for cell in cells):
            yield number, list(map(_unquoted, cells))


def _sheet(path: Path, data: bytes, bounds: Bounds) -> Iterator[tuple[int, list[str] | str]]:
    """Row numbers with the cells of a workbook's first sheet; rows may differ in length."""
    taken = 0
    try:
        check_archive(path, data, bounds)
        with closing(openpyxl.load_workbook(io.BytesIO(data), read_only=True)) as workbook:
            sheet = workbook.worksheets[0]
            sheet.reset_dimensions()  # some writers state them wrongly
            for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
                if number > bounds.rows:
                    raise CorpusError(f"{path}: has more than {bounds.rows:,} rows; divide it into several files")
                _check_width(path, number, len(values), bounds)
                cells = [_shown(value) for value in values]
                taken += sum(len(cell) + CELL_WEIGHT for cell in cells)  # one text may stand in many cells
                if taken > bounds.whole:
                    raise CorpusError(f"{path}, row {number}: there is more in the cells than in any such file")
                if any(cell.strip() for cell in cells):
                    yield number, list(map(_unquoted, cells))
    except DAMAGED as cause:
        raise CorpusError(
            f"{path}: cannot be read as a workbook ({type(cause).__name__}: {cause}); it may be damaged or locked "
            "by a password: save it again as .xlsx, or as .csv in UTF-8"
        ) from cause


def _check_width(path: Path, number: int, columns: int, bounds: Bounds) -> None:
    if columns > bounds.columns:
        raise CorpusError(
            f"{path}, row {number}: has {columns:,} columns, more than {bounds.columns:,}; check the delimiter"
        )


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
    if twice := [name for name, times in Counter(columns).items() if times > 1]:
        raise CorpusError(f"{path}, row {number}: two columns are called {twice[0]!r}; rename one")
    return columns


def _named(columns: tuple[str, ...], number: int, cells: list[str] | str, rectangular: bool) -> Row:
    if isinstance(cells, str):
        return Row(number, {}, cells)
    if rectangular and len(cells) != len(columns):
        return Row(number, {}, f"it has {len(cells)} cells and the header has {len(columns)}")
    beyond = tuple(f"column {place}" for place in range(len(columns) + 1, len(cells) + 1))
    return Row(number, {name: cell for name, cell in zip(columns + beyond, cells, strict=False) if cell})
