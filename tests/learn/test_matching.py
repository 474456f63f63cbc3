"""Do two questions mean the same? Vectors count a and b; the fake cross-encoder counts the words they share."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from chatbot.domain import Match, QAPair
from chatbot.learn.matching import BATCH, compare, evaluate_matches, fit, from_pairs
from chatbot.protocols import Reranker
from chatbot.retrieve import Retriever
from chatbot.settings import Retrieve
from tests.fakes import ExactIndex, FakeEncoder, FakeReranker, SharedWords, calibration, pair


def line(
    *pairs: QAPair,
    reranker: Reranker | None = None,
    matching: tuple[float, float, float] = (10.0, 1.0, -5.0),
    casefold: bool = True,
) -> Retriever:
    level = calibration({"similarity": 1}, matching=matching)
    known = pairs if pairs else (pair("a", "A1"),)
    return Retriever.build(
        known, FakeEncoder("ab"), ExactIndex, SharedWords, reranker, level, Retrieve(), casefold
    )


class OneWay(FakeReranker):
    """Relevance is the length of the question less that of the text: what one direction says, the other denies."""

    def score(self, questions: Sequence[str], texts: Sequence[str]) -> np.ndarray:
        return np.array([len(q) - len(t) for q, t in zip(questions, texts, strict=True)], dtype=np.float32)


class TestCompare:
    def test_similarity_and_relevance_of_each_match(self) -> None:
        matches = [Match("a", "a", True), Match("A B", "b", True), Match("bb", "a", False)]
        values = compare(line(reranker=FakeReranker()), matches)
        assert values.dtype == np.float64
        # (1, 1, 1) / √3 and (0, 1, 1) / √2; one word shared, one not
        assert values == pytest.approx(np.array([[1, 1], [2 / 6**0.5, 0], [1 / 10**0.5, -2]]), abs=1e-6)

    def test_the_cross_encoder_reads_both_directions(self) -> None:
        reranker = FakeReranker()
        compare(line(reranker=reranker), [Match("A", "b", True), Match("c", "d", True)])
        assert sorted(reranker.read) == [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")]
        values = compare(line(reranker=OneWay()), [Match("aaaa", "a", True)])
        assert values[0, 1] == 0.0

    def test_without_a_cross_encoder_the_relevance_is_zero(self) -> None:
        assert compare(line(), [Match("a", "b", False)]) == pytest.approx(np.array([[0.5, 0]]))

    def test_case_counts_where_the_language_wants_it(self) -> None:
        reranker = FakeReranker()
        compare(line(reranker=reranker, casefold=False), [Match("A ", "a", True)])
        assert ("A", "a") in reranker.read

    def test_more_than_a_batch_in_order_and_nothing(self) -> None:
        matches = [Match("a", "a" if number % 2 else "b", True) for number in range(BATCH + 3)]
        values = compare(line(), matches)
        assert values[:, 0] == pytest.approx(np.array([1.0 if number % 2 else 0.5 for number in range(BATCH + 3)]))
        assert compare(line(), []).shape == (0, 2)


class TestFit:
    def test_the_weights_tell_the_two_kinds_apart(self) -> None:
        values = np.array([[0.9, 2.0], [0.8, 3.0], [0.3, -2.0], [0.2, -3.0]])
        matches = [Match("", "", same) for same in (True, True, False, False)]
        weights = fit(values, matches)
        assert weights is not None
        probability = expit(values @ weights[:2] + weights[2])
        assert ((probability > 0.5) == [True, True, False, False]).all()
        assert weights[0] > 0 and weights[1] > 0
        assert all(type(weight) is float for weight in weights)
        assert fit(values, matches) == weights

    def test_it_is_calibrated_on_what_overlaps(self) -> None:
        """Of matches with relevance 1 three quarters mean the same, of those with -1 one quarter."""
        values = np.array([[0.5, 1.0]] * 400 + [[0.5, -1.0]] * 400)
        same = [True] * 300 + [False] * 100 + [True] * 100 + [False] * 300
        weights = fit(values, [Match("", "", each) for each in same])
        assert weights is not None
        probability = expit(np.array([[0.5, 1.0], [0.5, -1.0]]) @ weights[:2] + weights[2])
        assert probability == pytest.approx([0.75, 0.25], abs=0.01)

    @pytest.mark.parametrize("same", [[], [True, True], [False]])
    def test_one_kind_alone_teaches_nothing(self, same: list[bool]) -> None:
        assert fit(np.zeros((len(same), 2)), [Match("", "", each) for each in same]) is None


class TestFromPairs:
    KEPT = (pair("a", "A1"), pair("aa", "A1"), pair("aab", "A2"), pair("b", "A3"))

    def test_the_nearest_question_of_the_answer_and_the_nearest_of_another(self) -> None:
        asked = [pair("aaa", "A1"), pair("bb", "A3")]
        assert from_pairs(asked, line(*self.KEPT)) == [
            Match("aaa", "aa", True),
            Match("aaa", "aab", False),
            Match("bb", "b", True),
            Match("bb", "aab", False),
        ]

    def test_where_the_answer_is_not_found_or_is_the_only_one(self) -> None:
        assert from_pairs([pair("a", "A9")], line(*self.KEPT)) == [Match("a", "a", False)]
        assert from_pairs([pair("aa", "A1")], line(pair("a", "A1"))) == [Match("aa", "a", True)]
        assert from_pairs([], line(*self.KEPT)) == []


class Bot:
    """Questions with a z in them have a line of their own."""

    def __init__(self, line: Retriever, of_z: Retriever) -> None:
        self.line = line
        self.of_z = of_z

    def line_for(self, text: str) -> Retriever:
        return self.of_z if "z" in text else self.line


class TestEvaluateMatches:
    def test_each_line_judges_its_own_and_all_is_written(self, tmp_path: Path) -> None:
        """The first line answers 10 * similarity - 9, the second says 2 to everything."""
        bot = Bot(line(matching=(10.0, 0.0, -9.0)), line(matching=(0.0, 0.0, 2.0), reranker=FakeReranker()))
        matches = [
            Match("a", "a", True),  # 1: yes, rightly
            Match("z", "z z", False),  # 2: yes, wrongly
            Match("b", "a", True),  # -4: no, wrongly
            Match("a", "bb", False),  # 10 / √10 - 9: no, rightly
            Match("z", "y", True),  # 2: yes, rightly
        ]
        metrics = evaluate_matches(matches, bot, tmp_path / "out", {"seed": 7})
        assert metrics.pop("about").keys() == {"seed", "time", "machine"}
        # all three that mean the same are above "a" and "bb"; of 1, -4 and 2, the last is level with the other 2
        assert metrics == {
            "matches": 5,
            "accuracy": 3 / 5,
            "auroc": pytest.approx(3.5 / 6),
            "majority_class": 3 / 5,
        }
        assert json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8")).keys() == {*metrics, "about"}
        with (tmp_path / "out" / "predictions.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert rows[0] == ["left", "right", "same", "probability", "similarity", "relevance"]
        assert [row[:3] for row in rows[1:]] == [[m.left, m.right, str(int(m.same))] for m in matches]
        far = 10**-0.5
        assert np.array([row[3:] for row in rows[1:]], dtype=float) == pytest.approx(
            np.array(
                [
                    [expit(1), 1, 0],
                    [expit(2), 1, 1],
                    [expit(-4), 0.5, 0],
                    [expit(10 * far - 9), far, 0],
                    [expit(2), 1, -2],
                ]
            ),
            abs=2e-6,
        )

    def test_one_half_is_a_yes(self, tmp_path: Path) -> None:
        bot = Bot(line(matching=(0.0, 0.0, 0.0)), line())
        metrics = evaluate_matches([Match("a", "b", True)], bot, tmp_path, {})
        assert (metrics["accuracy"], metrics["auroc"], metrics["majority_class"]) == (1.0, None, 1.0)
