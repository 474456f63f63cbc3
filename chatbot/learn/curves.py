"""Two pictures of a confidence: is it true (reliability diagram), and what does caution cost (risk and coverage)?

In: confidences and whether each first answer was right, of held-out questions or of an evaluation. Out: the points
of the curves, and a PNG with both. The vertical line is the threshold from which on the bot answers. Words that no
font of this machine can draw are English.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from chatbot.decide import Calibrated, Floats
from chatbot.learn.evaluate import BINS, Prediction, equal_parts

BLUE, GREY, RED = "#2563eb", "#94a3b8", "#dc2626"
LATIN = "DejaVu Sans"  # comes with matplotlib
CHINESE = ("Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "PingFang SC", "Microsoft YaHei")


@dataclass(frozen=True, slots=True)
class Labels:
    """What stands at the axes, and above them: `title` with {name} and {number}."""

    title: str
    stated: str
    right: str
    coverage: str
    risk: str


ENGLISH = Labels(
    "{name}: {number} turns",
    "stated confidence",
    "share right",
    "coverage: share of turns answered",
    "risk: share of answers wrong",
)


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


def fonts() -> list[str]:
    """A font for Latin letters, and one for Chinese where the machine has any."""
    names = fontManager.get_font_names()
    return [LATIN, *[name for name in CHINESE if name in names][:1]]


def draw(
    confidence: Sequence[float],
    right: Sequence[float],
    threshold: float | None,
    name: str,
    labels: Labels = ENGLISH,
) -> bytes:
    """A PNG with both curves; of no turns at all, an empty frame that says so."""
    drawn = fonts()
    told = labels if len(drawn) > 1 or "".join(astuple(labels)).isascii() else ENGLISH
    with mpl.rc_context({"font.family": drawn}):
        return _drawn(np.asarray(confidence, dtype=float), np.asarray(right, dtype=float), threshold, name, told)


def _drawn(told: Floats, good: Floats, threshold: float | None, name: str, labels: Labels) -> bytes:
    figure = Figure(figsize=(9, 4), dpi=110, layout="constrained")
    figure.suptitle(labels.title.format(name=name, number=len(told)))
    left, beside = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
    left.set(xlabel=labels.stated, ylabel=labels.right, xlim=(0, 1), ylim=(0, 1.02))
    beside.set(xlabel=labels.coverage, ylabel=labels.risk, xlim=(0, 1.02))
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


def save(folder: Path, predictions: Sequence[Prediction], lines: Mapping[str, Calibrated]) -> None:
    """One picture a language, `curves-LANGUAGE.png`, of an evaluation's turns."""
    for language in sorted({p.language for p in predictions} & lines.keys()):
        own = [p for p in predictions if p.language == language]
        threshold = lines[language].calibration.alone.answer_threshold
        picture = draw([p.confidence for p in own], [float(p.right_first) for p in own], threshold, language)
        (folder / f"curves-{language}.png").write_bytes(picture)
