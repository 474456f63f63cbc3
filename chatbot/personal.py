"""Where a text holds somebody's personal data: e-mail, phone, identity and card numbers, names, addresses. Pure.

In: a text as it was typed, in English, Chinese or both, and patterns of order numbers. Out: `find` gives spans
with their kind, in order, none inside another. Names are found where they are marked ("my name is", "姓名："),
addresses by how they are built (people.py); numbers prove themselves where they can: by the check digit of a
resident identity number (GB 11643) or of a bank card (Luhn, ISO/IEC 7812-1), and by a date of birth that there is.

Patterns are held against a text of the same length in which full-width forms, dashes, spaces and digits of every
script are the plain ones. Each repetition is bounded, so that no text takes long.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import chain

from chatbot.people import addresses, names
from chatbot.slots import Checksum, Slot


class Kind(StrEnum):
    EMAIL = "email"
    ID = "id"
    CARD = "card"
    PHONE = "phone"
    ORDER = "order"
    ADDRESS = "address"
    NAME = "name"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    start: int
    end: int
    kind: Kind


def find(text: str, orders: Sequence[Slot] = ()) -> list[Span]:
    """All personal data in a text; what two kinds claim goes to the one that is surer of it."""
    shown = folded(text)
    found: list[Span] = []
    free = bytearray(b"\x01") * len(text)
    searches: tuple[tuple[Kind, Iterable[tuple[int, int]]], ...] = (  # the surest first
        (Kind.EMAIL, _emails(shown)),
        (Kind.ID, _identities(shown)),
        (Kind.CARD, _cards(shown)),
        (Kind.PHONE, _phones(shown)),
        (Kind.ORDER, chain.from_iterable(slot.spans(shown) for slot in orders)),
        (Kind.ADDRESS, addresses(shown)),
        (Kind.NAME, names(shown)),
    )
    for kind, places in searches:
        for start, end in places:
            if start < end and all(free[start:end]):
                free[start:end] = bytes(end - start)
                found.append(Span(start, end, kind))
    return sorted(found)


def folded(text: str) -> str:
    """As many characters, in their plain forms."""
    return text if text.isascii() else text.translate(_FOLD)


class _Fold(dict[int, str]):
    def __missing__(self, code: int) -> str:
        character = chr(code)
        plain = unicodedata.normalize("NFKC", character)
        category = unicodedata.category(character)
        if category == "Pd" or character == "−":
            plain = "-"
        elif category in ("Zs", "Cf"):  # also what takes no room
            plain = " "
        elif category == "Nd":
            plain = str(unicodedata.decimal(character))
        elif character in "’‘´`":
            plain = "'"
        self[code] = plain if len(plain) == 1 else character
        return self[code]


_FOLD = _Fold()

_FROM = r"(?<![A-Za-z0-9])(?<![A-Za-z0-9][-./])"  # where a number may begin, and end
_TO = r"(?![A-Za-z0-9])(?![-./]\d)"

_WORD = r"A-Za-z0-9\u00c0-\u024f"
_EMAIL = re.compile(
    rf"(?<![{_WORD}._%+-])[{_WORD}._%+-]{{1,64}} ?@ ?(?:"
    rf"(?:[{_WORD}-]{{1,63}}\.){{1,4}}[A-Za-z]{{2,24}}|[{_WORD}-]{{1,63}},(?:com|net|org|cn)(?![{_WORD}]))"
    rf"|(?<![{_WORD}._%+-])[{_WORD}._%+-]{{1,64}}@[A-Za-z][{_WORD}-]{{1,63}}"
    rf"|(?<![{_WORD}._%+-])[{_WORD}._%+-]{{1,64}} ?(?:"
    rf"[(\[]at[)\]] ?(?:[{_WORD}-]{{1,63}} ?(?:[(\[]dot[)\]]|\.) ?){{1,3}}[a-z]{{2,24}}"
    rf"|(?<= )at (?:[{_WORD}-]{{1,63}} dot ){{1,3}}[a-z]{{2,24}})(?![{_WORD}])",
    re.IGNORECASE,
)

_MOBILE = rf"{_FROM}(?:(?:\+|00)86[ -]?)?1[3-9]\d[ -]?\d{{4}}[ -]?\d{{4}}{_TO}"
_ABROAD = rf"{_FROM}(?:\+[1-9](?:[ .()-]{{0,2}}\d){{7,14}}|00[1-9]\d{{0,2}}[ -](?:[ ()-]{{0,2}}\d){{7,12}}){_TO}"
_TOLL_FREE = "(?:400|800|888|877|866|855|844|833)"  # no customer's
_AMERICAN = rf"{_FROM}(?:1[ .-])?(?!{_TOLL_FREE})(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])[2-9]\d\d[ .-]\d{{4}}{_TO}"
_AREA = (
    rf"{_FROM}(?:\(0\d{{2,3}}\) ?\d{{7,8}}|0\d{{2,3}}[ -]\d{{3,4}}[ -]?\d{{4}}|0\d{{4}} \d{{6}}|07\d{{9}}"
    rf"|0[1-9](?: \d\d){{4}}){_TO}"
)
_TOLD = (  # a number that is said to be one
    r"(?:phone|mobile|cell|whatsapp|wechat|\btel|\bph|\bfax|\bcall|\bring|\btext|电话|手机|座机|拨打|致电|微信)"
    r"(?:[ .:#]|no\b|number|is\b|me\b|us\b|on\b|at\b|号码?|是|为){0,6}"
    rf"(?P<number>(?!{_TOLL_FREE})\(?\d(?:[ ()-]{{0,2}}\d){{6,11}}){_TO}"
)
_PHONE = re.compile("|".join((_MOBILE, _ABROAD, _AMERICAN, _AREA)))
_TOLD_PHONE = re.compile(_TOLD, re.IGNORECASE)

_IDENTITY = re.compile(rf"{_FROM}[1-8]\d{{5}}(?:[ -]?(?:18|19|20)\d{{6}}[ -]?\d{{3}}[ -]?[\dXx]|\d{{9}}){_TO}")
_PROVINCES = {*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66)}
_PROVINCES |= {71, 81, 82, 83}
_WEIGHTS = [2**place % 11 for place in range(17, 0, -1)]

_CARD = re.compile(
    rf"{_FROM}(?:\d{{13,19}}|\d{{4}}(?:[ -]\d{{4}}){{3}}(?P<rest>[ -]\d{{1,3}})?"
    rf"|3\d{{3}}[ -]\d{{6}}[ -]\d{{5}}|\d{{6}}[ -]\d{{7,13}}|\d{{4}}(?:[ -]\d{{4}}){{2}}[ -]\d{{1,3}}){_TO}"
)
_ISSUED = re.compile(r"3[4-7]\d{13}$|3[068]\d{12}$|35\d{14}$|(?:[456]|2[2-7]|9[0-9])\d{12,18}$")
_OTHERWISE = re.compile(  # what a number is said to be that is none of a person's
    r"(?:imei|serial|tracking|order|article|model|\bean|\bsn|序列号?|运单|快递|单号|订单|条形?码|商品|型号)"
    r"[^\d,.;!?\n]{0,10}$",
    re.IGNORECASE,
)


def _emails(text: str) -> Iterator[tuple[int, int]]:
    if "@" in text or " dot " in text.lower() or "at)" in text.lower() or "at]" in text.lower():
        yield from (match.span() for match in _EMAIL.finditer(text))


def _identities(text: str) -> Iterator[tuple[int, int]]:
    for match in _IDENTITY.finditer(text):
        digits = re.sub("[ -]", "", match[0]).upper()
        if _is_identity(digits) and not (len(digits) == 15 and _is_otherwise(text, match.start())):
            yield match.span()


def _is_identity(digits: str) -> bool:
    if int(digits[:2]) not in _PROVINCES:
        return False
    born = digits[6:14] if len(digits) == 18 else f"19{digits[6:12]}"
    try:
        past = date(int(born[:4]), int(born[4:6]), int(born[6:])) <= date.today()
    except ValueError:
        return False
    if len(digits) == 15:
        return past
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits[:17], strict=True))
    return past and digits[17] == "10X98765432"[total % 11]


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for match in _CARD.finditer(text):
        ends = [match.end()] + ([match.start("rest")] if match["rest"] else [])
        for end in ends:
            digits = re.sub("[ -]", "", text[match.start() : end])
            issued = _ISSUED.match(digits) and not _is_otherwise(text, match.start())
            if issued and Checksum.LUHN.holds(digits):
                yield match.start(), end
                break


def _is_otherwise(text: str, start: int) -> bool:
    return _OTHERWISE.search(text, max(0, start - 24), start) is not None


def _phones(text: str) -> Iterator[tuple[int, int]]:
    yield from (match.span() for match in _PHONE.finditer(text))
    yield from (match.span("number") for match in _TOLD_PHONE.finditer(text))
