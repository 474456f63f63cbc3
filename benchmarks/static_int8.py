"""Eight bits whose activations are scaled beforehand, beside those scaled as they come: results/static_int8.json.

    pip install --no-deps openvino nncf openvino-telemetry && python benchmarks/static_int8.py

In: the demo bot. Out: for the cross-encoder of each language, by engine: milliseconds to read one question with
five candidates (median of calls in turns), and the share of mistyped questions whose best answer stays that of 32
bits (learn/parity.py). ONNX Runtime's own static quantisation, and that of NNCF for OpenVINO, are calibrated on
what the cross-encoder reads for such questions.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from chatbot import bundle
from chatbot.assemble import load_bot
from chatbot.domain import Vectors
from chatbot.engine import FLOAT32, INT8, MIXED, Ids, PackedBert, PackedCrossEncoder, Words, session
from chatbot.graph import export
from chatbot.learn.evaluate import write_metrics
from chatbot.learn.parity import best_answers
from chatbot.models import resolve
from chatbot.retrieve import Retriever
from chatbot.settings import Settings

HERE = Path(__file__).parent
DEMO = HERE.parent / "index" / "demo"
CALIBRATED, TOKENS = 200, 48  # questions; tokens of each row, for ONNX Runtime wants them of one length
TIMED, CALLS, SEED = 5, 60, 7  # candidates; calls; of the mistyping


@dataclass
class Seen:
    """Passes rows on to a graph, and keeps what went in."""

    bert: PackedBert
    rows: list[dict[str, Vectors]]

    @property
    def words(self) -> Words:
        return self.bert.words

    def read(self, texts: Sequence[Ids]) -> Iterator[Vectors]:
        self.rows.append(packed(self.words, texts))
        return self.bert.read(texts)


@dataclass
class OpenVino:
    """A graph of OpenVINO's, as a `PackedBert`."""

    compiled: Any
    words: Words
    exact: bool = True

    def read(self, texts: Sequence[Ids]) -> Iterator[Vectors]:
        ends = np.cumsum([len(text) for text in texts])[:-1]
        yield from np.split(self.compiled(packed(self.words, texts))[0], ends)


def packed(words: Words, texts: Sequence[Ids]) -> dict[str, Vectors]:
    """One row, as the graphs take it (graph.py)."""
    lengths = [len(text) for text in texts]
    return {
        "words": words.matrix[np.concatenate([np.array(text) for text in texts])],
        "position": np.concatenate([np.arange(length) for length in lengths]),
        "text": np.repeat(np.arange(len(texts)), lengths),
    }


class Rows(CalibrationDataReader):
    def __init__(self, rows: Sequence[dict[str, Vectors]]) -> None:
        self.rows = iter(rows)

    def get_next(self) -> dict[str, Vectors] | None:
        return next(self.rows, None)


def main() -> int:
    result = {language: measured(language) for language in ("en", "zh")}
    about = {"command": "python benchmarks/static_int8.py", "bot": bundle.in_use(DEMO)}
    write_metrics(HERE / "results" / "static_int8.json", result, about)
    json.dump(result, sys.stdout, indent=1)
    return 0


def measured(language: str) -> dict[str, Any]:
    line = load_bot(DEMO).lines[language]
    ships = line.reranker
    assert isinstance(ships, PackedCrossEncoder)
    line.budget.limit_ms = 0
    with tempfile.TemporaryDirectory() as folder:
        berts = dict(graphs(language, line, ships, Path(folder)))
        best = {name: asked(line, remade(ships, bert)) for name, bert in berts.items()}
        times = timed({name: reading(line, ships, bert) for name, bert in berts.items()})
    same = {
        name: np.mean([a == b for a, b in zip(found, best[FLOAT32], strict=True)]) for name, found in best.items()
    }
    return {
        name: {"ms": round(median(times[name]), 2), "same_best_answer": round(float(same[name]), 4)}
        for name in berts
    }


def graphs(language: str, line: Retriever, ships: PackedCrossEncoder, folder: Path) -> Iterator[tuple[str, Any]]:
    """Each engine with its graph, the one in 32 bits first."""
    import nncf
    import openvino

    files, _ = bundle.load(DEMO)
    weights, words = folder / "tuned.safetensors", ships.bert.words
    shutil.copy(files / language / "reranker" / weights.name, weights)
    base = resolve(Settings.load("default").route(language).encoder)
    config = json.loads((base / "config.json").read_text("utf-8"))
    export(weights, config, "bert.")
    exact = PackedBert.load(folder / f"{FLOAT32}.onnx", words, 0)
    yield FLOAT32, exact
    for precision in (MIXED, INT8):
        yield f"{precision}, as they come", PackedBert.load(folder / f"{precision}.onnx", words, 0)
    seen = Seen(exact, [])
    asked(line, remade(ships, seen), CALIBRATED)
    rows = [{name: part[:TOKENS] for name, part in row.items()} for row in seen.rows if len(row["text"]) >= TOKENS]
    for method in (CalibrationMethod.MinMax, CalibrationMethod.Percentile):
        file = folder / f"static-{method.name}.onnx"
        with ProcessPoolExecutor(1, get_context("spawn")) as beside:  # its sessions have other pools of threads
            beside.submit(quantise, folder / f"{FLOAT32}.onnx", file, rows, method).result()
        yield f"ONNX Runtime static, {method.name}", PackedBert(session(file, 0), words, True)
    core = openvino.Core()
    model = core.read_model(folder / f"{FLOAT32}.onnx")
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    yield "OpenVINO float32", OpenVino(core.compile_model(model, "CPU", options), words)
    small = nncf.quantize(
        model,
        nncf.Dataset(rows),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(rows),
        fast_bias_correction=True,
    )
    yield "OpenVINO static, NNCF", OpenVino(core.compile_model(small, "CPU", options), words)


def quantise(source: Path, target: Path, rows: Sequence[dict[str, Vectors]], method: CalibrationMethod) -> None:
    quantize_static(
        source,
        target,
        Rows(rows),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=method,
        extra_options={"MatMulConstBOnly": True},
    )


def remade(ships: PackedCrossEncoder, bert: Any) -> PackedCrossEncoder:
    """The same cross-encoder on another graph, with nothing remembered."""
    return PackedCrossEncoder(bert, ships.prefix, ships.max_tokens, ships.longest, ships.head, ships.fingerprint)


def asked(line: Retriever, reranker: PackedCrossEncoder, most: int | None = None) -> list[str]:
    """The best answers to mistyped questions."""
    line.reranker = reranker
    found = best_answers(line, SEED)
    return [one for one, _ in zip(found, range(most), strict=False)] if most is not None else list(found)


def reading(line: Retriever, ships: PackedCrossEncoder, bert: Any) -> Callable[[int], None]:
    pairs = [pair for _, pair in sorted(line.table.pairs.items())]

    def read(number: int) -> None:
        question = pairs[number * 31 % len(pairs)].question
        texts = [pairs[(number * 17 + place) % len(pairs)].question for place in range(TIMED)]
        remade(ships, bert).score([question] * TIMED, texts)

    return read


def timed(reads: dict[str, Callable[[int], None]]) -> dict[str, list[float]]:
    """Milliseconds of each, in turns, after a few that do not count."""
    times: dict[str, list[float]] = {name: [] for name in reads}
    for number in range(CALLS + 5):
        for name, read in reads.items():
            start = perf_counter()
            read(number)
            if number >= 5:
                times[name].append((perf_counter() - start) * 1000)
    return times


if __name__ == "__main__":
    sys.exit(main())
