"""Take the README's pictures of the chat page: docs/images/chat-*.png, from the demo bot in a real Chromium.

python benchmarks/screenshots.py        needs the demo bot (`make run` once) and Chromium
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from chatbot.assemble import load_bot
from chatbot.journal import SqlJournal
from chatbot.ui.chat import build_page
from chatbot.ui.launch import launch

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
SHOTS = [
    ("en", 1280, 900, ["where is my parcel", "and if it says delivered but I got nothing?"]),
    ("zh", 1280, 900, ["我的快递到哪了", "那显示签收了但我没收到呢"]),
    ("en-phone", 360, 720, ["where is my parcel"]),
    ("zh-phone", 360, 720, ["我的快递到哪了"]),
]


def main() -> int:
    chromium = shutil.which("chromium")
    if chromium is None:
        print("no Chromium here: apt-get install chromium, or brew install chromium", file=sys.stderr)
        return 1
    bot = load_bot(ROOT / "index" / "demo")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        journal = SqlJournal.connect(Path(folder) / "journal.sqlite")
        page = build_page(
            bot,
            journal,
            company="Kitewire",
            examples=bot.templates.examples,
            languages=["en", "zh"],
            lines=bot.lines,
        )
        address = launch(page, port=7872, wait=False)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name, width, height, questions in SHOTS:
            shoot(browser, address, name, width, height, questions)
        browser.close()
        page.close()
        journal.close()
    return 0


def shoot(browser: Browser, address: str, name: str, width: int, height: int, questions: list[str]) -> None:
    """Ask the questions in a fresh visit, in the language that `name` starts with, and save a picture."""
    visit = browser.new_page(viewport={"width": width, "height": height}, locale=name[:2])
    visit.goto(address)
    for number, question in enumerate(questions, start=1):
        visit.locator("#msg textarea").fill(question)
        visit.locator("#msg button.submit-button").click()
        expect(visit.locator('#chat [data-testid="bot"]')).to_have_count(number, timeout=20_000)
        visit.wait_for_timeout(1500)
    visit.screenshot(path=IMAGES / f"chat-{name}.png")
    visit.close()


if __name__ == "__main__":
    sys.exit(main())
