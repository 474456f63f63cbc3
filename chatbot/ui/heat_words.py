"""What the page says about an explanation, in English and Chinese: one frozen value a language, as in words.py."""

from collections.abc import Mapping
from dataclasses import dataclass

from chatbot.insight.deletion import Verdict


@dataclass(frozen=True, slots=True)
class HeatWords:
    """`{…}` is filled in by heat.py."""

    relevance: str  # {relevance}
    question: str
    candidate: str
    counts: str
    counting: str  # {gap}
    looks: str
    looking: str
    verdicts: Mapping[Verdict, str]  # {moved}, {chance}
    times: str  # {times}
    curves: str  # {start}, {share}, {attribution}, {attention}, {chance}
    lines: tuple[str, str, str]  # attribution, attention, chance
    left_out: str  # {share}
    no_words: str
    unread: str
    more: str  # {count}


ENGLISH = HeatWords(
    relevance="Relevance {relevance}: what the model makes of both texts read together. The higher, the better "
    "they fit.",
    question="The customer",
    candidate="The stored question",
    counts="Which words count",
    counting="What each word adds to the relevance (+) or takes from it (−): integrated gradients. They add up to "
    "what either text adds as a whole, but for {gap}.",
    looks="Which words look at each other",
    looking="Attention, in per cent, as the mean of there and back over the first half of the layers. Rows: the "
    "customer's words. Columns: the words of the stored question.",
    verdicts={
        Verdict.FAITHFUL: "Can be trusted here: taking out the words that it names moves the relevance by "
        "{moved}, words by chance by {chance}.",
        Verdict.NOT_TRUSTED: "Not to be trusted here: taking out the words that it names moves the relevance "
        "by {moved}, words by chance by {chance}.",
        Verdict.UNTESTED: "Cannot be tested: there are too few words to tell it from chance.",
    },
    times=" That is {times} times as much.",
    curves="Relevance while words are taken out, from {start} with all words. With {share} of the words gone: "
    "{attribution} by what counts, {attention} by attention, {chance} by chance.",
    lines=("by what counts", "by attention", "by chance"),
    left_out="share of words taken out",
    no_words="no words",
    unread="… the rest was not read",
    more="… and {count} more words",
)

CHINESE = HeatWords(
    relevance="相关性 {relevance}：模型把两段文字放在一起阅读后的判断，越高表示越吻合。",
    question="顾客",
    candidate="已有的问题",
    counts="哪些词起作用",
    counting="每个词使相关性升高（+）或降低（−）多少：积分梯度。它们之和等于整段文字的作用，误差 {gap}。",
    looks="哪些词互相关注",
    looking="注意力（百分比）：前一半层的平均值，两个方向取平均。行：顾客的词。列：已有问题的词。",
    verdicts={
        Verdict.FAITHFUL: "这里可信：去掉它指出的词，相关性变化 {moved}；随机去掉词，变化 {chance}。",
        Verdict.NOT_TRUSTED: "这里不可信：去掉它指出的词，相关性变化 {moved}；随机去掉词，变化 {chance}。",
        Verdict.UNTESTED: "无法检验：词太少，无法与随机区分。",
    },
    times="前者是后者的 {times} 倍。",
    curves="逐步去掉词时的相关性，全部词都在时为 {start}。去掉 {share} 的词之后：按作用 {attribution}，按注意力 "
    "{attention}，随机 {chance}。",
    lines=("按作用", "按注意力", "随机"),
    left_out="去掉的词所占比例",
    no_words="没有词",
    unread="……其余部分没有读到",
    more="……还有 {count} 个词",
)

HEAT_WORDS: Mapping[str, HeatWords] = {"en": ENGLISH, "zh": CHINESE}
