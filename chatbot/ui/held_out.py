"""Held-out dialogues for a tab, of a file or those that the service was started with; and how far it is."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from chatbot.domain import HeldOutDialogue
from chatbot.errors import UserError
from chatbot.held_out import read_dialogues
from chatbot.ui.stubless import gr


def chosen(file: str | None, given: Sequence[HeldOutDialogue], missing: str) -> Sequence[HeldOutDialogue]:
    """Those of the file, else those that were given. Raises UserError: a file that holds none, or `missing` where
    there is no turn to score."""
    dialogues = given if file is None else read_dialogues([Path(file)])
    if not any(turn.expected is not None for dialogue in dialogues for turn in dialogue.turns):
        raise UserError(missing)
    return dialogues


def progress(said: str) -> Callable[..., Any]:
    """Called like tqdm, it shows on the page how far something is, under these words."""
    return partial(_tracked, said=said)


def _tracked(items: Sequence[Any], *, said: str, **_: object) -> Any:
    return gr.Progress().tqdm(items, desc=said, unit="")
