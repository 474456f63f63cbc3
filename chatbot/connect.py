"""Where the company's data is looked up: a csv file, a SQL query, an HTTP call. Each is a `protocols.Connector`.

In: a connector's settings (schema.py), and what a customer gave. Out: the one record under it, or None. It exists
so that a template can say what is true of this customer's order, not only of orders.

What a customer gave is data everywhere: a bound parameter of a query, percent-encoded in an address, compared with
a cell. Nothing is written: SQLite is opened read-only, any other transaction is rolled back. A lookup runs beside
the reply, in one of AT_ONCE threads, and nobody waits longer than its timeout; whatever goes wrong is Unavailable,
in words without the customer's.

A host in the company's own network is reached where the settings name it by such an address, or say `private`.
Link-local addresses, where clouds keep their credentials, are never reached; that is checked on the connection
itself, so that no name can lead there after it was looked at. Redirects are not followed.
"""

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import quote, urlsplit

import httpx
import regex
import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError

from chatbot.addresses import is_private, may_reach
from chatbot.errors import CorpusError, SettingsError, Unavailable
from chatbot.protocols import Connector
from chatbot.schema import ENVIRONMENT, SLOT, CsvConnector, HttpConnector, Source, SqlConnector
from chatbot.slots import plain
from chatbot.tabular import read_table

AT_ONCE = 8  # lookups of one connector at the same time; more wait for a place, within their timeout
MOST_BYTES = 1_000_000  # of a response
STEPS = 10_000  # of SQLite's machine between two looks at the clock

Record = Mapping[str, str]


def connect(sources: Mapping[str, Source], folder: Path) -> dict[str, Connector]:
    """A connector for each of the settings; relative paths count from `folder`, the bot's. Nothing is opened or
    called yet: what is not there is told when it is looked for. Raises SettingsError."""
    return {
        name: Timed(name, _lookup(source, folder), source.timeout_seconds, threading.BoundedSemaphore(AT_ONCE))
        for name, source in sources.items()
    }


class Lookup(Protocol):
    """One way to look a record up. It may block, and should give up by itself at `deadline` (time.monotonic)."""

    def find(self, values: Mapping[str, str], deadline: float) -> Record | None: ...


@dataclass(frozen=True, slots=True)
class Timed:
    """A Connector out of a Lookup: as many at once as there are places, and none that is waited for too long."""

    name: str
    lookup: Lookup
    timeout: float  # seconds
    places: threading.BoundedSemaphore

    def find(self, values: Mapping[str, str]) -> Record | None:
        deadline = time.monotonic() + self.timeout
        values = {slot: value.encode("utf-8", "replace").decode("utf-8") for slot, value in values.items()}
        if not self.places.acquire(timeout=self.timeout):
            raise Unavailable(f"connector {self.name}: {AT_ONCE} lookups before this one are not done yet")
        future: Future[Record | None] = Future()

        def work() -> None:
            try:
                future.set_result(self.lookup.find(values, deadline))
            except BaseException as error:  # noqa: BLE001 - whoever waits gets it
                future.set_exception(error)
            finally:
                self.places.release()

        threading.Thread(target=work, daemon=True, name=f"connector-{self.name}").start()
        try:
            return future.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError as cause:
            raise Unavailable(f"connector {self.name}: nothing came within {self.timeout:g} s") from cause
        except Exception as cause:
            what = cause if isinstance(cause, Unavailable) else type(cause).__name__
            raise Unavailable(f"connector {self.name}: {what}") from cause


class CsvFile:
    """Rows of a csv, tsv, jsonl or xlsx file, read again when the file has changed."""

    def __init__(self, path: Path, key: Mapping[str, str]) -> None:
        self._path = path
        self._key = key
        self._lock = threading.Lock()
        self._state: tuple[int, int] | None = None
        self._records: dict[tuple[str, ...], list[Record]] = {}

    def find(self, values: Mapping[str, str], deadline: float) -> Record | None:
        wanted = tuple(values[slot] for slot in self._key.values())
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise Unavailable(f"{self._path} is still being read")
        try:
            self._read()
            return _only(self._records.get(wanted, []))
        finally:
            self._lock.release()

    def _read(self) -> None:
        try:
            stat = self._path.stat()
            state = (stat.st_mtime_ns, stat.st_size)
            if state == self._state:
                return
            table = read_table(self._path)
        except (OSError, CorpusError) as cause:
            raise Unavailable(f"{self._path} cannot be read ({type(cause).__name__})") from cause
        if absent := [column for column in self._key if column not in table.columns]:
            raise Unavailable(f"{self._path} has no column {', '.join(absent)}, but {', '.join(table.columns)}")
        records: dict[tuple[str, ...], list[Record]] = {}
        for row in table.rows:
            if not row.fault:
                record = {column: _text(row.cells.get(column)).strip() for column in table.columns}
                key = tuple(plain(record[column]).upper() for column in self._key)
                records.setdefault(key, []).append(record)
        self._records, self._state = records, state


class SqlQuery:
    """A query on any database that SQLAlchemy speaks to."""

    def __init__(self, engine: sql.Engine, query: str) -> None:
        self._engine = engine
        self._query = sql.text(query)
        self._names = tuple(self._query.compile().params)

    @classmethod
    def open(cls, url: str, query: str, folder: Path, timeout: float) -> Self:
        """A SQLite file counts from `folder` and is opened read-only, anew for each query, so that it may be
        replaced at any time; connections to other databases are kept. Raises SettingsError."""
        try:
            made = sql.make_url(url)
            if made.get_backend_name() == "sqlite" and made.database not in (None, "", ":memory:"):
                file = quote(str((folder / str(made.database)).absolute()))
                made = made.set(database=f"file:{file}", query={"mode": "ro", "uri": "true"})
                options = {"poolclass": sql.NullPool, "connect_args": {"timeout": timeout}}
            else:
                options = {"pool_pre_ping": True}
            return cls(sql.create_engine(made, hide_parameters=True, **options), query)
        except (SQLAlchemyError, ImportError) as cause:
            raise SettingsError(
                f"a connector's url is nothing that SQLAlchemy can open ({type(cause).__name__}); write it as "
                "dialect+driver://user:password@host/database and install that driver"
            ) from cause

    def find(self, values: Mapping[str, str], deadline: float) -> Record | None:
        try:
            with self._engine.connect() as connection:
                if self._engine.dialect.name == "sqlite":
                    driver: Any = connection.connection.driver_connection
                    driver.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
                given = {name: values[name] for name in self._names}
                rows = connection.execute(self._query, given).mappings().fetchmany(2)
                return _only([{name: _text(cell) for name, cell in row.items()} for row in rows])
        except SQLAlchemyError as cause:
            reason = getattr(cause, "orig", None) or cause
            raise Unavailable(f"the query failed ({type(reason).__name__})") from cause


class HttpCall:
    """A GET of a JSON document."""

    def __init__(self, transport: httpx.BaseTransport, settings: HttpConnector) -> None:
        self._transport = transport
        self._url = settings.url
        self._fields = settings.fields
        self._headers = settings.headers | {"accept": "application/json", "accept-encoding": "identity"}
        self._private = settings.private or is_private(urlsplit(settings.url).hostname)

    def find(self, values: Mapping[str, str], deadline: float) -> Record | None:
        if any(set(value) <= {"."} for value in values.values()):
            return None  # "." and ".." would be another path
        url = SLOT.sub(lambda name: quote(values[name[1]], safe=""), self._url)
        left = max(0.001, deadline - time.monotonic())
        extensions = {"timeout": httpx.Timeout(left).as_dict(), "trace": self._watch}
        request = httpx.Request("GET", url, headers=self._headers, extensions=extensions)
        try:
            with closing(self._transport.handle_request(request)) as response:
                if response.status_code == httpx.codes.NOT_FOUND:
                    return None
                if response.status_code != httpx.codes.OK:
                    raise Unavailable(f"it was answered with {response.status_code}")
                return self._fields_of(json.loads(_body(response, deadline)))
        except (httpx.HTTPError, ValueError, RecursionError) as cause:
            raise Unavailable(f"the call failed ({type(cause).__name__})") from cause

    def _watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Look at whom we are connected to, before anything is sent."""
        if event == "connection.connect_tcp.complete":
            stream = info["return_value"]
            if not self.may_reach(stream.get_extra_info("server_addr")[0]):
                stream.close()
                raise Unavailable("its host leads to an address that is not allowed; see `private` in schema.py")

    def may_reach(self, host: str) -> bool:
        """Whether a call may be connected to an IP address."""
        return may_reach(host, self._private)

    def _fields_of(self, document: object) -> Record:
        found = {name: _at(document, path) for name, path in self._fields.items()}
        if all(value is None for value in found.values()):
            raise Unavailable(f"the response has none of {', '.join(self._fields.values())}")
        return {name: _text(value) for name, value in found.items()}


def _lookup(source: Source, folder: Path) -> Lookup:
    if isinstance(source, CsvConnector):
        return CsvFile(folder / source.file, source.key)
    if isinstance(source, SqlConnector):
        return SqlQuery.open(_from_environment(source.url), source.query, folder, source.timeout_seconds)
    headers = {name: _from_environment(value) for name, value in source.headers.items()}
    known = source.model_copy(update={"url": _from_environment(source.url), "headers": headers})
    limits = httpx.Limits(max_connections=AT_ONCE)
    return HttpCall(httpx.HTTPTransport(trust_env=False, limits=limits), known)


def _from_environment(text: str) -> str:
    """A text with the value of every `${NAME}` in it. Raises SettingsError."""

    def value(name: regex.Match[str]) -> str:
        if name[1] not in os.environ:
            raise SettingsError(f"a connector needs the environment variable {name[1]}, which is not set")
        return os.environ[name[1]]

    return str(ENVIRONMENT.sub(value, text))


def _body(response: httpx.Response, deadline: float) -> bytes:
    """A response's bytes, as they come. Raises Unavailable where they are too many or too slow."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Unavailable("the response is compressed, though it was asked not to be")
    body = bytearray()
    assert isinstance(response.stream, httpx.SyncByteStream)
    for part in response.stream:
        body += part
        if len(body) > MOST_BYTES:
            raise Unavailable(f"the response has more than {MOST_BYTES:,} bytes")
        if time.monotonic() > deadline:
            raise Unavailable("the response came too slowly")
    return bytes(body)


def _at(document: object, path: str) -> object:
    """What a dotted path leads to, a number being a position in a list; None where it leads nowhere."""
    for step in path.split("."):
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    return document


def _only(records: Sequence[Record]) -> Record | None:
    """Raises Unavailable for several: to take any of them would be a guess."""
    if len(records) > 1:
        raise Unavailable("several records have these values; a key must be unique, and a query may say LIMIT 1")
    return records[0] if records else None


def _text(value: object) -> str:
    """A field as a template prints it. Raises Unavailable for what is none."""
    if value is None:
        return ""
    if isinstance(value, (dict, list, bytes)):
        raise Unavailable(f"a field is no text but a {type(value).__name__}; name one inside it")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.encode("utf-8", "replace").decode("utf-8")
