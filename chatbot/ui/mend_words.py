"""The words of the desk's tabs for unanswered questions and blamed answers, in English and Chinese."""

from collections.abc import Mapping
from dataclasses import dataclass

from chatbot.domain import Action
from chatbot.ui.mend import Why


@dataclass(frozen=True, slots=True)
class MendWords:
    """What the tabs say in one language. `{…}` is filled in by the page."""

    inbox_tab: str
    gaps_tab: str
    blamed_tab: str
    refresh: str
    reading: str
    no_gaps: str
    no_blamed: str
    choose_gap: str
    choose_blamed: str
    elsewhere: str  # {count}, {languages} that the bot has no pairs in
    asked: str  # {count}
    rises: str
    trend: str  # {days}, {count}: the text alternative of a trend
    questions: str
    dismiss: str
    needs_none: str  # {count}: was done
    asked_again: str  # that was taken back
    more: str  # {count} questions that are not listed
    search: str
    offers: str
    no_offers: str
    scores: str  # {similarity}, {confidence}
    by_id: str
    use: str
    new: str
    text: str
    id: str
    add: str
    question: str  # as it is kept
    asked_by: str
    given: str
    no_answer_id: str
    comment: str
    talk: str
    was_right: str
    comparing: str  # {share}
    no_dialogues: str
    compared: str  # {turns}
    same: str
    better: str  # {count}
    worse: str  # {count}
    measures: str  # {measures} that fall by more than chance
    columns: tuple[str, str, str, str, str]  # of flips: change, question, expected, before, after
    changes: Mapping[str, str]
    actions: Mapping[Action, str]
    nothing: str  # is expected
    publish: str
    publish_anyway: str
    cancel: str
    live: str  # {count}, {answer}
    undo: str
    undone: str
    dismissed: str
    failed: str
    refusals: Mapping[Why, str]


ENGLISH = MendWords(
    inbox_tab="Inbox",
    gaps_tab="Unanswered",
    blamed_tab="Thumbs down",
    refresh="Look again",
    reading="Asking the assistant again what it could not answer: {share}",
    no_gaps="Nothing: all that was asked in the last 90 days is answered now.",
    no_blamed="Nothing to review. Answers that a customer marks with a thumb down appear here.",
    choose_gap="Choose a topic on the left.",
    choose_blamed="Choose an answer on the left.",
    elsewhere="{count} more in languages that the assistant has no answers in: {languages}.",
    asked="asked {count}×",
    rises="rising",
    trend="Asked on each of the last {days} days, oldest first: {count}",
    questions="Questions that get the answer",
    dismiss="They need no answer",
    needs_none="Dismissed: {count} questions that need no answer, whoever asks them.",
    asked_again="Taken back: the questions are on the list again.",
    more="and {count} more like these, which are asked again once these are answered",
    search="Search the stored answers",
    offers="Stored answers that come nearest",
    no_offers="No stored answer was found.",
    scores="similarity {similarity} · confidence {confidence}",
    by_id="found by its id",
    use="Give this answer",
    new="Write a new answer",
    text="The answer, as customers will read it",
    id="Its id",
    add="Add this answer",
    question="The question, as it is to be kept (without names and numbers of this customer)",
    asked_by="The customer asked",
    given="The assistant answered",
    no_answer_id="no stored answer",
    comment="The customer's comment",
    talk="The whole conversation",
    was_right="The answer was right",
    comparing="Trying it on held-out dialogues: {share}",
    no_dialogues="There were no held-out dialogues in this language to try it on.",
    compared="Tried on {turns} held-out turns:",
    same="none of them changes.",
    better="{count} would come right",
    worse="{count} that were right would go wrong",
    measures="Falls by more than chance explains: {measures}",
    columns=("Change", "Question", "Expected", "Now", "Then"),
    changes={"worse": "worse", "better": "better"},
    actions={
        Action.ANSWER: "answers",
        Action.CLARIFY: "asks back",
        Action.HAND_OVER: "hands over",
        Action.CHAT: "small talk",
    },
    nothing="no stored answer",
    publish="Publish",
    publish_anyway="Publish anyway",
    cancel="Do not publish",
    live="Live: {count} questions are now answered by {answer}.",
    undo="Undo",
    undone="Taken back: the assistant answers as before.",
    dismissed="Kept: the answer was right.",
    failed="That could not be done. Please try again.",
    refusals={
        Why.NAMELESS: "Please say who you are first: it is kept with what you publish.",
        Why.NO_QUESTION: "Choose at least one question.",
        Why.NO_TEXT: "Write the answer first.",
        Why.BAD_ID: "The id needs at least one letter, and no |.",
        Why.TAKEN_ID: "There is an answer with this id already. Choose another id.",
        Why.THERE_ALREADY: "This answer has those questions already; nothing would change.",
        Why.CHANGED: "Somebody else has published something meanwhile. Please do it again.",
        Why.JUDGED: "Another agent has judged this answer already.",
    },
)

CHINESE = MendWords(
    inbox_tab="会话",
    gaps_tab="未能回答",
    blamed_tab="差评",
    refresh="刷新",
    reading="正在重新询问智能助手未能回答的问题：{share}",
    no_gaps="没有：最近 90 天的问题现在都能回答。",
    no_blamed="没有需要复核的回答。顾客点踩的回答会出现在这里。",
    choose_gap="请在左侧选择一个话题。",
    choose_blamed="请在左侧选择一个回答。",
    elsewhere="另有 {count} 个问题使用了智能助手没有答案的语言：{languages}。",
    asked="被问 {count} 次",
    rises="上升中",
    trend="最近 {days} 天每天的提问次数（从早到晚）：{count}",
    questions="用该答案回答的问题",
    dismiss="无需回答",
    needs_none="已忽略：{count} 个问题无需回答，无论谁再问起。",
    asked_again="已撤销：这些问题重新列出。",
    more="另有 {count} 个类似的问题，处理完这些之后会重新询问",
    search="搜索已有答案",
    offers="最接近的已有答案",
    no_offers="没有找到已有答案。",
    scores="相似度 {similarity} · 置信度 {confidence}",
    by_id="按编号找到",
    use="使用这个答案",
    new="写一个新答案",
    text="答案（顾客将看到的文字）",
    id="答案编号",
    add="添加这个答案",
    question="要保存的问题（请去掉这位顾客的姓名和号码）",
    asked_by="顾客的问题",
    given="智能助手的回答",
    no_answer_id="没有使用已有答案",
    comment="顾客的评语",
    talk="完整会话",
    was_right="回答没有错",
    comparing="正在用留出的对话试验：{share}",
    no_dialogues="没有这种语言的留出对话，无法试验。",
    compared="已用 {turns} 条留出的消息试验：",
    same="没有任何变化。",
    better="{count} 条将变为正确",
    worse="{count} 条原本正确的将变为错误",
    measures="下降幅度超出偶然：{measures}",
    columns=("变化", "问题", "期望", "现在", "之后"),
    changes={"worse": "变差", "better": "变好"},
    actions={Action.ANSWER: "回答", Action.CLARIFY: "反问", Action.HAND_OVER: "转人工", Action.CHAT: "闲聊"},
    nothing="没有已有答案",
    publish="发布",
    publish_anyway="仍然发布",
    cancel="不发布",
    live="已生效：{count} 个问题现在由 {answer} 回答。",
    undo="撤销",
    undone="已撤销：智能助手照原来的方式回答。",
    dismissed="已记录：回答没有错。",
    failed="未能完成，请重试。",
    refusals={
        Why.NAMELESS: "请先填写您的姓名，它会与您发布的内容一起保存。",
        Why.NO_QUESTION: "请至少选择一个问题。",
        Why.NO_TEXT: "请先写出答案。",
        Why.BAD_ID: "编号至少要有一个字，且不能含有 |。",
        Why.TAKEN_ID: "已有答案使用这个编号，请换一个。",
        Why.THERE_ALREADY: "这个答案已经包含这些问题，不会有任何变化。",
        Why.CHANGED: "期间有其他人发布了内容，请重新操作。",
        Why.JUDGED: "其他同事已经复核过这个回答。",
    },
)

MEND_WORDS: Mapping[str, MendWords] = {"en": ENGLISH, "zh": CHINESE}
