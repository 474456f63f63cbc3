"""Faults that end a process: killed while customers write, while a bot is made, while an edit is published; and a
polite end under load.

In: a folder to work in, and how many rounds. Out: for each fault what was acknowledged and what was found
afterwards, as faults.py writes it down.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
from running import ROOT, Caller, Service, callers, chance, small_bot, talking, until

from chatbot import bundle
from chatbot.assemble import load_bot
from chatbot.domain import Conversation

QUICK_TRAINING = {
    "CHATBOT_ENCODE__MAX_STEPS": "2",
    "CHATBOT_ENCODE__MIN_STEPS": "1",
    "CHATBOT_RERANK__MIN_LISTS": "8",
    "CHATBOT_RERANK__MAX_LISTS": "16",
    "CHATBOT_CALIBRATE__FOLDS": "1",
}


def killed_while_customers_write(service: Service, rounds: int, seed: int = 1) -> dict[str, Any]:
    """kill -9 of a running service, started again each time; it runs afterwards. What was acknowledged is sent
    again with its key, and so is what was cut off."""
    drawn, found = chance(seed), nothing()
    found |= {"sent_again": 0, "answered_as_before": 0, "doubled": 0, "cut_off": 0, "cut_off_but_kept": 0}
    found["cut_off_sent_again"] = {}
    for number in range(rounds):
        talkers = callers(service, f"s{seed}r{number}")
        with talking(talkers):
            until(lambda: any(caller.acknowledged for caller in talkers))  # noqa: B023
            time.sleep(drawn.uniform(0.2, 2.0))
            service.end()
        found["seconds_until_it_worked"].append(round(service.start(), 1))
        for caller in talkers:
            _look(caller, found)
        found["rounds"] += 1
    return found


def _look(caller: Caller, found: dict[str, Any]) -> None:
    """Compare what was acknowledged to a caller with what is kept."""
    kept = caller.history()
    found["acknowledged"] += len(caller.acknowledged)
    found["found"] += sum(text in kept for text, _ in caller.acknowledged)
    found["lost"] += [text for text, _ in caller.acknowledged if text not in kept]
    found["wrong"] += [text for text in kept if kept.count(text) > 1]
    order = [text for text in kept if text in dict(caller.acknowledged)]
    if order != [text for text, _ in caller.acknowledged]:
        found["wrong"].append(f"{caller.name}: another order")
    found["cut_off"] += len(caller.cut)
    found["cut_off_but_kept"] += sum(text in kept for text, *_ in caller.cut)
    with caller.service.client() as client:
        for text, key in caller.acknowledged[-3:]:
            answer = caller.say(client, text, key)
            found["sent_again"] += 1
            if answer.status_code == 201 and answer.headers.get("idempotent-replayed") == "true":
                found["answered_as_before"] += 1
            else:
                found["wrong"].append(f"sent again: {answer.status_code} {answer.text[:200]}")
        for text, key, _ in caller.cut:
            status = str(caller.say(client, text, key).status_code)
            found["cut_off_sent_again"][status] = found["cut_off_sent_again"].get(status, 0) + 1
    now = caller.history()
    found["doubled"] += sum(now.count(text) > 1 for text, *_ in (*caller.acknowledged, *caller.cut))


def killed_while_made(folder: Path, rounds: int, command: str = "build", seed: int = 2) -> dict[str, Any]:
    """kill -9 of `chatbot build` or `train` at any moment, over a bot that is there; at the end it may finish."""
    bot = folder / f"killed-{command}"
    small_bot(bot)
    drawn, found = chance(seed), nothing()
    arguments = [sys.executable, "-m", "chatbot", command, "--pairs", str(bot.with_suffix(".csv"))]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | QUICK_TRAINING
    start = time.monotonic()
    subprocess.run([*arguments, "--index", str(bot)], check=True, capture_output=True, env=environment)
    whole = time.monotonic() - start
    found |= {"old_in_use": 0, "new_in_use": 0, "leftovers": 0}
    for number in range(rounds):
        before = bundle.in_use(bot)
        late = (number + drawn.random()) / rounds  # spread over the whole of it
        child = subprocess.Popen(
            [*arguments, "--index", str(bot)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            child.wait(whole * (0.4 + 0.6 * late))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        _check_whole(bot, found)
        found["new_in_use" if bundle.in_use(bot) != before else "old_in_use"] += 1
        found["leftovers"] += len(_drafts(bot))
        found["rounds"] += 1
    subprocess.run([*arguments, "--index", str(bot)], check=True, capture_output=True, env=environment)
    _check_whole(bot, found)
    found["leftovers_after_the_next_write"] = len(_drafts(bot))
    found["acknowledged"] = found["found"] = 2
    found["wrong"] += [str(path) for path in _drafts(bot)]
    return found


def killed_while_publishing(service: Service, key: str, rounds: int, seed: int = 3) -> dict[str, Any]:
    """kill -9 while POST /v1/publish comes again and again; what was acknowledged is in the bot afterwards."""
    drawn, found = chance(seed), nothing()
    found |= {"cut_off": 0, "cut_off_but_in_use": 0, "leftovers": 0}
    acknowledged: list[str] = []
    for number in range(rounds):
        cut: list[str] = []
        thread = threading.Thread(target=_publish, args=(service, key, f"r{number}", acknowledged, cut))
        before = len(acknowledged)
        thread.start()
        until(lambda: len(acknowledged) > before)  # noqa: B023
        time.sleep(drawn.uniform(0, 2))
        service.end()
        thread.join()
        _check_whole(service.bot, found)
        found["leftovers"] += len(_drafts(service.bot))
        found["seconds_until_it_worked"].append(round(service.start(), 1))
        live = questions(service, key)
        found["lost"] += [question for question in acknowledged if question not in live]
        found["cut_off"] += len(cut)
        found["cut_off_but_in_use"] += sum(question in live for question in cut)
        strangers = {one for one in live if one.startswith("kayak")} - {*acknowledged, *cut}
        found["wrong"] += sorted(strangers)
        acknowledged += [question for question in cut if question in live]
        found["rounds"] += 1
    last: list[str] = []
    _publish(service, key, "last", last, [], most=1)
    found["leftovers_after_the_next_write"] = len(_drafts(service.bot))
    found["wrong"] += [str(path) for path in _drafts(service.bot)]
    acknowledged += last
    found["acknowledged"] = len(acknowledged)
    found["found"] = sum(question in questions(service, key) for question in acknowledged)
    return found


def _publish(
    service: Service, key: str, name: str, acknowledged: list[str], cut: list[str], most: int = 1000
) -> None:
    with service.client(key) as client:
        for number in range(most):
            question = f"kayak {name} {number}"
            pair = {"question": question, "answer": "Three kinds.", "answer_id": "kayaks", "language": "en"}
            try:
                answer = client.post("/v1/publish", json={"add": [pair]})
            except httpx.HTTPError:
                cut.append(question)
                return
            if answer.status_code == 201:
                acknowledged.append(question)


def questions(service: Service, key: str) -> set[str]:
    """Of all pairs that are live."""
    found, cursor = set(), None
    with service.client(key) as client:
        while True:
            page = client.get("/v1/pairs", params={"limit": 100} | ({"cursor": cursor} if cursor else {}))
            page.raise_for_status()
            found |= {one["question"] for one in page.json()["items"]}
            cursor = page.json()["next"]
            if cursor is None:
                return found


def terminated_under_load(service: Service, rounds: int, drain: float = 15.0, seed: int = 4) -> dict[str, Any]:
    """SIGTERM while customers write, half of them on connections that stay open: whatever is in the history was
    answered, and nobody can connect any more."""
    drawn, found = chance(seed), nothing()
    found |= {"exit_codes": [], "seconds_to_end": [], "cut_off": {}, "answered_503": 0}
    for number in range(rounds):
        talkers = callers(service, f"t{number}a", 4) + callers(service, f"t{number}b", 4, keep_alive=False)
        with talking(talkers):
            until(lambda: any(caller.acknowledged for caller in talkers))  # noqa: B023
            time.sleep(drawn.uniform(0.2, 1.0))
            start = time.monotonic()
            found["exit_codes"].append(service.end(signal.SIGTERM))
            found["seconds_to_end"].append(round(time.monotonic() - start, 2))
        if found["seconds_to_end"][-1] > drain:
            found["wrong"].append(f"it took {found['seconds_to_end'][-1]} s to end")
        found["seconds_until_it_worked"].append(round(service.start(), 1))
        for caller in talkers:
            kept = caller.history()
            found["acknowledged"] += len(caller.acknowledged)
            found["found"] += sum(text in kept for text, _ in caller.acknowledged)
            found["lost"] += [text for text, _ in caller.acknowledged if text not in kept]
            found["answered_503"] += len(caller.refused)
            for text, _, error in caller.cut:
                kind = error.partition(":")[0]
                found["cut_off"][kind] = found["cut_off"].get(kind, 0) + 1
                if text in kept:
                    found["wrong"].append(f"kept, but not answered: {text}: {error}")
        found["rounds"] += 1
    found["wrong"] += [f"exit code {code}" for code in found["exit_codes"] if code != 0]
    return found


def _check_whole(bot: Path, found: dict[str, Any]) -> None:
    """Every file of what is in use is checked, and it answers."""
    try:
        if not load_bot(bot).reply(Conversation(), "where is my parcel").decision.candidates:
            found["wrong"].append("the bot finds nothing")
    except Exception as error:  # noqa: BLE001  # whatever it is, it is found
        found["wrong"].append(f"{type(error).__name__}: {error}")


def _drafts(bot: Path) -> list[Path]:
    return [path for path in (bot / bundle.VERSIONS).glob(".building-*") if path.is_dir()]


def nothing() -> dict[str, Any]:
    return {
        "rounds": 0,
        "acknowledged": 0,
        "found": 0,
        "lost": [],
        "wrong": [],
        "errors": [],
        "seconds_until_it_worked": [],
    }
