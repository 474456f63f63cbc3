"""What the hit test draws, as HTML: the summary, the table of questions, the candidates of one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from chatbot.corpus import BadRow
from chatbot.domain import Action, Candidate
from chatbot.insight.hittest import Hit, Outcome, summary
from chatbot.ui.figures import problem, rate, table, tiles
from chatbot.ui.show import clipped, plain, quoted
from chatbot.ui.words import WORDS, Words
from chatbot.ui.workshop_words import WORKSHOP_WORDS, HitWords

PAGE = 100  # questions shown at once
FAULTS = 10  # rows named that could not be used
EVERYTHING = "all"
CLASSES = {Outcome.RIGHT: "right", Outcome.WRONG: "wrong"}


@dataclass(frozen=True, eq=False, slots=True)
class Tried:
    """What was tried, and what of it is looked at. (Compared by identity: Gradio hashes a session's state.)"""

    hits: tuple[Hit, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()
    shown: int = PAGE
    chosen: int | None = None


def faults(bad_rows: Sequence[BadRow], words: HitWords) -> str:
    if not bad_rows:
        return ""
    named = [words.bad_row.format(row=bad.row, reason=bad.reason) for bad in bad_rows[:FAULTS]]
    more = ["…"] if len(bad_rows) > FAULTS else []
    return problem("\n".join([words.bad_rows.format(count=len(bad_rows)), *named, *more]))


def summed_up(tried: Tried, language: str) -> str:
    words, page = WORKSHOP_WORDS[language].hit_test, WORDS[language]
    found = summary(tried.hits)
    figures = [(words.tried, f"{found.questions:,}")]
    figures += [(page.actions[action], f"{found.actions[action]:,}") for action in Action]
    if found.outcomes[Outcome.UNJUDGED] < found.questions:
        judged = [outcome for outcome in Outcome if outcome is not Outcome.UNJUDGED]
        figures += [(words.outcomes[outcome], f"{found.outcomes[outcome]:,}") for outcome in judged]
        figures += [(words.first, rate(found.first)), (words.among, rate(found.among))]
    unknown = problem(words.unknown.format(ids=", ".join(found.unknown))) if found.unknown else ""
    return tiles(figures) + faults(tried.bad_rows, words) + unknown


def hit_table(tried: Tried, only: str, language: str) -> str:
    """A row for each question, whose button chooses it; PAGE at first, and a button for more."""
    words, page = WORKSHOP_WORDS[language].hit_test, WORDS[language]
    wanted = [(n, hit) for n, hit in enumerate(tried.hits) if only in (EVERYTHING, hit.outcome.value)]
    drawn = table(
        words.hits, words.columns, (_row(n, hit, tried, words, page) for n, hit in wanted[: tried.shown])
    )
    left = min(len(wanted) - tried.shown, PAGE)
    more = (
        f'<p><button type="button" data-more="1">{words.more.format(count=left)}</button></p>' if left > 0 else ""
    )
    return drawn + more


def _row(number: int, hit: Hit, tried: Tried, words: HitWords, page: Words) -> list[str]:
    pressed = str(number == tried.chosen).lower()
    expected = hit.probe.expected
    wanted = "" if expected is None else ", ".join(sorted(expected)) or words.no_answer_expected
    button = f'<button type="button" data-hit="{number}" aria-pressed="{pressed}">'
    return [
        f"{button}{plain(quoted(hit.probe.text))}</button>",
        plain(wanted),
        f'<span class="{CLASSES.get(hit.outcome, "")}">{words.outcomes[hit.outcome]}</span>',
        page.actions[hit.action],
        page.reasons[hit.reason],
        "" if hit.answer_id is None else plain(hit.answer_id),
        f"{hit.confidence:.0%}",
    ]


def candidates(tried: Tried, language: str) -> str:
    """The answers that were compared for the chosen question, with the evidence for each."""
    words = WORKSHOP_WORDS[language].hit_test
    if not tried.hits:
        return ""
    if tried.chosen is None:
        return f'<p class="quiet">{words.choose}</p>'
    hit = tried.hits[tried.chosen]
    title = words.candidates.format(question=quoted(hit.probe.text))
    expected = frozenset[str]() if hit.probe.expected is None else hit.probe.expected
    rows = (_candidate(candidate, expected, language) for candidate in hit.candidates)
    return f"<h2>{plain(title)}</h2>{table(title, words.candidate_columns, rows)}"


def _candidate(candidate: Candidate, expected: frozenset[str], language: str) -> list[str]:
    pair, words = candidate.pair, WORKSHOP_WORDS[language].hit_test
    mark = f' <span class="right">({words.is_expected})</span>' if pair.answer_id in expected else ""
    return [
        plain(pair.answer_id) + mark,
        plain(quoted(pair.question)),
        f"{candidate.similarity:.2f}",
        f"{candidate.relevance:.1f}" if candidate.relevance else "–",
        f"{candidate.confidence:.0%}",
        plain(clipped(pair.answer, WORDS[language])),
    ]
