"""Chatbot.reply with fakes: what a customer gets for anything that can be typed.

Vectors count a few words (see FakeEncoder), and similarity alone decides (see BY_SIMILARITY): a message with the
words of one stored question has the similarity 1 to it and is answered; one with the words of two has 2/√6 = 0.82
to each, and the bot asks back; one with none of them has 0.71 and is handed over.
"""

import time
import tomllib
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot import phrases
from chatbot.answer import Templates
from chatbot.converse import Chatbot, readings, said
from chatbot.domain import Action, Citation, Conversation, Mood, QAPair, Reason, Reply, Role, Turn, Vectors
from chatbot.mood import MoodReader
from chatbot.protocols import Connector
from chatbot.retrieve import Retriever
from chatbot.settings import Retrieve, Settings
from tests.fakes import BY_SIMILARITY, ExactIndex, FakeConnector, FakeEncoder, FakeMoodReader, SharedWords, pair

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
    connectors: Mapping[str, Connector] | None = None,
    moods: Mapping[str, MoodReader] | None = None,
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
        {} if connectors is None else connectors,
        {} if moods is None else moods,
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
        assert (reply.answer_id, reply.language) == ("parcel", "en")
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
    def test_after_an_answer_the_questions_of_other_close_ones_are_offered_or_its_own(self, bot: Chatbot) -> None:
        assert bot.reply(Conversation(), "Hey, my PARCEL?!").suggestions == (
            "Hello!",
            "invoice please",
        )  # 1/2 each
        own = Templates.parse(
            {"en": {"answers": {"parcel": {"follow_ups": ["Can I change the address?"]}}}}, "test"
        )
        own = Templates.parse(own.as_toml_values(), "again")
        reply = chatbot("en", templates=own).reply(Conversation(), "Hey, my PARCEL?!")
        assert reply.suggestions == ("Can I change the address?",)

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


class TestMood:
    @pytest.fixture
    def feeling(self) -> Chatbot:
        return chatbot("en", "zh", moods={"en": FakeMoodReader(), "zh": FakeMoodReader()})

    def test_an_upset_customer_hears_one_fitting_sentence_and_the_stored_answer(self, feeling: Chatbot) -> None:
        replies = talk(feeling, "grr my invoice")
        replies += talk(feeling, "oh dear, a refund")
        replies += talk(feeling, "气人，包裹呢")
        assert [reply.text for reply in replies] == [
            f"{EN['angry']} The invoice comes by e-mail.",
            f"{EN['worried']} A refund takes three days.",
            f"{ZH['angry']}包裹在路上。",
        ]
        assert [(reply.mood, reply.offers_person, reply.answer_id) for reply in replies] == [
            (Mood.ANGRY, True, "invoice"),
            (Mood.WORRIED, True, "refund"),
            (Mood.ANGRY, True, "parcel"),
        ]

    def test_it_is_not_said_twice_in_a_row(self, feeling: Chatbot) -> None:
        replies = talk(feeling, "grr my invoice", "oh dear, a refund", "grr my parcel", "invoice please")
        assert [reply.text.startswith((EN["angry"], EN["worried"])) for reply in replies] == [
            True,
            False,
            True,
            False,
        ]
        assert [reply.offers_person for reply in replies] == [True, True, True, False]

    def test_a_calm_customer_gets_what_a_bot_without_moods_says(self, feeling: Chatbot, bot: Chatbot) -> None:
        for text in ("my parcel", "退款", "parcel or refund", "thanks", "do you sell tea", "human", ""):
            with_, without = feeling.reply(Conversation(), text), bot.reply(Conversation(), text)
            assert (with_.text, with_.decision, with_.mood, with_.offers_person) == (
                without.text,
                without.decision,
                Mood.CALM,
                False,
            )

    def test_where_the_bot_would_ask_back_again_a_person_takes_over(self, feeling: Chatbot) -> None:
        calm, first, second = talk(feeling, "parcel or refund", "oh dear parcel or refund", "parcel or refund")
        assert outcome(calm) == (Action.CLARIFY, Reason.AMBIGUOUS)
        assert outcome(first) == (Action.HAND_OVER, Reason.UPSET)
        assert first.text == f"{EN['worried']} {EN['upset']}"
        assert (first.suggestions, first.offers_person) == ((), False)
        assert outcome(second) == (Action.CLARIFY, Reason.AMBIGUOUS)  # calm again

    def test_the_first_time_an_upset_customer_is_asked_back_and_offered_a_person(self, feeling: Chatbot) -> None:
        first, second = talk(feeling, "grr parcel or refund", "怕 包裹还是退款")
        assert outcome(first) == (Action.CLARIFY, Reason.AMBIGUOUS)
        assert (first.text, first.offers_person) == (f"{EN['angry']} {EN['clarify']}", True)
        assert outcome(second) == (Action.CLARIFY, Reason.AMBIGUOUS)  # in another language: not the same question

    def test_angry_twice_without_an_answer_is_handed_over(self, feeling: Chatbot) -> None:
        for before, answer_id, reason in (
            ("grr parcel or refund", None, Reason.UPSET),
            ("grr parcel or refund", "refund", Reason.AMBIGUOUS),  # answered
            ("parcel or refund", None, Reason.AMBIGUOUS),  # was calm
        ):
            turns = (Turn(Role.USER, before), Turn(Role.AGENT, "Three days.", answer_id))
            reply = feeling.reply(Conversation("c", turns, "en"), "grr parcel or refund")
            assert reply.decision.reason is reason

    def test_small_talk_and_a_wish_for_a_person_have_no_tone(self, feeling: Chatbot) -> None:
        for text, told in (("hi", phrases.load("en").small_talk["greeting"].reply), ("human", EN["person"])):
            reply = feeling.reply(Conversation(), text)
            assert (reply.text, reply.mood, reply.offers_person) == (told, Mood.CALM, False)

    def test_what_follows_is_read_after_the_stored_words_alone(self, feeling: Chatbot) -> None:
        said_ = f"{EN['angry']} Three days."
        turns = (Turn(Role.USER, "refund"), Turn(Role.AGENT, said_, "refund"))
        assert readings(Conversation("c", turns, "en"), "really?")[2] == "really? Three days."


class TestSeveral:
    TWO = "Where is my parcel? When does my refund come?"

    def test_two_questions_get_two_answers(self, bot: Chatbot) -> None:
        reply = bot.reply(Conversation(), self.TWO)
        assert reply.text == (
            f"“Where is my parcel?”\n{ENGLISH[0].answer}\n\n“When does my refund come?”\n{ENGLISH[1].answer}"
        )
        assert outcome(reply) == (Action.ANSWER, Reason.CONFIDENT)
        assert (reply.answer_id, reply.also, reply.offers_person) == ("parcel", ("refund",), False)
        assert [citation.answer_id for citation in reply.citations] == ["parcel", "refund"]
        assert bot.reply(Conversation(), "包裹到哪了？还有退款要几天？").text == (
            "“包裹到哪了?”\n包裹在路上。\n\n“还有退款要几天?”\n退款三天内到账。"
        )

    def test_a_question_that_nothing_answers_is_not_dropped(self, bot: Chatbot) -> None:
        reply = bot.reply(Conversation(), "Do you sell green tea? When does my refund come?")
        left = EN["unanswered"].format(part="Do you sell green tea?")
        assert reply.text == f"“When does my refund come?”\n{ENGLISH[1].answer}\n\n{left}"
        assert (reply.answer_id, reply.also, reply.offers_person) == ("refund", (), True)

    def test_only_the_first_answer_greets(self) -> None:
        bot = chatbot("en", templates=Templates(of_language={"en": "{% if first %}Hi! {% endif %}{{ answer }}"}))
        assert bot.reply(Conversation(), self.TWO).text.count("Hi!") == 1

    def test_an_angry_customer_gets_both_answers_after_one_sentence(self) -> None:
        bot = chatbot("en", moods={"en": FakeMoodReader()})
        reply = bot.reply(Conversation(), f"grr. {self.TWO}")
        assert reply.text.startswith(f"{EN['angry']} “grr. Where is my parcel?”\n")
        assert (reply.mood, reply.also, reply.offers_person) == (Mood.ANGRY, ("refund",), True)

    def test_what_is_refused_in_a_part_is_not_answered(self, bot: Chatbot) -> None:
        reply = bot.reply(Conversation(), "I don't want to get a refund, ok? Where is my parcel?")
        assert (reply.answer_id, reply.also, reply.offers_person) == ("parcel", (), True)

    def test_one_question_is_encoded_as_ever(self) -> None:
        encoder = RecordingEncoder(("parcel", "refund"))
        stocked = Retriever.build(ENGLISH, encoder, ExactIndex, SharedWords, None, BY_SIMILARITY, Retrieve())
        bot = Chatbot({"en": stocked}, Templates(), Settings.parse({"routes": ROUTES}, "test"))
        encoder.asked.clear()
        bot.reply(Conversation(), "I bought a box. Where is my parcel?")
        assert encoder.asked == [["i bought a box. where is my parcel?"]]
        encoder.asked.clear()
        bot.reply(Conversation(), self.TWO)
        assert encoder.asked == [[self.TWO.lower(), "where is my parcel?", "when does my refund come?"]]


class RecordingEncoder(FakeEncoder):
    """Keeps the batches that it encoded."""

    def __init__(self, letters: Sequence[str]) -> None:
        super().__init__(letters)
        self.asked: list[list[str]] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.asked.append(list(texts))
        return super().encode(texts)


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


LOOKS_UP = r"""
[ask.order_number]
pattern = '(?:KW[- ]?|^)(\d{4})[- ]?(\d{4})'
value = 'KW-\1\2'
checksum = "luhn"
[ask.ticket]
pattern = 'T\d{4}'
[connectors.orders]
kind = "csv"
file = "orders.csv"
key = { number = "order_number" }
[en.ask.order_number]
prompt = "Which order?"
again = "That is no order number."
mistyped = "One digit is wrong."
[en.ask.ticket]
prompt = "Which ticket?"
again = "That is no ticket."
[en.answers.parcel]
connector = "orders"
asking = "{{ answer }}{{ prompt }}"
text = "{{ order_number }}: {{ found.status }}. {{ answer }}"
missing = "No {{ order_number }}. {{ answer }}"
failed = "Not now. {{ answer }}"
[en.answers.invoice]
asking = "{{ prompt }}"
text = "{{ answer }} Ticket {{ ticket }}, order {{ order_number }}."
[zh.ask.order_number]
prompt = "哪个订单？"
again = "这不是订单号。"
[zh.answers.parcel]
connector = "orders"
asking = "{{ answer }}{{ prompt }}"
text = "{{ order_number }}：{{ found.status }}。{{ answer }}"
missing = "没有{{ order_number }}。{{ answer }}"
failed = "暂时查不了。{{ answer }}"
"""
PARCEL, INVOICE = ENGLISH[0].answer, ENGLISH[2].answer
GOOD, OTHER, UNKNOWN, BROKEN, WRONG = (
    *("KW-10000016", "KW-10000388", "KW-10000750", "KW-10001121"),
    "KW-10000017",
)


class TestSlots:
    """A parcel's answer is said at once, and an order number is offered to be looked up; an invoice's answer waits
    for two values."""

    @pytest.fixture
    def orders(self) -> FakeConnector:
        hostile = {"status": "{{ 7 * 7 }} <b>"}
        return FakeConnector({GOOD: {"status": "Paid"}, OTHER: hostile, BROKEN: None})

    @pytest.fixture
    def bot(self, orders: FakeConnector) -> Chatbot:
        templates = Templates.parse(tomllib.loads(LOOKS_UP), "test")
        templates.check([*ENGLISH, *CHINESE])
        return chatbot("en", "zh", templates=templates, connectors={"orders": orders})

    def test_a_value_is_asked_for_looked_up_and_remembered(self, bot: Chatbot, orders: FakeConnector) -> None:
        replies = talk(bot, "my parcel?", "kw 1000 0016", "thanks", "where is my parcel")
        assert [(reply.text, reply.answer_id, reply.asks) for reply in replies[:2]] == [
            (f"{PARCEL}Which order?", "parcel", "order_number"),
            (f"{GOOD}: Paid. {PARCEL}", "parcel", None),
        ]
        assert [outcome(reply) for reply in replies] == [
            (Action.ANSWER, Reason.CONFIDENT),
            (Action.ANSWER, Reason.VALUE_GIVEN),
            (Action.CHAT, Reason.SMALL_TALK),
            (Action.ANSWER, Reason.CONFIDENT),
        ]
        assert replies[1].citations == replies[0].citations
        assert replies[3].text == replies[1].text
        assert orders.asked == [{"order_number": GOOD}] * 2

    def test_a_value_that_is_in_the_question_is_not_asked_for(self, bot: Chatbot) -> None:
        assert bot.reply(Conversation(), f"where is my parcel {GOOD}").text == f"{GOOD}: Paid. {PARCEL}"
        assert talk(bot, f"my number is {GOOD}", "my parcel?")[1].text == f"{GOOD}: Paid. {PARCEL}"

    def test_another_value_after_the_answer_is_looked_up_too(self, bot: Chatbot) -> None:
        replies = talk(bot, f"my parcel {GOOD}?", f"and {OTHER}")
        assert replies[1].text == f"{OTHER}: {{{{ 7 * 7 }}}} <b>. {PARCEL}"  # a field is no template

    @pytest.mark.parametrize(
        "text", ["订单号是ＫＷ１０００００１６谢谢", "KW10000016", "10000016", "KW-10000016 谢谢"]
    )
    def test_in_chinese_a_code_alone_does_not_change_the_language(self, bot: Chatbot, text: str) -> None:
        first, second = talk(bot, "我的包裹？", text)
        assert (first.text, first.asks) == ("包裹在路上。哪个订单？", "order_number")
        assert (second.text, second.language) == (f"{GOOD}：Paid。包裹在路上。", "zh")

    def test_what_is_asked_in_one_language_may_be_given_in_another(self, bot: Chatbot) -> None:
        assert talk(bot, "我的包裹？", f"here it is: {GOOD}")[1].text == f"{GOOD}: Paid. {PARCEL}"

    def test_a_wrong_value_is_asked_for_once_more_then_a_person_takes_over(self, bot: Chatbot) -> None:
        replies = talk(bot, "my parcel?", WRONG, "9999", GOOD)
        assert [(outcome(reply), reply.text, reply.answer_id, reply.asks) for reply in replies[1:]] == [
            ((Action.CLARIFY, Reason.NO_VALUE), "One digit is wrong.", "parcel", "order_number"),
            ((Action.HAND_OVER, Reason.NO_VALUE), EN["no_value"], None, None),
            ((Action.ANSWER, Reason.VALUE_GIVEN), f"{GOOD}: Paid. {PARCEL}", "parcel", None),
        ]
        chinese = talk(bot, "我的包裹？", WRONG, "9999")
        assert [reply.text for reply in chinese[1:]] == ["这不是订单号。", ZH["no_value"]]

    def test_small_talk_is_no_failed_try(self, bot: Chatbot) -> None:
        replies = talk(bot, "my parcel?", "ok", "9999", "thanks", "9999")
        assert [(reply.decision.action, reply.asks) for reply in replies[1:]] == [
            (Action.CHAT, "order_number"),
            (Action.CLARIFY, "order_number"),
            (Action.CHAT, "order_number"),
            (Action.HAND_OVER, None),
        ]

    def test_a_person_is_always_honoured(self, bot: Chatbot) -> None:
        for text in ("I want to speak to a person", f"{GOOD}. Human please", "转人工"):
            assert outcome(talk(bot, "my parcel?", text)[1]) == (Action.HAND_OVER, Reason.ASKED_FOR_PERSON)

    def test_another_question_is_answered_for_itself(self, bot: Chatbot) -> None:
        replies = talk(bot, "my parcel?", "refund when", "9999")
        assert (replies[1].answer_id, replies[1].asks) == ("refund", None)
        assert replies[2].decision.reason is not Reason.NO_VALUE  # nothing is asked for any more

    def test_so_is_one_beside_the_value_which_is_remembered(self, bot: Chatbot) -> None:
        replies = talk(bot, "my parcel?", f"{GOOD} refund when", "my parcel?")
        assert (replies[1].answer_id, replies[1].text) == ("refund", ENGLISH[1].answer)
        assert replies[2].text == f"{GOOD}: Paid. {PARCEL}"

    def test_who_has_the_stored_answer_owes_no_value(self, bot: Chatbot) -> None:
        replies = talk(bot, "my parcel?", "and how long does that take?", "9999", "9999")
        assert [reply.text for reply in replies] == [
            f"{PARCEL}Which order?",
            f"{PARCEL}Which order?",  # as if nothing had been asked
            "That is no order number.",
            EN["no_value"],
        ]

    def test_who_was_only_asked_does(self, bot: Chatbot) -> None:
        replies = talk(bot, "invoice please", "i do not know", "no idea at all")
        assert [(reply.text, reply.asks) for reply in replies] == [
            ("Which order?", "order_number"),
            ("That is no order number.", "order_number"),
            (EN["no_value"], None),
        ]

    def test_two_values_are_asked_for_one_after_the_other(self, bot: Chatbot) -> None:
        replies = talk(bot, "invoice please", GOOD, "T12", "it is t1234", "invoice please")
        assert [(reply.text, reply.asks) for reply in replies] == [
            ("Which order?", "order_number"),
            ("Which ticket?", "ticket"),
            ("That is no ticket.", "ticket"),
            (f"{INVOICE} Ticket T1234, order {GOOD}.", None),
            (f"{INVOICE} Ticket T1234, order {GOOD}.", None),
        ]
        assert {reply.answer_id for reply in replies} == {"invoice"}

    def test_a_number_that_nobody_has_may_be_given_again(self, bot: Chatbot) -> None:
        replies = talk(bot, "my parcel?", UNKNOWN, GOOD)
        assert [(reply.text, reply.asks) for reply in replies[1:]] == [
            (f"No {UNKNOWN}. {PARCEL}", "order_number"),
            (f"{GOOD}: Paid. {PARCEL}", None),
        ]

    def test_a_lookup_that_fails_is_said_and_logged_without_the_customers_words(
        self, bot: Chatbot, caplog: pytest.LogCaptureFixture
    ) -> None:
        reply = talk(bot, "my parcel?", BROKEN)[1]
        assert (reply.text, reply.answer_id, reply.asks) == (f"Not now. {PARCEL}", "parcel", None)
        assert outcome(reply) == (Action.ANSWER, Reason.VALUE_GIVEN)
        assert [record.getMessage() for record in caplog.records] == ["answer parcel: the fake was told to fail"]

    def test_so_is_a_record_that_does_not_fit_the_template(
        self, bot: Chatbot, orders: FakeConnector, caplog: pytest.LogCaptureFixture
    ) -> None:
        orders.records = {GOOD: {"state": "Paid"}}
        assert bot.reply(Conversation(), f"my parcel {GOOD}").text == f"Not now. {PARCEL}"
        assert "does not fit what connector orders found" in caplog.text
        assert GOOD not in caplog.text

    def test_a_history_without_questions_is_answered_as_ever(self, bot: Chatbot) -> None:
        """As in held-out dialogues, where no agent turn says what it asked for."""
        before = Conversation("d", (Turn(Role.USER, "my parcel?"), Turn(Role.AGENT, "Your order number?")), "en")
        reply = bot.reply(before, "refund when")
        assert (reply.decision.action, reply.answer_id) == (Action.ANSWER, "refund")

    def test_a_question_of_a_bot_before_this_one_is_let_go(self, bot: Chatbot) -> None:
        for turn in (Turn(Role.AGENT, "?", "gone", "order_number"), Turn(Role.AGENT, "?", "parcel", "gone")):
            reply = bot.reply(Conversation("d", (Turn(Role.USER, "hm"), turn), "en"), "do you sell tea in tins")
            assert outcome(reply) == (Action.HAND_OVER, Reason.UNSURE)

    @pytest.mark.parametrize(
        "text",
        ["'; DROP TABLE orders; --1234", "{{ 1234 }}", "1234\n5678\n", "KW-1234567890123", "KW-1000\x000017"],
    )
    def test_hostile_values_are_no_values(self, bot: Chatbot, orders: FakeConnector, text: str) -> None:
        reply = talk(bot, "my parcel?", text)[1]
        assert outcome(reply) == (Action.CLARIFY, Reason.NO_VALUE)
        assert orders.asked == []

    def test_ten_thousand_characters_are_not_searched(self, bot: Chatbot, orders: FakeConnector) -> None:
        replies = talk(bot, "my parcel?", f"{GOOD} " * 1000, "x" * 100_000, "my parcel?")
        assert [outcome(reply)[1] for reply in replies[1:3]] == [Reason.TOO_LONG, Reason.TOO_LONG]

    @given(st.text(st.characters(), max_size=40))
    def test_nothing_that_can_be_typed_raises(self, text: str) -> None:
        templates = Templates.parse(tomllib.loads(LOOKS_UP), "test")
        bot = chatbot("en", "zh", templates=templates, connectors={"orders": FakeConnector({})})
        for replies in (talk(bot, "my parcel?", text, text), talk(bot, "invoice please", text, text, text)):
            assert all(reply.text for reply in replies)
