"""The cross-encoder: a BERT that reads the question and a candidate together and says how well they fit.

In: pairs of texts. Out: one relevance (a logit) each, in the order given; it never sorts. The model is a
sequence classifier with one output; training (learn/relevance.py) uses the same `logits` as answering does.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chatbot.domain import Scores
from chatbot.models import fingerprint, load_reranker

CHUNK = 24  # pairs in one forward pass, of similar length, so that little of it is padding


class CrossEncoder:
    """A sequence classifier over (question, candidate); `max_tokens` bounds each of the two texts."""

    def __init__(self, model: Any, tokenizer: Any, prefix: str, max_tokens: int) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.prefix = prefix
        self.max_tokens = max_tokens

    @classmethod
    def load(cls, name: str, tuned: Path | None, embeddings: Any, prefix: str, max_tokens: int) -> "CrossEncoder":
        """Base weights by name, fine-tuned ones from the folder `tuned`, word embeddings shared with the encoder."""
        model, tokenizer = load_reranker(name, tuned, embeddings)
        return cls(model.eval(), tokenizer, prefix, max_tokens)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.model)

    def score(self, questions: Sequence[str], texts: Sequence[str]) -> Scores:
        with torch.inference_mode():
            return self.logits(questions, texts).numpy().astype(np.float32)

    def logits(self, questions: Sequence[str], texts: Sequence[str]) -> torch.Tensor:
        """float32 [n], with gradient where the caller allows it; pairs of similar length share a pass."""
        if not texts:
            return torch.zeros(0)
        longest = 8 * self.max_tokens  # characters: more could not fit, and need not be tokenised
        tokens = self.tokenizer(
            [self.prefix + text[:longest] for text in questions],
            [text[:longest] for text in texts],
            truncation=True,
            max_length=2 * self.max_tokens,
        )
        names = [name for name in self.tokenizer.model_input_names if name in tokens]
        order = sorted(range(len(texts)), key=lambda i: len(tokens["input_ids"][i]))
        parts = []
        for start in range(0, len(order), CHUNK):
            rows = {name: [tokens[name][i] for i in order[start : start + CHUNK]] for name in names}
            batch = self.tokenizer.pad(rows, return_tensors="pt")
            parts.append(self.model(**batch).logits[:, 0])
        return torch.cat(parts)[torch.as_tensor(order).argsort()]
