"""Chatbot.reply(conversation, text): the function to read first.

A message is looked at in this order: can it be read at all; does it ask for a person (always honoured); what do
the pairs say, to the words alone and to the words after what was said before; is it small talk; else answer, ask
back, or hand over. A message that holds what an answer has asked for gets that answer, unless it asks for
something else besides. The conversation is a value: the caller keeps it and passes it in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

from chatbot import phrases, several, slots, tone
from chatbot.answer import Templates
from chatbot.decide import OFFERED, decide
from chatbot.domain import (
    Action,
    Candidate,
    Citation,
    Conversation,
    Decision,
    Mood,
    QAPair,
    Reason,
    Reply,
    Role,
    Turn,
)
from chatbot.fill import TRIES, Waiting, fill
from chatbot.mood import MoodReader
from chatbot.phrases import Phrases
from chatbot.protocols import Connector
from chatbot.related import related
from chatbot.retrieve import Retriever
from chatbot.settings import Settings
from chatbot.slots import Asked
from chatbot.text import clean, detect_language

SAME_WORDS = 0.95  # similarity from which a stored question is taken to be the small talk itself


@dataclass(frozen=True, slots=True)
class Chatbot:
    """A built bot. `lines` holds one retriever a language, `connectors` what templates look up, by name, `moods`
    what tells a customer's mood, if anything; `version` is its name where versions are kept (edit.py)."""

    lines: Mapping[str, Retriever]
    templates: Templates
    settings: Settings
    connectors: Mapping[str, Connector] = field(default_factory=dict)
    moods: Mapping[str, MoodReader] = field(default_factory=dict)
    apart: bool = True  # whether several questions in one message get several answers
    version: str | None = None

    def reply(self, conversation: Conversation, text: str) -> Reply:
        """What to say to `text` after `conversation` (which does not hold it yet). Never raises for a text."""
        start = perf_counter()
        asked = slots.asked(conversation)
        language = self._language(conversation, text if asked is None else slots.prose(text))
        words = phrases.load(language)
        readable = clean(text)
        unread = self._without_reading(readable, language, words)
        if unread is not None:
            return unread
        waiting = None if asked is None else self._waiting(asked, language)
        if waiting is not None and waiting.slot.find(text) is not None:
            decision = self._beside(waiting, conversation, text, language)
            return self._say(conversation, text, decision, language, {"total": _since(start)})
        talk = words.small_talk_reply(readable)
        before = conversation if talk is None else Conversation()  # thanks for an answer is not its question again
        parts = several.split(text, words) if talk is None and self.apart else ()
        (decision, *of_parts), timings = self._judge(before, readable, language, words, parts)
        if talk is not None and not _says_the_same(decision):
            chat = replace(decision, action=Action.CHAT, reason=Reason.SMALL_TALK)
            still_open = asked.slot if asked is not None and asked.last else None
            return Reply(talk, chat, language, timings=timings, asks=still_open)
        timings = {**timings, "total": _since(start)}
        if waiting is not None and waiting.is_failed_by(text, decision):
            return self._ask_again(waiting, text, decision, language, timings)
        found = several.judged(decision, parts, of_parts)
        if found is None:
            reply = self._say(conversation, text, decision, language, timings)
        else:
            reply = self._say_each(conversation, found, language, words, timings)
        mood = Mood.CALM if talk is not None else self.mood_of(readable)
        return tone.fitting(reply, mood, conversation, self.mood_of, words)

    def mood_of(self, text: str) -> Mood:
        """How the customer sounds; calm where nothing tells."""
        reader = self.moods.get(self._language(Conversation(), text))
        return Mood.CALM if reader is None else reader.of(text)

    def line_for(self, text: str) -> Retriever:
        """The retriever that serves a text by its language; the first one where none does."""
        line = self._line(self._language(Conversation(), text))
        return self.lines[min(self.lines)] if line is None else line

    def _without_reading(self, text: str, language: str, words: Phrases) -> Reply | None:
        """What to say to a message whatever the pairs hold; None where they decide."""
        if not phrases.bare(text):
            return _plain(Action.CHAT, Reason.NO_QUESTION, words.replies["no_question"], language)
        if len(text) > self.settings.max_characters:
            return _plain(Action.HAND_OVER, Reason.TOO_LONG, words.replies["too_long"], language)
        if words.asks_for_person(text):
            return _plain(Action.HAND_OVER, Reason.ASKED_FOR_PERSON, words.replies["person"], language)
        return None

    def _judge(
        self, conversation: Conversation, text: str, language: str, words: Phrases, parts: Sequence[str] = ()
    ) -> tuple[list[Decision], Mapping[str, float]]:
        """Decide on every reading of the message together: as it stands, and after what was said before. Behind
        that decision come those on each part alone, of one batch with it."""
        line = self._line(language)
        if line is None:
            return [Decision(Action.HAND_OVER, 0.0, Reason.UNSURE)] * (1 + len(parts)), {}
        messages = [readings(conversation, text), *([part] for part in parts)]
        retrieved = line.retrieve_read(messages)
        decisions = [
            _minding_refusal(decide(found.candidates, found.judge, later=len(texts) > 1), texts[0], words)
            for texts, found in zip(messages, retrieved, strict=True)
        ]
        return decisions, retrieved[0].timings

    def _beside(self, waiting: Waiting, conversation: Conversation, text: str, language: str) -> Decision:
        """What to do about a message with the value that an answer waits for: say it, unless the other words are a
        question that something else answers, or may answer, by themselves and after what was said before."""
        words = phrases.load(language)
        rest = clean(waiting.slot.without(text))
        if phrases.bare(rest) and words.small_talk_reply(rest) is None:
            (other,), _ = self._judge(Conversation(), rest, language, words)
            if other.action is not Action.HAND_OVER and not waiting.is_best(other):
                (later,), _ = self._judge(conversation, rest, language, words)
                if not waiting.is_best(later):
                    return other
        given = Candidate(waiting.pair, similarity=1.0, confidence=1.0)  # it was decided on when it was asked
        return Decision(Action.ANSWER, 1.0, Reason.VALUE_GIVEN, (given,))

    def _say(
        self,
        conversation: Conversation,
        text: str,
        decision: Decision,
        language: str,
        timings: Mapping[str, float],
    ) -> Reply:
        words = phrases.load(language)
        if decision.action is Action.ANSWER:
            pair = decision.candidates[0].pair
            filled = fill(pair, conversation, text, self.templates, self.connectors)
            given = Reply(filled.text, decision, language, pair.answer_id, (_cite(pair),), timings=timings)
            return replace(given, asks=filled.asks, suggestions=self._next(pair, decision, filled.asks, language))
        if decision.action is Action.CLARIFY:
            suggestions = tuple(candidate.pair.question for candidate in decision.candidates[:OFFERED])
            return Reply(words.replies["clarify"], decision, language, suggestions=suggestions, timings=timings)
        return Reply(words.replies["hand_over"], decision, language, timings=timings)

    def _next(self, pair: QAPair, decision: Decision, asks: str | None, language: str) -> tuple[str, ...]:
        """Questions to offer after an answer, unless it waits for a value itself."""
        line = self._line(language)
        if asks is not None or line is None:
            return ()
        return self.templates.wording(pair).follow_ups or related(decision, line)

    def _ask_again(
        self, waiting: Waiting, text: str, decision: Decision, language: str, timings: Mapping[str, float]
    ) -> Reply:
        """Say what is wrong with what was given, once; then a person takes over."""
        if waiting.tries >= TRIES:
            person = replace(decision, action=Action.HAND_OVER, reason=Reason.NO_VALUE)
            return Reply(phrases.load(language).replies["no_value"], person, language, timings=timings)
        pair, slot = waiting.pair, waiting.slot
        question = self.templates.again(pair, slot.name, mistyped=slot.is_mistyped(text))
        back = replace(decision, action=Action.CLARIFY, reason=Reason.NO_VALUE)
        return Reply(question, back, language, pair.answer_id, timings=timings, asks=slot.name)

    def _waiting(self, asked: Asked, language: str) -> Waiting | None:
        """The last answer, in this language or the first that has it, with the slot that it asked for, or the one
        that it may get another value of. None where it needs nothing, or it or the slot is gone."""
        lines = (self._line(language), *(self.lines[own] for own in sorted(self.lines)))
        having = (line.table for line in lines if line is not None and asked.answer_id in line.table.rows)
        pair = next((table.pairs[table.rows[asked.answer_id][0]] for table in having), None)
        needs = () if pair is None else self.templates.needs(pair)
        slot = next(
            (one for one in needs if one.name == asked.slot or (asked.slot is None and one.anywhere)), None
        )
        return None if pair is None or slot is None else Waiting(pair, slot, asked)

    def _say_each(
        self,
        conversation: Conversation,
        found: several.Several,
        language: str,
        words: Phrases,
        timings: Mapping[str, float],
    ) -> Reply:
        """One answer after the other, each as it would be given alone."""
        replies = []
        for part, decision in found.answered:
            replies.append(self._say(conversation, part, decision, language, timings))
            conversation = said(conversation, part, replies[-1])
        return several.joined(found, replies, words)

    def _language(self, conversation: Conversation, text: str) -> str:
        """By the message's script; a message without letters follows the conversation."""
        return detect_language(text, default=conversation.language or min(self.lines, default=""))

    def _line(self, language: str) -> Retriever | None:
        """The retriever of a language, or one whose model serves that language as well; None where none does."""
        if language in self.lines:
            return self.lines[language]
        route = self.settings.routes.get(language, self.settings.routes.get("*"))
        served = [self.lines[own] for own in sorted(self.lines) if self.settings.route(own) == route]
        return served[0] if served else None


def said(conversation: Conversation, text: str, reply: Reply) -> Conversation:
    """The conversation with one exchange more."""
    turns = (*conversation.turns, Turn(Role.USER, text), Turn(Role.AGENT, reply.text, reply.answer_id, reply.asks))
    return Conversation(conversation.id, turns, reply.language)


def readings(conversation: Conversation, text: str) -> list[str]:
    """The message alone, with the customer's last question, and with the company's last words.

    A follow-up ("and how long does that take?") says what it is about in none of its own words; a new topic says
    it all. Nothing has to tell them apart: what fits in several readings wins (see `decide.blend`). The message
    comes first, so that of a long history the history is cut, not the message.
    """
    words = phrases.load(detect_language(text))
    earlier = [
        turn.text
        for turn in conversation.turns
        if turn.role is Role.USER and words.small_talk_reply(turn.text) is None
    ]
    replies = [turn.text for turn in conversation.turns if turn.role is Role.AGENT]
    before = (*earlier[-1:], *map(tone.without_opening, replies[-1:])) if earlier else ()
    return [text, *(f"{text} {earlier_words}" for earlier_words in before)]


def is_question(text: str) -> bool:
    """Whether the pairs decide what to say to a message: it has words, asks for no person and is no small talk."""
    words, readable = phrases.load(detect_language(text)), clean(text)
    said = phrases.bare(readable) != ""
    return said and not words.asks_for_person(readable) and words.small_talk_reply(readable) is None


def _minding_refusal(decision: Decision, text: str, words: Phrases) -> Decision:
    """Ask back where the customer does not want to do what the best answer's question is about, unless that
    question says the same; and where that question is nothing but a refusal of what the customer does want."""
    if decision.action is not Action.ANSWER:
        return decision
    question = decision.candidates[0].pair.question
    refused, stored = words.refused(text), words.refused(question)
    about_it = any(phrases.mentions(phrases.bare(question), act) for act in refused if act not in stored)
    nothing_else = words.only_refuses(text) and not stored
    wanted = not refused and any(phrases.mentions(phrases.bare(text), act) for act in stored)
    if about_it or nothing_else or (wanted and words.only_refuses(question)):
        return replace(decision, action=Action.CLARIFY, reason=Reason.REFUSED)
    return decision


def _says_the_same(decision: Decision) -> bool:
    """Whether the pairs hold this very small talk, so that their answer comes before the built-in one."""
    return decision.action is Action.ANSWER and decision.candidates[0].similarity >= SAME_WORDS


def _since(start: float) -> float:
    return 1000 * (perf_counter() - start)


def _plain(action: Action, reason: Reason, text: str, language: str) -> Reply:
    return Reply(text, Decision(action, 0.0, reason), language)


def _cite(pair: QAPair) -> Citation:
    return Citation(pair.id, pair.answer_id, pair.question, pair.source, pair.metadata.get("date", ""))
