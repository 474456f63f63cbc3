"""Where the staff sign in and out, and whose session a request has.

In: accounts, and what the page is called. Out: a router with /login, /logout and the page's style sheet, and
`staff`, the caller of a request. A session is a random token in a cookie that no script reads; it is a new one
after each login. A form is taken only with the token that this service signed for the browser's own cookie. The
page needs no script and no inline style, so that it stands under the strictest policy.
"""

import hashlib
import hmac
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from starlette.requests import HTTPConnection

from chatbot.access import Caller, Scope
from chatbot.journal import SqlAccounts
from chatbot.journal.sessions import LONGEST
from chatbot.serve.limits import address_of
from chatbot.serve.login_words import LOGIN_WORDS
from chatbot.ui.words import preferred

LOGIN, LOGOUT, STYLE = "/login", "/logout", "/login.css"
SESSION, FORM = "chatbot", "chatbot-form"  # cookies; on HTTPS their names begin with SECURE
SECURE = "__Host-"  # which has browsers take them from this host alone
COOKIES = tuple(start + name for start in ("", SECURE) for name in (SESSION, FORM))
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
HERE = Path(__file__).parent

Doors = Mapping[str, tuple[Scope, str]]  # the staff's pages by path: what each needs, and of which bot


def staff(accounts: SqlAccounts, connection: HTTPConnection) -> Caller | None:
    """The account whose session a request has; None where it has none that goes on."""
    token = connection.cookies.get(_named(SESSION, connection))
    caller = accounts.caller_of_session(token) if token else None
    return None if caller is None or caller.customer is not None else caller


def local_path(given: str) -> str | None:
    """A path of this service with its query, as it was given; None for whatever might lead elsewhere."""
    leads_out = not given.startswith("/") or given.startswith("//") or "\\" in given
    return None if leads_out or not given.isprintable() or " " in given else given


@dataclass(frozen=True)
class Login:
    """Made once an application. `key` signs forms."""

    accounts: SqlAccounts
    company: str
    pages: Doors
    key: bytes
    template: Template

    def router(self) -> APIRouter:
        made = APIRouter(include_in_schema=False)
        made.add_api_route(LOGIN, self.show, methods=["GET"], response_model=None)
        made.add_api_route(LOGIN, self.enter, methods=["POST"], response_model=None)
        made.add_api_route(LOGOUT, self.leave, methods=["POST"], response_model=None)
        made.add_api_route(STYLE, self.style, methods=["GET"], response_model=None)
        return made

    def show(
        self,
        request: Request,
        to: Annotated[str, Query(alias="next")] = "",
        lang: str = "",
        out: str = "",
    ) -> Response:
        language, caller = _language(request, lang), staff(self.accounts, request)
        words, over = LOGIN_WORDS[language], _named(SESSION, request) in request.cookies
        if caller is not None:
            closed = self.pages.keys() - self._open_to(caller)
            refused = any(to == page or to.startswith((f"{page}/", f"{page}?")) for page in closed)
            said = (words.not_allowed if refused else words.signed_in).format(name=caller.name)
            return self._page(request, language, said, to, caller=caller)
        response = self._page(request, language, words.expired if over else words.signed_out if out else "", to)
        if over:
            _forget(response, SESSION, request)
        return response

    def enter(
        self,
        request: Request,
        name: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        token: Annotated[str, Form()] = "",
        to: Annotated[str, Form(alias="next")] = "",
        lang: Annotated[str, Form()] = "",
    ) -> Response:
        language = _language(request, lang)
        words = LOGIN_WORDS[language]
        if not self._is_ours(request, token):
            return self._page(request, language, words.stale, to, name, wrong=403)
        checked = self.accounts.check(name, password, address_of(request.client))
        if checked.locked_until is not None:
            left = (checked.locked_until - self.accounts.clock()).total_seconds()
            said = words.locked.format(minutes=math.ceil(left / 60))
            response = self._page(request, language, said, to, name, wrong=429)
            response.headers["Retry-After"] = str(math.ceil(left))
            return response
        if checked.account is None:
            return self._page(request, language, words.wrong, to, name, wrong=401)
        self._close(request)
        path = local_path(to)
        opened = self._open_to(checked.account.caller)
        entered = RedirectResponse(path if path is not None else next(iter(opened), LOGIN), 303, HEADERS)
        _forget(entered, FORM, request)
        _remember(entered, SESSION, self.accounts.open_session(checked.account), request, LONGEST.total_seconds())
        return entered

    def leave(
        self, request: Request, token: Annotated[str, Form()] = "", lang: Annotated[str, Form()] = ""
    ) -> Response:
        language = _language(request, lang)
        if not self._is_ours(request, token):
            said = LOGIN_WORDS[language].stale
            return self._page(request, language, said, "", caller=staff(self.accounts, request), wrong=403)
        self._close(request)
        left = RedirectResponse(f"{LOGIN}?{urlencode({'out': 1, 'lang': language})}", 303, HEADERS)
        _forget(left, SESSION, request)
        return left

    def style(self) -> Response:
        return FileResponse(HERE / "login.css", headers={"Cache-Control": "no-cache"})

    def _page(
        self,
        request: Request,
        language: str,
        said: str,
        to: str,
        name: str = "",
        *,
        caller: Caller | None = None,
        wrong: int | None = None,
    ) -> Response:
        """`said` is a sentence for the visitor, of what is `wrong`, a status, if anything is."""
        nonce = request.cookies.get(_named(FORM, request)) or secrets.token_urlsafe(32)
        html = self.template.render(
            login=LOGIN,
            logout=LOGOUT,
            style=STYLE,
            language=language,
            words=LOGIN_WORDS[language],
            all_words=LOGIN_WORDS,
            company=self.company,
            address=lambda code: f"{LOGIN}?{urlencode({'next': to, 'lang': code} if to else {'lang': code})}",
            said=said,
            is_wrong=wrong is not None,
            name=name[:100],
            name_of_session=None if caller is None else caller.name,
            pages=() if caller is None else self._open_to(caller),
            next=to,
            token=self._signed(nonce),
        )
        response = HTMLResponse(html, 200 if wrong is None else wrong, HEADERS)
        _remember(response, FORM, nonce, request)
        return response

    def _open_to(self, caller: Caller) -> Sequence[str]:
        return [page for page, door in self.pages.items() if caller.may(*door)]

    def _close(self, request: Request) -> None:
        if token := request.cookies.get(_named(SESSION, request)):
            self.accounts.close_session(token)

    def _signed(self, nonce: str) -> str:
        return hmac.digest(self.key, nonce.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()

    def _is_ours(self, request: Request, token: str) -> bool:
        nonce = request.cookies.get(_named(FORM, request), "")
        return nonce != "" and hmac.compare_digest(token.encode(), self._signed(nonce).encode())


def login(accounts: SqlAccounts, pages: Doors, *, company: str) -> APIRouter:
    """The login of one process; forms of another one are asked for again."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("login.html")
    return Login(accounts, company, pages, secrets.token_bytes(32), page).router()


def _language(request: Request, asked: str) -> str:
    offered = list(LOGIN_WORDS)
    return asked if asked in offered else preferred(request.headers.get("accept-language", ""), offered)


def _is_secure(connection: HTTPConnection) -> bool:
    return connection.url.scheme in ("https", "wss")


def _named(cookie: str, connection: HTTPConnection) -> str:
    return f"{SECURE if _is_secure(connection) else ''}{cookie}"


def _remember(response: Response, cookie: str, value: str, request: Request, seconds: float | None = None) -> None:
    response.set_cookie(
        _named(cookie, request),
        value,
        max_age=None if seconds is None else int(seconds),
        path="/",
        secure=_is_secure(request),
        httponly=True,
        samesite="lax",
    )


def _forget(response: Response, cookie: str, request: Request) -> None:
    response.delete_cookie(
        _named(cookie, request), path="/", secure=_is_secure(request), httponly=True, samesite="lax"
    )
