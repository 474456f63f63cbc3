"""The mood of a message: by hand with a fake encoder, and what ships with the real one."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from chatbot import mood as learnt
from chatbot import phrases
from chatbot.assemble import mood_reader
from chatbot.carried import UNIVERSAL
from chatbot.domain import Mood
from chatbot.ensemble import Ensemble
from chatbot.mood import MOODS, MoodClassifier, features
from chatbot.text import letters
from chatbot.universal import UniversalEncoder
from tests.fakes import FakeEncoder

DATA = Path(__file__).parent.parent / "data"
SHIPPED = json.loads(Path(learnt.__file__).with_name(learnt.FILE).read_text("utf-8"))
LANGUAGES = ("en", "zh")


def by_words(language: str = "en", **thresholds: float) -> MoodClassifier:
    """Vectors and biases count for nothing; a word of a mood makes it e² times as likely as another mood."""
    weights = np.array([[0, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 2]], dtype=float)
    limits = {Mood(name): value for name, value in thresholds.items()}
    return MoodClassifier(FakeEncoder("a"), language, weights, np.zeros(3), limits)


class TestFeatures:
    def test_the_vector_comes_first_then_a_word_of_anger_and_one_of_worry(self) -> None:
        texts = ["aa", "A scam!", "I'm Worried, what a disgrace", ""]
        found = features(FakeEncoder("a"), texts, "en")
        np.testing.assert_allclose(found[0], [2 / 5**0.5, 1 / 5**0.5, 0, 0], atol=1e-6)
        np.testing.assert_allclose(found[3], [0, 1, 0, 0], atol=1e-6)
        assert found[:, 2:].tolist() == [[0, 0], [1, 0], [1, 1], [0, 0]]

    def test_chinese_words_are_found_within_a_text(self) -> None:
        assert features(FakeEncoder("a"), ["真是垃圾", "我好担心啊", "你好"], "zh")[:, 2:].tolist() == [
            [1, 0],
            [0, 1],
            [0, 0],
        ]

    def test_no_texts_give_no_rows(self) -> None:
        assert features(FakeEncoder("a"), [], "en").shape == (0, 4)

    @pytest.mark.parametrize("text", ["hello", "a rude-free shop", "衣服了解一下", "滚筒洗衣机"])
    def test_a_word_within_another_is_none(self, text: str) -> None:
        language = "en" if text.isascii() else "zh"
        assert features(FakeEncoder("a"), [text], language)[0, 2:].tolist() == [text.startswith("a rude"), 0]


class TestOf:
    @pytest.mark.parametrize(
        ("text", "mood"),
        [("What a scam", Mood.ANGRY), ("I am worried", Mood.WORRIED), ("Is it blue?", Mood.CALM), ("", Mood.CALM)],
    )
    def test_the_likeliest_mood(self, text: str, mood: Mood) -> None:
        assert by_words(angry=0.5, worried=0.5).of(text) is mood

    def test_a_mood_below_its_threshold_is_calm(self) -> None:
        # e² / (e² + 2) = 0.787
        assert by_words(angry=0.78, worried=0.79).of("what a scam") is Mood.ANGRY
        assert by_words(angry=0.79, worried=0.78).of("what a scam") is Mood.CALM

    def test_probabilities_are_those_of_a_softmax(self) -> None:
        found = by_words().probabilities(["what a scam", "hm"])
        np.testing.assert_allclose(found, [[0.1065, 0.787, 0.1065], [1 / 3, 1 / 3, 1 / 3]], atol=1e-4)
        assert MOODS == (Mood.CALM, Mood.ANGRY, Mood.WORRIED)


class TestShipped:
    def test_it_has_a_weight_for_each_number_and_thresholds_in_both_languages(self) -> None:
        assert (SHIPPED["encoder"], set(SHIPPED["thresholds"])) == (UNIVERSAL, set(LANGUAGES))
        assert np.array(SHIPPED["weights"]).shape == (3, UniversalEncoder.dimension + 2)
        assert len(SHIPPED["biases"]) == 3
        for thresholds in SHIPPED["thresholds"].values():
            assert set(thresholds) == {Mood.ANGRY, Mood.WORRIED}
            assert all(1 / 3 < value <= 1 for value in thresholds.values())

    def test_other_languages_and_other_encoders_have_none(self) -> None:
        assert MoodClassifier.load(FakeEncoder(), "fr") is None
        assert mood_reader(FakeEncoder(), "en") is None
        assert mood_reader(Ensemble(FakeEncoder("a"), [FakeEncoder("b")]), "en") is None

    @pytest.mark.models
    @pytest.mark.parametrize(
        ("language", "angry", "worried", "calm"),
        [
            (
                "en",
                "This is the worst service ever, you thieves!",
                "I'm so afraid my money is lost",
                "Do you ship to Leeds?",
            ),
            ("zh", "骗子公司，太恶心了，退钱！", "我好担心钱没了，怎么办啊", "请问几点关门"),
        ],
    )
    def test_plain_cases_with_the_real_encoder(self, language: str, angry: str, worried: str, calm: str) -> None:
        encoder = UniversalEncoder.load(64, 10)
        reader = mood_reader(Ensemble(FakeEncoder("a"), [encoder]), language)
        assert reader is not None
        assert [reader.of(text) for text in (angry, worried, calm)] == [Mood.ANGRY, Mood.WORRIED, Mood.CALM]


class TestData:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_no_message_is_both_learnt_from_and_tested_on(self, language: str) -> None:
        train, test = (self._rows(name, language) for name in ("train", "test"))
        assert {letters(text) for text, _ in train}.isdisjoint({letters(text) for text, _ in test})
        assert {mood: [m for _, m in test].count(mood) for mood in Mood} == dict.fromkeys(Mood, 60)
        assert all([m for _, m in train].count(mood) >= 150 for mood in Mood)

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_no_held_out_turn_is_learnt_from(self, language: str) -> None:
        train = {letters(text) for text, _ in self._rows("train", language)}
        lines = (DATA / "demo" / f"dialogues_{language}.jsonl").read_text("utf-8").splitlines()
        turns = [turn for line in lines for turn in json.loads(line)["turns"] if turn["role"] == "user"]
        assert [turn["text"] for turn in turns if letters(turn["text"]) in train and turn.get("expected")] == []

    @staticmethod
    def _rows(name: str, language: str) -> list[tuple[str, Mood]]:
        with (DATA / "mood" / f"{name}_{language}.csv").open(encoding="utf-8", newline="") as file:
            return [(row["text"], Mood(row["mood"])) for row in csv.DictReader(file)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_bot_has_a_sentence_for_each_mood_but_calm(language: str) -> None:
    replies = phrases.load(language).replies
    assert all(replies[name] for name in (Mood.ANGRY, Mood.WORRIED, "upset"))
    assert Mood.CALM not in replies
