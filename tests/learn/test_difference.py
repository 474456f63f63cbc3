"""What a new bot changes: measures by hand, intervals, flips."""

from dataclasses import replace

import pytest

from chatbot.domain import Action
from chatbot.errors import UserError
from chatbot.learn.difference import difference
from chatbot.learn.evaluate import Prediction, measures


def turn(number: int, expected: str, action: Action, top: str, dialogue: str = "d") -> Prediction:
    given = top if action is Action.ANSWER else ""
    return Prediction(
        f"{dialogue}{number}",
        1,
        "en",
        f"question {number}",
        expected,
        action,
        given,
        0.5,
        top,
        0.5,
        0.0,
        1.0,
        (top,),
    )


OLD = [turn(n, "A", Action.ANSWER, "A" if n < 10 else "B") for n in range(40)] + [
    turn(n, "", Action.HAND_OVER, "A") for n in range(40, 60)
]


def test_a_bot_compared_with_itself_changes_nothing() -> None:
    found = difference(OLD, OLD, 7)
    assert (found.turns, found.flips, found.worse) == (60, (), ())
    accuracy = found.changes["accuracy"]
    assert (accuracy.before, accuracy.low, accuracy.high) == (30 / 60, 0.0, 0.0)


def test_measures_are_those_of_evaluate() -> None:
    whole = measures(OLD)
    for name, change in difference(OLD, OLD, 7).changes.items():
        assert change.before == change.after == pytest.approx(whole[name])


def test_a_gain_is_told_from_a_loss() -> None:
    new = [replace(p, answer_id="A", top_answer_id="A", ranking=("A",)) if p.wanted else p for p in OLD]
    better, worse = difference(OLD, new, 7), difference(new, OLD, 7)
    assert better.worse == ()
    assert worse.worse == ("raw_accuracy", "accuracy", "in_scope_accuracy", "answered_precision", "mrr_at_10")
    change = better.changes["in_scope_accuracy"]
    assert (change.before, change.after) == (10 / 40, 1.0)
    assert change.low is not None and change.high is not None
    assert change.low < 30 / 40 < change.high
    assert len(better.flips) == len(worse.flips) == 30
    assert worse.flips[0] == ("d10", 1, "en", "question 10", "A", "answer A", "answer B", "worse")


def test_a_larger_calibration_error_is_worse() -> None:
    new = [replace(p, confidence=0.99) for p in OLD]  # 30 of 60 are wrong at that
    found = difference(OLD, new, 7)
    assert found.worse == ("ece",)
    change = found.changes["ece"]
    assert change.before is not None and change.after is not None and change.low is not None
    assert change.after - change.before > 0.2 and change.low > 0
    assert difference(new, OLD, 7).worse == ()


def test_one_turn_is_chance() -> None:
    new = [replace(OLD[0], answer_id="B", top_answer_id="B", ranking=("B",)), *OLD[1:]]
    found = difference(OLD, new, 7)
    assert found.worse == ()
    assert [flip[-1] for flip in found.flips] == ["worse"]


def test_few_dialogues_say_nothing_of_chance() -> None:
    """Draws that lack the one dialogue that nothing answers would leave an interval without any width."""
    old = [turn(n, "A", Action.ANSWER, "A") for n in range(30)] + [turn(30, "", Action.HAND_OVER, "A")]
    new = [*old[:30], turn(30, "", Action.ANSWER, "A")]
    found = difference(old, new, 7)
    recall = found.changes["out_of_scope_recall"]
    assert (recall.before, recall.after, recall.low, recall.high) == (1.0, 0.0, None, None)
    one_dialogue = [replace(p, dialogue_id="d", turn=p.turn + n) for n, p in enumerate(old)]
    assert (
        difference(one_dialogue, [*one_dialogue[:30], replace(new[30], dialogue_id="d", turn=31)], 7).worse == ()
    )


def test_turns_for_the_worse_come_first() -> None:
    new = [turn(n, p.expected, Action.HAND_OVER, "A") if n in (0, 59) else p for n, p in enumerate(OLD)]
    new[20] = turn(20, "A", Action.ANSWER, "A")
    found = difference(OLD, new, 7)
    assert [(flip[0], flip[-1]) for flip in found.flips] == [("d0", "worse"), ("d20", "better")]


def test_what_no_turn_counts_for_has_no_value() -> None:
    found = difference(OLD[:40], OLD[:40], 7).changes["out_of_scope_recall"]
    assert (found.before, found.low, found.worse) == (None, None, False)


def test_other_turns_are_refused() -> None:
    with pytest.raises(UserError, match="not asked the same turns"):
        difference(OLD, OLD[1:], 7)


def test_no_scored_turn_is_told() -> None:
    with pytest.raises(UserError, match="nothing to compare"):
        difference([], [], 7)
