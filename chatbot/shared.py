"""What several bots, or two versions of one, have in common is in memory once.

In: a key that says what something is made of, and a function that makes it. Out: what was made for an equal key,
as long as anybody has it: the last user frees it. `Models` opens a bot's models so. Their keys are the contents of
files and all settings that a result depends on, so bots with the same encoder share its weights and what it
remembers, and a reload reads nothing anew that stayed as it was. Spelling (casefold) is settled before an encoder
is asked, and so is no part of its key.
"""

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from chatbot.carried import UNIVERSAL, resolve
from chatbot.engine import Head, PackedBert, PackedCrossEncoder, PackedEncoder, Words
from chatbot.universal import UniversalEncoder, UniversalModel

Made = TypeVar("Made")


class Shared:
    """One thing for equal keys; from any thread. What fails is made again for the next who asks."""

    def __init__(self) -> None:
        self._alive: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()
        self._making = threading.RLock()  # what is made may be made of something shared

    def of(self, key: tuple[Hashable, ...], make: Callable[[], Made]) -> Made:
        with self._making:
            found: Made | None = self._alive.get(key)
            if found is None:
                found = self._alive[key] = make()
            return found

    def __len__(self) -> int:
        """How many things are alive."""
        return len(self._alive)


@dataclass(frozen=True, slots=True)
class Models:
    """Opens models without PyTorch. `digests` are those of files that were checked, by path; of another file the
    system's own record says whether it is the same."""

    shared: Shared = field(default_factory=Shared)
    digests: Mapping[Path, str] = field(default_factory=dict)

    def words(self, base: Path) -> Words:
        files = (base / "model.safetensors", base / "tokenizer.json")
        return self.shared.of((Words, *map(self._content, files)), lambda: Words.load(base))

    def graph(self, file: Path, words: Words, threads: int) -> PackedBert:
        """`threads` as for `engine.session`."""
        key = (PackedBert, self._content(file), file.stem, words, threads)
        return self.shared.of(key, lambda: PackedBert.load(file, words, threads))

    def encoder(
        self, bert: PackedBert, prefix: str, max_tokens: int, fingerprint: str, remembered: int
    ) -> PackedEncoder:
        key = (PackedEncoder, bert, prefix, max_tokens, fingerprint, remembered)
        return self.shared.of(key, lambda: PackedEncoder(bert, prefix, max_tokens, fingerprint, remembered))

    def cross_encoder(
        self, bert: PackedBert, prefix: str, max_tokens: int, positions: int, weights: Path, fingerprint: str
    ) -> PackedCrossEncoder:
        """`weights` is the file that its head is in."""
        key = (PackedCrossEncoder, bert, prefix, max_tokens, positions, self._content(weights), fingerprint)
        return self.shared.of(
            key,
            lambda: PackedCrossEncoder(bert, prefix, max_tokens, positions, Head.load(weights), fingerprint),
        )

    def universal(self, max_tokens: int, remembered: int, threads: int) -> UniversalEncoder:
        folder = resolve(UNIVERSAL)
        model = self.shared.of((UniversalModel, folder, threads), lambda: UniversalModel.load(folder, threads))
        key = (UniversalEncoder, model, max_tokens, remembered)
        return self.shared.of(key, lambda: UniversalEncoder.over(model, max_tokens, remembered))

    def _content(self, file: Path) -> Hashable:
        """Equal where what is in two files is; of hard links of one file it always is."""
        if file in self.digests:
            return self.digests[file]
        if not file.exists():
            return file  # whoever opens it says so
        about = file.stat()
        return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns
