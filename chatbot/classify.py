"""The answers as classes: vectors of questions -> how likely each answer is, if it must be one of those known.

In: the vectors of historical questions with their answers. Out: log-probabilities by a multinomial logistic
regression on the vectors (scikit-learn). Neighbours say what is near; the regression says which directions tell
one answer from another, which matters where many answers lie close together. It is fitted in seconds, and one
matrix product answers a batch of questions.
"""

import logging
import random
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.special import log_softmax

from chatbot.domain import Scores, Vectors
from chatbot.errors import BotError

log = logging.getLogger(__name__)
LEAST = -9.2  # log of one in ten thousand: what is less likely than this is all the same
INVERSE_REGULARISATION = 10.0  # scikit-learn's C
ITERATIONS = 200
MOST_ANSWERS = 2000  # beyond, weights and time grow out of bounds
MOST_QUESTIONS = 30_000  # that it learns from
LEAST_A_QUESTION = 2.0  # questions an answer on average, below which there are no directions to learn


class AnswerClassifier:
    """Weights [answers, dim] and biases [answers], rows in the order of `answer_ids`."""

    def __init__(self, answer_ids: Sequence[str], weights: Vectors, biases: Scores) -> None:
        self.position = {answer_id: row for row, answer_id in enumerate(answer_ids)}
        self.weights = weights
        self.biases = biases

    @classmethod
    def fit(cls, vectors: Vectors, answer_ids: Sequence[str], seed: int) -> "AnswerClassifier | None":
        """None where there is nothing to tell apart: one answer, far too many, or hardly a second question."""
        names = sorted(set(answer_ids))
        if not 2 <= len(names) <= MOST_ANSWERS or len(answer_ids) < LEAST_A_QUESTION * len(names):
            return None
        from sklearn.exceptions import ConvergenceWarning  # nearly a second, and answering needs none of it
        from sklearn.linear_model import LogisticRegression

        chosen = list(range(len(answer_ids)))
        if len(answer_ids) > MOST_QUESTIONS:
            chosen = sorted(random.Random(seed).sample(chosen, MOST_QUESTIONS))
        model = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # more iterations change nothing that is measured
            model.fit(np.asarray(vectors)[chosen], [answer_ids[row] for row in chosen])
        weights, biases = model.coef_, model.intercept_
        if len(model.classes_) == 2:  # scikit-learn then keeps the second class alone
            weights, biases = np.vstack([np.zeros_like(weights), weights]), np.append(0.0, biases)
        rows = np.ascontiguousarray(weights, dtype=np.float32)  # safetensors writes memory as it lies
        return cls(list(map(str, model.classes_)), rows, biases.astype(np.float32))

    def of_answers(self, vectors: Vectors) -> list[dict[str, float]]:
        """The log-probability of each known answer for each vector, not below LEAST."""
        values = np.maximum(self.log_probabilities(vectors), LEAST)
        return [dict(zip(self.position, row, strict=True)) for row in values.tolist()]

    def log_probabilities(self, vectors: Vectors) -> Scores:
        """float32 [n, answers]"""
        return np.asarray(log_softmax(vectors @ self.weights.T + self.biases, axis=1), dtype=np.float32)

    def save(self, file: Path) -> None:
        """The answer ids are the manifest's; their order is that of the rows. Raises OSError."""
        try:
            save_file({"weights": self.weights, "biases": self.biases}, file)
        except SafetensorError as cause:
            raise OSError(str(cause)) from cause

    @classmethod
    def load(cls, file: Path, answer_ids: Sequence[str]) -> "AnswerClassifier":
        """Raises BotError where the file does not hold one row an answer."""
        try:
            values = load_file(file)
            weights, biases = values["weights"], values["biases"]
        except (OSError, SafetensorError, KeyError) as cause:
            raise BotError(f"{file} cannot be read ({cause}); train the bot again") from cause
        if not len(answer_ids) == len(weights) == len(biases):
            raise BotError(
                f"{file} has {len(weights)} answers, the manifest {len(answer_ids)}; train the bot again"
            )
        return cls(answer_ids, weights, biases)
