"""Held-out evidence: which pairs a model may learn from, and what it then makes of those it never saw.

In: the pairs of one language. Out: `Split`s (kept, asked, hidden), and, from a bot built on what was kept,
the `Sample`s that calibration is fitted on. *Asked* questions have an answer among the kept pairs; *hidden*
questions belonged to answers that were left out whole, so for them 'nothing answers this' is the truth. No
question is asked in two folds while there is another one. Answers
that share a question are left out together, or the others would answer it. Where no question can be spared, those
of the kept pairs are asked *garbled*: easier than what customers write, but better than no evidence at all.
Dialogues that were labelled to calibrate by give samples too: of real wordings, and of follow-ups.
"""

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from tqdm import tqdm

from chatbot.converse import is_question, readings
from chatbot.decide import evidence
from chatbot.domain import Candidate, Conversation, HeldOutDialogue, QAPair, Role, Turn
from chatbot.learn.calibrate import Sample
from chatbot.learn.mine import labelled
from chatbot.learn.noise import noisy
from chatbot.retrieve import Retriever, form
from chatbot.settings import Calibrate

LEAST_ANSWERS = 4  # fewer answers than this are not hidden: too little would be left to choose from
GARBLED = 60  # questions at most that are asked garbled where none can be spared
LOST = 0.25  # of the words of a garbled question
BATCH = 32


@dataclass(frozen=True, slots=True)
class Split:
    kept: tuple[QAPair, ...]
    asked: tuple[QAPair, ...]
    hidden: tuple[QAPair, ...]
    garbled: tuple[tuple[str, QAPair], ...] = ()  # a kept pair and what is asked instead of its question


def split(pairs: Sequence[QAPair], settings: Calibrate, folds: int, seed: int) -> list[Split]:
    """One split a fold. Different folds hide different answers; every kept answer keeps at least one question."""
    chance = random.Random(seed)
    of_group: dict[int, list[int]] = {}
    for row, group in enumerate(_groups(pairs)):
        of_group.setdefault(group, []).append(row)
    groups = chance.sample(sorted(of_group), len(of_group))
    size = round(settings.hidden_answers * len(groups)) if len(groups) >= LEAST_ANSWERS else 0
    splits: list[Split] = []
    before: set[str] = set()  # what earlier folds have asked
    for fold in range(folds):
        hidden_groups = {groups[(fold * size + i) % len(groups)] for i in range(size)}
        spared = [
            _spared(pairs, of_group[g], settings.held_out, before, chance)
            for g in groups
            if g not in hidden_groups
        ]
        texts = [rows for group in spared for rows in group]
        texts = chance.sample(texts, min(len(texts), settings.hidden_limit))
        asked = [rows[0] for rows in texts]
        before |= {form(pairs[row].question, casefold=True) for row in asked}
        hidden = [row for group in sorted(hidden_groups) for row in of_group[group]]
        out = {row for rows in texts for row in rows} | {*hidden}
        left = [row for row in range(len(pairs)) if row not in out]
        wanted = min(GARBLED, len(left), settings.hidden_limit) if hidden and not asked else 0
        garbled = [(garble(pairs[row].question, chance), pairs[row]) for row in chance.sample(left, wanted)]
        splits.append(
            Split(
                tuple(pairs[row] for row in left),
                tuple(pairs[row] for row in asked),
                tuple(pairs[row] for row in chance.sample(hidden, min(len(hidden), settings.hidden_limit))),
                tuple(garbled),
            )
        )
    return splits


def _groups(pairs: Sequence[QAPair]) -> list[int]:
    """A number for each pair; answers that share a question, in whatever case, share the number."""
    texts = labelled(pairs, (), casefold=True)
    group = dict(zip(texts.questions, texts.answers, strict=True))
    return [group[form(pair.question, casefold=True)] for pair in pairs]


def _spared(
    pairs: Sequence[QAPair], rows: Sequence[int], share: float, before: Collection[str], chance: random.Random
) -> list[list[int]]:
    """The rows of each question to be held out of a group: `share` of its questions, one at least, but none that
    is the last one of an answer; those held out `before` come last."""
    of_text: dict[str, list[int]] = {}
    for row in rows:
        of_text.setdefault(form(pairs[row].question, casefold=True), []).append(row)
    left = Counter(pairs[row].answer_id for row in rows)
    spared: list[list[int]] = []
    for text in sorted(chance.sample(sorted(of_text), len(of_text)), key=lambda text: text in before):
        own = Counter(pairs[row].answer_id for row in of_text[text])
        if len(spared) < max(1, round(share * len(of_text))) and all(left[a] > own[a] for a in own):
            spared.append(of_text[text])
            left -= own
    return spared


def garble(text: str, chance: random.Random) -> str:
    """About a quarter of the words lost (of the characters, where words are not parted by spaces), and mistyped:
    a stand-in for another wording."""
    words = text.split()
    parts, gap = (words, " ") if len(words) > 2 else (list(text), "")
    kept = [part for part in parts if chance.random() >= LOST]
    return noisy(gap.join(kept if kept else parts), chance)


def samples(retriever: Retriever, held_out: Split) -> list[Sample]:
    """What a bot built on `held_out.kept` finds for the questions that it never saw."""
    answers: dict[str, set[str]] = {}
    for pair in (*held_out.kept, *held_out.asked):
        answers.setdefault(form(pair.question, casefold=True), set()).add(pair.answer_id)
    asked = [(pair.question, answers[form(pair.question, casefold=True)], False) for pair in held_out.asked]
    asked += [(text, answers[form(pair.question, casefold=True)], True) for text, pair in held_out.garbled]
    asked += [(pair.question, set(), False) for pair in held_out.hidden]
    found = []
    for start in range(0, len(asked), BATCH):
        batch = asked[start : start + BATCH]
        retrieved = retriever.retrieve([text for text, _, _ in batch])
        for (_, expected, garbled), found_here in zip(batch, retrieved, strict=True):
            found.append(replace(_sample(found_here.candidates, expected), garbled=garbled))
    return found if held_out.hidden else [*found, *map(_without_right, found)]


def heard(retriever: Retriever, dialogues: Sequence[HeldOutDialogue], limit: int, seed: int) -> list[Sample]:
    """What a bot finds for the scored turns of dialogues (`limit` of them by chance), read as `Chatbot.reply`
    reads them. What nothing answers in the middle of a conversation is asked once more as if it had begun one:
    conversations seldom do, and a bot must know it when they do."""
    turns = [
        (readings(Conversation(turns=tuple(Turn(t.role, t.text) for t in dialogue.turns[:i])), turn.text), turn)
        for dialogue in dialogues
        for i, turn in enumerate(dialogue.turns)
        if turn.role is Role.USER and turn.expected is not None and is_question(turn.text)
    ]
    asked = random.Random(seed).sample(turns, min(limit, len(turns)))
    asked += [(texts[:1], turn) for texts, turn in asked if not turn.expected and len(texts) > 1]
    found = []
    for start in tqdm(range(0, len(asked), BATCH), desc="asking what the dialogues ask", unit="batch"):
        batch = asked[start : start + BATCH]
        for (texts, turn), retrieved in zip(
            batch, retriever.retrieve_read([texts for texts, _ in batch]), strict=True
        ):
            found.append(_sample(retrieved.candidates, turn.expected or (), later=len(texts) > 1))
    return found


def _sample(candidates: Sequence[Candidate], expected: Collection[str], later: bool = False) -> Sample:
    right = tuple(i for i, c in enumerate(candidates) if c.pair.answer_id in expected)
    return Sample(evidence(candidates), right, bool(expected), later)


def _without_right(sample: Sample) -> Sample:
    """The same question had its answer not been there: stands in where there are too few answers to hide any."""
    kept = [row for row in range(len(sample.evidence)) if row not in sample.right]
    return Sample(sample.evidence[kept], (), False)
