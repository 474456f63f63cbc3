"""From a stored answer to the reply's text, through the company's template. Pure.

A templates file (TOML) has the company's slots with their defaults, one template a language with questions that
the page offers to start with, and templates of single answers where they differ:

    [slots]
    company = "Kitewire"
    [en]
    examples = ["Where is my parcel?"]
    text = "{% if first %}Hello from {{ company }}! {% endif %}{{ answer }}"
    [en.answers.complaint]
    text = "{{ answer }} You can also call {{ phone }}."
    slots = { phone = "555-0199" }

A template sees `answer` (the stored answer, word for word), `source`, `question` (the historical one), `first`
(whether this is the bot's first answer of the conversation) and the slots. An answer may need what only the
customer knows, and look it up (schema.py shows how that is written): then it has a template for each of its parts
(`Part`), which see the values that were given and, in `text`, the record as `found`. All run in a sandbox, and
customer text is a value in them, never a template. `check` renders every answer once in each part, so a mistake
shows when a bot is built, not to a customer.
"""

import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jinja2 import StrictUndefined, meta
from jinja2 import TemplateError as JinjaError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from chatbot.domain import QAPair
from chatbot.errors import TemplateError
from chatbot.schema import ASKING, PLAIN, File, OfAnswer, Prompt, Source
from chatbot.slots import Slot

ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True
)
SAMPLE = "0"  # stands for what a customer gives and a connector finds, when templates are checked


class Part(StrEnum):
    """Which of an answer's templates: the answer itself, or what is said instead of it."""

    TEXT = "text"
    ASKING = "asking"  # a value is missing
    MISSING = "missing"  # there is no record under the value
    FAILED = "failed"  # it cannot be looked up just now


@dataclass(frozen=True, slots=True)
class Wording:
    """How one answer is said in each part, its own slots, and the connector where it looks something up."""

    texts: Mapping[Part, str]
    slots: Mapping[str, str] = field(default_factory=dict)
    connector: str | None = None
    follow_ups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Templates:
    """Slot defaults, template and example questions of each language, and single answers with their own; what is
    asked for, in which words, and where it is looked up."""

    slots: Mapping[str, str] = field(default_factory=dict)
    of_language: Mapping[str, str] = field(default_factory=dict)
    of_answer: Mapping[tuple[str, str], Wording] = field(default_factory=dict)
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ask: Mapping[str, Slot] = field(default_factory=dict)
    prompts: Mapping[tuple[str, str], Prompt] = field(default_factory=dict)
    connectors: Mapping[str, Source] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Templates":
        """Read a templates file. Raises TemplateError."""
        try:
            return cls.parse(tomllib.loads(path.read_text("utf-8")), str(path))
        except OSError as cause:
            raise TemplateError(f"templates file {path} cannot be read: {cause.strerror}") from cause
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
            raise TemplateError(f"templates file {path} is not valid TOML in UTF-8: {cause}") from cause

    @classmethod
    def parse(cls, values: Mapping[str, Any], source: str) -> "Templates":
        """Templates from plain values, as from TOML or a built bot. Raises TemplateError naming `source`."""
        file = File.read(values, source)
        languages = file.__pydantic_extra__
        return cls(
            slots=file.slots,
            of_language={language: section.text for language, section in languages.items()},
            of_answer={
                (language, answer_id): _wording(own, section.text)
                for language, section in languages.items()
                for answer_id, own in section.answers.items()
            },
            examples={language: tuple(section.examples) for language, section in languages.items()},
            ask={name: Slot(name, **own.model_dump()) for name, own in file.ask.items()},
            prompts={
                (language, name): own
                for language, section in languages.items()
                for name, own in section.ask.items()
            },
            connectors=file.connectors,
        )

    def as_toml_values(self) -> dict[str, Any]:
        """What `parse` reads; for the built bot."""
        values: dict[str, Any] = {"slots": dict(self.slots)}
        slots = {name: asdict(slot) for name, slot in self.ask.items()}
        values["ask"] = {name: {key: slot[key] for key in slot if key != "name"} for name, slot in slots.items()}
        values["connectors"] = {name: source.model_dump() for name, source in self.connectors.items()}
        for language, text in self.of_language.items():
            prompts = {name: own.model_dump() for (of, name), own in self.prompts.items() if of == language}
            examples = list(self.examples.get(language, ()))
            values[language] = {"text": text, "examples": examples, "ask": prompts, "answers": {}}
        for (language, answer_id), own in self.of_answer.items():
            texts = {part.value: template for part, template in own.texts.items()}
            looked_up = {} if own.connector is None else {"connector": own.connector}
            asked_next = {"follow_ups": list(own.follow_ups)}
            values[language]["answers"][answer_id] = {"slots": dict(own.slots), **texts, **looked_up, **asked_next}
        return values

    def only(self, answer_ids: Collection[str]) -> "Templates":
        """Without templates of other answers than these."""
        return replace(self, of_answer={key: own for key, own in self.of_answer.items() if key[1] in answer_ids})

    def wording(self, pair: QAPair) -> Wording:
        """How an answer is said: its own way, or its language's."""
        plain = Wording({Part.TEXT: self.of_language.get(pair.language, PLAIN), Part.ASKING: ASKING})
        return self.of_answer.get((pair.language, pair.answer_id), plain)

    def needs(self, pair: QAPair) -> tuple[Slot, ...]:
        """What the customer must give before this answer can be said, in the order of [ask]."""
        if not self.ask:
            return ()
        own = self.wording(pair)
        with _translated(pair):
            names = _names(own.texts[Part.TEXT])
        looked_up = () if own.connector is None else self.connectors[own.connector].slots
        return tuple(slot for name, slot in self.ask.items() if name in names or name in looked_up)

    def render(
        self,
        pair: QAPair,
        *,
        part: Part = Part.TEXT,
        first: bool = False,
        slots: Mapping[str, str] | None = None,
        found: Mapping[str, str] | None = None,
    ) -> str:
        """The reply's text. Raises TemplateError where the template needs a slot or field that has no value."""
        given: dict[str, object] = {} if slots is None else dict(slots)
        if found is not None:
            given["found"] = SimpleNamespace(**found)
        return self._render(self.wording(pair).texts[part], pair, given, first)

    def prompt(self, pair: QAPair, slot: str) -> str:
        """What is said to get a slot's value for an answer."""
        return self._render(self._prompt(pair, slot).prompt, pair, {})

    def again(self, pair: QAPair, slot: str, *, mistyped: bool = False) -> str:
        """What is said where a message held no value, or one whose check digit is wrong."""
        words = self._prompt(pair, slot)
        return self._render(words.mistyped if mistyped and words.mistyped is not None else words.again, pair, {})

    def check(self, pairs: Iterable[QAPair]) -> None:
        """Render each answer once in each part, as a first and as a later reply. The stored answer must be in it
        whole; only a question for a value may come before it."""
        answers = {(pair.language, pair.answer_id): pair for pair in pairs}
        for pair in answers.values():
            needs = self.needs(pair)
            for part in self.wording(pair).texts if needs else (Part.TEXT,):
                for first in (True, False):
                    self._check(pair, part, first, needs)
        known = {answer_id for _, answer_id in answers}
        for language, answer_id in self.of_answer:
            if answer_id not in known:
                raise TemplateError(
                    f"[{language}.answers.{answer_id}] is a template for an answer that no pair has"
                )

    def _check(self, pair: QAPair, part: Part, first: bool, needs: Sequence[Slot]) -> None:
        which = (
            f"the {pair.language} template{'' if part is Part.TEXT else f' `{part}`'} of answer {pair.answer_id!r}"
        )
        if part is not Part.ASKING:
            found = _EveryField() if self.wording(pair).connector is not None and part is Part.TEXT else None
            values = {slot.name: SAMPLE for slot in needs} | ({} if found is None else {"found": found})
            if pair.answer not in self._render(self.wording(pair).texts[part], pair, values, first):
                raise TemplateError(f"{which} leaves the stored answer out; it must contain {{{{ answer }}}}")
        for slot in needs if part is Part.ASKING else ():
            prompt = self.prompt(pair, slot.name)
            for mistyped in (True, False):
                self.again(pair, slot.name, mistyped=mistyped)
            if prompt not in self.render(pair, part=part, first=first, slots={"prompt": prompt}):
                raise TemplateError(f"{which} asks for nothing; it must contain {{{{ prompt }}}}")

    def _prompt(self, pair: QAPair, slot: str) -> Prompt:
        if (pair.language, slot) not in self.prompts:
            raise TemplateError(
                f"the {pair.language} template of answer {pair.answer_id!r} needs {slot!r}, and nothing says how "
                f"to ask for it; add [{pair.language}.ask.{slot}] with prompt and again"
            )
        return self.prompts[pair.language, slot]

    def _render(self, text: str, pair: QAPair, given: Mapping[str, object], first: bool = False) -> str:
        values: dict[str, object] = {**self.slots, **self.wording(pair).slots, **given}
        values |= {"answer": pair.answer, "source": pair.source, "question": pair.question, "first": first}
        with _translated(pair):
            return ENVIRONMENT.from_string(text).render(values)


class _EveryField:
    """A record that has every field; for checking only."""

    def __getattr__(self, name: str) -> str:
        return SAMPLE


def _wording(own: OfAnswer, text: str) -> Wording:
    """The templates of one answer; `text` is its language's."""
    texts = {Part.TEXT: text if own.text is None else own.text, Part.ASKING: own.asking}
    if own.connector is not None:
        texts |= {Part.MISSING: own.missing, Part.FAILED: own.failed}
    return Wording(texts, own.slots, own.connector, tuple(own.follow_ups))


def _names(text: str) -> set[str]:
    """The names that a template uses and does not set itself."""
    return meta.find_undeclared_variables(ENVIRONMENT.parse(text))


@contextmanager
def _translated(pair: QAPair) -> Iterator[None]:
    try:
        yield
    except (JinjaError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as cause:
        raise TemplateError(
            f"the {pair.language} template of answer {pair.answer_id!r} does not render: {cause}; "
            "give the slot a default under [slots] or in the answer's own slots"
        ) from cause
