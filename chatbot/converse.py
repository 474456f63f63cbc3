"""Chatbot.reply(conversation, text): the function to read first.

A message is looked at in this order: can it be read at all; does it ask for a person (always honoured); what do
the pairs say, to the words alone and to the words after what was said before; is it small talk; else answer, ask
back, or hand over. The conversation is a value: the caller keeps it and passes it in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import perf_counter

from chatbot import phrases
from chatbot.answer import Templates
from chatbot.decide import OFFERED, decide
from chatbot.domain import Action, Citation, Conversation, Decision, QAPair, Reason, Reply, Role, Turn
from chatbot.phrases import Phrases
from chatbot.retrieve import Retriever
from chatbot.settings import Settings
from chatbot.text import clean, detect_language

SAME_WORDS = 0.95  # similarity from which a stored question is taken to be the small talk itself


@dataclass(frozen=True, slots=True)
class Chatbot:
    """A built bot. `lines` holds one retriever a language."""

    lines: Mapping[str, Retriever]
    templates: Templates
    settings: Settings

    def reply(self, conversation: Conversation, text: str) -> Reply:
        """What to say to `text` after `conversation` (which does not hold it yet). Never raises for a text."""
        start = perf_counter()
        language = self._language(conversation, text)
        words = phrases.load(language)
        readable = clean(text)
        if not phrases.bare(readable):
            return _plain(Action.CHAT, Reason.NO_QUESTION, words.replies["no_question"], language)
        if len(readable) > self.settings.max_characters:
            return _plain(Action.HAND_OVER, Reason.TOO_LONG, words.replies["too_long"], language)
        if words.asks_for_person(readable):
            return _plain(Action.HAND_OVER, Reason.ASKED_FOR_PERSON, words.replies["person"], language)
        talk = words.small_talk_reply(readable)
        before = conversation if talk is None else Conversation()  # thanks for an answer is not its question again
        decision, timings = self._judge(before, readable, language)
        decision = _minding_refusal(decision, readable, words)
        if talk is not None and not _says_the_same(decision):
            chat = replace(decision, action=Action.CHAT, reason=Reason.SMALL_TALK)
            return Reply(talk, chat, language, timings=timings)
        return self._say(
            conversation, decision, language, words, {**timings, "total": 1000 * (perf_counter() - start)}
        )

    def line_for(self, text: str) -> Retriever:
        """The retriever that serves a text by its language; the first one where none does."""
        line = self._line(self._language(Conversation(), text))
        return self.lines[min(self.lines)] if line is None else line

    def _judge(self, conversation: Conversation, text: str, language: str) -> tuple[Decision, Mapping[str, float]]:
        """Decide on every reading of the message together: as it stands, and after what was said before."""
        line = self._line(language)
        if line is None:
            return Decision(Action.HAND_OVER, 0.0, Reason.UNSURE), {}
        texts = readings(conversation, text)
        (found,) = line.retrieve_read([texts])
        return decide(found.candidates, found.judge, later=len(texts) > 1), found.timings

    def _say(
        self,
        conversation: Conversation,
        decision: Decision,
        language: str,
        words: Phrases,
        timings: Mapping[str, float],
    ) -> Reply:
        if decision.action is Action.ANSWER:
            pair = decision.candidates[0].pair
            first = not any(turn.answer_id for turn in conversation.turns)
            text = self.templates.render(pair, first=first)
            return Reply(text, decision, language, pair.answer_id, (_cite(pair),), timings=timings)
        if decision.action is Action.CLARIFY:
            suggestions = tuple(candidate.pair.question for candidate in decision.candidates[:OFFERED])
            return Reply(words.replies["clarify"], decision, language, suggestions=suggestions, timings=timings)
        return Reply(words.replies["hand_over"], decision, language, timings=timings)

    def _language(self, conversation: Conversation, text: str) -> str:
        """By the message's script; a message without letters follows the conversation."""
        return detect_language(text, default=conversation.language or next(iter(sorted(self.lines))))

    def _line(self, language: str) -> Retriever | None:
        """The retriever of a language, or one whose model serves that language as well; None where none does."""
        if language in self.lines:
            return self.lines[language]
        route = self.settings.routes.get(language, self.settings.routes.get("*"))
        served = [self.lines[own] for own in sorted(self.lines) if self.settings.route(own) == route]
        return served[0] if served else None


def said(conversation: Conversation, text: str, reply: Reply) -> Conversation:
    """The conversation with one exchange more."""
    turns = (*conversation.turns, Turn(Role.USER, text), Turn(Role.AGENT, reply.text, reply.answer_id))
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
    return [text, *(f"{text} {before}" for before in (*earlier[-1:], *replies[-1:]) if earlier)]


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


def _plain(action: Action, reason: Reason, text: str, language: str) -> Reply:
    return Reply(text, Decision(action, 0.0, reason), language)


def _cite(pair: QAPair) -> Citation:
    return Citation(pair.id, pair.answer_id, pair.question, pair.source)
