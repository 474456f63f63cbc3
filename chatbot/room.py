"""What is loaded at its first use, and released when memory is short.

In: functions that load something large, and how much memory the process may use. Out: what they load. After each
load those that rested longest are parked, which is to say released, until the process is below the limit
again. What somebody uses (`in_use`) and what was just loaded stay. Nobody has to wait for memory, so a process may
pass its limit by what is in use.
"""

import ctypes
import gc
import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from chatbot.errors import SettingsError

STATM = Path("/proc/self/statm")  # Linux: sizes of this process in pages, the second is what is resident
Value = TypeVar("Value")

log = logging.getLogger(__name__)


class OnDemand(Generic[Value]):
    """A value that is loaded at its first use, and again after it was parked; made by `Room.guest`. How to load it
    is told at each use, so that no guest keeps its owner alive."""

    def __init__(self, room: "Room", value: Value | None = None) -> None:
        self.room = room
        self.used = 0  # the room's clock at the last use
        self._value = value
        self._users = 0
        self._loading: Future[Value] | None = None
        self._lock = threading.Lock()

    @property
    def is_loaded(self) -> bool:
        return self._value is not None

    def get(self, load: Callable[[], Value]) -> Value:
        """The value. Whoever asks while it is loaded waits for the same load. Raises what `load` raises, to each
        of them; the next who asks tries it again."""
        with self._lock:
            self.used = self.room.tick()
            if self._value is not None:
                return self._value
            loading, mine = self._loading, self._loading is None
            if loading is None:
                loading = self._loading = Future()
        if mine:
            self._load(load, loading)
        return loading.result()

    @contextmanager
    def in_use(self, load: Callable[[], Value]) -> Iterator[Value]:
        """The value, which is not parked meanwhile."""
        with self._lock:
            self._users += 1
        try:
            yield self.get(load)
        finally:
            with self._lock:
                self._users -= 1
                self.used = self.room.tick()

    def put(self, value: Value) -> None:
        """Have another value from now on, as if it had been loaded. It must be in use."""
        with self._lock:
            self._value = value
        self.room.make(self)

    def park(self) -> bool:
        """Release the value; False where there is none, or somebody uses it."""
        with self._lock:
            if self._users or self._value is None:
                return False
            self._value = None
            return True

    def _load(self, load: Callable[[], Value], loading: "Future[Value]") -> None:
        try:
            value = load()
        except BaseException as failure:  # noqa: BLE001
            with self._lock:
                self._loading = None
            loading.set_exception(failure)
            return
        with self._lock:
            self._value, self._loading = value, None
        loading.set_result(value)
        self.room.make(self)


def resident() -> int:
    """Bytes of this process that are in memory now. Raises SettingsError where the system does not tell."""
    try:
        return int(STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError as cause:
        raise SettingsError(
            f"there is no {STATM} here, so memory cannot be limited; leave --memory out"
        ) from cause


def give_back() -> None:
    """Have what was released go back to the system: the C library keeps it for later otherwise."""
    gc.collect()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        log.debug("this C library cannot be told to give memory back")
        return
    trim(0)


@contextmanager
def settling() -> Iterator[None]:
    """While a process makes what it keeps, nothing looks for garbage in it over and over: a quarter of a service's
    start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Room:
    """The memory of a process, and who is in it. `limit` is in bytes; 0: as much as there is."""

    def __init__(
        self,
        limit: int = 0,
        resident: Callable[[], int] = resident,
        give_back: Callable[[], None] = give_back,
    ) -> None:
        self.limit = limit
        self._resident = resident
        self._give_back = give_back
        self._guests: WeakSet[OnDemand[Any]] = WeakSet()
        self._clock = itertools.count(1)
        self._making = threading.Lock()

    @classmethod
    def of(cls, megabytes: int) -> "Room":
        """Raises SettingsError where memory cannot be measured, but there is a limit."""
        if megabytes:
            resident()
        return cls(megabytes << 20)

    def guest(self, value: Value | None = None) -> OnDemand[Value]:
        """`value` is what was loaded already, if anything."""
        made = OnDemand(self, value)
        self._guests.add(made)
        return made

    def tick(self) -> int:
        return next(self._clock)

    def make(self, besides: OnDemand[Any]) -> None:
        """Park those that rested longest until the limit is kept, but not `besides`."""
        if not self.limit:
            return
        with self._making:
            for guest in sorted(self._guests, key=lambda guest: guest.used):
                if self._resident() <= self.limit:
                    return
                if guest is not besides and guest.park():
                    self._give_back()
            if (used := self._resident()) > self.limit:
                log.warning(
                    "%d MB are in use, above the limit of %d MB, and no other bot rests",
                    used >> 20,
                    self.limit >> 20,
                )
