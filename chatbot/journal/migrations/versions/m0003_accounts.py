"""Who may call: accounts, keys, sessions, and what keeps them safe; a conversation's own token."""

import sqlalchemy as sql
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("conversations", sql.Column("secret", sql.String(64)))
    op.create_table(
        "accounts",
        sql.Column("id", sql.Integer, primary_key=True),
        sql.Column("name", sql.String(64), nullable=False, unique=True),
        sql.Column("password", sql.Text, nullable=False),
        sql.Column("role", sql.String(16), nullable=False),
        sql.Column("bots", sql.JSON),
        sql.Column("disabled", sql.Boolean, nullable=False),
        _time(),
    )
    op.create_table(
        "keys",
        sql.Column("id", sql.String(16), primary_key=True),
        sql.Column("name", sql.String(64), nullable=False),
        sql.Column("hash", sql.String(64), nullable=False),
        sql.Column("old_hash", sql.String(64)),
        sql.Column("old_expires", sql.String(32)),
        sql.Column("scopes", sql.JSON, nullable=False),
        sql.Column("bots", sql.JSON),
        sql.Column("expires", sql.String(32)),
        sql.Column("revoked", sql.String(32)),
        _time(),
    )
    op.create_table(
        "sessions",
        sql.Column("id", sql.Integer, primary_key=True),
        sql.Column("hash", sql.String(64), nullable=False, unique=True),
        sql.Column("account_id", sql.Integer, sql.ForeignKey("accounts.id"), index=True),
        sql.Column("customer", sql.Text, index=True),
        sql.Column("bots", sql.JSON),
        sql.Column("expires", sql.String(32), nullable=False, index=True),
        sql.Column("seen", sql.String(32), nullable=False),
        _time(),
    )
    op.create_table(
        "spent_tokens",
        sql.Column("jti", sql.String(64), primary_key=True),
        sql.Column("expires", sql.String(32), nullable=False, index=True),
        _time(),
    )
    op.create_table(
        "attempts",
        sql.Column("id", sql.Integer, primary_key=True),
        sql.Column("what", sql.String(64), nullable=False, index=True),
        _time(),
    )
    op.create_table(
        "idempotency",
        sql.Column("id", sql.Integer, primary_key=True),
        sql.Column("key", sql.String(255), nullable=False),
        sql.Column("caller", sql.String(255), nullable=False),
        sql.Column("digest", sql.String(64), nullable=False),
        sql.Column("status", sql.Integer),
        sql.Column("body", sql.Text),
        sql.Column("conversation_id", sql.String(32), sql.ForeignKey("conversations.id"), index=True),
        _time(),
        sql.UniqueConstraint("caller", "key"),
    )


def _time() -> sql.Column[str]:
    return sql.Column("time", sql.String(32), nullable=False)
