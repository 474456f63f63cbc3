"""The audit as one page that needs nothing else: findings in, HTML out.

In: `Findings` of each language and what they were taken from. Out: a page in English and Chinese with its pictures
inside, which opens from a mail or a phone. Everything that customers or editors wrote is escaped by the template
(audit.html.j2); pictures are embedded as images, in which no script runs.
"""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from io import BytesIO

import matplotlib as mpl
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import MaxNLocator

from chatbot.insight.audit import Findings
from chatbot.learn.curves import fonts

MOST = 50  # entries of a list on the page; audit.json has them all
EXAMPLES = 3  # questions of a confusion
MAPPED = 12  # answers in the heat map
LABEL = 28  # characters of an answer id beside it
BLUE, RED = "#2f6fab", "#b3392f"


def render(findings: Sequence[Findings], about: Mapping[str, object]) -> str:
    """The page. `about` says what was audited and how, by name."""
    environment = Environment(
        loader=PackageLoader("chatbot", "insight"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    with mpl.rc_context({"font.family": fonts(), "font.size": 9, "svg.hashsalt": "audit"}):
        pictures = {f.language: _pictures(f) for f in findings}
    mapped = {f.language: most_confused(f) for f in findings}
    texts = {f.language: {a.answer_id: a.text for a in f.answers} for f in findings}
    page = environment.get_template("audit.html.j2")
    return page.render(
        findings=findings, about=about, pictures=pictures, mapped=mapped, texts=texts, most=MOST, examples=EXAMPLES
    )


def most_confused(findings: Findings) -> tuple[str, ...]:
    """Ids of the answers that take part in most confusions, at most MAPPED."""
    share: Counter[str] = Counter()
    for confusion in findings.confusions:
        share.update(dict.fromkeys(confusion.answer_ids, len(confusion.mistakes)))
    return tuple(sorted(share, key=lambda answer_id: (-share[answer_id], answer_id))[:MAPPED])


def _pictures(findings: Findings) -> dict[str, str]:
    """The pictures that there is something to show in, by name, as addresses that hold the picture itself."""
    drawn = {"questions": _histogram([a.questions for a in findings.answers], BLUE)} if findings.answers else {}
    if findings.confidences:
        drawn["confidences"] = _histogram(findings.confidences, RED, findings.threshold)
    if findings.confusions:
        drawn["confusions"] = _heat_map(findings, most_confused(findings))
    return {name: _embedded(figure) for name, figure in drawn.items()}


def _histogram(values: Sequence[float], colour: str, threshold: float | None = None) -> Figure:
    """Probabilities in twentieths with a line at the threshold, or whole numbers."""
    figure = Figure(figsize=(5, 2.4), layout="constrained")
    axes = figure.add_subplot()
    edges = np.linspace(0, 1, 21) if threshold is not None else "auto"
    axes.hist(values, bins=edges, color=colour, edgecolor="white")  # type: ignore[arg-type]
    if threshold is not None:
        axes.axvline(threshold, color="black", linestyle="--", linewidth=1)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _heat_map(findings: Findings, answer_ids: Sequence[str]) -> Figure:
    """Down: whose question was asked. Across: whose answer came first. Labels are numbers of the legend below the
    picture, and the ids as well where there are letters to write them in."""
    place = {answer_id: i for i, answer_id in enumerate(answer_ids)}
    counts = np.zeros((len(place), len(place)), dtype=int)
    for confusion in findings.confusions:
        for mistake in confusion.mistakes:
            if mistake.answer_id in place and mistake.wrong_id in place:
                counts[place[mistake.answer_id], place[mistake.wrong_id]] += 1
    size = 1.4 + 0.3 * len(place)
    figure = Figure(figsize=(size + 1.2, size), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(counts, cmap="Reds", vmin=0)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            axes.text(column, row, str(count), ha="center", va="center", color=_legible(count, counts.max()))
    numbers = range(1, len(place) + 1)
    labels = [f"{_label(answer_id)} {n}".strip() for answer_id, n in zip(answer_ids, numbers, strict=True)]
    axes.set_xticks(range(len(place)), [str(n) for n in numbers])
    axes.set_yticks(range(len(place)), labels, parse_math=False)
    axes.xaxis.tick_top()
    return figure


def _legible(count: int, most: int) -> str:
    return "white" if 2 * count > most else "black"


def _label(answer_id: str) -> str:
    """The beginning of the id; empty where the fonts lack a letter of it."""
    known = {code for name in mpl.rcParams["font.family"] for code in get_font(findfont(name)).get_charmap()}
    label = answer_id if len(answer_id) <= LABEL else answer_id[: LABEL - 1] + "…"
    return label if known.issuperset(map(ord, label)) else ""


def _embedded(figure: Figure) -> str:
    """A data: address of the figure as SVG."""
    drawn = BytesIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(drawn.getvalue()).decode("ascii")
