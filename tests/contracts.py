"""What every implementation of a protocol keeps: one suite each, run on the fake and on every real one."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from chatbot.desk import Author, Desk, Outcome
from chatbot.domain import (
    Action,
    Candidate,
    Citation,
    Conversation,
    Decision,
    Mood,
    QAPair,
    Reason,
    Reply,
    Role,
    Rows,
    Turn,
    Vectors,
)
from chatbot.errors import Taken, UserError
from chatbot.protocols import Connector, Encoder, Journal, LexicalIndex, Reranker, VectorIndex

BuildVectors = Callable[[Rows, Vectors], VectorIndex]
BuildTexts = Callable[[Rows, Sequence[str]], LexicalIndex]


class JournalContract:
    """What every Journal keeps. A subclass gives the fixture `journal`."""

    @staticmethod
    def reply(text: str, answer_id: str | None = None, language: str = "en") -> Reply:
        return Reply(text, Decision(Action.ANSWER, 0.9, Reason.CONFIDENT), language, answer_id)

    def test_a_conversation_comes_back_as_it_was_said(self, journal: Journal) -> None:
        talk = journal.open("en")
        journal.record(talk, "  Where is my parcel? 📦\n", self.reply("On its way.", "A7"))
        journal.record(talk, "退款多久到账？", self.reply("三天。", language="zh"))
        journal.record(talk, "快递", replace(self.reply("订单号？", "A8", "zh"), asks="order_number"))
        assert journal.conversation(talk) == Conversation(
            talk,
            (
                Turn(Role.USER, "  Where is my parcel? 📦\n"),
                Turn(Role.AGENT, "On its way.", "A7"),
                Turn(Role.USER, "退款多久到账？"),
                Turn(Role.AGENT, "三天。", None),
                Turn(Role.USER, "快递"),
                Turn(Role.AGENT, "订单号？", "A8", "order_number"),
            ),
            "zh",
        )

    def test_a_new_conversation_is_empty_and_keeps_its_language(self, journal: Journal) -> None:
        first, second = journal.open("zh"), journal.open()
        assert first != second
        assert journal.conversation(first) == Conversation(first, (), "zh")
        assert journal.conversation(second) == Conversation(second, (), None)

    def test_exchanges_are_numbered_in_order(self, journal: Journal) -> None:
        talk = journal.open()
        numbers = [journal.record(talk, str(n), self.reply("yes")) for n in range(3)]
        assert numbers == sorted(set(numbers))

    def test_any_text_is_kept(self, journal: Journal) -> None:
        talk = journal.open()
        texts = ("", "x" * 100_000, "'; DROP TABLE exchanges; --", "a\x00b", "half a pair \ud800")
        for text in texts:
            journal.record(talk, text, self.reply("ok"))
        kept = [turn.text for turn in journal.conversation(talk).turns if turn.role is Role.USER]
        assert kept == [*texts[:-2], "a␀b", "half a pair ?"]  # which no database refuses

    def test_feedback_can_be_changed_and_taken_back(self, journal: Journal) -> None:
        number = journal.record(journal.open(), "question", self.reply("answer"))
        for liked in (True, False, None):
            journal.feedback(number, liked, "because")

    def test_the_queue_gives_places_from_one_and_each_conversation_one(self, journal: Journal) -> None:
        talks = [journal.open() for _ in range(3)]
        assert [journal.hand_over(talk, Reason.UNSURE) for talk in talks] == [1, 2, 3]
        assert journal.hand_over(talks[1], Reason.ASKED_FOR_PERSON) == 2

    def test_exchanges_come_back_with_their_replies(self, journal: Journal) -> None:
        talk, other = journal.open(), journal.open()
        pair = QAPair("p1", "退款多久？", "", "A1", "zh")
        decision = Decision(Action.CLARIFY, 0.5, Reason.AMBIGUOUS, (Candidate(pair, 0.75, 2.5, confidence=0.5),))
        cited = Citation("p1", "A1", "退款多久？", "faq.csv")
        reply = Reply("Which?", decision, "zh", None, (cited,), ("One?", "Two?"), {"total": 8.5})
        reply = replace(
            reply, asks="order_number", mood=Mood.ANGRY, offers_person=True, also=("A2",), version="v2"
        )
        number = journal.record(talk, "refund", reply)
        journal.record(other, "something else", self.reply("yes"))
        (kept,) = journal.exchanges(talk)
        assert (kept.text, kept.reply, kept.number) == ("refund", reply, number)
        assert kept.time is not None and kept.time.utcoffset() == timedelta(0)

    def test_what_does_not_exist_is_the_callers_mistake(self, journal: Journal) -> None:
        for call in (
            lambda: journal.record("nothing", "question", self.reply("answer")),
            lambda: journal.hand_over("nothing", Reason.UNSURE),
            lambda: journal.conversation("nothing"),
        ):
            with pytest.raises(UserError, match="knows no conversation 'nothing'"):
                call()
        with pytest.raises(UserError, match="knows no exchange 99"):
            journal.feedback(99, liked=True)


class DeskContract:
    """What every Desk keeps. A subclass gives the fixture `desk_and_journal`, which share what they keep."""

    @pytest.fixture
    def journal(self, desk_and_journal: tuple[Desk, Journal]) -> Journal:
        return desk_and_journal[1]

    @pytest.fixture
    def desk(self, desk_and_journal: tuple[Desk, Journal]) -> Desk:
        return desk_and_journal[0]

    @staticmethod
    def waiting(journal: Journal, *texts: str) -> list[str]:
        """Conversations that were handed over, one for each text, in this order."""
        talks = []
        for text in texts:
            talk = journal.open("en")
            journal.record(talk, text, JournalContract.reply("A person will come."))
            journal.hand_over(talk, Reason.UNSURE)
            talks.append(talk)
        return talks

    def test_cases_wait_in_the_order_in_which_they_came(self, desk: Desk, journal: Journal) -> None:
        first, second = self.waiting(journal, "one", "二")
        assert [(c.conversation_id, c.place, c.agent, c.last, c.reason) for c in desk.cases()] == [
            (first, 1, None, "one", Reason.UNSURE),
            (second, 2, None, "二", Reason.UNSURE),
        ]
        assert desk.case(second) == desk.cases()[1]
        assert desk.case(journal.open()) is None

    def test_a_claimed_case_leaves_the_queue_and_belongs_to_one_agent(self, desk: Desk, journal: Journal) -> None:
        first, second = self.waiting(journal, "one", "two")
        assert (claimed := desk.claim(first, "Anna")).agent == "Anna" and claimed.place == 0
        assert desk.claim(first, "Anna") == claimed
        with pytest.raises(Taken, match="Anna has this conversation"):
            desk.claim(first, "Bo")
        for forbidden in (desk.release, lambda talk, agent: desk.close(talk, Outcome.RESOLVED, agent)):
            with pytest.raises(Taken):
                forbidden(first, "Bo")
        assert [(c.agent, c.place) for c in desk.cases()] == [("Anna", 0), (None, 1)]
        assert journal.hand_over(second, Reason.UNSURE) == 1

    def test_a_released_case_has_its_place_again(self, desk: Desk, journal: Journal) -> None:
        first, _ = self.waiting(journal, "one", "two")
        desk.claim(first, "Anna")
        desk.release(first, "Anna")
        assert [(c.agent, c.place) for c in desk.cases()] == [(None, 1), (None, 2)]
        assert desk.claim(first, "Bo").agent == "Bo"

    def test_a_closed_case_is_gone_and_may_come_again_at_the_end(self, desk: Desk, journal: Journal) -> None:
        first, second, third = self.waiting(journal, "one", "two", "three")
        desk.claim(first, "Anna")
        desk.close(first, Outcome.HANDED_BACK, "Anna")
        desk.close(second, Outcome.WITHDRAWN)
        assert [c.conversation_id for c in desk.cases()] == [third]
        journal.hand_over(first, Reason.ASKED_FOR_PERSON)
        assert [(c.conversation_id, c.agent) for c in desk.cases()] == [(third, None), (first, None)]

    def test_a_customer_may_give_up_whoever_has_the_case(self, desk: Desk, journal: Journal) -> None:
        (talk,) = self.waiting(journal, "one")
        desk.claim(talk, "Anna")
        desk.close(talk, Outcome.WITHDRAWN)
        assert desk.cases() == []

    def test_what_people_write_is_kept_in_order(self, desk: Desk, journal: Journal) -> None:
        (talk,) = self.waiting(journal, "parcel?")
        said = [desk.say(talk, Author.AGENT, "你好 <b>", "Anna"), desk.say(talk, Author.CUSTOMER, "still there?")]
        assert desk.messages(talk) == said
        assert [(m.author, m.text, m.name) for m in said] == [
            (Author.AGENT, "你好 <b>", "Anna"),
            (Author.CUSTOMER, "still there?", ""),
        ]
        assert said[0].time.utcoffset() == timedelta(0)
        found = desk.case(talk)
        assert found is not None and found.last == "still there?"

    def test_the_latest_contact_counts(self, desk: Desk, journal: Journal) -> None:
        (talk,) = self.waiting(journal, "one")
        for contact in ("a@example.com", "b@example.com"):
            desk.leave_contact(talk, contact)
        found = desk.case(talk)
        assert found is not None and found.contact == "b@example.com"

    def test_how_long_it_takes_is_known_once_somebody_came(self, desk: Desk, journal: Journal) -> None:
        (talk,) = self.waiting(journal, "one")
        assert desk.usual_wait() is None
        desk.claim(talk, "Anna")
        wait = desk.usual_wait()
        assert wait is not None and 0 <= wait <= 60

    def test_nothing_can_be_done_where_nobody_waits(self, desk: Desk, journal: Journal) -> None:
        talk = journal.open()
        for call in (
            lambda: desk.claim(talk, "Anna"),
            lambda: desk.release(talk, "Anna"),
            lambda: desk.close(talk, Outcome.RESOLVED, "Anna"),
            lambda: desk.leave_contact(talk, "a@example.com"),
            lambda: desk.claim("nothing", "Anna"),
        ):
            with pytest.raises(UserError, match="waits for nobody"):
                call()
        with pytest.raises(UserError, match="knows no conversation"):
            desk.say("nothing", Author.CUSTOMER, "hello")


class VectorIndexContract:
    """What every VectorIndex keeps. A subclass gives the fixture `build`: (rows, vectors) -> index."""

    EAST, NORTH, BETWEEN = (1.0, 0.0), (0.0, 1.0), (0.6, 0.8)  # inner products 0, 0.6 and 0.8

    @staticmethod
    def rows(*numbers: int) -> Rows:
        return np.array(numbers, dtype=np.int64)

    @staticmethod
    def units(*vectors: tuple[float, float]) -> Vectors:
        return np.array(vectors, dtype=np.float32).reshape(-1, 2)

    @pytest.fixture
    def index(self, build: BuildVectors) -> VectorIndex:
        return build(self.rows(7, 3, 40), self.units(self.EAST, self.NORTH, self.BETWEEN))

    def test_the_nearest_comes_first_under_the_callers_row_number(self, index: VectorIndex) -> None:
        similarities, rows = index.search(self.units(self.EAST, self.NORTH), 3)
        assert rows.tolist() == [[7, 40, 3], [3, 40, 7]]
        assert similarities == pytest.approx(np.array([[1, 0.6, 0], [1, 0.8, 0]]), abs=1e-6)
        assert (similarities.dtype.name, rows.dtype.name) == ("float32", "int64")

    def test_equal_similarities_are_ordered_by_row(self, build: BuildVectors) -> None:
        index = build(self.rows(9, 2, 5, 1), self.units(self.EAST, self.EAST, self.NORTH, self.EAST))
        for k in (1, 2, 3, 4):
            assert index.search(self.units(self.EAST), k)[1].tolist() == [[1, 2, 9, 5][:k]]

    def test_what_is_not_there_is_minus_infinity_and_minus_one(self, index: VectorIndex) -> None:
        similarities, rows = index.search(self.units(self.EAST), 5)
        assert rows.tolist() == [[7, 40, 3, -1, -1]]
        assert np.isneginf(similarities[0]).tolist() == [False, False, False, True, True]

    def test_an_empty_index_finds_nothing_and_can_grow(self, build: BuildVectors) -> None:
        index = build(self.rows(), self.units())
        assert len(index) == 0
        assert index.search(self.units(self.EAST), 2)[1].tolist() == [[-1, -1]]
        index.add(self.rows(4), self.units(self.EAST))
        assert index.search(self.units(self.EAST), 2)[1].tolist() == [[4, -1]]

    def test_no_question_gives_no_row(self, index: VectorIndex) -> None:
        similarities, rows = index.search(self.units(), 4)
        assert similarities.shape == rows.shape == (0, 4)

    def test_among_limits_the_search_and_unknown_rows_in_it_are_passed_over(self, index: VectorIndex) -> None:
        assert index.search(self.units(self.EAST), 2, self.rows(3, 40, 99, -1))[1].tolist() == [[40, 3]]
        assert index.search(self.units(self.EAST), 2, self.rows(3))[1].tolist() == [[3, -1]]
        assert index.search(self.units(self.EAST), 2, self.rows())[1].tolist() == [[-1, -1]]

    def test_the_order_of_among_does_not_matter_nor_what_is_said_twice(self, index: VectorIndex) -> None:
        assert index.search(self.units(self.EAST), 3, self.rows(40, 3, 40, 7))[1].tolist() == [[7, 40, 3]]
        assert index.search(self.units(self.EAST), 3, self.rows(40, 3, 40))[1].tolist() == [[40, 3, -1]]

    def test_what_was_given_is_kept_though_the_caller_changes_it(self, build: BuildVectors) -> None:
        rows, vectors = self.rows(1, 2), self.units(self.EAST, self.NORTH)
        index = build(rows, vectors)
        more = self.units(self.BETWEEN)
        index.add(self.rows(3), more)
        rows[:], vectors[:], more[:] = 9, 0, 0
        assert index.search(self.units(self.EAST), 3)[1].tolist() == [[1, 3, 2]]
        assert index.vectors(self.rows(3)).tolist() == self.units(self.BETWEEN).tolist()

    def test_a_removed_row_is_gone_and_may_come_back_as_another(self, index: VectorIndex) -> None:
        index.remove(self.rows(7))
        assert len(index) == 2
        assert index.search(self.units(self.EAST), 3)[1].tolist() == [[40, 3, -1]]
        assert index.search(self.units(self.EAST), 1, self.rows(7))[1].tolist() == [[-1]]
        index.add(self.rows(7), self.units(self.NORTH))
        assert index.search(self.units(self.NORTH), 3)[1].tolist() == [[3, 7, 40]]
        assert index.vectors(self.rows(7)).tolist() == [[0, 1]]

    def test_everything_can_be_removed(self, index: VectorIndex) -> None:
        index.remove(self.rows(40, 3, 7))
        assert len(index) == 0
        assert index.search(self.units(self.EAST), 1)[1].tolist() == [[-1]]

    def test_vectors_come_back_as_they_went_in(self, index: VectorIndex) -> None:
        stored = index.vectors(self.rows(40, 7, 40))
        assert np.array_equal(stored, self.units(self.BETWEEN, self.EAST, self.BETWEEN))
        assert index.vectors(self.rows()).shape == (0, 2)

    def test_mistakes_are_refused_and_change_nothing(self, index: VectorIndex) -> None:
        for call in (
            lambda: index.add(self.rows(3), self.units(self.EAST)),
            lambda: index.add(self.rows(1, 1), self.units(self.EAST, self.EAST)),
            lambda: index.add(self.rows(-1), self.units(self.EAST)),
            lambda: index.add(self.rows(1, 2), self.units(self.EAST)),
            lambda: index.add(self.rows(1), np.eye(1, 3, dtype=np.float32)),
            lambda: index.add(self.rows(1), self.units((np.nan, 0))),
            lambda: index.add(self.rows(1), self.units((np.inf, 0))),
            lambda: index.remove(self.rows(3, 8)),
            lambda: index.vectors(self.rows(8)),
            lambda: index.search(self.units(self.EAST), 0),
            lambda: index.search(np.eye(1, 3, dtype=np.float32), 1),
            lambda: index.search(self.units((np.nan, 0)), 1),
        ):
            with pytest.raises(ValueError):
                call()
        assert index.search(self.units(self.EAST), 4)[1].tolist() == [[7, 40, 3, -1]]


class LexicalIndexContract:
    """What every LexicalIndex keeps. A subclass gives the fixture `build`: (rows, texts) -> index."""

    TEXTS = ("where is my parcel", "cancel my order", "refund", "cancel my order")

    @staticmethod
    def rows(*numbers: int) -> Rows:
        return np.array(numbers, dtype=np.int64)

    @pytest.fixture
    def index(self, build: BuildTexts) -> LexicalIndex:
        return build(self.rows(30, 20, 4, 10), self.TEXTS)

    def test_the_row_that_shares_most_comes_first_and_ties_go_to_the_lower_row(self, index: LexicalIndex) -> None:
        scores, rows = index.search(["cancel my order", "refund"], 4)
        assert rows.tolist() == [[10, 20, 30, -1], [4, -1, -1, -1]]
        assert scores[:, 0].tolist() == [1, 1]
        assert scores[0, 0] == scores[0, 1] > scores[0, 2] > 0
        assert np.isneginf(scores[rows == -1]).all()
        assert (scores.dtype.name, rows.dtype.name) == ("float32", "int64")
        assert index.search(["cancel my order"], 1)[1].tolist() == [[10]]

    def test_only_some_rows_may_be_found(self, index: LexicalIndex) -> None:
        index.add(self.rows(50), ["order"])
        for among, found in (((30, 20), [20, 30]), ((10, 50, 99), [10, 50]), ((4,), [-1, -1]), ((), [-1, -1])):
            scores, rows = index.search(["cancel my order"], 2, self.rows(*among))
            assert rows.tolist() == [found]
            expected = index.score("cancel my order", rows[rows >= 0])
            assert scores[rows >= 0].tolist() == expected.tolist()

    def test_an_unknown_word_lowers_the_score(self, index: LexicalIndex) -> None:
        score = index.search(["refund", "refund zzz", "refund zzz qqq xxx"], 1)[0][:, 0]
        assert 1 == score[0] > score[1] > score[2] > 0

    def test_a_text_that_shares_nothing_finds_nothing(self, index: LexicalIndex) -> None:
        for text in ("", "   ", "zzz qqq"):
            assert index.search([text], 2)[1].tolist() == [[-1, -1]]
            assert index.score(text, self.rows(4, 20)).tolist() == [0, 0]

    def test_no_text_gives_no_row(self, index: LexicalIndex) -> None:
        assert index.search([], 3)[1].shape == (0, 3)

    def test_score_is_the_same_number_as_in_a_search(self, index: LexicalIndex) -> None:
        scores, rows = index.search(["is my order zzz"], 3)
        assert index.score("is my order zzz", rows[0]).tolist() == scores[0].tolist()
        assert index.score("refund", self.rows(20, 4, 4)).tolist() == [0, 1, 1]
        assert index.score("refund", self.rows()).shape == (0,)

    def test_rows_come_and_go(self, index: LexicalIndex) -> None:
        index.remove(self.rows(10))
        assert len(index) == 3
        assert index.search(["cancel"], 2)[1].tolist() == [[20, -1]]
        index.add(self.rows(10, 2), ["invoice", "cancel my order"])
        assert len(index) == 5
        assert index.search(["cancel", "invoice"], 2)[1].tolist() == [[2, 20], [10, -1]]

    def test_an_empty_index_finds_nothing_and_can_grow(self, build: BuildTexts) -> None:
        index = build(self.rows(), [])
        assert len(index) == 0
        assert index.search(["refund"], 1)[1].tolist() == [[-1]]
        index.add(self.rows(1), [""])
        assert index.search(["refund"], 1)[1].tolist() == [[-1]]
        index.add(self.rows(2), ["refund"])
        assert index.search(["refund"], 1)[1].tolist() == [[2]]
        index.remove(self.rows(1, 2))
        assert index.search(["refund"], 1)[1].tolist() == [[-1]]

    def test_mistakes_are_refused_and_change_nothing(self, index: LexicalIndex) -> None:
        for call in (
            lambda: index.add(self.rows(1, 4), ["a", "refund"]),
            lambda: index.add(self.rows(1, 1), ["a", "b"]),
            lambda: index.add(self.rows(-1), ["a"]),
            lambda: index.add(self.rows(1, 2), ["a"]),
            lambda: index.remove(self.rows(4, 8)),
            lambda: index.score("refund", self.rows(8)),
            lambda: index.search(["refund"], 0),
        ):
            with pytest.raises(ValueError):
                call()
        assert len(index) == 4
        assert index.search(["refund"], 2)[1].tolist() == [[4, -1]]


class EncoderContract:
    """What every Encoder keeps. A subclass gives the fixtures `encoder` and, with other weights, `other`."""

    TEXTS = (
        "Where is my parcel?",
        "我的包裹在哪里？",
        "a",
        "Can I pay in three instalments, please? " * 3,
        "",
        "a",
    )

    def test_each_text_has_a_row_of_unit_length(self, encoder: Encoder) -> None:
        vectors = encoder.encode(self.TEXTS)
        assert vectors.shape == (len(self.TEXTS), encoder.dimension)
        assert vectors.dtype == np.float32
        assert vectors.flags.c_contiguous
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(self.TEXTS)), abs=1e-5)

    def test_a_text_has_the_same_vector_alone_and_in_any_company(self, encoder: Encoder) -> None:
        together = encoder.encode(self.TEXTS)
        for text, vector in zip(self.TEXTS, together, strict=True):
            assert encoder.encode([text])[0] == pytest.approx(vector, abs=1e-5)
        assert encoder.encode(self.TEXTS[::-1])[::-1] == pytest.approx(together, abs=1e-5)

    def test_many_texts_come_back_in_order(self, encoder: Encoder) -> None:
        texts = ["parcel " * (n % 7) + "abc"[n % 3] for n in range(100)]
        vectors = encoder.encode(texts)
        for n in (0, 1, 37, 99):
            assert vectors[n] == pytest.approx(encoder.encode([texts[n]])[0], abs=1e-5)

    def test_no_text_gives_no_row(self, encoder: Encoder) -> None:
        vectors = encoder.encode([])
        assert vectors.shape == (0, encoder.dimension)
        assert vectors.dtype == np.float32

    def test_any_text_is_taken(self, encoder: Encoder) -> None:
        vectors = encoder.encode(["half a pair \ud800", "\x00\u200b", "👍🏽" * 50, "parcel " * 15_000])
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-5)

    def test_the_fingerprint_is_stable_and_tells_weights_apart(self, encoder: Encoder, other: Encoder) -> None:
        before = encoder.fingerprint
        encoder.encode(self.TEXTS)
        assert encoder.fingerprint == before != other.fingerprint


class ConnectorContract:
    """What every Connector keeps. A subclass gives the fixture `connector`, with RECORDS by `order_number`."""

    RECORDS = (
        {"number": "KW-1", "status": "Dispatched", "note": "已发货 <b>&amp;</b>"},
        {"number": "KW-2", "status": "Packing", "note": ""},
    )
    HOSTILE = (
        "KW-3",
        "",
        "'",
        "KW-1' OR '1'='1",
        "KW-1'; DROP TABLE orders; --",
        "%",
        "_W-1",
        ":order_number",
        "{order_number}",
        "{{ found }}",
        "${HOME}",
        "KW-1\n",
        "../KW-1",
        "..",
        ".",
        "KW-1/../KW-2",
        "KW-1?x=1",
        "KW-1#",
        "@169.254.169.254/",
        "x" * 10_000,
        "订单",
        "\x00",
        "half a pair \ud800",
    )

    def test_a_record_is_found_by_its_value_with_text_in_every_field(self, connector: Connector) -> None:
        for record in self.RECORDS:
            found = connector.find({"order_number": record["number"]})
            assert found is not None
            assert {name: found[name] for name in ("status", "note")} == {
                name: record[name] for name in ("status", "note")
            }

    @pytest.mark.parametrize("value", HOSTILE)
    def test_whatever_else_is_given_finds_nothing_and_harms_nothing(
        self, connector: Connector, value: str
    ) -> None:
        assert connector.find({"order_number": value}) is None
        assert connector.find({"order_number": "KW-1"}) is not None

    def test_many_ask_at_once(self, connector: Connector) -> None:
        numbers = [record["number"] for record in self.RECORDS] * 20
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda number: connector.find({"order_number": number}), numbers))
        assert [one and one["status"] for one in found] == ["Dispatched", "Packing"] * 20


class RerankerContract:
    """What every Reranker keeps. A subclass gives the fixtures `reranker` and, with other weights, `other`."""

    QUESTIONS = ("where is my parcel", "我的包裹在哪里", "a", "can i pay in three instalments " * 4, "", "a")
    TEXTS = ("where is my parcel", "我要退款", "where is my parcel " * 9, "pay by card", "", "b")

    def test_each_pair_has_one_relevance_in_the_order_given(self, reranker: Reranker) -> None:
        scores = reranker.score(self.QUESTIONS, self.TEXTS)
        assert (scores.shape, scores.dtype.name) == ((6,), "float32")
        assert np.isfinite(scores).all()
        backwards = reranker.score(self.QUESTIONS[::-1], self.TEXTS[::-1])
        assert backwards[::-1] == pytest.approx(scores, abs=1e-3)

    def test_a_pair_has_the_same_relevance_alone_and_in_any_company(self, reranker: Reranker) -> None:
        together = reranker.score(self.QUESTIONS, self.TEXTS)
        for question, text, score in zip(self.QUESTIONS, self.TEXTS, together, strict=True):
            assert reranker.score([question], [text]) == pytest.approx([score], abs=1e-3)

    def test_many_pairs_come_back_in_order(self, reranker: Reranker) -> None:
        texts = ["parcel " * (n % 7) + "abc"[n % 3] for n in range(60)]
        scores = reranker.score(["where is my parcel"] * 60, texts)
        for n in (0, 1, 29, 59):
            assert reranker.score(["where is my parcel"], [texts[n]]) == pytest.approx([scores[n]], abs=1e-3)

    def test_the_same_question_is_more_relevant_than_another_one(self, reranker: Reranker) -> None:
        asked = ["where is my parcel"] * 2
        same, other = reranker.score(asked, ["where is my parcel", "do you sell gift cards"])
        assert same > other

    def test_no_pair_gives_no_relevance(self, reranker: Reranker) -> None:
        scores = reranker.score([], [])
        assert (scores.shape, scores.dtype.name) == ((0,), "float32")

    def test_any_text_is_taken(self, reranker: Reranker) -> None:
        odd = ["half a pair \ud800", "\x00\u200b", "👍🏽" * 50, "parcel " * 15_000]
        assert np.isfinite(reranker.score(odd, odd)).all()

    def test_the_fingerprint_is_stable_and_tells_weights_apart(self, reranker: Reranker, other: Reranker) -> None:
        before = reranker.fingerprint
        reranker.score(self.QUESTIONS, self.TEXTS)
        assert reranker.fingerprint == before != other.fingerprint
