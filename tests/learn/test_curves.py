"""The points of the two curves, and that a picture comes of them."""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chatbot.domain import Action
from chatbot.learn.curves import Labels, draw, reliability, risk_coverage, save
from chatbot.ui.words import WORDS
from tests.fakes import calibration
from tests.learn.test_difference import turn

CONFIDENCE, RIGHT = np.array([0.9, 0.2, 0.8, 0.2]), np.array([1.0, 0.0, 0.0, 1.0])


def test_a_bin_is_its_mean_confidence_and_the_share_right() -> None:
    assert reliability(CONFIDENCE, RIGHT, bins=2).tolist() == [[0.2, 0.5, 2], [pytest.approx(0.85), 0.5, 2]]


def test_risk_by_coverage_with_one_point_a_threshold() -> None:
    assert risk_coverage(CONFIDENCE, RIGHT).tolist() == [[0.25, 0, 0.9], [0.5, 0.5, 0.8], [1, 0.5, 0.2]]


def test_words_that_no_font_can_draw_are_english() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of each letter that it cannot draw
        picture = draw(CONFIDENCE.tolist(), RIGHT.tolist(), 0.5, "en", Labels(*WORDS["zh"].curves))
    assert Image.open(BytesIO(picture)).size == (990, 440)


@pytest.mark.parametrize("number", [0, 1, 4])
def test_a_picture_comes_of_any_number_of_turns(number: int) -> None:
    picture = draw(CONFIDENCE[:number].tolist(), RIGHT[:number].tolist(), 0.5, "en")
    assert Image.open(BytesIO(picture)).size == (990, 440)


def test_one_file_a_language(tmp_path: Path) -> None:
    class Line:
        calibration = calibration({"similarity": 1})

    save(tmp_path, [turn(1, "A1", Action.ANSWER, "A1")], {"en": Line()})
    assert [file.name for file in tmp_path.iterdir()] == ["curves-en.png"]
