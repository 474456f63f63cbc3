"""The service under load, on this machine: results/load.json, and docs/load.md out of it.

    python benchmarks/load.py              needs the demo bot (`make run` once); a quarter of an hour
    python benchmarks/load.py --minutes 1  a look

`chatbot serve` runs as users run it, in a process of its own, with its own limits but for those of one address;
the clients are threads of another one on the same cores, so the service has less than the machine. Each client
begins conversations of six turns and asks held-out questions of the demo, English and Chinese. A client that is
told to come again (429) does so after the seconds that it was told.

First with 1, 8, 32 and 128 clients, each for a minute; then arrivals that do not wait for answers, at twice the
most that was answered, for ten minutes, while the service's memory is looked at every second.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from speed_page import table

from chatbot.domain import Role
from chatbot.held_out import read_dialogues
from chatbot.learn.evaluate import write_metrics

ROOT = Path(__file__).parent.parent
INDEX = ROOT / "index" / "demo"
HELD_OUT = [ROOT / "data" / "demo" / f"dialogues_{language}.jsonl" for language in ("en", "zh")]
RESULT = Path(__file__).parent / "results" / "load.json"
PAGE = ROOT / "docs" / "load.md"
CLIENTS = (1, 8, 32, 128)
TURNS = 6  # of one conversation
THREADS = 256  # that send what arrives
OFTEN = "1000000/second"
SEED = 7
KEPT = 4.0  # seconds that a connection is used again after a pause


@dataclass
class Told:
    """What came of requests: seconds of those that were answered and refused, and how many others, by status."""

    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, status: int | str, seconds: float) -> None:
        with self.lock:
            if status == 201:
                self.answered.append(seconds)
            elif status == 429:
                self.refused.append(seconds)
            else:
                self.failed[str(status)] += 1

    def as_json(self, seconds: float) -> dict[str, Any]:
        return {
            "seconds": round(seconds, 1),
            "answered_per_second": round(len(self.answered) / seconds, 1),
            "answered": len(self.answered),
            **{f"p{p}_ms": _percentile(self.answered, p) for p in (50, 95, 99)},
            "refused": len(self.refused),
            "refused_p95_ms": _percentile(self.refused, 95),
            "failed": dict(self.failed),
        }


class Client:
    """One customer, on a connection that stays."""

    def __init__(self, port: int, texts: list[str], seed: int) -> None:
        self.port, self.texts, self.random = port, texts, random.Random(seed)
        self.link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.path, self.token, self.last, self.asked = "", "", time.perf_counter(), 0

    def ask(self) -> tuple[int | str, float, float]:
        """Status, seconds, and the seconds after which to come again."""
        if time.perf_counter() - self.last > KEPT:
            self.link.close()  # the service has, too
        try:
            if self.asked % TURNS == 0:
                status, body, _ = self._post("/v1/conversations", {})
                if status != 201:
                    return status, 0.0, 0.5
                self.path, self.token = f"/v1/conversations/{body['id']}/messages", body["token"]
            self.asked += 1
            start = time.perf_counter()
            status, _, again = self._post(self.path, {"text": self.random.choice(self.texts)})
            return status, time.perf_counter() - start, again
        except (OSError, http.client.HTTPException) as failure:
            self.link.close()
            return type(failure).__name__, 0.0, 0.5

    def _post(self, path: str, asked: dict[str, str]) -> tuple[int, Any, float]:
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        self.link.request("POST", path, json.dumps(asked), headers)
        response = self.link.getresponse()
        body, self.last = response.read(), time.perf_counter()
        return response.status, json.loads(body), float(response.headers.get("Retry-After", 0.5))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="of twice the load (10)")
    options = parser.parse_args()
    texts = [turn.text for one in read_dialogues(HELD_OUT) for turn in one.turns if turn.role is Role.USER]
    with tempfile.TemporaryDirectory() as folder:
        bot = Path(folder) / "demo"
        shutil.copytree(INDEX, bot, ignore=shutil.ignore_patterns("journal.sqlite*"))
        service, port = _served(bot)
        try:
            _closed(port, texts, 8, 10)  # what is made on first use is made
            alone = [{"clients": n, **_closed(port, texts, n, min(60, 60 * options.minutes))} for n in CLIENTS]
            most = max(one["answered_per_second"] for one in alone)
            over = _open(port, texts, 2 * most, 60 * options.minutes, lambda: _resident(service.pid))
        finally:
            service.terminate()
            code = service.wait(60)
    found = {"clients": alone, "twice": over, "exit_code": code}
    command = f"python benchmarks/load.py --minutes {options.minutes:g}"
    write_metrics(RESULT, found, {"command": command, "seed": SEED, "bot": "demo"})
    write_page()
    return 0


def _served(bot: Path) -> tuple["subprocess.Popen[str]", int]:
    limits = {f"CHATBOT_SERVE__{name}": OFTEN for name in ("REQUESTS", "MESSAGES", "CONVERSATIONS")}
    given = [sys.executable, "-m", "chatbot", "serve", "--index", str(bot), "--port", "0"]
    service = subprocess.Popen(given, stdout=subprocess.PIPE, text=True, env=os.environ | limits)
    assert service.stdout is not None
    address = service.stdout.readline().split()[-1]
    threading.Thread(target=service.stdout.read, daemon=True).start()
    return service, int(address.rstrip("/").rpartition(":")[2])


def _closed(port: int, texts: list[str], clients: int, seconds: float) -> dict[str, Any]:
    """Each client asks when it was answered."""
    told, start = Told(), time.perf_counter()

    def go_on(seed: int) -> None:
        client = Client(port, texts, seed)
        while time.perf_counter() - start < seconds:
            status, took, again = client.ask()
            told.keep(status, took)
            if status != 201:
                time.sleep(min(again, seconds))

    _all_at_once([lambda n=n: go_on(SEED * 1000 + n) for n in range(clients)])
    found = told.as_json(time.perf_counter() - start)
    print(clients, "clients:", found, flush=True)
    return found


def _open(
    port: int, texts: list[str], rate: float, seconds: float, memory: Callable[[], tuple[int, int]]
) -> dict[str, Any]:
    """Questions arrive at random, so many a second, whatever becomes of those before."""
    told, start, draw = Told(), time.perf_counter() + 1, random.Random(SEED)
    due, lock, seen = [start], threading.Lock(), list[tuple[int, int]]()

    def go_on(seed: int) -> None:
        client = Client(port, texts, seed)
        while True:
            with lock:
                mine = due[0]
                due[0] += draw.expovariate(rate)
            if mine - start > seconds:
                return
            time.sleep(max(0.0, mine - time.perf_counter()))
            status, took, _ = client.ask()
            told.keep(status, took)

    def look() -> None:
        while due[0] - start < seconds:
            seen.append(memory())
            time.sleep(1)

    _all_at_once([look, *(lambda n=n: go_on(SEED * 1000 + n) for n in range(THREADS))])
    took = time.perf_counter() - start
    parts = [part.mean(0) / 2**20 for part in np.array_split(np.array(seen), min(10, len(seen)))]
    found = {"arrivals_per_second": round(rate, 1), **told.as_json(took)}
    tenths, private = ([round(float(part[kind])) for part in parts] for kind in (0, 1))
    found["memory_mb"] = {"tenths": tenths, "private": private, "most": round(max(seen)[0] / 2**20)}
    print("twice:", found, flush=True)
    return found


def _all_at_once(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _resident(pid: int) -> tuple[int, int]:
    """Bytes of memory that a process has, and those of them that are its own: not pages of files."""
    _, resident, of_files, *_ = map(int, Path(f"/proc/{pid}/statm").read_text("utf-8").split())
    size = os.sysconf("SC_PAGE_SIZE")
    return resident * size, (resident - of_files) * size


def _percentile(seconds: list[float], p: int) -> float | None:
    return round(1000 * float(np.percentile(seconds, p)), 1) if seconds else None


def write_page() -> None:
    """docs/load.md out of the results."""
    found = json.loads(RESULT.read_text("utf-8"))
    over, about = found["twice"], found["about"]
    measured = {
        "answers a second": "answered_per_second",
        **{f"p{p} ms": f"p{p}_ms" for p in (50, 95, 99)},
        "refused (429)": "refused",
        "refused in, p95 ms": "refused_p95_ms",
    }

    def row(name: str, one: dict[str, Any]) -> list[str]:
        shown = [one[key] for key in measured.values()]
        failed = ", ".join(f"{status}: {count}" for status, count in one["failed"].items()) or "0"
        return [name, *("–" if value is None else f"{value:,}" for value in shown), failed]

    rows = [row(str(one["clients"]), one) for one in found["clients"]]
    rows.append(row(f"{over['arrivals_per_second']:g} a second, {over['seconds'] / 60:.0f} minutes", over))
    memory = over["memory_mb"]
    tenths, private = (", ".join(f"{mb:,}" for mb in memory[kind]) for kind in ("tenths", "private"))
    PAGE.write_text(
        f"""# Under load · 负载

`chatbot serve` with the demo bot as it ships, and clients on the same {os.cpu_count()} cores: so many at once,
each asking when it was answered; then questions that arrive at random at twice the most that was answered,
whatever becomes of those before. A queue of 32 behind 2 workers is the default; who finds it full is told so at
once, with the seconds to wait. Made by `{about["command"]}`
({about["time"]}, {about["machine"]}).

演示机器人以默认设置运行 `chatbot serve`，客户端在同样的 {os.cpu_count()} 个核上：
先是若干客户同时提问，得到回答后再问；然后以最大吞吐量的两倍随机到达，不等前面的结果。
默认 2 个工作线程、32 个排队位；队满时立即得到 429 和应等待的秒数。

{table(["clients", *measured, "failed"], rows)}

Memory of the service during the last row, by tenths of its time: {tenths} MB; {memory["most"]:,} MB at most.
Of these its own, without the pages of files, which the system may take back: {private} MB.
Afterwards SIGTERM ended it with exit code {found["exit_code"]}.

最后一行期间服务占用的内存，以及其中不含文件页的自有内存（按时间十等分）如上；
结束时收到 SIGTERM，退出码 {found["exit_code"]}。
""",
        "utf-8",
    )


if __name__ == "__main__":
    sys.exit(main())
