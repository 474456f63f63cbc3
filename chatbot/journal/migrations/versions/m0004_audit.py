"""What the staff, programs and operators did."""

import sqlalchemy as sql
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "audit",
        sql.Column("id", sql.Integer, primary_key=True),
        sql.Column("who", sql.Text, nullable=False),
        sql.Column("what", sql.String(32), nullable=False),
        sql.Column("about", sql.Text, nullable=False),
        sql.Column("time", sql.String(32), nullable=False),
    )
