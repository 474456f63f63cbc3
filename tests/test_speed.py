"""Speed that must not be lost: counts of work, and ratios of two ways that are measured in turns in one process.

No test here knows a time of its own: machines differ, and none is ever quiet. Each limit leaves room for noise;
what is measured without haste is in benchmarks/results.
"""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from benchmarks import speed
from chatbot.assemble import load_bot
from chatbot.domain import Conversation, Rows, Vectors
from chatbot.index import FaissIndex
from chatbot.lexical import Bm25Index
from chatbot.shortlist import Kind

MORE_WORK = 1.15  # than the committed figure: a bot that is trained on another machine reads a little more or less


def ratio(slow: Callable[[int], object], fast: Callable[[int], object], rounds: int) -> float:
    """How many times as long `slow` takes: the median over rounds, in each of which both run."""
    found = []
    for number in range(rounds):
        start = time.perf_counter()
        slow(number)
        between = time.perf_counter()
        fast(number)
        found.append((between - start) / (time.perf_counter() - between))
    return median(found)


@pytest.mark.demo
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("language", ["en", "zh"])
class TestDemo:
    def test_an_answer_takes_no_more_work_than_it_did(self, index: Path, language: str) -> None:
        """A bot of its own, which remembers nothing."""
        committed = json.loads((speed.RESULTS / "speed.json").read_text("utf-8"))["languages"][language]["floor"]
        found = speed.work(load_bot(index), language, speed.questions(language)[: speed.WORKED])
        assert found < MORE_WORK * committed["multiply_adds_an_answer"]

    def test_an_answer_takes_a_fraction_of_what_one_would_write_instead(self, index: Path, language: str) -> None:
        bot, (plain, _) = load_bot(index), speed.plain(index, language)
        asked = speed.questions(language)
        for warm in asked[-3:]:
            plain(warm)
            bot.reply(Conversation(), warm)
        found = ratio(
            lambda number: plain(asked[number]), lambda number: bot.reply(Conversation(), asked[number]), 40
        )
        assert found > 2


def around_centres(count: int, seed: int) -> tuple[Rows, Vectors]:
    """Unit vectors around a centre for each hundred."""
    chance = np.random.default_rng(seed)
    centres = np.random.default_rng(1).normal(size=(max(count // 100, 1), 64))
    vectors = centres[chance.integers(len(centres), size=count)] + 0.5 * chance.normal(size=(count, 64))
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return np.arange(count, dtype=np.int64), unit


class TestGrowth:
    """Large indexes are not searched, and not changed, as small ones are."""

    def test_lists_are_faster_than_a_scan(self) -> None:
        rows, vectors = around_centres(60_000, 2)
        scan, lists = (FaissIndex.build(rows, vectors, kind) for kind in (Kind.FLAT, Kind.LISTS))
        assert (
            ratio(
                lambda n: scan.search(vectors[n : n + 1], 10), lambda n: lists.search(vectors[n : n + 1], 10), 60
            )
            > 1.2
        )

    def test_a_small_change_of_many_texts_does_not_build_all_anew(self) -> None:
        texts = sentences(20_000)
        index = Bm25Index.build(np.arange(len(texts), dtype=np.int64), texts, small=1000)

        def change(number: int) -> None:
            index.add(np.array([len(texts) + number], dtype=np.int64), [texts[number]])
            index.search([texts[number]], 10)

        whole = ratio(
            lambda n: Bm25Index.build(np.arange(len(texts), dtype=np.int64), texts).search([texts[n]], 10),
            change,
            5,
        )
        assert whole > 20

    def test_words_among_ten_times_the_texts_are_found_in_less_than_five_times_the_time(self) -> None:
        few, many = sentences(2_000), sentences(20_000)
        small, large = (Bm25Index.build(np.arange(len(t), dtype=np.int64), t) for t in (few, many))
        assert ratio(lambda n: large.search([few[n]], 10), lambda n: small.search([few[n]], 10), 100) < 5


def sentences(count: int) -> Sequence[str]:
    """Eight words each out of two thousand, frequent ones and rare ones as in a language (Zipf)."""
    drawn = np.random.default_rng(3).zipf(1.3, size=(count, 8)) % 2000
    return [" ".join(f"w{word}" for word in words) for words in drawn.tolist()]
