"""What each kind of change makes of a text, and what the report counts."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

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
)
from chatbot.learn.perturb import KEYS, LEAST_TURNS, Kind, changed, robustness
from tests.fakes import pair


def made(text: str, kind: Kind, language: str) -> set[str | None]:
    return {changed(text, kind, language, random.Random(seed)) for seed in range(40)}


@pytest.mark.parametrize(
    ("kind", "language", "text", "expected"),
    [
        (Kind.HOMOPHONE, "en", "where is it", {"were is it"}),
        (Kind.HOMOPHONE, "en", "refund", {None}),
        (Kind.SCRIPT, "zh", "怎么退货", {"怎麼退貨"}),
        (Kind.SCRIPT, "en", "refund", {None}),
        (Kind.PINYIN, "zh", "退货", {"tuihuo"}),
        (Kind.PINYIN, "en", "refund", {None}),
        (Kind.MIXED, "en", "where is my Order", {"where is my 订单"}),
        (Kind.MIXED, "zh", "我的订单呢", {"我的order呢"}),
        (Kind.MIXED, "en", "ordering", {None}),
        (Kind.MIXED, "en", "discard the card", {"discard the 卡"}),
        (Kind.CASING, "en", "Refund Me", {"REFUND ME", "refund me"}),
        (Kind.CASING, "zh", "退货", {None}),
        (Kind.NEGATION, "en", "I want to cancel my order", {"I do not want to cancel my order"}),
        (Kind.NEGATION, "en", "how do I return it?", {"I do not want to return it"}),
        (Kind.NEGATION, "en", "where is my parcel", {None}),
        (Kind.NEGATION, "zh", "我想退货", {"我不想退货"}),
        (Kind.NEGATION, "zh", "怎么取消订单", {"我不想取消订单"}),
        (Kind.NEGATION, "zh", "快递到哪了", {None}),
        (Kind.NEGATION, "zh", "有实体店吗 想摸一下真机", {None}),
        (Kind.NEGATION, "zh", "可以货到付款吗 我不会手机付", {None}),
        (Kind.NEGATION, "en", "I want to cancel, how long does it take", {None}),
        (Kind.KEYBOARD, "zh", "退货", {None}),
        (Kind.TYPO, "en", "", {None}),
    ],
)
def test_what_a_change_makes(kind: Kind, language: str, text: str, expected: set[str | None]) -> None:
    assert made(text, kind, language) == expected


def test_a_slip_on_the_keyboard_hits_a_key_beside() -> None:
    for text in made("a", Kind.KEYBOARD, "en"):
        assert text == "s"
    for text in made("g", Kind.KEYBOARD, "en"):
        assert text in ("f", "h") and text in KEYS[1]


@pytest.mark.parametrize(("language", "text"), [("en", "where is it"), ("zh", "到哪了")])
def test_politeness_leaves_the_question_whole(language: str, text: str) -> None:
    every = made(text, Kind.POLITENESS, language)
    assert len(every) == 2
    assert all(polite is not None and text in polite and polite != text for polite in every)


class Parrot:
    """Answers "cancel" with A1 and "parcel" with A2, and hands over what holds neither word as it stands."""

    def reply(self, conversation: Conversation, text: str) -> Reply:
        answers = {"cancel": "A1", "parcel": "A2"}
        for word, answer_id in answers.items():
            if word in text:
                found = (Candidate(pair(word, answer_id), similarity=1.0, score=1.0, confidence=0.9),)
                return Reply("yes", Decision(Action.ANSWER, 0.9, Reason.CONFIDENT, found), "en", answer_id)
        return Reply("no", Decision(Action.HAND_OVER, 0.0, Reason.UNSURE), "en")


def dialogue(text: str, *expected: str, language: str = "en", before: Sequence[str] = ()) -> HeldOutDialogue:
    history = tuple(HeldOutTurn(Role.USER, earlier) for earlier in before)
    return HeldOutDialogue(f"d-{text}", language, (*history, HeldOutTurn(Role.USER, text, expected)))


class TestRobustness:
    def test_what_is_lost_is_counted_on_the_turns_that_could_be_changed(self) -> None:
        asked = [replace(dialogue("my parcel", "A2"), id=f"d{number}") for number in range(LEAST_TURNS)]
        found = robustness([*asked, dialogue("nothing to see")], Parrot(), seed=7)
        casing = next(row for row in found.rows if row.kind is Kind.CASING)
        assert (casing.turns, casing.judged) == (LEAST_TURNS + 1, LEAST_TURNS)
        assert (casing.before["raw_accuracy"], casing.after["raw_accuracy"]) == (1.0, 0.0)  # "MY PARCEL"
        assert casing.drop == 1.0
        assert casing.bands == (None, None, 1.0)  # it had been sure of it
        assert "casing (en): 1.000" in found.above(0.1)
        assert not found.above(1.0)
        assert not robustness(asked[1:], Parrot(), seed=7).above(0.1)  # a turn less: too few to judge

    def test_a_negated_question_with_the_same_answer_is_a_silent_flip(self) -> None:
        asked = [dialogue("I want to cancel", "A1"), dialogue("where is my parcel", "A2")]
        found = robustness(asked, Parrot(), seed=7)
        negation = next(row for row in found.rows if row.kind is Kind.NEGATION)
        assert (negation.turns, negation.drop) == (1, 1.0)
        (turn,) = [turn for turn in found.turns if turn[0] is Kind.NEGATION]
        assert turn[4:] == ("I want to cancel", "I do not want to cancel", "answer A1", "answer A1", 1)

    def test_what_was_said_before_stays_and_a_seed_settles_all(self) -> None:
        asked = [dialogue("my parcel", "A2", before=["I want to cancel"])]
        first, second = (robustness(asked, Parrot(), seed=7) for _ in range(2))
        assert first == second
        assert all(turn[1:3] == ("d-my parcel", "2") for turn in first.turns)
