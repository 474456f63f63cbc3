"""How often, how much and how many at once: the service's limits, and a meter that counts.

In: environment variables, `CHATBOT_SERVE__MESSAGES="120/minute"`. Out: a validated `Limits`, and a `Meter` that
refuses what is over them with the seconds to wait. Each process counts its own, unless `counts` names a store that
they share (`redis://…`, which needs the package redis).
"""

import ipaddress
import os
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Self

from limits import RateLimitItem, parse
from limits.errors import ConfigurationError, StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import Address

from chatbot.errors import Busy, SettingsError, Unavailable
from chatbot.settings import SERVICE

MEGABYTE = 2**20
SET_BACK = 10.0  # seconds; less is what clocks are corrected by all the time


def _a_rate(text: str) -> str:
    try:
        parse(text)
    except ValueError as cause:
        raise ValueError("write a number and a time, such as 120/minute") from cause
    return text


Rate = Annotated[str, AfterValidator(_a_rate)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


class Limits(BaseModel):
    """What one key, or one customer or address without one, may do, and what the service takes at once: each of
    these in a variable, in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests: Rate = "1200/minute"  # of any kind
    messages: Rate = "60/minute"  # that the bot answers
    conversations: Rate = "60/hour"  # that are begun
    sign_ins: Rate = "30/minute"  # of customers, by a token
    counts: str = "memory://"  # where is counted
    workers: Count = 2  # answers that are worked on at the same time
    waiting: Annotated[int, Field(ge=0)] = 32  # that wait for a worker; one more is told to come again
    patience: Seconds = 10.0  # that one waits at most
    body: Count = MEGABYTE  # bytes of a request
    upload: Count = 10 * MEGABYTE  # bytes of a file of pairs
    slowest: Seconds = 30.0  # for a request's body to arrive
    drain: Annotated[int, Field(ge=0)] = 15  # seconds to finish what is under way when the service is stopped

    @classmethod
    def load(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Raises SettingsError naming the variable."""
        given = {
            key.removeprefix(SERVICE).lower(): text for key, text in environment.items() if key.startswith(SERVICE)
        }
        try:
            return cls.model_validate(given)
        except ValidationError as cause:
            first = cause.errors()[0]
            name = SERVICE + "__".join(map(str, first["loc"])).upper()
            if first["type"] == "extra_forbidden":
                known = ", ".join(cls.model_fields).upper()
                raise SettingsError(f"{name} is no setting; behind {SERVICE} there are {known}") from cause
            raise SettingsError(f"{name}: {first['msg']} (found {first['input']!r})") from cause


class Meter:
    """Counts what each caller does, in a window that moves. Raises SettingsError where `counts` is no store."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        self._rates: dict[str, RateLimitItem] = {
            kind: parse(getattr(limits, kind)) for kind in ("requests", "messages", "conversations", "sign_ins")
        }
        try:
            self._storage = storage_from_string(limits.counts, wrap_exceptions=True)
        except ConfigurationError as cause:
            raise SettingsError(f"{SERVICE}COUNTS cannot be used: {cause} (found {limits.counts!r})") from cause
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._clock, self._latest = clock, clock()

    def count(self, kind: str, who: str) -> None:
        """Raises Busy where that is one too many, Unavailable where the store cannot be reached."""
        rate = self._rates[kind]
        self._begin_anew_where_the_clock_was_set_back()
        try:
            if self._limiter.hit(rate, kind, who):
                return
            again = self._limiter.get_window_stats(rate, kind, who).reset_time - time.time()
        except StorageError as cause:
            raise Unavailable(f"what {SERVICE}COUNTS names cannot be reached: {cause}") from cause
        raise Busy(f"No more than {rate} {kind.replace('_', ' ')} are allowed.", again)

    def _begin_anew_where_the_clock_was_set_back(self) -> None:
        """What was counted would lie in the future, and count until then."""
        now, latest = self._clock(), self._latest
        self._latest = now
        if now < latest - SET_BACK and isinstance(self._storage, MemoryStorage):
            self._storage.reset()


def address_of(client: Address | None) -> str:
    """Whom an address belongs to: of IPv6, where everybody has a whole network of them, that network."""
    host = "" if client is None else client.host
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)
