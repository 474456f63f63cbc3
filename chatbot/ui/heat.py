"""An explanation as HTML that needs nothing else: which words count, which look at each other, and whether to
believe either. Pure, and without Gradio.

In: an `Explanation` and the page's words. Out: HTML for a light or a dark page, from 360 pixels on. Every text is
escaped by the template (heat.html.j2). No meaning rests on colour alone: each number stands beside its colour,
signs are written, lines are dashed. Colours are a blue and a vermilion that the colour-blind tell apart (after
Okabe and Ito), laid over the page's own ground so thinly that its letters stay legible.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from jinja2 import Environment, PackageLoader, StrictUndefined

from chatbot.insight.deletion import Deletion, Verdict
from chatbot.insight.explain import Explanation, Side
from chatbot.ui.heat_words import HeatWords
from chatbot.ui.show import printable

BLUE, VERMILION = "40,130,200", "213,94,0"
MOST_COLOUR = 0.5  # opacity of the largest number
MAPPED = 24  # words of either text in the map
LETTERS = 24  # of a word that are shown
WIDTH, HEIGHT = 300, 110  # of the curves


@dataclass(frozen=True, slots=True)
class _Marked:
    """A word with its number as it is written, and its colour over the page's."""

    text: str
    number: str
    colour: str
    line: str = "none"


def heat(explanation: Explanation, words: HeatWords) -> str:
    """HTML of the whole explanation."""
    environment = Environment(
        loader=PackageLoader("chatbot", "ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    question, candidate, deletion = explanation.question, explanation.candidate, explanation.deletion
    most = max(map(abs, question.attribution + candidate.attribution), default=0.0)
    columns = candidate.words[:MAPPED]
    return environment.get_template("heat.html.j2").render(
        words=words,
        relevance=_signed(explanation.relevance),
        gap=f"{explanation.completeness_gap:.2f}",
        sides=[
            (words.question, _counted(question, most), question.whole),
            (words.candidate, _counted(candidate, most), candidate.whole),
        ],
        columns=[_short(word) for word in columns],
        rows=_mapped(explanation),
        left_out=max(len(question.words) - MAPPED, 0) + max(len(candidate.words) - MAPPED, 0),
        counts=_verdict(deletion, deletion.attribution, words),
        looks=_verdict(deletion, deletion.attention, words),
        tested=deletion.judge(deletion.attribution).verdict is not Verdict.UNTESTED,
        curves=_curves(deletion),
        told=_told(deletion, words),
        share=f"{deletion.shares[-1]:.0%}",
        width=WIDTH,
        height=HEIGHT,
        blue=f"rgb({BLUE})",
        vermilion=f"rgb({VERMILION})",
    )


def _counted(side: Side, most: float) -> list[_Marked]:
    """The words of one text, the colour by the share of the most that any word adds or takes."""
    marked = []
    for word, value in zip(side.words, side.attribution, strict=True):
        number = _signed(value)
        line = {"+": "solid", "−": "dotted"}.get(number[0], "none")
        colour = _colour(BLUE if value > 0 else VERMILION, abs(value), most)
        marked.append(_Marked(_short(word), number, colour, line))
    return marked


def _mapped(explanation: Explanation) -> list[tuple[str, list[_Marked]]]:
    """Rows of the map: a word of the question, and a cell for each word of the candidate."""
    most = max((value for row in explanation.attention for value in row), default=0.0)
    return [
        (
            _short(left),
            [
                _Marked(f"{_short(left)} · {_short(right)}", f"{100 * value:.1f}", _colour(BLUE, value, most))
                for right, value in zip(explanation.candidate.words[:MAPPED], row, strict=False)
            ],
        )
        for left, row in zip(explanation.question.words[:MAPPED], explanation.attention, strict=False)
    ]


def _verdict(deletion: Deletion, curve: Sequence[float], words: HeatWords) -> str:
    found = deletion.judge(curve)
    said = words.verdicts[found.verdict].format(moved=_signed(-found.lowered), chance=_signed(-found.by_chance))
    if found.verdict is Verdict.FAITHFUL and found.times is not None:
        said += words.times.format(times=f"{found.times:.1f}")
    return said


def _told(deletion: Deletion, words: HeatWords) -> str:
    """The curves in words."""
    return words.curves.format(
        start=_signed(deletion.attribution[0]),
        share=f"{deletion.shares[-1]:.0%}",
        attribution=_signed(deletion.attribution[-1]),
        attention=_signed(deletion.attention[-1]),
        chance=_signed(fmean(draw[-1] for draw in deletion.chance)),
    )


@dataclass(frozen=True, slots=True)
class _Curves:
    """Points as SVG writes them, and the relevance at the top and at the bottom."""

    attribution: str
    attention: str
    chance: str
    draws: tuple[str, ...]
    top: str
    bottom: str


def _curves(deletion: Deletion) -> _Curves:
    whole = [deletion.attribution, deletion.attention, *deletion.chance]
    low, high = min(map(min, whole)), max(map(max, whole))

    def points(curve: Sequence[float]) -> str:
        across = [WIDTH * share / deletion.shares[-1] for share in deletion.shares]
        down = [HEIGHT * (high - value) / (high - low) if high > low else 0.0 for value in curve]
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))

    return _Curves(
        points(deletion.attribution),
        points(deletion.attention),
        points([fmean(values) for values in zip(*deletion.chance, strict=True)]),
        tuple(map(points, deletion.chance)),
        _signed(high),
        _signed(low),
    )


def _colour(hue: str, value: float, most: float) -> str:
    return f"rgba({hue},{MOST_COLOUR * value / most:.2f})" if most > 0 else "transparent"


def _signed(value: float) -> str:
    """With a sign that is as wide as the plus; a number that is shown as zero has none."""
    written = f"{value:+.1f}"
    return "0.0" if written in ("+0.0", "-0.0") else written.replace("-", "−")


def _short(word: str) -> str:
    return printable(word if len(word) <= LETTERS else f"{word[:LETTERS]}…")
