"""What is decided before the cross-encoder reads is what it would have decided."""

import json
from dataclasses import replace

import numpy as np
import pytest

from chatbot.decide import EVIDENCE, Calibration, settled, signs
from chatbot.domain import Action
from chatbot.learn.calibrate import Sample, calibrate
from chatbot.learn.early import CHANGED, NEVER, beyond, with_early
from chatbot.settings import Decide
from tests.learn.test_calibrate import RELEVANCE, drawn

SETTINGS = Decide(target_precision=0.9, out_of_scope_share=0.3, clarify_precision=0.8)


def outcome(sample: Sample, calibration: Calibration) -> tuple[Action, int]:
    order = np.argsort(-calibration.score(sample.evidence), kind="stable")
    confidence = calibration.later if sample.later else calibration.alone
    first, among = (float(p[0]) for p in confidence.of(signs(sample.evidence[order], calibration)[None]))
    return confidence.action(first, among), int(order[0])


def unread(sample: Sample) -> Sample:
    evidence = sample.evidence.copy()
    evidence[:, RELEVANCE] = 0
    return replace(sample, evidence=evidence)


class TestEarly:
    @pytest.mark.parametrize(("relevance", "least"), [(0.3, 0.15), (1.0, 0.05), (3.0, 0.0)])
    def test_fresh_questions_are_seldom_answered_otherwise(self, relevance: float, least: float) -> None:
        """The promise: one question in a hundred, on average over all samples."""
        otherwise, answered = [], []
        for seed in range(3):
            fitted = calibrate(samples := drawn(400, seed, relevance=relevance), SETTINGS)
            first = with_early(fitted, samples, SETTINGS).early
            for sample in drawn(400, seed + 100, relevance=relevance):
                before = None if first is None else outcome(unread(sample), first)
                answered.append(before is not None and before[0] is Action.ANSWER)
                otherwise.append(answered[-1] and before != outcome(sample, fitted))
        assert np.mean(otherwise) <= 1.5 * CHANGED
        assert np.mean(answered) >= least

    def test_the_less_the_cross_encoder_says_the_more_is_answered_without_it(self) -> None:
        shares = []
        for relevance in (0.1, 5.0):
            fitted = calibrate(samples := drawn(600, 3, relevance=relevance), SETTINGS)
            first = with_early(fitted, samples, SETTINGS).early
            early_ones = [first is not None and outcome(unread(s), first)[0] is Action.ANSWER for s in samples]
            shares.append(np.mean(early_ones))
        assert shares[0] > shares[1] + 0.1

    def test_it_answers_nothing_that_it_would_not_by_itself(self) -> None:
        fitted = calibrate(samples := drawn(400, 1, relevance=0.1), SETTINGS)
        first, alone = (
            with_early(fitted, samples, SETTINGS).early,
            calibrate([unread(s) for s in samples], SETTINGS),
        )
        assert first is not None and first.alone.answer_threshold >= alone.alone.answer_threshold

    def test_each_kind_of_message_has_its_own_thresholds(self) -> None:
        alone, later = drawn(400, 1), [replace(sample, later=True) for sample in drawn(50, 2)]
        fitted = calibrate(alone, SETTINGS, later)
        first = with_early(fitted, alone, SETTINGS, later).early
        assert first is not None and first.alone.answer_threshold < 1
        assert first.later.answer_threshold == NEVER  # 50 are too few

    def test_what_cannot_overtake_or_change_the_decision_need_not_be_read(self) -> None:
        """Fresh samples whose relevances are all within the range: the same first answer, the same action."""
        checked = 0
        for seed, relevance in ((1, 0.3), (2, 1.0)):
            whole = with_early(
                calibrate(samples := drawn(400, seed, relevance=relevance), SETTINGS), samples, SETTINGS
            )
            assert whole.relevances is not None
            least, most = whole.relevances
            for sample in drawn(400, seed + 100, relevance=relevance):
                clipped = sample.evidence.copy()
                clipped[:, RELEVANCE] = np.clip(clipped[:, RELEVANCE], least, most)
                order = np.argsort(-whole.score(unread(sample).evidence), kind="stable")
                action = settled(unread(sample).evidence[order], whole, sample.later)
                if action is not None:
                    first = clipped[order[:1], RELEVANCE]
                    clipped[:, RELEVANCE] = first  # the only one to be read stands in for the others
                    assert outcome(replace(sample, evidence=clipped), whole) == (action, int(order[0]))
                    checked += 1
        assert checked > 50

    def test_it_travels_with_its_calibration(self) -> None:
        fitted = calibrate(samples := drawn(400, 1), SETTINGS)
        whole = with_early(fitted, samples, SETTINGS)
        assert whole.early is not None and whole.relevances is not None
        assert Calibration.from_json(json.loads(json.dumps(whole.as_json()))) == whole

    def test_too_few_questions_decide_nothing(self) -> None:
        fitted = calibrate(samples := drawn(90, 1), SETTINGS)
        assert with_early(fitted, samples, SETTINGS) is fitted

    def test_a_guarantee_holds_for_what_was_read(self) -> None:
        settings = SETTINGS.model_copy(update={"risk": 0.2})
        fitted = calibrate(samples := drawn(400, 1), settings)
        assert with_early(fitted, samples, settings) is fitted

    def test_where_no_cross_encoder_has_read_there_is_nothing_to_save(self) -> None:
        samples = [unread(sample) for sample in drawn(400, 1)]
        assert with_early(fitted := calibrate(samples, SETTINGS), samples, SETTINGS) is fitted

    def test_no_samples(self) -> None:
        empty = Sample(np.zeros((0, len(EVIDENCE))), (), False)
        for samples in ([], [empty]):
            assert with_early(fitted := calibrate(samples, SETTINGS), samples, SETTINGS) is fitted


class TestBeyond:
    def differing(self, *places: int) -> np.ndarray:
        return np.isin(np.arange(1000), places)

    def test_as_many_as_the_bound_allows(self) -> None:
        sureness = np.arange(1000) / 1000
        assert beyond(sureness, self.differing()) == 0
        assert beyond(sureness, self.differing(*range(9))) == 0  # (9 + 1) / 1001 <= 0.01
        assert beyond(sureness, self.differing(*range(10))) == pytest.approx(0.001)  # 9 of them at or above

    def test_equals_are_decided_alike(self) -> None:
        sureness = np.repeat([0.1, 0.5, 0.9], [300, 300, 400])
        assert beyond(sureness, self.differing(*range(300, 320))) == pytest.approx(0.9)

    def test_never(self) -> None:
        assert beyond(np.ones(1000), np.ones(1000, dtype=bool)) == NEVER
        assert beyond(np.ones(98), np.zeros(98, dtype=bool)) == NEVER  # 1 / 99 is above it
        assert beyond(np.ones(99), np.zeros(99, dtype=bool)) == 1
        assert beyond(np.zeros(0), np.zeros(0, dtype=bool)) == NEVER
