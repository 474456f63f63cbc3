"""Packing: where each token lies, by hand; and that a BERT makes of packed texts what it makes of each alone."""

import pytest
import torch

from chatbot.packing import WIDTH, Packing
from tests.learn.tiny import TinyEncoder


def test_the_longest_text_first_into_the_emptiest_row() -> None:
    packing = Packing.of([30, WIDTH, 20, 10])  # about two rows: the second text, and all others
    assert packing.shape == (2, WIDTH)
    assert packing.places[packing.texts == 1].tolist() == list(range(WIDTH))
    assert packing.places[packing.positions == 0].tolist() == [WIDTH, 0, WIDTH + 30, WIDTH + 50]


def test_what_lies_nowhere_is_empty() -> None:
    packing = Packing.of([WIDTH, WIDTH - 2])
    laid = packing.laid(torch.arange(2 * WIDTH - 2), empty=-1)
    assert laid.tolist() == [list(range(WIDTH)), [*range(WIDTH, 2 * WIDTH - 2), -1, -1]]


def test_means() -> None:
    assert Packing.of([1, 2]).means(torch.tensor([[5.0], [1.0], [2.0]])).tolist() == [[5.0], [1.5]]


def test_no_text_reads_another() -> None:
    model = TinyEncoder().model
    texts = [[1, 2, 3], [4], [5, 6, 7, 8, 9] * 6, [3, 2, 1], [9] * 40]
    packing = Packing.of([len(text) for text in texts])
    assert packing.shape[0] == 1
    with torch.no_grad():
        together = packing.read(model, input_ids=torch.tensor([word for text in texts for word in text]))
        alone = [model(input_ids=torch.tensor([text])).last_hidden_state[0] for text in texts]
    for words, expected in zip(together.split(packing.lengths.tolist()), alone, strict=True):
        assert torch.allclose(words, expected, atol=1e-5)


@pytest.mark.parametrize("lengths", [[1], [WIDTH * 3], [2] * 200])
def test_every_token_has_a_place_of_its_own(lengths: list[int]) -> None:
    packing = Packing.of(lengths)
    assert len(set(packing.places.tolist())) == sum(lengths)
    assert max(packing.places.tolist()) < packing.shape[0] * packing.shape[1]
