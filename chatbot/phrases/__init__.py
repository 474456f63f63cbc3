"""What the bot recognises and says beside the stored answers, one TOML file a language.

In: a language. Out: its `Phrases`: who asks for a person, small talk with its replies, and the sentences
of the bot itself. A language without a file gets the English one.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

FALLBACK = "en"
LONGEST = 400  # characters of a sentence that is compared with patterns
SENTENCE_END = re.compile(r"[.!?;。！？；…\n]+")
COMMA = re.compile(r"[,，、]")
CHINESE_GAP = re.compile(r"(?<=[^\x00-\x7f])\s+(?=[^\x00-\x7f])")  # many write it for a comma
CLAUSE_END = re.compile(rf"{SENTENCE_END.pattern}|{COMMA.pattern}|{CHINESE_GAP.pattern}")


@dataclass(frozen=True, slots=True)
class SmallTalk:
    patterns: tuple[re.Pattern[str], ...]
    reply: str


@dataclass(frozen=True, slots=True)
class Phrases:
    person: tuple[re.Pattern[str], ...]
    small_talk: Mapping[str, SmallTalk]
    replies: Mapping[str, str]
    refusal: tuple[re.Pattern[str], ...] = ()
    only_refusal: tuple[re.Pattern[str], ...] = ()
    angry: tuple[str, ...] = ()
    worried: tuple[str, ...] = ()
    question: re.Pattern[str] = re.compile("")
    next_question: re.Pattern[str] = re.compile("$.")

    @property
    def gap(self) -> str:
        """What stands between two sentences of the bot: a space, but none behind a Chinese full stop."""
        return "" if self.replies["clarify"].endswith("？") else " "

    def asks_for_person(self, text: str) -> bool:
        """Whether the message does, or one of its sentences, or what stands behind a sentence's last comma."""
        sentences = SENTENCE_END.split(text)
        return any(
            _any(self.person, part) for part in (text, *sentences, *(COMMA.split(s)[-1] for s in sentences))
        )

    def refused(self, text: str) -> tuple[str, ...]:
        """The actions that a message says not to be wanted: "cancel" of "I do not want to cancel". One that is
        named again is not refused: "I do not want to pay now, can I pay later"."""
        said = bare(text)[:LONGEST]
        every = [found for pattern in self.refusal for found in pattern.finditer(said)]
        return tuple(found["act"] for found in every if not mentions(said[found.end() :], found["act"]))

    def only_refuses(self, text: str) -> bool:
        """Whether the whole message, a single clause, says what is not wanted."""
        clauses = [part for part in CLAUSE_END.split(text) if bare(part)]
        return len(clauses) == 1 and _any(self.only_refusal, text)

    def small_talk_reply(self, text: str) -> str | None:
        """What to say to small talk; None where it is none."""
        return next((talk.reply for talk in self.small_talk.values() if _any(talk.patterns, text)), None)


@cache
def load(language: str) -> Phrases:
    """The phrases of a language; patterns are compiled once."""
    folder = resources.files(__package__)
    file = folder / f"{language}.toml"
    if not file.is_file():
        file = folder / f"{FALLBACK}.toml"
    values = tomllib.loads(file.read_text("utf-8"))
    return Phrases(
        person=_compiled(values["person"]),
        small_talk={
            name: SmallTalk(_compiled(talk["patterns"]), talk["reply"])
            for name, talk in values["small_talk"].items()
        },
        replies=values["replies"],
        refusal=_compiled(values["refusal"]),
        only_refusal=_compiled(values["only_refusal"]),
        angry=tuple(values["angry"]),
        worried=tuple(values["worried"]),
        question=re.compile(values["question"]),
        next_question=re.compile(values["next_question"], re.IGNORECASE),
    )


def mentions(text: str, act: str) -> bool:
    """Whether a bare text has the words of an action, in any ending: "cancelled" mentions "cancel"."""
    return f" {act}" in f" {text}" if act.isascii() else act in text


def bare(text: str) -> str:
    """Lower case, without punctuation or emoji; spaces stay only between Latin words."""
    kept = "".join(c if unicodedata.category(c)[0] in "LN" else " " for c in text.casefold())
    kept = re.sub(r"\s+", " ", kept).strip()
    return re.sub(r"(?<=[^\x00-\x7f]) | (?=[^\x00-\x7f])", "", kept)


def _compiled(patterns: list[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


def _any(patterns: tuple[re.Pattern[str], ...], text: str) -> bool:
    stripped = bare(text)
    return len(stripped) <= LONGEST and any(pattern.fullmatch(stripped) for pattern in patterns)
