"""Who is calling, and what they may do: the nouns of accounts, keys and sessions. Standard library only.

A `Caller` comes out of whatever was shown: an API key, a session of a page, a customer's token, or nothing at all.
What it may do is its `scopes`, and nothing else is asked anywhere; a `Role` is no more than a name for some.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Scope(StrEnum):
    """One kind of thing that a caller may do."""

    CHAT = "chat"  # begin conversations, and read and continue one's own
    SEARCH = "search"  # candidates with their scores, batches of questions
    HISTORY = "history"  # conversations of others
    DESK = "desk"  # hand-overs: claim, reply, close
    READ_PAIRS = "pairs:read"
    WRITE_PAIRS = "pairs:write"  # live with the next message
    VERSIONS = "versions"  # publish, roll back
    EVALUATE = "evaluate"
    METRICS = "metrics"
    ADMIN = "admin"  # accounts and keys


class Role(StrEnum):
    """Of an account; customers have none."""

    AGENT = "agent"
    LEAD = "lead"
    ADMIN = "admin"


_AGENT = frozenset((Scope.CHAT, Scope.SEARCH, Scope.HISTORY, Scope.DESK, Scope.READ_PAIRS, Scope.WRITE_PAIRS))
_LEAD = _AGENT | {Scope.VERSIONS, Scope.EVALUATE, Scope.METRICS}
GRANTED: Mapping[Role, frozenset[Scope]] = {
    Role.AGENT: _AGENT,
    Role.LEAD: _LEAD,
    Role.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever calls. `name` is an account's or a key's, "" for anybody; `bots` are those that it may reach, None:
    all of them; `customer` is who signed in by a token, in the company's own terms."""

    name: str = ""
    scopes: frozenset[Scope] = frozenset()
    bots: frozenset[str] | None = None
    customer: str | None = None

    def may(self, scope: Scope, bot: str) -> bool:
        return scope in self.scopes and (self.bots is None or bot in self.bots)


@dataclass(frozen=True, slots=True)
class Account:
    """One of the staff. `bots` as a Caller's; `time`, with a time zone, is when it was made."""

    id: int
    name: str
    role: Role
    bots: frozenset[str] | None
    disabled: bool
    time: datetime

    @property
    def caller(self) -> Caller:
        return Caller(self.name, GRANTED[self.role], self.bots)


@dataclass(frozen=True, slots=True)
class Key:
    """A program's, all of it but the secret. `expires` and `revoked` are None: never, and not."""

    id: str
    name: str
    scopes: frozenset[Scope]
    bots: frozenset[str] | None
    expires: datetime | None
    revoked: datetime | None
    time: datetime


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a company's own site says of a customer who is signed in there: good for one session, once. `number`
    is the ticket's own, `expires` has a time zone."""

    customer: str
    number: str
    expires: datetime


ANYBODY = Caller(scopes=frozenset((Scope.CHAT,)))  # a customer whom nobody knows
