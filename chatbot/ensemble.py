"""Encoders side by side: one that is tuned on the company's pairs and one that stays as it comes.

In: texts. Out: both unit vectors end to end, of unit length again, so that the similarity of two texts is the mean
of both encoders' similarities. Models that learnt from different texts err on different questions: their mean is
right where either alone is not, and the neighbours, centroids and answer classifier that are made of such vectors
need not know. The second one knows from far more text what a small model cannot; it is never tuned, so all bots
share its weights.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from chatbot.domain import Encoder, Vectors


class Ensemble:
    """Implements `domain.Encoder`."""

    def __init__(self, tuned: Encoder, beside: Encoder) -> None:
        self.tuned = tuned
        self.beside = beside

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over those of both."""
        both = f"{self.tuned.fingerprint} {self.beside.fingerprint}"
        return hashlib.sha256(both.encode()).hexdigest()[:16]

    @property
    def dimension(self) -> int:
        return self.tuned.dimension + self.beside.dimension

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 [len(texts), dimension], in the order of `texts`."""
        both = np.concatenate([encoder.encode(texts) for encoder in (self.tuned, self.beside)], axis=1)
        return both * np.float32(0.5**0.5)
