"""Whose a conversation is, and which version of the bot gave a reply; both unknown of what there was."""

import sqlalchemy as sql
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("conversations", sql.Column("customer", sql.Text))
    op.create_index("ix_conversations_customer", "conversations", ["customer"])
    op.add_column("exchanges", sql.Column("version", sql.String(64)))
