"""From held-out questions to numbers that mean something: fusion, confidence and thresholds.

In: `Sample`s, each a held-out question with the candidates' evidence as the bot saw it, made with models and an
index that did not contain that question (learn/train.py). A question whose answer was hidden altogether is a
sample of 'nothing answers this'. Labelled dialogues give samples of a second kind: rarer, but of what customers
really write, and of follow-ups. Out: a `Calibration` (decide.py).

Every fit starts from a prior and leaves it only as far as the samples carry: with none the result is the prior
itself, so a bot with one question an answer still works. Evidence of a kind that no sample brought is ignored,
should it turn up later: nothing is known of it.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit, logsumexp, softmax

from chatbot.decide import OFFERED, SIGNS, Calibration, Confidence, Floats, signs
from chatbot.learn.guarantee import least_questions, promised
from chatbot.settings import Decide

log = logging.getLogger(__name__)
PARTS = 5  # thresholds are set on confidences that were fitted on the other parts
MARGIN_OF_CAUTION = 10.0  # strength of the priors, in units of samples
FUSION_CAUTION = 5.0  # that of the fusion's: a list of candidates says more than a single yes or no
HEARD_CAUTION = 2.0  # where dialogues say how sure to be: customers' own words are trusted sooner
LEAST_SPREAD = 1e-3
LEAST_DOUBT = 1e-6  # so that a confidence of one has a logit
BIAS_PULL = 0.1  # of that strength: how often the bot is right differs most from bot to bot

SURE = Confidence(
    first=(0.3, 0.3, 0.0, 0.3, 0.1, 0.0, 0.0, 0.3, 0.1, 0.0),
    first_bias=-3.0,
    any=(0.3, 0.0, 0.0, 0.3, 0.1, 0.0, 0.0, 0.3, 0.1, 0.0),
    any_bias=-2.0,
    answer_threshold=0.85,
    clarify_threshold=0.7,
    stated_risk=0.15,
)
PRIOR = Calibration(
    mean=(0.45, -3.0, 0.22, 0.38, 0.35, 0.26, -2.0),
    spread=(0.14, 2.0, 0.21, 0.39, 0.14, 0.14, 1.2),
    fusion=(1.0, 0.3, 0.3, 0.1, 0.5, 0.25, 0.7),
    alone=SURE,
    later=SURE,
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A held-out question: evidence [n, len(EVIDENCE)] of its candidates, the positions of the right ones among
    them (none: not found, or there is none), whether any pair answers it, and whether it was read together with
    what was said before."""

    evidence: Floats
    right: tuple[int, ...]
    answerable: bool
    later: bool = False
    garbled: bool = False  # stands in for real wordings: says something of confidence, nothing of ranking


def calibrate(samples: Sequence[Sample], settings: Decide, heard: Sequence[Sample] = ()) -> Calibration:
    """Fit everything on `samples`, and then on those `heard` in dialogues, where there are any; deterministic.

    Held-out pairs give the confidence that the dialogues start from; what these lack, they leave as it is."""
    samples, heard = ([s for s in given if len(s.evidence)] for given in (samples, heard))
    stated = round(1 - settings.target_precision, 6) if settings.risk is None else settings.risk
    sure = replace(SURE, answer_threshold=1 - stated, stated_risk=stated)
    if not samples and not heard:
        _warn(settings.risk, 0)
        return replace(PRIOR, alone=sure, later=sure)
    calibration = replace(_standardised([*samples, *heard], PRIOR), fitted_on=len(samples) + len(heard))
    brought = _brought([*samples, *heard])
    calibration = replace(calibration, fusion=_fusion([*samples, *heard], calibration, brought))
    sure = replace(sure, first=_only(sure.first, brought), any=_only(sure.any, brought))
    share = settings.out_of_scope_share
    start = _confidence(samples, sure, calibration, settings, MARGIN_OF_CAUTION, share)
    alone = _confidence([s for s in heard if not s.later], start, calibration, settings, HEARD_CAUTION, share)
    unheard = replace(alone, guaranteed=False, held_out=())  # what was shown of the one says nothing of the other
    later = _confidence([s for s in heard if s.later], unheard, calibration, settings, HEARD_CAUTION)
    if not alone.guaranteed:
        _warn(settings.risk, len(alone.held_out))
    return replace(calibration, alone=alone, later=later)


def _warn(risk: float | None, held_out: int) -> None:
    if risk is not None:
        log.warning(
            "a risk of %g cannot be promised on %d held-out questions (at least %d are needed, hardly any of them "
            "answered wrongly); the threshold aims at it all the same",
            *(risk, held_out, least_questions(risk)),
        )


def _confidence(
    samples: Sequence[Sample],
    prior: Confidence,
    calibration: Calibration,
    settings: Decide,
    caution: float,
    out_of_scope_share: float | None = None,
) -> Confidence:
    """How sure to be: `prior` as far as the samples do not say otherwise. Unanswerable ones count as
    `out_of_scope_share` of all, or as often as they come. From questions of one kind it cannot be learnt."""
    if len({sample.answerable for sample in samples}) < 2:
        return prior
    judged = _judged(samples, calibration, out_of_scope_share)
    fitted = _fitted(judged, prior, caution)
    p_first, p_any = fitted.of(judged.signs)
    for part in range(PARTS if len(samples) >= PARTS**2 else 0):
        own = np.arange(len(samples)) % PARTS == part
        p_first[own], p_any[own] = _fitted(judged.of(~own), prior, caution).of(judged.signs[own])
    risk = settings.risk
    least = None if risk is None else promised(p_first[judged.expected], judged.first[judged.expected], risk)
    hoped = smooth(p_first, judged.first, judged.weights, caution)
    answer = threshold(p_first, hoped, judged.weights, 1 - prior.stated_risk) if least is None else least
    asked = p_first < answer
    likely = smooth(p_any[asked], judged.among[asked], judged.weights[asked], caution)
    clarify = threshold(p_any[asked], likely, judged.weights[asked], settings.clarify_precision)
    told = zip(p_first[judged.expected].round(4).tolist(), judged.first[judged.expected].tolist(), strict=True)
    return replace(
        fitted,
        answer_threshold=answer,
        clarify_threshold=clarify,
        guaranteed=least is not None,
        held_out=tuple(told),
    )


def _fitted(judged: "_Judged", prior: Confidence, caution: float) -> Confidence:
    first, any_ = (
        _logistic(judged.signs, target, judged.weights, np.array([*weights, bias]), caution)
        for target, weights, bias in (
            (judged.first, prior.first, prior.first_bias),
            (judged.among, prior.any, prior.any_bias),
        )
    )
    return replace(
        prior,
        first=tuple(first[:-1].tolist()),
        first_bias=float(first[-1]),
        any=tuple(any_[:-1].tolist()),
        any_bias=float(any_[-1]),
    )


def smooth(confidence: Floats, right: Floats, weights: Floats, caution: float) -> Floats:
    """The share that is right at each confidence: a logistic curve, the confidence itself where little speaks
    against it (Platt 1999). Counting instead would let a single wrong answer among few move a threshold far."""
    if not len(confidence):
        return confidence
    logits = logit(np.clip(confidence, LEAST_DOUBT, 1 - LEAST_DOUBT))
    slope, bias = _logistic(logits[:, None], right, weights, np.array([1.0, 0.0]), caution)
    return np.asarray(expit(slope * logits + bias))


def threshold(confidence: Floats, right: Floats, weights: Floats, precision: float) -> float:
    """The lowest confidence at which, of everything at or above it, a share of `precision` is right; `right` are
    ones and zeros, or probabilities.

    Where no threshold reaches it, the target itself: a calibrated confidence needs nothing else."""
    order = np.argsort(-confidence, kind="stable")
    order = order[weights[order] > 0]
    if not len(order):
        return precision
    ranked = confidence[order]
    good = np.cumsum((right * weights)[order]) / np.cumsum(weights[order])
    last = np.append(ranked[1:] < ranked[:-1], True)  # of those that share a confidence
    reached = np.flatnonzero(last & (good >= precision))
    return float(ranked[reached[-1]]) if len(reached) else precision


def _standardised(samples: Sequence[Sample], prior: Calibration) -> Calibration:
    """Mean and spread of the evidence of the best wrong answer to each question, pulled towards the prior's."""
    best_wrong = []
    for sample in samples:
        wrong = [i for i in range(len(sample.evidence)) if i not in sample.right]
        if wrong:
            best_wrong.append(sample.evidence[max(wrong, key=lambda i: sample.evidence[i, 0])])
    if not best_wrong:
        return prior
    values = np.array(best_wrong)
    share = len(values) / (len(values) + MARGIN_OF_CAUTION)
    mean = share * values.mean(0) + (1 - share) * np.asarray(prior.mean)
    variance = share * values.var(0) + (1 - share) * np.asarray(prior.spread) ** 2
    mean = np.where(_brought(samples), mean, values.mean(0))
    return replace(prior, mean=tuple(mean.tolist()), spread=tuple(np.sqrt(variance).tolist()))


def _brought(samples: Sequence[Sample]) -> NDArray[np.bool_]:
    """Which kinds of evidence are there at all [len(EVIDENCE)]; relevance, for one, is not without a reranker."""
    return np.asarray(np.concatenate([sample.evidence for sample in samples]).std(0) >= LEAST_SPREAD)


def _only(weights: Sequence[float], brought: NDArray[np.bool_]) -> tuple[float, ...]:
    """Weights [len(SIGNS)] with nought for evidence that is not there."""
    there = np.append(np.ones(len(SIGNS) - len(brought), bool), brought)
    return tuple(np.where(there, weights, 0.0).tolist())


def _fusion(samples: Sequence[Sample], calibration: Calibration, brought: NDArray[np.bool_]) -> tuple[float, ...]:
    """Weights of a conditional logit that puts a right answer first; none below zero, so that more evidence
    never speaks against an answer; nought for what the samples have not `brought`."""
    lists = [
        (calibration.standard(s.evidence), list(s.right))
        for s in samples
        if 0 < len(s.right) < len(s.evidence) and not s.garbled
    ]
    prior = np.where(brought, calibration.fusion, 0.0)

    def loss(weights: Floats) -> tuple[float, Floats]:
        value = FUSION_CAUTION * float(((weights - prior) ** 2).sum())
        gradient = 2 * FUSION_CAUTION * (weights - prior)
        for z, right in lists:
            scores = z @ weights
            value += float(logsumexp(scores) - logsumexp(scores[right]))
            gradient = gradient + softmax(scores) @ z - softmax(scores[right]) @ z[right]
        return value, gradient

    found = minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(prior))
    return tuple(found.x.tolist())


@dataclass(frozen=True, slots=True)
class _Judged:
    """Signs [n, len(SIGNS)], whether the first answer and one of the first three is right [n], weights [n] that
    give unanswerable questions their expected share, and `expected` [n], which stand for that share unweighted."""

    signs: Floats
    first: Floats
    among: Floats
    weights: Floats
    expected: NDArray[np.bool_]

    def of(self, rows: NDArray[np.bool_]) -> "_Judged":
        return _Judged(*(getattr(self, field.name)[rows] for field in fields(self)))


def _judged(samples: Sequence[Sample], calibration: Calibration, out_of_scope_share: float | None) -> _Judged:
    """What confidence is fitted on; unanswerable questions as often as they come where no share is given."""
    x, first, among = [], [], []
    for sample in samples:
        order = np.argsort(-calibration.score(sample.evidence), kind="stable")
        x.append(signs(sample.evidence[order], calibration))
        first.append(order[0] in sample.right)
        among.append(any(place in sample.right for place in order[:OFFERED]))
    answerable = np.array([s.answerable for s in samples])
    inside, outside = int(answerable.sum()), int((~answerable).sum())
    weights = np.ones(len(samples))
    if out_of_scope_share is not None:
        weights[answerable] = (1 - out_of_scope_share) * len(samples) / inside
        weights[~answerable] = out_of_scope_share * len(samples) / outside
    # the scarcer kind whole, of the other one the share that its weight is of the scarcer one's
    expected = np.random.default_rng(0).random(len(samples)) < weights / weights.max()
    return _Judged(np.array(x), np.array(first, dtype=float), np.array(among, dtype=float), weights, expected)


def _logistic(x: Floats, y: Floats, weights: Floats, prior: Floats, caution: float) -> Floats:
    """Weights [k + 1], bias last, of a logistic regression pulled towards `prior`. More evidence never speaks
    against an answer, so no weight is below zero."""
    design = np.column_stack([x, np.ones(len(x))])
    pull = caution * np.append(np.maximum(x.std(0), LEAST_SPREAD) ** 2, BIAS_PULL)

    def loss(beta: Floats) -> tuple[float, Floats]:
        logits = design @ beta
        value = -float((weights * (y * log_expit(logits) + (1 - y) * log_expit(-logits))).sum())
        gradient = design.T @ (weights * (expit(logits) - y))
        return value + float((pull * (beta - prior) ** 2).sum()), gradient + 2 * pull * (beta - prior)

    bounds = [(0.0, None)] * x.shape[1] + [(None, None)]
    found = minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(found.x)
