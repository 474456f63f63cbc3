"""A promise holds as often as it says, and is not given without evidence."""

import numpy as np
import pytest

from chatbot.decide import Floats
from chatbot.learn.guarantee import LEVEL, least_questions, promised


def drawn(number: int, seed: int) -> tuple[Floats, Floats]:
    """Confidences that are exactly right, and what came of them."""
    chance = np.random.default_rng(seed)
    confidence = 1 / (1 + np.exp(-(6 * chance.random(number) - 2.2)))
    return confidence, (chance.random(number) < confidence).astype(float)


@pytest.mark.parametrize(("risk", "expected"), [(0.05, 3 * 45), (0.1, 3 * 22), (0.5, 3 * 4)])
def test_how_many_questions_are_the_least(risk: float, expected: int) -> None:
    assert least_questions(risk) == expected


def test_too_few_questions_promise_nothing() -> None:
    number = least_questions(0.1)
    assert promised(np.full(number - 1, 0.9), np.ones(number - 1), 0.1) is None
    assert promised(np.full(number, 0.9), np.ones(number), 0.1) == 0.9
    assert promised(np.full(number, 0.9), np.zeros(number), 0.1) is None
    assert promised(np.zeros(0), np.zeros(0), 0.1) is None


def test_the_promise_is_kept() -> None:
    service, right = drawn(200_000, seed=0)
    broken = given = 0
    for seed in range(1, 101):
        threshold = promised(*drawn(400, seed), 0.15)
        if threshold is not None:
            given += 1
            broken += 1 - right[service >= threshold].mean() > 0.15
    assert given > 80
    assert broken <= (1 - LEVEL) * 100


def test_less_risk_is_a_higher_threshold() -> None:
    confidence, right = drawn(3000, seed=1)
    thresholds = [promised(confidence, right, risk) for risk in (0.1, 0.15, 0.2)]
    assert thresholds == sorted(thresholds, key=lambda t: -(t or 2.0)) and None not in thresholds
