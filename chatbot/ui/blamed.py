"""The desk's tab of answers that customers marked with a thumb down.

In: a journal's blamed answers and a `Mend`. Out: Gradio components inside the tab. An agent says that the answer
was right, or gives the question another one; either way it leaves the list, for all agents, and a correction that
is taken back brings it back.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from chatbot.desk import Desk
from chatbot.errors import ChatbotError, trace
from chatbot.journal import Blamed
from chatbot.protocols import Journal
from chatbot.ui.casework import View
from chatbot.ui.mend import Mend, Refused, Subject, Why
from chatbot.ui.mend_panel import Panel, PanelEvents, lay_out_done, lay_out_panel
from chatbot.ui.mend_show import blamed_head, blamed_list
from chatbot.ui.mend_tab import TabEvents, TabParts
from chatbot.ui.mend_words import MEND_WORDS, MendWords
from chatbot.ui.parts import CLICKS, QUIET, Drawn
from chatbot.ui.show import Entry, entries
from chatbot.ui.stubless import gr

logger = logging.getLogger(__name__)

PROVENANCE = "corrected by {agent}, {day}"
LONGEST_QUESTION = 2_000


@dataclass(frozen=True, eq=False, slots=True)
class Shown:
    """What the list holds, the one that is chosen with all that was said, and the state of things then."""

    blamed: tuple[Blamed, ...] = ()
    chosen: Blamed | None = None
    entries: tuple[Entry, ...] = ()
    state: str = ""


@dataclass(frozen=True)
class BlamedParts(TabParts):
    right: gr.Button
    question: gr.Textbox


@dataclass(frozen=True)
class _Events(TabEvents[Shown]):
    parts: BlamedParts
    journal: Journal
    desk: Desk

    def labels(self, words: MendWords) -> Drawn:
        parts = self.parts
        return {
            parts.tab: gr.Tab(label=words.blamed_tab),
            parts.right: gr.Button(words.was_right),
            parts.question: gr.Textbox(label=words.question),
        }

    def look(self, language: str) -> Iterator[Drawn]:
        yield self._looked(language)

    def _looked(self, language: str) -> Drawn:
        state = self.mend.state
        return self._tried(language, lambda: Shown(tuple(self.mend.reviews.blamed()), state=state))

    def choose(self, language: str, shown: Shown, event: gr.EventData) -> Drawn:
        number = int(event._data.get("exchange", 0))
        chosen = next((one for one in shown.blamed if one.number == number), None)
        if chosen is None:
            return gr.skip()
        talk = chosen.conversation_id

        def opened() -> Shown:
            said = entries(self.journal.exchanges(talk), self.desk.messages(talk))
            return replace(shown, chosen=chosen, entries=said)

        return self._tried(language, opened)

    def was_right(self, language: str, agent: str, subject: Subject | None) -> Drawn:
        if subject is None:  # a double click
            return gr.skip()
        words = MEND_WORDS[language]
        try:
            self.mend.was_right(subject, agent)
        except Refused as mistake:
            gr.Warning(words.refusals[mistake.why])
            return self._looked(language) if mistake.why is Why.JUDGED else gr.skip()
        except ChatbotError as failure:
            logger.error("A review could not be kept:\n%s", trace(failure))
            gr.Warning(words.failed)
            return gr.skip()
        gr.Info(words.dismissed)
        return self._looked(language)

    def _tried(self, language: str, read: Callable[[], Shown]) -> Drawn:
        """Draw what is read from the journal."""
        try:
            shown = read()
        except ChatbotError as failure:
            logger.error("Blamed answers could not be read:\n%s", trace(failure))
            gr.Warning(MEND_WORDS[language].failed)
            return gr.skip()
        parts, one = self.parts, shown.chosen
        subject = None
        if one is not None:
            subject = Subject(one.language, one.question, PROVENANCE, one.number, one.answer_id)
        return {
            **self.listed(language, shown),
            parts.shown: shown,
            parts.subject: subject,
            parts.right: gr.Button(visible=one is not None),
            parts.question: gr.Textbox("" if one is None else one.question[:LONGEST_QUESTION]),
            **self.panel.opened(language, subject),
        }

    def listed(self, language: str, shown: Shown) -> Drawn:
        words, parts, one = MEND_WORDS[language], self.parts, shown.chosen
        return {
            parts.list: blamed_list(shown.blamed, None if one is None else one.number, words),
            parts.head: blamed_head(one, shown.entries, View(language), words),
        }


def build_blamed(
    mend: Mend, journal: Journal, desk: Desk, language: gr.Radio, agent: gr.Textbox, arrived: Any
) -> None:
    """The tab, inside the desk's tabs; `arrived` is the event after which the page's language is known."""
    view = View(language.value)
    with gr.Tab(MEND_WORDS[view.language].blamed_tab, elem_id="blamed") as tab:
        parts, panel = _lay_out(tab, view)
    on = _Events(parts, PanelEvents(panel, mend), mend, journal, desk)
    every = on.wire(language, agent, arrived, parts.question)
    parts.right.click(on.was_right, [language, agent, parts.subject], every, **QUIET)


def _lay_out(tab: gr.Tab, view: View) -> tuple[BlamedParts, Panel]:
    words = MEND_WORDS[view.language]
    shown, subject = gr.State(Shown()), gr.State(None)
    done = lay_out_done("blamed", words)
    with gr.Row(elem_classes="mend"):
        with gr.Column(elem_classes="list", scale=2):
            refresh = gr.Button(words.refresh, elem_id="blamed-refresh", size="sm")
            listed = gr.HTML(blamed_list((), None, words), elem_id="blamed-list", js_on_load=CLICKS)
        with gr.Column(elem_classes="detail", scale=5):
            head = gr.HTML(blamed_head(None, (), view, words), elem_id="blamed-head")
            right = gr.Button(words.was_right, elem_id="blamed-right", size="sm", visible=False)
            with gr.Column(visible=False) as body:
                question = gr.Textbox(
                    label=words.question, elem_id="blamed-question", max_lines=4, max_length=LONGEST_QUESTION
                )
                panel = lay_out_panel("blamed", body, done, words)
    return BlamedParts(tab, shown, subject, refresh, listed, head, right, question), panel
