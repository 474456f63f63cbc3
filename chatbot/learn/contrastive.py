"""Fine-tune the bi-encoder on the company's own pairs, so that questions with one answer lie close together.

In: an encoder with its model, and questions labelled by answer. The model is changed in place. Half of each batch
comes from answers that the model confuses (nearest neighbours: hard negatives for free). Each anchor has one
positive: another question of its answer, the answer's own text, or, where the answer has a single question, that
question mistyped.

Loss: InfoNCE in both directions (van den Oord et al. 2018, https://arxiv.org/abs/1807.03748) over the batch,
where texts of the same answer are not counted as negatives. Word embeddings and the lower layers stay frozen: a
few thousand pairs teach them nothing, and what they make of a text need be computed only once. No dropout: its
random numbers take a quarter of a step on a CPU.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize
from transformers import BertModel

from chatbot.learn.loop import PACE, Plan, Watch, fit, frozen_layers
from chatbot.learn.noise import maybe_noisy, noisy
from chatbot.packing import Packing
from chatbot.settings import Encode

ANSWER_SHARE = 0.25  # of the anchors, how many meet the answer's own text instead of another question
SAMPLED_ANSWERS = 256  # answers among which confusable ones are looked for at each refresh
ROOM = 200_000  # tokens whose vectors, as the frozen layers leave them, are kept: 300 MB of 384 float32 each


Batch = tuple[list[str], list[str], list[int]]


class TrainableEncoder(Protocol):
    model: Any
    tokenizer: Any
    prefix: str
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Labelled:
    """Questions as the encoder meets them, the number of each one's answer, and the answers' texts (or None)."""

    questions: Sequence[str]
    answers: Sequence[int]
    answer_texts: Sequence[str | None]


def tune_encoder(encoder: TrainableEncoder, texts: Labelled, settings: Encode, *, seed: int, watch: Watch) -> None:
    """Train `encoder.model` in place; nothing happens with fewer than two answers or no epochs."""
    wanted = round(settings.epochs * len(texts.questions) / settings.anchors)
    steps = min(max(wanted, settings.min_steps), settings.max_steps)
    if settings.epochs == 0 or len(set(texts.answers)) < 2:
        return
    torch.manual_seed(seed)
    model = encoder.model
    frozen = frozen_layers(model, settings.layers)
    halves = Halves(model, frozen) if frozen else None

    def cost(batch: Batch) -> torch.Tensor:
        left, right, labels = batch
        vectors = embed(encoder, left + right, halves)
        return info_nce(vectors[: len(left)], vectors[len(left) :], torch.as_tensor(labels), settings.temperature)

    plan = Plan(steps, settings.rate, settings.layers, settings.lora_rank)
    fit(model, Batches(encoder, halves, texts, settings.anchors, random.Random(seed)), cost, plan, watch)


class Halves:
    """A BERT in two parts that share its weights: what the frozen lower one makes of a text is kept."""

    def __init__(self, model: Any, frozen: int) -> None:
        layers = model.encoder.layer
        self.lower = _part(model, model.embeddings, layers[:frozen])
        self.upper = _part(model, _AsGiven(), layers[frozen:])
        self.kept: dict[tuple[int, ...], torch.Tensor] = {}
        self.room = ROOM

    def __call__(self, rows: Sequence[tuple[int, ...]], packing: Packing) -> torch.Tensor:
        """Word vectors [tokens, dim] of token rows, with gradient."""
        fresh = [row for row in dict.fromkeys(rows) if row not in self.kept]
        known = self.kept
        if fresh:
            new = Packing.of([len(row) for row in fresh])
            with torch.no_grad():
                words = new.read(self.lower, input_ids=torch.tensor([token for row in fresh for token in row]))
            known = known | dict(zip(fresh, words.split(new.lengths.tolist()), strict=True))
            if len(words) <= self.room:
                self.kept = known
                self.room -= len(words)
        return packing.read(self.upper, inputs_embeds=torch.cat([known[row] for row in rows]))


class _AsGiven(nn.Module):
    """Stands in for the embeddings of a part that begins in the middle."""

    def forward(self, inputs_embeds: torch.Tensor, **_: Any) -> torch.Tensor:
        return inputs_embeds


def _part(model: Any, embeddings: nn.Module, layers: Sequence[nn.Module]) -> Any:
    with torch.device("meta"):  # a frame without memory
        part = BertModel(model.config, add_pooling_layer=False)
    part.embeddings = embeddings
    part.encoder.layer = nn.ModuleList(layers)
    return part.eval()


def embed(encoder: TrainableEncoder, texts: Sequence[str], halves: Halves | None = None) -> torch.Tensor:
    """Mean-pooled unit vectors [n, dim] with gradient; the texts share a pass."""
    prefixed = [encoder.prefix + text for text in texts]
    tokens = encoder.tokenizer(
        prefixed, truncation=True, max_length=encoder.max_tokens, return_token_type_ids=False
    )
    rows = [tuple(row) for row in tokens["input_ids"]]
    packing = Packing.of([len(row) for row in rows])
    if halves is None:
        words = packing.read(encoder.model, input_ids=torch.tensor([token for row in rows for token in row]))
    else:
        words = halves(rows, packing)
    return normalize(packing.means(words), dim=1)


def info_nce(left: torch.Tensor, right: torch.Tensor, labels: torch.Tensor, temperature: float) -> torch.Tensor:
    """Mean cross-entropy of finding each row's partner, both ways; other rows of the same label are left out."""
    logits = left @ right.T / temperature
    same = (labels[:, None] == labels[None, :]) & ~torch.eye(len(labels), dtype=torch.bool)
    logits = logits.masked_fill(same, float("-inf"))
    target = torch.arange(len(labels))
    return (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2


class Batches:
    """Endless batches (left texts, right texts, answers): half by chance, half from one confusable group; these
    are looked for again every PACE batches."""

    def __init__(
        self, encoder: TrainableEncoder, halves: Halves | None, texts: Labelled, size: int, chance: random.Random
    ) -> None:
        self.encoder = encoder
        self.halves = halves
        self.texts = texts
        self.size = size
        self.chance = chance
        self.of_answer: dict[int, list[int]] = {}
        for question, answer in enumerate(texts.answers):
            self.of_answer.setdefault(answer, []).append(question)
        self.groups: list[list[int]] = []
        self.number = 0

    @property
    def place(self) -> tuple[int, Any]:
        return self.number, self.chance.getstate()

    def return_to(self, place: tuple[int, Any]) -> None:
        self.number = place[0]
        self.chance.setstate(place[1])

    def __next__(self) -> Batch:
        texts, chance, size = self.texts, self.chance, self.size
        if self.number % PACE == 0:
            self.groups = _confusable(self.encoder, self.halves, texts, self.of_answer, size // 4, chance)
        self.number += 1
        anchors = chance.sample(range(len(texts.questions)), min(size // 2, len(texts.questions)))
        group = chance.choice(self.groups)
        anchors += [chance.choice(self.of_answer[answer]) for answer in group for _ in range(2)]
        left = [maybe_noisy(texts.questions[anchor], chance) for anchor in anchors]
        right = [_positive(anchor, texts, self.of_answer, chance) for anchor in anchors]
        return left, right, [texts.answers[anchor] for anchor in anchors]


def _positive(anchor: int, texts: Labelled, of_answer: dict[int, list[int]], chance: random.Random) -> str:
    answer = texts.answers[anchor]
    answer_text = texts.answer_texts[answer]
    if answer_text is not None and chance.random() < ANSWER_SHARE:
        return answer_text
    others = [sibling for sibling in of_answer[answer] if sibling != anchor]
    if others:
        return maybe_noisy(texts.questions[chance.choice(others)], chance)
    return noisy(noisy(texts.questions[anchor], chance), chance)


@torch.no_grad()
def _confusable(
    encoder: TrainableEncoder,
    halves: Halves | None,
    texts: Labelled,
    of_answer: dict[int, list[int]],
    k: int,
    chance: random.Random,
) -> list[list[int]]:
    """Groups of k answers that lie close together, judged by one sampled question of each answer."""
    names = chance.sample(sorted(of_answer), min(len(of_answer), SAMPLED_ANSWERS))
    vectors = embed(encoder, [texts.questions[chance.choice(of_answer[name])] for name in names], halves)
    near = torch.topk(vectors @ vectors.T, min(k, len(names))).indices.tolist()
    return [[names[n] for n in group] for group in near]
