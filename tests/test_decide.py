"""Numbers in, a decision out. Every expected number can be worked out by hand."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from chatbot.decide import EVIDENCE, SIGNS, Calibration, blend, decide, evidence, signs
from chatbot.domain import Action, Candidate, Decision, Reason
from tests.fakes import BY_SIMILARITY, calibration, pair


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def found(*similarities: float) -> tuple[Candidate, ...]:
    """Candidates A1, A2, … whose score is their similarity."""
    return tuple(
        Candidate(pair(f"question {n}", f"A{n}"), similarity=similarity, score=similarity)
        for n, similarity in enumerate(similarities, start=1)
    )


def outcome(decision: Decision) -> tuple[Action, Reason]:
    return decision.action, decision.reason


class TestDecide:
    def test_nothing_found_is_handed_over(self) -> None:
        assert decide((), BY_SIMILARITY) == Decision(Action.HAND_OVER, 0.0, Reason.UNSURE)

    @pytest.mark.parametrize(
        ("similarity", "expected"),
        [
            (1.0, (Action.ANSWER, Reason.CONFIDENT)),
            (0.86, (Action.ANSWER, Reason.CONFIDENT)),
            (0.84, (Action.CLARIFY, Reason.AMBIGUOUS)),
            (0.76, (Action.CLARIFY, Reason.AMBIGUOUS)),
            (0.74, (Action.HAND_OVER, Reason.UNSURE)),
            (-1.0, (Action.HAND_OVER, Reason.UNSURE)),
        ],
    )
    def test_the_confidence_decides(self, similarity: float, expected: tuple[Action, Reason]) -> None:
        decision = decide(found(similarity), BY_SIMILARITY)
        assert outcome(decision) == expected
        assert decision.confidence == pytest.approx(sigmoid(100 * similarity - 85))

    def test_a_confidence_that_just_reaches_the_threshold_is_enough(self) -> None:
        level = calibration({"similarity": 1}, answer_threshold=0.5, clarify_threshold=0.5)  # always sigmoid(0)
        assert outcome(decide(found(0.3), level)) == (Action.ANSWER, Reason.CONFIDENT)
        strict = calibration({"similarity": 1}, answer_threshold=0.51, clarify_threshold=0.5)
        assert outcome(decide(found(0.3), strict)) == (Action.CLARIFY, Reason.AMBIGUOUS)

    def test_a_threshold_above_one_never_answers(self) -> None:
        never = calibration({"similarity": 1}, {}, 50, {}, 50, answer_threshold=1.1, clarify_threshold=1.1)
        assert outcome(decide(found(1.0), never)) == (Action.HAND_OVER, Reason.UNSURE)

    def test_a_message_in_the_middle_of_a_conversation_has_a_confidence_of_its_own(self) -> None:
        sure = replace(BY_SIMILARITY, later=replace(BY_SIMILARITY.later, first_bias=-65.0))
        alone, later = (decide(found(0.7), sure, later=later) for later in (False, True))
        assert (outcome(alone), outcome(later)) == (
            (Action.HAND_OVER, Reason.UNSURE),
            (Action.ANSWER, Reason.CONFIDENT),
        )
        assert later.confidence == pytest.approx(sigmoid(5))

    def test_candidates_keep_their_order_and_share_what_is_left_by_their_scores(self) -> None:
        # first is right: 0.5; one of the first three: 0.9. The second and third share 0.4 as 3 to 1.
        level = calibration({"similarity": 1}, {}, 0, {}, math.log(9))
        decision = decide(found(3.0, 2.0, 2.0 - math.log(3), 0.0), level)
        assert [candidate.pair.answer_id for candidate in decision.candidates] == ["A1", "A2", "A3", "A4"]
        confidences = [candidate.confidence for candidate in decision.candidates]
        assert confidences == pytest.approx([0.5, 0.3, 0.1, 0.0])
        assert decision.confidence == confidences[0]

    def test_one_of_three_is_never_less_likely_than_the_first(self) -> None:
        level = calibration({"similarity": 1}, {}, 0, {}, -5)  # "any" alone says 0.007
        decision = decide(found(2.0, 1.0), level)
        assert [candidate.confidence for candidate in decision.candidates] == pytest.approx([0.5, 0.0])

    def test_nothing_but_confidence_is_changed(self) -> None:
        (before,) = found(0.9)
        (after,) = decide((before,), BY_SIMILARITY).candidates
        assert (after.pair, after.similarity, after.score) == (before.pair, before.similarity, before.score)


class TestBlend:
    LEVEL = calibration({"similarity": 1})

    @staticmethod
    def reading(*found: tuple[str, float]) -> tuple[Candidate, ...]:
        return tuple(
            Candidate(pair(f"{answer_id} at {similarity}", answer_id), similarity, lexical=1, score=similarity)
            for answer_id, similarity in found
        )

    def test_one_reading_is_taken_as_it_is(self) -> None:
        only = self.reading(("A1", 0.75), ("A2", 0.5))
        assert blend([only], self.LEVEL) == only
        assert blend([(), only, ()], self.LEVEL) == only
        assert blend([(), ()], self.LEVEL) == blend([], self.LEVEL) == ()

    def test_evidence_is_the_mean_and_the_least_of_a_reading_stands_in(self) -> None:
        first = self.reading(("A1", 0.875), ("A3", 0.5))
        second = self.reading(("A3", 0.75), ("A2", 0.25))
        blended = blend([first, second], self.LEVEL)
        assert [(c.pair.question, c.similarity, c.score, c.lexical) for c in blended] == [
            ("A3 at 0.5", 0.625, 0.625, 1.0),  # (0.5 + 0.75) / 2; the pair that the first reading found
            ("A1 at 0.875", 0.5625, 0.5625, 1.0),  # (0.875 + 0.25) / 2
            ("A2 at 0.25", 0.375, 0.375, 1.0),  # (0.5 + 0.25) / 2
        ]

    def test_equal_scores_are_ordered_by_answer(self) -> None:
        blended = blend([self.reading(("B", 0.5), ("C", 0.25)), self.reading(("A", 0.5), ("C", 0.25))], self.LEVEL)
        assert [(c.pair.answer_id, c.score) for c in blended] == [("A", 0.375), ("B", 0.375), ("C", 0.25)]


class TestSigns:
    def table(self, scores: Sequence[float]) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
        return evidence(found(*scores))

    def test_score_margin_and_lead(self) -> None:
        level = calibration({"similarity": 2})
        x = dict(zip(SIGNS, signs(self.table([1.0, 0.5]), level), strict=True))
        assert (x["score"], x["margin"]) == (2.0, 1.0)  # scores 2 and 1
        assert x["lead"] == pytest.approx(sigmoid(1.0))
        assert [x[name] for name in EVIDENCE] == [1, 0, 0, 0, 0, 0, 0]

    def test_one_answer_alone_leads_by_as_much_as_there_is(self) -> None:
        x = dict(zip(SIGNS, signs(self.table([1.0]), calibration({"similarity": 1})), strict=True))
        assert (x["margin"], x["lead"]) == (5.0, 1.0)

    def test_a_margin_counts_up_to_five(self) -> None:
        x = dict(zip(SIGNS, signs(self.table([9.0, 1.0]), calibration({"similarity": 1})), strict=True))
        assert x["margin"] == 5.0

    def test_evidence_stands_in_the_order_of_its_names(self) -> None:
        candidate = Candidate(
            pair("q", "A1"), 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, classified=-0.7, score=9, confidence=9
        )
        assert evidence([candidate]).tolist() == [[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, -0.7]]
        assert evidence([]).shape == (0, 7)


class TestCalibration:
    def test_evidence_is_counted_in_spreads_above_the_wrong_answers_mean(self) -> None:
        level = replace(
            calibration({}),
            mean=(0.5, 1, 0, 0, 0, 0, 0),
            spread=(0.25, 2, 1, 1, 1, 1, 1),
            fusion=(1, 10, 0, 0, 0, 0, 0),
        )
        values = np.array([[1.0, 3, 0, 0, 0, 0, 0], [0.5, 1, 9, 9, 9, 9, 9]])
        assert level.standard(values).tolist() == [[2, 1, 0, 0, 0, 0, 0], [0, 0, 9, 9, 9, 9, 9]]
        assert level.score(values).tolist() == [12, 0]

    def test_it_comes_back_from_json_as_it_was(self) -> None:
        level = calibration({"lexical": 0.1}, {"lead": 1 / 3}, -2.5, {"margin": 7}, answer_threshold=0.87)
        again = Calibration.from_json(json.loads(json.dumps(level.as_json())))
        assert again == level
        assert decide(found(0.9, 0.8), again) == decide(found(0.9, 0.8), level)
