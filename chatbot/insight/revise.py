"""Edits of the answers by a person, each as a `Plan`: reword, add, retire, merge.

In: the live pairs (those of all the bot's languages) and what is wanted. Out: which pairs go and which come. Each
raises UserError, which says what to do, where it cannot be done.
"""

from collections.abc import Sequence
from dataclasses import replace

from chatbot.domain import QAPair
from chatbot.errors import UserError
from chatbot.insight.changes import Plan, merged
from chatbot.text import clean, detect_language, letters

PROVENANCE = "provenance"  # metadata: who put a pair in, and when


def reword(live: Sequence[QAPair], answer_id: str, text: str, language: str) -> Plan:
    """Another text for an answer; its id and questions stay."""
    own = _of_answer(live, answer_id, language)
    if not clean(text):
        raise UserError(f"the new text of {answer_id} is empty; retire the answer instead")
    changed = [pair for pair in own if pair.answer != text]
    return Plan(tuple(changed), tuple(replace(pair, answer=text) for pair in changed))


def add_questions(
    live: Sequence[QAPair], answer_id: str, questions: Sequence[str], provenance: str, language: str | None = None
) -> Plan:
    """More questions for an answer, in `language` or each in that of its script. What it has already is passed
    over. Each has the answer's source, which customers see, and its metadata; `provenance` joins those."""
    pairs = []
    for question in questions:
        if not clean(question):
            raise UserError("a question is empty; write what a customer would ask")
        spoken = detect_language(question) if language is None else language
        first = _of_answer(live, answer_id, spoken)[0]
        id = QAPair.content_id(question, answer_id, spoken)
        told = {**first.metadata, PROVENANCE: provenance}
        pairs.append(replace(first, id=id, question=question, metadata=told))
    return merged(live, pairs)


def add_answer(
    live: Sequence[QAPair], answer_id: str, text: str, questions: Sequence[str], provenance: str, language: str
) -> Plan:
    """A new answer with its questions; `provenance` is for the company's own people."""
    if not clean(text) or not clean(answer_id) or "|" in answer_id or not any(map(clean, questions)):
        raise UserError("a new answer needs an id without |, a text and at least one question")
    if any((pair.answer_id, pair.language) == (answer_id, language) for pair in live):
        raise UserError(f"there is an answer {answer_id!r} in {language!r} already; give the new one another id")
    pairs = [
        QAPair(
            QAPair.content_id(question, answer_id, language),
            question,
            text,
            answer_id,
            language,
            metadata={PROVENANCE: provenance},
        )
        for question in questions
        if clean(question)
    ]
    return merged(live, pairs)


def retire_question(live: Sequence[QAPair], question: str, answer_id: str | None = None) -> Plan:
    """A question goes, from all answers or from one. An answer without questions is gone, too."""
    gone = [
        pair
        for pair in live
        if letters(pair.question) == letters(question) and answer_id in (None, pair.answer_id)
    ]
    if not gone:
        where = "" if answer_id is None else f" of {answer_id!r}"
        raise UserError(f"there is no question {question!r}{where}; look for it as it is stored")
    return Plan(tuple(gone))


def retire_answer(live: Sequence[QAPair], answer_id: str, language: str | None = None) -> Plan:
    """An answer goes with all its questions, in every language or in one."""
    return Plan(tuple(_of_answer(live, answer_id, language)))


def merge_answers(live: Sequence[QAPair], kept: str, dissolved: str, language: str | None = None) -> Plan:
    """The questions of `dissolved` move to `kept`, whose text answers them from now on; in every language that
    `dissolved` has, or in one."""
    if kept == dissolved:
        raise UserError(f"{kept!r} cannot be merged with itself; name two answers")
    own = _of_answer(live, dissolved, language)
    texts = {spoken: _of_answer(live, kept, spoken)[0].answer for spoken in sorted({p.language for p in own})}
    moved = [replace(_under(pair, kept), answer=texts[pair.language]) for pair in own]
    gone = {pair.id for pair in own}
    return Plan(tuple(own), merged([pair for pair in live if pair.id not in gone], moved).added)


def _of_answer(live: Sequence[QAPair], answer_id: str, language: str | None) -> list[QAPair]:
    own = [pair for pair in live if pair.answer_id == answer_id and language in (None, pair.language)]
    if not own:
        where = "" if language is None else f" in {language!r}"
        raise UserError(f"there is no answer {answer_id!r}{where}; use an id that is live")
    return own


def _under(pair: QAPair, answer_id: str) -> QAPair:
    return replace(pair, id=QAPair.content_id(pair.question, answer_id, pair.language), answer_id=answer_id)
