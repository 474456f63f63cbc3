"""What the workshop's tabs are drawn with: tables, figures, messages and files to take along, as HTML. Pure.

Cells and figures are HTML already; whoever makes one escapes what customers and files wrote (`show.plain`).
A file to take along lies in its own link, so that nothing of it stays on the server.
"""

import base64
import html
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from chatbot.tabular import write_table
from chatbot.ui.show import plain


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML already; the first of a row is its head. The caption is for screen readers."""
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="scroll" role="region" aria-label="{html.escape(caption)}" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def tiles(figures: Iterable[tuple[str, str]]) -> str:
    """Names with their figures, side by side."""
    inside = "".join(f"<div><dt>{name}</dt><dd>{figure}</dd></div>" for name, figure in figures)
    return f'<dl class="tiles">{inside}</dl>'


def told(text: str) -> str:
    """Something that went as it should."""
    return f"<p>{plain(text)}</p>"


def problem(text: str) -> str:
    """Something that did not; `text` says what to do about it."""
    return f'<p role="alert" class="problem">{plain(text)}</p>'


def rate(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def link(name: str, data: bytes) -> str:
    """A file to take along."""
    inside = base64.b64encode(data).decode("ascii")
    named = html.escape(name)
    return f'<a class="file" download="{named}" href="data:application/octet-stream;base64,{inside}">{named}</a>'


def sheets(stem: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *suffixes: str) -> str:
    """A link to the table as each kind of file, such as ".csv"; no cell is a formula in it."""
    return " ".join(
        link(f"{stem}{suffix}", kept(lambda path: write_table(path, columns, rows), f"{stem}{suffix}"))
        for suffix in suffixes
    )


def kept(write: Callable[[Path], None], name: str) -> bytes:
    """What `write` writes into a file of that name."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()


def picture(data: bytes, description: str) -> str:
    """A PNG."""
    inside = base64.b64encode(data).decode("ascii")
    return f'<img class="curves" src="data:image/png;base64,{inside}" alt="{html.escape(description)}">'
