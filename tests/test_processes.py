"""Two processes of one bot and one journal are one service to whoever calls: on SQLite and PostgreSQL."""

import signal
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.running import Caller, Service, small_bot, talking, until

KAYAK = {"question": "how many kayaks are there", "answer": "Three.", "answer_id": "kayaks", "language": "en"}


@pytest.mark.models
def test_two_processes_are_one_service(tmp_path: Path, place: str) -> None:
    bot = small_bot(tmp_path / "bot")
    with Service(bot, place) as one, Service(bot, place) as other:
        begun = [Caller(service, f"c{number}") for service in (one, other) for number in range(2)]
        for caller in begun:
            caller.begin()
        moved = [replace(caller, service=other if caller.service is one else one) for caller in begun]
        with talking(moved):
            assert until(lambda: all(caller.acknowledged for caller in moved)) < 60
            key = one.key()
            with one.client(key) as client:
                published = client.post("/v1/publish", json={"add": [KAYAK]})
            assert published.status_code == 201, published.text
            new = published.json()["version"]
            assert until(lambda: all(new in versions(caller) for caller in moved)) < 60
        for caller in moved:
            assert not caller.cut and not caller.refused
            assert caller.history() == [text for text, _ in caller.acknowledged]
            told = versions(caller)
            assert len({*told}) == 2 and sum(before != after for before, after in pairwise(told)) == 1
        text, sent = moved[0].acknowledged[-1]
        with begun[0].service.client() as client:  # the other process knows what was sent to the first
            again = begun[0].say(client, text, sent)
        assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
        assert [service.end(signal.SIGTERM) for service in (one, other)] == [0, 0]


def versions(caller: Caller) -> list[str]:
    """Of the bot, as its replies to this customer tell them, in order."""
    with caller.service.client(caller.token) as client:
        return [told["version"] for told in caller.told(client) if told["role"] == "bot"]
