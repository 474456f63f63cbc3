"""The tab "Hit test": questions in, what the bot would do out.

In: the served bot and the language that the page speaks. It lays itself out where it is called, and wires itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from chatbot.edit import LiveBot
from chatbot.errors import ChatbotError
from chatbot.insight import hittest
from chatbot.insight.hittest import Outcome, Probes
from chatbot.tabular import TABLES
from chatbot.ui.figures import problem, sheets
from chatbot.ui.held_out import progress
from chatbot.ui.hits import EVERYTHING, PAGE, Tried, candidates, faults, hit_table, summed_up
from chatbot.ui.parts import CLICKS, EACH, LAST, QUIET, SPEAKS, Drawn, Parts, busy
from chatbot.ui.stubless import gr
from chatbot.ui.workshop_words import WORKSHOP_WORDS, HitWords


@dataclass(frozen=True)
class TabParts(Parts):
    """The tab's components that change."""

    tried: gr.State
    about: gr.HTML
    questions: gr.Textbox
    run: gr.Button
    file: gr.UploadButton
    status: gr.HTML
    only: gr.Radio
    hits: gr.HTML
    chosen: gr.HTML
    files: gr.HTML


@dataclass(frozen=True)
class _Events:
    """What happens when something on the tab is touched."""

    parts: TabParts
    live: LiveBot

    def run(self, typed: str, language: str) -> Drawn:
        return self._tried(partial(hittest.pasted, typed), language)

    def read(self, file: str, language: str) -> Drawn:
        return self._tried(partial(hittest.read, Path(file)), language)

    def _tried(self, read: Callable[[], Probes], language: str) -> Drawn:
        words = WORKSHOP_WORDS[language].hit_test
        try:
            probes = read()
        except ChatbotError as mistake:
            return {self.parts.status: problem(str(mistake))}
        if not probes.probes:
            return {self.parts.status: problem(words.nothing) + faults(probes.bad_rows, words)}
        known = {pair.answer_id for pair in self.live.pairs()}
        hits = hittest.ask(probes.probes, self.live, known, progress(words.asking))
        table = hittest.rows(hits)
        files = sheets("hit-test", hittest.COLUMNS, table, ".csv", ".xlsx")
        return self.draw(Tried(hits, probes.bad_rows), EVERYTHING, language) | {self.parts.files: files}

    def draw(self, tried: Tried, only: str, language: str) -> Drawn:
        words = WORKSHOP_WORDS[language].hit_test
        judged = any(hit.outcome is not Outcome.UNJUDGED for hit in tried.hits)
        return {
            self.parts.tried: tried,
            self.parts.status: summed_up(tried, language),
            self.parts.only: gr.Radio(_choices(words), value=only, label=words.only, visible=judged),
            self.parts.hits: hit_table(tried, only, language),
            self.parts.chosen: candidates(tried, language),
        }

    def filter(self, tried: Tried, only: str, language: str) -> Drawn:
        return {
            self.parts.tried: (anew := replace(tried, shown=PAGE, chosen=None)),
            self.parts.hits: hit_table(anew, only, language),
            self.parts.chosen: candidates(anew, language),
        }

    def press(self, tried: Tried, only: str, language: str, event: gr.EventData) -> Drawn:
        pressed = event._data
        if "more" in pressed:
            tried = replace(tried, shown=tried.shown + PAGE)
        elif 0 <= int(pressed.get("hit", -1)) < len(tried.hits):
            tried = replace(tried, chosen=int(pressed["hit"]))
        else:
            return gr.skip()
        return {
            self.parts.tried: tried,
            self.parts.hits: hit_table(tried, only, language),
            self.parts.chosen: candidates(tried, language),
        }

    def speak(self, tried: Tried, only: str, language: str) -> Drawn:
        words = WORKSHOP_WORDS[language].hit_test
        labels = {
            self.parts.about: f"<p>{words.about}</p>",
            self.parts.questions: gr.Textbox(label=words.questions),
            self.parts.run: words.run,
            self.parts.file: gr.UploadButton(label=words.file),
        }
        return labels | (self.draw(tried, only, language) if tried.hits else {})


def tab(live: LiveBot, language: gr.Radio) -> None:
    parts = _lay_out(WORKSHOP_WORDS[language.value].hit_test)
    on, every = _Events(parts, live), parts.all()
    slow = busy(parts.status)
    parts.run.click(on.run, [parts.questions, language], every, **slow)
    parts.file.upload(on.read, [parts.file, language], every, **slow)
    seen = [parts.tried, parts.only, language]
    parts.only.input(on.filter, seen, every, **LAST, **QUIET)
    parts.hits.click(on.press, seen, every, **EACH, **QUIET)
    language.change(on.speak, seen, every, **QUIET)


def _lay_out(words: HitWords) -> TabParts:
    tried = gr.State(Tried())
    about = gr.HTML(f"<p>{words.about}</p>")
    questions = gr.Textbox(label=words.questions, lines=3, max_lines=12, elem_id="probes")
    with gr.Row(elem_classes="bar"):
        run = gr.Button(words.run, variant="primary", elem_id="try")
        file = gr.UploadButton(words.file, file_types=list(TABLES), elem_id="probe-file")
    status = gr.HTML(elem_id="hit-status", js_on_load=SPEAKS)
    only = gr.Radio(
        _choices(words), value=EVERYTHING, label=words.only, visible=False, elem_id="hit-only", container=False
    )
    hits = gr.HTML(elem_id="hits", js_on_load=CLICKS)
    chosen = gr.HTML(elem_id="hit-candidates")
    files = gr.HTML(elem_id="hit-files")
    return TabParts(tried, about, questions, run, file, status, only, hits, chosen, files)


def _choices(words: HitWords) -> list[tuple[str, str]]:
    judged = [outcome for outcome in Outcome if outcome is not Outcome.UNJUDGED]
    return [(words.everything, EVERYTHING), *((words.outcomes[one], one.value) for one in judged)]
