"""An edit is tried, and what came of it is said: in the library's own words where it could not be done.

In: an `Editor` and what to do with it. Out: HTML of what happened and the version, None where nothing was changed.
It exists so that every button of the tab treats mistakes, other editors and failures alike.
"""

import logging
from collections.abc import Callable

from chatbot.editor import Editor
from chatbot.errors import BotError, ChatbotError, UserError, trace
from chatbot.ui.answer_words import AnswerWords
from chatbot.ui.show import plain

logger = logging.getLogger(__name__)


def attempt(editor: Editor, words: AnswerWords, done: Callable[[], str], told: str) -> tuple[str, str | None]:
    """`told` says that it was done, with the {version}. What another program has changed is loaded."""
    try:
        version = done()
        return said(told.format(version=version)), version
    except BotError as mistake:
        try:
            editor.reload()
        except ChatbotError as failure:
            logger.error("The bot could not be loaded again:\n%s", trace(failure))
        return alert(str(mistake)), None
    except UserError as mistake:
        return alert(str(mistake)), None
    except ChatbotError as failure:
        logger.error("An edit could not be made or kept:\n%s", trace(failure))
        return alert(str(failure)), None
    except Exception as failure:  # noqa: BLE001
        logger.error("An edit failed:\n%s", trace(failure))
        return alert(words.failed), None


def alert(text: str) -> str:
    """A mistake, for people who see and who listen; its lines stay lines."""
    return f'<p class="told bad" role="alert">{plain(text)}</p>'


def said(text: str) -> str:
    return f'<p class="told">{plain(text)}</p>'


def typed(text: str | None) -> str:
    """What a text field held, without what no file can hold, and with lines as stored texts have them."""
    storable = (text or "").encode("utf-8", "replace").decode("utf-8").replace("\0", "")
    return storable.replace("\r\n", "\n").replace("\r", "\n")
