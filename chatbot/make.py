"""Pairs -> a built bot's folder; and changes to one.

`build_bot` and `train_bot` turn pairs into a folder, `add_pairs` and `remove_pairs` change one, each as a new
version that is written whole or not at all (see `bundle`). assemble.py loads it.
"""

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from chatbot import bundle
from chatbot.answer import Templates
from chatbot.assemble import load_bot
from chatbot.bundle import Manifest
from chatbot.converse import Chatbot
from chatbot.domain import HeldOutDialogue, Match, QAPair
from chatbot.errors import CorpusError, UserError
from chatbot.learn.loop import needs_tensorboard
from chatbot.learn.train import Keep, calibrate_untrained, train
from chatbot.merge import merge
from chatbot.retrieve import Retriever
from chatbot.settings import Settings
from chatbot.text import clean, detect_language
from chatbot.workshop import LanguageWorkshop, classify, save_line, workshop

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


def add_pairs(pairs: Sequence[QAPair], folder: Path) -> int:
    """Put pairs into the bot in `folder`, its models and calibration as they are, as a new version; how many were
    new. Duplicates go into what is there, as at ingest. Raises CorpusError for a language that the bot lacks."""
    bot = load_bot(folder, pytorch=True)
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
        if together.conflicting_answers:
            named = "; ".join(
                f"{one.answer_id}: {' | '.join(one.answers)}" for one in together.conflicting_answers
            )
            raise CorpusError(
                f"one answer_id, several answers ({named}); nothing was added. Give the new answer an id of its "
                f"own, or take the old one out first: chatbot remove --index {folder} --answer ID"
            )
        fresh = [pair for pair in together.pairs if pair.id not in known]
        if fresh:
            line.add(fresh)
            classify(line, bot.settings.seed)
        added += len(fresh)
    if added:
        save_bot(bot, folder, bot.settings.profile)
    return added


def remove_pairs(answer_ids: Sequence[str], questions: Sequence[str], folder: Path) -> int:
    """Take whole answers, or single questions (in whatever case and spacing), out of the bot in `folder`, as a new
    version; how many pairs went. Raises UserError for one that it does not hold, or where a language would be
    left with none."""
    bot = load_bot(folder, pytorch=True)
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
    left = {pair.answer_id for line in bot.lines.values() for pair in line.table.pairs.values()}
    save_bot(replace(bot, templates=bot.templates.only(left)), folder, bot.settings.profile)
    return removed


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
    lines = {}
    for language in sorted({pair.language for pair in pairs}):
        own = [pair for pair in pairs if pair.language == language]
        lines[language] = trained(language, own, workshop(language, len(own), settings))
    return save_bot(Chatbot(lines, templates, settings), folder, settings.profile)


def _matches_by_language(matches: Sequence[Match], languages: set[str]) -> dict[str, list[Match]]:
    """Each match under the language of its left side; under the bot's only language where it has but one."""
    by_language: dict[str, list[Match]] = {}
    for match in matches:
        language = detect_language(match.left) if len(languages) > 1 else next(iter(languages))
        by_language.setdefault(language, []).append(match)
    return by_language
