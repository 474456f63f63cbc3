"""Replay held-out dialogues and measure: the numbers of `metrics.json` and the rows of `predictions.csv`.

In: dialogues and anything that replies. Each scored turn is asked with the dialogue's own earlier turns as
history, not with what the bot would have said. Out: an `Evaluation` with every single prediction, so that a
measure can be taken again without another run.

A turn's confidence is the probability that the best candidate is right, whatever was decided about it. Where
nothing in the pairs answers a turn, the right thing is to give no stored answer: hand over, or small talk.
"""

import csv
import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import matthews_corrcoef, roc_auc_score
from tqdm import tqdm

from chatbot.decide import Calibrated
from chatbot.domain import Action, Conversation, HeldOutDialogue, HeldOutTurn, Role, Turn
from chatbot.protocols import Responder
from chatbot.tabular import harmless

BINS = 15
DRAWS = 1000  # of outcomes, to see what calibration error chance alone makes
DEPTHS = (1, 3, 5, 10)


@dataclass(frozen=True, slots=True)
class Prediction:
    """One scored turn, in the columns of predictions.csv; `expected` is joined by `|`."""

    dialogue_id: str
    turn: int
    language: str
    text: str
    expected: str
    action: str
    answer_id: str
    confidence: float
    top_answer_id: str
    similarity: float
    relevance: float
    latency_ms: float
    ranking: tuple[str, ...] = ()  # not a column: the answers in order, for the ranking measures

    @property
    def wanted(self) -> frozenset[str]:
        return frozenset(self.expected.split("|")) - {""}

    @property
    def right_first(self) -> bool:
        return self.top_answer_id in self.wanted

    @property
    def right(self) -> bool:
        """Whether the right thing was done: a right answer given, or none where there is none."""
        if self.wanted:
            return self.action == Action.ANSWER and self.answer_id in self.wanted
        return self.action in (Action.HAND_OVER, Action.CHAT)


COLUMNS = tuple(field.name for field in fields(Prediction))[:-1]


@dataclass(frozen=True, slots=True)
class Evaluation:
    predictions: tuple[Prediction, ...]

    def metrics(self) -> dict[str, Any]:
        """All measures over every turn, and again for each language."""
        languages = sorted({p.language for p in self.predictions})
        return measures(self.predictions) | {
            "languages": {
                language: measures([p for p in self.predictions if p.language == language])
                for language in languages
            }
        }

    def save(self, folder: Path, about: dict[str, Any], more: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Write predictions.csv and metrics.json, with `more` in it, into `folder`; the metrics."""
        write_csv(folder / "predictions.csv", COLUMNS, [astuple(p)[: len(COLUMNS)] for p in self.predictions])
        return write_metrics(folder / "metrics.json", self.metrics() | dict(more or {}), about)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """For scripts and for people: in UTF-8 without a mark, numbers as they are, and a text that a spreadsheet
    would run with an apostrophe before it (tabular.harmless)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([harmless(cell) for cell in row] for row in rows)


def write_metrics(path: Path, metrics: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """Add what, when and where it was measured, and write it all as JSON."""
    machine = (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    time = datetime.now(UTC).isoformat(timespec="seconds")
    whole = metrics | {"about": about | {"time": time, "machine": machine}}
    path.write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return whole


def evaluate(
    dialogues: Sequence[HeldOutDialogue], responder: Responder, progress: Callable[..., Any] = tqdm
) -> Evaluation:
    """Ask every scored turn; `progress` is tqdm or called like it."""
    scored = progress(scored_turns(dialogues), desc="asking", unit="turn")
    return Evaluation(tuple(predict(dialogue, position, responder) for dialogue, position in scored))


def scored_turns(dialogues: Sequence[HeldOutDialogue]) -> list[tuple[HeldOutDialogue, int]]:
    """Each dialogue's turns that have something expected, by position."""
    return [
        (dialogue, position)
        for dialogue in dialogues
        for position, turn in enumerate(dialogue.turns)
        if turn.role is Role.USER and turn.expected is not None
    ]


def predict(dialogue: HeldOutDialogue, position: int, responder: Responder) -> Prediction:
    """Ask one turn after those before it."""
    turn: HeldOutTurn = dialogue.turns[position]
    history = tuple(Turn(earlier.role, earlier.text) for earlier in dialogue.turns[:position])
    start = perf_counter()
    reply = responder.reply(Conversation(dialogue.id, history, dialogue.language), turn.text)
    latency = 1000 * (perf_counter() - start)
    candidates = reply.decision.candidates
    top = candidates[0] if candidates else None
    return Prediction(
        dialogue_id=dialogue.id,
        turn=position + 1,
        language=dialogue.language,
        text=turn.text,
        expected="|".join(turn.expected or ()),
        action=reply.decision.action,
        answer_id=reply.answer_id or "",
        confidence=round(top.confidence, 6) if top else 0.0,
        top_answer_id=top.pair.answer_id if top else "",
        similarity=round(top.similarity, 6) if top else 0.0,
        relevance=round(top.relevance, 6) if top else 0.0,
        latency_ms=round(latency, 2),
        ranking=tuple(dict.fromkeys(c.pair.answer_id for c in candidates)),
    )


def measures(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Every measure by its name; None where there is nothing to take it on."""
    inside = [p for p in predictions if p.wanted]
    outside = [p for p in predictions if not p.wanted]
    answered = [p for p in predictions if p.action == Action.ANSWER]
    right = [p for p in inside if p.right]
    refused = [p for p in outside if p.right]
    confidence = np.array([p.confidence for p in predictions])
    latency = [p.latency_ms for p in predictions]
    return {
        "turns": len(predictions),
        "in_scope_turns": len(inside),
        "out_of_scope_turns": len(outside),
        "raw_accuracy": _share(p.right_first for p in inside),
        "accuracy": _ratio(len(right) + len(refused), len(predictions)),
        "in_scope_accuracy": _ratio(len(right), len(inside)),
        "out_of_scope_recall": _ratio(len(refused), len(outside)),
        "answered_precision": _ratio(len(right), len(answered)),
        "coverage": _share(p.action == Action.ANSWER for p in inside),
        "mcc": _matthews(predictions),
        "clarified": _share(p.action == Action.CLARIFY for p in predictions),
        **{f"recall_at_{k}": _share(bool(p.wanted & set(p.ranking[:k])) for p in inside) for k in DEPTHS},
        "mrr_at_10": _mean([reciprocal_rank(p) for p in inside]),
        "map": _mean([_average_precision(p) for p in inside]),
        "ece": expected_calibration_error(confidence, np.array([p.right_first for p in predictions], dtype=float)),
        "ece_of_chance": chance_calibration_error(confidence),
        "auroc": auroc(confidence, np.array([bool(p.wanted) for p in predictions])),
        "latency_ms_p50": float(np.percentile(latency, 50)) if latency else None,
        "latency_ms_p95": float(np.percentile(latency, 95)) if latency else None,
    }


def stated_risks(lines: Mapping[str, Calibrated], predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Of the answers given, how many the bot said may be wrong, whether it promised that (of follow-ups, too,
    where there are any among them), and how many were."""
    found = {}
    for language, line in lines.items():
        own = [p for p in predictions if p.language == language and p.action == Action.ANSWER]
        judges = {line.calibration.later if p.turn > 1 else line.calibration.alone for p in own}
        found[language] = {
            "stated_risk": line.calibration.alone.stated_risk,
            "guaranteed": bool(judges) and all(judge.guaranteed for judge in judges),
            "observed_risk": _share(not p.right for p in own),
            "answers": len(own),
        }
    return {"risk": found}


def expected_calibration_error(confidence: NDArray[Any], right: NDArray[Any], bins: int = BINS) -> float | None:
    """Mean distance between stated confidence and share right, over bins that hold equally many turns."""
    if not len(confidence):
        return None
    parts = equal_parts(confidence, bins)
    return float(sum(len(p) * abs(confidence[p].mean() - right[p].mean()) for p in parts) / len(confidence))


def chance_calibration_error(confidence: NDArray[Any], bins: int = BINS) -> float | None:
    """What `expected_calibration_error` finds on average where every confidence is exactly right: that many turns
    are right or wrong by chance. Nothing below it says anything."""
    if not len(confidence):
        return None
    drawn = np.random.default_rng(0).random((DRAWS, len(confidence))) < confidence
    parts = equal_parts(confidence, bins)
    return float(
        sum(len(p) * np.abs(drawn[:, p].mean(1) - confidence[p].mean()).mean() for p in parts) / len(confidence)
    )


def equal_parts(confidence: NDArray[Any], bins: int) -> list[NDArray[Any]]:
    """Positions by rising confidence, in at most `bins` parts of equal size."""
    order = np.argsort(confidence, kind="stable")
    return [part for part in np.array_split(order, bins) if len(part)]


def auroc(confidence: NDArray[Any], positive: NDArray[Any]) -> float | None:
    """Probability that a positive has the higher confidence; None where there is one class only."""
    if positive.all() or not positive.any():
        return None
    return float(roc_auc_score(positive, confidence))


def reciprocal_rank(prediction: Prediction) -> float:
    """One over the rank of the first right answer, 0 where none of the first ten is right."""
    ranks = [rank for rank, answer in enumerate(prediction.ranking[:10], start=1) if answer in prediction.wanted]
    return 1 / ranks[0] if ranks else 0.0


def _average_precision(prediction: Prediction) -> float:
    """Mean over the expected answers of the precision at each one's rank; 0 for one that was not ranked."""
    ranks = [rank for rank, answer in enumerate(prediction.ranking, start=1) if answer in prediction.wanted]
    return sum(found / rank for found, rank in enumerate(ranks, start=1)) / len(prediction.wanted)


def _matthews(predictions: Sequence[Prediction]) -> float | None:
    """Matthews correlation of what was answered with what should have been, no answer as a class, as HINT3
    measures; of several right answers the one that was given, or else the first."""
    given = [p.answer_id for p in predictions]
    right = [p.answer_id if p.answer_id in p.wanted else min(p.wanted, default="") for p in predictions]
    return float(matthews_corrcoef(right, given)) if len({*right, *given}) > 1 else None


def _share(outcomes: Iterable[bool]) -> float | None:
    return _mean([float(outcome) for outcome in outcomes])


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
