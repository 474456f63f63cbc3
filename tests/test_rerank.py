"""The cross-encoder: the contract on the fake and on a real one, and what is particular to it."""

import copy

import pytest
import torch

from chatbot.carried import MINILM
from chatbot.models import load_encoder, reranker_from
from chatbot.rerank import CrossEncoder
from chatbot.text import readable
from tests.contracts import RerankerContract
from tests.fakes import FakeReranker


def test_the_fake_counts_words() -> None:
    scores = FakeReranker().score(["my red parcel", "my", ""], ["my parcel is red", "parcel", ""])
    assert scores.tolist() == [2, -2, 0]  # three shared and one not; none shared and two not; nothing at all


def test_a_tokenizer_gets_whole_characters_and_no_more_than_can_count() -> None:
    assert readable("a \ud83d\udc4d b \ud83d", 64) == "a 👍 b \ufffd"
    assert readable("x" * 1000, max_tokens=8) == "x" * 256


class TestFakeReranker(RerankerContract):
    @pytest.fixture
    def reranker(self) -> FakeReranker:
        return FakeReranker()

    @pytest.fixture
    def other(self) -> FakeReranker:
        return FakeReranker(strictness=2)


@pytest.fixture(scope="module")
def minilm() -> CrossEncoder:
    encoder, tokenizer = load_encoder(MINILM)
    return CrossEncoder(reranker_from(encoder), tokenizer, "", 64)


@pytest.mark.models
class TestCrossEncoder(RerankerContract):
    @pytest.fixture
    def reranker(self, minilm: CrossEncoder) -> CrossEncoder:
        return minilm

    @pytest.fixture
    def other(self, minilm: CrossEncoder) -> CrossEncoder:
        model = copy.deepcopy(minilm.model)
        with torch.no_grad():
            model.classifier.bias += 0.001
        return CrossEncoder(model, minilm.tokenizer, "", 64)

    def test_a_text_longer_than_the_model_reads_is_cut(self, minilm: CrossEncoder) -> None:
        whole = CrossEncoder(minilm.model, minilm.tokenizer, "", max_tokens=512)
        (score,) = whole.score(["parcel " * 600], ["parcel " * 600])
        assert score == pytest.approx(whole.score(["parcel " * 900], ["parcel " * 900])[0], abs=1e-3)

    def test_the_prefix_stands_before_both_texts(self, minilm: CrossEncoder) -> None:
        prefixed = CrossEncoder(minilm.model, minilm.tokenizer, "query: ", 64)
        plain = minilm.score(["query: where is it"], ["query: my parcel"])
        assert prefixed.score(["where is it"], ["my parcel"]) == pytest.approx(plain, abs=1e-4)

    def test_scoring_changes_nothing_and_asks_for_no_gradient(self, minilm: CrossEncoder) -> None:
        assert minilm.logits(["a"], ["b"]).requires_grad
        with torch.inference_mode():
            assert not minilm.logits(["a"], ["b"]).requires_grad
        before = minilm.score(["a"], ["b"])
        assert minilm.score(["a"], ["b"]).tolist() == before.tolist()
