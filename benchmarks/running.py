"""What faults are done to: real `chatbot serve` processes, a PostgreSQL server of one's own, a disk that fills.

In: a built bot's folder and where its journal is. Out: processes that can be killed and started again, callers
that write down what was acknowledged to them, and what is in the history afterwards.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sql

ROOT = Path(__file__).parent.parent
POSTGRES = os.environ.get("CHATBOT_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/test")
FREELY = {
    "CHATBOT_SERVE__REQUESTS": "1000000/minute",
    "CHATBOT_SERVE__MESSAGES": "1000000/minute",
    "CHATBOT_SERVE__CONVERSATIONS": "1000000/hour",
}
PLAIN = False  # no certificates are read for plain HTTP, which takes long
STARTING, ENDING = 180.0, 60.0  # seconds at most
ANSWERS = {"track": "Track it on our page.", "pay": "By card.", "refund": "It takes three days."}
QUESTIONS = {
    "track": ("where is my parcel", "has my package been sent", "track my order"),
    "pay": ("how do I pay", "which cards do you take", "can I pay by card"),
    "refund": ("how long does a refund take", "when do I get my money back", "is my refund on its way"),
}


def chatbot(*arguments: object, **given: Any) -> subprocess.CompletedProcess[str]:
    """A command, as on the command line."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | given.pop("env", {})
    command = [sys.executable, "-m", "chatbot", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, **given)


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The last line of what a command said on standard error."""
    return (done.stderr.strip().splitlines() or [""])[-1]


def small_bot(folder: Path) -> Path:
    """A bot of nine pairs, without training."""
    file = folder.with_suffix(".csv")
    rows = [f"{question},{ANSWERS[name]},{name}" for name, asked in QUESTIONS.items() for question in asked]
    file.write_text("\n".join(["question,answer,answer_id", *rows]) + "\n", "utf-8")
    done = chatbot("build", "--pairs", file, "--index", folder)
    assert done.returncode == 0, done.stderr
    return folder


@dataclass
class Service:
    """One `chatbot serve`, which may be started again and again at the same address."""

    bot: Path
    journal: str
    environment: dict[str, str] = field(default_factory=dict)
    before: Sequence[str] = ()  # a command that starts it, such as faketime
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        self.log = Path(tempfile.mkstemp(suffix=".log")[1])

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Until it is ready; the seconds that took."""
        start = time.monotonic()
        command = [*self.before, sys.executable, "-m", "chatbot", "serve", "--index", str(self.bot)]
        command += ["--port", str(self.port), "--journal", self.journal]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"}
        environment |= FREELY | self.environment
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() - start > STARTING:
                raise RuntimeError(f"the service did not start:\n{self.log.read_text('utf-8')[-2000:]}")
            time.sleep(0.05)
        return time.monotonic() - start

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/health/ready", timeout=5, verify=PLAIN).status_code == 200
        except httpx.HTTPError:
            return False

    def end(self, with_signal: int = signal.SIGKILL) -> int:
        """Its exit code; where it does not end, where its threads stand is printed, and it is aborted."""
        assert self.process is not None
        self.process.send_signal(with_signal)
        try:
            return self.process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            code = self.process.wait()
            print(self.log.read_text("utf-8")[-20_000:], file=sys.stderr)
            return code

    def client(self, token: str = "", **given: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.address, headers=headers, timeout=30, verify=PLAIN, **given)

    def key(self) -> str:
        """A new key that may publish."""
        scopes = ("chat", "history", "pairs:read", "pairs:write", "versions")
        done = chatbot("keys", "create", "--journal", self.journal, "--name", "faults", "--scope", *scopes)
        return next(word for word in done.stdout.split() if word.startswith("ck_"))

    def __enter__(self) -> "Service":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.end()
        self.log.unlink()


@dataclass
class Caller:
    """A customer's program: one conversation, messages one after another, each with an Idempotency-Key, until
    it is told to stop or the service is gone. `acknowledged` are those whose 201 arrived, as (text, key)."""

    service: Service
    name: str
    keep_alive: bool = True
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[int, str, str]] = field(default_factory=list)  # status, Retry-After, body
    cut: list[tuple[str, str, str]] = field(default_factory=list)  # text, key, error: no answer came
    conversation: str = ""
    token: str = ""

    def begin(self) -> None:
        with self.service.client() as client:
            begun = client.post("/v1/conversations", json={"language": "en"})
            begun.raise_for_status()
        self.conversation, self.token = begun.json()["id"], begun.json()["token"]

    def say(self, client: httpx.Client, text: str, key: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": key}
        if not self.keep_alive:
            headers["Connection"] = "close"
        path = f"/v1/conversations/{self.conversation}/messages"
        return client.post(path, json={"text": text}, headers=headers)

    def talk(self, stop: threading.Event, goes_on: bool = False, pause: float = 0.0) -> None:
        with self.service.client() as client:
            while not stop.is_set():
                number = len(self.acknowledged) + len(self.refused) + len(self.cut)
                text, key = f"where is my parcel {self.name} n{number}", f"{self.name}-{number}"
                try:
                    answer = self.say(client, text, key)
                except httpx.HTTPError as error:
                    self.cut.append((text, key, f"{type(error).__name__}: {error}"))
                    if not goes_on:
                        return
                    time.sleep(0.2)
                    continue
                if answer.status_code == 201:
                    self.acknowledged.append((text, key))
                else:
                    self.refused.append((answer.status_code, answer.headers.get("retry-after", ""), answer.text))
                    time.sleep(0.1)
                stop.wait(pause)

    def history(self) -> list[str]:
        """What this customer said, as it is kept, in the order in which it is told."""
        with self.service.client(self.token) as client:
            return [one["text"] for one in self.told(client) if one["role"] == "customer"]

    def told(self, client: httpx.Client) -> Iterator[dict[str, Any]]:
        cursor = None
        while True:
            asked = {"limit": 100} | ({"cursor": cursor} if cursor else {})
            page = client.get(f"/v1/conversations/{self.conversation}/messages", params=asked)
            page.raise_for_status()
            yield from page.json()["items"]
            cursor = page.json()["next"]
            if cursor is None:
                return


@contextmanager
def talking(callers: Sequence[Caller], **given: Any) -> Iterator[threading.Event]:
    """They talk while the block runs, and are waited for."""
    stop = threading.Event()
    threads = [threading.Thread(target=caller.talk, args=(stop,), kwargs=given) for caller in callers]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def callers(service: Service, name: str, count: int = 8, **given: Any) -> list[Caller]:
    made = [Caller(service, f"{name}c{number}", **given) for number in range(count)]
    for caller in made:
        caller.begin()
    return made


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def until(true: Callable[[], bool], seconds: float = 60.0) -> float:
    """The seconds until it is so; infinite where it was not in time."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if true():
            return time.monotonic() - start
        time.sleep(0.1)
    return float("inf")


@contextmanager
def schema() -> Iterator[str]:
    """A URL of a schema of its own on the PostgreSQL server that the tests use."""
    name, engine = f"faults_{uuid.uuid4().hex}", sql.create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sql.schema.CreateSchema(name))
    try:
        made = sql.make_url(POSTGRES).update_query_dict({"options": f"-csearch_path={name}"})
        yield made.render_as_string(False)
    finally:
        with engine.connect() as connection:
            connection.execute(sql.schema.DropSchema(name, cascade=True))
        engine.dispose()


class Cluster:
    """A PostgreSQL server of one's own, which may be killed; it does not run as root."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder / "cluster", free_port()
        self.programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
        folder.chmod(0o755)
        self.folder.mkdir()
        shutil.chown(self.folder, "postgres")
        self._run(f"{self.programs}/initdb -D {self.folder} -A trust")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -h 127.0.0.1"
        self._run(f"{self.programs}/pg_ctl -w -D {self.folder} -o '{options}' -l {self.folder}/log start")

    def kill(self) -> None:
        """Every process of it, at once, with -9."""
        first = int((self.folder / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for process in (first, *map(int, children)):
            os.kill(process, signal.SIGKILL)
        until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))

    def _run(self, command: str) -> None:
        subprocess.run(["su", "postgres", "-c", command], check=True, capture_output=True, cwd="/")


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator["Disk"]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "faults", folder], check=True)
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@dataclass(frozen=True)
class Disk:
    folder: Path

    def fill(self, left: int = 0) -> None:
        """Until so many bytes are free, or fewer where others write meanwhile."""
        with suppress(OSError), (self.folder / "filler").open("ab", buffering=0) as file:
            while (free := shutil.disk_usage(self.folder).free) > left:
                file.write(b"\0" * min(2**20, free - left))

    def clear(self) -> None:
        (self.folder / "filler").unlink(missing_ok=True)


def chance(seed: int) -> random.Random:
    return random.Random(seed)
