"""Tours of the demo bot's pages: a served copy that may be changed, and browsers of those who come to it."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Dialog, Page, Request, expect

import app
from chatbot.domain import HeldOutDialogue
from chatbot.edit import LiveBot
from chatbot.held_out import read_dialogues
from chatbot.journal import SqlJournal
from chatbot.serve.bots import served
from chatbot.ui.desk_words import DESK_WORDS
from chatbot.ui.launch import launch
from chatbot.ui.site import pages
from chatbot.ui.words import WORDS
from chatbot.ui.workshop_words import WORKSHOP_WORDS
from data.demo import orders
from tests.browsing import PATIENCE

SLOW = 60_000  # milliseconds; a machine may be busy
COMPANY = "Kitewire"
HELD_OUT = 4  # dialogues of each language
SLIDE = "(input, to) => { input.value = to; input.dispatchEvent(new Event('input', {bubbles: true})) }"
ALIVE = r"""() => [...document.querySelectorAll('*')].filter(element =>
    [...element.attributes].some(one =>
        one.name.startsWith('on') && one.value.includes('alert')
        || ['src', 'href'].includes(one.name) && /^(https?:\/\/example\.com|javascript:)/.test(one.value))
    && !element.matches('.rich a[href^=http]')  // a stored answer may have links
    || element.matches('svg, img') && !element.attributes.length
    || element.matches('script') && element.textContent.includes('alert(1)')
    || element.matches('.katex')
).map(element => element.outerHTML)"""


@dataclass
class Tour:
    """The pages, the bot behind them, and what must not happen: dialogs that open, requests that leave."""

    browser: Browser
    address: str
    live: LiveBot
    dialogues: tuple[HeldOutDialogue, ...]
    strange: list[str] = field(default_factory=list)

    def open(self, path: str, locale: str, width: int = 1280) -> Page:
        """A page in a browser of its own."""
        page = self.browser.new_context(locale=locale, viewport={"width": width, "height": 900}).new_page()
        page.set_default_timeout(SLOW)
        expect.set_options(timeout=SLOW)

        def heard(dialog: Dialog) -> None:
            self.strange.append(dialog.message)
            dialog.dismiss()

        def left(request: Request) -> None:
            if not request.url.startswith((self.address, "data:", "blob:")):
                self.strange.append(request.url)

        page.on("dialog", heard)
        page.on("request", left)
        page.goto(self.address + path)
        return page

    def chat(self, locale: str = "en", width: int = 1280) -> Page:
        """A customer's page."""
        page = self.open("", locale, width)
        expect(page.locator("#new")).to_have_text(WORDS[locale[:2]].new, timeout=SLOW)
        return page

    def desk(self, locale: str = "en", tab: int = 0) -> Page:
        """Anna's desk."""
        page = self.open("desk", locale)
        expect(page.locator("#company")).to_have_text(f"{COMPANY} · {DESK_WORDS[locale[:2]].title}", timeout=SLOW)
        page.fill("#agent :is(input, textarea)", "Anna")
        page.get_by_role("tab").nth(tab).click()
        return page

    def workshop(self, locale: str = "en", tab: int = 0) -> Page:
        """Lena's workshop."""
        page, words = self.open("workshop", locale), WORKSHOP_WORDS[locale[:2]]
        expect(page.locator("#company")).to_have_text(f"{COMPANY} · {words.title}", timeout=SLOW)
        expect(page.locator("#answers-found button").first).to_be_visible(timeout=SLOW)
        page.fill("#agent :is(input, textarea)", "Lena")
        page.locator("#workshop").get_by_role("tab", name=words.tabs[tab], exact=True).click()
        return page

    def text(self, answer_id: str, language: str = "en") -> str:
        """An answer as it is live."""
        return next(p.answer for p in self.live.pairs() if (p.answer_id, p.language) == (answer_id, language))

    def end(self) -> None:
        """Everybody leaves."""
        for context in self.browser.contexts:
            context.close()
        expect.set_options(timeout=PATIENCE)
        assert self.strange == []


@contextmanager
def touring(index: Path, browser: Browser, folder: Path) -> Iterator[Tour]:
    """A copy of the demo bot in `folder` is served."""
    shutil.copytree(index, folder, ignore=shutil.ignore_patterns("journal.sqlite*"), dirs_exist_ok=True)
    orders.write(folder / "orders.sqlite")
    live, journal = LiveBot.load(folder), SqlJournal.connect(folder / "journal.sqlite")
    dialogues = tuple(one for file in app.HELD_OUT for one in read_dialogues([file])[:HELD_OUT])
    site = launch(pages([served(live, journal, "demo", dialogues, COMPANY)]), port=0)
    yield Tour(browser, site.address, live, dialogues)
    site.close()
    journal.close()


def ask(page: Page, text: str) -> str:
    """The bot's last words after `text` was answered."""
    bubbles = page.locator('#chat [data-testid="bot"]')
    before = bubbles.count()
    page.fill("#msg textarea", text)
    page.click("#msg button.submit-button")
    expect(bubbles.nth(before)).to_have_text(re.compile(r"\S"), timeout=SLOW)  # it has begun
    said = ""
    while said != (said := bubbles.last.inner_text()):  # until nothing more comes
        page.wait_for_timeout(1000)
        expect(page.locator("#msg .stop-button")).to_have_count(0, timeout=SLOW)
    return said


def ask_first(page: Page, text: str) -> str:
    """The same, in a new conversation."""
    page.click("#new")
    expect(page.locator('#chat [data-testid="bot"]')).to_have_count(0, timeout=SLOW)
    return ask(page, text)


def blame(page: Page, reason: str, locale: str = "en") -> None:
    """A thumb down for the last answer, and why."""
    page.locator('#chat :is([aria-label="Dislike"], [aria-label="踩"])').last.click()
    page.fill("#reason textarea", reason)
    page.click("#reason button.submit-button")
    expect(page.locator(".toast-body")).to_contain_text(WORDS[locale[:2]].thanks, timeout=SLOW)


def alive(page: Page) -> list[str]:
    """Elements that hostile text has made."""
    return list(page.evaluate(ALIVE))
