"""Gradio, imported in half the time: `from chatbot.ui.stubless import gr`.

While it is imported, Gradio parses the source of each of its components and writes a type stub beside it, for
editors. It leaves that out where a component has no source file, so here it is told that none has: nothing is
written into the installation either, which may be read-only. Should Gradio change, this does nothing.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["gr"]


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
