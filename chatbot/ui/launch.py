"""How pages are served: their looks, what they do without, and the address that they listen on.

In: pages of Gradio blocks, by path, and the accounts of the staff. Out: one FastAPI application at an address, and
nothing loaded from outside the machine.
"""

import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from starlette.types import ASGIApp

from chatbot.errors import UserError
from chatbot.journal import SqlAccounts
from chatbot.serve.csrf import OwnPagesOnly
from chatbot.serve.gate import PAGES, Gate, entered
from chatbot.serve.login import COOKIES, login
from chatbot.ui import access, account
from chatbot.ui.paths import bot_of, is_for_customers, page_of
from chatbot.ui.streams import LingeringStreams
from chatbot.ui.stubless import gr

logger = logging.getLogger(__name__)

AWAKE = 0.5  # seconds between two looks at whether a signal has come
NO_UPLOADS, UPLOADS = "1kb", "10mb"  # the most that one file may hold
FONTS = ("system-ui", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif")


def appearance(page: gr.Blocks) -> dict[str, Any]:
    """How a page is mounted: the theme and style sheets (system fonts, nothing from outside), what access.py
    adds, no footer, no server-side rendering, and uploads only where the page asks for a file."""
    theme = gr.themes.Base(
        primary_hue="teal", neutral_hue="slate", radius_size="lg", font=list(FONTS), font_mono=["monospace"]
    ).set(
        button_primary_background_fill="*primary_700",  # white on it has a contrast of 5.5
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
    )
    return {
        "theme": theme,
        "css_paths": sorted(Path(__file__).parent.glob("*.css")),
        "head": access.head(),
        "footer_links": [],
        "run_history": False,
        "show_error": False,
        "ssr_mode": False,
        "enable_monitoring": False,
        "max_file_size": UPLOADS if _asks_for_a_file(page) else NO_UPLOADS,
    }


def _asks_for_a_file(page: gr.Blocks) -> bool:
    return any(isinstance(block, gr.File | gr.UploadButton) for block in page.blocks.values())


@dataclass(frozen=True, slots=True)
class Site:
    """Pages that are being served; `close` ends that. `ended` is called when the last request was answered."""

    address: str
    server: uvicorn.Server
    thread: threading.Thread
    ended: Callable[[], None] = lambda: None

    def wait(self) -> None:
        """Until the server ends, or until this is interrupted, which ends it. A signal may come to any thread, and
        Python looks at it in the main one, which has to be awake for that now and then."""
        try:
            while self.thread.is_alive():
                self.thread.join(AWAKE)
        finally:
            self.close()

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.ended()


def mounted(
    pages: Mapping[str, gr.Blocks],
    accounts: SqlAccounts | None = None,
    *,
    bot: str = "",
    local: bool = False,
    app: FastAPI | None = None,
) -> FastAPI:
    """One application, `app` or a new one, with a page at each path, such as `/` for customers, and `/desk`, those
    of the first bot, which is called `bot`. Where there are accounts, whoever opens one that is not for customers
    has to sign in with one that may reach its bot, and is known by its name; but for an address that is `local`,
    while there is none yet."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None) if app is None else app
    doors = {path: (PAGES[f"/{page_of(path)}"], bot_of(path) or bot) for path in pages if page_of(path)}
    if accounts is not None:
        app.include_router(login(accounts, doors, company=next(iter(pages.values())).title))
    for path in sorted(pages, key=len, reverse=True):  # the root last: it answers whatever is left
        if path != "/":
            app.add_route(path, partial(_to, f"{path}/"))
        looks, known = appearance(pages[path]), None
        if accounts is not None and path in doors:
            looks["head"] += account.head()
            known = entered
        app = gr.mount_gradio_app(app, pages[path], path=path, auth_dependency=known, **looks)
    app.add_middleware(LingeringStreams)
    if accounts is not None:
        app.add_middleware(Gate, accounts=accounts, pages=doors, local=local)
        app.add_middleware(OwnPagesOnly, cookies=COOKIES)
    return app


def inserted() -> str:
    """What pages put into their own head in the browser."""
    return access.head() + account.head()


def is_local(host: str) -> bool:
    """Whether an address can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _to(path: str, _request: Request) -> Response:
    return RedirectResponse(path)


def launch(
    pages: Mapping[str, gr.Blocks],
    host: str = "127.0.0.1",
    port: int = 7860,
    accounts: SqlAccounts | None = None,
) -> Site:
    """Serve pages and nothing else, and print their addresses. Raises UserError where the port is taken."""
    offered = open_to(host, pages, accounts)
    return listen(mounted(offered, accounts, local=is_local(host)), offered, host, port)


def open_to(host: str, pages: Mapping[str, gr.Blocks], accounts: SqlAccounts | None) -> Mapping[str, gr.Blocks]:
    """The pages without those of the staff, where others than this machine could reach them and there is no
    account."""
    if is_local(host) or (accounts is not None and accounts.exist()):
        return pages
    logger.warning(
        "only the chat is served: %s can be reached by others, and none of the staff has an account; "
        "make one with `chatbot accounts add` and start again",
        host,
    )
    return {path: page for path, page in pages.items() if is_for_customers(path)}


def listen(app: ASGIApp, paths: Collection[str], host: str, port: int, drain: int = 3) -> Site:
    """Serve an application, and print the addresses of its pages. What is under way when it ends has `drain`
    seconds. Raises UserError where the port is taken."""
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as cause:
        raise UserError(f"Cannot serve on {host}:{port}: {cause}. Choose another port with --port.") from cause
    config = uvicorn.Config(
        app, log_level="warning", log_config=None, access_log=False, timeout_graceful_shutdown=drain
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/"
    print(f"The chat is at {address}", flush=True)  # noqa: T201
    for path in sorted(set(paths) - {"/"}):
        whom = "For customers" if is_for_customers(path) else "For the staff"
        print(f"{whom}: {address}{path.strip('/')}", flush=True)  # noqa: T201
    return Site(address, server, thread)
