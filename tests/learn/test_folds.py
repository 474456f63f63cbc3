"""Which pairs are held out, and what a bot of fakes makes of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbot.decide import EVIDENCE
from chatbot.domain import HeldOutDialogue, HeldOutTurn, QAPair, Role
from chatbot.learn.folds import BATCH, Split, heard, samples, split
from chatbot.retrieve import Retriever
from chatbot.settings import Calibrate, Retrieve
from tests.fakes import BY_SIMILARITY, ExactIndex, FakeEncoder, SharedWords, pair

SIMILARITY = EVIDENCE.index("similarity")


def company(*questions: int) -> list[QAPair]:
    """Answers A0, A1, … with so many questions each: "0.0", "0.1", …"""
    return [pair(f"{a}.{q}", f"A{a}") for a, number in enumerate(questions) for q in range(number)]


def calibrate(held_out: float = 0.2, hidden_answers: float = 0.15, hidden_limit: int = 150) -> Calibrate:
    return Calibrate(held_out=held_out, hidden_answers=hidden_answers, hidden_limit=hidden_limit)


def answers(pairs: tuple[QAPair, ...]) -> set[str]:
    return {each.answer_id for each in pairs}


class TestSplit:
    @settings(max_examples=40)
    @given(
        questions=st.lists(st.integers(1, 7), min_size=1, max_size=12),
        folds=st.integers(1, 3),
        seed=st.integers(0, 99),
        held_out=st.floats(0, 1),
        hidden_answers=st.floats(0, 0.9),
        hidden_limit=st.integers(1, 10),
    )
    def test_what_is_held_out_is_not_learnt_from(
        self,
        questions: list[int],
        folds: int,
        seed: int,
        held_out: float,
        hidden_answers: float,
        hidden_limit: int,
    ) -> None:
        pairs = company(*questions)
        parts = split(pairs, calibrate(held_out, hidden_answers, hidden_limit), folds, seed)
        assert len(parts) == folds
        for part in parts:
            kept, asked, hidden = ([each.id for each in which] for which in (part.kept, part.asked, part.hidden))
            assert not {*kept} & {*asked, *hidden}
            assert not answers(part.hidden) & answers((*part.kept, *part.asked))
            assert answers(part.asked) <= answers(part.kept)  # every asked question can be answered
            assert kept == [each.id for each in pairs if each.id in kept]  # in their order
            assert len({*asked}) == len(asked) <= hidden_limit
            assert len({*hidden}) == len(hidden) <= hidden_limit
            if len(hidden) < hidden_limit:
                assert {*kept, *asked, *hidden} == {each.id for each in pairs}
        again = split(pairs, calibrate(held_out, hidden_answers, hidden_limit), folds, seed)
        assert parts == again

    def test_the_shares_are_kept(self) -> None:
        pairs = company(*[5] * 20)
        for part in split(pairs, calibrate(held_out=0.4, hidden_answers=0.1), 2, seed=7):
            assert len(answers(part.hidden)) == 2  # of twenty answers a tenth
            assert len(part.hidden) == 10  # with all of their questions
            assert len(part.asked) == 18 * 2  # of five questions two
            assert len(part.kept) == 18 * 3

    def test_folds_hide_different_answers(self) -> None:
        pairs = company(*[2] * 10)
        parts = split(pairs, calibrate(hidden_answers=0.3), 3, seed=7)
        hidden = [answers(part.hidden) for part in parts]
        assert [len(ids) for ids in hidden] == [3, 3, 3]
        assert len(set.union(*hidden)) == 9

    def test_no_question_is_asked_in_two_folds_while_there_is_another_one(self) -> None:
        parts = split(company(*[4] * 8), calibrate(held_out=0.25, hidden_answers=0.0), 4, seed=7)
        asked = [each.id for part in parts for each in part.asked]
        assert len(asked) == len({*asked}) == 32  # all, once each
        fifth = split(company(*[4] * 8), calibrate(held_out=0.25, hidden_answers=0.0), 5, seed=7)[4]
        assert len(fifth.asked) == 8

    def test_another_seed_makes_another_split(self) -> None:
        pairs = company(*[4] * 10)
        assert split(pairs, calibrate(), 1, seed=7) != split(pairs, calibrate(), 1, seed=8)

    def test_at_least_one_question_is_asked_of_an_answer_that_has_two(self) -> None:
        pairs = company(2, 2, 2)
        (part,) = split(pairs, calibrate(held_out=0.0), 1, seed=7)
        assert len(part.asked) == len(part.kept) == 3

    def test_one_question_an_answer_leaves_nothing_to_ask(self) -> None:
        pairs = company(*[1] * 10)
        (part,) = split(pairs, calibrate(hidden_answers=0.2), 1, seed=7)
        assert part.asked == ()
        assert (len(part.kept), len(part.hidden)) == (8, 2)

    def test_where_nothing_can_be_spared_kept_questions_are_asked_garbled(self) -> None:
        pairs = [pair(f"where is my parcel number {n} now", f"A{n}") for n in range(10)]
        (part,) = split(pairs, calibrate(hidden_answers=0.2), 1, seed=7)
        assert sorted(own.id for _, own in part.garbled) == sorted(each.id for each in part.kept)
        assert not [text for text, own in part.garbled if text == own.question]
        (spared,) = split(company(*[2] * 10), calibrate(), 1, seed=7)
        assert spared.garbled == ()

    def test_answers_that_share_a_question_are_hidden_together(self) -> None:
        pairs = [pair(f"q{n // 2}", f"A{n}") for n in range(20)]
        for part in split(pairs, calibrate(hidden_answers=0.3), 3, seed=7):
            questions = [{each.question for each in which} for which in (part.kept, part.hidden)]
            assert len(part.hidden) == 6
            assert not questions[0] & questions[1]

    @pytest.mark.parametrize(("number", "hidden"), [(1, 0), (3, 0), (4, 2)])
    def test_few_answers_are_not_hidden(self, number: int, hidden: int) -> None:
        pairs = company(*[1] * number)
        (part,) = split(pairs, calibrate(hidden_answers=0.5), 1, seed=7)
        assert len(part.hidden) == hidden

    def test_what_is_too_much_to_ask_is_kept_but_what_is_hidden_stays_out(self) -> None:
        pairs = company(*[4] * 10)
        (part,) = split(pairs, calibrate(held_out=0.5, hidden_answers=0.2, hidden_limit=3), 1, seed=7)
        assert (len(part.asked), len(part.hidden)) == (3, 3)
        assert len(part.kept) == 8 * 4 - 3


def line(*pairs: QAPair, answers: int = 10) -> Retriever:
    """Vectors count the letters a and b, so "a" is (1, 0, 1) / √2, "b" (0, 1, 1) / √2 and "ab" (1, 1, 1) / √3."""
    encoder = FakeEncoder("ab")
    return Retriever.build(pairs, encoder, ExactIndex, SharedWords, None, BY_SIMILARITY, Retrieve(answers=answers))


class TestSamples:
    def test_where_the_right_answer_came_and_by_which_evidence(self) -> None:
        part = Split(
            (pair("a", "A1"), pair("b", "A2")), (pair("aa", "A2"), pair("bb", "A2")), (pair("aab", "A3"),)
        )
        first, second, hidden = samples(line(*part.kept), part)
        assert first.evidence[:, SIMILARITY] == pytest.approx([3 / 10**0.5, 1 / 10**0.5])  # (2, 0, 1) / √5
        assert (first.right, first.answerable) == ((1,), True)
        assert second.evidence[:, SIMILARITY] == pytest.approx([3 / 10**0.5, 1 / 10**0.5])
        assert (second.right, second.answerable) == ((0,), True)
        assert hidden.evidence[:, SIMILARITY] == pytest.approx([3 / 12**0.5, 2 / 12**0.5])  # (2, 1, 1) / √6
        assert (hidden.right, hidden.answerable) == ((), False)

    def test_any_answer_of_a_garbled_question_is_right(self) -> None:
        kept = (pair("a", "A1"), pair("a", "A2"), pair("b", "A3"))
        asked, _ = samples(line(*kept), Split(kept, (), (pair("bb", "A4"),), (("aa", kept[0]),)))
        assert asked.evidence[:, SIMILARITY] == pytest.approx([3 / 10**0.5, 3 / 10**0.5, 1 / 10**0.5])
        assert (asked.right, asked.answerable, asked.garbled) == ((0, 1), True, True)

    def test_an_answer_that_was_not_found_is_answerable_all_the_same(self) -> None:
        part = Split((pair("a", "A1"), pair("b", "A2")), (pair("aa", "A2"),), (pair("bb", "A3"),))
        asked, _ = samples(line(*part.kept, answers=1), part)
        assert len(asked.evidence) == 1
        assert (asked.right, asked.answerable) == ((), True)

    def test_where_nothing_could_be_hidden_each_question_is_asked_again_without_its_answer(self) -> None:
        part = Split((pair("a", "A1"), pair("b", "A2")), (pair("ab", "A1"), pair("bb", "A2")), ())
        *asked, first, second = samples(line(*part.kept), part)
        assert [each.right for each in asked] == [(0,), (0,)]
        for before, after, left in ((asked[0], first, 1), (asked[1], second, 1)):
            assert after.evidence.tolist() == [before.evidence[left].tolist()]
            assert (after.right, after.answerable) == ((), False)

    def test_without_its_answer_a_bot_of_one_answer_has_nothing_to_say(self) -> None:
        part = Split((pair("a", "A1"),), (pair("aa", "A1"),), ())
        _, without = samples(line(*part.kept), part)
        assert without.evidence.shape == (0, len(EVIDENCE))

    def test_nothing_held_out_gives_no_samples(self) -> None:
        assert samples(line(pair("a", "A1")), Split((pair("a", "A1"),), (), ())) == []

    def test_more_questions_than_a_batch_come_back_in_order(self) -> None:
        kept = (pair("a", "A1"), pair("b", "A2"))
        asked = tuple(pair("aa" if number % 3 else "bb", "A1") for number in range(2 * BATCH + 1))
        found = samples(line(*kept), Split(kept, asked, (pair("b", "A3"),)))
        places = [(0,) if number % 3 else (1,) for number in range(2 * BATCH + 1)]
        assert [each.right for each in found] == [*places, ()]


class TestHeard:
    def test_each_scored_turn_is_a_sample_read_with_what_was_said_before(self) -> None:
        turns = (
            HeldOutTurn(Role.USER, "a", ("A1",)),
            HeldOutTurn(Role.AGENT, "bb"),
            HeldOutTurn(Role.USER, "aa"),
            HeldOutTurn(Role.USER, "b", ()),
        )
        bot = line(pair("a", "A1"), pair("b", "A2"))
        first, again, last = sorted(
            heard(bot, [HeldOutDialogue("d", "en", turns)], 9, 7),
            key=lambda s: (s.later, not s.answerable),
        )
        # what nothing answers is asked by itself too: "b" against "b" and "a"
        assert again.evidence[:, SIMILARITY] == pytest.approx([1, 1 / 2])
        assert (again.right, again.answerable, again.later) == ((), False, False)
        assert len(heard(bot, [HeldOutDialogue("d", "en", turns[:1])] * 3, 2, 7)) == 2
        assert first.evidence[:, SIMILARITY] == pytest.approx([1, 1 / 2])
        assert (first.right, first.answerable, first.later) == ((0,), True, False)
        assert (last.right, last.answerable, last.later) == ((), False, True)
        # "b", "b aa" and "b bb" against "b" and "a": (0, 1, 1) / √2, (2, 1, 1) / √6 and (0, 3, 1) / √10
        of_b = (1 + 2 / 12**0.5 + 4 / 20**0.5) / 3
        of_a = (1 / 2 + 3 / 12**0.5 + 1 / 20**0.5) / 3
        assert last.evidence[:, SIMILARITY] == pytest.approx([of_b, of_a])

    def test_several_answers_may_be_right_and_all_are_seen_as_when_answering(self) -> None:
        bot = line(pair("a", "A1"), pair("ab", "A2"), pair("b", "A3"))
        turn = HeldOutTurn(Role.USER, "b", ("A2", "A3"))
        (sample,) = heard(bot, [HeldOutDialogue("d", "en", (turn,))], 9, 7)
        assert sample.evidence[:, SIMILARITY] == pytest.approx([1, 2 / 6**0.5, 1 / 2])  # A3, A2 and A1
        assert (sample.right, sample.answerable) == ((0, 1), True)

    @pytest.mark.parametrize("text", ["a human please", "thanks!", "转人工", "?!"])
    def test_what_the_pairs_do_not_decide_says_nothing_of_confidence(self, text: str) -> None:
        turn = HeldOutTurn(Role.USER, text, ())
        assert heard(line(pair("a", "A1")), [HeldOutDialogue("d", "en", (turn,))], 9, 7) == []

    def test_no_dialogues_no_samples(self) -> None:
        assert heard(line(pair("a", "A1")), [], 9, 7) == []
