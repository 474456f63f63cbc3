"""What customers ask and the bot cannot answer, by topic: the list from which a support lead writes new answers.

In: unanswered questions of one language with their times, and that language's `Retriever`. Out: `Gap`s, the most
often asked first: each is one topic, named by its most central question, with its trend and the stored answers
that come nearest.

Topics are found by average linkage over the cosines of the bot's own encoder (scikit-learn): two groups become
one as long as the mean cosine between their questions is at least `closeness`; benchmarks/gaps.py measures which
value is a good one. Every question is compared with every other, so time and memory grow with the square of their
number. Of more than LIMIT different questions the most frequent LIMIT make the topics; each other one joins the
topic with the highest mean cosine, or stands alone where none is close enough. Encoding takes far longer than
grouping; `encoder` may be a faster one, and one that remembers texts reads only what is new.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.cluster import AgglomerativeClustering

from chatbot.decide import decide
from chatbot.domain import Vectors
from chatbot.protocols import Encoder
from chatbot.retrieve import Retriever, form

CLOSENESS = 0.5  # mean cosine from which two groups are one topic
LIMIT = 5_000  # different questions compared each with each
DAYS = 14  # of a trend; the second half is compared with the first
CHANCE = 0.05  # a rise that chance makes more often than this is none
EXAMPLES = 5
NEAREST = 3
BATCH = 64  # questions asked, or compared with the topics, at once


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that got no answer, when (with a time zone), and how often then."""

    text: str
    time: datetime
    count: int = 1


@dataclass(frozen=True, slots=True)
class Near:
    """A stored answer that comes near, the question that stands for it, and how sure the bot is of it."""

    answer_id: str
    question: str
    similarity: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Gap:
    """One topic. `texts` are its different questions, the most central first; `days` how often it came on each of
    the last DAYS days, oldest first; `rises` says that the second half of them has more than chance explains."""

    name: str
    count: int
    texts: tuple[str, ...]
    days: tuple[int, ...]
    rises: bool
    nearest: tuple[Near, ...]

    @property
    def examples(self) -> tuple[str, ...]:
        return self.texts[:EXAMPLES]


def find(
    asked: Sequence[Asked],
    line: Retriever,
    now: datetime,
    closeness: float = CLOSENESS,
    most: int = 50,
    encoder: Encoder | None = None,
    limit: int = LIMIT,
) -> tuple[Gap, ...]:
    """The `most` biggest gaps. Days are those of `now`'s time zone, the last one that of `now`; what came after it
    or before the first one counts, but not in the trend. `encoder` is the line's own unless another is given."""
    by_form: dict[str, list[Asked]] = {}
    for one in sorted(asked, key=lambda one: (one.time, one.text)):
        if readable := form(one.text, line.casefold):
            by_form.setdefault(readable, []).append(one)
    counts = {text: sum(one.count for one in same) for text, same in by_form.items()}
    forms = sorted(by_form, key=lambda text: (-counts[text], text))
    vectors = (line.encoder if encoder is None else encoder).encode(forms)
    weights = np.array([counts[text] for text in forms], dtype=np.float32)
    groups = grouped(vectors, closeness, limit)
    topics = [np.flatnonzero(groups == group) for group in range(groups.max(initial=-1) + 1)]
    ordered = [_most_central(rows, vectors, weights, forms) for rows in topics]
    ordered.sort(key=lambda rows: (-weights[rows].sum(), forms[rows[0]]))
    found = [[same for row in rows for same in by_form[forms[row]]] for rows in ordered[:most]]
    texts = [tuple(by_form[forms[row]][-1].text for row in rows) for rows in ordered[:most]]
    near = _nearest([own[0] for own in texts], line)
    gaps = []
    for own, same, nearest in zip(texts, found, near, strict=True):
        days = _days(same, now)
        gaps.append(Gap(own[0], sum(one.count for one in same), own, days, _rises(days), nearest))
    return tuple(gaps)


def grouped(vectors: Vectors, closeness: float, limit: int = LIMIT) -> NDArray[np.int64]:
    """The number of each vector's group, from 0, of unit vectors [n, dim] whose most important come first."""
    first = vectors[:limit]
    if len(first) < 2:
        return np.zeros(len(first), dtype=np.int64)
    model = AgglomerativeClustering(
        n_clusters=None, distance_threshold=1 - closeness, metric="precomputed", linkage="average"
    )
    groups = np.asarray(model.fit_predict(np.maximum(1 - first @ first.T, 0)), dtype=np.int64)
    return np.concatenate([groups, _joined(vectors[limit:], first, groups, closeness)])


def _joined(late: Vectors, first: Vectors, groups: NDArray[np.int64], closeness: float) -> NDArray[np.int64]:
    """The group with the highest mean cosine for each of `late`; a new number where none is close enough."""
    means = np.zeros((groups.max() + 1, first.shape[1]), dtype=np.float32)
    np.add.at(means, groups, first)
    means /= np.bincount(groups)[:, None]
    numbers = []
    for start in range(0, len(late), BATCH):
        cosines = late[start : start + BATCH] @ means.T
        for row, best in enumerate(cosines.argmax(1).tolist()):
            close = cosines[row, best] >= closeness
            numbers.append(best if close else len(means) + start + row)
    _, dense = np.unique(np.concatenate([np.arange(len(means)), numbers]), return_inverse=True)
    return np.asarray(dense[len(means) :], dtype=np.int64)


def _most_central(
    rows: NDArray[np.int64], vectors: Vectors, weights: NDArray[np.float32], forms: Sequence[str]
) -> list[int]:
    """Rows by cosine with the sum of all that was asked, highest first."""
    central = (vectors[rows] @ (weights[rows] @ vectors[rows])).round(5).tolist()
    return [
        row for _, _, row in sorted((-c, forms[row], row) for c, row in zip(central, rows.tolist(), strict=True))
    ]


def _nearest(names: Sequence[str], line: Retriever) -> list[tuple[Near, ...]]:
    found = []
    for start in range(0, len(names), BATCH):
        for one in line.retrieve(names[start : start + BATCH]):
            first = decide(one.candidates, one.judge).candidates[:NEAREST]
            found.append(tuple(Near(c.pair.answer_id, c.pair.question, c.similarity, c.confidence) for c in first))
    return found


def _days(asked: Sequence[Asked], now: datetime) -> tuple[int, ...]:
    last = now.date()
    counts: Counter[date] = Counter()
    for one in asked:
        counts[one.time.astimezone(now.tzinfo).date()] += one.count
    return tuple(counts[last - timedelta(days=ago)] for ago in reversed(range(DAYS)))


def _rises(days: Sequence[int]) -> bool:
    """Whether the second half would hold so many of all only in CHANCE of the cases, were each day alike."""
    late, total = sum(days[DAYS // 2 :]), sum(days)
    return total > 0 and bool(binomtest(late, total, 0.5, alternative="greater").pvalue < CHANCE)
