"""What each ingredient is worth: remove it, on several sets and seeds: results/ablation/SET-SEED.json.

    python benchmarks/ablation.py --sets DIR NAME …        folders of DIR with pairs.csv and dialogues.jsonl
    python benchmarks/ablation.py --sets DIR hint3-sofmattress stackfaq-dev banking77-dev@10

NAME@10 is a set with ten questions an answer, drawn by chance (seed 7). For each seed a bot is trained once as it
ships, once with no model beside its encoder, and once with the encoder as it comes. A kind of evidence is removed
by fitting fusion and confidence again without it, on the same held-out questions, and by ranking the same
candidates again. A run that has its result already is left alone. `python benchmarks/tables.py` writes the table
into docs/ablation.md.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from quality import RESULTS, find_sets

from chatbot.decide import EVIDENCE, Calibration, Floats, evidence, signs
from chatbot.domain import HeldOutDialogue, QAPair, Role
from chatbot.held_out import read_dialogues
from chatbot.learn.calibrate import Sample, calibrate
from chatbot.learn.evaluate import auroc, expected_calibration_error, write_metrics
from chatbot.learn.train import Learnt, learn
from chatbot.retrieve import Retriever
from chatbot.settings import Settings
from chatbot.workshop import workshop

SEEDS = (7, 8, 9)
BATCH = 32


@dataclass(frozen=True, slots=True)
class Asked:
    """A scored turn: evidence [n, len(EVIDENCE)] of its candidates, which are right, and whether any can be."""

    evidence: Floats
    right: Floats
    answerable: bool


Rows = dict[str, dict[str, Any]]


def main() -> int:
    return on_each(options(__doc__), "ablation", ablate)


def on_each(
    chosen: argparse.Namespace,
    script: str,
    measured: Callable[[Sequence[QAPair], Sequence[HeldOutDialogue], int], Rows],
) -> int:
    """Write what a script measures on each set with each seed, unless it is there; `script` names its folder."""
    sets = find_sets(chosen.sets, chosen.names)
    for name in chosen.names:
        for seed in chosen.seeds:
            file = RESULTS / script / f"{name.replace('@', '-')}-{seed}.json"
            if file.exists() and not chosen.again:
                print(f"{file.stem}: measured already")
                continue
            rows = measured(sets[name].read_pairs(), read_dialogues(sets[name].dialogues), seed)
            file.parent.mkdir(exist_ok=True)
            command = f"python benchmarks/{script}.py --sets DIR {name} --seeds {seed}"
            write_metrics(file, {"rows": rows}, {"command": command, "seed": seed, "files": sets[name].hashes()})
            print(f"{file.stem}: " + ", ".join(f"{kind} {row['raw_accuracy']:.3f}" for kind, row in rows.items()))
    return 0


def ablate(pairs: Sequence[QAPair], dialogues: Sequence[HeldOutDialogue], seed: int) -> Rows:
    """Measures by what was removed; of the language that most pairs are in."""
    settings = Settings.load("default", {}).model_copy(update={"seed": seed})
    language = max({pair.language for pair in pairs}, key=lambda code: sum(p.language == code for p in pairs))
    own = [pair for pair in pairs if pair.language == language]

    def learnt(changed: Settings) -> tuple[Learnt, list[Asked]]:
        made = learn(language, own, (), (), workshop(language, len(own), changed), changed)
        bot = made.calibrated(changed.decide)
        # every kind of evidence for every question
        bot.calibration = replace(bot.calibration, early=None, relevances=None)
        return made, ask(bot, dialogues)

    made, asked = learnt(settings)
    rows = {"as it ships": measures(calibrate(made.samples, settings.decide), asked)}
    for column, name in enumerate(EVIDENCE):
        samples = [replace(sample, evidence=_without(sample.evidence, column)) for sample in made.samples]
        left = [replace(turn, evidence=_without(turn.evidence, column)) for turn in asked]
        rows[f"without {name}"] = measures(calibrate(samples, settings.decide), left)
    answerable: list[Sample] = [sample for sample in made.samples if sample.answerable]
    rows["confidence not fitted (no hidden answers)"] = measures(calibrate(answerable, settings.decide), asked)
    routes = {name: route.model_copy(update={"beside": ()}) for name, route in settings.routes.items()}
    made, asked = learnt(settings.model_copy(update={"routes": routes}))
    rows["without models beside"] = measures(calibrate(made.samples, settings.decide), asked)
    as_it_comes = settings.model_copy(update={"encode": settings.encode.model_copy(update={"epochs": 0})})
    made, asked = learnt(as_it_comes)
    rows["without tuning the encoder"] = measures(calibrate(made.samples, settings.decide), asked)
    return rows


def ask(retriever: Retriever, dialogues: Sequence[HeldOutDialogue]) -> list[Asked]:
    turns = [turn for d in dialogues for turn in d.turns if turn.role is Role.USER and turn.expected is not None]
    found = []
    for start in range(0, len(turns), BATCH):
        batch = turns[start : start + BATCH]
        for turn, retrieved in zip(batch, retriever.retrieve([turn.text for turn in batch]), strict=True):
            right = [float(c.pair.answer_id in (turn.expected or ())) for c in retrieved.candidates]
            found.append(Asked(evidence(retrieved.candidates), np.array(right), bool(turn.expected)))
    return found


def _without(values: Floats, column: int) -> Floats:
    left = values.copy()
    left[:, column] = 0.0
    return left


def measures(calibration: Calibration, asked: Sequence[Asked]) -> dict[str, Any]:
    """As in metrics.json, but that asking back counts as handing over."""
    confidence, first = np.zeros(len(asked)), np.zeros(len(asked))
    for i, turn in enumerate(asked):
        if len(turn.evidence):
            order = np.argsort(-calibration.score(turn.evidence), kind="stable")
            found = signs(turn.evidence[order], calibration)
            confidence[i] = calibration.alone.of(found[None])[0][0]
            first[i] = turn.right[order[0]]
    answerable = np.array([turn.answerable for turn in asked])
    given = confidence >= calibration.alone.answer_threshold
    return {
        "raw_accuracy": float(first[answerable].mean()),
        "accuracy": float(np.where(given, first, ~answerable).mean()),
        "answered_precision": float(first[given].mean()) if given.any() else None,
        "coverage": float(given[answerable].mean()),
        "ece": expected_calibration_error(confidence, first),
        "auroc": auroc(confidence, answerable),
    }


def options(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--sets", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, metavar="N")
    parser.add_argument("--again", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
