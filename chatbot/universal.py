"""Google's Universal Sentence Encoder, multilingual v3, without its package's own start and Python loops.

In: texts in any of sixteen languages, English and Chinese among them. Out: float32 [n, 512], rows of unit length:
the vectors that the package gives. A convolutional network over pieces of words; muse.py says how, and wrote the
files. It is never tuned; it stands beside an encoder that is (ensemble.py), and all languages share it
(shared.py).
"""

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from chatbot.carried import UNIVERSAL, resolve
from chatbot.domain import Rows, Scores, Vectors
from chatbot.engine import FLOAT32, session
from chatbot.errors import BotError
from chatbot.memory import Memory, Tally
from chatbot.pieces import Pieces
from chatbot.text import readable

UNKNOWN, BEGIN, END = 0, 1, 2
PIECES = 384  # read at once; a longer text is read by itself
AROUND = np.arange(-2, 3)  # places of the pieces that a piece is read with


class UniversalModel:
    """Ids of pieces in, vectors out. `words` and `scales` as muse.py wrote them."""

    def __init__(
        self,
        network: onnxruntime.InferenceSession,
        pieces: Pieces,
        words: NDArray[np.uint8],
        scales: Scores,
    ) -> None:
        self.network = network
        self.pieces = pieces
        self.words = words
        self.scales = scales

    @classmethod
    def load(cls, folder: Path, threads: int) -> "UniversalModel":
        """`threads` as for the other models, see engine.py. Raises BotError where a file cannot be read."""
        try:
            pieces = Pieces.load(folder)
            words = np.load(folder / "words.npy", mmap_mode="r")
            scales = np.load(folder / "scales.npy")
        except Exception as cause:  # SentencePiece raises whatever it likes
            raise BotError(f"the model in {folder} cannot be read ({cause}); delete that folder") from cause
        return cls(session(folder / f"{FLOAT32}.onnx", threads), pieces, words, scales)

    def encode(self, texts: Sequence[str]) -> Iterator[Vectors]:
        """float32 [512] of each text."""
        batch: list[Sequence[int]] = []
        for pieces in self._pieces(texts):
            if batch and sum(map(len, batch)) + len(pieces) > PIECES:
                yield from self._read(batch)
                batch = []
            batch.append(pieces)
        yield from self._read(batch)

    def _pieces(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Ids of each text."""
        for text in texts:
            yield [BEGIN, *(self.pieces.ids_apart(text) or [UNKNOWN]), END]

    def _read(self, texts: Sequence[Sequence[int]]) -> Vectors:
        lengths = [len(pieces) for pieces in texts]
        ids: Rows = np.concatenate(texts).astype(np.int64)
        ends = np.repeat(np.cumsum(lengths), lengths)[:, None]
        places = np.arange(len(ids))[:, None] + AROUND
        inside = (places < ends) & (places >= ends - np.repeat(lengths, lengths)[:, None])
        scale, least = self.scales[:, ids % self.scales.shape[1], None]
        own = np.repeat(np.arange(len(texts)), lengths)
        found: Vectors = self.network.run(
            None,
            {
                "words": self.words[ids] * scale + least,
                "around": np.where(inside, places, len(ids)),
                "whole": (np.arange(len(texts))[:, None] == own).astype(np.float32),
            },
        )[0]
        return found


class UniversalEncoder:
    """Implements `protocols.Encoder`."""

    dimension = 512

    def __init__(self, model: UniversalModel, max_tokens: int, fingerprint: str, remembered: int) -> None:
        self.model = model
        self.max_tokens = max_tokens
        self.fingerprint = fingerprint
        self._remembered: Memory[str, Vectors] = Memory(remembered)

    @classmethod
    def load(cls, max_tokens: int, remembered: int, threads: int = 0) -> "UniversalEncoder":
        """The model of the installed package; it remembers so many texts."""
        return cls.over(UniversalModel.load(resolve(UNIVERSAL), threads), max_tokens, remembered)

    @classmethod
    def over(cls, model: UniversalModel, max_tokens: int, remembered: int) -> "UniversalEncoder":
        return cls(model, max_tokens, f"{UNIVERSAL} {version(UNIVERSAL)} {max_tokens}", remembered)

    @property
    def tally(self) -> Tally:
        return self._remembered.tally

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 [len(texts), 512], in the order of `texts`."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return np.stack(self._remembered.of(texts, self._encoded))

    def _encoded(self, texts: Sequence[str]) -> list[Vectors]:
        return list(self.model.encode([readable(text, self.max_tokens) for text in texts]))
