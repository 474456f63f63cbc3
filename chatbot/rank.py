"""From the answers that a search found to candidates in order: blend, judge early, read, rank.

In: `Found`s with all evidence but relevance, of one message read one way or several. Out: the same with relevance
where the cross-encoder has to read, and `Candidate`s best first. retrieve.py calls these one after the other.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter

from chatbot.decide import Calibration, blend, decide, evidence, settled
from chatbot.domain import Action, Candidate, QAPair
from chatbot.protocols import Reranker

LATEST = 0.1  # weight of the latest reading in the pace


@dataclass(slots=True)
class Found:
    """A candidate on its way, and the pairs of its answer that the cross-encoder shall read."""

    candidate: Candidate
    readable: list[QAPair]


def blended(readings: Sequence[list[Found]], calibration: Calibration, most: int) -> list[Found]:
    """What several readings found as what one message found: the `most` best answers."""
    if len(readings) == 1:
        return readings[0]
    readable = {f.candidate.pair.answer_id: f.readable for found in reversed(readings) for f in found}
    whole = blend([[f.candidate for f in found] for found in readings], calibration)
    return [Found(candidate, readable[candidate.pair.answer_id]) for candidate in whole[:most]]


class Budget:
    """How long an answer may take. Where reading would take longer, the early calibration judges, which hands over
    where it is not sure: a hurried answer is never a bolder one. Pace is learnt from what was read."""

    def __init__(self, limit_ms: float = 0.0) -> None:
        self.limit_ms = limit_ms  # 0: no limit
        self.pace = 0.0  # milliseconds a character of a candidate, of late

    def allows(self, took_ms: float, found: Sequence[Found]) -> bool:
        """Whether there is time to read these candidates after `took_ms`."""
        return not self.limit_ms or took_ms + self.pace * _characters([found]) <= self.limit_ms

    @contextmanager
    def timing(self, read: Sequence[Sequence[Found]]) -> Iterator[None]:
        """Learn from the reading that goes on inside."""
        start = perf_counter()
        yield
        if characters := _characters(read):
            pace = 1000 * (perf_counter() - start) / characters
            self.pace += (pace - self.pace) * (LATEST if self.pace else 1.0)


def _characters(read: Sequence[Sequence[Found]]) -> int:
    return sum(len(pair.question) for found in read for f in found for pair in f.readable)


def promising(found: Sequence[Found], calibration: Calibration, most: int) -> int:
    """How many of these answers, best first, the cross-encoder has to read: none that it could not put first."""
    scores = calibration.score(evidence([f.candidate for f in found[:most]]))
    return int((scores >= scores[0] - calibration.reach).sum()) if len(scores) else 0


def judge(found: Sequence[Found], calibration: Calibration, later: bool, in_time: bool = True) -> Calibration:
    """What the decision is to be made by: the early calibration where it answers, where the whole one would do the
    same whatever the cross-encoder found, or where there is no time to read; else the whole one, which needs
    relevance."""
    early = calibration.early
    if early is None:
        return calibration
    order = ranked(found, early)
    action = decide(order, early, later).action
    if not in_time or not order or action is Action.ANSWER:
        return early
    same_first = order[0].pair.answer_id == found[0].candidate.pair.answer_id
    whole = settled(evidence([f.candidate for f in found]), calibration, later)
    return early if same_first and whole is action else calibration


def read(
    reranker: Reranker,
    questions: Sequence[str],
    gathered: Sequence[Sequence[Found]],
    counts: Sequence[int],
    form: Callable[[str], str],
) -> None:
    """Let the cross-encoder read each question beside the pairs of its `counts` first answers, all in one call.
    The pair that it finds most relevant stands for its answer; the least relevance that it finds for a question
    stands in for the answers that it does not read. `form` is how a text is compared."""
    first = [found[:count] for found, count in zip(gathered, counts, strict=True)]
    asked = [text for text, found in zip(questions, first, strict=True) for f in found for _ in f.readable]
    texts = [form(pair.question) for found in first for f in found for pair in f.readable]
    relevances = iter(reranker.score(asked, texts).tolist())
    for every, found in zip(gathered, first, strict=True):
        for f in found:
            scored = [(next(relevances), -place, pair) for place, pair in enumerate(f.readable)]
            best, _, pair = max(scored, key=lambda one: one[:2])
            f.candidate = replace(f.candidate, pair=pair, relevance=best)
        least = min((f.candidate.relevance for f in found), default=0.0)
        for f in every[len(found) :]:
            f.candidate = replace(f.candidate, relevance=least)


def ranked(found: Sequence[Found], judge: Calibration) -> tuple[Candidate, ...]:
    """Candidates with their scores, best first; of equal ones, by answer."""
    scores = judge.score(evidence([f.candidate for f in found])).tolist()
    scored = [replace(f.candidate, score=score) for f, score in zip(found, scores, strict=True)]
    return tuple(sorted(scored, key=lambda c: (-c.score, c.pair.answer_id)))
