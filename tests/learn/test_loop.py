"""The training loop on a tiny BERT: taken up again after a kill, ended early, with adapters, written down."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from chatbot.errors import BotError
from chatbot.learn import loop
from chatbot.learn.contrastive import Labelled, tune_encoder
from chatbot.learn.loop import Plan, Watch, fit
from chatbot.learn.relevance import RankedList, tune_reranker
from chatbot.settings import Encode, Rerank
from tests.learn.tiny import TinyEncoder, TinyReranker, changed, weights

TEXTS = Labelled(["aaa", "aab", "bbb", "bba", "ccc", "cca"], [0, 0, 1, 1, 2, 2], ["a", "b", "c"])
LISTS = [
    RankedList("aa", ("aaa", "bb"), 0),
    RankedList("bb", ("cc", "bbb"), 1),
    RankedList("cc", ("cca", "aa"), 0),
]
ENCODE = Encode(epochs=1, min_steps=60, max_steps=60, anchors=8, rate=1e-3, layers=99)
RERANK = Rerank(epochs=1, min_lists=120, max_lists=120, lists=2, negatives=1, rate=1e-3, layers=99)


class Killed(Exception):
    pass


class DiesAt:
    """A stream that is killed at a step."""

    def __init__(self, stream: Any, step: int) -> None:
        self.stream = stream
        self.left = step

    @property
    def place(self) -> Any:
        return self.stream.place

    def return_to(self, place: Any) -> None:
        self.stream.return_to(place)

    def __next__(self) -> Any:
        self.left -= 1
        if self.left < 0:
            raise Killed
        return next(self.stream)


class Counted:
    """Batches 0, 1, 2, …; the place is the number."""

    def __init__(self) -> None:
        self.place = 0

    def return_to(self, place: int) -> None:
        self.place = place

    def __next__(self) -> int:
        self.place += 1
        return self.place - 1


def encoder_after(watch: Watch) -> TinyEncoder:
    encoder = TinyEncoder()
    tune_encoder(encoder, TEXTS, ENCODE, seed=7, watch=watch)
    return encoder


def cost_of(model: Any) -> Any:
    """A loss that pulls all weights that learn towards the batch's number."""
    return lambda number: sum(((p - number / 100) ** 2).sum() for p in model.parameters() if p.requires_grad)


def trained_on(stream: Any, watch: Watch, steps: int = 60) -> Any:
    model = TinyEncoder().model
    fit(model, stream, cost_of(model), Plan(steps, 1e-3, 99), watch)
    return model


class TestResume:
    @pytest.mark.parametrize("step", [10, 26, 55])
    def test_what_was_killed_goes_on_to_the_same_weights(
        self, tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loop, "SECONDS", 0.0)  # a checkpoint whenever there may be one
        whole = trained_on(Counted(), Watch("test"))
        watch = Watch("test", checkpoints=tmp_path, key="k")
        with pytest.raises(Killed):
            trained_on(DiesAt(Counted(), step), watch)
        stream = Counted()
        again = trained_on(stream, watch)
        assert changed(weights(whole), again) == set()
        assert stream.place == 60

    def test_a_finished_training_is_not_done_again(self, tmp_path: Path) -> None:
        watch = Watch("test", checkpoints=tmp_path, key="k")
        first = encoder_after(watch)
        second = TinyEncoder()
        tune_encoder(second, TEXTS, ENCODE, seed=7, watch=watch)
        assert changed(weights(first.model), second.model) == set()
        assert second.tokenizer.calls == []

    def test_another_key_is_another_training(self, tmp_path: Path) -> None:
        encoder_after(Watch("test", checkpoints=tmp_path, key="k"))
        other = encoder_after(Watch("test", checkpoints=tmp_path, key="other"))
        assert other.tokenizer.calls
        assert len(list(tmp_path.glob("*.pt"))) == 2

    def test_the_real_streams_come_back_to_their_place(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loop, "SECONDS", 0.0)
        for number, tune in enumerate((self.encoder, self.reranker)):
            whole = tune(Watch("test"), 10**9)
            watch = Watch("test", checkpoints=tmp_path / str(number), key="k")
            with pytest.raises(Killed):
                tune(watch, 40)
            assert changed(weights(whole), tune(watch, 10**9)) == set()

    def encoder(self, watch: Watch, dies_at: int) -> Any:
        encoder = TinyEncoder()
        self.dying(encoder.tokenizer, dies_at + 2)  # two calls look for confusable answers
        tune_encoder(encoder, TEXTS, ENCODE, seed=7, watch=watch)
        return encoder.model

    def reranker(self, watch: Watch, dies_at: int) -> Any:
        reranker = TinyReranker()
        self.dying(reranker.tokenizer, dies_at)
        tune_reranker(reranker, LISTS, RERANK, seed=7, watch=watch)
        return reranker.model

    @staticmethod
    def dying(tokenizer: Any, calls: int) -> None:
        class Full(list[Any]):
            def append(self, item: Any) -> None:
                if len(self) >= calls:
                    raise Killed
                super().append(item)

        tokenizer.calls = Full()

    def test_where_none_can_be_written_training_goes_on(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").write_text("no folder")
        trained_on(Counted(), Watch("test", checkpoints=tmp_path / "file", key="k"))
        assert "no checkpoint could be written" in caplog.text

    def test_a_damaged_checkpoint_says_what_to_do(self, tmp_path: Path) -> None:
        watch = Watch("test", checkpoints=tmp_path, key="k")
        trained_on(Counted(), watch)
        (file,) = tmp_path.glob("*.pt")
        file.write_bytes(b"nothing")
        with pytest.raises(BotError, match="delete it and train again"):
            trained_on(Counted(), watch)


class TestEarlyEnd:
    def test_it_ends_without_a_gain_and_the_best_weights_win(self) -> None:
        shares = iter([0.5, 0.8, 0.7, 0.6, 0.9])
        model = TinyEncoder().model
        seen: list[dict[str, torch.Tensor]] = []

        def check() -> float:
            seen.append(weights(model))
            return next(shares)

        stream = Counted()
        fit(model, stream, cost_of(model), Plan(100, 1e-3, 99), Watch("test", check=check, every=10, patience=2))
        assert stream.place == 40  # the best at 20, two looks without a gain after it
        assert changed(seen[1], model) == set()

    def test_without_a_check_every_step_is_taken(self) -> None:
        stream = Counted()
        trained_on(stream, Watch("test", every=10, patience=1), steps=30)
        assert stream.place == 30


class TestLora:
    def test_adapters_become_part_of_the_layers_that_learn(self) -> None:
        encoder = TinyEncoder()
        before = weights(encoder.model)
        small = ENCODE.model_copy(update={"layers": 1, "lora_rank": 2})
        tune_encoder(encoder, TEXTS, small, seed=7, watch=Watch("test"))
        moved = changed(before, encoder.model)
        assert weights(encoder.model).keys() == before.keys()  # the same form as ever
        assert moved and all(name.startswith("encoder.layer.1.") and name.endswith("weight") for name in moved)

    def test_the_head_of_a_cross_encoder_learns_with_them(self) -> None:
        reranker = TinyReranker()
        before = weights(reranker.model)
        small = RERANK.model_copy(update={"layers": 1, "lora_rank": 2})
        tune_reranker(reranker, LISTS, small, seed=7, watch=Watch("test"))
        moved = changed(before, reranker.model)
        assert {"classifier.weight", "classifier.bias"} <= moved
        assert not [name for name in moved if "layer.0." in name or "embeddings" in name]
        assert weights(reranker.model).keys() == before.keys()


def test_the_diary_holds_every_step(tmp_path: Path) -> None:
    trained_on(Counted(), Watch("en: encoder", diary=tmp_path), steps=30)
    events = EventAccumulator(str(tmp_path / "en--encoder"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == list(range(30))
    assert max(event.value for event in events.Scalars("rate")) == pytest.approx(1e-3, rel=0.1)
