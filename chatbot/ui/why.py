"""The tab "Why": one question beside one stored question, word by word.

In: the served bot and the language that the page speaks. It lays itself out where it is called, and wires itself.
The cross-encoder is read in PyTorch when it is first asked for, which takes some seconds and a gigabyte.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from chatbot.assemble import load_reranker
from chatbot.domain import Conversation
from chatbot.edit import LiveBot
from chatbot.errors import ChatbotError
from chatbot.insight.explain import explain
from chatbot.lexical import spans
from chatbot.retrieve import Retriever, form
from chatbot.ui.heat import heat
from chatbot.ui.heat_words import HEAT_WORDS
from chatbot.ui.parts import LAST, QUIET, Drawn, busy
from chatbot.ui.show import plain
from chatbot.ui.stubless import gr

if TYPE_CHECKING:
    from chatbot.rerank import CrossEncoder

SHOWN = 5  # stored questions to choose from
LONGEST = 500  # characters of either text


@dataclass(frozen=True, slots=True)
class WhyWords:
    label: str
    about: str
    question: str
    candidate: str
    explain: str
    nothing: str
    unread: str


ENGLISH = WhyWords(
    label="Why",
    about="What the cross-encoder makes of a customer's question beside a stored one, and how far the explanation "
    "itself can be trusted. The first time takes some seconds.",
    question="A customer's question",
    candidate="The stored question beside it (the best ones come first; any text may be typed)",
    explain="Explain",
    nothing="Nothing is stored that comes close to this question.",
    unread="This bot was made without a cross-encoder: no question was taught often enough to learn one.",
)
CHINESE = WhyWords(
    label="为什么",
    about="交叉编码器如何看待顾客的问题与某个已有问题，以及这个解释本身有多可信。第一次需要几秒钟。",
    question="顾客的问题",
    candidate="与之比较的已有问题（最合适的在前，也可以自行输入）",
    explain="解释",
    nothing="没有与这个问题相近的已有问题。",
    unread="这个机器人没有交叉编码器：可供学习的问题太少。",
)
WHY_WORDS: Mapping[str, WhyWords] = {"en": ENGLISH, "zh": CHINESE}


class Explainer:
    """Reads the cross-encoder of a served bot in PyTorch, once for each language; it goes with a parked bot."""

    def __init__(self, live: LiveBot) -> None:
        self.live = live
        self.read: WeakKeyDictionary[Retriever, CrossEncoder | None] = WeakKeyDictionary()
        self.lock = threading.Lock()

    def drawn(self, question: str, candidate: str, language: str) -> str:
        """HTML of the explanation in the page's language; empty where the bot has no cross-encoder. Raises
        ChatbotError."""
        with self.live.in_use() as bot, self.lock:
            spoken, line = next((own, line) for own, line in bot.lines.items() if line is bot.line_for(question))
            if line not in self.read:
                self.read[line] = load_reranker(self.live.folder, spoken)
            reranker = self.read[line]
            if reranker is None:
                return ""
            texts = (form(text[:LONGEST], line.casefold) for text in (question, candidate))
            return heat(explain(reranker, spans, *texts), HEAT_WORDS[language])


@dataclass(frozen=True)
class _Events:
    """What happens when something on the tab is touched."""

    about: gr.HTML
    question: gr.Textbox
    candidate: gr.Dropdown
    run: gr.Button
    shown: gr.HTML
    live: LiveBot
    explainer: Explainer

    def find(self, question: str, language: str) -> Drawn:
        """The stored questions that came closest, the first of them explained."""
        if not question.strip():
            return gr.skip()
        found = self.live.reply(Conversation(), question).decision.candidates[:SHOWN]
        if not found:
            return {self.shown: f"<p>{WHY_WORDS[language].nothing}</p>"}
        choices = [candidate.pair.question for candidate in found]
        box = gr.Dropdown(choices, value=choices[0])
        return {self.candidate: box} | self.explain(question, choices[0], language)

    def explain(self, question: str, candidate: str | None, language: str) -> Drawn:
        if not question.strip() or not candidate:
            return gr.skip()
        try:
            drawn = self.explainer.drawn(question, candidate, language)
        except ChatbotError as mistake:
            return {self.shown: f"<p>{plain(str(mistake))}</p>"}
        return {self.shown: drawn or f"<p>{WHY_WORDS[language].unread}</p>"}

    def speak(self, language: str) -> Drawn:
        words = WHY_WORDS[language]
        return {
            self.about: f"<p>{words.about}</p>",
            self.question: gr.Textbox(label=words.question),
            self.candidate: gr.Dropdown(label=words.candidate),
            self.run: words.explain,
        }


def tab(live: LiveBot, language: gr.Radio) -> None:
    words = WHY_WORDS[str(language.value)]
    about = gr.HTML(f"<p>{words.about}</p>")
    question = gr.Textbox(label=words.question, elem_id="why-question", max_length=LONGEST, submit_btn=True)
    candidate = gr.Dropdown([], label=words.candidate, elem_id="why-candidate", allow_custom_value=True)
    run = gr.Button(words.explain, elem_id="why-explain")
    shown = gr.HTML(elem_id="why-shown")
    on = _Events(about, question, candidate, run, shown, live, Explainer(live))
    slow = busy(shown)
    question.submit(on.find, [question, language], [candidate, shown], **slow)
    candidate.input(on.explain, [question, candidate, language], shown, **LAST, **slow)
    run.click(on.explain, [question, candidate, language], shown, **slow)
    language.change(on.speak, language, [about, question, candidate, run], **QUIET)
