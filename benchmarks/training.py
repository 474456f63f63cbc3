"""How fast models learn from the demo's pairs, against plain sentence-transformers: results/training.json.

    pip install accelerate datasets             which its trainers need
    python benchmarks/training.py               both languages, both models, all cores: about 25 minutes
    python benchmarks/training.py --threads 1 --languages en --steps 0.5 --rates 5e-5

A fifth of each answer's questions is held out, and some of them are asked. The encoder is trained on the others by
`tune_encoder`, and by SentenceTransformerTrainer with MultipleNegativesRankingLoss on pairs of a question with
another one of its answer, and with the answer's text; no text twice in a batch.
The encoder that we tuned then mines lists, from which the cross-encoder learns by `tune_reranker`, and by
CrossEncoderTrainer with BinaryCrossEntropyLoss, right ones weighing as much as wrong ones; both start from that
encoder's weights. The plain trainers take the better of two rates (plain_trainers.py). Every training is a process
of its own.

Quality, looked at outside of the clock, is the share of held-out questions, as they are and mistyped, whose
nearest kept question has their answer; of the cross-encoder, the share of lists of the answers nearest to a
held-out question in which the right one comes first. *Equal quality* is half a point below the lower one of the
two best values; the time to it ends with the first look after the start that finds it. Tokens are those of texts,
without padding, whatever of their way through the model came out of memory. On a busy machine, processor time
with `--threads 1` says more than the clock.
"""

import argparse
import json
import os
import pickle
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import plain_trainers
import torch
from course import DEMO, NEAREST, Course, Data, right_first

from chatbot.encode import SentenceEncoder
from chatbot.learn.contrastive import tune_encoder
from chatbot.learn.evaluate import write_metrics
from chatbot.learn.mine import labelled, ranked_lists
from chatbot.learn.relevance import RankedList, tune_reranker
from chatbot.settings import Settings
from chatbot.workshop import reranker_over

RESULTS = Path(__file__).parent / "results"
STEPS = {("encoder", "ours"): 120, ("encoder", "plain"): 130, ("cross-encoder", "ours"): 75}
STEPS[("cross-encoder", "plain")] = 120
LOOKS = 6  # at the quality, during a training
TRIAL = 0.25  # of the steps, for each rate that the plain trainer tries
RATES = (2e-5, 5e-5)
LISTS = 150  # at most that a look ranks
BELOW = 0.005  # the lower best value, for equal quality


def main() -> int:
    options = _options()
    if options.train:
        kind, way, rate = options.train
        print(json.dumps(train(options, kind, way, float(rate))))
        return 0
    result: dict[str, Any] = {}
    for language in options.languages:
        with tempfile.TemporaryDirectory() as folder:
            for kind in ("encoder", "cross-encoder"):
                ours = _apart(options, language, folder, kind, "ours")
                rate = max(options.rates)
                if len(options.rates) > 1:
                    tried = {r: _apart(options, language, folder, kind, "trial", r) for r in options.rates}
                    rate = max(tried, key=lambda rate: tried[rate]["curve"][-1]["quality"])
                plain = _apart(options, language, folder, kind, "plain", rate)
                found = {"ours": ours, "plain": plain, "rate": rate} | compared(ours, plain)
                result.setdefault(language, {})[kind] = found
                print(language, kind, json.dumps(found), flush=True)
                _write(options, result)
    return 0


def compared(ours: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    """Ratios of tokens a second and of times to equal quality, by the clock and by the processor's time."""
    both = ours["curve"], plain["curve"]
    equal = min(max(look["quality"] for look in curve) for curve in both) - BELOW
    found: dict[str, Any] = {"equal_quality": equal}
    for clock in ("seconds", "processor_seconds"):
        speed = [curve[-1]["tokens"] / curve[-1][clock] for curve in both]
        needed = [next(look[clock] for look in curve[1:] if look["quality"] >= equal) for curve in both]
        found[clock] = {
            "tokens_a_second": speed,
            "times_the_tokens": speed[0] / speed[1],
            "to_equal_quality": needed,
            "times_faster": needed[1] / needed[0],
        }
    return found


def train(options: argparse.Namespace, kind: str, way: str, rate: float) -> dict[str, Any]:
    """One training, in this process; the tuned encoder and what is made of it stay in the folder."""
    torch.set_num_threads(options.threads)
    (language,) = options.languages
    steps = round(options.steps * STEPS[kind, "ours" if way == "ours" else "plain"])
    every = max(steps // LOOKS, 1)
    if way == "trial":
        every = steps = round(TRIAL * steps)
    settings = Settings.load(str(DEMO / "profile.toml"), {}).model_copy(update={"seed": options.seed})
    data = Data.read(language, settings)
    trained = {
        ("encoder", True): _our_encoder,
        ("encoder", False): plain_trainers.encoder,
        ("cross-encoder", True): _our_reranker,
        ("cross-encoder", False): plain_trainers.reranker,
    }[kind, way == "ours"]
    course = Course(steps, every, rate)
    trained(data, course, Path(options.folder))
    return {"steps": steps, "curve": course.curve}


class Counted:
    """A tokenizer that counts what is read to learn from."""

    def __init__(self, tokenizer: Any, course: Course) -> None:
        self.tokenizer = tokenizer
        self.course = course

    def __call__(self, *texts: Any, **how: Any) -> Any:
        tokens = self.tokenizer(*texts, **how)
        if torch.is_grad_enabled():
            self.course.tokens += sum(map(len, tokens["input_ids"]))
        return tokens


def _our_encoder(data: Data, course: Course, folder: Path) -> None:
    encoder = data.room.encoder()
    encoder.tokenizer = Counted(encoder.tokenizer, course)
    settings = data.settings.encode.model_copy(
        update={"epochs": 1, "min_steps": course.steps, "max_steps": course.steps}
    )
    texts = labelled(data.kept, (), data.room.casefold)
    course.start(data.found(encoder.encode))
    watch = course.watch(lambda: data.found(encoder.encode))
    tune_encoder(encoder, texts, settings, seed=data.settings.seed, watch=watch)
    encoder.tokenizer = encoder.tokenizer.tokenizer
    encoder.model.save_pretrained(folder / "encoder")
    encoder.tokenizer.save_pretrained(folder / "encoder")
    line = data.room.retriever(data.kept, encoder)
    lists = ranked_lists(line, data.settings.rerank.negatives, data.settings.seed)
    (folder / "lists.pickle").write_bytes(pickle.dumps((lists, _judged(data, encoder))))


def _judged(data: Data, encoder: SentenceEncoder) -> list[RankedList]:
    """For questions asked, the closest kept question of each of the nearest answers, where the right one is among
    them; in random order."""
    chance = random.Random(data.settings.seed)
    kept = encoder.encode([data.form(pair.question) for pair in data.kept])
    asked = chance.sample(data.asked, len(data.asked))
    lists = []
    for (text, right), similar in zip(asked, encoder.encode([text for text, _ in asked]) @ kept.T, strict=True):
        closest: dict[str, int] = {}
        for row in (-similar).argsort(kind="stable").tolist():
            closest.setdefault(data.kept[row].answer_id, row)
            if len(closest) == NEAREST:
                break
        if right in closest:
            order = chance.sample(sorted(closest), NEAREST)
            texts = tuple(data.form(data.kept[closest[one]].question) for one in order)
            lists.append(RankedList(text, texts, order.index(right)))
    return lists[:LISTS]


def _our_reranker(data: Data, course: Course, folder: Path) -> None:
    lists, judged = pickle.loads((folder / "lists.pickle").read_bytes())
    route = data.room.route
    reranker = reranker_over(SentenceEncoder.load(str(folder / "encoder"), route.prefix, route.max_tokens))

    def quality() -> float:
        return right_first(judged, reranker.score)

    course.start(quality())
    reranker.tokenizer = Counted(reranker.tokenizer, course)
    size = course.steps * data.settings.rerank.lists
    settings = data.settings.rerank.model_copy(update={"min_lists": size, "max_lists": size})
    tune_reranker(reranker, lists, settings, seed=data.settings.seed, watch=course.watch(quality))


def _apart(
    options: argparse.Namespace, language: str, folder: str, kind: str, way: str, rate: float = 0.0
) -> dict[str, Any]:
    """One training in a process of its own."""
    command = [sys.executable, __file__, "--languages", language, "--folder", folder]
    command += ["--threads", str(options.threads), "--steps", str(options.steps), "--seed", str(options.seed)]
    done = subprocess.run([*command, "--train", kind, way, str(rate)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _write(options: argparse.Namespace, result: dict[str, Any]) -> None:
    command = f"python benchmarks/training.py --threads {options.threads} --steps {options.steps}"
    command += f" --rates {' '.join(map(str, options.rates))} --seed {options.seed}"
    command += f" --languages {' '.join(options.languages)}"
    write_metrics(RESULTS / "training.json", {"languages": result}, {"command": command, "cores": os.cpu_count()})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--languages", nargs="+", default=["en", "zh"], metavar="LANGUAGE")
    parser.add_argument("--steps", type=float, default=1.0, metavar="SHARE", help="of the steps of a full run")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="that the plain trainers try")
    parser.add_argument("--seed", type=int, default=7, metavar="N")
    parser.add_argument("--train", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
