"""One bot of a service with all that is its own: what answers, what is kept, and who changes it.

In: a bot and its journal. Out: a `Served`. Pages and programs are given the same one, so an edit of either is seen
by the other, and what customers wrote goes through one vault.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from chatbot.check import Check
from chatbot.desk import Desk
from chatbot.domain import HeldOutDialogue
from chatbot.edit import LiveBot
from chatbot.editor import Editor
from chatbot.journal import SqlDesk, SqlEdits, SqlJournal, SqlReviews
from chatbot.privacy import Redactor
from chatbot.protocols import Journal, Responder
from chatbot.ui.mend import Mend
from chatbot.vault import PrivateDesk, PrivateJournal, Vault


@dataclass(frozen=True, slots=True)
class Served:
    """`talks` and `desk` keep what `journal` is not shown: personal data (vault.py). `asked` is what pages
    ask: `live`, or a queue before it. `dialogues` are held out: edits are tried on them before publication,
    and thresholds moved."""

    name: str
    live: LiveBot
    company: str
    journal: SqlJournal
    talks: Journal
    desk: Desk
    editor: Editor
    mend: Mend
    asked: Responder
    dialogues: Sequence[HeldOutDialogue] = ()


def served(
    live: LiveBot,
    journal: SqlJournal,
    name: str,
    dialogues: Sequence[HeldOutDialogue] = (),
    company: str | None = None,
) -> Served:
    """Nothing is loaded for it. `company` is as the templates say where it is not given, and the folder's name
    where they do not say."""
    talks, desk = private(live, journal)
    masked = talks.vault.redactor.masked if isinstance(talks, PrivateJournal) else str
    editor = Editor(live, SqlEdits(journal.database), masked)
    mend = Mend(editor, SqlReviews(journal.database), Check(live, dialogues), threading.Lock())
    if company is None:
        company = live.templates.slots.get("company", live.folder.name)
    return Served(name, live, company, journal, talks, desk, editor, mend, live, dialogues)


def private(live: LiveBot, journal: SqlJournal) -> tuple[Journal, Desk]:
    """What is stored has no personal data, unless the settings want it."""
    desk, privacy = SqlDesk(journal.database), live.settings.privacy
    if not privacy.redact:
        return journal, desk
    redactor = Redactor.of(privacy, live.templates.ask, partial(_is_ours, live))
    talks = PrivateJournal(journal, Vault(redactor, privacy.hours * 3600, privacy.conversations))
    return talks, PrivateDesk(desk, talks)


def _is_ours(live: LiveBot, value: str) -> bool:
    """Whether a stored answer, or a slot of the templates, says it to everybody."""
    ours = (pair.answer for pair in live.pairs())
    return any(value in text for text in (*live.templates.slots.values(), *dict.fromkeys(ours)))
