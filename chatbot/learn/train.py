"""Fine-tune, calibrate: from the pairs of one language to models and numbers that a bot can be built from.

    split     hold out some questions of every answer, and some answers whole          (learn/folds.py)
    tune      the encoder on what is left (learn/contrastive.py), then the cross-encoder, on lists mined with
              that encoder (learn/relevance.py)
    sample    what this bot makes of the held-out questions                            (learn/folds.py)
    finish    go on a little with all pairs
    calibrate fusion, confidence and thresholds from the samples                       (learn/calibrate.py)

Models come from a `Workshop` that is passed in, so nothing here knows a model's name or an index library.
"""

import logging
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from chatbot.decide import Calibration
from chatbot.domain import Encoder, Match, QAPair, Reranker, Vectors
from chatbot.learn.calibrate import PRIOR, calibrate
from chatbot.learn.contrastive import TrainableEncoder, tune_encoder
from chatbot.learn.folds import Split, samples, split
from chatbot.learn.matching import compare, fit, from_pairs
from chatbot.learn.mine import labelled, matched_lists, ranked_lists
from chatbot.learn.relevance import TrainableReranker, tune_reranker
from chatbot.retrieve import Retriever, form
from chatbot.settings import Settings

log = logging.getLogger(__name__)
FINISH = 0.34  # share of the epochs that the last fold's models go on with all pairs, at half the rate
MATCHES_HELD_OUT = 1000
LEAST_LISTS = 16  # with fewer, a cross-encoder would learn nothing but noise


class TunableEncoder(Encoder, TrainableEncoder, Protocol):
    """An encoder that can be asked and trained."""


class TunableReranker(Reranker, TrainableReranker, Protocol):
    """A cross-encoder that can be asked and trained."""


class Workshop(Protocol):
    """Fresh models of one language, and retrievers over them."""

    @property
    def casefold(self) -> bool:
        """Whether this language's texts are compared without case."""
        ...

    def encoder(self) -> TunableEncoder: ...

    def reranker(self, encoder: TunableEncoder) -> TunableReranker:
        """A cross-encoder that starts from the encoder's weights."""
        ...

    def retriever(
        self, pairs: Sequence[QAPair], encoder: Encoder, reranker: Reranker | None, calibration: Calibration
    ) -> Retriever: ...


@dataclass(frozen=True, slots=True)
class Models:
    encoder: TunableEncoder
    reranker: TunableReranker | None


@dataclass(frozen=True, slots=True)
class Trained:
    """The models to ship and the calibration that goes with them."""

    models: Models
    calibration: Calibration


def calibrate_untrained(pairs: Sequence[QAPair], workshop: Workshop, settings: Settings) -> Trained:
    """The encoder as it comes, no cross-encoder; confidence from held-out questions all the same."""
    encoder = workshop.encoder()
    part = split(pairs, _vectors(pairs, encoder, workshop), settings.calibrate, 1, settings.seed)[0]
    retriever = workshop.retriever(part.kept, encoder, None, PRIOR)
    calibration = calibrate(samples(retriever, part), settings.decide)
    return Trained(Models(encoder, None), _with_matching(calibration, retriever, part, ()))


def train(
    language: str, pairs: Sequence[QAPair], matches: Sequence[Match], workshop: Workshop, settings: Settings
) -> Trained:
    """Models and calibration for one language. Deterministic for a seed on one machine."""
    matches, judged = _held_out_matches(matches, settings.seed)
    folds = 1 if len(pairs) > settings.calibrate.one_fold_above else settings.calibrate.folds
    vectors = _vectors(pairs, workshop.encoder(), workshop)
    evidence = []
    for number, part in enumerate(split(pairs, vectors, settings.calibrate, folds, settings.seed), start=1):
        label = f"{language} held-out {number}/{folds}"
        models = _tune(
            Models(workshop.encoder(), None),
            part.kept,
            _unseen(matches, part, workshop.casefold),
            workshop,
            settings,
            label,
        )
        log.info("%s: asking %d held-out questions", label, len(part.asked) + len(part.hidden))
        retriever = workshop.retriever(part.kept, models.encoder, models.reranker, PRIOR)
        evidence += samples(retriever, part)
    matching = _with_matching(PRIOR, retriever, part, judged).matching
    models = _tune(models, pairs, matches, workshop, _shorter(settings), f"{language} all pairs")
    return Trained(models, replace(calibrate(evidence, settings.decide), matching=matching))


def _vectors(pairs: Sequence[QAPair], encoder: Encoder, workshop: Workshop) -> Vectors:
    return encoder.encode([form(pair.question, workshop.casefold) for pair in pairs])


def _tune(
    models: Models,
    pairs: Sequence[QAPair],
    matches: Sequence[Match],
    workshop: Workshop,
    settings: Settings,
    label: str,
) -> Models:
    """Tune the encoder, then the cross-encoder: a new one from the encoder, or the one that `models` has."""
    encoder = models.encoder
    texts = labelled(pairs, matches, workshop.casefold)
    tune_encoder(encoder, texts, settings.encode, seed=settings.seed, label=f"{label}: encoder")
    retriever = workshop.retriever(pairs, encoder, None, PRIOR)
    lists = ranked_lists(retriever, settings.rerank.negatives, settings.seed)
    lists += matched_lists(matches, settings.rerank.negatives, workshop.casefold)
    if settings.rerank.epochs == 0 or len(lists) < LEAST_LISTS:
        return models
    reranker = workshop.reranker(encoder) if models.reranker is None else models.reranker
    tune_reranker(reranker, lists, settings.rerank, seed=settings.seed, label=f"{label}: cross-encoder")
    return Models(encoder, reranker)


def _held_out_matches(matches: Sequence[Match], seed: int) -> tuple[list[Match], list[Match]]:
    """Matches to learn from, and a tenth of them (at most MATCHES_HELD_OUT) to judge by."""
    shuffled = random.Random(seed).sample(matches, len(matches))
    held_out = min(len(matches) // 10, MATCHES_HELD_OUT)
    return shuffled[held_out:], shuffled[:held_out]


def _with_matching(
    calibration: Calibration, retriever: Retriever, part: Split, judged: Sequence[Match]
) -> Calibration:
    """Add when two questions count as the same: from held-out matches, or from held-out questions of the pairs."""
    matches = judged if judged else from_pairs(part.asked, retriever)
    weights = fit(compare(retriever, matches), matches)
    return calibration if weights is None else replace(calibration, matching=weights)


def _unseen(matches: Sequence[Match], part: Split, casefold: bool) -> list[Match]:
    """The matches that say nothing about a held-out question."""
    held_out = {form(pair.question, casefold) for pair in (*part.asked, *part.hidden)}
    return [
        m for m in matches if form(m.left, casefold) not in held_out and form(m.right, casefold) not in held_out
    ]


def _shorter(settings: Settings) -> Settings:
    """The settings of the finishing touch: fewer steps, half the rate."""
    encode, rerank = settings.encode, settings.rerank
    return settings.model_copy(
        update={
            "encode": encode.model_copy(
                update={
                    "epochs": encode.epochs * FINISH,
                    "min_steps": math.ceil(encode.min_steps * FINISH),
                    "max_steps": math.ceil(encode.max_steps * FINISH),
                    "rate": encode.rate / 2,
                }
            ),
            "rerank": rerank.model_copy(
                update={
                    "epochs": rerank.epochs * FINISH,
                    "min_lists": math.ceil(rerank.min_lists * FINISH),
                    "max_lists": math.ceil(rerank.max_lists * FINISH),
                    "rate": rerank.rate / 2,
                }
            ),
        }
    )
