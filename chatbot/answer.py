"""From a stored answer to the reply's text, through the company's template. Pure.

A templates file (TOML) has the company's slots with their defaults, one template a language with questions that
the page offers to start with, and templates of single answers where they differ:

    [slots]
    company = "Kitewire"
    [en]
    examples = ["Where is my parcel?"]
    text = "{% if first %}Hello from {{ company }}! {% endif %}{{ answer }}"
    [en.answers.order_status]
    text = "{{ answer }} Your order number is {{ order_number }}."
    slots = { order_number = "on your invoice" }

A template sees `answer` (the stored answer, word for word), `source`, `question` (the historical one), `first`
(whether this is the bot's first answer of the conversation) and the slots. It runs in a sandbox; customer text
never reaches one. `check` renders every answer once, so a mistake shows when a bot is built, not to a customer.
"""

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined
from jinja2 import TemplateError as JinjaError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, ValidationError

from chatbot.domain import QAPair
from chatbot.errors import TemplateError

PLAIN = "{{ answer }}"
ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _OfAnswer(_Section):
    text: str | None = None
    slots: dict[str, str] = {}


class _OfLanguage(_Section):
    text: str = PLAIN
    examples: list[str] = []
    answers: dict[str, _OfAnswer] = {}


class _File(BaseModel):
    """What a templates file may hold: slots, and any number of languages."""

    model_config = ConfigDict(extra="allow", strict=True)
    __pydantic_extra__: dict[str, _OfLanguage]
    slots: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Templates:
    """Slot defaults, template and example questions of each language, and single answers with their own slots."""

    slots: Mapping[str, str] = field(default_factory=dict)
    of_language: Mapping[str, str] = field(default_factory=dict)
    of_answer: Mapping[tuple[str, str], tuple[str, Mapping[str, str]]] = field(default_factory=dict)
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

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
        try:
            file = _File.model_validate(values)
        except ValidationError as cause:
            first = cause.errors()[0]
            where = ".".join(str(step) for step in first["loc"])
            raise TemplateError(
                f"{source}, {where}: {first['msg']} (found {first['input']!r}); a language may have text, "
                "examples and answers, an answer text and slots, and all of them are text in quotes"
            ) from cause
        languages = file.__pydantic_extra__
        return cls(
            slots=file.slots,
            of_language={language: section.text for language, section in languages.items()},
            of_answer={
                (language, answer_id): (section.text if own.text is None else own.text, own.slots)
                for language, section in languages.items()
                for answer_id, own in section.answers.items()
            },
            examples={language: tuple(section.examples) for language, section in languages.items()},
        )

    def as_toml_values(self) -> dict[str, Any]:
        """What `parse` reads; for the built bot."""
        values: dict[str, Any] = {"slots": dict(self.slots)}
        for language, text in self.of_language.items():
            values[language] = {"text": text, "answers": {}, "examples": list(self.examples.get(language, ()))}
        for (language, answer_id), (text, slots) in self.of_answer.items():
            values[language]["answers"][answer_id] = {"text": text, "slots": dict(slots)}
        return values

    def only(self, answer_ids: Collection[str]) -> "Templates":
        """Without templates of other answers than these."""
        return replace(self, of_answer={key: own for key, own in self.of_answer.items() if key[1] in answer_ids})

    def render(self, pair: QAPair, *, first: bool = False, slots: Mapping[str, str] | None = None) -> str:
        """The reply's text. Raises TemplateError where the template needs a slot that has no value."""
        text, own = self.of_answer.get(
            (pair.language, pair.answer_id), (self.of_language.get(pair.language, PLAIN), {})
        )
        values: dict[str, str | bool] = {**self.slots, **own, **({} if slots is None else slots)}
        values |= {"answer": pair.answer, "source": pair.source, "question": pair.question, "first": first}
        try:
            return ENVIRONMENT.from_string(text).render(values)
        except (JinjaError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as cause:
            raise TemplateError(
                f"the {pair.language} template of answer {pair.answer_id!r} does not render: {cause}; "
                "give the slot a default under [slots] or in the answer's own slots"
            ) from cause

    def check(self, pairs: Iterable[QAPair]) -> None:
        """Render each answer once, as a first and as a later reply; the stored answer must be in it whole."""
        seen = set()
        known = set()
        for pair in pairs:
            known.add(pair.answer_id)
            key = (pair.language, pair.answer_id)
            if key in seen:
                continue
            seen.add(key)
            for first in (True, False):
                if pair.answer not in self.render(pair, first=first):
                    raise TemplateError(
                        f"the {pair.language} template of answer {pair.answer_id!r} leaves the stored answer out; "
                        "it must contain {{ answer }}"
                    )
        for language, answer_id in self.of_answer:
            if answer_id not in known:
                raise TemplateError(
                    f"[{language}.answers.{answer_id}] is a template for an answer that no pair has"
                )
