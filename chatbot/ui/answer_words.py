"""The words of the tab of answers, in English and Chinese."""

from collections.abc import Mapping
from dataclasses import dataclass

from chatbot.journal import Kind


@dataclass(frozen=True, slots=True)
class AnswerWords:
    """What the tab says in one language. `{…}` is filled in by the page."""

    edit: str
    import_: str
    export: str
    history: str
    # search and edit
    search: str
    language: str
    every: str
    found: str  # {count} answers, {questions}
    more: str  # {count} that are not listed
    narrow: str
    nothing_found: str
    choose: str
    text: str
    save: str
    questions: str
    add: str  # label: one a line
    add_button: str
    retire_question: str
    retire_answer: str
    merge: str
    merge_button: str
    undo: str
    draft: str
    changed_meanwhile: str
    gone: str
    saved: str  # {version}
    undone: str  # {version}
    reworded: str  # {answer}; the next ones are what the history says
    added: str
    retired_question: str
    retired_answer: str
    merged: str  # {answer}, {kept}
    failed: str
    # import
    file: str
    columns: Mapping[str, str]
    fields: Mapping[str, str]
    none: str
    scope: str
    scopes: Mapping[str, str]
    publish: str
    no_file: str
    choose_columns: str  # {columns}
    read: str  # {rows}, {kept}, {exact}, {near}, {bad}
    preview: str  # {count}
    bad_rows: str
    row: str
    reason: str
    no_change: str
    changes: str
    published: str  # {version}
    imported: str  # {file}
    publishing: str  # {count} questions to learn
    kinds: Mapping[str, str]
    old: str
    new: str
    answer: str
    question: str
    number: str  # of questions
    # export and history
    version: str
    in_use: str
    make_csv: str
    make_xlsx: str
    download: str  # {file}, {rows}
    when: str
    who: str
    what: str
    show: str
    back: str
    done: Mapping[Kind, str]
    elsewhere: str
    not_kept: str
    rolled_back: str  # {version}
    not_shown: str


ENGLISH = AnswerWords(
    edit="Search and edit",
    import_="Import",
    export="Export",
    history="History",
    search="Words in questions, answers or ids",
    language="Language of the answers",
    every="All",
    found="{count} answers, {questions} questions",
    more="… and {count} more",
    narrow="Type more words to see fewer.",
    nothing_found="No answer has all of these words.",
    choose="Choose an answer on the left.",
    text="Text of the answer",
    save="Publish text",
    questions="Questions that it answers",
    add="More questions, one a line",
    add_button="Add questions",
    retire_question="Retire",
    retire_answer="Retire the answer and its questions",
    merge="Merge into another answer, whose text then answers these questions",
    merge_button="Merge",
    undo="Undo",
    draft="Not published yet. Live is:",
    changed_meanwhile="Somebody has changed this answer meanwhile; nothing was published. What you typed is still "
    "here; look at what is live now, then publish again.",
    gone="This answer is no longer there.",
    saved="Live with the next message, as version {version}.",
    undone="Undone; version {version} is live again.",
    reworded="text of {answer}",
    added="questions for {answer}",
    retired_question="question of {answer} retired",
    retired_answer="{answer} retired",
    merged="{answer} merged into {kept}",
    failed="That could not be done; it was written to the log. Please try again.",
    file="File of questions and answers: csv, tsv, jsonl or xlsx",
    columns={
        "question": "Column of the question",
        "answer": "Column of the answer",
        "answer_id": "Column of the answer’s id",
        "language": "Column of the language",
        "source": "Column of the source",
    },
    fields={
        "question": "Question",
        "answer": "Answer",
        "answer_id": "Id",
        "language": "Language",
        "source": "Source",
    },
    none="– none –",
    scope="What the file is",
    scopes={"update": "Add to what is there", "replace": "Replace all answers in the file’s languages"},
    publish="Publish these changes",
    no_file="Choose a file. Nothing changes before you publish.",
    choose_columns="Choose the column of the {columns}.",
    read="{rows} rows read: {kept} pairs kept, {exact} exact and {near} near duplicates merged, {bad} bad rows.",
    preview="The first {count} pairs, as they will be stored",
    bad_rows="Rows that cannot be used",
    row="Row",
    reason="Reason",
    no_change="Nothing would change: all of it is live already.",
    changes="What would change",
    published="Published. Live with the next message, as version {version}.",
    imported="import of {file}",
    publishing="Publishing: {count} questions are being learned. Customers are answered meanwhile.",
    kinds={
        "answers_added": "Answers added",
        "answers_removed": "Answers removed",
        "answers_reworded": "Answers reworded",
        "questions_added": "Questions added",
        "questions_removed": "Questions removed",
        "questions_moved": "Questions moved to another answer",
        "details_changed": "Questions with another source or other details",
        "contradictions": "Contradictions: one question under several answers, all kept",
        "conflicting_answers": "Conflicts: one id with several texts, the first is used",
    },
    old="Before",
    new="After",
    answer="Answer",
    question="Question",
    number="Questions",
    version="Version",
    in_use="in use",
    make_csv="Make a csv file",
    make_xlsx="Make an Excel file",
    download="Download {file} ({rows} rows)",
    when="When (UTC)",
    who="Who",
    what="What",
    show="What changed",
    back="Back to this",
    done={
        Kind.PUBLISHED: "published",
        Kind.UNDONE: "undone",
        Kind.ROLLED_BACK: "rolled back",
        Kind.THRESHOLDS: "other thresholds",
    },
    elsewhere="made by training or on the command line",
    not_kept="no longer kept",
    rolled_back="Version {version} is live with the next message.",
    not_shown="The texts of this change cannot be shown.",
)

CHINESE = AnswerWords(
    edit="查找和编辑",
    import_="导入",
    export="导出",
    history="历史",
    search="按问题、答案或编号查找",
    language="答案的语言",
    every="全部",
    found="{count} 个答案，{questions} 个问题",
    more="……还有 {count} 个",
    narrow="多输入几个字可缩小范围。",
    nothing_found="没有答案包含这些词。",
    choose="请在左侧选择一个答案。",
    text="答案内容",
    save="发布内容",
    questions="它回答的问题",
    add="更多问题，每行一个",
    add_button="添加问题",
    retire_question="停用",
    retire_answer="停用该答案及其问题",
    merge="并入另一个答案，这些问题将由那个答案回答",
    merge_button="合并",
    undo="撤销",
    draft="尚未发布。目前生效的是：",
    changed_meanwhile="有人刚刚修改了这个答案，未发布任何内容。您输入的内容仍在；请查看目前生效的内容，再重新发布。",
    gone="这个答案已不存在。",
    saved="已生效（版本 {version}），下一条消息即按此回答。",
    undone="已撤销，版本 {version} 重新生效。",
    reworded="修改 {answer} 的内容",
    added="为 {answer} 添加问题",
    retired_question="停用 {answer} 的一个问题",
    retired_answer="停用 {answer}",
    merged="{answer} 并入 {kept}",
    failed="未能完成，详情已写入日志，请重试。",
    file="问答文件：csv、tsv、jsonl 或 xlsx",
    columns={
        "question": "问题所在列",
        "answer": "答案所在列",
        "answer_id": "答案编号所在列",
        "language": "语言所在列",
        "source": "来源所在列",
    },
    fields={"question": "问题", "answer": "答案", "answer_id": "编号", "language": "语言", "source": "来源"},
    none="– 无 –",
    scope="文件的作用",
    scopes={"update": "添加到现有内容", "replace": "替换文件所含语言的全部答案"},
    publish="发布这些更改",
    no_file="请选择文件。发布之前不会有任何更改。",
    choose_columns="请选择以下内容所在的列：{columns}。",
    read="已读取 {rows} 行：保留 {kept} 条问答，合并完全重复 {exact} 条、近似重复 {near} 条，无法使用 {bad} 行。",
    preview="前 {count} 条问答（按将要存储的样子）",
    bad_rows="无法使用的行",
    row="行",
    reason="原因",
    no_change="没有变化：文件内容均已生效。",
    changes="将要发生的更改",
    published="已发布并生效（版本 {version}），下一条消息即按此回答。",
    imported="导入 {file}",
    publishing="正在发布：正在学习 {count} 个问题，期间顾客照常得到回答。",
    kinds={
        "answers_added": "新增的答案",
        "answers_removed": "移除的答案",
        "answers_reworded": "改写的答案",
        "questions_added": "新增的问题",
        "questions_removed": "移除的问题",
        "questions_moved": "移到其他答案的问题",
        "details_changed": "来源或附加信息有变的问题",
        "contradictions": "矛盾：同一问题属于多个答案，全部保留",
        "conflicting_answers": "冲突：同一编号有多种内容，采用第一种",
    },
    old="之前",
    new="之后",
    answer="答案",
    question="问题",
    number="问题数",
    version="版本",
    in_use="使用中",
    make_csv="生成 csv 文件",
    make_xlsx="生成 Excel 文件",
    download="下载 {file}（{rows} 行）",
    when="时间（UTC）",
    who="操作人",
    what="内容",
    show="查看更改",
    back="恢复到此版本",
    done={
        Kind.PUBLISHED: "发布",
        Kind.UNDONE: "撤销",
        Kind.ROLLED_BACK: "恢复",
        Kind.THRESHOLDS: "调整阈值",
    },
    elsewhere="由训练或命令行生成",
    not_kept="已不保留",
    rolled_back="版本 {version} 已生效，下一条消息即按此回答。",
    not_shown="无法显示这次更改的内容。",
)

ANSWER_WORDS: Mapping[str, AnswerWords] = {"en": ENGLISH, "zh": CHINESE}
