"""Hit test: what the bot would say to these questions, and whether that is what was expected.

In: questions, pasted (one a line) or from a csv, tsv, jsonl or xlsx file with a column `question` and, if there is
one, `expected`: answer ids joined by |, "-" where no stored answer may be given, empty where nothing is expected.
Out: a `Hit` each, with its candidates and the decision as a customer would meet it in a first message, a summary,
and rows for `tabular.write_table`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tqdm import tqdm

from chatbot.corpus import BadRow
from chatbot.decide import OFFERED
from chatbot.domain import Action, Candidate, Conversation, Decision, Reason
from chatbot.errors import CorpusError
from chatbot.files import find_files
from chatbot.protocols import Responder
from chatbot.tabular import TABLES, Row, read_table
from chatbot.text import clean

MOST = 5_000  # questions at once: some minutes
SHOWN = 5  # candidates
NOTHING = "-"  # how a file says that nothing answers a question
COLUMNS = (
    *("question", "expected", "outcome", "action", "reason", "answer_id", "confidence", "language", "rank"),
    *(
        f"{name}_{place}"
        for place in range(1, SHOWN + 1)
        for name in ("candidate", "similarity", "relevance", "sure")
    ),
)


class Outcome(StrEnum):
    RIGHT = "right"  # an expected answer was given, or none where none may be
    OFFERED = "offered"  # asked back, with an expected answer among the questions that are offered
    MISSED = "missed"  # asked back without it, or handed over
    WRONG = "wrong"  # a stored answer was given that is not expected
    UNJUDGED = "unjudged"  # nothing was expected


@dataclass(frozen=True, slots=True)
class Probe:
    """A question to try. `expected` is None where nothing is, and empty where no stored answer may be given."""

    text: str
    expected: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Probes:
    """In file order, with the rows that could not be used."""

    probes: tuple[Probe, ...]
    bad_rows: tuple[BadRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """What the bot did. `rank` is that of the first expected answer among all candidates, from 1; `unknown` are
    expected ids that no stored answer has."""

    probe: Probe
    outcome: Outcome
    action: Action
    reason: Reason
    answer_id: str | None
    confidence: float
    language: str
    candidates: tuple[Candidate, ...]
    rank: int | None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts; `first` and `among` are the shares of those with expected answers where one of them came first or
    among the first OFFERED, None where there are none."""

    questions: int
    actions: Mapping[Action, int]
    outcomes: Mapping[Outcome, int]
    first: float | None
    among: float | None
    unknown: tuple[str, ...]


def pasted(text: str) -> Probes:
    """One question a line; empty lines are none. Raises CorpusError for more than MOST."""
    return _enough(Probes(tuple(Probe(line.strip()) for line in text.splitlines() if clean(line))))


def read(path: Path) -> Probes:
    """Raises CorpusError for a file that cannot be read, has no column `question`, or more than MOST questions."""
    if path.is_dir():
        raise CorpusError(f"{path} is a folder; give one file of questions")
    (file,) = find_files([path], TABLES)
    table = read_table(file)
    columns = {clean(column).casefold(): column for column in reversed(table.columns)}
    if "question" not in columns:
        found = ", ".join(map(repr, table.columns))
        raise CorpusError(f"{path}: no column 'question'; found {found}. Name the column of the questions so")
    probes, bad = [], []
    for row in table.rows:
        try:
            probes.append(_probe(row, columns["question"], columns.get("expected", "")))
        except CorpusError as cause:
            bad.append(BadRow(path.name, row.number, str(cause)))
    return _enough(Probes(tuple(probes), tuple(bad)))


def ask(
    probes: Sequence[Probe], bot: Responder, answer_ids: Collection[str], progress: Callable[..., Any] = tqdm
) -> tuple[Hit, ...]:
    """Try each as a first message; `progress` is tqdm or called like it. `answer_ids` are all that the bot has."""
    return tuple(_hit(probe, bot, answer_ids) for probe in progress(probes, desc="asking", unit="question"))


def summary(hits: Sequence[Hit]) -> Summary:
    actions, outcomes = Counter(hit.action for hit in hits), Counter(hit.outcome for hit in hits)
    ranks = [hit.rank for hit in hits if hit.probe.expected]
    return Summary(
        questions=len(hits),
        actions={action: actions[action] for action in Action},
        outcomes={outcome: outcomes[outcome] for outcome in Outcome},
        first=_share([rank == 1 for rank in ranks]),
        among=_share([rank is not None and rank <= OFFERED for rank in ranks]),
        unknown=tuple(sorted({answer_id for hit in hits for answer_id in hit.unknown})),
    )


def rows(hits: Sequence[Hit]) -> list[tuple[object, ...]]:
    """One a hit, in the order of COLUMNS."""
    return [
        (
            hit.probe.text,
            "" if hit.probe.expected is None else "|".join(sorted(hit.probe.expected)) or NOTHING,
            *(str(hit.outcome), str(hit.action), str(hit.reason), hit.answer_id, round(hit.confidence, 4)),
            *(hit.language, hit.rank),
            *(value for place in range(SHOWN) for value in _evidence(hit.candidates[place : place + 1])),
        )
        for hit in hits
    ]


def _evidence(candidate: Sequence[Candidate]) -> tuple[object, ...]:
    if not candidate:
        return (None,) * 4
    (one,) = candidate
    return one.pair.answer_id, round(one.similarity, 4), round(one.relevance, 4), round(one.confidence, 4)


def _probe(row: Row, question: str, expected: str) -> Probe:
    if row.fault:
        raise CorpusError(row.fault)
    text, wanted = row.cells.get(question, ""), row.cells.get(expected, "")
    if not isinstance(text, str) or not isinstance(wanted, str):
        raise CorpusError("question and expected must be text; put them in quotes")
    if not clean(text):
        raise CorpusError("the question is empty")
    if wanted.strip() == NOTHING:
        return Probe(text, frozenset())
    ids = frozenset(part.strip() for part in wanted.split("|")) - {""}
    return Probe(text, ids if ids else None)


def _enough(probes: Probes) -> Probes:
    if len(probes.probes) > MOST:
        raise CorpusError(f"{len(probes.probes):,} questions are too many for one test; give at most {MOST:,}")
    return probes


def _hit(probe: Probe, bot: Responder, answer_ids: Collection[str]) -> Hit:
    reply = bot.reply(Conversation(), probe.text)
    decision, expected = reply.decision, probe.expected
    ranked = list(dict.fromkeys(candidate.pair.answer_id for candidate in decision.candidates))
    ranks = [ranked.index(answer_id) + 1 for answer_id in expected or () if answer_id in ranked]
    return Hit(
        probe=probe,
        outcome=_outcome(decision, reply.answer_id, expected),
        action=decision.action,
        reason=decision.reason,
        answer_id=reply.answer_id,
        confidence=decision.confidence,
        language=reply.language,
        candidates=decision.candidates[:SHOWN],
        rank=min(ranks, default=None),
        unknown=tuple(sorted((expected or frozenset()) - set(answer_ids))),
    )


def _outcome(decision: Decision, answer_id: str | None, expected: frozenset[str] | None) -> Outcome:
    if expected is None:
        return Outcome.UNJUDGED
    if decision.action is Action.ANSWER:
        return Outcome.RIGHT if answer_id in expected else Outcome.WRONG
    if not expected:
        return Outcome.MISSED if decision.action is Action.CLARIFY else Outcome.RIGHT
    offered = {candidate.pair.answer_id for candidate in decision.candidates[:OFFERED]}
    asks_back = decision.action is Action.CLARIFY and bool(offered & expected)
    return Outcome.OFFERED if asks_back else Outcome.MISSED


def _share(outcomes: Sequence[bool]) -> float | None:
    return sum(outcomes) / len(outcomes) if outcomes else None
