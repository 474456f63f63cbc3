"""Personal data taken out of a text, and put back where that is still allowed. Pure.

In: a text as a customer typed it. Out: the text with `[✉1]` where an e-mail stood, and what stood there.
`personal.find` says where that is.

A placeholder is a picture of what was there, which people read in every language, and holds no letter: so it does
not turn a short message into one of another language (text.detect_language goes by script), and shares no word
with the questions about e-mails and phones that a company has stored (decision 55). The number tells two values of
one conversation apart: the same value has the same placeholder throughout. What is stored by itself, such as a
comment, has no number.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chatbot.answer import Templates
from chatbot.corpus import Corpus
from chatbot.domain import QAPair
from chatbot.merge import merge
from chatbot.personal import Kind, Span, find
from chatbot.settings import Privacy
from chatbot.slots import Slot

MARKS = {
    Kind.EMAIL: "✉",
    Kind.ID: "🆔",
    Kind.CARD: "💳",
    Kind.PHONE: "☎",
    Kind.ORDER: "📦",
    Kind.ADDRESS: "📍",
    Kind.NAME: "👤",
}
_KINDS = {mark: kind for kind, mark in MARKS.items()}
_PLACEHOLDER = re.compile(rf"\[([{''.join(_KINDS)}])(\d{{1,6}})?\]")
_WORDLIKE = re.compile("[A-Za-z0-9]")
ROUNDS = 8  # in which what was taken out may bring something else to light
COMPANYS = frozenset((Kind.EMAIL, Kind.PHONE, Kind.ADDRESS))  # what a company has as well, and says to everybody


@dataclass(slots=True)
class Ledger:
    """What the placeholders of one conversation stand for."""

    values: dict[str, str] = field(default_factory=dict)  # by placeholder
    placeholders: dict[str, str] = field(default_factory=dict)  # by value
    last: dict[Kind, int] = field(default_factory=dict)  # numbers that were given

    def reserve(self, text: str) -> None:
        """Give no number that a text has already, such as one that was stored, or typed."""
        for mark, number in _PLACEHOLDER.findall(text):
            if number:
                kind = _KINDS[mark]
                self.last[kind] = max(self.last.get(kind, 0), int(number))

    def placeholder(self, value: str, kind: Kind) -> str:
        if value not in self.placeholders:
            number = self.last[kind] = self.last.get(kind, 0) + 1
            given = f"[{MARKS[kind]}{number}]"
            self.placeholders[value], self.values[given] = given, value
        return self.placeholders[value]


def _nobody(_: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Redactor:
    """What is personal: as `personal.find` says, and the values of `orders`; but no e-mail, phone or address that
    `is_ours`, the company's own."""

    orders: Sequence[Slot] = ()
    is_ours: Callable[[str], bool] = _nobody

    @classmethod
    def of(
        cls, settings: Privacy, slots: Mapping[str, Slot], is_ours: Callable[[str], bool] = _nobody
    ) -> "Redactor":
        """By the settings, and the slots that a company marked as personal."""
        numbers = [Slot("order_numbers", pattern) for pattern in settings.order_numbers]
        return cls((*numbers, *(slot for slot in slots.values() if slot.personal)), is_ours)

    def redact(self, text: str, ledger: Ledger) -> str:
        """The text with placeholders of a conversation, whose ledger then knows what stood there."""
        ledger.reserve(text)
        for _ in range(ROUNDS):
            before, text = text, _known(text, ledger)
            text = _replaced(text, self._find(text), ledger.placeholder)
            if text == before:
                text = _known(text, ledger, within=True)
            if text == before:
                break
        return text

    def masked(self, text: str) -> str:
        """The text with placeholders that have no number, never to be put back."""
        for _ in range(ROUNDS):
            found = self._find(text)
            if not found:
                break
            text = _replaced(text, found, lambda _, kind: f"[{MARKS[kind]}]")
        return text

    def holds(self, text: str) -> bool:
        """Whether there is anything to take out."""
        return bool(self._find(text))

    def _find(self, text: str) -> list[Span]:
        kept = [match.span() for match in _PLACEHOLDER.finditer(text)]
        return [
            span
            for span in find(text, self.orders)
            if not any(start < span.end and span.start < end for start, end in kept)
            and not (span.kind in COMPANYS and self.is_ours(text[span.start : span.end]))
        ]


def cleaned(corpus: Corpus, settings: Privacy, templates: Templates) -> tuple[Corpus, int]:
    """As `without_personal_data`, by settings and templates; what answers and slots say is the company's own."""
    if not settings.redact:
        return corpus, 0
    ours = "\n".join([*templates.slots.values(), *dict.fromkeys(pair.answer for pair in corpus.pairs)])
    redactor = Redactor.of(settings, templates.ask, lambda value: value in ours)
    return without_personal_data(corpus, redactor.masked)


def without_personal_data(corpus: Corpus, masked: Callable[[str], str]) -> tuple[Corpus, int]:
    """A corpus whose questions are `masked`, and how many that changed; those that become the same are merged."""
    said = [masked(pair.question) for pair in corpus.pairs]
    changed = sum(text != pair.question for text, pair in zip(said, corpus.pairs, strict=True))
    if not changed:
        return corpus, 0
    pairs = [
        replace(pair, question=text, id=QAPair.content_id(text, pair.answer_id, pair.language))
        for text, pair in zip(said, corpus.pairs, strict=True)
    ]
    return replace(corpus, pairs=merge(pairs).pairs), changed


def restore(text: str, values: Mapping[str, str]) -> str:
    """The text as it was typed, as far as it is known what stood there."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[0], match[0]), text) if values else text


def _replaced(text: str, spans: Sequence[Span], given: Callable[[str, Kind], str]) -> str:
    pieces, end = [], 0
    for span in spans:
        pieces += [text[end : span.start], given(text[span.start : span.end], span.kind)]
        end = span.end
    return "".join([*pieces, text[end:]])


def _known(text: str, ledger: Ledger, within: bool = False) -> str:
    """With placeholders for what a ledger knows, wherever it stands; but a word in small letters may be any.
    `within`: a number or an e-mail also inside a longer one."""
    values = [value for value in ledger.placeholders if value in text and _tells(value)]
    if not values:
        return text
    longest_first = sorted(values, key=lambda value: (-len(value), value))
    pattern = "|".join(_whole(value, within and _is_code(value)) for value in longest_first)
    known = re.compile(rf"(?P<kept>{_PLACEHOLDER.pattern})|{pattern}")
    return known.sub(lambda match: match[0] if match["kept"] else ledger.placeholders[match[0]], text)


def _tells(value: str) -> bool:
    return len(value) > 1 and not (value.isascii() and value.isalpha() and value.islower())


def _is_code(value: str) -> bool:
    return len(value) > 4 and ("@" in value or any(map(str.isdigit, value)))


def _whole(value: str, within: bool) -> str:
    """A pattern of the value, which where it begins or ends with a letter or digit is no part of a word."""
    before = "" if within or not _WORDLIKE.match(value[0]) else "(?<![A-Za-z0-9])"
    after = "" if within or not _WORDLIKE.match(value[-1]) else "(?![A-Za-z0-9])"
    return f"{before}{re.escape(value)}{after}"
