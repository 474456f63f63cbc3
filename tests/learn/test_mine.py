"""What the models learn from. Vectors count the letters a and b: "aab" is (2, 1, 1) / √6."""

import pytest

from chatbot.domain import Match, QAPair
from chatbot.learn.mine import DEPTH, labelled, matched_lists, ranked_lists
from chatbot.learn.relevance import RankedList
from chatbot.retrieve import Retriever
from chatbot.settings import Retrieve
from tests.fakes import BY_SIMILARITY, ExactIndex, FakeEncoder, SharedWords, pair


def line(*pairs: QAPair, casefold: bool = True) -> Retriever:
    return Retriever.build(
        pairs, FakeEncoder("ab"), ExactIndex, SharedWords, None, BY_SIMILARITY, Retrieve(), casefold
    )


def right(ranked: RankedList) -> str:
    assert ranked.right is not None
    return ranked.texts[ranked.right]


def wrong(ranked: RankedList) -> set[str]:
    return {text for place, text in enumerate(ranked.texts) if place != ranked.right}


class TestRankedLists:
    MOSTLY_A = (pair("aaaa", "A1"), pair("aaaaaa", "A1"))
    MIXED = (pair("aaab", "A2"), pair("aaaab", "A2"))  # aaaab is the nearer one to anything of a alone
    ALL_B = (pair("bbbb", "A3"), pair("bbbbb", "A3"))
    LONE = (pair("abb", "A4"),)

    def test_the_right_one_among_the_closest_questions_of_the_nearest_wrong_answers(self) -> None:
        lists = ranked_lists(line(*self.MOSTLY_A, *self.MIXED, *self.ALL_B), negatives=1, seed=7)
        assert [(ranked.question, right(ranked), wrong(ranked)) for ranked in lists] == [
            ("aaaa", "aaaaaa", {"aaaab"}),
            ("aaaaaa", "aaaa", {"aaaab"}),
            ("aaab", "aaaab", {"aaaa"}),
            ("aaaab", "aaab", {"aaaa"}),
            ("bbbb", "bbbbb", {"aaab"}),
            ("bbbbb", "bbbb", {"aaab"}),
        ]

    def test_each_wrong_answer_comes_once_and_a_lone_question_is_asked_by_none(self) -> None:
        lists = ranked_lists(line(*self.MOSTLY_A, *self.ALL_B, *self.LONE), negatives=5, seed=7)
        assert [(ranked.question, right(ranked), wrong(ranked)) for ranked in lists] == [
            ("aaaa", "aaaaaa", {"abb", "bbbb"}),
            ("aaaaaa", "aaaa", {"abb", "bbbb"}),
            ("bbbb", "bbbbb", {"abb", "aaaa"}),
            ("bbbbb", "bbbb", {"abb", "aaaa"}),
        ]

    def test_the_closest_of_several_siblings_is_the_right_one(self) -> None:
        pairs = (pair("aaaa", "A1"), pair("ab", "A1"), pair("aaab", "A1"), *self.ALL_B)
        first, second, third, *_ = ranked_lists(line(*pairs), negatives=1, seed=7)
        assert [right(first), right(second), right(third)] == ["aaab", "aaab", "aaaa"]

    def test_the_right_one_is_there_however_many_others_are_nearer(self) -> None:
        crowd = [pair(f"aaab {number}", "A2") for number in range(80)]
        lists = ranked_lists(line(pair("aaaa", "A1"), pair("bbbb", "A1"), *crowd), negatives=3, seed=7)
        first, second = lists[:2]
        assert (first.question, right(first), wrong(first)) == ("aaaa", "bbbb", {"aaab 0"})
        assert (second.question, right(second), wrong(second)) == ("bbbb", "aaaa", {"aaab 0"})

    def test_a_question_in_a_crowd_of_its_own_answer_has_nothing_to_be_told_from(self) -> None:
        crowd = [pair(f"aaab {number}", "A2") for number in range(DEPTH + 1)]
        lists = ranked_lists(line(pair("aaaa", "A1"), pair("bbbb", "A1"), *crowd), negatives=3, seed=7)
        assert [ranked.question for ranked in lists] == ["aaaa", "bbbb"]

    def test_what_is_right_is_never_called_wrong_for_standing_under_another_answer_too(self) -> None:
        contradiction = (pair("AAAA", "A2"), pair("abb", "A2"), pair("bbbb", "A3"))
        first, second, *_ = ranked_lists(line(*self.MOSTLY_A, *contradiction), negatives=1, seed=7)
        assert (first.question, right(first), wrong(first)) == ("aaaa", "aaaaaa", {"bbbb"})  # A2 answers it too
        assert (second.question, right(second), wrong(second)) == ("aaaaaa", "aaaa", {"abb"})

    def test_what_a_match_calls_the_same_is_no_wrong_text(self) -> None:
        retriever = line(*self.MOSTLY_A, *self.MIXED, *self.ALL_B)
        told = [Match("aaaa", "aaaab", True), Match("aaaa", "aaab", False)]
        first, second, *_ = ranked_lists(retriever, negatives=1, seed=7, matches=told)
        assert (first.question, right(first), wrong(first)) == ("aaaa", "aaaaaa", {"aaab"})
        assert (second.question, right(second), wrong(second)) == ("aaaaaa", "aaaa", {"aaaab"})

    def test_one_answer_alone_has_no_lists(self) -> None:
        assert ranked_lists(line(*self.MOSTLY_A), negatives=3, seed=7) == []

    def test_no_pairs_have_no_lists(self) -> None:
        retriever = line(*self.MOSTLY_A)
        retriever.remove(["aaaa", "aaaaaa"])
        assert ranked_lists(retriever, negatives=3, seed=7) == []

    def test_texts_are_compared_as_the_language_wants_it(self) -> None:
        pairs = (pair("AA  ?", "A1"), pair("Aaa", "A1"), pair("B", "A2"))
        first, second = ranked_lists(line(*pairs), negatives=1, seed=7)
        assert (first.question, set(first.texts)) == ("aa ?", {"aaa", "b"})
        first, second = ranked_lists(line(*pairs, casefold=False), negatives=1, seed=7)
        assert (second.question, set(second.texts)) == ("Aaa", {"AA ?", "B"})

    def test_the_right_place_is_drawn_and_a_seed_settles_it(self) -> None:
        pairs = [pair("a" * number + "b" * answer, f"A{answer}") for answer in range(8) for number in (1, 3, 5)]
        lists = ranked_lists(line(*pairs), negatives=3, seed=7)
        assert lists == ranked_lists(line(*pairs), negatives=3, seed=7)
        assert lists != ranked_lists(line(*pairs), negatives=3, seed=8)
        assert {ranked.right for ranked in lists} == {0, 1, 2, 3}


class TestMatchedLists:
    def test_one_list_for_each_same_with_what_is_labelled_different(self) -> None:
        matches = [
            Match("Pay?", "payment", True),
            Match("pay?", "play", False),
            Match("pay?", "how to pay", True),
            Match("pay?", "pain", False),
            Match("pay?", "paint", False),
        ]
        assert matched_lists(matches, negatives=2, casefold=True) == [
            RankedList("pay?", ("payment", "play", "pain"), 0),
            RankedList("pay?", ("how to pay", "play", "pain"), 0),
        ]

    def test_a_text_that_means_none_of_them_gives_a_list_with_nothing_right(self) -> None:
        matches = [Match("pay", "play", False), Match("pay", "pain", False), Match("ship", "send", True)]
        assert matched_lists(matches, negatives=1, casefold=True) == [
            RankedList("ship", ("send",), 0),
            RankedList("pay", ("play",), None),
        ]

    def test_case_counts_where_the_language_wants_it(self) -> None:
        matches = [Match("Pay", "x", True), Match("pay", "y", False)]
        assert matched_lists(matches, negatives=1, casefold=False) == [
            RankedList("Pay", ("x",), 0),
            RankedList("pay", ("y",), None),
        ]

    def test_no_matches_no_lists(self) -> None:
        assert matched_lists([], negatives=1, casefold=True) == []


class TestLabelled:
    PAIRS = (pair("Where is it", "A1", "On its way."), pair("late", "A1", "On its way."), pair("refund", "A2"))

    def labels(
        self, *matches: Match, pairs: tuple[QAPair, ...] = PAIRS
    ) -> tuple[dict[str, int], dict[str, str | None]]:
        """Each question's label, and the answer's text that goes with it."""
        made = labelled(pairs, matches, casefold=True)
        assert len(set(made.questions)) == len(made.questions) == len(made.answers)
        labels = dict(zip(made.questions, made.answers, strict=True))
        return labels, {question: made.answer_texts[label] for question, label in labels.items()}

    def test_questions_of_an_answer_share_a_label_which_leads_to_its_text(self) -> None:
        labels, texts = self.labels()
        assert labels["where is it"] == labels["late"] != labels["refund"]
        assert texts == {"where is it": "on its way.", "late": "on its way.", "refund": "answer a2."}

    def test_a_match_brings_its_texts_to_the_answer(self) -> None:
        labels, texts = self.labels(Match("LATE", "too slow", True), Match("waiting", "too slow", True))
        assert (
            labels["late"] == labels["too slow"] == labels["waiting"] == labels["where is it"] != labels["refund"]
        )
        assert texts["waiting"] == "on its way."

    def test_a_match_of_two_answers_makes_them_one(self) -> None:
        labels, texts = self.labels(Match("late", "refund", True))
        assert len(set(labels.values())) == 1
        assert texts["late"] == texts["refund"]

    def test_matches_of_their_own_have_a_label_and_no_text(self) -> None:
        labels, texts = self.labels(Match("hello", "hi", True), Match("bye", "ciao", True))
        assert labels["hello"] == labels["hi"]
        assert labels["bye"] == labels["ciao"]
        assert len(set(labels.values())) == 4
        assert texts["hello"] is None and texts["ciao"] is None

    def test_what_is_labelled_different_joins_nothing(self) -> None:
        assert self.labels(Match("late", "refund", False), Match("x", "y", False)) == self.labels()

    def test_one_question_under_two_answers_joins_them(self) -> None:
        labels, _ = self.labels(pairs=(*self.PAIRS, pair("Refund", "A1", "On its way.")))
        assert labels["refund"] == labels["late"]

    def test_a_question_may_be_called_like_an_answer(self) -> None:
        labels, _ = self.labels(pairs=(pair("A2", "A1"), pair("x", "A2")))
        assert labels["a2"] != labels["x"]

    def test_nothing_at_all(self) -> None:
        made = labelled((), (), casefold=True)
        assert (made.questions, made.answers, made.answer_texts) == ([], [], [])


@pytest.mark.parametrize("casefold", [True, False])
def test_the_answers_number_fits_its_texts(casefold: bool) -> None:
    pairs = [pair(f"question {number}", f"A{number % 5}") for number in range(20)]
    made = labelled(pairs, [Match("question 1", "question 2", True), Match("u", "v", True)], casefold)
    assert set(made.answers) == set(range(len(made.answer_texts)))
    assert len(made.answer_texts) == 5  # five answers, of which two are one, and one pair of its own
