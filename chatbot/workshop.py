"""Fresh models of one language while a bot is made, and what is written of them.

In: a route of the settings, pairs. Out: `Retriever`s over PyTorch models, and a language's files in the bot's
folder (see line.py), among them the graphs that answer without PyTorch. What the manifest says of the language
(`save_line` gives it, `load_line` takes it) has the models with their fingerprints, the calibration and the
precision of each graph: the fastest one with which the answers stay the same.
"""

import copy
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatbot.carried import TUNED_FILE, resolve
from chatbot.domain import QAPair, Vectors
from chatbot.encode import SentenceEncoder
from chatbot.engine import FLOAT32, INT8, MIXED, REMEMBERED
from chatbot.ensemble import Ensemble
from chatbot.graph import export
from chatbot.index import FaissIndex
from chatbot.learn.calibrate import PRIOR
from chatbot.learn.parity import LEAST_SAME, agreement, best_answers
from chatbot.lexical import Bm25Index
from chatbot.line import classify, encoders_beside, packed_models, save_pairs
from chatbot.models import reranker_from, save_tuned
from chatbot.protocols import Encoder
from chatbot.rerank import CrossEncoder
from chatbot.retrieve import Retriever
from chatbot.settings import Route, Settings
from chatbot.shared import Models

PRECISIONS = (  # of encoder and cross-encoder, fastest first
    *((INT8, INT8), (MIXED, INT8), (MIXED, MIXED)),
    *((FLOAT32, INT8), (FLOAT32, MIXED), (FLOAT32, FLOAT32)),
)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LanguageWorkshop:
    """Fresh models of one route, and retrievers over them (learn.train.Workshop). `beside` stand beside each
    encoder."""

    route: Route
    settings: Settings
    beside: Sequence[Encoder] = ()

    @property
    def casefold(self) -> bool:
        return self.route.casefold

    def encoder(self) -> SentenceEncoder:
        return SentenceEncoder.load(self.route.encoder, self.route.prefix, self.route.max_tokens)

    def reranker(self, encoder: Any) -> CrossEncoder:
        return reranker_over(encoder)

    def retriever(
        self, pairs: Sequence[QAPair], encoder: Encoder, vectors: tuple[Vectors, Vectors] | None = None
    ) -> Retriever:
        retrieve, casefold = self.settings.retrieve, self.route.casefold
        whole = Ensemble(encoder, self.beside) if self.beside else encoder
        line = Retriever.build(
            pairs, whole, FaissIndex.build, Bm25Index.build, None, PRIOR, retrieve, casefold, vectors
        )
        classify(line, self.settings.seed)
        return line


def workshop(language: str, pairs: int, settings: Settings, models: Models | None = None) -> LanguageWorkshop:
    """That of a language with so many pairs: with the models that its route wants beside the encoder, unless they
    are too many for those to read. They remember what they read: each fold asks them about the same pairs."""
    route = settings.route(language)
    if not route.beside:
        return LanguageWorkshop(route, settings)
    if pairs > route.beside_up_to:
        log.info(
            "%s: %d pairs are more than %s are to read (beside_up_to = %d); %s stands alone",
            *(language, pairs, " and ".join(route.beside), route.beside_up_to, route.encoder),
        )
        return LanguageWorkshop(route, settings)
    given = Models() if models is None else models
    return LanguageWorkshop(
        route, settings, encoders_beside(route.beside, route, settings, given, 2 * pairs + REMEMBERED)
    )


def reranker_over(encoder: SentenceEncoder, tuned: Path | None = None) -> CrossEncoder:
    """A cross-encoder that starts from the encoder, shares its word embeddings and reads texts as it does."""
    return CrossEncoder(reranker_from(encoder.model, tuned), encoder.tokenizer, encoder.prefix, encoder.max_tokens)


def apart(encoder: Encoder) -> tuple[Encoder, Sequence[Encoder]]:
    """What is tuned of an encoder, and what stands beside it."""
    return (encoder.tuned, encoder.beside) if isinstance(encoder, Ensemble) else (encoder, ())


def save_line(folder: Path, line: Retriever, route: Route, settings: Settings) -> dict[str, Any]:
    """Write one language's files; what the manifest says of it."""
    folder.mkdir()
    encoder, beside = apart(line.encoder)
    reranker = line.reranker
    assert isinstance(encoder, SentenceEncoder) and isinstance(reranker, CrossEncoder | None)
    about: dict[str, Any] = {
        "encoder": route.encoder,
        "encoder_fingerprint": encoder.fingerprint,
        "beside": [
            {"encoder": name, "fingerprint": one.fingerprint}
            for name, one in zip(route.beside if beside else (), beside, strict=True)
        ],
        "dimension": line.encoder.dimension,
        "metric": "inner product of unit vectors",
        "reranker_fingerprint": None,
        **save_pairs(folder, line),
    }
    save_tuned(encoder.model, folder / "encoder")
    if reranker is not None:
        about["reranker_fingerprint"] = reranker.fingerprint
        save_tuned(reranker.model, folder / "reranker")
    return about | {"engine": _ship(folder, about, line, route, settings)}


def _ship(
    folder: Path, about: Mapping[str, Any], line: Retriever, route: Route, settings: Settings
) -> dict[str, Any] | None:
    """Export both models, and see which precision gives the same best answers as PyTorch, fastest first. None
    where none does, or where the base model is of a kind that has no graph: then PyTorch answers."""
    base = resolve(route.encoder)
    config = json.loads((base / "config.json").read_text("utf-8"))
    if config["hidden_act"] != "gelu" or not (base / "tokenizer.json").exists():
        log.info("%s has no graph of its kind (%s): PyTorch will answer", route.encoder, config["hidden_act"])
        return None
    export(folder / "encoder" / TUNED_FILE, config)
    if line.reranker is not None:
        export(folder / "reranker" / TUNED_FILE, config, "bert.")
    expected = list(best_answers(line, settings.seed))
    models = Models()
    words = models.words(base)
    for of_encoder, of_reranker in PRECISIONS:
        engine = {
            "words": words.fingerprint,
            "encoder": of_encoder,
            "reranker": of_reranker if line.reranker else None,
        }
        packed = copy.copy(line)
        tuned, packed.reranker = packed_models(
            folder, {**about, "engine": engine}, route, settings, folder, models
        )
        _, beside = apart(line.encoder)
        packed.encoder = Ensemble(tuned, beside) if beside else tuned
        same = agreement(expected, best_answers(packed, settings.seed))
        told = "" if same >= LEAST_SAME else "at most "
        log.info(
            "without PyTorch (%s, %s): %s%.4f of best answers are the same", of_encoder, of_reranker, told, same
        )
        if same >= LEAST_SAME:
            _keep_only(folder / "encoder", of_encoder)
            _keep_only(folder / "reranker", of_reranker)
            return engine | {"same_best_answer": same, "questions": len(expected)}
    log.warning("no graph gives the same answers as PyTorch, which will answer instead")
    return None


def _keep_only(folder: Path, precision: str) -> None:
    """Nothing reads the other graphs."""
    for file in folder.glob("*.onnx"):
        if file.stem != precision:
            file.unlink()
