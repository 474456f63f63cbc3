"""Every error as problem details (RFC 9457): what happened, what was found, and the way out.

In: an exception of ours, of FastAPI's or any other. Out: a response of type `application/problem+json`. What a
caller may read of an error is said here and nowhere else: the message of one that the caller can mend, and of one
that nobody foresaw nothing but the id of the request, which the log has, too.
"""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from chatbot.errors import BotError, Busy, Changed, ChatbotError, Taken, Unavailable, Unrecorded, UserError, trace

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
Responses = dict[int | str, dict[str, Any]]  # as FastAPI documents them
AGAIN = 5  # seconds after which to try what was not available


class Mistake(BaseModel):
    """One thing that is wrong with a request."""

    pointer: str = Field(description="Where, as a JSON pointer into the body, or the parameter's name.")
    detail: str


class ProblemDetails(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(examples=["urn:chatbot:unknown"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no conversation of that id that you may read."])
    errors: list[Mistake] = Field(default=[], description="What is wrong with the request, one by one.")


class Problem(Exception):
    """An error that is told as it stands. `kind` is the last part of its type."""

    def __init__(self, status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.headers = {} if headers is None else dict(headers)


def unknown(what: str) -> Problem:
    return Problem(404, "unknown", f"There is no {what} that you may reach.")


def response(problem: Problem, errors: list[dict[str, str]] | None = None) -> JSONResponse:
    body: dict[str, Any] = {
        "type": f"urn:chatbot:{problem.kind}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    if errors is not None:
        body["errors"] = errors
    return JSONResponse(body, problem.status, problem.headers, MEDIA_TYPE)


def of(error: Exception) -> Problem:
    """What a caller is told of an error."""
    again = {"Retry-After": str(AGAIN)}
    match error:
        case Problem():
            told = error
        case Taken():
            told = Problem(409, "taken", str(error))
        case Changed():  # 503, since it works once that is loaded, and the same Idempotency-Key may come again
            told = Problem(
                503,
                "changed",
                "Another process has changed this bot meanwhile; nothing was done. Try again.",
                again,
            )
        case BotError():  # the service's own, and its message names folders
            told = Problem(503, "bot", "This bot cannot be used just now.", again)
        case UserError():
            told = Problem(422, "refused", str(error))
        case Busy():
            told = Problem(429, "too-many", str(error), {"Retry-After": str(max(1, math.ceil(error.seconds)))})
        case Unrecorded():
            detail = "It is done and live, but who did it could not be kept. Do not send it again."
            told = Problem(500, "unrecorded", detail)
        case Unavailable():
            told = Problem(503, "unavailable", "It could not be kept; try again.", again)
        case HTTPException():
            kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
            told = Problem(error.status_code, kind, str(error.detail), error.headers)
        case _:
            told = Problem(500, "internal", "Something went wrong; the log has more, under the request's id.")
    return told


def tell(app: FastAPI) -> None:
    """Let an application answer errors so."""

    def told(_request: Request, error: Exception) -> JSONResponse:
        problem = of(error)
        if problem.status >= 500:
            logger.error("A request failed:\n%s", trace(error))
        return response(problem)

    def invalid(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        errors = [{"pointer": _pointer(one["loc"]), "detail": str(one["msg"])} for one in error.errors()]
        problem = Problem(422, "invalid", f"{errors[0]['pointer']}: {errors[0]['detail']}")
        return response(problem, errors)

    app.add_exception_handler(RequestValidationError, invalid)
    for kind in (Problem, ChatbotError, HTTPException, Exception):
        app.add_exception_handler(kind, told)


def _pointer(place: tuple[int | str, ...]) -> str:
    where, *steps = place
    return "/" + "/".join(map(str, steps)) if where == "body" else "/".join(map(str, steps or [where]))


RESPONSES: Responses = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": ProblemDetails.model_json_schema()}},
    }
    for status in (400, 401, 403, 404, 409, 413, 415, 422, 429, 503)
}
