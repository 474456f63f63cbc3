"""No test reaches outside this machine: a connection to anything but the loopback fails, but for browser tests."""

import ipaddress
import json
import os
import sys
import uuid
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy as sql
from playwright.sync_api import Browser

import app
from chatbot.answer import Templates
from chatbot.assemble import load_bot
from chatbot.bundle import load
from chatbot.converse import Chatbot
from chatbot.corpus import read_pairs
from chatbot.privacy import cleaned
from chatbot.settings import Settings
from tests.browsing import chromium

hypothesis.settings.register_profile("here", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("here")

LOOPBACK_NAMES = {"", "localhost", "0.0.0.0", "::"}


class OutsideWorld(RuntimeError):
    """A test tried to reach another machine. No OSError, so that no code takes it for a network that is down."""


class _Gate:
    shut = True


def _is_loopback(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else "" if host is None else str(host)
    if name in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """Every connection of this process passes here, whichever library opens it."""
    if not _Gate.shut or not event.startswith("socket."):
        return
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and not _is_loopback(address[0]):  # a Unix socket's address is no tuple
            raise OutsideWorld(f"a test connects to {address}")
    if event in ("socket.getaddrinfo", "socket.gethostbyname") and not _is_loopback(arguments[0]):
        raise OutsideWorld(f"a test looks up {arguments[0]!r}")


sys.addaudithook(_watch)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    _Gate.shut = item.get_closest_marker("browser") is None
    try:
        return (yield)
    finally:
        _Gate.shut = True


POSTGRES = os.environ.get("CHATBOT_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/test")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a journal may be made, as the command line takes it: each test on SQLite and on a PostgreSQL server,
    in a schema of its own."""
    if request.param == "sqlite":
        yield str(tmp_path / "new folder" / "journal.sqlite")
        return
    if (reason := no_postgres()) is not None:
        pytest.skip(reason)
    name, engine = f"test_{uuid.uuid4().hex}", sql.create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sql.schema.CreateSchema(name))
        yield (
            sql.make_url(POSTGRES).update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(False)
        )
        connection.execute(sql.schema.DropSchema(name, cascade=True))
    engine.dispose()


@cache
def no_postgres() -> str | None:
    """Why there is no PostgreSQL to test on; None where there is one."""
    try:
        engine = sql.create_engine(POSTGRES, connect_args={"connect_timeout": 5})
        engine.connect().close()
        engine.dispose()
    except (sql.exc.SQLAlchemyError, ImportError) as cause:
        where = sql.make_url(POSTGRES).render_as_string()
        return f"no PostgreSQL at {where}, name one in CHATBOT_TEST_POSTGRES: {cause!s:.200}"
    return None


@pytest.fixture(scope="session")
def index() -> Path:
    """The demo bot's folder; it is trained where it is missing or of other pairs."""
    if not _is_current(app.INDEX):
        assert app.train() == 0
    return app.INDEX


@pytest.fixture(scope="session")
def bot(index: Path) -> Chatbot:
    return load_bot(index)


def _is_current(folder: Path) -> bool:
    if not app.is_built(folder):
        return False
    files, manifest = load(folder)
    stored = {
        json.loads(line)["id"]
        for language in manifest.bot["languages"]
        for line in (files / language / "pairs.jsonl").read_text("utf-8").splitlines()
    }
    settings = Settings.parse(manifest.bot["settings"], "the manifest")
    corpus, _ = cleaned(read_pairs(app.PAIRS), settings.privacy, Templates.load(app.DEMO / "templates.toml"))
    return stored == {pair.id for pair in corpus.pairs}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened
