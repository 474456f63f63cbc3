"""Train a bot on each evaluation set and measure it: benchmarks/results/NAME.json, one file a set.

    python benchmarks/quality.py                          the demo company, which ships
    python benchmarks/quality.py --sets DIR               and folders of DIR with pairs.csv and dialogues.jsonl
    python benchmarks/quality.py --sets DIR NAME …        only these

A set that has its result already is left alone, so an interrupted run goes on where it stopped; `--again`
measures anew. `--matches NAME=FILE` gives a set labelled question pairs to learn from, but for those that hold a
text of its dialogues, as NAME-matches. `--untrained` measures `chatbot build` instead of `chatbot train`, as
NAME-untrained.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from chatbot.answer import Templates
from chatbot.assemble import build_bot, load_bot, train_bot
from chatbot.corpus import read_dialogues, read_matches, read_pairs
from chatbot.learn.evaluate import evaluate, write_metrics
from chatbot.settings import Settings

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
DEMO = ROOT / "data" / "demo"
DEMO_FILES = [
    tuple(DEMO / name.format(language) for language in ("en", "zh"))
    for name in ("pairs_{}.csv", "development_{}.jsonl", "dialogues_{}.jsonl")
]


@dataclass(frozen=True, slots=True)
class Set:
    """Files of a set: `development` dialogues, where there are any, are calibrated on, `dialogues` measured on."""

    pairs: tuple[Path, ...]
    development: tuple[Path, ...]
    dialogues: tuple[Path, ...]
    profile: str = "default"
    precision: float | None = None  # what the answers given aim at, unless the default


def main() -> int:
    options = _options()
    sets = {"demo": Set(*DEMO_FILES, str(DEMO / "profile.toml"), precision=0.95)}  # made as app.py makes it
    for folder in sorted(options.sets.iterdir()) if options.sets else ():
        if (folder / "pairs.csv").exists() and (folder / "dialogues.jsonl").exists():
            sets[folder.name] = Set((folder / "pairs.csv",), (), (folder / "dialogues.jsonl",))
    matches = dict(entry.split("=", 1) for entry in options.matches)
    unknown = set(options.names) - set(sets)
    if unknown:
        print(f"no set {', '.join(sorted(unknown))}; there are {', '.join(sets)}", file=sys.stderr)
        return 1
    for name in options.names or sets:
        kind = "-untrained" if options.untrained else "-matches" if name in matches else ""
        label = name + kind
        result = RESULTS / f"{label}.json"
        if result.exists() and not options.again:
            print(f"{label}: measured already, {result}")
            continue
        given = [Path(matches[name])] if name in matches else []
        with tempfile.TemporaryDirectory() as temporary:
            index = (options.bots if options.bots is not None else Path(temporary)) / label
            write_metrics(result, *measure(index, sets[name], given, options.untrained))
        print(f"{label}: {json.loads(result.read_text())['raw_accuracy']}")
    return 0


def measure(
    index: Path, files: Set, matches: list[Path], untrained: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metrics of the bot made from a set in `index`, and what they were measured on."""
    settings = Settings.load(files.profile).aiming_at(files.precision)
    corpus = read_pairs(files.pairs)
    templates = files.pairs[0].with_name("templates.toml")
    worded = Templates.load(templates) if templates.exists() else Templates()
    start = perf_counter()
    if untrained:
        build_bot(corpus.pairs, worded, settings, index)
    else:
        told = {turn.text for dialogue in read_dialogues(files.dialogues) for turn in dialogue.turns}
        given = [m for m in (read_matches(matches) if matches else ()) if not {m.left, m.right} & told]
        development = read_dialogues(files.development) if files.development else ()
        train_bot(corpus.pairs, given, development, worded, settings, index)
    seconds = perf_counter() - start
    metrics = evaluate(read_dialogues(files.dialogues), load_bot(index)).metrics()
    every = (*files.pairs, *files.development, *files.dialogues, *matches)
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in every}
    name = index.name.removesuffix("-untrained").removesuffix("-matches")
    option = "--untrained " if untrained else f"--matches {name}=FILE " if matches else ""
    command = f"python benchmarks/quality.py {option}--sets DIR {name}"
    about = {"command": command, "seed": settings.seed, "files": hashes}
    return {"pairs": len(corpus.pairs), "made_in_seconds": round(seconds, 1)} | metrics, about


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--sets", type=Path, metavar="DIR")
    parser.add_argument("--matches", nargs="+", default=[], metavar="NAME=FILE")
    parser.add_argument(
        "--bots", type=Path, metavar="DIR", help="keep the bots here instead of throwing them away"
    )
    parser.add_argument("--untrained", action="store_true")
    parser.add_argument("--again", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
