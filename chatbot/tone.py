"""What an angry or worried customer hears: a fitting first sentence, the way to a person, and no third question.

In: a reply, the customer's mood, and the conversation so far. Out: the reply in a fitting tone. The stored answer
stays word for word. Where the bot would ask an upset customer back twice in a row, or where two angry messages in
a row would stay without an answer, a person takes over. Pure.
"""

from collections.abc import Callable
from dataclasses import replace

from chatbot import phrases
from chatbot.domain import Action, Conversation, Mood, Reason, Reply, Role
from chatbot.phrases import Phrases
from chatbot.text import detect_language


def fitting(
    reply: Reply, mood: Mood, conversation: Conversation, mood_of: Callable[[str], Mood], words: Phrases
) -> Reply:
    """`reply` as it was where the customer is calm. `mood_of` tells the mood of an earlier message."""
    if mood is Mood.CALM:
        return reply
    if reply.decision.action is Action.CLARIFY and _lost_patience(mood, conversation, mood_of, words):
        decision = replace(reply.decision, action=Action.HAND_OVER, reason=Reason.UPSET)
        reply = replace(reply, text=words.replies["upset"], decision=decision, suggestions=())
    said = _last(conversation, Role.AGENT)
    text = reply.text if said.startswith(_openings(words)) else f"{words.replies[mood]}{words.gap}{reply.text}"
    return replace(reply, text=text, mood=mood, offers_person=reply.decision.action is not Action.HAND_OVER)


def without_opening(text: str) -> str:
    """What the bot said, but for the sentence that `fitting` put before it."""
    openings = _openings(phrases.load(detect_language(text)))
    return next((text.removeprefix(opening).lstrip() for opening in openings if text.startswith(opening)), text)


def _lost_patience(mood: Mood, conversation: Conversation, mood_of: Callable[[str], Mood], words: Phrases) -> bool:
    """Whether the bot asked back last time, too, or the customer was angry last time, too, and got no answer."""
    turns = conversation.turns
    if not turns or turns[-1].role is not Role.AGENT:
        return False
    if turns[-1].text.endswith(words.replies["clarify"]):
        return True
    unanswered = turns[-1].answer_id is None
    return unanswered and mood is Mood.ANGRY and mood_of(_last(conversation, Role.USER)) is Mood.ANGRY


def _last(conversation: Conversation, role: Role) -> str:
    return next((turn.text for turn in reversed(conversation.turns) if turn.role is role), "")


def _openings(words: Phrases) -> tuple[str, ...]:
    return words.replies[Mood.ANGRY], words.replies[Mood.WORRIED]
