"""A customer's chat page.

In: a Responder that answers, a Journal and a Desk that keep what happened, the company's name, example questions
and languages. Out: a Gradio page. It exists so that a customer can ask, see where an answer comes from, judge it,
and reach a person.

The page is a function of one frozen value, `Chat`, which lives in the visitor's session: each event makes a new
`Chat` (visit.py), and `draw` shows all of it. The browser remembers which conversation it was, so that a reload
loses nothing. While a person is waited for or writes, the page looks every two seconds for what is new.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chatbot.decide import Calibrated
from chatbot.desk import Desk
from chatbot.domain import Exchange
from chatbot.errors import ChatbotError, trace
from chatbot.protocols import Journal, Responder
from chatbot.ui.layout import ChatParts, draw, lay_out, offers, to_remember
from chatbot.ui.parts import EACH, LAST, QUIET, Drawn, remembered
from chatbot.ui.show import Chat, bubble, bubbles, clipped, note, owners, plain
from chatbot.ui.stubless import gr
from chatbot.ui.trust import trust
from chatbot.ui.visit import Visits
from chatbot.ui.words import spoken

logger = logging.getLogger(__name__)

PIECES = 12  # steps in which an answer appears
PAUSE = 0.03  # seconds between two steps: a third of a second for a whole answer
AT_ONCE = 8  # visitors answered at the same time; the rest wait their turn
LONGEST_NOTE = 500  # characters of a contact or of a reason for a thumb down
PERSON = "person"
PRESSED = "turn => '{name} ' + turn + ' ' + performance.now()"  # what was clicked, what was offered then, and when
WIDE = "(_, ...rest) => [window.matchMedia('(min-width: 900px)').matches, ...rest]"  # room for an open side panel?


@dataclass(frozen=True)
class _Events:
    """What happens when something on the page is touched."""

    parts: ChatParts
    visits: Visits
    offered: Sequence[str]
    examples: Mapping[str, Sequence[str]]
    lines: Callable[[], Mapping[str, Calibrated]] | None

    def draw(self, chat: Chat) -> Drawn:
        return draw(self.parts, chat, self.examples.get(chat.language, ()))

    def arrive(self, is_wide: bool, saved: Mapping[str, Any], request: gr.Request) -> Drawn:
        language = remembered(saved, request, self.offered)
        chat = Chat(language)
        if saved.get("conversation"):
            chat = self.visits.found_again(chat, str(saved["conversation"]), saved.get("undone", ()))
        return self.draw(chat) | {self.parts.why: gr.Accordion(label=chat.words.why, open=is_wide)}

    def answer(self, typed: str, pressed: str, chat: Chat) -> Iterator[Drawn]:
        """What was clicked, if anything was since the last time; else what was typed."""
        clicked, chat = pressed != chat.pressed, replace(chat, pressed=pressed)
        text = self.offer(pressed, chat) if clicked else typed.encode("utf-8", "replace").decode("utf-8")
        if not text:
            hint = note(chat) if clicked or chat.entries else chat.words.empty  # the second of two clicks has none
            yield {self.parts.visit: chat, self.parts.note: hint}
            return
        yield from self.stream(chat, text, gr.Textbox(stop_btn=True) if clicked else gr.Textbox("", stop_btn=True))

    def offer(self, pressed: str, chat: Chat) -> str:
        """What a button asks; nothing where it was clicked twice, and says something else by now."""
        name, turn, _ = pressed.split(" ")
        if name == PERSON:
            return chat.words.person_phrase if chat.case is None else ""
        offered = offers(chat, self.examples.get(chat.language, ())) if int(turn) == len(chat.entries) else ()
        return dict(enumerate(offered)).get(int(name), "")

    def stream(self, chat: Chat, text: str, box: gr.Textbox) -> Iterator[Drawn]:
        hidden = {self.parts.suggested: gr.Row(visible=False), self.parts.because: gr.Row(visible=False)}
        asked = [*bubbles(chat), bubble("user", plain(clipped(text, chat.words)))]
        yield {
            self.parts.visit: chat,
            self.parts.chatbot: asked,
            self.parts.spoken: chat.words.writing,
            self.parts.note: "",
            self.parts.msg: box,
            **hidden,
        }
        chat = self.visits.ask(chat, text)
        yield {self.parts.visit: chat, self.parts.saved: to_remember(chat)}
        time.sleep(PAUSE)  # until the browser has it: who leaves when the first words are there finds it again
        whole = chat.last.text if chat.last is not None else ""
        step = len(whole) // PIECES + 1
        for end in range(step, len(whole), step):
            yield {self.parts.chatbot: [*asked, bubble("assistant", plain(whole[:end]))]}
            time.sleep(PAUSE)
        drawn = self.draw(chat)
        del drawn[self.parts.language]  # another one may have been chosen meanwhile: see `speak`
        yield drawn

    def again(self, chat: Chat, event: gr.RetryData) -> Iterator[Drawn]:
        before, text = chat.before(_bubble(event.index))
        if not text:
            yield gr.skip()
            return
        yield from self.stream(before, text, gr.Textbox(stop_btn=True))

    def undo(self, chat: Chat, event: gr.UndoData) -> Drawn:
        before, text = chat.before(_bubble(event.index))
        return self.draw(before) | ({self.parts.msg: gr.Textbox(text)} if text else {})

    def speak(self, code: str, chat: Chat) -> Drawn:
        return gr.skip() if code == chat.language else self.draw(replace(chat, language=code))

    def stop(self, pressed: str, chat: Chat) -> Drawn:
        return self.draw(replace(chat, pressed=pressed))

    def restart(self, pressed: str, chat: Chat) -> Drawn:
        return self.draw(Chat(chat.language, pressed=pressed))

    def judge(self, chat: Chat, thumb: gr.LikeData) -> Drawn:
        entry = chat.entries[owners(chat)[_bubble(thumb.index)]]
        if not isinstance(entry, Exchange) or entry.number is None:
            return gr.skip()
        number, liked = entry.number, thumb.liked if isinstance(thumb.liked, bool) else None
        drawn = self.kept(chat, lambda: self.visits.judge(chat, number, liked))
        return {part: value for part, value in drawn.items() if part is not self.parts.chatbot}  # keeps its thumbs

    def say_why(self, typed: str, chat: Chat, event: gr.EventData) -> Drawn:
        pressed = _pressed(event)
        reason = chat.words.reasons_why[int(pressed[-1])] if pressed != "reason" else typed.strip()
        number = chat.blamed
        if number is None or not reason:
            return gr.skip()
        found = self.kept(chat, lambda: self.visits.judge(chat, number, False, reason[:LONGEST_NOTE]))
        gr.Info(chat.words.thanks)
        return found | {self.parts.reason: ""}

    def leave(self, contact: str, chat: Chat) -> Drawn:
        if not contact.strip():
            return gr.skip()
        return self.kept(chat, lambda: self.visits.leave_contact(chat, contact[:LONGEST_NOTE])) | {
            self.parts.contact: ""
        }

    def give_up(self, chat: Chat) -> Drawn:
        return self.kept(chat, lambda: self.visits.give_up(chat))

    def kept(self, chat: Chat, done: Callable[[], Chat]) -> Drawn:
        try:
            return self.draw(done())
        except ChatbotError as failure:
            logger.error("What a customer did could not be kept:\n%s", trace(failure))
            gr.Warning(chat.words.failed)
            return self.draw(chat)

    def look(self, chat: Chat) -> Drawn:
        changed = self.visits.looked_after(chat)
        return gr.skip() if changed is None else self.draw(changed)

    def tell(self, chat: Chat) -> str:
        return trust({} if self.lines is None else self.lines(), chat.words)


def build_page(
    responder: Responder,
    journal: Journal,
    desk: Desk,
    *,
    company: str,
    examples: Mapping[str, Sequence[str]],
    languages: Sequence[str],
    lines: Callable[[], Mapping[str, Calibrated]] | None = None,
    remembered_as: str = "chatbot",
) -> gr.Blocks:
    """The chat page of `company`. `examples` are questions to start with, by language; `languages` are the bot's,
    and those that the page has words for can be chosen (English when it has none of them). `lines` tell how far
    the bot's confidence can be trusted, where they are given. `remembered_as` is under which name the browser
    keeps the conversation: another one for each bot of a site."""
    offered = spoken(languages)
    with gr.Blocks(title=company, analytics_enabled=False) as page:
        parts = lay_out(company, offered, tells=lines is not None, remembered_as=remembered_as)

        on = _Events(parts, Visits(responder, journal, desk), offered, examples, lines)
        every = parts.all()
        page.load(on.arrive, [parts.wide, parts.saved], every, js=WIDE, **QUIET)
        for name, button in ((PERSON, parts.person), *enumerate(parts.suggestions)):
            button.click(None, parts.turn, parts.pressed, js=PRESSED.format(name=name), **QUIET)
        asking = gr.on(
            [parts.msg.submit, parts.pressed.change],
            on.answer,
            [parts.msg, parts.pressed, parts.visit],
            every,
            **LAST,  # what is sent while an answer still appears is asked after it
            **QUIET,
        )
        retrying = parts.chatbot.retry(on.again, parts.visit, every, **QUIET)
        chosen = [parts.language, parts.visit]
        parts.language.input(on.speak, chosen, every, **LAST, **QUIET)
        for streaming in (asking, retrying):
            streaming.then(on.speak, chosen, every, **QUIET)
        parts.chatbot.undo(on.undo, parts.visit, every, **QUIET)
        begun = [parts.pressed, parts.visit]
        parts.msg.stop(on.stop, begun, every, cancels=[asking, retrying], **QUIET)
        parts.new.click(on.restart, begun, every, cancels=[asking, retrying], **QUIET)
        parts.chatbot.like(on.judge, parts.visit, every, **EACH, **QUIET)
        reasons = [parts.reason.submit, *(button.click for button in parts.reasons)]
        gr.on(reasons, on.say_why, [parts.reason, parts.visit], every, **QUIET)
        parts.contact.submit(on.leave, [parts.contact, parts.visit], every, **QUIET)
        parts.give_up.click(on.give_up, parts.visit, every, **QUIET)
        parts.clock.tick(on.look, parts.visit, every, **QUIET)
        parts.trust.expand(on.tell, parts.visit, parts.curves, **QUIET)
    page.queue(default_concurrency_limit=AT_ONCE)
    return page


def _pressed(event: gr.EventData) -> str:
    return "" if event.target is None else str(event.target.elem_id)


def _bubble(index: Any) -> int:
    """The number of a bubble; Gradio gives a pair where bubbles of one speaker follow each other."""
    return int(index[0] if isinstance(index, (list, tuple)) else index)
