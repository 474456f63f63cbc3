"""Why the cross-encoder finds a candidate relevant: which words it looks at, which ones count, and whether to
believe that.

In: a cross-encoder in PyTorch, how a text is cut into words, and two texts in the form in which the bot compares
them (retrieve.form). Out: an `Explanation` with, for whole words,

    attention    how much the question's words and the candidate's attend to each other
    attribution  by how much each word raises or lowers the relevance: integrated gradients
                 (Sundararajan and others 2017, https://arxiv.org/abs/1703.01365)
    deletion     what taking out the words so named does to the relevance, beside words by chance

Attention is the mean over the heads of the first half of the layers, over both directions. In later layers a
position holds something of the whole text and no longer its word: taking out words by their attention then lowers
the relevance less.

Attribution is measured for one text at a time: its words come out of the padding token's embedding step by step,
while the other text, the special tokens and the prefix are there all along. With both texts out at once they would
be the same text, which is most relevant of all: the sum to be explained would be negative for a good candidate.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from chatbot.insight.deletion import Deletion, Named, Span, delete
from chatbot.protocols import Reranker
from chatbot.text import readable

if TYPE_CHECKING:
    import torch

STEPS = (16, 32)  # of the integral, by Gauss and Legendre; the finer one where the coarser one leaves
GAP = 0.2  # more than this between what words add and the whole
TOKENS = 1024  # in one pass and its gradients


class Explainable(Reranker, Protocol):
    """A cross-encoder that lets itself be looked into: rerank.CrossEncoder."""

    model: Any
    tokenizer: Any
    prefix: str
    max_tokens: int

    def read(self, questions: Sequence[str], texts: Sequence[str]) -> Any: ...

    def judge(self, sides: Sequence[Sequence[int]], **tokens: "torch.Tensor") -> "torch.Tensor": ...


@dataclass(frozen=True, slots=True)
class Side:
    """The words of one text that were read, with what each adds to the relevance; these add up to the relevance
    less that without the text, but for `gap`. `whole` tells whether all of the text was read."""

    words: tuple[str, ...]
    attribution: tuple[float, ...]
    gap: float
    whole: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """`attention` has a row for each word of the question and a column for each of the candidate's: the share of a
    word's attention that goes to the other one, as the mean of there and back. `relevance` is the logit."""

    question: Side
    candidate: Side
    attention: tuple[tuple[float, ...], ...]
    relevance: float
    deletion: Deletion

    @property
    def completeness_gap(self) -> float:
        return max(self.question.gap, self.candidate.gap)


@dataclass(frozen=True, slots=True)
class _Words:
    """A text as far as it was read, where its words stand and which tokens each has."""

    text: str
    spans: tuple[Span, ...]
    tokens: tuple[tuple[int, ...], ...]
    whole: bool

    def shares(self, length: int) -> NDArray[np.float64]:
        """[words, length]: 1 for each token of a word."""
        of_words = np.zeros((len(self.tokens), length))
        for row, own in zip(of_words, self.tokens, strict=True):
            row[list(own)] = 1
        return of_words


def explain(
    reranker: Explainable, cut: Callable[[str], Sequence[Span]], question: str, candidate: str
) -> Explanation:
    """`cut` says where the words of a text stand (lexical.spans). Works for any text, also without a word."""
    tokens = reranker.read([question], [candidate])
    ids, sides = tokens["input_ids"][0], [-1 if side is None else side for side in tokens.sequence_ids(0)]
    both = [_words(reranker, cut, tokens, side, text) for side, text in enumerate((question, candidate))]
    attention = _attention(reranker.model.bert, ids, both)
    attribution, gaps = _attribution(reranker, ids, sides, both)
    attended = attention.sum(axis=1).tolist(), attention.sum(axis=0).tolist()
    deletion = delete(
        reranker,
        Named(both[0].text, both[0].spans, attribution[0], attended[0]),
        Named(both[1].text, both[1].spans, attribution[1], attended[1]),
    )
    told = [
        Side(tuple(words.text[start:end] for start, end in words.spans), counts, gap, words.whole)
        for words, counts, gap in zip(both, attribution, gaps, strict=True)
    ]
    return Explanation(told[0], told[1], tuple(map(tuple, attention.tolist())), deletion.attribution[0], deletion)


def _words(
    reranker: Explainable, cut: Callable[[str], Sequence[Span]], tokens: Any, side: int, text: str
) -> _Words:
    """Words that share a token are one; what has no token was not read and is none."""
    before = len(reranker.prefix)
    places = {
        i: (start - before, end - before)
        for i, (start, end) in enumerate(tokens["offset_mapping"][0])
        if tokens.sequence_ids(0)[i] == side and end > before
    }
    whole = readable(text, len(text))  # as the tokenizer was given it, but to its end
    read = max((end for _, end in places.values()), default=0) if tokens[0].overflowing else len(whole)
    spans: list[Span] = []
    owned: list[tuple[int, ...]] = []
    for start, end in cut(whole[:read]):
        own = tuple(i for i, (first, last) in places.items() if first < end and last > start)
        if own and owned and own[0] == owned[-1][-1]:
            spans[-1], owned[-1] = (spans[-1][0], end), owned[-1] + own[1:]
        elif own:
            spans.append((start, end))
            owned.append(own)
    return _Words(whole[:read], tuple(spans), tuple(owned), not whole[read:].strip())


def _attention(bert: Any, ids: Sequence[int], both: Sequence[_Words]) -> NDArray[np.float64]:
    """[words of the question, words of the candidate]; see above."""
    import torch

    # The weights are shared, the configuration is not: the model answers somebody else meanwhile.
    weights = [*bert.parameters(), *bert.buffers()]
    eager = deepcopy(bert, {id(weight): weight for weight in weights})
    eager.set_attn_implementation("eager")  # the only implementation that gives its weights out
    with torch.inference_mode():
        layers = eager(input_ids=torch.tensor([ids]), output_attentions=True).attentions
    first = torch.stack(layers[: (len(layers) + 1) // 2])[:, 0]  # [layers, heads, tokens, tokens]
    weighed = first.mean(dim=(0, 1)).double().numpy()
    question, candidate = (words.shares(len(ids)) for words in both)
    there = question @ weighed @ candidate.T / question.sum(axis=1)[:, None]
    back = candidate @ weighed @ question.T / candidate.sum(axis=1)[:, None]
    return (there + back.T) / 2


def _attribution(
    reranker: Explainable, ids: Sequence[int], sides: Sequence[int], both: Sequence[_Words]
) -> tuple[list[tuple[float, ...]], list[float]]:
    """For both texts, of each word what it adds to the logit, and by how much their sum misses the whole."""
    import torch
    from captum.attr import IntegratedGradients  # slow to import, seldom needed

    def logits(embedded: torch.Tensor) -> torch.Tensor:
        return reranker.judge([sides] * len(embedded), inputs_embeds=embedded.flatten(0, 1))

    embeddings = reranker.model.bert.get_input_embeddings().weight.detach()
    whole = embeddings[ids]
    out = torch.zeros(2, len(ids), 1, dtype=torch.bool)
    for side, words in enumerate(both):
        out[side, [i for own in words.tokens for i in own]] = True
    without = torch.where(out, embeddings[reranker.tokenizer.pad_token_id], whole)
    for steps in STEPS:
        added, gaps = IntegratedGradients(logits).attribute(
            whole.expand_as(without),
            without,
            n_steps=steps,
            internal_batch_size=max(TOKENS // len(ids), 2),
            return_convergence_delta=True,
        )
        if gaps.abs().max() <= GAP:
            break
    of_tokens = added.sum(dim=2).double().numpy()
    of_words = [tuple((words.shares(len(ids)) @ own).tolist()) for words, own in zip(both, of_tokens, strict=True)]
    return of_words, gaps.abs().tolist()
