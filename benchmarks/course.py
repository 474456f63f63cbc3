"""What both ways of training share (training.py): the demo's pairs with some held out, quality, and a clock.

In: a language, settings, and what a model makes of texts. Out: the share of held-out questions that it finds, and
a `Course`: at each look the step, the tokens read, the seconds by the clock and of the processor, and the quality.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chatbot.corpus import read_pairs
from chatbot.domain import QAPair
from chatbot.learn.folds import split
from chatbot.learn.loop import Watch
from chatbot.learn.noise import noisy
from chatbot.learn.relevance import RankedList
from chatbot.retrieve import form
from chatbot.settings import Settings
from chatbot.workshop import LanguageWorkshop

DEMO = Path(__file__).parent.parent / "data" / "demo"
KEPT, ASKED = 400, 150  # questions at most that a look reads; the latter twice
NEAREST = 5  # texts in a list that a look ranks


@dataclass(frozen=True, slots=True)
class Data:
    settings: Settings
    room: LanguageWorkshop
    kept: Sequence[QAPair]
    asked: Sequence[tuple[str, str]]  # questions as they are and mistyped, and their answers

    @classmethod
    def read(cls, language: str, settings: Settings) -> "Data":
        room = LanguageWorkshop(settings.route(language), settings)
        pairs = [p for p in read_pairs([DEMO / f"pairs_{language}.csv"]).pairs if p.language == language]
        calibrate = settings.calibrate.model_copy(update={"hidden_answers": 0.0, "hidden_limit": ASKED})
        part = split(pairs, calibrate, 1, settings.seed)[0]
        chance = random.Random(settings.seed)
        asked = [(form(pair.question, room.casefold), pair.answer_id) for pair in part.asked]
        return cls(settings, room, part.kept, [*asked, *((noisy(text, chance), one) for text, one in asked)])

    def form(self, text: str) -> str:
        return form(text, self.room.casefold)

    def found(self, encode: Callable[[list[str]], Any]) -> float:
        """Of the questions asked, how many lie nearest to a kept one of their answer."""
        kept = random.Random(self.settings.seed).sample(self.kept, min(KEPT, len(self.kept)))
        vectors = encode([self.form(pair.question) for pair in kept] + [text for text, _ in self.asked])
        nearest = (vectors[len(kept) :] @ vectors[: len(kept)].T).argmax(1)
        return float(np.mean([kept[n].answer_id == one for n, (_, one) in zip(nearest, self.asked, strict=True)]))


@dataclass(slots=True)
class Course:
    """A training as it goes: the clock stands still while quality is looked at."""

    steps: int
    every: int
    rate: float
    tokens: int = 0
    passed: list[float] = field(default_factory=lambda: [0.0, 0.0])
    begun: list[float] = field(default_factory=list)
    curve: list[dict[str, float]] = field(default_factory=list)

    def start(self, quality: float) -> None:
        self._note(0, quality)
        self.begun = [time.perf_counter(), time.process_time()]

    def look(self, step: int, quality: Callable[[], float]) -> float:
        now = time.perf_counter(), time.process_time()
        self.passed = [p + n - b for p, n, b in zip(self.passed, now, self.begun, strict=True)]
        found = quality()
        self._note(step, found)
        self.begun = [time.perf_counter(), time.process_time()]
        return found

    def _note(self, step: int, quality: float) -> None:
        seconds, processor = self.passed
        self.curve.append(
            {
                "step": step,
                "tokens": self.tokens,
                "seconds": seconds,
                "processor_seconds": processor,
                "quality": quality,
            }
        )

    def watch(self, quality: Callable[[], float]) -> Watch:
        def check() -> float:
            return self.look(self.curve[-1]["step"] + self.every, quality)

        return Watch("ours", check=check, every=self.every, patience=self.steps)


def right_first(lists: Sequence[RankedList], score: Callable[[list[str], list[str]], Any]) -> float:
    questions = [ranked.question for ranked in lists for _ in ranked.texts]
    scores = score(questions, [text for ranked in lists for text in ranked.texts])
    best = np.asarray(scores).reshape(len(lists), NEAREST).argmax(1)
    return float(np.mean([one == ranked.right for one, ranked in zip(best, lists, strict=True)]))
