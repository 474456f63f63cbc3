"""The answers that are live, as a support lead looks for them and reads one: found by words, drawn as HTML. Pure.

In: live pairs. Out: a `Shelf`, which is made once a version and searched with every letter typed; the list that
was found, and one answer with its questions. Buttons carry what they stand for in `data-` attributes.
"""

import html
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chatbot.domain import QAPair
from chatbot.text import clean
from chatbot.ui.answer_words import AnswerWords
from chatbot.ui.show import plain, quoted

LISTED = 50
QUESTIONS = 200  # of one answer that are drawn

Key = tuple[str, str]  # answer_id, language
Draft = tuple[str | None, str]  # a text, None as it is live; and further questions
NO_DRAFT: Draft = (None, "")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer in one language, with its pairs as they are live."""

    pairs: tuple[QAPair, ...]

    @property
    def key(self) -> Key:
        return self.pairs[0].answer_id, self.pairs[0].language

    @property
    def text(self) -> str:
        return self.pairs[0].answer


@dataclass(frozen=True, eq=False, slots=True)
class Shelf:
    """Answers by language and id, and what each is searched in."""

    answers: Mapping[Key, Answer]
    folded: Mapping[Key, str]

    @classmethod
    def of(cls, pairs: Sequence[QAPair]) -> "Shelf":
        own: dict[Key, list[QAPair]] = defaultdict(list)
        for pair in pairs:
            own[pair.answer_id, pair.language].append(pair)
        answers = {key: Answer(tuple(own[key])) for key in sorted(own, key=lambda key: (key[1], key[0]))}
        texts = {key: (key[0], one.text, *(p.question for p in one.pairs)) for key, one in answers.items()}
        return cls(answers, {key: "\n".join(map(clean, said)).casefold() for key, said in texts.items()})

    def find(self, typed: str, language: str = "") -> list[Answer]:
        """The answers with all the words that were typed, those with the whole phrase first; "" is any."""
        phrase = clean(typed).casefold()
        found = [
            key
            for key, text in self.folded.items()
            if language in ("", key[1]) and all(word in text for word in phrase.split())
        ]
        return [self.answers[key] for key in sorted(found, key=lambda key: phrase not in self.folded[key])]


@dataclass(frozen=True, eq=False, slots=True)
class Opened:
    """The answer that is open, as its editor saw it, and what was typed for it and others and not published."""

    answer: Answer | None = None
    drafts: Mapping[Key, Draft] = field(default_factory=dict)


def listed(found: Sequence[Answer], opened: Opened, words: AnswerWords) -> str:
    """A button for each of the first answers."""
    if not found:
        return f'<p class="quiet">{words.nothing_found}</p>'
    questions = sum(len(one.pairs) for one in found)
    told = words.found.format(count=f"{len(found):,}", questions=f"{questions:,}")
    hidden = len(found) - LISTED
    more = f'<p class="quiet">{words.more.format(count=f"{hidden:,}")}. {words.narrow}</p>' if hidden > 0 else ""
    items = "".join(_item(one, opened) for one in found[:LISTED])
    return f'<h2 class="quiet">{told}</h2><ul class="shelf">{items}</ul>{more}'


def _item(one: Answer, opened: Opened) -> str:
    answer_id, language = one.key
    chosen = str(opened.answer is not None and opened.answer.key == one.key).lower()
    return (
        f'<li><button type="button" data-answer="{html.escape(answer_id)}" data-language="{html.escape(language)}"'
        f' aria-pressed="{chosen}"><strong>{plain(quoted(one.pairs[0].question))}</strong>'
        f'<span class="last">{plain(quoted(one.text))}</span>'
        f'<span class="quiet">{plain(answer_id)} · {plain(language)} · {len(one.pairs)}</span></button></li>'
    )


def head(opened: Opened, words: AnswerWords) -> str:
    """Which answer is open; the text that is live where another one is being written."""
    answer = opened.answer
    if answer is None:
        return f'<p class="quiet">{words.choose}</p>'
    answer_id, language = answer.key
    title = f"<h3>{plain(answer_id)} <small>{plain(language)}</small></h3>"
    if opened.drafts.get(answer.key, NO_DRAFT)[0] is None:
        return title
    return f'{title}<p class="quiet">{words.draft}</p><blockquote>{plain(answer.text)}</blockquote>'


def questions(opened: Opened, words: AnswerWords) -> str:
    """The questions of the open answer, each with a button that retires it."""
    if opened.answer is None:
        return ""
    pairs = opened.answer.pairs
    items = "".join(
        f"<li><span>{plain(quoted(pair.question))}</span> "
        f'<button type="button" data-retire="{html.escape(pair.id)}" '
        f'aria-label="{html.escape(f"{words.retire_question}: {quoted(pair.question)}")}">'
        f"{words.retire_question}</button></li>"
        for pair in pairs[:QUESTIONS]
    )
    hidden = len(pairs) - QUESTIONS
    more = f'<p class="quiet">{words.more.format(count=f"{hidden:,}")}</p>' if hidden > 0 else ""
    return f'<h3>{words.questions} ({len(pairs):,})</h3><ul class="asked">{items}</ul>{more}'
