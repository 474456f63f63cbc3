"""The models without PyTorch: the contracts, the same numbers as PyTorch, tokens cut alike, a bounded memory."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import BertConfig, BertModel

from chatbot.carried import MINILM, NANO_E5, TUNED_FILE, resolve, tensors
from chatbot.encode import SentenceEncoder
from chatbot.engine import (
    FLOAT32,
    INT8,
    MIXED,
    ROW,
    Head,
    PackedBert,
    PackedCrossEncoder,
    PackedEncoder,
    Words,
    _rows,
    _shortened,
)
from chatbot.errors import BotError
from chatbot.graph import export
from chatbot.memory import Memory
from chatbot.models import save_tuned
from chatbot.serve.metrics import Remembering
from chatbot.workshop import reranker_over
from tests.contracts import EncoderContract, RerankerContract

TEXTS = [
    "where is my parcel",
    "I want to cancel the order that I placed yesterday, please!",
    "我的包裹在哪里",
    "",
    "refund " * 200,
    "half a pair \ud800",
]


class Exported:
    """Both models of a base as PyTorch has them, with a head that was trained a little, and their graphs."""

    def __init__(self, name: str, prefix: str, folder: Path) -> None:
        self.encoder = SentenceEncoder.load(name, prefix)
        self.reranker = reranker_over(self.encoder)
        weight = self.reranker.model.classifier.weight
        weight.data[0, :-1] = weight.new_tensor(np.random.default_rng(7).normal(0, 0.05, weight.shape[1] - 1))
        self.base, self.folder, self.prefix = resolve(name), folder, prefix
        self.config = json.loads((self.base / "config.json").read_text("utf-8"))
        save_tuned(self.encoder.model, folder / "encoder")
        save_tuned(self.reranker.model, folder / "reranker")
        export(folder / "encoder" / TUNED_FILE, self.config)
        export(folder / "reranker" / TUNED_FILE, self.config, "bert.")
        self.words = Words.load(self.base)

    def packed_encoder(self, precision: str = FLOAT32) -> PackedEncoder:
        bert = PackedBert.load(self.folder / "encoder" / f"{precision}.onnx", self.words, 2)
        return PackedEncoder(bert, self.prefix, self.encoder.max_tokens, self.encoder.fingerprint)

    def packed_reranker(self, precision: str = FLOAT32) -> PackedCrossEncoder:
        bert = PackedBert.load(self.folder / "reranker" / f"{precision}.onnx", self.words, 2)
        head = Head.load(self.folder / "reranker" / TUNED_FILE)
        positions = self.config["max_position_embeddings"]
        return PackedCrossEncoder(
            bert, self.prefix, self.encoder.max_tokens, positions, head, self.reranker.fingerprint
        )


@pytest.fixture(scope="module", params=[(MINILM, ""), (NANO_E5, "query: ")], ids=["minilm", "e5"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    name, prefix = request.param
    return Exported(name, prefix, tmp_path_factory.mktemp("exported"))


@pytest.mark.models
class TestPackedEncoder(EncoderContract):
    @pytest.fixture
    def encoder(self, exported: Exported) -> PackedEncoder:
        return exported.packed_encoder()

    @pytest.fixture
    def other(self, exported: Exported) -> PackedEncoder:
        return PackedEncoder(exported.packed_encoder().bert, "", 64, "another")


@pytest.mark.models
class TestPackedCrossEncoder(RerankerContract):
    @pytest.fixture
    def reranker(self, exported: Exported) -> PackedCrossEncoder:
        return exported.packed_reranker()

    @pytest.fixture
    def other(self, exported: Exported) -> PackedCrossEncoder:
        changed = exported.packed_reranker()
        changed.fingerprint = "another"
        return changed


@pytest.mark.models
class TestTheSameAsPyTorch:
    def test_vectors(self, exported: Exported) -> None:
        assert exported.packed_encoder().encode(TEXTS) == pytest.approx(exported.encoder.encode(TEXTS), abs=2e-5)

    def test_relevances(self, exported: Exported) -> None:
        left = [text for text in TEXTS for _ in TEXTS]
        right = TEXTS * len(TEXTS)
        expected = exported.reranker.score(left, right)
        assert np.ptp(expected) > 5
        assert exported.packed_reranker().score(left, right) == pytest.approx(expected, abs=1e-3)

    @pytest.mark.parametrize(("precision", "least", "most"), [(INT8, 0.97, 1.5), (MIXED, 0.98, 1.0)])
    def test_eight_bits_are_near(self, exported: Exported, precision: str, least: float, most: float) -> None:
        vectors = exported.packed_encoder(precision).encode(TEXTS)
        assert (vectors * exported.encoder.encode(TEXTS)).sum(1).min() > least
        left, right = TEXTS[:2] * 2, TEXTS[:4]
        expected = exported.reranker.score(left, right)
        assert np.abs(exported.packed_reranker(precision).score(left, right) - expected).max() < most

    def test_the_graph_in_32_bits_holds_no_weights_of_its_own(self, exported: Exported) -> None:
        assert (exported.folder / "encoder" / f"{FLOAT32}.onnx").stat().st_size < 200_000


def test_outliers_do_not_take_the_digits_of_the_rest(tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=6, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=256
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for layer in model.encoder.layer:
            layer.intermediate.dense.weight.mul_(5)
            layer.intermediate.dense.weight[7].mul_(60)
            layer.output.dense.weight[:, 7].div_(60)
    model.save_pretrained(tmp_path)
    words = Words(
        Tokenizer(WordLevel({"a": 0, "b": 1}, "a")), model.embeddings.word_embeddings.weight.detach().numpy(), ""
    )
    chance = np.random.default_rng(7)
    texts = [tuple(chance.integers(0, 6, 12).tolist()) for _ in range(20)]

    def states(precision: str) -> Any:
        bert = PackedBert.load(tmp_path / f"{precision}.onnx", words, 1)
        return np.concatenate([found for text in texts for found in bert.read([text])])

    export(tmp_path / "model.safetensors", config.to_dict(), precisions=(FLOAT32, INT8))
    exact = states(FLOAT32)
    assert np.abs(states(INT8) - exact).mean() < 0.005 * exact.std()  # 0.002; 0.018 if they were like all others


@pytest.mark.models
class TestBadFiles:
    def test_a_graph_that_is_none(self, exported: Exported, tmp_path: Path) -> None:
        (tmp_path / "int8.onnx").write_bytes(b"nothing")
        with pytest.raises(BotError, match=r"int8\.onnx cannot be read.*train the bot again"):
            PackedBert.load(tmp_path / "int8.onnx", exported.words, 1)

    def test_a_base_model_that_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(BotError, match=r"base model in .* cannot be read"):
            Words.load(tmp_path)

    def test_the_fingerprint_of_the_words_tells_tokenizers_apart(self, exported: Exported, tmp_path: Path) -> None:
        for name in ("model.safetensors", "tokenizer.json"):
            (tmp_path / name).symlink_to(exported.base / name)
        assert Words.load(tmp_path).fingerprint == exported.words.fingerprint
        text = (tmp_path / "tokenizer.json").read_text("utf-8")
        (tmp_path / "tokenizer.json").unlink()
        (tmp_path / "tokenizer.json").write_text(text + " ", "utf-8")
        assert Words.load(tmp_path).fingerprint != exported.words.fingerprint


def test_a_tokenizer_without_special_tokens_is_read_too() -> None:
    words = Words(Tokenizer(WordLevel({"a": 0, "b": 1}, "a")), np.zeros((2, 4), np.float32), "")
    assert (words.head, words.middle, words.tail, words.end) == ((), (), (), ())


def test_a_row_holds_whole_texts_up_to_its_length() -> None:
    texts = [(1,) * (ROW - 10), (2,) * 10, (3,), (4,) * (ROW + 5), (5,)]
    assert list(_rows(texts)) == [texts[:2], texts[2:3], texts[3:4], texts[4:]]


@pytest.mark.models
@given(left=st.integers(0, 200), right=st.integers(0, 200), room=st.integers(0, 130))
def test_two_texts_are_cut_as_the_tokenizer_cuts_them(left: int, right: int, room: int) -> None:
    tokenizer = _cutting(room + 3)
    encoded: Any = tokenizer.encode("a " * left, "b " * right)
    expected = (encoded.sequence_ids.count(0), encoded.sequence_ids.count(1))
    short = _shortened((1,) * left, (2,) * right, room)
    assert (len(short[0]), len(short[1])) == expected


def _cutting(length: int) -> Tokenizer:
    tokenizer = _Cutting.tokenizer
    tokenizer.enable_truncation(length)
    return tokenizer


class _Cutting:
    tokenizer = Tokenizer.from_file(str(resolve(MINILM) / "tokenizer.json"))
    tokenizer.no_padding()


class TestMemory:
    def test_what_is_known_is_not_computed_again_and_the_eldest_is_forgotten(self) -> None:
        asked: list[list[str]] = []

        def compute(missing: list[str]) -> list[int]:
            asked.append(missing)
            return [len(text) for text in missing]

        memory: Memory[str, int] = Memory(2)
        assert memory.of(["a", "bb", "a"], compute) == [1, 2, 1]
        assert memory.of(["a"], compute) == [1]
        assert memory.of(["ccc", "a"], compute) == [3, 1]
        assert memory.of(["bb"], compute) == [2]
        assert asked == [["a", "bb"], ["ccc"], ["bb"]]

    @pytest.mark.models
    def test_models_tell_how_often_it_helped(self, exported: Exported) -> None:
        encoder, reranker = exported.packed_encoder(), exported.packed_reranker()
        encoder.encode(["a", "b"])
        encoder.encode(["b"])
        for _ in range(3):
            reranker.score(["a", "a", "b"], ["x", "y", "x"])  # two lists
        assert isinstance(encoder, Remembering) and isinstance(reranker, Remembering)
        assert (encoder.tally, reranker.tally) == ((1, 2), (4, 2))

    def test_more_than_it_holds_is_given_all_the_same(self) -> None:
        memory: Memory[int, int] = Memory(1)
        assert memory.of([3, 1, 2], lambda missing: [n * n for n in missing]) == [9, 1, 4]


def test_where_tensors_lie_in_a_file() -> None:
    weights = resolve(MINILM) / "model.safetensors"
    (about,) = [about for name, about in tensors(weights).items() if name.endswith("word_embeddings.weight")]
    assert about["shape"] == [30522, 384]
    assert about["data_offsets"][1] - about["data_offsets"][0] == 30522 * 384 * 4
