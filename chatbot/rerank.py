"""The cross-encoder: a BERT that reads the question and a candidate together and says how well they fit.

In: pairs of texts. Out: one relevance (a logit) each, in the order given; it never sorts. Both texts go through
every layer together, so each word attends to the words of the other text. The classifier then reads the [CLS]
token and the cosine between the two texts' mean word vectors. It starts from the tuned bi-encoder with all weight
on that cosine: a start that ranks well with no training at all, from which the pairs teach it what attending adds.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cosine_similarity

from chatbot.domain import Scores
from chatbot.models import fingerprint
from chatbot.packing import Packing
from chatbot.text import readable

CHUNK = 64  # pairs in one forward pass


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
        """float32 [n], with gradient where the caller allows it."""
        if not texts:
            return torch.zeros(0)
        tokens = self.read(questions, texts)
        ids, sides = tokens["input_ids"], [_sides(tokens.sequence_ids(i)) for i in range(len(texts))]
        chunks = [slice(at, at + CHUNK) for at in range(0, len(ids), CHUNK)]
        return torch.cat(
            [self.judge(sides[chunk], input_ids=torch.tensor([*chain(*ids[chunk])])) for chunk in chunks]
        )

    def read(self, questions: Sequence[str], texts: Sequence[str]) -> Any:
        """The tokens of each pair and where each stands in its text, which the prefix begins."""
        return self.tokenizer(
            [self.prefix + readable(text, self.max_tokens) for text in questions],
            [self.prefix + readable(text, self.max_tokens) for text in texts],
            truncation=True,
            max_length=min(2 * self.max_tokens, self.model.config.max_position_embeddings),
            return_offsets_mapping=True,
        )

    def judge(self, sides: Sequence[Sequence[int]], **tokens: torch.Tensor) -> torch.Tensor:
        """Logits [n] of pairs that share a pass; `sides` says 0 or 1 of the tokens of either text, else -1.
        `tokens` has them all, one behind the other, as `input_ids` or as `inputs_embeds`."""
        packing = Packing.of([len(row) for row in sides])
        words = packing.read(self.model.bert, **tokens)
        side = torch.tensor([*chain(*sides)])[:, None]
        left, right = (packing.means(words * (side == one)) for one in (0, 1))
        pooled = self.model.bert.pooler(words[packing.positions == 0, None])
        features = torch.cat([pooled, cosine_similarity(left, right, dim=1)[:, None]], dim=1)
        return self.model.classifier(features)[:, 0]


def _sides(sequence_ids: Sequence[int | None]) -> list[int]:
    return [-1 if side is None else side for side in sequence_ids]
