"""Which loss teaches the cross-encoder best: results/losses/SET-SEED.json.

    python benchmarks/losses.py --sets DIR NAME …          folders of DIR with pairs.csv and dialogues.jsonl
    python benchmarks/losses.py --sets DIR hint3-sofmattress banking77-dev@10

For each seed the encoder is tuned once, without the held-out pairs, and the lists are mined once; then a fresh
cross-encoder learns from them with each loss. Fusion and confidence are fitted on the held-out questions; judged
are the dialogues' turns, but for those whose answer was left out whole. A run that has its result already is left
alone. `python benchmarks/tables.py` writes the table into docs/ablation.md.

    binary      cross-entropy of each pair on its own
    listwise    softmax cross-entropy of each list
    both        their sum, which ships
    margin      the right text's logit shall be one above the hardest wrong one's, plus binary
    distilled   softmax cross-entropy against the mean of what the four above say, plus binary
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from ablation import Asked, Rows, ask, measures, on_each, options
from torch.nn.functional import cross_entropy, margin_ranking_loss, softmax

from chatbot.decide import EVIDENCE
from chatbot.domain import HeldOutDialogue, QAPair
from chatbot.learn.calibrate import PRIOR, calibrate
from chatbot.learn.contrastive import tune_encoder
from chatbot.learn.folds import samples, split
from chatbot.learn.loop import Watch
from chatbot.learn.mine import labelled, ranked_lists
from chatbot.learn.relevance import (
    RankedList,
    binary_loss,
    by_list,
    list_loss,
    listwise_loss,
    tune_reranker,
)
from chatbot.protocols import Reranker
from chatbot.settings import Settings
from chatbot.workshop import workshop

Loss = Callable[[torch.Tensor, Sequence[RankedList]], torch.Tensor]
RELEVANCE = EVIDENCE.index("relevance")


def main() -> int:
    return on_each(options(__doc__), "losses", compare)


def compare(pairs: Sequence[QAPair], dialogues: Sequence[HeldOutDialogue], seed: int) -> Rows:
    """Measures by loss; `alone` is how often the most relevant of the answers that were read is right."""
    settings = Settings.load("default", {}).model_copy(update={"seed": seed})
    language = dialogues[0].language
    room = workshop(language, len(pairs), settings)
    part = split([p for p in pairs if p.language == language], settings.calibrate, 1, seed)[0]
    encoder = room.encoder()
    tune_encoder(
        encoder,
        labelled(part.kept, (), room.casefold),
        settings.encode,
        seed=seed,
        watch=Watch(f"seed {seed}: encoder"),
    )
    line = room.retriever(part.kept, encoder)
    lists = ranked_lists(line, settings.rerank.negatives, seed)
    judged = [_scored_on(dialogue, {pair.answer_id for pair in part.kept}) for dialogue in dialogues]
    losses: dict[str, Loss] = {
        "binary": binary_loss,
        "listwise": listwise_loss,
        "both": list_loss,
        "margin": margin,
    }
    teachers: list[Reranker] = []
    rows = {}
    for name in (*losses, "distilled"):
        reranker = room.reranker(encoder)
        loss = distilled(teachers, lists) if name == "distilled" else losses[name]
        tune_reranker(reranker, lists, settings.rerank, seed=seed, watch=Watch(f"seed {seed}: {name}"), loss=loss)
        teachers.append(reranker)
        line.reranker = reranker
        line.calibration = PRIOR  # which answers are read shall not depend on the loss before
        line.calibration = calibrate(samples(line, part), settings.decide)
        asked = ask(line, judged)
        rows[name] = {"alone": _alone(asked)} | measures(line.calibration, asked)
    return rows


def _scored_on(dialogue: HeldOutDialogue, known: set[str]) -> HeldOutDialogue:
    """The dialogue without a score for turns that only answers left out whole would answer."""
    turns = (
        turn if not turn.expected or known.intersection(turn.expected) else replace(turn, expected=None)
        for turn in dialogue.turns
    )
    return replace(dialogue, turns=tuple(turns))


def margin(logits: torch.Tensor, batch: Sequence[RankedList]) -> torch.Tensor:
    right = torch.stack([row[ranked.right] for row, ranked in by_list(logits, batch)])
    wrong = torch.stack(
        [row[[i for i in range(len(row)) if i != ranked.right]].max() for row, ranked in by_list(logits, batch)]
    )
    return binary_loss(logits, batch) + margin_ranking_loss(right, wrong, torch.ones_like(right), margin=1.0)


def distilled(teachers: Sequence[Reranker], lists: Sequence[RankedList]) -> Loss:
    """What the teachers say on average is what the list's softmax shall be."""
    questions = [ranked.question for ranked in lists for _ in ranked.texts]
    texts = [text for ranked in lists for text in ranked.texts]
    said = np.mean([teacher.score(questions, texts) for teacher in teachers], axis=0)
    parts = torch.split(torch.from_numpy(said), [len(ranked.texts) for ranked in lists])
    target = {ranked: softmax(part, 0) for ranked, part in zip(lists, parts, strict=True)}

    def loss(logits: torch.Tensor, batch: Sequence[RankedList]) -> torch.Tensor:
        soft = [cross_entropy(row, target[ranked]) for row, ranked in by_list(logits, batch)]
        return binary_loss(logits, batch) + torch.stack(soft).mean()

    return loss


def _alone(asked: Sequence[Asked]) -> float:
    """Of the answerable turns, how many have a right one as the most relevant of the answers read: those beyond
    have the least relevance of all and so never come first."""
    inside = [turn for turn in asked if turn.answerable]
    return float(np.mean([turn.right[turn.evidence[:, RELEVANCE].argmax()] for turn in inside]))


if __name__ == "__main__":
    sys.exit(main())
