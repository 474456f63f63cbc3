"""Does another engine give the same answers? Best answers to historical questions that were mistyped.

In: a retriever. Out: for some of its questions, mistyped twice and with the question itself hidden from the
search, the best answer; two such lists agree to a share. Word for word, models answer what they were tuned on with
such ease that no engine would differ.
"""

import random
from collections.abc import Iterable, Iterator, Sequence

from chatbot.learn.noise import noisy
from chatbot.retrieve import Retriever

ASKED = 400  # questions at most, drawn by chance
LEAST_SAME = 0.995  # of the best answers, before another engine may answer
BATCH = 16


def best_answers(retriever: Retriever, seed: int) -> Iterator[str]:
    """The answer that comes first for each question; empty where nothing is found. Asked as they are wanted."""
    pairs, chance = retriever.table.pairs, random.Random(seed)
    rows = chance.sample(sorted(pairs), min(len(pairs), ASKED))
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        texts = [noisy(noisy(pairs[row].question, chance), chance) for row in batch]
        found = retriever.retrieve(texts, None, [frozenset({row}) for row in batch])
        yield from (one.candidates[0].pair.answer_id if one.candidates else "" for one in found)


def agreement(expected: Sequence[str], found: Iterable[str]) -> float:
    """The share of the same best answers; 1 where nothing was asked. Once it is below LEAST_SAME whatever else is
    found, the rest is not asked, and counts as the same."""
    same = len(expected)
    for one, other in zip(expected, found, strict=False):
        same -= one != other
        if same < LEAST_SAME * len(expected):
            break
    return same / len(expected) if expected else 1.0
