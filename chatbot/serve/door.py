"""Who is calling, and whether they may: what every route asks first.

In: a request. Out: an `At`, which says who stands before which bot; or a Problem. What is shown is a key (`ck_…`),
a customer's session (`cs_…`) or a conversation's own token (`ct_…`), as `Authorization: Bearer`; nothing shown is
anybody, who may begin a conversation. Whether somebody else's conversation exists is told to nobody.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from chatbot.access import ANYBODY, Caller, Scope
from chatbot.serve import service
from chatbot.serve.bots import Served
from chatbot.serve.limits import address_of
from chatbot.serve.logs import REQUEST
from chatbot.serve.problems import Problem, unknown
from chatbot.serve.routes import template

KEY, SESSION, TOKEN = "ck_", "cs_", "ct_"
LONGEST = 200  # characters of what may be shown

_bearer = HTTPBearer(auto_error=False, description="A key, a customer's session, or a conversation's token.")
Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


@dataclass(frozen=True, slots=True)
class Known:
    """Who calls. `who` is whom the meter counts, `shown` what was shown."""

    caller: Caller
    who: str
    shown: str


@dataclass(frozen=True, slots=True)
class At:
    """Who stands before which bot. `who` is whom the meter counts, `token` what opens one conversation."""

    caller: Caller
    bot: Served
    who: str
    token: str = ""


def new_token() -> str:
    return TOKEN + secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is kept of a token: it is random, so that a plain hash says nothing."""
    return hashlib.sha256(token.encode()).hexdigest()


def _known_query(request: Request) -> None:
    """Raises a Problem for a parameter that the route does not have: a mistyped filter would filter nothing."""
    known = request.app.state.queries[template(request.scope, 200), request.method]
    for name in request.query_params:
        if name not in known:
            raise Problem(
                422, "invalid", f"{name!r:.80} is no parameter of this; it has {', '.join(sorted(known))}."
            )


def known(ours: service.Service, request: Request) -> Known:
    """Who calls, looked up and counted once for a request, whoever asks. Raises a Problem for what was shown and
    is not valid, Busy for one request too many."""
    found: Known | None = getattr(request.state, "known", None)
    if found is None:
        scheme, text = get_authorization_scheme_param(request.headers.get("authorization"))
        text = text if scheme.lower() == "bearer" else ""
        caller = _caller(ours, text)
        found = request.state.known = Known(caller, _who(caller, request), text)
        ours.meter.count("requests", found.who)
    return found


def at(
    request: Request,
    _shown: Shown,
    bot: Annotated[str | None, Query(description="Which one; the first that the caller may reach.")] = None,
) -> At:
    """Raises what `known` does, and a Problem for a bot that the caller may not reach."""
    ours = service.of(request)
    mine = known(ours, request)
    caller = mine.caller
    _known_query(request)
    first = next((name for name in ours.bots if caller.bots is None or name in caller.bots), "")
    found = reached(ours, caller, first if bot is None else bot)
    if (logged := REQUEST.get()) is not None:
        logged.bot = found.name
    return At(caller, found, mine.who, mine.shown if mine.shown.startswith(TOKEN) else "")


def reached(ours: service.Service, caller: Caller, name: str) -> Served:
    """Raises a Problem, the same for a bot that does not exist and one that the caller may not reach."""
    if name not in ours.bots or not (caller.bots is None or name in caller.bots):
        raise unknown("bot of that name")
    return ours.bots[name]


def needs(scope: Scope) -> Callable[[At], At]:
    """What lets in only who may do that."""

    def let_in(standing: Annotated[At, Depends(at)]) -> At:
        if standing.caller.may(scope, standing.bot.name):
            return standing
        if not standing.caller.name:
            raise _stranger(f"This needs a key with the scope {scope}.")
        raise Problem(403, "forbidden", f"{standing.caller.name} lacks the scope {scope}.")

    return let_in


Here = Annotated[At, Depends(needs(Scope.CHAT))]


@dataclass(frozen=True, slots=True)
class Own:
    """A conversation that the caller may read and continue."""

    id: str
    at: At

    @property
    def bot(self) -> Served:
        return self.at.bot


def concerning(request: Request, conversation: Annotated[str, Path(max_length=64)]) -> str:
    """The conversation that a request is about: what is kept of the request goes with it."""
    request.state.conversation = conversation
    return conversation


ConversationId = Annotated[str, Depends(concerning)]


def own(request: Request, standing: Here, conversation: ConversationId) -> Own:
    """Raises a Problem, the same for one that does not exist and one that is not the caller's. Who may read those
    of others does not speak in them."""
    guard = standing.bot.journal.guard(conversation)
    caller = standing.caller
    by_token = guard is not None and _same(guard.secret, standing.token)
    by_name = guard is not None and caller.customer is not None and guard.customer == caller.customer
    reads = guard is not None and request.method == "GET" and caller.may(Scope.HISTORY, standing.bot.name)
    if not (by_token or by_name or reads):
        raise unknown("conversation of that id")
    return Own(conversation, standing)


Mine = Annotated[Own, Depends(own)]


def _caller(ours: service.Service, text: str) -> Caller:
    if not text or text.startswith(TOKEN):
        return ANYBODY  # whose conversation's token it is, is seen where that is opened
    found = None
    if len(text) <= LONGEST and text.startswith(KEY):
        found = ours.accounts.caller_of_key(text)
    elif len(text) <= LONGEST and text.startswith(SESSION):
        found = ours.accounts.caller_of_session(text.removeprefix(SESSION))
        found = None if found is None or found.customer is None else found  # those of the staff are the pages'
    if found is None:
        raise _stranger("What was shown is not valid, has expired or was revoked.")
    return found


def _stranger(detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, {"WWW-Authenticate": "Bearer"})


def _same(kept: str | None, token: str) -> bool:
    return kept is not None and token != "" and hmac.compare_digest(kept, digest(token))


def _who(caller: Caller, request: Request) -> str:
    """Whom the meter counts: a key, a customer, or else an address."""
    if caller.name:
        return f"key {caller.name}"
    if caller.customer is not None:
        return f"customer {caller.customer}"
    return f"address {address_of(request.client)}"
