"""Gradio, imported in half the time: `from chatbot.ui.stubless import gr`.

While it is imported, Gradio parses the source of each of its components and writes a type stub beside it, for
editors. It leaves that out where a component has no source file, so here it is told that none has: nothing is
written into the installation either, which may be read-only. Should Gradio change, this does nothing.

What Gradio prints when a handler fails goes to the log as a `trace`, without the error's message, which may quote
a customer.
"""

import inspect
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from chatbot.errors import trace

__all__ = ["gr"]

logger = logging.getLogger(__name__)


@contextmanager
def _sourceless(package: str) -> Iterator[None]:
    """Classes of `package` have no file, as far as `inspect.getfile` goes."""
    original = inspect.getfile

    def getfile(thing: Any) -> str:
        if isinstance(thing, type) and thing.__module__.split(".")[0] == package:
            raise OSError(f"{thing.__name__} shall have no type stub")
        return original(thing)

    inspect.getfile = getfile  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = original


with _sourceless("gradio"):
    import gradio as gr
    from gradio import queueing, route_utils, routes


def _log_exception(*_: Any, **__: Any) -> None:
    error = sys.exc_info()[1]
    if error is not None:
        logger.error("A page's handler failed:\n%s", trace(error))


for _module in (queueing, route_utils, routes):
    _module.traceback = SimpleNamespace(**vars(traceback) | {"print_exc": _log_exception})
