"""Train a bot on each evaluation set and measure it: benchmarks/results/NAME.json, one file a set.

    python benchmarks/quality.py                          the demo company, which ships
    python benchmarks/quality.py --sets DIR               and folders of DIR with pairs.csv and dialogues.jsonl
    python benchmarks/quality.py --sets DIR NAME …        only these
    python benchmarks/quality.py --sets DIR NAME@10 …     with ten questions an answer, drawn by chance (seed 7)
    python benchmarks/quality.py --sets DIR NAME=match    learn from nine tenths of the labelled question pairs in
                                                          a folder's train.tsv, judge the rest

A set that has its result already is left alone, so an interrupted run goes on where it stopped; `--again`
measures anew. `--matches NAME=FILE` gives a set labelled question pairs to learn from, but for those that hold a
text of its dialogues, as NAME-matches. `--untrained` measures `chatbot build` instead of `chatbot train`, as
NAME-untrained. `--bots DIR` keeps the bots there, and `--bots DIR --kept --again` measures those that it kept
once more, after a change that no training sees.
"""

import argparse
import hashlib
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from chatbot.answer import Templates
from chatbot.assemble import load_bot
from chatbot.corpus import read_pairs
from chatbot.domain import Match, QAPair
from chatbot.held_out import read_dialogues, read_matches
from chatbot.learn.evaluate import Prediction, evaluate, stated_risks, write_metrics
from chatbot.learn.matching import evaluate_matches
from chatbot.make import build_bot, train_bot
from chatbot.settings import Settings
from chatbot.text import detect_language

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
DEMO = ROOT / "data" / "demo"
DEMO_FILES = [
    tuple(DEMO / name.format(language) for language in ("en", "zh"))
    for name in ("pairs_{}.csv", "development_{}.jsonl", "dialogues_{}.jsonl")
]


SEED = 7  # of what is drawn here
COVERAGE = 0.85  # of the turns that something answers, at which the precision is reported too


@dataclass(frozen=True, slots=True)
class Set:
    """Files of a set: `development` dialogues, where there are any, are calibrated on, `dialogues` measured on."""

    pairs: tuple[Path, ...]
    development: tuple[Path, ...]
    dialogues: tuple[Path, ...]
    profile: str = "default"
    precision: float | None = None  # what the answers given aim at, unless the default
    few: int | None = None  # questions an answer at most, drawn by chance

    def read_pairs(self) -> Sequence[QAPair]:
        pairs = read_pairs(self.pairs).pairs
        if self.few is None:
            return pairs
        drawn, counts = [], dict.fromkeys((pair.answer_id for pair in pairs), 0)
        for pair in random.Random(SEED).sample(pairs, len(pairs)):
            counts[pair.answer_id] += 1
            if counts[pair.answer_id] <= self.few:
                drawn.append(pair)
        return drawn

    def hashes(self) -> dict[str, str]:
        return _hashes((*self.pairs, *self.development, *self.dialogues))


def main() -> int:
    options = _options()
    sets = find_sets(options.sets, options.names)
    matches = dict(entry.split("=", 1) for entry in options.matches)
    wanted = options.names or list(sets)
    if unknown := {name for name in wanted if not name.endswith("=match")} - set(sets):
        print(f"no set {', '.join(sorted(unknown))}; there are {', '.join(sets)}", file=sys.stderr)
        return 1
    for name in wanted:
        plain = name.replace("@", "-").replace("=", "-")
        label = plain + ("-untrained" if options.untrained else "-matches" if name in matches else "")
        result = RESULTS / f"{label}.json"
        if result.exists() and not options.again:
            print(f"{label}: measured already, {result}")
            continue
        with tempfile.TemporaryDirectory() as temporary:
            index = (options.bots if options.bots is not None else Path(temporary)) / label
            if name.endswith("=match"):
                found = measure_matching(index, options.sets / name.removesuffix("=match") / "train.tsv")
            else:
                given = [Path(matches[name])] if name in matches else []
                made_in = json.loads(result.read_text("utf-8"))["made_in_seconds"] if options.kept else None
                found = measure(index, sets[name], given, options.untrained, made_in)
        option = "--untrained " if options.untrained else f"--matches {name}=FILE " if name in matches else ""
        place = "" if name == "demo" else "--sets DIR "
        command = f"python benchmarks/quality.py {option}{place}{name}"
        write_metrics(result, found[0], {"command": command, **found[1]})
        print(f"{label}: {found[0].get('raw_accuracy', found[0].get('accuracy'))}")
    return 0


def find_sets(folder: Path | None, names: Sequence[str]) -> dict[str, Set]:
    """The demo company and the sets in a folder; of a name such as NAME@10, the set with so many questions."""
    sets = {"demo": Set(*DEMO_FILES, str(DEMO / "profile.toml"), precision=0.95)}  # made as app.py makes it
    for place in sorted(folder.iterdir()) if folder else ():
        if (place / "pairs.csv").exists() and (place / "dialogues.jsonl").exists():
            sets[place.name] = Set((place / "pairs.csv",), (), (place / "dialogues.jsonl",))
    for name in names:
        whole, _, few = name.partition("@")
        if few and whole in sets:
            sets[name] = replace(sets[whole], few=int(few))
    return sets


def measure(
    index: Path, files: Set, given: list[Path], untrained: bool, made_in: float | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metrics of the bot made from a set in `index`, and what they were measured on. A bot that was `made_in` so
    many seconds is there already."""
    settings = Settings.load(files.profile).aiming_at(files.precision)
    pairs = files.read_pairs()
    templates = files.pairs[0].with_name("templates.toml")
    worded = Templates.load(templates) if templates.exists() else Templates()
    start = perf_counter()
    if made_in is not None:
        start -= made_in
    elif untrained:
        build_bot(pairs, worded, settings, index)
    else:
        told = {turn.text for dialogue in read_dialogues(files.dialogues) for turn in dialogue.turns}
        matches = [m for m in (read_matches(given) if given else ()) if not {m.left, m.right} & told]
        development = read_dialogues(files.development) if files.development else ()
        train_bot(pairs, matches, development, worded, settings, index)
    seconds = perf_counter() - start
    bot = load_bot(index)
    evaluation = evaluate(read_dialogues(files.dialogues), bot)
    metrics = evaluation.metrics() | stated_risks(bot.lines, evaluation.predictions)
    for language, own in metrics["languages"].items():
        own["precision_at_coverage"] = precision_at([p for p in evaluation.predictions if p.language == language])
    metrics["precision_at_coverage"] = precision_at(evaluation.predictions)
    about = {"seed": settings.seed, "files": files.hashes() | _hashes(given)}
    return {"pairs": len(pairs), "made_in_seconds": round(seconds, 1)} | metrics, about


def measure_matching(index: Path, file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Learn whether two questions mean the same from nine tenths of a file, and judge the last tenth. The bot
    needs something to answer, too: each question that another one is said to mean the same as."""
    settings = Settings.load("default")
    matches = random.Random(SEED).sample(read_matches([file]), len(read_matches([file])))
    judged, taught = matches[: len(matches) // 10], matches[len(matches) // 10 :]
    start = perf_counter()
    train_bot(_pairs_of(taught), taught, (), Templates(), settings, index)
    seconds = perf_counter() - start
    metrics = evaluate_matches(judged, load_bot(index), index.parent / "matching", {})
    del metrics["about"]
    return {"taught": len(taught), "made_in_seconds": round(seconds, 1)} | metrics, {
        "seed": settings.seed,
        "files": _hashes([file]),
    }


def _pairs_of(matches: Sequence[Match]) -> list[QAPair]:
    said = {match.right: match.left for match in matches if match.same}
    language = detect_language(matches[0].left)
    return [
        QAPair(QAPair.content_id(left, right, language), left, right, right, language)
        for right, left in said.items()
    ]


def precision_at(predictions: Sequence[Prediction], coverage: float = COVERAGE) -> float | None:
    """The share of right answers, were the threshold where `coverage` of the answerable turns got an answer."""
    inside = sorted((p.confidence for p in predictions if p.wanted), reverse=True)
    if not inside:
        return None
    threshold = inside[max(round(coverage * len(inside)) - 1, 0)]
    answered = [p.right_first for p in predictions if p.confidence >= threshold]
    return sum(answered) / len(answered)


def _hashes(paths: Sequence[Path]) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--sets", type=Path, metavar="DIR")
    parser.add_argument("--matches", nargs="+", default=[], metavar="NAME=FILE")
    parser.add_argument(
        "--bots", type=Path, metavar="DIR", help="keep the bots here instead of throwing them away"
    )
    parser.add_argument("--kept", action="store_true")
    parser.add_argument("--untrained", action="store_true")
    parser.add_argument("--again", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
