"""The staff's login: who gets in, what is told, and what another site cannot have a browser do."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from chatbot.access import Role, Ticket
from chatbot.journal import SqlAccounts
from chatbot.journal.database import Database
from chatbot.journal.passwords import Passwords
from chatbot.serve.csrf import OwnPagesOnly
from chatbot.serve.gate import PAGES, entered
from chatbot.serve.login import COOKIES, local_path, staff
from chatbot.serve.login_words import CHINESE, ENGLISH
from chatbot.ui.launch import mounted
from chatbot.ui.stubless import gr
from tests.test_accounts import PASSWORD, Clock

HTTP, HTTPS = "http://shop.example", "https://shop.example"
PAGE = {"accept": "text/html"}
OWN, FOREIGN = {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "cross-site"}
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(tmp_path: Path, clock: Clock) -> Iterator[SqlAccounts]:
    database = Database.connect(tmp_path / "journal.sqlite")
    made = SqlAccounts(database, clock, Passwords(CHEAP))
    for name, role in (("Anna", Role.AGENT), ("Lee", Role.LEAD)):
        made.create(name, PASSWORD, role)
    yield made
    database.close()


@pytest.fixture(params=[HTTP, HTTPS])
def client(request: pytest.FixtureRequest, accounts: SqlAccounts) -> Iterator[TestClient]:
    with opened(accounts, request.param) as client:
        yield client


def opened(accounts: SqlAccounts | None, address: str = HTTPS, **options: object) -> TestClient:
    """A page for customers and both of the staff, with nothing on them."""
    pages = {path: gr.Blocks(title="Ada & Sons", analytics_enabled=False) for path in ("/", *PAGES)}
    app = mounted(pages, accounts, **options)  # type: ignore[arg-type]
    return TestClient(app, base_url=address, follow_redirects=False, headers={"accept-language": "en"})


def said(response: Any) -> str:
    found = re.search(r'<p id="said" role="(?:alert|status)">(.*?)</p>', response.text)
    assert found is not None
    return unescape(found[1])


def token(response: Any) -> str:
    found = re.search(r'name="token" value="(.*?)"', response.text)
    assert found is not None
    return found[1]


def sign_in(client: TestClient, name: str = "Anna", password: str = PASSWORD, to: str = "") -> Any:
    form = {"name": name, "password": password, "next": to, "token": token(client.get("/login"))}
    return client.post("/login", data=form, headers=OWN)


def session(client: TestClient) -> str | None:
    return client.cookies.get("__Host-chatbot" if client.base_url.scheme == "https" else "chatbot")


class TestWhoGetsIn:
    def test_the_cookie_is_for_this_host_and_no_script(self, client: TestClient) -> None:
        response = sign_in(client)
        assert (response.status_code, response.headers["location"]) == (303, "/desk")
        secure = client.base_url.scheme == "https"
        name = "__Host-chatbot" if secure else "chatbot"
        cookies = {line.partition("=")[0]: line for line in response.headers.get_list("set-cookie")}
        assert cookies.keys() == {name, f"{name}-form"}
        value, *flags = cookies[name].split("; ")
        assert len(value) == len(name) + 1 + 43
        assert {flag.lower() for flag in flags} == {
            *("httponly", "max-age=43200", "path=/", "samesite=lax"),
            *(["secure"] if secure else []),
        }
        assert client.get("/desk/config").json()["username"] == "Anna"

    def test_each_role_gets_its_pages(self, client: TestClient) -> None:
        for name, desk, workshop in (("Anna", 200, 403), ("Lee", 200, 200)):
            sign_in(client, name)
            assert [client.get(f"{page}/config").status_code for page in PAGES] == [desk, workshop]
        sign_in(client, "Anna", to="/workshop")
        asked = client.get("/workshop/", headers=PAGE)
        assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=/workshop/")
        shown = client.get(asked.headers["location"])
        assert said(shown) == ENGLISH.not_allowed.format(name="Anna")
        assert re.findall(r'<a href="(/[^l].*?)">(.*?)</a>', shown.text) == [("/desk", "Support desk")]

    def test_an_account_of_another_bot_does_not(self, accounts: SqlAccounts) -> None:
        accounts.create("Bo", PASSWORD, Role.ADMIN, {"bank"})
        for bot, code in (("bank", 200), ("shop", 403)):
            with opened(accounts, bot=bot) as client:
                sign_in(client, "Bo")
                assert client.get("/desk/config").status_code == code

    def test_a_customers_session_opens_no_page_of_the_staff(self, accounts: SqlAccounts, clock: Clock) -> None:
        customer = accounts.sign_in(Ticket("c-1", "1", clock.now + timedelta(minutes=1)))
        with opened(accounts) as client:
            client.cookies.set("__Host-chatbot", customer)
            assert client.get("/desk/config").status_code == 401
            assert said(client.get("/login")) == ENGLISH.expired

    def test_nothing_under_a_page_is_open_to_others(self, client: TestClient) -> None:
        routes = [
            *(("GET", path) for path in ("", "/", "/config", "/gradio_api/info", "/theme.css", "/assets/x.js")),
            *(
                ("GET", f"/gradio_api/{path}")
                for path in ("queue/data?session_hash=x", "heartbeat/x", "startup-events")
            ),
            *(
                ("GET", f"/gradio_api/{path}")
                for path in ("file=/etc/hosts", "app_id", "token", "user", "login_check")
            ),
            *(
                ("POST", f"/gradio_api/{path}")
                for path in ("queue/join", "upload", "cancel", "reset", "stream/x/close")
            ),
            *(("POST", "/login"), ("PUT", "/"), ("GET", "/none")),
        ]
        for page in PAGES:
            for method, path in routes:
                assert client.request(method, page + path).status_code == 401, path
        assert client.get("/config").status_code == 200  # the customers' own page

    def test_who_opens_a_page_is_led_to_it_by_the_login(self, client: TestClient) -> None:
        asked = client.get("/desk/?case=7&x=%2F", headers=PAGE)
        assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=/desk/%3Fcase%3D7%26x%3D%252F")
        form = client.get(asked.headers["location"])
        to = re.search(r'name="next" value="(.*?)"', form.text)
        assert to is not None
        entered = sign_in(client, to=unescape(to[1]))
        assert entered.headers["location"] == "/desk/?case=7&x=%2F"
        assert client.get("/desk/", headers={"sec-fetch-mode": "cors", **PAGE}).status_code == 200

    def test_a_script_is_told_and_not_led(self, client: TestClient) -> None:
        for headers in ({"accept": "*/*"}, {"sec-fetch-mode": "cors", **PAGE}):
            response = client.get("/desk/config", headers=headers)
            assert (response.status_code, "Sign in at /login" in response.json()["detail"]) == (401, True)
        assert client.post("/desk/gradio_api/queue/join", headers=PAGE).status_code == 401

    def test_without_an_account_pages_are_open_on_this_machine_alone(self, tmp_path: Path) -> None:
        database = Database.connect(tmp_path / "empty.sqlite")
        accounts = SqlAccounts(database, passwords=Passwords(CHEAP))
        with opened(accounts, local=True) as here, opened(accounts, local=False) as there:
            assert here.get("/desk/config").json()["username"] == ""
            assert there.get("/desk/config").status_code == 401
            accounts.create("Anna", PASSWORD, Role.AGENT)
            assert here.get("/desk/config").status_code == 401
            sign_in(here)
            assert here.get("/desk/config").json()["username"] == "Anna"
        database.close()

    def test_pages_that_are_open_are_so_to_no_page_of_another_site(self, tmp_path: Path) -> None:
        database = Database.connect(tmp_path / "empty.sqlite")
        with opened(SqlAccounts(database), local=True) as client:
            for headers in (FOREIGN, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}):
                for page in ("/desk", "/workshop"):
                    join = f"{page}/gradio_api/queue/join"
                    assert client.post(join, json={"no": "event"}, headers=headers).status_code == 403
                    with pytest.raises(WebSocketDisconnect) as closed:
                        client.websocket_connect(f"{page}/talk", headers=headers).__enter__()
                    assert closed.value.code == 4403
            for headers in (OWN, {"origin": str(client.base_url).rstrip("/")}, {}):
                told = client.post("/desk/gradio_api/queue/join", json={"no": "event"}, headers=headers)
                assert told.status_code == 422  # by Gradio
        database.close()

    def test_without_the_gate_gradio_lets_nobody_in(self) -> None:
        assert entered(HTTPConnection({"type": "http", "headers": []})) is None


class TestWhatIsTold:
    @pytest.mark.parametrize(
        ("header", "language"), [("en", "en"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("fr", "en"), ("", "en")]
    )
    def test_the_page_speaks_the_browsers_language_or_the_chosen_one(
        self, client: TestClient, header: str, language: str
    ) -> None:
        response = client.get("/login", headers={"accept-language": header})
        words = {"en": ENGLISH, "zh": CHINESE}[language]
        assert f'<html lang="{language}">' in response.text
        assert f"<h1>{words.title}</h1>" in response.text and "Ada &amp; Sons" in response.text
        for other, chosen in (("en", ENGLISH), ("zh", CHINESE)):
            response = client.get(
                "/login", params={"lang": other, "next": "/desk"}, headers={"accept-language": header}
            )
            assert f"<h1>{chosen.title}</h1>" in response.text
            assert '<a href="/login?next=%2Fdesk&amp;lang=zh" lang="zh"' in response.text
            form = {"lang": other, "token": token(response), "name": "Anna", "password": "wrong"}
            assert said(client.post("/login", data=form, headers=OWN)) == chosen.wrong

    def test_a_wrong_password_and_a_name_that_is_not_there_are_told_alike(self, client: TestClient) -> None:
        for name in ("Anna", "Nobody", "<b>", ""):
            response = sign_in(client, name, "wrong")
            assert (response.status_code, said(response)) == (401, ENGLISH.wrong)
            assert session(client) is None
        assert "<b>" not in sign_in(client, "<b>", "wrong").text

    def test_a_lock_says_how_long(self, client: TestClient, clock: Clock) -> None:
        for _ in range(5):
            assert sign_in(client, password="wrong").status_code == 401
        clock.forward(timedelta(minutes=4, seconds=30))
        response = sign_in(client)
        assert (response.status_code, said(response)) == (429, ENGLISH.locked.format(minutes=11))
        assert response.headers["retry-after"] == "630"
        clock.forward(timedelta(seconds=630))
        assert sign_in(client).status_code == 303

    def test_many_names_from_one_place_lock_the_place(self, client: TestClient) -> None:
        for number in range(30):
            assert sign_in(client, f"name {number}", "wrong").status_code == 401
        assert sign_in(client).status_code == 429

    def test_who_was_away_is_told_and_led_back(self, client: TestClient, clock: Clock) -> None:
        sign_in(client)
        clock.forward(timedelta(hours=2))
        assert client.get("/desk/config").status_code == 401
        asked = client.get("/desk/", headers=PAGE)
        assert said(client.get(asked.headers["location"])) == ENGLISH.expired
        assert session(client) is None
        assert said(client.get("/login")) == ""

    def test_signing_out_ends_the_session_itself(self, client: TestClient, accounts: SqlAccounts) -> None:
        sign_in(client, "Lee")
        kept = session(client)
        assert kept is not None
        shown = client.get("/login")
        assert said(shown) == "You are signed in as Lee."
        left = client.post("/logout", data={"token": token(shown), "lang": "zh"}, headers=OWN)
        assert (left.status_code, left.headers["location"]) == (303, "/login?out=1&lang=zh")
        assert session(client) is None and accounts.caller_of_session(kept) is None
        assert said(client.get(left.headers["location"])) == CHINESE.signed_out
        assert client.get("/desk/config").status_code == 401

    def test_a_change_by_command_ends_it_too(self, client: TestClient, accounts: SqlAccounts) -> None:
        sign_in(client)
        assert client.get("/desk/config").status_code == 200
        accounts.disable("Anna")
        assert client.get("/desk/config").status_code == 401
        assert said(sign_in(client)) == ENGLISH.wrong

    def test_it_stands_under_a_strict_policy(self, client: TestClient) -> None:
        responses = client.get("/login"), sign_in(client, password="wrong"), sign_in(client)
        for response in responses:
            policy = response.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; style-src 'self'; ") and "unsafe" not in policy
            assert (response.headers["cache-control"], response.headers["referrer-policy"]) == (
                "no-store",
                "no-referrer",
            )
            assert not re.search(r"<script|<style| style=| on\w+=", response.text)
        style = client.get("/login.css")
        assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")


class TestWhatOthersCannotDo:
    def test_a_session_that_somebody_planted_is_not_taken_over(
        self, client: TestClient, accounts: SqlAccounts
    ) -> None:
        name = "__Host-chatbot" if client.base_url.scheme == "https" else "chatbot"
        client.cookies.set(name, "planted", domain="shop.example")
        sign_in(client)
        first = session(client)
        sign_in(client, "Lee")
        second = session(client)
        assert len({"planted", first, second}) == 3 and first is not None and second is not None
        found = [accounts.caller_of_session(each) for each in ("planted", first, second)]
        assert [caller and caller.name for caller in found] == [None, None, "Lee"]

    def test_a_form_needs_the_token_for_this_browser(self, client: TestClient, accounts: SqlAccounts) -> None:
        with opened(accounts, str(client.base_url)) as other:
            theirs = token(other.get("/login"))
        for given in ("", theirs, "x" * 64, "é"):
            client.get("/login")
            form = {"name": "Anna", "password": PASSWORD, "token": given}
            response = client.post("/login", data=form, headers=OWN)
            assert (response.status_code, said(response), session(client)) == (403, ENGLISH.stale, None)
        own = token(client.get("/login"))
        client.cookies.clear()
        response = client.post("/login", data={"name": "Anna", "password": PASSWORD, "token": own}, headers=OWN)
        assert response.status_code == 403
        sign_in(client)
        assert client.post("/logout", data={"token": theirs}, headers=OWN).status_code == 403
        assert client.get("/desk/config").status_code == 200

    def test_no_other_site_has_the_browser_change_anything(self, client: TestClient) -> None:
        sign_in(client)
        for headers in (
            *(FOREIGN, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "none"}),
            *({"origin": o} for o in ("https://evil.example", "null", "http://shop.example.evil.example", "")),
            *({"origin": o} for o in ("https://shop.example:8443", "https://shop.example@evil.example")),
            {**FOREIGN, "origin": HTTPS},
            {"referer": HTTPS},
            {},
        ):
            for path in ("/desk/gradio_api/queue/join", "/gradio_api/queue/join", "/login", "/logout", "/v1/none"):
                response = client.post(path, headers=headers)
                assert (response.status_code, response.json()["detail"][:20]) == (403, "This was sent from a")
            for method in ("PUT", "PATCH", "DELETE", "BREW"):
                assert client.request(method, "/desk/none", headers=headers).status_code == 403
            assert client.get("/desk/config", headers=headers).status_code == 200

    def test_its_own_pages_do(self, client: TestClient) -> None:
        sign_in(client)
        for headers in (OWN, {"origin": HTTPS}, {"origin": "http://SHOP.example"}):
            response = client.post("/desk/gradio_api/queue/join", json={"no": "event"}, headers=headers)
            assert response.status_code == 422  # by Gradio

    def test_who_carries_no_cookie_needs_no_page(self, client: TestClient) -> None:
        assert client.post("/gradio_api/queue/join", json={"no": "event"}, headers=FOREIGN).status_code == 422

    def test_a_websocket_is_held_to_the_same(self) -> None:
        async def talk(socket: WebSocket) -> None:
            await socket.accept()
            await socket.send_text("hello")
            await socket.close()

        app = Starlette(routes=[WebSocketRoute("/talk", talk), Route("/", lambda _: PlainTextResponse(""))])
        client = TestClient(OwnPagesOnly(app, COOKIES), cookies={"chatbot": "x"})
        for headers in ({"origin": "https://evil.example"}, FOREIGN, {}):
            with pytest.raises(WebSocketDisconnect), client.websocket_connect("/talk", headers=headers):
                pass
        for headers in ({"origin": "http://testserver"}, OWN):
            with client.websocket_connect("/talk", headers=headers) as socket:
                assert socket.receive_text() == "hello"

    def test_a_websocket_to_a_page_of_the_staff_needs_a_session(self, client: TestClient) -> None:
        with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/desk/talk"):
            pass
        assert closed.value.code == 4401

    def test_the_login_leads_nowhere_else(self, client: TestClient) -> None:
        for path in (
            *("https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example"),
            *("/\t/evil.example", "\t//evil.example", "/\n/evil.example", " //evil.example", "/ /evil.example"),
            *("javascript:alert(1)", "evil.example", "", "?next=/", "/\x00", "/\u2028/evil.example", "desk"),
        ):
            assert local_path(path) is None
            assert sign_in(client, to=path).headers["location"] == "/desk"

    @pytest.mark.parametrize("path", ["/", "/desk", "/desk/?case=1&who=%E5%AE%A2", "/@x", "/a//b", "/客服"])
    def test_but_to_any_path_of_this_service(self, path: str) -> None:
        assert local_path(path) == path


def test_whose_session_a_request_has(accounts: SqlAccounts, clock: Clock) -> None:
    anna = accounts.all_accounts()[0]
    own = accounts.open_session(anna)
    customer = accounts.sign_in(Ticket("c-1", "1", clock.now + timedelta(minutes=1)))

    def request(scheme: str, cookie: str) -> HTTPConnection:
        scope = {
            "type": "http",
            "scheme": scheme,
            "server": ("shop.example", 80),
            "path": "/",
            "query_string": b"",
        }
        return HTTPConnection({**scope, "headers": [(b"cookie", cookie.encode())]})

    assert staff(accounts, request("https", f"__Host-chatbot={own}")) == anna.caller
    assert staff(accounts, request("http", f"chatbot={own}")) == anna.caller
    for scheme, cookie in (
        ("https", f"chatbot={own}"),  # which a page of HTTP might have set
        ("http", f"__Host-chatbot={own}"),
        ("https", f"__Host-chatbot={customer}"),
        ("https", "__Host-chatbot="),
        ("https", "__Host-chatbot=x"),
        ("https", ""),
    ):
        assert staff(accounts, request(scheme, cookie)) is None
