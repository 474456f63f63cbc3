"""Two or three questions in one message get as many answers, or an honest word about the one that has none. Pure.

In: a message; the decision on the whole of it, and on each part. Out: what is answered, part by part, and the
reply that says it all. All decisions are looked at together:

    every part is answered, not all by one answer      each answer is said behind a quote of its part
    some parts are answered, others ask something else what is answered is said, and that the rest is not
    else                                               the whole message is dealt with as one

A message that holds one question has no parts, and costs nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chatbot.decide import OFFERED
from chatbot.domain import Action, Decision, Reply
from chatbot.phrases import Phrases, bare
from chatbot.text import clean

MOST_PARTS = 3
LEAST_WORDS, LEAST_CHARACTERS = 3, 4  # of a part; the latter where it is not all Latin
QUOTED = 60  # characters of a part that are quoted
SENTENCE = re.compile(r"(?<=[.!?;。…])(?=\s|[^\x00-\x7f.!?;。…])")  # after `clean`, ？ is ?
LISTED = re.compile(r"^[1-9] ?[.):、]\s*(?=[^\d\s])")
NUMBERED = re.compile(rf"(?:{LISTED.pattern})|(?<=\s){LISTED.pattern[1:]}")


@dataclass(frozen=True, slots=True)
class Several:
    """Parts with the decisions that answer them, in order; `main` is the answer that stands for all; `left` are
    the parts that nothing answers, and `suggestions` what they may have meant."""

    answered: tuple[tuple[str, Decision], ...]
    main: str
    left: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()


def split(text: str, words: Phrases) -> tuple[str, ...]:
    """The questions of a message, each with what stands before it that is none, or too short to be asked alone;
    the last with what comes after it. Empty where there is one only, or more than MOST_PARTS."""
    parts: list[str] = []
    behind = ""
    for piece in _pieces(text, words):
        behind = f"{behind}{words.gap}{piece}" if behind else piece
        if asks(piece, words) and _enough(behind):
            parts.append(behind)
            behind = ""
    if parts and behind:
        parts[-1] = f"{parts[-1]}{words.gap}{behind}"
    return tuple(parts) if 1 < len(parts) <= MOST_PARTS else ()


def asks(piece: str, words: Phrases) -> bool:
    """Whether it has a question mark or, without a full stop, begins (in Chinese: goes) as questions do."""
    return "?" in piece or (piece[-1] not in ".。" and words.question.match(bare(piece)) is not None)


def judged(whole: Decision, parts: Sequence[str], decisions: Sequence[Decision]) -> Several | None:
    """What to answer part by part; None where the whole message is to be dealt with as one."""
    answered: dict[str, tuple[str, Decision]] = {}
    for part, decision in zip(parts, decisions, strict=True):
        if decision.action is Action.ANSWER:
            answered.setdefault(_first(decision), (part, decision))
    left = [
        (part, decision)
        for part, decision in zip(parts, decisions, strict=True)
        if decision.action is not Action.ANSWER and _first(decision) not in answered
    ]
    if not answered or (len(answered) == 1 and not left):
        return None
    main = _first(whole) if _first(whole) in answered else next(iter(answered))
    if whole.action is Action.ANSWER and main != _first(whole):
        return None
    return Several(
        tuple(answered.values()),
        main,
        tuple(part for part, _ in left),
        tuple(
            candidate.pair.question
            for _, decision in left
            if decision.action is Action.CLARIFY
            for candidate in decision.candidates[:OFFERED]
        )[:OFFERED],
    )


def joined(found: Several, replies: Sequence[Reply], words: Phrases) -> Reply:
    """One reply out of those to the parts."""
    texts = [f"“{_quote(part)}”\n{reply.text}" for (part, _), reply in zip(found.answered, replies, strict=True)]
    texts += [words.replies["unanswered"].format(part=_quote(part)) for part in found.left]
    main = next(reply for reply in replies if reply.answer_id == found.main)
    return replace(
        main,
        text="\n\n".join(texts),
        citations=tuple(citation for reply in replies for citation in reply.citations),
        suggestions=found.suggestions,
        offers_person=bool(found.left),
        also=tuple(reply.answer_id for reply in replies if reply.answer_id and reply is not main),
    )


def _pieces(text: str, words: Phrases) -> list[str]:
    """Sentences, numbered points, and what stands behind words such as "and also"."""
    pieces = []
    for line in map(clean, text.splitlines()):
        points = NUMBERED.split(line) if len(NUMBERED.findall(line)) > 1 else [LISTED.sub("", line)]
        for sentence in (sentence for point in points for sentence in SENTENCE.split(point)):
            pieces += [piece.strip() for piece in words.next_question.split(sentence)]
    return [piece for piece in pieces if bare(piece)]


def _enough(part: str) -> bool:
    said = bare(part)
    return len(said.split()) >= LEAST_WORDS or (not said.isascii() and len(said) >= LEAST_CHARACTERS)


def _quote(part: str) -> str:
    if len(part) <= QUOTED:
        return part
    cut, gap, rest = part[-QUOTED:].partition(" ")
    return f"… {rest}" if gap and rest else f"…{cut}"


def _first(decision: Decision) -> str:
    return decision.candidates[0].pair.answer_id if decision.candidates else ""
