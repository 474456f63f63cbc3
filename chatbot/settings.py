"""One validated `Settings`: a profile (TOML), then environment variables, in that order.

In: the name of a profile that ships (`default`) or the path of a TOML file, and the environment. Out: a frozen
`Settings`. A profile is settings, not code: it says which model serves which language and how hard to train. A
key that nobody knows, or a value out of range, is a `SettingsError` that names the key and where it came from.

An environment variable overrides one value: `CHATBOT_DECIDE__TARGET_PRECISION=0.95`; two underscores step into
a section.
"""

import os
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import regex
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from chatbot.errors import SettingsError
from chatbot.slots import compiled

PREFIX = "CHATBOT_"
SERVICE = "CHATBOT_SERVE__"  # what serve/limits.py reads: a service's, not a bot's
NOT_SETTINGS = {  # read elsewhere
    "CHATBOT_CACHE": "folder of converted models; left out: the user's cache folder",
    "CHATBOT_CUSTOMER_KEY": "what the company signs its customers' tokens with: a secret, or a public key in PEM",
    "CHATBOT_LOG": "what is logged: debug, info (left out), warning or error",
    "CHATBOT_LOG_FORMAT": "how: text (left out), or json, an object a line",
    "CHATBOT_RETENTION": "`chatbot serve` deletes conversations that ended longer ago: 90d, 12w; left out: none",
    "CHATBOT_TEST_POSTGRES": "URL of a database in which the tests may make schemas",
}

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0.0, le=0.01)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Route(Section):
    """The models that serve one language, and what its texts need."""

    encoder: str  # a name that carried.resolve understands
    prefix: str = ""  # put before every text (e5 was trained with "query: ")
    max_tokens: Annotated[int, Field(ge=8, le=512)] = 64  # of a text that are read
    casefold: bool = True  # whether texts are compared without capitals
    beside: tuple[str, ...] = ()  # carried models that are never tuned (ensemble.py)
    beside_up_to: Count = 20_000  # pairs; reading more of them with such models takes too long


class Retrieve(Section):
    """Where candidates come from, and how many go on (retrieve.py)."""

    neighbours: Count = 50  # historical questions taken from the vector index
    lexical: Count = 20  # and from BM25
    answers: Count = 20  # answer texts taken from the vector index, and answers that go on
    rerank_answers: Count = 5  # answers that the cross-encoder reads
    rerank: Count = 1  # questions of each such answer that it reads
    budget_ms: Annotated[float, Field(ge=0)] = 0  # that an answer may take, by not asking it; 0: no limit


class Encode(Section):
    """Contrastive fine-tuning of the bi-encoder (learn/contrastive.py)."""

    epochs: Annotated[float, Field(ge=0)] = 2  # times that each question is seen; 0: nothing is tuned
    min_steps: Count = 240  # however few pairs there are
    max_steps: Count = 600  # and however many
    anchors: Count = 32  # questions a batch; each brings one positive
    rate: Rate = 5e-5  # of learning
    temperature: Annotated[float, Field(gt=0)] = 0.05  # by which similarities are divided in the loss
    layers: Count = 4  # from the top, that learn; the others and the word embeddings stay as they are
    lora_rank: Annotated[int, Field(ge=0)] = 0  # of adapters that learn in the place of whole layers; 0: none
    check_every: Annotated[int, Field(ge=0)] = 0  # steps between two looks at held-out questions; 0: never
    patience: Count = 4  # such looks without a gain, after which training ends and the best weights are kept


class Rerank(Section):
    """Fine-tuning of the cross-encoder (learn/relevance.py)."""

    epochs: Annotated[float, Field(ge=0)] = 0.3  # times that each question is seen; 0: nothing is tuned
    min_lists: Count = 600  # question lists in all, however few pairs there are
    max_lists: Count = 6000  # and however many: bounds the time on large bots
    negatives: Count = 3  # hard negatives a question
    lists: Count = 8  # questions a batch
    rate: Rate = 5e-5  # of learning
    layers: Count = 4  # from the top, that learn; the others and the word embeddings stay as they are
    lora_rank: Annotated[int, Field(ge=0)] = 0  # of adapters that learn in the place of whole layers; 0: none


class Calibrate(Section):
    """How the held-out evidence for fusion and confidence is made (learn/calibrate.py)."""

    folds: Count = 2  # models trained without a part of the pairs, one after the other
    one_fold_above: Count = 400  # pairs a language above which one fold is evidence enough
    held_out: Share = 0.2  # questions of each answer left out of a fold
    hidden_answers: Share = 0.15  # whole answers left out: their questions have no right answer
    hidden_limit: Count = 150  # questions at most of each kind in a fold
    dialogue_turns: Count = 800  # scored turns at most that are asked of dialogues to calibrate on
    no_fold_from: Count = 200  # scored turns from which these dialogues are evidence enough, without folds


class Decide(Section):
    """What the thresholds of answering and asking back aim at (decide.py)."""

    target_precision: Share = 0.85  # of the answers given, how many must be right
    risk: Annotated[float, Field(gt=0, lt=1)] | None = None  # or: how many may be wrong, with a guarantee
    out_of_scope_share: Share = 0.3  # of the questions to expect, how many the pairs do not answer
    clarify_precision: Share = 0.9  # of the clarifications, how many must offer the right answer


class Privacy(Section):
    """What becomes of personal data in what customers write (privacy.py, vault.py)."""

    redact: bool = True  # before anything is stored or learnt from
    order_numbers: tuple[str, ...] = ()  # regular expressions of numbers that are personal, too; none unless said
    hours: Annotated[float, Field(gt=0)] = 24  # that a conversation which rests is still shown as it was typed
    conversations: Count = 10_000  # that are, at most

    @field_validator("order_numbers")
    @classmethod
    def _works(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                fits_nothing = compiled(pattern).search("") is not None
            except regex.error as cause:
                raise ValueError(f"{pattern!r} is no regular expression: {cause}") from cause
            if fits_nothing:
                raise ValueError(f"{pattern!r} fits nothing at all, so that it would be found in every message")
        return patterns


class Settings(Section):
    """Everything that can be set. `routes` maps a language to its models; `*` serves all the others."""

    profile: str = "default"  # its name or file
    seed: int = 7  # of everything that is drawn
    threads: Annotated[int, Field(ge=0)] = 0  # 0: as many as there are cores
    max_characters: Count = 2000  # of a customer's message that are read
    keep_versions: Count = 3  # of a built bot
    routes: Mapping[str, Route]  # models by language; "*" serves all the others
    retrieve: Retrieve = Retrieve()
    encode: Encode = Encode()
    rerank: Rerank = Rerank()
    calibrate: Calibrate = Calibrate()
    decide: Decide = Decide()
    privacy: Privacy = Privacy()

    def aiming_at(self, precision: float | None) -> "Settings":
        """With another target precision, where one is given: whoever wants it of answers wants no less of what is
        asked back. Raises SettingsError."""
        if precision is None:
            return self
        values = self.model_dump(mode="json")
        aims = {
            "target_precision": precision,
            "clarify_precision": max(precision, self.decide.clarify_precision),
        }
        return self.parse(values | {"decide": values["decide"] | aims}, "precision")

    def promising(self, risk: float | None) -> "Settings":
        """With a guaranteed risk, where one is given. Raises SettingsError."""
        if risk is None:
            return self
        values = self.model_dump(mode="json")
        return self.parse(values | {"decide": values["decide"] | {"risk": risk}}, "risk")

    def route(self, language: str) -> Route:
        """The models for a language; `*` where it has none of its own."""
        if language in self.routes:
            return self.routes[language]
        if "*" in self.routes:
            return self.routes["*"]
        raise SettingsError(
            f"profile {self.profile!r} serves {', '.join(sorted(self.routes))}, not {language!r}; "
            f'add [routes.{language}] or [routes."*"] to it'
        )

    @classmethod
    def load(cls, profile: str = "default", environment: Mapping[str, str] | None = None) -> "Settings":
        """Read a profile by name or path, then override from the environment. Raises SettingsError."""
        source, text = profile_text(profile)
        try:
            values: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as cause:
            raise SettingsError(f"{source} is not valid TOML: {cause}") from cause
        values["profile"] = profile
        given = os.environ if environment is None else environment
        ours = (key for key in given if key.startswith(PREFIX) and not key.startswith(SERVICE))
        overrides = sorted(key for key in ours if key not in NOT_SETTINGS)
        for key in overrides:
            _override(values, key, given[key])
        return cls.parse(values, " with ".join((source, *overrides)))

    @classmethod
    def parse(cls, values: Mapping[str, Any], source: str) -> "Settings":
        """Validate plain values, as from a profile or a manifest. Raises SettingsError naming `source`."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as cause:
            first = cause.errors()[0]
            where = ".".join(str(step) for step in first["loc"])
            raise SettingsError(
                f"{source}, {where}: {first['msg']} (found {first['input']!r}); "
                "the keys and their ranges are in chatbot/settings.py"
            ) from cause


def profile_text(profile: str) -> tuple[str, str]:
    """What a profile is called in messages, and its TOML. Raises SettingsError."""
    path = Path(profile)
    if path.suffix == ".toml":
        try:
            return str(path), path.read_text("utf-8")
        except OSError as cause:
            raise SettingsError(f"profile {path} cannot be read: {cause.strerror}") from cause
        except UnicodeDecodeError as cause:
            raise SettingsError(f"profile {path} is not in UTF-8: {cause}; save it as UTF-8") from cause
    shipped = resources.files("chatbot") / "profiles"
    file = shipped / f"{profile}.toml"
    if not file.is_file():
        names = sorted(entry.name[:-5] for entry in shipped.iterdir() if entry.name.endswith(".toml"))
        raise SettingsError(
            f"no profile {profile!r}; there are {', '.join(names)}, or give a path ending in .toml"
        )
    return f"profile {profile}", file.read_text("utf-8")


def _override(values: dict[str, Any], key: str, text: str) -> None:
    """Set one value from CHATBOT_SECTION__KEY; the text is read as TOML where it is TOML, else as a string."""
    *sections, name = key.removeprefix(PREFIX).lower().split("__")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise SettingsError(f"environment variable {key}: {section} is a value, not a section")
    try:
        values[name] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        values[name] = text
