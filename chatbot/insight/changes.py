"""What would change, before anything does: a file against what is live.

In: the live pairs (those of all the bot's languages) and a `Corpus` read from a file. Out: a `Plan`, which pairs
go and which come (edit.py puts it into a bot as one version), and `Changes`: the same in an editor's words.

A question is the same whatever its case, punctuation and spaces (`text.letters`); an answer is its answer_id in
one language. With `Scope.REPLACE` the file is the whole truth of the languages that it has: what it lacks goes.
With `Scope.UPDATE` what it lacks stays. Either way the file's text of an answer wins, a question that the file
puts under other answers moves there, and its source and metadata win. Languages that the file does not have stay
as they are. Near duplicates of what is there go into it, as when pairs are read (merge.py).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from chatbot.corpus import Corpus
from chatbot.domain import QAPair
from chatbot.errors import CorpusError
from chatbot.merge import ConflictingAnswers, Contradiction, merge
from chatbot.tabular import TABLES
from chatbot.text import letters

Key = tuple[str, str]  # a question's letters, or an answer_id; and a language


class Scope(StrEnum):
    REPLACE = "replace"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Plan:
    """Pairs that go, as they are live now, and pairs that come. The same id in both: the pair changes."""

    removed: tuple[QAPair, ...] = ()
    added: tuple[QAPair, ...] = ()

    @property
    def undone(self) -> "Plan":
        return Plan(self.added, self.removed)

    def __bool__(self) -> bool:
        return bool(self.removed or self.added)


@dataclass(frozen=True, slots=True)
class AnswerChange:
    """An answer that comes, goes or is reworded, with its number of questions after (before, where it goes)."""

    answer_id: str
    language: str
    old: str | None
    new: str | None
    questions: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A question that is under other answers than before; ids in order."""

    question: str
    language: str
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """All in the order of language, answer_id and question. Questions of an answer that comes or goes are among
    `questions_added` and `questions_removed`. `contradictions` are those afterwards that are not live already."""

    answers_added: tuple[AnswerChange, ...]
    answers_removed: tuple[AnswerChange, ...]
    answers_reworded: tuple[AnswerChange, ...]
    questions_added: tuple[QAPair, ...]
    questions_removed: tuple[QAPair, ...]
    questions_moved: tuple[Moved, ...]
    contradictions: tuple[Contradiction, ...]
    conflicting_answers: tuple[ConflictingAnswers, ...]
    plan: Plan
    details_changed: tuple[QAPair, ...] = ()  # the source or metadata of a pair, as it is afterwards

    def counts(self) -> dict[str, dict[str, int]]:
        """How many of each kind, by language."""
        kinds: dict[str, Sequence[AnswerChange | QAPair | Moved | Contradiction | ConflictingAnswers]] = {
            "answers_added": self.answers_added,
            "answers_removed": self.answers_removed,
            "answers_reworded": self.answers_reworded,
            "questions_added": self.questions_added,
            "questions_removed": self.questions_removed,
            "questions_moved": self.questions_moved,
            "details_changed": self.details_changed,
            "contradictions": self.contradictions,
            "conflicting_answers": self.conflicting_answers,
        }
        languages = sorted({one.language for found in kinds.values() for one in found})
        return {
            language: {kind: sum(one.language == language for one in found) for kind, found in kinds.items()}
            for language in languages
        }


def compare(live: Sequence[QAPair], corpus: Corpus, scope: Scope) -> Changes:
    """What the file would change. Raises CorpusError, which says why, for a file without pairs, and for one that
    is to replace what is live and has rows that cannot be used: what they hold would be lost."""
    if not corpus.pairs:
        raise CorpusError(f"the file has no pair that could be used, so nothing is compared:\n{corpus.report}")
    if scope is Scope.REPLACE and corpus.report.bad_rows:
        raise CorpusError(f"what bad rows hold would be lost; mend them, or let the file update:\n{corpus.report}")
    return seen(live, _plan(live, corpus.pairs, scope), corpus.report.conflicting_answers)


def seen(live: Sequence[QAPair], plan: Plan, conflicting: Sequence[ConflictingAnswers] = ()) -> Changes:
    """What a plan would change, in an editor's words."""
    own = {pair.id: pair for pair in plan.removed}
    after = [*(pair for pair in live if pair.id not in own), *plan.added]
    old, new = _answers(live), _answers(after)
    added = [AnswerChange(*key, None, *new[key]) for key in new.keys() - old.keys()]
    removed = [AnswerChange(*key, old[key][0], None, old[key][1]) for key in old.keys() - new.keys()]
    reworded = [
        AnswerChange(*key, old[key][0], *new[key]) for key in new.keys() & old.keys() if new[key][0] != old[key][0]
    ]
    before, now = _questions(live), _questions(after)
    shared = [key for key in before.keys() & now.keys() if before[key].keys() != now[key].keys()]
    moved = [
        key for key in shared if before[key].keys() - now[key].keys() and now[key].keys() - before[key].keys()
    ]
    fresh = [key for key in now if key not in moved]
    lost = [key for key in before if key not in moved]
    return Changes(
        answers_added=_in_order(added),
        answers_removed=_in_order(removed),
        answers_reworded=_in_order(reworded),
        questions_added=_pairs_in_order(
            pair for key in fresh for answer_id, pair in now[key].items() if answer_id not in before.get(key, {})
        ),
        questions_removed=_pairs_in_order(
            pair for key in lost for answer_id, pair in before[key].items() if answer_id not in now.get(key, {})
        ),
        questions_moved=tuple(
            sorted((_moved(before[key], now[key]) for key in moved), key=lambda m: (m.language, m.old, m.question))
        ),
        contradictions=_contradictions(before, now),
        conflicting_answers=tuple(conflicting),
        plan=plan,
        details_changed=_pairs_in_order(
            pair
            for pair in plan.added
            if pair.id in own and (pair.source, pair.metadata) != (own[pair.id].source, own[pair.id].metadata)
        ),
    )


def _plan(live: Sequence[QAPair], given: Sequence[QAPair], scope: Scope) -> Plan:
    languages = {pair.language for pair in given}
    own = [pair for pair in live if pair.language in languages]
    texts = {(pair.answer_id, pair.language): pair.answer for pair in reversed(given)}
    asked = _questions(given)
    kept = {}
    for pair in own:
        ids = asked.get((letters(pair.question), pair.language))
        if scope is Scope.UPDATE if ids is None else pair.answer_id in ids:
            kept[pair.id] = replace(
                _with_details(pair, (ids or {}).get(pair.answer_id)),
                answer=texts.get((pair.answer_id, pair.language), pair.answer),
            )
    there = _questions(kept.values())
    fresh = [p for p in given if p.answer_id not in there.get((letters(p.question), p.language), {})]
    removed = tuple(pair for pair in own if kept.get(pair.id) != pair)
    changed = tuple(kept[pair.id] for pair in removed if pair.id in kept)
    return Plan(removed, changed + merged(list(kept.values()), fresh).added)


def _with_details(pair: QAPair, given: QAPair | None) -> QAPair:
    """With what the file says besides; a source that is a file's name was not said."""
    if given is None:
        return pair
    source = pair.source if Path(given.source).suffix in TABLES else given.source
    said = {name: value for name, value in given.metadata.items() if value or name in pair.metadata}
    return replace(pair, source=source, metadata={**pair.metadata, **said})


def merged(live: Sequence[QAPair], fresh: Sequence[QAPair]) -> Plan:
    """Those of `fresh` that are no duplicates of what is live or of one another."""
    touched = {(pair.answer_id, pair.language) for pair in fresh}
    there = [pair for pair in live if (pair.answer_id, pair.language) in touched]
    known = {pair.id for pair in there}
    return Plan(added=tuple(pair for pair in merge([*there, *fresh]).pairs if pair.id not in known))


def _answers(pairs: Iterable[QAPair]) -> dict[Key, tuple[str, int]]:
    """Text and number of questions of each answer."""
    pairs = list(pairs)
    numbers = Counter((pair.answer_id, pair.language) for pair in pairs)
    return {(p.answer_id, p.language): (p.answer, numbers[p.answer_id, p.language]) for p in reversed(pairs)}


def _questions(pairs: Iterable[QAPair]) -> dict[Key, dict[str, QAPair]]:
    """Each question's pairs by answer_id."""
    asked: dict[Key, dict[str, QAPair]] = defaultdict(dict)
    for pair in pairs:
        asked[letters(pair.question), pair.language].setdefault(pair.answer_id, pair)
    return dict(asked)


def _moved(before: Mapping[str, QAPair], now: Mapping[str, QAPair]) -> Moved:
    pair = next(iter(now.values()))
    return Moved(pair.question, pair.language, tuple(sorted(before)), tuple(sorted(now)))


def _contradictions(
    before: Mapping[Key, Mapping[str, QAPair]], now: Mapping[Key, Mapping[str, QAPair]]
) -> tuple[Contradiction, ...]:
    found = [
        Contradiction(next(iter(own.values())).question, language, tuple(sorted(own)))
        for (text, language), own in now.items()
        if len(own) > 1 and own.keys() != before.get((text, language), {}).keys()
    ]
    return tuple(sorted(found, key=lambda one: (one.language, one.answer_ids, one.question)))


def _in_order(changes: Iterable[AnswerChange]) -> tuple[AnswerChange, ...]:
    return tuple(sorted(changes, key=lambda one: (one.language, one.answer_id)))


def _pairs_in_order(pairs: Iterable[QAPair]) -> tuple[QAPair, ...]:
    return tuple(sorted(pairs, key=lambda one: (one.language, one.answer_id, one.question)))
