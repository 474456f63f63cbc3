"""What the insights' tab draws, as HTML: figures of the whole time, plots by day, what came most often. Pure."""

from collections.abc import Callable, Sequence
from datetime import date

from chatbot.domain import Action, Reason
from chatbot.insight.traffic import Figures, Often, Traffic
from chatbot.ui.figures import rate, table, tiles
from chatbot.ui.measured_words import INSIGHT_WORDS, InsightWords
from chatbot.ui.plots import Axis, Line, chart, upright
from chatbot.ui.show import plain, quoted
from chatbot.ui.sliders import name_of
from chatbot.ui.words import WORDS

OFTEN = ("kind", "name", "language", "count", "up", "down")  # columns of `often`
LABELS = 4  # days named below a plot, at most


def totals(found: Traffic, words: InsightWords) -> str:
    whole = found.whole
    told = [f"{whole.exchanges:,}", f"{whole.conversations:,}"]
    told += [
        rate(whole.share(action)) for action in (Action.ANSWER, Action.CLARIFY, Action.HAND_OVER, Action.CHAT)
    ]
    told += [f"{whole.up:,}", f"{whole.down:,}", _milliseconds(whole.median_ms), _milliseconds(whole.p95_ms)]
    return tiles(zip(words.figures, told, strict=True))


def days(found: Traffic, language: str) -> str:
    """Plots by day, over the languages that were asked for: volume, shares, thumbs, and times. Times are those of
    the language that took longest, for medians cannot be added."""
    words, page = INSIGHT_WORDS[language], WORDS[language]
    by_day: dict[date, list[Figures]] = {}
    for one in found.days:
        by_day.setdefault(one.day or date.min, []).append(one)
    dates = sorted(by_day)
    across = Axis(0, max(len(dates) - 1, 1), _named(dates))
    exchanges, conversations, up, down, median, p95 = words.lines

    def line(name: str, of: Callable[[Sequence[Figures]], float | None]) -> Line:
        return Line(name, tuple((place, of(by_day[day])) for place, day in enumerate(dates)))

    def plot(title: str, lines: Sequence[Line], shares: bool = False) -> str:
        return chart(title, lines, across, upright([y for one in lines for _, y in one.points], shares))

    drawn = [
        plot(
            words.volume,
            [
                line(exchanges, lambda of: sum(one.exchanges for one in of)),
                line(conversations, lambda of: sum(one.conversations for one in of)),
            ],
        ),
        plot(words.shares, [line(page.actions[action], _share(action)) for action in Action], shares=True),
        plot(
            words.thumbs,
            [line(up, lambda of: sum(one.up for one in of)), line(down, lambda of: sum(one.down for one in of))],
        ),
        plot(
            words.times,
            [
                line(median, lambda of: _longest([one.median_ms for one in of])),
                line(p95, lambda of: _longest([one.p95_ms for one in of])),
            ],
        ),
    ]
    return f'<div class="charts">{"".join(drawn)}</div>'


def _share(action: Action) -> Callable[[Sequence[Figures]], float | None]:
    def share(of: Sequence[Figures]) -> float | None:
        shares = [(own, one.exchanges) for one in of if (own := one.share(action)) is not None]
        exchanges = sum(number for _, number in shares)
        return sum(own * number for own, number in shares) / exchanges if exchanges else None

    return share


def _longest(times: Sequence[float | None]) -> float | None:
    return max((time for time in times if time is not None), default=None)


def _named(dates: Sequence[date]) -> tuple[tuple[float, str], ...]:
    """Some days that are evenly spread, the first and the last among them."""
    last = len(dates) - 1
    places = sorted({round(last * part / (LABELS - 1)) for part in range(LABELS)})
    return tuple((place, f"{dates[place]:%m-%d}") for place in places)


def most_often(found: Traffic, language: str) -> str:
    """Three tables: questions, answers, and reasons for handing over."""
    words, page = INSIGHT_WORDS[language], WORDS[language]
    named = {reason.value: text for reason, text in page.reasons.items()}
    shown: list[tuple[str, Sequence[Often], Callable[[str], str]]] = [
        (words.questions, found.questions, quoted),
        (words.answers, found.answers, quoted),
        (words.reasons, found.handed_over, lambda reason: named.get(reason, reason)),
    ]
    return "".join(_list(title, listed, name, words) for title, listed, name in shown if listed)


def _list(title: str, listed: Sequence[Often], name: Callable[[str], str], words: InsightWords) -> str:
    _, language, count, thumbs = words.columns
    rows = (
        [plain(name(one.name)), plain(name_of(one.language)), f"{one.count:,}", f"{one.up:,} / {one.down:,}"]
        for one in listed
    )
    return f"<h2>{title}</h2>{table(title, (title, language, count, thumbs), rows)}"


def often(found: Traffic) -> list[tuple[object, ...]]:
    """Rows to take along, in the order of OFTEN."""
    kinds = (
        ("question", found.questions),
        ("answer", found.answers),
        (Reason.__name__.lower(), found.handed_over),
    )
    return [
        (kind, one.name, one.language, one.count, one.up, one.down) for kind, listed in kinds for one in listed
    ]


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} ms"
