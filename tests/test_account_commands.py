"""`chatbot accounts` and `chatbot keys`: what they change, print and refuse."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from chatbot.__main__ import main
from chatbot.access import GRANTED, Caller, Role, Scope
from chatbot.journal import SqlAccounts
from chatbot.journal.accounts import Checked
from chatbot.journal.database import Database

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\nanother line\n"))


@pytest.fixture
def accounts(place: str) -> Iterator[SqlAccounts]:
    database = Database.connect(place)
    yield SqlAccounts(database)
    database.close()


def test_an_account_from_the_first_to_the_last_day(
    place: str, accounts: SqlAccounts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*arguments: str) -> str:
        assert main(["accounts", *arguments, "--journal", place]) == 0
        return capsys.readouterr().out

    asked = "--password-stdin"
    assert run("add", "Anna", "--role", "lead", asked, "--bot", "shop", "bank") == "Anna may sign in as lead\n"
    anna = accounts.check("Anna", PASSWORD, "").account
    assert anna is not None and (anna.role, anna.bots) == (Role.LEAD, frozenset(("shop", "bank")))
    session = accounts.open_session(anna)
    monkeypatch.setattr(sys, "stdin", io.StringIO("another password"))
    assert run("password", "Anna", asked) == "Anna has another password, and has to sign in again\n"
    assert accounts.caller_of_session(session) is None
    assert accounts.check("Anna", PASSWORD, "") == Checked()
    assert accounts.check("Anna", "another password", "").account == anna
    assert run("role", "Anna", "--role", "agent") == "Anna is agent from now on, and has to sign in again\n"
    assert run("disable", "Anna") == "Anna is signed out and cannot sign in\n"
    assert (
        run("list") == f"{'Anna':24s} agent  {'all bots':24s} {accounts.all_accounts()[0].time.date()}  disabled\n"
    )
    assert run("enable", "Anna") == "Anna may sign in again\n"
    assert run("list") == f"{'Anna':24s} agent  {'all bots':24s} {accounts.all_accounts()[0].time.date()}\n"


def test_a_key_from_the_first_to_the_last_day(
    place: str, accounts: SqlAccounts, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[str, str]:
        assert main(["keys", *arguments, "--journal", place]) == 0
        out, err = capsys.readouterr()
        return out.strip(), err

    given = "--scope", "chat", "pairs:read", "--bot", "shop", "--expires", "90d"
    first, said = run("create", "--name", "website", *given)
    assert said == "keep it now: it cannot be shown again\n"
    caller = Caller("website", frozenset((Scope.CHAT, Scope.READ_PAIRS)), frozenset(("shop",)))
    assert accounts.caller_of_key(first) == caller
    (key,) = accounts.all_keys()
    assert key.expires is not None and timedelta(days=90) - (key.expires - key.time) < timedelta(seconds=1)
    line = f"{key.id} {'website':24s} {'chat,pairs:read':24s} {'shop':16s}"
    assert run("list") == (f"{line} expires {key.expires.date()}", "")
    second, _ = run("rotate", key.id, "--grace", "1h")
    assert [accounts.caller_of_key(text) for text in (first, second)] == [caller, caller]
    third, _ = run("rotate", key.id)
    assert [accounts.caller_of_key(text) for text in (first, second, third)] == [None, None, caller]
    assert run("revoke", key.id) == (f"{key.id} is no longer good", "")
    assert accounts.caller_of_key(third) is None
    revoked = accounts.all_keys()[0].revoked
    assert revoked is not None and run("list") == (f"{line} revoked {revoked.date()}", "")


def test_a_password_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "bot").mkdir()

    def answered(*typed: str) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "chatbot", "accounts", "add", "Anna", "--role", "admin", "--index"]
        program = subprocess.Popen(
            [*command, str(tmp_path / "bot")],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        os.close(theirs)
        shown = b""
        for text in typed:
            while not shown.rstrip(b" ").endswith(b":"):
                shown += os.read(ours, 1000)
            os.write(ours, f"{text}\n".encode())
            shown += b"|"
        code = program.wait(60)
        shown += os.read(ours, 10_000)
        os.close(ours)
        return code, shown.decode().replace("\r\n", " ").replace("\n", " ").strip()

    prompts = "Password: | The same again: | "
    differ = f"{prompts}chatbot: The two passwords differ; nothing was changed."
    assert answered(PASSWORD, "something else") == (1, differ)
    assert answered(PASSWORD, PASSWORD) == (0, f"{prompts}Anna may sign in as admin")
    database = Database.connect(tmp_path / "bot" / "journal.sqlite", new=False)
    anna = SqlAccounts(database).check("Anna", PASSWORD, "").account
    assert anna is not None and GRANTED[anna.role] == frozenset(Scope)
    database.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["accounts", "add", "Anna", "--role", "lead", "--password-stdin", "--index", "no"],
            "There is no journal no/",
        ),
        (["accounts", "list", "--journal", "no.sqlite"], "There is no journal no.sqlite."),
        (
            ["accounts", "disable", "Ben", "--journal", "j.sqlite"],
            "There is no account 'Ben'. `chatbot accounts list`",
        ),
        (
            ["accounts", "add", "Anna", "--role", "lead", "--password-stdin", "--journal", "j.sqlite"],
            "There is an account 'Anna' already",
        ),
        (["keys", "revoke", "abc", "--journal", "j.sqlite"], "There is no key 'abc'. `chatbot keys list`"),
        (["keys", "create", "--name", " ", "--scope", "chat", "--journal", "j.sqlite"], "' ' is no name"),
    ],
)
def test_a_mistake_has_one_line_and_code_1(
    arguments: Sequence[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    database = Database.connect("j.sqlite")
    SqlAccounts(database).create("Anna", PASSWORD, Role.AGENT)
    database.close()
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert line.startswith(f"chatbot: {message}") and out == ""
    assert sorted(path.name for path in tmp_path.glob("*")) == ["j.sqlite"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["accounts"],
        ["accounts", "add", "Anna", "--index", "bot"],
        ["accounts", "add", "Anna", "--role", "boss", "--index", "bot"],
        ["accounts", "add", "Anna", "--role", "lead"],
        ["accounts", "add", "Anna", "--role", "lead", "--password", "x", "--index", "bot"],
        ["keys", "create", "--name", "x", "--index", "bot"],
        ["keys", "create", "--name", "x", "--scope", "chat", "everything", "--index", "bot"],
        ["keys", "rotate", "x", "--grace", "soon", "--index", "bot"],
    ],
)
def test_wrong_usage_has_code_2(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith("usage: chatbot")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["keys", "create", "--name", "a", "--scope", "chat,search"], "(choose from chat, search, history, "),
        (["accounts", "add", "Anna", "--role", "boss"], "(choose from agent, lead, admin)"),
    ],
)
def test_a_word_that_is_none_of_some_is_answered_with_them(
    arguments: Sequence[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*arguments, "--journal", "none.sqlite"])
    assert said in capsys.readouterr().err.replace("'", "")  # which Python 3.12 leaves out
