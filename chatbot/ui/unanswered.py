"""The desk's tab of what customers asked and the bot could not answer, by topic.

In: a journal's unanswered questions and a `Mend`. Out: Gradio components inside the tab. Each question is asked
again first, and one that the bot now answers is left out. So a gap goes when its answer comes, by whatever way,
and comes back when that is undone. Questions that need no answer are dismissed.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from chatbot.domain import Conversation, Reason
from chatbot.errors import ChatbotError, trace
from chatbot.journal import Unanswered, cleaned
from chatbot.protocols import Responder
from chatbot.ui.mend import Mend, Subject
from chatbot.ui.mend_panel import Panel, PanelEvents, lay_out_done, lay_out_panel
from chatbot.ui.mend_show import Topic, progress, topic_head, topics
from chatbot.ui.mend_tab import TabEvents, TabParts
from chatbot.ui.mend_words import MEND_WORDS, MendWords
from chatbot.ui.parts import CLICKS, QUIET, SPEAKS, Drawn
from chatbot.ui.show import quoted
from chatbot.ui.stubless import gr

logger = logging.getLogger(__name__)

SINCE = timedelta(days=90)
ASKED_AGAIN = 500  # different questions, the most frequent ones; the others are taken to be open
AT_ONCE = 10  # of them between two reports
LISTED = 30  # questions of a topic that can be chosen
PROVENANCE = "added by {agent}, {day}"


@dataclass(frozen=True, eq=False, slots=True)
class Shown:
    """What the list holds: topics, how many questions there are in languages that the bot lacks, which topic is
    chosen, and the state of things when the bot was asked again."""

    topics: tuple[Topic, ...] = ()
    elsewhere: tuple[tuple[str, int], ...] = ()
    chosen: int | None = None
    state: str = ""


@dataclass(frozen=True)
class GapParts(TabParts):
    status: gr.HTML
    questions: gr.CheckboxGroup
    dismiss: gr.Button


def still_open(asked: Sequence[Unanswered], bot: Responder) -> Iterator[float | list[Unanswered]]:
    """Shares of the work from 0 to 1, then the questions that the bot cannot answer now either."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in asked:
        counts[one.language, cleaned(one.text)] += one.count
    texts = {(one.language, cleaned(one.text)): one.text for one in asked}
    again = [key for key, _ in counts.most_common(ASKED_AGAIN)]
    answered = set()
    for number, key in enumerate(again):
        if number % AT_ONCE == 0:
            yield number / len(again)
        reply = bot.reply(Conversation(language=key[0]), texts[key])
        if reply.decision.reason not in (Reason.UNSURE, Reason.AMBIGUOUS):
            answered.add(key)
    yield [one for one in asked if (one.language, cleaned(one.text)) not in answered]


def by_topic(left: Sequence[Unanswered], mend: Mend, now: datetime) -> Shown:
    """The gaps of every language that the bot has, the most often asked first."""
    from chatbot.insight.gaps import Asked, find

    found = [
        Topic(language, gap)
        for language, line in sorted(mend.live.lines.items())
        for gap in find(
            [Asked(one.text, one.time, one.count) for one in left if one.language == language], line, now
        )
    ]
    found.sort(key=lambda topic: -topic.gap.count)
    elsewhere: Counter[str] = Counter()
    for one in left:
        if one.language not in mend.live.lines:
            elsewhere[one.language] += one.count
    return Shown(tuple(found), tuple(sorted(elsewhere.items())))


@dataclass(frozen=True)
class _Events(TabEvents[Shown]):
    parts: GapParts

    def labels(self, words: MendWords) -> Drawn:
        parts = self.parts
        return {
            parts.tab: gr.Tab(label=words.gaps_tab),
            parts.questions: gr.CheckboxGroup(label=words.questions),
            parts.dismiss: gr.Button(words.dismiss),
        }

    def look(self, language: str) -> Iterator[Drawn]:
        words, parts, now = MEND_WORDS[language], self.parts, datetime.now().astimezone()
        left: Sequence[Unanswered] = ()
        state = self.mend.state
        try:
            for step in still_open(self.mend.reviews.unanswered(now - SINCE), self.mend.live):
                if isinstance(step, float):
                    yield {parts.status: progress(words.reading, step)}
                else:
                    left = step
            shown = replace(by_topic(left, self.mend, now), state=state)
        except ChatbotError as failure:
            logger.error("Unanswered questions could not be read:\n%s", trace(failure))
            gr.Warning(words.failed)
            yield {parts.status: ""}
            return
        yield {parts.status: "", **self._opened(language, shown)}

    def choose(self, language: str, shown: Shown, event: gr.EventData) -> Drawn:
        number = int(event._data.get("gap", -1))
        if not 0 <= number < len(shown.topics):
            return gr.skip()
        return self._opened(language, replace(shown, chosen=number))

    def _opened(self, language: str, shown: Shown) -> Drawn:
        parts = self.parts
        topic = None if shown.chosen is None else shown.topics[shown.chosen]
        subject = None if topic is None else Subject(topic.language, topic.gap.name, PROVENANCE)
        texts = () if topic is None else topic.gap.texts[:LISTED]
        return {
            **self.listed(language, shown),
            parts.shown: shown,
            parts.subject: subject,
            parts.questions: gr.CheckboxGroup(
                [(quoted(text), text) for text in texts], value=list(texts), visible=topic is not None
            ),
            parts.dismiss: gr.Button(visible=topic is not None),
            **self.panel.opened(language, subject),
        }

    def dismiss(self, language: str, agent: str, subject: Subject | None, questions: Sequence[str]) -> Drawn:
        if subject is None:  # a double click
            return gr.skip()
        try:
            return self.panel.told(language, self.mend.dismiss(subject, questions, agent))
        except ChatbotError as mistake:
            self.panel.tell(language, mistake)
            return gr.skip()

    def listed(self, language: str, shown: Shown) -> Drawn:
        words, parts = MEND_WORDS[language], self.parts
        topic = None if shown.chosen is None else shown.topics[shown.chosen]
        return {
            parts.list: topics(shown.topics, shown.chosen, shown.elsewhere, words),
            parts.head: topic_head(topic, LISTED, words),
        }


def build_unanswered(mend: Mend, language: gr.Radio, agent: gr.Textbox, arrived: Any) -> None:
    """The tab, inside the desk's tabs; `arrived` is the event after which the page's language is known."""
    words = MEND_WORDS[language.value]
    with gr.Tab(words.gaps_tab, elem_id="gaps") as tab:
        parts, panel = _lay_out(tab, words)
    on = _Events(parts, PanelEvents(panel, mend), mend)
    every = on.wire(language, agent, arrived, parts.questions)
    asked = [language, agent, parts.subject, parts.questions]
    on.afterwards(language)(parts.dismiss.click(on.dismiss, asked, every, **QUIET))


def _lay_out(tab: gr.Tab, words: MendWords) -> tuple[GapParts, Panel]:
    shown, subject = gr.State(Shown()), gr.State(None)
    done = lay_out_done("gaps", words)
    with gr.Row(elem_classes="mend"):
        with gr.Column(elem_classes="list", scale=2):
            refresh = gr.Button(words.refresh, elem_id="gaps-refresh", size="sm")
            status = gr.HTML(elem_id="gaps-status", js_on_load=SPEAKS)
            listed = gr.HTML(topics((), None, (), words), elem_id="gaps-list", js_on_load=CLICKS)
        with gr.Column(elem_classes="detail", scale=5):
            head = gr.HTML(topic_head(None, LISTED, words), elem_id="gaps-head")
            questions = gr.CheckboxGroup(label=words.questions, elem_id="gaps-questions", visible=False)
            dismiss = gr.Button(words.dismiss, elem_id="gaps-dismiss", size="sm", visible=False)
            with gr.Column(visible=False) as body:
                panel = lay_out_panel("gaps", body, done, words)
    return GapParts(tab, shown, subject, refresh, listed, head, status, questions, dismiss), panel
