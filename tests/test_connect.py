"""Connectors on real files, a real SQLite database and a real server on this machine, and what goes wrong."""

import contextlib
import gzip
import json
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
from pydantic import ValidationError

from chatbot.answer import Templates
from chatbot.connect import AT_ONCE, MOST_BYTES, HttpCall, connect
from chatbot.errors import SettingsError, Unavailable
from chatbot.protocols import Connector
from chatbot.schema import HttpConnector
from tests.contracts import ConnectorContract
from tests.fakes import FakeConnector

ASK = {"order_number": {"pattern": r"KW-\d+"}, "postcode": {"pattern": r"\d{5}"}}
ROOT = Path(__file__).parents[1]
RECORDS = ConnectorContract.RECORDS
SLOW_QUERY = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) "
    "SELECT count(*) AS status FROM n WHERE :order_number <> ''"
)


def connector(folder: Path, **settings: object) -> Connector:
    """One connector, as a templates file makes it."""
    patient = {"timeout_seconds": 20, **settings}  # a busy machine is no failure
    templates = Templates.parse({"ask": ASK, "connectors": {"orders": patient}}, "t.toml")
    return connect(templates.connectors, folder)["orders"]


def csv_connector(folder: Path, content: bytes | str, **settings: object) -> Connector:
    (folder / "orders.csv").write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return connector(
        folder, **{"kind": "csv", "file": "orders.csv", "key": {"number": "order_number"}, **settings}
    )


def database(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as opened, opened:
        opened.execute("CREATE TABLE orders (number TEXT, status TEXT, note TEXT)")
        opened.executemany("INSERT INTO orders VALUES (:number, :status, :note)", RECORDS)
    return path


def sql_connector(folder: Path, query: str = "", **settings: object) -> Connector:
    default = "SELECT status, note FROM orders WHERE number = :order_number"
    whole = {"kind": "sql", "url": "sqlite:///orders.sqlite", "query": query if query else default, **settings}
    return connector(folder, **whole)


def seconds(find: Any, message: str) -> float:
    """How long a lookup takes that fails with a message."""
    start = time.perf_counter()
    with pytest.raises(Unavailable, match=message):
        find({"order_number": "KW-1"})
    return time.perf_counter() - start


class TestFake(ConnectorContract):
    @pytest.fixture
    def connector(self) -> Connector:
        return FakeConnector({record["number"]: record for record in RECORDS})


class TestCsv(ConnectorContract):
    @pytest.fixture
    def connector(self, tmp_path: Path) -> Connector:
        rows = "".join(",".join(record.values()) + "\n" for record in RECORDS)
        return csv_connector(tmp_path, "\ufeffnumber,status,note\n" + rows)


class TestSql(ConnectorContract):
    @pytest.fixture
    def connector(self, tmp_path: Path) -> Connector:
        database(tmp_path / "orders.sqlite")
        return sql_connector(tmp_path)


class Handler(BaseHTTPRequestHandler):
    """Answers /orders/NUMBER, and misbehaves elsewhere."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, Mapping[str, str]]]

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]
        kind, _, value = self.path.removeprefix("/").partition("/")
        with contextlib.suppress(OSError):  # who has waited long enough hangs up
            getattr(self, f"_{kind}")(unquote(value.partition("?")[0]))

    def _orders(self, value: str) -> None:
        found = [record for record in RECORDS if record["number"] == value]
        body = (
            {"order": {"parcels": [{"state": found[0]["status"]}], "note": found[0]["note"] or None}}
            if found
            else {}
        )
        self._send(200 if found else 404, json.dumps(body).encode())

    def _status(self, value: str) -> None:
        self._send(503, b"{}")

    def _moved(self, value: str) -> None:
        self._send(302, b"", {"Location": "/orders/KW-1"})

    def _silent(self, value: str) -> None:
        time.sleep(3)

    def _drip(self, value: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        for _ in range(30):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.1)

    def _huge(self, value: str) -> None:
        self._send(200, b'"' + b"x" * (MOST_BYTES + 10) + b'"')

    def _bomb(self, value: str) -> None:
        self._send(200, gzip.compress(b" " * 2_000_000), {"Content-Encoding": "gzip"})

    def _page(self, value: str) -> None:
        self._send(200, b"<html>Hello</html>")

    def _deep(self, value: str) -> None:
        self._send(200, b"[" * 100_000)

    def _whole(self, value: str) -> None:
        self._send(200, b'{"order": {"parcels": [{"state": {"code": 1}}], "note": true}}')

    def _other(self, value: str) -> None:
        self._send(200, b'{"error": "maintenance"}')

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Silence."""


class Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Who has waited long enough hangs up."""


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadingHTTPServer]:
    server = Server(("127.0.0.1", 0), Handler)
    server.seen = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def http_connector(
    server: ThreadingHTTPServer, path: str = "/orders/{order_number}", **settings: object
) -> Connector:
    url = f"http://127.0.0.1:{server.server_port}{path}"
    fields = {"status": "order.parcels.0.state", "note": "order.note"}
    return connector(Path(), **{"kind": "http", "url": url, "fields": fields, **settings})


class TestHttp(ConnectorContract):
    @pytest.fixture
    def connector(self, server: ThreadingHTTPServer) -> Connector:
        return http_connector(server)


class TestEveryKind:
    def test_what_fails_says_nothing_of_what_was_looked_for(
        self, tmp_path: Path, server: ThreadingHTTPServer
    ) -> None:
        for broken in (
            csv_connector(tmp_path, "other\n1\n"),
            sql_connector(tmp_path),
            http_connector(server, "/page/{order_number}"),
        ):
            with pytest.raises(Unavailable, match=r"^connector orders: ") as caught:
                broken.find({"order_number": "KW-4711"})
            assert "4711" not in f"{caught.value} {caught.value.__cause__}"

    def test_lookups_that_hang_do_not_pile_up(self, server: ThreadingHTTPServer) -> None:
        hanging = http_connector(server, "/silent/{order_number}", timeout_seconds=0.2)
        with ThreadPoolExecutor(3 * AT_ONCE) as pool:
            waited = list(pool.map(lambda _: seconds(hanging.find, "connector orders: "), range(3 * AT_ONCE)))
        assert max(waited) < 5
        assert sum(t.name == "connector-orders" for t in threading.enumerate()) <= AT_ONCE

    def test_an_unset_variable_is_told_when_the_bot_starts(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database(tmp_path / "live.sqlite")
        with pytest.raises(SettingsError, match="environment variable ORDERS_FILE, which is not set"):
            sql_connector(tmp_path, url="sqlite:///${ORDERS_FILE}")
        monkeypatch.setenv("ORDERS_FILE", "live.sqlite")
        found = sql_connector(tmp_path, url="sqlite:///${ORDERS_FILE}").find({"order_number": "KW-1"})
        assert found is not None


class TestCsvFile:
    def test_case_width_and_dashes_of_a_cell_do_not_matter(self, tmp_path: Path) -> None:
        found = csv_connector(tmp_path, "number,status\nｋｗ–１ ,Packing\n").find({"order_number": "KW-1"})
        assert found == {"number": "ｋｗ–１", "status": "Packing"}

    def test_several_columns_may_make_the_key(self, tmp_path: Path) -> None:
        key = {"number": "order_number", "code": "postcode"}
        two = csv_connector(tmp_path, "number,code,status\nKW-1,10115,Packing\nKW-1,20095,Paid\n", key=key)
        assert two.find({"order_number": "KW-1", "postcode": "20095"}) == {
            "number": "KW-1",
            "code": "20095",
            "status": "Paid",
        }
        assert two.find({"order_number": "KW-1", "postcode": "99999"}) is None

    def test_the_file_is_read_again_when_it_changed(self, tmp_path: Path) -> None:
        orders = csv_connector(tmp_path, "number,status\nKW-1,Packing\n")
        assert orders.find({"order_number": "KW-1"}) == {"number": "KW-1", "status": "Packing"}
        (tmp_path / "orders.csv").write_text("number,status\nKW-1,Dispatched\n", "utf-8")
        assert orders.find({"order_number": "KW-1"}) == {"number": "KW-1", "status": "Dispatched"}
        (tmp_path / "orders.csv").unlink()
        seconds(orders.find, r"orders\.csv cannot be read \(FileNotFoundError\)$")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("number,status\nKW-1,a\nKW-1,b\n", "several records have these values"),
            ("order,status\nKW-1,a\n", r"orders\.csv has no column number, but order, status$"),
            ("", r"orders\.csv cannot be read \(CorpusError\)$"),
            (b"\xff\xfe\x00", r"cannot be read \(CorpusError\)$"),
        ],
    )
    def test_what_cannot_be_used_is_no_guess(self, tmp_path: Path, content: bytes | str, message: str) -> None:
        seconds(csv_connector(tmp_path, content).find, message)


class TestSqlQuery:
    def test_a_slow_query_is_stopped(self, tmp_path: Path) -> None:
        database(tmp_path / "orders.sqlite")
        slow = sql_connector(tmp_path, SLOW_QUERY, timeout_seconds=0.3)
        assert seconds(slow.find, "nothing came within 0.3 s|the query failed") < 5  # it would take minutes
        wait = time.monotonic() + 10
        while any(thread.name == "connector-orders" for thread in threading.enumerate()):
            assert time.monotonic() < wait
            time.sleep(0.05)

    def test_a_table_that_is_locked_is_waited_for_no_longer(self, tmp_path: Path) -> None:
        path = database(tmp_path / "orders.sqlite")
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN EXCLUSIVE")
            assert seconds(sql_connector(tmp_path, timeout_seconds=0.3).find, "connector orders: ") < 5

    def test_nothing_is_written_whatever_the_query_says(self, tmp_path: Path) -> None:
        path = database(tmp_path / "orders.sqlite")
        wicked = "WITH n AS (SELECT :order_number) DELETE FROM orders RETURNING number"
        seconds(sql_connector(tmp_path, wicked).find, r"the query failed \(OperationalError\)")
        with closing(sqlite3.connect(path)) as opened:
            assert opened.execute("SELECT count(*) FROM orders").fetchone() == (2,)

    def test_a_database_that_is_not_there_is_not_made(self, tmp_path: Path) -> None:
        seconds(sql_connector(tmp_path).find, r"the query failed \(OperationalError\)")
        assert list(tmp_path.iterdir()) == []

    def test_numbers_dates_and_nothing_become_text(self, tmp_path: Path) -> None:
        database(tmp_path / "orders.sqlite")
        query = (
            "SELECT 7 AS a, 2.5 AS b, NULL AS c, date('2026-01-31') AS d FROM orders WHERE number = :order_number"
        )
        found = sql_connector(tmp_path, query).find({"order_number": "KW-1"})
        assert found == {"a": "7", "b": "2.5", "c": "", "d": "2026-01-31"}

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ("SELECT * FROM orders WHERE :order_number <> ''", "several records have these values"),
            ("SELECT x'00' AS a WHERE :order_number <> ''", "a field is no text but a bytes"),
            ("SELECT nothing FROM orders WHERE number = :order_number", r"the query failed \(OperationalError\)"),
        ],
    )
    def test_what_cannot_be_used_is_no_guess(self, tmp_path: Path, query: str, message: str) -> None:
        database(tmp_path / "orders.sqlite")
        seconds(sql_connector(tmp_path, query).find, message)

    @pytest.mark.parametrize("url", ["no url", "nosuch://host/db", "mysql+nosuch://host/db"])
    def test_a_url_that_names_no_database_is_told_when_the_bot_starts(self, tmp_path: Path, url: str) -> None:
        with pytest.raises(SettingsError, match="nothing that SQLAlchemy can open") as caught:
            sql_connector(tmp_path, url=url)
        assert url not in str(caught.value)  # it may hold a password


class TestHttpCall:
    def test_the_value_is_encoded_and_the_headers_come_along(
        self, server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ORDERS_TOKEN", "t0k{order_number}en")
        headers = {"Authorization": "Bearer ${ORDERS_TOKEN}"}
        calls = http_connector(server, "/orders/{order_number}?of={order_number}", headers=headers)
        assert calls.find({"order_number": "a/b?c=d&e #%2e"}) is None
        path, sent = server.seen[-1]  # type: ignore[attr-defined]
        assert path == "/orders/a%2Fb%3Fc%3Dd%26e%20%23%252e?of=a%2Fb%3Fc%3Dd%26e%20%23%252e"
        sent = {name.lower(): value for name, value in sent.items()}
        assert sent["authorization"] == "Bearer t0k{order_number}en"

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            ("/status/{order_number}", "it was answered with 503"),
            ("/moved/{order_number}", "it was answered with 302"),
            ("/huge/{order_number}", "the response has more than 1,000,000 bytes"),
            ("/bomb/{order_number}", "the response is compressed"),
            ("/page/{order_number}", r"the call failed \(JSONDecodeError\)"),
            ("/deep/{order_number}", r"the call failed \(RecursionError\)"),
            ("/whole/{order_number}", "a field is no text but a dict"),
            ("/other/{order_number}", r"the response has none of order\.parcels\.0\.state, order\.note"),
        ],
    )
    def test_what_cannot_be_used_is_no_guess(self, server: ThreadingHTTPServer, path: str, message: str) -> None:
        seconds(http_connector(server, path).find, message)

    @pytest.mark.parametrize("path", ["/silent/{order_number}", "/drip/{order_number}"])
    def test_a_response_that_does_not_end_is_not_waited_for(self, server: ThreadingHTTPServer, path: str) -> None:
        message = "nothing came within|came too slowly|the call failed"
        assert seconds(http_connector(server, path, timeout_seconds=0.3).find, message) < 2.5  # it takes three

    def test_nobody_there(self) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as taken:
            port = taken.getsockname()[1]
        url = f"http://localhost:{port}/{{order_number}}"
        nobody = connector(Path(), kind="http", url=url, fields={"a": "a"})
        seconds(nobody.find, r"the call failed \(ConnectError\)")

    @pytest.mark.parametrize(
        ("url", "private", "address", "reached"),
        [
            ("https://shop.example/{n}", False, "93.184.216.34", True),
            ("https://shop.example/{n}", False, "2606:2800:220:1::1", True),
            ("https://shop.example/{n}", False, "10.0.0.7", False),
            ("https://shop.example/{n}", False, "127.0.0.1", False),
            ("https://shop.example/{n}", False, "::1", False),
            ("https://shop.example/{n}", True, "10.0.0.7", True),
            ("http://10.0.0.7/{n}", False, "10.0.0.7", True),
            ("http://localhost/{n}", False, "127.0.0.1", True),
            ("http://[::1]/{n}", False, "::1", True),
            ("http://shop.example/{n}", True, "169.254.169.254", False),
            ("http://169.254.169.254/{n}", True, "169.254.169.254", False),
            ("http://shop.example/{n}", True, "::ffff:169.254.169.254", False),
            ("http://shop.example/{n}", True, "fe80::1%eth0", False),
            ("http://shop.example/{n}", True, "fd00:ec2::254", False),
            ("http://shop.example/{n}", True, "100.100.100.200", False),
            ("http://shop.example/{n}", True, "224.0.0.1", False),
            ("http://shop.example/{n}", True, "0.0.0.0", False),
            ("http://shop.example/{n}", True, "168.63.129.16", False),
            ("http://shop.example/{n}", False, "::ffff:127.0.0.1", False),
            ("http://shop.example/{n}", True, "64:ff9b::169.254.169.254", False),
            ("http://shop.example/{n}", False, "64:ff9b::10.0.0.7", False),
            ("http://shop.example/{n}", False, "64:ff9b::93.184.216.34", True),
            ("http://shop.example/{n}", False, "2002:7f00:1::1", False),
            ("http://shop.example/{n}", False, "::127.0.0.1", False),
            ("http://shop.example/{n}", False, "::10.0.0.7", False),
            ("http://shop.example/{n}", False, "fec0::1", False),
            ("http://shop.example/{n}", False, "fd12::1", False),
            ("http://shop.example/{n}", True, "fd12::1", True),
            ("http://shop.example/{n}", False, "192.168.1.1", False),
            ("http://shop.example/{n}", False, "100.64.0.1", False),
        ],
    )
    def test_where_a_call_may_lead(self, url: str, private: bool, address: str, reached: bool) -> None:
        settings = HttpConnector(kind="http", url=url, fields={"a": "a"}, private=private)
        assert HttpCall(httpx.MockTransport(lambda _: httpx.Response(200)), settings).may_reach(address) is reached

    def test_a_public_name_that_leads_into_the_own_network_is_not_spoken_to(
        self, server: ThreadingHTTPServer
    ) -> None:
        class Resolver(httpx.BaseTransport):
            """A name server that says 127.0.0.1 for every name."""

            def handle_request(self, request: httpx.Request) -> httpx.Response:
                request.url = request.url.copy_with(host="127.0.0.1", port=server.server_port)
                return httpx.HTTPTransport(trust_env=False).handle_request(request)

        def call(private: bool) -> Mapping[str, str] | None:
            url = "http://shop.example/orders/{order_number}"
            settings = HttpConnector(kind="http", url=url, fields={"a": "order.note"}, private=private)
            return HttpCall(Resolver(), settings).find({"order_number": "KW-1"}, time.monotonic() + 5)

        assert call(private=True) == {"a": RECORDS[0]["note"]}
        calls = len(server.seen)  # type: ignore[attr-defined]
        with pytest.raises(Unavailable, match="its host leads to an address that is not allowed"):
            call(private=False)
        assert len(server.seen) == calls  # type: ignore[attr-defined]

    def test_this_machine_is_not_reached_under_another_spelling(self, server: ThreadingHTTPServer) -> None:
        """The system's resolver knows more forms of an address than the rules do: they judge the connection."""
        program = f"""
import sys, time
from pathlib import Path
from chatbot.connect import connect
from chatbot.errors import Unavailable
from chatbot.schema import HttpConnector
for host in ("2130706433", "0177.0.0.1", "0x7f.1", "127.1"):
    url = f"http://{{host}}:{server.server_port}/orders/{{{{n}}}}"
    source = HttpConnector(kind="http", url=url, fields=dict(a="order.note"), timeout_seconds=20)
    try:
        print(connect(dict(orders=source), Path())["orders"].find(dict(n="KW-1")))
    except Unavailable as error:
        print(error)
"""
        calls = len(server.seen)  # type: ignore[attr-defined]
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
        )
        refused = "connector orders: its host leads to an address that is not allowed; see `private` in schema.py"
        invalid = "connector orders: InvalidURL"  # httpx reads four numbers as they are meant, and no octal ones
        assert done.stdout.splitlines() == [refused, invalid, refused, refused]
        assert len(server.seen) == calls  # type: ignore[attr-defined]

    def test_a_redirect_is_followed_to_nobody(self, server: ThreadingHTTPServer) -> None:
        calls = len(server.seen)  # type: ignore[attr-defined]
        seconds(http_connector(server, "/moved/{order_number}").find, "it was answered with 302")
        assert [path for path, _ in server.seen[calls:]] == ["/moved/KW-1"]  # type: ignore[attr-defined]

    @pytest.mark.parametrize(
        "value",
        [
            *("@evil.example/", "//evil.example/", "..", "../..", "\\evil.example", "#", "?x=1", "%2e%2e"),
            *("a\r\nHost: evil", "\0"),
        ],
    )
    def test_no_value_changes_where_a_call_goes(self, server: ThreadingHTTPServer, value: str) -> None:
        calls = len(server.seen)  # type: ignore[attr-defined]
        assert http_connector(server, "/orders/{order_number}").find({"order_number": value}) is None
        made = server.seen[calls:]  # type: ignore[attr-defined]
        assert [path for path, _ in made] == ([] if value == ".." else [f"/orders/{quote(value, safe='')}"])
        assert all(sent["Host"] == f"127.0.0.1:{server.server_port}" for _, sent in made)

    @pytest.mark.parametrize(
        "url",
        [
            *("file:///etc/passwd?{n}", "gopher://a/{n}", "ftp://a/{n}", "//a/{n}"),
            *("http://{n}/", "http://a:{n}/", "{n}://a/"),
        ],
    )
    def test_only_http_and_a_host_of_the_settings(self, url: str) -> None:
        with pytest.raises(ValidationError, match=r"an address begins with http|not in its host"):
            HttpConnector(kind="http", url=url, fields={"a": "a"})
