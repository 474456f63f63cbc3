"""Mistakes in the service's limits are said with the variable that they are in and with the way out; and processes
that name one store count together."""

import os
import socket
import uuid
from urllib.parse import urlsplit

import pytest

from chatbot.errors import Busy, SettingsError
from chatbot.serve.limits import Limits, Meter


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MESSAGES", "many", "__MESSAGES: Value error, write a number and a time, such as 120/minute"),
        ("WORKERS", "0", "__WORKERS: Input should be greater than or equal to 1"),
        ("COLOUR", "1", "__COLOUR is no setting; behind CHATBOT_SERVE__ there are REQUESTS, MESSAGES, "),
        ("COUNTS", "nowhere://", "__COUNTS cannot be used: unknown storage scheme : nowhere://"),
    ],
)
def test_a_mistake_is_named(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"^CHATBOT_SERVE{said}"):
        Meter(Limits.load({f"CHATBOT_SERVE__{name}": value}))


def test_what_is_set_is_taken_and_nothing_else() -> None:
    limits = Limits.load({"CHATBOT_SERVE__WORKERS": "3", "CHATBOT_SERVE__MESSAGES": "2/hour", "HOME": "/"})
    assert (limits.workers, limits.messages, limits.requests) == (3, "2/hour", "1200/minute")


REDIS = os.environ.get("CHATBOT_TEST_REDIS", "redis://127.0.0.1:6379/15")


def test_processes_that_name_one_store_count_together() -> None:
    place = urlsplit(REDIS)
    try:
        socket.create_connection((place.hostname, place.port or 6379), 5).close()
    except OSError as cause:
        pytest.skip(f"no Redis at {REDIS}, name one in CHATBOT_TEST_REDIS: {cause}")
    one, other = (Meter(Limits(messages="2/minute", counts=REDIS)) for _ in "12")
    who, another = (f"address {uuid.uuid4()}" for _ in "12")
    for meter in (one, other):
        meter.count("messages", who)
    for meter in (one, other):
        with pytest.raises(Busy) as refused:
            meter.count("messages", who)
        assert 0 < refused.value.seconds <= 60
    one.count("messages", another)
