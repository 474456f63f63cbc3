"""Whether two engines give the same answers, on pairs few enough to follow."""

import random

from chatbot.domain import QAPair
from chatbot.learn.parity import agreement, best_answers
from chatbot.retrieve import Retriever
from chatbot.settings import Retrieve
from tests.fakes import BY_SIMILARITY, ExactIndex, FakeEncoder, SharedWords, pair

PARCEL, REFUND = pair("where is my parcel", "A1"), pair("refund my money", "A2")


def line(*pairs: QAPair) -> Retriever:
    return Retriever.build(
        pairs, FakeEncoder(), ExactIndex, SharedWords, None, BY_SIMILARITY, Retrieve(), casefold=True
    )


def test_a_question_does_not_find_itself() -> None:
    rows = random.Random(7).sample([0, 1], 2)
    assert list(best_answers(line(PARCEL, REFUND), seed=7)) == [("A2", "A1")[row] for row in rows]


def test_a_question_finds_its_sibling() -> None:
    late = pair("where is my late parcel", "A1")
    assert list(best_answers(line(PARCEL, REFUND, late), seed=7)).count("A1") >= 2


def test_a_question_that_stands_alone_finds_nothing() -> None:
    assert list(best_answers(line(PARCEL), seed=7)) == [""]


def test_agreement_is_the_share_of_the_same() -> None:
    assert agreement(["A1", "A2", "", "A1"], ["A1", "A2", "", "A3"]) == 0.75
    assert agreement([], []) == 1.0


def test_what_cannot_agree_any_more_is_not_asked_to_the_end() -> None:
    found = iter(["A1", "A9", "A9", "A9"])
    assert agreement(["A1", "A2", "A3", "A4"], found) == 0.75
    assert list(found) == ["A9", "A9"]
