"""Calibration on made-up samples of which the rule behind them is known."""

import math
import warnings
from dataclasses import astuple, replace

import numpy as np
import pytest
from scipy.special import softmax

from chatbot.decide import EVIDENCE, OFFERED, SIGNS, Calibration, signs
from chatbot.domain import Action
from chatbot.learn.calibrate import PRIOR, SURE, Sample, calibrate, smooth, threshold
from chatbot.learn.evaluate import expected_calibration_error
from chatbot.settings import Decide

SIMILARITY, RELEVANCE = EVIDENCE.index("similarity"), EVIDENCE.index("relevance")
SETTINGS = Decide(target_precision=0.9, out_of_scope_share=0.3, clarify_precision=0.8)


def sample(*similarities: float, right: int | None = None, answerable: bool | None = None) -> Sample:
    """Candidates that differ in similarity alone; answerable where one is right, unless said otherwise."""
    places = () if right is None else (right,)
    evidence = np.zeros((len(similarities), len(EVIDENCE)))
    evidence[:, SIMILARITY] = similarities
    return Sample(evidence, places, bool(places) if answerable is None else answerable)


def drawn(number: int, seed: int, similarity: float = 3.0, relevance: float = 1.0) -> list[Sample]:
    """Six candidates with two kinds of evidence, each from a bell curve of mean 0 and spread 1. Which one is right
    is drawn from a softmax over the weighted sums, where a last place, at 3, stands for 'none of them'."""
    chance = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        evidence = np.zeros((6, len(EVIDENCE)))
        evidence[:, [SIMILARITY, RELEVANCE]] = chance.normal(size=(6, 2))
        scores = similarity * evidence[:, SIMILARITY] + relevance * evidence[:, RELEVANCE]
        right = int(chance.choice(7, p=softmax([*scores, 3.0])))
        made.append(Sample(evidence, (right,), True) if right < 6 else Sample(evidence, (), False))
    return made


def judged(samples: list[Sample], calibration: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """Confidence of each sample's first candidate, and whether it is right."""
    orders = [np.argsort(-calibration.score(s.evidence)) for s in samples]
    x = np.array([signs(s.evidence[order], calibration) for s, order in zip(samples, orders, strict=True)])
    right = np.array([order[0] in s.right for s, order in zip(samples, orders, strict=True)], dtype=float)
    return (calibration.later if samples[0].later else calibration.alone).of(x)[0], right


class TestSeveralRight:
    def test_a_right_answer_beside_another_right_one_is_no_doubt(self) -> None:
        """Two answers to each question, alike in all evidence: that they lie close together is no reason to doubt
        the first, if it was so in what was learnt from."""
        both = [Sample(each.evidence, (0, 1), True) for each in (sample(0.9, 0.9, 0.2) for _ in range(40))]
        none = [sample(0.5, 0.2, 0.1) for _ in range(40)]
        fitted = calibrate([*both, *none], SETTINGS)
        confidence, right = judged(both, fitted)
        assert right.all()
        assert confidence.min() > fitted.alone.answer_threshold > judged(none, fitted)[0].max()


class TestThreshold:
    @pytest.mark.parametrize(
        ("precision", "expected"),
        [
            (1.0, 0.8),  # the two best are right, the third is wrong
            (0.75, 0.6),  # of the four best, three are right, though of the three best only two
            (0.7, 0.6),
            (0.6, 0.5),  # of all five, three
        ],
    )
    def test_the_lowest_confidence_from_which_enough_is_right(self, precision: float, expected: float) -> None:
        confidence = np.array([0.7, 0.9, 0.5, 0.8, 0.6])
        right = np.array([0.0, 1.0, 0.0, 1.0, 1.0])
        assert threshold(confidence, right, np.ones(5), precision) == expected

    def test_a_weight_counts_a_sample_as_so_many(self) -> None:
        confidence, right = np.array([0.9, 0.8]), np.array([1.0, 0.0])
        assert threshold(confidence, right, np.array([3.0, 1.0]), 0.75) == 0.8  # three of four
        assert threshold(confidence, right, np.array([1.0, 3.0]), 0.75) == 0.9  # one of four

    def test_samples_of_one_confidence_are_above_it_together(self) -> None:
        confidence, right = np.array([0.9, 0.8, 0.8]), np.array([1.0, 1.0, 0.0])
        assert threshold(confidence, right, np.ones(3), 0.9) == 0.9  # at 0.8, two of three are right

    def test_a_sample_of_no_weight_changes_nothing(self) -> None:
        confidence, right = np.array([0.95, 0.9, 0.8]), np.array([0.0, 1.0, 0.0])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert threshold(confidence, right, np.array([0.0, 1.0, 0.0]), 0.9) == 0.9

    def test_the_target_itself_where_it_is_never_reached(self) -> None:
        assert threshold(np.array([0.6, 0.5]), np.array([0.0, 1.0]), np.ones(2), 0.9) == 0.9

    def test_the_target_itself_where_there_is_nothing(self) -> None:
        assert threshold(np.zeros(0), np.zeros(0), np.zeros(0), 0.9) == 0.9


class TestSmooth:
    CONFIDENCE = np.linspace(0.3, 0.99, 40)

    def test_what_is_as_often_right_as_it_says_stays_as_it_is(self) -> None:
        told = smooth(self.CONFIDENCE, self.CONFIDENCE, np.ones(40), 2.0)
        np.testing.assert_allclose(told, self.CONFIDENCE, atol=1e-4)

    def test_what_says_too_much_is_told_to_be_less(self) -> None:
        right = (np.arange(40) % 2).astype(float)
        told = smooth(np.full(40, 0.95), right, np.ones(40), 2.0)
        assert told[0] == pytest.approx(0.5, abs=0.1)

    def test_a_confidence_of_one_or_none_is_no_accident(self) -> None:
        told = smooth(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.ones(2), 2.0)
        assert np.isfinite(told).all() and told[0] < told[1]


def test_asking_back_offers_the_right_answer_as_often_as_it_is_to() -> None:
    """In all bots together, each fitted on few questions: a threshold that counts what happened to be right among
    these lies too low."""
    fresh, asked, offered = drawn(1500, 999), 0, 0
    for seed in range(12):
        bot = calibrate(drawn(80, seed), SETTINGS)
        for each in fresh:
            order = np.argsort(-bot.score(each.evidence))
            first, among = bot.alone.of(signs(each.evidence[order], bot)[None])
            if bot.alone.action(first[0], among[0]) is Action.CLARIFY:
                asked += 1
                offered += bool({*order[:OFFERED]}.intersection(each.right))
    assert asked > 1000
    assert offered / asked >= SETTINGS.clarify_precision


class TestPrior:
    def test_no_samples_give_the_prior(self) -> None:
        assert calibrate([], Decide()) == PRIOR

    def test_without_samples_the_threshold_is_what_was_asked_for(self) -> None:
        fitted = calibrate([], SETTINGS)
        assert (fitted.alone.answer_threshold, fitted.alone.stated_risk) == (0.9, 0.1)
        assert fitted.later == fitted.alone

    def test_a_risk_that_cannot_be_promised_is_said_so(self, caplog: pytest.LogCaptureFixture) -> None:
        few = [sample(0.9, 0.4, right=0), sample(0.4, 0.3)] * 20
        for samples in ([], few[:1], few):
            caplog.clear()
            fitted = calibrate(samples, Decide(risk=0.1))
            assert (fitted.alone.guaranteed, fitted.alone.stated_risk) == (False, 0.1)
            assert "a risk of 0.1 cannot be promised" in caplog.text
        kept = calibrate(drawn(900, seed=3, similarity=9.0), Decide(risk=0.2))
        assert (kept.alone.guaranteed, kept.later.guaranteed) == (True, False)  # no follow-up was among them

    def test_evidence_that_no_sample_brought_is_ignored(self) -> None:
        fitted = calibrate([sample(0.9, 0.5, right=0), sample(0.4, 0.3)] * 20, SETTINGS)
        brought = np.zeros((2, len(EVIDENCE)))
        brought[:, SIMILARITY] = 0.9, 0.5
        surprised = brought.copy()
        surprised[:, RELEVANCE] = -9.0, 9.0
        assert fitted.score(brought).tolist() == fitted.score(surprised).tolist()
        assert fitted.alone.of(signs(brought, fitted)) == fitted.alone.of(signs(surprised, fitted))

    def test_a_question_for_which_nothing_was_found_is_no_sample(self) -> None:
        assert calibrate([sample(), sample(answerable=True)], Decide()) == PRIOR
        assert calibrate([sample(), sample(0.9, 0.4, right=0)], SETTINGS).fitted_on == 1

    def test_one_sample_moves_the_prior_a_little(self) -> None:
        fitted = calibrate([sample(0.9, 0.5, right=0)], SETTINGS)
        prior_mean, prior_spread = PRIOR.mean[SIMILARITY], PRIOR.spread[SIMILARITY]
        assert fitted.mean[SIMILARITY] == pytest.approx((0.5 + 10 * prior_mean) / 11)  # the prior counts as ten
        assert fitted.spread[SIMILARITY] == pytest.approx(prior_spread * math.sqrt(10 / 11))
        assert fitted.fusion[SIMILARITY] == pytest.approx(PRIOR.fusion[SIMILARITY], abs=0.1)
        assert fitted.alone.first[: SIGNS.index("relevance")] == PRIOR.alone.first[: SIGNS.index("relevance")]

    def test_the_prior_says_for_each_kind_of_evidence_and_sign_what_to_make_of_it(self) -> None:
        assert len(PRIOR.mean) == len(PRIOR.spread) == len(PRIOR.fusion) == len(EVIDENCE)
        assert PRIOR.alone is PRIOR.later is SURE
        assert len(SURE.first) == len(SURE.any) == len(SIGNS)
        assert min(PRIOR.fusion + SURE.first + SURE.any) >= 0


class TestStandard:
    def test_mean_and_spread_are_those_of_the_best_wrong_answers(self) -> None:
        samples = [sample(0.9, 0.2, 0.1, right=0), sample(0.4, 0.3), sample(0.7, right=0)]  # the last has no wrong
        fitted = calibrate(samples, SETTINGS)
        mean = (2 * 0.3 + 10 * PRIOR.mean[SIMILARITY]) / 12  # 0.2 and 0.4, and the prior, which counts as ten
        variance = (2 * 0.1**2 + 10 * PRIOR.spread[SIMILARITY] ** 2) / 12
        assert fitted.mean[SIMILARITY] == pytest.approx(mean)
        assert fitted.spread[SIMILARITY] == pytest.approx(math.sqrt(variance))

    def test_evidence_that_is_not_there_says_nothing(self) -> None:
        samples = [sample(0.9, 0.2, right=0), sample(0.4, 0.3)]
        fitted = calibrate(samples, SETTINGS)
        standard = fitted.standard(samples[0].evidence)
        assert fitted.mean[RELEVANCE] == 0.0
        assert standard[:, RELEVANCE].tolist() == [0.0, 0.0]


class TestFit:
    def test_the_rule_is_recovered(self) -> None:
        fitted = calibrate(drawn(1000, seed=1), SETTINGS)
        weights = np.array(fitted.fusion) / np.array(fitted.spread)  # of evidence as it is
        assert weights[[SIMILARITY, RELEVANCE]] == pytest.approx([3, 1], rel=0.2)
        confidence, right = judged(drawn(2000, seed=2), fitted)
        error = expected_calibration_error(confidence, right)
        assert error is not None and error < 0.05
        answered = confidence >= fitted.alone.answer_threshold
        assert right[answered].mean() == pytest.approx(SETTINGS.target_precision, abs=0.03)
        assert answered.mean() > 0.1

    def test_more_evidence_never_speaks_against_an_answer(self) -> None:
        fitted = calibrate(drawn(100, seed=3, similarity=2.0, relevance=-2.0), SETTINGS)
        assert min(fitted.fusion + fitted.alone.first + fitted.alone.any) == 0.0
        assert fitted.fusion[RELEVANCE] == 0.0
        assert fitted.fusion[SIMILARITY] > 0.0

    def test_the_same_samples_give_the_same_numbers(self) -> None:
        samples = drawn(30, seed=4)
        assert calibrate(samples, SETTINGS) == calibrate(samples, SETTINGS)

    def test_all_numbers_are_plain_and_travel_as_json(self) -> None:
        fitted = calibrate(drawn(30, seed=5), SETTINGS)
        numbers = [astuple(fitted)]
        for value in numbers:
            assert type(value) in (float, int, bool, tuple) or value is None
            numbers += value if isinstance(value, tuple) else ()
        assert Calibration.from_json(fitted.as_json()) == fitted

    def test_the_more_out_of_scope_is_expected_the_less_sure_it_is(self) -> None:
        samples = drawn(100, seed=6)
        means = []
        for share in (0.0, 0.3, 0.9):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                fitted = calibrate(samples, Decide(out_of_scope_share=share))
            means.append(judged(samples, fitted)[0].mean())
        assert means[0] > means[1] + 0.05 > means[2] + 0.1

    def test_a_higher_target_is_answered_less_often(self) -> None:
        samples = drawn(100, seed=7)
        low, high = (calibrate(samples, Decide(target_precision=precision)) for precision in (0.8, 0.95))
        assert low.alone.answer_threshold < high.alone.answer_threshold
        assert low.alone.first == high.alone.first

    @pytest.mark.parametrize("answerable", [True, False])
    def test_from_one_kind_of_question_alone_it_learns_to_rank_but_not_how_sure_to_be(
        self, answerable: bool
    ) -> None:
        samples = [each for each in drawn(200, seed=8) if each.answerable is answerable]
        fitted = calibrate(samples, SETTINGS)
        assert fitted.fitted_on == len(samples)
        kept = fitted.fusion[: RELEVANCE + 1] == PRIOR.fusion[: RELEVANCE + 1]
        assert kept is not answerable  # where nothing is right, nothing ranks
        assert fitted.alone == fitted.later
        assert (fitted.alone.first_bias, fitted.alone.answer_threshold) == (SURE.first_bias, 0.9)


class TestHeard:
    """Samples of dialogues beside those of held-out pairs."""

    def test_without_dialogues_a_follow_up_is_judged_like_a_first_question(self) -> None:
        fitted = calibrate(drawn(100, seed=9), SETTINGS)
        assert fitted.later == replace(fitted.alone, held_out=()) != SURE

    def test_dialogues_say_how_sure_to_be_of_follow_ups_and_of_first_questions(self) -> None:
        """Among the pairs similarity counts twice as much as in dialogues, and in follow-ups it counts a third."""
        pairs = drawn(300, seed=10, similarity=4.0)
        firsts = drawn(600, seed=11, similarity=2.0)
        laters = [replace(each, later=True) for each in drawn(600, seed=12, similarity=1.3)]
        share = sum(not each.answerable for each in firsts) / len(firsts)
        fitted = calibrate(pairs, Decide(out_of_scope_share=share), [*firsts, *laters])
        assert fitted.fitted_on == 1500
        for fresh in (drawn(2000, 13, 2.0), [replace(each, later=True) for each in drawn(2000, 14, 1.3)]):
            confidence, right = judged(fresh, fitted)
            error = expected_calibration_error(confidence, right)
            assert error is not None and error < 0.05

    def test_what_dialogues_lack_stays_as_the_pairs_have_it(self) -> None:
        pairs = drawn(100, seed=15)
        answered = [each for each in drawn(100, seed=16) if each.answerable]
        fitted = calibrate(pairs, SETTINGS, answered)
        assert fitted.later == replace(fitted.alone, held_out=())
        assert fitted.alone.first_bias != SURE.first_bias

    def test_dialogues_alone_are_enough(self) -> None:
        fitted = calibrate([], SETTINGS, drawn(200, seed=17))
        assert fitted.fitted_on == 200
        assert fitted.alone != SURE

    def test_out_of_scope_follow_ups_count_as_often_as_they_come(self) -> None:
        heard = [replace(each, later=later) for each in drawn(300, seed=18) for later in (False, True)]
        low, high = (calibrate([], Decide(out_of_scope_share=share), heard) for share in (0.1, 0.9))
        assert low.alone.first_bias > high.alone.first_bias + 1
        means = [judged([each for each in heard if each.later], fitted)[0].mean() for fitted in (low, high)]
        assert means[0] == pytest.approx(means[1], abs=0.02)
