"""Thresholds on sliders: what is simulated is what an evaluation of a bot with those thresholds gives.

Vectors count a few words; the cross-encoder counts words that two texts share. Confidence is made of both
scores; the early calibration knows similarity alone.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from time import perf_counter

import numpy as np
import pytest

import app
from chatbot.answer import Templates
from chatbot.converse import Chatbot
from chatbot.decide import Calibration
from chatbot.domain import Action, HeldOutDialogue, HeldOutTurn, QAPair, Role
from chatbot.errors import UserError
from chatbot.held_out import read_dialogues
from chatbot.insight.observe import Judged, Observed, observe, with_calibrations
from chatbot.insight.whatif import Change, Table, Thresholds, changes, curve, moved, outcome
from chatbot.learn.evaluate import evaluate
from chatbot.protocols import Reranker
from chatbot.retrieve import Retriever
from chatbot.settings import Retrieve, Settings
from tests.fakes import ExactIndex, FakeEncoder, FakeReranker, SharedWords, calibration, pair

EARLY = calibration({"similarity": 1}, {"similarity": 40, "margin": 3}, -35, {"similarity": 40}, -30, 0.93, 0.6)
WHOLE = replace(
    calibration(
        {"similarity": 1, "relevance": 0.02},
        {"similarity": 20, "margin": 2, "relevance": 0.8},
        -17,
        {"similarity": 20, "relevance": 0.3},
        -14,
        answer_threshold=0.8,
        clarify_threshold=0.6,
    ),
    early=EARLY,
    relevances=(-4.0, 3.0),
)
ENGLISH = (
    pair("where is my parcel", "parcel"),
    pair("parcel late and lost", "parcel"),
    pair("refund when", "refund"),
    pair("I do not want a refund", "no_refund"),
    pair("cancel my order", "cancel"),
    pair("invoice please", "invoice"),
    pair("hello", "hello"),
)
CHINESE = (
    pair("我 的 包裹 在 哪里", "parcel", language="zh"),
    pair("退款 要 多久", "refund", language="zh"),
    pair("取消 订单", "cancel", language="zh"),
)


def line(
    pairs: Sequence[QAPair], words: Sequence[str], level: Calibration, reranker: Reranker | None
) -> Retriever:
    return Retriever.build(
        pairs, FakeEncoder(words), ExactIndex, SharedWords, reranker, level, Retrieve(rerank_answers=2)
    )


def chatbot(level: Calibration = WHOLE, reranker: bool = True) -> Chatbot:
    judge = FakeReranker(0.5) if reranker else None
    lines = {
        "en": line(ENGLISH, ("parcel", "refund", "invoice", "cancel", "late", "hello"), level, judge),
        "zh": line(CHINESE, ("包裹", "退款", "取消"), level, judge),
    }
    settings = Settings.parse({"routes": {"en": {"encoder": "one"}, "*": {"encoder": "another"}}}, "test")
    return Chatbot(lines, Templates(), settings)


def dialogue(name: str, language: str, *said: tuple[str, tuple[str, ...] | None]) -> HeldOutDialogue:
    """Customer's texts with what is expected; an agent's reply after each."""
    turns = [
        turn
        for text, expected in said
        for turn in (HeldOutTurn(Role.USER, text, expected), HeldOutTurn(Role.AGENT, "We will see.", None))
    ]
    return HeldOutDialogue(name, language, tuple(turns))


DIALOGUES = (
    dialogue("d1", "en", ("where is my parcel", ("parcel",)), ("and if late", ("parcel",)), ("thanks", ())),
    dialogue("d2", "en", ("parcel or refund", ("refund",)), ("refund when", ("refund",)), ("???", ())),
    dialogue(
        "d3", "en", ("hello", ("hello",)), ("I do not want to cancel my order", ()), ("invoice", ("invoice",))
    ),
    dialogue("d4", "en", ("do you sell tea", ()), ("I want a person", ()), ("parcel late", ("parcel",))),
    dialogue("d5", "en", ("refund invoice cancel", ("cancel",)), ("my invoice is late", ("invoice",))),
    dialogue("d5b", "en", ("where is my parcel", ("parcel",)), ("hello", ("hello",))),
    dialogue("d6", "zh", ("包裹 在 哪里", ("parcel",)), ("退款 取消", ("refund", "cancel")), ("谢谢", ())),
    dialogue("d7", "zh", ("多久", ("refund",)), ("取消 订单", ("cancel",)), ("转人工", ())),
    dialogue("d8", "zh", ("refund when", ("refund",)), ("我 的 包裹", None), ("卖 茶 吗", ())),
)
FILES = [app.DEMO / f"dialogues_{language}.jsonl" for language in ("en", "zh")]
LEVELS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.93, 0.97, 0.99, 1.0, 2.0)


def tables(bot: Chatbot) -> dict[str, Table]:
    return {language: Table.of(turns) for language, turns in observe(DIALOGUES, bot).items()}


class TestAgreement:
    @pytest.mark.parametrize(
        ("level", "reranker"),
        [
            (WHOLE, True),
            (WHOLE, False),
            (replace(WHOLE, early=None), True),
            (replace(WHOLE, relevances=None), True),
            (replace(WHOLE, relevances=(-0.5, 0.5)), True),
            (replace(WHOLE, early=replace(EARLY, fusion=(0.0, 0.0, 1.0, *EARLY.fusion[3:]))), True),
        ],
    )
    def test_it_is_what_an_evaluation_gives_turn_by_turn(self, level: Calibration, reranker: bool) -> None:
        bot = chatbot(level, reranker)
        observed = tables(bot)
        for answer, clarify in product(LEVELS, LEVELS[1::3]):
            other = moved(level, Thresholds(answer, clarify, min(answer + 0.05, 2.0), clarify))
            real = evaluate(DIALOGUES, with_calibrations(bot, dict.fromkeys(bot.lines, other)))
            for table in observed.values():
                found = outcome(table, other)
                wanted = {(turn.dialogue_id, turn.turn) for turn in table.turns}
                own = [p for p in real.predictions if (p.dialogue_id, p.turn) in wanted]
                assert [str(list(Action)[code]) for code in found.actions] == [p.action for p in own]
                assert found.answer_ids.tolist() == [p.answer_id for p in own]
                assert found.right.tolist() == [p.right for p in own]
                judged = [i for i, turn in enumerate(table.turns) if turn.fixed is None]
                assert found.confidence[judged] == pytest.approx([own[i].confidence for i in judged], abs=1e-6)

    def test_each_kind_of_turn_is_among_them(self) -> None:
        bot = chatbot()
        turns = observe(DIALOGUES, bot)
        english = turns["en"]
        assert {turn.fixed for turn in english} == {None, Action.CHAT, Action.HAND_OVER}
        assert {turn.later for turn in english} == {True, False}
        assert {turn.otherwise for turn in english} == {None, Action.CHAT}
        assert {turn.whole.done for turn in english if turn.whole} >= {Action.ANSWER, Action.CLARIFY}
        assert any(turn.ends is None for turn in english if turn.early) and any(turn.ends for turn in english)
        assert ("d8", 1) in {(turn.dialogue_id, turn.turn) for turn in english}  # by its script
        assert [turn.turn for turn in turns["zh"] if turn.dialogue_id == "d8"] == [
            5
        ]  # the second has no `expected`

    def test_the_thresholds_in_force_change_nothing(self) -> None:
        assert moved(WHOLE, Thresholds.of(WHOLE)) == WHOLE
        table = tables(chatbot())["en"]
        now = outcome(table, WHOLE)
        assert changes(table, now, outcome(table, moved(WHOLE, Thresholds.of(WHOLE)))) == ()

    def test_the_measures_are_those_of_an_evaluation(self) -> None:
        bot = chatbot()
        found = outcome(tables(bot)["en"], WHOLE)
        english = [
            p for p in evaluate(DIALOGUES, bot).predictions if p.dialogue_id < "d6" or p.text == "refund when"
        ]
        assert len(english) == len(found.actions)
        inside = [p for p in english if p.wanted]
        answered = [p for p in english if p.action == Action.ANSWER]
        assert found.accuracy == pytest.approx(np.mean([p.right for p in english]))
        assert found.precision == pytest.approx(np.mean([p.right for p in answered]))
        assert found.coverage == pytest.approx(np.mean([p.action == Action.ANSWER for p in inside]))
        assert found.count(Action.ANSWER) == len(answered)


class TestMoved:
    def test_a_lower_slider_leaves_the_early_threshold(self) -> None:
        lower = moved(WHOLE, Thresholds(0.5, 0.6, 0.5, 0.6))
        assert lower.alone.answer_threshold == lower.later.answer_threshold == 0.5
        assert lower.early == EARLY

    def test_a_higher_slider_raises_it_only_where_it_is_above(self) -> None:
        assert moved(WHOLE, Thresholds(0.9, 0.6, 0.8, 0.6)).early == EARLY
        early = moved(WHOLE, Thresholds(0.97, 0.6, 0.8, 0.6)).early
        assert early is not None
        assert (early.alone.answer_threshold, early.later.answer_threshold) == (0.97, 0.93)
        assert early.alone.clarify_threshold == 0.6

    def test_what_is_stated_of_the_risk_is_counted_again_and_no_promise(self) -> None:
        told = ((0.95, 1.0), (0.9, 0.0), (0.85, 1.0), (0.7, 1.0))
        alone = replace(WHOLE.alone, held_out=told, guaranteed=True, stated_risk=0.05)
        level = replace(WHOLE, alone=alone)
        higher = moved(level, Thresholds(0.84, 0.6, 0.8, 0.6)).alone
        assert (higher.stated_risk, higher.guaranteed) == (
            2 / 4,
            False,
        )  # one of three, and one more
        assert moved(level, Thresholds(0.99, 0.6, 0.8, 0.6)).alone.stated_risk == pytest.approx(0.01)
        same = moved(level, Thresholds(0.8, 0.5, 0.8, 0.6)).alone
        assert (same.stated_risk, same.guaranteed, same.clarify_threshold) == (0.05, True, 0.5)

    @pytest.mark.parametrize("value", [-0.1, 2.1, math.nan, math.inf])
    def test_a_threshold_that_is_none_is_refused(self, value: float) -> None:
        with pytest.raises(UserError, match=r"the threshold to (answer|ask back) is .*give a number from 0 to 1"):
            moved(WHOLE, Thresholds(value, 0.6, 0.8, 0.6))
        with pytest.raises(UserError):
            moved(WHOLE, Thresholds(0.8, 0.6, 0.8, value))


def turn(number: int, first: float, among: float, answer_id: str, *expected: str) -> Observed:
    """One that is judged after reading alone, by these probabilities."""
    whole = Judged(answer_id, first, among, Action.ANSWER)
    return Observed(f"d{number}", 1, f"question {number}", frozenset(expected), False, None, None, whole)


class TestByHand:
    LEVEL = calibration({}, answer_threshold=0.8, clarify_threshold=0.5)
    TABLE = Table.of(
        [
            turn(1, 0.9, 0.95, "A", "A"),
            turn(2, 0.85, 0.9, "B", "A"),
            turn(3, 0.7, 0.8, "A", "A", "B"),
            turn(4, 0.6, 0.65, "A"),
            turn(5, 0.2, 0.3, "A"),
            replace(turn(6, 0.99, 0.99, "A"), otherwise=Action.CHAT),
            Observed("d7", 1, "a person", frozenset(), False, Action.HAND_OVER),
        ]
    )

    def test_now(self) -> None:
        now = outcome(self.TABLE, self.LEVEL)
        assert now.actions.tolist() == [0, 0, 1, 1, 2, 0, 2]
        assert now.right.tolist() == [True, False, False, False, True, False, True]
        assert (now.precision, now.coverage, now.accuracy) == (1 / 3, 2 / 3, 3 / 7)

    def test_what_changes_the_worse_first(self) -> None:
        now = outcome(self.TABLE, self.LEVEL)
        then = outcome(self.TABLE, moved(self.LEVEL, Thresholds(0.65, 0.62, 0.8, 0.5)))
        assert changes(self.TABLE, now, then) == (
            Change("d3", 1, "question 3", ("A", "B"), Action.CLARIFY, "", False, Action.ANSWER, "A", True, 0.7),
        )
        never = outcome(self.TABLE, moved(self.LEVEL, Thresholds(2.0, 0.7, 0.8, 0.5)))
        assert [
            (c.dialogue_id, c.before_right, c.after_right, c.after) for c in changes(self.TABLE, now, never)
        ] == [
            ("d1", True, False, Action.CLARIFY),
            ("d4", False, True, Action.HAND_OVER),
            ("d6", False, True, Action.CHAT),
            ("d2", False, False, Action.CLARIFY),
        ]

    def test_the_curve(self) -> None:
        points = curve(self.TABLE, self.LEVEL, steps=5)
        assert points[:, 0].tolist() == [0, 0.25, 0.5, 0.75, 1]
        assert points[:, 1] == pytest.approx([1, 1, 1, 2 / 3, 0])
        assert points[:4, 2] == pytest.approx([4 / 6, 3 / 5, 3 / 5, 2 / 3])
        assert math.isnan(points[4, 2])

    def test_of_no_turns_there_is_nothing_to_say(self) -> None:
        nothing = outcome(Table.of([]), self.LEVEL)
        assert (nothing.precision, nothing.coverage, nothing.accuracy) == (None, None, None)
        assert changes(Table.of([]), nothing, nothing) == ()
        assert curve(Table.of([]), WHOLE, steps=2)[:, 1].tolist() == [0, 0]

    def test_ten_thousand_turns_take_no_time(self) -> None:
        chance = np.random.default_rng(1)
        many = Table.of([turn(i, *sorted(chance.random(2)), "A", "A") for i in range(10_000)])
        other = moved(WHOLE, Thresholds(0.9, 0.6, 0.9, 0.6))
        start = perf_counter()
        for _ in range(10):
            outcome(many, other)
        assert (perf_counter() - start) / 10 < 0.2  # 3 ms on a quiet machine


@pytest.mark.demo
@pytest.mark.timeout(1800)
def test_the_demo_bot_does_what_was_foretold(bot: Chatbot) -> None:
    dialogues = [held_out for file in FILES for held_out in read_dialogues([file])[:15]]
    bot = replace(bot, apart=False, moods={})  # these two are not foretold
    observed = observe(dialogues, bot)
    for thresholds in (None, Thresholds(0.6, 0.5, 0.7, 0.6), Thresholds(0.97, 0.9, 0.98, 0.9)):
        calibrations = {
            language: one.calibration if thresholds is None else moved(one.calibration, thresholds)
            for language, one in bot.lines.items()
        }
        real = evaluate(dialogues, with_calibrations(bot, calibrations))
        done = {(p.dialogue_id, p.turn): (p.action, p.answer_id) for p in real.predictions}
        for language, turns in observed.items():
            table = Table.of(turns)
            found = outcome(table, calibrations[language])
            foretold = {
                (turn.dialogue_id, turn.turn): (str(list(Action)[code]), answer_id)
                for turn, code, answer_id in zip(turns, found.actions, found.answer_ids, strict=True)
            }
            assert foretold == {key: done[key] for key in foretold}
