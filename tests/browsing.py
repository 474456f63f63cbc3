"""A real browser for tests of pages: Chromium, what axe-core finds on a page, and a text that means harm."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

HOSTILE = (
    '<script>alert(1)</script> <img src="https://example.com/a.png" onerror="alert(2)"> '
    "![x](https://example.com/b.png) [link](javascript:alert(3)) **bold** _it_ # head `code` "
    "{{7*7}} ${alert(4)} $$x^2$$ &lt;b&gt; &amp; <svg/onload=alert(5)> \x00\x1b[31m \u202e"
)
AXE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE = 15_000  # milliseconds; a machine may be busy
SERIOUS = ("serious", "critical")


def offences(page: Page) -> list[str]:
    """What axe-core finds on a page that is serious or worse: the rule and where."""
    page.wait_for_timeout(400)  # colours that fade in have no contrast yet
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{v['id']}: {n['html'][:200]}" for v in found if v["impact"] in SERIOUS for n in v["nodes"]]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The test is skipped where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium fonts-noto-cjk")
    expect.set_options(timeout=PATIENCE)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*flags, "--disable-sync"])
        yield browser
        browser.close()
