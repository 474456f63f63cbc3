"""What a hostile file may not do: run code, lead outside, fill the memory. What stands against each is in
SECURITY.md, which names these tests."""

import ast
import importlib.util
import json
import pickle
import re
import shutil
import threading
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from chatbot import bundle
from chatbot.answer import Templates
from chatbot.assemble import load_bot
from chatbot.domain import Conversation
from chatbot.errors import BotError, ChatbotError, ModelNotFound
from chatbot.make import build_bot
from chatbot.manifest import FORMAT, digest
from chatbot.models import load_encoder
from chatbot.settings import Settings
from tests.fakes import pair
from tests.test_architecture import ROOT, TREES
from tests.test_models import tiny_bert

RUN_BY_READING = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml", "ruamel"}
RUNS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}
UNSAFE_METHODS = {
    "extractall",
    "unpack_archive",
    "read_pickle",
    "mktemp",
    "register_custom_ops_library",
}


class Payload:
    """A pickle that makes a file when it is read."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.marker,)


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Every call in the package: its module, the name that is called, and the call."""
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                yield module, name, node


def value(call: ast.Call, keyword: str) -> object:
    """A keyword's literal value; None where it is not given."""
    for one in call.keywords:
        if one.arg == keyword:
            return ast.literal_eval(one.value) if isinstance(one.value, ast.Constant) else ast.unparse(one.value)
    return None


class TestTheSource:
    def test_no_library_is_imported_that_runs_what_it_reads(self) -> None:
        found = {
            (module, name)
            for module, tree in TREES.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([one.name for one in node.names] if isinstance(node, ast.Import) else [str(node.module)])
            if name.split(".")[0] in RUN_BY_READING
        }
        assert found == set()

    def test_nothing_is_called_that_runs_what_it_is_given(self) -> None:
        for module, name, call in calls():
            where = f"{module}, line {call.lineno}: {name}"
            assert name not in RUNS, where
            assert name.rpartition(".")[2] not in UNSAFE_METHODS, where
            assert value(call, "shell") in (None, False), where
            assert value(call, "allow_pickle") in (None, False), where
            assert value(call, "trust_remote_code") in (None, False), where
            if name == "torch.load":
                assert value(call, "weights_only") is True, where

    def test_models_come_out_of_safetensors_and_bring_no_code(self) -> None:
        found = []
        for module, name, call in calls():
            if name.endswith(".from_pretrained"):
                said = "use_safetensors" if name.startswith("Bert") else "trust_remote_code"
                found.append((module, name, value(call, said)))
        assert found == [
            ("chatbot.models", "AutoConfig.from_pretrained", False),
            ("chatbot.models", "AutoTokenizer.from_pretrained", False),
            ("chatbot.models", "BertModel.from_pretrained", True),
        ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a whole bot of nine pairs, `bot`, and the tiny model that it stands on, `base`."""
    folder = tmp_path_factory.mktemp("made")
    tiny_bert(folder / "base")
    settings = Settings.parse({"routes": {"en": {"encoder": str(folder / "base"), "max_tokens": 8}}}, "test")
    pairs = [pair(f"where is my parcel {n}", f"a{n % 3}", f"Answer {n % 3}.") for n in range(9)]
    build_bot(pairs, Templates(), settings, folder / "bot")
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy of it, which may be damaged. Its bot stands on the copied model."""
    shutil.copytree(made, tmp_path / "made")

    def moved(files: Path, bot: dict[str, Any]) -> None:
        bot["settings"]["routes"]["en"]["encoder"] = str(tmp_path / "made" / "base")

    forge(tmp_path / "made" / "bot", moved)
    return tmp_path / "made"


def forge(folder: Path, change: Callable[[Path, dict[str, Any]], None]) -> None:
    """A new version, changed by somebody who knows how bots are written: every hash is right."""
    files, manifest = bundle.load(folder)
    with bundle.writing(folder) as draft:
        shutil.copytree(files, draft.path, dirs_exist_ok=True)
        (draft.path / bundle.MANIFEST).unlink()
        bot = json.loads(json.dumps(manifest.bot))
        change(draft.path, bot)
        draft.commit(bot)


def pickled(file: Path, marker: Path) -> None:
    file.write_bytes(pickle.dumps(Payload(marker)))


def saved_by_torch(file: Path, marker: Path) -> None:
    torch.save({"weight": Payload(marker)}, file)


def array(file: Path, marker: Path) -> None:
    np.save(file, np.array([Payload(marker)], dtype=object), allow_pickle=True)


def header(kind: str, shape: tuple[int, ...]) -> bytes:
    """An .npy file that promises an array and has none."""
    said = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(said).to_bytes(2, "little") + said.encode()


class TestAHostileBot:
    def test_the_payload_would_work(self, tmp_path: Path) -> None:
        for number, plant in enumerate((pickled, saved_by_torch)):
            plant(tmp_path / "file", tmp_path / str(number))
            torch.load(tmp_path / "file", weights_only=False) if number else pickle.loads(
                (tmp_path / "file").read_bytes()
            )
            assert (tmp_path / str(number)).exists()
        array(tmp_path / "a.npy", tmp_path / "2")
        np.load(tmp_path / "a.npy", allow_pickle=True)
        assert (tmp_path / "2").exists()

    def test_the_bot_works_before_it_is_changed(self, place: Path) -> None:
        for pytorch in (False, True):
            assert load_bot(place / "bot", pytorch).reply(Conversation(), "where is my parcel 1").language == "en"

    @pytest.mark.parametrize("pytorch", [False, True])
    @pytest.mark.parametrize(
        ("name", "plant", "loads"),
        [
            ("en/questions.index/base/rows.npy", array, False),
            ("en/questions.index/base/vectors.npy", array, False),
            ("en/answers.index/tail/living.npy", array, False),
            ("en/questions.index/base/rows.npy", pickled, False),
            ("en/classifier.safetensors", pickled, False),
            ("en/encoder/tuned.safetensors", saved_by_torch, None),
            ("en/encoder/int8.onnx", pickled, None),
            ("en/encoder/pytorch_model.bin", saved_by_torch, True),
            ("en/encoder/model.pkl", pickled, True),
            ("en/questions.index/vectors.npy", array, True),
        ],
    )
    def test_no_file_of_a_bot_is_run(
        self, place: Path, tmp_path: Path, name: str, plant: Any, loads: bool | None, pytorch: bool
    ) -> None:
        """`loads` is None for a file that only one of both kinds of models reads."""
        forge(place / "bot", lambda files, _: plant(files / name, tmp_path / "ran"))
        wanted = (pytorch == name.endswith("onnx")) if loads is None else loads
        if wanted:
            load_bot(place / "bot", pytorch)
        else:
            with pytest.raises(BotError, match=Path(name).stem if "index" not in name else "vector index"):
                load_bot(place / "bot", pytorch)
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        ("remains", "name", "beside", "message"),
        [
            (True, "pytorch_model.bin", {}, None),
            (False, "pytorch_model.bin", {}, "has no file named model.safetensors"),
            (
                False,
                "shard.bin",
                {
                    "model.safetensors.index.json": {
                        "metadata": {},
                        "weight_map": {"pooler.dense.bias": "shard.bin"},
                    }
                },
                "has no file named model.safetensors",
            ),
            (
                True,
                "adapter_model.bin",
                {"adapter_config.json": {"peft_type": "LORA", "base_model_name_or_path": "elsewhere"}},
                "holds an adapter",
            ),
        ],
    )
    def test_no_file_of_a_model_is_run(
        self, place: Path, tmp_path: Path, remains: bool, name: str, beside: dict[str, Any], message: str | None
    ) -> None:
        base = place / "base"
        saved_by_torch(base / name, tmp_path / "ran")
        for file, values in beside.items():
            (base / file).write_text(json.dumps(values), "utf-8")
        if not remains:
            (base / "model.safetensors").unlink()
        if message is None:
            load_encoder(str(base))
        else:
            with pytest.raises(ModelNotFound, match=message):
                load_encoder(str(base))
        assert not (tmp_path / "ran").exists()

    def test_a_model_brings_no_code(self, place: Path, tmp_path: Path) -> None:
        base = place / "base"
        (base / "evil.py").write_text(
            f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()\n", "utf-8"
        )
        for file, kind in (("config.json", "AutoConfig"), ("tokenizer_config.json", "AutoTokenizer")):
            values = json.loads((base / file).read_text("utf-8"))
            values["auto_map"] = {kind: "evil.Evil", "AutoModel": "evil.Evil"}
            (base / file).write_text(json.dumps(values), "utf-8")
        load_encoder(str(base))
        values["tokenizer_class"] = "Evil"
        (base / file).write_text(json.dumps(values | {"auto_map": {kind: ["evil.Evil", "evil.Evil"]}}), "utf-8")
        config = json.loads((base / "config.json").read_text("utf-8")) | {"model_type": "evil"}
        (base / "config.json").write_text(json.dumps(config), "utf-8")
        with pytest.raises(ChatbotError):
            load_encoder(str(base))
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "en/../../x", "a\\..\\x", "a\0b"])
    def test_a_name_that_leads_out_of_the_bot_is_refused(self, place: Path, name: str) -> None:
        path = place / "bot" / bundle.MANIFEST
        fields = json.loads(path.read_text("utf-8"))
        fields["files"][name] = {"sha256": "0" * 64, "bytes": 1}
        resign(path, fields)
        with pytest.raises(BotError, match=r"names the file .*, which lies outside the bot") as caught:
            load_bot(place / "bot")
        assert repr(name) in str(caught.value)

    @pytest.mark.parametrize("whole", [False, True])
    def test_a_link_that_leads_out_of_the_bot_is_refused(self, place: Path, tmp_path: Path, whole: bool) -> None:
        files, _ = bundle.load(place / "bot")
        inside = files / "en" if whole else files / "en" / "pairs.jsonl"
        shutil.move(inside, tmp_path / "outside")
        inside.symlink_to(tmp_path / "outside")
        with pytest.raises(BotError, match=r"is a link to .*outside.*, which lies outside the bot"):
            load_bot(place / "bot")

    def test_a_bot_that_is_itself_behind_a_link_is_loaded(self, place: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(place / "bot")
        assert load_bot(tmp_path / "link").reply(Conversation(), "where is my parcel 1").language == "en"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[" * 200_000, "is damaged; expected JSON"),
            ('{"format": ' + "9" * 10_000 + "}", "is damaged; expected JSON"),
            (f'{{"format": {FORMAT}, "version": 1e999}}', "do not give the digest in its version 'inf'"),
            ("{}", "no field 'format'"),
            ('{"format": NaN}', "has the format nan"),
        ],
    )
    def test_a_manifest_that_means_harm_is_said_to_be_none(self, place: Path, text: str, message: str) -> None:
        (place / "bot" / bundle.MANIFEST).write_text(text, "utf-8")
        with pytest.raises(BotError, match=message):
            load_bot(place / "bot")

    @pytest.mark.parametrize(
        "change", [{"bot": []}, {"bot": None}, {"files": {"a": {"sha256": "0", "bytes": "1"}}}]
    )
    def test_a_manifest_of_other_kinds_is_said_to_be_none(self, place: Path, change: dict[str, Any]) -> None:
        path = place / "bot" / bundle.MANIFEST
        resign(path, json.loads(path.read_text("utf-8")) | change)
        with pytest.raises(BotError, match="is no manifest of a bot"):
            load_bot(place / "bot")

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("base/segment.json", b"[" * 200_000),
            ("base/segment.json", b'{"kind": "flat", "lists": ' + b"9" * 10_000 + b"}"),
            ("base/segment.json", b'{"kind": "graph"}'),
            ("base/rows.npy", header("<i8", (2**63 - 1,))),
            ("base/rows.npy", header("<i8", (99_999_999_999,))),
            ("base/vectors.npy", header("<f4", (999_999_999, 9_999_999))),
            ("kind.txt", b"\xff"),
        ],
    )
    def test_an_index_of_huge_numbers_is_damaged(self, place: Path, name: str, content: bytes) -> None:
        def change(files: Path, bot: dict[str, Any]) -> None:
            (files / "en" / "questions.index" / name).write_bytes(content)

        forge(place / "bot", change)
        with pytest.raises(BotError, match="cannot be read as a vector index"):
            load_bot(place / "bot")

    def test_a_graph_that_points_at_other_files_is_refused(self, place: Path, tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(b"\0" * 4096)

        def change(files: Path, bot: dict[str, Any]) -> None:
            file = files / "en" / "encoder" / "int8.onnx"
            graph = onnx.load(str(file), load_external_data=False)
            weight = next(one for one in graph.graph.initializer if len(one.raw_data) > 64)
            size = len(weight.raw_data)
            weight.ClearField("raw_data")
            weight.data_location = onnx.TensorProto.EXTERNAL
            out = "../" * 12 + str((tmp_path / "secret").relative_to("/"))
            for key, said in (("location", out), ("offset", "0"), ("length", str(size))):
                entry = weight.external_data.add()
                entry.key, entry.value = key, said
            file.write_bytes(graph.SerializeToString())

        forge(place / "bot", change)
        with pytest.raises(BotError, match="cannot be read"):
            load_bot(place / "bot")


def resign(path: Path, fields: dict[str, Any]) -> None:
    """Write a manifest whose version has the digest of its fields, as its writer would."""
    date = fields["version"].partition("-")[0]
    unsigned = fields | {"version": date}
    path.write_text(json.dumps(unsigned | {"version": f"{date}-{digest(unsigned)}"}), "utf-8")


class Advisories(BaseHTTPRequestHandler):
    """As osv.dev answers: jinja2 2.4 has a known flaw, and `flaky` is answered with an error."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        package = asked["package"]["name"]
        found: dict[str, Any] = {}
        if (package, asked["version"]) == ("jinja2", "2.4"):
            ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.7.2"}]}]
            affected = [{"package": {"name": "jinja2", "ecosystem": "PyPI"}, "ranges": ranges}]
            found = {"vulns": [{"id": "PYSEC-2014-8", "summary": "a flaw", "affected": affected}]}
        body = json.dumps(found).encode()
        self.send_response(503 if package == "flaky" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Silence."""


@pytest.fixture(scope="module")
def advisories() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Advisories)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    server.server_close()


def audit(pins: Path, url: str) -> int:
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return int(module.main(pins, ["--osv-url", url]))


class TestTheAudit:
    @pytest.mark.parametrize(
        ("pins", "code", "said"),
        [
            (
                "jinja2==2.4\nidna==3.20\n",
                1,
                "audit: jinja2 2.4 has PYSEC-2014-8, mended in 2.7.2\n"
                "audit: 2 packages asked about, 1 vulnerabilities\n",
            ),
            ("jinja2==3.1.6\n", 0, "audit: 1 packages asked about, 0 vulnerabilities\n"),
            ("flaky==1\n", 0, "audit: not made, the vulnerability service did not answer: "),
            ("jinja2>=2\n", 2, "cannot be read: ERROR:pip_audit._cli:"),
        ],
    )
    def test_what_is_found_fails_and_a_service_that_is_away_does_not(
        self, tmp_path: Path, advisories: str, capsys: pytest.CaptureFixture[str], pins: str, code: int, said: str
    ) -> None:
        (tmp_path / "pins.txt").write_text(pins, "utf-8")
        assert audit(tmp_path / "pins.txt", advisories) == code
        heard = capsys.readouterr().out
        assert said in heard and heard.count("\n") == max(1, said.count("\n"))

    def test_nobody_there_is_said_in_one_line(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "pins.txt").write_text("jinja2==2.4\n", "utf-8")
        assert audit(tmp_path / "pins.txt", "http://127.0.0.1:9/") == 0
        heard = capsys.readouterr().out
        assert heard.startswith("audit: not made, the vulnerability service did not answer: ")
        assert heard.count("\n") == 1

    def test_everything_that_is_required_is_pinned(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        extras = [lines for extra, lines in project["optional-dependencies"].items() if extra != "bench"]
        required = [Requirement(line) for lines in (project["dependencies"], *extras) for line in lines]
        lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        pins = {
            canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in lines if "==" in line
        }
        names = {canonicalize_name(one.name): one for one in required if one.name != "chatbot"}
        assert {name for name in names if name not in pins} == set()
        assert {name for name, one in names.items() if not one.specifier.contains(pins[name])} == set()


class TestTheDocument:
    def test_every_test_that_it_names_is_there_and_both_languages_name_the_same(self) -> None:
        texts = [(ROOT / name).read_text("utf-8") for name in ("SECURITY.md", "SECURITY.zh-CN.md")]
        english, chinese = (re.findall(r"`(test_\w+\.py)::(\w+)`", text) for text in texts)
        assert english == chinese and len(english) > 20
        for file, name in english:
            assert re.search(rf"(def|class) {name}\b", (ROOT / "tests" / file).read_text("utf-8")), (file, name)

    def test_both_languages_have_the_same_parts(self) -> None:
        shapes = []
        for name in ("SECURITY.md", "SECURITY.zh-CN.md"):
            lines = (ROOT / name).read_text("utf-8").splitlines()
            shapes.append([line[:2] for line in lines if line.startswith(("#", "|", "- **", *"123456789"))])
        assert shapes[0] == shapes[1]
