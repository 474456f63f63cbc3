"""The tab "Evaluation": held-out dialogues are replayed and measured, as `chatbot evaluate` does.

In: the served bot, held-out dialogues and the language that the page speaks. It lays itself out where it is
called, and wires itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from chatbot.domain import HeldOutDialogue
from chatbot.edit import LiveBot
from chatbot.errors import ChatbotError
from chatbot.ui.figures import link, problem
from chatbot.ui.held_out import chosen, progress
from chatbot.ui.measured import Measured, confused, measures, pictures
from chatbot.ui.measured_words import EVALUATION_WORDS, EvaluationWords
from chatbot.ui.parts import QUIET, SPEAKS, Drawn, Parts, busy
from chatbot.ui.stubless import gr
from chatbot.ui.workshop_words import WORKSHOP_WORDS

FILES = ("metrics.json", "predictions.csv")


@dataclass(frozen=True)
class TabParts(Parts):
    """The tab's components that change."""

    measured: gr.State
    about: gr.HTML
    run: gr.Button
    file: gr.UploadButton
    status: gr.HTML
    result: gr.HTML
    files: gr.HTML


@dataclass(frozen=True)
class _Events:
    """What happens when something on the tab is touched."""

    parts: TabParts
    live: LiveBot
    given: Sequence[HeldOutDialogue]

    def run_given(self, language: str) -> Drawn:
        return self.run(None, language)

    def run(self, file: str | None, language: str) -> Drawn:
        from chatbot.learn.evaluate import evaluate, stated_risks

        words = EVALUATION_WORDS[language]
        try:
            dialogues = chosen(file, self.given, WORKSHOP_WORDS[language].thresholds.missing)
        except ChatbotError as mistake:
            return {self.parts.status: problem(str(mistake))}
        with self.live.in_use() as bot:
            version, found = self.live.version, evaluate(dialogues, bot, progress(words.asking))
        about = {"index": self.live.folder.name, "version": version, "dialogues": len(dialogues)}
        about |= {"seed": bot.settings.seed, "profile": bot.settings.profile}
        with TemporaryDirectory() as folder:
            metrics = found.save(Path(folder), about, stated_risks(bot.lines, found.predictions))
            files = [link(name, (Path(folder) / name).read_bytes()) for name in FILES]
        levels = {name: line.calibration.alone.answer_threshold for name, line in bot.lines.items()}
        measured = Measured(metrics, found.predictions, levels, version)
        return self.draw(measured, language) | {self.parts.files: f"<h2>{words.take}</h2>{' '.join(files)}"}

    def draw(self, measured: Measured, language: str) -> Drawn:
        words = EVALUATION_WORDS[language]
        turns = f"{len(measured.predictions):,}"
        return {
            self.parts.measured: measured,
            self.parts.status: f"<p>{words.done.format(turns=turns, version=measured.version)}</p>",
            self.parts.result: measures(measured, words)
            + pictures(measured, language)
            + confused(measured, words),
        }

    def speak(self, measured: Measured, language: str) -> Drawn:
        words = EVALUATION_WORDS[language]
        labels = {
            self.parts.about: _about(words, language, len(self.given)),
            self.parts.run: words.run,
            self.parts.file: gr.UploadButton(label=words.file),
        }
        return labels | (self.draw(measured, language) if measured.predictions else {})


def tab(live: LiveBot, dialogues: Sequence[HeldOutDialogue], language: gr.Radio) -> None:
    parts = _lay_out(language.value, len(dialogues))
    on, every = _Events(parts, live, dialogues), parts.all()
    slow = busy(parts.status)
    parts.run.click(on.run_given, language, every, **slow)
    parts.file.upload(on.run, [parts.file, language], every, **slow)
    language.change(on.speak, [parts.measured, language], every, **QUIET)


def _lay_out(language: str, given: int) -> TabParts:
    words = EVALUATION_WORDS[language]
    measured, about = gr.State(Measured()), gr.HTML(_about(words, language, given))
    with gr.Row(elem_classes="bar"):
        run = gr.Button(words.run, variant="primary", visible=given > 0, elem_id="evaluate")
        file = gr.UploadButton(words.file, file_types=[".jsonl"], elem_id="evaluation-file")
    status, result = gr.HTML(elem_id="evaluation-status", js_on_load=SPEAKS), gr.HTML(elem_id="evaluation")
    return TabParts(measured, about, run, file, status, result, gr.HTML(elem_id="evaluation-files"))


def _about(words: EvaluationWords, language: str, given: int) -> str:
    came = f" {WORKSHOP_WORDS[language].thresholds.given.format(count=given)}" if given else ""
    return f"<p>{words.about}{came}</p>"
