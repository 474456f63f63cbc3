"""How far the explanations of the demo bot's relevance can be trusted, and what they cost: results/explain.json.

    python benchmarks/explain.py                 the bot in index/demo (make run makes it)
    python benchmarks/explain.py --questions 60  of each language, 30 unless said otherwise

Held-out customers' turns that something answers, drawn by chance, each as a first message beside the question of
the candidate that came first for it. `lowered` is how far the relevance falls on average while up to half of the
words are taken out, the words named first (insight/deletion.py); by chance, the mean of 19 orders.
Milliseconds are the processor's, on one thread.
"""

import argparse
import hashlib
import random
import sys
from collections import Counter
from pathlib import Path
from statistics import fmean
from time import process_time
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from chatbot.assemble import load_bot
from chatbot.domain import Role
from chatbot.held_out import read_dialogues
from chatbot.insight.deletion import Judgement
from chatbot.insight.explain import explain
from chatbot.learn.evaluate import write_metrics
from chatbot.lexical import spans
from chatbot.retrieve import Retriever, form

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "data" / "demo"
RESULTS = Path(__file__).parent / "results"
SEED = 7


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path, default=ROOT / "index" / "demo", metavar="DIR")
    parser.add_argument("--questions", type=int, default=30, metavar="N")
    options = parser.parse_args()
    bot = load_bot(options.index, pytorch=True)
    torch.set_num_threads(1)
    files = {language: DEMO / f"dialogues_{language}.jsonl" for language in sorted(bot.lines)}
    found = {
        language: measure(bot.lines[language], questions(file, options.questions), language)
        for language, file in files.items()
    }
    about = {
        "command": f"python benchmarks/explain.py --questions {options.questions}",
        "seed": SEED,
        "files": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files.values()},
    }
    write_metrics(RESULTS / "explain.json", {"languages": found}, about)
    return 0


def questions(file: Path, count: int) -> list[str]:
    turns = [turn for dialogue in read_dialogues([file]) for turn in dialogue.turns]
    texts = list(dict.fromkeys(turn.text for turn in turns if turn.role is Role.USER and turn.expected))
    return random.Random(SEED).sample(texts, min(count, len(texts)))


def measure(line: Retriever, texts: list[str], language: str) -> dict[str, Any]:
    judged: dict[str, list[Judgement]] = {"attribution": [], "attention": []}
    gaps, words, milliseconds = [], [], []
    explain(line.reranker, spans, texts[0], texts[0])  # the first one imports
    for text in tqdm(texts, desc=language, unit="question"):
        candidate = line.retrieve([text])[0].candidates[0].pair.question
        start = process_time()
        found = explain(line.reranker, spans, form(text, line.casefold), form(candidate, line.casefold))
        milliseconds.append(1000 * (process_time() - start))
        for name, own in judged.items():
            own.append(found.deletion.judge(getattr(found.deletion, name)))
        gaps.append(found.completeness_gap)
        words.append(len(found.question.words) + len(found.candidate.words))
    return {
        "pairs": len(texts),
        "words_a_pair": fmean(words),
        "lowered_by_chance": fmean(one.by_chance for one in judged["attribution"]),
        **{name: _summary(own) for name, own in judged.items()},
        "completeness_gap": {"mean": fmean(gaps), "most": max(gaps)},
        "milliseconds": {f"p{p}": float(np.percentile(milliseconds, p)) for p in (50, 95)},
    }


def _summary(judged: list[Judgement]) -> dict[str, Any]:
    return {
        "lowered": fmean(one.lowered for one in judged),
        "times_chance": sum(one.lowered for one in judged) / sum(one.by_chance for one in judged),
        "beats_mean_of_chance": fmean(one.lowered > one.by_chance for one in judged),
        "verdicts": dict(Counter(str(one.verdict) for one in judged)),
    }


if __name__ == "__main__":
    sys.exit(main())
