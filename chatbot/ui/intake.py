"""A file of pairs before it is published: its columns, its pairs as they will be stored, its faults, what it would
change. Pure.

In: a `Table`, which was read once, and what the lead chose. Out: an `Intake`, and HTML of it. Errors are the words
of the library that found them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chatbot.corpus import COLUMNS, REQUIRED, Corpus, pairs_of
from chatbot.domain import QAPair
from chatbot.errors import UserError
from chatbot.insight.changes import Changes, Plan, Scope, compare
from chatbot.privacy import without_personal_data
from chatbot.tabular import Table
from chatbot.text import letters
from chatbot.ui.answer_words import AnswerWords
from chatbot.ui.attempt import alert
from chatbot.ui.changed import changed
from chatbot.ui.figures import table
from chatbot.ui.show import plain, quoted

PREVIEW = 10
BAD_ROWS = 100
CALLED = {  # what columns are called in files of other programs, without case, spaces and punctuation
    "question": ("question", "questions", "q", "query", "问题", "问", "提问", "用户问题", "标准问", "标准问题"),
    "answer": ("answer", "answers", "a", "reply", "response", "答案", "答", "回答", "答复", "回复", "标准答案"),
    "answer_id": ("answerid", "答案编号", "答案id"),
    "language": ("language", "lang", "语言"),
    "source": ("source", "来源"),
}


@dataclass(frozen=True, eq=False, slots=True)
class Intake:
    """One file on its way in. `changes` are against the pairs of `version`; `fault` says why there are none."""

    table: Table | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    scope: Scope = Scope.UPDATE
    corpus: Corpus | None = None
    changes: Changes | None = None
    version: str = ""
    fault: str = ""

    @property
    def name(self) -> str:
        return "" if self.table is None else self.table.path.name


def guessed(columns: Sequence[str]) -> dict[str, str]:
    """Our name -> the file's column that is called so."""
    by_name = {letters(column): column for column in reversed(columns)}
    found = {
        name: next((by_name[word] for word in words if word in by_name), None) for name, words in CALLED.items()
    }
    exact = {name: name for name in COLUMNS if name in columns}
    return {name: column for name, column in found.items() if column is not None} | exact


def missing(intake: Intake) -> list[str]:
    return [name for name in REQUIRED if name not in intake.mapping]


def read(table: Table, mapping: Mapping[str, str], scope: Scope, masked: Callable[[str], str] = str) -> Intake:
    """The table's pairs, their questions `masked`, or why there are none."""
    chosen = {name: column for name, column in mapping.items() if column}
    intake = Intake(table, chosen, scope)
    if missing(intake):
        return intake
    try:
        corpus, _ = without_personal_data(pairs_of([table], chosen), masked)
        return Intake(table, chosen, scope, corpus)
    except UserError as mistake:
        return Intake(table, chosen, scope, fault=str(mistake))


def compared(intake: Intake, live: Sequence[QAPair], version: str, check: Callable[[Plan], object]) -> Intake:
    """With what it would change in `live`, and why that cannot be published where it cannot."""
    if intake.corpus is None:
        return intake
    again = replace(intake, changes=None, version=version, fault="")
    try:
        changes = compare(live, intake.corpus, intake.scope)
    except UserError as mistake:
        return replace(again, fault=str(mistake))
    try:
        if changes.plan:
            check(changes.plan)
    except UserError as mistake:
        return replace(again, changes=changes, fault=str(mistake))
    return replace(again, changes=changes)


def report(intake: Intake, words: AnswerWords) -> str:
    """What became of the rows: counts, faults by row, the first pairs as they will be stored."""
    if intake.table is None:
        return f'<p class="quiet">{words.no_file}</p>' if not intake.fault else alert(intake.fault)
    if lacking := missing(intake):
        named = ", ".join(words.fields[name] for name in lacking)
        first = intake.table.rows[:PREVIEW]
        rows = [
            (str(row.number), *(plain(quoted(str(row.cells.get(name, "")))) for name in intake.table.columns))
            for row in first
        ]
        columns = (words.row, *map(plain, intake.table.columns))
        return alert(words.choose_columns.format(columns=named)) + table(intake.name, columns, rows)
    if intake.corpus is None:
        return alert(intake.fault)
    found = intake.corpus.report
    told = words.read.format(
        rows=f"{found.rows_read:,}",
        kept=f"{found.kept:,}",
        exact=f"{found.merged_exact:,}",
        near=f"{found.merged_near:,}",
        bad=f"{len(found.bad_rows):,}",
    )
    return f"<p>{told}</p>{_bad_rows(intake, words)}{_preview(intake.corpus, words)}"


def _bad_rows(intake: Intake, words: AnswerWords) -> str:
    bad = intake.corpus.report.bad_rows if intake.corpus is not None else ()
    if not bad:
        return ""
    rows = [(str(one.row), plain(one.reason)) for one in bad[:BAD_ROWS]]
    hidden = len(bad) - len(rows)
    more = f'<p class="quiet">{words.more.format(count=f"{hidden:,}")}</p>' if hidden else ""
    drawn = table(words.bad_rows, (words.row, words.reason), rows)
    return f"<details open><summary>{words.bad_rows} ({len(bad):,})</summary>{drawn}{more}</details>"


def _preview(corpus: Corpus, words: AnswerWords) -> str:
    first = corpus.pairs[:PREVIEW]
    if not first:
        return ""
    rows = [
        (
            plain(quoted(p.question)),
            plain(quoted(p.answer)),
            plain(p.answer_id),
            plain(p.language),
            plain(p.source),
        )
        for p in first
    ]
    title = words.preview.format(count=len(first))
    drawn = table(title, [words.fields[name] for name in COLUMNS], rows)
    return f"<details open><summary>{title}</summary>{drawn}</details>"


def difference(intake: Intake, words: AnswerWords) -> str:
    """What publishing would change."""
    fault = alert(intake.fault) if intake.fault and intake.corpus is not None else ""
    if intake.changes is None:
        return fault
    return f"<h2>{words.changes}</h2>{fault}{changed(intake.changes, words)}"
