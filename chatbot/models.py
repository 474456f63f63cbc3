"""Where weights come from. Nothing else in this package loads any.

In: a name that `carried.resolve` understands. Out: a BERT model and its tokenizer, in float32, ready to read or
to train.

A fine-tuned model is its base plus an overlay, `tuned.safetensors`: all weights but the word embeddings, which are
frozen here for good (of e5 they are 384 of 470 MB). So a bot's folder stays small, and an encoder and a reranker
of the same base hold one word-embedding matrix between them.
"""

import copy
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, AutoTokenizer, BertForSequenceClassification, BertModel
from transformers.models.bert.modeling_bert import BertPooler
from transformers.utils import logging as transformers_logging

from chatbot.carried import FROZEN, TUNED_FILE, resolve
from chatbot.errors import BotError, ModelNotFound

COSINE_SCALE = 20.0  # one over the temperature that encoders are trained with
SEED = 7  # of the weights that a base does not bring: a reranker's classifier, and its pooler where missing


def load_encoder(name: str, tuned: Path | None = None) -> tuple[Any, Any]:
    """A BertModel in evaluation mode, word embeddings frozen, and its tokenizer.

    `tuned` is the folder of an overlay that `save_tuned` wrote. Raises ModelNotFound; BotError where the overlay
    does not fit.
    """
    folder = resolve(name)
    with _quiet():
        try:
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            if config.model_type != "bert":
                raise ModelNotFound(f"{folder} holds a {config.model_type} model; this chatbot reads BERT models")
            if not any((folder / file).is_file() for file in ("tokenizer.json", "vocab.txt")):
                raise ModelNotFound(f"{folder} has no tokenizer.json beside its config.json; add the model's own")
            if not (folder / "model.safetensors").is_file():  # it would follow an index to files of other kinds
                raise ModelNotFound(f"{folder} has no file named model.safetensors; save the weights as that one")
            if (folder / "adapter_config.json").exists():  # it would follow that to another model
                raise ModelNotFound(f"{folder} holds an adapter (adapter_config.json); merge it into its model")
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
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
    """Write all weights but the word embeddings to `folder`/tuned.safetensors; the folder is made if need be.
    Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        save_file(
            {name: weight.detach().contiguous() for name, weight in _tuned_weights(model).items()},
            folder / TUNED_FILE,
        )
    except SafetensorError as cause:
        raise OSError(str(cause)) from cause


def fingerprint(model: Any) -> str:
    """16 hexadecimal digits of the SHA-256 over names, shapes and bytes of all weights: 0.4 s for 470 MB, since
    processors hash in hardware and nothing is copied."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.named_parameters()):
        digest.update(f"{name} {list(weight.shape)} {weight.dtype}\n".encode())
        digest.update(memoryview(weight.detach().cpu().contiguous().numpy()).cast("B"))
    return digest.hexdigest()[:16]


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
