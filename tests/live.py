"""A LiveBot in memory: versions v1, v2, … of pairs, with the same rules, for pages and editors that are tested."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from chatbot.domain import QAPair
from chatbot.edit import LiveBot
from chatbot.errors import BotError, UserError
from chatbot.insight.changes import Plan


class FakeLive(LiveBot):
    """`elsewhere` is another program: it puts pairs into the folder that this bot has not loaded. `slow` is called
    in the middle of publishing."""

    def __init__(self, pairs: Sequence[QAPair]) -> None:
        self.folder = Path("index")
        self.kept: dict[str, tuple[QAPair, ...]] = {"v1": tuple(pairs)}
        self.loaded = self.used = "v1"
        self.last = 1
        self.slow: Any = None

    @property
    def version(self) -> str:
        return self.loaded

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(sorted(self.lines))

    @property
    def lines(self) -> Any:
        return {pair.language: SimpleNamespace() for pair in self.kept["v1"]}

    def pairs(self) -> tuple[QAPair, ...]:
        return self.kept[self.loaded]

    def versions(self) -> list[str]:
        return sorted(self.kept, key=lambda name: int(name[1:]))

    def pairs_of(self, version: str) -> tuple[QAPair, ...]:
        if version not in self.kept:
            raise BotError(f"index holds no version {version!r}.")
        return self.kept[version]

    def check(self, plan: Plan) -> list[str]:
        if not plan:
            raise UserError("nothing would change, so nothing was published")
        if foreign := {pair.language for pair in plan.added} - self.lines.keys():
            raise UserError(f"the bot has no pairs in {', '.join(sorted(foreign))}")
        there = {pair.id: pair for pair in self.pairs()}
        if stale := [pair for pair in plan.removed if there.get(pair.id) != pair]:
            raise UserError(f"{stale[0].question!r} is no longer as it was")
        return sorted({pair.language for pair in (*plan.removed, *plan.added)})

    def publish(self, plan: Plan) -> str:
        self.check(plan)
        if self.slow is not None:
            self.slow()
        if self.used != self.loaded:
            raise BotError(f"index is at {self.used}, no longer {self.loaded}; not written; load it again")
        gone = {pair.id for pair in plan.removed}
        return self._keep((*(pair for pair in self.pairs() if pair.id not in gone), *plan.added))

    def rollback(self, version: str | None = None) -> str:
        assert version is not None
        self.pairs_of(version)
        self.loaded = self.used = version
        return version

    def reload(self) -> str:
        self.loaded = self.used
        return self.loaded

    def elsewhere(self, plan: Plan) -> None:
        mine = self.loaded
        self.publish(plan)
        self.loaded = mine

    def _keep(self, pairs: tuple[QAPair, ...]) -> str:
        self.last += 1
        self.loaded = self.used = f"v{self.last}"
        self.kept[self.loaded] = pairs
        return self.loaded
