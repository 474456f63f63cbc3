"""A built bot's folder -> a Chatbot that answers, in a second or two and without PyTorch.

The folder holds `templates.json` and a folder for each language (see `line`); the manifest has the settings and
what is to be known of each language. make.py writes it.
"""

import json
from pathlib import Path

from chatbot import bundle
from chatbot.answer import Templates
from chatbot.converse import Chatbot
from chatbot.line import load_line
from chatbot.settings import Settings


def load_bot(folder: Path, pytorch: bool = False, budget_ms: float | None = None) -> Chatbot:
    """The bot in use in `folder`, every file checked; with models that can be trained where `pytorch` is asked
    for. `budget_ms` is what an answer may take (rank.Budget); None: the bot's own setting. Raises BotError."""
    files, manifest = bundle.load(folder)
    settings = Settings.parse(manifest.bot["settings"], f"{folder}/manifest.json")
    templates = Templates.parse(json.loads((files / "templates.json").read_text("utf-8")), "templates.json")
    lines = {
        language: load_line(files / language, about, settings.route(language), settings, folder, pytorch)
        for language, about in manifest.bot["languages"].items()
    }
    for line in lines.values():
        line.budget.limit_ms = settings.retrieve.budget_ms if budget_ms is None else budget_ms
    return Chatbot(lines, templates, settings)
