"""`chatbot journal`: what is kept of customers is counted, exported, deleted, and purged when it is due; and the
audit, which all but the first leave a row in.

In: options of the command line, and CHATBOT_RETENTION for `chatbot serve`. Out: an exit code, as commands.py's.
"""

import argparse
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatbot.errors import SettingsError, UserError

if TYPE_CHECKING:
    from chatbot.journal.audit import Note
    from chatbot.journal.database import Database
    from chatbot.journal.retention import Whose

RETENTION = "CHATBOT_RETENTION"
JOURNAL = "journal.sqlite"  # in a bot's folder
BOT = "{bot}"  # in the place of a journal: the bot's name
UNITS = {"h": "hours", "d": "days", "w": "weeks"}
SPAN = "a time such as 90d: hours (h), days (d) or weeks (w), from 1 on and no more than a century"

AUDIT_EXAMPLES = """examples:
  chatbot journal audit --index index/shop                 the newest hundred
  chatbot journal audit --index index/shop --most 1000 --json > audit.jsonl
"""

logger = logging.getLogger(__name__)


def add_to(commands: Any) -> None:
    """Put `journal` and its own commands beside the other commands."""
    text = "What is kept of customers: count, export, delete, purge; and who did so."
    own = commands.add_parser("journal", help=text, description=text).add_subparsers(
        required=True, metavar="COMMAND"
    )
    for name, run, text in (
        ("info", info, "What the journal holds, and since when."),
        ("export", export, "Write all that is kept of one conversation or customer, a row a line."),
        ("delete", delete, "Delete what is kept of one conversation or customer, or everything, for good."),
        ("purge", purge, "Delete conversations that ended long ago; those that wait for a person stay."),
        ("audit", audit, "Who did what with accounts, keys and customers' data, newest first."),
    ):
        made = own.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        add_place(made)
        if run in (export, delete):
            whose = made.add_mutually_exclusive_group(required=True)
            whose.add_argument("--conversation", metavar="ID", help="one conversation")
            whose.add_argument("--customer", metavar="ID", help="every conversation of a customer who signed in")
        if run is export:
            made.add_argument(
                "--output", type=Path, required=True, metavar="FILE", help="jsonl, for you alone to read"
            )
        if run is delete:
            whose.add_argument(
                "--everything", action="store_true", help="all conversations, and what was dismissed"
            )
            whose.add_argument("--edits", action="store_true", help="the history of what the company changed")
            made.add_argument("--yes", action="store_true", help="to --everything and --edits: yes, I mean it")
        if run is audit:
            made.epilog, made.formatter_class = AUDIT_EXAMPLES, argparse.RawDescriptionHelpFormatter
            made.add_argument("--most", type=count, default=100, metavar="N", help="rows at most (100)")
            made.add_argument("--json", action="store_true", help="an object a line: time, who, what, about")
        if run is purge:
            made.add_argument("--older-than", type=span, required=True, metavar="SPAN", help=SPAN)


def add_place(made: argparse.ArgumentParser) -> None:
    """Where the journal of a command is; `opened` opens it."""
    where = made.add_mutually_exclusive_group(required=True)
    where.add_argument("--index", type=Path, metavar="DIR", help=f"folder of the built bot, with its {JOURNAL}")
    where.add_argument("--journal", metavar="URL", help="file or URL of the database")


def info(options: argparse.Namespace) -> int:
    from chatbot.journal.retention import holdings

    with opened(options) as database:
        held = holdings(database)
        print(f"{'journal':16s}{database.name}")
    print(f"{'tables':16s}version {held.version}")
    print(f"{'size':16s}{'unknown' if held.size is None else f'{held.size / 1e6:,.1f} MB'}")
    for name, count in held.rows.items():
        print(f"{name.replace('_', '-'):16s}{count:,}")
    print(f"{'open hand-overs':16s}{held.waiting:,}")
    print(f"{'customers':16s}{held.customers:,}")
    for name, time in (("oldest", held.oldest), ("newest", held.newest)):
        print(f"{name:16s}{'-' if time is None else time.isoformat(' ', 'seconds')}")
    return 0


def export(options: argparse.Namespace) -> int:
    from chatbot.journal import retention as kept

    rows = 0
    with opened(options) as database:
        whose = _whose(options, database)
        try:
            with open(options.output, "w", encoding="utf-8", opener=_for_me_alone) as file:
                for row in kept.export(database, whose, _note(options, "exported")):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                    rows += 1
        except OSError as cause:
            raise UserError(f"--output {options.output} cannot be written: {cause.strerror}") from cause
    print(f"{rows} rows are in {options.output}")
    return 0


def delete(options: argparse.Namespace) -> int:
    from chatbot.journal import retention as kept
    from chatbot.journal.audit import Deed, noted

    with opened(options) as database:
        if (options.everything or options.edits) and not options.yes:
            what = "edits" if options.edits else "conversations"
            held = kept.holdings(database).rows[what]
            raise UserError(f"that would delete {held:,} {what} for good; say --yes if you mean it")
        if options.edits:
            _say_gone(kept.delete_edits(database, noted(operator(), Deed.EDITS_DELETED)))
        elif options.everything:
            _say_gone(kept.delete_everything(database, noted(operator(), Deed.EVERYTHING_DELETED)))
        elif options.customer is not None:
            gone = kept.forget(database, options.customer, _note(options, "deleted"))
            if not gone:
                raise UserError(_nothing(options))
            _say_gone(gone)
        else:
            _say_gone(kept.delete(database, _whose(options, database), _note(options, "deleted")))
    return 0


def purge(options: argparse.Namespace) -> int:
    with opened(options) as database:
        _say_gone(_purged(database, options.older_than))
    return 0


def audit(options: argparse.Namespace) -> int:
    from chatbot.journal import SqlAudit

    with opened(options) as database:
        entries = SqlAudit(database).latest(options.most)
    for entry in entries:
        if options.json:
            row = {"time": entry.time.isoformat(), "who": entry.who, "what": entry.what, "about": entry.about}
            print(json.dumps(row, ensure_ascii=False))
        else:
            time = entry.time.isoformat(" ", "seconds")
            print(f"{time} {entry.who or '-':24s} {entry.what:24s} {entry.about}".rstrip())
    return 0


def operator() -> str:
    """Who gives commands, for the audit."""
    try:
        return f"system:{getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return f"system:{os.getuid()}"


def journal_of(name: str, folder: Path, given: str | None, alone: bool) -> str | Path:
    """Where the journal of one bot is: in its folder, or at the place that was given, with the bot's name in it.
    Raises UserError where several bots would write into one."""
    if given is None:
        return folder / JOURNAL
    if not alone and BOT not in given:
        raise UserError(
            f"each bot keeps a journal of its own, so --journal must have {BOT} in it, such as "
            f"journals/{BOT}.sqlite, or in PostgreSQL a schema each: postgresql+psycopg://…/chatbot?options="
            f"-csearch_path={BOT}"
        )
    return given.replace(BOT, name)


def retention(environment: Mapping[str, str] = os.environ) -> timedelta | None:
    """How long conversations are kept after their last word; None: for ever. Raises SettingsError."""
    given = environment.get(RETENTION)
    if not given:
        return None
    try:
        return span(given)
    except argparse.ArgumentTypeError as cause:
        raise SettingsError(f"{RETENTION}: {cause}") from cause


def purge_due(database: "Database", kept: timedelta | None) -> None:
    """What a service does when it starts."""
    if kept is not None and (gone := _purged(database, kept)):
        logger.info("%d conversations ended over %s ago and were deleted", gone["conversations"], kept)


def _purged(database: "Database", older_than: timedelta) -> Mapping[str, int]:
    from chatbot.journal import retention as kept
    from chatbot.journal.audit import Deed, noted

    moment = datetime.now(UTC) - older_than
    note = noted(operator(), Deed.PURGED, moment.isoformat(timespec="seconds"))
    return kept.delete(database, kept.silent_since(moment), note)


@contextmanager
def opened(options: argparse.Namespace, new: bool = False) -> Iterator["Database"]:
    """The database that a command names; unless it may be `new`, it has to be there."""
    from chatbot.journal.database import Database

    database = Database.connect(options.index / JOURNAL if options.journal is None else options.journal, new)
    try:
        yield database
    finally:
        database.close()


def _whose(options: argparse.Namespace, database: "Database") -> "Whose":
    from chatbot.journal import retention as kept

    one = options.conversation
    whose = kept.of_customer(options.customer) if one is None else kept.of_conversation(one)
    if not kept.found(database, whose):
        raise UserError(_nothing(options))
    return whose


def _note(options: argparse.Namespace, done: str) -> "Note":
    """That a customer or a conversation was exported or deleted."""
    from chatbot.journal.audit import Deed, noted, pseudonym

    if options.customer is not None:
        return noted(operator(), Deed(f"customer_{done}"), pseudonym(options.customer))
    return noted(operator(), Deed(f"conversations_{done}"), options.conversation)


def _nothing(options: argparse.Namespace) -> str:
    one = options.conversation
    named = f"customer {options.customer!r}" if one is None else f"conversation {one!r}"
    return f"the journal holds nothing of {named}"


def _say_gone(gone: Mapping[str, int]) -> None:
    listed = ", ".join(f"{count:,} {name.replace('_', '-')}" for name, count in sorted(gone.items()) if count)
    print(f"deleted for good: {listed or 'nothing'}")


def count(text: str) -> int:
    """How many, as an option says it."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def span(text: str) -> timedelta:
    """A length of time, as an option says it."""
    found = re.fullmatch(r"([1-9]\d{0,5})([hdw])", text.strip())
    length = None if found is None else timedelta(**{UNITS[found[2]]: int(found[1])})
    if length is None or length > timedelta(days=36_525):
        raise argparse.ArgumentTypeError(f"{text!r} is not {SPAN}")
    return length


def _for_me_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
