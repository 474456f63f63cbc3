"""What is logged: JSON that a collector can read, an id for each request in every thread, no customer's words."""

import json
import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from chatbot.__main__ import main
from chatbot.errors import Unavailable
from chatbot.serve.logs import REQUEST, Identified, JsonLines, Lines

ROOT = Path(__file__).parents[1]
SECRET = "my card is 4111"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Kept(logging.Handler):
    """Lines as JsonLines writes them, in the thread that logs them."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def told(self, count: int) -> list[dict[str, object]]:
        """The first lines; a response may be there before its line is."""
        end = time.monotonic() + 10
        while len(self.lines) < count and time.monotonic() < end:
            time.sleep(0.01)
        assert len(self.lines) == count
        return [json.loads(line) for line in self.lines]


def application() -> FastAPI:
    app, logger = FastAPI(), logging.getLogger("chatbot.tested")

    @app.get("/bots/{bot}/here")
    async def here(bot: str) -> str:
        current = REQUEST.get()
        assert current is not None
        current.bot = bot
        logger.info("in the loop")
        return current.id

    @app.get("/there")
    def there() -> str:  # in a thread
        logger.info("in %s thread", "another" if threading.current_thread().name != "loop" else "the same")
        current = REQUEST.get()
        assert current is not None
        return current.id

    @app.get("/fails")
    def fails(text: str) -> str:
        try:
            raise ValueError(text)
        except ValueError as cause:
            raise Unavailable("the store is down") from cause

    return app


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler, root = Kept(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("chatbot.access").setLevel(logging.NOTSET)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture
def client(kept: Kept) -> Iterator[httpx.Client]:
    """On a real server, whose log lines are among those that are kept."""
    config = uvicorn.Config(
        Identified(application()), port=0, log_config=None, log_level="warning", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="loop", daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as opened:
        yield opened
    server.should_exit = True
    thread.join()


def test_a_request_has_an_id_in_the_loop_in_threads_and_in_its_response(client: httpx.Client, kept: Kept) -> None:
    answers = [client.get("/bots/shop/here"), client.get("/there", headers={"X-Request-ID": "trace-1.a_B"})]
    ids = [answer.json() for answer in answers]
    assert [answer.headers.get_list("x-request-id") for answer in answers] == [[ids[0]], ["trace-1.a_B"]]
    assert re.fullmatch("[0-9a-f]{32}", ids[0])
    told = [{name: line.get(name) for name in ("message", "request_id", "bot")} for line in kept.told(4)]
    messages = [re.sub(r" [\d.]+ ms$", "", str(line.pop("message"))) for line in told]
    assert messages == [
        *("in the loop", "GET /bots/{bot}/here 200"),
        *("in another thread", "GET /there 200"),
    ]
    assert told == [{"request_id": ids[0], "bot": "shop"}] * 2 + [{"request_id": ids[1], "bot": None}] * 2


@pytest.mark.parametrize("given", ["a" * 65, "", "two words", 'x"y', "é", "a;b"])
def test_an_id_that_is_none_is_replaced(client: httpx.Client, given: str) -> None:
    found = client.get("/there", headers={b"X-Request-ID": given.encode()}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", found)


def test_the_line_of_a_request_has_route_status_and_time_but_no_words(client: httpx.Client, kept: Kept) -> None:
    client.get("/there", params={"text": SECRET})
    client.get(f"/{SECRET}")
    found = kept.told(3)[1:]
    assert [line["route"] for line in found] == ["/there", "unknown"]
    assert [line["status"] for line in found] == [200, 404]
    assert all(isinstance(line["ms"], float) and TIME.fullmatch(str(line["time"])) for line in found)
    assert [set(line) for line in found] == [
        {"time", "level", "logger", "message", "request_id", "route", "status", "ms"}
    ] * 2
    assert SECRET not in "".join(kept.lines) and "4111" not in "".join(kept.lines)


def test_of_an_error_the_trace_is_logged_without_what_a_customer_typed(client: httpx.Client, kept: Kept) -> None:
    answer = client.get("/fails", params={"text": SECRET}, headers={"X-Request-ID": "one"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "one")
    access, error = kept.told(2)
    assert (access["message"], access["status"]) == (f"GET /fails 500 {access['ms']} ms", 500)
    assert (error["level"], error["logger"], error["request_id"]) == ("error", "uvicorn.error", "one")
    trace = str(error["trace"])
    assert "\nValueError\n" in trace and trace.endswith("\nUnavailable: the store is down")
    assert "4111" not in "".join(kept.lines)


def test_text_has_the_trace_in_the_place_of_the_message() -> None:
    try:
        raise ValueError(SECRET)
    except ValueError:
        record = logging.LogRecord("a", logging.ERROR, "f", 1, "failed: %s", ("x",), sys.exc_info())
    lines = Lines("%(message)s").format(record).splitlines()
    assert (lines[0], lines[-1]) == ("failed: x", "ValueError")
    assert SECRET not in "".join(lines)


def test_a_line_stays_one_whatever_is_in_it() -> None:
    record = logging.LogRecord("a", logging.INFO, "f", 1, "one\ntwo\u2028\ud800 三", (), None)
    line = JsonLines().format(record)
    assert line.isascii() and "\n" not in line
    assert json.loads(line)["message"] == "one\ntwo\u2028\ud800 三"


PROGRAM = "import logging; from chatbot.__main__ import main; main(['versions', '--index', '/nowhere']);"


def logged(environment: dict[str, str], program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment,
    )
    return "\n".join(line for line in done.stderr.splitlines() if not line.startswith("chatbot: "))


def test_the_command_line_logs_text_unless_json_is_asked_for() -> None:
    both = "logging.getLogger('x').info('hello'); logging.getLogger('chatbot.access').info('GET / 200')"
    assert logged({}, both) == "hello"
    assert logged({"CHATBOT_LOG": "debug"}, both) == "hello\nGET / 200"
    first, second = map(json.loads, logged({"CHATBOT_LOG_FORMAT": "json"}, both).splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("info", "x", "hello")
    assert second["message"] == "GET / 200"
    warned = json.loads(logged({"CHATBOT_LOG_FORMAT": "json"}, "import warnings; warnings.warn('old')"))
    assert (warned["level"], warned["logger"]) == ("warning", "py.warnings")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("CHATBOT_LOG", "set it to debug, info, warning or error"),
        ("CHATBOT_LOG_FORMAT", "set it to text or json"),
    ],
)
def test_a_mistake_in_the_environment_is_one_line(
    name: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, "loud")
    assert main(["versions", "--index", "nowhere"]) == 1
    assert capsys.readouterr().err == f"chatbot: {name} is 'loud'; {said}\n"
