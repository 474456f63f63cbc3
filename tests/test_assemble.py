"""What assemble settles by itself, without a model."""

from pathlib import Path

import pytest

from chatbot.make import checkpoints_of


@pytest.mark.parametrize("index", [".", "../shop", "{}"])
def test_checkpoints_lie_beside_the_bot_by_whatever_name_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: str
) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert checkpoints_of(Path(index.format(folder))) == tmp_path / ".shop.training"
