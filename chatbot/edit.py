"""A built bot that is changed while it serves: on disk first, and live with the next message.

In: a bot's folder, then a `Plan` (insight/changes.py) or a `Calibration`. Out: a new version each, which
`rollback` undoes. Models are never touched: a version shares their files with the one before (hard links), and
what comes is encoded by the models that answer, without PyTorch.

All or nothing: a plan is checked, then carried out on a copy, which shares models and indexes with the bot that
answers (line.copied); that is written, and takes its place in one step. So every reply is of one version, whole;
and where something fails, nothing has changed. Where another program has changed the folder meanwhile nothing is
written, so that its change is not lost.
"""

import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

from chatbot import bundle
from chatbot import plan as plans
from chatbot.assemble import TEMPLATES, assemble, described
from chatbot.converse import Chatbot
from chatbot.decide import Calibration
from chatbot.domain import Conversation, QAPair, Reply
from chatbot.errors import BotError, UserError
from chatbot.insight.changes import Plan
from chatbot.line import classify, copied, save_pairs, stored_pairs
from chatbot.manifest import Manifest
from chatbot.retrieve import Retriever
from chatbot.room import Room
from chatbot.shared import Shared

KEPT = 20  # versions at least: an edit's costs megabytes, for it shares the models' files
MODELS = ("encoder", "reranker")  # folders of a language that an edit leaves as they are

Assemble = Callable[[Path, Manifest, Path], Chatbot]  # as assemble.assemble
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """An edit that is live: its plan, its version, and the version before."""

    plan: Plan
    version: str
    before: str


class LiveBot:
    """A Responder that can be edited; `bot` is what answers now. Edits come one after another. Where a room is
    short of memory the bot is parked: its pairs and models are released, and loaded at its next use."""

    def __init__(
        self,
        bot: Chatbot,
        folder: Path,
        manifest: Manifest,
        assembled: Assemble = assemble,
        room: Room | None = None,
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.templates = bot.templates
        self.settings = bot.settings
        self._assembled = assembled
        self._models = (Room() if room is None else room).guest(replace(bot, version=manifest.version))
        self._editing = threading.Lock()

    @classmethod
    def load(cls, folder: Path, budget_ms: float | None = None) -> Self:
        """The bot in use in `folder`. Raises BotError."""
        assembled = partial(assemble, budget_ms=budget_ms, shared=Shared())
        files, manifest = bundle.load(folder)
        return cls(assembled(files, manifest, folder), folder, manifest, assembled)

    @classmethod
    def parked(cls, folder: Path, assembled: Assemble, room: Room) -> Self:
        """The bot in use in `folder`, with its templates and settings alone until it is used. Raises BotError
        where these cannot be read."""
        files, manifest = bundle.load(folder, only=(TEMPLATES,))
        live = cls(described(files, manifest, folder), folder, manifest, assembled, room)
        live.park()
        return live

    @property
    def bot(self) -> Chatbot:
        """Loaded where it is parked. Raises BotError, Unavailable."""
        return self._models.get(self._restored)

    def in_use(self) -> AbstractContextManager[Chatbot]:
        """The bot, which is not parked meanwhile. Raises as `bot`."""
        return self._models.in_use(self._restored)

    def park(self) -> bool:
        """Release pairs and models; False where they are not there, or somebody uses them."""
        return self._models.park()

    @property
    def is_loaded(self) -> bool:
        return self._models.is_loaded

    @property
    def lines(self) -> Mapping[str, Retriever]:
        return self.bot.lines

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that it has pairs in; nothing is loaded for it."""
        return tuple(sorted(self.manifest.bot["languages"]))

    @property
    def version(self) -> str:
        return self.manifest.version

    def pairs(self) -> tuple[QAPair, ...]:
        """All that is live, by language and in order of arrival."""
        lines = [line for _, line in sorted(self.bot.lines.items())]
        return tuple(pair for line in lines for _, pair in sorted(line.table.pairs.copy().items()))

    def reply(self, conversation: Conversation, text: str) -> Reply:
        """With the version that gave it."""
        with self.in_use() as bot:
            return replace(bot.reply(conversation, text), version=bot.version)

    def publish(self, plan: Plan) -> str:
        """Change the pairs; the version that holds them. Raises UserError where the plan does not fit what is
        live (any more), BotError where another program has changed the folder, Unavailable where it cannot be
        written."""
        with self._changing() as bot:
            changed = self.check(plan)
            return self._written(self._carried_out(plan, bot, changed), changed)

    def check(self, plan: Plan) -> list[str]:
        """The languages that a plan changes. Raises what `publish` would for a plan that does not fit."""
        changed = plans.checked(plan, self.bot)
        self.bot.templates.only({pair.answer_id for pair in plan.added}).check(plan.added)
        return changed

    def versions(self) -> list[str]:
        """The versions that are kept, oldest first."""
        return bundle.versions(self.folder)

    def pairs_of(self, version: str) -> tuple[QAPair, ...]:
        """All that another kept version holds, as `pairs` gives it. Raises BotError."""
        files, manifest = bundle.load(self.folder, version)
        return tuple(
            pair for language in sorted(manifest.bot["languages"]) for pair in stored_pairs(files / language)[1]
        )

    def tried(self, plan: Plan) -> Chatbot:
        """What `publish` would make of the bot, as a bot of its own. Raises UserError as `publish` does."""
        with self.in_use() as bot:
            return self._carried_out(plan, bot, self.check(plan))

    def take_back(self, done: Published) -> str:
        """Undo an edit: back to the version before it or, where others came since, its plan the other way round,
        so that those stay. Raises as `publish` does, UserError also where it was undone already."""
        with self._changing():
            if done.version == self.version == bundle.in_use(self.folder):
                bundle.rollback(self.folder, done.before)
                return self._load()
        return self.publish(done.plan.undone)

    def decide_by(self, language: str, calibration: Calibration) -> str:
        """Judge by other thresholds from the next message on; the version that holds them. Raises as `publish`."""
        with self._changing() as bot:
            if language not in bot.lines:
                raise UserError(f"{self.folder} has no language {language!r}; it has {', '.join(bot.lines)}")
            line = copy(bot.lines[language])
            line.calibration = calibration
            return self._written(replace(bot, lines={**bot.lines, language: line}), ())

    def rollback(self, version: str | None = None) -> str:
        """Back to another version, None: the one before; the old bot answers until the other is loaded."""
        with self._changing():
            bundle.rollback(self.folder, version)
            return self._load()

    def reload(self) -> str:
        """Take what is in use in the folder, such as the change of another program."""
        with self._changing():
            return self._load()

    @contextmanager
    def _changing(self) -> Iterator[Chatbot]:
        """Alone; the bot as it is."""
        with self._editing, self.in_use() as bot:
            yield bot

    @staticmethod
    def _carried_out(plan: Plan, bot: Chatbot, changed: Sequence[str]) -> Chatbot:
        """Another bot, with the same models."""
        lines = {language: copied(bot.lines[language]) for language in changed}
        made = replace(bot, lines={**bot.lines, **lines}, templates=bot.templates.only(plans.left(plan, bot)))
        plans.apply(plan, made)
        for line in lines.values():
            classify(line, bot.settings.seed)
        return made

    def _load(self) -> str:
        files, manifest = bundle.load(self.folder)
        return self._take(self._assembled(files, manifest, self.folder), manifest)

    def _take(self, bot: Chatbot, manifest: Manifest) -> str:
        """Answer by it from the next message on."""
        self._models.put(replace(bot, version=manifest.version))
        self.manifest, self.templates, self.settings = manifest, bot.templates, bot.settings
        return self.version

    def _restored(self) -> Chatbot:
        """What was live when it was parked; what is in use in the folder where that is gone or damaged."""
        try:
            files, manifest = bundle.load(self.folder, self.version)
        except BotError as lost:
            log.warning("%s Trying what is in use there.", lost)
            files, manifest = bundle.load(self.folder)
        bot = self._assembled(files, manifest, self.folder)
        self.manifest, self.templates, self.settings = manifest, bot.templates, bot.settings
        return replace(bot, version=manifest.version)

    def _written(self, bot: Chatbot, changed: Sequence[str]) -> str:
        """Write a version after the one that is loaded, with new files for the pairs of the languages that
        changed, then answer by it."""
        before, about = self.folder / bundle.VERSIONS / self.version, dict(self.manifest.bot)
        languages = {name: dict(said) for name, said in about["languages"].items()}
        with bundle.writing(self.folder, max(bot.settings.keep_versions, KEPT)) as draft:
            (draft.path / TEMPLATES).write_text(
                json.dumps(bot.templates.as_toml_values(), ensure_ascii=False, indent=1), "utf-8"
            )
            for language, line in bot.lines.items():
                own = draft.path / language
                if language not in changed:
                    shutil.copytree(before / language, own, copy_function=_linked)
                    languages[language]["calibration"] = line.calibration.as_json()
                    continue
                own.mkdir()
                for name in MODELS:
                    if (before / language / name).exists():
                        shutil.copytree(before / language / name, own / name, copy_function=_linked)
                languages[language] |= save_pairs(own, line)
            manifest = draft.commit(about | {"languages": languages}, after=self.version)
        return self._take(bot, manifest)


def _linked(source: str, target: str) -> None:
    """The same file once more; a copy where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
