"""Retrieval alone on the demo's pairs, beside ChatterBot: how often the best answer is right, and how soon.

    python -m venv /tmp/theirs && /tmp/theirs/bin/pip install chatterbot==1.2.15
    python benchmarks/peers.py --chatterbot /tmp/theirs/bin/python

ChatterBot has an environment of its own, since it wants other versions of libraries. Both are asked the first
turns of the held-out dialogues that something answers. ChatterBot is trained on pairs of a question and its answer
(ListTrainer) and answers with its BestMatch as it comes: words in lower case and difflib's ratio, out of SQLite.
Ours is the demo bot's best candidate, whatever would be decided about it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

LANGUAGES = ("en", "zh")
ROOT = Path(__file__).parent.parent
DEMO = ROOT / "data" / "demo"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chatterbot", metavar="PYTHON", help="interpreter of an environment with chatterbot")
    parser.add_argument("--theirs", metavar="LANGUAGE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.theirs:
        print(json.dumps(theirs(options.theirs, json.load(sys.stdin))))
        return 0
    if options.chatterbot is None:
        parser.error("--chatterbot PYTHON is needed; see above")
    return compare(options.chatterbot)


def compare(interpreter: str) -> int:
    from chatbot.assemble import load_bot
    from chatbot.corpus import read_pairs
    from chatbot.held_out import read_dialogues
    from chatbot.learn.evaluate import write_metrics

    bot = load_bot(ROOT / "index" / "demo")
    result: dict[str, Any] = {}
    for language in LANGUAGES:
        pairs = [pair for pair in read_pairs([DEMO / f"pairs_{language}.csv"]).pairs if pair.language == language]
        texts = {pair.answer_id: pair.answer for pair in pairs}
        first = [
            next((turn for turn in dialogue.turns if turn.expected is not None), None)
            for dialogue in read_dialogues([DEMO / f"dialogues_{language}.jsonl"])
        ]
        asked = {turn.text: {texts[a] for a in turn.expected} for turn in first if turn and turn.expected}
        line = bot.lines[language]
        line.retrieve(["hello"])
        ours = [_timed(partial(_first, line), text) for text in asked]
        given = {"pairs": [[pair.question, pair.answer] for pair in pairs], "questions": list(asked)}
        done = subprocess.run(
            [interpreter, __file__, "--theirs", language],
            input=json.dumps(given), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        other = json.loads(done.stdout.splitlines()[-1])
        result[language] = {
            "pairs": len(pairs),
            "questions": len(asked),
            "ours": _summary(asked, ours),
            "chatterbot": _summary(asked, other["answers"]) | {"training_seconds": other["training_seconds"]},
        }
        print(language, json.dumps(result[language]), flush=True)
    about = {"command": "python benchmarks/peers.py --chatterbot PYTHON", "chatterbot": other["version"]}
    write_metrics(Path(__file__).parent / "results" / "peers.json", {"languages": result}, about)
    return 0


def theirs(language: str, given: dict[str, Any]) -> dict[str, Any]:
    from chatterbot import ChatBot, languages
    from chatterbot.tagging import LowercaseTagger
    from chatterbot.trainers import ListTrainer

    with tempfile.TemporaryDirectory() as folder:
        bot = ChatBot(
            "peer",
            database_uri=f"sqlite:///{folder}/peer.sqlite",
            tagger=LowercaseTagger,
            tagger_language=languages.ENG if language == "en" else languages.CHI,
            read_only=True,
        )
        trainer = ListTrainer(bot, show_training_progress=False)
        start = time.perf_counter()
        for pair in given["pairs"]:
            trainer.train(pair)
        trained = time.perf_counter() - start
        answers = [_timed(lambda text: bot.get_response(text).text, text) for text in given["questions"]]
    return {"answers": answers, "training_seconds": trained, "version": version("chatterbot")}


def _first(line: Any, text: str) -> str:
    return str(line.retrieve([text])[0].candidates[0].pair.answer)


def _timed(ask: Callable[[str], str], text: str) -> tuple[str, float]:
    start = time.perf_counter()
    answer = ask(text)
    return answer, 1000 * (time.perf_counter() - start)


def _summary(asked: dict[str, set[str]], answers: list[tuple[str, float]]) -> dict[str, float]:
    right = [answer in expected for (answer, _), expected in zip(answers, asked.values(), strict=True)]
    return {"right_first": sum(right) / len(right), "ms_p50": median(ms for _, ms in answers)}


if __name__ == "__main__":
    sys.exit(main())
