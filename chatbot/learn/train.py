"""Fine-tune, calibrate: from the pairs of one language to models and numbers that a bot can be built from.

    split     hold out some questions of every answer, and some answers whole          (learn/folds.py)
    tune      the encoder on what is left (learn/contrastive.py), then the cross-encoder, on lists mined with
              that encoder (learn/relevance.py)
    sample    what this bot makes of the held-out questions                            (learn/folds.py)
    finish    go on a little with all pairs
    calibrate fusion, confidence and thresholds from the samples, and from dialogues   (learn/calibrate.py), and
              when the cross-encoder need not be asked                                 (learn/early.py)

Models come from a `Workshop` that is passed in, so nothing here knows a model's name or an index library.
"""

import hashlib
import logging
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from chatbot.domain import HeldOutDialogue, Match, QAPair, Vectors
from chatbot.learn.calibrate import PRIOR, Sample, calibrate
from chatbot.learn.contrastive import TrainableEncoder, tune_encoder
from chatbot.learn.early import with_early
from chatbot.learn.folds import Split, heard, samples, split
from chatbot.learn.loop import Watch
from chatbot.learn.matching import compare, fit, from_pairs
from chatbot.learn.mine import labelled, matched_lists, paired, ranked_lists
from chatbot.learn.relevance import TrainableReranker, tune_reranker
from chatbot.protocols import Encoder, Reranker
from chatbot.retrieve import Retriever, form
from chatbot.settings import Decide, Encode, Settings

log = logging.getLogger(__name__)
FINISH = 0.34  # share of the epochs that the last fold's models go on with all pairs, at half the rate
MATCHES_HELD_OUT = 1000
LOOKED_AMONG = 400  # kept questions, when held-out ones are looked for while training
LEAST_LISTS = 16  # with fewer, a cross-encoder would learn nothing but noise
LEAST_PAIRED = 0.5  # of the questions, how many must share their meaning with another one before models learn
LEAST_TURNS_OF_A_KIND = 20  # that something answers, and that nothing does, before dialogues do without folds


@dataclass(frozen=True, slots=True)
class Keep:
    """Where a training is written down while it runs: a diary for TensorBoard, checkpoints to go on from. `key`
    stands for all that the result depends on."""

    diary: Path | None = None
    checkpoints: Path | None = None
    key: str = ""

    def of(
        self, encoder: Encoder, pairs: Sequence[QAPair], matches: Sequence[Match], settings: Settings
    ) -> "Keep":
        if self.checkpoints is None:
            return self
        everything = [encoder.fingerprint, settings.model_dump_json(), *map(repr, pairs), *map(repr, matches)]
        return replace(self, key=hashlib.sha256("\n".join(everything).encode()).hexdigest())

    def watch(self, label: str, settings: Encode | None = None, check: Callable[[], float] | None = None) -> Watch:
        watch = Watch(label, self.diary, self.checkpoints, self.key)
        if settings is None:
            return watch
        return replace(watch, check=check, every=settings.check_every, patience=settings.patience)


NOTHING = Keep()


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
        self, pairs: Sequence[QAPair], encoder: Encoder, vectors: tuple[Vectors, Vectors] | None = None
    ) -> Retriever:
        """Without a cross-encoder, calibrated by the prior; `vectors` as for `Retriever.build`."""
        ...


def calibrate_untrained(pairs: Sequence[QAPair], workshop: Workshop, settings: Settings) -> Retriever:
    """The encoder as it comes, no cross-encoder; confidence from held-out questions all the same."""
    encoder = workshop.encoder()
    part = split(pairs, settings.calibrate, 1, settings.seed)[0]
    retriever = workshop.retriever(pairs, encoder)
    fold = workshop.retriever(part.kept, encoder, retriever.vectors_of(part.kept))
    calibration = calibrate(samples(fold, part), settings.decide)
    retriever.calibration = replace(calibration, matching=_matching(fold, part.asked, ()))
    return retriever


@dataclass(frozen=True, slots=True)
class Learnt:
    """A retriever over all pairs with tuned models, and all that its calibration is fitted on."""

    retriever: Retriever
    samples: Sequence[Sample]
    heard: Sequence[Sample]
    matching: tuple[float, float, float]

    def calibrated(self, settings: Decide) -> Retriever:
        calibration = calibrate(self.samples, settings, self.heard)
        whole = with_early(calibration, self.samples, settings, self.heard)
        self.retriever.calibration = replace(whole, matching=self.matching)
        return self.retriever


def train(
    language: str,
    pairs: Sequence[QAPair],
    matches: Sequence[Match],
    dialogues: Sequence[HeldOutDialogue],
    workshop: Workshop,
    settings: Settings,
    keep: Keep = NOTHING,
) -> Retriever:
    """A retriever over all pairs, models tuned, calibrated on held-out pairs and on `dialogues` (no model learns
    from these). Deterministic for a seed on one machine."""
    return learn(language, pairs, matches, dialogues, workshop, settings, keep).calibrated(settings.decide)


def learn(
    language: str,
    pairs: Sequence[QAPair],
    matches: Sequence[Match],
    dialogues: Sequence[HeldOutDialogue],
    workshop: Workshop,
    settings: Settings,
    keep: Keep = NOTHING,
) -> Learnt:
    """What `train` calibrates."""
    encoder, reranker, evidence = workshop.encoder(), None, []
    keep = keep.of(encoder, pairs, matches, settings)
    settings = _worth_learning(language, pairs, matches, workshop, settings)
    matches, judged = _held_out_matches(matches, settings.seed)
    parts = split(pairs, settings.calibrate, _folds(pairs, dialogues, settings), settings.seed)
    for number, part in enumerate(parts, start=1):
        label = f"{language} held-out {number}/{len(parts)}"
        unseen = _unseen(matches, part, workshop.casefold)
        encoder = workshop.encoder()
        looked_at, left = _parted(part) if settings.encode.check_every else ((), part)
        watch = keep.watch(
            label, settings.encode, _finds(encoder, part.kept, looked_at, settings, workshop.casefold)
        )
        fold, reranker = _tune(encoder, None, part.kept, unseen, workshop, settings, watch)
        log.info("%s: asking %d held-out questions", label, len(left.asked) + len(left.hidden))
        evidence += samples(fold, left)
    last = _shorter(settings) if parts else settings
    bot, _ = _tune(encoder, reranker, pairs, matches, workshop, last, keep.watch(f"{language} all pairs"))
    matching = _matching(fold, left.asked, judged) if parts else _matching(bot, (), judged)
    told = heard(bot, dialogues, settings.calibrate.dialogue_turns, settings.seed)
    log.info("%s: how sure to be, from %d held-out questions and %d turns", language, len(evidence), len(told))
    return Learnt(bot, evidence, told, matching)


def _worth_learning(
    language: str, pairs: Sequence[QAPair], matches: Sequence[Match], workshop: Workshop, settings: Settings
) -> Settings:
    """Without training where most questions stand alone: what slips of the finger and the answers' texts teach
    costs more than it brings. Settled once, so that the held-out questions meet what will ship."""
    share = paired(labelled(pairs, matches, workshop.casefold))
    if share >= LEAST_PAIRED:
        return settings
    log.info(
        "%s: the models stay as they come: %.0f %% of the questions have another one of the same answer to "
        "learn from; labelled question pairs would help (--matches)",
        *(language, 100 * share),
    )
    untrained = {name: getattr(settings, name).model_copy(update={"epochs": 0}) for name in ("encode", "rerank")}
    return settings.model_copy(update=untrained)


def _folds(pairs: Sequence[QAPair], dialogues: Sequence[HeldOutDialogue], settings: Settings) -> int:
    """None where labelled dialogues say enough about confidence; one is enough for many pairs."""
    scored = [bool(t.expected) for dialogue in dialogues for t in dialogue.turns if t.expected is not None]
    both_kinds = min(sum(scored), len(scored) - sum(scored)) >= LEAST_TURNS_OF_A_KIND
    if len(scored) >= settings.calibrate.no_fold_from and both_kinds:
        return 0
    return 1 if len(pairs) > settings.calibrate.one_fold_above else settings.calibrate.folds


def _tune(
    encoder: TunableEncoder,
    reranker: TunableReranker | None,
    pairs: Sequence[QAPair],
    matches: Sequence[Match],
    workshop: Workshop,
    settings: Settings,
    watch: Watch,
) -> tuple[Retriever, TunableReranker | None]:
    """Tune the encoder, then the cross-encoder, a new one from the encoder where there is none yet; a retriever
    over the pairs with both, and the cross-encoder."""
    texts = labelled(pairs, matches, workshop.casefold)
    tune_encoder(encoder, texts, settings.encode, seed=settings.seed, watch=watch.named("encoder"))
    retriever = workshop.retriever(pairs, encoder)
    if settings.rerank.epochs > 0:
        lists = ranked_lists(retriever, settings.rerank.negatives, settings.seed, matches)
        lists += matched_lists(matches, settings.rerank.negatives, workshop.casefold)
        if len(lists) >= LEAST_LISTS:
            reranker = workshop.reranker(encoder) if reranker is None else reranker
            judged = replace(watch.named("cross-encoder"), check=None)
            tune_reranker(reranker, lists, settings.rerank, seed=settings.seed, watch=judged)
    retriever.reranker = reranker
    return retriever, reranker


def _parted(part: Split) -> tuple[Sequence[QAPair], Split]:
    """Half of the asked questions, to end training by, and the fold without them: what training has looked at
    says nothing of confidence."""
    return part.asked[::2], replace(part, asked=part.asked[1::2])


def _finds(
    encoder: TunableEncoder, pairs: Sequence[QAPair], asked: Sequence[QAPair], settings: Settings, casefold: bool
) -> Callable[[], float] | None:
    """How many held-out questions lie nearest to a kept one of their answer: a look that costs little."""
    if not asked:
        return None
    kept = random.Random(settings.seed).sample(pairs, min(len(pairs), LOOKED_AMONG))
    answers = np.array([pair.answer_id for pair in kept])
    wanted = [pair for pair in asked if pair.answer_id in set(answers)]

    def look() -> float:
        texts = [form(pair.question, casefold) for pair in (*kept, *wanted)]
        vectors = encoder.encode(texts)
        nearest = (vectors[len(kept) :] @ vectors[: len(kept)].T).argmax(1)
        return float(np.mean([answers[n] == pair.answer_id for n, pair in zip(nearest, wanted, strict=True)]))

    return look if wanted else None


def _held_out_matches(matches: Sequence[Match], seed: int) -> tuple[list[Match], list[Match]]:
    """Matches to learn from, and a tenth of them (at most MATCHES_HELD_OUT) to judge by."""
    shuffled = random.Random(seed).sample(matches, len(matches))
    held_out = min(len(matches) // 10, MATCHES_HELD_OUT)
    return shuffled[held_out:], shuffled[:held_out]


def _matching(
    retriever: Retriever, asked: Sequence[QAPair], judged: Sequence[Match]
) -> tuple[float, float, float]:
    """When two questions count as the same: from held-out matches, or else from held-out questions."""
    matches = judged if judged or not asked else from_pairs(asked, retriever)
    weights = fit(compare(retriever, matches), matches)
    return PRIOR.matching if weights is None else weights


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
