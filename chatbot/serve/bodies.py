"""What may come in: a request's body no larger than allowed, and not slower.

In: any request. Out: the same, or 413 before more than the limit was read, or 408 where the body does not arrive
in time. A body is read by the event loop, so that a slow sender holds no thread; after this it holds nothing.
"""

from collections.abc import Callable

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot.serve import problems
from chatbot.serve.limits import Limits
from chatbot.serve.problems import Problem


class Bounded:
    """An ASGI application whose requests have an end; `most` tells the limit of a path, None: it has its own."""

    def __init__(self, app: ASGIApp, limits: Limits, most: Callable[[str], int | None]) -> None:
        self.app, self.limits, self.most = app, limits, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        most = self.most(scope["path"]) if scope["type"] == "http" else None
        if most is None:
            return await self.app(scope, receive, send)
        refusal = _too_large(most)
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if not stated.isdigit() or int(stated) > most:
            return await problems.response(refusal)(scope, receive, send)
        begun, whole, size = False, False, 0
        until = anyio.current_time() + self.limits.slowest
        refused: Problem | None = None

        async def counted() -> Message:
            nonlocal whole, size, refused
            try:
                with anyio.fail_after(None if whole else until - anyio.current_time()):
                    message = await receive()
            except TimeoutError:
                refused = Problem(408, "slow", f"The body did not arrive within {self.limits.slowest:g} s.")
                raise refused from None
            size += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if size > most:
                refused = refusal
                raise refused
            return message

        async def told(message: Message) -> None:
            nonlocal begun
            if refused is None or begun:  # else what the application makes of a body that was cut is not told
                begun = True
                await send(message)

        try:
            await self.app(scope, counted, told)
        except Problem:
            if refused is None:
                raise
        if refused is not None and not begun:
            await problems.response(refused)(scope, receive, send)
        return None


def _too_large(most: int) -> Problem:
    return Problem(413, "too-large", f"A request may have {most:,} bytes.")
