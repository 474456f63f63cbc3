"""A file on its way in: chosen, its columns named, compared with what is live, published with one button.

In: an `Editor`, the components, and the page's for the language and for who is at work. The file is read once,
when it is chosen; what is published is what was compared, and where what is live has changed meanwhile it is
compared again instead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chatbot.corpus import COLUMNS, REQUIRED
from chatbot.editor import Editor
from chatbot.errors import UserError
from chatbot.insight.changes import Scope
from chatbot.tabular import read_table
from chatbot.ui.answer_parts import ImportParts
from chatbot.ui.answer_words import ANSWER_WORDS
from chatbot.ui.attempt import attempt, said
from chatbot.ui.intake import Intake, compared, difference, guessed, read, report
from chatbot.ui.parts import LAST, QUIET, Drawn, busy
from chatbot.ui.stubless import gr


class Import:
    """The section's events; `wire` connects them."""

    def __init__(self, editor: Editor, parts: ImportParts) -> None:
        self.editor = editor
        self.parts = parts
        self.choices = (parts.scope, *parts.columns)

    def wire(self, language: gr.Radio, who: gr.Textbox, looks: Sequence[Any]) -> None:
        """Connect the section's events; it is drawn anew at those of `looks`."""
        parts, every = self.parts, self.parts.all()
        slow = busy(parts.told)
        reads = {
            **busy(parts.report),
            "concurrency_id": "import",
        }  # one after another, so that none works on an older file
        parts.file.upload(self.take, [language, parts.file, parts.scope], every, **reads)
        parts.file.clear(self.drop, [language], every, **reads)
        drawn = [part for part in every if part not in self.choices]
        parts.scope.input(self.judge, [language, parts.intake, parts.scope], drawn, **reads, **LAST)
        named = [part.input for part in parts.columns]
        gr.on(named, self.choose, [language, parts.intake, *parts.columns], drawn, **reads, **LAST)
        parts.publish.click(self.publish, [language, who, parts.intake], every, **slow)
        parts.undo.click(self.undo, [language, who, parts.intake], every, **slow)
        gr.on(list(looks), self.look, [language, parts.intake], every, **QUIET, **LAST)

    def look(self, language: str, intake: Intake) -> Drawn:
        if intake.corpus is not None and intake.version != self.editor.stock.version:
            intake = self._compared(intake)
        return self._draw(language, intake)

    def take(self, language: str, path: str, scope: str) -> Drawn:
        name = Path(Path(path).name)
        try:
            table = read_table(name, Path(path).read_bytes())
        except UserError as mistake:
            return self._draw(language, Intake(fault=str(mistake))) | {self.parts.told: ""}
        intake = self._compared(read(table, guessed(table.columns), Scope(scope), self.editor.masked))
        return self._draw(language, intake) | {self.parts.told: ""}

    def drop(self, language: str) -> Drawn:
        return self._draw(language, Intake()) | {self.parts.told: ""}

    def judge(self, language: str, intake: Intake, scope: str) -> Drawn:
        if intake.table is None:
            return gr.skip()
        return self._judged(language, self._compared(replace(intake, scope=Scope(scope))))

    def choose(self, language: str, intake: Intake, *columns: str | None) -> Drawn:
        if intake.table is None:
            return gr.skip()
        mapping = {name: column for name, column in zip(COLUMNS, columns, strict=True) if column}
        named = read(intake.table, mapping, intake.scope, self.editor.masked)
        return self._judged(language, self._compared(named))

    def publish(self, language: str, who: str, intake: Intake) -> Iterator[Drawn]:
        words, changes = ANSWER_WORDS[language], intake.changes
        if changes is None:
            yield gr.skip()
            return
        parts, known = self.parts, {pair.id for pair in changes.plan.removed}
        fresh = sum(pair.id not in known for pair in changes.plan.added)
        yield {
            parts.told: said(words.publishing.format(count=f"{fresh:,}")),
            parts.publish: gr.Button(interactive=False),
            parts.file: gr.File(interactive=False),
            parts.scope: gr.Radio(interactive=False),
            **{part: gr.Dropdown(interactive=False) for part in parts.columns},
        }
        told, _ = attempt(
            self.editor,
            words,
            lambda: self.editor.publish(
                changes.plan, who, words.imported.replace("{file}", intake.name), after=intake.version
            ),
            words.published,
        )
        yield self._draw(language, self._compared(intake)) | {parts.told: told}

    def undo(self, language: str, who: str, intake: Intake) -> Drawn:
        words = ANSWER_WORDS[language]
        told, _ = attempt(self.editor, words, lambda: self.editor.undo(who), words.undone)
        return self._draw(language, self._compared(intake)) | {self.parts.told: told}

    def _compared(self, intake: Intake) -> Intake:
        stock = self.editor.stock
        return compared(intake, stock.pairs, stock.version, self.editor.live.check)

    def _judged(self, language: str, intake: Intake) -> Drawn:
        """All but what was chosen: something else may be by now."""
        drawn = self._draw(language, intake)
        return {part: shown for part, shown in drawn.items() if part not in self.choices}

    def _draw(self, language: str, intake: Intake) -> Drawn:
        words, parts, table = ANSWER_WORDS[language], self.parts, intake.table
        there = () if table is None else table.columns
        scope = {} if table is None else {"value": intake.scope.value}
        choices = [(column, column) for column in there]
        drops = {
            part: gr.Dropdown(
                choices if name in REQUIRED or name in there else [(words.none, ""), *choices],
                value=intake.mapping.get(name, None if name in REQUIRED else ""),
                label=words.columns[name],
                interactive=True,
            )
            for name, part in zip(COLUMNS, parts.columns, strict=True)
        }
        ready = intake.changes is not None and bool(intake.changes.plan) and not intake.fault
        return drops | {
            parts.intake: intake,
            parts.file: gr.File(label=words.file, interactive=True),
            parts.scope: gr.Radio(
                [(words.scopes[scope], scope.value) for scope in reversed(Scope)],
                label=words.scope,
                interactive=True,
                **scope,
            ),
            parts.mapped: gr.Row(visible=table is not None),
            parts.report: report(intake, words),
            parts.difference: difference(intake, words),
            parts.publish: gr.Button(words.publish, interactive=ready),
            parts.undo: words.undo,
        }
