"""Texts one behind the other in a few rows, so that a BERT in PyTorch computes next to no padding.

In: how many tokens each text has. Out: a `Packing`, which lays anything that there is one of for each token into
rows, and says by position and by mask what belongs together; what a model makes of the rows comes back text after
text. Padded instead to the longest of sixteen texts of similar length, a quarter of a batch is padding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch

WIDTH = 64  # tokens a row, roughly: attention within a row shall cost little beside the products


@dataclass(frozen=True, slots=True)
class Packing:
    """Of every token, text after text: `places` in the rows laid end to end, `texts` the number of its text,
    `positions` in that text. `shape` is rows and width."""

    shape: tuple[int, int]
    lengths: torch.Tensor
    places: torch.Tensor
    texts: torch.Tensor
    positions: torch.Tensor

    @classmethod
    def of(cls, lengths: Sequence[int]) -> "Packing":
        """The longest text first, each into the row with the most room. No text may be empty."""
        rows = max(round(sum(lengths) / WIDTH), 1)
        filled, homes = [0] * rows, [(0, 0)] * len(lengths)
        for text in sorted(range(len(lengths)), key=lambda text: -lengths[text]):
            row = filled.index(min(filled))
            homes[text] = row, filled[row]
            filled[row] += lengths[text]
        width = max(filled)
        size = torch.tensor(lengths)
        texts = torch.arange(len(lengths)).repeat_interleave(size)
        begun = torch.tensor([0, *accumulate(lengths)])[:-1]
        positions = torch.arange(len(texts)) - begun[texts]
        home = torch.tensor([row * width + start for row, start in homes])
        return cls((rows, width), size, home[texts] + positions, texts, positions)

    def laid(self, values: torch.Tensor, empty: int = 0) -> torch.Tensor:
        """[tokens, ...] -> [rows, width, ...], `empty` where no token lies."""
        flat = values.new_full((self.shape[0] * self.shape[1], *values.shape[1:]), empty)
        return flat.index_copy(0, self.places, values).view(*self.shape, *values.shape[1:])

    def read(self, model: Any, **inputs: torch.Tensor) -> torch.Tensor:
        """What the model makes of each token [tokens, dim]; `inputs` [tokens, ...] go to it by name."""
        owner = self.laid(self.texts, -1)
        apart = owner[:, None, :, None] != owner[:, None, None, :]
        mask = torch.zeros(apart.shape).masked_fill(apart, float("-inf"))
        laid = {name: self.laid(values) for name, values in inputs.items()}
        output = model(**laid, position_ids=self.laid(self.positions), attention_mask=mask)
        hidden: torch.Tensor = output.last_hidden_state
        return hidden.flatten(0, 1)[self.places]

    def means(self, values: torch.Tensor) -> torch.Tensor:
        """Of each text the mean over its tokens: [tokens, dim] -> [texts, dim]."""
        sums = values.new_zeros(len(self.lengths), values.shape[1]).index_add(0, self.texts, values)
        return sums / self.lengths[:, None]
