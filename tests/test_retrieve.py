"""Searching and ranking with fakes: vectors count the words parcel, refund and invoice, and BM25 is shared words.

A text with one of the words is (1, 0, 0, 1) / √2 for its own word; two such texts have the cosine 1 where the word
is the same and 1/2 where it is another one. A text with none of them is (0, 0, 0, 1): 1/√2 to each of the others.
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chatbot.decide import Calibration, evidence
from chatbot.domain import Candidate, QAPair
from chatbot.protocols import Reranker
from chatbot.rank import Budget, Found
from chatbot.retrieve import Retriever, form
from chatbot.settings import Retrieve
from chatbot.table import AnswerTable
from tests.fakes import BY_SIMILARITY, ExactIndex, FakeEncoder, FakeReranker, SharedWords, calibration, pair

WORDS = ("parcel", "refund", "invoice")
PARCEL = pair("where is my parcel", "A1", "parcel tracked")
LATE = pair("parcel late", "A1", "parcel tracked")
REFUND = pair("refund when", "A2", "refund soon")
INVOICE = pair("invoice please", "A3", "invoice sent")


def line(
    *pairs: QAPair,
    reranker: Reranker | None = None,
    level: Calibration = BY_SIMILARITY,
    casefold: bool = True,
    **settings: Any,
) -> Retriever:
    return Retriever.build(
        pairs, FakeEncoder(WORDS), ExactIndex, SharedWords, reranker, level, Retrieve(**settings), casefold
    )


def ask(retriever: Retriever, text: str) -> tuple[Candidate, ...]:
    (found,) = retriever.retrieve([text])
    return found.candidates


def questions(candidates: Sequence[Candidate]) -> list[str]:
    return [candidate.pair.question for candidate in candidates]


class TestEvidence:
    def test_every_kind_can_be_worked_out_by_hand(self) -> None:
        first, second = ask(line(PARCEL, LATE, REFUND), "Parcel")
        far = math.exp(-10)  # the vote of a neighbour at 0.5 beside two at 1: exp((0.5 - 1) / 0.05)
        assert first.pair == PARCEL  # as near as LATE, in a lower row
        assert [first.similarity, first.relevance, first.lexical] == pytest.approx([1, 0, 1])
        assert [first.centroid, first.answer_similarity, first.score] == pytest.approx([1, 1, 1])
        assert first.agreement == pytest.approx(2 / (2 + far))
        assert second.pair == REFUND
        assert [second.similarity, second.relevance, second.lexical] == pytest.approx([0.5, 0, 0])
        assert [second.centroid, second.answer_similarity, second.score] == pytest.approx([0.5, 0.5, 0.5])
        assert second.agreement == pytest.approx(far / (2 + far))

    def test_an_answers_closest_question_stands_for_it(self) -> None:
        both = pair("parcel refund", "A1")
        (only,) = ask(line(PARCEL, both), "refund parcel")
        assert only.pair == both
        assert only.similarity == pytest.approx(1)
        # the answer's mean question is (1, 0, 0, 1)/√2 + (1, 1, 0, 1)/√3; the question is (1, 1, 0, 1)/√3
        total = np.array([1, 0, 0, 1]) / math.sqrt(2) + np.array([1, 1, 0, 1]) / math.sqrt(3)
        expected = total @ np.array([1, 1, 0, 1]) / math.sqrt(3) / np.linalg.norm(total)
        assert only.centroid == pytest.approx(expected)

    def test_words_find_what_lies_beyond_the_neighbours(self) -> None:
        near, words = pair("my parcel parcel", "A1"), pair("error e42", "A2")
        retriever = line(near, words, neighbours=1, answers=1, level=calibration({"lexical": 1}))
        (only,) = ask(retriever, "parcel error e42")
        assert only.pair == words
        assert only.lexical == pytest.approx(2 / 3)
        assert only.similarity == pytest.approx(0.5**0.5)  # a row that the vector search did not bring up
        assert only.agreement == 0

    def test_an_answers_own_text_finds_it_where_no_question_does(self) -> None:
        hidden = pair("how about my money", "A2", "a refund")
        retriever = line(pair("refund", "A1"), hidden, neighbours=1, level=calibration({"answer_similarity": 1}))
        first, second = ask(retriever, "refund")
        assert (first.pair, first.agreement) == (hidden, 0)
        assert first.answer_similarity == pytest.approx(1)
        assert (second.pair.answer_id, second.agreement) == ("A1", 1)


class TestVectors:
    def test_vectors_of_some_pairs_build_what_encoding_them_builds(self) -> None:
        whole, some = line(PARCEL, LATE, REFUND, INVOICE), (INVOICE, LATE)
        of_questions, of_answers = whole.vectors_of(some)
        encoder = FakeEncoder(WORDS)
        assert of_questions.tolist() == encoder.encode([pair.question for pair in some]).tolist()
        assert of_answers.tolist() == encoder.encode([pair.answer for pair in some]).tolist()


class TestOrder:
    def test_best_first_and_equal_scores_by_answer(self) -> None:
        pairs = [pair("refund b", "B"), pair("parcel", "P"), pair("refund a", "A"), pair("refund parcel", "M")]
        found = ask(line(*pairs), "refund")
        assert [candidate.pair.answer_id for candidate in found] == ["A", "B", "M", "P"]
        assert [candidate.score for candidate in found] == pytest.approx([1, 1, 2 / math.sqrt(6), 0.5])

    def test_no_more_answers_than_asked_for(self) -> None:
        pairs = [pair(f"refund {n}", f"A{n}") for n in range(5)]
        assert questions(ask(line(*pairs, answers=2), "refund")) == ["refund 0", "refund 1"]

    def test_the_fusion_decides_what_counts(self) -> None:
        pairs = [pair("parcel parcel", "A1"), pair("the thing i sent", "A2")]
        by_words = line(*pairs, level=calibration({"lexical": 1}))
        assert questions(ask(by_words, "parcel thing i sent")) == ["the thing i sent", "parcel parcel"]
        assert questions(ask(line(*pairs), "parcel thing i sent")) == ["parcel parcel", "the thing i sent"]

    def test_many_texts_at_once_find_what_each_finds_alone(self) -> None:
        retriever = line(PARCEL, LATE, REFUND, INVOICE, reranker=FakeReranker())
        texts = ["refund", "parcel late", "", "refund"]
        assert [found.candidates for found in retriever.retrieve(texts)] == [ask(retriever, t) for t in texts]
        assert retriever.retrieve([]) == []

    def test_each_step_is_timed(self) -> None:
        (found,) = line(PARCEL).retrieve(["parcel"])
        assert list(found.timings) == ["encode", "search", "rerank"]
        assert min(found.timings.values()) >= 0

    def test_case_counts_only_where_the_language_needs_it(self) -> None:
        upper = pair("PARCEL", "A1")
        assert ask(line(upper), "parcel")[0].lexical == 1
        assert ask(line(upper, casefold=False), "parcel")[0].lexical == 0
        assert form(" Ｐarcel\n late ", casefold=True) == "parcel late"
        assert form(" Ｐarcel\n late ", casefold=False) == "Parcel late"


class TestReadings:
    """A message that is read by itself and after what was said before."""

    def test_evidence_is_the_mean_and_the_cross_encoder_reads_the_words_alone(self) -> None:
        reranker = FakeReranker()
        retriever = line(PARCEL, REFUND, reranker=reranker)
        (found,) = retriever.retrieve_read([["and the refund", "and the refund parcel"]])
        # alone (0, 1, 0, 1)/√2 against itself and (1, 0, 0, 1)/√2; together (1, 1, 0, 1)/√3 against both
        both = 2 / math.sqrt(6)
        assert [c.pair for c in found.candidates] == [REFUND, PARCEL]
        assert [c.similarity for c in found.candidates] == pytest.approx([(1 + both) / 2, (0.5 + both) / 2])
        assert sorted(reranker.read) == [
            ("and the refund", "refund when"),
            ("and the refund", "where is my parcel"),
        ]

    def test_messages_with_one_reading_and_with_several_share_a_batch(self) -> None:
        retriever = line(PARCEL, LATE, REFUND, INVOICE, reranker=FakeReranker())
        messages = [
            ["refund"],
            ["late", "late parcel", "late your parcel was sent"],
            ["invoice", "invoice refund"],
        ]
        together = [found.candidates for found in retriever.retrieve_read(messages)]
        assert together == [retriever.retrieve_read([message])[0].candidates for message in messages]
        assert together[0] == ask(retriever, "refund")

    def test_no_more_answers_than_asked_for(self) -> None:
        retriever = line(PARCEL, REFUND, INVOICE, answers=1)
        (found,) = retriever.retrieve_read([["parcel", "refund", "invoice"]])
        assert len(found.candidates) == 1


class TestReranking:
    LEVEL = calibration({"relevance": 1})

    def test_the_cross_encoder_reads_the_best_questions_of_each_answer_and_its_favourite_stands_for_it(
        self,
    ) -> None:
        reranker = FakeReranker()
        retriever = line(PARCEL, LATE, REFUND, reranker=reranker, level=self.LEVEL, rerank=2)
        first, second = ask(retriever, "Parcel")
        assert sorted(reranker.read) == [
            ("parcel", "parcel late"),
            ("parcel", "refund when"),
            ("parcel", "where is my parcel"),
        ]
        assert (first.pair, first.relevance, first.score) == (LATE, 0, 0)  # 1 word shared, 1 not; PARCEL: 1 and 3
        assert (second.pair, second.relevance, second.score) == (REFUND, -3, -3)
        assert first.similarity == pytest.approx(1)

    def test_one_question_of_each_answer_unless_more_are_wanted(self) -> None:
        reranker = FakeReranker()
        ask(line(PARCEL, LATE, REFUND, reranker=reranker), "parcel")
        assert sorted(reranker.read) == [("parcel", "refund when"), ("parcel", "where is my parcel")]

    def test_relevance_may_turn_the_order_round(self) -> None:
        near, same = pair("parcel x y z", "A1"), pair("my refund", "A2")
        level = calibration({"similarity": 1, "relevance": 1})
        found = ask(line(near, same, reranker=FakeReranker(), level=level), "my parcel")
        assert [(c.pair, c.relevance) for c in found] == [(same, -1), (near, -3)]  # scores 0.5 - 1 and 1 - 3

    def test_equal_scores_are_ordered_by_answer_whatever_came_first_before(self) -> None:
        level = calibration({"lexical": 2, "relevance": -0.5})
        retriever = line(pair("x y", "B"), pair("x", "A"), reranker=FakeReranker(), level=level)
        found = ask(retriever, "x y")
        assert [(c.pair.answer_id, c.lexical, c.relevance, c.score) for c in found] == [
            ("A", 0.5, 0, 1),  # 2 · 0.5 - 0.5 · 0
            ("B", 1, 2, 1),  # 2 · 1 - 0.5 · 2
        ]

    def test_only_the_most_promising_answers_are_read_and_the_least_stands_in_for_the_others(self) -> None:
        reranker = FakeReranker()
        level = calibration({"similarity": 1, "relevance": 0.01})
        pairs = (pair("parcel x", "A0"), pair("parcel x y", "A1"), REFUND)
        found = ask(line(*pairs, reranker=reranker, level=level, rerank_answers=2), "parcel")
        assert sorted(reranker.read) == [("parcel", "parcel x"), ("parcel", "parcel x y")]
        assert [c.relevance for c in found] == [0, -1, -1]  # the last is REFUND's, which was not read

    @pytest.mark.parametrize(
        ("answer_threshold", "clarify_threshold", "is_read"),
        [(0.5, 0.5, False), (1.1, 1.1, True), (1.1, -1.0, True)],
    )
    def test_what_is_answered_early_is_not_read(
        self, answer_threshold: float, clarify_threshold: float, is_read: bool
    ) -> None:
        early = calibration(
            {"similarity": 1}, answer_threshold=answer_threshold, clarify_threshold=clarify_threshold
        )
        level = replace(calibration({"relevance": 1}), early=early)
        reranker = FakeReranker()
        (found,) = line(PARCEL, REFUND, reranker=reranker, level=level).retrieve(["parcel"])
        assert found.judge is (level if is_read else early)
        assert bool(reranker.read) is is_read
        assert [c.pair.answer_id for c in found.candidates] == ["A1", "A2"]
        assert [c.relevance == 0 for c in found.candidates] == [not is_read] * 2
        assert found.candidates[0].score == pytest.approx(-2 if is_read else 1)  # one word shared, three not

    def test_of_a_batch_only_the_unclear_are_read(self) -> None:
        early = calibration(
            {"similarity": 1}, {"similarity": 100}, -85, answer_threshold=0.5, clarify_threshold=-1
        )
        level = replace(calibration({"relevance": 1}), early=early)
        reranker = FakeReranker()
        clear, unclear = line(PARCEL, REFUND, reranker=reranker, level=level).retrieve(["parcel", "hello"])
        assert (clear.judge, unclear.judge) == (early, level)
        assert {question for question, _ in reranker.read} == {"hello"}

    def test_what_cannot_overtake_the_first_is_not_read(self) -> None:
        level = calibration({"similarity": 1, "relevance": 0.1})
        for most, read in ((5.1, {"refund when", "where is my parcel"}), (4.9, {"where is my parcel"})):
            reranker = FakeReranker()  # similarities 1 and 0.5: relevance may bring 0.1 · most
            (found,) = line(
                PARCEL, REFUND, reranker=reranker, level=replace(level, relevances=(0.0, most))
            ).retrieve(["parcel"])
            assert {text for _, text in reranker.read} == read
            assert [c.pair for c in found.candidates] == [PARCEL, REFUND]

    @pytest.mark.parametrize(
        ("weight", "relevances", "thresholds", "is_read"),
        [
            (1.0, (-1.0, 1.0), (0.99, 0.99), False),  # sigmoid of -1 and of 1: a person, either way
            (1.0, (-1.0, 6.0), (0.99, 0.99), True),  # sigmoid of 6 would answer
            (1.0, (-1.0, 1.0), (0.99, 0.7), True),  # sigmoid of 1 would ask back
            (0.0, (-1.0, 6.0), (0.99, 0.4), True),  # the whole calibration asks back, the early one would not
        ],
    )
    def test_what_reading_cannot_change_is_not_read(
        self, weight: float, relevances: tuple[float, float], thresholds: tuple[float, float], is_read: bool
    ) -> None:
        answer, clarify = thresholds
        early = calibration({"similarity": 1}, answer_threshold=1.1, clarify_threshold=1.1)
        level = calibration({"similarity": 1}, {"relevance": weight}, 0.0, answer_threshold=answer)
        alone = replace(level.alone, clarify_threshold=clarify)
        level = replace(level, alone=alone, early=early, relevances=relevances)
        reranker = FakeReranker()
        (found,) = line(PARCEL, REFUND, reranker=reranker, level=level).retrieve(["parcel"])
        assert (bool(reranker.read), found.judge is level) == (is_read, is_read)

    def test_an_early_judge_who_prefers_another_answer_decides_nothing(self) -> None:
        early = calibration({"similarity": -1}, answer_threshold=1.1, clarify_threshold=1.1)
        level = calibration({"similarity": 1}, answer_threshold=1.1, clarify_threshold=1.1)
        level = replace(level, early=early, relevances=(-1.0, 1.0))
        (found,) = line(PARCEL, REFUND, reranker=FakeReranker(), level=level).retrieve(["parcel"])
        assert found.judge is level

    def test_what_there_is_no_time_to_read_is_judged_early(self) -> None:
        early = calibration({"similarity": 1}, answer_threshold=1.1, clarify_threshold=1.1)
        reranker = FakeReranker()
        retriever = line(PARCEL, REFUND, reranker=reranker, level=replace(BY_SIMILARITY, early=early))
        retriever.retrieve(["parcel"])
        read, pace = len(reranker.read), retriever.budget.pace
        assert read > 0 and pace > 0  # without a limit all is read, and its pace is learnt
        retriever.budget.limit_ms, retriever.budget.pace = 1000.0, 1e6
        (found,) = retriever.retrieve(["refund"])
        assert (found.judge, len(reranker.read)) == (early, read)
        retriever.budget.pace = 1e-6
        (found,) = retriever.retrieve(["refund"])
        assert found.judge is not early and len(reranker.read) > read

    def test_a_bot_that_cannot_judge_early_reads_whatever_it_takes(self) -> None:
        reranker = FakeReranker()
        retriever = line(PARCEL, REFUND, reranker=reranker)
        retriever.budget.limit_ms, retriever.budget.pace = 1.0, 1e6
        retriever.retrieve(["refund"])
        assert reranker.read

    def test_the_pace_follows_what_was_read(self) -> None:
        budget = Budget(100.0)
        ten = [Found(ask(line(PARCEL), "parcel")[0], [replace(PARCEL, question="0123456789")])]
        assert budget.allows(100.0, ten)  # nothing is known of the pace yet
        budget.pace = 2.0
        assert [budget.allows(took, ten) for took in (80.0, 80.1)] == [True, False]
        with budget.timing([]):
            pass
        assert budget.pace == 2.0
        with budget.timing([ten, ten]):
            pass
        assert 1.8 <= budget.pace < 1.9  # a tenth of the way to nearly nothing

    def test_without_a_cross_encoder_nothing_is_early(self) -> None:
        level = replace(BY_SIMILARITY, early=BY_SIMILARITY)
        (found,) = line(PARCEL, level=level).retrieve(["parcel"])
        assert found.judge is level

    def test_without_a_cross_encoder_relevance_is_nought(self) -> None:
        assert [c.relevance for c in ask(line(PARCEL, REFUND), "parcel")] == [0, 0]


class TestWhere:
    def test_the_search_is_limited_to_the_pairs_that_are_accepted(self) -> None:
        retriever = line(PARCEL, LATE, REFUND, INVOICE)
        (found,) = retriever.retrieve(["parcel"], where=lambda p: p.id in (LATE.id, INVOICE.id))
        assert questions(found.candidates) == [LATE.question, INVOICE.question]
        assert [c.agreement for c in found.candidates] == pytest.approx([1, 0], abs=1e-3)

    def test_what_is_accepted_is_found_behind_any_number_of_better_ones(self) -> None:
        near, words, text = pair("parcel", "A1"), pair("error e42 now", "A2"), pair("hello", "A3", "error parcel")
        better = [pair(f"error e42 {n}", f"B{n}", "error parcel") for n in range(30)]
        retriever = line(*better, near, words, text, neighbours=1, lexical=1, answers=3)
        (found,) = retriever.retrieve(["parcel error e42"], where=lambda p: not p.answer_id.startswith("B"))
        assert {c.pair.answer_id for c in found.candidates} == {"A1", "A2", "A3"}

    def test_where_nothing_is_accepted_nothing_is_found(self) -> None:
        assert line(PARCEL, reranker=FakeReranker()).retrieve(["parcel"], lambda _: False)[0].candidates == ()


class TestHidden:
    """Rows that one text of a batch must not see."""

    @pytest.mark.parametrize("level", [BY_SIMILARITY, calibration({"lexical": 1, "answer_similarity": 2})])
    @pytest.mark.parametrize(("near", "answers"), [(4, 2), (1, 1), (1, 4)])
    def test_each_text_is_served_as_if_its_hidden_rows_were_removed(
        self, near: int, answers: int, level: Calibration
    ) -> None:
        pairs = [
            pair(f"{first} {second} {n}", f"A{n % 4}", f"{first} {n % 4}")
            for n, (first, second) in enumerate((a, b) for a in WORDS for b in WORDS for _ in range(2))
        ]
        texts = [p.question for p in pairs]
        hidden = [
            frozenset(n for n in range(len(pairs)) if n % 4 == i % 4 or n == i + 1) for i in range(len(pairs))
        ]
        limits: dict[str, Any] = {"neighbours": near, "lexical": near, "answers": answers, "rerank": 2}
        together = line(*pairs, reranker=FakeReranker(), level=level, **limits).retrieve(texts, hidden=hidden)
        for text, rows, found in zip(texts, hidden, together, strict=True):
            without = line(*pairs, reranker=FakeReranker(), level=level, **limits)
            without.remove([pairs[row].id for row in rows if row < len(pairs)])
            alone = ask(without, text)
            assert [c.pair for c in found.candidates] == [c.pair for c in alone]
            assert evidence(found.candidates) == pytest.approx(evidence(alone), abs=1e-6)

    def test_a_hidden_row_leaves_nothing_of_its_vote_and_its_share_of_the_centroid(self) -> None:
        retriever = line(PARCEL, pair("refund", "A1"), REFUND)
        shown, without = retriever.retrieve(["refund", "refund"], hidden=[frozenset(), frozenset({1})])
        assert [c.pair.answer_id for c in shown.candidates] == ["A1", "A2"]
        assert [c.pair.answer_id for c in without.candidates] == ["A2", "A1"]
        # (1, 1, 0, 2) with (0, 1, 0, 1); then (1, 0, 0, 1) with it
        assert shown.candidates[0].centroid == pytest.approx(3 / math.sqrt(12))
        assert without.candidates[1].centroid == pytest.approx(0.5)

    def test_where_all_is_hidden_nothing_is_found(self) -> None:
        (found,) = line(PARCEL, LATE, reranker=FakeReranker()).retrieve(["parcel"], hidden=[frozenset({0, 1})])
        assert found.candidates == ()

    def test_what_is_hidden_and_what_is_not_accepted_add_up(self) -> None:
        retriever = line(PARCEL, LATE, REFUND, INVOICE)
        (found,) = retriever.retrieve(["parcel"], where=lambda p: p != INVOICE, hidden=[frozenset({0})])
        assert questions(found.candidates) == [LATE.question, REFUND.question]


class TestChanges:
    def test_a_pair_is_found_from_the_next_question_on(self) -> None:
        retriever = line(PARCEL)
        retriever.add([REFUND, LATE])
        assert questions(ask(retriever, "refund when")) == [REFUND.question, PARCEL.question]
        assert questions(ask(retriever, "parcel late")) == [PARCEL.question, REFUND.question]
        assert ask(retriever, "refund")[0].answer_similarity == pytest.approx(1)

    def test_a_removed_pair_is_gone_with_its_vote_and_its_share_of_the_centroid(self) -> None:
        retriever = line(PARCEL, pair("refund", "A1"), INVOICE)
        assert ask(retriever, "parcel")[0].centroid == pytest.approx(
            3 / math.sqrt(12)
        )  # (1, 1, 0, 2) with (1, 0, 0, 1)
        assert retriever.remove(["refund", "nobody knows this one"]) == 1
        first, second = ask(retriever, "parcel")
        assert (first.pair, second.pair) == (PARCEL, INVOICE)
        assert first.centroid == pytest.approx(1)

    def test_an_answer_without_questions_is_gone_and_may_come_back(self) -> None:
        retriever = line(PARCEL, LATE, REFUND)
        assert retriever.remove([PARCEL.id, LATE.id]) == 2
        assert retriever.remove([PARCEL.id]) == 0
        assert questions(ask(retriever, "parcel")) == [REFUND.question]
        retriever.add([LATE])
        assert questions(ask(retriever, "parcel")) == [LATE.question, REFUND.question]
        assert ask(retriever, "parcel")[0].centroid == pytest.approx(1)

    def test_everything_can_be_removed(self) -> None:
        retriever = line(PARCEL, REFUND, reranker=FakeReranker())
        assert retriever.remove([PARCEL.id, REFUND.id]) == 2
        assert ask(retriever, "parcel") == ()
        retriever.add([REFUND])
        assert questions(ask(retriever, "parcel")) == [REFUND.question]

    def test_an_answer_that_goes_and_comes_has_its_new_text_and_its_questions_their_vectors(self) -> None:
        retriever = line(PARCEL, LATE, REFUND)
        assert ask(retriever, "parcel")[0].answer_similarity == pytest.approx(1)
        retriever.encoder = FakeEncoder(("no", "such", "words"))  # whatever is read now is (0, 0, 0, 1)
        changed = [replace(pair, answer="ask us") for pair in (PARCEL, LATE)]
        assert retriever.change([PARCEL.id, LATE.id], changed) == 2
        retriever.encoder = FakeEncoder(WORDS)
        first = ask(retriever, "parcel")[0]
        assert first.pair == changed[0]
        assert [first.similarity, first.centroid] == pytest.approx([1, 1])
        assert first.answer_similarity == pytest.approx(math.sqrt(1 / 2))

    def test_a_question_that_moves_is_never_missing_and_never_there_twice(self) -> None:
        moved = replace(LATE, answer_id="A2", answer=REFUND.answer, id="moved")
        retriever = line(PARCEL, LATE, REFUND)
        assert retriever.change([LATE.id], [moved]) == 1
        assert [p.id for p in retriever.table.pairs.values()] == [PARCEL.id, REFUND.id, "moved"]
        assert [c.pair.answer_id for c in ask(retriever, "parcel late")] == ["A1", "A2"]
        assert retriever.change([], []) == 0

    def test_the_only_answer_can_be_reworded(self) -> None:
        retriever = line(PARCEL)
        retriever.change([PARCEL.id], [replace(PARCEL, answer="refund it")])
        assert ask(retriever, "refund")[0].answer_similarity == pytest.approx(1)

    def test_questions_are_answered_while_pairs_come_and_go(self) -> None:
        retriever = line(PARCEL, REFUND)
        wrong: list[list[str]] = []

        def keep_asking() -> None:
            for _ in range(100):
                found = questions(ask(retriever, "parcel"))
                if found[0] != PARCEL.question or len(found) not in (2, 3):
                    wrong.append(found)

        askers = [threading.Thread(target=keep_asking) for _ in range(3)]
        for asker in askers:
            asker.start()
        for _ in range(50):
            retriever.add([INVOICE])
            retriever.remove([INVOICE.id])
        for asker in askers:
            asker.join()
        assert wrong == []


class TestAnswerTable:
    EAST, NORTH = np.eye(2, dtype=np.float32)

    def test_rows_are_given_once_and_never_again(self) -> None:
        table = AnswerTable()
        assert table.add([PARCEL, REFUND], np.stack([self.EAST, self.NORTH])).tolist() == [0, 1]
        assert table.remove([1], self.NORTH[None]) == [1]  # the number of A2, which has no question left
        assert table.add([LATE], self.NORTH[None]).tolist() == [2]
        assert (table.rows, table.pairs) == ({"A1": [0, 2]}, {0: PARCEL, 2: LATE})
        assert table.sums["A1"].tolist() == [1, 1]
        assert table.add([REFUND], self.NORTH[None]).tolist() == [3]

    def test_a_saved_table_comes_back_with_its_rows_and_numbers(self) -> None:
        vectors = {4: self.EAST, 9: self.NORTH}
        table = AnswerTable.restore(
            [4, 9],
            [PARCEL, REFUND],
            lambda rows: np.stack([vectors[row] for row in rows.tolist()]),
            {"A2": 0, "A1": 7},
        )
        assert table.sums["A2"].tolist() == [0, 1]
        assert (table.pairs, table.rows) == ({4: PARCEL, 9: REFUND}, {"A1": [4], "A2": [9]})
        assert (table.number, table.next_row, table.next_number) == ({"A2": 0, "A1": 7}, 10, 8)
        assert table.add([INVOICE], self.EAST[None]).tolist() == [10]
        assert (table.number["A3"], table.answer) == (8, {0: "A2", 7: "A1", 8: "A3"})
