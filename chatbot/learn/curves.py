"""Two pictures of a confidence: is it true (reliability diagram), and what does caution cost (risk and coverage)?

In: confidences and whether each first answer was right, of held-out questions or of an evaluation. Out: the points
of the curves, and a PNG with both. The vertical line is the threshold from which on the bot answers.
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from chatbot.decide import Floats
from chatbot.learn.evaluate import BINS, Line, Prediction, equal_parts

BLUE, GREY, RED = "#2563eb", "#94a3b8", "#dc2626"


def reliability(confidence: Floats, right: Floats, bins: int = BINS) -> Floats:
    """float64 [bins, 3]: mean confidence, share right and number of turns of parts of equal size."""
    return np.array([[confidence[p].mean(), right[p].mean(), len(p)] for p in equal_parts(confidence, bins)])


def risk_coverage(confidence: Floats, right: Floats) -> Floats:
    """float64 [n, 3]: for each threshold from the strictest down, the share of turns answered, the share of these
    answers that is wrong, and the threshold."""
    order = np.argsort(-confidence, kind="stable")
    number = np.arange(1, len(order) + 1)
    wrong = np.cumsum(1 - right[order]) / number
    last = np.append(confidence[order][1:] < confidence[order][:-1], True)  # of those that share a confidence
    return np.column_stack([number / len(order), wrong, confidence[order]])[last]


def draw(confidence: Sequence[float], right: Sequence[float], threshold: float | None, title: str) -> bytes:
    """A PNG with both curves; of no turns at all, an empty frame that says so."""
    told, good = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    figure = Figure(figsize=(9, 4), dpi=110, layout="constrained")
    figure.suptitle(f"{title}: {len(told)} turns")
    left, beside = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
    left.set(xlabel="stated confidence", ylabel="share right", xlim=(0, 1), ylim=(0, 1.02))
    beside.set(xlabel="coverage: share of turns answered", ylabel="risk: share of answers wrong", xlim=(0, 1.02))
    if len(told):
        bins = reliability(told, good)
        left.plot(bins[:, 0], bins[:, 1], color=BLUE, marker="o", markersize=4)
        curve = risk_coverage(told, good)
        beside.plot(curve[:, 0], curve[:, 1], color=BLUE)
        beside.set_ylim(0, max(0.05, 1.1 * curve[:, 1].max()))
    if len(told) and threshold is not None:
        left.axvline(threshold, color=RED, linewidth=1)
        beside.axvline((told >= threshold).mean(), color=RED, linewidth=1)
    picture = BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def save(folder: Path, predictions: Sequence[Prediction], lines: Mapping[str, Line]) -> None:
    """One picture a language, `curves-LANGUAGE.png`, of an evaluation's turns."""
    for language in sorted({p.language for p in predictions} & lines.keys()):
        own = [p for p in predictions if p.language == language]
        threshold = lines[language].calibration.alone.answer_threshold
        picture = draw([p.confidence for p in own], [float(p.right_first) for p in own], threshold, language)
        (folder / f"curves-{language}.png").write_bytes(picture)
