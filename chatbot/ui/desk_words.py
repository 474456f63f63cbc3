"""The words of the support agent's desk, in English and Chinese."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeskWords:
    """What the desk says in one language. `{…}` is filled in by the page."""

    title: str
    name: str  # asks who the agent is
    nameless: str
    empty: str
    choose: str
    waiting: str  # {minutes}
    with_: str  # {agent}
    mine: str
    contact: str  # {contact}
    about: str
    suggested: str
    nothing_fits: str
    use: str
    send_it: str
    customer: str
    bot: str
    reply: str
    talk: str
    waits: str  # {count}
    claim: str
    release: str
    hand_back: str
    resolve: str
    gone: str
    failed: str


ENGLISH = DeskWords(
    title="Support desk",
    name="Your name, as customers see it",
    nameless="Please say who you are first: customers see that name.",
    empty="Nobody is waiting. New hand-overs appear here by themselves.",
    choose="Choose a conversation on the left.",
    waiting="waits {minutes} min",
    with_="with {agent}",
    mine="with you",
    contact="Can be reached at {contact}",
    about="In the customer's words",
    suggested="Stored answers that may fit",
    nothing_fits="No stored answer seems to fit.",
    use="Edit first",
    send_it="Send",
    customer="Customer",
    bot="Assistant",
    reply="Your reply…",
    talk="Conversation",
    waits="Open conversations: {count}",
    claim="Take it",
    release="Put back into the queue",
    hand_back="Hand back to the assistant",
    resolve="Resolved",
    gone="This conversation was closed meanwhile.",
    failed="That could not be kept. Please try again.",
)

CHINESE = DeskWords(
    title="客服工作台",
    name="您的姓名（顾客会看到）",
    nameless="请先填写您的姓名，顾客会看到它。",
    empty="目前没有人在等待。新的转接会自动出现在这里。",
    choose="请在左侧选择一个会话。",
    waiting="已等待 {minutes} 分钟",
    with_="{agent} 处理中",
    mine="由您处理",
    contact="联系方式：{contact}",
    about="顾客的原话",
    suggested="可能合适的已有答案",
    nothing_fits="没有合适的已有答案。",
    use="编辑后发送",
    send_it="发送",
    customer="顾客",
    bot="智能助手",
    reply="输入您的回复……",
    talk="会话内容",
    waits="未结束的会话：{count}",
    claim="接手",
    release="放回队列",
    hand_back="交还智能助手",
    resolve="已解决",
    gone="这个会话已被关闭。",
    failed="未能保存，请重试。",
)

DESK_WORDS: Mapping[str, DeskWords] = {"en": ENGLISH, "zh": CHINESE}
