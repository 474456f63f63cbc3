"""What an edit would do to held-out dialogues, found out before anybody is answered by it.

In: the served bot, dialogues with what is expected, and a `Plan`. Out: the share of the work that is done, while
it is, and at last a `Difference` (learn/difference.py). The plan is carried out on a copy of the pairs and indexes
that it changes; what serves is not touched, and both are asked the same turns. What the bot as it is says is kept
for the next plan.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chatbot.converse import Chatbot
from chatbot.domain import HeldOutDialogue
from chatbot.edit import LiveBot
from chatbot.insight.changes import Plan

if TYPE_CHECKING:  # scikit-learn; a service that never checks does without
    from chatbot.learn.difference import Difference
    from chatbot.learn.evaluate import Prediction

AT_ONCE = 10  # turns between two reports


@dataclass(frozen=True, slots=True)
class Check:
    """`dialogues` are of any languages; a plan is tried on those of the languages that it changes."""

    live: LiveBot
    dialogues: Sequence[HeldOutDialogue]
    known: "dict[tuple[str, str, int], Prediction]" = field(default_factory=dict)

    def covers(self, plan: Plan) -> bool:
        """Whether there is any scored turn to try a plan on."""
        return any(turn.expected is not None for one in self._concerned(plan) for turn in one.turns)

    def run(self, plan: Plan) -> "Iterator[float | Difference]":
        """Shares from 0 to 1, then the difference. Raises UserError where the plan does not fit what is live, or
        no turn of the dialogues is scored."""
        yield 0.0
        with self.live.in_use() as bot:
            yield from self._compared(plan, bot)

    def _compared(self, plan: Plan, bot: Chatbot) -> "Iterator[float | Difference]":
        from chatbot.learn.difference import difference
        from chatbot.learn.evaluate import predict, scored_turns

        version, tried = self.live.version, self.live.tried(plan)
        turns = scored_turns(self._concerned(plan))
        before, after = [], []
        for number, (dialogue, position) in enumerate(turns, 1):
            key = version, dialogue.id, position
            if key not in self.known:
                self.known[key] = predict(dialogue, position, bot)
            before.append(self.known[key])
            after.append(predict(dialogue, position, tried))
            if number % AT_ONCE == 0:
                yield number / len(turns)
        for key in [key for key in self.known if key[0] != version]:
            self.known.pop(key, None)
        yield difference(before, after, bot.settings.seed)

    def _concerned(self, plan: Plan) -> list[HeldOutDialogue]:
        """Dialogues in the plan's languages, and those that another language's pairs may answer."""
        changed, lines = {pair.language for pair in (*plan.removed, *plan.added)}, self.live.languages
        return [one for one in self.dialogues if one.language in changed or one.language not in lines]
