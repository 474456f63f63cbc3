"""The tables. A hand-over's history is kept as rows that are only ever added, each of its own kind: the unique
`hand_over_id` of a claim is what keeps two agents from taking the same one, and the `place` of a review from
judging the same answer at once. Of whatever opens a door only a hash is stored.

A change here comes with a step in migrations/versions, and VERSION names the last one.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sql

VERSION = "0004"
SCHEMA = sql.MetaData()

Clock = Callable[[], datetime]  # gives times with a time zone


def utc() -> datetime:
    return datetime.now(UTC)


def now() -> str:
    return stamp(utc())


def stamp(moment: datetime) -> str:
    """A time (with a time zone) as it is stored: such texts are in the order of their times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _time() -> sql.Column[str]:
    return sql.Column("time", sql.String(32), nullable=False, default=now)


def _belongs_to(owner: str, unique: bool = False) -> sql.Column[Any]:
    return sql.Column(
        f"{owner}_id", sql.ForeignKey(f"{owner}s.id"), nullable=False, index=not unique, unique=unique
    )


def _bots() -> sql.Column[Any]:
    """Names of those that may be reached; empty: all of them."""
    return sql.Column("bots", sql.JSON(none_as_null=True))


CONVERSATIONS = sql.Table(
    "conversations",
    SCHEMA,
    sql.Column("id", sql.String(32), primary_key=True),
    sql.Column("language", sql.String(16)),
    sql.Column("customer", sql.Text, index=True),  # who signed in, if anybody; what it means is the company's
    sql.Column("secret", sql.String(64)),  # SHA-256 of the conversation's own token; empty: it has none
    _time(),
)
EXCHANGES = sql.Table(
    "exchanges",
    SCHEMA,
    sql.Column("id", sql.Integer, primary_key=True),
    _belongs_to("conversation"),
    sql.Column("text", sql.Text, nullable=False),  # what the customer typed
    sql.Column("cleaned", sql.Text, nullable=False, index=True),  # the same without case and punctuation
    sql.Column("reply", sql.Text, nullable=False),
    sql.Column("action", sql.String(16), nullable=False),
    sql.Column("reason", sql.String(32), nullable=False),
    sql.Column("answer_id", sql.Text),
    sql.Column("confidence", sql.Float, nullable=False),
    sql.Column("candidates", sql.JSON, nullable=False),
    sql.Column("timings", sql.JSON, nullable=False),  # milliseconds a step
    sql.Column("language", sql.String(16), nullable=False),
    sql.Column("beside", sql.JSON),  # what else the reply holds: citations and suggestions
    sql.Column("version", sql.String(64)),  # of the bot that gave it
    _time(),
)
FEEDBACK = sql.Table(
    "feedback",
    SCHEMA,
    sql.Column("id", sql.Integer, primary_key=True),
    _belongs_to("exchange"),
    sql.Column("liked", sql.Boolean),  # empty: the thumb was taken back
    sql.Column("comment", sql.Text, nullable=False),
    _time(),
)
REVIEWS = sql.Table(
    "reviews",
    SCHEMA,
    sql.Column("id", sql.Integer, primary_key=True),
    _belongs_to("exchange"),
    sql.Column("place", sql.Integer, nullable=False),  # among those of its exchange, from 1
    sql.Column("verdict", sql.String(16), nullable=False),
    sql.Column("agent", sql.Text, nullable=False),
    sql.Column("answer_id", sql.Text),  # the right answer, where it is another one
    _time(),
    sql.UniqueConstraint("exchange_id", "place"),
)
DISMISSALS = sql.Table(
    "dismissals",
    SCHEMA,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("cleaned", sql.Text, nullable=False, index=True),  # a question, as exchanges.cleaned
    sql.Column("language", sql.String(16), nullable=False),
    sql.Column("dismissed", sql.Boolean, nullable=False),  # no: taken back
    sql.Column("agent", sql.Text, nullable=False),
    _time(),
)
HAND_OVERS = sql.Table(
    "hand_overs",
    SCHEMA,
    sql.Column("id", sql.Integer, primary_key=True),
    _belongs_to("conversation"),
    sql.Column("reason", sql.String(32), nullable=False),
    sql.Column("open", sql.Boolean, nullable=False, default=True),
    _time(),
)
CLAIMS = sql.Table(
    "claims",
    SCHEMA,
    sql.Column("id", sql.Integer, primary_key=True),
    _belongs_to("hand_over", unique=True),
    sql.Column("agent", sql.Text, nullable=False),
    _time(),
)
CLOSINGS = sql.Table(
    "closings",
    SCHEMA,
    sql.Column("id", sql.Integer, primary_key=True),
    _belongs_to("hand_over", unique=True),
    sql.Column("outcome", sql.String(16), nullable=False),
    sql.Column("agent", sql.Text, nullable=False),
    _time(),
)
CONTACTS = sql.Table(
    "contacts",
    SCHEMA,
    sql.Column("id", sql.Integer, primary_key=True),
    _belongs_to("hand_over"),
    sql.Column("contact", sql.Text, nullable=False),
    _time(),
)
EDITS = sql.Table(
    "edits",
    SCHEMA,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("version", sql.String(64), nullable=False, index=True),  # in use afterwards
    sql.Column("before", sql.String(64), nullable=False),  # in use until then
    sql.Column("who", sql.Text, nullable=False),
    sql.Column("kind", sql.String(16), nullable=False),
    sql.Column("why", sql.Text, nullable=False),
    sql.Column("counts", sql.JSON, nullable=False),  # how many of each kind of change, by language
    sql.Column("texts", sql.JSON, nullable=False),  # every answer and question that changed
    _time(),
)
MESSAGES = sql.Table(
    "messages",
    SCHEMA,
    sql.Column("id", sql.Integer, primary_key=True),
    _belongs_to("conversation"),
    sql.Column("author", sql.String(16), nullable=False),
    sql.Column("name", sql.Text, nullable=False),  # of an agent
    sql.Column("text", sql.Text, nullable=False),
    _time(),
)
ACCOUNTS = sql.Table(
    "accounts",
    SCHEMA,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("name", sql.String(64), nullable=False, unique=True),
    sql.Column("password", sql.Text, nullable=False),  # Argon2's hash
    sql.Column("role", sql.String(16), nullable=False),
    _bots(),
    sql.Column("disabled", sql.Boolean, nullable=False, default=False),
    _time(),
)
KEYS = sql.Table(
    "keys",
    SCHEMA,
    sql.Column("id", sql.String(16), primary_key=True),  # is in the key, for all to see
    sql.Column("name", sql.String(64), nullable=False),
    sql.Column("hash", sql.String(64), nullable=False),  # SHA-256 of 256 random bits
    sql.Column("old_hash", sql.String(64)),  # of the secret before, until its time is over
    sql.Column("old_expires", sql.String(32)),
    sql.Column("scopes", sql.JSON, nullable=False),
    _bots(),
    sql.Column("expires", sql.String(32)),  # empty: never
    sql.Column("revoked", sql.String(32)),  # when, if it was
    _time(),
)
SESSIONS = sql.Table(
    "sessions",
    SCHEMA,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("hash", sql.String(64), nullable=False, unique=True),
    sql.Column("account_id", sql.ForeignKey("accounts.id"), index=True),  # of the staff, or else
    sql.Column("customer", sql.Text, index=True),
    _bots(),  # of a customer; those of an account are its own
    sql.Column("expires", sql.String(32), nullable=False, index=True),
    sql.Column("seen", sql.String(32), nullable=False),  # last used, to the minute
    _time(),
)
SPENT_TOKENS = sql.Table(
    "spent_tokens",
    SCHEMA,
    sql.Column("jti", sql.String(64), primary_key=True),  # SHA-256 of the token's own id
    sql.Column("expires", sql.String(32), nullable=False, index=True),
    _time(),
)
ATTEMPTS = sql.Table(  # at a password, that were wrong or are not known yet to be right
    "attempts",
    SCHEMA,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("what", sql.String(64), nullable=False, index=True),  # SHA-256 of a name or an address
    _time(),
)
AUDIT = sql.Table(
    "audit",
    SCHEMA,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("who", sql.Text, nullable=False),
    sql.Column("what", sql.String(32), nullable=False),
    sql.Column("about", sql.Text, nullable=False),  # an id, an account's name, a time; never a customer's words
    _time(),
)
IDEMPOTENCY = sql.Table(
    "idempotency",
    SCHEMA,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("key", sql.String(255), nullable=False),
    sql.Column("caller", sql.String(255), nullable=False),
    sql.Column("digest", sql.String(64), nullable=False),  # of the request
    sql.Column("status", sql.Integer),  # of the response; empty: not yet there
    sql.Column("body", sql.Text),
    sql.Column("conversation_id", sql.ForeignKey("conversations.id"), index=True),  # which it goes with
    _time(),
    sql.UniqueConstraint("caller", "key"),
)
