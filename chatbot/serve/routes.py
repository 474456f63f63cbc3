"""What a request asked for, by the template of its route: `/v1/bots/{bot}/messages`, whatever the bot is called.

In: an ASGI scope after the application was called, which leaves in it what it matched. Out: a label. It exists
because metrics and logs need the same one, of which there are few, and in which no customer's words can be.
"""

from collections.abc import Mapping
from typing import Any

UNKNOWN = "unknown"  # every path that leads nowhere
GONE, CRASHED = 499, 500  # as statuses: the client left before there was one; an error came in the place of one
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


def template(scope: Mapping[str, Any], status: int) -> str:
    """The route's template, with those of what it is mounted under. `/static/*` where something is mounted that
    has no routes of its own."""
    mounted = _mounted(scope)
    route = scope.get("route")
    # a router that FastAPI includes under a prefix knows it only here
    included = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(included, "path_format", None) or getattr(route, "path_format", None)
    if path is not None:
        return f"{mounted}{path}"
    return f"{mounted}/*" if "endpoint" in scope and status < 400 else UNKNOWN


def method(scope: Mapping[str, Any]) -> str:
    """The request's method; OTHER for one that HTTP does not have."""
    return str(scope["method"]) if scope["method"] in METHODS else "OTHER"


def _mounted(scope: Mapping[str, Any]) -> str:
    """Where the application is mounted, without the path that the server itself lies under."""
    whole = str(scope.get("root_path", "")).removeprefix(str(scope.get("app_root_path", "")))
    names = {str(value): f"{{{name}}}" for name, value in scope.get("path_params", {}).items()}
    return "/".join(names.get(part, part) for part in whole.split("/"))
