"""Pairs -> a built bot's folder, as a new version that is written whole or not at all (see `bundle`).

assemble.py loads it, edit.py changes its pairs.
"""

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from chatbot import bundle
from chatbot.answer import Templates
from chatbot.converse import Chatbot
from chatbot.domain import HeldOutDialogue, Match, QAPair
from chatbot.learn.loop import needs_tensorboard
from chatbot.learn.train import Keep, calibrate_untrained, train
from chatbot.manifest import Manifest
from chatbot.retrieve import Retriever
from chatbot.settings import Settings
from chatbot.shared import Models
from chatbot.text import detect_language
from chatbot.workshop import LanguageWorkshop, save_line, workshop

log = logging.getLogger(__name__)


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
    checkpoints = checkpoints_of(folder)
    if foreign := sorted({d.language for d in dialogues} - {pair.language for pair in pairs}):
        log.warning("dialogues in %s are not calibrated on: there are no such pairs", ", ".join(foreign))
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
            Keep(diary, checkpoints),
        ),
    )
    shutil.rmtree(checkpoints, ignore_errors=True)
    return manifest


def checkpoints_of(folder: Path) -> Path:
    """Where the training of the bot in `folder` is kept while it runs: beside it, also where that is `.`."""
    whole = folder.resolve()
    return whole.with_name(f".{whole.name}.training")


def save_bot(bot: Chatbot, folder: Path, profile: str) -> Manifest:
    """Write a bot as a new version of `folder`. Checks the templates against its pairs first."""
    bot.templates.check(pair for line in bot.lines.values() for pair in line.table.pairs.values())
    with bundle.writing(folder, bot.settings.keep_versions) as draft:
        (draft.path / "templates.json").write_text(
            json.dumps(bot.templates.as_toml_values(), ensure_ascii=False, indent=1), "utf-8"
        )
        languages = {
            language: save_line(draft.path / language, line, bot.settings.route(language), bot.settings)
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
    lines, models = {}, Models()
    for language in sorted({pair.language for pair in pairs}):
        own = [pair for pair in pairs if pair.language == language]
        lines[language] = trained(language, own, workshop(language, len(own), settings, models))
    return save_bot(Chatbot(lines, templates, settings), folder, settings.profile)


def _matches_by_language(matches: Sequence[Match], languages: set[str]) -> dict[str, list[Match]]:
    """Each match under the language of its left side; under the bot's only language where it has but one."""
    by_language: dict[str, list[Match]] = {}
    for match in matches:
        language = detect_language(match.left) if len(languages) > 1 else next(iter(languages))
        by_language.setdefault(language, []).append(match)
    return by_language
