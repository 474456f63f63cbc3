"""A built bot's folder -> a Chatbot that answers, in a second or two and without PyTorch.

The folder holds `templates.json` and a folder for each language (see `line`); the manifest has the settings and
what is to be known of each language. make.py writes it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from chatbot import bundle
from chatbot.answer import Templates
from chatbot.converse import Chatbot
from chatbot.ensemble import Ensemble
from chatbot.errors import BotError
from chatbot.line import load_line, pytorch_reranker
from chatbot.manifest import Manifest
from chatbot.mood import MoodClassifier, MoodReader
from chatbot.protocols import Connector, Encoder
from chatbot.settings import Settings
from chatbot.shared import Models, Shared
from chatbot.universal import UniversalEncoder

if TYPE_CHECKING:
    from chatbot.rerank import CrossEncoder

TEMPLATES = "templates.json"


def load_bot(folder: Path, pytorch: bool = False, budget_ms: float | None = None) -> Chatbot:
    """The bot in use in `folder`, every file checked; with models that can be trained where `pytorch` is asked
    for. `budget_ms` is what an answer may take (rank.Budget); None: the bot's own setting. Raises BotError."""
    return assemble(*bundle.load(folder), folder, pytorch, budget_ms)


def assemble(
    files: Path,
    manifest: Manifest,
    folder: Path,
    pytorch: bool = False,
    budget_ms: float | None = None,
    shared: Shared | None = None,
) -> Chatbot:
    """The bot of a version whose files were checked (bundle.load), with models that are `shared` with others."""
    bot = described(files, manifest, folder)
    settings, templates = bot.settings, bot.templates
    digests = {files / name: record.sha256 for name, record in manifest.files.items()}
    models = Models(Shared() if shared is None else shared, digests)
    lines = {
        language: load_line(files / language, about, settings.route(language), settings, folder, models, pytorch)
        for language, about in manifest.bot["languages"].items()
    }
    for line in lines.values():
        line.budget.limit_ms = settings.retrieve.budget_ms if budget_ms is None else budget_ms
    read = {language: mood_reader(line.encoder, language) for language, line in lines.items()}
    moods = {language: reader for language, reader in read.items() if reader is not None}
    return Chatbot(lines, templates, settings, _connectors(templates, folder), moods)


def described(files: Path, manifest: Manifest, folder: Path) -> Chatbot:
    """The templates and settings of a version, without pairs and models."""
    settings = Settings.parse(manifest.bot["settings"], f"{folder}/manifest.json")
    return Chatbot({}, Templates.parse(json.loads((files / TEMPLATES).read_text("utf-8")), TEMPLATES), settings)


def _connectors(templates: Templates, folder: Path) -> Mapping[str, Connector]:
    """What the templates look things up in; most bots need none, and none of its libraries."""
    if not templates.connectors:
        return {}
    from chatbot.connect import connect

    return connect(templates.connectors, folder)


def mood_reader(encoder: Encoder, language: str) -> MoodReader | None:
    """What tells a customer's mood by the Universal Sentence Encoder, where that stands beside the tuned one; it
    remembers what it encoded for the answer, so a mood costs next to nothing. None elsewhere: all are calm."""
    beside = encoder.beside if isinstance(encoder, Ensemble) else ()
    universal = next((one for one in beside if isinstance(one, UniversalEncoder)), None)
    return None if universal is None else MoodClassifier.load(universal, language)


def load_reranker(folder: Path, language: str) -> "CrossEncoder | None":
    """The cross-encoder of one language in PyTorch, as insight.explain looks into it, without the rest of the bot;
    None where the bot was built without one. Raises BotError."""
    files, manifest = bundle.load(folder)
    languages = manifest.bot["languages"]
    if language not in languages:
        raise BotError(f"{folder} has no language {language!r}; it has {', '.join(languages)}")
    settings = Settings.parse(manifest.bot["settings"], f"{folder}/manifest.json")
    return pytorch_reranker(files / language, languages[language], settings.route(language), folder)
