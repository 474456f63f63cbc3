"""How fast this machine is at what answering is made of, beside the machine that pace.json was measured on.

In: the carried MiniLM. Out: milliseconds of two tasks that are always the same: `encode`, a question read by an
eight-bit graph, and `multiply`, a product of two matrices in NumPy. The fastest run tells what the processor can
do, and the median what is left of that while other programs run.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from chatbot.carried import MINILM, resolve
from chatbot.engine import INT8, PackedBert, Words
from chatbot.graph import export

ASKED = "where is my parcel, and when will it be here"
WIDTH = 512  # of the matrices
RUNS, FIRST = 60, 5  # and how many before them are not counted


@dataclass(frozen=True, slots=True)
class Pace:
    """Milliseconds of a task."""

    fastest: float
    median: float


@dataclass(frozen=True, slots=True)
class Reference:
    """What was measured, and on which machine."""

    machine: str
    tasks: Mapping[str, Pace]

    @classmethod
    def load(cls) -> "Reference":
        fields = json.loads((resources.files("chatbot") / "pace.json").read_text("utf-8"))
        return cls(fields["machine"], {name: Pace(**pace) for name, pace in fields["tasks"].items()})


def measure(runs: int = RUNS) -> dict[str, Pace]:
    """Both tasks on this machine, in about three seconds. Raises ModelNotFound."""
    matrix = np.random.default_rng(7).standard_normal((WIDTH, WIDTH), dtype=np.float32)
    with TemporaryDirectory() as folder:
        bert = _graph(Path(folder))
        row = [bert.words.head + bert.words.tokens([ASKED])[0] + bert.words.end]
        encode = _timed(lambda: list(bert.read(row)), runs)
        multiply = _timed(lambda: matrix @ matrix, runs)  # on one thread, as the engine has it
    return {"encode": encode, "multiply": multiply}


def _graph(folder: Path) -> PackedBert:
    """MiniLM in eight bits; written anew, since no bot need be there."""
    base = resolve(MINILM)
    weights = folder / "model.safetensors"
    weights.symlink_to(base / weights.name)
    export(weights, json.loads((base / "config.json").read_text("utf-8")), precisions=(INT8,))
    return PackedBert.load(folder / f"{INT8}.onnx", Words.load(base), threads=0)


def _timed(task: Callable[[], object], runs: int) -> Pace:
    took = []
    for _ in range(FIRST + runs):
        start = perf_counter()
        task()
        took.append(1000 * (perf_counter() - start))
    return Pace(min(took[FIRST:]), median(took[FIRST:]))
