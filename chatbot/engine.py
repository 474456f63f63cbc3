"""The two models without PyTorch: ONNX Runtime on packed texts. No other module opens one of its sessions.

In: a bot's exported graphs (graph.py), and the base model's folder for tokenizer and word embeddings. Out: an
`Encoder` and a `Reranker` that give what those of encode.py and rerank.py give, several times as fast:

    nothing is padded     texts lie one behind the other in one row; see graph.py
    nothing is read twice tokens of texts, vectors of questions and relevances of lists are remembered (bounded)
    little is loaded      word embeddings are mapped from the base model's file, once for both models

In eight bits all activations of a row share one scale. So there each question is encoded in a row of its own, and
has the same vector in any company. Rows of the cross-encoder hold the texts of one question: relevances do not
depend on other lists, but in eight bits on the list itself, in the third digit.
"""

import hashlib
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from safetensors import safe_open
from threadpoolctl import threadpool_limits
from tokenizers import Tokenizer
from tqdm import tqdm

from chatbot.carried import FROZEN, tensors
from chatbot.domain import Scores, Vectors
from chatbot.errors import BotError
from chatbot.memory import Memory, Tally
from chatbot.pieces import MODEL, Pieces
from chatbot.text import readable

FLOAT32, MIXED, INT8 = "float32", "mixed", "int8"  # the names of a model's graphs
ROW = 192  # tokens read at once; a longer text has a row of its own
REMEMBERED = 2048  # questions' vectors, of each encoder, and lists of relevances: some 20 MB a language
SPELLED = 8192  # texts' tokens
PROGRESS_FROM = 500  # texts: some seconds with a large model
LEAST = 1e-8  # length of a vector, before something is divided by it

Ids = tuple[int, ...]


class Words:
    """The base model's tokenizer and word embeddings, shared by encoder and cross-encoder."""

    def __init__(
        self, tokenizer: Tokenizer, matrix: Vectors, fingerprint: str, pieces: Pieces | None = None
    ) -> None:
        """`tokenizer` says what stands around texts, and cuts them where there are no `pieces`."""
        self.tokenizer = tokenizer
        self.pieces = pieces
        self.matrix = matrix
        self.fingerprint = fingerprint
        single, pair = tokenizer.encode("a").sequence_ids, tokenizer.encode("a", "b")
        sides = [-1 if side is None else side for side in pair.sequence_ids]
        first, second, last = sides.index(0), sides.index(1), len(sides) - 1 - sides[::-1].index(1)
        between = len(sides) - 1 - sides[::-1].index(0) + 1
        ids = tuple(pair.ids)
        self.head, self.middle, self.tail = ids[:first], ids[between:second], ids[last + 1 :]
        self.end = tuple(tokenizer.encode("a").ids)[len(single) - 1 - single[::-1].index(0) + 1 :]
        self._remembered: Memory[str, Ids] = Memory(SPELLED)

    @classmethod
    def load(cls, folder: Path) -> "Words":
        """From a base model's folder. Raises BotError where it cannot be read."""
        weights, text = folder / "model.safetensors", folder / "tokenizer.json"
        try:
            pieces = Pieces.load(folder) if (folder / MODEL).is_file() else None
            frame = None if pieces is None else pieces.frame
            tokenizer = Tokenizer.from_file(str(text)) if frame is None else frame
            tokenizer.no_padding()
            tokenizer.no_truncation()
            matrix = _mapped(weights)
        except Exception as cause:  # tokenizers raises bare Exceptions
            raise BotError(f"the base model in {folder} cannot be read: {cause}") from cause
        return cls(tokenizer, matrix, _fingerprint(text, weights), pieces)

    def tokens(self, texts: Sequence[str]) -> list[Ids]:
        """Ids of each text, without special tokens; those not remembered in one call of the tokenizer."""

        def read(missing: list[str]) -> list[Ids]:
            if self.pieces is not None:
                return [tuple(self.pieces.ids(text)) for text in missing]
            found = self.tokenizer.encode_batch_fast(missing, add_special_tokens=False)
            return [tuple(one.ids) for one in found]

        return self._remembered.of(texts, read)


class PackedBert:
    """An exported graph: rows of token ids in, the last hidden states of each out."""

    def __init__(self, session: onnxruntime.InferenceSession, words: Words, exact: bool) -> None:
        self.session = session
        self.words = words
        self.exact = exact  # whether a text's states do not depend on what else is in its row

    @classmethod
    def load(cls, file: Path, words: Words, threads: int) -> "PackedBert":
        """As for `session`."""
        return cls(session(file, threads), words, file.stem == FLOAT32)

    def read(self, texts: Sequence[Ids]) -> Iterator[Vectors]:
        """float32 [tokens, width] of each text; texts that are given together share rows of up to ROW tokens."""
        for row in _rows(texts):
            lengths = [len(text) for text in row]
            hidden = self.session.run(
                None,
                {
                    "words": self.words.matrix[np.concatenate([np.array(text) for text in row])],
                    "position": np.concatenate([np.arange(length) for length in lengths]),
                    "text": np.repeat(np.arange(len(row)), lengths),
                },
            )[0]
            yield from np.split(hidden, np.cumsum(lengths)[:-1])


class PackedEncoder:
    """Implements `protocols.Encoder`, as `encode.SentenceEncoder` does: mean over the tokens, unit length."""

    def __init__(
        self, bert: PackedBert, prefix: str, max_tokens: int, fingerprint: str, remembered: int = REMEMBERED
    ) -> None:
        self.bert = bert
        self.prefix = prefix
        self.max_tokens = max_tokens
        self.fingerprint = fingerprint
        self._remembered: Memory[str, Vectors] = Memory(remembered)

    @property
    def dimension(self) -> int:
        return int(self.bert.words.matrix.shape[1])

    @property
    def tally(self) -> Tally:
        return self._remembered.tally

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 [len(texts), dimension], in the order of `texts`."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return np.stack(self._remembered.of(texts, self._encoded))

    def _encoded(self, texts: Sequence[str]) -> list[Vectors]:
        words = self.bert.words
        room = self.max_tokens - len(words.head) - len(words.end)
        ids = words.tokens([self.prefix + readable(text, self.max_tokens) for text in texts])
        tokens = [words.head + own[:room] + words.end for own in ids]
        calls = [tokens] if self.bert.exact else [[own] for own in tokens]
        hidden = (states for call in calls for states in self.bert.read(call))
        shown = tqdm(hidden, "encoding", len(ids), unit="text", disable=len(ids) < PROGRESS_FROM)
        means = [np.asarray(states.mean(0, dtype=np.float32)) for states in shown]
        return [(mean / max(float(np.linalg.norm(mean)), LEAST)).astype(np.float32) for mean in means]


class PackedCrossEncoder:
    """Implements `protocols.Reranker`, as `rerank.CrossEncoder` does: pooled [CLS], and cosine of the sides."""

    def __init__(
        self, bert: PackedBert, prefix: str, max_tokens: int, positions: int, head: "Head", fingerprint: str
    ) -> None:
        self.bert = bert
        self.prefix = prefix
        self.max_tokens = max_tokens
        self.longest = min(2 * max_tokens, positions)
        self.head = head
        self.fingerprint = fingerprint
        self._remembered: Memory[tuple[str, Ids, tuple[Ids, ...]], Scores] = Memory(REMEMBERED)

    @property
    def tally(self) -> Tally:
        return self._remembered.tally

    def score(self, questions: Sequence[str], texts: Sequence[str]) -> Scores:
        if not texts:
            return np.zeros(0, np.float32)
        words = self.bert.words
        given = [self.prefix + readable(text, self.max_tokens) for text in (*questions, *texts)]
        ids = words.tokens(given)
        lists = [
            (question, ids[rows[0]], tuple(ids[len(questions) + row] for row in rows))
            for question, rows in _runs(questions)
        ]
        return np.concatenate(self._remembered.of(lists, lambda missing: [self._judged(one) for one in missing]))

    def _judged(self, one: tuple[str, Ids, tuple[Ids, ...]]) -> Scores:
        """float32 [n]: the relevances of one question's texts."""
        _, question, texts = one
        words, rows, sides = self.bert.words, [], []
        room = self.longest - len(words.head) - len(words.middle) - len(words.tail)
        for text in texts:
            left, right = _shortened(question, text, room)
            rows.append(words.head + left + words.middle + right + words.tail)
            start = len(words.head)
            sides.append((start, start + len(left), start + len(left) + len(words.middle), len(right)))
        read = [
            (hidden[0], hidden[start:end].sum(0), hidden[second : second + length].sum(0))
            for hidden, (start, end, second, length) in zip(self.bert.read(rows), sides, strict=True)
        ]
        return self.head.of(*(np.stack(part) for part in zip(*read, strict=True)))


class Head:
    """What a cross-encoder's classifier makes of [CLS] and of the sums of both sides, each float32 [n, width]."""

    def __init__(self, pooler: Vectors, pooler_bias: Scores, weights: Scores, bias: float) -> None:
        self.pooler = pooler
        self.pooler_bias = pooler_bias
        self.weights = weights
        self.bias = bias

    @classmethod
    def load(cls, weights: Path) -> "Head":
        with safe_open(weights, "numpy") as stored:
            pooler, bias = (stored.get_tensor(f"bert.pooler.dense.{kind}") for kind in ("weight", "bias"))
            classifier = stored.get_tensor("classifier.weight")[0]
            return cls(pooler, bias, classifier, float(stored.get_tensor("classifier.bias")[0]))

    def of(self, first: Vectors, left: Vectors, right: Vectors) -> Scores:
        """A logit each."""
        lengths = [np.maximum(np.linalg.norm(side, axis=1), LEAST) for side in (left, right)]
        cosines = (left * right).sum(1) / (lengths[0] * lengths[1])
        pooled = np.tanh(first @ self.pooler.T + self.pooler_bias)
        logits: Scores = pooled @ self.weights[:-1] + cosines * self.weights[-1] + self.bias
        return logits


def session(file: Path, threads: int) -> onnxruntime.InferenceSession:
    """A graph that is ready to run. `threads` as in `_use_threads`. Raises BotError where it cannot be read."""
    _use_threads(threads)
    options = onnxruntime.SessionOptions()
    options.use_per_session_threads = False
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")  # of idle threads, after each call
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as cause:  # its own exceptions share no base but this
        raise BotError(f"the graph {file} cannot be read: {cause}; train the bot again") from cause


@cache
def _use_threads(threads: int) -> None:
    """One pool of threads for all sessions of the process, as large as the first bot asks; 0: a thread a core.
    NumPy's small products stay on the calling thread: another pool, waiting for work, halves the speed of this."""
    if _use_threads.cache_info().currsize == 0:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        threadpool_limits(1, "blas")
        onnxruntime.set_global_thread_pool_sizes(threads if threads else cores, 1)


def _mapped(weights: Path) -> Vectors:
    """The word embeddings of a safetensors file, mapped: float32 [vocabulary, width]."""
    about = _frozen(weights)
    if about["dtype"] != "F32":
        raise ValueError(f"{weights} has its word embeddings in {about['dtype']}, not in F32")
    return np.memmap(weights, np.float32, "r", about["data_offsets"][0], tuple(about["shape"]))


def _frozen(weights: Path) -> Mapping[str, Any]:
    (about,) = [about for name, about in tensors(weights).items() if name.endswith(FROZEN)]
    return about


def _fingerprint(tokenizer: Path, weights: Path) -> str:
    """16 hexadecimal digits of what a base model's tokenizer and word embeddings are. They are read through a map
    of their own, which is gone afterwards: of the lasting one only the rows that are used shall be in memory."""
    digest = hashlib.sha256(tokenizer.read_bytes())
    start, end = _frozen(weights)["data_offsets"]
    with (
        weights.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole,
        memoryview(whole) as view,
        view[start:end] as words,
    ):
        digest.update(words)
    return digest.hexdigest()[:16]


def _rows(texts: Sequence[Ids]) -> Iterator[list[Ids]]:
    row: list[Ids] = []
    taken = 0
    for text in texts:
        if row and taken + len(text) > ROW:
            yield row
            row, taken = [], 0
        row.append(text)
        taken += len(text)
    if row:
        yield row


def _runs(questions: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """Each run of the same question, with its positions."""
    for question, run in groupby(range(len(questions)), key=questions.__getitem__):
        yield question, list(run)


def _shortened(left: Ids, right: Ids, room: int) -> tuple[Ids, Ids]:
    """Both, cut to `room` tokens together, the longer one first: as the tokenizers package cuts them."""
    if len(left) + len(right) <= room:
        return left, right
    short, long = sorted((len(left), len(right)))
    long = short if short > room else max(short, room - short)
    if short + long > room:
        short = room // 2
        long = short + room % 2
    return (left[:short], right[:long]) if len(left) <= len(right) else (left[:long], right[:short])
