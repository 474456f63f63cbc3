"""The tab "Thresholds": held-out dialogues are asked once, then sliders show what other thresholds would do.

In: the served bot, held-out dialogues and the language that the page speaks. Publishing makes a version of the
bot, which can be undone as long as nothing else has changed it since. What was observed holds for the version that
was asked, and for the ones that differ from it by thresholds alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chatbot.decide import Calibration
from chatbot.domain import HeldOutDialogue
from chatbot.edit import LiveBot
from chatbot.editor import Editor
from chatbot.errors import ChatbotError
from chatbot.insight.observe import observe
from chatbot.insight.whatif import Table, Thresholds, curve, moved
from chatbot.ui.figures import problem, told
from chatbot.ui.held_out import chosen, progress
from chatbot.ui.parts import LAST, QUIET, SPEAKS, Drawn, Parts, busy
from chatbot.ui.sliders import Seen, changed, curves, effect, name_of, positions, thresholds
from chatbot.ui.stubless import gr
from chatbot.ui.workshop_words import WORKSHOP_WORDS, ThresholdWords

STEP = 0.001


@dataclass(frozen=True)
class TabParts(Parts):
    """The tab's components that change."""

    seen: gr.State
    about: gr.HTML
    served: gr.Radio
    observe: gr.Button
    file: gr.UploadButton
    status: gr.HTML
    body: gr.Column
    answer: gr.Slider
    clarify: gr.Slider
    later_answer: gr.Slider
    later_clarify: gr.Slider
    publish: gr.Button
    undo: gr.Button
    effect: gr.HTML
    curve: gr.HTML
    changes: gr.HTML

    @property
    def sliders(self) -> tuple[gr.Slider, ...]:
        return self.answer, self.clarify, self.later_answer, self.later_clarify


@dataclass(frozen=True)
class _Events:
    """What happens when something on the tab is touched."""

    parts: TabParts
    editor: Editor
    given: Sequence[HeldOutDialogue]

    @property
    def live(self) -> LiveBot:
        return self.editor.live

    def observe_given(self, served: str, language: str) -> Drawn:
        return self.observe(None, served, language)

    def observe(self, file: str | None, served: str, language: str) -> Drawn:
        words = WORKSHOP_WORDS[language].thresholds
        try:
            dialogues = chosen(file, self.given, words.missing)
            with self.live.in_use() as bot:
                version, turns = self.live.version, observe(dialogues, bot, progress(words.observing))
        except ChatbotError as mistake:
            return {self.parts.status: problem(str(mistake))}
        tables = {name: Table.of(found) for name, found in turns.items()}
        lines = {name: curve(table, bot.lines[name].calibration) for name, table in tables.items()}
        said = words.seen.format(turns=f"{sum(map(len, turns.values())):,}", version=version)
        return self.anew(Seen(tables, lines, version), served, language, told(said))

    def anew(self, seen: Seen, served: str, language: str, status: str) -> Drawn:
        """With the sliders where the thresholds in force are."""
        words = WORKSHOP_WORDS[language].thresholds
        there = positions(self._in_force(served))
        sliders = {slider: gr.Slider(value=at) for slider, at in zip(self.parts.sliders, there, strict=True)}
        nothing = served not in seen.tables or not seen.tables[served].turns
        if nothing:
            status += problem(words.nothing.format(language=name_of(served)))
        shown = {
            self.parts.seen: seen,
            self.parts.status: status,
            self.parts.body: gr.Column(visible=not nothing),
            self.parts.undo: gr.Button(words.undo, visible=seen.before is not None),
        }
        return shown | sliders | ({} if nothing else self._drawn(seen, served, language, there))

    def move(self, seen: Seen, served: str, language: str, *at: float) -> Drawn:
        """Draw what these positions of the sliders would do."""
        if served not in seen.tables:
            return gr.skip()
        if seen.version != self.live.version:
            return {self.parts.status: problem(WORKSHOP_WORDS[language].thresholds.stale)}
        return self._drawn(seen, served, language, at)

    def _drawn(self, seen: Seen, served: str, language: str, at: Sequence[float]) -> Drawn:
        words, now = WORKSHOP_WORDS[language].thresholds, self._in_force(served)
        then = moved(now, thresholds(at, now))
        table = seen.tables[served]
        return {
            self.parts.effect: effect(table, now, then, language),
            self.parts.curve: curves(table, now, then, seen.curves[served], words),
            self.parts.changes: changed(table, now, then, language),
        }

    def pick(self, seen: Seen, served: str, language: str) -> Drawn:
        return gr.skip() if not seen.tables else self.anew(seen, served, language, "")

    def publish(self, seen: Seen, served: str, language: str, who: str, *at: float) -> Drawn:
        words, before = WORKSHOP_WORDS[language].thresholds, self.live.version
        if served not in seen.tables or seen.version != before:
            return {self.parts.status: problem(words.stale)}
        now = self._in_force(served)
        wanted = thresholds(at, now)
        if wanted == Thresholds.of(now):
            return {self.parts.status: problem(words.unmoved)}
        try:
            version = self.editor.decide_by(served, moved(now, wanted), who, words.publish)
        except ChatbotError as mistake:
            return {self.parts.status: problem(str(mistake))}
        said = words.published.format(language=name_of(served), version=version)
        return self.anew(self._after(seen, served, version, before), served, language, told(said))

    def undo(self, seen: Seen, served: str, language: str, who: str) -> Drawn:
        words = WORKSHOP_WORDS[language].thresholds
        if seen.before is None or seen.version != self.live.version:
            return {self.parts.status: problem(words.stale)}
        try:
            version = self.editor.rollback(seen.before, who, words.undo)
        except ChatbotError as mistake:
            return {self.parts.status: problem(str(mistake))}
        said = told(words.undone.format(version=version))
        return self.anew(self._after(seen, served, version, None), served, language, said)

    def speak(self, seen: Seen, served: str, language: str, *at: float) -> Drawn:
        labels = self.labels(WORKSHOP_WORDS[language].thresholds)
        return labels | (self._drawn(seen, served, language, at) if served in seen.tables else {})

    def labels(self, words: ThresholdWords) -> Drawn:
        parts = self.parts
        named = (words.answer, words.clarify, words.later_answer, words.later_clarify)
        sliders = (gr.Slider(label=name, info=words.never) for name in named)
        return {
            parts.about: _about(words, len(self.given)),
            parts.served: gr.Radio(label=words.language),
            parts.observe: words.observe,
            parts.file: gr.UploadButton(label=words.file),
            parts.publish: words.publish,
            parts.undo: words.undo,
            **dict(zip(parts.sliders, sliders, strict=True)),
        }

    def _in_force(self, served: str) -> Calibration:
        return self.live.lines[served].calibration

    def _after(self, seen: Seen, served: str, version: str, before: str | None) -> Seen:
        """Once the thresholds in force are others."""
        line = curve(seen.tables[served], self._in_force(served))
        return replace(seen, version=version, before=before, curves={**seen.curves, served: line})


def tab(editor: Editor, dialogues: Sequence[HeldOutDialogue], language: gr.Radio, who: gr.Textbox) -> None:
    words = WORKSHOP_WORDS[language.value].thresholds
    parts = _lay_out(words, editor.live.languages, len(dialogues))
    on, every = _Events(parts, editor, dialogues), parts.all()
    slow = busy(parts.status)
    parts.observe.click(on.observe_given, [parts.served, language], every, **slow)
    parts.file.upload(on.observe, [parts.file, parts.served, language], every, **slow)
    now = [parts.seen, parts.served, language]
    parts.served.input(on.pick, now, every, **LAST, **QUIET)
    slid = [slider.input for slider in parts.sliders]
    gr.on(slid, on.move, [*now, *parts.sliders], every, **LAST, **QUIET)
    parts.publish.click(on.publish, [*now, who, *parts.sliders], every, **QUIET)
    parts.undo.click(on.undo, [*now, who], every, **QUIET)
    language.change(on.speak, [*now, *parts.sliders], every, **QUIET)


def _lay_out(words: ThresholdWords, lines: Sequence[str], given: int) -> TabParts:
    seen = gr.State(Seen())
    about = gr.HTML(_about(words, given))
    served = gr.Radio(
        [(name_of(line), line) for line in lines], value=lines[0], label=words.language, elem_id="served"
    )
    with gr.Row(elem_classes="bar"):
        observed = gr.Button(words.observe, variant="primary", visible=given > 0, elem_id="observe")
        file = gr.UploadButton(words.file, file_types=[".jsonl"], elem_id="thresholds-file")
    status = gr.HTML(elem_id="thresholds-status", js_on_load=SPEAKS)
    with gr.Column(visible=False, elem_id="thresholds-body") as body:
        with gr.Row():
            first = _slider(words.answer, words.never, "answer"), _slider(words.clarify, words.never, "clarify")
        with gr.Row():
            later = (
                _slider(words.later_answer, words.never, "later-answer"),
                _slider(words.later_clarify, words.never, "later-clarify"),
            )
        with gr.Row(elem_classes="bar"):
            publish = gr.Button(words.publish, variant="primary", elem_id="publish")
            undo = gr.Button(words.undo, visible=False, elem_id="undo")
        with gr.Row():
            with gr.Column(min_width=320):
                effects = gr.HTML(elem_id="effect")
            with gr.Column(min_width=320):
                drawn = gr.HTML(elem_id="risk-coverage")
        changes = gr.HTML(elem_id="changes")
    return TabParts(
        seen, about, served, observed, file, status, body, *first, *later, publish, undo, effects, drawn, changes
    )


def _slider(label: str, info: str, name: str) -> gr.Slider:
    return gr.Slider(0, 1, step=STEP, label=label, info=info, elem_id=name, min_width=280, buttons=[])


def _about(words: ThresholdWords, given: int) -> str:
    came = f" {words.given.format(count=given)}" if given else ""
    return f"<p>{words.about}{came}</p>"
