"""A message is split into questions, and what is said to each: by hand."""

import csv
from pathlib import Path

import pytest

from chatbot import phrases, several
from chatbot.domain import Action, Candidate, Citation, Decision, Reason, Reply
from chatbot.several import Several
from tests.fakes import pair

EN, ZH = phrases.load("en"), phrases.load("zh")
DATA = Path(__file__).parent.parent / "data"


def decision(action: Action, *answer_ids: str) -> Decision:
    candidates = tuple(Candidate(pair(f"about {answer_id}", answer_id), 0.9) for answer_id in answer_ids)
    return Decision(action, 0.9, Reason.CONFIDENT, candidates)


def answer(*answer_ids: str) -> Decision:
    return decision(Action.ANSWER, *answer_ids)


def unsure(*answer_ids: str) -> Decision:
    return decision(Action.HAND_OVER, *answer_ids)


class TestSplit:
    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            (
                "I bought X yesterday. Can I return it? And how long does the refund take?",
                ("I bought X yesterday. Can I return it?", "And how long does the refund take?"),
            ),
            ("Where is my box? How do I pay? I am new.", ("Where is my box?", "How do I pay? I am new.")),
            ("1) where is my box 2) how do I pay", ("where is my box", "how do I pay")),
            ("1. Where is my box?\n2. How do I pay?", ("Where is my box?", "How do I pay?")),
            ("where is my box\nhow do I pay", ("where is my box", "how do I pay")),
            ("can I pay by card and also can I pay cash", ("can I pay by card", "and also can I pay cash")),
            ("How do I pay? Why? Where is my box?", ("How do I pay?", "Why? Where is my box?")),
            ("Is it on a.com?x=1, v2.4? Do you ship it?", ("Is it on a.com?x=1, v2.4?", "Do you ship it?")),
            ("What?! How much is it?!! Do you ship it?", ("What?! How much is it?!!", "Do you ship it?")),
        ],
    )
    def test_english(self, text: str, parts: tuple[str, ...]) -> None:
        assert several.split(text, EN) == parts

    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("昨天买了X。能退货吗？退款要多久？", ("昨天买了X。能退货吗?", "退款要多久?")),
            ("怎么退货，另外运费谁出", ("怎么退货", "另外运费谁出")),
            ("1、发票在哪下载 2、能开公司抬头吗", ("发票在哪下载", "能开公司抬头吗")),
            ("可以分期吗；能不能货到付款", ("可以分期吗;", "能不能货到付款")),
            ("怎么退货？\n运费谁出？谢谢", ("怎么退货?", "运费谁出?谢谢")),
        ],
    )
    def test_chinese(self, text: str, parts: tuple[str, ...]) -> None:
        assert several.split(text, ZH) == parts

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "?!",
            "Where is my box?",
            "I bought a box. Where is it?",
            "I bought a box. It is red.",
            "Where is it? Why?",  # too short to be asked alone
            "I paid on May 2. Is that right",
            "How do I pay? Where is it? What is new here? Do you ship it?",  # too many
        ],
    )
    def test_one_question_has_no_parts(self, text: str) -> None:
        assert several.split(text, EN) == ()

    @pytest.mark.parametrize(
        "text", ["我买了相机。现在到哪了？", "黑色还有货吗", "好几年了。什么都没有。怎么办", "是吗？怎么退货？"]
    )
    def test_one_chinese_question_has_no_parts(self, text: str) -> None:
        assert several.split(text, ZH) == ()


class TestJudged:
    def test_each_part_has_its_own_answer(self) -> None:
        found = several.judged(answer("b", "a"), ("A?", "B?"), (answer("a"), answer("b")))
        assert found == Several((("A?", answer("a")), ("B?", answer("b"))), "b")

    def test_the_first_part_stands_for_all_where_the_whole_says_neither(self) -> None:
        found = several.judged(unsure("c"), ("A?", "B?"), (answer("a"), answer("b")))
        assert found is not None
        assert found.main == "a"

    def test_an_answer_to_the_whole_that_no_part_has_stays(self) -> None:
        assert several.judged(answer("c"), ("A?", "B?"), (answer("a"), answer("b"))) is None

    def test_one_answer_to_all_is_said_once_as_ever(self) -> None:
        assert several.judged(answer("a"), ("A?", "B?"), (answer("a"), answer("a"))) is None
        assert several.judged(answer("a"), ("A?", "B?"), (answer("a"), unsure("a", "b"))) is None

    def test_nothing_answered_is_dealt_with_as_one(self) -> None:
        assert several.judged(answer("a"), ("A?", "B?"), (unsure("a"), unsure("b"))) is None
        assert several.judged(answer("a"), (), ()) is None

    def test_a_part_without_an_answer_is_left(self) -> None:
        asked_back = decision(Action.CLARIFY, "b", "c", "d", "e")
        found = several.judged(answer("a"), ("A?", "B?"), (answer("a"), asked_back))
        assert found == Several((("A?", answer("a")),), "a", ("B?",), ("about b", "about c", "about d"))
        found = several.judged(unsure(), ("A?", "B?", "C?"), (answer("a"), unsure(), answer("c")))
        assert found == Several((("A?", answer("a")), ("C?", answer("c"))), "a", ("B?",))


class TestJoined:
    @staticmethod
    def reply(answer_id: str) -> Reply:
        citation = Citation(f"pair {answer_id}", answer_id, f"about {answer_id}")
        return Reply(
            f"Stored {answer_id}.", answer(answer_id), "en", answer_id, (citation,), timings={"total": 1.0}
        )

    def test_both_answers_stand_word_for_word_behind_what_they_answer(self) -> None:
        found = Several((("A?", answer("a")), ("B?", answer("b"))), "b")
        reply = several.joined(found, [self.reply("a"), self.reply("b")], EN)
        assert reply.text == "“A?”\nStored a.\n\n“B?”\nStored b."
        assert (reply.answer_id, reply.also, reply.decision) == ("b", ("a",), answer("b"))
        assert [citation.answer_id for citation in reply.citations] == ["a", "b"]
        assert (reply.suggestions, reply.offers_person, reply.timings) == ((), False, {"total": 1.0})

    def test_what_is_left_is_said_and_a_person_offered(self) -> None:
        found = Several((("A?", answer("a")),), "a", ("B {x}?",), ("about b",))
        reply = several.joined(found, [self.reply("a")], EN)
        assert reply.text == (
            "“A?”\nStored a.\n\nI don't have a reliable answer to “B {x}?”; a colleague can help you with that."
        )
        assert (reply.also, reply.suggestions, reply.offers_person) == ((), ("about b",), True)

    @pytest.mark.parametrize(
        ("part", "quote"),
        [
            ("a" * 60, "a" * 60),
            ("word " * 20 + "end?", "… " + "word " * 11 + "end?"),
            ("字" * 70, "…" + "字" * 60),
        ],
    )
    def test_a_long_part_is_quoted_by_its_end(self, part: str, quote: str) -> None:
        reply = several.joined(Several(((part, answer("a")),), "a", ("B?",)), [self.reply("a")], EN)
        assert reply.text.split("\n")[0] == f"“{quote}”"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_messages_to_measure_with_ask_for_answers_of_the_demo(language: str) -> None:
    with (DATA / "demo" / f"pairs_{language}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (DATA / "several" / f"{language}.csv").open(encoding="utf-8", newline="") as file:
        messages = list(csv.DictReader(file))
    known = {row["answer_id"] for row in rows}
    assert {message[name] for message in messages for name in ("first", "second")} - {""} <= known
    assert sum(message["second"] == "" for message in messages) == 60
    assert len({message["text"] for message in messages}) == len(messages) == 120
    assert {message["text"] for message in messages}.isdisjoint({row["question"] for row in rows})
