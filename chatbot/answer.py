"""From a stored answer to the reply's text, through the company's template. Pure.

A templates file (TOML) has the company's slots with their defaults, one template a language with questions that the
page offers to start with, and templates of single answers where they differ:

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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined
from jinja2 import TemplateError as JinjaError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from chatbot.domain import QAPair
from chatbot.errors import TemplateError

PLAIN = "{{ answer }}"
ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True
)


@dataclass(frozen=True, slots=True)
class Templates:
    """Slot defaults, the template and example questions of each language, and single answers with their own slots."""

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
        languages = {key: value for key, value in values.items() if key != "slots"}
        for language, section in languages.items():
            for key in section if isinstance(section, Mapping) else [section]:
                if key not in ("text", "answers", "examples"):
                    raise TemplateError(f"{source}: [{language}] has {key!r}; it may have text, answers, examples")
        return cls(
            slots=_strings(values.get("slots", {}), f"{source}, [slots]"),
            of_language={language: section.get("text", PLAIN) for language, section in languages.items()},
            of_answer={
                (language, answer_id): (
                    entry.get("text", section.get("text", PLAIN)),
                    _strings(entry.get("slots", {}), f"{source}, [{language}.answers.{answer_id}]"),
                )
                for language, section in languages.items()
                for answer_id, entry in section.get("answers", {}).items()
            },
            examples={language: tuple(section.get("examples", ())) for language, section in languages.items()},
        )

    def as_toml_values(self) -> dict[str, Any]:
        """What `parse` reads; for the built bot."""
        values: dict[str, Any] = {"slots": dict(self.slots)}
        for language, text in self.of_language.items():
            values[language] = {"text": text, "answers": {}, "examples": list(self.examples.get(language, ()))}
        for (language, answer_id), (text, slots) in self.of_answer.items():
            values[language]["answers"][answer_id] = {"text": text, "slots": dict(slots)}
        return values

    def render(self, pair: QAPair, *, first: bool = False, slots: Mapping[str, str] | None = None) -> str:
        """The reply's text. Raises TemplateError where the template needs a slot that has no value."""
        text, own = self.of_answer.get(
            (pair.language, pair.answer_id), (self.of_language.get(pair.language, PLAIN), {})
        )
        values: dict[str, str | bool] = {**self.slots, **own, **({} if slots is None else slots)}
        values |= {"answer": pair.answer, "source": pair.source, "question": pair.question, "first": first}
        try:
            return ENVIRONMENT.from_string(text).render(values)
        except (JinjaError, TypeError, ArithmeticError) as cause:
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


def _strings(values: Mapping[str, Any], where: str) -> dict[str, str]:
    for key, value in values.items():
        if not isinstance(value, str):
            raise TemplateError(f'{where}: slot {key} is {value!r}; write it as text, "{value}"')
    return dict(values)
