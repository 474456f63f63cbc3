"""Chatbot.reply with fakes: what a customer gets for anything that can be typed.

Vectors count a few words (see FakeEncoder), and similarity alone decides (see BY_SIMILARITY): a message with the
words of one stored question has the similarity 1 to it and is answered; one with the words of two has 2/√6 = 0.82
to each, and the bot asks back; one with none of them has 0.71 and is handed over.
"""

import time
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot import phrases
from chatbot.answer import Templates
from chatbot.converse import Chatbot, said
from chatbot.domain import Action, Citation, Conversation, QAPair, Reason, Reply, Role, Turn
from chatbot.retrieve import Retriever
from chatbot.settings import Retrieve, Settings
from tests.fakes import BY_SIMILARITY, ExactIndex, FakeEncoder, SharedWords, pair

ENGLISH = (
    pair("where is my parcel", "parcel", "Your parcel is on its way:\n  see <My orders> & {{ track }}. "),
    pair("refund when", "refund", "A refund takes three days."),
    pair("invoice please", "invoice", "The invoice comes by e-mail."),
    pair("Hello!", "hello", "Hello from Kitewire."),
)
CHINESE = (
    pair("我的包裹在哪里", "parcel", "包裹在路上。", "zh"),
    pair("退款要多久", "refund", "退款三天内到账。", "zh"),
)
ROUTES = {"en": {"encoder": "one"}, "*": {"encoder": "another"}}
EN, ZH = phrases.load("en").replies, phrases.load("zh").replies


def line(pairs: Sequence[QAPair], words: Sequence[str]) -> Retriever:
    return Retriever.build(pairs, FakeEncoder(words), ExactIndex, SharedWords, None, BY_SIMILARITY, Retrieve())


def chatbot(
    *languages: str,
    routes: Mapping[str, object] = ROUTES,
    templates: Templates | None = None,
    max_characters: int = 2000,
) -> Chatbot:
    lines = {
        "en": line(ENGLISH, ("parcel", "refund", "invoice", "hello")),
        "zh": line(CHINESE, ("包裹", "退款")),
    }
    settings = Settings.parse({"routes": routes, "max_characters": max_characters}, "test")
    return Chatbot(
        {language: lines[language] for language in languages},
        Templates() if templates is None else templates,
        settings,
    )


@pytest.fixture(scope="module")
def bot() -> Chatbot:
    return chatbot("en", "zh")


def outcome(reply: Reply) -> tuple[Action, Reason]:
    return reply.decision.action, reply.decision.reason


def talk(bot: Chatbot, *texts: str) -> list[Reply]:
    """The replies to texts that follow one another in one conversation."""
    conversation, replies = Conversation(), []
    for text in texts:
        replies.append(bot.reply(conversation, text))
        conversation = said(conversation, text, replies[-1])
    return replies


class TestAnswer:
    def test_the_stored_answer_is_given_word_for_word_with_where_it_comes_from(self, bot: Chatbot) -> None:
        reply = bot.reply(Conversation(), "Hey, my PARCEL?!")
        assert reply.text == ENGLISH[0].answer
        assert outcome(reply) == (Action.ANSWER, Reason.CONFIDENT)
        assert (reply.answer_id, reply.language, reply.suggestions) == ("parcel", "en", ())
        assert reply.citations == (Citation(ENGLISH[0].id, "parcel", ENGLISH[0].question),)
        assert reply.decision.candidates[0].pair == ENGLISH[0]
        assert {"encode", "search", "rerank", "total"} <= reply.timings.keys()

    def test_the_template_greets_in_the_first_answer_of_a_conversation(self) -> None:
        templates = Templates(of_language={"en": "{% if first %}Hi! {% endif %}{{ answer }}"})
        replies = talk(chatbot("en", templates=templates), "do you sell tea", "refund?", "invoice?")
        assert [reply.text for reply in replies] == [
            EN["hand_over"],
            "Hi! A refund takes three days.",
            "The invoice comes by e-mail.",
        ]

    def test_a_reply_depends_on_nothing_but_the_conversation_and_the_text(self, bot: Chatbot) -> None:
        conversation = Conversation(
            "c", (Turn(Role.USER, "refund"), Turn(Role.AGENT, "Three days.", "refund")), "en"
        )
        first, second = (bot.reply(conversation, "and the invoice?") for _ in range(2))
        assert (first.text, first.decision) == (second.text, second.decision)
        assert conversation.turns[0].text == "refund"

    def test_said_puts_one_exchange_behind_the_others(self, bot: Chatbot) -> None:
        reply = bot.reply(Conversation(), "退款？")
        assert said(Conversation("c", (Turn(Role.USER, "hm"),), "en"), "退款？", reply) == Conversation(
            "c",
            (Turn(Role.USER, "hm"), Turn(Role.USER, "退款？"), Turn(Role.AGENT, "退款三天内到账。", "refund")),
            "zh",
        )


class TestNoAnswer:
    def test_what_might_be_two_things_is_asked_back_with_both_as_suggestions(self, bot: Chatbot) -> None:
        reply = bot.reply(Conversation(), "the parcel or the refund")
        assert outcome(reply) == (Action.CLARIFY, Reason.AMBIGUOUS)
        assert reply.text == EN["clarify"]
        assert reply.suggestions == ("where is my parcel", "refund when", "Hello!")  # equal ones by answer
        assert (reply.answer_id, reply.citations) == (None, ())

    def test_a_suggestion_that_is_chosen_is_answered(self, bot: Chatbot) -> None:
        first = bot.reply(Conversation(), "the parcel or the refund")
        conversation = said(Conversation(), "the parcel or the refund", first)
        assert bot.reply(conversation, first.suggestions[1]).decision.candidates[0].pair.answer_id == "refund"
        assert bot.reply(Conversation(), first.suggestions[1]).answer_id == "refund"

    def test_what_nothing_answers_is_handed_over(self, bot: Chatbot) -> None:
        reply = bot.reply(Conversation(), "do you sell tea in large tins")
        assert outcome(reply) == (Action.HAND_OVER, Reason.UNSURE)
        assert (reply.text, reply.answer_id, reply.suggestions) == (EN["hand_over"], None, ())
        assert bot.reply(Conversation(), "你们卖不卖茶叶").text == ZH["hand_over"]


class TestRefusal:
    @pytest.mark.parametrize(
        "text",
        [
            "I do NOT want to refund it",
            "refund? no, i don't want to refund",
            "我不想退款",
            "I do not want to wait for my parcel",
            "I don't want a refund",
            "I no longer need the refund!",
            "please don't refund it, it works now",
            "I'd rather not get refunded",
            "退款我不想申请",
            "我不想要退款",
            "不要退款",
            "不需要退款",
            "我不願意退款",
            "唔想退款",
        ],
    )
    def test_what_the_customer_does_not_want_is_not_answered_as_if_it_were_wanted(
        self, bot: Chatbot, text: str
    ) -> None:
        (reply,) = talk(bot, text)
        assert outcome(reply) == (Action.CLARIFY, Reason.REFUSED)
        assert reply.suggestions[0] in ("refund when", "退款要多久", "where is my parcel")

    @pytest.mark.parametrize(
        "text",
        [
            "I do not want to wait, where is my parcel",
            "i want a refund",
            "我要退款",
            "refund",
            "I do not like the colour, is there a refund",
            "you don't want to refund me?",
            "my parcel did not arrive",
            "refund not going through",
            "I don't want to register but can I get a refund",
            "I don't want to get refunded as a voucher, I want a refund on my card",
            "要不要等退款",
            "没想到退款这么慢",
            "不想等了 退款要几天",
            "我的包裹没到",
        ],
    )
    def test_what_is_refused_beside_the_question_changes_nothing(self, bot: Chatbot, text: str) -> None:
        (reply,) = talk(bot, text)
        assert outcome(reply) == (Action.ANSWER, Reason.CONFIDENT)

    @pytest.mark.parametrize(
        ("stored", "text", "reason"),
        [
            ("I no longer wish to receive your newsletter", "I want to receive your newsletter", Reason.REFUSED),
            ("I no longer wish to receive your newsletter", "stop the newsletter", Reason.CONFIDENT),
            (
                "I no longer wish to receive your newsletter",
                "I don't want to receive the newsletter",
                Reason.CONFIDENT,
            ),
            ("I don't want to pay for it, is a newsletter free", "do I pay for a newsletter", Reason.CONFIDENT),
            ("不想收到newsletter", "怎么收到newsletter", Reason.REFUSED),
            ("不想收到newsletter", "我不想收到newsletter", Reason.CONFIDENT),
        ],
    )
    def test_a_stored_refusal_does_not_answer_the_wish(self, stored: str, text: str, reason: Reason) -> None:
        language = "en" if stored.isascii() else "zh"
        stocked = line([pair(stored, "unsubscribe", language=language)], ("newsletter",))
        bot = Chatbot({language: stocked}, Templates(), Settings.parse({"routes": ROUTES}, "test"))
        assert bot.reply(Conversation(), text).decision.reason is reason


class TestPerson:
    @pytest.mark.parametrize(
        "text",
        [
            "human",
            "Can I speak to a real person please?",
            "My parcel is lost. Get me a human.",
            "I want to talk to someone about my refund",
            "customer service!!",
            "call me back",
        ],
    )
    def test_it_is_always_honoured_in_english(self, bot: Chatbot, text: str) -> None:
        before = Conversation("c", (Turn(Role.USER, "refund"), Turn(Role.AGENT, "Three days.", "refund")), "zh")
        for conversation in (Conversation(), before):
            reply = bot.reply(conversation, text)
            assert outcome(reply) == (Action.HAND_OVER, Reason.ASKED_FOR_PERSON)
            assert (reply.text, reply.language) == (EN["person"], "en")

    @pytest.mark.parametrize(
        "text",
        [
            "人工",
            "转人工！",
            "包裹丢了，转人工",
            "我要跟真人说话",
            "退款退了一个月了。叫你们经理来！",
            "麻烦联系客服",
        ],
    )
    def test_it_is_always_honoured_in_chinese(self, bot: Chatbot, text: str) -> None:
        for conversation in (Conversation(), Conversation("c", (Turn(Role.USER, "refund"),), "en")):
            reply = bot.reply(conversation, text)
            assert outcome(reply) == (Action.HAND_OVER, Reason.ASKED_FOR_PERSON)
            assert (reply.text, reply.language) == (ZH["person"], "zh")

    def test_it_is_honoured_where_no_line_serves_the_language(self) -> None:
        assert outcome(chatbot("en").reply(Conversation(), "转人工")) == (
            Action.HAND_OVER,
            Reason.ASKED_FOR_PERSON,
        )

    @pytest.mark.parametrize(
        ("text", "answer_id"),
        [
            ("Your agent told me my parcel is lost, is that right?", "parcel"),
            ("Can another person take the parcel?", "parcel"),
            ("does customer service send the invoice?", "invoice"),
            ("客服说包裹丢了，怎么办", "parcel"),
            ("人工客服说退款要三天，是吗", "refund"),
        ],
    )
    def test_a_question_that_only_mentions_one_is_answered(self, bot: Chatbot, text: str, answer_id: str) -> None:
        assert bot.reply(Conversation(), text).answer_id == answer_id


class TestSmallTalk:
    @pytest.mark.parametrize(
        ("text", "language", "kind"),
        [
            ("Good morning", "en", "greeting"),
            ("thanks!", "en", "thanks"),
            ("bye 👋", "en", "goodbye"),
            ("are you a robot?", "en", "identity"),
            ("ok", "en", "acknowledgement"),
            ("你好", "zh", "greeting"),
            ("谢谢啦！", "zh", "thanks"),
            ("再见", "zh", "goodbye"),
            ("你是真人吗", "zh", "identity"),
            ("好的。", "zh", "acknowledgement"),
        ],
    )
    def test_it_has_a_friendly_word_and_nothing_else(
        self, bot: Chatbot, text: str, language: str, kind: str
    ) -> None:
        reply = bot.reply(Conversation(), text)
        assert outcome(reply) == (Action.CHAT, Reason.SMALL_TALK)
        assert reply.text == phrases.load(language).small_talk[kind].reply
        assert (reply.language, reply.answer_id, reply.citations) == (language, None, ())

    def test_the_pairs_come_first_where_they_hold_the_same_words(self, bot: Chatbot) -> None:
        reply = bot.reply(Conversation(), "hello")
        assert (reply.text, reply.answer_id) == ("Hello from Kitewire.", "hello")

    @pytest.mark.parametrize("text", ["thanks", "ok", "great", "thank you so much"])
    def test_thanks_for_an_answer_do_not_repeat_it(self, bot: Chatbot, text: str) -> None:
        first, second = talk(bot, "where is my parcel", text)
        assert first.answer_id == "parcel"
        assert (outcome(second), second.answer_id) == ((Action.CHAT, Reason.SMALL_TALK), None)
        assert second.decision == bot.reply(Conversation(), text).decision  # it leans on nothing

    def test_a_question_behind_a_greeting_is_answered(self, bot: Chatbot) -> None:
        assert bot.reply(Conversation(), "你好，退款").answer_id == "refund"
        assert bot.reply(Conversation(), "Thanks, and the invoice?").answer_id == "invoice"


class TestAnyText:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "   ",
            "\n\t",
            "?!",
            "……",
            "👍🏽❤️",
            "\x00\x01\x1b",
            "\u200b\u2060\ufeff",
            "\ud800",
            "，。！？",
            "\u202e",
        ],
    )
    def test_what_holds_no_words_is_asked_for_some(self, bot: Chatbot, text: str) -> None:
        english, chinese = (bot.reply(Conversation(language=language), text) for language in ("en", "zh"))
        assert outcome(english) == outcome(chinese) == (Action.CHAT, Reason.NO_QUESTION)
        assert (english.text, chinese.text) == (EN["no_question"], ZH["no_question"])
        assert (english.language, chinese.language) == ("en", "zh")

    @pytest.mark.parametrize(
        "text",
        [
            "par\x00cel",
            "par\u200bcel?",
            "ＰＡＲＣＥＬ",
            "parcel \ud83d",
            "\x1b[31mparcel\x1b[0m",
            "my\r\nparcel\u2028now",
            "📦📦 parcel 😡😡😡",
            "{{ parcel }} {% for %}",
            "<script>parcel</script>",
            "'; DROP TABLE parcel; --",
        ],
    )
    def test_what_is_strange_around_the_words_is_looked_through(self, bot: Chatbot, text: str) -> None:
        assert bot.reply(Conversation(), text).answer_id == "parcel"

    @pytest.mark.parametrize(
        "text", ["parcel " * 15_000, "包裹" * 50_000, "x" * 100_000, "a.b," * 25_000, "\ud800" * 100_000]
    )
    def test_a_hundred_thousand_characters_are_not_read(self, bot: Chatbot, text: str) -> None:
        start = time.perf_counter()
        reply = bot.reply(Conversation(), text)
        assert time.perf_counter() - start < 2
        if "\ud800" in text:  # nothing in it at all
            assert outcome(reply) == (Action.CHAT, Reason.NO_QUESTION)
        else:
            assert outcome(reply) == (Action.HAND_OVER, Reason.TOO_LONG)
            assert reply.text == (ZH if "包" in text else EN)["too_long"]

    def test_a_conversation_may_hold_such_a_text(self, bot: Chatbot) -> None:
        start = time.perf_counter()
        replies = talk(bot, "x" * 100_000, "where is my parcel", "thanks")
        assert time.perf_counter() - start < 2
        assert [reply.decision.action for reply in replies[::2]] == [Action.HAND_OVER, Action.CHAT]

    def test_the_longest_text_that_is_read_is_a_setting(self) -> None:
        bot = chatbot("en", max_characters=10)
        assert bot.reply(Conversation(), "parcel 789").answer_id == "parcel"
        assert bot.reply(Conversation(), "  parcel    789  ").answer_id == "parcel"  # white space counts once
        assert bot.reply(Conversation(), "parcel 7890").decision.reason is Reason.TOO_LONG

    @given(st.text(st.characters(), max_size=60))
    def test_nothing_that_can_be_typed_raises(self, text: str) -> None:
        bot = chatbot("en", "zh")
        first, second = talk(bot, text, text)
        assert first.text
        assert second.text
        assert first.decision.action in Action


class TestLanguages:
    def test_chinese_and_english_are_answered_in_turn_in_one_conversation(self, bot: Chatbot) -> None:
        replies = talk(bot, "where is my parcel", "退款要多久", "invoice please", "包裹呢", "???")
        assert [(reply.language, reply.answer_id) for reply in replies] == [
            ("en", "parcel"),
            ("zh", "refund"),
            ("en", "invoice"),
            ("zh", "parcel"),
            ("zh", None),
        ]
        assert replies[1].text == "退款三天内到账。"
        assert replies[4].text == ZH["no_question"]

    def test_both_in_one_message_go_where_the_script_points(self, bot: Chatbot) -> None:
        assert bot.reply(Conversation(), "iPhone 15 Pro 的包裹到哪了").answer_id == "parcel"
        assert bot.reply(Conversation(), "iPhone 15 Pro 的包裹到哪了").language == "zh"

    @pytest.mark.parametrize("text", ["내 소포가 어디에 있나요", "Где моя посылка", "أين طردي", "我的包裹在哪里"])
    def test_a_language_that_no_line_serves_is_handed_over(self, text: str) -> None:
        reply = chatbot("en").reply(Conversation(), text)
        assert outcome(reply) == (Action.HAND_OVER, Reason.UNSURE)
        assert reply.decision.candidates == ()

    def test_so_it_is_where_the_profile_has_no_model_for_it(self) -> None:
        reply = chatbot("en", routes={"en": {"encoder": "one"}}).reply(Conversation(), "我的包裹在哪里")
        assert outcome(reply) == (Action.HAND_OVER, Reason.UNSURE)
        assert reply.text == ZH["hand_over"]

    def test_small_talk_needs_no_line(self) -> None:
        assert chatbot("en").reply(Conversation(), "谢谢").text == phrases.load("zh").small_talk["thanks"].reply

    def test_a_line_of_the_same_model_serves_other_languages_as_well(self, bot: Chatbot) -> None:
        reply = bot.reply(Conversation(), "包裹은 어디에 있나요")  # a model of many languages knows the word
        assert (reply.language, reply.answer_id) == ("ko", "parcel")

    def test_a_text_is_matched_in_the_line_of_its_language_or_the_first(self, bot: Chatbot) -> None:
        assert bot.line_for("where is it") is bot.lines["en"]
        assert bot.line_for("在哪里") is bot.line_for("어디") is bot.lines["zh"]
        alone = chatbot("en")
        assert alone.line_for("在哪里") is alone.lines["en"]


class TestFollowUp:
    def test_what_says_nothing_by_itself_is_read_after_what_was_said_before(self, bot: Chatbot) -> None:
        first, second = talk(bot, "refund", "and how long does that take?")
        assert (first.answer_id, second.answer_id) == ("refund", "refund")
        assert bot.reply(Conversation(), "and how long does that take?").answer_id is None
        assert [reply.answer_id for reply in talk(bot, "退款", "那要几天呢")] == ["refund", "refund"]

    def test_a_new_topic_is_answered_for_itself(self, bot: Chatbot) -> None:
        replies = talk(bot, "refund when", "invoice please", "where is my parcel")
        assert [reply.answer_id for reply in replies] == ["refund", "invoice", "parcel"]

    def test_small_talk_is_nothing_to_lean_on(self, bot: Chatbot) -> None:
        replies = talk(bot, "good morning", "and how long does that take?")
        assert outcome(replies[1]) == (Action.HAND_OVER, Reason.UNSURE)
