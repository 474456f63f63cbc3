"""Who asks for a person, and what is small talk: many phrasings, and the questions that only look like them."""

import re
import time
from pathlib import Path

import pytest

from chatbot import phrases
from chatbot.corpus import read_pairs
from chatbot.text import clean

DEMO = Path(__file__).parents[1] / "data" / "demo"

ASKS = {
    "en": """
        human | HUMAN. NOW. | Agent!!! | agent agent agent | representative | operator please |
        real person please | actual human | live agent | customer service | customer service representative |
        is there a real person there | speak to a human | talk to human | speak to somebody |
        I want to speak to a person | I’d like a human, please | can I talk to someone |
        can I talk to someone real | let me talk to a real person please | I need a human |
        I need to speak with a manager | connect me to an agent | transfer me to customer service | call me |
        put me through to a human being please | get me your supervisor |
        I'd like to speak with a representative | is there a human I can talk to | stop, I want a human |
        no bots, real person | give me a human | could you get me a human |
        please connect me with customer support | Can someone call me back? | get me a real live person |
        can i please speak to a real human being | i wanna talk to a person | how can I talk to a human |
        let me speak with your manager | I demand to speak to a manager | hand me over to a colleague |
        I want a human not a bot | we need an agent to help with this order | This is useless. Get me a human. |
        Where is my refund?! I asked five times! Real person! |
        I want a refund and I want to talk to a manager | I've been waiting for two weeks and nobody answers my
        e-mails, this is ridiculous, I want to speak to a real person | My parcel has been lost for three weeks,
        the tracking page has said the same thing since Monday and your e-mails are automatic, so please, get me
        a human
    """,
    "zh": """
        人工 | 转人工 | 转人工转人工!!不想跟机器人讲话 | 人工客服 | 转接人工客服，谢谢 | 转接到人工 | 我要人工 |
        我要找人工客服 | 我想要人工服务 | 请帮我转人工 | 麻烦转一下人工 | 能不能转人工 | 可以转接人工吗 | 真人 |
        真人！真人！真人！ | 有没有真人 | 有没有活人啊 | 叫你们经理来 | 找你们领导 | 我要跟真人说话 |
        机器人听不懂，我要跟真人说话！ | 我需要客服 | 我需要真人客服 | 换个人来 | 叫个人来 | 让人工来 |
        给我回个电话 | 我不想跟机器人聊，找个真人 | 呼叫人工 | 接人工 | 联系客服 | 我想联系人工客服 |
        我要投诉，叫你们领导来 | 退款三天了还没到。人工！ | 轉人工 | 搵真人 | 想同真人傾 | 有冇真人 |
        呢度可唔可以講廣東話同真人傾？ |
        我的快递三个星期了还没到，打电话没人接，发邮件没人回，你们到底管不管，转人工
    """,
}
MENTIONS = {
    "en": """
        Your agent told me the refund takes 3 days, is that right? |
        What are the working hours of customer service? | Is customer service open on Sundays? |
        The agent was rude | Can someone else collect my parcel? | Can another person sign for the parcel? |
        I am a travel agent, do you offer discounts? | who is the operator |
        Do I need a person at home to sign? | do we need a manager account | How do I become an agent? |
        can I give my account to another person | I want to give someone a gift card |
        we need an operator manual | I want a person-to-person transfer | I need an agent account |
        My manager said I can return it | someone ordered 3 phones from my account |
        I have a customer service question | are you a human | Are you a real person or a bot? |
        I want to return a phone that another person gave me |
        Does the robot vacuum work with people in the room? | What is the number of customer service? |
        is a colleague allowed to pick it up | I want to talk about my order | can I speak Spanish with you |
        Where do I file something official about this, with someone who actually reads it
    """,
    "zh": """
        客服几点上班 | 人工客服几点上班 | 人工服务时间是几点到几点 | 人工客服的电话是多少 |
        客服电话周末有人接吗 | 你们客服昨天说三天到账 | 昨天的客服态度很差 | 客服说可以退，怎么退 |
        小姐姐你们招客服不 | 换货需要客服同意吗 | 人工智能音箱怎么连接 | 安装要人工费吗 | 我想要真人试穿图 |
        你是真人吗 | 客服处理要多久 | 经理推荐款是哪个 | 想要客服的联系方式 | 你们邮箱是啥来着 客服那个 |
        我找不到收件人 | 能让别人帮我收吗 | 家里没有人怎么办 | 客服，我的快递到哪了 | 转账付款可以吗 |
        你们的人工费怎么算
    """,
}
SMALL_TALK = {
    "en": {
        "greeting": "hi | Hello! | hey there | good morning | hiya 👋 | how are you? | anyone there?",
        "thanks": "thanks | Thank you so much! | thx | ok thanks, bye | cheers mate | that helps, thanks",
        "goodbye": "bye | see you later | ok goodbye | have a nice day",
        "identity": "who are you? | are you a bot | Are you a real person or a bot? | what can you do?",
        "acknowledgement": "ok | k | got it | ok cool | perfect 👍 | never mind",
    },
    "zh": {
        "greeting": "你好 | 您好！ | 在吗 | 亲，在吗？ | 有人吗 | hello",
        "thanks": "谢谢 | 好的，谢谢！ | ok谢啦 | 嗯嗯嗯谢谢 | 太感谢了 | 辛苦了",
        "goodbye": "再见 | 拜拜 | 先这样吧 | 晚安 | 没别的了，谢谢",
        "identity": "你是谁 | 你是真人吗？ | 你是机器人还是真人 | 你能做什么",
        "acknowledgement": "好的 | 嗯嗯 | 知道了🙏 | 好吧。。 | 哈哈哈哈",
    },
}
QUESTIONS = {
    "en": """
        thanks, but where is my parcel? | hello, how do I return this? | ok and how long does it take |
        good quality? | hi there is a scratch on my phone | are you open today | bye bye warranty? |
        do you have a name for this colour | is it great for gaming | see you sell phones too?
    """,
    "zh": """
        你好，怎么退货 | 谢谢，那运费呢 | 在吗？我要退款 | 好的，什么时候发货 | 你们是哪里发货 | 早上能送吗 |
        没事了还能取消吗 | 好用吗
    """,
}


def listed(text: str) -> list[str]:
    return [clean(entry) for entry in text.split("|")]


def cases(texts: dict[str, str]) -> list[tuple[str, str]]:
    return [(language, text) for language, entries in texts.items() for text in listed(entries)]


@pytest.mark.parametrize(("language", "text"), cases(ASKS))
def test_who_asks_for_a_person_is_heard(language: str, text: str) -> None:
    assert phrases.load(language).asks_for_person(text)


@pytest.mark.parametrize(("language", "text"), cases(MENTIONS))
def test_who_only_mentions_one_is_not_sent_away(language: str, text: str) -> None:
    assert not phrases.load(language).asks_for_person(text)


@pytest.mark.parametrize(
    ("language", "kind", "text"),
    [
        (language, kind, text)
        for language, kinds in SMALL_TALK.items()
        for kind, texts in kinds.items()
        for text in listed(texts)
    ],
)
def test_small_talk_has_its_reply(language: str, kind: str, text: str) -> None:
    words = phrases.load(language)
    assert words.small_talk_reply(text) == words.small_talk[kind].reply


@pytest.mark.parametrize(("language", "text"), cases(QUESTIONS))
def test_a_question_with_a_greeting_in_it_is_no_small_talk(language: str, text: str) -> None:
    assert phrases.load(language).small_talk_reply(text) is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_historical_question_is_taken_for_something_else(language: str) -> None:
    words = phrases.load(language)
    pairs = read_pairs([DEMO / f"pairs_{language}.csv"]).pairs
    about_people = {pair.answer_id for pair in pairs if words.asks_for_person(clean(pair.question))}
    assert about_people <= {"contact_hours"}
    assert [pair.question for pair in pairs if words.small_talk_reply(clean(pair.question)) is not None] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_message_keeps_the_patterns_busy(language: str) -> None:
    """A repetition within a repetition takes for ever on text that nearly matches: each word of the patterns,
    alone and with the next one, is repeated and then spoilt."""
    words = phrases.load(language)
    patterns = [*words.person, *(pattern for talk in words.small_talk.values() for pattern in talk.patterns)]
    sources = " ".join(pattern.pattern for pattern in patterns)
    pieces = sorted({piece.strip() for piece in re.split(r"[^\w\s]|\\b|\\s", sources)} - {""})
    gap = " " if language == "en" else ""
    spoilt = [
        (f"{unit}{gap}" * 400)[: phrases.LONGEST - 2] + gap + "x"
        for piece, following in zip(pieces, [*pieces[1:], pieces[0]], strict=True)
        for unit in (piece, f"{piece}{gap}{following}")
    ]
    spoilt += [("我想要" * 200)[: phrases.LONGEST - 1] + "x", "嗯" * 100 + "怎么退款"]  # both once did
    start = time.perf_counter()
    for text in spoilt:
        words.asks_for_person(text)
        words.small_talk_reply(text)
    assert time.perf_counter() - start < 0.01 * len(spoilt)


def test_every_language_says_the_same_things() -> None:
    english, chinese = phrases.load("en"), phrases.load("zh")
    assert english.replies.keys() == chinese.replies.keys()
    assert list(english.small_talk) == list(chinese.small_talk)


def test_a_language_without_phrases_of_its_own_gets_the_english_ones() -> None:
    assert phrases.load("ko").replies == phrases.load("en").replies


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Hello,   World!! ", "hello world"),
        ("转 人工，谢谢！", "转人工谢谢"),
        ("ok 谢谢 you", "ok谢谢you"),
        ("?!…👍🏽", ""),
        ("", ""),
        ("half \ud800", "half"),
    ],
)
def test_bare_leaves_letters_and_digits(text: str, expected: str) -> None:
    assert phrases.bare(text) == expected


@pytest.mark.parametrize(
    ("language", "text", "acts"),
    [
        ("en", "I do NOT want to cancel my order", ("cancel",)),
        ("en", "I don't want to return it, I want another size", ("return",)),
        ("en", "never wanted to subscribe", ("subscribe",)),
        ("en", "my card did not arrive", ()),
        ("en", "I want to cancel", ()),
        ("zh", "我不想取消订单", ("取消",)),
        ("zh", "不用退货，换一个就行", ("退货",)),
        ("zh", "我的快递还没到", ()),
        ("zh", "我不想要了", ()),
    ],
)
def test_what_is_not_wanted(language: str, text: str, acts: tuple[str, ...]) -> None:
    assert phrases.load(language).refused(text) == acts


@pytest.mark.parametrize(
    ("language", "text", "alone"),
    [
        ("en", "I don't want to see where my package is", True),
        ("en", "I don't want to cancel, how do I change the address", False),
        ("en", "I don't want it any more", False),
        ("en", "how do I cancel", False),
        ("zh", "我不想用支付宝付", True),
        ("zh", "我不想要了", False),
        ("zh", "不想退货，怎么换一个", False),
        ("zh", "怎么取消", False),
    ],
)
def test_a_message_that_only_refuses(language: str, text: str, alone: bool) -> None:
    assert phrases.load(language).only_refuses(text) is alone
