"""The audit with fakes: vectors count the words parcel, refund and invoice, and similarity alone decides.

Two texts with the same one of the words have the cosine 1, with different ones 1/2. An answer is given from 0.85
on, asked about from 0.75 on (`fakes.BY_SIMILARITY`); equal scores go by answer id.
"""

import json
import math
from pathlib import Path

import pytest

from chatbot.__main__ import main
from chatbot.domain import Action, QAPair
from chatbot.insight.audit import Answer, Confusion, Findings, Mistake, Resemblance, audit
from chatbot.merge import Contradiction
from chatbot.retrieve import Retriever
from chatbot.settings import Retrieve
from tests.fakes import BY_SIMILARITY, ExactIndex, FakeEncoder, SharedWords, pair

WORDS = ("parcel", "refund", "invoice")
SURE = 1.0  # 1 / (1 + exp(85 - 100)), rounded to four digits
BETWEEN = round(1 / (1 + math.exp(85 - 100 * 3 / math.sqrt(12))), 4)  # (2, 1, 0, 1)/√6 with (1, 0, 0, 1)/√2: 0.866

SHOP = (
    pair("where is my parcel", "A1"),
    pair("parcel late", "A1"),
    pair("refund when", "A2"),
    pair("refund now", "A2"),
    pair("refund parcel parcel", "A2"),
    pair("parcel lost", "A3"),
)


def line(*pairs: QAPair) -> Retriever:
    return Retriever.build(
        pairs, FakeEncoder(WORDS), ExactIndex, SharedWords, None, BY_SIMILARITY, Retrieve(), casefold=True
    )


def examine(*pairs: QAPair, questions: int = 2000, few: int = 2, alike: float = 0.95, seed: int = 0) -> Findings:
    (found,) = audit({"en": line(*pairs)}, questions, few, alike, seed)
    return found


class TestHidden:
    FOUND = examine(*SHOP)

    def test_what_is_answered_although_its_answer_is_hidden_the_surest_first(self) -> None:
        assert self.FOUND.hidden == (
            Mistake("parcel late", "A1", "A3", "parcel lost", SURE, Action.ANSWER),
            Mistake("where is my parcel", "A1", "A3", "parcel lost", SURE, Action.ANSWER),
            Mistake("parcel lost", "A3", "A1", "where is my parcel", SURE, Action.ANSWER),
            Mistake("refund parcel parcel", "A2", "A1", "where is my parcel", BETWEEN, Action.ANSWER),
        )

    def test_every_wrong_confidence_is_kept_also_of_what_would_not_be_given(self) -> None:
        assert self.FOUND.confidences == (SURE, SURE, SURE, BETWEEN, 0.0, 0.0)  # refunds: 0.5 to a parcel
        assert self.FOUND.threshold == 0.5

    def test_rates_of_all_and_of_each_answer(self) -> None:
        assert self.FOUND.as_json()["hidden_rate"] == pytest.approx(4 / 6, abs=1e-6)
        assert self.FOUND.answers == (
            Answer("A1", "Answer A1.", questions=2, asked=2, answered=2, rate=1.0),
            Answer("A2", "Answer A2.", questions=3, asked=3, answered=1, rate=0.333333),
            Answer("A3", "Answer A3.", questions=1, asked=1, answered=1, rate=1.0),
        )


class TestConfusions:
    def test_a_question_without_siblings_is_not_asked(self) -> None:
        found = examine(*SHOP)
        mistake = Mistake("refund parcel parcel", "A2", "A1", "where is my parcel", BETWEEN, Action.ANSWER)
        assert (found.asked, found.compared) == (6, 5)
        assert found.confusions == (Confusion(("A1", "A2"), there=0, back=1, mistakes=(mistake,)),)
        assert found.as_json()["confused_rate"] == 0.2

    def test_both_directions_count_and_the_most_frequent_pair_comes_first(self) -> None:
        found = examine(
            pair("invoice e", "A4"),
            pair("the refund parcel parcel", "A4"),  # alone 0.866 to a parcel
            pair("parcel a", "A1"),
            pair("refund b", "A1"),
            pair("refund c", "A2"),
            pair("parcel d", "A2"),
        )
        assert [(c.answer_ids, c.there, c.back) for c in found.confusions] == [
            (("A1", "A2"), 2, 2),
            (("A1", "A4"), 0, 2),  # an invoice is as far from all; the first id wins
        ]
        assert [m.question for m in found.confusions[0].mistakes] == [
            "parcel a",
            "refund b",
            "parcel d",
            "refund c",
        ]
        assert found.confused == 6


class TestEntries:
    def test_one_question_as_it_is_compared_under_several_answers(self) -> None:
        found = examine(pair("Parcel  lost", "A1"), pair("parcel lost", "A2"), pair("parcel lost", "A3"))
        assert found.contradictions == (Contradiction("Parcel  lost", "en", ("A1", "A2", "A3")),)
        assert found.near_questions == ()

    def test_nearly_the_same_question_under_two_answers_once_each(self) -> None:
        assert examine(*SHOP).near_questions == (
            Resemblance(("parcel late", "parcel lost"), ("A1", "A3"), 1.0),
            Resemblance(("where is my parcel", "parcel lost"), ("A1", "A3"), 1.0),
        )
        assert len(examine(*SHOP, alike=0.86).near_questions) == 5  # 0.866 to three parcels, one of them its own

    def test_nearly_the_same_answer_under_two_ids(self) -> None:
        typed = ("Sent within 24 hours.", "sent  within 25 hours.", "Ask us.")
        pairs = [pair(word, f"A{n}", text) for n, (word, text) in enumerate(zip(WORDS, typed, strict=True))]
        # 21 letters each, one of them changed: 1 - 2/42
        assert examine(*pairs).near_answers == (Resemblance(typed[:2], ("A0", "A1"), round(1 - 2 / 42, 4)),)
        assert examine(*pairs, alike=0.96).near_answers == ()

    def test_answers_are_compared_however_many_there_are(self) -> None:
        letters = [chr(ord("一") + n) for n in range(70)]
        letters[68], letters[69] = letters[3], letters[66]
        pairs = [pair(f"parcel {n}", f"A{n:02d}", letter * 5) for n, letter in enumerate(letters)]
        assert [r.answer_ids for r in examine(*pairs).near_answers] == [("A03", "A68"), ("A66", "A69")]

    def test_answers_with_fewer_questions_than_wanted_the_fewest_first(self) -> None:
        assert [a.answer_id for a in examine(*SHOP, few=2).few] == ["A3"]
        assert [(a.answer_id, a.questions) for a in examine(*SHOP, few=4).few] == [("A3", 1), ("A1", 2), ("A2", 3)]

    def test_a_question_is_far_from_its_own_when_none_of_the_nearest_five_is(self) -> None:
        others = [pair(f"parcel {n}", "A2") for n in range(5)]
        parcel, refund = pair("parcel", "A1"), pair("refund", "A1")
        assert examine(parcel, refund, *others).strays == (Resemblance(("parcel", "parcel 0"), ("A1", "A2"), 1.0),)
        assert examine(parcel, refund, *others[:4]).strays == ()
        assert examine(parcel, *others).strays == ()  # it has nothing of its own


class TestBots:
    def test_so_many_questions_of_each_language_drawn_by_the_seed(self) -> None:
        first, again, other = (examine(*SHOP, questions=2, seed=seed) for seed in (1, 1, 4))
        assert (first.asked, first.pairs, first.as_json()) == (2, 6, again.as_json())
        assert sum(answer.asked for answer in first.answers) == 2
        assert first.confidences != other.confidences

    def test_languages_in_order_each_by_itself(self) -> None:
        chinese, english = audit({"zh": line(pair("parcel 到哪了", "A1", language="zh")), "en": line(*SHOP)})[::-1]
        assert (english.language, english.pairs, chinese.language, chinese.pairs) == ("en", 6, "zh", 1)

    def test_one_answer_is_not_confused_with_anything(self) -> None:
        found = examine(*SHOP[:2])
        assert (found.hidden, found.confusions, found.near_questions, found.strays) == ((), (), (), ())
        assert (found.asked, found.compared) == (2, 2)

    def test_no_answers_no_findings(self) -> None:
        assert audit({}) == ()
        assert set(examine().counts().values()) == {0}
        assert examine().as_json()["hidden_rate"] is None

    def test_the_bot_is_left_as_it_was(self) -> None:
        retriever = line(*SHOP)
        (before,) = retriever.retrieve(["parcel"])
        audit({"en": retriever})
        assert retriever.retrieve(["parcel"])[0].candidates == before.candidates


class TestCommand:
    @pytest.mark.parametrize(
        "wrong",
        [["--questions", "0"], ["--questions", "-1"], ["--few", "many"], ["--alike", "1.5"], ["--alike", "x"]],
    )
    def test_an_option_out_of_range_is_wrong_usage(self, wrong: list[str]) -> None:
        with pytest.raises(SystemExit) as stopped:
            main(["audit", "--index", "bot", "--output", "out", *wrong])
        assert stopped.value.code == 2

    def test_a_bot_that_is_not_there_is_a_mistake(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["audit", "--index", str(tmp_path / "bot"), "--output", str(tmp_path / "out")]) == 1
        assert "Build it with `chatbot train" in capsys.readouterr().err

    @pytest.mark.models
    def test_a_built_bot_gets_its_report(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        pairs, bot, out = tmp_path / "pairs.csv", str(tmp_path / "bot"), tmp_path / "out"
        asked = {"parcel": ["where is my parcel", "track my package", "has it been sent"], "pay": ["how do I pay"]}
        rows = [f"{question},Answer to {name}.,{name}" for name, own in asked.items() for question in own]
        pairs.write_text("\n".join(["question,answer,answer_id", *rows]), "utf-8")
        assert main(["build", "--pairs", str(pairs), "--index", bot]) == 0
        assert main(["audit", "--index", bot, "--output", str(out), "--few", "2"]) == 0
        assert capsys.readouterr().out.splitlines()[-1].endswith(str(out / "audit.html"))
        found = json.loads((out / "audit.json").read_text("utf-8"))
        assert (found["about"]["index"], found["about"]["few"]) == (bot, 2)
        assert (found["languages"]["en"]["asked"], found["languages"]["en"]["compared"]) == (4, 3)
        assert [answer["answer_id"] for answer in found["languages"]["en"]["few"]] == ["pay"]
        assert "<h1>" in (out / "audit.html").read_text("utf-8")
