"""What can be set, and what is set: for docs/configuration.md, and for somebody who wonders why.

In: the settings' own classes, whose comments are the reference (settings.py); a profile and the environment. Out:
Markdown with every key, its values, its default and its meaning; or each value in force and where it came from.
"""

import ast
import inspect
import io
import tokenize
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from chatbot.serve.limits import Limits
from chatbot.settings import NOT_SETTINGS, PREFIX, SERVICE, Route, Section, Settings, profile_text

SHOWN = {"CHATBOT_CACHE", "CHATBOT_LOG", "CHATBOT_LOG_FORMAT", "CHATBOT_RETENTION"}  # others may hold a secret
TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list of texts",
    "object": "a section for each language",
}
RANGES = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
HEAD = f"""# Configuration · 配置

Made by `chatbot settings --reference` from chatbot/settings.py. 本页由 `chatbot settings --reference` 生成。

- A profile is a TOML file: `chatbot train --profile FILE.toml`. Without one it is `chatbot/profiles/default.toml`.
  What is left out has its default. An unknown key is an error.
  配置档是一个 TOML 文件：`chatbot train --profile 文件.toml`。不给时用 `chatbot/profiles/default.toml`。
  没有写的键取默认值，写错的键会报错。
- An environment variable goes before the profile: `{PREFIX}SEED=1`, `{PREFIX}DECIDE__TARGET_PRECISION=0.95`; two
  underscores step into a section.
  环境变量优先于配置档：`{PREFIX}SEED=1`、`{PREFIX}DECIDE__TARGET_PRECISION=0.95`，两个下划线表示进入一节。
- `chatbot build` and `chatbot train` write the settings into the bot, which keeps them: `chatbot settings --index
  DIR` shows those.
  `chatbot build` 和 `chatbot train` 把设置写进机器人，由它一直保存：`chatbot settings --index DIR`。
- `chatbot serve` reads its limits from the environment alone: `{SERVICE}MESSAGES="120/minute"`.
  `chatbot serve` 的限额只从环境变量读取：`{SERVICE}MESSAGES="120/minute"`。
- `chatbot settings --profile NAME` shows what is in force and where each value comes from.
  `chatbot settings --profile 名称` 显示生效的值以及每个值的来源。
"""
COLUMNS = "| Key · 键 | Values · 取值 | Default · 默认值 | Meaning · 含义 |\n| --- | --- | --- | --- |\n"
VARIABLES = """
## Other environment variables · 其他环境变量

They are read when a command starts. 命令启动时读取。

| Variable · 变量 | Meaning · 含义 |
| --- | --- |
"""


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that can be set. `default` is None where it has none."""

    name: str
    values: str
    default: object
    required: bool
    meaning: str


def markdown() -> str:
    """The reference of all settings and environment variables."""
    sections = {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }
    parts = [HEAD, _table("## At the top of a profile · 顶层", Settings, sections)]
    parts.append(_table('## `[routes.en]`, `[routes.zh]`, `[routes."*"]`', Route))
    parts += [_table(f"## `[{name}]`", section) for name, section in sections.items()]
    variables = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in sorted(NOT_SETTINGS.items()))
    parts.append(_table(f"## `{SERVICE}…` · 服务", Limits))
    return "\n".join(parts) + VARIABLES + variables


def keys(section: type[BaseModel]) -> Iterator[Key]:
    """What a section holds, in the order in which it is written there."""
    meanings, schema = _comments(section), section.model_json_schema()["properties"]
    for name, field in section.model_fields.items():
        default = field.get_default(call_default_factory=True)
        required = default is PydanticUndefined
        yield Key(name, _values(schema[name]), None if required else default, required, meanings.get(name, ""))


def in_force(profile: str, environment: Mapping[str, str]) -> Iterator[tuple[str, object, str]]:
    """Every value by its dotted key, and where it came from. Raises SettingsError."""
    settings = Settings.load(profile, environment)
    source, text = profile_text(profile)
    origins = {key: source for key, _ in flat(tomllib.loads(text))}
    for name in environment:
        if name.startswith(PREFIX) and not name.startswith(SERVICE) and name not in NOT_SETTINGS:
            origins[name.removeprefix(PREFIX).lower().replace("__", ".")] = name
    for key, value in flat(settings.model_dump(mode="json")):
        yield key, value, origins.get(key, "default")
    for name in sorted(NOT_SETTINGS.keys() & environment.keys()):
        yield name, environment[name] if name in SHOWN else "(set)", "environment"


def flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, object]]:
    """Nested values by dotted keys."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _table(heading: str, section: type[BaseModel], without: Mapping[str, object] | None = None) -> str:
    rows = []
    for key in keys(section):
        if key.name not in (without or {}):
            default = "—" if key.required else "none" if key.default is None else f"`{toml(key.default)}`"
            meaning = key.meaning.replace("|", "\\|")
            rows.append(f"| `{key.name}` | {key.values} | {default} | {meaning} |\n")
    about = " ".join((inspect.getdoc(section) or "").split())
    return f"{heading}\n\n{about}\n\n{COLUMNS}{''.join(rows)}"


def _values(schema: Mapping[str, Any]) -> str:
    """Types and ranges out of a JSON schema."""
    (found,) = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    limits = [f"{sign} {found[name]:g}" for name, sign in RANGES.items() if name in found]
    return ", ".join((TYPES.get(found.get("type", ""), "section"), *limits))


def toml(value: object) -> str:
    """A value as it is written in a profile; "none" for one that can only be left out."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml(one) for one in value)}]"
    return f'"{value}"' if isinstance(value, str) else f"{value:_}" if isinstance(value, int) else str(value)


def _comments(section: type[BaseModel]) -> dict[str, str]:
    """The comment beside each field."""
    source = inspect.getsource(section)
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    beside = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    (written,) = ast.parse(source).body
    assert isinstance(written, ast.ClassDef)
    return {
        field.target.id: beside[field.end_lineno]
        for field in written.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.end_lineno in beside
    }
