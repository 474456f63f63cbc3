"""What the thresholds' tab draws, as HTML, and what its sliders stand for. Pure.

A slider is at 1 where the bot never answers or asks back (a threshold above 1), and a slider that was not moved
stands for the very threshold in force, not for the rounded one that it shows.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field

from chatbot.decide import Calibration, Floats
from chatbot.domain import Action
from chatbot.insight.whatif import Change, Outcome, Table, Thresholds, changes, outcome
from chatbot.ui.figures import rate, table
from chatbot.ui.plots import Axis, Line, Mark, chart, upright
from chatbot.ui.show import plain, quoted
from chatbot.ui.words import WORDS, Words
from chatbot.ui.workshop_words import WORKSHOP_WORDS, ThresholdWords

NEVER = 2.0
DIGITS = 3
MOST = 100  # turns listed that change


@dataclass(frozen=True, eq=False, slots=True)
class Seen:
    """What was observed, by language of the bot; the version that it holds for, and the one to go back to, if
    any. (Compared by identity: Gradio hashes a session's state.)"""

    tables: Mapping[str, Table] = field(default_factory=dict)
    curves: Mapping[str, Floats] = field(default_factory=dict)
    version: str = ""
    before: str | None = None


def name_of(language: str) -> str:
    """In itself, where the pages have words for it."""
    return WORDS[language].name if language in WORDS else language


def positions(calibration: Calibration) -> tuple[float, ...]:
    """Where the four sliders are, in the order of Thresholds."""
    return tuple(round(min(threshold, 1.0), DIGITS) for threshold in astuple(Thresholds.of(calibration)))


def thresholds(at: Sequence[float], calibration: Calibration) -> Thresholds:
    """What the sliders stand for, the thresholds in force being the calibration's."""
    held = zip(at, positions(calibration), astuple(Thresholds.of(calibration)), strict=True)
    return Thresholds(*(_threshold(slider, unmoved, exact) for slider, unmoved, exact in held))


def _threshold(slider: float, unmoved: float, exact: float) -> float:
    if round(slider, DIGITS) == unmoved:
        return exact
    return NEVER if slider >= 1 else slider


def effect(turns: Table, now: Calibration, then: Calibration, language: str) -> str:
    """How many turns are answered, asked back and handed over, and how well, before and after."""
    words, page = WORKSHOP_WORDS[language].thresholds, WORDS[language]
    found = outcome(turns, now), outcome(turns, then)
    rows = [[page.actions[action], *(f"{one.count(action):,}" for one in found)] for action in Action]
    rows += [
        [name, *(rate(share) for share in shares)]
        for name, shares in zip(words.measures, zip(*map(_measures, found), strict=True), strict=True)
    ]
    return f"<h2>{words.effect}</h2>{table(words.effect, words.columns, rows)}"


def _measures(found: Outcome) -> tuple[float | None, ...]:
    return found.precision, found.coverage, found.accuracy


def curves(turns: Table, now: Calibration, then: Calibration, points: Floats, words: ThresholdWords) -> str:
    """Risk by coverage at every threshold, with the two that are compared."""
    pairs = ((words.now, outcome(turns, now)), (words.then, outcome(turns, then)))
    marks = [
        Mark(name, found.coverage, 1 - found.precision)
        for name, found in pairs
        if found.coverage is not None and found.precision is not None
    ]
    ordered = sorted({(float(coverage), float(risk)) for _, coverage, risk in points if not math.isnan(risk)})
    line = Line(words.curve_line, tuple(ordered))
    up = upright([*(risk for _, risk in ordered), *(mark.y for mark in marks)], shares=True)
    across = Axis(0, 1, tuple((place / 4, f"{place / 4:.0%}") for place in range(5)))
    return chart(words.curve, [line], across, up, marks)


def changed(turns: Table, now: Calibration, then: Calibration, language: str) -> str:
    """The turns with which something else is done, those that go wrong first."""
    words, page = WORKSHOP_WORDS[language].thresholds, WORDS[language]
    found = changes(turns, outcome(turns, now), outcome(turns, then))
    if not found:
        return f'<p class="quiet">{words.unchanged}</p>'
    title = words.changes.format(count=len(found))
    more = '<p class="quiet">…</p>' if len(found) > MOST else ""
    rows = (_change(change, words, page) for change in found[:MOST])
    return f"<h2>{title}</h2>{table(title, words.change_columns, rows)}{more}"


def _change(change: Change, words: ThresholdWords, page: Words) -> list[str]:
    def done(action: Action, answer_id: str, right: bool) -> str:
        what = page.actions[action] + (f": {plain(answer_id)}" if answer_id else "")
        kind = "right" if right else "wrong"
        return f'{what} <span class="{kind}">({words.right if right else words.wrong})</span>'

    return [
        plain(quoted(change.text)),
        plain(", ".join(change.expected)) or "–",
        done(change.before, change.before_id, change.before_right),
        done(change.after, change.after_id, change.after_right),
    ]
