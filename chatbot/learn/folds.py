"""Held-out evidence: which pairs a model may learn from, and what it then makes of those it never saw.

In: the pairs of one language. Out: `Split`s (kept, asked, hidden), and, from a bot built on what was kept,
the `Sample`s that calibration is fitted on. *Asked* questions have an answer among the kept pairs; *hidden*
questions belonged to answers that were left out whole, so for them 'nothing answers this' is the truth.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from chatbot.decide import evidence
from chatbot.domain import QAPair
from chatbot.learn.calibrate import Sample
from chatbot.retrieve import Retriever, word_count
from chatbot.settings import Calibrate

LEAST_ANSWERS = 4  # fewer answers than this are not hidden: too little would be left to choose from
BATCH = 64


@dataclass(frozen=True, slots=True)
class Split:
    kept: tuple[QAPair, ...]
    asked: tuple[QAPair, ...]
    hidden: tuple[QAPair, ...]


def split(pairs: Sequence[QAPair], settings: Calibrate, folds: int, seed: int) -> list[Split]:
    """One split a fold. Different folds hide different answers; every kept answer keeps at least one question."""
    chance = random.Random(seed)
    answer_ids = sorted({pair.answer_id for pair in pairs})
    chance.shuffle(answer_ids)
    of_answer: dict[str, list[QAPair]] = {}
    for pair in pairs:
        of_answer.setdefault(pair.answer_id, []).append(pair)
    size = round(settings.hidden_answers * len(answer_ids)) if len(answer_ids) >= LEAST_ANSWERS else 0
    splits = []
    for fold in range(folds):
        hidden_ids = {answer_ids[(fold * size + i) % len(answer_ids)] for i in range(size)}
        asked = []
        for answer_id, own in of_answer.items():
            if answer_id not in hidden_ids:
                asked += chance.sample(own, min(len(own) - 1, max(1, round(settings.held_out * len(own)))))
        asked = chance.sample(asked, min(len(asked), settings.hidden_limit))
        hidden = [pair for pair in pairs if pair.answer_id in hidden_ids]
        out = {pair.id for pair in asked} | {pair.id for pair in hidden}
        splits.append(
            Split(
                tuple(pair for pair in pairs if pair.id not in out),
                tuple(asked),
                tuple(chance.sample(hidden, min(len(hidden), settings.hidden_limit))),
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
            found.append(
                Sample(evidence(candidates), places[0] if places else None, answerable, word_count(pair.question))
            )
    return found
