"""Explanations of a small BERT with weights by chance or by hand, and of the demo bot."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from chatbot.assemble import load_reranker
from chatbot.errors import BotError
from chatbot.insight.deletion import Span, Verdict
from chatbot.insight.explain import GAP, Explanation, explain
from chatbot.lexical import spans
from chatbot.models import reranker_from
from chatbot.rerank import CrossEncoder

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "##b", "##c", "?", "q", "我", "要", "退", "货"]
CONFIG = BertConfig(
    vocab_size=len(PIECES),
    hidden_size=16,
    num_hidden_layers=3,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=64,
    initializer_range=0.3,
    num_labels=1,
)


def tokenizer() -> PreTrainedTokenizerFast:
    number = {piece: i for i, piece in enumerate(PIECES)}
    cut = Tokenizer(WordPiece(number, unk_token="[UNK]"))
    cut.normalizer, cut.pre_tokenizer = BertNormalizer(), BertPreTokenizer()
    cut.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", number["[CLS]"]), ("[SEP]", number["[SEP]"])],
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=cut, **names)


def reranker(
    prefix: str = "", max_tokens: int = 20, change: Callable[[BertModel], None] | None = None
) -> CrossEncoder:
    torch.manual_seed(1)
    bert = BertModel(CONFIG).eval()
    with torch.no_grad():
        if change is not None:
            change(bert)
    return CrossEncoder(reranker_from(bert), tokenizer(), prefix, max_tokens)


def looks_everywhere(bert: BertModel) -> None:
    """Each token attends to all tokens alike, and no token knows its place."""
    for layer in bert.encoder.layer:
        layer.attention.self.query.weight.zero_()
        layer.attention.self.query.bias.zero_()
    bert.embeddings.position_embeddings.weight.zero_()


def close(values: Sequence[float]) -> object:
    return pytest.approx(values, abs=1e-4)


def test_attention_is_by_words_there_and_back() -> None:
    """[CLS] a ##b c [SEP] b ? [SEP]: eight tokens, each with an eighth of every other one's attention. To the two
    of ab goes a quarter of what b gives, and from either an eighth to b."""
    found = explain(reranker(change=looks_everywhere), spans, "ab c", "b?")
    assert (found.question.words, found.candidate.words) == (("ab", "c"), ("b", "?"))
    assert found.attention == (close([1.5 / 8, 1.5 / 8]), close([1 / 8, 1 / 8]))


def test_attention_of_the_first_half_of_the_layers_counts() -> None:
    """Two of three. The last one alone looks elsewhere than everywhere, and nothing is seen of it."""

    def last_looks(bert: BertModel) -> None:
        last = bert.encoder.layer[-1].attention.self.query
        weight, bias = last.weight.clone(), last.bias.clone()
        looks_everywhere(bert)
        last.weight.copy_(weight)
        last.bias.copy_(bias)

    found = explain(reranker(change=last_looks), spans, "a", "b c")
    assert found.attention == (close([1 / 6, 1 / 6]),)


@pytest.mark.parametrize(("question", "candidate"), [("ab c", "b?"), ("a a b", "c ab ab"), ("我要退货", "a退货?")])
def test_what_words_add_is_what_the_text_adds(question: str, candidate: str) -> None:
    model = reranker()
    found = explain(model, spans, question, candidate)
    tokens = model.read([question], [candidate])
    ids, sides = tokens["input_ids"][0], [-1 if side is None else side for side in tokens.sequence_ids(0)]
    for number, side in enumerate((found.question, found.candidate)):
        out = [0 if own == number else word for word, own in zip(ids, sides, strict=True)]
        with torch.no_grad():
            whole, without = (model.judge([sides], input_ids=torch.tensor(row)).item() for row in (ids, out))
        assert sum(side.attribution) == pytest.approx(whole - without, abs=side.gap + 1e-4)
        assert side.gap <= GAP
    assert found.completeness_gap == max(found.question.gap, found.candidate.gap)
    assert found.relevance == pytest.approx(model.score([question], [candidate])[0], abs=1e-4)


def test_the_same_word_counts_the_same_where_no_place_is_known() -> None:
    model = reranker(change=looks_everywhere)
    there, back = explain(model, spans, "a b a", "c b"), explain(model, spans, "c b", "a b a")
    first, second, third = there.question.attribution
    assert first == pytest.approx(third, abs=1e-4)
    assert abs(first - second) > 0.01
    assert there.question.attribution == close(back.candidate.attribution)
    assert there.candidate.attribution == close(back.question.attribution)
    assert [*zip(*back.attention, strict=True)] == [close(row) for row in there.attention]


def test_chinese_is_told_by_word() -> None:
    found = explain(reranker(), spans, "我要退货?", "要退货")
    assert found.question.words == ("我要", "退货", "?")
    assert found.candidate.words == ("要", "退货")
    assert [len(row) for row in found.attention] == [2] * 3


def test_words_that_share_a_token_are_one() -> None:
    """The unknown word xyz is one token, whoever would cut it into three."""

    def letters(text: str) -> list[Span]:
        return [(i, i + 1) for i, letter in enumerate(text) if not letter.isspace()]

    found = explain(reranker(), letters, "ab xyz c", "c")
    assert found.question.words == ("a", "b", "xyz", "c")


def test_the_prefix_is_none_of_the_customers_words() -> None:
    plain, prefixed = (explain(reranker(prefix), spans, "a b", "b") for prefix in ("", "q q "))
    assert prefixed.question.words == plain.question.words == ("a", "b")
    assert len(prefixed.attention) == 2
    assert prefixed.relevance == pytest.approx(reranker().score(["q q a b"], ["q q b"])[0], abs=1e-4)


def test_what_was_not_read_is_not_explained() -> None:
    found = explain(reranker(max_tokens=5), spans, "a b c " * 500, "a")
    assert found.question.words == ("a", "b", "c", "a", "b", "c")  # ten tokens: three are special, one is the a
    assert not found.question.whole
    assert (found.candidate.words, found.candidate.whole) == (("a",), True)


@pytest.mark.parametrize(
    ("question", "candidate", "words"),
    [
        ("", "", ((), ())),
        (" \n", "a", ((), ("a",))),
        ("a", "", (("a",), ())),
        ("a", "a", (("a",), ("a",))),
        ("🤷🏽‍♂️", "a 👍", (("🤷🏽‍♂️",), ("a", "👍"))),
        ("a\x00\u200b", "\ud83d b", (("a",), ("b",))),
        ("<script>", "{{ a }}", (("<", "script", ">"), ("{{", "a", "}}"))),
    ],
)
def test_any_text_is_explained(question: str, candidate: str, words: tuple[tuple[str, ...], ...]) -> None:
    found = explain(reranker(), spans, question, candidate)
    assert (found.question.words, found.candidate.words) == words
    assert (len(found.question.attribution), len(found.candidate.attribution)) == tuple(map(len, words))
    assert [len(row) for row in found.attention] == [len(words[1])] * len(words[0])
    assert found.relevance == pytest.approx(reranker().score([question], [candidate])[0], abs=1e-4)
    verdict = found.deletion.judge(found.deletion.attribution).verdict
    assert verdict is Verdict.UNTESTED or max(map(len, words)) > 1


def test_the_same_again_and_the_model_as_it_was() -> None:
    model = reranker()
    before = model.fingerprint
    first = explain(model, spans, "ab c a", "b?")
    assert explain(model, spans, "ab c a", "b?") == first
    assert model.fingerprint == before
    assert model.model.config._attn_implementation == "sdpa"
    assert all(weight.grad is None for weight in model.model.parameters())


@pytest.fixture(scope="module")
def found(index: Path) -> dict[str, Explanation]:
    pairs = {"en": ("where is my parcel?", "where is my package"), "zh": ("我的快递到哪了?", "我的包裹到哪里了")}
    rerankers = {language: load_reranker(index, language) for language in pairs}
    return {
        language: explain(reranker, spans, *pairs[language])
        for language, reranker in rerankers.items()
        if reranker is not None
    }


@pytest.mark.demo
@pytest.mark.timeout(1800)
class TestDemo:
    def test_a_language_that_the_bot_has_not(self, index: Path) -> None:
        with pytest.raises(BotError, match="has no language 'fr'; it has en, zh"):
            load_reranker(index, "fr")

    def test_words_relevance_and_gap(self, found: dict[str, Explanation]) -> None:
        assert found["en"].question.words == ("where", "is", "my", "parcel", "?")
        assert found["zh"].question.words == ("我的", "快递", "到", "哪", "了", "?")  # 我的 is one token
        for one in found.values():
            assert one.completeness_gap <= GAP
            assert one.relevance > 0

    def test_parcel_and_package_belong_together(self, found: dict[str, Explanation]) -> None:
        english = found["en"]
        package = [row[3] for row in english.attention]
        assert english.question.words[package.index(max(package))] == "parcel"
        assert english.candidate.attribution.index(max(english.candidate.attribution)) == 3
