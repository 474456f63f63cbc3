"""SentencePiece's own reader of a unigram vocabulary: the same pieces in a fifth of the memory.

The tokenizers library keeps such a vocabulary as a tree of hash tables, 70 to 100 MB for some 100,000 pieces.

In: texts, and a folder where nano.py or muse.py wrote

    pieces.model    the vocabulary, as SentencePiece stores one
    frame.json      a tokenizer of that library without it: how a text is made even, and what stands around texts;
                    missing where pieces.model has rules of its own

Out: ids. Two things differ from that library's: the name of a special token (`</s>`) in a customer's message is
text here; and of cuts of the same score, as a run of dots or stars has, another one may be taken.
"""

from collections.abc import Sequence
from pathlib import Path

from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer

MODEL, FRAME = "pieces.model", "frame.json"
SPACE = "▁"


class Pieces:
    def __init__(self, model: SentencePieceProcessor, frame: Tokenizer | None) -> None:
        self.model = model
        self.frame = frame
        self._rules = None if frame is None else frame.normalizer
        self._unknown: int = model.unk_id()

    @classmethod
    def load(cls, folder: Path) -> "Pieces":
        """What is in a folder; the libraries raise what they like where it cannot be read."""
        frame = folder / FRAME
        return cls(
            SentencePieceProcessor(model_file=str(folder / MODEL)),
            Tokenizer.from_file(str(frame)) if frame.is_file() else None,
        )

    def ids(self, text: str) -> Sequence[int]:
        """Without special tokens; a run of unknown characters is one."""
        found: list[int] = self.model.encode(self._even(text))
        return found

    def ids_apart(self, text: str) -> Sequence[int]:
        """The same, with an id for each unknown character."""
        ids = self.ids(text)
        if self._unknown not in ids:
            return ids
        texts: list[str] = self.model.encode(self._even(text), out_type=str)
        times = (len(cut) if piece == self._unknown else 1 for piece, cut in zip(ids, texts, strict=True))
        return [piece for piece, count in zip(ids, times, strict=True) for _ in range(count)]

    def _even(self, text: str) -> str:
        if self._rules is None:
            return text
        even: str = self._rules.normalize_str(text).replace(" ", SPACE)
        return even if not even or even.startswith(SPACE) else SPACE + even
