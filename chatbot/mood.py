"""How a customer sounds: calm, angry or worried.

In: a message. Out: its `Mood`. A multinomial logistic regression on the message's vector by an encoder that stays
as it comes (the Universal Sentence Encoder, which stands beside the tuned one and remembers what it just encoded)
and on two signs: whether the message has a word of anger, and one of worry (phrases). Most customers are calm, and
to be called angry is no fun when one is not: a mood counts from the probability on at which nine of ten were
called rightly. benchmarks/mood.py learns the numbers in mood.json from data/mood and measures them.
"""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from chatbot import phrases
from chatbot.domain import Mood, Vectors
from chatbot.protocols import Encoder
from chatbot.retrieve import form

FILE = "mood.json"
MOODS = (Mood.CALM, Mood.ANGRY, Mood.WORRIED)  # the order of the rows


class MoodReader(Protocol):
    """Tells how a customer sounds, in one language."""

    def of(self, text: str) -> Mood: ...


class MoodClassifier:
    """A MoodReader for one language. Weights [moods, features] and biases [moods]."""

    def __init__(
        self,
        encoder: Encoder,
        language: str,
        weights: NDArray[np.float64],
        biases: NDArray[np.float64],
        thresholds: Mapping[Mood, float],
    ) -> None:
        self.encoder = encoder
        self.language = language
        self.weights = weights
        self.biases = biases
        self.thresholds = thresholds

    @classmethod
    def load(cls, encoder: Encoder, language: str) -> "MoodClassifier | None":
        """What was learnt on vectors of `encoder`, the Universal Sentence Encoder; None for a language in which
        nothing was."""
        values = json.loads((resources.files(__package__) / FILE).read_text("utf-8"))
        if language not in values["thresholds"]:
            return None
        thresholds = {Mood(name): value for name, value in values["thresholds"][language].items()}
        return cls(encoder, language, np.array(values["weights"]), np.array(values["biases"]), thresholds)

    def of(self, text: str) -> Mood:
        (found,) = self.probabilities([text])
        mood = MOODS[int(found.argmax())]
        return mood if found.max() >= self.thresholds.get(mood, 0.0) else Mood.CALM

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """float64 [len(texts), moods]"""
        found = features(self.encoder, texts, self.language) @ self.weights.T + self.biases
        return np.asarray(softmax(found, axis=1))


def features(encoder: Encoder, texts: Sequence[str], language: str) -> Vectors:
    """float32 [len(texts), dimension + 2]: vectors, and for anger and for worry whether a word of it is there."""
    words = phrases.load(language)
    said = [phrases.bare(text) for text in texts]
    signs = [
        [any(phrases.mentions(t, word) for word in kind) for kind in (words.angry, words.worried)] for t in said
    ]
    vectors = encoder.encode([form(text, casefold=True) for text in texts])
    return np.hstack([vectors, np.array(signs, dtype=np.float32).reshape(-1, 2)])
