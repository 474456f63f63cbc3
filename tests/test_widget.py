"""The widget in a real Chromium: on a page of another address, under a policy that allows nothing else."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from chatbot.serve.app import application, around
from chatbot.serve.headers import Guarded
from chatbot.ui.access import head
from chatbot.ui.launch import mounted
from chatbot.ui.site import pages
from tests.browsing import AXE, offences
from tests.serving import Serving, listening, serving

pytestmark = pytest.mark.browser

POLICY = "default-src 'none'; script-src {chat}; frame-src {chat}"


@contextmanager
def shop(chat: str, policy: str = POLICY) -> Iterator[str]:
    """A company's page of its own, at another address, with the script tag; the address."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", policy.format(chat=chat))
            self.end_headers()
            tag = f'<script src="{chat}/widget.js" data-language="zh" data-colour="#1d4ed8" defer></script>'
            self.wfile.write(
                f"<!doctype html><html lang=zh><title>店</title><main><h1>店</h1></main>{tag}".encode()
            )

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()


@dataclass
class Site:
    api: Serving
    chat: str
    framers: list[str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    framers: list[str] = []
    with serving(tmp_path_factory.mktemp("widget")) as api:
        app = mounted({"/": pages(list(api.service.bots.values()))["/"]}, app=application(api.service))
        with listening(Guarded(around(app, api.service), {"/": framers}, head())) as address:
            yield Site(api, address, framers)


def visit(browser: Browser, address: str, width: int = 1280) -> tuple[Page, list[str]]:
    page = browser.new_context(viewport={"width": width, "height": 800}).new_page()
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and "localStorage" not in message.text:  # browsers may give frames none
            complaints.append(message.text)

    page.on("console", heard)
    page.goto(address)
    return page, complaints


@pytest.mark.parametrize("width", [1280, 360])
def test_the_chat_is_asked_on_a_page_of_another_address(browser: Browser, site: Site, width: int) -> None:
    with shop(site.chat) as address:
        site.framers[:] = [address]
        page, complaints = visit(browser, address, width)
        button = page.get_by_role("button", name="咨询客服")
        expect(button).to_have_attribute("aria-expanded", "false")
        assert len(page.frames) == 1  # nothing is loaded before somebody wants it
        button.click()
        frame = page.frame_locator("iframe[title='在线客服']")
        frame.locator("#msg textarea").fill("Where is it?")
        frame.locator("#msg button.submit-button").click()
        expect(frame.locator('#chat [data-testid="bot"]').last).to_contain_text("You asked: 3 words.")
        expect(frame.locator("#new")).to_have_text("新对话")
        assert page.context.cookies() == [] and complaints == []
        page.get_by_role("button", name="关闭对话").press("Escape")
        expect(page.locator("iframe")).to_be_hidden()
        page.get_by_role("button", name="咨询客服").click()
        expect(frame.locator('#chat [data-testid="bot"]').last).to_contain_text("You asked: 3 words.")
        page.context.close()


def test_a_page_that_is_not_in_the_list_shows_no_chat(browser: Browser, site: Site) -> None:
    with shop(site.chat) as address:
        site.framers[:] = ["https://shop.example"]
        page, complaints = visit(browser, address)
        with page.expect_console_message(lambda said: "frame-ancestors" in said.text):
            page.get_by_role("button", name="咨询客服").click()
        assert any("frame-ancestors" in one for one in complaints)
        expect(page.frame_locator("iframe").locator("#msg")).to_have_count(0)
        page.context.close()


@pytest.mark.parametrize(("language", "name"), [("en", "Ask a question"), ("zh", "咨询客服")])
def test_the_demo_page_shows_it(browser: Browser, site: Site, language: str, name: str) -> None:
    page, complaints = visit(browser, f"{site.chat}/widget?language={language}", 360)
    page.get_by_role("button", name=name).click()
    expect(page.frame_locator("iframe").locator("#msg textarea")).to_be_editable()
    expect(page.locator("code").first).to_contain_text(f'{site.chat}/widget.js"')
    if AXE.exists():
        assert offences(page) == []
    assert complaints == []
    page.context.close()
