"""Ingest: what comes out of files of every format, what is merged, what is reported, and what is refused."""

import csv
import io
import json
import random
import time
import unicodedata
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.exceptions import IllegalCharacterError

from chatbot.corpus import BadRow, BadRows, Corpus, read_pairs
from chatbot.domain import QAPair
from chatbot.errors import CorpusError
from chatbot.merge import WINDOW, ConflictingAnswers, Contradiction, merge
from chatbot.text import clean, detect_language, letters

HEADER = ("question", "answer", "answer_id", "language")


def write_csv(path: Path, rows: list[tuple[str, ...]], encoding: str = "utf-8", delimiter: str = ",") -> Path:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def write_jsonl(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def write_xlsx(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    for row in rows:
        sheet.append(list(row))
    workbook.save(path)
    return path


def said(corpus: Corpus) -> list[tuple[str, str, str, str]]:
    return [(pair.question, pair.answer, pair.answer_id, pair.language) for pair in corpus.pairs]


def reasons(corpus: Corpus) -> list[tuple[int, str]]:
    return [(bad.row, bad.reason) for bad in corpus.report.bad_rows]


def row(question: str, answer_id: str = "a", answer: str = "yes", language: str = "en") -> QAPair:
    return QAPair(QAPair.content_id(question, answer_id, language), question, answer, answer_id, language)


# --- clean, letters, detect_language


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  How\tdo \r\n I  pay?  ", "How do I pay?"),
        ("Ｈｅｌｌｏ　ＡＢＣ１２３！", "Hello ABC123!"),
        ("\ufeffzero\u200bwidth\u2060 \u202eright\u202c", "zerowidth right"),
        ("bell\x07 and\x00 nul\x9f", "bell and nul"),
        ("soft\u00adhyphen", "softhyphen"),
        ("e\u200b\u0301", "é"),
        ("thanks 😀 👍🏽", "thanks 😀 👍🏽"),
        ("👩\u200d👧 a\u200db", "👩\u200d👧 ab"),
        ("", ""),
        ("\u3000\u200b\n", ""),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.text())
def test_clean_is_idempotent_and_leaves_nothing_invisible(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert not any(unicodedata.category(character) == "Cc" for character in cleaned)


@given(st.text(st.sampled_from("😀👩ⓐ\u200d\u200b\ufe0fa e\u0301\u00ad\t"), max_size=8))
def test_clean_is_idempotent_around_joiners(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Top-up: FAILED?!", "topupfailed"),
        ("怎么 退货？", "怎么退货"),
        ("สั่งซื้อ", "สั่งซื้อ"),
        ("C++ & €5", "c++€5"),
        ("?!", "?!"),
    ],
)
def test_letters(text: str, kept: str) -> None:
    assert letters(text) == clean(kept)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How do I pay?", "en"),
        ("¿Dónde está mi pedido?", "en"),
        ("zenme tuihuo", "en"),
        ("怎么退货", "zh"),
        ("iPhone 15 Pro Max 怎么退货", "zh"),
        ("VPN password reset 失败", "zh"),
        ("Please tell me what 花呗 means", "en"),
        ("优の品怎么退款", "zh"),
        ("返品の方法を教えてください", "ja"),
        ("환불은 어떻게 하나요", "ko"),
        ("Где мой заказ iPhone?", "ru"),
        ("أين طلبي؟", "ar"),
        ("สั่งซื้ออย่างไร", "th"),
        ("איפה ההזמנה שלי", "he"),
        ("Πού είναι η παραγγελία", "el"),
        ("मेरा ऑर्डर कहाँ है", "hi"),
        ("12345 😀 ?", "en"),
        ("", "en"),
    ],
)
def test_detect_language(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_without_letters_the_language_is_the_default() -> None:
    assert detect_language("12345", default="zh") == "zh"
    assert detect_language("１２３ 😀", default="ja") == "ja"


# --- formats


def test_csv_values_order_and_metadata(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "pairs.csv",
        [
            ("Question", "answer", "answer_id", "language", "source", "channel", ""),
            ("B?", "Line 1\r\nline 2 ", " r2 ", "zh-CN", "mail", "app", "note"),
            ("A?", ' "quoted", ', "r1", "EN", "", "", ""),
        ],
    )
    corpus = read_pairs([path])
    assert corpus.pairs == (
        QAPair(
            QAPair.content_id("B?", "r2", "zh"),
            "B?",
            "Line 1\r\nline 2 ",
            "r2",
            "zh",
            "mail",
            {"channel": "app", "column 7": "note"},
        ),
        QAPair(QAPair.content_id("A?", "r1", "en"), "A?", ' "quoted", ', "r1", "en", "pairs.csv", {}),
    )
    assert str(corpus.report) == ("2 rows read: 2 pairs kept, 0 exact and 0 near duplicates merged, 0 bad rows")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    rows: list[tuple[str, ...]] = [
        HEADER,
        ("怎么退货？", "请在七天内退货，谢谢。", "r1", ""),
        ("Hi", "Hello", "r2", ""),
    ]
    corpus = read_pairs([write_csv(tmp_path / "p.csv", rows, encoding)])
    assert said(corpus) == [("怎么退货？", "请在七天内退货，谢谢。", "r1", "zh"), ("Hi", "Hello", "r2", "en")]


def test_traditional_chinese_in_gb18030(tmp_path: Path) -> None:
    question = "請問您的訂單編號是多少？如何變更收貨地址與聯絡電話"
    path = write_csv(tmp_path / "p.csv", [HEADER[:2], (question, "我們將在三個工作日內為您辦理退款")], "gb18030")
    assert [pair.question for pair in read_pairs([path]).pairs] == [question]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"question,answer\ncaf\xe9 , a\n", "byte 19 (0xe9) is not UTF-8, and byte 19 is not GB18030"),
        ("question,answer\nzurück,schöne Grüße\n".encode("cp1252"), "byte 19 (0xfc) is not UTF-8, and read as"),
        (
            "question,answer\n請問訂單,我們將退款給您\n".encode("big5"),
            "it is no Chinese text; save the file as UTF-8",
        ),
        (b"\xff\xfeq\x00\x00", "byte 4 is not UTF-16; save the file as UTF-8"),
    ],
)
def test_undecodable_names_the_byte(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(data)
    with pytest.raises(CorpusError) as error:
        read_pairs([path])
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)


def test_tsv_and_jsonl(tmp_path: Path) -> None:
    tsv = write_csv(tmp_path / "a.tsv", [HEADER, ("Q, one?", "A\tone", "1", "en")], delimiter="\t")
    jsonl = tmp_path / "b.jsonl"
    jsonl.write_text(
        '\ufeff{"question": "Q two?", "answer": "A\\u2028two", "answer_id": 2, "rating": 5, "note": null}\r\n'
        '\n{"answer": "A three", "question": "Q three?", "tags": ["x"]}\n',
        "utf-8",
    )
    corpus = read_pairs([tsv, jsonl])
    generated = corpus.pairs[2].answer_id
    assert said(corpus) == [
        ("Q, one?", "A\tone", "1", "en"),
        ("Q two?", "A\u2028two", "2", "en"),
        ("Q three?", "A three", generated, "en"),
    ]
    assert [dict(pair.metadata) for pair in corpus.pairs] == [{}, {"rating": "5"}, {"tags": '["x"]'}]
    assert [pair.source for pair in corpus.pairs] == ["a.tsv", "b.jsonl", "b.jsonl"]


def test_xlsx_numbers_empty_rows_and_row_numbers(tmp_path: Path) -> None:
    path = write_xlsx(
        tmp_path / "p.xlsx",
        [
            ("question", "answer", "answer_id", "weight"),
            (12306, 3.5, 7.0, True),
            (),
            (" ", None, None),
            ("no answer", None, 8, None, "aside"),
            ("Wrapped", "a_x000D_\nb", "=B2&C2", None, "aside"),
        ],
    )
    corpus = read_pairs([path])
    assert said(corpus) == [("12306", "3.5", "7", "en"), ("Wrapped", "a\r\nb", "=B2&C2", "en")]
    assert [dict(pair.metadata) for pair in corpus.pairs] == [{"weight": "TRUE"}, {"column 5": "aside"}]
    assert reasons(corpus) == [(5, "the answer is empty")]


def test_a_workbook_that_states_its_size_wrongly(tmp_path: Path) -> None:
    written = write_xlsx(tmp_path / "written.xlsx", [HEADER, ("q", "a", "1", "en")])
    path = tmp_path / "p.xlsx"
    with zipfile.ZipFile(written) as parts, zipfile.ZipFile(path, "w") as changed:
        for name in parts.namelist():
            changed.writestr(name, parts.read(name).replace(b'ref="A1:D2"', b'ref="A1"'))
    assert said(read_pairs([path])) == [("q", "a", "1", "en")]


def test_damaged_workbook(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "p.xlsx", [HEADER, ("q", "a", "1", "en")])
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(CorpusError, match=r"p\.xlsx: cannot be read as a workbook \(BadZipFile"):
        read_pairs([path])


def test_hostile_contents_stay_text(tmp_path: Path) -> None:
    answers = [
        "=cmd()",
        "+1",
        "@SUM(A1)",
        "<script>alert(1)</script>",
        "{{ 7*7 }}{% raw %}",
        "'; DROP TABLE x;--",
        "\u202eevil",
    ]
    rows: list[tuple[str, ...]] = [HEADER, *((answer, answer, f"id{n}", "en") for n, answer in enumerate(answers))]
    for path in (write_csv(tmp_path / "p.csv", rows), write_xlsx(tmp_path / "p.xlsx", rows)):
        corpus = read_pairs([path])
        assert [pair.question for pair in corpus.pairs] == answers
        assert [pair.answer for pair in corpus.pairs] == answers


# --- which files


def test_folder_is_read_by_name(tmp_path: Path) -> None:
    write_csv(tmp_path / "b.csv", [HEADER[:2], ("from b", "x")])
    write_jsonl(tmp_path / "a.JSONL", [{"question": "from a", "answer": "y"}])
    (tmp_path / "~$b.xlsx").write_bytes(b"lock")
    (tmp_path / ".hidden.csv").write_bytes(b"\xff")
    (tmp_path / "readme.md").write_text("no pairs", "utf-8")
    (tmp_path / "sub.csv").mkdir()
    assert [pair.question for pair in read_pairs([tmp_path]).pairs] == ["from a", "from b"]


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "p.pdf").write_bytes(b"")
    for paths, message in (
        ([], "no file was given; give files or folders of .csv, .jsonl, .tsv, .xlsx"),
        ([tmp_path / "gone.csv"], "there is no such file or folder; check the path"),
        ([tmp_path], "the folder holds no file of .csv, .jsonl, .tsv, .xlsx; name the files or another folder"),
        ([tmp_path / "p.pdf"], "cannot be read as .pdf; use .csv, .jsonl, .tsv, .xlsx"),
    ):
        with pytest.raises(CorpusError) as error:
            read_pairs(paths)
        assert str(error.value).endswith(message)


@pytest.mark.parametrize("name", ["p.csv", "p.tsv", "p.jsonl", "p.xlsx"])
def test_a_file_without_rows_is_an_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "p.xlsx":
        write_xlsx(path, [])
    else:
        path.write_bytes(b"\n\n")
    with pytest.raises(CorpusError, match="there is no row in it; add the pairs"):
        read_pairs([path])


def test_a_header_alone_is_an_error(tmp_path: Path) -> None:
    for path in (write_csv(tmp_path / "p.csv", [HEADER]), write_xlsx(tmp_path / "p.xlsx", [HEADER])):
        with pytest.raises(CorpusError, match="there is no row below the header"):
            read_pairs([path])


# --- columns


def test_mapping(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "p.csv", [("Frage", "ANTWORT", "question"), ("Wo?", "Hier.", "meta")])
    corpus = read_pairs([path], {"question": "Frage", "answer": "Antwort"})
    assert [(pair.question, pair.answer, dict(pair.metadata)) for pair in corpus.pairs] == [
        ("Wo?", "Hier.", {"question": "meta"})
    ]


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (
            None,
            "no column 'question' for the question; found 'Frage', 'answer'. "
            "Say which it is with --map question=COLUMN",
        ),
        ({"question": "Fragen"}, "no column 'Fragen' for the question; found 'Frage', 'answer'."),
        ({"question": "Frage", "source": "von"}, "no column 'von' for the source; found"),
        ({"frage": "x"}, "--map frage=x: 'frage' is not one of question, answer, answer_id, language, source"),
    ],
)
def test_missing_columns(tmp_path: Path, mapping: dict[str, str] | None, message: str) -> None:
    path = write_csv(tmp_path / "p.csv", [("Frage", "answer"), ("Wo?", "Hier.")])
    with pytest.raises(CorpusError) as error:
        read_pairs([path], mapping)
    assert message in str(error.value)


def test_a_column_twice_is_an_error(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "p.csv", [("question", "answer", "answer"), ("q", "a", "b")])
    with pytest.raises(CorpusError, match="row 1: two columns are called 'answer'; rename one"):
        read_pairs([path])


def test_generated_answer_ids_are_shared_by_answer(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "p.csv", [HEADER[:2], ("q1", "Yes."), ("q2", "No."), ("q3", " Yes. ")])
    corpus = read_pairs([path])
    first, second, third = (pair.answer_id for pair in corpus.pairs)
    assert first == third != second
    assert [pair.answer for pair in corpus.pairs] == ["Yes.", "No.", "Yes."]
    assert corpus.report.conflicting_answers == ()


def test_language_falls_back_to_the_answer(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "p.csv", [HEADER[:2], ("404?", "页面不存在"), ("500?", "!")])
    assert [pair.language for pair in read_pairs([path]).pairs] == ["zh", "en"]


# --- bad rows


def test_bad_rows_of_csv_are_numbered_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(
        b"question,answer,answer_id,language\n"
        b'"two\nlines",ok,1,\n'  # row 2
        b"\n"  # row 3, empty
        b",no question,1,\n"
        b"\xe2\x80\x8b,no question,1,\n"
        b"no answer, ,1,\n"
        b"few,cells\n"
        b"many,cells,1,en,x\n"
        b'"a"b,quote,1,\n'
        b"n\x00l,nul,1,\n" + b"x" * 2001 + b",long,1,\n" + b"x" * 2000 + b",fits,2,\n"
        b"q,a,3,English\n"
        b"q,a,b\x01c,\n"
        b"q,a,b|c,\n"
        b'"never closed,a,1,en\n'
        b"q,a,1,en\n"
    )
    corpus = read_pairs([path])
    assert [pair.question for pair in corpus.pairs] == ["two\nlines", "x" * 2000]
    assert reasons(corpus) == [
        (4, "the question is empty"),
        (5, "the question is empty"),
        (6, "the answer is empty"),
        (7, "it has 2 cells and the header has 4"),
        (8, "it has 5 cells and the header has 4"),
        (9, "a quotation mark is out of place or never closed (',' expected after '\"')"),
        (10, "question holds a NUL byte; remove it"),
        (11, "the question has 2,001 characters; at most 2,000 can be used"),
        (13, "the language 'English' is not a code such as en or zh"),
        (14, "the answer_id 'b\\x01c' holds a control character"),
        (15, "the answer_id 'b|c' holds a |, which parts answer_ids in predictions.csv"),
        (16, "a quotation mark is out of place or never closed (unexpected end of data)"),
    ]
    assert corpus.report.bad_rows[0] == BadRow(str(path), 4, "the question is empty")
    assert corpus.report.rows_read == 14
    assert corpus.report.adds_up


def test_bad_lines_of_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(
        '{"question": "q", "answer": "a"}\n'
        '{"question": "q"\n'
        '["q", "a"]\n'
        '{"question": 5, "answer": "a"}\n'
        '{"question": "q", "answer": ["a"]}\n'
        '{"question": "q", "answer": null}\n'
        '{"answer": "a"}\n'
        '{"question": "q\\ud800", "answer": "a"}\n'
        '{"question": "q", "answer": "a\\u0000"}\n'
        '{"question": "q", "answer": "a", "k\\udfff": "v"}\n'
        '{"question": "q", "answer": "a", "answer_id": true}\n' + "[" * 100_000 + "\n",
        "utf-8",
    )
    found = reasons(read_pairs([path]))
    assert found[0][0] == 2
    assert found[0][1].startswith("the line is not JSON (Expecting ',' delimiter")
    assert found[1:-1] == [
        (3, "the line is not a JSON object"),
        (4, "question is not text but of type int; put it in quotes"),
        (5, "answer is not text but of type list; put it in quotes"),
        (6, "the answer is empty"),
        (7, "the question is empty"),
        (8, "question holds half a character (an unpaired surrogate); remove it"),
        (9, "answer holds a NUL byte; remove it"),
        (10, "a column's name holds half a character (an unpaired surrogate); remove it"),
        (11, "answer_id is not text but of type bool; put it in quotes"),
    ]
    assert found[-1][0] == 12
    assert found[-1][1].startswith("the line is not JSON (maximum recursion depth")


def test_bad_rows_can_be_fatal(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "p.csv", [HEADER[:2], ("q", "a"), *[("", "a")] * 11])
    with pytest.raises(CorpusError) as error:
        read_pairs([path], on_bad_row=BadRows.FAIL)
    lines = str(error.value).splitlines()
    assert lines[0] == "bad rows (11):"
    assert lines[1:11] == [f"  {path}, row {number}: the question is empty" for number in range(3, 13)]
    assert lines[11:] == ["  … and 1 more", "mend them, or let bad rows be skipped"]
    write_csv(path, [HEADER[:2], ("q", "a")])
    assert len(read_pairs([path], on_bad_row=BadRows.FAIL).pairs) == 1


def test_only_bad_rows_give_an_empty_corpus_with_a_report(tmp_path: Path) -> None:
    corpus = read_pairs([write_jsonl(tmp_path / "p.jsonl", ["not", "objects"])])
    assert corpus.pairs == ()
    assert corpus.report.adds_up
    assert [number for number, _ in reasons(corpus)] == [1, 2]


def test_a_field_beyond_the_csv_limit(tmp_path: Path) -> None:
    answer = "long answer\n" * 20_000
    path = write_csv(tmp_path / "p.csv", [HEADER[:2], ("q", answer), ("x" * 300_000, "a")])
    corpus = read_pairs([path])
    assert [pair.answer for pair in corpus.pairs] == [answer]
    assert reasons(corpus) == [(3, "the question has 300,000 characters; at most 2,000 can be used")]


# --- merging


def test_exact_and_near_duplicates() -> None:
    base = "how do i get my money back for the second order"
    merged = merge(
        [
            row("Top up failed?"),
            row("top  up failed?"),  # exact: case and spaces
            row("Top-up failed"),  # near: punctuation
            row("top-up FAILED"),  # exact, to one that went into another
            row("Top up failed?", "b"),  # another answer
            row("Top up failed?", language="fr"),  # another language
            row(base),
            row(base + "s"),  # near: one letter more
            row(base.replace("second", "third")),  # another wording
        ]
    )
    assert [(pair.question, pair.answer_id, pair.language, pair.count) for pair in merged.pairs] == [
        ("Top up failed?", "a", "en", 4),
        ("Top up failed?", "b", "en", 1),
        ("Top up failed?", "a", "fr", 1),
        (base, "a", "en", 2),
        (base.replace("second", "third"), "a", "en", 1),
    ]
    assert (merged.exact, merged.near) == (2, 2)
    assert merged.contradictions == (Contradiction("Top up failed?", "en", ("a", "b")),)


def test_short_questions_are_not_compared_letter_by_letter() -> None:
    assert [pair.question for pair in merge([row("pay now"), row("pay bow")]).pairs] == ["pay now", "pay bow"]


def test_only_a_kept_question_takes_others_in() -> None:
    first = "x" * 40
    chain = [first, first + "y", first + "yy", first + "yyy", first + "yyyy"]  # 1 more: 98.8; 2: 97.6; 3: 96.4
    assert [(pair.question, pair.count) for pair in merge([row(text) for text in chain]).pairs] == [
        (first, 3),
        (first + "yyy", 2),
    ]


def test_near_duplicates_in_an_answer_with_many_questions() -> None:
    rng = random.Random(7)
    words = ["card", "refund", "order", "transfer", "account", "money", "late", "phone", "address", "invoice"]
    texts = sorted({" ".join(rng.choices(words, k=9)) for _ in range(4 * WINDOW)}, key=lambda _: rng.random())
    copies = [text[:30] + "z" + text[30:] for text in texts[:200]]
    merged = merge([row(text) for text in texts + copies])
    assert merged.near >= 200
    assert not {pair.question for pair in merged.pairs} & set(copies)


def test_the_first_row_gives_source_and_metadata(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [("question", "answer", "channel"), ("Hi", "Hello", "app")])
    write_csv(tmp_path / "b.csv", [("question", "answer", "channel"), ("hi", "Hello", "web")])
    (pair,) = read_pairs([tmp_path]).pairs
    assert (pair.question, pair.count, pair.source, dict(pair.metadata)) == ("Hi", 2, "a.csv", {"channel": "app"})


def test_conflicting_answers_take_the_text_of_most_rows() -> None:
    merged = merge(
        [
            row("q1", "a", "old"),
            row("q2", "a", "new"),
            row("q3", "a", "new "),
            row("q4", "b", "first"),
            row("q5", "b", "second"),
            row("q6", "a", "ancien", "fr"),
        ]
    )
    assert [pair.answer for pair in merged.pairs] == ["new", "new", "new", "first", "first", "ancien"]
    assert merged.conflicting_answers == (
        ConflictingAnswers("a", "en", ("new", "old")),
        ConflictingAnswers("b", "en", ("first", "second")),
    )


def test_report_reads_well(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "p.csv",
        [
            HEADER,
            ("Hi", "Hello", "1", "en"),
            ("hi!", "Hey", "2", "en"),
            ("", "x", "3", "en"),
            ("Yo", "Hullo", "1", "en"),
        ],
    )
    assert str(read_pairs([path]).report).splitlines() == [
        "4 rows read: 3 pairs kept, 0 exact and 0 near duplicates merged, 1 bad rows",
        "bad rows, not used (1):",
        f"  {path}, row 4: the question is empty",
        "contradictions: one question, several answers, all kept (1):",
        "  'Hi' (en): 1, 2",
        "conflicting answers: one answer_id, several texts, the first is used (1):",
        "  1 (en): 'Hello' | 'Hullo'",
    ]


# --- properties

CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
FEW = st.sampled_from(
    ["", "a", "A", "a!", " a", "b", "怎么退货", "how do i get my money back", "how do i get my money back?"]
)


@settings(max_examples=60)
@given(st.lists(st.tuples(FEW | CELL, FEW | CELL, FEW), min_size=1, max_size=12))
def test_report_adds_up_ids_are_unique_and_reading_is_repeatable(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    write_jsonl(folder / "p.jsonl", [dict(zip(HEADER, cells, strict=False)) for cells in rows])
    corpus = read_pairs([folder])
    assert corpus.report.adds_up
    assert corpus.report.rows_read == len(rows)
    assert corpus.report.kept == len(corpus.pairs) == len({pair.id for pair in corpus.pairs})
    assert sum(pair.count for pair in corpus.pairs) + len(corpus.report.bad_rows) == len(rows)
    questions = [cells[0] for cells in rows]
    places = [questions.index(pair.question) for pair in corpus.pairs]
    assert [questions[place] for place in places] == [pair.question for pair in corpus.pairs]
    assert read_pairs([folder]) == corpus


@settings(max_examples=60)
@given(CELL.filter(lambda text: "\0" not in text and bool(clean(text))))
def test_an_answer_is_stored_word_for_word(tmp_path_factory: pytest.TempPathFactory, answer: str) -> None:
    folder = tmp_path_factory.mktemp("word")
    rows: list[tuple[str, ...]] = [HEADER, ("q", answer, "1", "en")]
    paths = [
        write_csv(folder / "p.csv", rows),
        write_csv(folder / "bom.csv", rows, "utf-8-sig"),
        write_csv(folder / "p.tsv", rows, "utf-16", "\t"),
        write_jsonl(folder / "p.jsonl", [{"question": "q", "answer": answer}]),
    ]
    try:
        # XML turns every line end into \n and has no \ufffe, and _xHHHH_ is how a workbook writes a character
        if not {"\r", "\ufffe", "\uffff"} & set(answer) and "_x" not in answer:
            paths.append(write_xlsx(folder / "p.xlsx", rows))
    except IllegalCharacterError:
        pass  # a workbook has no control characters
    for path in paths:
        assert [pair.answer for pair in read_pairs([path]).pairs] == [answer], path.name


def test_fifty_thousand_rows_take_seconds(tmp_path: Path) -> None:
    rng = random.Random(7)
    words = [
        "card",
        "refund",
        "order",
        "transfer",
        "account",
        "money",
        "late",
        "phone",
        "address",
        "invoice",
        "怎么",
        "退款",
    ]
    rows = [
        (" ".join(rng.choices(words, k=10)) + f" {n}", f"answer {n % 300}", f"{n % 300}", "")
        for n in range(50_000)
    ]
    path = write_csv(tmp_path / "p.csv", [HEADER, *rows])
    start = time.perf_counter()
    corpus = read_pairs([path])
    assert time.perf_counter() - start < 15  # 2 s alone on a laptop; the rest is for a busy machine
    assert corpus.report.rows_read == 50_000
    assert corpus.report.adds_up
