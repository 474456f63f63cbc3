"""How well anger and worry are noticed: results/mood.json; with --write, learn them anew first: chatbot/mood.json.

    python benchmarks/mood.py           precision, recall and F1 of each mood and language on data/mood/test_*.csv
    python benchmarks/mood.py --write   cross-validate on data/mood/train_*.csv, learn, choose thresholds, measure

One regression learns from both languages, since their vectors lie in one space. Strength of regularisation and
thresholds come from cross-validation over the training messages: the strength with the least log loss, and for
each mood and language the lowest threshold from which on nine of ten messages were called rightly. The result also
has how many of the demo's held-out and development turns are called angry or worried; `--read` prints the former.
"""

import argparse
import csv
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from chatbot import mood as learnt
from chatbot.carried import UNIVERSAL
from chatbot.domain import Mood, Role
from chatbot.held_out import read_dialogues
from chatbot.learn.evaluate import write_metrics
from chatbot.mood import MOODS, MoodClassifier, features
from chatbot.protocols import Encoder
from chatbot.universal import UniversalEncoder

HERE = Path(__file__).parent
DATA = HERE.parent / "data"
WEIGHTS = Path(learnt.__file__).with_name(learnt.FILE)
LANGUAGES = ("en", "zh")
UPSET = (Mood.ANGRY, Mood.WORRIED)
STRENGTHS = (1.0, 3.0, 10.0, 30.0)  # scikit-learn's C
PRECISION = 0.9
FOLDS = 10
SEED = 7
DIGITS = 4  # of a stored weight

Labelled = tuple[list[str], NDArray[np.int64]]


def main() -> int:
    options = _options()
    encoder = UniversalEncoder.load(max_tokens=64, remembered=10_000)
    result: dict[str, Any] = {"test": {}, "flagged": {}}
    if options.write:
        weights, found = learn({language: read("train", language) for language in LANGUAGES}, encoder)
        WEIGHTS.write_text(json.dumps(weights) + "\n", "utf-8")
        result["cross_validation"] = found
    else:
        result["cross_validation"] = json.loads((HERE / "results" / "mood.json").read_text("utf-8"))[
            "cross_validation"
        ]
    for language in LANGUAGES:
        classifier = MoodClassifier.load(encoder, language)
        assert classifier is not None
        result["test"][language] = measure(classifier, *read("test", language))
        for name in ("dialogues", "development"):
            texts = user_turns(name, language)
            moods = [classifier.of(text) for text in texts]
            result["flagged"][f"{name}_{language}"] = {"turns": len(texts)} | {
                str(mood): moods.count(mood) / len(texts) for mood in UPSET
            }
            for text, mood in zip(texts, moods, strict=True):
                if options.read and mood is not Mood.CALM and name == "dialogues":
                    print(language, mood, text)
    files = sorted((DATA / "mood").glob("*.csv")) + sorted((DATA / "demo").glob("d*.jsonl")) + [WEIGHTS]
    hashes = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    command = "python benchmarks/mood.py --write"
    write_metrics(HERE / "results" / "mood.json", result, {"command": command, "seed": SEED, "files": hashes})
    json.dump({name: result[name] for name in ("test", "flagged")}, sys.stdout, indent=1)
    return 0


def read(name: str, language: str) -> Labelled:
    """Messages, and the number of each one's mood in MOODS."""
    with (DATA / "mood" / f"{name}_{language}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], np.array([MOODS.index(Mood(row["mood"])) for row in rows])


def learn(labelled: Mapping[str, Labelled], encoder: Encoder) -> tuple[dict[str, Any], dict[str, Any]]:
    """What mood.json holds, and how it was chosen."""
    x = np.concatenate([features(encoder, texts, language) for language, (texts, _) in labelled.items()])
    x = x.astype(np.float64)
    y = np.concatenate([moods for _, moods in labelled.values()])
    of = np.concatenate([[language] * len(texts) for language, (texts, _) in labelled.items()])
    strata = [f"{language} {mood}" for language, mood in zip(of, y, strict=True)]
    held = {}
    for strength in STRENGTHS:
        held[strength] = np.zeros((len(y), len(MOODS)))
        for fold, rest in StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(x, strata):
            held[strength][rest] = fit(x[fold], y[fold], strength).predict_proba(x[rest])
    losses = {strength: float(log_loss(y, probabilities)) for strength, probabilities in held.items()}
    best = min(losses, key=losses.__getitem__)
    model = fit(x, y, best)
    thresholds: dict[str, dict[str, float]] = {}
    found: dict[str, Any] = {"log_loss": losses, "strength": best, "features": "vectors, words of anger and worry"}
    plain = np.zeros((len(y), len(MOODS)))  # what the words bring: the same without them
    for fold, rest in StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(x, strata):
        plain[rest] = fit(x[fold][:, :-2], y[fold], best).predict_proba(x[rest][:, :-2])
    found["log_loss_of_vectors_alone"] = float(log_loss(y, plain))
    for language in labelled:
        own = of == language
        thresholds[language], found[language] = {}, {}
        for mood in UPSET:
            threshold = threshold_of(held[best][own], y[own], MOODS.index(mood))
            thresholds[language][mood] = threshold
            called = (held[best][own].argmax(1) == MOODS.index(mood)) & (held[best][own].max(1) >= threshold)
            found[language][mood] = {"threshold": threshold} | scores(called, y[own] == MOODS.index(mood))
    weights = {
        "encoder": UNIVERSAL,
        "weights": model.coef_.round(DIGITS).tolist(),
        "biases": model.intercept_.round(DIGITS).tolist(),
        "thresholds": thresholds,
    }
    return weights, found


def fit(x: NDArray[np.float64], y: NDArray[np.int64], strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=3000).fit(x, y)


def threshold_of(probabilities: NDArray[np.float64], y: NDArray[np.int64], mood: int) -> float:
    """The lowest probability from which on at least PRECISION of what is called so is so."""
    own = np.where(probabilities.argmax(1) == mood, probabilities[:, mood], 0.0)
    for threshold in np.unique(own[own > 0]):
        if (y == mood)[own >= threshold].mean() >= PRECISION:
            return float(np.floor(threshold * 1000) / 1000)
    return 1.01  # never


def measure(classifier: MoodClassifier, texts: Sequence[str], y: NDArray[np.int64]) -> dict[str, Any]:
    called = [classifier.of(text) for text in texts]
    right = [MOODS[number] for number in y]
    found: dict[str, Any] = {
        str(mood): scores(np.array([c is mood for c in called]), np.array([r is mood for r in right]))
        for mood in MOODS
    }
    calm = [c for c, r in zip(called, right, strict=True) if r is Mood.CALM]
    upset = [c for c, r in zip(called, right, strict=True) if r is not Mood.CALM]
    found["calm_called_upset"] = 1 - calm.count(Mood.CALM) / len(calm)
    found["upset_noticed"] = 1 - upset.count(Mood.CALM) / len(upset)
    found["messages"] = len(texts)
    return found


def scores(called: NDArray[np.bool_], right: NDArray[np.bool_]) -> dict[str, float | None]:
    both = int((called & right).sum())
    precision = both / int(called.sum()) if called.any() else None
    recall = both / int(right.sum())
    f1 = 2 * both / int(called.sum() + right.sum())
    return {"precision": precision, "recall": recall, "f1": f1}


def user_turns(name: str, language: str) -> list[str]:
    dialogues = read_dialogues([DATA / "demo" / f"{name}_{language}.jsonl"])
    return [turn.text for dialogue in dialogues for turn in dialogue.turns if turn.role is Role.USER]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--read", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
