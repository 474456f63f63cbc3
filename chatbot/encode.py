"""Texts to unit vectors: the bi-encoder. The only module that knows sentence-transformers.

In: texts as they are given (cleaning is the caller's). Out: float32 [n, dimension], rows of unit length, in order.
The pipeline is the one both carried models were trained with: prefix, tokens, BERT, mean over the tokens, unit
length. The same object serves answering and training: `model` and `tokenizer` are the live parts, and what a
training step changes is what the next `encode` uses.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import InputModule, Normalize
from sentence_transformers.sentence_transformer.modules import Pooling

from chatbot.domain import Vectors
from chatbot.models import fingerprint, load_encoder
from chatbot.text import readable

BATCH = 32  # texts in one forward pass; sentence-transformers sorts them by length first
PROGRESS_FROM = 500  # texts: about two seconds on two cores
PROBE = "Où est mon colis n° 42, 我的包裹呢？ Посылка… 1½ ﬁ～ 👍"  # tells tokenizers apart


class SentenceEncoder:
    """Implements `protocols.Encoder`. `encode` leaves the model in evaluation mode."""

    def __init__(
        self,
        pipeline: SentenceTransformer,
        model: Any,
        tokenizer: Any,
        prefix: str,
        max_tokens: int,
        progress: bool,
    ) -> None:
        self.pipeline = pipeline
        self.model = model
        self.tokenizer = tokenizer
        self.prefix = prefix
        self.max_tokens = max_tokens
        self.progress = progress

    @classmethod
    def load(
        cls, name: str, prefix: str = "", max_tokens: int = 64, tuned: Path | None = None, progress: bool = False
    ) -> "SentenceEncoder":
        """By a name that `carried.resolve` understands, with the overlay in the folder `tuned`.

        Raises ModelNotFound; BotError where the overlay does not fit.
        """
        model, tokenizer = load_encoder(name, tuned)
        return cls.wrap(model, tokenizer, prefix, max_tokens, progress)

    @classmethod
    def wrap(
        cls, model: Any, tokenizer: Any, prefix: str = "", max_tokens: int = 64, progress: bool = False
    ) -> "SentenceEncoder":
        """Around a BertModel in memory, which may go on being trained. `progress` shows a bar for many texts."""
        modules = [
            BertTokens(model, tokenizer, max_tokens),
            Pooling(model.config.hidden_size, "mean"),
            Normalize(),
        ]
        pipeline = SentenceTransformer(modules=modules, device="cpu")
        return cls(pipeline, model, tokenizer, prefix, max_tokens, progress)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over weights, tokenizer, prefix and max_tokens. Computed anew each time (0.1 to
        0.4 s), since training changes the weights."""
        tokens = self.pipeline.preprocess([PROBE])["input_ids"].tolist()
        parts = (fingerprint(self.model), tokens, self.prefix, self.max_tokens)
        return hashlib.sha256(repr(parts).encode("utf-8")).hexdigest()[:16]

    @property
    def dimension(self) -> int:
        return int(self.model.config.hidden_size)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 [len(texts), dimension], C-contiguous, in the order of `texts`. An empty text has a vector too:
        that of the prefix alone."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        vectors = self.pipeline.encode(
            [self.prefix + readable(text, self.max_tokens) for text in texts],
            batch_size=BATCH,
            show_progress_bar=self.progress and len(texts) >= PROGRESS_FROM,
        )
        return np.ascontiguousarray(vectors, dtype=np.float32)


class BertTokens(InputModule):
    """Texts to BERT's token vectors: sentence-transformers' input module for a model that is in memory already."""

    def __init__(self, model: Any, tokenizer: Any, max_tokens: int) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens

    def preprocess(self, inputs: list[str], **_: Any) -> dict[str, Any]:
        tokens = self.tokenizer(
            inputs, padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        )
        return dict(tokens)

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        names = self.tokenizer.model_input_names
        output = self.model(**{name: features[name] for name in names if name in features})
        return features | {"token_embeddings": output.last_hidden_state}

    def save(self, output_path: str, *_: Any, **__: Any) -> None:
        self.model.save_pretrained(output_path)
        self.save_tokenizer(output_path)
