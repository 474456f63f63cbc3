"""What was computed once is not computed again: the last values by key, a bounded number of them.

In: keys, and a function that computes values for keys. Out: the values, and a `Tally` of what was known. Asked
from several threads at once, a value may be computed twice; it is the same both times.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Tally(NamedTuple):
    """How many values were asked for: those that were there, and those that had to be computed."""

    hits: int
    misses: int


class Memory(Generic[Key, Value]):
    """The last `size` values by key; what is not there is computed, all that is missing in one call."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._lock = threading.Lock()
        self._tally = Tally(0, 0)

    @property
    def tally(self) -> Tally:
        """Since it was made; a key that is asked for twice at once counts once."""
        return self._tally

    def of(self, keys: Sequence[Key], compute: Callable[[list[Key]], Sequence[Value]]) -> list[Value]:
        with self._lock:
            known = {key: self._values[key] for key in keys if key in self._values}
            for key in known:
                self._values.move_to_end(key)
            missing = list(dict.fromkeys(key for key in keys if key not in known))
            hits, misses = self._tally
            self._tally = Tally(hits + len(known), misses + len(missing))
        if missing:
            known.update(zip(missing, compute(missing), strict=True))
            with self._lock:
                self._values.update((key, known[key]) for key in missing)
                while len(self._values) > self.size:
                    self._values.popitem(last=False)
        return [known[key] for key in keys]
