"""From the answers that a search found to candidates in order: blend, judge early, read, rank.

In: `Found`s with all evidence but relevance, of one message read one way or several. Out: the same with relevance
where the cross-encoder has to read, and `Candidate`s best first. retrieve.py calls these one after the other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from chatbot.decide import Calibration, blend, decide, evidence
from chatbot.domain import Action, Candidate, QAPair, Reranker


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


def judge(found: Sequence[Found], calibration: Calibration, later: bool) -> Calibration:
    """What the decision is to be made by: the early calibration where it answers, else the whole one, which needs
    relevance."""
    early = calibration.early
    if early is not None and decide(ranked(found, early), early, later).action is Action.ANSWER:
        return early
    return calibration


def read(
    reranker: Reranker,
    questions: Sequence[str],
    gathered: Sequence[Sequence[Found]],
    most: int,
    form: Callable[[str], str],
) -> None:
    """Let the cross-encoder read each question beside the pairs of its `most` promising answers, all in one call.
    The pair that it finds most relevant stands for its answer; the least relevance that it finds for a question
    stands in for the answers that it does not read. `form` is how a text is compared."""
    promising = [found[:most] for found in gathered]
    asked = [text for text, found in zip(questions, promising, strict=True) for f in found for _ in f.readable]
    texts = [form(pair.question) for found in promising for f in found for pair in f.readable]
    relevances = iter(reranker.score(asked, texts).tolist())
    for every, found in zip(gathered, promising, strict=True):
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
