"""A BERT or an MPNet as an ONNX graph for packed texts: the only module that writes ONNX.

In: the weights of a model, as `models.save_tuned` wrote them or as they come. Out: files beside them,

    float32.onnx   the structure alone: its weights are read out of the safetensors file
    int8.onnx      with weights in seven of eight bits, one scale a column; activations are scaled as they come;
                   the few channels where outliers are stay in 32 bits
    mixed.onnx     the same, but the whole way back from wide to narrow in 32 bits

Processors without VNNI add two products of eight bits in sixteen, which overflow unless weights have seven
(https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html): so graphs are right on all.

The graph reads many texts in one row, without padding, and gives each token's last hidden state:

    words     float32 [tokens, width]   word embeddings, looked up by the caller
    position  int64 [tokens]            of a token in its text, from 0
    text      int64 [tokens]            number of the text that a token belongs to
    hidden    float32 [tokens, width]

A token attends to those of its own text (a mask of blocks along the diagonal). So dense layers, nearly all of the
work, see one full matrix; only attention grows with the square of a row, and rows are kept short (engine.ROW).

An MPNet (Song et al. 2020, https://arxiv.org/abs/2004.09297) is a BERT with other names, without kinds of texts,
whose attention also depends on how far apart two tokens are.

All activations of a row share one scale, and where a layer goes from narrow to wide and back a few channels are
many times as large as all others, the same ones for any text: they would take the digits of the rest. So their
products are added in 32 bits (Dettmers et al. 2022, https://arxiv.org/abs/2208.07339). Which they are is seen from
the weights: what comes in was normalised, which bounds each channel of it, and of what is made of it.
"""

import logging
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, save_model
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors import safe_open
from safetensors.numpy import load_file

from chatbot.carried import tensors
from chatbot.engine import FLOAT32, INT8, MIXED

OPSET, IR = 20, 10  # Gelu came with 20
FAR = -1e4  # added to the attention between two texts
WIDER, BACK = "intermediate.dense", "output.dense"  # a layer's way from narrow to wide, and back
OUTLIERS = {WIDER: 8, BACK: 16}  # channels that stay in 32 bits
DEVIATIONS = 4  # of a normalised channel: more is rare
FARTHEST = 128  # tokens apart, beyond which all distances are the same to an MPNet


@dataclass(frozen=True, slots=True)
class _Names:
    """Where a kind of model keeps a layer's weights, and which row of the position table is a text's first."""

    query: str
    key: str
    value: str
    attended: str
    normal: str
    first: int


NAMES = {
    "bert": _Names(
        query="attention.self.query",
        key="attention.self.key",
        value="attention.self.value",
        attended="attention.output.dense",
        normal="attention.output.LayerNorm",
        first=0,
    ),
    "mpnet": _Names(
        query="attention.attn.q",
        key="attention.attn.k",
        value="attention.attn.v",
        attended="attention.attn.o",
        normal="attention.LayerNorm",
        first=2,
    ),
}


def export(
    weights: Path,
    config: Mapping[str, Any],
    prefix: str = "",
    precisions: Sequence[str] = (FLOAT32, MIXED, INT8),
) -> None:
    """Write graphs beside `weights`. `config` is the base model's config.json; `prefix` leads the names of the
    model's weights."""
    for precision in precisions:
        file = weights.with_name(f"{precision}.onnx")
        if precision == FLOAT32:
            save_model(_graph(_Stored(weights), config, prefix), str(file))
            continue
        inline = _Inline(weights, whole_back=precision == MIXED)
        _quantize(_graph(inline, config, prefix), inline.exact, file)


def _quantize(whole: ModelProto, exact: Set[str], file: Path) -> None:
    """Write `whole` with all dense layers but those of the matrices in `exact` in eight bits."""
    logging.disable(logging.WARNING)  # it logs advice for other kinds of graphs, to the root logger
    try:
        quantize_dynamic(
            whole,
            file,
            per_channel=True,
            op_types_to_quantize=["MatMul"],
            nodes_to_exclude=[node.name for node in whole.graph.node if not exact.isdisjoint(node.input)],
            weight_type=QuantType.QInt8,
            reduce_range=True,
            extra_options={"MatMulConstBOnly": True},
        )
    finally:
        logging.disable(logging.NOTSET)


class Nodes:
    """A graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}

    def put(self, operator: str, *inputs: str, to: str | None = None, **attributes: Any) -> str:
        """Append a node; the name of its output."""
        name = f"{operator}.{len(self.nodes)}" if to is None else to
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: Any, kind: type[np.generic] = np.int64) -> str:
        self.constants[name] = numpy_helper.from_array(np.array(value, dtype=kind), name)
        return name


class _Stored(Nodes):
    """Weights stay in the file: dense layers take them as they lie there, [out, in]."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.path = weights
        self.header = tensors(weights)

    def value(self, name: str) -> NDArray[np.float32]:
        with safe_open(self.path, "numpy") as stored:
            return np.asarray(stored.get_tensor(name), dtype=np.float32)

    def weight(self, name: str) -> str:
        about = self.header[name]
        start, end = about["data_offsets"]
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=about["shape"])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", self.path.name), ("offset", start), ("length", end - start)):
            tensor.external_data.add(key=key, value=str(value))
        self.constants[name] = tensor
        return name

    def dense(self, source: str, *names: str) -> list[str]:
        return [
            self.put("Gemm", source, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), transB=1)
            for name in names
        ]

    def wider(self, source: str, layer: str, _normal: str) -> str:
        return self.dense(source, layer + WIDER)[0]

    def back(self, source: str, layer: str, _normal: str) -> str:
        return self.dense(source, layer + BACK)[0]


class _Inline(Nodes):
    """Weights are part of the graph; layers that read the same are one matrix. `exact` are the matrices that stay
    in 32 bits: those of outliers, and with `whole_back` all of the way back from wide to narrow."""

    def __init__(self, weights: Path, whole_back: bool) -> None:
        super().__init__()
        self.whole_back = whole_back
        self.exact: set[str] = set()
        self.values: dict[str, NDArray[np.float32]] = load_file(weights)

    def value(self, name: str) -> NDArray[np.float32]:
        return self.values[name]

    def weight(self, name: str) -> str:
        return self.constant(name, self.values[name], np.float32)

    def dense(self, source: str, *names: str) -> list[str]:
        matrix = np.concatenate([self.values[f"{name}.weight"] for name in names]).T
        bias = np.concatenate([self.values[f"{name}.bias"] for name in names])
        product = self.put("MatMul", source, self.constant(f"{names[0]}.matrix", matrix, np.float32))
        whole = self.put("Add", product, self.constant(f"{names[0]}.biases", bias, np.float32))
        if len(names) == 1:
            return [whole]
        parts = [f"{name}.part" for name in names]
        self.nodes.append(helper.make_node("Split", [whole], parts, axis=-1, num_outputs=len(names)))
        return parts

    def wider(self, source: str, layer: str, normal: str) -> str:
        """`normal` is the normalisation that `source` comes from."""
        gain, shift = (self.values[f"{layer}{normal}.{part}"] for part in ("weight", "bias"))
        return self._apart(source, layer, WIDER, DEVIATIONS * np.abs(gain) + np.abs(shift))

    def back(self, source: str, layer: str, normal: str) -> str:
        """`normal` is the normalisation before what is wide was made."""
        if self.whole_back:
            self.exact.add(f"{layer}{BACK}.matrix")
            return self.dense(source, layer + BACK)[0]
        gain, shift = (self.values[f"{layer}{normal}.{part}"] for part in ("weight", "bias"))
        matrix, bias = (self.values[f"{layer}{WIDER}.{part}"] for part in ("weight", "bias"))
        most = np.linalg.norm(matrix * gain, axis=1) * len(gain) ** 0.5 + matrix @ shift + bias
        return self._apart(source, layer, BACK, most)

    def _apart(self, source: str, layer: str, way: str, most: NDArray[np.float32]) -> str:
        """A dense layer; those channels that can be the largest are apart. `most`: how large each can be."""
        name, matrix = layer + way, self.values[f"{layer}{way}.weight"].T.copy()
        channels = np.sort(np.argsort(-most)[: OUTLIERS[way]])
        few, others = matrix[channels], np.ones(len(matrix), np.float32)
        matrix[channels] = others[channels] = 0
        picked = self.put("Gather", source, self.constant(f"{name}.channels", channels), axis=1)
        outliers = self.put("MatMul", picked, self.constant(f"{name}.outliers", few, np.float32))
        self.exact.add(f"{name}.outliers")
        rest = self.put("Mul", source, self.constant(f"{name}.others", others, np.float32))
        product = self.put("MatMul", rest, self.constant(f"{name}.matrix", matrix, np.float32))
        return self.put("Add", self.put("Add", product, self.weight(f"{name}.bias")), outliers)


def _graph(graph: _Stored | _Inline, config: Mapping[str, Any], prefix: str) -> ModelProto:
    width, heads, names = config["hidden_size"], config["num_attention_heads"], NAMES[config["model_type"]]

    def normal(source: str, name: str) -> str:
        return graph.put(
            "LayerNormalization",
            *(source, graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")),
            axis=-1,
            epsilon=config["layer_norm_eps"],
        )

    split, join = graph.constant("split", [-1, heads, width // heads]), graph.constant("join", [-1, width])
    scale = graph.constant("scale", (width // heads) ** -0.5, np.float32)
    apart = _mask(graph)
    if config["model_type"] == "mpnet":
        apart = graph.put("Add", apart, _distances(graph, config, prefix))
    place = graph.put("Add", "position", graph.constant("first place", names.first))
    state = graph.put(
        "Add",
        "words",
        graph.put("Gather", graph.weight(f"{prefix}embeddings.position_embeddings.weight"), place),
    )
    if config["model_type"] == "bert":
        kinds = graph.weight(f"{prefix}embeddings.token_type_embeddings.weight")
        state = graph.put("Add", state, graph.put("Gather", kinds, graph.constant("0", 0)))
    state = normal(state, f"{prefix}embeddings.LayerNorm")
    for number in range(config["num_hidden_layers"]):
        layer = f"{prefix}encoder.layer.{number}."
        query, key, value = (
            graph.put("Reshape", part, split)
            for part in graph.dense(state, layer + names.query, layer + names.key, layer + names.value)
        )
        query, value = (graph.put("Transpose", part, perm=[1, 0, 2]) for part in (query, value))
        key = graph.put("Transpose", key, perm=[1, 2, 0])
        scores = graph.put("Add", graph.put("Mul", graph.put("MatMul", query, key), scale), apart)
        mixed = graph.put("MatMul", graph.put("Softmax", scores, axis=-1), value)
        mixed = graph.put("Reshape", graph.put("Transpose", mixed, perm=[1, 0, 2]), join)
        (attended,) = graph.dense(mixed, layer + names.attended)
        state = normal(graph.put("Add", attended, state), layer + names.normal)
        wide = graph.wider(state, layer, names.normal)
        narrow = graph.back(graph.put("Gelu", wide), layer, names.normal)
        state = normal(graph.put("Add", narrow, state), f"{layer}output.LayerNorm")
    graph.put("Identity", state, to="hidden")
    return _model(graph, width)


def _mask(graph: Nodes) -> str:
    """[tokens, tokens]: 0 within a text, FAR between two."""
    same = graph.put("Equal", *_each_with_each(graph, "text"))
    near, far = graph.constant("near", 0, np.float32), graph.constant("far", FAR, np.float32)
    return graph.put("Where", same, near, far)


def _distances(graph: _Stored | _Inline, config: Mapping[str, Any], prefix: str) -> str:
    """[heads, tokens, tokens]: what an MPNet adds to the attention of each token to each other one."""
    import torch
    from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

    apart = torch.arange(-FARTHEST, FARTHEST + 1)
    bucket = MPNetEncoder.relative_position_bucket(apart, config["relative_attention_num_buckets"], FARTHEST)
    table = graph.value(f"{prefix}encoder.relative_attention_bias.weight")[bucket.numpy()]
    reader, other = _each_with_each(graph, "position")
    bounds = (graph.constant(name, value) for name, value in (("nearest", -FARTHEST), ("farthest", FARTHEST)))
    distance = graph.put("Clip", graph.put("Sub", other, reader), *bounds)
    row = graph.put("Add", distance, graph.constant("middle", FARTHEST))
    found = graph.put("Gather", graph.constant("of distances", table, np.float32), row)
    return graph.put("Transpose", found, perm=[2, 0, 1])


def _each_with_each(graph: Nodes, name: str) -> tuple[str, str]:
    """An input [tokens] as a column and as a row."""
    column = graph.put("Unsqueeze", name, graph.constant("last", [1]))
    return column, graph.put("Unsqueeze", name, graph.constant("first", [0]))


def _model(graph: Nodes, width: int) -> ModelProto:
    def value(name: str, kind: int, *shape: str | int) -> Any:
        return helper.make_tensor_value_info(name, kind, ["tokens", *shape])

    inputs: Sequence[Any] = [
        value("words", TensorProto.FLOAT, width),
        value("position", TensorProto.INT64),
        value("text", TensorProto.INT64),
    ]
    outputs = [value("hidden", TensorProto.FLOAT, width)]
    body = helper.make_graph(graph.nodes, "packed texts", inputs, outputs, list(graph.constants.values()))
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
