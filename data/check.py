"""Whether the demo company's data is what its card says: `python data/check.py [FOLDER]`.

In: pairs_{en,zh}.csv, development_{en,zh}.jsonl and dialogues_{en,zh}.jsonl of a folder (data/demo). Out: a table
of counts on standard output and, on standard error, each offence with its file and line; exit code 1 where there
is one. `--write` also puts the table into data/README.md.

What it guards above all is the split: a bot is judged by the dialogues, so no text of theirs may be among the
questions that it learns from, nor, where it is scored, among those that it is calibrated on, in whichever
language.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rapidfuzz import fuzz, process

from chatbot.corpus import BadRows, read_pairs
from chatbot.domain import HeldOutDialogue, Role
from chatbot.errors import CorpusError
from chatbot.files import read_text
from chatbot.held_out import read_dialogues
from chatbot.tabular import read_table
from chatbot.text import detect_language, letters

HERE = Path(__file__).parent
CARD = HERE / "README.md"
COUNTS = re.compile("<!-- counts:begin -->.*<!-- counts:end -->", re.DOTALL)

LANGUAGES = {"en": "English", "zh": "Chinese"}
LEAST_ANSWERS = 80  # in each language
LEAST_QUESTIONS = 1200  # in all
LEAST_DIALOGUES = 75  # held out, in each language
LEAST_USER_TURNS = 250  # of these dialogues
OUT_OF_SCOPE = (0.20, 0.32)  # share of the scored turns of each language
ALIKE = 92.0  # rapidfuzz ratio, per cent, from which two texts are near duplicates
ALIKE_LENGTH = 8  # letters; shorter texts are alike by chance
OWN_SHARE = 0.85  # of a file's lines, how many must be in its language by script; the rest is pinyin or mixed


@dataclass(frozen=True, slots=True)
class Question:
    """A training question and where it stands."""

    place: str  # file and line, where no cell holds a line break
    text: str
    answer: str
    answer_id: str
    language: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A user turn of a held-out dialogue; `expected` is None where it is not scored."""

    place: str
    text: str
    expected: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Part:
    """All data of one language."""

    language: str
    pairs: Path
    dialogues: Path
    questions: tuple[Question, ...]
    held_out: Mapping[str, HeldOutDialogue]  # by file and line
    asked: tuple[Asked, ...]
    development: tuple[Asked, ...]

    @classmethod
    def read(cls, folder: Path, language: str) -> "Part":
        """Raises CorpusError naming file and line for what is no such data at all."""
        pairs, dialogues = folder / f"pairs_{language}.csv", folder / f"dialogues_{language}.jsonl"
        read_pairs([pairs], on_bad_row=BadRows.FAIL)
        questions = [
            Question(
                f"{pairs}, line {row.number}",
                *(str(row.cells.get(name, "")) for name in ("question", "answer", "answer_id", "language")),
            )
            for row in read_table(pairs).rows
        ]
        held_out = _by_place(dialogues)
        development = _by_place(folder / f"development_{language}.jsonl")
        return cls(language, pairs, dialogues, tuple(questions), held_out, _asked(held_out), _asked(development))

    @property
    def answer_ids(self) -> frozenset[str]:
        return frozenset(question.answer_id for question in self.questions)

    @property
    def scored(self) -> list[Asked]:
        return _scored(self.asked)

    @property
    def out_of_scope(self) -> list[Asked]:
        return [turn for turn in self.asked if turn.expected == ()]


def _by_place(path: Path) -> Mapping[str, HeldOutDialogue]:
    lines = enumerate(read_text(path).split("\n"), start=1)
    places = [f"{path}, line {number}" for number, line in lines if line.strip()]
    return dict(zip(places, read_dialogues([path]), strict=True))


def _asked(dialogues: Mapping[str, HeldOutDialogue]) -> tuple[Asked, ...]:
    return tuple(
        Asked(f"{place}, turn {number}", turn.text, turn.expected)
        for place, dialogue in dialogues.items()
        for number, turn in enumerate(dialogue.turns, start=1)
        if turn.role is Role.USER
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a folder; the exit code."""
    parser = argparse.ArgumentParser(description="Check the demo company's data.")
    parser.add_argument("folder", nargs="?", type=Path, default=HERE / "demo", metavar="FOLDER")
    parser.add_argument("--write", action="store_true", help=f"put the counts into {CARD.name}")
    options = parser.parse_args(arguments)
    try:
        parts = [Part.read(options.folder, language) for language in LANGUAGES]
    except CorpusError as error:
        print(error, file=sys.stderr)
        return 1
    counts = table(parts)
    print(counts)
    found = list(offences(parts))
    for offence in found:
        print(offence, file=sys.stderr)
    if options.write and not found:
        block = f"<!-- counts:begin -->\n{counts}\n<!-- counts:end -->"
        CARD.write_text(COUNTS.sub(lambda _: block, CARD.read_text("utf-8")), "utf-8")
    return 1 if found else 0


def table(parts: Sequence[Part]) -> str:
    """The counts as a Markdown table, one column a language."""
    rows: list[tuple[str, list[str]]] = [("", [LANGUAGES[part.language] for part in parts])]
    columns = [_counts(part) for part in parts]
    rows += [(name, [column[name] for column in columns]) for name in columns[0]]
    lines = ["| " + " | ".join((name, *cells)) + " |" for name, cells in rows]
    return "\n".join([lines[0], "| --- |" + " ---: |" * len(parts), *lines[1:]])


def _counts(part: Part) -> Mapping[str, str]:
    each = Counter(question.answer_id for question in part.questions).values()
    scored, outside = len(part.scored), len(part.out_of_scope)
    several = sum(len(turn.expected or ()) > 1 for turn in part.asked)
    return {
        "answers": f"{len(each):,}",
        "training questions": f"{len(part.questions):,}",
        "training questions an answer, fewest to most": f"{min(each)} to {max(each)}",
        "held-out dialogues": f"{len(part.held_out):,}",
        "user turns": f"{len(part.asked):,}",
        "scored user turns": f"{scored:,}",
        "of these, nothing answers (out of scope)": f"{outside:,} ({outside / max(scored, 1):.1%})",
        "of these, several answers are right": f"{several:,}",
        "scored turns to calibrate and develop on": f"{len(_scored(part.development)):,}",
    }


def offences(parts: Sequence[Part]) -> Iterator[str]:
    """Everything that is wrong, a line each."""
    for part in parts:
        yield from _sizes(part)
        yield from _answers(part)
        yield from _script(part)
    questions = [question for part in parts for question in part.questions]
    if len(questions) < LEAST_QUESTIONS:
        files = " and ".join(str(part.pairs) for part in parts)
        yield f"{files}: {len(questions):,} questions in all; at least {LEAST_QUESTIONS:,} are needed"
    yield from _same_answers(parts)
    yield from _twice(questions)
    held_out = [turn for part in parts for turn in part.asked]
    development = [turn for part in parts for turn in part.development]
    yield from _leaks("training question", questions, [*held_out, *development])
    yield from _leaks("development text", _scored(development), _scored(held_out))


def _sizes(part: Part) -> Iterator[str]:
    for path, count, least, what in (
        (part.pairs, len(part.answer_ids), LEAST_ANSWERS, "answers"),
        (part.dialogues, len(part.held_out), LEAST_DIALOGUES, "dialogues"),
        (part.dialogues, len(part.asked), LEAST_USER_TURNS, "user turns"),
    ):
        if count < least:
            yield f"{path}: {count:,} {what}; at least {least:,} are needed"
    share = len(part.out_of_scope) / max(len(part.scored), 1)
    if not OUT_OF_SCOPE[0] <= share <= OUT_OF_SCOPE[1]:
        meant = " to ".join(f"{bound:.0%}" for bound in OUT_OF_SCOPE)
        yield f"{part.dialogues}: {share:.1%} of the scored turns are out of scope; {meant} is meant"


def _answers(part: Part) -> Iterator[str]:
    """One text an answer, and every expected one among the pairs."""
    first: dict[str, Question] = {}
    for question in part.questions:
        if not question.answer_id:
            yield f"{question.place}: it has no answer_id, by which dialogues could name the answer"
        earlier = first.setdefault(question.answer_id, question)
        if earlier.answer != question.answer:
            yield f"{question.place}: the answer {question.answer_id!r} has another text at {earlier.place}"
    for turn in part.asked:
        for answer_id in turn.expected or ():
            if answer_id not in first:
                yield f"{turn.place}: expects the answer {answer_id!r}, which {part.pairs} does not have"


def _same_answers(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        for other in parts:
            for answer_id in sorted(part.answer_ids - other.answer_ids):
                place = next(q.place for q in part.questions if q.answer_id == answer_id)
                yield f"{place}: the answer {answer_id!r} is not in {other.pairs}"


def _script(part: Part) -> Iterator[str]:
    """Stated language, and language by script: of every answer, and of most lines."""
    for question in part.questions:
        if question.language != part.language:
            yield f"{question.place}: its language is {question.language!r}, not {part.language!r}"
        if detect_language(question.answer, default=part.language) != part.language:
            yield f"{question.place}: the answer is not {LANGUAGES[part.language]}"
    for place, dialogue in part.held_out.items():
        if dialogue.language != part.language:
            yield f"{place}: its language is {dialogue.language!r}, not {part.language!r}"
    texts: tuple[tuple[Path, Sequence[Question | Asked]], ...] = (
        (part.pairs, part.questions),
        (part.dialogues, part.asked),
    )
    for path, lines in texts:
        foreign = [one for one in lines if detect_language(one.text, default=part.language) != part.language]
        share = 1 - len(foreign) / max(len(lines), 1)
        if share < OWN_SHARE:
            yield (
                f"{path}: {share:.1%} of {len(lines):,} texts are {LANGUAGES[part.language]} by script; at least "
                f"{OWN_SHARE:.0%} is meant; the first that is not: {foreign[0].place}"
            )


def _twice(questions: Sequence[Question]) -> Iterator[str]:
    first: dict[str, Question] = {}
    for question in questions:
        earlier = first.setdefault(letters(question.text), question)
        if earlier is not question:
            yield f"{question.place}: the question {question.text!r} is already at {earlier.place}"


def _scored(turns: Sequence[Asked]) -> list[Asked]:
    return [turn for turn in turns if turn.expected is not None]


def _leaks(what: str, known: Sequence[Question | Asked], asked: Sequence[Asked]) -> Iterator[str]:
    """Texts of one side of a split that are on the other side, or nearly."""
    texts = [letters(one.text) for one in known]
    held = [letters(turn.text) for turn in asked]
    ratios = process.cdist(held, texts, scorer=fuzz.ratio, score_cutoff=ALIKE, dtype=np.float32)
    for row, column in np.argwhere(ratios >= ALIKE).tolist():
        turn, other = asked[row], known[column]
        if held[row] == texts[column]:
            yield f"{turn.place}: {turn.text!r} is the {what} at {other.place}"
        elif min(len(held[row]), len(texts[column])) >= ALIKE_LENGTH:
            yield (
                f"{turn.place}: {turn.text!r} is {ratios[row, column]:.0f} % like the {what} {other.text!r} "
                f"at {other.place}"
            )


if __name__ == "__main__":
    sys.exit(main())
