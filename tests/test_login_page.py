"""The login in a real Chromium: signing in to the desk as an agent would, by keyboard, on a phone, in the dark."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from chatbot.access import Role
from chatbot.desk import Author
from chatbot.domain import Reason
from chatbot.journal import SqlAccounts, SqlDesk, SqlJournal
from chatbot.serve.login_words import CHINESE, ENGLISH
from chatbot.ui.chat import build_page
from chatbot.ui.desk import Advice, build_desk
from chatbot.ui.launch import Site, launch
from chatbot.ui.stubless import gr
from tests.browsing import AXE, offences
from tests.fakes import FakeResponder
from tests.test_accounts import PASSWORD

Visit = Callable[..., Page]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqlJournal]:
    journal = SqlJournal.connect(tmp_path / "journal.sqlite")
    yield journal
    journal.close()


@pytest.fixture
def site(journal: SqlJournal) -> Iterator[Site]:
    desk, bot, accounts = SqlDesk(journal.database), FakeResponder(), SqlAccounts(journal.database)
    chat = build_page(bot, journal, desk, company="Ada & Sons", examples={}, languages=["en", "zh"])
    advice = Advice(lambda talk, text: bot.reply(talk, text).decision.candidates, lambda texts: texts[-3:])
    staff = build_desk(journal, desk, advice, company="Ada & Sons", languages=["en", "zh"])
    accounts.create("Anna", PASSWORD, Role.AGENT)
    workshop = gr.Blocks(title="Ada & Sons", analytics_enabled=False)
    site = launch({"/": chat, "/desk": staff, "/workshop": workshop}, port=0, accounts=accounts)
    yield site
    site.close()


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    def arrive(
        path: str = "login", locale: str = "en-US", width: int = 1280, scheme: Literal["light", "dark"] = "light"
    ) -> Page:
        size: ViewportSize = {"width": width, "height": 800}
        page = browser.new_context(locale=locale, viewport=size, color_scheme=scheme).new_page()
        page.goto(site.address + path)
        return page

    yield arrive
    for context in browser.contexts:
        context.close()


def sign_in(page: Page, password: str = PASSWORD) -> None:
    """By keyboard alone, from where the page puts the focus."""
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type("Anna")
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")


@pytest.mark.browser
def test_an_agent_signs_in_takes_a_case_under_their_name_and_signs_out(visit: Visit, journal: SqlJournal) -> None:
    talk = journal.open("en")
    journal.hand_over(talk, Reason.ASKED_FOR_PERSON)
    desk = SqlDesk(journal.database)
    desk.say(talk, Author.CUSTOMER, "Is anybody there?")
    page = visit("desk/?x=1")
    expect(page).to_have_title("Staff sign-in · Ada & Sons")
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_have_text(ENGLISH.wrong)
    expect(page.locator("#name")).to_have_value("Anna")
    expect(page.locator("#password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#agent :is(input, textarea)")).to_have_value("Anna")
    assert page.url.endswith("/desk/?x=1")
    expect(page.locator("#agent :is(input, textarea)")).to_be_disabled()
    page.locator("#cases button[data-talk]").click()
    page.get_by_role("button", name="Take it").click()
    expect(page.locator("#desk")).to_contain_text("Is anybody there?")
    for _ in range(150):
        if desk.cases()[0].agent == "Anna":
            break
        page.wait_for_timeout(100)
    assert [case.agent for case in desk.cases()] == ["Anna"]
    expect(page.locator("#account")).to_have_text("You are signed in as Anna.Sign out")
    page.locator("#account a").click()
    expect(page.get_by_role("status")).to_have_text("You are signed in as Anna.")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text(ENGLISH.signed_out)
    page.go_back()
    page.reload()
    expect(page).to_have_title("Staff sign-in · Ada & Sons")


@pytest.mark.browser
def test_a_page_whose_session_ended_says_so_and_goes_on_after_another_login(
    visit: Visit, journal: SqlJournal
) -> None:
    page = visit("desk/")
    sign_in(page)
    expect(page.locator("#agent :is(input, textarea)")).to_have_value("Anna")
    accounts = SqlAccounts(journal.database)
    accounts.set_password("Anna", "another password")
    expect(page.locator("#account")).to_have_text("Your session is over. Please sign in again.Sign in")
    with page.context.expect_page() as beside:
        page.locator("#account a").click()
    sign_in(beside.value, "another password")
    expect(beside.value.locator("#agent :is(input, textarea)")).to_have_value("Anna")
    expect(page.locator("#account")).to_have_text("You are signed in as Anna.Sign out")
    talk = journal.open("en")
    journal.hand_over(talk, Reason.ASKED_FOR_PERSON)
    expect(page.locator("#cases button[data-talk]")).to_have_count(1)  # without a reload


@pytest.mark.browser
@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: npm ci")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit: Visit, scheme: str) -> None:
    page = visit(scheme=scheme, locale="zh-CN", width=360)
    assert (page.locator("html").get_attribute("lang"), offences(page)) == ("zh", [])
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_have_text(CHINESE.wrong)
    assert offences(page) == []
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading")).to_have_text(ENGLISH.title)
    sign_in(page)
    expect(page.locator("#agent")).to_be_visible()
    page.goto(page.url.partition("desk")[0] + "login?next=/workshop")
    expect(page.get_by_role("status")).to_have_text(CHINESE.not_allowed.format(name="Anna"))
    assert offences(page) == []


@pytest.mark.browser
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_a_phone_shows_it_whole(visit: Visit, locale: str) -> None:
    page = visit(locale=locale, width=360)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    for control in page.locator("input:not([type=hidden]), button, nav a").all():
        box = control.bounding_box()
        assert box is not None and box["height"] >= 32 and box["x"] >= 0 and box["x"] + box["width"] <= 360
    assert page.locator(":focus").get_attribute("id") == "name"
