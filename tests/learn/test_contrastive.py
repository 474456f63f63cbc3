"""The encoder's training: its loss against numbers worked out by hand, its batches and its loop on a tiny BERT."""

import random
from math import exp, log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chatbot.learn.contrastive import Halves, Labelled, embed, info_nce, tune_encoder
from chatbot.learn.loop import Watch
from chatbot.learn.noise import slip
from chatbot.settings import Encode
from tests.learn.tiny import TinyEncoder, changed, weights

# Every text of answer 0 is made of a, of answer 1 of b, and so on; an answer's own text is the longest. Answer
# 3 has
# a single question, and no text of its own: it is known from a match.
TEXTS = Labelled(
    ["aaaa", "aaaaaa", "bbbb", "bbbbbb", "cccc", "cccccc", "dddd"],
    [0, 0, 1, 1, 2, 2, 3],
    ["a" * 20, "b" * 20, "c" * 20, None],
)


def settings(**values: float) -> Encode:
    given = {
        "epochs": 1,
        "min_steps": 1,
        "max_steps": 1000,
        "anchors": 8,
        "rate": 1e-3,
        "layers": 99,
    }
    return Encode.model_validate(given | values)


def halves(batch: list[str]) -> list[tuple[str, str]]:
    """Anchors with their partners: a batch is all anchors, then all partners."""
    middle = len(batch) // 2
    return list(zip(batch[:middle], batch[middle:], strict=True))


def batches(encoder: TinyEncoder) -> list[list[str]]:
    """What was trained on: all texts that the tokenizer saw, but for the first call in 25, which looks for answers
    that the model confuses."""
    return [texts for number, texts in enumerate(encoder.tokenizer.calls) if number % 26]


class TestInfoNce:
    def test_two_rows_that_find_each_other(self) -> None:
        unit = torch.eye(2)
        labels = torch.tensor([0, 1])
        assert info_nce(unit, unit, labels, 1.0).item() == pytest.approx(log(1 + exp(-1)))
        assert info_nce(unit, unit, labels, 0.5).item() == pytest.approx(log(1 + exp(-2)))

    def test_both_directions_count(self) -> None:
        left = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        right = torch.tensor([[1.0, 0.0], [1.0, 0.0]])  # similarities: 1 and 1, then 0 and 0
        from_left = log(2)
        from_right = (log(1 + exp(-1)) + log(1 + exp(1))) / 2
        loss = info_nce(left, right, torch.tensor([0, 1]), 1.0).item()
        assert loss == pytest.approx((from_left + from_right) / 2)

    def test_rows_of_the_same_answer_are_not_each_others_negatives(self) -> None:
        unit = torch.eye(3)
        loss = info_nce(unit, unit, torch.tensor([5, 5, 9]), 1.0).item()
        same, other = log(1 + exp(-1)), log(1 + 2 * exp(-1))  # one negative, and two
        assert loss == pytest.approx((2 * same + other) / 3)

    def test_one_answer_alone_has_nothing_to_learn(self) -> None:
        vectors = torch.nn.functional.normalize(torch.arange(6.0).reshape(3, 2) + 1)
        assert info_nce(vectors, vectors, torch.tensor([4, 4, 4]), 0.05).item() == 0.0


class TestSlip:
    @given(st.text("abc", min_size=3, max_size=8), st.integers(0, 1000))
    def test_exactly_one_place_changes(self, text: str, seed: int) -> None:
        places = range(len(text))
        lost = {text[:i] + text[i + 1 :] for i in places}
        doubled = {text[:i] + text[i] + text[i:] for i in places}
        swapped = {text[:i] + text[i + 1] + text[i] + text[i + 2 :] for i in places[:-1]}
        slipped = slip(text, random.Random(seed))
        assert slipped in lost | doubled | swapped
        assert slipped != text

    def test_every_kind_of_slip_happens(self) -> None:
        slipped = {slip("abc", random.Random(seed)) for seed in range(100)}
        assert slipped == {"bc", "ac", "aabc", "abbc", "bac", "acb"}
        assert {slip("aaa", random.Random(seed)) for seed in range(100)} == {"aa", "aaaa"}

    @pytest.mark.parametrize("text", ["", "a", "ok"])
    def test_what_is_too_short_stays(self, text: str) -> None:
        assert {slip(text, random.Random(seed)) for seed in range(20)} == {text}


class TestEmbed:
    def test_unit_vectors_in_the_order_of_the_texts_whatever_shares_a_pass(self) -> None:
        encoder = TinyEncoder()
        texts = ["a" * (1 + (7 * i) % 40) + chr(97 + i % 26) for i in range(35)]
        with torch.no_grad():
            together = embed(encoder, texts)
            alone = torch.cat([embed(encoder, [text]) for text in texts])
        assert together.shape == (35, 16)
        assert torch.allclose(together, alone, atol=1e-5)
        assert torch.allclose(together.norm(dim=1), torch.ones(len(texts)))

    def test_it_is_the_mean_over_the_tokens(self) -> None:
        encoder = TinyEncoder()
        with torch.no_grad():
            hidden = encoder.model(input_ids=torch.tensor([[ord("h") % 64, ord("i") % 64]])).last_hidden_state
            expected = torch.nn.functional.normalize(hidden.mean(1))
            assert torch.allclose(embed(encoder, ["hi"]), expected, atol=1e-6)

    def test_the_prefix_stands_before_every_text_and_max_tokens_cuts(self) -> None:
        encoder = TinyEncoder(prefix="q: ")
        encoder.max_tokens = 5
        with torch.no_grad():
            cut, whole = embed(encoder, ["hi there", "hi"])
        assert encoder.tokenizer.calls == [["q: hi there", "q: hi"]]
        assert torch.allclose(cut, whole, atol=1e-6)

    def test_two_halves_give_what_the_whole_gives_and_compute_the_lower_one_once(self) -> None:
        encoder = TinyEncoder()
        halves = Halves(encoder.model, 1)
        texts = ["short", "a little longer", "x", "short"]
        whole = embed(encoder, texts)
        passes: list[int] = []
        halves.lower.register_forward_hook(lambda *_: passes.append(1))
        for _ in range(2):
            assert torch.allclose(embed(encoder, texts, halves), whole, atol=1e-6)
        assert len(passes) == 1
        embed(encoder, texts, halves).sum().backward()
        learnt = {name for name, weight in encoder.model.named_parameters() if weight.grad is not None}
        assert learnt == {name for name, _ in encoder.model.named_parameters() if "encoder.layer.1." in name}

    def test_there_is_an_end_to_what_is_kept(self) -> None:
        encoder = TinyEncoder()
        halves = Halves(encoder.model, 1)
        halves.room = 7
        for text in ("12345", "678", "12"):
            assert torch.allclose(embed(encoder, [text], halves), embed(encoder, [text]), atol=1e-6)
        assert [len(row) for row in halves.kept] == [5, 2]

    def test_it_has_a_gradient(self) -> None:
        assert embed(TinyEncoder(), ["hi"]).requires_grad


@pytest.fixture(scope="module")
def trained() -> TinyEncoder:
    encoder = TinyEncoder()
    tune_encoder(encoder, TEXTS, settings(min_steps=100), seed=7, watch=Watch("test"))
    return encoder


class TestBatches:
    def test_an_anchor_is_a_question_and_its_partner_has_its_answer(self, trained: TinyEncoder) -> None:
        pairs = [pair for batch in batches(trained) for pair in halves(batch)]
        assert len(pairs) == 800
        for anchor, partner in pairs:
            assert set(anchor) == set(partner)  # one letter, the answer's
            assert 3 <= len(anchor) <= 7  # four or six letters and at most one slip

    def test_a_quarter_of_the_partners_is_the_answers_own_text(self, trained: TinyEncoder) -> None:
        partners = [
            partner for batch in batches(trained) for anchor, partner in halves(batch) if set(anchor) != {"d"}
        ]
        assert sum(len(partner) == 20 for partner in partners) / len(partners) == pytest.approx(0.25, abs=0.05)
        assert {len(partner) for partner in partners} <= {20, *range(3, 8)}

    def test_a_lone_question_is_paired_with_its_own_slips(self, trained: TinyEncoder) -> None:
        partners = [
            partner for batch in batches(trained) for anchor, partner in halves(batch) if set(anchor) == {"d"}
        ]
        assert {len(partner) for partner in partners} == {2, 4, 6}  # two slips, each a letter less or more

    def test_half_of_a_batch_is_two_questions_of_each_of_two_answers(self, trained: TinyEncoder) -> None:
        for batch in batches(trained):
            answers = [anchor[0] for anchor, _ in halves(batch)][4:]
            assert answers[0] == answers[1] != answers[2] == answers[3]

    def test_the_other_half_are_different_questions(self, trained: TinyEncoder) -> None:
        asked = [
            anchor for batch in batches(trained) for anchor, _ in halves(batch)[:4] if anchor in TEXTS.questions
        ]
        assert {asked.count(question) > 30 for question in TEXTS.questions} == {True}

    def test_answers_that_lie_close_together_share_a_batch(self) -> None:
        """Two answers with the same wording are the nearest to each other, whatever the model makes of it."""
        texts = Labelled(
            ["twin", "twin", "lone wolf", "bzzz", "q?", "mmmm mmmm mmmm"],
            [0, 1, 2, 3, 4, 5],
            [None] * 6,
        )
        encoder = TinyEncoder()
        tune_encoder(encoder, texts, settings(min_steps=20, rate=1e-9), seed=7, watch=Watch("test"))
        groups = [[anchor for anchor, _ in halves(batch)][4:] for batch in batches(encoder)]
        assert any(set("".join(group)) <= set("twin") for group in groups)


class TestLoop:
    def test_a_seed_settles_every_weight(self) -> None:
        first, second, other = TinyEncoder(), TinyEncoder(), TinyEncoder()
        tune_encoder(first, TEXTS, settings(min_steps=3), seed=7, watch=Watch("test"))
        tune_encoder(second, TEXTS, settings(min_steps=3), seed=7, watch=Watch("test"))
        tune_encoder(other, TEXTS, settings(min_steps=3), seed=8, watch=Watch("test"))
        assert first.tokenizer.calls == second.tokenizer.calls
        assert changed(weights(first.model), second.model) == set()
        assert changed(weights(first.model), other.model) != set()

    def test_the_loss_falls_and_the_model_ends_ready_to_be_asked(self) -> None:
        encoder = TinyEncoder()

        def loss() -> float:
            with torch.no_grad():
                left, right = (
                    embed(encoder, ["aaaa", "bbbb", "cccc"]),
                    embed(encoder, ["aaaaaa", "bbbbbb", "cccccc"]),
                )
                return info_nce(left, right, torch.arange(3), 0.05).item()

        before = loss()
        tune_encoder(encoder, TEXTS, settings(min_steps=60), seed=7, watch=Watch("test"))
        assert not encoder.model.training
        assert loss() < before / 2

    @pytest.mark.parametrize(
        ("values", "steps"),
        [
            ({"epochs": 4}, 4),  # seven questions, eight a batch: 3.5, rounded
            ({"epochs": 1, "min_steps": 5}, 5),
            ({"epochs": 100, "max_steps": 6}, 6),
            ({"epochs": 1, "min_steps": 10}, 10),
        ],
    )
    def test_how_many_steps(self, values: dict[str, float], steps: int) -> None:
        encoder = TinyEncoder()
        tune_encoder(encoder, TEXTS, settings(**values), seed=7, watch=Watch("test"))
        assert len(batches(encoder)) == steps

    @pytest.mark.parametrize(
        ("texts", "epochs"), [(TEXTS, 0), (Labelled(["a", "b"], [0, 0], ["x"]), 1), (Labelled([], [], []), 1)]
    )
    def test_nothing_happens_with_fewer_than_two_answers_or_no_epochs(
        self, texts: Labelled, epochs: float
    ) -> None:
        encoder = TinyEncoder()
        before = weights(encoder.model)
        tune_encoder(encoder, texts, settings(epochs=epochs), seed=7, watch=Watch("test"))
        assert changed(before, encoder.model) == set()
        assert encoder.tokenizer.calls == []

    def test_what_is_frozen_stays(self) -> None:
        encoder = TinyEncoder()
        before = weights(encoder.model)
        tune_encoder(encoder, TEXTS, settings(min_steps=3, layers=1), seed=7, watch=Watch("test"))
        trained = changed(before, encoder.model)
        assert trained and all(name.startswith("encoder.layer.1.") for name in trained)
