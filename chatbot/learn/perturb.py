"""The robustness report: the same dialogues, mistyped, reworded and negated; what that costs, kind by kind.

In: held-out dialogues and anything that replies. Out: a `Robustness`: for each kind of change the measures before
and after, on the very turns that it could be made in, and every single turn. Only the scored turn is changed, not
what was said before it. A negated question ("I do not want to cancel") is another question: there the report
counts silent flips, turns that were answered rightly and still get the same answer, as if nothing had been said.
What few turns show is told, and not held against the bot.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any

from pypinyin import lazy_pinyin

from chatbot.domain import Action, HeldOutDialogue, Role
from chatbot.learn.evaluate import Prediction, evaluate, measures
from chatbot.learn.noise import has_chinese, homophone, other_script, slip
from chatbot.protocols import Responder

MOST_TURNS = 300  # of each language, drawn by chance
LEAST_TURNS = 20  # that a right answer is known for, before a kind's drop is held against a limit
BANDS = (0.0, 0.5, 0.8, 1.01)  # of the confidence before
COLUMNS = ("kind", "dialogue_id", "turn", "language", "text", "changed", "before", "after", "flip")


class Kind(StrEnum):
    TYPO = "typo"
    KEYBOARD = "keyboard"
    PINYIN = "pinyin"
    HOMOPHONE = "homophone"
    SCRIPT = "script"
    MIXED = "mixed"
    CASING = "casing"
    POLITENESS = "politeness"
    NEGATION = "negation"


KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
SOUND_ALIKE = {
    "their": "there", "there": "their", "your": "you're", "to": "too", "where": "were", "were": "where",
    "buy": "by", "by": "buy", "for": "four", "one": "won", "it's": "its", "its": "it's", "check": "cheque",
    "know": "no", "here": "hear", "right": "write", "wait": "weight", "sent": "cent", "mail": "male",
    "whole": "hole", "new": "knew", "send": "sand", "than": "then", "then": "than", "lose": "loose",
}  # fmt: skip
WORDS = {
    "order": "订单", "refund": "退款", "account": "账号", "card": "卡", "password": "密码", "invoice": "发票",
    "delivery": "快递", "parcel": "包裹", "coupon": "优惠券", "address": "地址", "return": "退货", "price": "价格",
    "payment": "付款", "cancel": "取消", "size": "尺码", "money": "钱", "warranty": "保修", "store": "门店",
    "email": "邮箱", "phone": "手机", "discount": "折扣", "product": "商品", "transfer": "转账", "bank": "银行",
}  # fmt: skip
POLITE = {
    "en": (
        "Hello, sorry to bother you. {} Thank you very much!",
        "Hi there! Quick question: {} Thanks in advance.",
    ),
    "zh": ("您好，麻烦问一下，{}谢谢您！", "你好，不好意思打扰了，请问{}非常感谢。"),
}
# one clause: a space between Chinese characters is a comma
ONE_CLAUSE = re.compile(r"(?:[^.!?;,。！？；，、\s]|(?<=[\x21-\x7e]) (?=[\x21-\x7e]))+[.!?。！？]?")
ACTS = "cancel|return|refund|change|delete|close|exchange|send|ship|track|update|remove|stop|reset|transfer|redeem"
ACTS_ZH = "取消|退货|退款|换货|修改|更改|删除|注销|关闭|重置|退掉|改地址|催"
NEGATED = {
    "en": (
        (r"^(?:hi |hello )?I(?:'d| would)? (?:want|need|like|wish) to (\w+)", r"I do not want to \1"),
        (
            r"^(?:how (?:do|can|could|should) I|can I|could I|may I|where (?:do|can) I) (\w+)",
            r"I do not want to \1",
        ),
        (rf"^(?:please |pls |just )?({ACTS})\b", r"please do not \1"),
    ),
    "zh": (
        (r"^我?(?:想要|想|要)(?![要知问了])(?=\w\w)", "我不想"),
        (r"^(?:请问)?(?:怎么|怎样|如何|能不能|可以|能)(?=\w\w)", "我不想"),
        (rf"^(?:请|麻烦|帮我|给我)*(?={ACTS_ZH})", "不要"),
    ),
}


def changed(text: str, kind: Kind, language: str, chance: random.Random) -> str | None:
    """The text with one change of a kind; None where it has no place for it."""
    made = _MAKERS[kind](text, language, chance)
    return None if made is None or made == text or not made.strip() else made


def _typo(text: str, _: str, chance: random.Random) -> str:
    return slip(text, chance)


def _keyboard(text: str, _: str, chance: random.Random) -> str | None:
    places = [at for at, letter in enumerate(text) if any(letter.lower() in row for row in KEYS)]
    if not places or has_chinese(text):
        return None
    at = chance.choice(places)
    row = next(row for row in KEYS if text[at].lower() in row)
    key = row.index(text[at].lower())
    beside = row[max(key - 1, 0) : key + 2].replace(row[key], "")
    return text[:at] + chance.choice(beside) + text[at + 1 :]


def _pinyin(text: str, _: str, chance: random.Random) -> str | None:
    places = [m.start() for m in re.finditer(r"(?=[\u4e00-\u9fff]{2})", text)]
    if not places:
        return None
    at = chance.choice(places)
    return text[:at] + "".join(lazy_pinyin(text[at : at + 2])) + text[at + 2 :]


def _homophone(text: str, _: str, chance: random.Random) -> str | None:
    if has_chinese(text):
        return homophone(text, chance)
    words = text.split(" ")
    places = [at for at, word in enumerate(words) if word.lower() in SOUND_ALIKE]
    if not places:
        return None
    at = chance.choice(places)
    return " ".join([*words[:at], SOUND_ALIKE[words[at].lower()], *words[at + 1 :]])


def _script(text: str, _: str, __: random.Random) -> str | None:
    return other_script(text) if has_chinese(text) else None


def _mixed(text: str, language: str, chance: random.Random) -> str | None:
    table = WORDS if language != "zh" else {chinese: english for english, chinese in WORDS.items()}
    found = [re.search(rf"\b{word}\b" if language != "zh" else word, text, re.I) for word in table]
    places = [place for place in found if place is not None]
    if not places:
        return None
    place = chance.choice(places)
    return text[: place.start()] + table[place[0].lower()] + text[place.end() :]


def _casing(text: str, _: str, chance: random.Random) -> str:
    return text.upper() if chance.random() < 0.5 or text == text.lower() else text.lower()


def _politeness(text: str, language: str, chance: random.Random) -> str:
    return chance.choice(POLITE["zh" if language == "zh" else "en"]).format(text)


def _negation(text: str, language: str, _: random.Random) -> str | None:
    """Of a message that is one wish and nothing else; a question mark of it goes."""
    for pattern, instead in NEGATED["zh" if language == "zh" else "en"] if ONE_CLAUSE.fullmatch(text) else ():
        if re.search(pattern, text, re.I):
            return re.sub(pattern, instead, text, count=1, flags=re.I).rstrip("?？吗呢")
    return None


_MAKERS: Mapping[Kind, Callable[[str, str, random.Random], str | None]] = {
    Kind.TYPO: _typo,
    Kind.KEYBOARD: _keyboard,
    Kind.PINYIN: _pinyin,
    Kind.HOMOPHONE: _homophone,
    Kind.SCRIPT: _script,
    Kind.MIXED: _mixed,
    Kind.CASING: _casing,
    Kind.POLITENESS: _politeness,
    Kind.NEGATION: _negation,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One kind in one language. `drop` is that of raw_accuracy; of negation, the share of silent flips: among the
    `judged` turns, which something answers. `bands` gives the drop by the confidence before (BANDS); None where no
    turn is in one."""

    kind: Kind
    language: str
    turns: int
    judged: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    drop: float
    bands: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Robustness:
    """`turns` are rows in the order of COLUMNS."""

    rows: tuple[Row, ...]
    turns: tuple[tuple[Any, ...], ...]

    def above(self, limit: float) -> list[str]:
        """What costs more than it may, of what enough turns show."""
        return [
            f"{row.kind} ({row.language}): {row.drop:.3f}"
            for row in self.rows
            if row.drop > limit and row.judged >= LEAST_TURNS
        ]

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(row) for row in self.rows]


def robustness(dialogues: Sequence[HeldOutDialogue], responder: Responder, seed: int) -> Robustness:
    """Ask drawn turns as they are, and again under each kind of change that they have a place for."""
    alone = _one_turn_each(dialogues, seed)
    before = {p.dialogue_id: p for p in evaluate(alone, responder).predictions}
    rows, turns = [], []
    for kind in Kind:
        chance = random.Random(f"{seed} {kind}")
        made = [other for dialogue in alone if (other := _with(dialogue, kind, chance)) is not None]
        after = evaluate(made, responder).predictions
        for language in sorted({p.language for p in after}):
            pairs = [(before[p.dialogue_id], p) for p in after if p.language == language]
            if kind is Kind.NEGATION:  # only what was answered rightly can be flipped
                pairs = [(old, new) for old, new in pairs if old.wanted and old.right]
            if pairs:
                rows.append(_row(kind, language, pairs))
                turns += [_turn(kind, old, new) for old, new in pairs]
    return Robustness(tuple(rows), tuple(turns))


def _one_turn_each(dialogues: Sequence[HeldOutDialogue], seed: int) -> list[HeldOutDialogue]:
    """A dialogue for each drawn turn, which ends with it and scores nothing else."""
    found: dict[str, list[HeldOutDialogue]] = {}
    for dialogue in dialogues:
        for position, turn in enumerate(dialogue.turns):
            if turn.role is Role.USER and turn.expected is not None:
                history = tuple(replace(earlier, expected=None) for earlier in dialogue.turns[:position])
                name = f"{dialogue.id}#{position + 1}"
                found.setdefault(dialogue.language, []).append(replace(dialogue, id=name, turns=(*history, turn)))
    drawn = []
    for _, own in sorted(found.items()):
        drawn += random.Random(seed).sample(own, min(MOST_TURNS, len(own)))
    return drawn


def _with(dialogue: HeldOutDialogue, kind: Kind, chance: random.Random) -> HeldOutDialogue | None:
    *history, last = dialogue.turns
    text = changed(last.text, kind, dialogue.language, chance)
    return None if text is None else replace(dialogue, turns=(*history, replace(last, text=text)))


def _row(kind: Kind, language: str, pairs: Sequence[tuple[Prediction, Prediction]]) -> Row:
    old, new = zip(*pairs, strict=True)
    bands = tuple(
        _drop(kind, [(o, n) for o, n in pairs if low <= o.confidence < high]) for low, high in pairwise(BANDS)
    )
    judged = sum(bool(p.wanted) for p in old)
    return Row(kind, language, len(pairs), judged, _short(old), _short(new), _drop(kind, pairs) or 0.0, bands)


def _drop(kind: Kind, pairs: Sequence[tuple[Prediction, Prediction]]) -> float | None:
    asked = [(old, new) for old, new in pairs if old.wanted]
    if not asked:
        return None
    if kind is Kind.NEGATION:
        return sum(_flipped(old, new) for old, new in asked) / len(asked)
    return sum(old.right_first - new.right_first for old, new in asked) / len(asked)


def _flipped(old: Prediction, new: Prediction) -> bool:
    """Whether a negated question got the answer of the question itself."""
    return new.action == Action.ANSWER and new.answer_id == old.answer_id


def _short(predictions: Sequence[Prediction]) -> dict[str, Any]:
    found = measures(predictions)
    wrong = sum(p.action == Action.ANSWER and not p.right for p in predictions)
    return {
        "raw_accuracy": found["raw_accuracy"],
        "accuracy": found["accuracy"],
        "answered_wrongly": wrong / len(predictions),
    }


def _turn(kind: Kind, old: Prediction, new: Prediction) -> tuple[Any, ...]:
    done = [f"{p.action} {p.answer_id}".strip() for p in (old, new)]
    lost = _flipped(old, new) if kind is Kind.NEGATION else old.right and not new.right
    return (kind, *old.dialogue_id.rsplit("#", 1), old.language, old.text, new.text, *done, int(lost))
