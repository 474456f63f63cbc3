"""Held-out evidence: which pairs a model may learn from, and what it then makes of those it never saw.

In: the pairs of one language. Out: `Split`s (kept, asked, hidden), and, from a bot built on what was kept,
the `Sample`s that calibration is fitted on. *Asked* questions have an answer among the kept pairs; *hidden*
questions belonged to answers that were left out whole, so for them 'nothing answers this' is the truth.
Dialogues that were labelled to calibrate by give samples too: of real wordings, and of follow-ups.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tqdm import tqdm

from chatbot.converse import readings
from chatbot.decide import evidence
from chatbot.domain import Conversation, HeldOutDialogue, QAPair, Role, Turn
from chatbot.learn.calibrate import Sample
from chatbot.retrieve import Retriever
from chatbot.settings import Calibrate

LEAST_ANSWERS = 4  # fewer answers than this are not hidden: too little would be left to choose from
BATCH = 32


@dataclass(frozen=True, slots=True)
class Split:
    kept: tuple[QAPair, ...]
    asked: tuple[QAPair, ...]
    hidden: tuple[QAPair, ...]


def split(pairs: Sequence[QAPair], settings: Calibrate, folds: int, seed: int) -> list[Split]:
    """One split a fold. Different folds hide different answers; every kept answer keeps at least one question."""
    chance = random.Random(seed)
    of_answer: dict[str, list[int]] = {}
    for row, pair in enumerate(pairs):
        of_answer.setdefault(pair.answer_id, []).append(row)
    answer_ids = chance.sample(sorted(of_answer), len(of_answer))
    size = round(settings.hidden_answers * len(answer_ids)) if len(answer_ids) >= LEAST_ANSWERS else 0
    splits = []
    for fold in range(folds):
        hidden_ids = {answer_ids[(fold * size + i) % len(answer_ids)] for i in range(size)}
        asked: list[int] = []
        for answer_id in answer_ids:
            if answer_id not in hidden_ids:
                own = of_answer[answer_id]
                asked += chance.sample(own, min(len(own) - 1, max(1, round(settings.held_out * len(own)))))
        asked = chance.sample(asked, min(len(asked), settings.hidden_limit))
        hidden = [row for answer_id in sorted(hidden_ids) for row in of_answer[answer_id]]
        out = {*asked, *hidden}
        splits.append(
            Split(
                tuple(pair for row, pair in enumerate(pairs) if row not in out),
                tuple(pairs[row] for row in asked),
                tuple(pairs[row] for row in chance.sample(hidden, min(len(hidden), settings.hidden_limit))),
            )
        )
    return splits


def samples(retriever: Retriever, held_out: Split) -> list[Sample]:
    """What a bot built on `held_out.kept` finds for the questions that it never saw."""
    asked = [(pair, True) for pair in held_out.asked] + [(pair, False) for pair in held_out.hidden]
    found = []
    for start in range(0, len(asked), BATCH):
        batch = asked[start : start + BATCH]
        for (pair, answerable), retrieved in zip(
            batch, retriever.retrieve([pair.question for pair, _ in batch]), strict=True
        ):
            candidates = retrieved.candidates
            places = [i for i, c in enumerate(candidates) if answerable and c.pair.answer_id == pair.answer_id]
            found.append(Sample(evidence(candidates), places[0] if places else None, answerable))
    return found if held_out.hidden else [*found, *map(_without_right, found)]


def heard(retriever: Retriever, dialogues: Sequence[HeldOutDialogue], limit: int, seed: int) -> list[Sample]:
    """What a bot finds for the scored turns of dialogues (`limit` of them by chance), read as `Chatbot.reply`
    reads them. What nothing answers in the middle of a conversation is asked once more as if it had begun one:
    conversations seldom do, and a bot must know it when they do. Where several answers are right, the best of them
    stands for all."""
    turns = [
        (readings(Conversation(turns=tuple(Turn(t.role, t.text) for t in dialogue.turns[:i])), turn.text), turn)
        for dialogue in dialogues
        for i, turn in enumerate(dialogue.turns)
        if turn.role is Role.USER and turn.expected is not None
    ]
    asked = random.Random(seed).sample(turns, min(limit, len(turns)))
    asked += [(texts[:1], turn) for texts, turn in asked if not turn.expected and len(texts) > 1]
    found = []
    for start in tqdm(range(0, len(asked), BATCH), desc="asking what the dialogues ask", unit="batch"):
        batch = asked[start : start + BATCH]
        for (texts, turn), retrieved in zip(
            batch, retriever.retrieve_read([texts for texts, _ in batch]), strict=True
        ):
            expected, candidates = turn.expected or (), retrieved.candidates
            right = [i for i, c in enumerate(candidates) if c.pair.answer_id in expected]
            kept = [row for row in range(len(candidates)) if row not in right[1:]]
            found.append(
                Sample(evidence(candidates)[kept], right[0] if right else None, bool(expected), len(texts) > 1)
            )
    return found


def _without_right(sample: Sample) -> Sample:
    """The same question had its answer not been there: stands in where there are too few answers to hide any."""
    kept = [row for row in range(len(sample.evidence)) if row != sample.right]
    return Sample(sample.evidence[kept], None, False)
