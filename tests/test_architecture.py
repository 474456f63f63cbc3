"""Who may import whom, and a few rules that no linter knows: read from the syntax trees, nothing is imported."""

import ast
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import OutsideWorld

ROOT = Path(__file__).parents[1]
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted([*(ROOT / "chatbot").rglob("*.py"), ROOT / "app.py"])
}
TREES = {module: ast.parse(path.read_text("utf-8")) for module, path in FILES.items()}

LAYERS = {
    "nouns": {"domain", "protocols", "desk", "access", "errors"},
    "pure": {
        "addresses",
        "settings",
        "text",
        "bounds",
        "files",
        "tabular",
        "merge",
        "corpus",
        "held_out",
        "decide",
        "answer",
        "phrases",
        "table",
        "packing",
        "slots",
        "schema",
        "tone",
        "several",
        "people",
        "personal",
        "privacy",
        "room",
    },
    "adapters": {
        "carried",
        "models",
        "nano",
        "graph",
        "engine",
        "pieces",
        "ensemble",
        "universal",
        "muse",
        "memory",
        "encode",
        "classify",
        "index",
        "segment",
        "shortlist",
        "lexical",
        "postings",
        "rerank",
        "journal",
        "manifest",
        "bundle",
        "connect",
        "customers",
    },
    "flow": {"retrieve", "gather", "rank", "mood", "converse", "fill", "related", "vault"},
    "offline": {"learn", "insight"},
    "outside": {
        *("ui", "serve", "assemble", "shared", "make", "edit", "plan", "amend", "editor", "check", "fleet"),
        *("line", "workshop", "doctor", "pace", "backup", "restore", "reference"),
        *("commands", "journal_commands", "account_commands", "upkeep_commands", "__main__", "app"),
    },
}
MAY_IMPORT = {
    "nouns": {"nouns"},
    "pure": {"nouns", "pure"},
    "adapters": {"nouns"},
    "flow": {"nouns", "pure", "flow"},
    "offline": {"nouns", "pure", "flow", "offline"},
    "outside": set(LAYERS),
}
AS_WELL = {  # one adapter on another, and on how a text is read
    *(
        ("encode", "models"),
        ("rerank", "models"),
        ("rerank", "packing"),
        ("models", "carried"),
        ("carried", "nano"),
        ("carried", "graph"),
        ("carried", "muse"),
        ("carried", "engine"),
        ("muse", "engine"),
        ("muse", "graph"),
        ("universal", "engine"),
        ("engine", "pieces"),
        ("universal", "pieces"),
        ("muse", "pieces"),
        ("nano", "pieces"),
    ),
    *(
        ("graph", "carried"),
        ("lexical", "postings"),
        ("graph", "engine"),
        ("engine", "carried"),
        ("engine", "memory"),
        ("universal", "memory"),
    ),
    *(("bundle", "manifest"), ("index", "segment"), ("index", "shortlist"), ("segment", "shortlist")),
    *(
        ("connect", "schema"),
        ("connect", "slots"),
        ("connect", "tabular"),
        ("connect", "addresses"),
    ),  # its settings, a value's form, a table
    *(("encode", "text"), ("rerank", "text"), ("engine", "text"), ("universal", "text"), ("universal", "carried")),
}
STEPS = ("m0001_tables", "m0002_customers_and_versions", "m0003_accounts", "m0004_audit")
ONLY_IN: dict[str, set[str]] = {
    "faiss": {"chatbot.shortlist"},
    "onnx": {"chatbot.graph", "chatbot.muse"},
    "onnxruntime": {"chatbot.graph", "chatbot.engine", "chatbot.universal"},
    "sentence_transformers": {"chatbot.encode"},
    "rjieba": {"chatbot.lexical"},
    "sentencepiece": {"chatbot.pieces"},
    "sqlalchemy": {  # ours, and the company's
        *(f"chatbot.journal.{name}" for name in ("schema", "database", "records", "cases")),
        *(f"chatbot.journal.{name}" for name in ("edits", "reviews", "traffic", "retention", "migrate", "health")),
        *(f"chatbot.journal.{name}" for name in ("accounts", "attempts", "audit", "keys", "replays", "sessions")),
        *(f"chatbot.journal.migrations.versions.{name}" for name in STEPS),
        "chatbot.connect",
    },
    "alembic": {
        *("chatbot.journal.migrate", "chatbot.journal.migrations.env"),
        *(f"chatbot.journal.migrations.versions.{name}" for name in STEPS),
    },
    "psycopg": set(),
    "argon2": {"chatbot.journal.passwords"},
    "jwt": {"chatbot.customers"},
    "cryptography": {"chatbot.customers"},
    "packaging": {"chatbot.doctor"},
    "sqlite3": {"chatbot.journal.snapshot"},
    "httpx": {"chatbot.connect"},
    "captum": {"chatbot.insight.explain"},
    "gradio": {"chatbot.ui.stubless"},
    "prometheus_client": {"chatbot.serve.metrics"},
    "matplotlib": {"chatbot.insight.report", "chatbot.learn.curves"},
}
# ui.launch prints the address that is served, once
MAY_PRINT = {
    *("chatbot.__main__", "chatbot.commands", "chatbot.journal_commands", "chatbot.account_commands"),
    "chatbot.upkeep_commands",
    *("app", "chatbot.ui.launch"),
}
MOST_LINES = 320


def part(module: str) -> str:
    """`chatbot.learn.mine` belongs to learn, `chatbot.decide` is decide, `chatbot` itself and `app` stay."""
    return module.split(".")[1] if module.startswith("chatbot.") else module


def layer(name: str) -> str:
    return next(layer for layer, members in LAYERS.items() if name in members)


def imports(module: str) -> Iterator[str]:
    """Full names of the modules that a module imports, wherever in it."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}, line {node.lineno}: write the whole name, not a relative one"
            assert node.module is not None
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in FILES else node.module for name in inside)


@pytest.mark.parametrize("module", sorted(set(FILES) - {"chatbot"}))
def test_a_module_imports_only_what_its_layer_may(module: str) -> None:
    name = part(module)
    assert any(name in members for members in LAYERS.values()), f"{module} has no layer: put it into the table"
    for imported in imports(module):
        if imported.split(".")[0] not in ("chatbot", "app") or part(imported) == name:
            continue
        allowed = layer(part(imported)) in MAY_IMPORT[layer(name)] or (name, part(imported)) in AS_WELL
        assert allowed, f"{module} ({layer(name)}) imports {imported} ({layer(part(imported))})"


def test_every_layer_in_the_table_has_its_modules() -> None:
    there = {part(module) for module in FILES}
    assert {name for members in LAYERS.values() for name in members} - there == set()


def test_the_package_itself_imports_nothing() -> None:
    assert list(imports("chatbot")) == []


@pytest.mark.parametrize("library", sorted(ONLY_IN))
def test_a_library_is_imported_in_one_place(library: str) -> None:
    users = {module for module in FILES if library in {name.split(".")[0] for name in imports(module)}}
    assert users == ONLY_IN[library]


def test_the_nouns_need_only_the_standard_library_and_numpy() -> None:
    for name in LAYERS["nouns"]:
        ours = {f"chatbot.{noun}" for noun in LAYERS["nouns"]}
        foreign = {found.split(".")[0] for found in set(imports(f"chatbot.{name}")) - ours}
        assert foreign - sys.stdlib_module_names <= {"numpy"}


@pytest.mark.parametrize("module", sorted(FILES))
def test_a_module_says_what_it_is_for_and_holds_one_idea(module: str) -> None:
    assert ast.get_docstring(TREES[module]), f"{module} has no docstring"
    lines = len(FILES[module].read_text("utf-8").splitlines())
    assert lines <= MOST_LINES, f"{module} has {lines} lines: it holds two ideas"


@pytest.mark.parametrize("module", sorted(FILES))
def test_nothing_is_swallowed_or_printed(module: str) -> None:
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{module}, line {node.lineno}: a bare except"
            silent = all(isinstance(step, ast.Pass) for step in node.body)
            assert not silent, f"{module}, line {node.lineno}: an error is passed over"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            assert module in MAY_PRINT, f"{module}, line {node.lineno}: a print"


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        (
            "chatbot.converse, chatbot.__main__",
            ("torch", "transformers", "faiss", "sentence_transformers", "gradio", "sqlalchemy", "rjieba"),
        ),
        (  # what a service imports before its page is there
            "chatbot.assemble, chatbot.fleet, chatbot.serve.start",
            (
                "torch",
                "transformers",
                "sentence_transformers",
                "sklearn",
                "matplotlib",
                "onnx",
                "captum",
                "alembic",
            ),
        ),
    ],
)
def test_what_takes_long_to_import_is_not_imported(modules: str, heavy: tuple[str, ...]) -> None:
    program = f"import sys, {modules}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_importing_the_page_writes_no_type_stubs() -> None:
    """What Gradio does for editors is half of its import, and fails on a read-only installation."""
    program = (
        "import inspect, pathlib\n"
        "read, real, getfile = [], pathlib.Path.read_text, inspect.getfile\n"
        "def read_text(self, *a, **k):\n"
        "    read.append(self.name)\n"
        "    return real(self, *a, **k)\n"
        "pathlib.Path.read_text = read_text\n"
        "import chatbot.ui.chat\n"
        "print([name for name in read if name in ('chatbot.py', 'chatbot.pyi')], inspect.getfile is getfile)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("[] True\n", "")


class TestOffline:
    def test_another_machine_cannot_be_reached(self) -> None:
        with pytest.raises(OutsideWorld, match=r"looks up '192\.0\.2\.1'"):
            socket.create_connection(("192.0.2.1", 80), timeout=0.1)
        with socket.socket() as other, pytest.raises(OutsideWorld, match=r"connects to \('192\.0\.2\.1', 80\)"):
            other.connect(("192.0.2.1", 80))
        with pytest.raises(OutsideWorld, match=r"looks up 'example\.org'"):
            socket.getaddrinfo("example.org", 80)
        with socket.socket(socket.AF_INET6) as other, pytest.raises(OutsideWorld):
            other.connect(("2001:db8::1", 80))

    def test_this_machine_can(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(("localhost", server.getsockname()[1]), timeout=1).close()
