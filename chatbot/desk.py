"""The nouns of a hand-over: what a support agent sees, and what a customer who waits is told.

A conversation that was handed over is an open `Case`: it waits, an agent claims it, and it is closed: resolved,
handed back to the bot, or given up by the customer. While it is claimed the bot is quiet, and each `Message` is
one that a person wrote. A `Desk` keeps all that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from chatbot.domain import Reason


class Author(StrEnum):
    CUSTOMER = "customer"
    AGENT = "agent"


class Outcome(StrEnum):
    """How a case ended."""

    RESOLVED = "resolved"
    HANDED_BACK = "handed_back"  # the bot answers again
    WITHDRAWN = "withdrawn"  # the customer did not want to wait


@dataclass(frozen=True, slots=True)
class Message:
    """What a person wrote, and when (UTC). `name` is an agent's."""

    author: Author
    text: str
    time: datetime
    name: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """An open hand-over. `agent` is who claimed it; None while it waits, at `place` in the queue, from 1 (0 once
    it is claimed)."""

    conversation_id: str
    reason: Reason
    since: datetime
    place: int
    agent: str | None = None
    contact: str = ""  # where to reach the customer, if they said so
    language: str | None = None
    last: str = ""  # what the customer wrote last


class Desk(Protocol):
    """Hand-overs, kept. Each call that writes returns only once its record is on disk."""

    def cases(self) -> Sequence[Case]:
        """All open ones, oldest first."""
        ...

    def case(self, conversation_id: str) -> Case | None:
        """The open one of a conversation."""
        ...

    def claim(self, conversation_id: str, agent: str) -> Case:
        """Take a case. Raises Taken where another agent has it, UserError where there is none."""
        ...

    def release(self, conversation_id: str, agent: str) -> None:
        """Put a case back into the queue, at the place that it had. Raises Taken where another agent has it."""
        ...

    def close(self, conversation_id: str, outcome: Outcome, agent: str = "") -> None:
        """Raises Taken where another agent has it."""
        ...

    def say(self, conversation_id: str, author: Author, text: str, name: str = "") -> Message:
        """Keep what a person wrote."""
        ...

    def leave_contact(self, conversation_id: str, contact: str) -> None:
        """Where to reach the customer of an open case; the latest counts."""
        ...

    def messages(self, conversation_id: str) -> Sequence[Message]:
        """All that people wrote to each other in a conversation, oldest first."""
        ...

    def usual_wait(self) -> float | None:
        """Seconds that cases of late waited for an agent, at the median; None where there were none."""
        ...
