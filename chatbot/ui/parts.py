"""What the components of all pages have in common.

`Parts` are components that change, as one value. An event returns a `Drawn`: what some of them become.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from chatbot.ui.stubless import gr
from chatbot.ui.words import WORDS, preferred

Drawn = dict[Any, Any]

QUIET: Mapping[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}  # of an event
LAST: Mapping[str, Any] = {"trigger_mode": "always_last"}  # drawn once more for what came while it was drawn
EACH: Mapping[str, Any] = {"trigger_mode": "multiple"}  # of several clicks, on different things, none is lost
UNLABELLED: Mapping[str, Any] = {"show_label": False, "container": False}  # of a component
CLICKS = """
element.addEventListener('click', event => {
  const button = event.target.closest('button');
  if (button) trigger('click', {...button.dataset});
});
"""  # has gr.HTML tell of clicks on the buttons in it, with what they carry in `data-` attributes


SPEAKS = (
    "element.setAttribute('role', 'status');"  # has gr.HTML read out what it is given; it is there before that
)


@dataclass(frozen=True)
class Parts:
    def all(self) -> list[Any]:
        """The components in order, those of tuples one by one."""
        found = [getattr(self, field.name) for field in fields(self)]
        return [part for one in found for part in (one if isinstance(one, tuple) else (one,))]


def busy(shown_on: Any) -> Mapping[str, Any]:
    """For an event that takes its time, which is seen on that component."""
    return {"show_progress_on": shown_on, "api_visibility": "private"}


def language_radio(offered: Sequence[str]) -> gr.Radio:
    """Which language a page speaks; not seen where there is one alone; access.js reads it."""
    return gr.Radio(
        [(WORDS[code].name, code) for code in offered],
        value=offered[0],
        elem_id="language",
        label="Language · 语言",
        visible=True if len(offered) > 1 else "hidden",
        **UNLABELLED,
    )


def remembered(saved: Mapping[str, Any], request: gr.Request, offered: Sequence[str]) -> str:
    """The language that a visitor chose before, as their browser `saved` it; else the one that the page around
    this one asks for, or the browser."""
    stated = (str(language) for language in (saved.get("language"), request.query_params.get("language")))
    chosen = next((language for language in stated if language in offered), None)
    return chosen or preferred(request.headers.get("accept-language", ""), offered)
