"""Lines in a frame, as SVG: curves and days. Pure, and nothing but text: no script, no font, nothing from outside.

In: named lines of points, a `None` where there is nothing to show, and marks. Out: HTML of the picture with its
legend. Lines differ in their dashes as well as in colour (workshop.css), so that nobody needs the colours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from chatbot.ui.show import plain

WIDTH, HEIGHT = 400, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 24
STEPS = 4  # parts of the upright axis
ROUND = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    points: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A point that stands for itself."""

    name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Axis:
    """`labels` are places with what stands there."""

    least: float
    most: float
    labels: tuple[tuple[float, str], ...]


def upright(values: Sequence[float | None], shares: bool = False) -> Axis:
    """From 0 to a round number above all values; percent where they are shares."""
    highest = max((value for value in values if value is not None), default=0.0)
    raw = max(highest, 0.01 if shares else STEPS) / STEPS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * step for step in ROUND if power * step >= raw * (1 - 1e-9))
    if not shares:
        step = max(step, 1.0) if step >= 10 or step == int(step) else math.ceil(step)
    ticks = [step * place for place in range(STEPS + 1)]
    digits = 0 if step >= 0.01 and math.isclose(100 * step, round(100 * step)) else 1
    return Axis(0, ticks[-1], tuple((t, f"{t:.{digits}%}" if shares else f"{t:,.0f}") for t in ticks))


def chart(title: str, lines: Sequence[Line], across: Axis, up: Axis, marks: Sequence[Mark] = ()) -> str:
    """A figure with its title, its lines and a legend of them."""
    drawn = "".join(_line(number, line, across, up) for number, line in enumerate(lines))
    dots = "".join(_mark(number, mark, across, up) for number, mark in enumerate(marks))
    legend = [
        *(_entry(f"line line-{number}", "M0 5H24", line.name) for number, line in enumerate(lines)),
        *(
            _entry(f"mark mark-{number}", "M8.5 5a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0", m.name)
            for number, m in enumerate(marks)
        ),
    ]
    named = plain(title)
    return (
        f'<figure class="chart"><figcaption>{named}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{named}</title>'
        f"{_frame(across, up)}{drawn}{dots}</svg><ul>{''.join(legend)}</ul></figure>"
    )


def _frame(across: Axis, up: Axis) -> str:
    parts = []
    for value, label in up.labels:
        y = _y(value, up)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{plain(label)}</text>')
    for value, label in across.labels:
        x = _x(value, across)
        anchor = "end" if x > WIDTH - 40 else "start" if x < LEFT + 20 else "middle"
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 7}" text-anchor="{anchor}">{plain(label)}</text>')
    return "".join(parts)


def _line(number: int, line: Line, across: Axis, up: Axis) -> str:
    """A path that breaks where there is nothing, and a dot at a point that has no neighbour."""
    steps, dots, before = [], [], None
    shown = [None if y is None or math.isnan(y) else (_x(x, across), _y(y, up)) for x, y in line.points]
    for place, point in enumerate(shown):
        if point is not None:
            steps.append(f"{'M' if before is None else 'L'}{point[0]:.1f} {point[1]:.1f}")
            if before is None and shown[place + 1 : place + 2] in ([], [None]):
                dots.append(f'<circle class="line-{number}" cx="{point[0]:.1f}" cy="{point[1]:.1f}" r="2.5"/>')
        before = point
    return f'<path class="line line-{number}" d="{"".join(steps)}"/>{"".join(dots)}'


def _mark(number: int, mark: Mark, across: Axis, up: Axis) -> str:
    x, y = _x(mark.x, across), _y(mark.y, up)
    return f'<circle class="mark mark-{number}" cx="{x:.1f}" cy="{y:.1f}" r="{6 - 2 * number}"/>'


def _entry(kind: str, path: str, name: str) -> str:
    sample = f'<svg viewBox="0 0 24 10" aria-hidden="true"><path class="{kind}" d="{path}"/></svg>'
    return f"<li>{sample}{plain(name)}</li>"


def _x(value: float, axis: Axis) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (value - axis.least) / max(axis.most - axis.least, 1e-9)


def _y(value: float, axis: Axis) -> float:
    share = (value - axis.least) / max(axis.most - axis.least, 1e-9)
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(max(share, 0.0), 1.0)
