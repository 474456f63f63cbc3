"""When the cross-encoder need not be asked: the decision would be the same.

In: a calibration and the samples that it was fitted on. Out: a second calibration, fitted on the same samples with
relevance taken away, whose thresholds leave open where reading may matter:

    answer     from `answer_threshold` on: after reading, the same answer would be given
    hand over  below `clarify_threshold`: so it would after reading, and no right answer would come first instead
    ask back   all between: the cross-encoder reads, and the whole calibration judges

Either threshold is at least as strict as that calibration's own, and bounds how often the decision differs among
all questions, by conformal risk control (https://arxiv.org/abs/2208.02814): with n samples, d of them different
beyond it, (d + 1) / (n + 1) may be CHANGED at most. With too few samples for that nothing is decided early.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from chatbot.decide import EVIDENCE, Calibration, Confidence, Floats, signs
from chatbot.domain import Action
from chatbot.learn.calibrate import LEAST_SPREAD, Sample, calibrate
from chatbot.settings import Decide

CHANGED = 0.01  # of all questions, how many may be decided otherwise, for each of the two thresholds
RELEVANCE = EVIDENCE.index("relevance")
NEVER = 2.0  # a confidence that nothing reaches


def early(
    calibration: Calibration, samples: Sequence[Sample], settings: Decide, heard: Sequence[Sample] = ()
) -> Calibration | None:
    """None where no cross-encoder has read, where a guarantee is asked for, which holds for what it was made
    with, and where nothing could be decided."""
    told = [sample for sample in (*samples, *heard) if len(sample.evidence)]
    relevances = np.concatenate([sample.evidence[:, RELEVANCE] for sample in told]) if told else np.zeros(1)
    if relevances.std() < LEAST_SPREAD or settings.risk is not None:
        return None
    unread = calibrate([_unread(s) for s in samples], settings, [_unread(s) for s in heard])
    alone, later = (_decided(calibration, unread, [s for s in told if s.later is kind]) for kind in (False, True))
    if alone is None and later is None:
        return None
    return replace(unread, alone=alone or _open(unread.alone), later=later or _open(unread.later))


@dataclass(frozen=True, slots=True)
class _Judged:
    """What one calibration makes of a sample: the first candidate's place and whether it is right, the two
    probabilities, and the action."""

    first: int
    right: bool
    confidence: float
    among: float
    action: Action

    @classmethod
    def of(cls, sample: Sample, calibration: Calibration) -> "_Judged":
        order = np.argsort(-calibration.score(sample.evidence), kind="stable")
        confidence = calibration.later if sample.later else calibration.alone
        first, among = (float(p[0]) for p in confidence.of(signs(sample.evidence[order], calibration)[None]))
        place = int(order[0])
        return cls(place, place in sample.right, first, among, confidence.action(first, among))


def _decided(whole: Calibration, unread: Calibration, samples: Sequence[Sample]) -> Confidence | None:
    """The confidence of `unread` for samples of one kind, with thresholds beyond which `whole` decides the same;
    None where there are none."""
    if not samples:
        return None
    own = unread.later if samples[0].later else unread.alone
    judged = [(_Judged.of(_unread(sample), unread), _Judged.of(sample, whole)) for sample in samples]
    confidence = np.array([early.confidence for early, _ in judged])
    among = np.array([early.among for early, _ in judged])
    otherwise = [read.action is not Action.ANSWER or read.first != early.first for early, read in judged]
    answer = max(beyond(confidence, np.array(otherwise)), own.answer_threshold)
    kept = [read.action is Action.HAND_OVER and early.right >= read.right for early, read in judged]
    least = -beyond(-among, ~np.array(kept) & (confidence < answer))
    if answer > 1 and least < 0:
        return None
    hand_over = min(float(np.nextafter(least, 1)), own.clarify_threshold)
    return replace(own, answer_threshold=answer, clarify_threshold=hand_over)


def beyond(sureness: Floats, differs: NDArray[np.bool_]) -> float:
    """The lowest sureness from which on few enough samples differ: (d + 1) / (n + 1) <= CHANGED for all n samples,
    d of them at or above it and different. NEVER where even none would be too many."""
    allowed = int(np.floor(CHANGED * (len(sureness) + 1) + 1e-9)) - 1
    if allowed < 0:
        return NEVER
    ranked = np.sort(sureness[differs])[::-1]
    limit = ranked[allowed] if len(ranked) > allowed else -np.inf
    left = sureness[sureness > limit]
    return float(left.min()) if len(left) else NEVER


def _unread(sample: Sample) -> Sample:
    evidence = sample.evidence.copy()
    evidence[:, RELEVANCE] = 0.0
    return replace(sample, evidence=evidence)


def _open(confidence: Confidence) -> Confidence:
    """Decides nothing: the cross-encoder is always asked."""
    return replace(confidence, answer_threshold=NEVER, clarify_threshold=-NEVER)
