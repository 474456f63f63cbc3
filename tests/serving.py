"""A service over a real journal and accounts in SQLite, and bots with a visible rule; callers of all kinds."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn
from fastapi.testclient import TestClient
from starlette.types import ASGIApp

from chatbot.access import Scope
from chatbot.answer import Templates
from chatbot.customers import CustomerKey
from chatbot.domain import Conversation, QAPair, Reply
from chatbot.journal import SqlJournal
from chatbot.serve.app import application, around
from chatbot.serve.bots import Served, served
from chatbot.serve.limits import Limits
from chatbot.serve.service import Service
from chatbot.serve.start import make
from chatbot.settings import Settings
from tests.fakes import FakeResponder
from tests.live import FakeLive

SECRET = "a secret of the company and of nobody else"


def pair(question: str, answer_id: str = "A1", answer: str = "In three days.", language: str = "en") -> QAPair:
    return QAPair(
        QAPair.content_id(question, answer_id, language), question, answer, answer_id, language, "handbook"
    )


PAIRS = (
    pair("Where is it?"),
    pair("When does it come?"),
    pair("How do I pay?", "A2", "By card."),
    pair("怎么付款？", "A2", "刷卡。", "zh"),
)


class TalkingBot(FakeLive):
    """A FakeLive that answers by FakeResponder's rule, with its version."""

    is_loaded = False  # there are no models whose memories could be counted

    def __init__(self, name: str, pairs: tuple[QAPair, ...] = PAIRS) -> None:
        super().__init__(pairs)
        self.folder = Path(name)
        self.templates = Templates()
        self.settings = Settings.load()

    def reply(self, conversation: Conversation, text: str) -> Reply:
        version = self.version
        return replace(FakeResponder().reply(conversation, text), version=version)


@dataclass
class Serving:
    """A service, its application, and a client of it."""

    service: Service
    app: ASGIApp
    client: TestClient

    def key(self, *scopes: Scope, bot: str | None = None, name: str = "robot") -> dict[str, str]:
        """Headers of a new key."""
        bots = None if bot is None else frozenset((bot,))
        return bearer(self.service.accounts.create_key(name, frozenset(scopes), bots))

    def begin(self, **asked: str) -> tuple[str, dict[str, str]]:
        """A conversation's path, and the headers that open it."""
        begun = self.client.post("/v1/conversations", json=asked)
        assert begun.status_code == 201, begun.text
        return f"/v1/conversations/{begun.json()['id']}", bearer(begun.json()["token"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def bot(name: str, folder: Path) -> Served:
    live = TalkingBot(name)
    return served(live, SqlJournal.connect(folder / f"{name}.sqlite"), name, company="Kitewire")


@contextmanager
def serving(folder: Path, names: tuple[str, ...] = ("shop",), limits: Limits | None = None) -> Iterator[Serving]:
    limits = Limits(workers=2, waiting=2) if limits is None else limits
    bots = {name: bot(name, folder) for name in names}
    service = make(bots, limits, CustomerKey.read(SECRET))
    app = around(application(service), service)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Serving(service, app, client)
    service.admission.close()
    for one in bots.values():
        one.journal.close()


@contextmanager
def listening(app: ASGIApp, host: str = "127.0.0.1") -> Iterator[str]:
    """The address of a real server."""
    with socket.create_server((host, 0)) as socket_:
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", log_config=None, timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, args=([socket_],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://{host}:{socket_.getsockname()[1]}"
        server.should_exit = True
        thread.join()
