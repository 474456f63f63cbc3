"""A promise about wrong answers: the threshold at which, of the answers given, at most a stated share is wrong.

In: confidences of held-out questions, from a calibration that was fitted without them, and whether each first
answer was right. Out: a threshold, or None where there are too few questions to promise anything. The promise
is "Learn then Test" (Angelopoulos et al. 2021, https://arxiv.org/abs/2110.01052) as MAPIE does it: thresholds are
tested from the strictest down, each against a finite-sample bound, until one fails. It holds for at least LEVEL of
all draws of held-out questions, as long as customers ask questions of the same kind, and as long as the finished
models, which learn from all pairs, answer no worse than those that had to do without the held-out ones.
"""

import math
import warnings

import numpy as np
from mapie.risk_control import BinaryClassificationController, precision

from chatbot.decide import Floats

LEVEL = 0.9
STEPS = 10  # thresholds tried; each further one makes it likelier that one fails by chance
FIRST = 3  # the strictest lets through so many times the questions with which a promise could just be made


def promised(confidence: Floats, right: Floats, risk: float) -> float | None:
    """The lowest confidence [n] at which at most `risk` of the answers given are wrong; right [n] is 0 or 1."""
    first = least_questions(risk)
    if len(confidence) < first:
        return None
    tried = np.unique(np.sort(confidence)[::-1][np.linspace(first - 1, len(confidence) - 1, STEPS).astype(int)])
    controller = BinaryClassificationController(
        predict_function=lambda x: np.column_stack([1 - np.ravel(x), np.ravel(x)]),
        risk=precision,
        target_level=1 - risk,
        confidence_level=LEVEL,
        best_predict_param_choice="recall",
        list_predict_params=tried[::-1],
        fwer_method="fixed_sequence",
    )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # that precision need not fall with the threshold: the sequence stays valid
        controller.calibrate(confidence[:, None], right.astype(int))
    return None if controller.best_predict_param is None else float(controller.best_predict_param)


def least_questions(risk: float) -> int:
    """How many held-out questions `promised` asks for: FIRST times as many as there must be right answers,
    without a wrong one, to show that at most `risk` of them are wrong."""
    return FIRST * math.ceil(math.log(1 - LEVEL) / math.log(1 - risk))
