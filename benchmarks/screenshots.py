"""Take pictures of the pages, from the demo bot in a real Chromium: docs/images/*.png, some of them in the README.

python benchmarks/screenshots.py                  needs the demo bot (`make run` once) and Chromium
python benchmarks/screenshots.py --every tabs/    every tab of the desk and the workshop as well, into that folder
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from chatbot.edit import LiveBot
from chatbot.held_out import read_dialogues
from chatbot.journal import SqlJournal
from chatbot.serve.bots import served
from chatbot.ui.launch import launch
from chatbot.ui.site import pages

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
SHOTS = [
    ("en", 1280, 900, ["where is my parcel", "and if it says delivered but I got nothing?"]),
    ("zh", 1280, 900, ["我的快递到哪了", "那显示签收了但我没收到呢"]),
    ("en-phone", 360, 720, ["where is my parcel"]),
    ("zh-phone", 360, 720, ["我的快递到哪了"]),
]
WAITING = {  # for whom an agent is asked, before the pictures of the staff's pages
    "en": ["My watch strap broke after a week. Who pays for sending it in?", "I would like to talk to a person"],
    "zh": ["手表带一周就断了，寄回去的运费谁出？", "我要转人工客服"],
}
TRIED = {
    "en": "where is my parcel\ncan I pay in two parts?\nmy earbuds keep losing bluetooth\ndo you sell kayaks",
    "zh": "我的快递到哪了\n能分两次付款吗\n耳机总是断连\n你们卖皮划艇吗",
}
TABS = {  # behind the first one
    "desk": {"en": ["Unanswered", "Thumbs down"], "zh": ["未能回答", "差评"]},
    "workshop": {
        "en": ["Answers", "Why", "Thresholds", "Evaluation", "Insights"],
        "zh": ["答案", "为什么", "阈值", "评测", "洞察"],
    },
}
OPENED = (
    "#gaps-list button",
    "#blamed-list button",
    "#answers-found button",
)  # what a tab lists: the first is opened
BEGUN = {
    "#observe": "#risk-coverage svg, #risk-coverage img",
    "#evaluate": "#evaluation-files a",
}  # till they are there
EXPLAINED = {"en": "how do i send my order back", "zh": "我想把东西退回去"}
STAFF = [("en", 1280, 900), ("zh", 1280, 900), ("en-phone", 360, 720), ("zh-phone", 360, 720)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=Path, metavar="FOLDER", help="also every tab, into it")
    every = parser.parse_args().every
    chromium = shutil.which("chromium")
    if chromium is None:
        print("no Chromium here: apt-get install chromium, or brew install chromium", file=sys.stderr)
        return 1
    live = LiveBot.load(ROOT / "index" / "demo")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        journal = SqlJournal.connect(Path(folder) / "journal.sqlite")
        held_out = read_dialogues([ROOT / "data" / "demo" / f"dialogues_{code}.jsonl" for code in WAITING])[::5]
        site = launch(pages([served(live, journal, "demo", held_out)]), port=0)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name, width, height, questions in SHOTS:
            shoot(browser, site.address, name, width, height, questions)
        for language, messages in WAITING.items():
            shoot(browser, site.address, f"{language}-waiting", 1280, 900, messages)
        for name, width, height in STAFF:
            shoot_staff(browser, site.address, name, width, height)
            if every is not None:
                shoot_tabs(browser, site.address, name, width, height, every)
        browser.close()
        site.close()
        journal.close()
    return 0


def shoot(browser: Browser, address: str, name: str, width: int, height: int, questions: list[str]) -> None:
    """Ask the questions in a fresh visit, in the language that `name` starts with, and save a picture."""
    visit = browser.new_page(viewport={"width": width, "height": height}, locale=name[:2])
    visit.goto(address)
    expect(visit.locator("#person")).not_to_be_empty(timeout=20_000)
    for number, question in enumerate(questions, start=1):
        visit.locator("#msg textarea").fill(question)
        visit.locator("#msg button.submit-button").click()
        expect(visit.locator('#chat [data-testid="bot"]')).to_have_count(number, timeout=20_000)
        visit.wait_for_timeout(1500)
    visit.screenshot(path=IMAGES / f"chat-{name}.png")
    visit.locator('button[aria-label*="dislike" i], button[title*="dislike" i]').first.click()
    visit.close()


def shoot_staff(browser: Browser, address: str, name: str, width: int, height: int) -> None:
    """The desk with the first case that waits in this language, and the workshop's hit test."""
    language = name[:2]
    visit = browser.new_page(viewport={"width": width, "height": height}, locale=language)
    visit.goto(f"{address}desk")
    expect(visit.locator("#inbox button")).not_to_have_count(0, timeout=20_000)
    visit.locator("#agent").locator("input, textarea").fill({"en": "Anna", "zh": "小安"}[language])
    visit.locator("#inbox button", has_text=WAITING[language][-1]).last.click()
    expect(visit.locator("#transcript li")).not_to_have_count(0)
    visit.wait_for_timeout(1500)
    visit.screenshot(path=IMAGES / f"desk-{name}.png")
    visit.goto(f"{address}workshop")
    expect(visit.locator("#agent")).to_be_visible(timeout=20_000)
    visit.wait_for_timeout(1500)
    visit.get_by_role("tab", name={"en": "Hit test", "zh": "命中测试"}[language]).click()
    visit.locator("#probes textarea").fill(TRIED[language])
    visit.locator("#try").click()
    expect(visit.locator("button[data-hit]")).to_have_count(4, timeout=20_000)
    visit.locator("button[data-hit]").nth(1).click()
    visit.wait_for_timeout(1500)
    visit.screenshot(path=IMAGES / f"workshop-{name}.png")
    visit.close()


def shoot_tabs(browser: Browser, address: str, name: str, width: int, height: int, folder: Path) -> None:
    """Each further tab, whole, with the first of what it lists opened."""
    folder.mkdir(parents=True, exist_ok=True)
    language = name[:2]
    for page, tabs in TABS.items():
        visit = browser.new_page(viewport={"width": width, "height": height}, locale=language)
        visit.goto(f"{address}{page}")
        expect(visit.locator("#agent")).to_be_visible(timeout=20_000)
        visit.wait_for_timeout(1500)
        for tab in tabs[language]:
            named = visit.get_by_role("tab", name=tab, exact=True, include_hidden=True).first
            expect(named).to_be_attached(timeout=20_000)  # the page has its language
            if not named.is_visible():  # on a phone the last ones are in a menu
                visit.locator("button.overflow-menu, .overflow-menu > button").first.click()
                named = visit.locator(".overflow-dropdown button", has_text=tab)
            named.click()
            visit.wait_for_timeout(3000)
            for listed in OPENED:
                if visit.locator(listed).first.is_visible():
                    visit.locator(listed).first.click()
            if visit.locator("#why-question").is_visible():
                visit.locator("#why-question :is(input, textarea)").fill(EXPLAINED[language])
                visit.locator("#why-question :is(input, textarea)").press("Enter")
                expect(visit.locator("#why-shown table").first).to_be_visible(timeout=60_000)
            for button, result in BEGUN.items():
                if visit.locator(button).is_visible():
                    visit.locator(button).click()
                    expect(visit.locator(result).first).to_be_visible(timeout=120_000)
            visit.wait_for_timeout(2500)
            visit.screenshot(path=folder / f"{page}-{name}-{tab}.png", full_page=True)
        visit.close()


if __name__ == "__main__":
    sys.exit(main())
