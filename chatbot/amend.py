"""Pairs that come into a bot on disk, or go from it, without training: what `chatbot add` and `chatbot remove` do.

In: pairs, or the names of what shall go, and a bot's folder. Out: a new version of it, and how many pairs that
were.
"""

from collections.abc import Sequence
from pathlib import Path

from chatbot.domain import QAPair
from chatbot.edit import LiveBot
from chatbot.errors import CorpusError, UserError
from chatbot.insight.changes import Plan
from chatbot.merge import merge
from chatbot.text import clean


def add_pairs(pairs: Sequence[QAPair], folder: Path) -> int:
    """Put pairs into the bot in `folder`, its models and calibration as they are, as a new version; how many were
    new. Duplicates go into what is there, as at ingest. Raises CorpusError for a language that the bot lacks."""
    live = LiveBot.load(folder)
    there = live.pairs()
    together = merge([*there, *pairs])
    if together.conflicting_answers:
        named = "; ".join(f"{one.answer_id}: {' | '.join(one.answers)}" for one in together.conflicting_answers)
        raise CorpusError(
            f"one answer_id, several answers ({named}); nothing was added. Give the new answer an id of its "
            f"own, or take the old one out first: chatbot remove --index {folder} --answer ID"
        )
    known = {pair.id for pair in there}
    plan = Plan(added=tuple(pair for pair in together.pairs if pair.id not in known))
    if plan:
        live.publish(plan)
    return len(plan.added)


def remove_pairs(answer_ids: Sequence[str], questions: Sequence[str], folder: Path) -> int:
    """Take whole answers, or single questions (in whatever case and spacing), out of the bot in `folder`, as a new
    version; how many pairs went. Raises UserError for one that it does not hold, or where a language would be
    left with none."""
    live = LiveBot.load(folder)
    texts = {clean(question).casefold() for question in questions}
    found = [(pair, clean(pair.question).casefold()) for pair in live.pairs()]
    gone = [(pair, text) for pair, text in found if pair.answer_id in answer_ids or text in texts]
    missing = {*answer_ids, *texts} - {name for pair, text in gone for name in (pair.answer_id, text)}
    if missing:
        named = ", ".join(map(repr, sorted(missing)))
        raise UserError(f"{folder} holds no answer or question {named}; nothing was removed")
    live.publish(Plan(removed=tuple(pair for pair, _ in gone)))
    return len(gone)
