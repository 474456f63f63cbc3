"""One language of a bot: its fresh models while it is made, and its files in the bot's folder.

In: a route of the settings, pairs. Out: `Retriever`s over concrete models and indexes. A language's files:

    pairs.jsonl              row number and pair, one a line
    questions.index          vectors of the historical questions
    answers.index            vectors of the answers' texts
    encoder/                 the encoder's weights but its word embeddings, which are the base model's
    reranker/                those of the cross-encoder, if there is one
    classifier.safetensors   the answer classifier's, if there is one

What the manifest says of the language (`save_line` gives it, `load_line` takes it) has the models with their
fingerprints and the calibration.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from chatbot.classify import AnswerClassifier
from chatbot.decide import Calibration
from chatbot.domain import Encoder, QAPair, Vectors
from chatbot.encode import SentenceEncoder
from chatbot.errors import BotError
from chatbot.index import FaissIndex
from chatbot.learn.calibrate import PRIOR
from chatbot.lexical import Bm25Index
from chatbot.models import reranker_from, save_tuned
from chatbot.rerank import CrossEncoder
from chatbot.retrieve import Retriever, form
from chatbot.settings import Route, Settings
from chatbot.table import AnswerTable


@dataclass(frozen=True, slots=True)
class LanguageWorkshop:
    """Fresh models of one route, and retrievers over them (learn.train.Workshop)."""

    route: Route
    settings: Settings

    @property
    def casefold(self) -> bool:
        return self.route.casefold

    def encoder(self) -> SentenceEncoder:
        return SentenceEncoder.load(self.route.encoder, self.route.prefix, self.route.max_tokens)

    def reranker(self, encoder: Any) -> CrossEncoder:
        return _reranker(encoder)

    def retriever(
        self, pairs: Sequence[QAPair], encoder: Encoder, vectors: tuple[Vectors, Vectors] | None = None
    ) -> Retriever:
        retrieve, casefold = self.settings.retrieve, self.route.casefold
        line = Retriever.build(
            pairs, encoder, FaissIndex.build, Bm25Index.build, None, PRIOR, retrieve, casefold, vectors
        )
        classify(line, self.settings.seed)
        return line


def load_line(folder: Path, about: Mapping[str, Any], route: Route, settings: Settings, bot: Path) -> Retriever:
    """One language of a bot. Raises BotError where the models of today are not those that it was built with."""
    encoder = SentenceEncoder.load(route.encoder, route.prefix, route.max_tokens, folder / "encoder")
    if encoder.fingerprint != about["encoder_fingerprint"]:
        raise BotError(
            f"{bot} was built with encoder {about['encoder']} ({about['encoder_fingerprint']}), but that name now "
            f"gives {encoder.fingerprint}; build it again: chatbot train --pairs FILE --index {bot}"
        )
    reranker = None
    if about["reranker_fingerprint"] is not None:
        reranker = _reranker(encoder, folder / "reranker")
    rows, pairs = [], []
    with (folder / "pairs.jsonl").open(encoding="utf-8") as file:
        for line in file:
            values = json.loads(line)
            rows.append(values.pop("row"))
            pairs.append(QAPair(**values))
    questions = FaissIndex.load(folder / "questions.index")
    array = np.array(rows, dtype=np.int64)
    forms = [form(pair.question, route.casefold) for pair in pairs]
    restored = Retriever(
        AnswerTable.restore(rows, pairs, questions.vectors(array), about["answer_numbers"]),
        encoder,
        questions,
        FaissIndex.load(folder / "answers.index"),
        Bm25Index.build(array, forms),
        reranker,
        Calibration.from_json(about["calibration"]),
        settings.retrieve,
        route.casefold,
    )
    if about["classifier"] is not None:
        restored.classifier = AnswerClassifier.load(folder / "classifier.safetensors", about["classifier"])
    return restored


def classify(line: Retriever, seed: int) -> None:
    """Fit the answer classifier to the pairs as they are."""
    rows = np.array(sorted(line.table.pairs), dtype=np.int64)
    answer_ids = [line.table.pairs[row].answer_id for row in rows.tolist()]
    line.classifier = AnswerClassifier.fit(line.questions.vectors(rows), answer_ids, seed)


def _reranker(encoder: SentenceEncoder, tuned: Path | None = None) -> CrossEncoder:
    """A cross-encoder that starts from the encoder, shares its word embeddings and reads texts as it does."""
    return CrossEncoder(reranker_from(encoder.model, tuned), encoder.tokenizer, encoder.prefix, encoder.max_tokens)


def save_line(folder: Path, line: Retriever, route: Route) -> dict[str, Any]:
    """Write one language's files; what the manifest says of it."""
    folder.mkdir()
    with (folder / "pairs.jsonl").open("w", encoding="utf-8") as file:
        for row, pair in sorted(line.table.pairs.items()):
            file.write(json.dumps({"row": row, **_pair_as_json(pair)}, ensure_ascii=False) + "\n")
    encoder, reranker = line.encoder, line.reranker
    assert isinstance(encoder, SentenceEncoder) and isinstance(reranker, CrossEncoder | None)
    assert isinstance(line.questions, FaissIndex) and isinstance(line.answers, FaissIndex)
    line.questions.save(folder / "questions.index")
    line.answers.save(folder / "answers.index")
    about: dict[str, Any] = {
        "encoder": route.encoder,
        "encoder_fingerprint": encoder.fingerprint,
        "dimension": encoder.dimension,
        "metric": "inner product of unit vectors",
        "pairs": len(line.table.pairs),
        "answers": len(line.table.rows),
        "answer_numbers": line.table.number,
        "calibration": line.calibration.as_json(),
        "reranker_fingerprint": None,
        "classifier": None,
    }
    if line.classifier is not None:
        assert isinstance(line.classifier, AnswerClassifier)
        about["classifier"] = list(line.classifier.position)
        line.classifier.save(folder / "classifier.safetensors")
    save_tuned(encoder.model, folder / "encoder")
    if reranker is not None:
        about["reranker_fingerprint"] = reranker.fingerprint
        save_tuned(reranker.model, folder / "reranker")
    return about


def _pair_as_json(pair: QAPair) -> dict[str, Any]:
    return {field.name: getattr(pair, field.name) for field in fields(pair)} | {"metadata": dict(pair.metadata)}
