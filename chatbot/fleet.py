"""Several bots in one process, each with its own pairs, models, settings and data.

In: folders of built bots, and how much memory the process may use. Out: a `LiveBot` by name, which is its
folder's. A bot is loaded at its first use, and parked when memory is short and others were used since (room.py).
What their models have in common is in memory once (shared.py).
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from chatbot.assemble import assemble
from chatbot.edit import Assemble, LiveBot
from chatbot.errors import BotError, UserError
from chatbot.room import Room
from chatbot.shared import Shared

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")  # it stands in addresses, and names a schema in a database
ALONE = "bot"  # the name of a bot that is alone, where its folder's does not fit


class Fleet:
    """Bots by name, in the order in which they were given; the first one is the default."""

    def __init__(self, bots: Mapping[str, LiveBot]) -> None:
        self._bots = bots

    @classmethod
    def open(cls, folders: Sequence[Path], room: Room, assembled: Assemble) -> "Fleet":
        """The bots in `folders`, of which none is loaded yet. Raises UserError where their names do not fit, and
        BotError for a folder that holds none."""
        names = named(folders)
        return cls({name: LiveBot.parked(folder, assembled, room) for name, folder in names.items()})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._bots)

    @property
    def default(self) -> str:
        return self.names[0]

    @property
    def loaded(self) -> tuple[str, ...]:
        """The names of those that are not parked."""
        return tuple(name for name, live in self._bots.items() if live.is_loaded)

    def bot(self, name: str) -> LiveBot:
        """Raises BotError for a name that none has."""
        if name not in self._bots:
            raise BotError(f"there is no bot {name!r}; there are {', '.join(self.names)}")
        return self._bots[name]


def sharing(budget_ms: float | None = None) -> Assemble:
    """What loads bots that share their models. `budget_ms` as for `assemble`."""
    return partial(assemble, budget_ms=budget_ms, shared=Shared())


def named(folders: Sequence[Path]) -> dict[str, Path]:
    """Folders by the name of the bot in each. Raises UserError where one cannot be told from the others by it."""
    if not folders:
        raise UserError("no bot was named; name at least one folder with --index")
    names = [folder.absolute().name for folder in folders]
    if len(names) == 1 and not NAME.fullmatch(names[0]):
        names = [ALONE]
    if unfit := [name for name in names if not NAME.fullmatch(name)]:
        raise UserError(
            f"{unfit[0]!r} cannot be the name of one bot among several; rename its folder: small letters a to z, "
            "digits, - and _, at most 64, a letter or digit first"
        )
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise UserError(f"two bots would be called {twice[0]!r} after their folders; rename one of these")
    return dict(zip(names, folders, strict=True))
