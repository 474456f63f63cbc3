"""A service, from its bots to its address: the one place that puts the parts of serve together.

In: bots, where each keeps its journal, and how the service is offered. Out: a running `Site`. The layers stand as
serve/__init__.py lists them. Accounts, keys and sessions are kept in the first bot's database.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import FrameType

from starlette.types import ASGIApp

from chatbot import bundle
from chatbot.customers import CustomerKey
from chatbot.domain import HeldOutDialogue
from chatbot.errors import ChatbotError, trace
from chatbot.fleet import Fleet
from chatbot.journal import SqlAccounts, SqlJournal, SqlReplays
from chatbot.journal_commands import purge_due
from chatbot.serve.admission import Admission, Admitted, Turns
from chatbot.serve.app import application, around
from chatbot.serve.bots import Served, served
from chatbot.serve.headers import Guarded, checked_origins
from chatbot.serve.hosts import KnownHosts
from chatbot.serve.limits import Limits, Meter
from chatbot.serve.logs import Identified
from chatbot.serve.metrics import Measured, Metrics, WatchedBot, models
from chatbot.serve.service import Service
from chatbot.ui.launch import Site, inserted, is_local, listen, mounted, open_to
from chatbot.ui.paths import is_for_customers
from chatbot.ui.site import pages

logger = logging.getLogger(__name__)

CUSTOMERS = "CHATBOT_CUSTOMER_KEY"  # what the company signs its customers' tokens with: a secret, or a public key
LOOK = 2.0  # seconds between two looks at what other processes have put into use
HOUR = 3600.0
EVERYWHERE = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Offer:
    """Where the service is: the address that it listens on, the `names` that it answers to beside it, and the
    origins whose pages may `embed` the chat."""

    host: str = "127.0.0.1"
    port: int = 7860
    names: Sequence[str] = ()
    embed: Sequence[str] = ()


def start(
    fleet: Fleet,
    places: Mapping[str, str | Path],
    dialogues: Sequence[HeldOutDialogue],
    kept: timedelta | None,
    offer: Offer,
    loaded: Callable[[], object] = lambda: None,
    environment: Mapping[str, str] = os.environ,
) -> Site:
    """Serve the bots, whose journals are at `places`; the first one's edits are tried on `dialogues`, and
    conversations are `kept` for so long. Nobody is let in before `loaded` returns. Raises what that, a database, a
    setting or the address raise."""
    limits, key = Limits.load(environment), environment.get(CUSTOMERS)
    bots = {
        name: served(fleet.bot(name), SqlJournal.connect(place), name, dialogues if name == fleet.default else ())
        for name, place in places.items()
    }
    for bot in bots.values():
        purge_due(bot.journal.database, kept)
    service = make(bots, limits, None if not key else CustomerKey.read(key))
    app, paths = stack(service, offer)
    loaded()
    site = replace(listen(app, paths, offer.host, offer.port, limits.drain), ended=service.admission.close)

    def end(_signal: int, _frame: FrameType | None) -> None:
        service.draining.set()
        site.server.should_exit = True

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=look_after, args=(service, kept), daemon=True).start()
    return site


def look_after(service: Service, kept: timedelta | None) -> None:
    """Until the service ends: take what another process has put into use, and purge what is due, once an hour."""
    purged = time.monotonic()
    while not service.draining.wait(LOOK):
        due = time.monotonic() - purged > HOUR
        for bot in service.bots.values():
            try:
                if bundle.in_use(bot.live.folder) != bot.live.version:
                    logger.info("%s is at %s now, by another process", bot.name, bot.editor.reload())
                if due:
                    purge_due(bot.journal.database, kept)
                    SqlReplays(bot.journal.database).sweep()
            except ChatbotError as failure:
                logger.error("%s could not be looked after:\n%s", bot.name, trace(failure))
        purged = time.monotonic() if due else purged


def make(bots: Mapping[str, Served], limits: Limits, key: CustomerKey | None = None) -> Service:
    """The service of bots, the first of which keeps the accounts. Whoever asks a bot, by page or API, waits in one
    queue."""
    metrics = Metrics.create(version("chatbot"))
    admission = Admission(limits.workers, limits.waiting, limits.patience)
    metrics.watch_service(lambda: admission.depth, lambda: admission.busy)
    for name, bot in bots.items():
        metrics.watch_bot(name, _watched(bot))
    bots = {
        name: replace(bot, asked=Admitted(bot.live, admission, partial(metrics.observe, bot=name)))
        for name, bot in bots.items()
    }
    database = next(iter(bots.values())).journal.database
    return Service(
        bots,
        SqlAccounts(database),
        limits,
        Meter(limits),
        admission,
        Turns(),
        threading.Event(),
        metrics,
        key,
    )


def stack(service: Service, offer: Offer) -> tuple[ASGIApp, Sequence[str]]:
    """The whole application, and the paths of its pages."""
    shown = open_to(offer.host, pages(list(service.bots.values())), service.accounts)
    first, local = next(iter(service.bots)), is_local(offer.host)
    app = mounted(shown, service.accounts, bot=first, local=local, app=application(service))
    framers = checked_origins(offer.embed)
    framed = {path: framers if is_for_customers(path) else () for path in shown}
    inside = Guarded(around(app, service), framed, inserted())
    names = offer.names if offer.host in EVERYWHERE else (*offer.names, offer.host)
    return Identified(Measured(KnownHosts(inside, names), service.metrics)), tuple(shown)


def _watched(bot: Served) -> WatchedBot:
    def read() -> Iterator[object]:
        return models(bot.live.lines) if bot.live.is_loaded else iter(())

    return WatchedBot(lambda: bot.live.version, lambda: len(bot.desk.cases()), read)
