"""The cross-encoder's training: its loss against numbers worked out by hand, its loop on a tiny BERT."""

import copy
from math import exp, log

import pytest
import torch

from chatbot.learn.loop import Plan, Watch, optimiser
from chatbot.learn.relevance import RankedList, list_loss, tune_reranker
from chatbot.settings import Rerank
from tests.learn.tiny import TinyReranker, changed, weights

LISTS = [
    RankedList("aa", ("aaa", "bb", "cc"), 0),
    RankedList("bb", ("cc", "bbb"), 1),
    RankedList("cc", ("aa", "ccc"), 1),
    RankedList("dd", ("aa", "bb"), None),
    RankedList("ee", ("eee", "bb"), 0),
    RankedList("ff", ("aa", "fff"), 1),
]


def settings(**values: float) -> Rerank:
    """One epoch in batches of two lists, unless said otherwise."""
    given = {
        "epochs": 1,
        "min_lists": 1,
        "max_lists": 1000,
        "lists": 2,
        "negatives": 1,
        "rate": 1e-3,
        "layers": 99,
    }
    return Rerank.model_validate(given | values)


def softplus(logit: float) -> float:
    """Binary cross-entropy of a logit whose target is 0; of -logit where it is 1."""
    return log(1 + exp(logit))


def questions_read(reranker: TinyReranker) -> list[list[str]]:
    """The questions of each batch, each once, in order."""
    return [list(dict.fromkeys(text.split("|")[0] for text in batch)) for batch in reranker.tokenizer.calls]


class TestListLoss:
    def test_ranking_and_binary_loss_are_added(self) -> None:
        logits = torch.tensor([2.0, 0.5, -1.0, 0.0, 3.0])
        batch = [RankedList("a", ("right", "wrong", "wrong"), 0), RankedList("b", ("wrong", "right"), 1)]
        first = log(exp(2) + exp(0.5) + exp(-1)) - 2
        second = log(exp(0) + exp(3)) - 3
        binary = softplus(-2) + softplus(0.5) + softplus(-1) + softplus(0) + softplus(-3)
        assert list_loss(logits, batch).item() == pytest.approx((first + second) / 2 + binary / 5, abs=1e-6)

    def test_a_list_with_nothing_right_has_no_ranking(self) -> None:
        logits = torch.tensor([2.0, 0.0, 1.0])
        batch = [RankedList("a", ("right", "wrong"), 0), RankedList("b", ("wrong",), None)]
        ranking = log(1 + exp(-2))  # the mean over the first list alone
        binary = softplus(-2) + softplus(0) + softplus(1)
        assert list_loss(logits, batch).item() == pytest.approx(ranking + binary / 3, abs=1e-6)

    def test_only_lists_with_nothing_right(self) -> None:
        batch = [RankedList("a", ("wrong", "wrong"), None)]
        expected = (softplus(-1) + softplus(1)) / 2
        assert list_loss(torch.tensor([-1.0, 1.0]), batch).item() == pytest.approx(expected, abs=1e-6)


class TestLoop:
    def test_each_list_comes_once_before_any_comes_again(self) -> None:
        reranker = TinyReranker()
        tune_reranker(reranker, LISTS, settings(epochs=2), seed=7, watch=Watch("test"))
        read = [question for batch in questions_read(reranker) for question in batch]
        everything = sorted(ranked.question for ranked in LISTS)
        assert len(read) == 12
        assert sorted(read[:6]) == sorted(read[6:]) == everything
        assert read[:6] != read[6:]

    @pytest.mark.parametrize(
        ("values", "steps"),
        [
            ({"epochs": 1}, 3),  # six lists, two at a time
            ({"epochs": 0.5}, 2),  # three lists: one and a half batches
            ({"epochs": 1, "min_lists": 9}, 5),
            ({"epochs": 5, "max_lists": 4}, 2),
            ({"epochs": 1, "min_lists": 20}, 10),  # a tenth of it is exactly one step of warm-up
            ({"epochs": 1, "max_lists": 1}, 1),
        ],
    )
    def test_how_many_steps(self, values: dict[str, float], steps: int) -> None:
        reranker = TinyReranker()
        tune_reranker(reranker, LISTS, settings(**values), seed=7, watch=Watch("test"))
        assert len(reranker.tokenizer.calls) == steps

    def test_short_lists_fill_a_batch_with_more_of_them(self) -> None:
        reranker = TinyReranker()
        lists = [RankedList("aa", ("aa",), 0), RankedList("bb", ("cc",), None)] * 6
        tune_reranker(reranker, lists, settings(), seed=7, watch=Watch("test"))
        assert [len(texts) for texts in reranker.tokenizer.calls] == [4] * 6  # two lists of two would hold four

    def test_the_loss_falls(self) -> None:
        reranker = TinyReranker()

        def loss() -> float:
            with torch.no_grad():
                left = [ranked.question for ranked in LISTS for _ in ranked.texts]
                right = [text for ranked in LISTS for text in ranked.texts]
                return list_loss(reranker.logits(left, right), LISTS).item()

        before = loss()
        tune_reranker(reranker, LISTS, settings(epochs=30, rate=0.01), seed=7, watch=Watch("test"))
        assert not reranker.model.training
        assert loss() < before - 0.1

    def test_a_seed_settles_every_weight(self) -> None:
        first, second, other = TinyReranker(), TinyReranker(), TinyReranker()
        tune_reranker(first, LISTS, settings(), seed=7, watch=Watch("test"))
        tune_reranker(second, LISTS, settings(), seed=7, watch=Watch("test"))
        tune_reranker(other, LISTS, settings(), seed=8, watch=Watch("test"))
        assert changed(weights(first.model), second.model) == set()
        assert changed(weights(first.model), other.model) != set()

    @pytest.mark.parametrize(("lists", "epochs"), [([], 1), (LISTS, 0)])
    def test_nothing_happens_without_lists_or_epochs(self, lists: list[RankedList], epochs: float) -> None:
        reranker = TinyReranker()
        before = weights(reranker.model)
        tune_reranker(reranker, lists, settings(epochs=epochs), seed=7, watch=Watch("test"))
        assert changed(before, reranker.model) == set()
        assert reranker.tokenizer.calls == []


class TestFrozen:
    WORDS = "bert.embeddings.word_embeddings.weight"

    def test_the_word_embeddings_stay_always(self) -> None:
        reranker = TinyReranker()
        before = weights(reranker.model)
        tune_reranker(reranker, LISTS, settings(), seed=7, watch=Watch("test"))
        left = before.keys() - changed(before, reranker.model)
        assert left == {self.WORDS}

    def test_the_lower_share_of_the_layers_stays_with_all_embeddings(self) -> None:
        reranker = TinyReranker()
        before = weights(reranker.model)
        tune_reranker(reranker, LISTS, settings(layers=1), seed=7, watch=Watch("test"))
        left = before.keys() - changed(before, reranker.model)
        assert left == {name for name in before if name.startswith(("bert.embeddings.", "bert.encoder.layer.0."))}

    def test_what_an_earlier_training_froze_is_trained_where_now_it_shall_be(self) -> None:
        model = TinyReranker().model
        optimiser(model, Plan(5, 1e-3, 1))
        later = copy.deepcopy(model)  # as a cross-encoder starts from a tuned encoder
        optimiser(later, Plan(5, 1e-3, 99))
        assert {name for name, weight in later.named_parameters() if not weight.requires_grad} == {self.WORDS}


@pytest.mark.parametrize(("steps", "peak"), [(100, 9), (20, 1), (11, 1), (10, 0), (3, 0)])
def test_the_rate_climbs_for_a_tenth_of_the_steps_then_falls_to_nothing(steps: int, peak: int) -> None:
    optimizer, schedule = optimiser(TinyReranker().model, Plan(steps, 1e-3, 99))
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates.index(max(rates)) == peak
    assert max(rates) <= 1e-3
    assert rates[-1] < 1e-7
