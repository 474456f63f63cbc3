"""What customers wrote is stored without personal data, and shown as they wrote it while the conversation lives.

In: a Journal, a Desk and a Redactor. Out: a Journal and a Desk that keep the same contracts. What goes in is
redacted first, in what customers, agents and the bot said; what comes out has its values again, which lie in a
`Vault`: in memory alone, by conversation, for a time, and until the case of the conversation is resolved. After
that, and in another process, placeholders are all there is. The contact that a customer leaves for an agent is
given on purpose, and stays.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import RLock

from chatbot.desk import Author, Case, Desk, Message, Outcome
from chatbot.domain import Conversation, Exchange, Reason, Reply
from chatbot.privacy import Ledger, Redactor, restore
from chatbot.protocols import Journal


@dataclass(slots=True)
class _Kept:
    ledger: Ledger
    used: float


@dataclass(slots=True)
class Vault:
    """The ledgers of conversations that live, from any thread. `seconds` after its last use one is forgotten, and
    of more than `most` the one that rested longest."""

    redactor: Redactor
    seconds: float
    most: int
    clock: Callable[[], float] = time.monotonic
    _kept: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)
    _lock: RLock = field(default_factory=RLock)

    def hide(self, conversation_id: str, text: str, said: Callable[[str], Conversation]) -> str:
        """The text to store. `said` tells what was stored before, whose placeholders are not given again."""
        with self._lock:
            ledger = self._ledger(conversation_id)
            if ledger is None:
                if not self.redactor.holds(text):
                    return text
                ledger = Ledger()
                for turn in said(conversation_id).turns:
                    ledger.reserve(turn.text)
                self._kept[conversation_id] = _Kept(ledger, self.clock())
                if len(self._kept) > self.most:
                    self._kept.popitem(last=False)
            return self.redactor.redact(text, ledger)

    def show(self, conversation_id: str, text: str) -> str:
        """A stored text as it was written, as far as that is still known."""
        with self._lock:
            ledger = self._ledger(conversation_id)
            return text if ledger is None else restore(text, ledger.values)

    def forget(self, conversation_id: str) -> None:
        with self._lock:
            self._kept.pop(conversation_id, None)

    def _ledger(self, conversation_id: str) -> Ledger | None:
        now = self.clock()
        while self._kept:
            oldest = next(iter(self._kept))
            if now - self._kept[oldest].used < self.seconds:
                break
            del self._kept[oldest]
        kept = self._kept.get(conversation_id)
        if kept is None:
            return None
        kept.used = now
        self._kept.move_to_end(conversation_id)
        return kept.ledger


@dataclass(frozen=True, slots=True)
class PrivateJournal:
    """A Journal that stores nothing personal."""

    journal: Journal
    vault: Vault

    def open(self, language: str | None = None, customer: str | None = None, secret: str | None = None) -> str:
        return self.journal.open(language, customer, secret)

    def record(self, conversation_id: str, text: str, reply: Reply) -> int:
        hidden = self.vault.hide(conversation_id, text, self.journal.conversation)
        said = self.vault.hide(conversation_id, reply.text, self.journal.conversation)
        return self.journal.record(conversation_id, hidden, replace(reply, text=said))

    def feedback(self, exchange_id: int, liked: bool | None, comment: str = "") -> None:
        self.journal.feedback(exchange_id, liked, self.vault.redactor.masked(comment))

    def hand_over(self, conversation_id: str, reason: Reason) -> int:
        return self.journal.hand_over(conversation_id, reason)

    def conversation(self, conversation_id: str) -> Conversation:
        kept = self.journal.conversation(conversation_id)
        turns = (replace(turn, text=self.vault.show(conversation_id, turn.text)) for turn in kept.turns)
        return replace(kept, turns=tuple(turns))

    def exchanges(self, conversation_id: str) -> Sequence[Exchange]:
        return [self._shown(conversation_id, one) for one in self.journal.exchanges(conversation_id)]

    def _shown(self, conversation_id: str, kept: Exchange) -> Exchange:
        text, reply = self.vault.show(conversation_id, kept.text), kept.reply
        if reply is not None:
            reply = replace(reply, text=self.vault.show(conversation_id, reply.text))
        return replace(kept, text=text, reply=reply)


@dataclass(frozen=True, slots=True)
class PrivateDesk:
    """A Desk beside a PrivateJournal, whose vault it shares."""

    desk: Desk
    private: PrivateJournal

    def cases(self) -> Sequence[Case]:
        return [self._shown(case) for case in self.desk.cases()]

    def case(self, conversation_id: str) -> Case | None:
        case = self.desk.case(conversation_id)
        return None if case is None else self._shown(case)

    def claim(self, conversation_id: str, agent: str) -> Case:
        return self._shown(self.desk.claim(conversation_id, agent))

    def release(self, conversation_id: str, agent: str) -> None:
        self.desk.release(conversation_id, agent)

    def close(self, conversation_id: str, outcome: Outcome, agent: str = "") -> None:
        self.desk.close(conversation_id, outcome, agent)
        if outcome is Outcome.RESOLVED:  # with any other the bot goes on
            self._vault.forget(conversation_id)

    def say(self, conversation_id: str, author: Author, text: str, name: str = "") -> Message:
        hidden = self._vault.hide(conversation_id, text, self.private.journal.conversation)
        return self._said(conversation_id, self.desk.say(conversation_id, author, hidden, name))

    def leave_contact(self, conversation_id: str, contact: str) -> None:
        self.desk.leave_contact(conversation_id, contact)

    def messages(self, conversation_id: str) -> Sequence[Message]:
        return [self._said(conversation_id, message) for message in self.desk.messages(conversation_id)]

    def usual_wait(self) -> float | None:
        return self.desk.usual_wait()

    @property
    def _vault(self) -> Vault:
        return self.private.vault

    def _shown(self, case: Case) -> Case:
        return replace(case, last=self._vault.show(case.conversation_id, case.last))

    def _said(self, conversation_id: str, message: Message) -> Message:
        return replace(message, text=self._vault.show(conversation_id, message.text))
