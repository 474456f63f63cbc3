"""The tab of answers: find and edit them, take them in from a file, give them out, see and go back to what was.

In: the page that the tab stands in, an `Editor`, and the page's own components for the language and for who is at
work. Out: components in whatever block is open, and their events. Nothing is changed before somebody presses a
button, each press is one version, and what somebody typed is never lost.
"""

from functools import partial
from typing import Any

from chatbot.editor import Editor
from chatbot.ui.answer_desk import Desk
from chatbot.ui.answer_history import History
from chatbot.ui.answer_import import Import
from chatbot.ui.answer_parts import desk_parts, history_parts, import_parts
from chatbot.ui.answer_words import ANSWER_WORDS
from chatbot.ui.parts import LAST, QUIET, Drawn
from chatbot.ui.stubless import gr


def tab(page: gr.Blocks, editor: Editor, language: gr.Radio, who: gr.Textbox) -> None:
    """Lay the tab out and wire it."""
    with gr.Tabs(elem_id="answers", overflow_behavior="wrap"):
        with gr.Tab("Edit", elem_id="answers-edit") as edit:
            desk = Desk(editor, desk_parts(editor.live.languages))
        with gr.Tab("Import", elem_id="answers-import") as taken:
            intake = Import(editor, import_parts())
        with gr.Tab("History", elem_id="answers-history") as past:
            history = History(editor, history_parts())
    desk.wire(language, who, [page.load, language.change, edit.select])
    intake.wire(language, who, [page.load, language.change, taken.select])
    history.wire(language, who, [page.load, language.change, past.select])
    sections = [edit, taken, past]
    named = partial(_named, sections)
    gr.on([page.load, language.change], named, [language], sections, **QUIET, **LAST)


def _named(sections: list[gr.Tab], language: str) -> Drawn:
    words = ANSWER_WORDS[language]
    names: list[Any] = [words.edit, words.import_, f"{words.history} · {words.export}"]
    return {section: gr.Tab(label=name) for section, name in zip(sections, names, strict=True)}
