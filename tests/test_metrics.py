"""What a service measures: each count by hand, the text as Prometheus reads it, and streams that stay streams."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastapi import APIRouter, FastAPI
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from chatbot.domain import Action, Conversation, Decision, Reason, Reply
from chatbot.ensemble import Ensemble
from chatbot.errors import Unavailable
from chatbot.memory import Memory, Tally
from chatbot.serve.metrics import Measured, Metrics, WatchedBot, models
from chatbot.ui.streams import LingeringStreams
from tests.fakes import FakeResponder

ROOT = Path(__file__).parents[1]


class Reader:
    """A model with a memory, as an encoder has one."""

    def __init__(self) -> None:
        self.remembered: Memory[str, int] = Memory(2)

    @property
    def tally(self) -> Tally:
        return self.remembered.tally


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def application(metrics: Metrics) -> FastAPI:
    app, api, page = FastAPI(), APIRouter(prefix="/bots"), FastAPI()

    @api.get("/{bot}/pairs/{pair:path}")
    def pair(bot: str, pair: str) -> str:
        return pair

    @api.post("/{bot}/messages")
    def messages(bot: str) -> None:
        raise Unavailable("the fake was told to fail")

    @page.get("/queue/{number}")
    def queue(number: str) -> str:
        return number

    @app.get("/events")
    def events() -> StreamingResponse:
        return StreamingResponse(iter(["data: 1\n\n", "data: 2\n\n"]), media_type="text/event-stream")

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("file")(scope, receive, send)

    app.include_router(api, prefix="/v1")
    app.mount("/shops/{shop}", page)
    app.mount("/static", plain)
    app.mount("/", page)
    app.add_middleware(Measured, metrics=metrics)
    return app


@pytest.fixture
def metrics() -> Metrics:
    return Metrics.create("0.1.0")


def test_requests_are_counted_by_the_template_of_their_route(metrics: Metrics) -> None:
    client = TestClient(application(metrics), raise_server_exceptions=False)
    for path in (
        *("/v1/bots/shop/pairs/a/b", "/v1/bots/bank/pairs/where%20is%20my%20parcel", "/v1/bots", "/what/is/this"),
        *(
            "/shops/a/queue/1",
            "/shops/queue/queue/2",
            "/shops/a/nothing",
            "/queue/3",
            "/static/x.css",
            "/static/y.css",
        ),
    ):
        client.get(path)
    client.post("/v1/bots/shop/messages")
    client.request("BREW", "/queue/1")
    counted = {
        (sample.labels["route"], sample.labels["method"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(metrics.exposition()[0].decode())
        for sample in family.samples
        if sample.name == "chatbot_http_requests_total"
    }
    assert counted == {
        ("/v1/bots/{bot}/pairs/{pair}", "GET", "200"): 2,
        ("/shops/{shop}/queue/{number}", "GET", "200"): 2,
        ("/queue/{number}", "GET", "200"): 1,
        ("/static/*", "GET", "200"): 2,
        ("unknown", "GET", "404"): 3,
        ("/v1/bots/{bot}/messages", "POST", "500"): 1,
        ("/queue/{number}", "OTHER", "405"): 1,
    }
    assert value(metrics, "chatbot_errors_total", kind="Unavailable") == 1
    assert value(metrics, "chatbot_http_request_duration_seconds_count", route="/static/*") == 2


def test_what_gradio_streams_has_a_route_too(metrics: Metrics) -> None:
    app = FastAPI()

    @app.get("/{page}/queue/data")
    def data(page: str) -> PlainTextResponse:
        return PlainTextResponse("data: 1")

    app.add_middleware(LingeringStreams)
    app.add_middleware(Measured, metrics=metrics)
    assert TestClient(app).get("/desk/queue/data?session_hash=x").text == "data: 1"
    assert (
        value(metrics, "chatbot_http_requests_total", route="/{page}/queue/data", method="GET", status="200") == 1
    )


async def drive(app: Measured) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "http", "method": "GET", "path": "/x", "endpoint": app}, receive, send)
    return sent


def test_a_stream_passes_part_by_part_and_is_timed_until_it_begins(metrics: Metrics) -> None:
    seconds = iter((10.0, 10.5, 99.0))
    parts: list[Message] = [
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]},
        {"type": "http.response.body", "body": b"1", "more_body": True},
        {"type": "http.response.body", "body": b"2"},
    ]

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        for part in parts:
            await send(part)

    coroutine = drive(Measured(stream, metrics, lambda: next(seconds)))
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)  # nothing waits: one step is all
    assert stopped.value.value == parts
    assert value(metrics, "chatbot_http_request_duration_seconds_sum", route="/*") == 0.5


def test_who_leaves_before_an_answer_is_counted_apart(metrics: Metrics) -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        raise GeneratorExit  # what closing a coroutine raises in it, as CancelledError is no Exception

    coroutine = drive(Measured(slow, metrics))
    with pytest.raises(GeneratorExit):
        coroutine.send(None)
    assert value(metrics, "chatbot_http_requests_total", route="unknown", method="GET", status="499") == 1
    assert value(metrics, "chatbot_errors_total", kind="GeneratorExit") is None


def test_replies_are_counted_by_what_was_decided_and_timed_by_step(metrics: Metrics) -> None:
    responder = FakeResponder()
    for text in ("where is it", "a person please", "我的包裹在哪里", "where"):
        metrics.observe(responder.reply(Conversation(), text), "shop")
    metrics.observe(
        Reply("", Decision(Action.CHAT, 0, Reason.SMALL_TALK), "en", timings={"total": 1500.0}), "bank"
    )

    def decided(action: str, reason: str, language: str, bot: str) -> float | None:
        labels = {"action": action, "reason": reason, "language": language, "bot": bot}
        return value(metrics, "chatbot_decisions_total", **labels)

    assert decided("answer", "confident", "en", "shop") == 2
    assert decided("answer", "confident", "zh", "shop") == 1
    assert decided("hand_over", "asked_for_person", "en", "shop") == 1
    assert decided("chat", "small_talk", "en", "bank") == 1
    assert value(metrics, "chatbot_answer_step_seconds_sum", step="rerank", bot="shop") == pytest.approx(0.034)
    assert value(metrics, "chatbot_answer_step_seconds_bucket", step="rerank", bot="shop", le="0.01") == 4
    assert value(metrics, "chatbot_answer_step_seconds_bucket", step="rerank", bot="shop", le="0.005") == 0
    assert value(metrics, "chatbot_answer_step_seconds_sum", step="total", bot="bank") == 1.5


def test_what_is_watched_is_asked_when_the_metrics_are(metrics: Metrics) -> None:
    waiting, open_cases, versions, reader = [1, 2], [4], ["v1"], Reader()
    metrics.watch_service(lambda: len(waiting), lambda: 1)
    both = (reader, np.zeros(1))  # the second one remembers nothing
    metrics.watch_bot("shop", WatchedBot(lambda: versions[-1], lambda: sum(open_cases), lambda: both))
    reader.remembered.of(["a", "b", "a"], lambda missing: [len(key) for key in missing])
    reader.remembered.of(["a", "c"], lambda missing: [len(key) for key in missing])
    assert value(metrics, "chatbot_queue_depth") == 2
    assert value(metrics, "chatbot_answers_in_progress") == 1
    assert value(metrics, "chatbot_hand_overs_open", bot="shop") == 4
    assert value(metrics, "chatbot_remembered_total", bot="shop", found="hit") == 1
    assert value(metrics, "chatbot_remembered_total", bot="shop", found="miss") == 3
    assert value(metrics, "chatbot_info", bot="shop", version="0.1.0", bot_version="v1") == 1
    waiting.clear()
    versions.append("v2")
    assert value(metrics, "chatbot_queue_depth") == 0
    assert value(metrics, "chatbot_info", bot="shop", version="0.1.0", bot_version="v1") is None
    assert value(metrics, "chatbot_info", bot="shop", version="0.1.0", bot_version="v2") == 1


def test_the_models_of_a_bot_are_those_of_all_its_languages() -> None:
    tuned, beside, other = Reader(), Reader(), Reader()
    pair: Any = Ensemble(tuned, [beside])  # type: ignore[arg-type, list-item]
    lines: Any = {
        "en": SimpleNamespace(encoder=pair, reranker=other),
        "zh": SimpleNamespace(encoder=beside, reranker=None),
    }
    assert list(models(lines)) == [tuned, beside, other, beside, None]


def test_a_journal_that_is_down_takes_only_its_own_figure_away(metrics: Metrics) -> None:
    def down() -> int:
        raise Unavailable("the fake was told to fail")

    metrics.watch_bot("shop", WatchedBot(lambda: "v1", down, lambda: ()))
    metrics.watch_bot("bank", WatchedBot(lambda: "v7", lambda: 2, lambda: ()))
    assert value(metrics, "chatbot_hand_overs_open", bot="shop") is None
    assert value(metrics, "chatbot_hand_overs_open", bot="bank") == 2
    assert value(metrics, "chatbot_info", bot="shop", version="0.1.0", bot_version="v1") == 1
    assert (value(metrics, "chatbot_errors_total", kind="Unavailable") or 0) >= 1


def test_the_text_is_as_prometheus_wants_it(metrics: Metrics) -> None:
    metrics.watch_service(lambda: 0, lambda: 0)
    metrics.watch_bot("shop", WatchedBot(lambda: 'v"1\\', lambda: 0, lambda: ()))
    metrics.observe(FakeResponder().reply(Conversation(), "where"), "shop")
    TestClient(application(metrics)).get("/events")
    metrics.failed(ValueError())
    text, content_type = metrics.exposition()
    assert content_type.startswith("text/plain; version=")
    families = list(text_string_to_metric_families(text.decode("utf-8")))
    assert list(complaints(families)) == []
    described = re.findall(r"^# (HELP|TYPE) (\S+)", text.decode("utf-8"), re.MULTILINE)
    assert sorted(described) == sorted(
        (kind, name) for kind in ("HELP", "TYPE") for name in {n for _, n in described}
    )
    counters = re.findall(r"^# TYPE (\S+) counter", text.decode("utf-8"), re.MULTILINE)
    assert counters and all(name.endswith("_total") for name in counters)
    own = {family.name for family in families if family.name.startswith("chatbot")}
    table = re.findall(
        r"^\| `(chatbot_\w+)` \|", (ROOT / "docs" / "operations.md").read_text("utf-8"), re.MULTILINE
    )
    assert {name.removesuffix("_total") for name in table} == {
        name for name in own if not name.endswith("_created")
    }
    assert own == {
        *("chatbot_info", "chatbot_queue_depth", "chatbot_answers_in_progress", "chatbot_hand_overs_open"),
        *(
            "chatbot_remembered",
            "chatbot_errors",
            "chatbot_http_requests",
            "chatbot_http_request_duration_seconds",
        ),
        *("chatbot_answer_step_seconds", "chatbot_decisions"),
    } | {family.name for family in families if family.name.endswith("_created")}
    assert {"process_resident_memory_bytes", "process_open_fds"} <= {family.name for family in families}
    assert ("chatbot_info", 'v"1\\') in {
        (sample.name, sample.labels.get("bot_version")) for family in families for sample in family.samples
    }


def test_the_rules_that_the_text_is_held_to_are_noticed() -> None:
    bad = "\n".join(
        (
            *("# TYPE a_total gauge", "a_total 1"),
            *("# HELP c_milliseconds text", "# TYPE c_milliseconds gauge", 'c_milliseconds{Bad="x"} 1', ""),
        )
    )
    assert list(complaints(text_string_to_metric_families(bad))) == [
        "a_total has no help",
        "a_total is no counter, but ends like one",
        "c_milliseconds has no base unit",
        "c_milliseconds has a label Bad",
    ]


def complaints(families: Any) -> Iterator[str]:
    """What `promtool check metrics` would say."""
    for family in families:
        if not family.documentation:
            yield f"{family.name} has no help"
        if family.type != "counter" and family.name.endswith("_total"):
            yield f"{family.name} is no counter, but ends like one"
        if re.search(r"milliseconds|minutes|kilobytes|percent", family.name):
            yield f"{family.name} has no base unit"
        for label in sorted({label for sample in family.samples for label in sample.labels}):
            if not re.fullmatch(r"[a-z_][a-z0-9_]*", label):
                yield f"{family.name} has a label {label}"
