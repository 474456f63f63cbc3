"""The support lead's workshop: what the bot would say, how sure it must be, how good it is, and what goes on.

In: the served bot, its journal, its company's name and held-out dialogues. Out: a Gradio page with a tab for each
of these, each in a module of its own that lays out and wires itself. The page only chooses the language: a tab is
given the radio that holds it, is laid out in its first value, and draws itself anew when it changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatbot.domain import HeldOutDialogue
from chatbot.editor import Editor
from chatbot.journal import SqlJournal
from chatbot.ui import answers, evaluation, hittest, insights, thresholds, why
from chatbot.ui.parts import LAST, QUIET, UNLABELLED, language_radio, remembered
from chatbot.ui.show import plain
from chatbot.ui.signed import SignedBlocks
from chatbot.ui.stubless import gr
from chatbot.ui.words import spoken
from chatbot.ui.workshop_words import WORKSHOP_WORDS

UPLOADS_KEPT = 3600  # seconds


@dataclass(frozen=True)
class _Events:
    """What happens to the page as a whole."""

    company: str
    offered: Sequence[str]

    def arrive(self, saved: Mapping[str, Any], request: gr.Request) -> list[Any]:
        language = remembered(saved, request, self.offered)
        who = request.username or str(saved.get("who", ""))
        return [language, gr.Textbox(who, interactive=not request.username) if who else gr.skip()]

    def speak(self, language: str, who: str) -> list[Any]:
        words = WORKSHOP_WORDS[language]
        labels = [gr.Tab(label=label) for label in words.tabs]
        return [
            self.remember(language, who),
            self.title(language),
            gr.Textbox(label=words.who, placeholder=words.who),
            *labels,
        ]

    def remember(self, language: str, who: str) -> dict[str, str]:
        return {"language": language, "who": who}

    def title(self, language: str) -> str:
        return f"<h1>{plain(self.company)} · {WORKSHOP_WORDS[language].title}</h1>"


def build_workshop(
    editor: Editor, journal: SqlJournal, *, company: str, dialogues: Sequence[HeldOutDialogue] = ()
) -> gr.Blocks:
    """The workshop of `company`, in those of the bot's languages that the page has words for. `dialogues` are held
    out, to be scored where no others are uploaded."""
    live = editor.live
    lines = live.languages
    offered = [language for language in spoken(lines) if language in WORKSHOP_WORDS]
    on, words = _Events(company, offered), WORKSHOP_WORDS[offered[0]]
    with SignedBlocks(title=company, analytics_enabled=False, delete_cache=(UPLOADS_KEPT, UPLOADS_KEPT)) as page:
        saved = gr.BrowserState({}, storage_key="chatbot-workshop", secret="chatbot")
        with gr.Row(elem_id="top"):
            title = gr.HTML(on.title(offered[0]), elem_id="company")
            who = gr.Textbox(
                label=words.who, placeholder=words.who, elem_id="agent", max_lines=1, max_length=60, **UNLABELLED
            )
            language = language_radio(offered)
        with gr.Tabs(elem_id="workshop", overflow_behavior="wrap"):
            with gr.Tab(words.tabs[0], id="answers") as kept:
                answers.tab(page, editor, language, who)
            with gr.Tab(words.tabs[1], id="hit-test") as tried:
                hittest.tab(live, language)
            with gr.Tab(words.tabs[2], id="why") as explained:
                why.tab(live, language)
            with gr.Tab(words.tabs[3], id="thresholds") as decided:
                thresholds.tab(editor, dialogues, language, who)
            with gr.Tab(words.tabs[4], id="evaluation") as measured:
                evaluation.tab(live, dialogues, language)
            with gr.Tab(words.tabs[5], id="insights") as counted:
                insights.tab(journal, lines, language, counted)
        page.load(on.arrive, saved, [language, who], **QUIET)
        tabs = [kept, tried, explained, decided, measured, counted]
        language.change(on.speak, [language, who], [saved, title, who, *tabs], **QUIET)
        who.change(on.remember, [language, who], saved, **LAST, **QUIET)
    return page
