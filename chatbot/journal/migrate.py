"""A database brought to the tables that this program knows; the only caller of Alembic, which database.py loads
where something has to be done.

In: a connection in a transaction that keeps every other program out. Out: its tables as schema.py has them, or,
where anything fails, as they were: SQLite and PostgreSQL both take changes of tables back.
"""

from pathlib import Path

import sqlalchemy as sql
from alembic import command
from alembic.config import Config

FOLDER = Path(__file__).parent / "migrations"


def upgrade(connection: sql.Connection) -> None:
    """Run the steps that `connection`'s database lacks."""
    command.upgrade(config(connection), "head")


def config(connection: sql.Connection) -> Config:
    """Alembic's configuration, which needs no file."""
    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made
