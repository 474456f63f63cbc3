"""What the desk's two tabs of questions to mend have in common: a list, one that is chosen, and when to look anew.

In: a `Mend` and the tab's components. Out: their events. An agent who is in the middle of something is not
disturbed: the list is read anew by its button, when the tab is opened with nothing chosen, and after something was
published, dismissed or taken back, unless a draft waits.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from chatbot.ui.mend import Dismissed, Done, Draft, Mend, Subject
from chatbot.ui.mend_panel import PanelEvents
from chatbot.ui.mend_words import MEND_WORDS, MendWords
from chatbot.ui.parts import EACH, LAST, QUIET, Drawn, Parts
from chatbot.ui.stubless import gr


class Looked(Protocol):
    """What a list holds."""

    @property
    def state(self) -> str:
        """`Mend.state`, when it was read."""
        ...


Shown = TypeVar("Shown", bound=Looked)


@dataclass(frozen=True)
class TabParts(Parts):
    """The components that both have."""

    tab: gr.Tab
    shown: gr.State
    subject: gr.State
    refresh: gr.Button
    list: gr.HTML
    head: gr.HTML


@dataclass(frozen=True)
class TabEvents(ABC, Generic[Shown]):
    """What happens when something on such a tab is touched."""

    parts: TabParts
    panel: PanelEvents
    mend: Mend

    @abstractmethod
    def look(self, language: str) -> Iterator[Drawn]:
        """Read the list anew, with nothing chosen."""

    @abstractmethod
    def choose(self, language: str, shown: Shown, event: gr.EventData) -> Drawn:
        """Open what was clicked."""

    @abstractmethod
    def listed(self, language: str, shown: Shown) -> Drawn:
        """The list, and the head of what is chosen."""

    @abstractmethod
    def labels(self, words: MendWords) -> Drawn:
        """The names of the tab and of what it alone has."""

    def worded(self, language: str, shown: Shown, draft: Draft | None, done: Done | Dismissed | None) -> Drawn:
        words = MEND_WORDS[language]
        return {
            **self.listed(language, shown),
            **self.labels(words),
            self.parts.refresh: gr.Button(words.refresh),
            **self.panel.worded(language, draft, done),
        }

    def visit(self, language: str, subject: Subject | None) -> Iterator[Drawn]:
        """Look, unless the agent is in the middle of something."""
        if subject is None:
            yield from self.look(language)
        else:
            yield gr.skip()

    def follow(self, language: str, shown: Shown, draft: Draft | None) -> Iterator[Drawn]:
        """Look again where something has changed, unless a draft waits."""
        if draft is not None or shown.state == self.mend.state:
            yield gr.skip()
        else:
            yield from self.look(language)

    def wire(self, language: gr.Radio, agent: gr.Textbox, arrived: Any, questions: Any) -> list[Any]:
        """`arrived` is the event after which the page's language is known; `questions` holds those to be answered.
        All components, for more events."""
        parts, panel = self.parts, self.panel.parts
        every = [*parts.all(), *panel.all()]
        worded, first = [language, parts.shown, panel.draft, panel.done], language.value

        def arrive(language: str, *now: Any) -> Drawn:  # what is drawn anew may lose what is typed that moment
            return gr.skip() if language == first else self.worded(language, *now)

        arrived.then(arrive, worded, every, **QUIET)
        language.input(self.worded, worded, every, **LAST, **QUIET)
        parts.tab.select(self.visit, [language, parts.subject], every, **QUIET)
        parts.refresh.click(self.look, [language], every, **QUIET)
        parts.list.click(self.choose, [language, parts.shown], every, **EACH, **QUIET)

        self.panel.listen(language, agent, parts.subject, questions, self.afterwards(language))
        return every

    def afterwards(self, language: gr.Radio) -> Callable[[Any], object]:
        """Given an event, lets `follow` come after it."""
        parts, panel = self.parts, self.panel.parts
        every = [*parts.all(), *panel.all()]
        return lambda event: event.then(self.follow, [language, parts.shown, panel.draft], every, **QUIET)
