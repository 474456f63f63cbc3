"""What becomes of two questions in one message, and of one in two sentences: results/several.json.

    python benchmarks/several.py [--index index/demo] [--read]

In: data/several/{en,zh}.csv, messages with the answers of their first and second question; the second is empty
where there is one question only. The same bot is asked with and without splitting; `--read` prints the slips.
"""

import argparse
import csv
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tqdm import tqdm

from chatbot import several
from chatbot.assemble import load_bot
from chatbot.converse import Chatbot
from chatbot.domain import Conversation
from chatbot.learn.evaluate import write_metrics

HERE = Path(__file__).parent
DATA = HERE.parent / "data" / "several"
LANGUAGES = ("en", "zh")


def main() -> int:
    options = _options()
    bot = load_bot(options.index)
    result: dict[str, Any] = {}
    for language in LANGUAGES:
        result[language] = {"split": measure(bot, language, options.read)}
        with patch.object(several, "split", lambda *_: ()):  # as it was before
            result[language]["whole"] = measure(bot, language, read=False)
    files = {f"several/{file.name}": hashlib.sha256(file.read_bytes()).hexdigest() for file in DATA.glob("*.csv")}
    about = {"command": "python benchmarks/several.py", "seed": bot.settings.seed, "files": files}
    write_metrics(HERE / "results" / "several.json", result, about)
    json.dump(result, sys.stdout, indent=1)
    return 0


def measure(bot: Chatbot, language: str, read: bool) -> dict[str, dict[str, int]]:
    """How many messages of each kind came out how."""
    counts: dict[str, Counter[str]] = {"two": Counter(), "one": Counter()}
    with (DATA / f"{language}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in tqdm(rows, language):
        reply = bot.reply(Conversation(), row["text"])
        given = {answer_id for answer_id in (reply.answer_id, *reply.also) if answer_id is not None}
        wanted = {row["first"], row["second"]} - {""}
        kind = "two" if row["second"] else "one"
        outcome = judged(given, wanted)
        counts[kind][outcome] += 1
        counts[kind]["part said to be unanswered"] += reply.offers_person and "\n\n" in reply.text
        if read and (outcome not in ("both right", "right") or (kind == "one" and "\n\n" in reply.text)):
            print(
                language, kind, outcome, row["text"], wanted, given, reply.text.split("\n\n")[-1][:150], sep=" | "
            )
    return {
        kind: {"messages": sum(bool(row["second"]) == (kind == "two") for row in rows)} | dict(count)
        for kind, count in counts.items()
    }


def judged(given: set[str], wanted: set[str]) -> str:
    if len(wanted) == 2:
        if given - wanted:
            return "a wrong answer given"
        return ("none given", "one right", "both right")[len(given)]
    if len(given) > 1:
        return "wrongly given two"
    if not given:
        return "none given"
    return "right" if given == wanted else "wrong"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path, default=HERE.parent / "index" / "demo", metavar="DIR")
    parser.add_argument("--read", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
