"""What the evaluation's tab draws, as HTML: the measures, the curves, and what is taken for what. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chatbot.domain import Action
from chatbot.ui.figures import picture, rate, table
from chatbot.ui.measured_words import EVALUATION_WORDS, EvaluationWords
from chatbot.ui.show import plain, quoted
from chatbot.ui.sliders import name_of
from chatbot.ui.words import WORDS

if TYPE_CHECKING:
    from chatbot.learn.evaluate import Prediction

CONFUSIONS = 15
SCORES = ("mcc", "mrr_at_10", "map", "ece", "ece_of_chance", "auroc")  # numbers that are no shares


@dataclass(frozen=True, eq=False, slots=True)
class Measured:
    """An evaluation, and the thresholds that were in force. (Compared by identity: Gradio hashes a session's
    state.)"""

    metrics: Mapping[str, Any] = field(default_factory=dict)
    predictions: "Sequence[Prediction]" = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    version: str = ""


def measures(measured: Measured, words: EvaluationWords) -> str:
    """A row for each measure: over all turns, for each language, and what it says."""
    languages = sorted(measured.metrics["languages"])
    own = [measured.metrics["languages"][language] for language in languages]
    name, meaning = words.columns
    columns = (name, words.whole, *map(plain, map(name_of, languages)), meaning)
    rows = (
        [title, _figure(key, measured.metrics[key]), *(_figure(key, one[key]) for one in own), said]
        for key, (title, said) in words.measures.items()
    )
    return f"<h2>{words.measures_title}</h2>{table(words.measures_title, columns, rows)}"


def _figure(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    if key in SCORES:
        return f"{value:.3f}"
    return f"{value:,.0f}" if key.endswith("turns") or key.startswith("latency") else rate(value)


def pictures(measured: Measured, language: str) -> str:
    """How far stated confidence is true, and what caution costs, of each language."""
    from chatbot.learn.curves import Labels, draw

    title, labels = EVALUATION_WORDS[language].curves, Labels(*WORDS[language].curves)
    drawn = []
    for served in sorted({p.language for p in measured.predictions}):
        own = [p for p in measured.predictions if p.language == served]
        stated, right = [p.confidence for p in own], [float(p.right_first) for p in own]
        named = labels.title.format(name=name_of(served), number=len(own))
        data = draw(stated, right, measured.thresholds.get(served), served, labels)
        drawn.append(picture(data, f"{title} {named}"))
    return f"<h2>{title}</h2>{''.join(drawn)}"


def confused(measured: Measured, words: EvaluationWords) -> str:
    """The wrong answers that were given most often, with what was expected and the first question of each."""
    wrong = [p for p in measured.predictions if p.action == Action.ANSWER and not p.right]
    if not wrong:
        return f'<h2>{words.confusions}</h2><p class="quiet">{words.no_confusions}</p>'
    often = Counter((p.expected, p.answer_id) for p in wrong)
    first = {(p.expected, p.answer_id): p.text for p in reversed(wrong)}
    ranked = sorted(often.items(), key=lambda counted: (-counted[1], counted[0]))
    rows = (
        [
            plain(expected.replace("|", ", ")) or words.nothing_expected,
            plain(given),
            str(count),
            plain(quoted(first[expected, given])),
        ]
        for (expected, given), count in ranked[:CONFUSIONS]
    )
    return f"<h2>{words.confusions}</h2>{table(words.confusions, words.confusion_columns, rows)}"
