"""Versions and who made them, the way back to each that is kept, and all answers as a file.

In: an `Editor`, the components, and the page's for the language and for who is at work.
"""

import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chatbot.corpus import exported
from chatbot.editor import Editor
from chatbot.errors import ChatbotError, trace
from chatbot.tabular import write_table
from chatbot.ui.answer_parts import HistoryParts
from chatbot.ui.answer_words import ANSWER_WORDS
from chatbot.ui.attempt import alert, attempt
from chatbot.ui.changed import changed
from chatbot.ui.history import drawn, versions
from chatbot.ui.parts import LAST, QUIET, Drawn, busy
from chatbot.ui.stubless import gr

logger = logging.getLogger(__name__)
LISTED = 200  # edits


class History:
    """The section's events; `wire` connects them. Files that were made are gone with `made`, when this ends."""

    def __init__(self, editor: Editor, parts: HistoryParts) -> None:
        self.editor = editor
        self.parts = parts
        self.made = tempfile.TemporaryDirectory(prefix="answers-")

    def wire(self, language: gr.Radio, who: gr.Textbox, looks: Sequence[Any]) -> None:
        """Connect the section's events; it is drawn anew at those of `looks`."""
        parts, every = self.parts, self.parts.all()
        slow = busy(parts.told)
        makes = busy(parts.failed)
        parts.history.click(self.click, [language, who], every, **slow)
        parts.undo.click(self.undo, [language, who], every, **slow)
        for button, suffix in ((parts.csv, ".csv"), (parts.xlsx, ".xlsx")):
            button.click(self._exporting(suffix), [language, parts.version], every, **makes)
        gr.on(list(looks), self.look, [language], every, **QUIET, **LAST)

    def look(self, language: str) -> Drawn:
        words, parts, used = ANSWER_WORDS[language], self.parts, self.editor.live.version
        kept = self.editor.live.versions()
        try:
            edits = self.editor.edits.latest(LISTED)
        except ChatbotError as failure:
            logger.error("The edits could not be read:\n%s", trace(failure))
            return {parts.told: alert(str(failure))}
        return {
            parts.history: drawn(edits, kept, used, words),
            parts.undo: words.undo,
            parts.version: gr.Dropdown(
                [(label, name) for name, label in versions(kept, used, words)], value=used, label=words.version
            ),
            parts.csv: words.make_csv,
            parts.xlsx: words.make_xlsx,
            parts.download: gr.DownloadButton(visible=False),
        }

    def click(self, event: gr.EventData, language: str, who: str) -> Drawn:
        words, pressed = ANSWER_WORDS[language], event._data
        if "back" in pressed:
            version = str(pressed["back"])
            told, _ = attempt(self.editor, words, lambda: self.editor.rollback(version, who), words.rolled_back)
            return self.look(language) | {self.parts.told: told, self.parts.changes: ""}
        if "show" not in pressed:
            return gr.skip()
        try:
            changes = self.editor.changes(int(pressed["show"]))
        except ChatbotError as mistake:
            return {self.parts.changes: alert(str(mistake))}
        texts = alert(words.not_shown) if changes is None else changed(changes, words)
        return {self.parts.changes: f"<h2>{words.show} · {int(pressed['show'])}</h2>{texts}"}

    def undo(self, language: str, who: str) -> Drawn:
        words = ANSWER_WORDS[language]
        told, _ = attempt(self.editor, words, lambda: self.editor.undo(who), words.undone)
        return self.look(language) | {self.parts.told: told}

    def _exporting(self, suffix: str) -> Callable[[str, str], Drawn]:
        def export(language: str, version: str) -> Drawn:
            words, parts, stock = ANSWER_WORDS[language], self.parts, self.editor.stock
            try:
                pairs = stock.pairs if version == stock.version else self.editor.live.pairs_of(version)
                file = Path(self.made.name) / f"answers-{version}{suffix}"
                write_table(file, *exported(pairs))
            except ChatbotError as mistake:
                return {parts.failed: alert(str(mistake)), parts.download: gr.DownloadButton(visible=False)}
            label = words.download.format(file=file.name, rows=f"{len(pairs):,}")
            return {parts.failed: "", parts.download: gr.DownloadButton(label, value=file, visible=True)}

        return export
