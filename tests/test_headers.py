"""What browsers are told to refuse: headers byte for byte, and in a real Chromium what they stop and what not."""

import asyncio
import base64
import gzip
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot.domain import QAPair
from chatbot.editor import Editor
from chatbot.errors import SettingsError
from chatbot.journal import SqlDesk, SqlEdits, SqlJournal
from chatbot.serve.headers import DATA, HTML, LASTING, Guarded, checked_origins
from chatbot.serve.hosts import KnownHosts
from chatbot.ui.access import head
from chatbot.ui.chat import build_page
from chatbot.ui.desk import Advice, build_desk
from chatbot.ui.launch import mounted
from chatbot.ui.workshop import build_workshop
from tests.browsing import HOSTILE
from tests.fakes import FakeResponder
from tests.live import FakeLive
from tests.serving import listening

PAGE = b"<script>let a = 1;\r\n</script><SCRIPT type=module src='/b.js'></SCRIPT><script data-x>c()</script>"
OTHERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def hashed(script: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"


def pieces() -> Iterator[bytes]:
    for start in range(0, len(PAGE), 10):
        yield PAGE[start : start + 10]


def application() -> Starlette:
    def own(request: Request) -> Response:
        return HTMLResponse(
            "<p>", headers={"Content-Security-Policy": "sandbox", "Referrer-Policy": "no-referrer"}
        )

    return Starlette(
        routes=[
            Route("/", lambda request: StreamingResponse(pieces(), media_type="text/html")),
            Route("/desk/", lambda request: HTMLResponse(PAGE)),
            Route("/login", lambda request: HTMLResponse(PAGE)),
            Route("/api", lambda request: JSONResponse({"a": 1})),
            Route("/own", own),
        ]
    )


def client(scheme: str = "http", inserted: str = "") -> TestClient:
    pages = {"/": ("https://shop.example", "https://*.shop.example"), "/desk": ()}
    return TestClient(Guarded(application(), pages, inserted), base_url=f"{scheme}://127.0.0.1")


class TestHeaders:
    def test_a_page_runs_what_it_was_sent_with_and_what_is_inserted(self) -> None:
        found = client(inserted="<script>d()</script>").get("/")
        scripts = f"'self' 'unsafe-eval' {hashed(b'let a = 1;' + bytes([10]))} {hashed(b'c()')} {hashed(b'd()')}"
        assert found.headers["content-security-policy"] == (
            f"default-src 'self'; script-src {scripts}; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; "
            "form-action 'self'; frame-ancestors 'self' https://shop.example https://*.shop.example"
        )
        assert "x-frame-options" not in found.headers
        assert {name: found.headers[name] for name in OTHERS} == OTHERS
        assert found.content == PAGE

    def test_a_page_that_nobody_may_frame_says_so_to_old_browsers_too(self) -> None:
        found = client().get("/desk/")
        assert found.headers["content-security-policy"].endswith("frame-ancestors 'self'")
        assert found.headers["x-frame-options"] == "SAMEORIGIN"

    @pytest.mark.parametrize(("path", "policy"), [("/login", HTML), ("/api", DATA), ("/nothing", DATA)])
    def test_nothing_is_run_from_within_other_responses(self, path: str, policy: str) -> None:
        found = client().get(path)
        assert found.headers["content-security-policy"] == policy
        assert "unsafe" not in policy and policy.startswith("default-src 'none'")
        assert {name: found.headers[name] for name in OTHERS} == OTHERS
        assert found.headers["x-frame-options"] == "SAMEORIGIN"

    def test_what_a_response_says_by_itself_stays(self) -> None:
        found = client().get("/own").headers
        assert (found["content-security-policy"], found["referrer-policy"]) == ("sandbox", "no-referrer")

    @pytest.mark.parametrize("path", ["/", "/desk/", "/login", "/api"])
    def test_only_who_came_by_https_is_told_to_come_back_by_https(self, path: str) -> None:
        assert "strict-transport-security" not in client().get(path).headers
        assert client("https").get(path).headers["strict-transport-security"] == LASTING

    def test_a_page_is_compressed_for_who_reads_that(self) -> None:
        with client().stream("GET", "/", headers={"Accept-Encoding": "br, gzip"}) as found:
            raw = b"".join(found.iter_raw())
        assert (gzip.decompress(raw), found.headers["content-length"]) == (PAGE, str(len(raw)))
        assert (found.headers["content-encoding"], found.headers["vary"]) == ("gzip", "accept-encoding")
        plain = client().get("/", headers={"Accept-Encoding": "identity"})
        assert (plain.content, "content-encoding" in plain.headers) == (PAGE, False)

    def test_a_head_has_no_body_and_the_other_headers(self) -> None:
        read, told = client().get("/desk/"), client().head("/desk/")
        assert (told.content, dict(told.headers)) == (b"", dict(read.headers))

    def test_what_is_no_page_comes_piece_by_piece(self) -> None:
        sent: list[object] = []

        async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
            events = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": events})
            for piece in (b"a", b"b"):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                sent.append(piece)

        async def heard(message: Message) -> None:
            sent.append(message["type"])

        async def silent() -> Message:
            return {"type": "http.disconnect"}

        scope = {"type": "http", "path": "/", "headers": [], "scheme": "http"}
        asyncio.run(Guarded(streaming, {"/": ()})(scope, silent, heard))
        body = "http.response.body"
        assert sent == ["http.response.start", body, b"a", body, b"b"]


class TestOrigins:
    def test_origins_are_as_browsers_name_them(self) -> None:
        given = ["https://Shop.Example/", " http://localhost:8080", "https://*.shop.example", "http://[::1]:80"]
        assert checked_origins(given) == (
            "https://shop.example",
            "http://localhost:8080",
            "https://*.shop.example",
            "http://[::1]:80",
        )

    @pytest.mark.parametrize(
        "wrong", ["*", "shop.example", "https://a.b/c", "https://a; script-src *", "https://a 'self'", "null", ""]
    )
    def test_anything_else_is_refused(self, wrong: str) -> None:
        with pytest.raises(SettingsError, match="is no origin; write scheme and host"):
            checked_origins([wrong])


class TestHosts:
    @pytest.mark.parametrize(
        ("host", "known"),
        [
            ("localhost", True),
            ("LOCALHOST:7860", True),
            ("127.0.0.1:7860", True),
            ("[::1]:7860", True),
            ("192.168.1.5", True),
            ("bot.example.com", True),
            ("Bot.Example.com.:443", True),
            ("a.b.shop.example", True),
            ("shop.example", False),
            ("evilshop.example", False),
            ("attacker.example", False),
            ("localhost.attacker.example", False),
            ("127.0.0.1.attacker.example", False),
            ("localhost@attacker.example", False),
            ("attacker.example@localhost", False),
            ("localhost/../x", False),
            ("localhost:port", False),
            ("[::1", False),
            ("", False),
        ],
    )
    def test_a_service_answers_to_its_names_and_to_numbers(self, host: str, known: bool) -> None:
        guard = KnownHosts(application(), ["bot.example.com", "*.shop.example"])
        assert guard.knows([host]) is known
        if known or host == "attacker.example":
            found = TestClient(guard).get("/api", headers={"Host": host})
            assert found.status_code == (200 if known else 400)

    def test_one_name_has_to_be_said_and_only_one(self) -> None:
        guard = KnownHosts(application())
        assert [guard.knows(hosts) for hosts in ([], ["localhost"], ["localhost", "localhost"])] == [
            False,
            True,
            False,
        ]

    def test_who_is_refused_reads_why(self) -> None:
        found = TestClient(KnownHosts(application())).get("/api", headers={"Host": "rebound.example"})
        assert (found.status_code, found.text.count("Host"), found.text.count("--name")) == (400, 2, 2)


def pages(journal: SqlJournal) -> ASGIApp:
    desk, bot = SqlDesk(journal.database), FakeResponder()
    live = FakeLive([QAPair(f"p{n}", f"Question {n}?", f"Answer {n}.", f"A{n}", "en") for n in range(3)])
    chat = build_page(
        bot, journal, desk, company="Ada & Sons", examples={"en": ["Where is it?"]}, languages=["en"]
    )
    advice = Advice(lambda talk, text: bot.reply(talk, text).decision.candidates, lambda texts: texts[-3:])
    staff = build_desk(journal, desk, advice, company="Ada & Sons", languages=["en"])
    workshop = build_workshop(Editor(live, SqlEdits(journal.database)), journal, company="Ada & Sons")
    return mounted({"/": chat, "/desk": staff, "/workshop": workshop})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """The three pages behind the headers, and the list of origins that may frame the chat."""
    journal = SqlJournal.connect(tmp_path_factory.mktemp("headers") / "journal.sqlite")
    framers: list[str] = []
    everything = {"/": framers, "/desk": (), "/workshop": ()}
    with listening(KnownHosts(Guarded(pages(journal), everything, head()))) as address:
        yield address, framers
    journal.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that keeps a list of what was refused on it, `refused`, and counts what ran that should not."""
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.add_init_script(
        "window.refused = []; window.alert = said => window.refused.push(`alert ${said}`);"
        "document.addEventListener('securitypolicyviolation', e =>"
        " window.refused.push(`${e.effectiveDirective} ${e.blockedURI} ${e.sample}`))"
    )
    yield page
    context.close()


def refused(page: Page) -> Sequence[str]:
    page.wait_for_timeout(500)
    return list(page.evaluate("window.refused"))


def shown_in_frames(page: Page, refused: int) -> Sequence[str]:
    """Addresses of what is in the frames, once so many are refused; their error pages are another process's."""
    urls: list[str] = []
    for _ in range(150):
        urls = [frame.url for frame in page.frames[1:]]
        if sum(url.startswith("chrome-error:") for url in urls) >= refused:
            break
        page.wait_for_timeout(100)
    return urls


@pytest.mark.browser
class TestInABrowser:
    def test_the_chat_needs_nothing_that_is_refused(self, site: tuple[str, list[str]], page: Page) -> None:
        page.goto(f"{site[0]}/")
        expect(page.locator("#person")).not_to_be_empty()
        page.fill("#msg textarea", HOSTILE.replace("\x00", ""))
        page.click("#msg button.submit-button")
        expect(page.locator('#chat [data-testid="bot"]')).to_have_count(1)
        expect(page.locator("#msg .stop-button")).to_have_count(0)
        page.get_by_label("Like", exact=True).click()
        expect(page.get_by_label("Liked", exact=True)).to_be_visible()
        page.reload()
        expect(page.locator('#chat [data-testid="bot"]')).to_have_count(1)
        assert refused(page) == []

    def test_the_desk_needs_nothing_that_is_refused(self, site: tuple[str, list[str]], page: Page) -> None:
        with_person = page.context.new_page()
        with_person.goto(f"{site[0]}/")
        with_person.click("#person")
        page.goto(f"{site[0]}/desk")
        page.fill("#agent input, #agent textarea", "Anna")
        page.click("#inbox button")
        page.click("#claim")
        expect(page.locator("#head")).to_contain_text("with you")
        assert refused(page) == []

    def test_the_workshop_needs_nothing_that_is_refused(self, site: tuple[str, list[str]], page: Page) -> None:
        page.goto(f"{site[0]}/workshop")
        expect(page.locator("#company h1")).to_have_text("Ada & Sons · Workshop")
        tabs = page.get_by_role("tab")
        expect(tabs.first).to_be_visible()
        opened = 0
        for tab in tabs.all():
            if tab.is_visible():
                tab.click()
                expect(tab).to_have_attribute("aria-selected", "true")
                opened += 1
        assert opened > 2
        assert refused(page) == []

    def test_what_a_text_smuggles_in_does_not_run(self, site: tuple[str, list[str]], page: Page) -> None:
        """As if escaping had failed: markup is put into the page as it is."""
        page.goto(f"{site[0]}/")
        expect(page.locator("#person")).not_to_be_empty()
        page.evaluate(
            """() => {
                const place = document.createElement('div');
                document.body.append(place);
                place.innerHTML = '<img src="data:," onerror="alert(1)"><a href="javascript:alert(2)">x</a>';
                place.querySelector('a').click();
                const script = document.createElement('script');
                script.textContent = 'alert(3)';
                place.append(script);
                const outside = document.createElement('script');
                outside.src = 'https://example.com/x.js';
                place.append(outside);
                const frame = document.createElement('iframe');
                frame.src = 'https://example.com/';
                place.append(frame);
                fetch('https://example.com/').catch(() => null);
            }"""
        )
        expected = [
            "connect-src https://example.com/ ",
            "frame-src https://example.com ",
            "script-src-attr inline ",
            "script-src-elem https://example.com/x.js ",
            "script-src-elem inline ",
            "script-src-elem inline ",
        ]
        page.wait_for_function("count => window.refused.length >= count", arg=len(expected))
        assert sorted(refused(page)) == expected  # and no more

    def test_only_listed_origins_may_frame_the_chat(self, site: tuple[str, list[str]], page: Page) -> None:
        address, framers = site
        html = f'<iframe id="chat" src="{address}/"></iframe><iframe id="desk" src="{address}/desk/"></iframe>'
        shop = Starlette(routes=[Route("/", lambda request: HTMLResponse(html))])
        with listening(shop) as numbered:
            origin = numbered.replace("127.0.0.1", "localhost")
            chat, desk = (page.frame_locator(f"#{name}").locator("body") for name in ("chat", "desk"))
            page.goto(origin)
            expect(chat).not_to_contain_text("Talk to a person")
            assert shown_in_frames(page, 2) == ["chrome-error://chromewebdata/"] * 2
            framers[:] = checked_origins([origin])
            page.goto(origin)
            expect(chat).to_contain_text("Talk to a person")
            expect(desk).not_to_contain_text("Nobody is waiting")
            assert shown_in_frames(page, 1) == [f"{address}/", "chrome-error://chromewebdata/"]
            framers.clear()

    def test_a_name_that_was_given_this_machines_address_reads_nothing(
        self, site: tuple[str, list[str]], browser: Browser
    ) -> None:
        port = site[0].rpartition(":")[2]
        context = browser.new_context()
        found = context.request.get(f"{site[0]}/", headers={"Host": f"rebound.example:{port}"})
        assert (found.status, "gradio" in found.text()) == (400, False)
        assert context.request.get(f"{site[0]}/").status == 200
        context.close()


@pytest.mark.parametrize("name", ["../../evil.csv", "/tmp/evil.csv", "..\\..\\evil.csv", "a\0/../evil.csv", ".."])
def test_an_uploaded_file_is_put_nowhere_else(site: tuple[str, list[str]], name: str) -> None:
    quoted = name.replace("\\", "\\\\")
    head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{quoted}"\r\n\r\na\r\n--x--\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    found = httpx.post(f"{site[0]}/workshop/gradio_api/upload", content=head.encode(), headers=kind)
    assert found.status_code == (400 if name == ".." else 200)
    if name != "..":
        (place,) = found.json()
        assert Path(place).resolve() == Path(place)
        assert Path(place).is_relative_to(Path(tempfile.gettempdir()).resolve() / "gradio")
        sent = httpx.get(f"{site[0]}/workshop/gradio_api/file={place}").headers
        assert (sent["content-type"], sent["content-disposition"].partition(";")[0]) == (
            "application/octet-stream",
            "attachment",
        )


def test_a_file_that_was_uploaded_is_no_page(tmp_path: Path) -> None:
    """Data and plain text are told not to be guessed at."""
    guarded = Guarded(Starlette(routes=[Route("/f", lambda r: PlainTextResponse("<script>1</script>"))]), {})
    found = TestClient(guarded, base_url="http://127.0.0.1").get("/f").headers
    assert (found["x-content-type-options"], found["content-security-policy"]) == ("nosniff", DATA)
