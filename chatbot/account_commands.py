"""`chatbot accounts` and `chatbot keys`: who may call, made and ended by whoever has the database.

In: options of the command line; a password is asked for, or read from standard input, never an option, which other
programs of the machine could see. Out: an exit code, as commands.py's. The first admin is made here; whatever is
done takes effect at once, under a running service too.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from getpass import getpass
from typing import TYPE_CHECKING, Any

from chatbot.access import Role, Scope
from chatbot.errors import UserError
from chatbot.journal_commands import SPAN, add_place, opened, operator, span

if TYPE_CHECKING:
    from chatbot.journal import SqlAccounts

ACCOUNT_EXAMPLES = """examples:
  chatbot accounts add Anna --role agent --index index/shop          the password is asked for
  chatbot accounts add Lee --role lead --bot shop bank --journal postgresql+psycopg://…
  chatbot accounts password Anna --password-stdin --index index/shop < file
  chatbot accounts disable Anna --index index/shop                   signed out at once
"""
KEY_EXAMPLES = """examples:
  chatbot keys create --name website --scope chat --index index/shop
  chatbot keys create --name reports --scope chat history metrics --bot shop --expires 90d --index index/shop
  chatbot keys rotate 3f9a1c22b7d0 --grace 1h --index index/shop     both are good for an hour
  chatbot keys revoke 3f9a1c22b7d0 --index index/shop
"""


def add_to(commands: Any) -> None:
    """Put `accounts` and `keys` beside the other commands."""
    own = _group(commands, "accounts", "Who of the staff may sign in, and as what.", ACCOUNT_EXAMPLES)
    for name, run, text in (
        ("add", add, "Make an account."),
        ("list", list_accounts, "List the accounts."),
        ("role", role, "Give an account another role and other bots; it is signed out."),
        ("password", password, "Give an account another password; it is signed out."),
        ("disable", disable, "Let nobody sign in with an account; it is signed out."),
        ("enable", enable, "Let an account sign in again."),
    ):
        made = _command(own, name, run, text)
        if run is not list_accounts:
            made.add_argument("name", metavar="NAME", help="as customers see it")
        if run in (add, role):
            made.add_argument("--role", choices=list(map(str, Role)), required=True, help="what it may do")
            _add_bots(made)
        if run in (add, password):
            made.add_argument(
                "--password-stdin", action="store_true", help="the first line of standard input is the password"
            )

    own = _group(commands, "keys", "Keys that programs call the service with.", KEY_EXAMPLES)
    for name, run, text in (
        ("create", create, "Make a key; it is shown this once."),
        ("list", list_keys, "List the keys, without their secrets."),
        ("rotate", rotate, "Give a key another secret; it is shown this once."),
        ("revoke", revoke, "End a key at once and for good."),
    ):
        made = _command(own, name, run, text)
        if run in (rotate, revoke):
            made.add_argument("id", metavar="ID", help="as `chatbot keys list` prints it")
        if run is rotate:
            help_ = f"so long the old secret stays good (not at all): {SPAN}"
            made.add_argument("--grace", type=span, default=timedelta(0), metavar="SPAN", help=help_)
        if run is create:
            made.add_argument("--name", required=True, metavar="NAME", help="whose it is")
            made.add_argument(
                "--scope",
                choices=list(map(str, Scope)),
                nargs="+",
                required=True,
                metavar="SCOPE",
                help=", ".join(Scope),
            )
            _add_bots(made)
            made.add_argument("--expires", type=span, metavar="SPAN", help=f"ends after (never): {SPAN}")


def add(options: argparse.Namespace) -> int:
    with _accounts(options, new=True) as accounts:
        made = accounts.create(options.name, _password(options), Role(options.role), options.bot)
    print(f"{made.name} may sign in as {made.role}")
    return 0


def list_accounts(options: argparse.Namespace) -> int:
    with _accounts(options) as accounts:
        for found in accounts.all_accounts():
            state = "disabled" if found.disabled else ""
            print(f"{found.name:24s} {found.role:6s} {_bots(found.bots):24s} {_day(found.time)}  {state}".rstrip())
    return 0


def role(options: argparse.Namespace) -> int:
    with _accounts(options) as accounts:
        accounts.change(options.name, Role(options.role), options.bot)
    print(f"{options.name} is {options.role} from now on, and has to sign in again")
    return 0


def password(options: argparse.Namespace) -> int:
    with _accounts(options) as accounts:
        accounts.set_password(options.name, _password(options))
    print(f"{options.name} has another password, and has to sign in again")
    return 0


def disable(options: argparse.Namespace) -> int:
    with _accounts(options) as accounts:
        accounts.disable(options.name)
    print(f"{options.name} is signed out and cannot sign in")
    return 0


def enable(options: argparse.Namespace) -> int:
    with _accounts(options) as accounts:
        accounts.enable(options.name)
    print(f"{options.name} may sign in again")
    return 0


def create(options: argparse.Namespace) -> int:
    with _accounts(options, new=True) as accounts:
        expires = None if options.expires is None else accounts.clock() + options.expires
        scopes = [Scope(name) for name in options.scope]
        _show(accounts.create_key(options.name, scopes, options.bot, expires))
    return 0


def list_keys(options: argparse.Namespace) -> int:
    with _accounts(options) as accounts:
        for found in accounts.all_keys():
            state = "" if found.expires is None else f"expires {_day(found.expires)}"
            state = state if found.revoked is None else f"revoked {_day(found.revoked)}"
            scopes = ",".join(sorted(found.scopes))
            print(f"{found.id} {found.name:24s} {scopes:24s} {_bots(found.bots):16s} {state}".rstrip())
    return 0


def rotate(options: argparse.Namespace) -> int:
    with _accounts(options) as accounts:
        _show(accounts.rotate_key(options.id, options.grace))
    return 0


def revoke(options: argparse.Namespace) -> int:
    with _accounts(options) as accounts:
        accounts.revoke_key(options.id)
    print(f"{options.id} is no longer good")
    return 0


def _group(commands: Any, name: str, text: str, examples: str) -> Any:
    made = commands.add_parser(
        name, help=text, description=text, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    return made.add_subparsers(required=True, metavar="COMMAND")


def _command(
    group: Any, name: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = group.add_parser(name, help=text, description=text)
    made.set_defaults(run=run)
    add_place(made)
    return made


def _add_bots(made: argparse.ArgumentParser) -> None:
    made.add_argument("--bot", nargs="+", metavar="NAME", help="names of the bots that may be reached (all)")


@contextmanager
def _accounts(options: argparse.Namespace, new: bool = False) -> Iterator["SqlAccounts"]:
    """Where the first may be made, the database may be `new`, but no folder of a bot."""
    from chatbot.journal import SqlAccounts

    with opened(options, new and (options.index is None or options.index.is_dir())) as database:
        yield SqlAccounts(database, who=operator())


def _password(options: argparse.Namespace) -> str:
    if options.password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    given = getpass("Password: ")
    if given != getpass("The same again: "):
        raise UserError("The two passwords differ; nothing was changed.")
    return given


def _show(key: str) -> None:
    print(key)
    print("keep it now: it cannot be shown again", file=sys.stderr)


def _bots(bots: frozenset[str] | None) -> str:
    return "all bots" if bots is None else ",".join(sorted(bots))


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
