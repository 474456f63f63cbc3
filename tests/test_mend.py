"""What agents do about questions without a right answer, on a bot on disk that counts words (tests/mending.py)."""

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from chatbot.check import Check
from chatbot.domain import Action, Conversation, HeldOutDialogue, HeldOutTurn, Role
from chatbot.editor import Editor
from chatbot.errors import UserError
from chatbot.insight import revise
from chatbot.insight.changes import Plan
from chatbot.insight.gaps import Gap
from chatbot.insight.revise import PROVENANCE
from chatbot.journal import Blamed, SqlEdits, SqlJournal, SqlReviews, Unanswered, Verdict
from chatbot.learn.difference import Difference
from chatbot.ui.casework import View
from chatbot.ui.mend import Draft, Mend, Offer, Refused, Subject, Why
from chatbot.ui.mend_show import (
    Topic,
    blamed_head,
    blamed_list,
    comparison,
    finished,
    offers,
    progress,
    topic_head,
    topics,
    trend,
)
from chatbot.ui.mend_words import CHINESE, ENGLISH, MEND_WORDS
from chatbot.ui.unanswered import by_topic, still_open
from tests.fakes import pair
from tests.mending import CountingBot, counting_bot

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
GAP = Subject("en", "a kayak", "added by {agent}, {day}")
TODAY = datetime.now(UTC).date().isoformat()


def asked(text: str, *expected: str, language: str = "en") -> HeldOutDialogue:
    return HeldOutDialogue(text, language, (HeldOutTurn(Role.USER, text, expected),))


DIALOGUES = (
    asked("where is my parcel", "track"),
    asked("a kayak"),  # nothing shall answer it
    asked("kayak hire", "boats"),
    asked("无人机", "drones", language="zh"),
)


@pytest.fixture
def live(tmp_path: Path) -> CountingBot:
    return counting_bot(tmp_path / "bot")


@pytest.fixture
def journal(place: str) -> Iterator[SqlJournal]:
    journal = SqlJournal.connect(place)
    yield journal
    journal.close()


@pytest.fixture
def mend(live: CountingBot, journal: SqlJournal) -> Mend:
    return Mend(
        Editor(live, SqlEdits(journal.database)),
        SqlReviews(journal.database),
        Check(live, DIALOGUES),
        threading.Lock(),
    )


def says(live: CountingBot, text: str) -> str | None:
    return live.reply(Conversation(), text).answer_id


def compared(mend: Mend, draft: Draft) -> Draft:
    *_, last = mend.compared(draft)
    assert isinstance(last, Draft)
    return last


class TestACopy:
    def test_what_is_tried_answers_and_what_serves_does_not(self, live: CountingBot) -> None:
        line, before, version = live.lines["en"], live.pairs(), live.version
        rows = np.array(sorted(line.table.pairs), dtype=np.int64)
        stored, classifier = line.questions.vectors(rows).copy(), line.classifier
        plan = revise.add_answer(before, "boats", "Three kinds.", ["rent a kayak"], "test", "en")
        gone = revise.retire_answer(before, "refund")
        tried = live.tried(Plan(gone.removed, plan.added))
        assert tried.reply(Conversation(), "kayak").answer_id == "boats"
        assert tried.reply(Conversation(), "refund").decision.action is Action.HAND_OVER
        assert tried.reply(Conversation(), "包裹").answer_id == "track"
        assert (says(live, "kayak"), says(live, "refund")) == (None, "refund")
        assert (live.pairs(), live.version, line.classifier) == (before, version, classifier)
        assert np.array_equal(line.questions.vectors(rows), stored)
        assert [len(index) for index in (line.questions, line.answers, line.lexical)] == [4, 3, 4]
        assert line.lexical.search(["kayak"], 1)[1].tolist() == [[-1]]

    def test_it_says_what_the_published_bot_says(self, live: CountingBot) -> None:
        plan = revise.add_questions(live.pairs(), "wrap", ["a drone as a gift", "drone"], "test", "en")
        tried = live.tried(plan)
        live.publish(plan)
        for text in ("drone", "gift", "gift drone", "parcel", "kayak", "礼品"):
            mine, other = tried.reply(Conversation(), text), live.reply(Conversation(), text)
            assert mine.decision == other.decision

    def test_a_plan_that_does_not_fit_is_not_tried(self, live: CountingBot) -> None:
        with pytest.raises(UserError, match="no longer as it was"):
            live.tried(Plan(removed=(pair("kayak", "boats"),)))


class TestTheCheck:
    def test_turns_that_flip(self, mend: Mend) -> None:
        draft = mend.new_answer(GAP, ["a kayak", "kayak hire"], "boats", "Three kinds.", "Anna")
        steps = list(mend.compared(draft))
        assert steps[0] == 0.0
        found = steps[-1]
        assert isinstance(found, Draft) and isinstance(found.difference, Difference) and found.harms
        assert found.difference.turns == 3  # the Chinese one cannot change
        assert [flip[3:] for flip in found.difference.flips] == [
            ("a kayak", "", "hand_over", "answer boats", "worse"),
            ("kayak hire", "boats", "hand_over", "answer boats", "better"),
        ]
        assert says(mend.live, "kayak") is None  # type: ignore[arg-type]

    def test_nothing_flips_and_nothing_is_harmed(self, mend: Mend) -> None:
        found = compared(mend, mend.to_answer(GAP, ["please send me my parcel"], "track", "Anna"))
        assert found.difference is not None and found.difference.flips == () and not found.harms

    def test_what_the_bot_says_now_is_asked_once_a_version(self, mend: Mend) -> None:
        draft = mend.to_answer(GAP, ["a kayak"], "track", "Anna")
        first = compared(mend, draft).difference
        known = dict(mend.check.known)
        assert {key[0] for key in known} == {mend.live.version} and len(known) == 3
        again = compared(mend, draft).difference
        assert again is not None and first is not None and again.flips == first.flips
        mend.publish(draft, "Anna")
        compared(mend, mend.to_answer(GAP, ["a drone"], "track", "Anna"))
        assert {key[0] for key in mend.check.known} == {mend.live.version}

    def test_dialogues_of_other_languages_say_nothing(self, mend: Mend) -> None:
        chinese = mend.new_answer(replace(GAP, language="zh"), ["皮划艇"], "boats", "三种。", "Anna").plan
        only = Check(mend.live, DIALOGUES[:3])
        assert mend.check.covers(chinese) and not only.covers(chinese)
        elsewhere = asked("où", language="fr")  # answered by one of the bot's languages, or by none
        assert Check(mend.live, (elsewhere,)).covers(chinese)
        unscored = HeldOutDialogue("d", "zh", (HeldOutTurn(Role.USER, "皮划艇"),))
        assert not Check(mend.live, (unscored,)).covers(chinese)


class TestWhatIsPublished:
    def test_questions_of_an_answer_are_live_with_their_source_and_are_taken_back(self, mend: Mend) -> None:
        version, before = mend.live.version, mend.live.pairs()
        done = mend.publish(mend.to_answer(GAP, ["a kayak", "kayak hire"], "wrap", " Anna "), "Anna")
        assert [(p.question, p.answer_id, p.metadata[PROVENANCE]) for p in done.published.plan.added] == [
            ("a kayak", "wrap", f"added by Anna, {TODAY}"),
            ("kayak hire", "wrap", f"added by Anna, {TODAY}"),
        ]
        assert mend.live.reply(Conversation(), "kayak").answer_id == "wrap"
        mend.take_back(done, "Anna")
        assert (mend.live.version, mend.live.pairs()) == (version, before)
        with pytest.raises(UserError):
            mend.take_back(done, "Anna")

    def test_what_came_since_stays_when_an_edit_is_taken_back(self, mend: Mend) -> None:
        first = mend.publish(mend.new_answer(GAP, ["a kayak"], "boats", "Three kinds.", "Anna"), "Anna")
        mend.publish(mend.new_answer(GAP, ["a drone"], "drones", "Two kinds.", "Bo"), "Bo")
        mend.take_back(first, "Anna")
        assert {p.answer_id for p in mend.live.pairs()} == {"track", "wrap", "refund", "drones"}

    def test_a_draft_of_an_earlier_version_is_not_published(self, mend: Mend) -> None:
        draft = mend.new_answer(GAP, ["a kayak"], "boats", "Three kinds.", "Anna")
        mend.publish(mend.new_answer(GAP, ["a drone"], "drones", "Two kinds.", "Bo"), "Bo")
        with pytest.raises(Refused) as refused:
            mend.publish(draft, "Anna")
        assert refused.value.why is Why.CHANGED

    @pytest.mark.parametrize(
        ("questions", "answer_id", "text", "agent", "why"),
        [
            (["kayak"], "boats", "Yes.", " ", Why.NAMELESS),
            ([], "boats", "Yes.", "Anna", Why.NO_QUESTION),
            ([" "], "boats", "Yes.", "Anna", Why.NO_QUESTION),
            (["kayak"], "boats", "\u200b", "Anna", Why.NO_TEXT),
            (["kayak"], " ", "Yes.", "Anna", Why.BAD_ID),
            (["kayak"], "a|b", "Yes.", "Anna", Why.BAD_ID),
            (["kayak"], " track ", "Yes.", "Anna", Why.TAKEN_ID),
        ],
    )
    def test_mistakes_have_words(
        self, mend: Mend, questions: list[str], answer_id: str, text: str, agent: str, why: Why
    ) -> None:
        with pytest.raises(Refused) as refused:
            mend.new_answer(GAP, questions, answer_id, text, agent)
        assert refused.value.why is why
        assert all(set(words.refusals) == set(Why) for words in MEND_WORDS.values())

    def test_more_mistakes(self, mend: Mend) -> None:
        for answer_id, why in (("wrap", Why.THERE_ALREADY), ("nobody", Why.CHANGED)):
            with pytest.raises(Refused) as refused:
                mend.to_answer(GAP, ["Gift wrapping!"], answer_id, "Anna")
            assert refused.value.why is why

    def test_an_id_of_a_name_that_nobody_has(self, mend: Mend) -> None:
        assert mend.fresh_id("Do you rent <b>Kayaks</b>?") == "do_you_rent_b_kayaks_b"
        assert mend.fresh_id("你们 出租皮划艇吗？") == "你们_出租皮划艇吗"
        assert mend.fresh_id("Track!") == "track_2"

    def test_answers_are_offered_by_nearness_and_by_id(self, mend: Mend) -> None:
        (best, *_) = mend.offers("en", "refund")
        assert (best.answer_id, best.answer) == ("refund", "Within 14 days.")
        assert best.similarity is not None and best.similarity > 0.999
        assert mend.offers("zh", "礼品")[0].answer == "我们提供包装。"
        assert mend.offers("en", " ") == mend.offers("fr", "refund") == ()
        questions = ("gift", "gifts", "gift gift", "a gift", "the gift")
        pairs = [pair(text, f"answer_{place}") for place, text in enumerate(questions)]
        mend.live.publish(Plan(added=tuple(pairs)))
        found = mend.offers("en", "REFUN")  # five are as near as "refund please", which comes behind them
        assert [one.similarity is None for one in found].count(True) == (
            "refund" in [o.answer_id for o in found[5:]]
        )
        assert "refund" in {one.answer_id for one in found}


class TestCorrections:
    @pytest.fixture
    def blamed(self, mend: Mend, journal: SqlJournal) -> Subject:
        talk = journal.open()
        number = journal.record(talk, "parcel parcel", mend.live.reply(Conversation(), "parcel parcel"))
        journal.feedback(number, False)
        return Subject("en", "parcel parcel", "corrected by {agent}, {day}", number, "track")

    def test_the_question_moves_to_the_right_answer_and_the_review_is_kept(
        self, mend: Mend, blamed: Subject
    ) -> None:
        assert blamed.number is not None
        done = mend.publish(mend.to_answer(blamed, ["Parcel, parcel?"], "wrap", "Anna"), "Anna")
        assert [(p.question, p.metadata[PROVENANCE]) for p in done.published.plan.added] == [
            ("Parcel, parcel?", f"corrected by Anna, {TODAY}")
        ]
        assert [p.question for p in done.published.plan.removed] == ["parcel parcel"]
        assert mend.reviews.blamed() == []
        with pytest.raises(Refused) as refused:
            mend.to_answer(blamed, ["parcel parcel"], "refund", "Bo")
        assert refused.value.why is Why.JUDGED
        mend.take_back(done, "Anna")
        assert [one.number for one in mend.reviews.blamed()] == [blamed.number]
        assert any(p.question == "parcel parcel" for p in mend.live.pairs())
        assert [verdict for verdict, _ in mend.reviews.verdicts(blamed.number)] == [
            Verdict.CORRECTED,
            Verdict.REOPENED,
        ]

    def test_the_last_question_of_an_answer_stays(self, mend: Mend, blamed: Subject) -> None:
        draft = mend.to_answer(replace(blamed, wrong="refund"), ["refund please"], "wrap", "Anna")
        assert draft.plan.removed == ()

    def test_an_answer_that_was_right_is_judged_once(self, mend: Mend, blamed: Subject) -> None:
        version = mend.live.version
        mend.was_right(blamed, "Anna")
        assert (mend.reviews.blamed(), mend.live.version) == ([], version)
        with pytest.raises(Refused):
            mend.was_right(blamed, "Bo")
        with pytest.raises(Refused):
            mend.publish(Draft(blamed, "wrap", Plan(), version), "Bo")


class TestGaps:
    def test_what_is_answered_now_is_left_out_and_comes_back(self, mend: Mend) -> None:
        kept = [
            Unanswered("A kayak?", "en", NOW, 2),
            Unanswered("a kayak", "en", NOW, 1),
            Unanswered("any drone", "en", NOW, 5),
            Unanswered("皮划艇", "zh", NOW, 1),
            Unanswered("où", "fr", NOW, 3),
        ]

        def left() -> list[str]:
            *_, last = still_open(kept, mend.live)
            assert isinstance(last, list)
            return [one.text for one in last]

        assert left() == ["A kayak?", "a kayak", "any drone", "皮划艇", "où"]
        done = mend.publish(mend.new_answer(GAP, ["kayak"], "boats", "Three kinds.", "Anna"), "Anna")
        assert left() == ["any drone", "皮划艇", "où"]
        mend.take_back(done, "Anna")
        assert len(left()) == 5

    def test_topics_of_all_languages_by_size(self, mend: Mend) -> None:
        kept = [
            Unanswered("皮划艇", "zh", NOW, 4),
            Unanswered("a kayak", "en", NOW, 3),
            Unanswered("où", "fr", NOW, 2),
            Unanswered("привет", "ru", NOW, 1),
        ]
        shown = by_topic(kept, mend, NOW)
        assert [(topic.language, topic.gap.name, topic.gap.count) for topic in shown.topics] == [
            ("zh", "皮划艇", 4),
            ("en", "a kayak", 3),
        ]
        assert shown.elsewhere == (("fr", 2), ("ru", 1))
        assert by_topic([], mend, NOW).topics == ()


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>'\""


def test_everything_that_others_wrote_is_escaped() -> None:
    gap = Gap(HOSTILE, 3, (HOSTILE,), (0,) * 13 + (3,), True, ())
    subject = replace(GAP, name=HOSTILE)
    flip = (HOSTILE, 1, "en", HOSTILE, HOSTILE, f"answer {HOSTILE}", "hand_over", "worse")
    draft = Draft(subject, HOSTILE, Plan(added=(pair("x", HOSTILE),)), "v", Difference(1, {}, (flip,)))
    blamed = Blamed(1, "talk", HOSTILE, HOSTILE, HOSTILE, "en", HOSTILE, NOW)
    for words in MEND_WORDS.values():
        drawn = [
            topics([Topic("en", gap)], 0, [(HOSTILE, 1)], words),
            topic_head(Topic("en", gap), 0, words),
            blamed_list([blamed], 1, words),
            blamed_head(blamed, (), View(), words),
            offers([Offer(HOSTILE, HOSTILE, HOSTILE, 0.5, 0.5)], words),
            comparison(draft, words),
        ]
        assert not [one for one in drawn if re.search(r"<script|<img|onerror=\S+alert\(2\)>(?!&)", one)]
        assert 'data-answer="&lt;script' in drawn[4] and "&#x27;&quot;" in drawn[4]


def test_a_trend_is_drawn_and_told() -> None:
    assert trend((0, 2, 4), ENGLISH) == (
        '<svg class="trend" role="img" aria-label="Asked on each of the last 3 days, oldest first: 0, 2, 4" '
        'viewBox="0 0 25 28" width="25" height="28">'
        '<rect x="0" y="27" width="7" height="1" rx="1"/><rect x="9" y="14" width="7" height="14" rx="1"/>'
        '<rect x="18" y="0" width="7" height="28" rx="1"/></svg>'
    )
    assert 'aria-label="最近 3 天每天的提问次数（从早到晚）：0, 2, 4"' in trend((0, 2, 4), CHINESE)


def test_what_a_check_found_in_words() -> None:
    flips = [("d", 1, "en", "a kayak", "", "hand_over", "answer boats", change) for change in ("worse", "better")]
    draft = Draft(GAP, "boats", Plan(), "v", Difference(7, {}, tuple(flips)))
    told = comparison(draft, ENGLISH)
    assert "Tried on 7 held-out turns: 1 that were right would go wrong, 1 would come right" in told
    assert '<th scope="row">worse</th><td>a kayak</td><td>no stored answer</td>' in told
    assert "<td>hands over</td><td>answers boats</td>" in told and 'class="compared warn"' in told
    none = comparison(replace(draft, difference=Difference(7, {}, ())), CHINESE)
    assert "已用 7 条留出的消息试验： 没有任何变化。" in none and "table" not in none and "compared fine" in none
    assert "50%" in progress(ENGLISH.comparing, 0.5) and 'value="0.50"' in progress(ENGLISH.comparing, 0.5)
    assert finished(None, ENGLISH) == comparison(replace(draft, difference=None), ENGLISH) == ""
