"""Values that an answer needs of a customer: which one was asked for, and which were given. Pure.

In: a conversation, and the company's slots (a pattern, perhaps a check digit). Out: the question that is open and
the answer that waits for it, and the value that the customer gave, in its one form. Nothing is kept beside the
turns, so a conversation that is read back from the journal goes on where it stopped.

A pattern is the company's, what it is held against is anybody's: a value is no part of a longer number, full-width
and other digits count as 0 to 9, every dash as "-", and case does not matter (a value is in upper case). Letters,
digits and word boundaries are those of ASCII, so that Chinese may stand right beside a value. No search takes
longer than PATIENCE, whatever the pattern.
"""

import logging
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from time import thread_time
from typing import TypeVar

import regex

from chatbot.domain import Conversation, Role, Turn
from chatbot.text import clean

log = logging.getLogger(__name__)

Result = TypeVar("Result")

LONGEST = 2000  # characters of a message that are searched
PATIENCE = 0.1  # seconds; a pattern that goes back and forth for longer has found nothing
DIGITS = 4  # in a message from which on it tries to give a number: "two of 12 pieces" has fewer
WHOLE = r"\g<0>"


class Checksum(StrEnum):
    """How a value proves that it was not mistyped."""

    LUHN = "luhn"  # ISO/IEC 7812-1: cards, IMEI; of the digits alone
    MOD_11_10 = "mod11_10"  # ISO/IEC 7064: tax numbers; of the digits alone
    MOD_97_10 = "mod97_10"  # ISO/IEC 7064: LEI; A counts as 10 to Z as 35

    def holds(self, value: str) -> bool:
        """Whether the last character (of mod97_10 the last two) is what the others ask for."""
        signs = [int(character, 36) for character in value if character.isascii() and character.isalnum()]
        digits = [sign for sign in signs if sign < 10]
        if self is Checksum.MOD_97_10:
            return len(signs) > 2 and int("".join(map(str, signs))) % 97 == 1
        if len(digits) < 2:
            return False
        if self is Checksum.LUHN:
            doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
            return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
        product = 10
        for digit in digits[:-1]:
            total = (product + digit) % 10
            product = 2 * (total if total else 10) % 11
        return (product + digits[-1]) % 10 == 1


@dataclass(frozen=True, slots=True)
class Slot:
    """What a value looks like. `value` is its one form, of the pattern's groups (KW-\\1\\2); `anywhere`: it is
    taken from any message, not only from the reply to being asked for it; `personal`: a placeholder is stored."""

    name: str
    pattern: str
    value: str = WHOLE
    checksum: Checksum | None = None
    anywhere: bool = False
    personal: bool = False

    def find(self, text: str) -> str | None:
        """The first value in a text whose check digit holds; None where there is none."""
        return next(filter(self._holds, self._matches(text)), None)

    def is_mistyped(self, text: str) -> bool:
        """Whether a text has something of the right form, and of nothing in it the check digit holds."""
        return self.find(text) is None and any(True for _ in self._matches(text))

    def spans(self, shown: str) -> Iterator[tuple[int, int]]:
        """Where the values of a text stand, which is held against the pattern as it is, however long."""
        for match in self._found(shown):
            if match.end() > match.start() and self._holds(clean(match.expand(self.value)).upper()):
                yield match.span()

    def without(self, text: str) -> str:
        """What a text says beside its values."""
        shown = plain(text)
        return str(self._patiently(lambda seconds: compiled(self.pattern).sub(" ", shown, timeout=seconds), text))

    def _holds(self, value: str) -> bool:
        return self.checksum is None or self.checksum.holds(value)

    def _matches(self, text: str) -> Iterator[str]:
        for match in self._found(plain(text)):
            if value := clean(match.expand(self.value)).upper():
                yield value

    def _found(self, shown: str) -> Sequence["regex.Match[str]"]:
        """All there is, or what stands before the place where the search was given up."""
        found: list[regex.Match[str]] = []

        def search(seconds: float) -> None:
            found.clear()
            found.extend(compiled(self.pattern).finditer(shown, timeout=seconds))

        self._patiently(search, None)
        return found

    def _patiently(self, search: Callable[[float], Result], otherwise: Result) -> Result:
        """What a search finds. Its clock is that of all threads together: while others work it is asked again, for
        longer, until this thread alone has searched for PATIENCE."""
        begun, seconds = thread_time(), PATIENCE
        while True:
            try:
                return search(seconds)
            except TimeoutError:
                if thread_time() - begun > 0.9 * PATIENCE:
                    log.warning("the pattern of slot %s takes too long; make it simpler", self.name)
                    return otherwise
                seconds *= 2


@dataclass(frozen=True, slots=True)
class Asked:
    """The last answer that was given, and the question for a value that it waits for: `slot` (None where it asked
    for nothing), the replies in a row that asked for it, newest first, and whether the last reply leaves it open
    (small talk does, a hand-over does not)."""

    answer_id: str
    slot: str | None
    replies: tuple[str, ...]
    last: bool


def asked(conversation: Conversation) -> Asked | None:
    """What is open after the last answer; None before the first one."""
    turns = [turn for turn in reversed(conversation.turns) if turn.role is Role.AGENT]
    for since, turn in enumerate(turns):
        if turn.answer_id is not None:
            same = [other.asks == turn.asks for other in turns]
            row = turns[since : (*same, False).index(False, since)]
            replies = tuple(one.text for one in row if one.answer_id is not None)
            return Asked(turn.answer_id, turn.asks, replies, last=turn.asks is not None and all(same[:since]))
    return None


def given(conversation: Conversation, text: str, slot: Slot) -> str | None:
    """The value that the customer gave last, `text` being the message to reply to; None where there is none."""
    value, open_slot = None, None
    for turn in (*conversation.turns, Turn(Role.USER, text)):
        if turn.role is Role.AGENT:
            if turn.asks is not None or turn.answer_id is not None:
                open_slot = turn.asks
        elif slot.anywhere or open_slot == slot.name:
            found = slot.find(turn.text)
            value = value if found is None else found
    return value


def is_tried(text: str) -> bool:
    """Whether a message looks as if it were to hold a number or an address, however wrong."""
    shown = plain(text)
    return "@" in shown or sum(character.isdigit() for character in shown) >= DIGITS


def prose(text: str) -> str:
    """A text without its numbers, codes and addresses, whose letters are of no language."""
    return str(regex.sub(r"[!-~]+", lambda word: " " if regex.search("[0-9@]", word[0]) else word[0], plain(text)))


def plain(text: str) -> str:
    """The text that patterns are held against."""
    return "".join(map(_plain, clean(text[:LONGEST])))


@cache
def compiled(pattern: str) -> "regex.Pattern[str]":
    """Raises regex.error."""
    regex.compile(pattern)  # by itself: "a)(b" would fit into the parentheses below
    return regex.compile(rf"(?<![a-z0-9])(?:{pattern})(?![a-z0-9])", regex.ASCII | regex.IGNORECASE)


@cache
def _plain(character: str) -> str:
    if character.isascii():
        return character
    if character == "−" or unicodedata.category(character) == "Pd":
        return "-"
    return str(unicodedata.decimal(character, character))
