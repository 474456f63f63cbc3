"""The image and what runs beside it, read from their files: no engine is needed. What can run, runs."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from fnmatch import fnmatch
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from chatbot.__main__ import _parser
from chatbot.settings import NOT_SETTINGS

ROOT = Path(__file__).parents[1]
WRITABLE = ("/data", "/tmp")


@cache
def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile, each on one line; comments are left out."""
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", text)
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]  # type: ignore[misc]


def last_stage() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    start = max(position for position, (name, _) in enumerate(instructions()) if name == "FROM")
    for name, rest in instructions()[start:]:
        found.setdefault(name, []).append(rest)
    return found


@cache
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    return found


def environment() -> dict[str, str]:
    return dict(part.split("=", 1) for line in last_stage()["ENV"] for part in shlex.split(line))


def probe() -> list[str]:
    """The health check's program, as this Python runs it."""
    (line,) = last_stage()["HEALTHCHECK"]
    program, *arguments = json.loads(line.partition("CMD ")[2])
    assert program == "python"
    return [sys.executable, *arguments]


class TestImage:
    def test_it_is_built_in_two_stages_and_the_last_one_has_no_tools(self) -> None:
        stages = [rest for name, rest in instructions() if name == "FROM"]
        assert stages == ["python:3.11-slim AS build", "python:3.11-slim"]
        assert last_stage()["COPY"] == ["--from=build /opt/chatbot /opt/chatbot"]
        assert not any("pip" in line or "apt" in line for line in last_stage()["RUN"])

    def test_packages_are_the_tested_ones_without_cuda_and_without_those_for_development(self) -> None:
        torch, rest = [line for name, line in instructions() if name == "RUN" and "pip install" in line]
        assert "--index-url https://download.pytorch.org/whl/cpu" in torch and "--no-deps" in torch
        assert rest.endswith("pip install --constraint constraints.txt '.[postgres]'")
        pins = (ROOT / "constraints.txt").read_text("utf-8")
        assert len(re.findall(r"^torch==[\d.]+$", pins, re.MULTILINE)) == 1
        assert "extra-index-url" not in torch + rest

    def test_it_runs_as_nobody_special_who_writes_to_data_and_tmp_only(self) -> None:
        stage = last_stage()
        assert (stage["USER"], stage["WORKDIR"], stage["VOLUME"]) == (["10001:10001"], ["/data"], ["/data"])
        assert "--owner 10001 --group 10001 --mode 0700 /data" in stage["RUN"][0]
        folders = {
            name: value for name, value in environment().items() if value.startswith("/") and name != "PATH"
        }
        assert folders.keys() == {
            *("HOME", "XDG_CACHE_HOME", "HF_HOME", "MPLCONFIGDIR", "GRADIO_TEMP_DIR", "CHATBOT_CACHE")
        }
        assert all(value.startswith(WRITABLE) for value in folders.values())
        assert environment()["PYTHONDONTWRITEBYTECODE"] == "1"

    def test_no_secret_is_in_it(self) -> None:
        secret = re.compile("password|secret|token|key", re.IGNORECASE)
        assert [rest for name, rest in instructions() if name in ("ENV", "ARG") and secret.search(rest)] == []

    def test_it_starts_with_a_command_that_there_is(self) -> None:
        stage = last_stage()
        assert json.loads(stage["ENTRYPOINT"][0]) == ["chatbot"]
        options = _parser().parse_args(json.loads(stage["CMD"][0]))
        assert (options.index, options.host, options.port) == ([Path("/data/bot")], "0.0.0.0", 7860)
        assert stage["EXPOSE"] == ["7860"]

    def test_only_what_it_needs_goes_to_the_builder(self) -> None:
        ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        rules = [line for line in ignored if line and not line.startswith("#")]
        assert rules[0] == "*"
        back = {line[1:] for line in rules if line.startswith("!")}
        wanted = {
            source
            for name, rest in instructions()
            if name == "COPY" and "--from" not in rest
            for source in rest.split()[:-1]
        }
        assert wanted == back
        assert all((ROOT / name).exists() for name in back)

    def test_every_file_of_the_package_is_installed(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
        patterns = project["tool"]["setuptools"]["package-data"]["chatbot"]
        files = [
            path.relative_to(ROOT / "chatbot").as_posix()
            for path in (ROOT / "chatbot").rglob("*")
            if path.is_file() and path.suffix not in (".py", ".pyc")
        ]
        assert [file for file in files if not any(fnmatch(file, pattern) for pattern in patterns)] == []


class Ready(BaseHTTPRequestHandler):
    status: ClassVar[int] = 200
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return None


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_asks_whether_the_service_is_ready(status: int, healthy: bool) -> None:
    Ready.status = status
    Ready.asked.clear()
    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        command = [part.replace(":7860/", f":{server.server_port}/") for part in probe()]
        proxied = {**os.environ, "http_proxy": "http://127.0.0.1:9"}
        done = subprocess.run(command, capture_output=True, check=False, env=proxied)
        server.shutdown()
    assert (done.returncode == 0, Ready.asked) == (healthy, ["/health/ready"])
    ast.parse(probe()[2])


class TestCompose:
    @pytest.mark.parametrize("name", ["chatbot", "postgres"])
    def test_each_service_may_do_what_it_must_and_no_more(self, name: str) -> None:
        service = compose()["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"] and "cap_add" not in service
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["restart"] == "unless-stopped"
        assert service["pids_limit"] > 0
        assert not {"privileged", "network_mode", "pid", "ipc"} & service.keys()
        assert service["tmpfs"][0].startswith("/tmp:")
        assert str(service["user"]).partition(":")[0] not in ("0", "root")

    def test_volumes_have_names_and_no_folder_of_the_machine_is_in_reach(self) -> None:
        found = compose()
        mounted = {name: service["volumes"] for name, service in found["services"].items()}
        assert mounted == {"chatbot": ["chatbot:/data"], "postgres": ["journal:/var/lib/postgresql/data"]}
        assert found["volumes"].keys() == {"chatbot", "journal"}

    def test_only_the_chatbot_is_reached_and_only_from_this_machine(self) -> None:
        found = compose()
        assert found["services"]["chatbot"]["ports"] == ["127.0.0.1:${CHATBOT_PORT:-7860}:7860"]
        assert "ports" not in found["services"]["postgres"]
        assert found["services"]["postgres"]["networks"] == ["inside"]
        assert found["networks"]["inside"] == {"internal": True}

    def test_passwords_come_from_outside_and_are_asked_for(self) -> None:
        found = {name: service["environment"] for name, service in compose()["services"].items()}
        for name, variable in (
            ("chatbot", "PGPASSWORD"),
            ("postgres", "POSTGRES_PASSWORD"),
        ):
            assert re.fullmatch(r"\$\{[A-Z_]+:\?.+\}", found[name][variable])
        assert ".env" in (ROOT / ".gitignore").read_text("utf-8").splitlines()
        assert {key for key in found["chatbot"] if key.startswith("CHATBOT_")} <= NOT_SETTINGS.keys()

    def test_the_chatbot_starts_after_a_database_that_answers(self) -> None:
        services = compose()["services"]
        assert services["chatbot"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
        assert services["postgres"]["image"] == "postgres:16"
        assert services["postgres"]["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
        options = _parser().parse_args(services["chatbot"]["command"])
        user, database = (services["postgres"]["environment"][f"POSTGRES_{what}"] for what in ("USER", "DB"))
        assert options.journal == f"postgresql+psycopg://{user}@postgres/{database}"
        assert (options.index, options.host, options.port) == ([Path("/data/bot")], "0.0.0.0", 7860)
