"""A bot on disk that is edited while it serves. The models are the demo bot's; the pairs are its own, too."""

import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chatbot import bundle, edit
from chatbot.amend import add_pairs, remove_pairs
from chatbot.assemble import load_bot
from chatbot.decide import Calibration
from chatbot.domain import Action, Conversation, QAPair
from chatbot.edit import LiveBot, Published
from chatbot.errors import BotError, CorpusError, Unavailable, UserError
from chatbot.insight import revise
from chatbot.insight.changes import Plan
from chatbot.insight.whatif import Thresholds, moved
from tests.fakes import pair

pytestmark = [pytest.mark.demo, pytest.mark.timeout(1800)]
KAYAKS = pair("do you rent out kayaks", "kayaks", "Yes, three kinds of kayaks.")
ZH_KAYAKS = pair("你们出租皮划艇吗", "kayaks", "有三种皮划艇。", "zh")


@pytest.fixture(scope="module")
def copied(index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bots") / "bot"
    return Path(shutil.copytree(index, folder, ignore=shutil.ignore_patterns("*sqlite*")))


@pytest.fixture(scope="module")
def live(copied: Path) -> LiveBot:
    return LiveBot.load(copied)


@pytest.fixture(autouse=True)
def back(live: LiveBot) -> Iterator[None]:
    """Each test leaves the bot at the version that it found."""
    version = live.version
    yield
    if live.version != version or bundle.in_use(live.folder) != version:
        live.rollback(version)


def says(live: LiveBot, text: str) -> tuple[str | None, str]:
    reply = live.reply(Conversation(), text)
    return reply.answer_id, reply.text


def stored(folder: Path, text: str) -> str | None:
    """What the bot answers that another program would load."""
    return load_bot(folder).reply(Conversation(), text).answer_id


def test_an_answer_comes_in_both_languages_and_goes_by_rollback(live: LiveBot) -> None:
    before = live.version
    version = live.publish(Plan(added=(KAYAKS, ZH_KAYAKS)))
    assert version == live.version == bundle.in_use(live.folder) != before
    assert says(live, "do you rent out kayaks")[0] == "kayaks"
    assert says(live, "你们出租皮划艇吗")[0] == "kayaks"
    assert "Yes, three kinds of kayaks." in says(live, "do you rent out kayaks")[1]
    assert stored(live.folder, "do you rent out kayaks") == "kayaks"
    assert live.rollback() == before
    assert says(live, "do you rent out kayaks")[0] != "kayaks"
    assert KAYAKS not in live.pairs()


@pytest.mark.parametrize("added", [KAYAKS, ZH_KAYAKS])
def test_a_plan_is_tried_on_a_copy_that_says_what_the_published_bot_says(live: LiveBot, added: QAPair) -> None:
    version, before, asked = live.version, live.pairs(), [added.question, "where is my parcel", "怎么退货"]
    tried = live.tried(Plan(added=(added,)))
    assert tried.reply(Conversation(), added.question).answer_id == "kayaks"
    assert says(live, added.question)[0] != "kayaks"
    assert (live.version, live.pairs()) == (version, before)
    promised = [tried.reply(Conversation(), text).decision for text in asked]
    live.publish(Plan(added=(added,)))
    assert [live.reply(Conversation(), text).decision for text in asked] == promised


def test_an_edit_is_taken_back_and_what_came_since_stays(live: LiveBot) -> None:
    first, version = live.version, live.publish(Plan(added=(KAYAKS,)))
    live.publish(Plan(added=(ZH_KAYAKS,)))
    live.take_back(Published(Plan(added=(KAYAKS,)), version, first))
    assert KAYAKS not in live.pairs() and ZH_KAYAKS in live.pairs()


def test_an_answer_is_reworded_under_its_id_and_its_questions_keep_their_vectors(live: LiveBot) -> None:
    line = live.lines["en"]
    question = next(p for p in live.pairs() if (p.answer_id, p.language) == ("track_parcel", "en")).question
    (before,) = line.encoder.encode([question.casefold()])
    live.publish(revise.reword(live.pairs(), "track_parcel", "Look at My orders, then Track.", "en"))
    answer_id, text = says(live, "where is my parcel")
    assert answer_id == "track_parcel" and "Look at My orders, then Track." in text
    assert says(live, "我的快递到哪了")[0] == "track_parcel"  # Chinese is as it was
    line = live.lines["en"]
    row = next(row for row, p in line.table.pairs.items() if p.question == question)
    assert before @ line.questions.vectors(np.array([row]))[0] > 0.98


def test_merged_answers_answer_with_one_text(live: LiveBot) -> None:
    own = [p for p in live.pairs() if p.answer_id == "payment_methods"]
    version = live.publish(revise.merge_answers(live.pairs(), "track_parcel", "payment_methods"))
    assert not any(p.answer_id == "payment_methods" for p in live.pairs())
    reply = live.reply(Conversation(), own[0].question)
    assert reply.decision.candidates[0].pair.answer_id == "track_parcel"
    assert bundle.in_use(live.folder) == version


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan(), "nothing would change"),
        (Plan(added=(pair("où est mon colis", "colis", language="fr"),)), "no pairs in fr"),
        (Plan(removed=(KAYAKS,)), "'do you rent out kayaks' under 'kayaks' is no longer as it was"),
        (Plan(added=(KAYAKS, KAYAKS)), "would be there twice"),
        (Plan(added=(KAYAKS, replace(KAYAKS, id="x", answer="No."))), "'kayaks' would have two texts"),
        (Plan(added=(replace(KAYAKS, answer_id="track_parcel"),)), "'track_parcel' would have two texts"),
    ],
)
def test_a_plan_that_does_not_fit_changes_nothing(live: LiveBot, plan: Plan, message: str) -> None:
    before, version = live.pairs(), live.version
    with pytest.raises(UserError, match=message):
        live.publish(plan)
    assert (live.pairs(), live.version, bundle.in_use(live.folder)) == (before, version, version)


def test_a_language_is_never_left_without_pairs(live: LiveBot) -> None:
    with pytest.raises(UserError, match="that would leave no pair in 'zh'"):
        live.publish(Plan(removed=tuple(p for p in live.pairs() if p.language == "zh")))


def test_what_cannot_be_written_does_not_stay_in_memory(live: LiveBot, monkeypatch: pytest.MonkeyPatch) -> None:
    before, version, classifier = live.pairs(), live.version, live.lines["en"].classifier

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(edit, "save_pairs", full)
    with pytest.raises(Unavailable, match="No space left"):
        live.publish(Plan(removed=before[:1], added=(KAYAKS,)))
    assert sorted(p.id for p in live.pairs()) == sorted(p.id for p in before)
    assert (live.version, bundle.in_use(live.folder)) == (version, version)
    assert live.lines["en"].classifier is classifier


def test_the_change_of_another_program_is_not_lost(live: LiveBot) -> None:
    assert add_pairs([KAYAKS], live.folder) == 1
    assert add_pairs([KAYAKS], live.folder) == 0
    other = pair("do you sell paddles", "paddles", "Yes.")
    with pytest.raises(BotError, match=r"load it again"):
        live.publish(Plan(added=(other,)))
    assert other not in live.pairs()
    assert stored(live.folder, "do you rent out kayaks") == "kayaks"
    assert remove_pairs(["kayaks"], [], live.folder) == 1
    assert live.reload() == bundle.in_use(live.folder)
    live.publish(Plan(added=(other,)))


def test_mistakes_of_the_command_line(live: LiveBot) -> None:
    with pytest.raises(UserError, match=r"holds no answer or question 'nobody'; nothing was removed"):
        remove_pairs(["nobody", "track_parcel"], [], live.folder)
    with pytest.raises(CorpusError, match=r"one answer_id, several answers \(track_parcel: .*nothing was added"):
        add_pairs([replace(KAYAKS, answer_id="track_parcel")], live.folder)


def test_other_thresholds_hold_at_once_and_on_disk_and_go_by_rollback(live: LiveBot) -> None:
    before = live.lines["en"].calibration
    assert live.reply(Conversation(), "where is my parcel").decision.action is Action.ANSWER
    strict = moved(before, Thresholds(2.0, 0.0, 2.0, 0.0))
    live.decide_by("en", strict)
    for bot in (live, load_bot(live.folder)):
        assert bot.reply(Conversation(), "where is my parcel").decision.action is Action.CLARIFY
        assert bot.reply(Conversation(), "我的快递到哪了").decision.action is Action.ANSWER
    live.rollback()
    assert same(live.lines["en"].calibration, before)
    with pytest.raises(UserError, match="has no language 'fr'"):
        live.decide_by("fr", strict)


def same(one: Calibration, other: Calibration) -> bool:
    return one.as_json() == other.as_json()


def test_customers_are_answered_all_the_while(live: LiveBot) -> None:
    wrong: list[str | None] = []
    done = threading.Event()

    def keep_asking(texts: Sequence[str]) -> None:
        while not done.is_set():
            wrong.extend(found for text in texts if (found := says(live, text)[0]) != "track_parcel")

    asker = threading.Thread(target=keep_asking, args=(["where is my parcel", "我的快递到哪了"],))
    asker.start()
    for text in ("One.", "Two.", "Three."):
        live.publish(revise.reword(live.pairs(), "track_parcel", text, "en"))
    done.set()
    asker.join()
    assert wrong == []
