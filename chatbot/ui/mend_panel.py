"""Where an agent gives questions an answer: search the stored ones or write one; compare, publish, take back.

In: a `Mend`, the page's language and agent, what they look at (`Subject`) and the questions that they chose. Out:
Gradio components and what happens when one is touched. Both tabs use it, each with its own.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from chatbot.errors import ChatbotError, trace
from chatbot.ui.mend import Dismissed, Done, Draft, Mend, Refused, Subject
from chatbot.ui.mend_show import comparison, finished, offers, progress
from chatbot.ui.mend_words import MEND_WORDS, MendWords
from chatbot.ui.parts import CLICKS, LAST, QUIET, SPEAKS, Drawn, Parts
from chatbot.ui.stubless import gr

logger = logging.getLogger(__name__)

IN_SIGHT = """
watch('value', () => { if (element.textContent.trim()) element.scrollIntoView({block: 'nearest'}); });
"""
LONGEST_ANSWER = 10_000


@dataclass(frozen=True)
class Panel(Parts):
    """The components that change."""

    draft: gr.State
    done: gr.State
    finished: gr.HTML
    undo: gr.Button
    body: gr.Column
    outcome: gr.HTML
    publish: gr.Button
    cancel: gr.Button
    search: gr.Textbox
    found: gr.HTML
    new: gr.Accordion
    text: gr.Textbox
    id: gr.Textbox
    add: gr.Button


def lay_out_done(prefix: str, words: MendWords) -> tuple[gr.State, gr.HTML, gr.Button]:
    """What was published, with a button that takes it back."""
    done = gr.State(None)
    with gr.Row(elem_classes="done"):
        told = gr.HTML(elem_id=f"{prefix}-finished", js_on_load=SPEAKS)
        undo = gr.Button(words.undo, elem_id=f"{prefix}-undo", elem_classes="haven", size="sm", visible=False)
    return done, told, undo


def lay_out_panel(
    prefix: str, body: gr.Column, done: tuple[gr.State, gr.HTML, gr.Button], words: MendWords
) -> Panel:
    """The rest, inside `body`."""
    draft = gr.State(None)
    outcome = gr.HTML(elem_id=f"{prefix}-outcome", js_on_load=SPEAKS + IN_SIGHT)
    with gr.Row(elem_classes="acts"):
        publish = gr.Button(
            words.publish, elem_id=f"{prefix}-publish", variant="primary", size="sm", visible=False
        )
        cancel = gr.Button(words.cancel, elem_id=f"{prefix}-cancel", size="sm", visible=False)
    search = gr.Textbox(label=words.search, elem_id=f"{prefix}-search", max_lines=1, max_length=500)
    found = gr.HTML(elem_id=f"{prefix}-offers", js_on_load=CLICKS)
    with gr.Accordion(words.new, open=False, elem_id=f"{prefix}-new") as new:
        text = gr.Textbox(
            label=words.text, elem_id=f"{prefix}-text", lines=3, max_lines=12, max_length=LONGEST_ANSWER
        )
        answer_id = gr.Textbox(label=words.id, elem_id=f"{prefix}-id", max_lines=1, max_length=80)
        add = gr.Button(words.add, elem_id=f"{prefix}-add", size="sm")
    return Panel(draft, *done, body, outcome, publish, cancel, search, found, new, text, answer_id, add)


@dataclass(frozen=True)
class PanelEvents:
    """What happens when something in the panel is touched."""

    parts: Panel
    mend: Mend

    def listen(
        self,
        language: gr.Radio,
        agent: gr.Textbox,
        subject: gr.State,
        questions: Any,
        afterwards: Callable[[Any], object],
    ) -> None:
        """Wire the components; `afterwards` gets each event that may have changed what the bot answers."""
        parts, every, asked = self.parts, self.parts.all(), [language, agent, subject, questions]
        gr.on(
            [parts.search.submit, parts.search.change],
            self.search,
            [language, subject, parts.search],
            [parts.found],
            **LAST,  # of what is typed quickly
            **QUIET,
        )
        afterwards(parts.found.click(self.choose, asked, every, **QUIET))
        afterwards(parts.add.click(self.write, [*asked, parts.text, parts.id], every, **QUIET))
        afterwards(parts.publish.click(self.publish, [language, agent, parts.draft], every, **QUIET))
        parts.cancel.click(self.cancel, None, every, **QUIET)
        afterwards(parts.undo.click(self.take_back, [language, agent, parts.done], every, **QUIET))

    def worded(self, language: str, draft: Draft | None, done: Done | Dismissed | None) -> Drawn:
        """All that the panel says by itself."""
        words, parts = MEND_WORDS[language], self.parts
        return {
            **self._drafted(language, draft),
            parts.finished: finished(done, words),
            parts.undo: gr.Button(words.undo, visible=done is not None),
            parts.search: gr.Textbox(label=words.search),
            parts.new: gr.Accordion(label=words.new),
            parts.text: gr.Textbox(label=words.text),
            parts.id: gr.Textbox(label=words.id),
            parts.add: gr.Button(words.add),
        }

    def opened(self, language: str, subject: Subject | None) -> Drawn:
        """The panel for something else; closed where there is nothing."""
        parts = self.parts
        if subject is None:
            return {**self._drafted(language, None), parts.body: gr.Column(visible=False)}
        return {
            **self._drafted(language, None),
            parts.body: gr.Column(visible=True),
            parts.search: gr.Textbox(subject.name[:500]),
            parts.found: self._found(language, subject, subject.name),
            parts.new: gr.Accordion(open=False),
            parts.text: gr.Textbox(""),
            parts.id: gr.Textbox(self.mend.fresh_id(subject.name)),
        }

    def _drafted(self, language: str, draft: Draft | None) -> Drawn:
        words, parts = MEND_WORDS[language], self.parts
        label = words.publish_anyway if draft is not None and draft.harms else words.publish
        return {
            parts.draft: draft,
            parts.outcome: "" if draft is None else comparison(draft, words),
            parts.publish: gr.Button(label, visible=draft is not None),
            parts.cancel: gr.Button(words.cancel, visible=draft is not None),
        }

    def search(self, language: str, subject: Subject | None, text: str) -> Drawn:
        if subject is None:
            return gr.skip()
        return {self.parts.found: self._found(language, subject, text)}

    def _found(self, language: str, subject: Subject, text: str) -> str:
        """Answers to choose from; not the one that was wrong."""
        found = self.mend.offers(subject.language, text)
        return offers([one for one in found if one.answer_id != subject.wrong], MEND_WORDS[language])

    def choose(
        self,
        language: str,
        agent: str,
        subject: Subject | None,
        questions: str | Sequence[str],
        event: gr.EventData,
    ) -> Iterator[Drawn]:
        answer_id = event._data.get("answer")
        if answer_id is None or subject is None:
            yield gr.skip()
            return
        make = partial(self.mend.to_answer, subject, _listed(questions), str(answer_id), agent)
        yield from self._make(language, agent, make)

    def write(
        self,
        language: str,
        agent: str,
        subject: Subject | None,
        questions: str | Sequence[str],
        text: str,
        answer_id: str,
    ) -> Iterator[Drawn]:
        if subject is None:
            yield gr.skip()
            return
        make = partial(self.mend.new_answer, subject, _listed(questions), answer_id, text, agent)
        yield from self._make(language, agent, make)

    def _make(self, language: str, agent: str, make: Callable[[], Draft]) -> Iterator[Drawn]:
        """Make a draft and compare it; publish it at once where there is nothing to compare on."""
        words, parts = MEND_WORDS[language], self.parts
        try:
            draft = make()
            if not self.mend.check.covers(draft.plan):
                done = self._publish(language, draft, agent)
                yield {**done, parts.finished: done[parts.finished] + _quiet(words.no_dialogues)}
                return
            for step in self.mend.compared(draft):
                if isinstance(step, Draft):
                    yield self._drafted(language, step)
                else:
                    yield {**self._drafted(language, None), parts.outcome: progress(words.comparing, step)}
        except ChatbotError as mistake:
            self.tell(language, mistake)
            yield self._drafted(language, None)

    def publish(self, language: str, agent: str, draft: Draft | None) -> Drawn:
        if draft is None:  # a double click
            return gr.skip()
        try:
            return self._publish(language, draft, agent)
        except ChatbotError as mistake:
            self.tell(language, mistake)
            return gr.skip()

    def _publish(self, language: str, draft: Draft, agent: str) -> Drawn:
        done = self.mend.publish(draft, agent)
        logger.info("An agent has published %s under %r", done.published.version, done.answer_id)
        return self.told(language, done)

    def told(self, language: str, done: Done | Dismissed) -> Drawn:
        """What was done, with a way back."""
        words, parts = MEND_WORDS[language], self.parts
        return {
            **self._drafted(language, None),
            parts.done: done,
            parts.finished: finished(done, words),
            parts.undo: gr.Button(visible=True),
        }

    def cancel(self) -> Drawn:
        parts = self.parts
        hidden = {part: gr.Button(visible=False) for part in (parts.publish, parts.cancel)}
        return {parts.draft: None, parts.outcome: "", **hidden}

    def take_back(self, language: str, agent: str, done: Done | Dismissed | None) -> Drawn:
        if done is None:
            return gr.skip()
        try:
            self.mend.take_back(done, agent)
        except ChatbotError as mistake:
            self.tell(language, mistake)
            return gr.skip()
        words = MEND_WORDS[language]
        told = _quiet(words.asked_again if isinstance(done, Dismissed) else words.undone)
        return {self.parts.done: None, self.parts.finished: told, self.parts.undo: gr.Button(visible=False)}

    def tell(self, language: str, mistake: ChatbotError) -> None:
        words = MEND_WORDS[language]
        if isinstance(mistake, Refused):
            gr.Warning(words.refusals[mistake.why])
            return
        logger.error("What an agent wanted could not be done:\n%s", trace(mistake))
        gr.Warning(words.failed)


def _listed(questions: str | Sequence[str]) -> Sequence[str]:
    return [questions] if isinstance(questions, str) else questions


def _quiet(text: str) -> str:
    return f'<p class="quiet">{text}</p>'
