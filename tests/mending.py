"""A bot on disk that is edited like a real one, with a visible rule instead of models; for the desk's tests.

It counts words (WORDS): an answer whose question has the same ones is found with a similarity of 1. From 0.85 on
it answers, from 0.75 on it asks back.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from chatbot import bundle
from chatbot.answer import Templates
from chatbot.assemble import described
from chatbot.converse import Chatbot
from chatbot.domain import QAPair
from chatbot.edit import LiveBot
from chatbot.index import FaissIndex
from chatbot.lexical import Bm25Index
from chatbot.line import save_pairs
from chatbot.manifest import Manifest
from chatbot.retrieve import Retriever
from chatbot.settings import Settings
from tests.fakes import BY_SIMILARITY, FakeEncoder, pair

WORDS: Mapping[str, tuple[str, ...]] = {
    "en": ("gift", "drone", "kayak", "parcel", "refund"),
    "zh": ("礼品", "无人机", "皮划艇", "包裹", "退款"),
}
PAIRS = [
    pair("where is my parcel", "track", "Look at **My orders**."),
    pair("parcel parcel", "track", "Look at **My orders**."),
    pair("gift wrapping", "wrap", "We wrap <b>gifts</b>."),
    pair("refund please", "refund", "Within 14 days."),
    pair("包裹 在 哪里", "track", "请看“我的订单”。", "zh"),
    pair("礼品 包装", "wrap", "我们提供包装。", "zh"),
]


def line(language: str, pairs: Sequence[QAPair]) -> Retriever:
    encoder, own = FakeEncoder(WORDS[language]), [one for one in pairs if one.language == language]
    settings = Settings.load("default").retrieve
    return Retriever.build(own, encoder, FaissIndex.build, Bm25Index.build, None, BY_SIMILARITY, settings)


class CountingBot(LiveBot):
    """A LiveBot whose versions are loaded with the same rule."""

    def __init__(self, bot: Chatbot, folder: Path, manifest: Manifest) -> None:
        super().__init__(bot, folder, manifest, counted)


def counted(files: Path, manifest: Manifest, folder: Path) -> Chatbot:
    """As assemble.assemble."""
    return replace(described(files, manifest, folder), lines=stored(files, manifest))


def stored(files: Path, manifest: Manifest) -> dict[str, Retriever]:
    pairs = []
    for language in manifest.bot["languages"]:
        for written in (files / language / "pairs.jsonl").read_text("utf-8").splitlines():
            values = json.loads(written)
            values.pop("row")
            pairs.append(QAPair(**values))
    return {language: line(language, pairs) for language in manifest.bot["languages"]}


def counting_bot(folder: Path, pairs: Sequence[QAPair] = PAIRS) -> CountingBot:
    lines = {language: line(language, pairs) for language in WORDS}
    templates = Templates(of_language=dict.fromkeys(WORDS, "{{ answer }}"))
    settings = Settings.load("default")
    with bundle.writing(folder) as draft:
        (draft.path / "templates.json").write_text(json.dumps(templates.as_toml_values()), "utf-8")
        about = {}
        for language, own in lines.items():
            (draft.path / language).mkdir()
            about[language] = save_pairs(draft.path / language, own)
        manifest = draft.commit({"settings": settings.model_dump(mode="json"), "languages": about})
    return CountingBot(Chatbot(lines, templates, settings), folder, manifest)
