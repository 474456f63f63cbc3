"""The words of the workshop's evaluation and insights, in English and Chinese.

`MEASURES` are those of metrics.json in the order in which they are shown, each with a name and one line on what it
says.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EvaluationWords:
    """`{…}` is filled in by the page."""

    about: str
    run: str
    file: str
    asking: str
    done: str  # {turns}, {version}
    measures_title: str
    whole: str
    columns: tuple[str, str]  # before and after the languages' columns
    measures: Mapping[str, tuple[str, str]]
    curves: str
    confusions: str
    confusion_columns: tuple[str, str, str, str]
    no_confusions: str
    nothing_expected: str
    take: str


@dataclass(frozen=True, slots=True)
class InsightWords:
    about: str
    days: str
    ranges: tuple[str, str, str]  # of RANGES days in insights.py
    since: str
    until: str
    language: str
    every_language: str
    show: str
    no_date: str  # {value}
    empty: str
    figures: tuple[str, str, str, str, str, str, str, str, str, str]
    volume: str
    shares: str
    thumbs: str
    times: str
    lines: tuple[str, str, str, str, str, str]  # exchanges, conversations, up, down, median, p95
    questions: str
    answers: str
    reasons: str
    columns: tuple[str, str, str, str]  # what, language, how often, thumbs
    take: str


ENGLISH_EVALUATION = EvaluationWords(
    about="Each scored turn is asked with the dialogue's own earlier turns as history. The same measures as the "
    "command chatbot evaluate writes.",
    run="Evaluate on the dialogues of the service",
    file="Evaluate on those of a file (jsonl)",
    asking="Asking",
    done="Turns asked of version {version}: {turns}.",
    measures_title="Measures",
    whole="All",
    columns=("Measure", "What it says"),
    measures={
        "turns": ("Turns", "scored messages of customers"),
        "in_scope_turns": ("… with an answer", "messages that some stored answer answers"),
        "out_of_scope_turns": ("… without", "messages that no stored answer answers"),
        "accuracy": ("Accuracy", "the right thing was done: a right answer, or none where there is none"),
        "raw_accuracy": ("Best candidate right", "whatever was decided about it"),
        "in_scope_accuracy": ("Answered rightly", "of the messages with an answer"),
        "out_of_scope_recall": ("Left to a person", "of the messages without an answer"),
        "answered_precision": ("Precision", "of the answers given, how many are right"),
        "coverage": ("Coverage", "of the messages with an answer, how many are answered, rightly or not"),
        "clarified": ("Asked back", "of all messages"),
        "mcc": ("MCC", "agreement of given with right answers, 1 is perfect and 0 is chance"),
        "recall_at_1": ("Found first", "a right answer is the first candidate"),
        "recall_at_3": ("Found in 3", "a right answer is among the first three"),
        "recall_at_5": ("Found in 5", "a right answer is among the first five"),
        "recall_at_10": ("Found in 10", "a right answer is among the first ten"),
        "mrr_at_10": ("MRR", "one over the rank of the first right answer, on average"),
        "map": ("MAP", "how high all right answers are ranked, 1 is perfect"),
        "ece": ("Calibration error", "distance of stated confidence from the share right; 0 is honest"),
        "ece_of_chance": ("… of chance", "what chance alone makes on so many messages; less says nothing"),
        "auroc": ("AUROC", "how well confidence tells messages with an answer from those without"),
        "latency_ms_p50": ("Median time, ms", "half of the replies took at most so long"),
        "latency_ms_p95": ("95 % time, ms", "19 of 20 replies took at most so long"),
    },
    curves="Can the confidence be trusted?",
    confusions="What is taken for what most often",
    confusion_columns=("Expected", "Given", "How often", "For example"),
    no_confusions="No wrong answer was given.",
    nothing_expected="(no answer)",
    take="Take along",
)
CHINESE_EVALUATION = EvaluationWords(
    about="每条评分消息都带着对话自身之前的内容提问。指标与命令 chatbot evaluate 的输出相同。",
    run="用服务自带的对话评测",
    file="用文件评测（jsonl）",
    asking="正在提问",
    done="已向版本 {version} 提问 {turns} 条消息。",
    measures_title="指标",
    whole="全部",
    columns=("指标", "含义"),
    measures={
        "turns": ("消息数", "参与评分的顾客消息"),
        "in_scope_turns": ("……有答案", "已有答案可以回答的消息"),
        "out_of_scope_turns": ("……无答案", "没有已有答案的消息"),
        "accuracy": ("总体正确率", "处理正确：给出正确答案，或在无答案时不回答"),
        "raw_accuracy": ("首位候选正确", "不论最后如何处理"),
        "in_scope_accuracy": ("正确回答", "占有答案的消息的比例"),
        "out_of_scope_recall": ("交给人工", "占无答案的消息的比例"),
        "answered_precision": ("准确率", "给出的答案中正确的比例"),
        "coverage": ("覆盖率", "有答案的消息中给出回答的比例，不论对错"),
        "clarified": ("反问", "占全部消息的比例"),
        "mcc": ("MCC", "给出的答案与正确答案的一致程度，1 为完美，0 为随机"),
        "recall_at_1": ("首位命中", "正确答案排在第一位"),
        "recall_at_3": ("前 3 命中", "正确答案在前三位"),
        "recall_at_5": ("前 5 命中", "正确答案在前五位"),
        "recall_at_10": ("前 10 命中", "正确答案在前十位"),
        "mrr_at_10": ("MRR", "首个正确答案名次的倒数，取平均"),
        "map": ("MAP", "所有正确答案排名的高低，1 为完美"),
        "ece": ("校准误差", "给出的置信度与答对比例的差距，0 表示如实"),
        "ece_of_chance": ("……随机水平", "同样多的消息仅凭偶然产生的误差，低于它没有意义"),
        "auroc": ("AUROC", "置信度区分有答案与无答案消息的能力"),
        "latency_ms_p50": ("用时中位数（毫秒）", "一半的回复不超过这个时间"),
        "latency_ms_p95": ("95% 用时（毫秒）", "二十条回复中有十九条不超过这个时间"),
    },
    curves="置信度可信吗？",
    confusions="最常混淆的答案",
    confusion_columns=("预期", "给出", "次数", "例如"),
    no_confusions="没有给出错误的答案。",
    nothing_expected="（无答案）",
    take="下载",
)

ENGLISH_INSIGHTS = InsightWords(
    about="What customers asked, what became of it, and how they liked it.",
    days="Days",
    ranges=("Last 7", "Last 30", "Last 90"),
    since="From",
    until="To",
    language="Language",
    every_language="All",
    show="Show",
    no_date="{value} is no date; write it as 2026-01-31.",
    empty="Nothing was asked in these days.",
    figures=(
        *("Messages", "Conversations", "Answered", "Asked back", "Handed over"),
        *("Without stored answer", "Thumbs up", "Thumbs down", "Median time", "95 % time"),
    ),
    volume="Messages and conversations a day",
    shares="What became of the messages",
    thumbs="Thumbs a day",
    times="Time to a reply, ms",
    lines=("messages", "conversations", "thumbs up", "thumbs down", "median", "95 % at most"),
    questions="Most frequent questions",
    answers="Most frequent answers",
    reasons="Why people were handed over",
    columns=("", "Language", "How often", "Thumbs up / down"),
    take="Take along",
)
CHINESE_INSIGHTS = InsightWords(
    about="顾客问了什么、结果如何、是否满意。",
    days="天数",
    ranges=("最近 7 天", "最近 30 天", "最近 90 天"),
    since="从",
    until="到",
    language="语言",
    every_language="全部",
    show="显示",
    no_date="{value} 不是日期，请写成 2026-01-31 的形式。",
    empty="这几天没有人提问。",
    figures=(
        *("消息", "会话", "已回答", "已反问", "已转人工"),
        *("未使用已有答案", "赞", "踩", "用时中位数", "95% 用时"),
    ),
    volume="每天的消息和会话",
    shares="消息的处理结果",
    thumbs="每天的赞和踩",
    times="回复用时（毫秒）",
    lines=("消息", "会话", "赞", "踩", "中位数", "95% 不超过"),
    questions="最常见的问题",
    answers="最常用的答案",
    reasons="转人工的原因",
    columns=("", "语言", "次数", "赞 / 踩"),
    take="下载",
)

EVALUATION_WORDS: Mapping[str, EvaluationWords] = {"en": ENGLISH_EVALUATION, "zh": CHINESE_EVALUATION}
INSIGHT_WORDS: Mapping[str, InsightWords] = {"en": ENGLISH_INSIGHTS, "zh": CHINESE_INSIGHTS}
