"""The cross-encoder: a BERT that reads the question and a candidate together and says how well they fit.

In: pairs of texts. Out: one relevance (a logit) each, in the order given; it never sorts. Both texts go through
every layer together, so each word attends to the words of the other text. The classifier then reads the [CLS]
token and the cosine between the two texts' mean word vectors. It starts from the tuned bi-encoder with all weight
on that cosine: a start that ranks well with no training at all, from which the pairs teach it what attending adds.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cosine_similarity

from chatbot.domain import Scores
from chatbot.models import fingerprint
from chatbot.text import readable

CHUNK = 24  # pairs in one forward pass, of similar length, so that little of it is padding


class CrossEncoder:
    """A sequence classifier over (question, candidate), as `models.reranker_from` makes one; `max_tokens` bounds
    each of the two texts."""

    def __init__(self, model: Any, tokenizer: Any, prefix: str, max_tokens: int) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.prefix = prefix
        self.max_tokens = max_tokens

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
        tokens = self.tokenizer(
            [self.prefix + readable(text, self.max_tokens) for text in questions],
            [self.prefix + readable(text, self.max_tokens) for text in texts],
            truncation=True,
            max_length=min(2 * self.max_tokens, self.model.config.max_position_embeddings),
        )
        ids = tokens["input_ids"]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        parts = []
        for start in range(0, len(order), CHUNK):
            rows = order[start : start + CHUNK]
            batch = self.tokenizer.pad({"input_ids": [ids[i] for i in rows]}, return_tensors="pt")
            longest_row = batch["input_ids"].shape[1]
            sides = [[-1 if side is None else side for side in tokens.sequence_ids(i)] for i in rows]
            parts.append(
                self._judge(batch, torch.tensor([row + [-1] * (longest_row - len(row)) for row in sides]))
            )
        return torch.cat(parts)[torch.as_tensor(order).argsort()]

    def _judge(self, batch: Any, sides: torch.Tensor) -> torch.Tensor:
        """Logits [n] of one padded batch; `sides` [n, length] is 0 or 1 on the words of either text, else -1."""
        output = self.model.bert(**batch)
        left, right = (
            torch.einsum("nld,nl->nd", output.last_hidden_state, (sides == side).float()) for side in (0, 1)
        )
        cosine = cosine_similarity(left, right, dim=1)
        features = torch.cat([output.pooler_output, cosine[:, None]], dim=1)
        return self.model.classifier(features)[:, 0]
