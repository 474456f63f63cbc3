"""Replaying dialogues, and every measure on predictions that fit on a hand."""

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from chatbot.decide import Calibration
from chatbot.domain import (
    Action,
    Candidate,
    Conversation,
    Decision,
    HeldOutDialogue,
    HeldOutTurn,
    Reason,
    Reply,
    Role,
    Turn,
)
from chatbot.learn.calibrate import PRIOR, SURE
from chatbot.learn.evaluate import (
    COLUMNS,
    Evaluation,
    Prediction,
    auroc,
    evaluate,
    expected_calibration_error,
    measures,
    stated_risks,
)
from tests.fakes import RecordingResponder, pair

HEADER = (
    "dialogue_id,turn,language,text,expected,action,answer_id,"
    "confidence,top_answer_id,similarity,relevance,latency_ms"
)


def predicted(
    expected: str, action: Action, ranking: str, confidence: float, latency: float = 10.0, language: str = "en"
) -> Prediction:
    """A prediction whose ranking is one letter an answer; the first is what an ANSWER gives."""
    return Prediction(
        dialogue_id="d",
        turn=1,
        language=language,
        text="?",
        expected=expected,
        action=action,
        answer_id=ranking[0] if action is Action.ANSWER else "",
        confidence=confidence,
        top_answer_id=ranking[:1],
        similarity=0.5,
        relevance=1.5,
        latency_ms=latency,
        ranking=tuple(ranking),
    )


INSIDE = (
    predicted("A", Action.ANSWER, "ABC", 0.9, latency=10),  # right
    predicted("A|B", Action.CLARIFY, "CAB", 0.6, latency=20),  # two are right: second and third
    predicted("D", Action.ANSWER, "C", 0.8, latency=30),  # wrong, and the right one was not found
    predicted("B", Action.HAND_OVER, "BC", 0.4, latency=40),  # was right, but not sure enough
)
OUTSIDE = (
    predicted("", Action.HAND_OVER, "AB", 0.3, latency=50),
    predicted("", Action.ANSWER, "X", 0.7, latency=60),
    predicted("", Action.CHAT, "", 0.0, latency=70),
    predicted("", Action.CLARIFY, "AB", 0.5, latency=80),
)
CONFIDENCES = (0.9, 0.6, 0.8, 0.4, 0.3, 0.7, 0.0, 0.5)


class TestMeasures:
    def test_every_measure_by_hand(self) -> None:
        assert measures(INSIDE + OUTSIDE) == {
            "turns": 8,
            "in_scope_turns": 4,
            "out_of_scope_turns": 4,
            "raw_accuracy": 2 / 4,  # the first and the last are right first, whatever was done about it
            "accuracy": 3 / 8,  # one answered rightly; one handed over and one chatted away
            "in_scope_accuracy": 1 / 4,
            "out_of_scope_recall": 2 / 4,  # answering and asking back are both wrong
            "answered_precision": 1 / 3,
            "coverage": 2 / 4,
            # should have been A, A, D, B and four times none; was A, none, C, none, none, X, none, none: 4 of 8
            # agree, and by chance (1 * 2 + 5 * 4) / 8 would
            "mcc": pytest.approx((4 * 8 - 22) / ((64 - 28) * (64 - 22)) ** 0.5),
            "clarified": 2 / 8,
            "recall_at_1": 2 / 4,
            "recall_at_3": 3 / 4,
            "recall_at_5": 3 / 4,
            "recall_at_10": 3 / 4,
            "mrr_at_10": pytest.approx((1 + 1 / 2 + 0 + 1) / 4),
            "map": pytest.approx((1 + (1 / 2 + 2 / 3) / 2 + 0 + 1) / 4),
            # eight turns make eight bins of one: confidence against 1 where the first candidate is right, else 0
            "ece": pytest.approx((0.1 + 0.6 + 0.8 + 0.6 + 0.3 + 0.7 + 0.0 + 0.5) / 8),
            "ece_of_chance": pytest.approx(np.mean([2 * p * (1 - p) for p in CONFIDENCES]), abs=0.01),
            # of 16 pairs of an in-scope and an out-of-scope turn: 0.9 and 0.8 beat four, 0.6 three, 0.4 two
            "auroc": pytest.approx(13 / 16),
            "latency_ms_p50": 45.0,
            "latency_ms_p95": pytest.approx(76.5),  # 0.95 of the way over seven steps, 6.65 steps of 10 from 10
        }

    def test_nothing_is_measured_on_nothing(self) -> None:
        found = measures(())
        counts = {name: found.pop(name) for name in ("turns", "in_scope_turns", "out_of_scope_turns")}
        assert set(counts.values()) == {0}
        assert set(found.values()) == {None}

    def test_only_answerable_turns(self) -> None:
        found = measures(INSIDE)
        assert found["out_of_scope_recall"] is None and found["auroc"] is None
        assert (found["accuracy"], found["in_scope_accuracy"]) == (1 / 4, 1 / 4)

    def test_only_unanswerable_turns(self) -> None:
        found = measures(OUTSIDE)
        names = ("raw_accuracy", "in_scope_accuracy", "coverage", "recall_at_1", "mrr_at_10", "map", "auroc")
        assert [found[name] for name in names] == [None] * 7
        assert (found["accuracy"], found["answered_precision"]) == (2 / 4, 0.0)
        assert found["ece"] == pytest.approx((0.3 + 0.7 + 0.0 + 0.5) / 4)

    def test_nothing_answered_has_no_precision(self) -> None:
        assert measures(OUTSIDE[:1])["answered_precision"] is None

    def test_a_rank_beyond_ten_counts_for_map_alone(self) -> None:
        found = measures([predicted("Z", Action.HAND_OVER, "ABCDEFGHIJZ", 0.1)])
        assert (found["recall_at_10"], found["mrr_at_10"]) == (0.0, 0.0)
        assert found["map"] == pytest.approx(1 / 11)

    def test_a_right_answer_that_was_not_found_is_part_of_the_mean(self) -> None:
        assert measures([predicted("A|Z", Action.ANSWER, "AB", 0.9)])["map"] == 1 / 2

    @pytest.mark.parametrize(("depth", "recall"), [(1, 0.0), (3, 0.0), (5, 1.0), (10, 1.0)])
    def test_recall_at_a_depth(self, depth: int, recall: float) -> None:
        assert measures([predicted("D", Action.HAND_OVER, "ABCD", 0.1)])[f"recall_at_{depth}"] == recall


class TestCalibrationError:
    def test_fifteen_bins_of_equally_many(self) -> None:
        """Thirty turns, two a bin, one of them right: bin j states (2j + 0.5) / 30 and has 1/2."""
        confidence = np.arange(30) / 30
        right = np.tile([0.0, 1.0], 15)
        expected = sum(abs((2 * j + 0.5) / 30 - 0.5) for j in range(15)) / 15
        assert expected == pytest.approx(0.25)
        assert expected_calibration_error(confidence, right) == pytest.approx(expected)
        shuffled = np.random.default_rng(7).permutation(30)
        assert expected_calibration_error(confidence[shuffled], right[shuffled]) == pytest.approx(expected)

    def test_a_larger_bin_weighs_more(self) -> None:
        confidence, right = np.array([0.1, 0.2, 0.6]), np.array([0.0, 0.0, 1.0])
        assert expected_calibration_error(confidence, right, bins=2) == pytest.approx((2 * 0.15 + 1 * 0.4) / 3)

    def test_what_is_stated_right_has_no_error(self) -> None:
        assert expected_calibration_error(np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0])) == 0.0

    def test_nothing(self) -> None:
        assert expected_calibration_error(np.zeros(0), np.zeros(0)) is None


class TestAuroc:
    def test_a_tie_counts_half(self) -> None:
        assert auroc(np.array([0.5, 0.9, 0.5]), np.array([True, True, False])) == pytest.approx(0.75)

    @pytest.mark.parametrize("positive", [[True, True], [False, False], []])
    def test_one_class_alone(self, positive: list[bool]) -> None:
        assert auroc(np.linspace(0, 1, len(positive)), np.array(positive, dtype=bool)) is None


class TestSaved:
    def test_the_columns(self, tmp_path: Path) -> None:
        assert ",".join(COLUMNS) == HEADER
        first = replace(INSIDE[1], text='two\nlines, "quoted" 退款', similarity=0.25)
        Evaluation((first, OUTSIDE[2])).save(tmp_path / "new" / "folder", {"seed": 7})
        file = tmp_path / "new" / "folder" / "predictions.csv"
        assert file.read_text("utf-8").partition("\n")[0].rstrip("\r") == HEADER
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.reader(lines))[1:]
        assert rows == [
            ["d", "1", "en", 'two\nlines, "quoted" 退款', "A|B", "clarify", "", "0.6", "C", "0.25", "1.5", "20"],
            ["d", "1", "en", "?", "", "chat", "", "0.0", "", "0.5", "1.5", "70"],
        ]

    def test_the_measures_over_all_and_for_each_language_and_what_was_measured(self, tmp_path: Path) -> None:
        chinese = replace(INSIDE[0], language="zh")
        evaluation = Evaluation((*INSIDE, chinese))
        returned = evaluation.save(tmp_path, {"seed": 7, "index": "demo"})
        saved = json.loads((tmp_path / "metrics.json").read_text("utf-8"))
        assert saved == returned
        assert saved.pop("about").keys() == {"seed", "index", "time", "machine"}
        assert saved == evaluation.metrics()
        languages = saved.pop("languages")
        assert saved == measures((*INSIDE, chinese))
        assert languages == {"en": measures(INSIDE), "zh": measures([chinese])}


class TestReplay:
    DIALOGUE = HeldOutDialogue(
        "d7",
        "en",
        (
            HeldOutTurn(Role.USER, "hello"),  # context
            HeldOutTurn(Role.AGENT, "Hi."),
            HeldOutTurn(Role.USER, "where is it", ("A1", "A2")),
            HeldOutTurn(Role.AGENT, "On its way."),
            HeldOutTurn(Role.USER, "and the moon", ()),
        ),
    )

    def test_each_scored_turn_is_asked_after_the_dialogues_own_turns(self) -> None:
        responder = RecordingResponder({})
        evaluate([self.DIALOGUE], responder)
        before = (Turn(Role.USER, "hello"), Turn(Role.AGENT, "Hi."))
        between = (Turn(Role.USER, "where is it"), Turn(Role.AGENT, "On its way."))  # not what the bot said
        assert responder.asked == [
            (Conversation("d7", before, "en"), "where is it"),
            (Conversation("d7", before + between, "en"), "and the moon"),
        ]

    def test_what_becomes_of_a_reply(self) -> None:
        candidates = (
            Candidate(pair("where", "A1"), similarity=0.87654321, relevance=-1.23456789, confidence=0.95000049),
            Candidate(pair("when", "A3"), similarity=0.5, confidence=0.01),
            Candidate(pair("whence", "A1"), similarity=0.4),  # an answer is ranked once
        )
        answer = Reply("On its way.", Decision(Action.ANSWER, 0.95, Reason.CONFIDENT, candidates), "en", "A1")
        first, second = evaluate([self.DIALOGUE], RecordingResponder({"where is it": answer})).predictions
        assert 0 <= first.latency_ms < 1000
        assert replace(first, latency_ms=0.0) == Prediction(
            dialogue_id="d7",
            turn=3,
            language="en",
            text="where is it",
            expected="A1|A2",
            action="answer",
            answer_id="A1",
            confidence=0.95,
            top_answer_id="A1",
            similarity=0.876543,
            relevance=-1.234568,
            latency_ms=0.0,
            ranking=("A1", "A3"),
        )
        assert first.right_first and first.wanted == {"A1", "A2"}
        assert replace(second, latency_ms=0.0) == Prediction(
            dialogue_id="d7",
            turn=5,
            language="en",
            text="and the moon",
            expected="",
            action="hand_over",
            answer_id="",
            confidence=0.0,
            top_answer_id="",
            similarity=0.0,
            relevance=0.0,
            latency_ms=0.0,
        )
        assert not second.right_first and second.wanted == frozenset()

    def test_the_confidence_is_the_best_candidates_whatever_was_decided(self) -> None:
        candidate = Candidate(pair("where", "A1"), similarity=0.9, confidence=0.4)
        asked_for_person = Decision(Action.HAND_OVER, 0.0, Reason.ASKED_FOR_PERSON, (candidate,))
        responder = RecordingResponder({"where is it": Reply("One moment.", asked_for_person, "en")})
        first, _ = evaluate([self.DIALOGUE], responder).predictions
        assert (first.confidence, first.top_answer_id, first.answer_id) == (0.4, "A1", "")

    def test_dialogues_are_asked_in_order_and_one_without_a_scored_turn_is_not(self) -> None:
        talk = HeldOutDialogue("talk", "zh", (HeldOutTurn(Role.USER, "你好"),))
        other = HeldOutDialogue("d8", "zh", (HeldOutTurn(Role.USER, "退款", ("A9",)),))
        evaluation = evaluate([other, talk, self.DIALOGUE], RecordingResponder({}))
        assert [(p.dialogue_id, p.turn) for p in evaluation.predictions] == [("d8", 1), ("d7", 3), ("d7", 5)]
        assert evaluate([talk], RecordingResponder({})).predictions == ()


@dataclass(frozen=True)
class Line:
    calibration: Calibration


def test_a_stated_risk_is_a_promise_only_where_every_answer_was_under_one() -> None:
    kept = replace(SURE, stated_risk=0.1, guaranteed=True)
    lines = {"en": Line(replace(PRIOR, alone=kept)), "zh": Line(PRIOR)}
    first, wrong = predicted("A", Action.ANSWER, "A", 0.9), predicted("A", Action.ANSWER, "B", 0.8)
    unanswered = predicted("A", Action.HAND_OVER, "A", 0.2)
    found = stated_risks(lines, [first, wrong, unanswered])["risk"]
    assert found["en"] == {"stated_risk": 0.1, "guaranteed": True, "observed_risk": 0.5, "answers": 2}
    assert found["zh"] == {"stated_risk": 0.15, "guaranteed": False, "observed_risk": None, "answers": 0}
    follow_up = replace(first, turn=3)
    assert not stated_risks(lines, [first, follow_up])["risk"]["en"]["guaranteed"]
