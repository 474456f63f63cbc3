"""How well and how fast words find historical questions, against two BM25 packages: results/lexical.json.

    python benchmarks/lexical.py                    quality on the demo's pairs, time up to a million texts
    python benchmarks/lexical.py --sizes 10000      time on fewer

The peers are bm25s as its page shows it (`retrieve`, one thread, the same formula) and rank-bm25 (BM25Okapi,
`get_scores` and the highest of them); all get the project's own words. Numba makes bm25s faster where it is
installed; the result says whether it was. Queries are the first questions of the demo's held-out and development
dialogues that have an answer. Larger sets put the first half of one historical question before the second half of
another: their words are as frequent as in the demo, and there are no others. One round asks every index, one after
the other; its figure is the median of all queries, or of the first few for rank-bm25 on the larger sets.
"""

import argparse
import gc
import importlib.util
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import bm25s
import numpy as np

from chatbot.corpus import read_pairs
from chatbot.domain import Role
from chatbot.held_out import read_dialogues
from chatbot.learn.evaluate import write_metrics
from chatbot.lexical import Bm25Index, words

RESULTS = Path(__file__).parent / "results"
DEMO = Path(__file__).parent.parent / "data" / "demo"
K = 10
ASKED = 100  # queries on the larger sets
SLOW = 100_000  # texts, the most for rank-bm25
FEW = 10  # queries for rank-bm25 on the larger sets
SEED = 7

Search = Callable[[str], list[int]]


def main() -> int:
    options = _options()
    if importlib.util.find_spec("rank_bm25") is None:
        print("rank-bm25 is missing: pip install rank-bm25", file=sys.stderr)
        return 1
    result: dict[str, Any] = {"demo": {}, "generated": {}}
    for language in ("en", "zh"):
        pairs = read_pairs([DEMO / f"pairs_{language}.csv"]).pairs
        texts, answers = [pair.question for pair in pairs], [pair.answer_id for pair in pairs]
        asked = queries(language)
        built, indexes = build(texts)
        found = times(indexes, [text for text, _ in asked], options.rounds)
        for name, search in indexes.items():
            near = [[answers[row] for row in search(text)] for text, _ in asked]
            found[name] |= built[name] | quality(near, [right for _, right in asked])
        result["demo"][language] = {"texts": len(texts), "queries": len(asked)} | found
        print(language, result["demo"][language], flush=True)
        for size in options.sizes:
            built, indexes = build(generated(texts, size))
            found = times(indexes, [text for text, _ in asked[:ASKED]], options.rounds)
            result["generated"][f"{language} {size}"] = {name: built[name] | found[name] for name in found}
            print(language, size, result["generated"][f"{language} {size}"], flush=True)
            del indexes
            gc.collect()
    command = "python benchmarks/lexical.py --rounds {} --sizes {}".format(
        options.rounds, " ".join(map(str, options.sizes))
    )
    numba = importlib.util.find_spec("numba") is not None
    write_metrics(RESULTS / "lexical.json", result, {"command": command, "k": K, "seed": SEED, "numba": numba})
    return 0


def queries(language: str) -> list[tuple[str, frozenset[str]]]:
    """The first question of each dialogue, if it has an answer, with the answers that are right."""
    files = [DEMO / f"{name}_{language}.jsonl" for name in ("dialogues", "development")]
    firsts = [
        next((turn for turn in dialogue.turns if turn.role is Role.USER and turn.expected is not None), None)
        for dialogue in read_dialogues(files)
    ]
    return [(turn.text, frozenset(turn.expected)) for turn in firsts if turn is not None and turn.expected]


def generated(questions: Sequence[str], size: int) -> list[str]:
    chance = random.Random(SEED)
    halves = []
    for question in questions:
        parts, gap = (question.split(), " ") if " " in question else (list(question), "")
        middle = len(parts) // 2
        halves.append((gap.join(parts[:middle]) + gap, gap.join(parts[middle:])))
    return [chance.choice(halves)[0] + chance.choice(halves)[1] for _ in range(size)]


def build(texts: Sequence[str]) -> tuple[dict[str, dict[str, float]], dict[str, Search]]:
    """Seconds from texts to index, and how each index is searched for K rows."""
    made: dict[str, Callable[[], Search]] = {"ours": lambda: ours(texts), "bm25s": lambda: plain(texts)}
    if len(texts) <= SLOW:
        made["rank_bm25"] = lambda: okapi(texts)
    built, indexes = {}, {}
    for name, make in made.items():
        start = time.perf_counter()
        indexes[name] = make()
        built[name] = {"build_seconds": time.perf_counter() - start}
    return built, indexes


def ours(texts: Sequence[str]) -> Search:
    index = Bm25Index.build(np.arange(len(texts)), texts)
    return lambda text: [row for row in index.search([text], K)[1][0].tolist() if row >= 0]


def plain(texts: Sequence[str]) -> Search:
    index = bm25s.BM25(method="lucene")
    index.index([words(text) for text in texts], show_progress=False)
    return lambda text: index.retrieve([words(text)], k=K, show_progress=False).documents[0].tolist()


def okapi(texts: Sequence[str]) -> Search:
    from rank_bm25 import BM25Okapi

    index = BM25Okapi([words(text) for text in texts])
    return lambda text: np.argsort(-index.get_scores(words(text)), kind="stable")[:K].tolist()


def times(indexes: dict[str, Search], asked: Sequence[str], rounds: int) -> dict[str, dict[str, Any]]:
    """Milliseconds a query: the median of each round."""
    for search in indexes.values():
        search(asked[0])
    medians: dict[str, list[float]] = {name: [] for name in indexes}
    for _ in range(rounds):
        for name, search in indexes.items():
            took = []
            for text in asked[:FEW] if name == "rank_bm25" and len(asked) == ASKED else asked:
                start = time.perf_counter()
                search(text)
                took.append(1000 * (time.perf_counter() - start))
            medians[name].append(median(took))
    return {
        name: {"ms": {"median": median(found), "least": min(found), "most": max(found)}}
        for name, found in medians.items()
    }


def quality(found: Sequence[Sequence[str]], right: Sequence[frozenset[str]]) -> dict[str, float]:
    """How often the first row's answer is right, and how often one of the first K is."""
    first = [bool(near) and near[0] in answers for near, answers in zip(found, right, strict=True)]
    among = [not answers.isdisjoint(near) for near, answers in zip(found, right, strict=True)]
    return {"right_first": sum(first) / len(first), f"recall_at_{K}": sum(among) / len(among)}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000], metavar="N")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
