"""The components of the chat page, and how a `Chat` looks in them.

In: a company's name and languages; then, again and again, a Chat. Out: the laid out components, and a value for
each. chat.py says what happens when a customer touches one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatbot.domain import Action
from chatbot.ui.parts import SPEAKS, UNLABELLED, Drawn, Parts, language_radio
from chatbot.ui.show import Chat, bubbles, evidence, note, plain, quoted, spoken, status
from chatbot.ui.stubless import gr

SUGGESTIONS = 4
LOOK = 2.0  # seconds between two looks at a hand-over


@dataclass(frozen=True)
class ChatParts(Parts):
    """The page's components that change."""

    visit: gr.State
    saved: gr.BrowserState
    wide: gr.Checkbox
    pressed: gr.Textbox
    turn: gr.Number
    language: gr.Radio
    new: gr.Button
    chatbot: gr.Chatbot
    spoken: gr.HTML
    note: gr.HTML
    because: gr.Row
    asks_why: gr.HTML
    reasons: tuple[gr.Button, ...]
    reason: gr.Textbox
    suggested: gr.Row
    asked_back: gr.HTML
    suggestions: tuple[gr.Button, ...]
    waiting: gr.Row
    status: gr.HTML
    contact: gr.Textbox
    give_up: gr.Button
    msg: gr.Textbox
    person: gr.Button
    clock: gr.Timer
    why: gr.Accordion
    panel: gr.HTML
    trust: gr.Accordion
    curves: gr.HTML


def lay_out(company: str, languages: Sequence[str], tells: bool, remembered_as: str) -> ChatParts:
    visit = gr.State(Chat(languages[0]))
    saved = gr.BrowserState(
        {}, storage_key=remembered_as, secret="chatbot"
    )  # the customer's own, in their browser
    wide = gr.Checkbox(visible=False)
    pressed = gr.Textbox(visible="hidden")
    turn = gr.Number(0, visible="hidden")
    clock = gr.Timer(LOOK, active=False)
    with gr.Row(elem_id="top"):
        gr.HTML(f"<h1>{plain(company)}</h1>", elem_id="company")
        language = language_radio(languages)
        new = gr.Button(elem_id="new", size="sm", visible=False)
    with gr.Row(elem_id="body"):
        with gr.Column(elem_id="talk"):
            chatbot = gr.Chatbot(
                elem_id="chat",
                buttons=["copy"],
                render_markdown=False,
                latex_delimiters=[],
                allow_tags=False,
                group_consecutive_messages=False,
                **UNLABELLED,
            )
            spoken_aloud = gr.HTML(elem_id="spoken", js_on_load=SPEAKS)
            note_below = gr.HTML(elem_id="note")
            with gr.Row(elem_id="because", visible=False) as because:
                asks_why = gr.HTML()
                reasons = tuple(gr.Button(elem_id=f"reason-{i}", size="sm") for i in range(3))
                reason = gr.Textbox(elem_id="reason", max_lines=2, submit_btn=True, **UNLABELLED)
            with gr.Row(elem_id="suggested", visible=False) as suggested:
                asked_back = gr.HTML()
                names = [f"suggestion-{i}" for i in range(SUGGESTIONS)]
                suggestions = tuple(gr.Button(elem_id=name, size="sm", visible=False) for name in names)
            with gr.Row(elem_id="waiting", visible=False) as waiting:
                status_line = gr.HTML(elem_id="status")
                contact = gr.Textbox(elem_id="contact", max_lines=1, submit_btn=True, **UNLABELLED)
                give_up = gr.Button(elem_id="give-up", size="sm")
            msg = gr.Textbox(
                elem_id="msg",
                elem_classes="haven",
                max_lines=6,
                submit_btn=True,
                stop_btn=True,
                interactive=False,  # until the visitor's language and conversation are known
                **UNLABELLED,
            )
            person = gr.Button(elem_id="person", size="sm", visible=False)
        with gr.Column(elem_id="side"):
            with gr.Accordion(elem_id="why", open=False) as why:
                panel = gr.HTML()
            with gr.Accordion(elem_id="trust", open=False, visible=tells) as trusted:
                curves = gr.HTML()
    return ChatParts(
        visit,
        saved,
        wide,
        pressed,
        turn,
        language,
        new,
        chatbot,
        spoken_aloud,
        note_below,
        because,
        asks_why,
        reasons,
        reason,
        suggested,
        asked_back,
        suggestions,
        waiting,
        status_line,
        contact,
        give_up,
        msg,
        person,
        clock,
        why,
        panel,
        trusted,
        curves,
    )


def draw(parts: ChatParts, chat: Chat, examples: Sequence[str]) -> Drawn:
    """Every component as `chat` has it, the session's state included; what is being typed stays."""
    words, case = chat.words, chat.case
    offered = offers(chat, examples)
    buttons = [gr.Button(quoted(offer), visible=True) for offer in offered]
    buttons += [gr.Button(visible=False)] * (SUGGESTIONS - len(buttons))
    asks_back = chat.last is not None and chat.last.decision.action is Action.CLARIFY
    related = words.related if chat.entries else words.examples
    waits = case is not None and case.agent is None
    return {
        parts.visit: chat,
        parts.saved: to_remember(chat),
        parts.turn: len(chat.entries),
        parts.language: chat.language,
        parts.new: gr.Button(words.new, visible=True),
        parts.chatbot: gr.Chatbot(
            bubbles(chat),
            placeholder=f"<h2>{words.welcome}</h2><p>{words.invitation}</p>",
        ),
        parts.spoken: spoken(chat),
        parts.note: note(chat),
        parts.because: gr.Row(visible=chat.blamed is not None),
        parts.asks_why: words.asks_why,
        parts.reason: gr.Textbox(label=words.other_reason, placeholder=words.other_reason),
        parts.suggested: gr.Row(visible=bool(offered)),
        parts.asked_back: words.suggested if asks_back else related,
        parts.waiting: gr.Row(visible=case is not None),
        parts.status: status(chat),
        parts.contact: gr.Textbox(label=words.contact, placeholder=words.contact, visible=waits),
        parts.give_up: gr.Button(words.give_up, visible=waits),
        parts.msg: gr.Textbox(
            label=words.placeholder, placeholder=words.placeholder, stop_btn=False, interactive=True
        ),
        parts.person: gr.Button(
            words.person,
            visible=case is None,
            variant="primary" if chat.last is not None and chat.last.offers_person else "secondary",
        ),
        parts.clock: gr.Timer(active=case is not None),
        parts.why: gr.Accordion(label=words.why),
        parts.panel: evidence(chat),
        parts.trust: gr.Accordion(label=words.trust),
        **dict(zip(parts.suggestions, buttons, strict=True)),
        **dict(zip(parts.reasons, words.reasons_why, strict=True)),
    }


def to_remember(chat: Chat) -> Mapping[str, Any]:
    """What the browser remembers of `chat`, to find it again after a reload."""
    return {"conversation": chat.conversation_id, "undone": list(chat.undone), "language": chat.language}


def offers(chat: Chat, examples: Sequence[str]) -> Sequence[str]:
    """Questions to ask with a click: those of the last reply, or examples to start with."""
    found = examples if not chat.entries else chat.last.suggestions if chat.last is not None else ()
    return found[:SUGGESTIONS]
