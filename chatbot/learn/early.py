"""When the cross-encoder need not be asked: the same answer would be given.

In: a calibration and the samples that it was fitted on. Out: the same with a second calibration, fitted on those
samples with relevance taken away, and with the range of relevances, which bounds what reading can change. Where
the second one answers, its answer is given. Where no candidate could overtake the first, and both would do the
same at either end of that range, nothing is read either. Else the cross-encoder reads, and the whole one judges.

Its `answer_threshold` is no lower than it would be by itself, and bounds how often another answer or none would
have been given after reading, among all questions, by conformal risk control (https://arxiv.org/abs/2208.02814):
with n samples, d of them different at or above it, (d + 1) / (n + 1) may be CHANGED at most. With too few samples
for that nothing is answered early.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from chatbot.decide import RELEVANCE, Calibration, Confidence, Floats, signs
from chatbot.domain import Action
from chatbot.learn.calibrate import LEAST_SPREAD, Sample, calibrate
from chatbot.settings import Decide

CHANGED = 0.01  # of all questions, how many may be answered otherwise
NEVER = 2.0  # a confidence that nothing reaches


def with_early(
    calibration: Calibration, samples: Sequence[Sample], settings: Decide, heard: Sequence[Sample] = ()
) -> Calibration:
    """`calibration` as it is where no cross-encoder has read, where a guarantee is asked for, which holds for what
    it was made with, and where there are too few samples."""
    told = [sample for sample in (*samples, *heard) if len(sample.evidence)]
    relevances = np.concatenate([sample.evidence[:, RELEVANCE] for sample in told]) if told else np.zeros(1)
    if relevances.std() < LEAST_SPREAD or settings.risk is not None:
        return calibration
    unread = calibrate([_unread(s) for s in samples], settings, [_unread(s) for s in heard])
    alone, later = (
        _answering(calibration, unread, own, [sample for sample in told if sample.later is is_later])
        for own, is_later in ((unread.alone, False), (unread.later, True))
    )
    if min(alone.answer_threshold, later.answer_threshold) > 1:
        return calibration
    return replace(
        calibration,
        early=replace(unread, alone=alone, later=later),
        relevances=(float(relevances.min()), float(relevances.max())),
    )


def _answering(whole: Calibration, unread: Calibration, own: Confidence, samples: Sequence[Sample]) -> Confidence:
    """`own`, which is that of `unread` for samples of one kind, from where on `whole` gives the same answer."""
    before = [_judged(_unread(sample), unread) for sample in samples]
    after = [_judged(sample, whole) for sample in samples]
    confidence = np.array([sure for _, sure, _ in before])
    otherwise = [
        action is not Action.ANSWER or place != early
        for (early, _, _), (place, _, action) in zip(before, after, strict=True)
    ]
    return replace(own, answer_threshold=max(own.answer_threshold, beyond(confidence, np.array(otherwise, bool))))


def beyond(confidence: Floats, differs: NDArray[np.bool_]) -> float:
    """The lowest confidence from which on few enough samples differ: (d + 1) / (n + 1) <= CHANGED for all n
    samples, d of them at or above it and different. NEVER where even none would be too many."""
    allowed = int(np.floor(CHANGED * (len(confidence) + 1) + 1e-9)) - 1
    if allowed < 0:
        return NEVER
    ranked = np.sort(confidence[differs])[::-1]
    limit = ranked[allowed] if len(ranked) > allowed else -np.inf
    left = confidence[confidence > limit]
    return float(left.min()) if len(left) else NEVER


def _judged(sample: Sample, calibration: Calibration) -> tuple[int, float, Action]:
    """The place of the candidate that comes first, its confidence, and the action."""
    order = np.argsort(-calibration.score(sample.evidence), kind="stable")
    confidence = calibration.later if sample.later else calibration.alone
    first, among = (float(p[0]) for p in confidence.of(signs(sample.evidence[order], calibration)[None]))
    return int(order[0]), first, confidence.action(first, among)


def _unread(sample: Sample) -> Sample:
    evidence = sample.evidence.copy()
    evidence[:, RELEVANCE] = 0.0
    return replace(sample, evidence=evidence)
