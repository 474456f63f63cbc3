"""How far an explanation can be trusted: take out the words that it names, and see what becomes of the relevance.

In: a cross-encoder, two texts, and how much each explanation makes of each word. Out: a `Deletion`: the relevance
after the first words of each order were taken out, the order of the attribution, of the attention, and several by
chance. An explanation that knows what the relevance rests on lowers it faster than chance does.

Words go from one text while the other one stays, and what is said is the mean over both. Taken out of both texts
together, the last words would leave two texts that are the same again, and the relevance would rise. Not more than
half of the words go, since a cross-encoder was never taught what to make of next to nothing. They are cut out of
the text, not masked, so that the relevance is one that the bot itself might have found.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean

from chatbot.protocols import Reranker

SHARES = (1 / 8, 1 / 4, 1 / 2)  # of a text's words
DRAWS = 19
LEAST_BEATEN = 0.9  # share of the chance orders that a faithful one must outdo; chance itself does one time in ten
LEAST_LOWERED = 0.05  # a mean lowering (of a logit) below which a ratio says nothing
TIED = 1e-4  # lowerings that are the same but for rounding
SEED = 7

Span = tuple[int, int]  # where a word stands in its text: start and end


class Verdict(StrEnum):
    FAITHFUL = "faithful"
    NOT_TRUSTED = "not_trusted"
    UNTESTED = "untested"  # too few words: the best order comes up by chance


@dataclass(frozen=True, slots=True)
class Judgement:
    """`lowered` is how far the relevance fell on average while the words that an explanation names went,
    `by_chance` the same for words by chance; `beaten` the share of the chance orders that lowered it less."""

    verdict: Verdict
    lowered: float
    by_chance: float
    beaten: float

    @property
    def times(self) -> float | None:
        """How many times as much as chance; None where chance lowers next to nothing, or raises."""
        return self.lowered / self.by_chance if self.by_chance >= LEAST_LOWERED else None


@dataclass(frozen=True, slots=True)
class Deletion:
    """Relevance after each of `shares` of the words went, the first being 0, in each order."""

    shares: tuple[float, ...]
    attribution: tuple[float, ...]
    attention: tuple[float, ...]
    chance: tuple[tuple[float, ...], ...]

    def judge(self, curve: Sequence[float]) -> Judgement:
        """What one of the curves is worth."""
        lowered, drawn = area(curve), [area(one) for one in self.chance]
        beaten = sum(one < lowered for one in drawn) / len(drawn)
        faithful = beaten >= LEAST_BEATEN and lowered > 0
        verdict = Verdict.FAITHFUL if faithful else Verdict.NOT_TRUSTED
        best = max(lowered, *drawn)
        tied = sum(best - one < TIED for one in drawn)
        if tied > max(
            1, (1 - LEAST_BEATEN) * len(drawn)
        ):  # more than may be left unbeaten, and no order beats them
            verdict = Verdict.UNTESTED
        return Judgement(verdict, lowered, fmean(drawn), beaten)


def area(curve: Sequence[float]) -> float:
    """How far the relevance fell on average: the area over the curve, by steps (Samek and others 2017)."""
    return curve[0] - fmean(curve[1:])


@dataclass(frozen=True, slots=True)
class Named:
    """A text, where its words stand, and what attribution and attention make of each."""

    text: str
    spans: Sequence[Span]
    attribution: Sequence[float]
    attention: Sequence[float]


def delete(reranker: Reranker, question: Named, candidate: Named) -> Deletion:
    """Ask the cross-encoder about every text that is left over: in one call, and each once."""
    sides, chance = (question, candidate), random.Random(SEED)
    orders = [[_falling(side.attribution) for side in sides], [_falling(side.attention) for side in sides]]
    orders += [[chance.sample(range(len(side.spans)), len(side.spans)) for side in sides] for _ in range(DRAWS)]
    steps = [[[(question.text, candidate.text)], *(_left(sides, order, s) for s in SHARES)] for order in orders]
    pairs = list(dict.fromkeys(pair for order in steps for left in order for pair in left))
    scores = reranker.score([left for left, _ in pairs], [right for _, right in pairs]).tolist()
    relevance = dict(zip(pairs, scores, strict=True))
    curves = [tuple(fmean(relevance[pair] for pair in left) for left in order) for order in steps]
    return Deletion((0.0, *SHARES), curves[0], curves[1], tuple(curves[2:]))


def _falling(values: Sequence[float]) -> list[int]:
    return sorted(range(len(values)), key=lambda i: -values[i])


def _left(sides: tuple[Named, Named], order: Sequence[Sequence[int]], share: float) -> list[tuple[str, str]]:
    """The pairs to read when a share of the words has gone: first from the question alone, then from the candidate
    alone. A text without words stays as it is."""
    cut = [without(side, gone[: math.ceil(share * len(gone))]) for side, gone in zip(sides, order, strict=True)]
    pairs = [(cut[0], sides[1].text), (sides[0].text, cut[1])]
    return [pair for pair, gone in zip(pairs, order, strict=True) if gone] or [(sides[0].text, sides[1].text)]


def without(named: Named, gone: Sequence[int]) -> str:
    """The text without some of its words. What stood on both sides of a word stays apart, but in Chinese."""
    left = named.text
    for start, end in sorted((named.spans[i] for i in gone), reverse=True):
        left = left[:start] + " " * left[start:end].isascii() + left[end:]
    return " ".join(left.split())
