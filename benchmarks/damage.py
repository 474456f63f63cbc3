"""Faults in files, and two who change the same ones: a flipped byte, half a file, two services that publish.

In: a folder to work in, and a bot with an earlier version. Out: for each fault what was found, as faults.py writes
it down.
"""

import random
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
from crashes import nothing, questions
from running import ROOT, Caller, Service, chance, chatbot, said, until

from chatbot import bundle
from chatbot.assemble import load_bot
from chatbot.doctor import State, _journal
from chatbot.domain import Conversation
from chatbot.errors import BotError
from chatbot.journal import SqlJournal

HEADER = 100  # bytes, of a SQLite file
IN_A_MANIFEST = 20  # more bits that are flipped, one after another
PUBLISHED, TRIES = 20, 20  # times, by each of two services
Damage = Callable[[bytes, random.Random], bytes]


def flipped(data: bytes, drawn: random.Random) -> bytes:
    """One bit of it; a byte more where it is empty."""
    place = drawn.randrange(len(data)) if data else 0
    return data[:place] + bytes([data[place] ^ 1 << drawn.randrange(8)]) + data[place + 1 :] if data else b"\0"


def halved(data: bytes, _drawn: random.Random) -> bytes:
    return data[: len(data) // 2] if data else b"\0"


KINDS: dict[str, Damage] = {"flipped": flipped, "half": halved}


@contextmanager
def damaged(file: Path, kind: str, drawn: random.Random) -> Iterator[None]:
    """The file is damaged in place, in a file of its own: other versions may share it."""
    whole = file.read_bytes()
    file.write_bytes(KINDS[kind](whole, drawn))
    try:
        yield
    finally:
        file.write_bytes(whole)


def _files(bot: Path) -> list[Path]:
    """The manifest in use, and every file of its version."""
    version = bot / bundle.VERSIONS / bundle.in_use(bot)
    return [bot / bundle.MANIFEST, *sorted(path for path in version.rglob("*") if path.is_file())]


def damaged_bot(bot: Path, every: int = 1, seed: int = 5) -> dict[str, Any]:
    """Each file of a bot in turn, or `every` so many of them: a load must say which one it is and what to do, and
    a rollback mend it. The bot has an earlier version that shares no file with the one in use."""
    found, drawn = nothing() | {"files": 0, "noticed": 0, "harmless": 0, "mended_by_rollback": 0}, chance(seed)
    question = "where is my parcel"
    manifest, reply = bundle.load(bot)[1], load_bot(bot).reply(Conversation(), question)
    files = _files(bot)[::every]
    found["files"] = len(files)
    for file in files:
        for kind in (*KINDS, *["flipped"] * (IN_A_MANIFEST if file.name == bundle.MANIFEST else 0)):
            with damaged(file, kind, drawn):
                found["rounds"] += 1
                try:
                    same = bundle.load(bot)[1] == manifest
                    if file.parent.name == manifest.version and file.name == bundle.MANIFEST:
                        bundle.load(bot, manifest.version)  # its own copy, which is read for a rollback to it
                except BotError as error:
                    found["noticed"] += 1
                    found["errors"].append(_short(bot, f"{error}"))
                    if str(file) not in str(error) or f"chatbot rollback --index {bot}" not in str(error):
                        found["wrong"].append(_short(bot, f"{file}: {error}"))
                except Exception as error:  # noqa: BLE001  # whatever it is, it is found
                    found["wrong"].append(_short(bot, f"{file} ({kind}): {type(error).__name__}: {error}"))
                else:
                    if same and load_bot(bot).reply(Conversation(), question).text == reply.text:
                        found["harmless"] += 1
                    else:
                        found["wrong"].append(_short(bot, f"{file} ({kind}): not noticed"))
                    continue
                bundle.rollback(bot)
                answer = load_bot(bot).reply(Conversation(), question)
                found["mended_by_rollback"] += bool(answer.decision.candidates)
            bundle.rollback(bot, manifest.version)
    found["acknowledged"], found["found"] = found["noticed"], found["mended_by_rollback"]
    found["errors"] = found["errors"][:2] + found["errors"][-2:]
    return found


def damaged_and_mended_by_commands(bot: Path, seed: int = 6) -> dict[str, Any]:
    """The same of one file and of the manifest, by the commands that a person types."""
    found, drawn, version = nothing(), chance(seed), bundle.in_use(bot)
    for file in (_files(bot)[0], max(_files(bot), key=lambda path: path.stat().st_size)):
        with damaged(file, "half", drawn):
            done = chatbot("ask", "--index", bot, "where is my parcel")
            found["errors"].append(_short(bot, said(done)))
            if done.returncode != 1 or not said(done).startswith("chatbot: ") or "Traceback" in done.stderr:
                found["wrong"].append(f"ask: exit code {done.returncode}: {done.stderr[-300:]}")
            start, commands = time.monotonic(), (("rollback",), ("ask", "where is my parcel"))
            codes = [chatbot(*command, "--index", bot).returncode for command in commands]
            found["seconds_until_it_worked"].append(round(time.monotonic() - start, 1))
            found["wrong"] += [f"rollback, ask: exit codes {codes}"] if codes != [0, 0] else []
            found["rounds"] += 1
        bundle.rollback(bot, version)
    found["acknowledged"] = found["found"] = found["rounds"] - len(found["wrong"])
    return found


def damaged_while_it_serves(bot: Path, journal: Path, seed: int = 7) -> dict[str, Any]:
    """Each file in turn, in place, under a running service, which is asked the same before and meanwhile."""
    found, drawn = nothing() | {"files": 0, "went_on": 0, "ended": []}, chance(seed)
    files = _files(bot)
    found["files"] = len(files)
    service = Service(bot, str(journal))
    with service:
        answer = _asked(service)
        for file in files:
            for kind in KINDS:
                found["rounds"] += 1
                with damaged(file, kind, drawn):
                    told = _asked(service)
                if told == answer:
                    found["went_on"] += 1
                    continue
                name = _short(bot, f"{file} ({kind})")
                if service.process is not None and service.process.poll() is not None:
                    found["ended"].append(f"{name}: signal {-service.process.returncode}")
                    found["seconds_until_it_worked"].append(round(service.start(), 1))
                else:
                    found["wrong"].append(f"{name}: {told!r:.200} instead of {answer!r:.200}")
        found["wrong"] += found["ended"]
    found["acknowledged"], found["found"] = found["rounds"], found["went_on"]
    return found


def _asked(service: Service) -> object:
    """What is answered, and how sure of it the bot is; no answer is its error."""
    caller = Caller(service, "damage")
    try:
        caller.begin()
        with service.client() as client:
            told = caller.say(client, "is my parcel sent", uuid.uuid4().hex)
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return told.status_code, told.json().get("text"), round(told.json().get("confidence", 0), 3)


def damaged_journal(file: Path, seed: int = 8) -> dict[str, Any]:
    """Of a SQLite journal that is made in `file`, each byte of the header in turn: `chatbot doctor` says that it
    is broken, or it is read as before."""
    found, drawn = nothing() | {"noticed": 0, "harmless": 0}, chance(seed)
    with closing(SqlJournal.connect(file)) as journal:
        for language in ("en", "zh") * 20:
            journal.open(language)
    whole, before = file.read_bytes(), _content(file)
    for place in range(HEADER):
        byte = whole[place] ^ 1 << drawn.randrange(8)
        for beside in ("-wal", "-shm"):
            file.with_name(file.name + beside).unlink(missing_ok=True)
        file.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
        found["rounds"] += 1
        broken = [one.what for one in _journal(file) if one.state is State.BROKEN]
        if broken:
            found["noticed"] += 1
            found["errors"].append(_short(file.parent, broken[0]))
        elif _content(file) == before:
            found["harmless"] += 1
        else:
            found["wrong"].append(f"byte {place}: not noticed")
    file.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    done = chatbot("doctor", "--journal", file, "--port", 0)
    line = next((line for line in done.stdout.splitlines() if line.startswith("broken")), done.stderr[-300:])
    found["errors"] = [_short(file.parent, line), *dict.fromkeys(found["errors"])][:6]
    found["wrong"] += [] if done.returncode == 1 else [f"doctor: exit code {done.returncode}"]
    found["acknowledged"], found["found"] = found["rounds"], found["noticed"] + found["harmless"]
    return found


def _content(file: Path) -> object:
    try:
        with closing(sqlite3.connect(file)) as connection:
            return [
                connection.execute(f"SELECT * FROM {name}").fetchall() for name in ("conversations", "exchanges")
            ]
    except sqlite3.Error as error:
        return error


def two_publish_at_once(bot: Path, journal: str, count: int = PUBLISHED) -> dict[str, Any]:
    """Two services of one folder and one journal publish pairs of their own, refused ones again after a while."""
    found = nothing() | {"refused": {}, "given_up": 0}
    acknowledged: list[str] = []
    with Service(bot, journal) as one, Service(bot, journal) as other:
        key = one.key()
        threads = [
            threading.Thread(target=_published, args=(service, key, name, count, acknowledged, found))
            for service, name in ((one, "a"), (other, "b"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = until(lambda: len({bundle.in_use(bot), *(_version(s, key) for s in (one, other))}) == 1, 30)
        found["seconds_until_it_worked"].append(round(seconds, 1))
        lives = [questions(service, key) for service in (one, other)]
    found["rounds"] = 2 * count
    found["acknowledged"] = len(acknowledged)
    found["found"] = sum(all(question in live for live in lives) for question in acknowledged)
    found["lost"] = [question for question in acknowledged if not all(question in live for live in lives)]
    kayaks = {question for live in lives for question in live if question.startswith("kayak")}
    found["wrong"] += sorted(kayaks - set(acknowledged))
    found["errors"] = [error[:400] for error in dict.fromkeys(found["errors"])]
    return found


def _published(
    service: Service, key: str, name: str, count: int, acknowledged: list[str], found: dict[str, Any]
) -> None:
    drawn = chance(len(name))
    with service.client(key) as client:
        for number in range(count):
            question = f"kayak {name} {number}"
            pair = {"question": question, "answer": "Three kinds.", "answer_id": "kayaks", "language": "en"}
            for _ in range(TRIES):
                answer = client.post("/v1/publish", json={"add": [pair]})
                if answer.status_code == 201:
                    acknowledged.append(question)
                    break
                status = str(answer.status_code)
                found["refused"][status] = found["refused"].get(status, 0) + 1
                found["errors"].append(f"{status} {answer.text}")
                if "meanwhile" not in answer.text:
                    found["wrong"].append(f"unclear: {status} {answer.text[:200]}")
                time.sleep(drawn.uniform(0.2, 1.5))
            else:
                found["given_up"] += 1
            time.sleep(drawn.uniform(0, 0.5))


def _version(service: Service, key: str) -> str | None:
    with service.client(key) as client:
        bots: dict[str, str | None] = client.get("/v1/version").json()["bots"]
    return next(iter(bots.values()))


def _short(folder: Path, text: str) -> str:
    return text.replace(str(folder), "DIR").replace(str(ROOT), ".")[:400]
