"""Files that a bot is judged by: what comes out of them, and that a bad line is an error that names it."""

import json
from pathlib import Path

import pytest

from chatbot.domain import HeldOutDialogue, HeldOutTurn, Match, Role
from chatbot.errors import CorpusError
from chatbot.held_out import read_dialogues, read_matches

# --- dialogues and matches


def test_dialogues(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "text": "Hi"},
        {"role": "agent", "text": "Hello"},
        {"role": "user", "text": "Pay?", "expected": ["a", "b"]},
    ]
    dialogues = [
        {"id": "d1", "language": "en", "turns": turns},
        {"id": "d2", "language": "zh-CN", "turns": [{"role": "user", "text": "天气", "expected": []}]},
    ]
    path = tmp_path / "d.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in dialogues), "utf-8")
    assert read_dialogues([path]) == (
        HeldOutDialogue(
            "d1",
            "en",
            (
                HeldOutTurn(Role.USER, "Hi", None),
                HeldOutTurn(Role.AGENT, "Hello", None),
                HeldOutTurn(Role.USER, "Pay?", ("a", "b")),
            ),
        ),
        HeldOutDialogue("d2", "zh", (HeldOutTurn(Role.USER, "天气", ()),)),
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "Invalid JSON"),
        ('{"id": "x", "turns": []}', "language: Field required"),
        ('{"id": "x", "language": "en", "turns": []}', "dialogue 'x' has no turns"),
        (
            '{"id": "x", "language": "en", "turns": [{"role": "bot", "text": "t"}]}',
            "turns.0.role: Input should be",
        ),
        ('{"id": "x", "language": "en", "turns": [{"role": "user", "text": 5}]}', "turns.0.text: Input should be"),
        (
            '{"id": "x", "language": "en", "turns": [{"role": "user", "text": "t", "expected": "a"}]}',
            "turns.0.expected: Input should be a valid array",
        ),
        (
            '{"id": "x", "language": "en", "turns": [{"role": "agent", "text": "t", "expected": []}]}',
            "an agent's turn has `expected`; only a user's turn can be scored",
        ),
        (
            '{"id": "x", "language": "Klingon", "turns": [{"role": "user", "text": "t"}]}',
            "the language 'Klingon' is not a code such as en or zh",
        ),
        (
            '{"id": "d1", "language": "en", "turns": [{"role": "user", "text": "t"}]}',
            "dialogue 'd1' was already in {path}, line 1; rename one",
        ),
    ],
)
def test_bad_dialogues_name_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(
        f'{{"id": "d1", "language": "en", "turns": [{{"role": "user", "text": "t"}}]}}\n\n{line}\n', "utf-8"
    )
    with pytest.raises(CorpusError) as error:
        read_dialogues([path])
    assert str(error.value).startswith(f"{path}, line 3: ")
    assert message.replace("{path}", str(path)) in str(error.value)


def test_matches(tmp_path: Path) -> None:
    path = tmp_path / "m.tsv"
    path.write_bytes('\ufeff"how\tto pay"\t1\r\n怎么 退货\t如何退货\t0'.encode())
    assert read_matches([path]) == (Match('"how', 'to pay"', True), Match("怎么 退货", "如何退货", False))


@pytest.mark.parametrize("line", ["a\tb", "a\tb\t2", "a\tb\tc\t1", "\tb\t1", "a\t \t0", "a\tb\t1 "])
def test_bad_matches_name_the_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "m.tsv"
    path.write_text(f"a\tb\t1\n{line}\n", "utf-8")
    with pytest.raises(
        CorpusError, match=r"m\.tsv, line 2: expected question TAB question TAB 0 or 1, found \d cells"
    ):
        read_matches([path])


def test_empty_evaluation_files_are_errors(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_bytes(b"\n")
    (tmp_path / "m.tsv").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"d\.jsonl: the file is empty"):
        read_dialogues([tmp_path])
    with pytest.raises(CorpusError, match=r"m\.tsv: the file is empty"):
        read_matches([tmp_path])
