"""Several bots in one process: which is loaded and parked when, and what of their models is in memory once."""

import gc
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sql
from playwright.sync_api import Browser, expect

from chatbot import bundle
from chatbot.__main__ import main
from chatbot.access import Role
from chatbot.converse import Chatbot
from chatbot.domain import Conversation
from chatbot.edit import LiveBot
from chatbot.engine import PackedEncoder
from chatbot.errors import BotError, UserError
from chatbot.fleet import Fleet, named, sharing
from chatbot.insight.changes import Plan
from chatbot.journal import SqlAccounts, SqlJournal
from chatbot.journal_commands import journal_of
from chatbot.manifest import Manifest
from chatbot.room import OnDemand, Room, settling
from chatbot.serve.bots import served
from chatbot.serve.start import Offer, start
from chatbot.shared import Models, Shared
from chatbot.ui.launch import launch
from chatbot.ui.paths import is_for_customers
from chatbot.ui.site import pages
from tests.conftest import POSTGRES, no_postgres
from tests.fakes import pair
from tests.mending import counted, counting_bot

SIZE = 40  # of each guest
KAYAKS = Plan(added=(pair("kayak kayak", "kayaks", "Three kinds."),))


@dataclass
class House:
    """A room whose guests take SIZE each, and what happened in it."""

    limit: int
    guests: dict[str, OnDemand[str]] = field(default_factory=dict)
    loads: list[str] = field(default_factory=list)
    trims: int = 0

    def __post_init__(self) -> None:
        self.room = Room(self.limit, lambda: SIZE * len(self.loaded), self._trim)
        self.guests = {name: self.room.guest() for name in "abcd"}

    def load(self, name: str) -> str:
        self.loads.append(name)
        return name.upper()

    def _trim(self) -> None:
        self.trims += 1

    @property
    def loaded(self) -> str:
        return "".join(name for name, guest in self.guests.items() if guest.is_loaded)

    def use(self, names: str) -> str:
        return "".join(self.guests[name].get(partial(self.load, name)) for name in names)


class TestRoom:
    def test_the_one_that_rested_longest_is_parked_and_comes_back(self) -> None:
        house = House(limit=100)  # two fit
        assert (house.use("ab"), house.loaded, house.loads) == ("AB", "ab", ["a", "b"])
        assert (house.use("c"), house.loaded) == ("C", "bc")
        assert (house.use("ba"), house.loaded) == ("BA", "ab")  # b was used since c was loaded
        assert (house.loads, house.trims) == (["a", "b", "c", "a"], 2)

    def test_only_as_many_are_parked_as_have_to_be(self) -> None:
        house = House(limit=3 * SIZE)
        house.use("abc")
        assert house.loaded == "abc"  # the limit itself is kept
        house.use("d")
        assert house.loaded == "bcd"

    def test_what_is_in_use_stays_however_long_ago_it_was_asked_for(self) -> None:
        house = House(limit=100)
        load = partial(house.load, "a")
        with house.guests["a"].in_use(load) as value, house.guests["a"].in_use(load):
            house.use("bc")
            assert (value, house.loaded) == ("A", "ac")
            assert not house.guests["a"].park()
        house.use("b")  # a was given back after c was used
        assert house.loaded == "ab"

    def test_what_was_just_loaded_stays_even_alone_above_the_limit(self, caplog: pytest.LogCaptureFixture) -> None:
        house = House(limit=SIZE - 1)
        assert house.use("abd") == "ABD"
        assert house.loaded == "d"
        assert "above the limit" in caplog.text

    def test_without_a_limit_nothing_is_parked(self) -> None:
        house = House(limit=0)
        house.use("abcd")
        assert (house.loaded, house.trims) == ("abcd", 0)

    def test_who_asks_while_it_is_loaded_waits_for_the_same_load(self) -> None:
        begun, go_on, loads = threading.Event(), threading.Event(), list[object]()

        def load() -> object:
            begun.set()
            assert go_on.wait(30)
            loads.append(object())
            return loads[-1]

        guest: OnDemand[object] = Room().guest()
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(guest.get, load) for _ in range(8)]
            assert begun.wait(30)
            go_on.set()
            assert {one.result() for one in asked} == {loads[0]}
        assert len(loads) == 1

    def test_a_failure_is_told_to_each_and_tried_again(self) -> None:
        begun, go_on, tries = threading.Event(), threading.Event(), list[int]()

        def load() -> str:
            tries.append(1)
            begun.set()
            assert go_on.wait(30)
            if len(tries) == 1:
                raise BotError("damaged")
            return "mended"

        guest: OnDemand[str] = Room().guest()
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(guest.get, load)
            assert begun.wait(30)
            second = pool.submit(guest.get, load)
            time.sleep(0.2)  # it waits for the load that is going on
            go_on.set()
            for one in (first, second):
                with pytest.raises(BotError, match="damaged"):
                    one.result()
        assert (len(tries), guest.is_loaded) == (1, False)
        assert (guest.get(load), len(tries)) == ("mended", 2)

    def test_memory_is_measured_and_given_back(self) -> None:
        """In a process of its own: one that had much before need not ask for more."""
        program = (
            "from chatbot.room import give_back, resident\n"
            "before = resident()\n"
            "blocks = [bytes(1000) + bytes([i % 7]) for i in range(100_000)]  # in the C library's heap\n"
            "taken = resident() - before\n"
            "del blocks\n"
            "give_back()\n"
            "print(taken, resident() - before)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        taken, left = map(int, done.stdout.split())
        assert taken > 80e6 and left < 40e6


class TestShared:
    class Thing:
        pass

    def test_equal_keys_give_one_thing_until_its_last_user_has_gone(self) -> None:
        shared = Shared()
        one, other = shared.of(("a", 1), self.Thing), shared.of(("a", 1), self.Thing)
        another = shared.of(("a", 2), self.Thing)
        assert one is other and another is not one and len(shared) == 2
        del one
        assert len(shared) == 2
        del other
        gc.collect()
        assert len(shared) == 1

    def test_what_fails_is_made_again(self) -> None:
        shared = Shared()

        def fail() -> TestShared.Thing:
            raise BotError("damaged")

        with pytest.raises(BotError):
            shared.of(("a",), fail)
        assert isinstance(shared.of(("a",), self.Thing), self.Thing)


def ask(live: LiveBot, text: str = "where is my parcel") -> str | None:
    return live.reply(Conversation(), text).answer_id


class Counting:
    """Loads counting bots (tests/mending.py) and remembers which; each takes one unit of memory."""

    def __init__(self, folder: Path, names: Sequence[str], limit: int) -> None:
        for name in names:
            counting_bot(folder / name)
        self.loads: list[str] = []
        self.broken: set[str] = set()
        self.room = Room(limit, lambda: len(self.fleet.loaded), lambda: None)
        self.fleet = Fleet.open([folder / name for name in names], self.room, self.assembled)

    def assembled(self, files: Path, manifest: Manifest, folder: Path) -> Chatbot:
        self.loads.append(folder.name)
        if folder.name in self.broken:
            raise BotError(f"{folder.name} is damaged")
        return counted(files, manifest, folder)


class PausingBot(LiveBot):
    """Waits in the middle of publishing."""

    is_writing, go_on = threading.Event(), threading.Event()

    def _written(self, bot: Chatbot, changed: Sequence[str]) -> str:
        self.is_writing.set()
        assert self.go_on.wait(30)
        return super()._written(bot, changed)


class TestFleet:
    def test_bots_have_their_order_and_are_loaded_when_they_are_used(self, tmp_path: Path) -> None:
        kept = Counting(tmp_path, ["shop", "help-2", "a_b"], limit=2)
        fleet = kept.fleet
        assert (fleet.names, fleet.default, fleet.loaded) == (("shop", "help-2", "a_b"), "shop", ())
        live = fleet.bot("help-2")
        assert (live.languages, live.version, live.settings.profile) == (
            *(("en", "zh"), bundle.in_use(tmp_path / "help-2"), "default"),
        )
        assert kept.loads == []
        assert (ask(live), kept.loads, fleet.loaded) == ("track", ["help-2"], ("help-2",))
        ask(fleet.bot("shop"))
        ask(fleet.bot("a_b"))
        assert (kept.loads, fleet.loaded) == (["help-2", "shop", "a_b"], ("shop", "a_b"))

    def test_an_edit_is_there_after_parking_and_only_there(self, tmp_path: Path) -> None:
        kept = Counting(tmp_path, ["one", "two"], limit=1)
        one, two = kept.fleet.bot("one"), kept.fleet.bot("two")
        version = one.publish(KAYAKS)
        assert (ask(two, "kayak"), kept.fleet.loaded) == (None, ("two",))
        assert (one.version, one.is_loaded) == (version, False)
        reply = one.reply(Conversation(), "kayak")
        assert (reply.answer_id, reply.version) == ("kayaks", version)

    def test_it_comes_back_as_it_was_whatever_another_program_did(self, tmp_path: Path) -> None:
        kept = Counting(tmp_path, ["one", "two"], limit=1)
        one = kept.fleet.bot("one")
        ask(one)
        before = one.version
        ask(kept.fleet.bot("two"))
        LiveBot(counted(*bundle.load(one.folder), one.folder), one.folder, one.manifest, counted).publish(KAYAKS)
        assert (ask(one, "kayak"), one.version) == (None, before)
        assert one.reload() == bundle.in_use(one.folder) != before
        assert ask(one, "kayak") == "kayaks"

    def test_where_that_is_gone_it_comes_back_as_what_is_in_use(self, tmp_path: Path) -> None:
        kept = Counting(tmp_path, ["one"], limit=1)
        one = kept.fleet.bot("one")
        version = one.publish(KAYAKS)
        assert one.park()
        bundle.rollback(one.folder)
        (one.folder / bundle.VERSIONS / version / "en" / "pairs.jsonl").write_text("{}", "utf-8")
        assert (ask(one, "kayak"), one.version) == (None, bundle.in_use(one.folder))

    def test_nobody_is_parked_in_the_middle_of_an_edit(self, tmp_path: Path) -> None:
        kept = Counting(tmp_path, ["one", "two"], limit=1)
        live = PausingBot.parked(tmp_path / "one", counted, kept.room)
        with ThreadPoolExecutor(1) as pool:
            publishing = pool.submit(live.publish, KAYAKS)
            assert live.is_writing.wait(30)
            ask(kept.fleet.bot("two"))
            assert live.is_loaded and not live.park()
            live.go_on.set()
            version = publishing.result()
        assert live.park()
        assert (ask(live, "kayak"), live.version) == ("kayaks", version)

    def test_a_bot_that_cannot_be_loaded_leaves_the_others_alone_and_is_tried_again(self, tmp_path: Path) -> None:
        kept = Counting(tmp_path, ["one", "two"], limit=2)
        kept.broken.add("one")
        for _ in range(2):
            with pytest.raises(BotError, match="one is damaged"):
                ask(kept.fleet.bot("one"))
        assert ask(kept.fleet.bot("two")) == "track"
        kept.broken.clear()
        assert ask(kept.fleet.bot("one")) == "track"
        assert kept.loads == ["one", "one", "two", "one"]

    def test_customers_are_answered_while_bots_come_and_go(self, tmp_path: Path) -> None:
        names = ["one", "two", "three"]
        kept = Counting(tmp_path, names, limit=1)
        wrong, done = list[object](), threading.Event()

        def customer(seed: int) -> int:
            chance, asked = random.Random(seed), 0
            while not done.is_set():
                live = kept.fleet.bot(chance.choice(names))
                text, right = chance.choice([("where is my parcel", "track"), ("礼品 包装", "wrap")])
                reply = live.reply(Conversation(), text)
                asked += 1
                if reply.answer_id != right or reply.version not in (None, *live.versions()):
                    wrong.append((live.folder.name, reply))
            return asked

        with ThreadPoolExecutor(4) as pool:
            customers = [pool.submit(customer, seed) for seed in range(4)]
            try:
                for _ in range(3):
                    for name in names:
                        live = kept.fleet.bot(name)
                        before = live.version
                        live.publish(KAYAKS)
                        assert ask(live, "kayak") == "kayaks"
                        live.rollback(before)
                        assert ask(live, "kayak") is None
            finally:
                done.set()
            asked = sum(one.result() for one in customers)
        assert wrong == []
        assert asked > 50 and len(kept.loads) > 20  # nine rollbacks, and many comings and goings
        for name in kept.fleet.loaded:
            assert kept.fleet.bot(name).park()  # nobody is taken to be in use any more

    def test_what_nobody_has_is_gone_at_once(self, tmp_path: Path) -> None:
        counting_bot(tmp_path / "one")
        room = Room()
        live = LiveBot.parked(tmp_path / "one", counted, room)
        line = weakref.ref(live.lines["en"])
        assert line() is not None
        gc.disable()  # which would tidy up circles
        try:
            assert live.park()
            assert line() is None
            line = weakref.ref(live.lines["en"])
            del live
            assert line() is None
        finally:
            gc.enable()

    @pytest.mark.parametrize("name", ["Shop", "-shop", "my shop", "商店", "s" * 65])
    def test_names_stand_in_addresses(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(UserError, match="cannot be the name of one bot among several; rename its folder"):
            named([tmp_path / "fine", tmp_path / name])
        assert list(named([tmp_path / name])) == ["bot"]  # alone it needs none

    def test_names_are_unique_and_known(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="two bots would be called 'shop' after their folders"):
            named([tmp_path / "a" / "shop", tmp_path / "shop"])
        kept = Counting(tmp_path, ["one", "two"], limit=0)
        with pytest.raises(BotError, match="there is no bot 'three'; there are one, two"):
            kept.fleet.bot("three")
        with pytest.raises(BotError, match="There is no folder"):
            Fleet.open([tmp_path / "three"], Room(), counted)


class TestService:
    def test_pages_are_there_before_any_bot_is_loaded(self, tmp_path: Path) -> None:
        kept = Counting(tmp_path, ["one", "two"], limit=1)
        journals = [
            SqlJournal.connect(journal_of(name, tmp_path / name, None, False)) for name in kept.fleet.names
        ]
        bots = [
            served(kept.fleet.bot(name), own, name) for name, own in zip(kept.fleet.names, journals, strict=True)
        ]
        found = pages(bots)
        assert list(found) == ["/", "/desk", "/workshop", "/bots/two", "/bots/two/desk", "/bots/two/workshop"]
        assert [path for path in found if is_for_customers(path)] == ["/", "/bots/two"]
        assert kept.loads == []
        assert (tmp_path / "two" / "journal.sqlite").is_file()
        assert [bot.company for bot in bots] == ["one", "two"]
        keys = [
            block.storage_key
            for path in ("/", "/bots/two")
            for block in found[path].blocks.values()
            if hasattr(block, "storage_key")
        ]
        assert keys == ["chatbot", "chatbot:two"]
        for own in journals:
            own.close()

    def test_each_bot_has_a_journal_of_its_own(self, tmp_path: Path) -> None:
        assert journal_of("shop", tmp_path, None, alone=False) == tmp_path / "journal.sqlite"
        assert journal_of("shop", tmp_path, "all.sqlite", alone=True) == "all.sqlite"
        assert journal_of("shop", tmp_path, "kept/{bot}.sqlite", alone=False) == "kept/shop.sqlite"
        with pytest.raises(UserError, match=r"so --journal must have \{bot\} in it"):
            journal_of("shop", tmp_path, "all.sqlite", alone=False)

    def test_a_schema_that_a_journal_names_is_made(self) -> None:
        if (reason := no_postgres()) is not None:
            pytest.skip(reason)
        engine = sql.create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
        names = [f"fleet-{os.getpid()}-{number}" for number in (1, 2)]
        url = f"{POSTGRES}?options=-csearch_path={{bot}}"
        try:
            with engine.connect() as connection:
                for _ in range(2):  # it is there the second time
                    journals = [SqlJournal.connect(journal_of(name, Path(), url, alone=False)) for name in names]
                    talks = [own.open("en") for own in journals]
                    for own in journals:
                        own.close()
                for name in names:
                    table = sql.table("conversations", sql.column("id"), schema=name)
                    assert connection.execute(sql.select(sql.func.count()).select_from(table)).scalar() == 2
                assert len(set(talks)) == 2
        finally:
            with engine.connect() as connection:
                for name in names:
                    connection.execute(sql.schema.DropSchema(name, cascade=True, if_exists=True))
            engine.dispose()

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (["--index", "{one}", "{two}", "--journal", "all.sqlite"], "must have {bot} in it"),
            (["--index", "{one}", "{one}"], "two bots would be called 'one'"),
            (["--index", "{one}", "{nowhere}"], "There is no folder"),
        ],
    )
    def test_mistakes_of_the_command_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], said: str
    ) -> None:
        for name in ("one", "two"):
            counting_bot(tmp_path / name)
        places = {"{one}": "one", "{two}": "two", "{nowhere}": "nowhere"}
        words = [str(tmp_path / places[word]) if word in places else word for word in given]
        assert main(["serve", *words]) == 1
        assert said in capsys.readouterr().err
        assert gc.isenabled()  # it is not, while a service is made

    def test_nobody_is_let_in_before_the_models_are_there(self, tmp_path: Path) -> None:
        counting_bot(tmp_path / "one")
        reached: list[bool] = []

        def loaded() -> None:
            with socket.create_server(("127.0.0.1", port)):  # the address is free
                reached.append(gc.isenabled())
            raise BotError("a model cannot be read")

        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        fleet = Fleet.open([tmp_path / "one"], Room(), counted)
        with pytest.raises(BotError, match="cannot be read"), settling():
            start(fleet, {"one": tmp_path / "journal.sqlite"}, (), None, Offer(port=port), loaded)
        assert (reached, gc.isenabled()) == ([False], True)


@pytest.mark.browser
def test_a_customer_of_two_bots_keeps_both_conversations_while_only_one_bot_fits(
    tmp_path: Path, browser: Browser
) -> None:
    kept = Counting(tmp_path, ["one", "two"], limit=1)
    kept.fleet.bot("two").publish(KAYAKS)
    journals = [SqlJournal.connect(tmp_path / name / "journal.sqlite") for name in kept.fleet.names]
    bots = [served(kept.fleet.bot(n), own, n) for n, own in zip(kept.fleet.names, journals, strict=True)]
    accounts = SqlAccounts(journals[0].database)
    accounts.create("Anna", "correct horse battery", Role.AGENT)
    site = launch(pages(bots), port=0, accounts=accounts)
    try:
        page = browser.new_context(locale="en").new_page()
        for path, said, loaded in (("", "passing you on", "one"), ("bots/two/", "Three kinds.", "two")):
            page.goto(f"{site.address}{path}")
            page.fill("#msg textarea", "kayak")
            page.click("#msg button.submit-button")
            expect(page.locator('#chat [data-testid="bot"]').first).to_contain_text(said)
            assert kept.fleet.loaded == (loaded,)
        for path, said in (("", "passing you on"), ("bots/two/", "Three kinds.")):
            page.goto(f"{site.address}{path}")
            expect(page.locator('#chat [data-testid="bot"]').first).to_contain_text(said)
        assert kept.fleet.loaded == ("two",)  # what was said is in the journals
        page.goto(f"{site.address}bots/two/desk")
        expect(page.locator("input[type=password]")).to_be_visible()
    finally:
        site.close()
        for own in journals:
            own.close()


ASKED = (
    "where is my parcel",
    "我的快递到哪了",
    "can I pay in instalments",
    "怎么退货",
    "hello",
    "do you sell tea",
)
MEASURED = """
import json, sys, time
from pathlib import Path
from chatbot.domain import Conversation
from chatbot.edit import LiveBot
from chatbot.fleet import Fleet, sharing
from chatbot.room import Room, give_back, resident

how, folders, asked = sys.argv[1], [Path(name) for name in sys.argv[2:4]], sys.argv[4:]
if how == "together":
    fleet = Fleet.open(folders, Room(), sharing())
    bots = [fleet.bot(name) for name in fleet.names]
else:
    bots = [LiveBot.parked(folder, sharing(), Room()) for folder in folders]
sizes, seconds, said = [], [], []

def measured(done):
    start = time.perf_counter()
    done()
    seconds.append(time.perf_counter() - start)
    give_back()
    sizes.append(resident() / 1e6)

def ask(live):
    said.append([live.reply(Conversation(), text).text for text in asked])

give_back()
sizes.append(resident() / 1e6)
for live in bots:
    measured(lambda: ask(live))
for live in reversed(bots):
    measured(live.park)
measured(lambda: ask(bots[0]))
print(json.dumps([sizes, seconds, said]))
"""


@pytest.fixture(scope="module")
def folders(index: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two copies of the demo bot."""
    made = [tmp_path_factory.mktemp("bots") / name for name in ("one", "two")]
    return [Path(shutil.copytree(index, to, ignore=shutil.ignore_patterns("*sqlite*"))) for to in made]


@pytest.mark.demo
@pytest.mark.timeout(1800)
class TestTheDemoBot:
    @staticmethod
    def measured(how: str, folders: Sequence[Path]) -> tuple[list[float], list[float], list[list[str]]]:
        """In a process of its own: MB before any bot is loaded, with one, two, one and none again, and with one
        that came back; the seconds of each step after the first; what was said."""
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, how, *map(str, folders), *ASKED],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[1],
        )
        sizes, seconds, said = json.loads(done.stdout)
        return sizes, seconds, said

    def test_two_copies_take_little_more_memory_than_one(self, folders: list[Path]) -> None:
        (none, one, two, one_again, none_again, back), _, said = self.measured("together", folders)
        alone = self.measured("apart", folders)[0]
        figures = f"together {none:.0f} {one:.0f} {two:.0f}, apart {alone[0]:.0f} {alone[1]:.0f} {alone[2]:.0f} MB"
        assert two - one < 0.25 * (one - none), figures  # pairs, indexes, classifiers are of each
        assert alone[2] - alone[1] > 0.7 * (alone[1] - alone[0]), figures
        assert one_again < two and none_again - none < 0.3 * (one - none), figures
        assert back < 1.2 * one
        assert said[0] == said[1] == said[2]  # both, and the one that came back

    def test_models_are_shared_by_their_content_and_what_they_remember_by_all_that_it_depends_on(
        self, folders: list[Path]
    ) -> None:
        fleet = Fleet.open(folders, Room(), sharing())
        one, two = (fleet.bot(name).lines for name in fleet.names)
        for language in ("en", "zh"):
            assert one[language].reranker is two[language].reranker
            assert one[language].encoder.tuned is two[language].encoder.tuned  # type: ignore[attr-defined]
            assert one[language].encoder.beside == two[language].encoder.beside  # type: ignore[attr-defined]
            assert one[language].table is not two[language].table
        encoder = one["zh"].encoder.tuned  # type: ignore[attr-defined]
        models = Models()
        ways = [("query: ", 64), ("", 64), ("query: ", 4)]
        text = "我昨天买的耳机想要退货，怎么退"
        encoders = [models.encoder(encoder.bert, *way, "it", 100) for way in ways]  # all of them alive
        through = [one.encode([text]) for one in encoders]
        alone = [PackedEncoder(encoder.bert, *way, "it", 100).encode([text]) for way in ways]
        for found, expected in zip(through, alone, strict=True):
            assert np.array_equal(found, expected)
        assert not np.array_equal(through[0], through[1]) and not np.array_equal(through[0], through[2])

    def test_a_parked_bot_comes_back_with_its_edit_and_a_reload_reads_no_model(self, folders: list[Path]) -> None:
        start = time.perf_counter()
        first = LiveBot.load(folders[0])
        loading = time.perf_counter() - start
        kayaks = Plan(added=(pair("do you rent out kayaks", "kayaks", "Yes, three kinds of kayaks."),))
        version = first.publish(kayaks)
        encoder = first.lines["en"].encoder.tuned  # type: ignore[attr-defined]
        start = time.perf_counter()
        assert first.reload() == version
        reloading = time.perf_counter() - start
        assert first.lines["en"].encoder.tuned is encoder  # type: ignore[attr-defined]
        assert reloading < 0.75 * loading, f"load {loading:.2f} s, reload {reloading:.2f} s"
        before = [first.reply(Conversation(), text) for text in (*ASKED, "do you rent out kayaks")]
        assert before[-1].answer_id == "kayaks"
        assert first.park()
        after = [first.reply(Conversation(), text) for text in (*ASKED, "do you rent out kayaks")]
        assert [(reply.text, reply.decision, reply.version) for reply in after] == [
            (reply.text, reply.decision, version) for reply in before
        ]
