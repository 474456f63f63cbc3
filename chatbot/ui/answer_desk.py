"""Find an answer, open it, edit it: each button makes one version, which is live with the next message.

In: an `Editor` and the page's components for the language and for who is at work. Out: a section of the tab of
answers. What is typed and not published is kept for each answer while the page is open, also where somebody else
has changed that answer meanwhile: then nothing is published until the lead has seen what is live now.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from chatbot.domain import QAPair
from chatbot.editor import Editor, Stock
from chatbot.insight.changes import Plan, seen
from chatbot.insight.revise import add_questions, merge_answers, retire_answer, reword
from chatbot.ui.answer_parts import DeskParts
from chatbot.ui.answer_words import ANSWER_WORDS, AnswerWords
from chatbot.ui.attempt import alert, attempt, typed
from chatbot.ui.parts import EACH, LAST, Drawn
from chatbot.ui.shelf import NO_DRAFT, Answer, Draft, Key, Opened, Shelf, head, listed, questions
from chatbot.ui.stubless import gr
from chatbot.ui.words import WORDS

OFFERED = 500  # answers to merge into; the id of any other can be typed


class Typed(StrEnum):
    """What a lead types for an answer."""

    TEXT = "text"
    MORE = "more"


class Desk:
    """Laid out in whatever block is open; `wire` connects it."""

    def __init__(self, editor: Editor, parts: DeskParts) -> None:
        self.editor = editor
        self.parts = parts
        self._made: tuple[Stock, Shelf] | None = None

    @property
    def shelf(self) -> Shelf:
        """Made once a version."""
        stock, made = self.editor.stock, self._made
        if made is None or made[0] is not stock:
            made = self._made = stock, Shelf.of(stock.pairs)
        return made[1]

    def wire(self, language: gr.Radio, who: gr.Textbox, looks: Sequence[Any]) -> None:
        """Connect the section's events; it is drawn anew at those of `looks`."""
        parts, every = self.parts, self.parts.all()
        now = [language, who, parts.search, parts.spoken, parts.opened, parts.text, parts.more]
        quiet = {"show_progress": "hidden", "api_visibility": "private"}
        slow = {"show_progress": "full", "show_progress_on": parts.told, "api_visibility": "private"}
        searched = [language, parts.search, parts.spoken, parts.opened]
        typing = [parts.search.change, parts.spoken.input]
        gr.on(typing, self.find, searched, [parts.found], **LAST, **quiet)
        for touched, done, inputs, shown in (
            (list(looks), self.look, now, {**quiet, **LAST}),
            ([parts.found.click], self.choose, now, {**quiet, **EACH}),
            ([parts.save.click], self.save, now, slow),
            ([parts.add.click], self.add, now, slow),
            ([parts.asked.click], self.retire_question, now, {**slow, **EACH}),
            ([parts.merge.click], self.merge, [*now, parts.into], slow),
            ([parts.retire.click], self.retire, now, slow),
            ([parts.undo.click], self.undo, now, slow),
        ):  # what was typed into the search meanwhile is searched for at the end
            gr.on(touched, done, inputs, every, **shown).then(self.find, searched, [parts.found], **quiet)

    def find(self, language: str, search: str, spoken: str, opened: Opened) -> Drawn:
        found = self.shelf.find(typed(search), spoken or "")
        return {self.parts.found: listed(found, opened, ANSWER_WORDS[language])}

    def look(self, *now: Any) -> Drawn:
        """Draw anew what is live now; what is typed stays."""
        language, _, search, spoken, opened, text, more = now
        opened = _kept(opened, text, more)
        answer = opened.answer
        if answer is not None and answer.key not in opened.drafts:
            opened = replace(opened, answer=self.shelf.answers.get(answer.key))
            return self._draw(language, search, spoken, opened, fill=True)
        return self._draw(language, search, spoken, opened, fill=False)

    def choose(self, event: gr.EventData, *now: Any) -> Drawn:
        language, _, search, spoken, opened, text, more = now
        key = str(event._data.get("answer")), str(event._data.get("language"))
        if opened.answer is not None and opened.answer == self.shelf.answers.get(key):
            return gr.skip()  # it is open as it is; what is typed there meanwhile stays
        opened = replace(_kept(opened, text, more), answer=self.shelf.answers.get(key))
        told = "" if opened.answer is not None else alert(ANSWER_WORDS[language].gone)
        return self._draw(language, search, spoken, opened, fill=True) | {self.parts.told: told}

    def save(self, *now: Any) -> Drawn:
        words, text = ANSWER_WORDS[now[0]], typed(now[5])
        return self._edit(
            now,
            lambda live, answer: reword(live, answer.key[0], text, answer.key[1]),
            words.reworded,
            keeps=(Typed.MORE,),
        )

    def add(self, *now: Any) -> Drawn:
        words, lines = ANSWER_WORDS[now[0]], [line.strip() for line in typed(now[6]).split("\n") if line.strip()]
        return self._edit(
            now,
            lambda live, answer: add_questions(live, answer.key[0], lines, now[1].strip(), answer.key[1]),
            words.added,
            keeps=(Typed.TEXT,),
        )

    def retire_question(self, event: gr.EventData, *now: Any) -> Drawn:
        gone = event._data.get("retire")
        if gone is None:
            return gr.skip()
        return self._edit(
            now,
            lambda _, answer: Plan(tuple(pair for pair in answer.pairs if pair.id == gone)),
            ANSWER_WORDS[now[0]].retired_question,
        )

    def retire(self, *now: Any) -> Drawn:
        return self._edit(
            now, lambda live, answer: retire_answer(live, *answer.key), ANSWER_WORDS[now[0]].retired_answer
        )

    def merge(self, *given: Any) -> Drawn:
        *now, kept = given
        words, into = ANSWER_WORDS[now[0]], str(kept or "").strip()
        told = words.merged.replace("{kept}", into.replace("{", "(").replace("}", ")"))
        return self._edit(
            now,
            lambda live, answer: merge_answers(live, into, *answer.key),
            told,
            follow=lambda key: (into, key[1]),
        )

    def undo(self, *now: Any) -> Drawn:
        language, who, search, spoken, opened, text, more = now
        words, opened = ANSWER_WORDS[language], _kept(opened, text, more)
        told, version = attempt(self.editor, words, lambda: self.editor.undo(who), words.undone)
        if version is not None and opened.answer is not None:
            opened = replace(opened, answer=self.shelf.answers.get(opened.answer.key))
        return self._draw(language, search, spoken, opened, fill=version is not None) | {self.parts.told: told}

    def _edit(
        self,
        now: Any,
        plan: Callable[[tuple[QAPair, ...], Answer], Plan],
        why: str,
        keeps: Sequence[Typed] = (),
        follow: Callable[[Key], Key] = lambda key: key,
    ) -> Drawn:
        """Publish a plan for the open answer if it is as the lead saw it. `keeps` says what of its draft stays,
        `follow` which answer is open afterwards."""
        language, who, search, spoken, opened, text, more = now
        words, opened = ANSWER_WORDS[language], _kept(opened, text, more)
        if opened.answer is None:
            return gr.skip()
        key, stock = opened.answer.key, self.editor.stock
        live = self.shelf.answers.get(key)
        if live != opened.answer:
            opened = opened if live is None else replace(opened, answer=live)
            told = words.gone if live is None else words.changed_meanwhile
            return self._draw(language, search, spoken, opened, fill=False) | {self.parts.told: alert(told)}
        made: list[Plan] = []

        def publish() -> str:
            made.append(plan(stock.pairs, live))
            return self.editor.publish(made[0], who, why.replace("{answer}", key[0]))

        told, version = attempt(self.editor, words, publish, words.saved)
        if version is None:
            return self._draw(language, search, spoken, opened, fill=False) | {self.parts.told: told}
        told += _warning(stock.pairs, made[0], words)
        text, more = opened.drafts.get(key, NO_DRAFT)
        opened = _with(opened, key, (text if Typed.TEXT in keeps else None, more if Typed.MORE in keeps else ""))
        opened = replace(opened, answer=self.shelf.answers.get(follow(key)))
        return self._draw(language, search, spoken, opened, fill=True) | {self.parts.told: told}

    def _draw(self, language: str, search: str, spoken: str, opened: Opened, *, fill: bool) -> Drawn:
        words, parts, answer, shelf = ANSWER_WORDS[language], self.parts, opened.answer, self.shelf
        draft = opened.drafts.get(answer.key, NO_DRAFT) if answer is not None else NO_DRAFT
        text = {"value": answer.text if draft[0] is None else draft[0]} if fill and answer is not None else {}
        more = {"value": draft[1]} if fill and answer is not None else {}
        others = [] if answer is None else [key[0] for key in shelf.answers if key[1] == answer.key[1]]
        languages = self.editor.live.languages
        names = [(WORDS[code].name if code in WORDS else code, code) for code in languages]
        return {
            parts.opened: opened,
            parts.search: gr.Textbox(label=words.search, placeholder=words.search),
            parts.spoken: gr.Radio([(words.every, ""), *names], label=words.language, visible=len(languages) > 1),
            parts.found: listed(shelf.find(typed(search), spoken or ""), opened, words),
            parts.head: head(opened, words),
            parts.form: gr.Column(visible=answer is not None),
            parts.text: gr.Textbox(label=words.text, **text),
            parts.save: words.save,
            parts.undo: words.undo,
            parts.asked: questions(opened, words),
            parts.more: gr.Textbox(label=words.add, **more),
            parts.add: words.add_button,
            parts.into: gr.Dropdown(
                [other for other in others if answer is None or other != answer.key[0]][:OFFERED],
                label=words.merge,
                **({"value": None} if fill else {}),
            ),
            parts.merge: words.merge_button,
            parts.retire: words.retire_answer,
        }


def _kept(opened: Opened, text: str | None, more: str | None) -> Opened:
    """With what is typed for the open answer as its draft, unless that is what is live."""
    answer = opened.answer
    if answer is None:
        return opened
    changed = None if typed(text) == typed(answer.text) else typed(text)
    return _with(opened, answer.key, (changed, typed(more)))


def _with(opened: Opened, key: Key, draft: Draft) -> Opened:
    others = {other: own for other, own in opened.drafts.items() if other != key}
    return replace(opened, drafts=others if draft == NO_DRAFT else others | {key: draft})


def _warning(live: tuple[QAPair, ...], plan: Plan, words: AnswerWords) -> str:
    """Contradictions that an edit has made."""
    found = seen(live, plan).contradictions
    if not found:
        return ""
    named = "; ".join(f"{one.question}: {', '.join(one.answer_ids)}" for one in found)
    return alert(f"{words.kinds['contradictions']}: {named}")
