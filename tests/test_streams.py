"""A page's event stream on a real Gradio page over HTTP: no event falls between two streams."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from chatbot.ui.launch import launch
from chatbot.ui.streams import LINGER
from chatbot.ui.stubless import gr

Told = tuple[float, str, str]  # when, what kind of message, of which event


@pytest.fixture(params=["/", "/desk"])
def client(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    with gr.Blocks(analytics_enabled=False) as page:
        text = gr.Textbox()
        text.submit(lambda said: said.upper(), text, text)
    site = launch({request.param: page}, port=0)
    with httpx.Client(base_url=f"{site.address}{request.param.strip('/')}", timeout=20) as client:
        yield client
    site.close()


def join(client: httpx.Client, session: str, said: str) -> str:
    sent = {"data": [said], "fn_index": 0, "session_hash": session}
    answer = client.post("gradio_api/queue/join", json=sent)
    answer.raise_for_status()
    return str(answer.json()["event_id"])


def told(client: httpx.Client, session: str) -> Iterator[Told]:
    """What one stream tells, until it ends."""
    with client.stream("GET", "gradio_api/queue/data", params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                message = json.loads(line[6:])
                yield time.monotonic(), message["msg"], message.get("event_id") or ""


def test_events_that_follow_one_another_share_a_stream(client: httpx.Client) -> None:
    first = join(client, "s1", "a")
    events = []
    for _, kind, event in told(client, "s1"):
        if kind == "process_completed":
            events.append(event)
            if len(events) < 4:
                time.sleep(LINGER / 3)
                join(client, "s1", "b")
    assert events[0] == first and len(set(events)) == 4


def test_a_stream_is_closed_when_nothing_comes(client: httpx.Client) -> None:
    start = time.monotonic()
    join(client, "s1", "a")
    *_, (closed, kind, _) = told(client, "s1")
    assert kind == "close_stream" and closed - start >= LINGER


@pytest.mark.parametrize("wait", [LINGER - 0.02, LINGER - 0.002, LINGER, LINGER + 0.002, LINGER + 0.02])
def test_an_event_at_the_moment_of_closing_is_told_or_acknowledged_once_the_page_knows(
    client: httpx.Client, wait: float
) -> None:
    for round in range(5):
        session, acknowledged = f"s{round}", 0.0
        first = join(client, session, "a")

        def late(session: str = session) -> tuple[str, float]:
            time.sleep(wait)
            return join(client, session, "b"), time.monotonic()

        with ThreadPoolExecutor() as pool:
            closed, done, waiting = None, set(), None
            for at, kind, event in told(client, session):
                if kind == "process_completed":
                    done.add(event)
                    if event == first:
                        waiting = pool.submit(late)
                closed = at if kind == "close_stream" else closed
            assert waiting is not None and closed is not None
            second, acknowledged = waiting.result()
        if second not in done:
            assert acknowledged > closed
            assert ("process_completed", second) in {(kind, event) for _, kind, event in told(client, session)}
