"""Which names a service goes by: requests under any other are refused. Pure ASGI.

In: an application and the host names under which it is known. Out: its responses, or 400 for a foreign `Host`.

A page from elsewhere can give its own name the address of this machine (DNS rebinding) and then read what is
served here as if it were its own; such a request carries that name. An address written as numbers is nobody's
name and always fits.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = "localhost"
REFUSED = (
    "This service does not go by the name in the request's Host header; whoever runs it can add it with --name.\n"
    "此服务不使用请求 Host 头中的名称；运维人员可用 --name 添加。\n"
)


class KnownHosts:
    """An application that answers under its `names` alone: exact, or "*.example.com" for all below one."""

    def __init__(self, app: ASGIApp, names: Collection[str] = ()) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or self.knows(Headers(scope=scope).getlist("host")):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse(REFUSED, 400)(scope, receive, send)

    def knows(self, hosts: list[str]) -> bool:
        """Whether the one `Host` of a request is one of ours, whatever its port."""
        try:
            (host,) = hosts
            parts = urlsplit(f"//{host}")
            name, _ = (parts.hostname or "").removesuffix("."), parts.port
        except ValueError:  # none, two, or one that cannot be read
            return False
        if parts.netloc != host or "@" in host:
            return False
        if name == LOOPBACK or _is_address(name):
            return True
        known = [one.lower() for one in self._names]
        return name in known or any(one.startswith("*.") and name.endswith(one[1:]) for one in known)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
