"""Two evaluations of the same dialogues: what a new bot changes, and whether that is more than chance.

In: the predictions of the bot as it is and of the bot as it would be, on the same scored turns. Out: each measure
before and after with a paired bootstrap interval of the difference (Efron and Tibshirani 1993, chapter 8), and the
turns that went from right to wrong or back. Whole dialogues are drawn, not turns: those of one dialogue are alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chatbot.decide import Floats
from chatbot.domain import Action
from chatbot.errors import UserError
from chatbot.learn.evaluate import Prediction, reciprocal_rank

DRAWS = 2000  # of dialogues, for an interval
LEVEL = 0.95  # of the intervals
COLUMNS = ("dialogue_id", "turn", "language", "text", "expected", "before", "after", "change")

Terms = tuple[float, float]  # what a turn adds to a measure's numerator and denominator


def _of(
    counts: Callable[[Prediction], bool], good: Callable[[Prediction], float]
) -> Callable[[Prediction], Terms]:
    return lambda p: (float(good(p)), 1.0) if counts(p) else (0.0, 0.0)


def _answered(p: Prediction) -> bool:
    return p.action == Action.ANSWER


MEASURES: dict[str, Callable[[Prediction], Terms]] = {
    "raw_accuracy": _of(lambda p: bool(p.wanted), lambda p: p.right_first),
    "accuracy": _of(lambda _: True, lambda p: p.right),
    "in_scope_accuracy": _of(lambda p: bool(p.wanted), lambda p: p.right),
    "out_of_scope_recall": _of(lambda p: not p.wanted, lambda p: p.right),
    "answered_precision": _of(_answered, lambda p: bool(p.wanted) and p.right),
    "coverage": _of(lambda p: bool(p.wanted), _answered),
    "mrr_at_10": _of(lambda p: bool(p.wanted), reciprocal_rank),
}


@dataclass(frozen=True, slots=True)
class Change:
    """A measure before and after, and the interval [low, high] of the difference; None where nothing counts."""

    before: float | None
    after: float | None
    low: float | None
    high: float | None

    @property
    def worse(self) -> bool:
        """Whether the measure fell by more than chance explains."""
        return self.high is not None and self.high < 0


@dataclass(frozen=True, slots=True)
class Difference:
    """`changes` by the name of the measure; `flips`, rows in the order of COLUMNS, for the worse first."""

    turns: int
    changes: dict[str, Change]
    flips: tuple[tuple[Any, ...], ...]

    @property
    def worse(self) -> tuple[str, ...]:
        return tuple(name for name, change in self.changes.items() if change.worse)


def difference(before: Sequence[Prediction], after: Sequence[Prediction], seed: int) -> Difference:
    """Raises UserError where the two are not of the same turns."""
    turns = [(p.dialogue_id, p.turn, p.text) for p in before]
    if turns != [(p.dialogue_id, p.turn, p.text) for p in after]:
        raise UserError("the two bots were not asked the same turns; evaluate both on the same dialogues")
    if not turns:
        raise UserError("the dialogues have no turn with `expected`: nothing to compare the two bots on")
    dialogues = list(dict.fromkeys(p.dialogue_id for p in before))
    drawn = np.random.default_rng(seed).multinomial(
        len(dialogues), np.full(len(dialogues), 1 / len(dialogues)), size=DRAWS
    )
    changes = {}
    for name, terms in MEASURES.items():
        old, new = (_sums(predictions, dialogues, terms) for predictions in (before, after))
        apart = _ratio(drawn @ new) - _ratio(drawn @ old)
        edges = np.nanquantile(apart, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if not np.isnan(apart).all() else None
        totals = [_number(_ratio(sums.sum(0))) for sums in (old, new)]
        changes[name] = Change(*totals, *(map(float, edges) if edges is not None else (None, None)))
    flips = [_flip(b, a) for b, a in zip(before, after, strict=True) if b.right != a.right]
    return Difference(len(turns), changes, tuple(sorted(flips, key=lambda flip: flip[-1], reverse=True)))


def _flip(before: Prediction, after: Prediction) -> tuple[Any, ...]:
    done = [f"{p.action} {p.answer_id}".strip() for p in (before, after)]
    change = "worse" if before.right else "better"
    return (before.dialogue_id, before.turn, before.language, before.text, before.expected, *done, change)


def _sums(
    predictions: Sequence[Prediction], dialogues: Sequence[str], terms: Callable[[Prediction], Terms]
) -> Floats:
    """Numerator and denominator of each dialogue: float64 [dialogues, 2]."""
    place = {name: i for i, name in enumerate(dialogues)}
    sums = np.zeros((len(dialogues), 2))
    for p in predictions:
        sums[place[p.dialogue_id]] += terms(p)
    return sums


def _ratio(sums: Floats) -> Floats:
    """Numerators over denominators of [..., 2]; nan where nothing counts."""
    below = np.where(sums[..., 1] > 0, sums[..., 1], np.nan)
    return np.asarray(sums[..., 0] / below)


def _number(value: Floats) -> float | None:
    return None if np.isnan(value) else float(value)
