"""The tables as they were before they had a version.

A journal made then has them, or the older ones of them, or lacks a column: what is there stays as it is.
"""

from typing import Any

import sqlalchemy as sql
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _table(
        "conversations",
        sql.Column("id", sql.String(32), primary_key=True),
        sql.Column("language", sql.String(16)),
    )
    _table(
        "exchanges",
        _number(),
        _belongs_to("conversation"),
        sql.Column("text", sql.Text, nullable=False),
        sql.Column("cleaned", sql.Text, nullable=False, index=True),
        sql.Column("reply", sql.Text, nullable=False),
        sql.Column("action", sql.String(16), nullable=False),
        sql.Column("reason", sql.String(32), nullable=False),
        sql.Column("answer_id", sql.Text),
        sql.Column("confidence", sql.Float, nullable=False),
        sql.Column("candidates", sql.JSON, nullable=False),
        sql.Column("timings", sql.JSON, nullable=False),
        sql.Column("language", sql.String(16), nullable=False),
        sql.Column("beside", sql.JSON),
    )
    _table(
        "feedback",
        _number(),
        _belongs_to("exchange"),
        sql.Column("liked", sql.Boolean),
        sql.Column("comment", sql.Text, nullable=False),
    )
    _table(
        "reviews",
        _number(),
        _belongs_to("exchange"),
        sql.Column("place", sql.Integer, nullable=False),
        sql.Column("verdict", sql.String(16), nullable=False),
        sql.Column("agent", sql.Text, nullable=False),
        sql.Column("answer_id", sql.Text),
        sql.UniqueConstraint("exchange_id", "place"),
    )
    _table(
        "dismissals",
        _number(),
        sql.Column("cleaned", sql.Text, nullable=False, index=True),
        sql.Column("language", sql.String(16), nullable=False),
        sql.Column("dismissed", sql.Boolean, nullable=False),
        sql.Column("agent", sql.Text, nullable=False),
    )
    _table(
        "hand_overs",
        _number(),
        _belongs_to("conversation"),
        sql.Column("reason", sql.String(32), nullable=False),
        sql.Column("open", sql.Boolean, nullable=False),
    )
    _table(
        "claims", _number(), _belongs_to("hand_over", unique=True), sql.Column("agent", sql.Text, nullable=False)
    )
    _table(
        "closings",
        _number(),
        _belongs_to("hand_over", unique=True),
        sql.Column("outcome", sql.String(16), nullable=False),
        sql.Column("agent", sql.Text, nullable=False),
    )
    _table("contacts", _number(), _belongs_to("hand_over"), sql.Column("contact", sql.Text, nullable=False))
    _table(
        "edits",
        _number(),
        sql.Column("version", sql.String(64), nullable=False, index=True),
        sql.Column("before", sql.String(64), nullable=False),
        sql.Column("who", sql.Text, nullable=False),
        sql.Column("kind", sql.String(16), nullable=False),
        sql.Column("why", sql.Text, nullable=False),
        sql.Column("counts", sql.JSON, nullable=False),
        sql.Column("texts", sql.JSON, nullable=False),
    )
    _table(
        "messages",
        _number(),
        _belongs_to("conversation"),
        sql.Column("author", sql.String(16), nullable=False),
        sql.Column("name", sql.Text, nullable=False),
        sql.Column("text", sql.Text, nullable=False),
    )
    if "beside" not in {column["name"] for column in sql.inspect(op.get_bind()).get_columns("exchanges")}:
        op.add_column("exchanges", sql.Column("beside", sql.JSON))


def _table(name: str, *columns: sql.Column[Any] | sql.UniqueConstraint) -> None:
    if not sql.inspect(op.get_bind()).has_table(name):
        op.create_table(name, *columns, sql.Column("time", sql.String(32), nullable=False))


def _number() -> sql.Column[int]:
    return sql.Column("id", sql.Integer, primary_key=True)


def _belongs_to(owner: str, unique: bool = False) -> sql.Column[Any]:
    kind = sql.String(32) if owner == "conversation" else sql.Integer
    key = sql.ForeignKey(f"{owner}s.id")
    return sql.Column(f"{owner}_id", kind, key, nullable=False, index=not unique, unique=unique)
