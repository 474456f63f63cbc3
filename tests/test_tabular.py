"""Tables that people open in a spreadsheet: nothing in them runs; and tables that somebody gives, which may mean
harm: they are read within bounds."""

import csv
import io
import os
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import openpyxl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from chatbot.bounds import SMALL, Bounds, check_archive, read_bytes
from chatbot.errors import CorpusError, Unavailable
from chatbot.files import find_files
from chatbot.learn.evaluate import write_csv
from chatbot.tabular import read_table, write_table

RUNS = [
    '=HYPERLINK("http://x")',
    "+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(A1)",
]
ROWS = [("退款 & more", 0.5, None, -3), ("a\nb", 7, "x=1", True)]


def test_a_csv_has_the_mark_that_excel_knows_and_numbers_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    write_table(file, ("text", "n", "=column", "m"), ROWS)
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    with file.open(encoding="utf-8-sig", newline="") as opened:
        assert list(csv.reader(opened)) == [
            ["text", "n", "'=column", "m"],
            ["退款 & more", "0.5", "", "-3"],
            ["a\nb", "7", "x=1", "True"],
        ]


def test_a_workbook_keeps_numbers_as_numbers(tmp_path: Path) -> None:
    file = tmp_path / "out.xlsx"
    write_table(file, ("text", "n", "c", "m"), ROWS)
    sheet = openpyxl.load_workbook(file).active
    assert sheet is not None
    assert list(sheet.iter_rows(values_only=True)) == [("text", "n", "c", "m"), *ROWS]


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"out.{suffix}"
    write_table(file, ("cell",), [(text,) for text in RUNS])
    if suffix == "xlsx":
        sheet = openpyxl.load_workbook(file).active
        assert sheet is not None
        cells = [cell for (cell,) in sheet.iter_rows(min_row=2)]
        assert {cell.data_type for cell in cells} == {"s"}
        found = [unescape(str(cell.value)) for cell in cells]
    else:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            found = [text for (text,) in csv.reader(opened)][1:]
    assert [text[:2] for text in found] == [f"'{text[0]}" for text in RUNS]
    assert [row.cells["cell"] for row in read_table(file).rows] == RUNS


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
@example(text="'=1")
@example(text="''-1")
@example(text="'quoted'")
@example(text="_x0041_x000D_")
@example(text="\ufeffa\r\nb\rc\x0b\ufffe\uffff\x7f\u2028\x85")
@example(text="#N/A")
@example(text="007")
def test_what_is_written_is_read_again_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, text: str
) -> None:
    file = tmp_path_factory.mktemp("tables") / f"out.{suffix}"
    write_table(file, ("n", "=cell"), [(1, text)])
    table = read_table(file)
    assert (table.columns, [dict(row.cells) for row in table.rows]) == (
        ("n", "=cell"),
        [{"n": "1", "=cell": text}],
    )


def test_a_text_that_no_sheet_holds_is_not_cut(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"a cell holds 32,767 characters, one text has 32,768; use \.csv"):
        write_table(tmp_path / "out.xlsx", ("cell",), [("x" * 32_768,)])
    write_table(tmp_path / "out.csv", ("cell",), [("x" * 32_768,)])
    assert read_table(tmp_path / "out.csv").rows[0].cells == {"cell": "x" * 32_768}


def test_a_file_that_was_read_before_is_not_read_again(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    assert read_table(file, b"question\nwhere?\n").rows[0].cells == {"question": "where?"}


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_what_no_file_can_hold_is_left_out(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"out.{suffix}"
    write_table(file, ("cell",), [("a\x00b\x0bc",), ("half \ud83d",)])
    assert [row.cells["cell"] for row in read_table(file).rows] == ["ab\x0bc", "half ?"]


def test_a_hundred_thousand_rows(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    write_table(file, ("n", "text"), ((n, "=1") for n in range(100_000)))
    table = read_table(file)
    assert (len(table.rows), table.rows[-1].cells) == (100_000, {"n": "99999", "text": "=1"})


def test_other_kinds_and_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"cannot be written as \.pdf; use \.csv, \.xlsx"):
        write_table(tmp_path / "out.pdf", ("a",), [])
    for suffix in ("csv", "xlsx"):
        with pytest.raises(Unavailable, match="cannot be written"):
            write_table(tmp_path / "missing" / f"out.{suffix}", ("a",), [])


def test_what_scripts_read_has_numbers_as_they_are_and_texts_that_do_not_run(tmp_path: Path) -> None:
    rows = [("d1", -2, -0.5, None, "5-1 = 4, 'quoted'"), *(("d2", 1, 1e-9, True, text) for text in RUNS)]
    write_csv(tmp_path / "predictions.csv", ("id", "turn", "relevance", "right", "text"), rows)
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.reader(file))
    assert found[:2] == [["id", "turn", "relevance", "right", "text"], ["d1", "-2", "-0.5", "", rows[0][4]]]
    assert found[2:] == [["d2", "1", "1e-09", "True", f"'{text}"] for text in RUNS]
    assert [row.cells["text"] for row in read_table(tmp_path / "predictions.csv").rows] == [row[4] for row in rows]


SPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def workbook(
    parts: Mapping[str, bytes], shown: str = "<row><c t='inlineStr'><is><t>a</t></is></c></row>"
) -> bytes:
    """A workbook of one sheet as openpyxl writes it, with parts put in the place of its own."""
    made = io.BytesIO()
    openpyxl.Workbook().save(made)
    sheet = f"<worksheet {SPACE}><sheetData>{shown}</sheetData></worksheet>".encode()
    changed = io.BytesIO()
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        kept = {name: old.read(name) for name in old.namelist()}
        for name, content in (kept | {"xl/worksheets/sheet1.xml": sheet} | dict(parts)).items():
            new.writestr(name, content)
    return changed.getvalue()


def row(number: int, column: str = "A") -> str:
    return f'<row r="{number}"><c r="{column}{number}" t="inlineStr"><is><t>a</t></is></c></row>'


LAUGHS = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
BILLION = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "ha">{LAUGHS}]>'
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e9 SYSTEM "file:///etc/passwd">]>'
SHEET = (
    f'<worksheet {SPACE}><sheetData><row><c t="inlineStr"><is><t>&e9;</t></is></c></row></sheetData></worksheet>'
)


class TestAHostileWorkbook:
    def test_the_frame_of_these_tests_is_a_workbook(self) -> None:
        table = read_table(Path("w.xlsx"), workbook({}, row(1) + row(3)))
        assert [(one.number, one.cells) for one in table.rows] == [(3, {"a": "a"})]

    @pytest.mark.parametrize("prolog", [BILLION, OUTSIDE], ids=["laughs", "outside"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
    @pytest.mark.parametrize("part", ["worksheets/sheet1", "workbook", "sharedStrings", "styles"])
    def test_entities_are_not_expanded(self, part: str, encoding: str, prolog: str) -> None:
        said = (prolog.replace("?>", f' encoding="{encoding}"?>' + " " * 70_000, 1) + SHEET).encode(encoding)
        start = time.monotonic()
        with pytest.raises(CorpusError, match=rf"^w\.xlsx, xl/{part}\.xml: declares a document type"):
            read_table(Path("w.xlsx"), workbook({f"xl/{part}.xml": said}, row(1) + row(2)))
        assert time.monotonic() - start < 5

    def test_a_part_that_is_no_xml_is_told(self) -> None:
        for part in ("xl/workbook.xml", "xl/styles.xml"):
            with pytest.raises(CorpusError, match=r"^w\.xlsx: cannot be read as a workbook"):
                read_table(Path("w.xlsx"), workbook({part: b"\x00<"}, row(1) + row(2)))

    def test_a_zip_bomb_is_not_unpacked(self) -> None:
        data = workbook({"xl/worksheets/sheet1.xml": b" " * 3 * SMALL})
        assert len(data) < 50_000
        with pytest.raises(
            CorpusError, match=r"^w\.xlsx, xl/worksheets/sheet1\.xml: unpacks to more than 10,000,000"
        ):
            read_table(Path("w.xlsx"), data)

    def test_nor_one_that_lies_about_its_size(self) -> None:
        honest, lying = (3 * SMALL).to_bytes(4, "little"), (100).to_bytes(4, "little")
        data = workbook({"xl/worksheets/sheet1.xml": b" " * 3 * SMALL})
        assert data.count(honest) == 2
        with pytest.raises(CorpusError, match=r"cannot be read as a workbook \(BadZipFile"):
            read_table(Path("w.xlsx"), data.replace(honest, lying))

    def test_many_small_parts_are_refused(self) -> None:
        data = workbook({f"xl/{number}": b"" for number in range(50)})
        with pytest.raises(CorpusError, match=r"^w\.xlsx: holds \d+ parts, more than 20; save it as \.csv"):
            check_archive(Path("w.xlsx"), data, Bounds(members=20))

    def test_a_locked_one_is_told(self) -> None:
        data = bytearray(workbook({}, row(1) + row(2)))
        for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            at = -1
            while (at := data.find(mark, at + 1)) >= 0:
                data[at + place] |= 1
        with pytest.raises(CorpusError, match="locked by a password"):
            read_table(Path("w.xlsx"), bytes(data))

    @pytest.mark.parametrize(
        ("shown", "message"),
        [
            (row(1) + row(2_000_000_000), r"^w\.xlsx: has more than 1,048,576 rows"),
            (
                row(1) + row(2, "ZZZ"),
                r"^w\.xlsx, row 2: has 18,278 columns, more than 16,384; check the delimiter",
            ),
            ("".join(row(n, "XFD") for n in range(1, 3000)), r"^w\.xlsx, row \d+: there is more in the cells"),
        ],
    )
    def test_a_few_cells_do_not_stand_for_millions(self, shown: str, message: str) -> None:
        with pytest.raises(CorpusError, match=message):
            read_table(Path("w.xlsx"), workbook({}, shown))

    def test_nor_does_one_text_in_many_cells(self) -> None:
        text = f"<sst {SPACE}><si><t>{'x' * 100_000}</t></si></sst>"
        cells = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 200))
        with zipfile.ZipFile(io.BytesIO(workbook({}))) as plain:
            kinds = plain.read("[Content_Types].xml").decode()
        strings = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
        one = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{strings}"/></Types>'
        kinds = kinds.replace("</Types>", one)
        data = workbook({"xl/sharedStrings.xml": text.encode(), "[Content_Types].xml": kinds.encode()}, cells)
        with pytest.raises(CorpusError, match=r"^w\.xlsx, row 10\d: there is more in the cells"):
            read_table(Path("w.xlsx"), data, Bounds(whole=10_000_000))


class TestBounds:
    def test_a_file_that_is_too_large_is_not_read_whole(self, tmp_path: Path) -> None:
        file = tmp_path / "pairs.csv"
        with file.open("wb") as opened:
            opened.truncate(1 << 40)  # a terabyte of nothing
        with pytest.raises(
            CorpusError, match=r"pairs\.csv: has more than 1,000 bytes; divide it into several files"
        ):
            read_table(file, bounds=Bounds(whole=1000))

    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("p.csv", "a,b\n1,2\n" + "x" * 2000, r"p\.csv, row 3: has more than 1,000 characters; perhaps a"),
            ("p.csv", "a,b\n1,2\n" + '"x\n' + "y\n" * 900, r"p\.csv, row 3: has more than 1,000 characters"),
            ("p.csv", "a,b\n1," + '"\n",' * 900, r"p\.csv, row 2: has more than 1,000 characters"),
            ("p.csv", "," * 60, r"p\.csv, row 1: has 61 columns, more than 50; check the delimiter"),
            ("p.tsv", "a\tb\n" + "\t" * 60, r"p\.tsv, row 2: has 61 columns, more than 50"),
            ("p.jsonl", '{"a": 1}\n{"a": "' + "x" * 2000, r"p\.jsonl, line 2: has more than 1,000 characters"),
        ],
    )  # fmt: skip
    def test_a_row_that_is_too_long_is_named(self, tmp_path: Path, name: str, text: str, message: str) -> None:
        (tmp_path / name).write_text(text, "utf-8")
        with pytest.raises(CorpusError, match=message):
            read_table(tmp_path / name, bounds=Bounds(row=1000, columns=50))

    def test_ten_million_columns_take_a_moment(self) -> None:
        start = time.monotonic()
        with pytest.raises(CorpusError, match=r"p\.csv, row 1: has 9,999,999 columns, more than 16,384"):
            read_table(Path("p.csv"), b"," * 9_999_998 + b"\n")
        assert time.monotonic() - start < 10

    def test_many_columns_are_named_quickly(self) -> None:
        names = ",".join(f"c{n}" for n in range(16_384))
        start = time.monotonic()
        assert len(read_table(Path("p.csv"), f"{names}\n{names}\n".encode()).columns) == 16_384
        assert time.monotonic() - start < 2

    def test_a_device_or_a_pipe_is_no_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.csv")
        for path in (tmp_path / "pipe.csv", Path("/dev/zero"), tmp_path):
            with pytest.raises(CorpusError, match="is no file of data, but a device, a pipe or a folder"):
                read_bytes(path)


class TestFolders:
    def test_a_link_that_leads_out_of_a_folder_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "secret.csv").write_text("a\n1\n", "utf-8")
        folder = tmp_path / "pairs"
        folder.mkdir()
        (folder / "own.csv").write_text("a\n1\n", "utf-8")
        (folder / "link.csv").symlink_to(folder / "own.csv")
        assert find_files([folder], [".csv"]) == (folder / "link.csv", folder / "own.csv")
        (folder / "out.csv").symlink_to("../secret.csv")
        with pytest.raises(
            CorpusError, match=r"out\.csv: is a link that leads out of its folder, to .*secret\.csv"
        ):
            find_files([folder], [".csv"])
        assert find_files([folder / "out.csv"], [".csv"]) == (folder / "out.csv",)  # who names it means it

    def test_a_name_that_no_file_can_have_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(CorpusError, match="there is no such file or folder"):
            find_files([tmp_path / "a\0.csv"], [".csv"])
