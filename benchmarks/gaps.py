"""Which closeness puts questions about one missing answer together: results/gaps.json.

    python benchmarks/gaps.py                 needs the demo bot (make run)

Questions are those of the demo's held-out and development dialogues. Half of the answers are taken to be missing
(drawn with SEED): what only they answer is unanswered, and so is what nothing answers, which belongs to no topic.
All of it is grouped; adjusted Rand index and V-measure are taken over the questions whose missing answer is known.
`own` is the bot's encoder, `tuned` its tuned part; both were trained on the very answers that are taken to be
missing here, and flatter. `beside` is what stands beside it, which has learnt nothing of them: a new topic lies
between the two. `first` are the first messages of conversations, `all` with follow-ups, read by themselves.

Time: 5,000 vectors made of the demo's (benchmarks/paraphrase.composed), grouped, and the texts a second that each
encoder reads.
"""

import hashlib
import random
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from paraphrase import composed
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score, v_measure_score

from chatbot.assemble import load_bot
from chatbot.bundle import in_use
from chatbot.converse import is_question
from chatbot.domain import Role, Vectors
from chatbot.ensemble import Ensemble
from chatbot.held_out import read_dialogues
from chatbot.insight.gaps import CLOSENESS, LIMIT, grouped
from chatbot.learn.evaluate import write_metrics
from chatbot.protocols import Encoder
from chatbot.retrieve import form

ROOT = Path(__file__).parent.parent
DEMO, INDEX = ROOT / "data" / "demo", ROOT / "index" / "demo"
SEED = 7
LEVELS = (0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8)
SIZES = (2, 3, 5)  # HDBSCAN's least number of questions a group


def main() -> int:
    bot = load_bot(INDEX)
    result: dict[str, Any] = {}
    for language, line in sorted(bot.lines.items()):
        asked = unanswered(language)
        whole = line.encoder
        encoders: dict[str, Encoder] = {}
        if isinstance(whole, Ensemble):
            encoders |= {"tuned": whole.tuned, "beside": Ensemble(whole.beside[0], whole.beside[1:])}
        encoders["own"] = whole  # last: its parts remember what they have read
        own: dict[str, Any] = {}
        read = 0.0
        for name, encoder in encoders.items():
            start = perf_counter()
            vectors = encoder.encode([form(text, line.casefold) for text, _, _ in asked])
            seconds = perf_counter() - start
            read += seconds
            own[name] = {"texts_a_second": round(len(asked) / (read if name == "own" else seconds), 1)}
            for kind in ("first", "all"):
                chosen = [row for row, (_, _, first) in enumerate(asked) if first or kind == "all"]
                own[name][kind] = quality(vectors[chosen], [asked[row][1] for row in chosen])
        rows = np.array(sorted(line.table.pairs), dtype=np.int64)
        own["seconds_to_group"] = seconds_to_group(line.questions.vectors(rows))
        result[language] = own
        print(language, own, flush=True)
    about = {
        "dialogues": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for language in ("en", "zh")
            for path in files(language)
        },
        "bot": in_use(INDEX),
        "seed": SEED,
        "closeness": CLOSENESS,
        "command": "python benchmarks/gaps.py",
    }
    write_metrics(ROOT / "benchmarks" / "results" / "gaps.json", result, about)
    return 0


def files(language: str) -> list[Path]:
    return [DEMO / f"{name}_{language}.jsonl" for name in ("development", "dialogues")]


def unanswered(language: str) -> list[tuple[str, str, bool]]:
    """Texts, the missing answer that each is about ("" for none), and whether it begins a conversation."""
    turns = [
        (turn.text, sorted(turn.expected), position == 0)
        for dialogue in read_dialogues(files(language))
        for position, turn in enumerate(dialogue.turns)
        if turn.role is Role.USER and turn.expected is not None and is_question(turn.text)
    ]
    answers = sorted({answer for _, expected, _ in turns for answer in expected})
    missing = set(random.Random(SEED).sample(answers, len(answers) // 2))
    return [
        (text, min(expected, default=""), first) for text, expected, first in turns if missing.issuperset(expected)
    ]


def quality(vectors: Vectors, about: list[str]) -> dict[str, Any]:
    known = [row for row, answer in enumerate(about) if answer]
    right = [about[row] for row in known]

    def measured(groups: Any) -> dict[str, Any]:
        own = groups[known].tolist()
        topics = [[about[row] for row in np.flatnonzero(groups == group)] for group in set(groups.tolist())]
        several = [topic for topic in topics if len(topic) > 1]
        pure = sum(max((topic.count(answer) for answer in set(topic) - {""}), default=0) for topic in several)
        return {
            "adjusted_rand": round(float(adjusted_rand_score(right, own)), 4),
            "v_measure": round(float(v_measure_score(right, own)), 4),
            "topics_of_several": len(several),
            "purity_of_several": round(pure / max(sum(map(len, several)), 1), 4),
        }

    found = {"questions": len(about), "about_missing_answers": len(known), "answers": len(set(right))}
    average = {str(level): measured(grouped(vectors, level)) for level in LEVELS}
    hdbscan = {}
    for size in SIZES:
        groups = HDBSCAN(min_cluster_size=size, metric="euclidean", copy=True).fit_predict(vectors)
        alone = groups < 0
        groups[alone] = groups.max() + 1 + np.arange(alone.sum())  # what it calls noise stands alone
        hdbscan[str(size)] = measured(groups)
    return found | {"average_linkage": average, "hdbscan": hdbscan}


def seconds_to_group(vectors: Vectors) -> dict[str, float]:
    seconds = {}
    for count in (1_000, LIMIT, 4 * LIMIT):
        many = composed(np.asarray(vectors), count, SEED)
        start = perf_counter()
        grouped(many, CLOSENESS)
        seconds[str(len(many))] = round(perf_counter() - start, 2)
    return seconds


if __name__ == "__main__":
    sys.exit(main())
