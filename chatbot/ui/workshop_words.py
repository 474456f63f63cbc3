"""The words of the support lead's workshop, in English and Chinese: the page, its hit test and its thresholds.

What its evaluation and its insights say is in measured_words.py; actions and reasons have the chat page's names.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from chatbot.insight.hittest import Outcome


@dataclass(frozen=True, slots=True)
class HitWords:
    """`{…}` is filled in by the page."""

    about: str
    questions: str
    file: str
    run: str
    asking: str  # shown with the progress
    nothing: str
    bad_rows: str  # {count}
    bad_row: str  # {row}, {reason}
    unknown: str  # {ids}
    only: str
    everything: str
    columns: tuple[str, str, str, str, str, str, str]
    outcomes: Mapping[Outcome, str]
    no_answer_expected: str
    more: str  # {count}
    hits: str
    choose: str
    candidates: str  # {question}
    candidate_columns: tuple[str, str, str, str, str, str]
    is_expected: str
    tried: str
    first: str
    among: str


@dataclass(frozen=True, slots=True)
class ThresholdWords:
    about: str
    language: str
    file: str
    given: str  # {count} of dialogues
    missing: str
    observe: str
    observing: str
    seen: str  # {turns}, {version}
    stale: str
    nothing: str  # {language}
    answer: str
    clarify: str
    later_answer: str
    later_clarify: str
    never: str
    effect: str
    columns: tuple[str, str, str]
    measures: tuple[str, str, str]  # precision, coverage, accuracy
    curve: str
    curve_line: str
    now: str
    then: str
    changes: str  # {count}
    unchanged: str
    change_columns: tuple[str, str, str, str]
    right: str
    wrong: str
    publish: str
    published: str  # {language}, {version}
    undo: str
    undone: str  # {version}
    unmoved: str


@dataclass(frozen=True, slots=True)
class WorkshopWords:
    title: str
    who: str  # asks for a name
    tabs: tuple[str, str, str, str, str, str]
    hit_test: HitWords
    thresholds: ThresholdWords


ENGLISH = WorkshopWords(
    title="Workshop",
    who="Your name, for the history",
    tabs=("Answers", "Hit test", "Why", "Thresholds", "Evaluation", "Insights"),
    hit_test=HitWords(
        about="What the bot would say to these questions as a first message. A file has a column question and, to "
        "tell right from wrong, a column expected: answer ids joined by |, or - where no answer may be given.",
        questions="Questions, one a line",
        file="Try a file (csv, tsv, jsonl, xlsx)",
        run="Try them",
        asking="Asking",
        nothing="Type a question or paste several first.",
        bad_rows="{count} rows of the file could not be used:",
        bad_row="row {row}: {reason}",
        unknown="No stored answer has the expected id: {ids}. Check the spelling.",
        only="Show",
        everything="All",
        columns=("Question", "Expected", "Outcome", "Decision", "Why", "Answer", "Confidence"),
        outcomes={
            Outcome.RIGHT: "Right",
            Outcome.OFFERED: "Offered",
            Outcome.MISSED: "Missed",
            Outcome.WRONG: "Wrong",
            Outcome.UNJUDGED: "–",
        },
        no_answer_expected="no answer",
        more="Show {count} more",
        hits="What the bot did",
        choose="Choose a question above to see which stored answers were compared.",
        candidates="Compared for “{question}”",
        candidate_columns=("Answer", "Question asked before", "Similarity", "Relevance", "Confidence", "Text"),
        is_expected="expected",
        tried="Questions",
        first="Expected came first",
        among="Expected among three",
    ),
    thresholds=ThresholdWords(
        about="How sure the bot must be. Held-out dialogues are asked once; then the sliders show at once what "
        "other thresholds would do. Nothing changes for customers before you publish.",
        language="Language of the bot",
        file="Ask those of a file (jsonl)",
        given="{count} held-out dialogues came with the service.",
        missing="No held-out dialogues are there to score. Choose a jsonl file with one dialogue a line, whose "
        "user turns have `expected`.",
        observe="Ask the dialogues of the service",
        observing="Asking",
        seen="Turns asked of version {version}: {turns}.",
        stale="The bot has changed since the dialogues were asked. Ask them again: what is shown may not hold.",
        nothing="No turn of these dialogues is served by {language}.",
        answer="Answer from (first messages)",
        clarify="Ask back from (first messages)",
        later_answer="Answer from (follow-ups)",
        later_clarify="Ask back from (follow-ups)",
        never="1 is never.",
        effect="What these thresholds do",
        columns=("Measure", "In force", "With these"),
        measures=("Precision of answers", "Coverage", "Accuracy"),
        curve="Risk and coverage",
        curve_line="share of answers wrong (up) by share of questions answered (across)",
        now="in force",
        then="with these thresholds",
        changes="Turns that change: {count}",
        unchanged="No turn changes.",
        change_columns=("Question", "Expected", "In force", "With these"),
        right="right",
        wrong="wrong",
        publish="Publish",
        published="Published for {language}: version {version} answers from now on.",
        undo="Undo",
        undone="Version {version} answers again.",
        unmoved="These thresholds are in force already.",
    ),
)

CHINESE = WorkshopWords(
    title="工作间",
    who="您的姓名（记入修改历史）",
    tabs=("答案", "命中测试", "为什么", "阈值", "评测", "洞察"),
    hit_test=HitWords(
        about="把这些问题作为第一条消息发给机器人，看它会怎么回答。文件要有 question 列；如需判断对错，"
        "再加 expected 列：用 | 连接的答案编号，或用 - 表示不应给出答案。",
        questions="问题，每行一个",
        file="测试文件（csv、tsv、jsonl、xlsx）",
        run="开始测试",
        asking="正在提问",
        nothing="请先输入或粘贴问题。",
        bad_rows="文件中有 {count} 行无法使用：",
        bad_row="第 {row} 行：{reason}",
        unknown="没有编号为 {ids} 的已有答案，请检查预期答案的编号。",
        only="显示",
        everything="全部",
        columns=("问题", "预期", "结果", "处理方式", "原因", "答案", "置信度"),
        outcomes={
            Outcome.RIGHT: "正确",
            Outcome.OFFERED: "已列入选项",
            Outcome.MISSED: "未命中",
            Outcome.WRONG: "错误",
            Outcome.UNJUDGED: "–",
        },
        no_answer_expected="不应有答案",
        more="再显示 {count} 个",
        hits="机器人的处理结果",
        choose="请在上方选择一个问题，查看比较了哪些已有答案。",
        candidates="“{question}”的候选答案",
        candidate_columns=("答案", "以往的问题", "相似度", "相关性", "置信度", "答案内容"),
        is_expected="预期",
        tried="问题数",
        first="预期答案排第一",
        among="预期答案在前三",
    ),
    thresholds=ThresholdWords(
        about="机器人要有多大把握才回答。留出的对话只需提问一次，之后拖动滑块即可看到其他阈值的效果。发布之前，"
        "顾客那边不会有任何变化。",
        language="机器人的语言",
        file="用文件中的对话提问（jsonl）",
        given="服务启动时带有 {count} 个留出的对话。",
        missing="没有可以评分的留出对话。请选择一个 jsonl 文件，每行一个对话，用户消息带有 `expected`。",
        observe="用服务自带的对话提问",
        observing="正在提问",
        seen="已向版本 {version} 提问 {turns} 条消息。",
        stale="提问之后机器人已有改动，显示的结果可能不再成立。请重新提问。",
        nothing="这些对话中没有由{language}回答的消息。",
        answer="回答阈值（首条消息）",
        clarify="反问阈值（首条消息）",
        later_answer="回答阈值（后续消息）",
        later_clarify="反问阈值（后续消息）",
        never="1 表示从不。",
        effect="这些阈值的效果",
        columns=("指标", "当前", "调整后"),
        measures=("回答的准确率", "覆盖率", "总体正确率"),
        curve="风险与覆盖率",
        curve_line="答错的比例（纵轴）随得到回答的问题比例（横轴）的变化",
        now="当前阈值",
        then="调整后的阈值",
        changes="处理会改变的消息：{count} 条",
        unchanged="没有消息的处理会改变。",
        change_columns=("问题", "预期", "当前", "调整后"),
        right="正确",
        wrong="错误",
        publish="发布",
        published="已发布（{language}）：从现在起由版本 {version} 回答。",
        undo="撤销",
        undone="已恢复为版本 {version}。",
        unmoved="这些阈值已经在使用。",
    ),
)

WORKSHOP_WORDS: Mapping[str, WorkshopWords] = {"en": ENGLISH, "zh": CHINESE}
