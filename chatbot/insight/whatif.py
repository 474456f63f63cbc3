"""What other thresholds would do: the sliders of a support lead, without another run.

In: the turns of one language as `observe` found them, in a `Table`, and a `Calibration` with other thresholds
(`moved` makes one). Out: an `Outcome`, the same as evaluating a bot with that calibration would give, in
milliseconds for ten thousand turns; which turns change; and the curve of risk against coverage. A time limit for
an answer (rank.Budget) is not simulated.

What a slider means: from this confidence on the bot answers. It sets the whole calibration's thresholds, those of
first messages and those of follow-ups apart. The early one, which judges before reading, keeps its own answer
threshold where the slider is at or below the one in force: that threshold is as high as it must be for reading to
change hardly anything, which stays true when the whole one answers more. Where the slider is above the one in
force, the early one answers from the slider on, or from its own threshold where that is higher still, so that
nothing is answered below the slider; how often reading would then have changed something was not tested. A lower
slider later on does not bring the early threshold down again: going back to the version before does. The threshold
to ask back is the whole one's alone: what the early one says below its answer threshold counts only where the
whole one says the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatbot.decide import Calibration, Confidence, Floats
from chatbot.domain import Action
from chatbot.errors import UserError
from chatbot.insight.observe import Judged, Observed

ACTIONS = tuple(Action)
ANSWER, CLARIFY, HAND_OVER, CHAT = range(len(ACTIONS))
CURVE = 101  # thresholds of a curve

Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Confidences from which on the bot answers and, below that, asks back; above 1 it never does."""

    answer: float
    clarify: float
    later_answer: float  # of follow-ups, which are read with what was said before
    later_clarify: float

    @classmethod
    def of(cls, calibration: Calibration) -> "Thresholds":
        alone, later = calibration.alone, calibration.later
        return cls(
            alone.answer_threshold, alone.clarify_threshold, later.answer_threshold, later.clarify_threshold
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is done with each turn, by position: codes of ACTIONS, answer ids ("" where none is given), how sure,
    and whether that was right; `inside` are the turns that some stored answer answers."""

    actions: Codes
    answer_ids: NDArray[np.object_]
    confidence: Floats
    right: Flags
    inside: Flags

    def count(self, action: Action) -> int:
        return int((self.actions == ACTIONS.index(action)).sum())

    @property
    def precision(self) -> float | None:
        """Of the answers given, the share that is right."""
        return _share(self.right[self.actions == ANSWER])

    @property
    def coverage(self) -> float | None:
        """Of the turns that some stored answer answers, the share that is answered, rightly or not."""
        return _share(self.actions[self.inside] == ANSWER)

    @property
    def accuracy(self) -> float | None:
        """Of all turns, the share where the right thing is done (learn.evaluate.Prediction.right)."""
        return _share(self.right)


@dataclass(frozen=True, slots=True)
class Change:
    """A turn with which something else is done."""

    dialogue_id: str
    turn: int
    text: str
    expected: tuple[str, ...]
    before: Action
    before_id: str
    before_right: bool
    after: Action
    after_id: str
    after_right: bool
    confidence: float


@dataclass(frozen=True, slots=True)
class Table:
    """The turns of one language as columns; `of` makes it. Probabilities, first and among, are [n, 2]."""

    turns: tuple[Observed, ...]
    inside: Flags
    later: Flags
    fixed: Codes  # -1 where the thresholds decide
    otherwise: Codes  # -1 where they do
    whole: Floats
    whole_done: Codes
    whole_id: NDArray[np.object_]
    whole_right: Flags
    early: Floats  # nan where nothing is judged early
    early_done: Codes
    early_id: NDArray[np.object_]
    early_right: Flags
    least: Floats  # nan where reading might put another answer first
    most: Floats

    @classmethod
    def of(cls, turns: Sequence[Observed]) -> "Table":
        none = Judged("", math.nan, math.nan, Action.HAND_OVER)
        whole = [none if turn.whole is None else turn.whole for turn in turns]
        early = [none if turn.early is None else turn.early for turn in turns]
        nowhere = ((math.nan, math.nan), (math.nan, math.nan))
        ends = np.array([nowhere if t.ends is None else t.ends for t in turns], dtype=float).reshape(-1, 2, 2)
        return cls(
            turns=tuple(turns),
            inside=np.array([bool(turn.expected) for turn in turns], bool),
            later=np.array([turn.later for turn in turns], bool),
            fixed=_codes([turn.fixed for turn in turns]),
            otherwise=_codes([turn.otherwise for turn in turns]),
            least=ends[:, 0],
            most=ends[:, 1],
            **_columns("whole", whole, turns),
            **_columns("early", early, turns),
        )


def moved(calibration: Calibration, thresholds: Thresholds) -> Calibration:
    """The calibration with these thresholds; see the module's docstring. What it states of its risk is that of its
    held-out questions, and no promise; where a threshold stays, all that is stated stays."""
    alone = _at(calibration.alone, thresholds.answer, thresholds.clarify)
    later = _at(calibration.later, thresholds.later_answer, thresholds.later_clarify)
    early = calibration.early
    if early is not None:
        early = replace(
            early,
            alone=_raised(early.alone, calibration.alone, alone),
            later=_raised(early.later, calibration.later, later),
        )
    return replace(calibration, alone=alone, later=later, early=early)


def outcome(table: Table, calibration: Calibration) -> Outcome:
    """What a bot with this calibration would do; it may differ from the observed one in thresholds alone."""
    whole = _decided(table.whole, calibration, table.later)
    least, most = (_decided(end, calibration, table.later) for end in (table.least, table.most))
    is_early = np.zeros(len(table.turns), bool)
    early = whole
    if calibration.early is not None:
        early = _decided(table.early, calibration.early, table.later)
        settled = ~np.isnan(table.least[:, 0]) & (least == most) & (least == early)
        is_early = ~np.isnan(table.early[:, 0]) & ((early == ANSWER) | settled)
    actions = np.where(is_early, early, whole)
    actions = np.where(actions == ANSWER, np.where(is_early, table.early_done, table.whole_done), actions)
    actions = np.where((actions != ANSWER) & (table.otherwise >= 0), table.otherwise, actions)
    actions = np.where(table.fixed >= 0, table.fixed, actions)
    answers = actions == ANSWER
    correct = np.where(is_early, table.early_right, table.whole_right)
    first = np.nan_to_num(np.where(is_early, table.early[:, 0], table.whole[:, 0]))
    return Outcome(
        actions=actions,
        answer_ids=np.where(answers, np.where(is_early, table.early_id, table.whole_id), ""),
        confidence=first,
        right=np.where(table.inside, answers & correct, (actions == HAND_OVER) | (actions == CHAT)),
        inside=table.inside,
    )


def changes(table: Table, before: Outcome, after: Outcome) -> tuple[Change, ...]:
    """Those that go wrong first, then those that come right, then the rest; each in the order of the turns."""
    apart = np.flatnonzero((before.actions != after.actions) | (before.answer_ids != after.answer_ids))
    ranked = sorted(apart.tolist(), key=lambda i: int(after.right[i]) - int(before.right[i]) or 2)
    return tuple(
        Change(
            *(table.turns[i].dialogue_id, table.turns[i].turn, table.turns[i].text),
            tuple(sorted(table.turns[i].expected)),
            *(ACTIONS[before.actions[i]], str(before.answer_ids[i]), bool(before.right[i])),
            *(ACTIONS[after.actions[i]], str(after.answer_ids[i]), bool(after.right[i])),
            float(after.confidence[i]),
        )
        for i in ranked
    )


def curve(table: Table, calibration: Calibration, steps: int = CURVE) -> Floats:
    """float64 [steps, 3]: answer thresholds from 0 to 1, set for first messages and follow-ups alike, with the
    coverage and the risk (share of answers wrong, nan where none is given) that each would have."""
    points = []
    for threshold in np.linspace(0, 1, steps).tolist():
        there = replace(Thresholds.of(calibration), answer=threshold, later_answer=threshold)
        found = outcome(table, moved(calibration, there))
        precision = found.precision
        points.append((threshold, found.coverage or 0.0, math.nan if precision is None else 1 - precision))
    return np.array(points)


def _at(confidence: Confidence, answer: float, clarify: float) -> Confidence:
    for name, value in (("answer", answer), ("ask back", clarify)):
        if not 0 <= value <= 2:  # nan neither
            raise UserError(f"the threshold to {name} is {value}; give a number from 0 to 1, or 2 for never")
    if answer == confidence.answer_threshold:
        return replace(confidence, clarify_threshold=clarify)
    given = [right for told, right in confidence.held_out if told >= answer]
    risk = (len(given) - sum(given) + 1) / (len(given) + 1) if given else max(1 - answer, 0.0)
    return replace(
        confidence, answer_threshold=answer, clarify_threshold=clarify, stated_risk=risk, guaranteed=False
    )


def _raised(early: Confidence, before: Confidence, after: Confidence) -> Confidence:
    if after.answer_threshold <= before.answer_threshold:
        return early
    return replace(early, answer_threshold=max(early.answer_threshold, after.answer_threshold))


def _decided(probabilities: Floats, calibration: Calibration, later: Flags) -> Codes:
    """Codes of what `Confidence.action` says, [n]."""
    answer, clarify = (
        np.where(later, getattr(calibration.later, name), getattr(calibration.alone, name))
        for name in ("answer_threshold", "clarify_threshold")
    )
    below = np.where(probabilities[:, 1] >= clarify, CLARIFY, HAND_OVER)
    return np.where(probabilities[:, 0] >= answer, ANSWER, below)


def _columns(name: str, judged: Sequence[Judged], turns: Sequence[Observed]) -> dict[str, Any]:
    right = [one.answer_id in turn.expected for one, turn in zip(judged, turns, strict=True)]
    return {
        name: np.array([(one.first, one.among) for one in judged], dtype=float).reshape(-1, 2),
        f"{name}_done": _codes([one.done for one in judged]),
        f"{name}_id": np.array([one.answer_id for one in judged], dtype=object),
        f"{name}_right": np.array(right, bool),
    }


def _codes(actions: Sequence[Action | None]) -> Codes:
    return np.array([-1 if action is None else ACTIONS.index(action) for action in actions], dtype=np.int64)


def _share(outcomes: NDArray[np.bool_]) -> float | None:
    return float(outcomes.mean()) if len(outcomes) else None
