"""Do two questions mean the same? The same two models, asked about a pair instead of a search.

In: a retriever and `Match`es. Out: a probability each, from the encoder's similarity and the cross-encoder's
relevance (mean of both reading directions), by a logistic regression fitted on matches that no model was tuned on.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from tqdm import tqdm

from chatbot.decide import Floats
from chatbot.domain import Match, QAPair
from chatbot.learn.evaluate import auroc, write_csv, write_metrics
from chatbot.retrieve import Retriever, form

BATCH = 256
COLUMNS = ("left", "right", "same", "probability", "similarity", "relevance")


def compare(retriever: Retriever, matches: Sequence[Match]) -> Floats:
    """float64 [n, 2]: similarity and relevance of the two questions of each match, with a progress bar."""
    values = []
    for start in tqdm(range(0, len(matches), BATCH), desc="comparing", unit="batch"):
        batch = matches[start : start + BATCH]
        left = [form(match.left, retriever.casefold) for match in batch]
        right = [form(match.right, retriever.casefold) for match in batch]
        similarity = (retriever.encoder.encode(left) * retriever.encoder.encode(right)).sum(1)
        relevance = np.zeros(len(batch))
        if retriever.reranker is not None:
            relevance = retriever.reranker.score([*left, *right], [*right, *left]).reshape(2, -1).mean(0)
        values.append(np.column_stack([similarity, relevance]))
    return np.concatenate(values, dtype=np.float64) if values else np.zeros((0, 2))


def fit(values: Floats, matches: Sequence[Match]) -> tuple[float, float, float] | None:
    """Weights of similarity and relevance, and the bias; None where both kinds of match are not there."""
    same = np.array([match.same for match in matches])
    if not len(same) or same.all() or not same.any():
        return None
    model = LogisticRegression(C=10.0, max_iter=1000).fit(values, same)
    return float(model.coef_[0, 0]), float(model.coef_[0, 1]), float(model.intercept_[0])


def from_pairs(asked: Sequence[QAPair], retriever: Retriever) -> list[Match]:
    """Matches made of held-out questions where no labelled ones are given: the nearest question of the same
    answer means the same, the nearest of another answer does not."""
    made = []
    for pair, found in zip(asked, retriever.retrieve([pair.question for pair in asked]), strict=True):
        right = [c.pair for c in found.candidates if c.pair.answer_id == pair.answer_id]
        wrong = [c.pair for c in found.candidates if c.pair.answer_id != pair.answer_id]
        made += [Match(pair.question, other.question, True) for other in right[:1]]
        made += [Match(pair.question, other.question, False) for other in wrong[:1]]
    return made


class Bot(Protocol):
    """What matching needs of a chatbot: the retriever that serves a text."""

    def line_for(self, text: str) -> Retriever: ...


def evaluate_matches(matches: Sequence[Match], bot: Bot, folder: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Accuracy at probability one half, and auroc; metrics.json and predictions.csv in `folder`."""
    lines = [bot.line_for(match.left) for match in matches]
    values, probability = np.zeros((len(matches), 2)), np.zeros(len(matches))
    for line in dict.fromkeys(lines):
        own = [i for i, other in enumerate(lines) if other is line]
        values[own] = compare(line, [matches[i] for i in own])
        *weights, bias = line.calibration.matching
        probability[own] = expit(values[own] @ np.array(weights) + bias)
    same = np.array([match.same for match in matches])
    metrics = {
        "matches": len(matches),
        "accuracy": float(((probability >= 0.5) == same).mean()),
        "auroc": auroc(probability, same),
        "majority_class": float(max(same.mean(), 1 - same.mean())),
    }
    rows = [
        (match.left, match.right, int(match.same), round(float(p), 6), round(float(s), 6), round(float(r), 6))
        for match, p, (s, r) in zip(matches, probability, values, strict=True)
    ]
    write_csv(folder / "predictions.csv", COLUMNS, rows)
    return write_metrics(folder / "metrics.json", metrics, about)
