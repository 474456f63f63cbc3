"""A database: opened, brought up to date, one transaction at a time, with SQLAlchemy's errors in words of ours.

A call that writes returns once its record is on disk: SQLite runs in WAL mode with `synchronous=FULL`, PostgreSQL
with `synchronous_commit`, so that what was acknowledged survives a killed process and a power cut. What is deleted
is overwritten (`secure_delete`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sql
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from chatbot.errors import Unavailable, UserError
from chatbot.journal.schema import VERSION

WAIT = 30.0  # seconds that a writer waits for another one before it gives up
# what PostgreSQL is told that one program at a time does
MIGRATION, QUEUE, SIGN_IN = 0x636861740001, 0x636861740002, 0x636861740003
NO_PATH = (":", "file:")  # begin what SQLite takes for a name and is none of a file


class Database:
    """Made by `connect`; every method may be called from any thread."""

    def __init__(self, engine: sql.Engine) -> None:
        self.engine = engine

    @classmethod
    def connect(cls, place: str | Path, new: bool = True, upgrade: bool = True) -> Self:
        """Open a SQLite file, or any database that a URL (`sqlite:///…`, `postgresql+psycopg://…`) names, and
        bring its tables up to date (`upgrade`). Raises Unavailable, and UserError where a newer program made it
        or, unless it may be `new`, where there is no such file."""
        said = "at this URL" if "://" in str(place) else str(place)  # a URL may hold a password
        try:
            url = (
                sql.make_url(str(place)) if "://" in str(place) else sql.URL.create("sqlite", database=str(place))
            )
            said = url.render_as_string()
            on_file = url.get_backend_name() == "sqlite"
            if on_file and url.database is not None:
                if not new and not Path(url.database).is_file():
                    raise UserError(f"There is no journal {url.database}. Name one with --index or --journal.")
                Path(url.database).parent.mkdir(parents=True, exist_ok=True)
                if not url.database.startswith(NO_PATH) and not Path(url.database).exists():
                    Path(url.database).touch(0o600)  # customers' words are for its owner alone
            options = {"connect_args": {"timeout": WAIT}} if on_file else {"pool_pre_ping": True}
            engine = sql.create_engine(url, hide_parameters=True, **options)
        except (SQLAlchemyError, OSError, ImportError) as cause:
            mend = (
                "`pip install 'chatbot[postgres]'`" if isinstance(cause, ImportError) else "Check its path or URL"
            )
            raise Unavailable(f"The journal {said} cannot be opened: {cause}. {mend}.") from cause
        if on_file:
            sql.event.listen(engine, "connect", _set_up_sqlite)
            sql.event.listen(engine, "begin", _begin)
        elif url.get_backend_name() == "postgresql":
            sql.event.listen(engine, "connect", _set_up_postgresql)
        database = cls(engine)
        try:
            if upgrade:
                database._bring_up_to_date()
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        self.engine.dispose()

    @property
    def name(self) -> str:
        """Its URL, without a password."""
        return self.engine.url.render_as_string()

    @property
    def file(self) -> Path | None:
        """Where it is, if it is a SQLite file."""
        name = self.engine.url.database
        on_file = self.engine.dialect.name == "sqlite" and name is not None and not name.startswith(NO_PATH)
        return Path(str(name)) if on_file else None

    @contextmanager
    def work(self, done: str, belongs_to: str = "") -> Iterator[sql.Connection]:
        """One transaction, committed at the end; what SQLAlchemy raises becomes an error of ours. What is only
        "opened" or "read" waits for no writer; `belongs_to` is what the caller named, for an error that says it
        is unknown."""
        try:
            with self.engine.connect() as opened:
                connection = opened.execution_options(writes=done not in ("opened", "read"))
                with connection.begin():
                    yield connection
        except SQLAlchemyError as cause:
            if belongs_to and isinstance(cause, IntegrityError | DataError):
                raise UserError(unknown(belongs_to)) from cause
            raise self._failed(done, cause) from cause

    def wait_for(self, connection: sql.Connection, turn: int) -> None:
        """Let one transaction at a time do what follows. SQLite lets only one write anyway."""
        if connection.dialect.name == "postgresql":
            connection.execute(sql.select(sql.func.pg_advisory_xact_lock(sql.literal(turn, sql.BigInteger))))

    def compact(self) -> None:
        """Give the room of what was deleted back, so that no trace of it stays in a SQLite file or beside it."""
        if self.engine.dialect.name == "sqlite":
            with self._raw("compacted") as cursor:
                cursor.execute("VACUUM")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _bring_up_to_date(self) -> None:
        with self.work("opened") as connection:
            found = version(connection)
        if found == VERSION:
            return
        if found is not None and found > VERSION:
            raise UserError(
                f"The journal {self.name} was made by a newer chatbot: its tables are at version {found}, and "
                f"this one knows {VERSION} at most. Install the newer one again."
            )
        from chatbot.journal.migrate import upgrade

        with self.work("brought up to date") as connection:
            self.wait_for(connection, MIGRATION)
            _have_schema(connection)
            upgrade(connection)  # nothing is left to do where another program was faster

    @contextmanager
    def _raw(self, done: str) -> Iterator[Any]:
        """A cursor outside any transaction."""
        try:
            connection = self.engine.raw_connection()
            try:
                yield connection.cursor()
            finally:
                connection.close()
        except (SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error) as cause:
            raise self._failed(done, cause) from cause

    def _failed(self, done: str, cause: Exception) -> Unavailable:
        known = getattr(cause, "orig", cause)  # what was to be written may be in what is not its first line
        reason = type(known).__name__ if isinstance(known, SQLAlchemyError) else str(known).partition("\n")[0]
        return Unavailable(
            f"The journal {self.name} could not be {done}: {reason}. "
            "Check that it exists, may be written and has room, and that no other program holds it."
        )


def unknown(what: str) -> str:
    return f"The journal knows no {what}. Use a number that it gave out itself (open or record)."


def storable(text: str) -> str:
    """Text that every database can hold: half a surrogate pair becomes a question mark, and the character of
    code 0, which PostgreSQL refuses, the sign for it."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "␀")


def version(connection: sql.Connection) -> str | None:
    """The last step of migrations/ that a database went through; None where it has no tables, or older ones."""
    if not sql.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sql.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _have_schema(connection: sql.Connection) -> None:
    """Where a URL names a schema (`?options=-csearch_path=NAME`) that PostgreSQL does not have, make it."""
    if (
        connection.dialect.name != "postgresql"
        or connection.execute(sql.select(sql.func.current_schema())).scalar()
    ):
        return
    path = connection.execute(sql.select(sql.func.current_setting("search_path"))).scalar_one()
    connection.execute(sql.schema.CreateSchema(path.partition(",")[0].strip(' "'), if_not_exists=True))


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin` says so, tables in them too
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sql.Connection) -> None:
    """Who may write is alone from the start: what it reads first still holds when it writes."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_up_postgresql(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
    connection.commit()
