"""The hit test: questions in, what the bot would do out. Similarity alone decides (see test_converse)."""

from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest

from chatbot.answer import Templates
from chatbot.converse import Chatbot
from chatbot.corpus import BadRow
from chatbot.domain import Action, QAPair, Reason
from chatbot.errors import CorpusError
from chatbot.insight.hittest import COLUMNS, MOST, Hit, Outcome, Probe, ask, pasted, read, rows, summary
from chatbot.retrieve import Retriever
from chatbot.settings import Retrieve, Settings
from chatbot.tabular import write_table
from tests.fakes import BY_SIMILARITY, ExactIndex, FakeEncoder, SharedWords, pair

ENGLISH = (pair("where is my parcel", "parcel"), pair("refund when", "refund"), pair("invoice please", "invoice"))
CHINESE = (pair("我的包裹在哪里", "parcel", language="zh"), pair("退款要多久", "refund", language="zh"))
IDS = ("parcel", "refund", "invoice")


def chatbot() -> Chatbot:
    def line(pairs: Sequence[QAPair], words: Sequence[str]) -> Retriever:
        return Retriever.build(pairs, FakeEncoder(words), ExactIndex, SharedWords, None, BY_SIMILARITY, Retrieve())

    lines = {"en": line(ENGLISH, ("parcel", "refund", "invoice")), "zh": line(CHINESE, ("包裹", "退款"))}
    return Chatbot(lines, Templates(), Settings.parse({"routes": {"*": {"encoder": "one"}}}, "test"))


def probe(text: str, *expected: str) -> Probe:
    return Probe(text, frozenset(expected))


def test_each_outcome_in_both_languages() -> None:
    hits = ask(
        [
            probe("my parcel", "parcel"),
            probe("包裹呢", "parcel", "refund"),
            probe("parcel", "refund"),
            probe("parcel or refund", "refund"),
            probe("parcel or refund", "invoice"),
            probe("包裹 退款"),
            probe("do you sell tea"),
            probe("do you sell tea", "invoice"),
            probe("I want a person"),
            probe("refund"),
            Probe("谢谢"),
        ],
        chatbot(),
        IDS,
    )
    assert [(str(hit.outcome), str(hit.action), hit.answer_id, hit.language) for hit in hits] == [
        ("right", "answer", "parcel", "en"),
        ("right", "answer", "parcel", "zh"),
        ("wrong", "answer", "parcel", "en"),
        ("offered", "clarify", None, "en"),
        ("offered", "clarify", None, "en"),  # the third of three
        ("missed", "clarify", None, "zh"),
        ("right", "hand_over", None, "en"),
        ("missed", "hand_over", None, "en"),
        ("right", "hand_over", None, "en"),
        ("wrong", "answer", "refund", "en"),
        ("unjudged", "chat", None, "zh"),
    ]
    assert [hit.rank for hit in hits] == [1, 1, 3, 2, 3, None, None, 1, None, None, None]


def test_a_hit_by_hand() -> None:
    (hit,) = ask([probe("My PARCEL", "parcel", "gone")], chatbot(), IDS)
    assert hit == Hit(
        probe=probe("My PARCEL", "gone", "parcel"),
        outcome=Outcome.RIGHT,
        action=Action.ANSWER,
        reason=Reason.CONFIDENT,
        answer_id="parcel",
        confidence=pytest.approx(1, abs=1e-6),  # type: ignore[arg-type]
        language="en",
        candidates=hit.candidates,
        rank=1,
        unknown=("gone",),
    )
    assert [(c.pair.answer_id, round(c.similarity, 3)) for c in hit.candidates] == [
        ("parcel", 1.0),
        ("invoice", 0.5),
        ("refund", 0.5),
    ]


def test_the_summary_counts() -> None:
    bot = chatbot()
    found = summary(ask([probe("parcel", "parcel"), probe("refund", "lost"), Probe("tea")], bot, IDS))
    assert (found.questions, found.actions[Action.ANSWER], found.actions[Action.HAND_OVER]) == (3, 2, 1)
    assert {name: count for name, count in found.outcomes.items() if count} == {
        Outcome.RIGHT: 1,
        Outcome.WRONG: 1,
        Outcome.UNJUDGED: 1,
    }
    assert (found.first, found.among, found.unknown) == (0.5, 0.5, ("lost",))
    nothing = summary([])
    assert (nothing.questions, nothing.first, nothing.among) == (0, None, None)


def test_what_is_pasted_is_one_question_a_line() -> None:
    assert pasted(" where is it \n\n\u200b\n退款\r\n").probes == (Probe("where is it"), Probe("退款"))
    assert pasted("").probes == ()
    with pytest.raises(CorpusError, match=r"100,000 questions are too many for one test; give at most 5,000"):
        pasted("where\n" * 100_000)
    assert len(pasted("where\n" * MOST).probes) == MOST


def test_a_file_with_expectations(tmp_path: Path) -> None:
    file = tmp_path / "test.csv"
    file.write_text(
        'ID, Question ,Expected\n1,where,parcel | refund\n2,tea,-\n3,退款,\n4,  ,x\n5,"=1+1",\'-\n', "utf-8"
    )
    found = read(file)
    assert found.probes == (
        probe("where", "parcel", "refund"),
        probe("tea"),
        Probe("退款"),
        probe("=1+1"),
    )
    assert found.bad_rows == (BadRow("test.csv", 5, "the question is empty"),)


def test_a_workbook_with_hidden_columns_is_read_by_its_names(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    for row in (("note", "question", "expected"), ("secret", "where", "parcel"), ("secret", "=1+1", None)):
        sheet.append(row)
    sheet.column_dimensions["A"].hidden = True
    sheet.column_dimensions["C"].hidden = True
    workbook.save(tmp_path / "test.xlsx")
    assert read(tmp_path / "test.xlsx").probes == (probe("where", "parcel"), Probe("=1+1"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,expected\nwhere,x\n", r"no column 'question'; found 'text', 'expected'"),
        ("a.csv", "question\n", r"there is no row below the header"),
        ("a.jsonl", '{"question": 7}\n', None),
        ("a.txt", "question\n", r"cannot be read as \.txt"),
        ("a.csv", "question\n" + "where\n" * (MOST + 1), r"5,001 questions are too many"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, content: str, message: str | None) -> None:
    file = tmp_path / name
    file.write_text(content, "utf-8")
    if message is None:
        assert read(file).bad_rows == (BadRow(name, 1, "question and expected must be text; put them in quotes"),)
        return
    with pytest.raises(CorpusError, match=message):
        read(file)
    with pytest.raises(CorpusError, match="is a folder; give one file"):
        read(tmp_path)
    with pytest.raises(CorpusError, match="no such file"):
        read(tmp_path / "missing.csv")


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_the_rows_are_written_and_can_be_read_again(tmp_path: Path, suffix: str) -> None:
    hits = ask([probe("my parcel", "refund", "parcel"), probe("=1+1 包裹?"), Probe("tea")], chatbot(), IDS)
    table = rows(hits)
    assert {len(row) for row in table} == {len(COLUMNS)}
    assert table[0][:13] == (
        *("my parcel", "parcel|refund", "right", "answer", "confident", "parcel", 1.0, "en", 1),
        *("parcel", 1.0, 0.0, 1.0),
    )
    assert (table[1][1], table[2][1]) == ("-", "")
    file = tmp_path / f"hits.{suffix}"
    write_table(file, COLUMNS, table)
    again = read(file).probes
    assert again == (hits[0].probe, probe("=1+1 包裹?"), hits[2].probe)
