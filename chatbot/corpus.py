"""What the company has already answered: files of pairs become checked records.

In:  csv, tsv, jsonl and xlsx with question, answer, answer_id, language and source; other columns are metadata.
Out: `read_pairs` gives a `Corpus`: `QAPair`s in file order and an `IngestReport` that accounts for every row read.
A question and its answer stay word for word; what is compared is `clean`ed. Historical data is never tidy, so a
bad row is skipped and reported (or fatal, by option). Every error is a `CorpusError` that names file and row.

Bytes are files.py's, formats tabular.py's, scripts and white space text.py's, duplicates merge.py's; what a bot is
judged by is held_out.py's.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from chatbot.domain import QAPair
from chatbot.errors import CorpusError
from chatbot.files import find_files
from chatbot.merge import ConflictingAnswers, Contradiction, merge
from chatbot.tabular import TABLES, Row, Table, read_table
from chatbot.text import clean, detect_language, letters

COLUMNS = ("question", "answer", "answer_id", "language", "source")
REQUIRED = ("question", "answer")
QUESTION_LIMIT = 2000  # characters
SHOWN = 10  # entries of each list in a report or an error
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_LANGUAGE_CODE = re.compile("([a-z]{2,3})(-[a-z0-9-]+)?")


class BadRows(StrEnum):
    """What to do about a row that cannot be used."""

    SKIP = "skip"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was not used; `row` as a person sees it: the header is row 1, in jsonl it is the line."""

    file: str
    row: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, row {self.row}: {self.reason}"


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of every row. Rows with nothing in them are not counted."""

    rows_read: int
    kept: int
    merged_exact: int
    merged_near: int
    bad_rows: tuple[BadRow, ...]
    contradictions: tuple[Contradiction, ...]
    conflicting_answers: tuple[ConflictingAnswers, ...]

    @property
    def adds_up(self) -> bool:
        """Whether each row is accounted for exactly once."""
        return self.rows_read == self.kept + self.merged_exact + self.merged_near + len(self.bad_rows)

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.rows_read:,} rows read: {self.kept:,} pairs kept, {self.merged_exact:,} exact and "
                f"{self.merged_near:,} near duplicates merged, {len(self.bad_rows):,} bad rows",
                *_listed("bad rows, not used", map(str, self.bad_rows)),
                *_listed(
                    "contradictions: one question, several answers, all kept",
                    (
                        f"{one.question!r} ({one.language}): {', '.join(one.answer_ids)}"
                        for one in self.contradictions
                    ),
                ),
                *_listed(
                    "conflicting answers: one answer_id, several texts, the first is used",
                    (
                        f"{one.answer_id} ({one.language}): {' | '.join(map(repr, one.answers))}"
                        for one in self.conflicting_answers
                    ),
                ),
            ]
        )


@dataclass(frozen=True, slots=True)
class Corpus:
    """Pairs in file order, each with its own id, and the report of how they came about."""

    pairs: tuple[QAPair, ...]
    report: IngestReport


def read_pairs(
    paths: Sequence[Path], mapping: Mapping[str, str] | None = None, on_bad_row: BadRows = BadRows.SKIP
) -> Corpus:
    """Read, check and merge the pairs of `paths`: files of TABLES, or folders of them.

    `mapping` gives our column names those of the files: {"question": "Frage"}. Columns are found whatever their
    case. Without an answer_id, rows with the same answer share an id made from its text; without a language it is
    detected; without a source it is the file's name. Metadata that is not text (jsonl) becomes its JSON text.

    Raises CorpusError for a file that cannot be read or has no rows, for a missing column, and with
    `BadRows.FAIL` for bad rows. When every row is bad, the corpus has no pairs and the report says why."""
    chosen = {} if mapping is None else mapping
    for name in chosen:
        if name not in COLUMNS:
            raise CorpusError(f"--map {name}={chosen[name]}: {name!r} is not one of {', '.join(COLUMNS)}")
    return pairs_of(map(read_table, find_files(paths, TABLES)), chosen, on_bad_row)


def pairs_of(tables: Iterable[Table], mapping: Mapping[str, str], on_bad_row: BadRows = BadRows.SKIP) -> Corpus:
    """`read_pairs` of tables that were read already."""
    rows: list[QAPair] = []
    bad: list[BadRow] = []
    for table in tables:
        columns = _columns(table, mapping)
        for row in table.rows:
            try:
                rows.append(_pair(row, columns, table.path.name))
            except CorpusError as cause:
                bad.append(BadRow(str(table.path), row.number, str(cause)))
    if bad and on_bad_row is BadRows.FAIL:
        raise CorpusError(
            "\n".join([*_listed("bad rows", map(str, bad)), "mend them, or let bad rows be skipped"])
        )
    merged = merge(rows)
    report = IngestReport(
        rows_read=len(rows) + len(bad),
        kept=len(merged.pairs),
        merged_exact=merged.exact,
        merged_near=merged.near,
        bad_rows=tuple(bad),
        contradictions=merged.contradictions,
        conflicting_answers=merged.conflicting_answers,
    )
    return Corpus(merged.pairs, report)


def _columns(table: Table, mapping: Mapping[str, str]) -> Mapping[str, str]:
    """Our column name -> the table's, for those that it has. Raises CorpusError for one that it must have."""
    found: dict[str, str] = {}
    for column in table.columns:
        found.setdefault(clean(column).casefold(), column)
    columns: dict[str, str] = {}
    for name in COLUMNS:
        wanted = mapping.get(name, name)
        actual: str | None = wanted if wanted in table.columns else found.get(clean(wanted).casefold())
        if actual is not None:
            columns[name] = actual
        elif table.columns and (name in REQUIRED or name in mapping):
            raise CorpusError(
                f"{table.path}: no column {wanted!r} for the {name}; found {', '.join(map(repr, table.columns))}. "
                f"Say which it is with --map {name}=COLUMN"
            )
    return columns


def _pair(row: Row, columns: Mapping[str, str], file: str) -> QAPair:
    """The pair of one row. Raises CorpusError with the reason alone where it cannot be used."""
    if row.fault:
        raise CorpusError(row.fault)
    cells = {
        name: _text(column, row.cells[column], whole_numbers=name == "answer_id")
        for name, column in columns.items()
        if column in row.cells
    }
    question, answer = cells.get("question", ""), cells.get("answer", "")
    if not clean(question):
        raise CorpusError("the question is empty")
    if not clean(answer):
        raise CorpusError("the answer is empty")
    if len(question) > QUESTION_LIMIT:
        raise CorpusError(f"the question has {len(question):,} characters; at most {QUESTION_LIMIT:,} can be used")
    answer_id = cells.get("answer_id", "").strip()
    if _CONTROL.search(answer_id):
        raise CorpusError(f"the answer_id {answer_id!r} holds a control character")
    if "|" in answer_id:
        raise CorpusError(f"the answer_id {answer_id!r} holds a |, which parts answer_ids in predictions.csv")
    if not answer_id:
        answer_id = "a" + hashlib.sha256(clean(answer).encode("utf-8")).hexdigest()[:12]
    language = language_of(cells.get("language", ""), question, answer)
    metadata = {
        _text("a column's name", column): _text(column, value if isinstance(value, str) else json.dumps(value))
        for column, value in row.cells.items()
        if column not in columns.values()
    }
    return QAPair(
        id=QAPair.content_id(question, answer_id, language),
        question=question,
        answer=answer,
        answer_id=answer_id,
        language=language,
        source=cells.get("source", "").strip() or file,
        metadata=metadata,
    )


def _text(column: str, value: object, whole_numbers: bool = False) -> str:
    """A cell that a QAPair can hold. Raises CorpusError with the reason where it cannot."""
    if whole_numbers and type(value) is int:
        return str(value)
    if not isinstance(value, str):
        raise CorpusError(f"{column} is not text but of type {type(value).__name__}; put it in quotes")
    fault = _UNSTORABLE.search(value)
    if fault is not None:
        kind = "a NUL byte" if fault[0] == "\0" else "half a character (an unpaired surrogate)"
        raise CorpusError(f"{column} holds {kind}; remove it")
    return value


def language_of(stated: str, question: str, answer: str) -> str:
    """The primary code of what the column says ("zh" of "zh-CN"), or the question's, or the answer's."""
    code = clean(stated).casefold().replace("_", "-")
    if not code:
        found = detect_language(question, default="")
        return found if found else detect_language(answer)
    parts = _LANGUAGE_CODE.fullmatch(code)
    if parts is None:
        raise CorpusError(f"the language {stated[:40]!r} is not a code such as en or zh")
    return parts[1]


def _listed(title: str, entries: Iterable[str]) -> list[str]:
    """A heading with the number of entries, the first SHOWN of them, and how many more there are."""
    shown = list(entries)
    if not shown:
        return []
    more = [f"  … and {len(shown) - SHOWN:,} more"] if len(shown) > SHOWN else []
    return [f"{title} ({len(shown):,}):", *(f"  {entry}" for entry in shown[:SHOWN]), *more]


def exported(pairs: Sequence[QAPair]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows out of which `read_pairs` makes the same pairs, their metadata in columns of its own; one
    that is called like another column gets a number."""
    names = sorted({name for pair in pairs for name in pair.metadata})
    columns, taken = list(COLUMNS), {letters(name) for name in COLUMNS}
    for name in names:
        free, number = name.strip() or "metadata", 2
        while letters(free) in taken:
            free, number = f"{name.strip()} ({number})", number + 1
        taken.add(letters(free))
        columns.append(free)
    rows = [
        [p.question, p.answer, p.answer_id, p.language, p.source, *(p.metadata.get(name, "") for name in names)]
        for p in pairs
    ]
    return columns, rows
