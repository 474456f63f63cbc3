"""The bi-encoder: the contract on the fake and on both carried models, and what is particular to it."""

import copy
import time

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from chatbot.carried import MINILM, NANO_E5, resolve
from chatbot.encode import PROGRESS_FROM, SentenceEncoder
from tests.contracts import EncoderContract
from tests.fakes import FakeEncoder


def test_the_fake_counts_letters() -> None:
    vectors = FakeEncoder("ab").encode(["Abba!", ""])
    assert vectors == pytest.approx(np.array([[2 / 3, 2 / 3, 1 / 3], [0, 0, 1]]), abs=1e-6)


class TestFakeEncoder(EncoderContract):
    @pytest.fixture
    def encoder(self) -> FakeEncoder:
        return FakeEncoder()

    @pytest.fixture
    def other(self) -> FakeEncoder:
        return FakeEncoder("aeiou")


@pytest.fixture(scope="module")
def minilm() -> SentenceEncoder:
    return SentenceEncoder.load(MINILM)


@pytest.fixture(scope="module")
def e5() -> SentenceEncoder:
    return SentenceEncoder.load(NANO_E5, prefix="query: ")


def slightly_other(encoder: SentenceEncoder) -> SentenceEncoder:
    """The same encoder but for one number in one bias."""
    model = copy.deepcopy(encoder.model)
    with torch.no_grad():
        model.encoder.layer[0].attention.self.query.bias[0] += 0.001
    return SentenceEncoder.wrap(model, encoder.tokenizer, encoder.prefix, encoder.max_tokens)


@pytest.mark.models
class TestMiniLM(EncoderContract):
    @pytest.fixture
    def encoder(self, minilm: SentenceEncoder) -> SentenceEncoder:
        return minilm

    @pytest.fixture
    def other(self, minilm: SentenceEncoder) -> SentenceEncoder:
        return slightly_other(minilm)


@pytest.mark.models
class TestMultilingualE5(EncoderContract):
    @pytest.fixture
    def encoder(self, e5: SentenceEncoder) -> SentenceEncoder:
        return e5

    @pytest.fixture
    def other(self, e5: SentenceEncoder) -> SentenceEncoder:
        return slightly_other(e5)


@pytest.mark.models
def test_the_vectors_are_those_of_the_published_pipeline(minilm: SentenceEncoder) -> None:
    texts = ["Where is my parcel?", "I want my money back.", ""]
    published = SentenceTransformer(str(resolve(MINILM)), device="cpu", local_files_only=True)
    assert minilm.encode(texts) == pytest.approx(published.encode(texts, show_progress_bar=False), abs=1e-5)


@pytest.mark.models
def test_meaning_beats_words_across_languages(e5: SentenceEncoder) -> None:
    question, same, other = e5.encode(["Where is my parcel?", "我的包裹在哪里？", "Where is my husband from?"])
    assert question @ same > question @ other


@pytest.mark.models
def test_the_prefix_and_max_tokens_are_part_of_the_vector_and_of_the_fingerprint(minilm: SentenceEncoder) -> None:
    prefixed = SentenceEncoder.wrap(minilm.model, minilm.tokenizer, prefix="query: ")
    short = SentenceEncoder.wrap(minilm.model, minilm.tokenizer, max_tokens=8)
    text = "where is the parcel that I ordered last week"
    assert prefixed.encode([text])[0] == pytest.approx(minilm.encode(["query: " + text])[0], abs=1e-6)
    assert short.encode([text])[0] == pytest.approx(minilm.encode(["where is the parcel that i"])[0], abs=1e-5)
    assert len({encoder.fingerprint for encoder in (minilm, prefixed, short)}) == 3


@pytest.mark.models
def test_what_max_tokens_cuts_is_not_even_tokenised(minilm: SentenceEncoder) -> None:
    start = time.perf_counter()
    vectors = minilm.encode(["parcel " * 15_000, "parcel " * 70])
    assert time.perf_counter() - start < 1  # 105,000 characters
    assert vectors[0] == pytest.approx(vectors[1], abs=1e-5)


@pytest.mark.models
def test_half_a_surrogate_pair_is_an_unknown_character_and_a_whole_one_is_its_emoji(e5: SentenceEncoder) -> None:
    vectors = e5.encode(["ok \ud83d\udc4d", "ok 👍", "ok \ud83d", "ok \ufffd"])
    assert vectors[0] == pytest.approx(vectors[1], abs=1e-6)
    assert vectors[2] == pytest.approx(vectors[3], abs=1e-6)


@pytest.mark.models
def test_training_the_model_changes_what_encode_gives(minilm: SentenceEncoder) -> None:
    encoder = slightly_other(minilm)
    before, fingerprint = encoder.encode(["parcel"]), encoder.fingerprint
    optimizer = torch.optim.SGD([weight for weight in encoder.model.parameters() if weight.requires_grad], lr=0.1)
    encoder.model(**encoder.tokenizer(["parcel"], return_tensors="pt")).last_hidden_state.square().sum().backward()
    optimizer.step()
    assert np.abs(encoder.encode(["parcel"]) - before).max() > 1e-3
    assert encoder.fingerprint != fingerprint


@pytest.mark.models
def test_nothing_is_printed_unless_progress_is_wanted(
    minilm: SentenceEncoder, capfd: pytest.CaptureFixture[str]
) -> None:
    texts = ["a"] * PROGRESS_FROM
    minilm.encode(texts)
    assert capfd.readouterr() == ("", "")
    told = SentenceEncoder.wrap(minilm.model, minilm.tokenizer, progress=True)
    told.encode(texts[1:])
    assert capfd.readouterr() == ("", "")
    told.encode(texts)
    assert "100%" in capfd.readouterr().err
