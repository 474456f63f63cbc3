"""The whole course of training: on models of a few numbers, and once on the real ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from chatbot.domain import HeldOutDialogue, HeldOutTurn, Match, QAPair, Role, Vectors
from chatbot.encode import SentenceEncoder
from chatbot.learn.calibrate import PRIOR, SURE
from chatbot.learn.contrastive import embed, info_nce
from chatbot.learn.train import Keep, TunableEncoder, calibrate_untrained, train
from chatbot.protocols import Encoder
from chatbot.retrieve import Retriever
from chatbot.settings import Settings
from chatbot.workshop import LanguageWorkshop
from tests.fakes import ExactIndex, SharedWords, pair
from tests.learn.tiny import TinyEncoder, TinyReranker

THINGS = ("parcel", "refund", "invoice", "account", "voucher", "address", "password", "warranty")
KINDS = ("lost", "when please", "status of", "how much for")
PAIRS = [pair(f"{kind} {thing}", thing) for thing in THINGS for kind in KINDS]
MATCHES = [Match(each.question, f"{each.question} in other words", True) for each in PAIRS] + [
    Match(f"not about {thing}", f"but {kind} {thing}", False) for thing in THINGS for kind in KINDS
]


def settings(**calibrate: float) -> Settings:
    """A few steps, two folds; 8 answers with 4 questions each hide 1 answer and ask 1 question of the other 7."""
    return Settings.model_validate(
        {
            "seed": 7,
            "routes": {},
            "encode": {"epochs": 1, "min_steps": 4, "max_steps": 4, "anchors": 16, "rate": 1e-3},
            "rerank": {"epochs": 1, "min_lists": 40, "max_lists": 40, "lists": 20, "rate": 1e-3},
            "calibrate": {"folds": 2, "held_out": 0.25, "hidden_answers": 0.125, **calibrate},
        }
    )


@dataclass(frozen=True)
class Built:
    """A retriever that was asked for: over which pairs, and all that its encoder had learnt from by then."""

    questions: set[str]
    retriever: Retriever
    learnt: set[str]


@dataclass
class TinyWorkshop:
    """A Workshop of tiny models that keeps what it built."""

    casefold: bool = True
    built: list[Built] = field(default_factory=list)

    def encoder(self) -> TinyEncoder:
        return TinyEncoder()

    def reranker(self, encoder: TunableEncoder) -> TinyReranker:
        return TinyReranker()

    def retriever(
        self, pairs: Sequence[QAPair], encoder: Encoder, vectors: tuple[Vectors, Vectors] | None = None
    ) -> Retriever:
        assert isinstance(encoder, TinyEncoder)
        retrieve = settings().retrieve
        made = Retriever.build(
            pairs, encoder, ExactIndex, SharedWords, None, PRIOR, retrieve, self.casefold, vectors
        )
        self.built.append(Built({each.question for each in pairs}, made, texts_of(encoder)))
        return made


def texts_of(model: object) -> set[str]:
    """What a tiny model has learnt from."""
    assert isinstance(model, TinyEncoder | TinyReranker)
    return {text for batch in model.tokenizer.calls for joined in batch for text in joined.split("|")}


class TestTrain:
    def test_no_fold_learns_from_what_it_is_asked(self) -> None:
        workshop = TinyWorkshop()
        train("en", PAIRS, MATCHES, (), workshop, settings())
        *folds, last = workshop.built
        assert [len(one.questions) for one in folds] == [7 * 3] * 2
        for asked in folds:
            learnt = asked.learnt | (texts_of(asked.retriever.reranker) if asked is folds[0] else set())
            held_out = {each.question for each in PAIRS} - asked.questions
            assert len(held_out) == 7 + 4
            for question in held_out:
                assert not [text for text in learnt if text.startswith(question)]  # nor from a match about it
            assert learnt & asked.questions
            assert [text for text in learnt if text.endswith("in other words")]
        assert folds[0].questions != folds[1].questions
        assert last.questions == {each.question for each in PAIRS}

    def test_the_last_folds_models_go_on_with_all_pairs_and_are_shipped(self) -> None:
        workshop = TinyWorkshop()
        trained = train("en", PAIRS, (), (), workshop, settings())
        *_, fold, last = workshop.built
        assert trained is last.retriever
        assert trained.encoder is fold.retriever.encoder
        assert trained.reranker is fold.retriever.reranker is not None
        held_out = {each.question for each in PAIRS} - fold.questions
        assert not held_out & fold.learnt
        assert held_out & last.learnt

    @pytest.mark.parametrize(("above", "folds"), [(31, 1), (32, 2)])
    def test_one_fold_is_enough_for_many_pairs(self, above: int, folds: int) -> None:
        workshop = TinyWorkshop()
        trained = train("en", PAIRS, (), (), workshop, settings(one_fold_above=above))
        assert len(workshop.built) == folds + 1
        assert trained.calibration.fitted_on == folds * (7 + 4)
        assert trained.calibration.alone.first != SURE.first

    def test_dialogues_are_calibrated_on_and_not_learnt_from(self) -> None:
        turns = [HeldOutTurn(Role.USER, "zebra parcel", ("parcel",)), HeldOutTurn(Role.USER, "zebra", ())]
        dialogues = [HeldOutDialogue("d", "en", (turn,)) for turn in turns]
        workshop = TinyWorkshop()
        with_, without = (train("en", PAIRS, (), given, workshop, settings()) for given in (dialogues, ()))
        assert with_.calibration.fitted_on == without.calibration.fitted_on + 2
        assert with_.calibration.alone != without.calibration.alone
        assert not [text for one in workshop.built for text in one.learnt if "zebra" in text]

    def test_where_dialogues_say_enough_nothing_is_held_out(self) -> None:
        inside = [HeldOutTurn(Role.USER, f"{kind} my parcel", ("parcel",)) for kind in KINDS] * 5
        outside = [HeldOutTurn(Role.USER, f"zebra {kind}", ()) for kind in KINDS] * 5
        workshop = TinyWorkshop()
        dialogues = [HeldOutDialogue("d", "en", (turn,)) for turn in inside + outside]
        trained = train("en", PAIRS, (), dialogues, workshop, settings(no_fold_from=40))
        assert [one.questions for one in workshop.built] == [{each.question for each in PAIRS}]
        assert trained.calibration.fitted_on == 40

    def test_dialogues_of_one_kind_do_not_say_how_sure_to_be(self) -> None:
        turns = [HeldOutTurn(Role.USER, f"{kind} my parcel", ("parcel",)) for kind in KINDS] * 10
        workshop = TinyWorkshop()
        dialogues = [HeldOutDialogue("d", "en", (turn,)) for turn in turns]
        trained = train("en", PAIRS, (), dialogues, workshop, settings(no_fold_from=40))
        assert len(workshop.built) == 3  # two folds
        assert trained.calibration.alone.first != SURE.first

    def test_two_questions_an_answer_are_held_out_from_what_ships(self) -> None:
        """A fold keeps one question of most answers; its models learn all the same, since those that ship will."""
        workshop = TinyWorkshop()
        few = [each for number, each in enumerate(PAIRS) if number % 4 < 2]
        train("en", few, (), (), workshop, settings())
        assert all(one.learnt for one in workshop.built)

    def test_what_training_has_looked_at_is_not_calibrated_on(self) -> None:
        looked = settings()
        looked = looked.model_copy(update={"encode": looked.encode.model_copy(update={"check_every": 2})})
        blind, looking = (train("en", PAIRS, (), (), TinyWorkshop(), given) for given in (settings(), looked))
        assert blind.calibration.fitted_on == 2 * (7 + 4)
        assert looking.calibration.fitted_on == 2 * (3 + 4)

    @pytest.mark.parametrize("matches", [(), MATCHES])
    def test_when_two_questions_count_as_the_same_is_learnt_with_and_without_matches(
        self, matches: Sequence[Match]
    ) -> None:
        trained = train("en", PAIRS, matches, (), TinyWorkshop(), settings(folds=1))
        assert trained.calibration.matching != PRIOR.matching

    def test_a_seed_settles_every_number(self) -> None:
        first, second = (train("en", PAIRS, MATCHES, (), TinyWorkshop(), settings()) for _ in range(2))
        assert first.calibration == second.calibration
        assert first.encoder.fingerprint == second.encoder.fingerprint
        assert first.reranker is not None and second.reranker is not None
        assert first.reranker.fingerprint == second.reranker.fingerprint

    def test_with_few_lists_or_no_epochs_there_is_no_cross_encoder(self) -> None:
        few = train("en", PAIRS[:12], (), (), TinyWorkshop(), settings())  # three answers, nine questions kept
        assert few.reranker is None
        off = settings()
        off = off.model_copy(update={"rerank": off.rerank.model_copy(update={"epochs": 0})})
        assert train("en", PAIRS, (), (), TinyWorkshop(), off).reranker is None

    def test_models_stay_as_they_come_where_most_questions_stand_alone(self) -> None:
        alone = PAIRS[::4]  # one question an answer
        trained = train("en", alone, (), (), TinyWorkshop(), settings())
        assert trained.encoder.fingerprint == TinyEncoder().fingerprint
        assert trained.reranker is None
        matches = [Match(each.question, f"{each.question} {each.question}", True) for each in alone]
        taught = train("en", alone, matches * 2, (), TinyWorkshop(), settings())
        assert taught.encoder.fingerprint != TinyEncoder().fingerprint

    def test_one_pair_gives_the_prior(self) -> None:
        trained = train("en", PAIRS[:1], (), (), TinyWorkshop(), settings())
        assert trained.calibration == PRIOR
        assert trained.encoder.fingerprint == TinyEncoder().fingerprint


class TestKeep:
    def test_a_training_is_taken_up_again_only_where_nothing_changed(self, tmp_path: Path) -> None:
        keep, encoder = Keep(checkpoints=tmp_path), TinyEncoder()
        reworded = [replace(PAIRS[0], answer="Another text."), *PAIRS[1:]]
        other = settings().model_copy(update={"seed": 8})
        keys = [
            keep.of(TinyEncoder(), PAIRS, MATCHES, settings()).key,
            keep.of(encoder, PAIRS, MATCHES, settings()).key,
            keep.of(encoder, reworded, MATCHES, settings()).key,
            keep.of(encoder, PAIRS[1:], MATCHES, settings()).key,
            keep.of(encoder, PAIRS, MATCHES[1:], settings()).key,
            keep.of(encoder, PAIRS, MATCHES, other).key,
            keep.of(TinyEncoder(seed=2), PAIRS, MATCHES, settings()).key,
        ]
        assert keys[0] == keys[1]
        assert len(set(keys)) == len(keys) - 1


class TestUntrained:
    def test_confidence_is_learnt_on_held_out_questions_and_the_model_stays(self) -> None:
        workshop = TinyWorkshop()
        trained = calibrate_untrained(PAIRS, workshop, settings())
        assert [(len(one.questions), one.learnt) for one in workshop.built] == [(8 * 4, set()), (7 * 3, set())]
        assert trained.calibration.fitted_on == 7 + 4
        assert trained.reranker is None
        assert trained.encoder.fingerprint == TinyEncoder().fingerprint

    def test_one_question_an_answer_is_calibrated_on_garbled_and_hidden_ones(self) -> None:
        trained = calibrate_untrained(PAIRS[::4], TinyWorkshop(), settings())
        assert trained.calibration.fitted_on == 7 + 1
        heard_of = [
            weight for weight in trained.calibration.fusion if weight
        ]  # relevance and classes are not there
        assert set(heard_of) <= set(PRIOR.fusion)  # garbled questions say nothing of ranking
        assert trained.calibration.alone != SURE

    def test_one_pair_gives_the_prior(self) -> None:
        assert calibrate_untrained(PAIRS[:1], TinyWorkshop(), settings()).calibration == PRIOR


@pytest.mark.models
def test_the_real_models_learn_and_a_seed_settles_them() -> None:
    """Twelve questions in three answers that share their words with the other answers' questions."""
    asked = {
        "tracking": ("where is my order", "has it been sent yet", "it still has not come", "track my parcel"),
        "refund": ("where is my money", "has it been paid back yet", "the refund has not come", "track my refund"),
        "cancel": ("stop my order", "I want it no longer", "do not send it yet", "can I still call it off"),
    }
    pairs = [pair(question, answer) for answer, questions in asked.items() for question in questions]
    matches = [Match(f"{question} please", question, True) for question in asked["tracking"] + asked["refund"]]
    steps = {
        "encode": {"epochs": 1, "min_steps": 8, "max_steps": 8, "anchors": 12, "rate": 1e-4},
        "rerank": {"epochs": 1, "min_lists": 16, "max_lists": 16, "lists": 4},
        "calibrate": {"folds": 1},
    }
    few = Settings.parse(Settings.load(environment={}).model_dump() | steps, "this test")
    workshop = LanguageWorkshop(few.route("en"), few)
    labels = np.array([each.answer_id for each in pairs])
    same = (labels[:, None] == labels) & ~np.eye(len(pairs), dtype=bool)

    def gap(encoder: Encoder) -> float:
        vectors = encoder.encode([each.question for each in pairs])
        similarities = vectors @ vectors.T
        return float(similarities[same].mean() - similarities[labels[:, None] != labels].mean())

    def loss(encoder: TunableEncoder) -> float:
        with torch.no_grad():
            vectors = embed(encoder, [each.question for each in pairs[::2] + pairs[1::2]])
        return info_nce(vectors[:6], vectors[6:], torch.tensor([0, 0, 1, 1, 2, 2]), 0.05).item()

    first, second = (train("en", pairs, matches, (), workshop, few) for _ in range(2))
    before, after = workshop.encoder(), first.encoder
    assert isinstance(after, SentenceEncoder)
    assert gap(after) > gap(before) + 0.1
    assert loss(after) < loss(before) / 2
    assert after.fingerprint == second.encoder.fingerprint != before.fingerprint
    assert first.reranker is not None and second.reranker is not None
    assert first.reranker.fingerprint == second.reranker.fingerprint
    assert first.calibration == second.calibration
