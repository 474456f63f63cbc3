"""From candidates to a decision: answer, ask back, or hand over to a person. Pure: numbers in, a value out.

`Calibration` is what was learnt on held-out questions (learn/calibrate.py) and travels with the bot as JSON:

    evidence of one answer   z = (feature - mean) / spread           the seven scores of a Candidate
    its ranking score        s = fusion . z                          sorts candidates
    its confidence           p = sigmoid(first . x + bias)           x: score, margin, evidence of the first
    one of three is right    sigmoid(any . x + bias), never below p  says when asking back makes sense

A calibration may have an `early` one, which judges without relevance. It does so where it answers, for the
cross-encoder would hardly ever change the answer, and where nothing that the cross-encoder may find changes what
is done (`settled`). Then nothing is read; else only what may still come first (`Calibration.reach`).

A message in the middle of a conversation is read several ways (`blend`), which makes weaker evidence of the same
certainty: it has a `Confidence` of its own.

`mean` and `spread` describe the best *wrong* answer to a question, so z says how far a candidate stands out from
what is found when nothing fits; that makes numbers of different encoders comparable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from chatbot.domain import Action, Candidate, Decision, Reason

EVIDENCE = ("similarity", "relevance", "lexical", "agreement", "centroid", "answer_similarity", "classified")
SIGNS = ("score", "margin", "lead", *EVIDENCE)  # what a confidence is made of: x above
RELEVANCE = EVIDENCE.index("relevance")
OFFERED = 3  # questions in a "did you mean"
REASONS = {Action.ANSWER: Reason.CONFIDENT, Action.CLARIFY: Reason.AMBIGUOUS, Action.HAND_OVER: Reason.UNSURE}

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Confidence:
    """How sure to be by which signs, and from when on to act. Vectors follow the order of SIGNS."""

    first: tuple[float, ...]
    first_bias: float
    any: tuple[float, ...]
    any_bias: float
    answer_threshold: float
    clarify_threshold: float
    stated_risk: float = 0.2  # of the answers given at that threshold, how many may be wrong
    guaranteed: bool = False  # whether held-out questions were enough to promise it (learn/guarantee.py)
    held_out: tuple[tuple[float, float], ...] = ()  # their confidence and rightness, as expected in service

    def of(self, signs: Floats) -> tuple[Floats, Floats]:
        """Probabilities [n] that the first answer, and that one of the first three, is right."""
        first = expit(signs @ np.asarray(self.first) + self.first_bias)
        return first, np.maximum(first, expit(signs @ np.asarray(self.any) + self.any_bias))

    def action(self, first: float, among: float) -> Action:
        """What is done at these two probabilities."""
        if first >= self.answer_threshold:
            return Action.ANSWER
        return Action.CLARIFY if among >= self.clarify_threshold else Action.HAND_OVER


@dataclass(frozen=True, slots=True)
class Calibration:
    """Fusion and confidence of one language. Vectors follow the order of EVIDENCE."""

    mean: tuple[float, ...]
    spread: tuple[float, ...]
    fusion: tuple[float, ...]
    alone: Confidence  # of a message that is read by itself
    later: Confidence  # of one that is read together with what was said before
    matching: tuple[float, float, float] = (20.0, 0.5, -17.0)  # similarity, relevance, bias: same meaning?
    fitted_on: int = 0  # held-out questions behind these numbers; 0: the shipped default
    early: "Calibration | None" = None  # judges before the cross-encoder has read (learn/early.py)
    relevances: tuple[float, float] | None = None  # the least and the most of held-out questions; None: unknown

    @property
    def reach(self) -> float:
        """How far behind the first a candidate may be before any is read, and still overtake it afterwards."""
        if self.relevances is None:
            return float("inf")
        least, most = self.relevances
        return self.fusion[RELEVANCE] * (most - least) / self.spread[RELEVANCE]

    def score(self, evidence: Floats) -> Floats:
        """Ranking scores [n] of evidence [n, len(EVIDENCE)]."""
        return np.asarray(self.standard(evidence) @ np.asarray(self.fusion))

    def standard(self, evidence: Floats) -> Floats:
        """Evidence in spreads above the best wrong answer's mean; same shape."""
        return np.asarray((evidence - np.asarray(self.mean)) / np.asarray(self.spread))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Calibration":
        parts: dict[str, Any] = {name: Confidence(**_tuples(values[name])) for name in ("alone", "later")}
        if values.get("early") is not None:
            parts["early"] = cls.from_json(values["early"])
        return cls(**_tuples(values) | parts)


class Calibrated(Protocol):
    """Whatever knows how sure to be, such as one language of a bot."""

    @property
    def calibration(self) -> Calibration: ...


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    def frozen(value: Any) -> Any:
        return tuple(map(frozen, value)) if isinstance(value, list) else value

    return {name: frozen(value) for name, value in values.items()}


def evidence(candidates: Sequence[Candidate]) -> Floats:
    """float64 [n, len(EVIDENCE)]"""
    return np.array([[getattr(c, name) for name in EVIDENCE] for c in candidates], dtype=np.float64).reshape(
        -1, len(EVIDENCE)
    )


def signs(ranked: Floats, calibration: Calibration) -> Floats:
    """What confidence is judged by: float64 [len(SIGNS)] from evidence [n, len(EVIDENCE)] sorted best first.

    `margin` is the score's distance to the next answer, `lead` the share of the first answer among all in a
    softmax over scores.
    """
    scores = calibration.score(ranked)
    margin = min(scores[0] - scores[1], 5.0) if len(scores) > 1 else 5.0
    lead = 1.0 / np.exp(scores - scores[0]).sum()
    return np.array([scores[0], margin, lead, *calibration.standard(ranked[:1])[0]])


def blend(readings: Sequence[Sequence[Candidate]], calibration: Calibration) -> tuple[Candidate, ...]:
    """Candidates of several readings of one message, as one list sorted best first.

    An answer's evidence is the mean over the readings; where a reading did not bring it up, the least that this
    reading has of each kind stands in.
    """
    found = [reading for reading in readings if reading]
    if len(found) < 2:
        return tuple(found[0]) if found else ()
    answers = {c.pair.answer_id: c for reading in reversed(found) for c in reversed(reading)}
    total = np.zeros((len(answers), len(EVIDENCE)))
    for reading in found:
        values = evidence(reading)
        own = {c.pair.answer_id: row for c, row in zip(reading, values, strict=True)}
        total += np.array([own.get(answer_id, values.min(0)) for answer_id in answers])
    mean = total / len(found)
    blended = []
    for candidate, row, score in zip(answers.values(), mean, calibration.score(mean), strict=True):
        kinds: dict[str, Any] = dict(zip(EVIDENCE, row.tolist(), strict=True))
        blended.append(replace(candidate, score=float(score), **kinds))
    return tuple(sorted(blended, key=lambda c: (-c.score, c.pair.answer_id)))


def decide(candidates: Sequence[Candidate], calibration: Calibration, later: bool = False) -> Decision:
    """Judge candidates that are sorted best first; `later` says that they are a blend of several readings. The
    decision's candidates carry their confidence."""
    if not candidates:
        return Decision(Action.HAND_OVER, 0.0, Reason.UNSURE)
    confidence = calibration.later if later else calibration.alone
    first, among = (float(p[0]) for p in confidence.of(signs(evidence(candidates), calibration)[None]))
    action = confidence.action(first, among)
    return Decision(action, first, REASONS[action], _with_confidence(candidates, first, among))


def settled(evidence: Floats, calibration: Calibration, later: bool) -> Action | None:
    """What is done whatever the cross-encoder finds, within what it found in held-out questions; None where that
    depends on it. Evidence [n, len(EVIDENCE)] is sorted best first, with the same relevance throughout."""
    found = bounds(evidence, calibration, later)
    if found is None:
        return None
    confidence = calibration.later if later else calibration.alone
    least, most = (confidence.action(first, among) for first, among in found.tolist())
    return least if least is most else None


def bounds(evidence: Floats, calibration: Calibration, later: bool) -> Floats | None:
    """Both probabilities at the least and at the most relevance of held-out questions, float64 [2, 2]; None where
    reading may put another answer first. Evidence is as for `settled`."""
    scores = calibration.score(evidence[:2])
    if calibration.relevances is None or (len(scores) > 1 and scores[0] - scores[1] <= calibration.reach):
        return None
    confidence = calibration.later if later else calibration.alone
    read = np.repeat(evidence[None], 2, axis=0)
    read[:, :, RELEVANCE] = np.array(calibration.relevances)[:, None]
    return np.column_stack(confidence.of(np.array([signs(one, calibration) for one in read])))


def _with_confidence(candidates: Sequence[Candidate], first: float, among: float) -> tuple[Candidate, ...]:
    """The first gets its own probability; the next ones share what is left of 'one of three', by their scores."""
    scores = np.array([c.score for c in candidates[1:OFFERED]])
    shares = np.exp(scores - scores.max()) if len(scores) else scores
    rest = [(among - first) * share for share in shares / shares.sum()] if len(scores) else []
    confidences = [first, *rest] + [0.0] * (len(candidates) - 1 - len(rest))
    return tuple(replace(c, confidence=float(p)) for c, p in zip(candidates, confidences, strict=True))
