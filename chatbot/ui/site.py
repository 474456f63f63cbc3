"""The pages of bots: the customer's chat, the agent's desk, the lead's workshop.

In: served bots. Out: pages by path (paths.py), for `launch`. No bot is loaded for its pages: that waits until
somebody asks it something.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from chatbot.decide import Calibrated
from chatbot.domain import Candidate, Conversation
from chatbot.edit import LiveBot
from chatbot.insight.summary import summary
from chatbot.serve.bots import Served
from chatbot.ui.chat import build_page
from chatbot.ui.desk import Advice, build_desk
from chatbot.ui.paths import path
from chatbot.ui.stubless import gr
from chatbot.ui.workshop import build_workshop


def pages(bots: Sequence[Served]) -> Mapping[str, gr.Blocks]:
    """All pages of all bots."""
    found: dict[str, gr.Blocks] = {}
    for bot in bots:
        at = partial(path, bot.name, first=not found)
        found |= {
            at(): _chat(bot, "chatbot" if not found else f"chatbot:{bot.name}"),
            at("desk"): _desk(bot),
            at("workshop"): build_workshop(bot.editor, bot.journal, company=bot.company, dialogues=bot.dialogues),
        }
    return found


def _chat(bot: Served, remembered_as: str) -> gr.Blocks:
    return build_page(
        bot.asked,
        bot.talks,
        bot.desk,
        company=bot.company,
        examples=bot.live.templates.examples,
        languages=bot.live.languages,
        lines=partial(_lines, bot.live),
        remembered_as=remembered_as,
    )


def _desk(bot: Served) -> gr.Blocks:
    live, advice = bot.live, Advice(partial(_answers, bot.live), partial(_summary, bot.live))
    return build_desk(bot.talks, bot.desk, advice, company=bot.company, languages=live.languages, mend=bot.mend)


def _lines(live: LiveBot) -> Mapping[str, Calibrated]:
    return live.lines  # others after a rollback


def _answers(live: LiveBot, conversation: Conversation, text: str) -> Sequence[Candidate]:
    return live.reply(conversation, text).decision.candidates


def _summary(live: LiveBot, texts: Sequence[str]) -> Sequence[str]:
    with live.in_use() as bot:
        return summary(texts, bot.line_for(texts[-1]).encoder.encode)
