"""Where the pages of several bots are: of the first one at /, /desk and /workshop, of the others under
/bots/NAME."""

import re

_OF_A_CHAT = re.compile(r"/|/bots/[^/]+")


def path(name: str, page: str = "", *, first: bool) -> str:
    """Of one page, "" being the chat, of the bot called `name`."""
    return (("" if first else f"/bots/{name}") + (f"/{page}" if page else "")) or "/"


def is_for_customers(path: str) -> bool:
    """Whether whoever comes is shown it, staff or not."""
    return _OF_A_CHAT.fullmatch(path) is not None


def page_of(path: str) -> str:
    """Its name; "" for a chat."""
    return "" if is_for_customers(path) else path.rpartition("/")[2]


def bot_of(path: str) -> str:
    """The name of its bot; "" for the first one's."""
    found = re.match(r"/bots/([^/]+)", path)
    return "" if found is None else found[1]
