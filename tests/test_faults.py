"""What becomes of a bot and its journal when something breaks: a short version of benchmarks/faults.py, whose
results are in docs/reliability.md. Real processes, files and models."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import crashes, damage, faults_page
from benchmarks.running import Service, chatbot, small_bot

ROOT = Path(__file__).parents[1]
needs_models = pytest.mark.models


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two versions that share no file."""
    made = small_bot(tmp_path_factory.mktemp("faults") / "bot")
    assert chatbot("build", "--pairs", made.with_suffix(".csv"), "--index", made).returncode == 0
    return made


@pytest.fixture
def own(bot: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bot, tmp_path / "bot"))


@pytest.fixture
def service(own: Path, tmp_path: Path) -> Iterator[Service]:
    with Service(own, str(tmp_path / "journal.sqlite")) as started:
        yield started


@needs_models
def test_what_was_acknowledged_survives_kill_9_and_sigterm(service: Service) -> None:
    key = service.key()
    ended = crashes.terminated_under_load(service, 1)
    assert (ended["exit_codes"], ended["lost"], ended["wrong"]) == ([0], [], [])
    written = crashes.killed_while_customers_write(service, 1)
    assert (written["lost"], written["wrong"], written["doubled"]) == ([], [], 0)
    assert written["acknowledged"] == written["found"] > 0
    assert written["sent_again"] == written["answered_as_before"] > 0
    published = crashes.killed_while_publishing(service, key, 1)
    assert (published["lost"], published["wrong"]) == ([], [])
    assert published["acknowledged"] == published["found"] > 0


@needs_models
def test_a_damaged_file_is_named_and_a_rollback_mends_it(own: Path) -> None:
    found = damage.damaged_bot(own, every=8)
    assert (found["wrong"], found["harmless"]) == ([], 0)
    assert found["rounds"] == found["noticed"] == found["mended_by_rollback"] > found["files"] == 4


@needs_models
def test_two_services_that_publish_at_once_lose_nothing_of_each_other(own: Path, tmp_path: Path) -> None:
    found = damage.two_publish_at_once(own, str(tmp_path / "journal.sqlite"), count=3)
    assert (found["lost"], found["wrong"], found["given_up"]) == ([], [], 0)
    assert found["acknowledged"] == found["found"] == 6


def test_the_page_says_what_was_found() -> None:
    assert (ROOT / "docs" / "reliability.md").read_text("utf-8") == faults_page.page()
