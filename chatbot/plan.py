"""A plan carried out on a bot in memory, whole or not at all.

In: a `Plan` (insight/changes.py) and a bot. Out: the languages that it changes, or why it does not fit what the
bot holds; then the bot's pairs, changed where they are. What lies on disk is edit.py's.
"""

from collections import Counter

from chatbot.converse import Chatbot
from chatbot.errors import CorpusError, UserError
from chatbot.insight.changes import Plan


def checked(plan: Plan, bot: Chatbot) -> list[str]:
    """The languages that a plan changes. Raises UserError where it cannot be carried out whole."""
    if not plan:
        raise UserError("nothing would change, so nothing was published")
    changed = sorted({pair.language for pair in (*plan.removed, *plan.added)})
    if foreign := [language for language in changed if language not in bot.lines]:
        raise CorpusError(
            f"the bot has no pairs in {', '.join(foreign)}, so no models and no calibration for them; train it "
            "with all pairs: chatbot train --pairs FILE --index DIR"
        )
    for language in changed:
        live = {pair.id: pair for pair in bot.lines[language].table.pairs.values()}
        removed = [pair for pair in plan.removed if pair.language == language]
        added = [pair for pair in plan.added if pair.language == language]
        if stale := [pair for pair in removed if live.get(pair.id) != pair]:
            raise UserError(
                f"{stale[0].question!r} under {stale[0].answer_id!r} is no longer as it was: somebody has "
                "changed it meanwhile. Nothing was published; look at what is live now and do it again"
            )
        after = live.keys() - {pair.id for pair in removed}
        twice = [name for name, times in Counter([*after, *(pair.id for pair in added)]).items() if times > 1]
        if twice or len({pair.id for pair in removed}) < len(removed):
            raise UserError(f"pair {(twice or [removed[0].id])[0]} would be there twice; nothing was published")
        if not after and not added:
            raise UserError(f"that would leave no pair in {language!r}; train a bot without it instead")
        texts: dict[str, str] = {}
        for pair in (*(live[name] for name in sorted(after)), *added):
            if texts.setdefault(pair.answer_id, pair.answer) != pair.answer:
                raise CorpusError(f"{pair.answer_id!r} would have two texts ({language}); nothing was published")
    return changed


def left(plan: Plan, bot: Chatbot) -> set[str]:
    """Ids of the answers that there are afterwards."""
    gone = {(pair.language, pair.id) for pair in plan.removed}
    lines = bot.lines.items()
    kept = [p for language, line in lines for p in line.table.pairs.values() if (language, p.id) not in gone]
    return {pair.answer_id for pair in (*kept, *plan.added)}


def apply(plan: Plan, bot: Chatbot) -> None:
    """In memory."""
    for language in sorted({pair.language for pair in (*plan.removed, *plan.added)}):
        removed, added = (
            [pair for pair in pairs if pair.language == language] for pairs in (plan.removed, plan.added)
        )
        bot.lines[language].change([pair.id for pair in removed], added)
