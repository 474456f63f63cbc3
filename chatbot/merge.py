"""Rows that say the same become one pair; rows that disagree are reported.

In: one `QAPair` a row, in file order. Out: `Merged`: the pairs that are left, in the same order, each with the
number of rows it stands for, and what a person should look at. Why: copies would outvote other wordings in
retrieval and leak from training into held-out folds.

Questions are only ever merged within one answer and language, so merging loses a wording and never an answer.
The first wording stays, with its own source and metadata.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rapidfuzz import fuzz, process

from chatbot.domain import QAPair
from chatbot.text import clean, letters

ALIKE = 97.0  # rapidfuzz ratio, per cent: one letter more in a text of 17, one letter changed in 34
ALIKE_LENGTH = 12  # characters; shorter texts are not compared letter by letter
WINDOW = 512  # questions compared each with each


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One question, but for case, punctuation and spaces, under several answers. All of them are kept."""

    question: str
    language: str
    answer_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConflictingAnswers:
    """One answer_id with several texts in a language. The first of `answers` is used for every pair of it."""

    answer_id: str
    language: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Merged:
    """`exact` and `near` count the rows that went into an earlier one."""

    pairs: tuple[QAPair, ...]
    exact: int
    near: int
    contradictions: tuple[Contradiction, ...]
    conflicting_answers: tuple[ConflictingAnswers, ...]


def merge(rows: Sequence[QAPair]) -> Merged:
    """Merge duplicates and settle each answer's text; see the module's docstring."""
    folded = [clean(row.question).casefold() for row in rows]
    counts = Counter(range(len(rows)))  # position of a row that is kept -> rows it stands for

    counts = _into_first(counts, {kept: (folded[kept], *_bucket(rows[kept])) for kept in counts})
    different = len(counts)
    counts = _into_first(counts, {kept: (letters(rows[kept].question), *_bucket(rows[kept])) for kept in counts})
    counts = _into_alike(counts, rows, folded)

    texts, conflicts = _settle_answers(rows)
    pairs = tuple(
        replace(rows[kept], answer=texts[_bucket(rows[kept])], count=count) for kept, count in counts.items()
    )
    return Merged(pairs, len(rows) - different, different - len(pairs), _contradictions(pairs), conflicts)


def _bucket(row: QAPair) -> tuple[str, str]:
    return row.answer_id, row.language


def _into_first(counts: Counter[int], keys: Mapping[int, Hashable]) -> Counter[int]:
    """Counts of the first position of each key."""
    first: dict[Hashable, int] = {}
    merged: Counter[int] = Counter()
    for position, count in counts.items():
        merged[first.setdefault(keys[position], position)] += count
    return merged


def _into_alike(counts: Counter[int], rows: Sequence[QAPair], folded: Sequence[str]) -> Counter[int]:
    """Counts after each question has gone into the first kept one that it is alike to, in file order."""
    buckets: dict[tuple[str, str], list[int]] = defaultdict(list)
    for position in counts:
        if len(folded[position]) >= ALIKE_LENGTH:
            buckets[_bucket(rows[position])].append(position)
    owner: dict[int, int] = {}
    for bucket in buckets.values():
        alike = sorted(set(_alike([folded[position] for position in bucket])))
        for later, earlier in alike:
            if bucket[earlier] not in owner:  # only what is itself kept may take others in
                owner.setdefault(bucket[later], bucket[earlier])
    return _into_first(counts, {position: owner.get(position, position) for position in counts})


def _alike(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Places (later, earlier) of texts with a ratio of at least ALIKE; a pair may come twice.

    Up to WINDOW texts are compared each with each. Of more, each is compared with its neighbours in alphabetical
    order, from the front and from the back (sorted neighbourhood, Hernández and Stolfo 1995): the time grows with
    n, and what is missed is a pair with early and late changes in a crowd of similar texts.
    """
    places = list(range(len(texts)))
    orders = [places]
    if len(texts) > WINDOW:
        orders = [sorted(places, key=texts.__getitem__), sorted(places, key=lambda place: texts[place][::-1])]
    for order in orders:
        for start in range(0, max(1, len(order) - WINDOW // 2), WINDOW // 2):
            window = order[start : start + WINDOW]
            chosen = [texts[place] for place in window]
            ratios = process.cdist(chosen, chosen, scorer=fuzz.ratio, score_cutoff=ALIKE, dtype=np.float32)
            for row, column in np.argwhere(np.triu(ratios, k=1) >= ALIKE).tolist():
                earlier, later = sorted((window[row], window[column]))
                yield later, earlier


def _settle_answers(
    rows: Sequence[QAPair],
) -> tuple[Mapping[tuple[str, str], str], tuple[ConflictingAnswers, ...]]:
    """The text of each (answer_id, language) that most rows have, the first seen of equals, and the conflicts.

    Texts that differ only in what `clean` takes away are one text in two spellings, and no conflict.
    """
    spellings: dict[tuple[str, str], dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    cleaned: dict[str, str] = {}
    for row in rows:
        if row.answer not in cleaned:
            cleaned[row.answer] = clean(row.answer)
        spellings[_bucket(row)][cleaned[row.answer]][row.answer] += 1
    texts: dict[tuple[str, str], str] = {}
    conflicts: list[ConflictingAnswers] = []
    for bucket, found in spellings.items():
        by_rows = sorted(found.values(), key=Counter.total, reverse=True)  # stable: the first seen of equals
        answers = tuple(spelling.most_common(1)[0][0] for spelling in by_rows)
        texts[bucket] = answers[0]
        if len(answers) > 1:
            conflicts.append(ConflictingAnswers(*bucket, answers))
    return texts, tuple(conflicts)


def _contradictions(pairs: Sequence[QAPair]) -> tuple[Contradiction, ...]:
    asked: dict[tuple[str, str], list[QAPair]] = defaultdict(list)
    for pair in pairs:
        asked[letters(pair.question), pair.language].append(pair)
    return tuple(
        Contradiction(same[0].question, language, tuple(pair.answer_id for pair in same))
        for (_, language), same in asked.items()
        if len(same) > 1  # within one answer they are merged, so these are several answers
    )
