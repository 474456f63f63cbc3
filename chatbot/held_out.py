"""What a bot is judged by: files of dialogues with the right answers, and of questions that mean the same or not.

    dialogues  jsonl             {"id", "language", "turns": [{"role", "text", "expected"?: [answer_id, …]}]}
    matches    tsv, no header    question <TAB> question <TAB> 0|1

Out: `HeldOutDialogue`s and `Match`es in file order. A measure is worth what it is measured on, so a bad line is
always an error: a `CorpusError` that names file and line.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from chatbot.corpus import language_of
from chatbot.domain import HeldOutDialogue, Match, Role
from chatbot.errors import CorpusError
from chatbot.files import find_files, read_text
from chatbot.text import clean


def read_dialogues(paths: Sequence[Path]) -> tuple[HeldOutDialogue, ...]:
    """Held-out dialogues in file order. A turn without `expected` has None there; an empty list stays empty.
    Raises CorpusError naming file and line for what is not such a dialogue, and for an id given twice."""
    shape = TypeAdapter(HeldOutDialogue)
    dialogues: list[HeldOutDialogue] = []
    seen: dict[str, str] = {}
    for where, line in _lines(paths, ".jsonl"):
        try:
            dialogue = shape.validate_json(line)
        except ValidationError as cause:
            first = cause.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise CorpusError(
                f"{where}: {place + ': ' if place else ''}{first['msg']}; "
                'write {"id", "language", "turns": [{"role": "user"|"agent", "text", "expected"?: [answer_id]}]}'
            ) from cause
        if not dialogue.turns:
            raise CorpusError(f"{where}: dialogue {dialogue.id!r} has no turns; add some or remove the line")
        if any(turn.role is Role.AGENT and turn.expected is not None for turn in dialogue.turns):
            raise CorpusError(f"{where}: an agent's turn has `expected`; only a user's turn can be scored")
        if dialogue.id in seen:
            raise CorpusError(f"{where}: dialogue {dialogue.id!r} was already in {seen[dialogue.id]}; rename one")
        seen[dialogue.id] = where
        try:
            language = language_of(dialogue.language, dialogue.turns[0].text, "")
        except CorpusError as cause:
            raise CorpusError(f"{where}: {cause}") from cause
        dialogues.append(replace(dialogue, language=language))
    return tuple(dialogues)


def read_matches(paths: Sequence[Path]) -> tuple[Match, ...]:
    """Labelled question pairs in file order; a quotation mark is a character like any other.
    Raises CorpusError naming file and line for a line that is not two questions and 0 or 1."""
    matches: list[Match] = []
    for where, line in _lines(paths, ".tsv"):
        match line.split("\t"):
            case [left, right, ("0" | "1") as label] if clean(left) and clean(right):
                matches.append(Match(left, right, label == "1"))
            case cells:
                raise CorpusError(
                    f"{where}: expected question TAB question TAB 0 or 1, found {len(cells)} cells, "
                    f"the last {cells[-1][:40]!r}; mend or remove the line"
                )
    return tuple(matches)


def _lines(paths: Sequence[Path], suffix: str) -> Iterable[tuple[str, str]]:
    """The lines with something in them, each with its place for error messages."""
    for path in find_files(paths, (suffix,)):
        numbered = [
            (f"{path}, line {number}", line.removesuffix("\r"))
            for number, line in enumerate(read_text(path).split("\n"), start=1)
            if line.strip()
        ]
        if not numbered:
            raise CorpusError(f"{path}: the file is empty")
        yield from numbered
