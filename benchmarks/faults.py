"""What becomes of a bot and its journal when something breaks: results/faults.json, and docs/reliability.md of it.

    python benchmarks/faults.py                        all faults, some half an hour
    python benchmarks/faults.py --only disk clock      those whose names hold one of the words
    python benchmarks/faults.py --quick                fewer rounds of each

Real processes, files and databases: `chatbot serve` and `build` are killed with -9, disks are small tmpfs (which
needs root), PostgreSQL is a server of one's own that is killed, the clock is one that
jumps (jumping_clock.c, which needs gcc). What is drawn by chance
has a fixed seed. Of each fault is written down what was acknowledged before it, what was found afterwards, what is
lost or wrong, how errors read, and the seconds until it worked again.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import crashes
import damage
import faults_page
import outages
from running import Service, chatbot, schema, small_bot

from chatbot.learn.evaluate import write_metrics

FILE = Path(__file__).parent / "results" / "faults.json"


def main() -> int:
    options = _options()
    found: dict[str, Any] = json.loads(FILE.read_text("utf-8"))["faults"] if FILE.exists() and options.only else {}
    failed, command = 0, " ".join(["python", "benchmarks/faults.py", *sys.argv[1:]])
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        place = Place(Path(folder), options.quick)
        for name, fault in FAULTS.items():
            if options.only and not any(word in name for word in options.only):
                continue
            print(name, flush=True)
            start = time.monotonic()
            try:
                found[name] = fault(place)
            except Exception:  # noqa: BLE001  # the next one may work
                print(traceback.format_exc(), file=sys.stderr)
                failed = 1
                continue
            found[name] |= {"took": round(time.monotonic() - start), "command": command}
            print(json.dumps(found[name], ensure_ascii=False), flush=True)
            FILE.parent.mkdir(exist_ok=True)
            write_metrics(FILE, {"faults": {n: found[n] for n in FAULTS if n in found}}, {"command": command})
    faults_page.write()
    return failed


class Place:
    """A folder with a small bot of two versions that share no file; `bot` gives a copy of it."""

    def __init__(self, folder: Path, quick: bool) -> None:
        self.folder, self.quick = folder, quick
        self.made = small_bot(folder / "made")
        chatbot("build", "--pairs", self.made.with_suffix(".csv"), "--index", self.made)

    def bot(self, name: str) -> Path:
        shutil.copy(self.made.with_suffix(".csv"), self.folder / f"{name}.csv")
        return shutil.copytree(self.made, self.folder / name)

    def rounds(self, many: int) -> int:
        return min(many, 2) if self.quick else many


def _killed_writing_sqlite(at: Place) -> dict[str, Any]:
    with Service(at.bot("w1"), str(at.folder / "w1.sqlite")) as service:
        return crashes.killed_while_customers_write(service, at.rounds(10))


def _killed_writing_postgresql(at: Place) -> dict[str, Any]:
    with schema() as url, Service(at.bot("w2"), url) as service:
        return crashes.killed_while_customers_write(service, at.rounds(10))


def _killed_publishing(at: Place) -> dict[str, Any]:
    with Service(at.bot("p"), str(at.folder / "p.sqlite")) as service:
        return crashes.killed_while_publishing(service, service.key(), at.rounds(6))


def _terminated(at: Place) -> dict[str, Any]:
    with Service(at.bot("t"), str(at.folder / "t.sqlite")) as service:
        return crashes.terminated_under_load(service, at.rounds(3))


def _two_on_postgresql(at: Place) -> dict[str, Any]:
    with schema() as url:
        return damage.two_publish_at_once(at.bot("two2"), url)


FAULTS: dict[str, Callable[[Place], dict[str, Any]]] = {
    "kill -9 while customers write, SQLite": _killed_writing_sqlite,
    "kill -9 while customers write, PostgreSQL": _killed_writing_postgresql,
    "kill -9 while publishing": _killed_publishing,
    "SIGTERM under load": _terminated,
    "disk full, journal": lambda at: outages.disk_full_for_the_journal(at.folder, at.bot("d"), at.rounds(3)),
    "disk full, publish": lambda at: outages.disk_full_for_an_edit(at.folder, at.made),
    "disk full, backup": lambda at: outages.disk_full_for_a_command(at.folder, at.made, "backup"),
    "database down and back": lambda at: outages.database_down(at.folder, at.bot("o"), at.rounds(3)),
    "clock jumps": lambda at: outages.clock_jumps(at.folder, at.bot("c")),
    "damaged files, by command": lambda at: damage.damaged_and_mended_by_commands(at.bot("fc")),
    "damaged files under a service": lambda at: damage.damaged_while_it_serves(
        at.bot("fs"), at.folder / "fs.sqlite"
    ),
    "damaged journal header": lambda at: damage.damaged_journal(at.folder / "header.sqlite"),
    "two publish at once, SQLite": lambda at: damage.two_publish_at_once(
        at.bot("two1"), str(at.folder / "2.sqlite")
    ),
    "two publish at once, PostgreSQL": _two_on_postgresql,
    "damaged files": lambda at: damage.damaged_bot(at.bot("f")),
    "kill -9 of build": lambda at: crashes.killed_while_made(at.folder, at.rounds(6)),
    "disk full, build": lambda at: outages.disk_full_for_a_command(at.folder, at.made, "build"),
    "kill -9 of train": lambda at: crashes.killed_while_made(at.folder, 2, "train"),
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="faults whose names hold this")
    parser.add_argument("--quick", action="store_true", help="two rounds of each")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
