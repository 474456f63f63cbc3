"""What a customer may ask next: the questions of other answers that came close.

In: a decision that answers, and the retriever that found it. Out: at most two questions, each the one that says
best what is asked of its answer: the historical question nearest to the mean of all of that answer's.
"""

from itertools import islice

import numpy as np

from chatbot.domain import Decision
from chatbot.gather import ROWS_OF_AN_ANSWER
from chatbot.retrieve import Retriever

CLOSE = 0.45  # similarity from which another answer's question is worth offering
MOST = 2


def related(decision: Decision, line: Retriever) -> tuple[str, ...]:
    close = (c.pair.answer_id for c in decision.candidates[1:] if c.similarity >= CLOSE)
    found = (_central(answer_id, line) for answer_id in close)
    return tuple(islice((question for question in found if question is not None), MOST))


def _central(answer_id: str, line: Retriever) -> str | None:
    """None where the answer is gone."""
    with line.lock:
        rows = np.array(line.table.rows.get(answer_id, ())[:ROWS_OF_AN_ANSWER], dtype=np.int64)
        if not len(rows):
            return None
        nearest = int(np.argmax(line.questions.vectors(rows) @ line.table.sums[answer_id]))
        return line.table.pairs[int(rows[nearest])].question
