"""What goes on: how much is asked, what becomes of it, how people like it and how long it takes.

In: exchanges as the journal has them, and the days to look at. Out: `Traffic`, frozen values only: `Figures` of
each day and language (a day without exchanges has noughts, so that a curve has no holes), of each language and of
all; the questions and answers that came most often, and why people were handed over. `frame` makes a pandas
DataFrame of figures, which is what a plot on a page takes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import TYPE_CHECKING

from chatbot.domain import Action
from chatbot.errors import UserError
from chatbot.text import letters

if TYPE_CHECKING:
    import pandas as pd

ALL = "all"  # in place of a language
TOP = 20
MOST_DAYS = 3660  # of a range: ten years


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and what became of it. `time` has a time zone; `liked` is None where no thumb was given."""

    time: datetime
    conversation_id: str
    language: str
    text: str
    action: str
    reason: str
    answer_id: str | None
    milliseconds: float
    liked: bool | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one day (None: the whole range) in one language (or ALL). Times are None where there was nothing."""

    day: date | None
    language: str
    exchanges: int
    conversations: int
    answered: int
    clarified: int
    handed_over: int
    chatted: int
    up: int
    down: int
    median_ms: float | None
    p95_ms: float | None

    def share(self, action: Action) -> float | None:
        """How many of all exchanges ended so; None where there were none."""
        count = {
            Action.ANSWER: self.answered,
            Action.CLARIFY: self.clarified,
            Action.HAND_OVER: self.handed_over,
            Action.CHAT: self.chatted,
        }[action]
        return count / self.exchanges if self.exchanges else None


@dataclass(frozen=True, slots=True)
class Often:
    """A question (as it was last typed), an answer's id or a reason, how often it came, and its thumbs."""

    name: str
    language: str
    count: int
    up: int
    down: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """`days` by day, then language; `languages` and `whole` are of the whole range."""

    days: tuple[Figures, ...]
    languages: tuple[Figures, ...]
    whole: Figures
    questions: tuple[Often, ...]
    answers: tuple[Often, ...]
    handed_over: tuple[Often, ...]


def traffic(
    exchanges: Sequence[Exchange], since: date, until: date, zone: tzinfo = UTC, top: int = TOP
) -> Traffic:
    """Of the days from `since` to `until`, both included, as `zone` counts days. Raises UserError for a range that
    ends before it begins or is longer than MOST_DAYS."""
    import pandas as pd

    length = (until - since).days + 1
    if not 1 <= length <= MOST_DAYS:
        raise UserError(f"{since} to {until} is a range of {length} days; give one of 1 to {MOST_DAYS:,} days")
    inside = sorted(
        (one for one in exchanges if since <= one.time.astimezone(zone).date() <= until), key=lambda one: one.time
    )
    table = pd.DataFrame(
        {
            "day": [one.time.astimezone(zone).date() for one in inside],
            "language": [one.language for one in inside],
            "conversation": [one.conversation_id for one in inside],
            "text": [one.text for one in inside],
            "letters": [letters(one.text) for one in inside],
            "reason": [str(one.reason) for one in inside],
            "answer_id": [one.answer_id for one in inside],
            "milliseconds": [one.milliseconds for one in inside],
            "up": [one.liked is True for one in inside],
            "down": [one.liked is False for one in inside],
            **{action.value: [one.action == action for one in inside] for action in Action},
        }
    )
    languages = sorted({one.language for one in inside})
    days = [day.date() for day in pd.date_range(since, until)]
    own = dict(iter(table.groupby(["day", "language"])))
    nothing = table.iloc[:0]
    return Traffic(
        days=tuple(_figures(day, spoken, own.get((day, spoken), nothing)) for day in days for spoken in languages),
        languages=tuple(_figures(None, spoken, table[table["language"] == spoken]) for spoken in languages),
        whole=_figures(None, ALL, table),
        questions=_often(table, "letters", "text", top),
        answers=_often(table.dropna(subset="answer_id"), "answer_id", "answer_id", top),
        handed_over=_often(table[table[Action.HAND_OVER.value]], "reason", "reason", top),
    )


def frame(figures: Sequence[Figures]) -> "pd.DataFrame":
    """One row each, in the columns of `Figures`."""
    import pandas as pd

    return pd.DataFrame([asdict(one) for one in figures], columns=list(Figures.__dataclass_fields__))


def _figures(day: date | None, language: str, rows: "pd.DataFrame") -> Figures:
    times = rows["milliseconds"]
    median, p95 = (float(times.quantile(share)) if len(rows) else None for share in (0.5, 0.95))
    answered, clarified, handed_over, chatted = (int(rows[action.value].sum()) for action in Action)
    return Figures(
        day,
        language,
        exchanges=len(rows),
        conversations=int(rows["conversation"].nunique()),
        answered=answered,
        clarified=clarified,
        handed_over=handed_over,
        chatted=chatted,
        up=int(rows["up"].sum()),
        down=int(rows["down"].sum()),
        median_ms=median,
        p95_ms=p95,
    )


def _often(rows: "pd.DataFrame", key: str, name: str, top: int) -> tuple[Often, ...]:
    """The most frequent first; of equals, by language and name."""
    if not len(rows):
        return ()
    groups = rows.groupby(["language", key], as_index=False).agg(
        shown=(name, "last"), times=(key, "size"), up=("up", "sum"), down=("down", "sum")
    )
    groups = groups.sort_values(["times", "language", "shown"], ascending=[False, True, True]).head(top)
    columns = (groups[column].tolist() for column in ("shown", "language", "times", "up", "down"))
    return tuple(Often(*row) for row in zip(*columns, strict=True))
