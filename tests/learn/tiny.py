"""A real BERT small enough to train in a test: two layers of sixteen numbers, one token a character.

No weights are loaded: the seed settles them. What the training code passes to the tokenizer is kept, so that a test
can read the batches. Texts and tokens are one to one, and token ids are the characters' own (mod 64).
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel

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
    """A TrainableEncoder."""

    def __init__(self, seed: int = 1, prefix: str = "") -> None:
        torch.manual_seed(seed)
        self.model: Any = BertModel(CONFIG).eval()
        self.tokenizer: Any = CharacterTokenizer()
        self.prefix = prefix
        self.max_tokens = 64


class TinyReranker:
    """A TrainableReranker: the plain head of BERT on `question|text`."""

    def __init__(self, seed: int = 1) -> None:
        torch.manual_seed(seed)
        self.model: Any = BertForSequenceClassification(CONFIG).eval()
        self.tokenizer = CharacterTokenizer()

    def logits(self, questions: Sequence[str], texts: Sequence[str]) -> torch.Tensor:
        joined = [f"{question}|{text}" for question, text in zip(questions, texts, strict=True)]
        tokens = self.tokenizer(joined, truncation=True, max_length=64, return_token_type_ids=False)
        logits: torch.Tensor = self.model(**self.tokenizer.pad(tokens, return_tensors="pt")).logits[:, 0]
        return logits


def weights(model: Any) -> dict[str, torch.Tensor]:
    """A copy of all weights by name."""
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def changed(before: dict[str, torch.Tensor], model: Any) -> set[str]:
    """The names of the weights that are no longer as they were."""
    return {name for name, weight in model.named_parameters() if not torch.equal(before[name], weight)}
