"""What the vector index costs as it grows: results/scale.json.

    python benchmarks/scale.py --vectors DIR                   1,000 to 1,000,000 questions, every kind of index
    python benchmarks/scale.py --sizes 1000 10000 --encoded 10000

Vectors are those of paraphrases (paraphrase.py), kept in --vectors and used again by the next run; beyond
--encoded they are composed out of those. Asked are 500 turns of the demo's held-out dialogues, one at a time.
A graph is left out where its build would take more than LONGEST, judged from the size before. Everything that is
asked of an index happens in a process of its own, after it was loaded from its files. Of an index that was just
written, all files are still in the system's cache. Milliseconds are on the clock, and of the processor alone,
which other programs disturb less.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from paraphrase import DEMO, composed, encode, encoder, paraphrases

from chatbot.domain import Role, Rows, Vectors
from chatbot.held_out import read_dialogues
from chatbot.index import FaissIndex
from chatbot.learn.evaluate import write_metrics
from chatbot.segment import empty
from chatbot.shortlist import Kind, memory, plan, scan

RESULTS = Path(__file__).parent / "results"
SIZES = (1_000, 10_000, 100_000, 1_000_000)
KINDS = (Kind.FLAT, Kind.GRAPH, Kind.LISTS, Kind.PIECES)
SEED = 7
QUESTIONS = 500
CHANGED = 1_000  # rows added, and removed
K = 10
SHARES = (0.5, 0.1, 0.01, 0.001)  # of the rows, that a filter lets through
FEW = 50  # questions asked with each filter, and after each change
LONGEST = 360.0  # seconds of a build


def main() -> int:
    options = _options()
    if options.measure:
        print(json.dumps(measure(Path(options.measure[0]), Path(options.measure[1]))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        kept = options.vectors or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        result = run(kept, Path(folder), options.sizes, options.encoded)
    command = f"python benchmarks/scale.py --sizes {' '.join(map(str, options.sizes))} --encoded {options.encoded}"
    about = {
        "command": command,
        "memory": memory(),
        "seed": SEED,
        "beside": options.beside,
    }
    write_metrics(RESULTS / "scale.json", result, about)
    return 0


def run(kept: Path, work: Path, sizes: Sequence[int], encoded: int) -> dict[str, Any]:
    most = max(sizes)
    vectors = everything(kept, most + CHANGED, encoded)
    questions = encoder(kept).encode(asked())
    result: dict[str, Any] = {
        "dimension": vectors.shape[1],
        "encoded": min(encoded, most),
        "composed_like_encoded": likeness(kept),
        "sizes": {},
    }
    seconds: dict[Kind, tuple[int, float]] = {}
    for size in sizes:
        rows = np.arange(size, dtype=np.int64)
        own = vectors[:size]
        data = work / f"{size}.npz"
        _save_data(data, own, vectors[most:], questions)
        result["sizes"][str(size)] = found = {"chosen": plan(size, vectors.shape[1], memory()).kind, "kinds": {}}
        for kind in KINDS:
            last, took = seconds.get(kind, (size, 0.0))
            if kind is Kind.GRAPH and took * size / last > LONGEST:  # of the others, much does not grow
                found["kinds"][kind] = {"left_out": f"a build would take {took * size / last:.0f} s and more"}
                continue
            begun = time.perf_counter()
            index = FaissIndex.build(rows, own, kind)
            built = time.perf_counter() - begun
            seconds[kind] = size, built
            folder = work / f"{size}-{kind}.index"
            index.save(folder)
            of_files = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            del index
            about = {"plan": plan(size, vectors.shape[1], memory(), kind).recipe, "build_seconds": built}
            found["kinds"][kind] = about | {"bytes": of_files} | _apart(folder, data)
            shutil.rmtree(folder)
            print(size, kind, json.dumps(found["kinds"][kind]), flush=True)
    return result


def everything(kept: Path, count: int, encoded: int) -> Vectors:
    """float32 [count, dim] in a mapped file: encoded as far as that goes, then composed."""
    own = encode(kept, min(encoded, count), SEED)
    vectors = empty(count, own.shape[1])
    vectors[: len(own)] = own
    for start in range(len(own), count, 100_000):
        vectors[start : start + 100_000] = composed(own, min(100_000, count - start), SEED + start)
    return vectors


def likeness(kept: Path) -> float:
    """Mean cosine of composed vectors with those of the two texts as one message."""
    texts, model = list(islice(paraphrases(SEED), 400)), encoder(kept)
    halves = model.encode(texts)
    means = halves[:200] + halves[200:]
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    whole = model.encode([f"{a}. {b}" for a, b in zip(texts[:200], texts[200:], strict=True)])
    return float((means * whole).sum(1).mean())


def asked() -> list[str]:
    """Customers' turns of the demo's English dialogues, in order."""
    files = [DEMO / f"{name}_en.jsonl" for name in ("dialogues", "development")]
    turns = [turn for dialogue in read_dialogues(files) for turn in dialogue.turns]
    return list(dict.fromkeys(turn.text for turn in turns if turn.role is Role.USER))[:QUESTIONS]


def _save_data(path: Path, vectors: Vectors, more: Vectors, questions: Vectors) -> None:
    """What a measurement needs beside the index: the exact neighbours, of all and of the share of a filter."""
    chance, size = np.random.default_rng(SEED), len(vectors)
    arrays = {"questions": questions, "more": more, "all": _exact(vectors, None, questions)}
    for share in SHARES:
        if share * size >= K:
            arrays[f"among-{share}"] = among = np.sort(chance.choice(size, int(share * size), replace=False))
            arrays[f"found-{share}"] = _exact(vectors, among, questions[:FEW])
    np.savez(path, **arrays)


def _exact(vectors: Vectors, among: Rows | None, questions: Vectors) -> Rows:
    return scan(vectors, among, questions, K)


def measure(folder: Path, data: Path) -> dict[str, Any]:
    """Of the index in `folder`, in this process."""
    before = _resident()
    index, load_seconds = _timed(lambda: FaissIndex.load(folder))
    result: dict[str, Any] = {"load_seconds": load_seconds, "resident_after_load": _resident() - before}
    known = dict(np.load(data))
    questions = known["questions"]
    index.search(questions[:1], K)
    result["search"] = _searches(index, questions, known["all"])
    result["resident_after_searches"] = _resident() - before
    result["filtered"] = {
        str(share): _searches(index, questions[:FEW], known[f"found-{share}"], known[f"among-{share}"])
        for share in SHARES
        if f"among-{share}" in known
    }
    rows = np.arange(10**9, 10**9 + CHANGED)
    result["add_seconds"] = _timed(lambda: index.add(rows, known["more"]))[1]
    result["search_after_add"] = _searches(index, questions[:FEW])
    gone = np.random.default_rng(SEED).choice(len(index) - CHANGED, min(CHANGED, len(index) // 4), replace=False)
    result["remove_seconds"] = _timed(lambda: index.remove(gone))[1]
    result["search_after_remove"] = _searches(index, questions[:FEW])
    return result


def _searches(
    index: FaissIndex, questions: Vectors, expected: Rows | None = None, among: Rows | None = None
) -> dict[str, float]:
    took, worked, shared = [], [], []
    for i in range(len(questions)):
        begun = time.thread_time()
        (_, rows), seconds = _timed(lambda i=i: index.search(questions[i : i + 1], K, among))
        took.append(1000 * seconds)
        worked.append(1000 * (time.thread_time() - begun))
        if expected is not None:
            shared.append(float(np.isin(rows[0], expected[i]).mean()))
    p50, p95 = np.percentile(took, [50, 95]).tolist()
    of_processor = np.percentile(worked, [50, 95]).tolist()
    return {"p50": p50, "p95": p95, "processor_p50": of_processor[0], "processor_p95": of_processor[1]} | (
        {f"recall_at_{K}": float(np.mean(shared))} if shared else {}
    )


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    result = call()
    return result, time.perf_counter() - begun


def _resident() -> int:
    """Bytes of this process that are in memory, mapped files included."""
    status = Path("/proc/self/status").read_text("utf-8")
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def _apart(folder: Path, data: Path) -> Any:
    command = [sys.executable, __file__, "--measure", str(folder), str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), metavar="N")
    parser.add_argument("--encoded", type=int, default=max(SIZES) + CHANGED, metavar="N")
    parser.add_argument("--vectors", type=Path, metavar="DIR", help="keeps what was encoded")
    parser.add_argument("--beside", default="", metavar="TEXT", help="what else ran on the machine, for the file")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
