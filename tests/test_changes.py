"""A file against what is live, and the edits of an agent: plans and an editor's words for them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.corpus import Corpus, IngestReport, read_pairs
from chatbot.domain import QAPair
from chatbot.errors import CorpusError, UserError
from chatbot.insight import revise
from chatbot.insight.changes import AnswerChange, Changes, Moved, Plan, Scope, compare
from chatbot.merge import ConflictingAnswers, Contradiction

HEADER = "question,answer,answer_id,language\n"


def stored(question: str, answer_id: str, answer: str, language: str = "en") -> QAPair:
    pair_id = QAPair.content_id(question, answer_id, language)
    return QAPair(pair_id, question, answer, answer_id, language, "handbook")


PARCEL = stored("Where is my parcel?", "track", "On its way.")
LATE = stored("parcel is late", "track", "On its way.")
REFUND = stored("When do I get my refund", "refund", "In three days.")
MONEY = stored("money back", "refund", "In three days.")
TEA = stored("do you sell tea", "tea", "No.")
ZH_PARCEL = stored("我的包裹在哪里", "track", "在路上。", "zh")
ZH_REFUND = stored("退款要多久", "refund", "三天。", "zh")
LIVE = (PARCEL, LATE, REFUND, MONEY, TEA, ZH_PARCEL, ZH_REFUND)


def read(folder: Path, *rows: str) -> Corpus:
    file = folder / "pairs.csv"
    file.write_text(HEADER + "".join(f"{row}\n" for row in rows), "utf-8")
    return read_pairs([file])


def questions(pairs: tuple[QAPair, ...]) -> list[tuple[str, str]]:
    return [(pair.question, pair.answer_id) for pair in pairs]


def applied(plan: Plan) -> list[tuple[str, str, str]]:
    """Question, answer_id and text of all pairs afterwards."""
    assert all(pair in LIVE for pair in plan.removed)
    pairs = [pair for pair in LIVE if pair not in plan.removed] + list(plan.added)
    assert len({pair.id for pair in pairs}) == len(pairs)
    return [(pair.question, pair.answer_id, pair.answer) for pair in pairs]


SAME = (
    "WHERE is my parcel,On its way.,track,en",  # another spelling of the same question
    "parcel is late,On its way.,track,en",
    "When do I get my refund,In three days.,refund,en",
    "money back,In three days.,refund,en",
    "do you sell tea,No.,tea,en",
    "我的包裹在哪里？,在路上。,track,zh",
    "退款要多久,三天。,refund,zh",
)


class TestCompare:
    def test_the_same_file_changes_nothing(self, tmp_path: Path) -> None:
        for scope in Scope:
            found = compare(LIVE, read(tmp_path, *SAME), scope)
            assert not found.plan
            assert found.counts() == {}

    def test_replacing_says_what_comes_goes_moves_and_is_reworded(self, tmp_path: Path) -> None:
        found = compare(
            LIVE,
            read(
                tmp_path,
                "Where is my parcel?,Look at My orders.,track,en",
                "when will it arrive,Look at My orders.,track,en",
                "When do I get my refund,In three days.,refund,en",
                "MONEY BACK!,Look at My orders.,track,en",
                "do you sell coffee,Yes.,coffee,en",
            ),
            Scope.REPLACE,
        )
        assert found == Changes(
            answers_added=(AnswerChange("coffee", "en", None, "Yes.", 1),),
            answers_removed=(AnswerChange("tea", "en", "No.", None, 1),),
            answers_reworded=(AnswerChange("track", "en", "On its way.", "Look at My orders.", 3),),
            questions_added=found.questions_added,
            questions_removed=(TEA, LATE),
            questions_moved=(Moved("MONEY BACK!", "en", ("refund",), ("track",)),),
            contradictions=(),
            conflicting_answers=(),
            plan=found.plan,
        )
        assert questions(found.questions_added) == [
            ("do you sell coffee", "coffee"),
            ("when will it arrive", "track"),
        ]
        assert applied(found.plan) == [
            ("When do I get my refund", "refund", "In three days."),
            ("我的包裹在哪里", "track", "在路上。"),  # the file has no Chinese: it stays
            ("退款要多久", "refund", "三天。"),
            ("Where is my parcel?", "track", "Look at My orders."),
            ("when will it arrive", "track", "Look at My orders."),
            ("MONEY BACK!", "track", "Look at My orders."),
            ("do you sell coffee", "coffee", "Yes."),
        ]
        assert found.counts() == {
            "en": {
                "answers_added": 1,
                "answers_removed": 1,
                "answers_reworded": 1,
                "questions_added": 2,
                "questions_removed": 2,
                "questions_moved": 1,
                "details_changed": 0,
                "contradictions": 0,
                "conflicting_answers": 0,
            }
        }

    def test_updating_keeps_what_the_file_lacks(self, tmp_path: Path) -> None:
        found = compare(LIVE, read(tmp_path, "包裹丢了怎么办,已经寄出。,track,zh"), Scope.UPDATE)
        assert found.answers_reworded == (AnswerChange("track", "zh", "在路上。", "已经寄出。", 2),)
        assert questions(found.questions_added) == [("包裹丢了怎么办", "track")]
        assert (found.answers_removed, found.questions_removed) == ((), ())
        assert applied(found.plan)[-2:] == [
            ("我的包裹在哪里", "track", "已经寄出。"),
            ("包裹丢了怎么办", "track", "已经寄出。"),
        ]
        assert applied(found.plan)[:6] == [(p.question, p.answer_id, p.answer) for p in LIVE if p is not ZH_PARCEL]

    def test_a_question_that_the_file_puts_elsewhere_moves_and_is_no_contradiction(self, tmp_path: Path) -> None:
        found = compare(LIVE, read(tmp_path, "money back,On its way.,track,en"), Scope.UPDATE)
        assert found.questions_moved == (Moved("money back", "en", ("refund",), ("track",)),)
        assert (found.contradictions, found.questions_added, found.questions_removed) == ((), (), ())

    def test_a_question_under_two_answers_of_the_file_is_a_contradiction(self, tmp_path: Path) -> None:
        rows = ("money back,On its way.,track,en", "Money  back!,In three days.,refund,en")
        found = compare(LIVE, read(tmp_path, *rows), Scope.UPDATE)
        assert found.contradictions == (Contradiction("money back", "en", ("refund", "track")),)
        assert questions(found.questions_added) == [("money back", "track")]
        assert found.counts()["en"]["contradictions"] == 1
        again = compare([*LIVE, *found.plan.added], read(tmp_path, *rows), Scope.UPDATE)
        assert again.contradictions == ()  # live already

    def test_one_id_with_two_texts_is_reported_and_the_first_is_used(self, tmp_path: Path) -> None:
        corpus = read(tmp_path, "new one,First text.,fresh,en", "new two,Second text.,fresh,en")
        found = compare(LIVE, corpus, Scope.UPDATE)
        assert found.conflicting_answers == (ConflictingAnswers("fresh", "en", ("First text.", "Second text.")),)
        assert {pair.answer for pair in found.plan.added} == {"First text."}

    def test_near_duplicates_of_what_is_there_go_into_it(self, tmp_path: Path) -> None:
        live = [stored("how long does a delivery to Norway take", "norway", "A week.")]
        row = "how long does a delivery to Norway takes,A week.,norway,en"
        assert not compare(live, read(tmp_path, row), Scope.UPDATE).plan

    def test_a_source_and_metadata_come_with_the_file_and_a_files_name_is_no_source(self, tmp_path: Path) -> None:
        file = tmp_path / "pairs.csv"
        file.write_text(
            "question,answer,answer_id,language,source,date\n"
            "where is my PARCEL,On its way.,track,en,Help centre,2026-03-01\n"
            "money back,In three days.,refund,en,,\n"
        )
        found = compare(LIVE, read_pairs([file]), Scope.UPDATE)
        (parcel,) = found.details_changed
        assert (parcel.id, parcel.source, parcel.metadata) == (PARCEL.id, "Help centre", {"date": "2026-03-01"})
        assert found.counts()["en"]["details_changed"] == 1 and found.plan == Plan((PARCEL,), (parcel,))
        live = [pair for pair in LIVE if pair not in found.plan.removed]
        assert not compare([*live, *found.plan.added], read_pairs([file]), Scope.UPDATE).plan
        assert not compare([*live, *found.plan.added], read(tmp_path, SAME[0]), Scope.UPDATE).plan

    def test_a_plan_can_be_undone_and_order_does_not_depend_on_the_files(self, tmp_path: Path) -> None:
        rows = ("b question here,B.,b,en", "a question here,A.,a,en", "丙 问题,丙。,c,zh")
        found = compare(LIVE, read(tmp_path, *rows), Scope.UPDATE)
        assert [change.answer_id for change in found.answers_added] == ["a", "b", "c"]
        other = compare(LIVE, read(tmp_path, *reversed(rows)), Scope.UPDATE)
        assert other.answers_added == found.answers_added
        assert found.plan.undone == Plan(found.plan.added, found.plan.removed)

    def test_a_file_of_bad_rows_only_says_why(self, tmp_path: Path) -> None:
        with pytest.raises(CorpusError, match=r"no pair that could be used(.|\n)*row 2: the question is empty"):
            compare(LIVE, read(tmp_path, ",No question.,x,en"), Scope.REPLACE)

    def test_a_file_with_a_bad_row_may_update_and_not_replace(self, tmp_path: Path) -> None:
        corpus = read(tmp_path, *SAME[:-1], "退款要多久,,refund,zh")
        with pytest.raises(
            CorpusError, match=r"what bad rows hold would be lost(.|\n)*row 8: the answer is empty"
        ):
            compare(LIVE, corpus, Scope.REPLACE)
        assert not compare(LIVE, corpus, Scope.UPDATE).plan

    def test_a_hundred_thousand_rows(self) -> None:
        live = [
            stored(f"question number {n} of {n % 500}", f"a{n % 500}", f"Answer {n % 500}.")
            for n in range(100_000)
        ]
        report = IngestReport(len(live), len(live), 0, 0, (), (), ())
        found = compare(live, Corpus((*live[1:], stored("a new one", "a7", "Answer 7.")), report), Scope.REPLACE)
        assert (questions(found.questions_added), found.questions_removed) == ([("a new one", "a7")], (live[0],))


def corpora(language: str) -> st.SearchStrategy[list[QAPair]]:
    """Pairs as they are read: each question once under an answer, one text an answer."""
    asked = st.tuples(st.sampled_from("abcdef" if language == "en" else "甲乙丙丁"), st.sampled_from("XYZ"))
    texts = st.fixed_dictionaries({answer_id: st.sampled_from(["One.", "Two."]) for answer_id in "XYZ"})
    return st.builds(
        lambda keys, said: [stored(f"{word}?", answer_id, said[answer_id], language) for word, answer_id in keys],
        st.lists(asked, unique=True, max_size=8),
        texts,
    )


@given(corpora("en"), corpora("zh"), corpora("en"), corpora("zh"))
def test_after_a_plan_is_what_the_file_says(
    en: list[QAPair], zh: list[QAPair], new_en: list[QAPair], new_zh: list[QAPair]
) -> None:
    live, given_pairs = en + zh, new_zh + new_en
    if not given_pairs:
        return
    corpus = Corpus(tuple(given_pairs), IngestReport(len(given_pairs), len(given_pairs), 0, 0, (), (), ()))
    for scope in Scope:
        plan = compare(live, corpus, scope).plan
        assert all(pair in live for pair in plan.removed)
        after = [pair for pair in live if pair not in plan.removed] + list(plan.added)
        assert len({pair.id for pair in after}) == len(after)
        said = {(p.question, p.language, p.answer_id, p.answer) for p in after}
        told = {(p.question, p.language, p.answer_id, p.answer) for p in given_pairs}
        assert told <= said
        assert len({(p.answer_id, p.language, p.answer) for p in after}) == len(
            {(p.answer_id, p.language) for p in after}
        )
        rest = {(question, language) for question, language, _, _ in said - told}
        languages = {p.language for p in given_pairs}
        if scope is Scope.REPLACE:
            assert {language for _, language in rest}.isdisjoint(languages)
        else:
            assert rest.isdisjoint((p.question, p.language) for p in given_pairs)
        assert {(p.question, p.language) for p in live} - {(p.question, p.language) for p in after} == (
            {(p.question, p.language) for p in live if p.language in languages}
            - {(p.question, p.language) for p in given_pairs}
            if scope is Scope.REPLACE
            else set()
        )
        assert not compare(after, corpus, scope).plan


class TestEdits:
    def test_reword(self) -> None:
        plan = revise.reword(LIVE, "track", "Look at My orders.", "en")
        assert plan.removed == (PARCEL, LATE)
        assert [(p.id, p.answer) for p in plan.added] == [
            (PARCEL.id, "Look at My orders."),
            (LATE.id, "Look at My orders."),
        ]
        assert not revise.reword(LIVE, "track", "在路上。", "zh")  # says so already

    def test_add_questions_in_their_own_languages(self) -> None:
        plan = revise.add_questions(LIVE, "track", ["Where's my stuff", "where IS my parcel", "快递呢"], "desk")
        assert [(p.question, p.answer, p.language, p.source, p.metadata) for p in plan.added] == [
            ("Where's my stuff", "On its way.", "en", PARCEL.source, {"provenance": "desk"}),
            ("快递呢", "在路上。", "zh", PARCEL.source, {"provenance": "desk"}),
        ]
        assert plan.removed == ()

    def test_add_an_answer(self) -> None:
        plan = revise.add_answer(LIVE, "cheque", "我们收支票。", ["能用支票吗", " "], "desk", "zh")
        assert [(p.question, p.answer, p.answer_id, p.source, p.metadata) for p in plan.added] == [
            ("能用支票吗", "我们收支票。", "cheque", "", {"provenance": "desk"})
        ]

    def test_retire_a_question(self) -> None:
        assert revise.retire_question(LIVE, "MONEY   back?").removed == (MONEY,)
        twice = (*LIVE, stored("money back", "track", "On its way."))
        assert revise.retire_question(twice, "money back", "refund").removed == (MONEY,)
        assert len(revise.retire_question(twice, "money back").removed) == 2

    def test_retire_an_answer_in_every_language_or_in_one(self) -> None:
        assert revise.retire_answer(LIVE, "refund").removed == (REFUND, MONEY, ZH_REFUND)
        assert revise.retire_answer(LIVE, "refund", "zh").removed == (ZH_REFUND,)

    def test_merged_answers_keep_the_text_of_the_one_and_the_questions_of_both(self) -> None:
        plan = revise.merge_answers(LIVE, "track", "refund")
        assert plan.removed == (REFUND, MONEY, ZH_REFUND)
        assert [(p.question, p.answer_id, p.answer, p.language) for p in plan.added] == [
            ("When do I get my refund", "track", "On its way.", "en"),
            ("money back", "track", "On its way.", "en"),
            ("退款要多久", "track", "在路上。", "zh"),
        ]
        assert {p.id for p in plan.added}.isdisjoint(p.id for p in LIVE)

    def test_a_question_that_both_have_is_kept_once(self) -> None:
        live = (*LIVE, stored("Money back?", "track", "On its way."))
        assert [p.question for p in revise.merge_answers(live, "track", "refund", "en").added] == [REFUND.question]

    @pytest.mark.parametrize(
        ("edit", "message"),
        [
            (lambda: revise.reword(LIVE, "nobody", "text", "en"), "there is no answer 'nobody' in 'en'"),
            (lambda: revise.reword(LIVE, "tea", "text", "zh"), "there is no answer 'tea' in 'zh'"),
            (lambda: revise.reword(LIVE, "tea", " \u200b", "en"), "the new text of tea is empty"),
            (lambda: revise.add_questions(LIVE, "tea", ["有茶吗"], "desk"), "there is no answer 'tea' in 'zh'"),
            (lambda: revise.add_questions(LIVE, "tea", ["  "], "desk"), "a question is empty"),
            (lambda: revise.add_answer(LIVE, "a|b", "text", ["q"], "desk", "en"), "needs an id without"),
            (lambda: revise.add_answer(LIVE, "new", "text", [" "], "desk", "en"), "at least one question"),
            (lambda: revise.add_answer(LIVE, "tea", "text", ["q"], "desk", "en"), "there is an answer 'tea'"),
            (lambda: revise.retire_question(LIVE, "what"), "there is no question 'what'"),
            (
                lambda: revise.retire_question(LIVE, "money back", "tea"),
                "there is no question 'money back' of 'tea'",
            ),
            (lambda: revise.retire_answer(LIVE, "nobody"), "there is no answer 'nobody'"),
            (lambda: revise.merge_answers(LIVE, "tea", "tea"), "cannot be merged with itself"),
            (lambda: revise.merge_answers(LIVE, "tea", "refund"), "there is no answer 'tea' in 'zh'"),
        ],
    )
    def test_what_cannot_be_done_is_refused(self, edit: Callable[[], Plan], message: str) -> None:
        with pytest.raises(UserError, match=message):
            edit()
