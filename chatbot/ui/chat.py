"""A customer's chat page.

In: a Responder that answers, a Journal that keeps what happened, the company's name, example questions and
languages. Out: a Gradio page, and `launch` to serve it. It exists so that a customer can ask, see where an answer
comes from, judge it, and reach a person.

The page is a function of one frozen value, `Chat`, which lives in the visitor's session: each event makes a new
`Chat`, and `draw` shows all of it.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from chatbot.converse import said
from chatbot.decide import Calibrated
from chatbot.domain import Action, Journal, Responder
from chatbot.errors import ChatbotError
from chatbot.ui.show import Chat, Exchange, answer_text, bubble, bubbles, clipped, evidence, note, plain, quoted
from chatbot.ui.stubless import gr
from chatbot.ui.trust import trust
from chatbot.ui.words import WORDS, preferred, spoken

logger = logging.getLogger(__name__)

PIECES = 12  # steps in which an answer appears
PAUSE = 0.03  # seconds between two steps: a third of a second for a whole answer
SUGGESTIONS = 3
AT_ONCE = 8  # visitors answered at the same time; the rest wait their turn
WIDE = "() => [window.matchMedia('(min-width: 900px)').matches, null]"  # is there room for an open side panel?


def ask(chat: Chat, text: str, responder: Responder, journal: Journal) -> Chat:
    """The chat after `text` was answered and kept. It never raises: a failure is logged, without the text, and
    becomes an exchange with no reply. An answer that could not be kept is still given, but not a hand-over: no
    person would come."""
    failed = replace(chat, exchanges=(*chat.exchanges, Exchange(text)))
    try:
        reply = responder.reply(chat.conversation, text)
    except Exception:
        logger.exception("A question could not be answered")
        return failed
    exchange, conversation_id = Exchange(text, reply), chat.conversation.id
    handed_over = reply.decision.action is Action.HAND_OVER
    try:
        conversation_id = conversation_id if conversation_id else journal.open(reply.language)
        exchange = replace(exchange, number=journal.record(conversation_id, text, reply))
        if handed_over:
            exchange = replace(exchange, place=journal.hand_over(conversation_id, reply.decision.reason))
    except Exception:
        logger.exception("An exchange could not be kept")
        if handed_over:
            return failed
    conversation = said(replace(chat.conversation, id=conversation_id), text, reply)
    return replace(chat, conversation=conversation, exchanges=(*chat.exchanges, exchange))


@dataclass(frozen=True)
class Parts:
    """The page's components that change."""

    visit: gr.State
    wide: gr.Checkbox
    language: gr.Radio
    new: gr.Button
    chatbot: gr.Chatbot
    note: gr.HTML
    suggested: gr.Row
    asked_back: gr.HTML
    suggestions: tuple[gr.Button, ...]
    msg: gr.Textbox
    person: gr.Button
    why: gr.Accordion
    panel: gr.HTML
    trust: gr.Accordion
    curves: gr.HTML

    def all(self) -> list[Any]:
        return [part for field in fields(self) for part in _flat(getattr(self, field.name))]


def build_page(
    responder: Responder,
    journal: Journal,
    *,
    company: str,
    examples: Mapping[str, Sequence[str]],
    languages: Sequence[str],
    lines: Mapping[str, Calibrated] | None = None,
) -> gr.Blocks:
    """The chat page of `company`. `examples` are questions to start with, by language; `languages` are the bot's,
    and those that the page has words for can be chosen (English when it has none of them). `lines` tell how far
    the bot's confidence can be trusted, where they are given."""
    offered = spoken(languages)
    with gr.Blocks(title=company, analytics_enabled=False) as page:
        parts = _lay_out(company, offered, tells=lines is not None)

        def draw(chat: Chat) -> dict[Any, Any]:
            return _draw(parts, chat, examples.get(chat.language, ()))

        def arrive(is_wide: bool, chat: Chat, request: gr.Request) -> dict[Any, Any]:
            chat = replace(chat, language=preferred(request.headers.get("accept-language", ""), offered))
            return draw(chat) | {parts.why: gr.Accordion(label=chat.words.why, open=is_wide)}

        def answer(typed: str, chat: Chat, event: gr.EventData) -> Iterator[dict[Any, Any]]:
            text = _asked(typed, chat, event).encode("utf-8", "replace").decode("utf-8")
            if not text:
                yield {parts.note: note(chat) if chat.exchanges else chat.words.empty}  # the second of two clicks
                return
            asked = [*bubbles(chat.exchanges, chat.words), bubble("user", clipped(text, chat.words))]
            box = gr.Textbox("", stop_btn=True) if _pressed(event) == "msg" else gr.Textbox(stop_btn=True)
            yield {parts.chatbot: asked, parts.note: "", parts.suggested: gr.Row(visible=False), parts.msg: box}
            chat = ask(chat, text, responder, journal)
            whole = answer_text(chat.exchanges[-1], chat.words)
            step = len(whole) // PIECES + 1
            for end in range(step, len(whole), step):
                yield {parts.visit: chat, parts.chatbot: [*asked, bubble("assistant", whole[:end])]}
                time.sleep(PAUSE)
            yield draw(chat)

        def speak(code: str, chat: Chat) -> dict[Any, Any]:
            return draw(replace(chat, language=code))

        def restart(chat: Chat) -> dict[Any, Any]:
            return draw(Chat(chat.language))

        def judge(chat: Chat, thumb: gr.LikeData) -> None:
            number = chat.exchanges[thumb.index // 2].number
            if number is None:
                return
            try:
                journal.feedback(number, thumb.liked if isinstance(thumb.liked, bool) else None)
            except ChatbotError:
                logger.exception("A thumb could not be kept")
                gr.Warning(chat.words.failed)

        def tell(chat: Chat) -> str:
            return trust(lines or {}, chat.words)

        quiet = {"show_progress": "hidden", "api_visibility": "private"}
        every = parts.all()
        page.load(arrive, [parts.wide, parts.visit], every, js=WIDE, **quiet)
        clicks = [button.click for button in (*parts.suggestions, parts.person)]
        asking = gr.on(
            [parts.msg.submit, parts.chatbot.example_select, *clicks],
            answer,
            [parts.msg, parts.visit],
            every,
            trigger_mode="always_last",  # what is sent while an answer still appears is asked after it
            **quiet,
        )
        parts.msg.stop(draw, parts.visit, every, cancels=asking, **quiet)
        parts.new.click(restart, parts.visit, every, cancels=asking, **quiet)
        parts.language.input(speak, [parts.language, parts.visit], every, **quiet)
        parts.chatbot.like(judge, parts.visit, **quiet)
        parts.trust.expand(tell, parts.visit, parts.curves, **quiet)
    page.queue(default_concurrency_limit=AT_ONCE)
    return page


def _lay_out(company: str, languages: Sequence[str], tells: bool) -> Parts:
    visit = gr.State(Chat(languages[0]))
    wide = gr.Checkbox(visible=False)
    with gr.Row(elem_id="top"):
        gr.HTML(f"<h1>{plain(company)}</h1>", elem_id="company")
        language = gr.Radio(
            [(WORDS[code].name, code) for code in languages],
            elem_id="language",
            label="Language · 语言",
            show_label=False,
            container=False,
            visible=len(languages) > 1,
        )
        new = gr.Button(elem_id="new", size="sm")
    with gr.Row(elem_id="body"):
        with gr.Column(elem_id="talk"):
            chatbot = gr.Chatbot(
                elem_id="chat",
                show_label=False,
                container=False,
                buttons=["copy"],
                render_markdown=False,
                latex_delimiters=[],
                allow_tags=False,
            )
            note_below = gr.HTML(elem_id="note")
            with gr.Row(elem_id="suggested", visible=False) as suggested:
                asked_back = gr.HTML()
                names = [f"suggestion-{i}" for i in range(SUGGESTIONS)]
                suggestions = tuple(gr.Button(elem_id=name, size="sm", visible=False) for name in names)
            msg = gr.Textbox(
                elem_id="msg", show_label=False, container=False, max_lines=6, submit_btn=True, stop_btn=True
            )
            person = gr.Button(elem_id="person", size="sm")
        with gr.Column(elem_id="side"):
            with gr.Accordion(elem_id="why", open=False) as why:
                panel = gr.HTML()
            with gr.Accordion(elem_id="trust", open=False, visible=tells) as trusted:
                curves = gr.HTML()
    return Parts(
        visit,
        wide,
        language,
        new,
        chatbot,
        note_below,
        suggested,
        asked_back,
        suggestions,
        msg,
        person,
        why,
        panel,
        trusted,
        curves,
    )


def _draw(parts: Parts, chat: Chat, examples: Sequence[str]) -> dict[Any, Any]:
    """Every component as `chat` has it, the session's state included; the message box keeps its text."""
    words = chat.words
    offers = chat.last.suggestions[:SUGGESTIONS] if chat.last is not None else ()
    buttons = [gr.Button(quoted(offer), visible=True) for offer in offers]
    buttons += [gr.Button(visible=False)] * (SUGGESTIONS - len(buttons))
    return {
        parts.visit: chat,
        parts.language: chat.language,
        parts.new: words.new,
        parts.chatbot: gr.Chatbot(
            bubbles(chat.exchanges, words),
            placeholder=f"<h2>{words.welcome}</h2><p>{words.invitation}</p>",
            examples=[{"text": example} for example in examples],
        ),
        parts.note: note(chat),
        parts.suggested: gr.Row(visible=bool(offers)),
        parts.asked_back: words.suggested,
        parts.msg: gr.Textbox(label=words.placeholder, placeholder=words.placeholder, stop_btn=False),
        parts.person: words.person,
        parts.why: gr.Accordion(label=words.why),
        parts.panel: evidence(chat),
        parts.trust: gr.Accordion(label=words.trust),
        **dict(zip(parts.suggestions, buttons, strict=True)),
    }


def _asked(typed: str, chat: Chat, event: gr.EventData) -> str:
    """The question that an event asks: a clicked example, suggestion or call for a person, else what was typed."""
    pressed = _pressed(event)
    if pressed == "chat":
        return str(event.value["text"])
    offers = chat.last.suggestions if chat.last is not None else ()
    questions = {f"suggestion-{i}": offer for i, offer in enumerate(offers)} | {"person": chat.words.person_phrase}
    return questions.get(pressed, typed)


def _pressed(event: gr.EventData) -> str:
    return "" if event.target is None else str(event.target.elem_id)


def _flat(part: Any) -> Sequence[Any]:
    return part if isinstance(part, tuple) else (part,)
