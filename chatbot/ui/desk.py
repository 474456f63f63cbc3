"""The support agent's desk: who waits, what they said, what to answer.

In: a journal, a desk, the bot (for suggestions) and its company's name. Out: a Gradio page. It exists so that a
hand-over reaches a person at once, with all that was said, and no two agents answer the same one.

The page is a function of one frozen value, `casework.View`, which each event makes anew from the desk, the agent's
name, the language and the conversation that was chosen. Every second the page looks for what is new.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from chatbot.desk import Author, Desk, Outcome
from chatbot.domain import Candidate, Conversation
from chatbot.errors import ChatbotError, Taken, UserError, trace
from chatbot.protocols import Journal
from chatbot.ui.blamed import build_blamed
from chatbot.ui.casework import SUGGESTED, View, head, inbox, written
from chatbot.ui.desk_layout import CaseworkParts, draw, lay_out
from chatbot.ui.desk_words import DESK_WORDS
from chatbot.ui.mend import Mend
from chatbot.ui.parts import EACH, LAST, QUIET, Drawn, remembered
from chatbot.ui.show import entries
from chatbot.ui.signed import SignedBlocks
from chatbot.ui.stubless import gr
from chatbot.ui.unanswered import build_unanswered
from chatbot.ui.words import spoken

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Advice:
    """What helps an agent: stored answers that may fit, and a summary of what a customer wrote."""

    answers: Callable[[Conversation, str], Sequence[Candidate]]
    summary: Callable[[Sequence[str]], Sequence[str]]


@dataclass(frozen=True)
class _Events:
    """What happens when something on the desk is touched."""

    parts: CaseworkParts
    company: str
    journal: Journal
    desk: Desk
    advice: Advice
    offered: Sequence[str]

    def draw(self, view: View) -> Drawn:
        return draw(self.parts, view, self.company)

    def looked(self, language: str, agent: str, talk: str, shown: View) -> View:
        """The view as the desk now is. Advice for what was `shown` already is not made again."""
        view = View(language, agent.strip(), tuple(self.desk.cases()))
        chosen = next((case for case in view.cases if case.conversation_id == talk), None)
        if chosen is None:
            return view
        said = entries(self.journal.exchanges(talk), self.desk.messages(talk))
        view = replace(view, chosen=chosen, entries=said)
        if shown.talk == talk and len(shown.entries) == len(said):
            return replace(view, about=shown.about, suggested=shown.suggested)
        return self._advised(view)

    def _advised(self, view: View) -> View:
        """With a summary and suggestions for what the customer wrote last; without, where the bot fails."""
        texts = written(view.entries)
        try:
            about, found = self.advice.summary(texts), self.advice.answers(self._before(view), texts[-1])
        except Exception as failure:  # noqa: BLE001
            logger.error("No advice could be given:\n%s", trace(failure))
            return replace(view, about=tuple(texts[-SUGGESTED:]), suggested=())
        return replace(view, about=tuple(about), suggested=tuple(found[:SUGGESTED]))

    def _before(self, view: View) -> Conversation:
        assert view.chosen is not None
        conversation = self.journal.conversation(view.chosen.conversation_id)
        last = written(view.entries)[-1]
        places = [i for i, turn in enumerate(conversation.turns) if turn.text == last]
        return replace(conversation, turns=conversation.turns[: places[-1] if places else None])

    def arrive(self, saved: dict[str, Any], shown: View, request: gr.Request) -> Drawn:
        language = remembered(saved, request, self.offered)
        agent = request.username or str(saved.get("agent", ""))
        drawn = self.draw(self.looked(language, agent, "", shown))
        own = not request.username  # a name that is signed in is not typed
        known = {self.parts.agent: gr.Textbox(agent, interactive=own)} if agent else {}  # or what was typed stays
        return drawn | known | {self.parts.language: language, self.parts.clock: gr.Timer(active=True)}

    def look(self, language: str, agent: str, talk: str, shown: View) -> Drawn:
        try:
            view = self.looked(language, agent, talk, shown)
        except ChatbotError as failure:
            logger.error("The desk could not be read:\n%s", trace(failure))
            return gr.skip()
        if (view.chosen, view.agent, view.language, len(view.entries)) != (
            *(shown.chosen, shown.agent, shown.language, len(shown.entries)),
        ):
            return self.draw(view)
        return {self.parts.inbox: inbox(view), self.parts.head: head(view)}

    def choose(self, language: str, agent: str, talk: str, shown: View, event: gr.EventData) -> Drawn:
        talk = str(event._data.get("talk", talk))
        return self.draw(self.looked(language, agent, talk, shown)) | {self.parts.talk: talk}

    def claim(self, language: str, agent: str, talk: str, shown: View) -> Drawn:
        return self._do(language, agent, talk, shown, self.desk.claim)

    def release(self, language: str, agent: str, talk: str, shown: View) -> Drawn:
        return self._do(language, agent, talk, shown, self.desk.release)

    def resolve(self, language: str, agent: str, talk: str, shown: View) -> Drawn:
        return self._do(language, agent, talk, shown, partial(_close, self.desk, Outcome.RESOLVED))

    def hand_back(self, language: str, agent: str, talk: str, shown: View) -> Drawn:
        return self._do(language, agent, talk, shown, partial(_close, self.desk, Outcome.HANDED_BACK))

    def send(self, language: str, agent: str, talk: str, shown: View, typed: str) -> Drawn:
        if not typed.strip():
            return gr.skip()
        said = {self.parts.reply: gr.Textbox("")}
        return self._do(language, agent, talk, shown, partial(_say, self.desk, typed.strip()), said)

    def suggest(self, language: str, agent: str, talk: str, shown: View, event: gr.EventData) -> Drawn:
        pressed = event._data
        number = int(pressed.get("send", pressed.get("use", -1)))
        if not 0 <= number < len(shown.suggested):
            return gr.skip()
        answer = shown.suggested[number].pair.answer
        if "send" in pressed:
            return self._do(language, agent, talk, shown, partial(_say, self.desk, answer))
        drafted = {self.parts.reply: gr.Textbox(answer)}
        return self._do(language, agent, talk, shown, self.desk.claim, drafted)

    def _do(
        self,
        language: str,
        agent: str,
        talk: str,
        shown: View,
        done: Callable[[str, str], object],
        afterwards: Drawn | None = None,
    ) -> Drawn:
        """Do something with the chosen conversation, as an agent; then draw it, and `afterwards`. Where it could
        not be done, what was typed stays."""
        words, agent = DESK_WORDS[language], agent.strip()
        if not agent:
            gr.Warning(words.nameless)
            return gr.skip()
        try:
            done(talk, agent)
        except UserError as mistake:  # another agent has it, or it was closed
            gr.Warning(str(mistake) if isinstance(mistake, Taken) else words.gone)
            afterwards = None
        except ChatbotError as failure:
            logger.error("What an agent did could not be kept:\n%s", trace(failure))
            gr.Warning(words.failed)
            return gr.skip()
        return self.draw(self.looked(language, agent, talk, shown)) | (afterwards or {})


def _close(desk: Desk, outcome: Outcome, talk: str, agent: str) -> None:
    desk.close(talk, outcome, agent)


def _say(desk: Desk, text: str, talk: str, agent: str) -> None:
    desk.claim(talk, agent)  # raises Taken; who answers has the case
    desk.say(talk, Author.AGENT, text, agent)


def build_desk(
    journal: Journal,
    desk: Desk,
    advice: Advice,
    *,
    company: str,
    languages: Sequence[str],
    mend: Mend | None = None,
) -> gr.Blocks:
    """The desk of `company`, in those of the bot's languages that the page has words for. With a `mend` agents
    also give answers to what got none, or a wrong one."""
    offered = [language for language in spoken(languages) if language in DESK_WORDS]
    with SignedBlocks(title=f"{company} · {DESK_WORDS[offered[0]].title}", analytics_enabled=False) as page:
        parts, tabs = lay_out(offered)
        on = _Events(parts, company, journal, desk, advice, offered)
        every, now = parts.all(), [parts.language, parts.agent, parts.talk, parts.shown]
        arrived = page.load(on.arrive, [parts.saved, parts.shown], every, **QUIET)
        parts.clock.tick(on.look, now, every, **QUIET)
        gr.on([parts.agent.input, parts.language.input], on.look, now, every, **QUIET, **LAST)
        parts.inbox.click(on.choose, now, every, **EACH, **QUIET)
        parts.claim.click(on.claim, now, every, **QUIET)
        parts.release.click(on.release, now, every, **QUIET)
        parts.resolve.click(on.resolve, now, every, **QUIET)
        parts.hand_back.click(on.hand_back, now, every, **QUIET)
        parts.reply.submit(on.send, [*now, parts.reply], every, **QUIET)
        parts.suggestions.click(on.suggest, now, every, **QUIET)
        if mend is not None:
            with tabs:
                build_unanswered(mend, parts.language, parts.agent, arrived)
                build_blamed(mend, journal, desk, parts.language, parts.agent, arrived)
    return page
