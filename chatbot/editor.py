"""Every edit of a served bot by people, with who did it and what changed: the one way from a page to the bot.

In: a `LiveBot`, the journal's edits, and a `Plan` or a version to go back to. Out: the version in use, and a row
in the journal for each. All pages that change the bot share one `Editor`, so that edits come one after another and
nobody undoes what somebody else did.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter, ValidationError

from chatbot.decide import Calibration
from chatbot.domain import QAPair
from chatbot.edit import LiveBot, Published
from chatbot.errors import ChatbotError, Unrecorded, UserError
from chatbot.insight.changes import Changes, Plan, seen
from chatbot.journal.edits import Edit, Kind, SqlEdits

NOTHING = Plan()
_CHANGES = TypeAdapter(Changes)


@dataclass(frozen=True, eq=False, slots=True)
class Stock:
    """All that is live in a version. (Compared by identity: it may be long.)"""

    version: str
    pairs: tuple[QAPair, ...]


class Editor:
    """Edits a bot in somebody's name; every method may be called from any thread. `masked` is for questions that
    come from outside: it takes personal data out of them."""

    def __init__(self, live: LiveBot, edits: SqlEdits, masked: Callable[[str], str] = str) -> None:
        self.live = live
        self.edits = edits
        self.masked = masked
        self._editing = threading.Lock()
        self._stock: Stock | None = None

    @property
    def stock(self) -> Stock:
        """What is live, whole: never in the middle of an edit."""
        stock = self._stock
        if stock is None or stock.version != self.live.version:
            stock = self._stock = Stock(self.live.version, self.live.pairs())
        return stock

    def publish(self, plan: Plan, who: str, why: str, after: str | None = None) -> str:
        """Change the pairs; the version that holds them. Raises what `LiveBot.publish` does, and UserError without
        a name or where `after`, for which the plan was made, is no longer the version in use."""
        return self._do(who, Kind.PUBLISHED, why, lambda: self.live.publish(plan), plan, after)

    def decide_by(self, language: str, calibration: Calibration, who: str, why: str) -> str:
        """Judge by other thresholds; the version that holds them. Raises as `publish`."""
        return self._do(who, Kind.THRESHOLDS, why, lambda: self.live.decide_by(language, calibration))

    def take_back(self, done: Published, who: str) -> str:
        """Undo an edit wherever it stands; the version without it. Raises as `LiveBot.take_back`, and UserError
        without a name."""
        return self._do(who, Kind.UNDONE, done.version, lambda: self.live.take_back(done), done.plan.undone)

    def undo(self, who: str) -> str:
        """Back to what was live before the edit that made what is live now; the version. Raises UserError where
        that was no edit of `who`, BotError where the version before is no longer kept."""
        version = self.live.version
        edit = next((one for one in self.edits.latest(1) if one.version == version), None)
        if edit is None or edit.kind is not Kind.ROLLED_BACK:
            edit = self.edits.made(version)
        if edit is None:
            raise UserError(f"nothing to undo: {version}, which is live, was not made by an edit here")
        if edit.who != who.strip():
            raise UserError(
                f"{edit.who} made what is live now ({edit.why or edit.version}), so it is not undone; edit again, "
                "or roll back to an earlier version, which undoes that, too"
            )
        return self._back(edit.before, who, Kind.UNDONE, edit.why, after=version)

    def rollback(self, version: str, who: str, why: str = "") -> str:
        """Back to a version that is kept. Raises UserError without a name, BotError."""
        return self._back(version, who, Kind.ROLLED_BACK, why)

    def reload(self) -> str:
        """Take what is in use in the bot's folder, such as the change of another program."""
        with self._editing:
            return self.live.reload()

    def changes(self, number: int) -> Changes | None:
        """What changed in an edit; None for a row of an earlier version of this program."""
        try:
            return _CHANGES.validate_python(self.edits.texts(number))
        except ValidationError:
            return None

    def _back(self, version: str, who: str, kind: Kind, why: str, after: str | None = None) -> str:
        if version == self.live.version:
            raise UserError(f"{version} is in use already; choose another version")
        plan = _between(self.stock.pairs, self.live.pairs_of(version))
        return self._do(who, kind, why, lambda: self.live.rollback(version), plan, after)

    def _do(
        self,
        who: str,
        kind: Kind,
        why: str,
        done: Callable[[], str],
        plan: Plan = NOTHING,
        after: str | None = None,
    ) -> str:
        """Do it, then keep who did it; `plan` is what it does to the pairs."""
        if not who.strip():
            raise UserError("nobody is named who does this; say who you are first")
        with self._editing:
            before = self.stock
            if after is not None and before.version != after:
                raise UserError(
                    f"what is live has changed since this was made for {after}: it is {before.version} now. "
                    "Nothing was changed; look at what is live now and do it again"
                )
            changes = replace(seen(before.pairs, plan), plan=NOTHING)
            version = done()
            edit = Edit(version, before.version, who.strip(), kind, why, changes.counts())
            try:
                self.edits.record(edit, _CHANGES.dump_python(changes, mode="json"))
            except ChatbotError as cause:
                raise Unrecorded(f"{version} is live, but who made it could not be kept: {cause}") from cause
            return version


def _between(old: Sequence[QAPair], new: Sequence[QAPair]) -> Plan:
    before, after = ({(pair.language, pair.id): pair for pair in pairs} for pairs in (old, new))
    return Plan(
        tuple(pair for key, pair in before.items() if after.get(key) != pair),
        tuple(pair for key, pair in after.items() if before.get(key) != pair),
    )
