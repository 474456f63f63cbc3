"""Fine-tune the cross-encoder on the pairs: the right answer's question above those of its nearest rivals.

In: `RankedList`s, one a question: candidate texts mined from the index as they are met when answering (the
closest historical question of each of the nearest answers), and which of them is right. Some questions are
mistyped, as customers mistype them (learn/noise.py). The model is changed in place. Loss: listwise softmax
cross-entropy (Cao et al. 2007, ListNet's top one), which ranks, plus binary cross-entropy on each pair, which
gives the logit a meaning of its own where nothing is right.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from chatbot.learn.loop import Plan, Watch, fit
from chatbot.learn.noise import maybe_noisy
from chatbot.settings import Rerank


@dataclass(frozen=True, slots=True)
class RankedList:
    """A question with candidate texts; `right` is the position of the right one, None where none is."""

    question: str
    texts: tuple[str, ...]
    right: int | None


class TrainableReranker(Protocol):
    model: Any

    def logits(self, questions: Sequence[str], texts: Sequence[str]) -> torch.Tensor: ...


def list_loss(logits: torch.Tensor, batch: Sequence[RankedList]) -> torch.Tensor:
    """Listwise plus binary loss of logits [sum of list lengths], lists in order."""
    return listwise_loss(logits, batch) + binary_loss(logits, batch)


def binary_loss(logits: torch.Tensor, batch: Sequence[RankedList]) -> torch.Tensor:
    """Cross-entropy of each text on its own."""
    target = torch.tensor([float(i == ranked.right) for ranked in batch for i in range(len(ranked.texts))])
    return binary_cross_entropy_with_logits(logits, target)


def listwise_loss(logits: torch.Tensor, batch: Sequence[RankedList]) -> torch.Tensor:
    """Softmax cross-entropy of each list that has a right text; nought where none has."""
    losses = [
        cross_entropy(row, torch.tensor(ranked.right))
        for row, ranked in by_list(logits, batch)
        if ranked.right is not None
    ]
    return torch.stack(losses).mean() if losses else torch.zeros(())


def by_list(logits: torch.Tensor, batch: Sequence[RankedList]) -> Iterator[tuple[torch.Tensor, RankedList]]:
    """Each list with its own logits."""
    return zip(torch.split(logits, [len(ranked.texts) for ranked in batch]), batch, strict=True)


def tune_reranker(
    reranker: TrainableReranker,
    lists: Sequence[RankedList],
    settings: Rerank,
    *,
    seed: int,
    watch: Watch,
    loss: Callable[[torch.Tensor, Sequence[RankedList]], torch.Tensor] = list_loss,
) -> None:
    """Train `reranker.model` in place; nothing happens where there are no lists or no epochs. A step reads about
    `settings.lists` whole lists; of shorter ones, such as labelled pairs, more, so that steps cost alike."""
    model = reranker.model
    if not lists or settings.epochs == 0:
        return
    steps = math.ceil(
        min(max(settings.epochs * len(lists), settings.min_lists), settings.max_lists) / settings.lists
    )
    length = sum(len(ranked.texts) for ranked in lists) / len(lists)
    size = max(round(settings.lists * (1 + settings.negatives) / length), 1)
    torch.manual_seed(seed)

    def cost(batch: Sequence[RankedList]) -> torch.Tensor:
        logits = reranker.logits(
            [ranked.question for ranked in batch for _ in ranked.texts],
            [text for ranked in batch for text in ranked.texts],
        )
        return loss(logits, batch)

    plan = Plan(steps, settings.rate, settings.layers, settings.lora_rank)
    fit(model, Batches(lists, size, random.Random(seed)), cost, plan, watch)


class Batches:
    """Endless batches; each list once before any comes again, its question mistyped now and then."""

    def __init__(self, lists: Sequence[RankedList], size: int, chance: random.Random) -> None:
        self.lists = lists
        self.size = size
        self.chance = chance
        self.order: list[int] = []

    @property
    def place(self) -> tuple[list[int], Any]:
        return self.order, self.chance.getstate()

    def return_to(self, place: tuple[list[int], Any]) -> None:
        self.order = list(place[0])
        self.chance.setstate(place[1])

    def __next__(self) -> list[RankedList]:
        while len(self.order) < self.size:
            self.order += self.chance.sample(range(len(self.lists)), len(self.lists))
        batch, self.order = self.order[: self.size], self.order[self.size :]
        lists = [self.lists[i] for i in batch]
        return [replace(ranked, question=maybe_noisy(ranked.question, self.chance)) for ranked in lists]
