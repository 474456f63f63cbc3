"""One language of a bot, out of its files in the bot's folder.

In: the folder, and what the manifest says of the language. Out: a `Retriever` over concrete models and indexes.
workshop.py writes the files:

    pairs.jsonl              row number and pair, one a line
    questions.index/         vectors of the historical questions, mapped (see `index`)
    answers.index/           vectors of the answers' texts
    encoder/                 the encoder's weights but its word embeddings, which are the base model's; its graphs
    reranker/                those of the cross-encoder, if there is one
    classifier.safetensors   the answer classifier's, if there is one

The models answer out of their graphs, without PyTorch, where the manifest names a precision that was found to give
the same answers; PyTorch answers where it names none, or where `pytorch` is asked for (as for changing a bot).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chatbot.carried import MPNET, TUNED_FILE, UNIVERSAL, resolve
from chatbot.classify import AnswerClassifier
from chatbot.decide import Calibration
from chatbot.domain import Encoder, QAPair, Reranker
from chatbot.engine import (
    INT8,
    REMEMBERED,
    Head,
    PackedBert,
    PackedCrossEncoder,
    PackedEncoder,
    Words,
)
from chatbot.ensemble import Ensemble
from chatbot.errors import BotError, ModelNotFound
from chatbot.index import FaissIndex
from chatbot.lexical import Bm25Index
from chatbot.retrieve import Retriever, form
from chatbot.settings import Route, Settings
from chatbot.table import AnswerTable
from chatbot.universal import UniversalEncoder


def load_line(
    folder: Path, about: Mapping[str, Any], route: Route, settings: Settings, bot: Path, pytorch: bool = False
) -> Retriever:
    """One language of a bot. Raises BotError where the models of today are not those that it was built with."""
    load = pytorch_models if pytorch or about["engine"] is None else packed_models
    encoder, reranker = load(folder, about, route, settings, bot)
    names = [one["encoder"] for one in about["beside"]]
    beside = encoders_beside(names, route, settings)
    for one, found in zip(about["beside"], beside, strict=True):
        if found.fingerprint != one["fingerprint"]:
            raise _other_model(bot, one, one["fingerprint"], found.fingerprint)
    if beside:
        encoder = Ensemble(encoder, beside)
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
        AnswerTable.restore(rows, pairs, questions.vectors, about["answer_numbers"]),
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


def encoders_beside(
    names: Sequence[str], route: Route, settings: Settings, remembered: int = REMEMBERED
) -> list[Encoder]:
    """Carried models as they come; each remembers so many texts. Raises ModelNotFound for one that cannot stand
    beside an encoder."""
    loaded: list[Encoder] = []
    for name in names:
        if name == UNIVERSAL:
            loaded.append(UniversalEncoder.load(route.max_tokens, remembered, settings.threads))
        else:
            loaded.append(_as_it_comes(name, route, settings, remembered))
    return loaded


def _as_it_comes(name: str, route: Route, settings: Settings, remembered: int) -> PackedEncoder:
    """A model that has graphs, in eight bits."""
    base = resolve(name)
    file = base / f"{INT8}.onnx"
    if not file.exists():
        raise ModelNotFound(
            f"{name} cannot stand beside an encoder: {base} holds no graphs; {MPNET} and {UNIVERSAL} can"
        )
    words = Words.load(base)
    bert = PackedBert.load(file, words, settings.threads)
    return PackedEncoder(bert, "", route.max_tokens, f"{base.name} {words.fingerprint}", remembered)


def packed_models(
    folder: Path, about: Mapping[str, Any], route: Route, settings: Settings, bot: Path
) -> tuple[Encoder, Reranker | None]:
    """Encoder and cross-encoder out of their graphs, in the precisions that the manifest names."""
    base, engine = resolve(route.encoder), about["engine"]
    words = Words.load(base)
    if words.fingerprint != engine["words"]:
        raise _other_model(bot, about, engine["words"], words.fingerprint)

    def graph(name: str) -> PackedBert:
        return PackedBert.load(folder / name / f"{engine[name]}.onnx", words, settings.threads)

    encoder = PackedEncoder(graph("encoder"), route.prefix, route.max_tokens, about["encoder_fingerprint"])
    if about["reranker_fingerprint"] is None:
        return encoder, None
    positions = json.loads((base / "config.json").read_text("utf-8"))["max_position_embeddings"]
    head = Head.load(folder / "reranker" / TUNED_FILE)
    return encoder, PackedCrossEncoder(
        graph("reranker"), route.prefix, route.max_tokens, positions, head, about["reranker_fingerprint"]
    )


def pytorch_models(
    folder: Path, about: Mapping[str, Any], route: Route, settings: Settings, bot: Path
) -> tuple[Encoder, Reranker | None]:
    """Encoder and cross-encoder that can be trained, too."""
    import torch  # all of this takes seconds

    from chatbot.encode import SentenceEncoder
    from chatbot.workshop import reranker_over

    if settings.threads:
        torch.set_num_threads(settings.threads)
    encoder = SentenceEncoder.load(route.encoder, route.prefix, route.max_tokens, folder / "encoder")
    if encoder.fingerprint != about["encoder_fingerprint"]:
        raise _other_model(bot, about, about["encoder_fingerprint"], encoder.fingerprint)
    tuned = about["reranker_fingerprint"] is not None
    return encoder, reranker_over(encoder, folder / "reranker") if tuned else None


def _other_model(bot: Path, about: Mapping[str, Any], expected: str, found: str) -> BotError:
    return BotError(
        f"{bot} was built with encoder {about['encoder']} ({expected}), but that name now gives {found}; "
        f"build it again: chatbot train --pairs FILE --index {bot}"
    )
