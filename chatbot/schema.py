"""What a templates file may hold, and what each mistake in one is called. Pure.

In: plain values, as from TOML or a built bot. Out: a checked `File`; `answer.Templates` is made of it. The parts
about looking things up:

    [ask.order_number]                    # a slot whose value the customer gives
    pattern = '(?:KW[- ]?)?(\\d{4})[- ]?(\\d{4})'
    value = 'KW-\\1\\2'                     # its one form, out of the groups; left out: as it was found
    checksum = "luhn"                     # or mod11_10, mod97_10
    anywhere = true                       # taken from any message; left out: where there is a checksum
    personal = true                       # never stored as it is (privacy.py); left out: it is

    [connectors.orders]                   # where it is looked up
    kind = "sql"                          # or csv, http
    url = "sqlite:///orders.sqlite"
    query = "SELECT status FROM orders WHERE number = :order_number"
    timeout_seconds = 2

    [en.ask.order_number]                 # what is said to get it
    prompt = "Tell me your order number, and I will look it up."
    again = "I found no order number in that. It is KW and eight digits."
    mistyped = "One of the digits seems to be wrong."

    [en.answers.order_status]             # and what is said then
    connector = "orders"
    text = "{{ answer }} Order {{ order_number }} is {{ found.status }}."
    asking = "{{ answer }} {{ prompt }}"  # or "{{ prompt }}", and the answer comes afterwards
    missing = "{{ answer }} I cannot find an order {{ order_number }}."
    failed = "{{ answer }} I cannot look it up just now."
    follow_ups = ["Can I still change it?"]   # offered after the answer; left out: what others also asked

A csv connector has `file` and `key = { column = "slot" }`; an http connector `url` with {slot} in its path or
query, `fields = { name = "path.in.the.json" }`, perhaps `headers`, and `private = true` where a host's name leads
into the company's own network. `${NAME}` in `url` and `headers` is taken from the environment when the bot starts,
so that no password lies in a bot. Paths that are not absolute count from the bot's folder, where the table can be
changed while the bot runs.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import regex
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from chatbot.errors import TemplateError
from chatbot.slots import WHOLE, Checksum, compiled

PLAIN = "{{ answer }}"
ASKING = "{{ answer }}\n{{ prompt }}"
RESERVED = {"answer", "source", "question", "first", "found", "prompt"}
SLOT = regex.compile(r"(?<!\$)\{(\w+)\}")  # in an address
ENVIRONMENT = regex.compile(r"\$\{(\w+)\}")
BOUND = regex.compile(r"(?<![:\w\\]):(\w+)(?!:)")  # as SQLAlchemy finds the parameters of a query
HINT = (
    "a language may have text, examples, ask and answers, an answer text and slots, and all of them are text in "
    "quotes; chatbot/schema.py shows every key"
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Ask(_Section):
    pattern: str
    value: str = WHOLE
    checksum: Annotated[Checksum | None, Field(strict=False)] = None
    anywhere: bool | None = None
    personal: bool = False

    @model_validator(mode="after")
    def _works(self) -> Self:
        try:
            pattern = compiled(self.pattern)
            if pattern.search("") is not None:
                raise ValueError("the pattern fits nothing at all, so that it would be found in every message")
            empty = regex.compile(f"(?:{self.pattern})?").search("")
            assert empty is not None
            empty.expand(self.value)
        except (regex.error, IndexError) as cause:
            raise ValueError(f"pattern and value do not make a regular expression: {cause}") from cause
        if self.anywhere is None:
            self.anywhere = self.checksum is not None
        return self


class _Connector(_Section):
    timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 3.0

    @property
    def slots(self) -> tuple[str, ...]:
        """The slots whose values it needs."""
        raise NotImplementedError


class CsvConnector(_Connector):
    kind: Literal["csv"]
    file: str
    key: Annotated[dict[str, str], Field(min_length=1)]  # column -> slot

    @property
    def slots(self) -> tuple[str, ...]:
        return tuple(self.key.values())


class SqlConnector(_Connector):
    kind: Literal["sql"]
    url: str
    query: str

    @property
    def slots(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(BOUND.findall(self.query)))

    @field_validator("query")
    @classmethod
    def _reads(cls, query: str) -> str:
        if not regex.match(r"\s*(select|with)\b", query, regex.IGNORECASE):
            raise ValueError("a query begins with SELECT or WITH: a connector only reads")
        if not BOUND.search(query):
            raise ValueError("a query names the value that it looks for, such as :order_number")
        return query


class HttpConnector(_Connector):
    kind: Literal["http"]
    url: str
    fields: Annotated[dict[str, str], Field(min_length=1)]  # name -> dotted path in the JSON
    headers: dict[str, str] = {}
    private: bool = False

    @property
    def slots(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(SLOT.findall(self.url)))

    @field_validator("url")
    @classmethod
    def _leads_somewhere(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an address begins with http:// or https:// and a host")
        if SLOT.search(parts.netloc) or parts.fragment:
            raise ValueError("a slot's value may stand in the path or query of an address, not in its host or #")
        if not SLOT.search(url):
            raise ValueError("an address names the value that it asks for, such as /orders/{order_number}")
        return url


Source = Annotated[CsvConnector | SqlConnector | HttpConnector, Field(discriminator="kind")]


class Prompt(_Section):
    """What is said to get a value; `mistyped` where the form is right and the check digit is not."""

    prompt: str
    again: str
    mistyped: str | None = None


class OfAnswer(_Section):
    text: str | None = None
    slots: dict[str, str] = {}
    connector: str | None = None
    asking: str = ASKING
    missing: str = ""
    failed: str = ""
    follow_ups: list[str] = []

    @model_validator(mode="after")
    def _has_words_for_every_outcome(self) -> Self:
        if len({self.connector is None, not self.missing, not self.failed}) > 1:
            raise ValueError("connector, missing and failed belong together: give all three or none")
        return self


class OfLanguage(_Section):
    text: str = PLAIN
    examples: list[str] = []
    ask: dict[str, Prompt] = {}
    answers: dict[str, OfAnswer] = {}


class File(BaseModel):
    """A whole templates file: slots, what is asked for and where it is looked up, and any number of languages."""

    model_config = ConfigDict(extra="allow", strict=True)
    __pydantic_extra__: dict[str, OfLanguage]
    slots: dict[str, str] = {}
    ask: dict[str, Ask] = {}
    connectors: dict[str, Source] = {}

    @classmethod
    def read(cls, values: Mapping[str, Any], source: str) -> "File":
        """Raises TemplateError naming `source` and the key."""
        try:
            file = cls.model_validate(values)
        except ValidationError as cause:
            first = cause.errors()[0]
            where = ".".join(str(step) for step in first["loc"])
            raise TemplateError(f"{source}, {where}: {first['msg']} (found {first['input']!r}); {HINT}") from cause
        for where, message in file._contradictions():
            raise TemplateError(f"{source}, {where}: {message}")
        return file

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        """What no single section can know: names that mean nothing, or two things; each with its place."""
        for name in self.ask:
            if not name.isidentifier() or name in RESERVED:
                yield f"ask.{name}", "a slot's name is made of letters, digits and _, and none that templates know"
            if name in self.slots:
                yield f"ask.{name}", "the name is a slot with a default as well; rename one of them"
        for name, connector in self.connectors.items():
            for slot in set(connector.slots) - self.ask.keys():
                yield f"connectors.{name}", f"it needs {slot!r}, which is no slot under [ask]"
        for language, section in self.__pydantic_extra__.items():
            for name in section.ask.keys() - self.ask.keys():
                yield f"{language}.ask.{name}", "it is no slot under [ask]"
            for answer_id, own in section.answers.items():
                place = f"{language}.answers.{answer_id}"
                if own.connector is not None and own.connector not in self.connectors:
                    yield f"{place}.connector", f"{own.connector!r} is none under [connectors]"
                for name in own.slots.keys() & self.ask.keys():
                    yield f"{place}.slots.{name}", "the name is a slot under [ask] as well"
