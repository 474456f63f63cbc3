"""What the routes work on: bots, accounts, limits, and the queue before the bots.

One frozen value, which app.py puts where every route finds it.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request

from chatbot.customers import CustomerKey
from chatbot.journal import SqlAccounts
from chatbot.serve.admission import Admission, Turns
from chatbot.serve.bots import Served
from chatbot.serve.limits import Limits, Meter
from chatbot.serve.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Service:
    """`bots` by name, the first one the default."""

    bots: Mapping[str, Served]
    accounts: SqlAccounts
    limits: Limits
    meter: Meter
    admission: Admission
    turns: Turns
    draining: threading.Event  # set when the service is about to end
    metrics: Metrics
    customers_key: CustomerKey | None = None  # which customers' tokens are signed with; None: nobody signs in


def of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service
