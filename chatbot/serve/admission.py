"""A bounded queue before the bot, for all who ask it: the API's threads and those of the pages.

In: a piece of work. Out: what it returns, or at once Busy with the seconds to wait, where too many wait
already. A few workers keep every core busy (one answer uses all of them), so that more of them only make each
other slow, and each keeps memory of its own; and a queue without an end answers people who left long ago.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, TypeVar

from chatbot.domain import Conversation, Reply
from chatbot.errors import Busy
from chatbot.protocols import Responder

Result = TypeVar("Result")


class Admission:
    """`workers` at a time, each in a thread that stays, and `waiting` behind them, each of those for `patience`
    seconds at most."""

    def __init__(self, workers: int, waiting: int, patience: float) -> None:
        self.workers = workers
        self.waiting = waiting
        self.patience = patience
        self._pool = ThreadPoolExecutor(workers, "answers")
        self._lock = threading.Lock()
        self._inside = 0  # worked on or waiting
        self._took: deque[float] = deque(maxlen=50)  # seconds, of late

    @property
    def depth(self) -> int:
        """How many wait."""
        return max(0, self._inside - self.workers)

    @property
    def busy(self) -> int:
        """How many are worked on."""
        return min(self._inside, self.workers)

    def work(self, done: Callable[[], Result]) -> Result:
        """Have it done, and wait. Raises Busy at once where too many wait, or later where it took too long."""
        begun = self._begin(done)
        try:
            return begun.result(self.patience)
        except FutureTimeout:
            return self._late(begun).result()

    async def worked(self, done: Callable[[], Result]) -> Result:
        """The same, while others go on."""
        begun = self._begin(done)
        coming = asyncio.wrap_future(begun)
        ready, _ = await asyncio.wait((coming,), timeout=self.patience)
        if not ready:
            self._late(begun)
        return await coming

    def close(self) -> None:
        """Whoever still waits is gone by now: what was not begun is not done."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, done: Callable[[], Result]) -> "Future[Result]":
        with self._lock:
            if self._inside >= self.workers + self.waiting:
                raise Busy("Too many questions wait already.", self._wait())
            self._inside += 1
        begun = self._pool.submit(copy_context().run, self._timed, done)
        begun.add_done_callback(self._leave)
        return begun

    def _late(self, begun: "Future[Result]") -> "Future[Result]":
        """It goes on where it is being worked on by now. Raises Busy where it still waits."""
        if begun.cancel():
            raise Busy("It took too long until the bot was free.", self._wait())
        return begun

    def _timed(self, done: Callable[[], Result]) -> Result:
        start = time.perf_counter()
        try:
            return done()
        finally:
            self._took.append(time.perf_counter() - start)

    def _leave(self, _begun: "Future[Any]") -> None:
        with self._lock:
            self._inside -= 1

    def _wait(self) -> float:
        """Seconds until those who wait now are served, as long as it took of late."""
        took = [*self._took] or [0.0]
        return sum(took) / len(took) * self._inside / self.workers


class Turns:
    """One message of a conversation at a time, so that each is answered after those before it."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def of(self, conversation: str) -> Iterator[None]:
        """Raises Busy where a message of this conversation is being answered."""
        with self._lock:
            if conversation in self._taken:
                raise Busy("Another message of this conversation is being answered.", 1)
            self._taken.add(conversation)
        try:
            yield
        finally:
            with self._lock:
                self._taken.remove(conversation)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A Responder behind the queue; each reply is `told`."""

    responder: Responder
    admission: Admission
    told: Callable[[Reply], None]

    def reply(self, conversation: Conversation, text: str) -> Reply:
        """Raises Busy where too many ask already."""
        reply = self.admission.work(lambda: self.responder.reply(conversation, text))
        self.told(reply)
        return reply
