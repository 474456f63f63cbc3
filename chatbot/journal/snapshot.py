"""A copy of a SQLite file as it is at one moment, while others write to it; and whether such a file is whole.

In: a SQLite file, the journal's or the company's. Out: another one, in one piece and without a log beside it. It
goes around SQLAlchemy, which does not know SQLite's own way to copy, and brings no tables up to date.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from chatbot.errors import Unavailable

WAIT = 30.0  # seconds that a writer may take


def snapshot(source: Path, target: Path) -> None:
    """Copy `source` to `target`, which must not exist; only we may read it. Raises Unavailable."""
    with _translated(source, "copied"):
        target.touch(0o600, exist_ok=False)
        with closing(_opened(source)) as found, closing(sqlite3.connect(target)) as copy:
            found.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")


def faults(file: Path) -> list[str]:
    """What is wrong with a SQLite file, in SQLite's words; nothing where it is whole. Raises Unavailable."""
    with _translated(file, "read"), closing(_opened(file)) as found:
        said = [row[0] for row in found.execute("PRAGMA quick_check")]
    return [] if said == ["ok"] else said


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True, timeout=WAIT)


@contextmanager
def _translated(file: Path, done: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as cause:
        raise Unavailable(
            f"The database {file} could not be {done}: {cause}. Check that it exists, may be read and has room."
        ) from cause
