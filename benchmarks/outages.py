"""Faults that pass: a disk without room, a database that is away, a clock that jumps.

In: a folder to work in. Out: for each fault what was acknowledged and what was found afterwards, as faults.py
writes it down. None of them may need a restart.
"""

import shutil
import struct
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from crashes import nothing, questions
from running import Caller, Cluster, Disk, Service, callers, chatbot, said, small_disk, talking, until

from chatbot import bundle
from chatbot.assemble import load_bot

DAY = 86_400
LEFT = (0, 4_000, 20_000, 60_000, 100_000, 150_000, 250_000)  # bytes that are free when an edit is published
CLOCK = Path(__file__).parent / "jumping_clock.c"


def disk_full_for_the_journal(folder: Path, bot: Path, rounds: int) -> dict[str, Any]:
    """The SQLite journal's disk fills while customers write, and is cleared again."""
    found = nothing() | {"refused": 0}
    with (
        small_disk(folder / "journal", 24) as disk,
        Service(bot, str(disk.folder / "journal.sqlite")) as service,
    ):
        for number in range(rounds):
            talkers = callers(service, f"d{number}", 4)
            with talking(talkers, goes_on=True):
                time.sleep(0.5)
                disk.fill(20_000 * number)
                time.sleep(4)
                cleared = [len(caller.acknowledged) for caller in talkers]
                disk.clear()
                seconds = until(partial(_answered_more, talkers, cleared))
            found["seconds_until_it_worked"].append(round(seconds, 1))
            for caller in talkers:
                _kept(caller, found)
            found["rounds"] += 1
        _same_process(service, found)
    return found


def disk_full_for_an_edit(folder: Path, made: Path) -> dict[str, Any]:
    """The disk of the bot, and of its journal, has no or little room when an edit is published."""
    found = nothing() | {"refused": 0, "leftovers": 0}
    with small_disk(folder / "disk", 150) as disk:
        bot = disk.folder / "bot"
        shutil.copytree(made, bot)
        with Service(bot, str(bot / "journal.sqlite")) as service:
            key = service.key()
            acknowledged: list[str] = []
            for left in LEFT:
                disk.fill(left)
                before, version = questions(service, key), bundle.in_use(bot)
                question = f"kayak {left} a"
                status, answer = _publish(service, key, question)
                if status == 201:
                    acknowledged.append(question)
                else:
                    found["refused"] += 1
                    found["errors"].append(f"{status} {answer}")
                    if questions(service, key) != before or bundle.in_use(bot) != version:
                        found["wrong"].append(f"refused, but changed ({left} bytes left)")
                    _check_loads(bot, found)
                disk.clear()
                start = time.monotonic()
                again, answer = _publish(service, key, f"kayak {left} b")
                found["seconds_until_it_worked"].append(round(time.monotonic() - start, 1))
                if again == 201:
                    acknowledged.append(f"kayak {left} b")
                else:
                    found["wrong"].append(f"with room again: {again} {answer}")
                found["rounds"] += 1
            live = questions(service, key)
            found["acknowledged"], found["found"] = len(acknowledged), len(live.intersection(acknowledged))
            found["lost"] = sorted(set(acknowledged) - live)
            found["wrong"] += [path.name for path in (bot / bundle.VERSIONS).glob(".building-*")]
            _same_process(service, found)
    return found


def disk_full_for_a_command(folder: Path, made: Path, command: str) -> dict[str, Any]:
    """`chatbot build` or `chatbot backup` onto a disk without room, then with room."""
    found = nothing()
    with small_disk(folder / command, 150) as disk:
        target = disk.folder / ("new" if command == "build" else "backup.tar.gz")
        if command == "build":
            arguments = ["build", "--pairs", made.with_suffix(".csv"), "--index", target]
        else:
            arguments = ["backup", "--index", made, "--output", target]
        for left in (0, 1_000_000, 30_000_000):
            disk.fill(left)
            done = chatbot(*arguments)
            found["errors"].append(said(done).replace(str(folder), "DIR"))
            if done.returncode != 1 or not said(done).startswith("chatbot: ") or "Traceback" in done.stderr:
                found["wrong"].append(f"{left} bytes left: exit code {done.returncode}")
            found["wrong"] += [f"left there: {path.name}" for path in _whatever(disk)]
            found["rounds"] += 1
            disk.clear()
        start = time.monotonic()
        done = chatbot(*arguments)
        found["seconds_until_it_worked"].append(round(time.monotonic() - start, 1))
        found["acknowledged"], found["found"] = 1, int(done.returncode == 0 and target.exists())
        if command == "build":
            _check_loads(target, found)
    return found


def _whatever(disk: Disk) -> list[Path]:
    """What of the command is left: files in use, drafts, parts of an archive."""
    return [path for path in disk.folder.rglob("*") if path.is_file() and path.name not in ("filler", ".lock")]


def database_down(folder: Path, bot: Path, rounds: int) -> dict[str, Any]:
    """PostgreSQL is killed with -9 while customers write, and started again some seconds later."""
    found = nothing() | {"refused": 0, "refused_without_retry_after": 0, "ready_while_down": []}
    cluster = Cluster(folder)
    cluster.start()
    with Service(bot, cluster.url) as service:
        for number in range(rounds):
            talkers = callers(service, f"o{number}")
            with talking(talkers, goes_on=True):
                time.sleep(1)
                cluster.kill()
                time.sleep(1)
                told = [len(caller.acknowledged) for caller in talkers]
                time.sleep(2)
                if [len(caller.acknowledged) for caller in talkers] != told:
                    found["wrong"].append("acknowledged while the database was down")
                with service.client() as client:
                    ready = client.get("/health/ready")
                found["ready_while_down"].append(ready.status_code)
                cluster.start()
                seconds = until(partial(_answered_more, talkers, told))
            found["seconds_until_it_worked"].append(round(seconds, 1))
            for caller in talkers:
                _kept(caller, found)
            found["rounds"] += 1
        _same_process(service, found)
    cluster.kill()
    return found


def clock_jumps(folder: Path, bot: Path) -> dict[str, Any]:
    """The clock goes back a day, then forth by two, while a conversation goes on (jumping_clock.c)."""
    library, offset = folder / "clock.so", folder / "offset"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, CLOCK], check=True)
    offset.write_bytes(struct.pack("l", 0))
    environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset), "CHATBOT_SERVE__MESSAGES": "15/minute"}
    found = nothing() | {"refused": 0, "steps": {}}
    with Service(bot, str(folder / "clock.sqlite"), environment) as service:
        key = service.key()
        caller, said_before = Caller(service, "clock"), 0
        caller.begin()
        jumps = (("as it is", 0), ("a day back", -DAY), ("a day on", DAY), ("as it is again", 0))
        for name, seconds in jumps:
            with offset.open("r+b") as file:
                file.write(struct.pack("l", seconds))
            with talking([caller], goes_on=True, pause=0.25):
                time.sleep(4)
            told = caller.history()
            expected = [text for text, _ in caller.acknowledged]
            with closing(service.client()) as client:
                text, number = caller.acknowledged[-1]
                again = caller.say(client, text, number)
            version, answer = _publish(service, key, f"kayak {name}")
            newest = max(bundle.versions(bot))
            found["steps"][name] = {
                "acknowledged": len(expected) - said_before,
                "in_order": told == expected,
                "refused": sorted({f"{status}, Retry-After {after}" for status, after, _ in caller.refused}),
                "sent_again": f"{again.status_code}, replayed: {again.headers.get('idempotent-replayed')}",
                "published": version if version == 201 else f"{version} {answer}",
                "newest_version_is_in_use": newest == bundle.in_use(bot),
            }
            said_before = len(expected)
            found["rounds"] += 1
            found["refused"] += len(caller.refused)
            found["errors"] += [body for *_, body in caller.refused[:1]]
            caller.refused.clear()
        told = caller.history()
        found["acknowledged"] = len(caller.acknowledged)
        found["found"] = sum(text in told for text, _ in caller.acknowledged)
        for name, step in found["steps"].items():
            found["wrong"] += [f"{name}: {what}" for what in _out_of_joint(step)]
        _same_process(service, found)
    return found


def _out_of_joint(step: dict[str, Any]) -> list[str]:
    wrong = [] if step["in_order"] else ["the history is in another order"]
    wrong += [] if step["acknowledged"] else ["nothing was answered"]
    wrong += [f"refused with {one}" for one in step["refused"] if int(one.split()[-1] or 0) > 120]
    wrong += [] if step["newest_version_is_in_use"] else ["the version in use is not the newest by name"]
    wrong += [] if step["sent_again"] == "201, replayed: true" else [f"sent again: {step['sent_again']}"]
    return wrong


def _answered_more(talkers: Sequence[Caller], before: Sequence[int]) -> bool:
    return all(len(caller.acknowledged) > count for caller, count in zip(talkers, before, strict=True))


def _kept(caller: Caller, found: dict[str, Any]) -> None:
    """What a caller was told, and what is kept."""
    kept = caller.history()
    found["acknowledged"] += len(caller.acknowledged)
    found["found"] += sum(text in kept for text, _ in caller.acknowledged)
    found["lost"] += [text for text, _ in caller.acknowledged if text not in kept]
    found["wrong"] += [f"twice: {text}" for text in set(kept) if kept.count(text) > 1]
    found["refused"] += len(caller.refused)
    for status, after, body in caller.refused:
        if status != 503 or "urn:chatbot:" not in body:
            found["wrong"].append(f"{status} {body[:200]}")
        if not after:
            found["refused_without_retry_after"] = found.get("refused_without_retry_after", 0) + 1
        if (line := f"{status} {body}") not in found["errors"]:
            found["errors"].append(line)
    found["wrong"] += [f"no answer: {error}" for *_, error in caller.cut]


def _publish(service: Service, key: str, question: str) -> tuple[int, str]:
    pair = {"question": question, "answer": "Three kinds.", "answer_id": "kayaks", "language": "en"}
    with service.client(key) as client:
        answer = client.post("/v1/publish", json={"add": [pair]})
    return answer.status_code, answer.text


def _check_loads(bot: Path, found: dict[str, Any]) -> None:
    try:
        load_bot(bot)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is found
        found["wrong"].append(f"{type(error).__name__}: {error}")


def _same_process(service: Service, found: dict[str, Any]) -> None:
    if service.process is None or service.process.poll() is not None:
        found["wrong"].append("the service ended")
    found["errors"] = [error[:400] for error in dict.fromkeys(found["errors"])]
