"""Settings and files -> a Chatbot: the one place that picks concrete classes.

`build_bot` and `train_bot` turn pairs into a built bot folder; `load_bot` turns that folder into a `Chatbot`. What
a folder holds for each language:

    LANGUAGE/pairs.jsonl         row number and pair, one a line
    LANGUAGE/questions.index     vectors of the historical questions
    LANGUAGE/answers.index       vectors of the answers' texts
    LANGUAGE/encoder/            the encoder's weights but its word embeddings, which are the base model's
    LANGUAGE/reranker/           those of the cross-encoder, if there is one
    LANGUAGE/classifier.safetensors   the answer classifier's, if there is one
    templates.json               templates and slots

The manifest has the settings, each language's models with fingerprints, and the calibration.
"""

import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chatbot import bundle
from chatbot.answer import Templates
from chatbot.bundle import Manifest
from chatbot.classify import AnswerClassifier
from chatbot.converse import Chatbot
from chatbot.decide import Calibration
from chatbot.domain import Encoder, HeldOutDialogue, Match, QAPair
from chatbot.encode import SentenceEncoder
from chatbot.errors import BotError, CorpusError, UserError
from chatbot.index import FaissIndex
from chatbot.learn.calibrate import PRIOR
from chatbot.learn.loop import needs_tensorboard
from chatbot.learn.train import Keep, calibrate_untrained, train
from chatbot.lexical import Bm25Index
from chatbot.merge import merge
from chatbot.models import reranker_from, save_tuned
from chatbot.rerank import CrossEncoder
from chatbot.retrieve import Retriever, form
from chatbot.settings import Route, Settings
from chatbot.table import AnswerTable
from chatbot.text import clean, detect_language

log = logging.getLogger(__name__)


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

    def retriever(self, pairs: Sequence[QAPair], encoder: Encoder) -> Retriever:
        retrieve, casefold = self.settings.retrieve, self.route.casefold
        line = Retriever.build(
            pairs, encoder, FaissIndex.build, Bm25Index.build, None, PRIOR, retrieve, casefold=casefold
        )
        _classify(line, self.settings.seed)
        return line


def build_bot(pairs: Sequence[QAPair], templates: Templates, settings: Settings, folder: Path) -> Manifest:
    """Encode and index with the models as they come; confidence is calibrated on held-out pairs all the same."""
    return _make(
        pairs, templates, settings, folder, lambda _, own, workshop: calibrate_untrained(own, workshop, settings)
    )


def train_bot(
    pairs: Sequence[QAPair],
    matches: Sequence[Match],
    dialogues: Sequence[HeldOutDialogue],
    templates: Templates,
    settings: Settings,
    folder: Path,
    diary: Path | None = None,
) -> Manifest:
    """Fine-tune, calibrate, index: the whole bot. `matches` and `dialogues` may be empty. What is killed goes on
    where it stopped when it is called again: checkpoints lie beside `folder` until the bot is written. `diary` is
    a folder for TensorBoard."""
    if diary is not None:
        needs_tensorboard()
    keep = Keep(diary, folder.with_name(f".{folder.name}.training"))
    by_language = _matches_by_language(matches, {pair.language for pair in pairs})
    manifest = _make(
        pairs,
        templates,
        settings,
        folder,
        lambda language, own, workshop: train(
            language,
            own,
            by_language.get(language, ()),
            [dialogue for dialogue in dialogues if dialogue.language == language],
            workshop,
            settings,
            keep,
        ),
    )
    shutil.rmtree(folder.with_name(f".{folder.name}.training"), ignore_errors=True)
    return manifest


def load_bot(folder: Path) -> Chatbot:
    """The bot in use in `folder`, every file checked. Raises BotError."""
    files, manifest = bundle.load(folder)
    settings = Settings.parse(manifest.bot["settings"], f"{folder}/manifest.json")
    use_threads(settings)
    templates = Templates.parse(json.loads((files / "templates.json").read_text("utf-8")), "templates.json")
    lines = {
        language: _load_line(files / language, about, settings.route(language), settings, folder)
        for language, about in manifest.bot["languages"].items()
    }
    return Chatbot(lines, templates, settings)


def add_pairs(pairs: Sequence[QAPair], folder: Path) -> int:
    """Put pairs into the bot in `folder`, its models and calibration as they are, as a new version; how many were
    new. Duplicates go into what is there, as at ingest. Raises CorpusError for a language that the bot lacks."""
    bot = load_bot(folder)
    foreign = sorted({pair.language for pair in pairs} - bot.lines.keys())
    if foreign:
        raise CorpusError(
            f"{folder} has no pairs in {', '.join(foreign)}, so no models and no calibration for them; "
            f"train it with all pairs: chatbot train --pairs FILE --index {folder}"
        )
    added = 0
    for language, line in bot.lines.items():
        known = dict.fromkeys(pair.id for pair in line.table.pairs.values())
        together = merge([*line.table.pairs.values(), *(pair for pair in pairs if pair.language == language)])
        fresh = [pair for pair in together.pairs if pair.id not in known]
        if fresh:
            line.add(fresh)
            _classify(line, bot.settings.seed)
        added += len(fresh)
    if added:
        save_bot(bot, folder, bot.settings.profile)
    return added


def remove_pairs(answer_ids: Sequence[str], questions: Sequence[str], folder: Path) -> int:
    """Take whole answers, or single questions (in whatever case and spacing), out of the bot in `folder`, as a new
    version; how many pairs went. Raises UserError for one that it does not hold, or where a language would be
    left with none."""
    bot = load_bot(folder)
    texts = {clean(question).casefold() for question in questions}
    missing, removed = {*answer_ids} | texts, 0
    for language, line in bot.lines.items():
        gone = []
        for pair in line.table.pairs.values():
            text = clean(pair.question).casefold()
            if pair.answer_id in answer_ids or text in texts:
                gone.append(pair.id)
                missing -= {pair.answer_id, text}
        if len(gone) == len(line.table.pairs):
            raise UserError(f"that would leave {folder} no pair in {language!r}; train a bot without it instead")
        removed += line.remove(gone)
    if missing:
        named = ", ".join(map(repr, sorted(missing)))
        raise UserError(f"{folder} holds no answer or question {named}; nothing was removed")
    save_bot(bot, folder, bot.settings.profile)
    return removed


def save_bot(bot: Chatbot, folder: Path, profile: str) -> Manifest:
    """Write a bot as a new version of `folder`. Checks the templates against its pairs first."""
    bot.templates.check(pair for line in bot.lines.values() for pair in line.table.pairs.values())
    with bundle.writing(folder, bot.settings.keep_versions) as draft:
        (draft.path / "templates.json").write_text(
            json.dumps(bot.templates.as_toml_values(), ensure_ascii=False, indent=1), "utf-8"
        )
        languages = {
            language: _save_line(draft.path / language, line, bot.settings.route(language))
            for language, line in bot.lines.items()
        }
        settings = bot.settings.model_dump(mode="json")
        return draft.commit({"profile": profile, "settings": settings, "languages": languages})


def use_threads(settings: Settings) -> None:
    """One number of threads for the whole process; 0 leaves the library's choice."""
    if settings.threads:
        torch.set_num_threads(settings.threads)


def _make(
    pairs: Sequence[QAPair],
    templates: Templates,
    settings: Settings,
    folder: Path,
    trained: Callable[[str, Sequence[QAPair], LanguageWorkshop], Retriever],
) -> Manifest:
    """A line for each language that the pairs have, then the folder."""
    bundle.check_target(folder)
    templates.check(pairs)
    use_threads(settings)
    lines = {}
    for language in sorted({pair.language for pair in pairs}):
        own = [pair for pair in pairs if pair.language == language]
        lines[language] = trained(language, own, LanguageWorkshop(settings.route(language), settings))
    return save_bot(Chatbot(lines, templates, settings), folder, settings.profile)


def _load_line(folder: Path, about: Mapping[str, Any], route: Route, settings: Settings, bot: Path) -> Retriever:
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


def _classify(line: Retriever, seed: int) -> None:
    """Fit the answer classifier to the pairs as they are."""
    rows = np.array(sorted(line.table.pairs), dtype=np.int64)
    answer_ids = [line.table.pairs[row].answer_id for row in rows.tolist()]
    line.classifier = AnswerClassifier.fit(line.questions.vectors(rows), answer_ids, seed)


def _reranker(encoder: SentenceEncoder, tuned: Path | None = None) -> CrossEncoder:
    """A cross-encoder that starts from the encoder, shares its word embeddings and reads texts as it does."""
    return CrossEncoder(reranker_from(encoder.model, tuned), encoder.tokenizer, encoder.prefix, encoder.max_tokens)


def _save_line(folder: Path, line: Retriever, route: Route) -> dict[str, Any]:
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


def _matches_by_language(matches: Sequence[Match], languages: set[str]) -> dict[str, list[Match]]:
    """Each match under the language of its left side; under the bot's only language where it has but one."""
    by_language: dict[str, list[Match]] = {}
    for match in matches:
        language = detect_language(match.left) if len(languages) > 1 else next(iter(languages))
        by_language.setdefault(language, []).append(match)
    return by_language
