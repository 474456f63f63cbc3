"""The words of the chat page, in English and Chinese.

In: a language code. Out: `Words`, everything that the page itself says. What the bot says comes from its answers
and phrases, never from here. One frozen value a language, so that a missing text is a type error and not a blank.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chatbot.domain import Action, Reason


@dataclass(frozen=True, slots=True)
class Words:
    """What the page says in one language. `{…}` is filled in by the page."""

    name: str  # of the language, in itself
    welcome: str
    invitation: str
    placeholder: str
    writing: str
    person: str
    person_phrase: str  # what the person button asks the bot
    new: str
    empty: str
    failed: str
    more: str  # {count} characters of a long message that are not shown
    place: str  # {place} in the queue for a person
    wait: str  # {minutes}
    claimed: str  # {agent} has the conversation
    contact: str
    contact_left: str  # {contact}
    give_up: str
    asks_why: str
    reasons_why: tuple[str, str, str]  # an answer did not help
    other_reason: str
    thanks: str
    sure: str
    fairly_sure: str
    not_sure: str
    cited: str  # {question}
    suggested: str
    related: str
    examples: str
    why: str
    trust: str
    promised: str  # {language}, {risk}, {number} of held-out questions
    aimed: str  # the same
    untold: str  # {language}
    curves: tuple[str, str, str, str, str]  # the labels of learn/curves.py, in its order
    nothing_yet: str
    no_candidates: str
    took: str  # {milliseconds}
    columns: tuple[str, str, str, str, str]  # answer id, question, similarity, relevance, confidence
    actions: Mapping[Action, str]
    reasons: Mapping[Reason, str]

    def certainty(self, confidence: float) -> str:
        """A probability in words."""
        if confidence >= 0.9:
            return self.sure
        return self.fairly_sure if confidence >= 0.7 else self.not_sure


ENGLISH = Words(
    name="English",
    welcome="How can we help?",
    invitation="Ask in your own words. Every answer is one that we have given before.",
    placeholder="Type your question…",
    writing="The assistant is writing…",
    person="Talk to a person",
    person_phrase="I would like to talk to a person",
    new="New conversation",
    empty="Please type your question first.",
    failed="Sorry, something went wrong on our side. Please try again, or talk to a person.",
    more="… and {count} more characters",
    place="A person was asked. You are number {place} in the queue.",
    wait="It usually takes {minutes} min.",
    claimed="{agent} is with you now. The assistant is quiet meanwhile.",
    contact="E-mail or phone, should you have to leave",
    contact_left="We will reach you at {contact}.",
    give_up="I do not want to wait",
    asks_why="What was wrong with the answer?",
    reasons_why=("Wrong", "Incomplete", "Not what I asked"),
    other_reason="Something else…",
    thanks="Thank you. We will look at it.",
    sure="Sure",
    fairly_sure="Fairly sure",
    not_sure="Not sure",
    cited="Answered before: “{question}”",
    suggested="Did you mean",
    related="Others also asked",
    examples="For example",
    why="How this answer was chosen",
    trust="How far its confidence can be trusted",
    promised="{language}: of the answers given, at most {risk} wrong: promised, on {number} held-out questions.",
    aimed="{language}: of the answers given, at most {risk} wrong: aimed at, on {number} held-out questions.",
    untold="{language}: no question could be held out, so nothing is known of its confidence.",
    curves=(
        "{name}: {number} held-out questions",
        "stated confidence",
        "share right",
        "coverage: share of questions answered",
        "risk: share of answers wrong",
    ),
    nothing_yet="Ask something, and the stored answers that were compared appear here.",
    no_candidates="No stored answer was looked up for this message.",
    took="{milliseconds} ms",
    columns=("Answer", "Question asked before", "Similarity", "Relevance", "Confidence"),
    actions={
        Action.ANSWER: "Answered",
        Action.CLARIFY: "Asked back",
        Action.HAND_OVER: "Handed over to a person",
        Action.CHAT: "Replied without a stored answer",
    },
    reasons={
        Reason.CONFIDENT: "The best answer is confident enough.",
        Reason.AMBIGUOUS: "Several answers are possible, and none is confident enough alone.",
        Reason.REFUSED: "Customer and best answer differ in what is wanted.",
        Reason.UNSURE: "No stored answer seems to fit.",
        Reason.ASKED_FOR_PERSON: "The customer asked for a person.",
        Reason.UPSET: "The customer is upset and should not be asked back again.",
        Reason.SMALL_TALK: "It is small talk.",
        Reason.NO_QUESTION: "There is no question in it that can be read.",
        Reason.TOO_LONG: "The message is too long.",
        Reason.VALUE_GIVEN: "The customer gave what the answer had asked for.",
        Reason.NO_VALUE: "What the answer had asked for is not in the message.",
    },
)

CHINESE = Words(
    name="中文",
    welcome="您好，有什么可以帮您？",
    invitation="用您自己的话提问即可。每个回答都来自我们以往的答复。",
    placeholder="请输入您的问题…",
    writing="智能助手正在输入……",
    person="转人工客服",
    person_phrase="我要转人工客服",
    new="新对话",
    empty="请先输入您的问题。",
    failed="抱歉，我们这边出了点问题。请再试一次，或转人工客服。",
    more="……还有 {count} 个字符",
    place="已为您转接人工客服，您当前排在第 {place} 位。",
    wait="通常需要等待 {minutes} 分钟。",
    claimed="{agent} 正在为您服务，智能助手暂不回复。",
    contact="如需离开，请留下电话或邮箱",
    contact_left="我们会通过 {contact} 联系您。",
    give_up="不再等待",
    asks_why="这个回答哪里不对？",
    reasons_why=("答错了", "不完整", "答非所问"),
    other_reason="其他原因……",
    thanks="谢谢，我们会查看。",
    sure="确定",
    fairly_sure="比较确定",
    not_sure="不太确定",
    cited="曾回答过：“{question}”",
    suggested="您是不是想问",
    related="其他顾客还问了",
    examples="例如",
    why="这个回答是怎么选出来的",
    trust="它的置信度有多可信",
    promised="{language}：给出的回答中最多有 {risk} 是错的：由 {number} 个留出的问题保证。",
    aimed="{language}：给出的回答中最多有 {risk} 是错的：这是用 {number} 个留出的问题设定的目标，并非保证。",
    untold="{language}：没有可以留出的问题，因此对它的置信度一无所知。",
    curves=(
        "{name}：{number} 个留出的问题",
        "给出的置信度",
        "答对的比例",
        "覆盖率：得到回答的问题比例",
        "风险：回答出错的比例",
    ),
    nothing_yet="提问之后，这里会显示参与比较的已有答案。",
    no_candidates="这条消息没有查找已有答案。",
    took="{milliseconds} 毫秒",
    columns=("答案", "以往的问题", "相似度", "相关性", "置信度"),
    actions={
        Action.ANSWER: "已回答",
        Action.CLARIFY: "已反问",
        Action.HAND_OVER: "已转人工",
        Action.CHAT: "未使用已有答案的回复",
    },
    reasons={
        Reason.CONFIDENT: "最佳答案的置信度足够高。",
        Reason.AMBIGUOUS: "有几个可能的答案，但没有一个足够确定。",
        Reason.REFUSED: "顾客想要的与最佳答案所讲的正好相反。",
        Reason.UNSURE: "没有合适的已有答案。",
        Reason.ASKED_FOR_PERSON: "顾客要求转人工。",
        Reason.UPSET: "顾客生气或着急，不宜再反问。",
        Reason.SMALL_TALK: "这是闲聊。",
        Reason.NO_QUESTION: "消息中没有可以理解的问题。",
        Reason.TOO_LONG: "消息太长。",
        Reason.VALUE_GIVEN: "顾客提供了该答案所需的信息。",
        Reason.NO_VALUE: "消息中没有该答案所需的信息。",
    },
)

WORDS: Mapping[str, Words] = {"en": ENGLISH, "zh": CHINESE}


def spoken(languages: Sequence[str]) -> list[str]:
    """Those of a bot's languages that the page has words for, in their order; English when there is none."""
    return [language for language in languages if language in WORDS] or ["en"]


def preferred(accepted: str, languages: Sequence[str]) -> str:
    """The language to greet a visitor in: the first of `languages` that the browser's Accept-Language header
    names (browsers send it best first), else English, else the first."""
    for tag in accepted.split(","):
        code = tag.split(";")[0].split("-")[0].strip().lower()
        if code in languages:
            return code
    return "en" if "en" in languages else languages[0]
