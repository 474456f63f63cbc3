"""How soon the pages are there, in a real Chromium on this machine: results/pages.json.

    python benchmarks/pages.py        needs the demo bot (`make run` once) and Chromium

First contentful paint of each page, in a browser context of its own each time; and how long after a question was
sent its first words stand in the chat, which takes in the bot, the server and the browser. Medians of VISITS
visits.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from chatbot.edit import LiveBot
from chatbot.journal import SqlJournal
from chatbot.learn.evaluate import write_metrics
from chatbot.serve.bots import served
from chatbot.ui.launch import launch
from chatbot.ui.site import pages

ROOT = Path(__file__).parent.parent
RESULT = Path(__file__).parent / "results" / "pages.json"
VISITS = 7
ASKED = {"en": "How do I send something back?", "zh": "可以分期付款吗"}
PAINT = """() => new Promise(done => {
  const seen = performance.getEntriesByName('first-contentful-paint')[0];
  if (seen) done(seen.startTime);
  else new PerformanceObserver((list, self) => {
    const found = list.getEntriesByName('first-contentful-paint')[0];
    if (found) { self.disconnect(); done(found.startTime); }
  }).observe({type: 'paint', buffered: true});
})"""
FIRST_WORDS = """() => new Promise(done => {
  const button = document.querySelector('#msg button.submit-button');
  let sent = 0;
  new MutationObserver((_, self) => {
    const said = document.querySelector('#chat [data-testid="bot"]');
    if (said && said.innerText.trim()) { self.disconnect(); done(performance.now() - sent); }
  }).observe(document, {childList: true, subtree: true, characterData: true});
  sent = performance.now();
  button.click();
})"""


def main() -> int:
    chromium = shutil.which("chromium")
    if chromium is None:
        print("no Chromium here: apt-get install chromium, or brew install chromium", file=sys.stderr)
        return 1
    live = LiveBot.load(ROOT / "index" / "demo")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        journal = SqlJournal.connect(Path(folder) / "journal.sqlite")
        site = launch(pages([served(live, journal, "demo")]), port=0)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        found: dict[str, Any] = {
            "first_contentful_paint_ms": {
                path: spread([paint(browser, site.address + path) for _ in range(VISITS)])
                for path in ("", "desk/", "workshop/")
            },
            "first_words_ms": {
                language: spread([first_words(browser, site.address, language) for _ in range(VISITS)])
                for language in ASKED
            },
        }
        browser.close()
        site.close()
        journal.close()
    print(write_metrics(RESULT, found, {"command": "python benchmarks/pages.py", "visits": VISITS}))
    return 0


def spread(values: list[float]) -> dict[str, float]:
    return {"median": round(median(values)), "least": round(min(values)), "most": round(max(values))}


def visit(browser: Browser, address: str, language: str = "en") -> Page:
    page = browser.new_context(locale=language).new_page()
    page.goto(address)
    return page


def paint(browser: Browser, address: str) -> float:
    page = visit(browser, address)
    found = float(page.evaluate(PAINT))
    page.context.close()
    return found


def first_words(browser: Browser, address: str, language: str) -> float:
    page = visit(browser, address, language)
    expect(page.locator("#person")).not_to_be_empty(timeout=20_000)
    page.wait_for_timeout(500)
    page.locator("#msg textarea").fill(ASKED[language])
    found = float(page.evaluate(FIRST_WORDS))
    page.context.close()
    return found


if __name__ == "__main__":
    sys.exit(main())
