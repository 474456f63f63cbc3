"""An answer that needs something of the customer: it is asked for, looked up, and said.

In: the stored answer, the conversation and the message. Out: the reply's text, and the slot that it asks for where
one is missing. Whatever fails on the way becomes the company's own sentence for it; the log has no word of the
customer's.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from chatbot.answer import Part, Templates
from chatbot.domain import Action, Conversation, Decision, QAPair
from chatbot.errors import TemplateError, Unavailable
from chatbot.protocols import Connector
from chatbot.slots import Asked, Slot, given, is_tried

log = logging.getLogger(__name__)

TRIES = 2  # times that a value is asked for in a row; then a person takes over


@dataclass(frozen=True, slots=True)
class Filled:
    """What to say, and which slot it asks for, if any."""

    text: str
    asks: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A stored answer that waits for a value, or for another one; the slot, and how it was asked for."""

    pair: QAPair
    slot: Slot
    asked: Asked

    @property
    def tries(self) -> int:
        """How often the value was asked for. What was said along with the answer counts once: a customer may come
        back to it, and be told it again."""
        said = [self.pair.answer in reply for reply in self.asked.replies]
        return said.count(False) + any(said)

    def is_best(self, decision: Decision) -> bool:
        """Whether the pairs say this answer first."""
        return any(first.pair.answer_id == self.pair.answer_id for first in decision.candidates[:1])

    def is_failed_by(self, text: str, decision: Decision) -> bool:
        """Whether a message without the value is a poor answer to the question for it: not another question that
        can be answered, nor one of somebody who was told the stored answer along with the question, and so owes
        nothing."""
        if decision.action is Action.ANSWER and not self.is_best(decision):
            return False
        owes = not any(self.pair.answer in reply for reply in self.asked.replies)
        return self.asked.last and (owes or is_tried(text))


def fill(
    pair: QAPair, conversation: Conversation, text: str, templates: Templates, connectors: Mapping[str, Connector]
) -> Filled:
    """Say an answer in reply to `text`, as far as what was given so far goes."""
    first = not any(turn.answer_id for turn in conversation.turns)
    values: dict[str, str] = {}
    for slot in templates.needs(pair):
        value = given(conversation, text, slot)
        if value is None:
            asking = {"prompt": templates.prompt(pair, slot.name)}
            return Filled(templates.render(pair, part=Part.ASKING, first=first, slots=asking), slot.name)
        values[slot.name] = value
    name = templates.wording(pair).connector
    if name is None:
        return Filled(templates.render(pair, first=first, slots=values))
    try:
        found = connectors[name].find(values)
        if found is not None:
            return Filled(templates.render(pair, first=first, slots=values, found=found))
    except Unavailable as cause:
        log.warning("answer %s: %s", pair.answer_id, cause)
    except TemplateError:  # whose message may quote a value
        log.warning("answer %s: its template does not fit what connector %s found", pair.answer_id, name)
    else:
        missing = templates.render(pair, part=Part.MISSING, first=first, slots=values)
        return Filled(missing, templates.connectors[name].slots[0])
    return Filled(templates.render(pair, part=Part.FAILED, first=first, slots=values))
