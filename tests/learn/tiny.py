"""A real BERT small enough to train in a test: two layers of sixteen numbers, one token a character.

No weights are loaded: the seed settles them. What training passes to the tokenizer is kept, so that a test can
read the batches. A token's id is its character's own (mod 64).
"""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel

from chatbot.domain import Scores, Vectors
from chatbot.learn.contrastive import embed

CONFIG = BertConfig(
    vocab_size=64,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=64,
    num_labels=1,
)


class CharacterTokenizer:
    """The part of a tokenizer's interface that training uses."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []  # every list of texts that it was given

    def __call__(
        self, texts: Sequence[str], *, truncation: bool, max_length: int, return_token_type_ids: bool
    ) -> dict[str, list[list[int]]]:
        assert truncation and not return_token_type_ids
        self.calls.append(list(texts))
        return {"input_ids": [[ord(character) % 64 for character in text][:max_length] for text in texts]}

    def pad(self, tokens: dict[str, list[list[int]]], *, return_tensors: str) -> dict[str, torch.Tensor]:
        rows = [torch.tensor(row) for row in tokens["input_ids"]]
        masks = [torch.ones_like(row) for row in rows]
        return {
            "input_ids": torch.nn.utils.rnn.pad_sequence(rows, batch_first=True),
            "attention_mask": torch.nn.utils.rnn.pad_sequence(masks, batch_first=True),
        }


class TinyEncoder:
    """An Encoder that can be trained (learn.train.TunableEncoder)."""

    def __init__(self, seed: int = 1, prefix: str = "") -> None:
        torch.manual_seed(seed)
        self.model: Any = BertModel(CONFIG).eval()
        self.tokenizer: Any = CharacterTokenizer()
        self.prefix = prefix
        self.max_tokens = 64

    @property
    def fingerprint(self) -> str:
        return digest(self.model)

    @property
    def dimension(self) -> int:
        return CONFIG.hidden_size

    def encode(self, texts: Sequence[str]) -> Vectors:
        """What is asked, other than what is learnt from, the tokenizer does not keep."""
        asked = copy.copy(self)
        asked.tokenizer = CharacterTokenizer()
        with torch.no_grad():
            vectors: Vectors = embed(asked, texts).numpy() if texts else np.zeros((0, self.dimension), np.float32)
        return vectors


class TinyReranker:
    """A Reranker that can be trained (learn.train.TunableReranker): the plain head of BERT on `question|text`."""

    def __init__(self, seed: int = 1) -> None:
        torch.manual_seed(seed)
        self.model: Any = BertForSequenceClassification(CONFIG).eval()
        self.tokenizer = CharacterTokenizer()

    @property
    def fingerprint(self) -> str:
        return digest(self.model)

    def score(self, questions: Sequence[str], texts: Sequence[str]) -> Scores:
        """What is asked, other than what is learnt from, the tokenizer does not keep."""
        asked = copy.copy(self)
        asked.tokenizer = CharacterTokenizer()
        with torch.no_grad():
            scores: Scores = asked.logits(questions, texts).numpy()
        return scores

    def logits(self, questions: Sequence[str], texts: Sequence[str]) -> torch.Tensor:
        joined = [f"{question}|{text}" for question, text in zip(questions, texts, strict=True)]
        tokens = self.tokenizer(joined, truncation=True, max_length=64, return_token_type_ids=False)
        logits: torch.Tensor = self.model(**self.tokenizer.pad(tokens, return_tensors="pt")).logits[:, 0]
        return logits


def digest(model: Any) -> str:
    return str(sum(float(weight.detach().double().abs().sum()) for weight in model.parameters()))


def weights(model: Any) -> dict[str, torch.Tensor]:
    """A copy of all weights by name."""
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def changed(before: dict[str, torch.Tensor], model: Any) -> set[str]:
    """The names of the weights that are no longer as they were."""
    return {name for name, weight in model.named_parameters() if not torch.equal(before[name], weight)}
