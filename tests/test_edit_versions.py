"""Which version of the bot gave a reply, while it is edited. The bot counts words (tests/mending.py)."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chatbot.converse import Chatbot
from chatbot.domain import Conversation, Reply
from chatbot.edit import LiveBot
from chatbot.errors import Unavailable
from chatbot.insight.changes import Plan
from tests.fakes import pair
from tests.mending import CountingBot, counting_bot

KAYAKS = Plan(added=(pair("kayak kayak", "kayaks", "Three kinds."),))


def ask(live: LiveBot) -> Reply:
    return live.reply(Conversation(), "kayak")


@pytest.fixture
def live(tmp_path: Path) -> CountingBot:
    return counting_bot(tmp_path / "bot")


class PausingBot(CountingBot):
    """Waits before an edit is written."""

    def __init__(self, live: CountingBot) -> None:
        super().__init__(live.bot, live.folder, live.manifest)
        self.is_made, self.go_on = threading.Event(), threading.Event()
        self.disk_is_full = False

    def _written(self, bot: Chatbot, changed: Sequence[str]) -> str:
        self.is_made.set()
        self.go_on.wait(30)
        if self.disk_is_full:
            raise Unavailable("no room")
        return super()._written(bot, changed)


def test_a_reply_has_the_version_that_is_live(live: CountingBot) -> None:
    first = live.version
    assert (ask(live).answer_id, ask(live).version) == (None, first)
    second = live.publish(KAYAKS)
    assert (ask(live).answer_id, ask(live).version) == ("kayaks", second)
    live.rollback(first)
    assert (ask(live).answer_id, ask(live).version) == (None, first)


@pytest.mark.parametrize("fails", [False, True])
def test_an_edit_is_live_once_it_is_written(live: CountingBot, fails: bool) -> None:
    pausing, before = PausingBot(live), live.version
    pausing.disk_is_full = fails
    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(pausing.publish, KAYAKS)
        assert pausing.is_made.wait(30)
        meanwhile = ask(pausing)
        pausing.go_on.set()
        assert (meanwhile.answer_id, meanwhile.version) == (None, before)
        if fails:
            with pytest.raises(Unavailable):
                publishing.result()
            assert (ask(pausing).answer_id, ask(pausing).version) == (None, before)
        else:
            version = publishing.result()
            assert (ask(pausing).answer_id, ask(pausing).version) == ("kayaks", version)
            assert version != before


def test_no_reply_is_said_to_be_of_another_version(live: CountingBot) -> None:
    """Whoever knows kayaks is of a version that holds them, whenever it was asked."""
    without, holding, replies, done = [live.version], list[str](), list[Reply](), threading.Event()

    def customer() -> None:
        while not done.is_set():
            replies.append(ask(live))

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(customer) for _ in range(3)]
        for _ in range(5):
            for plan, versions in ((KAYAKS, holding), (KAYAKS.undone, without)):
                versions.append(live.publish(plan))
                replies.append(ask(live))
                time.sleep(0.05)
        done.set()
        for one in asking:
            one.result()
    assert {reply.version for reply in replies if reply.answer_id == "kayaks"} == {*holding}
    assert {reply.version for reply in replies if reply.answer_id is None} == {*without}
