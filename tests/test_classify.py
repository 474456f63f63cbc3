"""The answer classifier: what it learns, what it refuses to learn, and that it comes back as it was saved."""

from pathlib import Path

import numpy as np
import pytest

from chatbot.classify import MOST_QUESTIONS, AnswerClassifier
from chatbot.domain import Vectors
from chatbot.errors import BotError

CORNERS = np.eye(3, dtype=np.float32)


def around_corners(each: int, seed: int = 7) -> tuple[Vectors, list[str]]:
    """Unit vectors near the three axes, `each` a corner, and the answers of the corners."""
    noise = 0.1 * np.random.default_rng(seed).normal(size=(3 * each, 3))
    vectors = np.tile(CORNERS, (each, 1)) + noise
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit, ["A", "B", "C"] * each


def fitted(each: int = 4) -> AnswerClassifier:
    classifier = AnswerClassifier.fit(*around_corners(each), seed=7)
    assert classifier is not None
    return classifier


class TestFit:
    def test_each_corner_is_told_from_the_others(self) -> None:
        classifier = fitted()
        values = classifier.log_probabilities(CORNERS)
        assert classifier.position == {"A": 0, "B": 1, "C": 2}
        assert values.argmax(1).tolist() == [0, 1, 2]
        assert np.exp(values).sum(1) == pytest.approx([1, 1, 1], abs=1e-5)

    def test_two_answers_have_a_column_each(self) -> None:
        vectors, answers = around_corners(4)
        two = [i for i, answer in enumerate(answers) if answer != "C"]
        classifier = AnswerClassifier.fit(vectors[two], [answers[i] for i in two], seed=7)
        assert classifier is not None
        assert classifier.log_probabilities(CORNERS[:2]).argmax(1).tolist() == [0, 1]

    @pytest.mark.parametrize("answers", [[], ["A"], ["A", "A", "A"], ["A", "B"], ["A", "A", "B", "C"]])
    def test_nothing_to_tell_apart_is_no_classifier(self, answers: list[str]) -> None:
        assert AnswerClassifier.fit(CORNERS[[i % 3 for i in range(len(answers))]], answers, seed=7) is None

    def test_of_very_many_questions_it_learns_from_a_sample(self) -> None:
        classifier = fitted(each=MOST_QUESTIONS // 2)
        assert classifier.log_probabilities(CORNERS).argmax(1).tolist() == [0, 1, 2]


class TestFile:
    def test_it_comes_back_number_for_number(self, tmp_path: Path) -> None:
        classifier = fitted()
        classifier.save(tmp_path / "classifier.safetensors")
        loaded = AnswerClassifier.load(tmp_path / "classifier.safetensors", ["A", "B", "C"])
        assert loaded.position == classifier.position
        assert (loaded.log_probabilities(CORNERS) == classifier.log_probabilities(CORNERS)).all()

    def test_another_number_of_answers_is_an_error(self, tmp_path: Path) -> None:
        fitted().save(tmp_path / "c.safetensors")
        with pytest.raises(BotError, match="has 3 answers, the manifest 2"):
            AnswerClassifier.load(tmp_path / "c.safetensors", ["A", "B"])

    def test_a_damaged_file_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "c.safetensors").write_bytes(b"nothing")
        with pytest.raises(BotError, match=r"c\.safetensors cannot be read"):
            AnswerClassifier.load(tmp_path / "c.safetensors", ["A"])


def test_a_disk_without_room_is_an_error_of_the_file_system(tmp_path: Path) -> None:
    """And not one of the library that writes the file, which nobody translates."""
    vectors = np.eye(2, dtype=np.float32)
    classifier = AnswerClassifier.fit(vectors[[0, 0, 1, 1]], ["a", "a", "b", "b"], seed=7)
    assert classifier is not None
    with pytest.raises(OSError, match="No such file"):
        classifier.save(tmp_path / "missing" / "classifier.safetensors")
