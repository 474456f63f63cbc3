"""Encoders side by side: one that is tuned on the company's pairs, and others that stay as they come.

In: texts. Out: the unit vectors of all encoders end to end, of unit length again, so that the similarity of two
texts is the mean of the encoders' similarities. Models of different make that learnt from different texts err on
different questions: their mean is right where each alone is not, and knows better when there is no answer. The
neighbours, centroids and answer classifier that are made of such vectors need not know. The others were made from
far more text than any company has; they are never tuned, so all bots share their weights.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from chatbot.domain import Vectors
from chatbot.protocols import Encoder


class Ensemble:
    """Implements `protocols.Encoder`."""

    def __init__(self, tuned: Encoder, beside: Sequence[Encoder]) -> None:
        self.tuned = tuned
        self.beside = tuple(beside)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over those of all."""
        each = " ".join(encoder.fingerprint for encoder in self.parts)
        return hashlib.sha256(each.encode()).hexdigest()[:16]

    @property
    def dimension(self) -> int:
        return sum(encoder.dimension for encoder in self.parts)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 [len(texts), dimension], in the order of `texts`."""
        vectors = np.concatenate([encoder.encode(texts) for encoder in self.parts], axis=1)
        return vectors * np.float32(len(self.parts) ** -0.5)

    @property
    def parts(self) -> tuple[Encoder, ...]:
        return (self.tuned, *self.beside)
