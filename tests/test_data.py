"""The demo company's data: the check passes on what ships, and finds what somebody may break."""

import csv
import json
import re
import runpy
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from chatbot.slots import Checksum
from data.demo import orders

DATA = Path(__file__).parent.parent / "data"
CHECK = DATA / "check.py"
DEMO = DATA / "demo"
main: Callable[[list[str]], int] = runpy.run_path(str(CHECK))["main"]

Pairs = list[list[str]]  # rows of question, answer, answer_id, language; the first is the header
Dialogues = list[dict[str, object]]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO, tmp_path / "demo"))


def pairs(folder: Path, language: str) -> Pairs:
    with (folder / f"pairs_{language}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def write_pairs(folder: Path, language: str, rows: Pairs) -> None:
    """Rows may leave out the last cells."""
    with (folder / f"pairs_{language}.csv").open("w", encoding="utf-8", newline="") as file:
        whole = ([*row, *[""] * (len(rows[0]) - len(row))] for row in rows)
        csv.writer(file, lineterminator="\n").writerows(whole)


def dialogues(folder: Path, language: str) -> list[str]:
    return (folder / f"dialogues_{language}.jsonl").read_text("utf-8").splitlines()


def write_dialogues(folder: Path, language: str, lines: list[str]) -> None:
    (folder / f"dialogues_{language}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")


def one_dialogue(name: str, text: str, expected: list[str], language: str = "en") -> str:
    turns = [{"role": "user", "text": text, "expected": expected}]
    return json.dumps({"id": name, "language": language, "turns": turns}, ensure_ascii=False)


def offences(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the check says against `folder`; the exit code must agree."""
    code = main([str(folder)])
    found = capsys.readouterr().err.splitlines()
    assert code == (1 if found else 0)
    return found


def test_the_shipped_data_has_no_offence_and_the_card_has_its_counts(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, CHECK], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    card = (DATA / "README.md").read_text("utf-8")
    assert done.stdout in card, "run: python data/check.py --write"


def test_an_untouched_copy_passes(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert offences(copy, capsys) == []


def test_a_question_twice_names_both_lines(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pairs(copy, "en")
    question = "  " + rows[1][0].upper() + " ?!"  # the same letters
    write_pairs(copy, "en", [*rows, [question, *rows[1][1:]]])
    file = copy / "pairs_en.csv"
    assert offences(copy, capsys) == [
        f"{file}, line {len(rows) + 1}: the question {question!r} is already at {file}, line 2"
    ]


def test_a_question_in_both_languages_is_twice(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    english, chinese = pairs(copy, "en"), pairs(copy, "zh")
    write_pairs(copy, "zh", [*chinese, [english[5][0], *chinese[1][1:]]])
    found = offences(copy, capsys)
    assert found == [
        f"{copy / 'pairs_zh.csv'}, line {len(chinese) + 1}: the question {english[5][0]!r} is already at "
        f"{copy / 'pairs_en.csv'}, line 6"
    ]


def test_a_held_out_text_among_the_questions(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, lines = pairs(copy, "en"), dialogues(copy, "en")
    text = rows[1][0].title() + "??"
    write_dialogues(copy, "en", [*lines, "", one_dialogue("leak", text, [rows[1][2]])])
    assert offences(copy, capsys) == [
        f"{copy / 'dialogues_en.jsonl'}, line {len(lines) + 2}, turn 1: {text!r} is the training question at "
        f"{copy / 'pairs_en.csv'}, line 2"
    ]


def test_a_near_duplicate_across_the_split(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, lines = pairs(copy, "zh"), dialogues(copy, "zh")
    place = next(i for i, row in enumerate(rows) if len(row[0]) > 25)
    text = rows[place][0] + "嗯"
    write_dialogues(copy, "zh", [*lines, one_dialogue("leak", text, [rows[place][2]], "zh")])
    (found,) = offences(copy, capsys)
    assert found.startswith(f"{copy / 'dialogues_zh.jsonl'}, line {len(lines) + 1}, turn 1: {text!r} is 9")
    assert found.endswith(
        f"like the training question {rows[place][0]!r} at {copy / 'pairs_zh.csv'}, line {place + 1}"
    )


def test_short_texts_are_no_near_duplicates(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Seven letters against eight, one of them more: a ratio of 93."""
    rows, lines = pairs(copy, "en"), dialogues(copy, "en")
    write_pairs(copy, "en", [*rows, ["qwxzvkjq", *rows[1][1:]]])
    write_dialogues(copy, "en", [*lines, one_dialogue("short", "qwxzvkj", [rows[1][2]])])
    assert offences(copy, capsys) == []


def test_an_expected_answer_that_no_pair_has(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = dialogues(copy, "en")
    write_dialogues(copy, "en", [*lines, one_dialogue("unknown", "zebra crossing?", ["no_such_answer"])])
    assert offences(copy, capsys) == [
        f"{copy / 'dialogues_en.jsonl'}, line {len(lines) + 1}, turn 1: expects the answer 'no_such_answer', "
        f"which {copy / 'pairs_en.csv'} does not have"
    ]


def test_an_answer_in_one_language_only(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pairs(copy, "en")
    write_pairs(copy, "en", [*rows, ["zebra crossing?", "On stripes.", "zebra", "en"]])
    assert offences(copy, capsys) == [
        f"{copy / 'pairs_en.csv'}, line {len(rows) + 1}: the answer 'zebra' is not in {copy / 'pairs_zh.csv'}"
    ]


def test_an_answer_with_two_texts(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pairs(copy, "en")
    write_pairs(copy, "en", [*rows, ["zebra crossing?", "Another text.", *rows[1][2:]]])
    assert offences(copy, capsys) == [
        f"{copy / 'pairs_en.csv'}, line {len(rows) + 1}: the answer {rows[1][2]!r} has another text at "
        f"{copy / 'pairs_en.csv'}, line 2"
    ]


def test_the_wrong_language(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Said of the file where its questions are foreign, of the line where an answer or the stated language is."""
    rows = pairs(copy, "zh")
    write_pairs(copy, "zh", [rows[0], *([f"zebra number {i} qx", *row[1:]] for i, row in enumerate(rows[1:]))])
    (found,) = (line for line in offences(copy, capsys) if "by script" in line)
    assert found == (
        f"{copy / 'pairs_zh.csv'}: 0.0% of {len(rows) - 1:,} texts are Chinese by script; at least 85% is meant; "
        f"the first that is not: {copy / 'pairs_zh.csv'}, line 2"
    )
    write_pairs(copy, "zh", [*rows, ["斑马在哪里呢", "On stripes.", "track_parcel", "en"]])
    place = f"{copy / 'pairs_zh.csv'}, line {len(rows) + 1}"
    found_lines = offences(copy, capsys)
    assert f"{place}: its language is 'en', not 'zh'" in found_lines
    assert f"{place}: the answer is not Chinese" in found_lines


def test_a_dialogue_under_the_other_language(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = dialogues(copy, "en")
    write_dialogues(copy, "en", [*lines, one_dialogue("foreign", "zebra crossing?", [], "zh")])
    assert offences(copy, capsys) == [
        f"{copy / 'dialogues_en.jsonl'}, line {len(lines) + 1}: its language is 'zh', not 'en'"
    ]


def test_too_few_of_everything(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for language in ("en", "zh"):
        rows = pairs(copy, language)
        kept = sorted({row[2] for row in rows[1:]})[:2]
        write_pairs(copy, language, [rows[0], *(row for row in rows[1:] if row[2] in kept)])
        text = {"en": "zebra?", "zh": "斑马？"}[language]
        write_dialogues(copy, language, [one_dialogue(f"zebra {i}", text, [], language) for i in range(3)])
    found = "\n".join(offences(copy, capsys))
    for name in ("pairs_en.csv: 2 answers; at least 80", "pairs_zh.csv: 2 answers; at least 80"):
        assert name in found
    for language in ("en", "zh"):
        for fault in (
            "3 dialogues; at least 75",
            "3 user turns; at least 250",
            "100.0% of the scored turns are out of scope; 20% to 32% is meant",
        ):
            assert f"dialogues_{language}.jsonl: {fault}" in found
    assert re.search(r"pairs_en\.csv and \S+pairs_zh\.csv: \d+ questions in all; at least 1,200 are needed", found)


def test_a_row_or_line_that_cannot_be_read(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, lines = pairs(copy, "en"), dialogues(copy, "en")
    write_dialogues(copy, "en", [*lines, "{not json"])
    assert f"dialogues_en.jsonl, line {len(lines) + 1}: " in "\n".join(offences(copy, capsys))
    write_pairs(copy, "en", [*rows, ["", *rows[1][1:]]])
    assert f"pairs_en.csv, row {len(rows) + 1}: the question is empty" in "\n".join(offences(copy, capsys))


def test_the_orders_are_the_same_each_time_and_have_right_check_digits(tmp_path: Path) -> None:
    orders.write(tmp_path / "orders.sqlite")
    orders.write(tmp_path / "orders.sqlite")  # over the first
    with closing(sqlite3.connect(tmp_path / "orders.sqlite")) as database:
        rows = database.execute("SELECT * FROM orders ORDER BY rowid").fetchall()
    assert rows == list(orders.orders())
    assert (len(rows), rows[0][0]) == (200, "KW-10000016")
    assert all(Checksum.LUHN.holds(number) for number, *_ in rows)
    assert all((tracking != "") == (status in orders.TRACKED) for _, status, _, tracking in rows)
    assert [file.name for file in tmp_path.iterdir()] == ["orders.sqlite"]


@pytest.mark.parametrize(("language", "words"), [("en", 0), ("zh", 1)])
def test_the_orders_states_are_those_that_the_shop_explains(language: str, words: int) -> None:
    answers = {row[1] for row in pairs(DEMO, language) if row[2] == "order_status_meaning"}
    (answer,) = answers
    assert all(status[words] in answer for status in orders.STATUSES.items())
