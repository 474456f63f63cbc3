"""What two texts have in common whatever keyboard they came from, and which script they are written in.

In: a text as somebody typed it. Out: `clean` (for matching; what is stored and shown stays as typed), `letters`
(the same without case, punctuation and spaces, for finding duplicates) and `detect_language`.

Languages are told apart by script alone: exact, instant and without a model, but Latin-script languages are all
"en" and Cyrillic ones all "ru" unless the data says otherwise. Chinese in pinyin is "en" by that rule.
"""

import re
import unicodedata
from collections import Counter
from functools import cache

LANGUAGES = {  # by the first word of a letter's Unicode name
    "LATIN": "en",
    "CJK": "zh",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "CYRILLIC": "ru",
    "ARABIC": "ar",
    "HEBREW": "he",
    "GREEK": "el",
    "THAI": "th",
    "DEVANAGARI": "hi",
    "BENGALI": "bn",
    "TAMIL": "ta",
}
CHARACTERS_A_TOKEN = 32  # more than a token holds: what lies beyond max_tokens of them is never tokenised
SYLLABIC = {"zh", "ja", "ko"}  # one character says about as much as three letters
FOREIGN_SHARE = 1 / 4  # of a text's weight: from here on it is not English with a foreign name in it
KANA_SHARE = 1 / 5  # of Han and kana: from here on it is Japanese, below it Chinese with a borrowed の

# Control characters but for white space, and what takes no room: soft hyphen, fillers, joiners, direction marks,
# byte order marks and tags. A joiner between two emoji stays, for it makes one emoji of them.
_EMOJI = "\u2190-\u2bff\ufe0f\U0001f000-\U0001faff"
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_JOINER = re.compile(f"(?<![{_EMOJI}])\u200d|\u200d(?![{_EMOJI}])")


def clean(text: str) -> str:
    """The text for matching: NFKC, nothing invisible, white space folded to single spaces. Idempotent."""
    if text.isascii() and text.isprintable():  # most English; NFKC has nothing to do
        return " ".join(text.split())
    visible = _JOINER.sub("", _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)))
    # what stood apart may compose now that nothing is between
    return " ".join(unicodedata.normalize("NFKC", visible).split())


def letters(text: str) -> str:
    """`clean` without case, punctuation and spaces; a text of punctuation alone keeps it."""
    folded = clean(text).casefold()
    kept = "".join(map(_unpunctuated, folded))
    return kept if kept else folded


def detect_language(text: str, default: str = "en") -> str:
    """The language that the text's script stands for; `default` when it has no letters of a known script.

    Chinese, Korean, Russian and so on win over Latin letters from a quarter of the text's weight on, because
    brand names are Latin in every language: "iPhone 15 Pro Max 怎么退货" is Chinese.
    """
    if text.isascii():
        return "en" if any(map(str.isalpha, text)) else default
    weight: Counter[str] = Counter()
    for character, count in Counter(unicodedata.normalize("NFKC", text)).items():
        language = _language(character)
        weight[language] += count * (3 if language in SYLLABIC else 1)
    del weight[""]  # digits, punctuation, emoji
    if not weight:
        return default
    ideographic = weight["zh"] + weight["ja"]
    language, other = ("ja", "zh") if weight["ja"] > KANA_SHARE * ideographic else ("zh", "ja")
    del weight[other]
    weight[language] = ideographic
    foreign = max(sorted(weight.keys() - {"en"}), key=weight.__getitem__)
    return foreign if weight[foreign] >= FOREIGN_SHARE * weight.total() else "en"


@cache
def _language(character: str) -> str:
    script = unicodedata.name(character, "").partition(" ")[0]
    return LANGUAGES.get(script, "") if character.isalpha() else ""


@cache
def _unpunctuated(character: str) -> str:
    return "" if unicodedata.category(character)[0] in "PZ" else character


def readable(text: str, max_tokens: int) -> str:
    """What a tokenizer can take of a text, and no more than `max_tokens` tokens may hold.

    Surrogates are joined to the character they stand for; a lone one, which no tokenizer takes, becomes U+FFFD.
    """
    cut = text[: max_tokens * CHARACTERS_A_TOKEN]
    return cut.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
