"""One language of a bot, out of its files in the bot's folder.

In: the folder, and what the manifest says of the language. Out: a `Retriever` over concrete models and indexes.
`save_pairs` writes the files that pairs are in, workshop.py those of the models:

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
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chatbot.carried import MPNET, TUNED_FILE, UNIVERSAL, resolve
from chatbot.classify import AnswerClassifier
from chatbot.decide import Calibration
from chatbot.domain import QAPair
from chatbot.engine import INT8, REMEMBERED, PackedBert, PackedEncoder
from chatbot.ensemble import Ensemble
from chatbot.errors import BotError, ModelNotFound
from chatbot.index import FaissIndex
from chatbot.lexical import Bm25Index
from chatbot.protocols import Encoder, Reranker
from chatbot.retrieve import Retriever, form
from chatbot.settings import Route, Settings
from chatbot.shared import Models
from chatbot.table import AnswerTable

if TYPE_CHECKING:
    from chatbot.rerank import CrossEncoder


def load_line(
    folder: Path,
    about: Mapping[str, Any],
    route: Route,
    settings: Settings,
    bot: Path,
    models: Models,
    pytorch: bool = False,
) -> Retriever:
    """One language of a bot. Raises BotError where the models of today are not those that it was built with."""
    if pytorch or about["engine"] is None:
        encoder, reranker = pytorch_models(folder, about, route, settings, bot)
    else:
        encoder, reranker = packed_models(folder, about, route, settings, bot, models)
    names = [one["encoder"] for one in about["beside"]]
    beside = encoders_beside(names, route, settings, models)
    for one, found in zip(about["beside"], beside, strict=True):
        if found.fingerprint != one["fingerprint"]:
            raise _other_model(bot, one, one["fingerprint"], found.fingerprint)
    if beside:
        encoder = Ensemble(encoder, beside)
    rows, pairs = stored_pairs(folder)
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


def stored_pairs(folder: Path) -> tuple[list[int], list[QAPair]]:
    """Row numbers and pairs that `save_pairs` wrote."""
    rows, pairs = [], []
    with (folder / "pairs.jsonl").open(encoding="utf-8") as file:
        for line in file:
            values = json.loads(line)
            rows.append(values.pop("row"))
            pairs.append(QAPair(**values))
    return rows, pairs


def save_pairs(folder: Path, line: Retriever) -> dict[str, Any]:
    """Write the files of pairs, indexes and classifier into a folder; what the manifest says of them."""
    assert isinstance(line.questions, FaissIndex) and isinstance(line.answers, FaissIndex)
    with (folder / "pairs.jsonl").open("w", encoding="utf-8") as file:
        for row, pair in sorted(line.table.pairs.items()):
            file.write(json.dumps({"row": row, **_pair_as_json(pair)}, ensure_ascii=False) + "\n")
    line.questions.save(folder / "questions.index")
    line.answers.save(folder / "answers.index")
    about: dict[str, Any] = {
        "pairs": len(line.table.pairs),
        "answers": len(line.table.rows),
        "answer_numbers": line.table.number,
        "calibration": line.calibration.as_json(),
        "classifier": None,
    }
    if line.classifier is not None:
        assert isinstance(line.classifier, AnswerClassifier)
        about["classifier"] = list(line.classifier.position)
        line.classifier.save(folder / "classifier.safetensors")
    return about


def copied(line: Retriever) -> Retriever:
    """Another one with the same models, which can be changed without this one noticing."""
    assert isinstance(line.questions, FaissIndex) and isinstance(line.answers, FaissIndex)
    assert isinstance(line.lexical, Bm25Index)
    with line.lock:
        made = Retriever(
            line.table.copy(),
            line.encoder,
            line.questions.copy(),
            line.answers.copy(),
            line.lexical.copy(),
            line.reranker,
            line.calibration,
            line.settings,
            line.casefold,
        )
    made.classifier = line.classifier
    made.budget.limit_ms = line.budget.limit_ms
    return made


def classify(line: Retriever, seed: int) -> None:
    """Fit the answer classifier to the pairs as they are."""
    rows = np.array(sorted(line.table.pairs), dtype=np.int64)
    answer_ids = [line.table.pairs[row].answer_id for row in rows.tolist()]
    line.classifier = AnswerClassifier.fit(line.questions.vectors(rows), answer_ids, seed)


def encoders_beside(
    names: Sequence[str], route: Route, settings: Settings, models: Models, remembered: int = REMEMBERED
) -> list[Encoder]:
    """Carried models as they come; each remembers so many texts. Raises ModelNotFound for one that cannot stand
    beside an encoder."""
    loaded: list[Encoder] = []
    for name in names:
        if name == UNIVERSAL:
            loaded.append(models.universal(route.max_tokens, remembered, settings.threads))
        else:
            loaded.append(_as_it_comes(name, route, settings, models, remembered))
    return loaded


def _as_it_comes(name: str, route: Route, settings: Settings, models: Models, remembered: int) -> PackedEncoder:
    """A model that has graphs, in eight bits."""
    base = resolve(name)
    file = base / f"{INT8}.onnx"
    if not file.exists():
        raise ModelNotFound(
            f"{name} cannot stand beside an encoder: {base} holds no graphs; {MPNET} and {UNIVERSAL} can"
        )
    words = models.words(base)
    bert = models.graph(file, words, settings.threads)
    return models.encoder(bert, "", route.max_tokens, f"{base.name} {words.fingerprint}", remembered)


def packed_models(
    folder: Path, about: Mapping[str, Any], route: Route, settings: Settings, bot: Path, models: Models
) -> tuple[Encoder, Reranker | None]:
    """Encoder and cross-encoder out of their graphs, in the precisions that the manifest names."""
    base, engine = resolve(route.encoder), about["engine"]
    words = models.words(base)
    if words.fingerprint != engine["words"]:
        raise _other_model(bot, about, engine["words"], words.fingerprint)

    def graph(name: str) -> PackedBert:
        return models.graph(folder / name / f"{engine[name]}.onnx", words, settings.threads)

    prefix, longest = route.prefix, route.max_tokens
    encoder = models.encoder(graph("encoder"), prefix, longest, about["encoder_fingerprint"], REMEMBERED)
    if about["reranker_fingerprint"] is None:
        return encoder, None
    positions = json.loads((base / "config.json").read_text("utf-8"))["max_position_embeddings"]
    head = folder / "reranker" / TUNED_FILE
    return encoder, models.cross_encoder(
        graph("reranker"), prefix, longest, positions, head, about["reranker_fingerprint"]
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


def pytorch_reranker(folder: Path, about: Mapping[str, Any], route: Route, bot: Path) -> "CrossEncoder | None":
    """The cross-encoder alone, for looking into it; None where the bot was built without one."""
    if about["reranker_fingerprint"] is None:
        return None
    from chatbot.models import load_encoder, reranker_from
    from chatbot.rerank import CrossEncoder

    model, tokenizer = load_encoder(route.encoder)
    reranker = CrossEncoder(reranker_from(model, folder / "reranker"), tokenizer, route.prefix, route.max_tokens)
    if reranker.fingerprint != about["reranker_fingerprint"]:
        raise _other_model(bot, about, about["reranker_fingerprint"], reranker.fingerprint)
    return reranker


def _pair_as_json(pair: QAPair) -> dict[str, Any]:
    return {field.name: getattr(pair, field.name) for field in fields(pair)} | {"metadata": dict(pair.metadata)}


def _other_model(bot: Path, about: Mapping[str, Any], expected: str, found: str) -> BotError:
    return BotError(
        f"{bot} was built with encoder {about['encoder']} ({expected}), but that name now gives {found}; "
        f"build it again: chatbot train --pairs FILE --index {bot}"
    )
