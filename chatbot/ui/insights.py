"""The tab "Insights": what customers asked, what became of it, how they liked it and how long it took.

In: the journal's database and the language that the page speaks. Days are those of the reader's own time zone, as
the browser tells it. It lays itself out where it is called, and wires itself.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from chatbot.errors import ChatbotError, UserError
from chatbot.insight.traffic import ALL, Exchange, Figures, Traffic, traffic
from chatbot.journal import SqlJournal, between
from chatbot.ui.figures import problem, sheets
from chatbot.ui.measured_words import INSIGHT_WORDS, InsightWords
from chatbot.ui.parts import LAST, QUIET, Drawn, Parts
from chatbot.ui.sliders import name_of
from chatbot.ui.stubless import gr
from chatbot.ui.trends import OFTEN, days, most_often, often, totals

RANGES = (7, 30, 90)
DAYS = tuple(field.name for field in fields(Figures))  # columns of the days to take along
YEARS = range(1970, 3000)
ZONE = "(zone, ...rest) => [Intl.DateTimeFormat().resolvedOptions().timeZone, ...rest]"


@dataclass(frozen=True)
class TabParts(Parts):
    """The tab's components that change."""

    zone: gr.Textbox
    about: gr.HTML
    range: gr.Radio
    since: gr.Textbox
    until: gr.Textbox
    only: gr.Radio
    show: gr.Button
    figures: gr.HTML
    plots: gr.HTML
    lists: gr.HTML
    files: gr.HTML


@dataclass(frozen=True)
class _Events:
    """What happens when something on the tab is touched."""

    parts: TabParts
    journal: SqlJournal
    lines: Sequence[str]

    def look(self, zone: str, since: str, until: str, only: str, language: str) -> Drawn:
        words = INSIGHT_WORDS[language]
        try:
            found = self._traffic(_zone(zone), _day(since, words), _day(until, words), only)
        except ChatbotError as mistake:
            return self._shown(problem(str(mistake)))
        if not found.whole.exchanges:
            return self._shown(f'<p role="status">{words.empty}</p>')
        taken = [
            sheets("days", DAYS, [astuple(one) for one in found.days], ".csv"),
            sheets("most-often", OFTEN, often(found), ".csv"),
        ]
        return self._shown(
            totals(found, words),
            days(found, language),
            most_often(found, language),
            f"<h2>{words.take}</h2>{' '.join(taken)}",
        )

    def _shown(self, figures: str, plots: str = "", lists: str = "", files: str = "") -> Drawn:
        parts = self.parts
        return {parts.figures: figures, parts.plots: plots, parts.lists: lists, parts.files: files}

    def _traffic(self, zone: tzinfo, since: date, until: date, only: str) -> Traffic:
        traffic((), since, until)  # raises UserError for a range that is none, before anything is read
        first = datetime.combine(since, time.min, zone)
        after = datetime.combine(until + timedelta(days=1), time.min, zone)
        asked = between(self.journal.database, first, after, Exchange)
        return traffic([one for one in asked if only in (ALL, one.language)], since, until, zone)

    def choose(self, zone: str, length: int, only: str, language: str) -> Drawn:
        since, until = _last(length, _zone(zone))
        return {self.parts.since: since, self.parts.until: until} | self.look(zone, since, until, only, language)

    def speak(self, zone: str, since: str, until: str, only: str, language: str) -> Drawn:
        words, parts = INSIGHT_WORDS[language], self.parts
        labels = {
            parts.about: f"<p>{words.about}</p>",
            parts.range: gr.Radio(_ranges(words), label=words.days),
            parts.since: gr.Textbox(label=words.since),
            parts.until: gr.Textbox(label=words.until),
            parts.only: gr.Radio(_languages(words, self.lines), label=words.language),
            parts.show: words.show,
        }
        return labels | self.look(zone, since, until, only, language)


def tab(journal: SqlJournal, lines: Sequence[str], language: gr.Radio, opened: gr.Tab) -> None:
    """`lines` are the bot's languages; `opened` is the tab, which looks anew whenever it is opened."""
    parts = _lay_out(INSIGHT_WORDS[language.value], lines)
    on, every = _Events(parts, journal, lines), parts.all()
    asked = [parts.zone, parts.since, parts.until, parts.only, language]
    gr.on([parts.show.click, parts.since.submit, parts.until.submit], on.look, asked, every, js=ZONE, **QUIET)
    parts.only.input(on.look, asked, every, js=ZONE, **LAST, **QUIET)
    ranged = [parts.zone, parts.range, parts.only, language]
    parts.range.input(on.choose, ranged, every, js=ZONE, **LAST, **QUIET)
    opened.select(on.look, asked, every, js=ZONE, **QUIET)
    language.change(on.speak, asked, every, js=ZONE, **QUIET)


def _lay_out(words: InsightWords, lines: Sequence[str]) -> TabParts:
    zone = gr.Textbox(visible=False)
    about = gr.HTML(f"<p>{words.about}</p>")
    with gr.Row():
        length = gr.Radio(_ranges(words), value=RANGES[1], label=words.days, elem_id="range")
        since = gr.Textbox(
            lambda: _last(RANGES[1], UTC)[0], label=words.since, max_lines=1, max_length=10, elem_id="since"
        )
        until = gr.Textbox(
            lambda: _last(RANGES[1], UTC)[1], label=words.until, max_lines=1, max_length=10, elem_id="until"
        )
        only = gr.Radio(_languages(words, lines), value=ALL, label=words.language, elem_id="insights-language")
    with gr.Row(elem_classes="bar"):
        show = gr.Button(words.show, variant="primary", elem_id="show")
    figures, plots = gr.HTML(elem_id="figures"), gr.HTML(elem_id="plots")
    lists, files = gr.HTML(elem_id="most-often"), gr.HTML(elem_id="insights-files")
    return TabParts(zone, about, length, since, until, only, show, figures, plots, lists, files)


def _ranges(words: InsightWords) -> list[tuple[str, int]]:
    return list(zip(words.ranges, RANGES, strict=True))


def _languages(words: InsightWords, lines: Sequence[str]) -> list[tuple[str, str]]:
    return [(words.every_language, ALL), *((name_of(line), line) for line in lines)]


def _last(length: int, zone: tzinfo) -> tuple[str, str]:
    """The first and the last of that many days up to today."""
    today = datetime.now(zone).date()
    return (today - timedelta(days=length - 1)).isoformat(), today.isoformat()


def _day(value: str, words: InsightWords) -> date:
    try:
        day = date.fromisoformat(value.strip())
    except ValueError as cause:
        raise UserError(words.no_date.format(value=repr(value.strip()))) from cause
    if day.year not in YEARS:
        raise UserError(words.no_date.format(value=repr(value.strip())))
    return day


def _zone(name: str) -> tzinfo:
    """The browser's time zone; UTC where this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
