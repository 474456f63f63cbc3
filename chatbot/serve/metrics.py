"""What a service counts and measures, for Prometheus.

In: requests (the middleware `Measured`), replies (`observe`), errors (`failed`), and functions that tell how
things are when somebody asks (`watch_service`, `watch_bot`). Out: text in Prometheus' format, of one registry of
its own. The only module that knows prometheus_client.

Labels come from closed lists (routes, actions, reasons, languages, steps, names of bots and of errors), so that
nobody outside can make new series, and nothing that a customer wrote is in them.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from chatbot.domain import Reply
from chatbot.ensemble import Ensemble
from chatbot.errors import ChatbotError
from chatbot.memory import Tally
from chatbot.retrieve import Retriever
from chatbot.serve import routes

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
STEP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
STREAM = b"text/event-stream"


@runtime_checkable
class Remembering(Protocol):
    """An encoder or cross-encoder with a memory (memory.py)."""

    @property
    def tally(self) -> Tally: ...


@dataclass(frozen=True, slots=True)
class WatchedBot:
    """What is asked of a bot when the metrics are. `models` is as the function of that name gives them."""

    version: Callable[[], str]
    hand_overs: Callable[[], int]
    models: Callable[[], Iterable[object]]


@dataclass(eq=False, slots=True)
class Watched:
    """A collector of what only counts at the moment at which it is asked for. What cannot be told just then is
    left out, and counted as an error."""

    chatbot_version: str
    failed: Callable[[BaseException], None]
    service: dict[str, Callable[[], int]] = field(default_factory=dict)
    bots: dict[str, WatchedBot] = field(default_factory=dict)

    def collect(self) -> Iterator[Metric]:
        yield self._gauge("chatbot_queue_depth", "Messages that wait for an answer.", "waiting")
        yield self._gauge("chatbot_answers_in_progress", "Messages that are being answered.", "in_progress")
        about = InfoMetricFamily("chatbot", "The program and the bots in use.", labels=["bot"])
        open_ = GaugeMetricFamily(
            "chatbot_hand_overs_open", "Conversations that wait for a person.", labels=["bot"]
        )
        asked = CounterMetricFamily(
            "chatbot_remembered",
            "Texts that models were asked to read, by whether they had.",
            labels=["bot", "found"],
        )
        for name, bot in self.bots.items():
            try:
                about.add_metric([name], {"version": self.chatbot_version, "bot_version": bot.version()})
                models = [model.tally for model in bot.models() if isinstance(model, Remembering)]
                asked.add_metric([name, "hit"], sum(tally.hits for tally in models))
                asked.add_metric([name, "miss"], sum(tally.misses for tally in models))
                open_.add_metric([name], bot.hand_overs())
            except ChatbotError as error:
                self.failed(error)
        yield from (about, open_, asked)

    def _gauge(self, name: str, text: str, asked: str) -> Metric:
        gauge = GaugeMetricFamily(name, text)
        if asked in self.service:
            gauge.add_metric([], self.service[asked]())
        return gauge


@dataclass(frozen=True, slots=True)
class Metrics:
    """Made by `create`; every method may be called from any thread."""

    registry: CollectorRegistry
    watched: Watched
    requests: Counter
    latency: Histogram
    steps: Histogram
    decisions: Counter
    errors: Counter

    @classmethod
    def create(cls, chatbot_version: str) -> Self:
        registry = CollectorRegistry()
        errors = Counter("chatbot_errors", "Errors, by kind.", ["kind"], registry=registry)
        made = cls(
            registry,
            Watched(chatbot_version, lambda error: errors.labels(type(error).__name__).inc()),
            Counter("chatbot_http_requests", "Requests.", ["route", "method", "status"], registry=registry),
            Histogram(
                "chatbot_http_request_duration_seconds",
                "Until the response was sent; of an event stream, until it began.",
                ["route"],
                buckets=REQUEST_SECONDS,
                registry=registry,
            ),
            Histogram(
                "chatbot_answer_step_seconds",
                "What each step of an answer took.",
                ["step", "bot"],
                buckets=STEP_SECONDS,
                registry=registry,
            ),
            Counter(
                "chatbot_decisions",
                "What the bot did, and why.",
                ["action", "reason", "language", "bot"],
                registry=registry,
            ),
            errors,
        )
        registry.register(made.watched)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        return made

    def watch_service(self, waiting: Callable[[], int], in_progress: Callable[[], int]) -> None:
        """How many messages wait, and how many are being answered."""
        self.watched.service = {"waiting": waiting, "in_progress": in_progress}

    def watch_bot(self, name: str, bot: WatchedBot) -> None:
        self.watched.bots = {**self.watched.bots, name: bot}

    def observe(self, reply: Reply, bot: str) -> None:
        decision = reply.decision
        self.decisions.labels(decision.action.value, decision.reason.value, reply.language, bot).inc()
        for step, milliseconds in reply.timings.items():
            self.steps.labels(step, bot).observe(milliseconds / 1000)

    def failed(self, error: BaseException) -> None:
        """Count an error, by its class."""
        self.watched.failed(error)

    def exposition(self) -> tuple[bytes, str]:
        """What Prometheus reads, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


def models(lines: Mapping[str, Retriever]) -> Iterator[object]:
    """The encoders and cross-encoders of a bot's languages, those that stand beside others too."""
    for line in lines.values():
        yield from line.encoder.parts if isinstance(line.encoder, Ensemble) else (line.encoder,)
        yield line.reranker


class Measured:
    """ASGI middleware: counts and times requests, and lets every part of a response through as it comes."""

    def __init__(self, app: "ASGIApp", metrics: Metrics, clock: Callable[[], float] = time.perf_counter) -> None:
        self.app = app
        self.metrics = metrics
        self.clock = clock

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = self.clock()
        status, stream_began = routes.GONE, 0.0

        async def watched(message: "Message") -> None:
            nonlocal status, stream_began
            if message["type"] == "http.response.start":
                status = message["status"]
                if dict(message.get("headers", ())).get(b"content-type", b"").startswith(STREAM):
                    stream_began = self.clock()
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            status = routes.CRASHED
            self.metrics.failed(error)
            raise
        finally:
            route = routes.template(scope, status)
            self.metrics.requests.labels(route, routes.method(scope), str(status)).inc()
            self.metrics.latency.labels(route).observe((stream_began or self.clock()) - start)
