"""The components of the agent's desk, and how a `View` looks in them.

In: languages and a company's name; then, again and again, a View. Out: the laid out components, and a value for
each. desk.py says what happens when an agent touches one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chatbot.ui.casework import View, head, inbox, suggestions, transcript
from chatbot.ui.mend_words import MEND_WORDS
from chatbot.ui.parts import CLICKS, UNLABELLED, Drawn, Parts, language_radio
from chatbot.ui.show import plain
from chatbot.ui.stubless import gr

LOOK = 1.0  # seconds between two looks
LONGEST_NAME = 60
NEWEST = """
const down = () => {
  const said = element.querySelector('.transcript');
  if (said) said.scrollTop = said.scrollHeight;
};
watch('value', down);
down();
"""  # is in sight


@dataclass(frozen=True)
class CaseworkParts(Parts):
    """The page's components that change."""

    talk: gr.State
    shown: gr.State
    saved: gr.BrowserState
    clock: gr.Timer
    title: gr.HTML
    tab: gr.Tab
    agent: gr.Textbox
    language: gr.Radio
    inbox: gr.HTML
    head: gr.HTML
    transcript: gr.HTML
    claim: gr.Button
    reply: gr.Textbox
    hand_back: gr.Button
    resolve: gr.Button
    release: gr.Button
    suggestions: gr.HTML


def lay_out(languages: Sequence[str]) -> tuple[CaseworkParts, gr.Tabs]:
    """The components, and the tabs for more beside the inbox."""
    talk, shown = gr.State(""), gr.State(View(languages[0]))
    saved = gr.BrowserState({}, storage_key="chatbot-desk", secret="chatbot")
    clock = gr.Timer(LOOK, active=False)  # until the agent's name is known
    with gr.Row(elem_id="top"):
        title = gr.HTML(elem_id="company")
        agent = gr.Textbox(elem_id="agent", max_lines=1, max_length=LONGEST_NAME, **UNLABELLED)
        language = language_radio(languages)
    first = MEND_WORDS[languages[0]].inbox_tab
    with gr.Tabs(elem_id="desk", overflow_behavior="wrap") as tabs, gr.Tab(first) as tab, gr.Row(elem_id="work"):
        with gr.Column(elem_id="cases", scale=1):
            inbox_list = gr.HTML(elem_id="inbox", js_on_load=CLICKS)
        with gr.Column(elem_id="case", scale=3):
            case_head = gr.HTML(elem_id="head")
            said = gr.HTML(elem_id="transcript", js_on_load=NEWEST)
            claim = gr.Button(elem_id="claim", elem_classes="haven", variant="primary", visible=False)
            reply = gr.Textbox(
                elem_id="reply", elem_classes="haven", max_lines=8, submit_btn=True, visible=False, **UNLABELLED
            )
            with gr.Row(elem_id="acts"):
                hand_back = gr.Button(elem_id="hand-back", size="sm", visible=False)
                resolve = gr.Button(elem_id="resolve", size="sm", visible=False)
                release = gr.Button(elem_id="release", size="sm", visible=False)
        with gr.Column(elem_id="advice", scale=2):
            advised = gr.HTML(elem_id="suggestions", js_on_load=CLICKS)
    parts = CaseworkParts(
        talk,
        shown,
        saved,
        clock,
        title,
        tab,
        agent,
        language,
        inbox_list,
        case_head,
        said,
        claim,
        reply,
        hand_back,
        resolve,
        release,
        advised,
    )
    return parts, tabs


def draw(parts: CaseworkParts, view: View, company: str) -> Drawn:
    """Every component as `view` has it; what is being typed stays."""
    words = view.words
    return {
        parts.shown: view,
        parts.saved: {"agent": view.agent, "language": view.language},
        parts.title: f"<h1>{plain(company)} · {words.title}</h1>",
        parts.tab: gr.Tab(label=MEND_WORDS[view.language].inbox_tab),
        parts.agent: gr.Textbox(label=words.name, placeholder=words.name),
        parts.inbox: inbox(view),
        parts.head: head(view),
        parts.transcript: transcript(view),
        parts.claim: gr.Button(words.claim, visible=view.chosen is not None and view.chosen.agent is None),
        parts.reply: gr.Textbox(label=words.reply, placeholder=words.reply, visible=view.holds),
        parts.hand_back: gr.Button(words.hand_back, visible=view.holds),
        parts.resolve: gr.Button(words.resolve, visible=view.holds),
        parts.release: gr.Button(words.release, visible=view.holds),
        parts.suggestions: suggestions(view),
    }
