"""Two evaluations of the same dialogues: what a new bot changes, and whether that is more than chance.

In: the predictions of the bot as it is and of the bot as it would be, on the same scored turns. Out: each measure
before and after with a paired bootstrap interval of the difference (Efron and Tibshirani 1993, chapter 8), and the
turns that went from right to wrong or back. Whole dialogues are drawn, not turns: those of one dialogue are alike.
Few dialogues say nothing of chance, and then there is no interval.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chatbot.decide import Floats
from chatbot.domain import Action
from chatbot.errors import UserError
from chatbot.learn.evaluate import Prediction, auroc, expected_calibration_error, reciprocal_rank

DRAWS = 2000  # of dialogues, for an interval
FEWER_DRAWS = 500  # for measures that are no mean over turns, which take a thousand times as long
LEVEL = 0.95  # of the intervals
LEAST_DIALOGUES = 10  # that count for a measure, before drawing among them says what chance does
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


WHOLE: dict[str, Callable[[Floats, Floats, Floats], float | None]] = {
    "ece": lambda confidence, _, first: expected_calibration_error(confidence, first),
    "auroc": lambda confidence, wanted, _: auroc(confidence, wanted > 0),
}
LOWER_IS_BETTER = {"ece"}


@dataclass(frozen=True, slots=True)
class Change:
    """A measure before and after, None where nothing counts; the interval [low, high] of the difference, None
    where too few dialogues count."""

    before: float | None
    after: float | None
    low: float | None
    high: float | None
    lower_is_better: bool = False

    @property
    def worse(self) -> bool:
        """Whether the measure got worse by more than chance explains."""
        if self.low is None or self.high is None:
            return False
        return self.low > 0 if self.lower_is_better else self.high < 0


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
        totals = [_number(_ratio(sums.sum(0))) for sums in (old, new)]
        counted = min(int((sums[:, 1] > 0).sum()) for sums in (old, new))
        changes[name] = Change(totals[0], totals[1], *_interval(apart, counted))
    place = {name: i for i, name in enumerate(dialogues)}
    counts = drawn[:FEWER_DRAWS, [place[p.dialogue_id] for p in before]]  # of each turn in each draw
    rows = [np.repeat(np.arange(len(before)), count) for count in counts]
    both = [_columns(predictions) for predictions in (before, after)]
    for name, of in WHOLE.items():
        totals = [of(*columns) for columns in both]
        drawn_ones = np.array(
            [[of(*(column[row] for column in columns)) for columns in both] for row in rows], dtype=np.float64
        )
        low, high = _interval(drawn_ones[:, 1] - drawn_ones[:, 0], len(dialogues))
        changes[name] = Change(totals[0], totals[1], low, high, name in LOWER_IS_BETTER)
    flips = [_flip(b, a) for b, a in zip(before, after, strict=True) if b.right != a.right]
    return Difference(len(turns), changes, tuple(sorted(flips, key=lambda flip: flip[-1], reverse=True)))


def _flip(before: Prediction, after: Prediction) -> tuple[Any, ...]:
    done = [f"{p.action} {p.answer_id}".strip() for p in (before, after)]
    change = "worse" if before.right else "better"
    return (before.dialogue_id, before.turn, before.language, before.text, before.expected, *done, change)


def _columns(predictions: Sequence[Prediction]) -> tuple[Floats, Floats, Floats]:
    """Confidence, whether anything answers, and whether the first candidate is right: float64 [turns] each."""
    values = [(p.confidence, float(bool(p.wanted)), float(p.right_first)) for p in predictions]
    confidence, wanted, first = np.array(values, dtype=np.float64).T
    return confidence, wanted, first


def _interval(apart: Floats, dialogues: int) -> tuple[float | None, float | None]:
    """What holds LEVEL of the differences; None where so few `dialogues` count that it would say nothing."""
    if dialogues < LEAST_DIALOGUES or np.isnan(apart).all():
        return None, None
    low, high = np.nanquantile(apart, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


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
