"""Fine-tune the cross-encoder on the pairs: the right answer's question above those of its nearest rivals.

In: `RankedList`s, one a question: candidate texts mined from the index as they are met when answering (the
closest historical question of each of the nearest answers), and which of them is right. The model is changed in
place. Loss: listwise softmax cross-entropy (Cao et al. 2007, ListNet's top one), which ranks, plus binary
cross-entropy on each pair, which gives the logit a meaning of its own where nothing is right.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from tqdm import tqdm

from chatbot.settings import Rerank

WARM_UP = 0.1  # of the steps


@dataclass(frozen=True, slots=True)
class RankedList:
    """A question with candidate texts; `right` is the position of the right one, None where none is."""

    question: str
    texts: tuple[str, ...]
    right: int | None


class TrainableReranker(Protocol):
    model: Any

    def logits(self, questions: Sequence[str], texts: Sequence[str]) -> torch.Tensor: ...


def tune_reranker(
    reranker: TrainableReranker, lists: Sequence[RankedList], settings: Rerank, *, seed: int, label: str
) -> None:
    """Train `reranker.model` in place; nothing happens where there are no lists or no epochs."""
    model = reranker.model
    if not lists or settings.epochs == 0:
        return
    steps = math.ceil(
        min(max(settings.epochs * len(lists), settings.min_lists), settings.max_lists) / settings.lists
    )
    torch.manual_seed(seed)
    optimizer, schedule = optimiser(model, settings.rate, steps, settings.frozen)
    batches = _batches(lists, settings.lists, random.Random(seed))
    for _ in tqdm(range(steps), desc=label, unit="step"):
        batch = next(batches)
        logits = reranker.logits(
            [ranked.question for ranked in batch for _ in ranked.texts],
            [text for ranked in batch for text in ranked.texts],
        )
        step(list_loss(logits, batch), model, optimizer, schedule)


def list_loss(logits: torch.Tensor, batch: Sequence[RankedList]) -> torch.Tensor:
    """Listwise plus binary loss of logits [sum of list lengths], lists in order."""
    rows = torch.split(logits, [len(ranked.texts) for ranked in batch])
    listwise = [
        cross_entropy(row, torch.tensor(ranked.right))
        for row, ranked in zip(rows, batch, strict=True)
        if ranked.right is not None
    ]
    target = torch.tensor([float(i == ranked.right) for ranked in batch for i in range(len(ranked.texts))])
    binary = binary_cross_entropy_with_logits(logits, target)
    return binary + torch.stack(listwise).mean() if listwise else binary


def optimiser(model: Any, rate: float, steps: int, frozen: float) -> tuple[torch.optim.Optimizer, Any]:
    """AdamW with a short warm-up and a linear way down. The word embeddings stay as they are, and so does the
    `frozen` share of the layers, from the bottom."""
    layers = model.base_model.encoder.layer
    model.requires_grad_(True)  # a copy of a tuned model brings along what was frozen there
    for part in (model.base_model.embeddings, *layers[: frozen_layers(model, frozen)]) if frozen else ():
        part.requires_grad_(False)
    model.get_input_embeddings().weight.requires_grad_(False)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, fused=True)
    warm_up = WARM_UP if WARM_UP * steps > 1 else 0.0  # of one step or less, OneCycleLR makes a division by zero
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=warm_up, anneal_strategy="linear", cycle_momentum=False
    )
    return optimizer, schedule


def frozen_layers(model: Any, share: float) -> int:
    """How many layers, from the bottom, a share of them is; one at least is left to learn."""
    count = len(model.base_model.encoder.layer)
    return min(round(share * count), count - 1)


def step(loss: torch.Tensor, model: Any, optimizer: torch.optim.Optimizer, schedule: Any) -> None:
    """One update, gradients clipped to length 1."""
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()


def _batches(lists: Sequence[RankedList], size: int, chance: random.Random) -> Iterator[list[RankedList]]:
    """Endless batches; each list once before any comes again."""
    order: list[int] = []
    while True:
        while len(order) < size:
            order += chance.sample(range(len(lists)), len(lists))
        yield [lists[i] for i in order[:size]]
        del order[:size]
