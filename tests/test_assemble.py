"""What assemble settles by itself, without a model."""

import subprocess
import sys
from pathlib import Path

import pytest

from chatbot.answer import Templates
from chatbot.assemble import _connectors
from chatbot.make import checkpoints_of

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("index", [".", "../shop", "{}"])
def test_checkpoints_lie_beside_the_bot_by_whatever_name_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: str
) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert checkpoints_of(Path(index.format(folder))) == tmp_path / ".shop.training"


def test_what_templates_look_up_counts_from_the_bots_folder(tmp_path: Path) -> None:
    source = {"kind": "csv", "file": "orders.csv", "key": {"number": "order_number"}}
    values = {"ask": {"order_number": {"pattern": "KW"}}, "connectors": {"orders": source}}
    connectors = _connectors(Templates.parse(values, "test"), tmp_path)
    (tmp_path / "orders.csv").write_text("number,status\nKW,Paid\n", "utf-8")
    assert connectors["orders"].find({"order_number": "KW"}) == {"number": "KW", "status": "Paid"}
    assert _connectors(Templates(), tmp_path) == {}


def test_a_bot_that_looks_nothing_up_needs_no_library_for_it() -> None:
    program = "import sys, chatbot.assemble; print('sqlalchemy' in sys.modules, 'chatbot.connect' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False False\n"
