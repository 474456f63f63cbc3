"""Slots: what counts as a value in whatever is typed, and what a conversation has of them."""

import hashlib
import threading
import time

import pytest
from hypothesis import given as whatever
from hypothesis import strategies as st

from chatbot.domain import Conversation, Role, Turn
from chatbot.slots import Asked, Checksum, Slot, asked, given, is_tried, prose

ORDER = Slot("order_number", r"(?:KW[- ]?|^)(\d{4})[- ]?(\d{4})", r"KW-\1\2", Checksum.LUHN, anywhere=True)
TICKET = Slot("ticket", r"A\d{4}")


class TestChecksum:
    @pytest.mark.parametrize(
        ("checksum", "value"),
        [
            (Checksum.LUHN, "79927398713"),
            (Checksum.LUHN, "4111-1111-1111-1111"),
            (Checksum.LUHN, "KW 10000016"),
            (Checksum.MOD_11_10, "07945"),  # the standard's own example
            (Checksum.MOD_11_10, "86095742719"),
            (Checksum.MOD_11_10, "69435151530"),
            (Checksum.MOD_97_10, "HWUPKR0MPOU8FGXBT394"),
            (Checksum.MOD_97_10, "79444"),
        ],
    )
    def test_the_last_digit_is_right_and_any_other_is_wrong(self, checksum: Checksum, value: str) -> None:
        held = [digit for digit in "0123456789" if checksum.holds(value[:-1] + digit)]
        assert held == [value[-1]]

    @pytest.mark.parametrize("checksum", Checksum)
    @pytest.mark.parametrize("value", ["", "-", "7", "é", "²³"])
    def test_too_little_holds_nothing(self, checksum: Checksum, value: str) -> None:
        assert not checksum.holds(value)

    @pytest.mark.parametrize("checksum", Checksum)
    @whatever(st.integers(10**7, 10**8 - 1), st.integers(0, 7), st.integers(1, 9))
    def test_one_wrong_digit_is_always_found(
        self, checksum: Checksum, number: int, place: int, change: int
    ) -> None:
        ends = (f"{number}{n:02d}" if checksum is Checksum.MOD_97_10 else f"{number}{n}" for n in range(100))
        right = next(value for value in ends if checksum.holds(value))
        wrong = right[:place] + str((int(right[place]) + change) % 10) + right[place + 1 :]
        assert not checksum.holds(wrong)


class TestFind:
    @pytest.mark.parametrize(
        "text",
        [
            "KW-10000016",
            "it's kw 1000 0016, thanks",
            "10000016",
            "订单号是KW10000016谢谢",
            "订单号是ＫＷ－１０００００１６。",
            "kw–1000–0016",
            "KW−10000016",
            "KW\u200b-1000\u00ad0016",
            "KW-1000\n0016",
            "KW-١٠٠٠٠٠١٦",
            "not KW-10000017 but KW-10000016",
            "'; DROP TABLE orders; -- KW-10000016",
            "{{ KW-10000016 }} {% for %}",
            "<b>KW-10000016</b>",
            "KW-10000016 " + "x" * 10_000,
        ],
    )
    def test_a_value_has_one_form_however_it_is_typed(self, text: str) -> None:
        assert ORDER.find(text) == "KW-10000016"
        assert not ORDER.is_mistyped(text)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "KW",
            "KW-1000001",
            "KW-100000167",
            "XKW-10000016",
            "KW-10000016B",
            "x" * 2000 + " KW-10000016",
            "\ud800",
        ],
    )
    def test_a_part_of_something_longer_is_none(self, text: str) -> None:
        assert ORDER.find(text) is None
        assert not ORDER.is_mistyped(text)

    def test_a_wrong_check_digit_is_told_from_no_value(self) -> None:
        assert ORDER.find("KW-10000017") is None
        assert ORDER.is_mistyped("KW-10000017")
        assert TICKET.find("a1234") == "A1234"
        assert not TICKET.is_mistyped("a1234")

    def test_a_value_without_groups_is_what_was_found(self) -> None:
        assert TICKET.find("单号是Ａ１２３４谢谢") == "A1234"

    def test_a_pattern_that_goes_back_and_forth_is_given_up(self, caplog: pytest.LogCaptureFixture) -> None:
        start = time.perf_counter()
        assert Slot("slow", r"(?:a|aa)+c").find("a" * 1999 + "b") is None
        assert Slot("slow", r"(?:a|aa)+c").without("a" * 1999 + "b") == "a" * 1999 + "b"
        assert time.perf_counter() - start < 10  # it would take for ever
        assert "slot slow takes too long" in caplog.text
        behind = "KW-1 " + "a" * 1999 + "b"
        assert list(Slot("slow", r"KW-\d|(?:a|aa)+c").spans(behind)) == [(0, 4)]  # what was found is not lost
        assert "aaa" not in caplog.text

    def test_a_value_is_found_while_other_threads_work(self) -> None:
        done, much = threading.Event(), bytes(20_000_000)

        def work() -> None:
            while not done.is_set():
                hashlib.sha256(much).digest()  # lets go of the interpreter, as models do

        others = [threading.Thread(target=work) for _ in range(4)]
        for thread in others:
            thread.start()
        try:
            text = "a" * 26 + " KW-10000016"
            slow = Slot("slow", r"(?:a|aa)+c|KW-\d+")  # some hundredths of a second of its own
            assert [slow.find(text) for _ in range(20)] == ["KW-10000016"] * 20
        finally:
            done.set()
            for thread in others:
                thread.join()

    @whatever(st.text(st.characters(), max_size=60))
    def test_nothing_that_can_be_typed_raises(self, text: str) -> None:
        for slot in (ORDER, TICKET):
            value = slot.find(text)
            assert value is None or value == slot.find(value)
            slot.without(text)
        is_tried(text)
        prose(text)

    def test_what_is_beside_a_value(self) -> None:
        assert ORDER.without("KW-10000016 can I cancel it").split() == ["can", "I", "cancel", "it"]
        assert ORDER.without("KW-10000017") == " "


@pytest.mark.parametrize(
    ("text", "tried"),
    [
        ("12345", True),
        ("KW １２３４", True),
        ("me@shop", True),
        ("I bought 2 of 12", False),
        ("没有", False),
        ("", False),
    ],
)
def test_a_message_that_tries_to_give_a_number_looks_like_it(text: str, tried: bool) -> None:
    assert is_tried(text) is tried


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("KW-10000016", ""),
        ("订单号是ＫＷ１０００谢谢", "订单号是 谢谢"),
        ("it is me@shop.com ok", "it is ok"),
        ("hm", "hm"),
    ],
)
def test_codes_are_in_no_language(text: str, words: str) -> None:
    assert " ".join(prose(text).split()) == words


def talk(*turns: Turn) -> Conversation:
    return Conversation("c", turns, "en")


def user(text: str) -> Turn:
    return Turn(Role.USER, text)


def agent(answer_id: str | None = None, asks: str | None = None, text: str = "…") -> Turn:
    return Turn(Role.AGENT, text, answer_id, asks)


ASKS = agent("parcel", "order_number", "Where? Tell me.")
AGAIN = agent("parcel", "order_number", "Once more.")


class TestAsked:
    def test_before_the_first_answer_nothing_is_open(self) -> None:
        assert asked(Conversation()) is None
        assert asked(talk(user("hi"), agent(), user("KW-10000016"))) is None

    def test_a_question_waits_with_its_answer(self) -> None:
        assert asked(talk(user("where"), ASKS)) == Asked("parcel", "order_number", ("Where? Tell me.",), last=True)

    def test_asking_again_is_counted_with_what_was_said(self) -> None:
        conversation = talk(user("where"), ASKS, user("1234"), AGAIN)
        assert asked(conversation) == Asked("parcel", "order_number", ("Once more.", "Where? Tell me."), last=True)

    def test_small_talk_leaves_it_open_and_a_hand_over_does_not(self) -> None:
        chat = talk(user("where"), ASKS, user("thanks"), agent(asks="order_number"))
        assert asked(chat) == Asked("parcel", "order_number", ("Where? Tell me.",), last=True)
        handed_over = talk(user("where"), ASKS, user("hm"), agent())
        assert asked(handed_over) == Asked("parcel", "order_number", ("Where? Tell me.",), last=False)

    def test_another_answer_closes_it(self) -> None:
        conversation = talk(user("where"), ASKS, user("refund"), agent("refund", text="Three days."))
        assert asked(conversation) == Asked("refund", None, ("Three days.",), last=False)

    def test_asking_anew_begins_to_count_again(self) -> None:
        conversation = talk(user("where"), ASKS, user("refund"), agent("refund"), user("where"), ASKS)
        assert asked(conversation) == Asked("parcel", "order_number", ("Where? Tell me.",), last=True)


class TestGiven:
    def test_a_slot_with_a_check_digit_is_taken_from_any_message(self) -> None:
        assert given(Conversation(), "where is KW-10000016", ORDER) == "KW-10000016"
        assert given(talk(user("KW-10000016"), agent()), "and now?", ORDER) == "KW-10000016"

    def test_any_other_only_where_it_was_asked_for(self) -> None:
        wants = agent("repair", "ticket")
        assert given(Conversation(), "A1234", TICKET) is None
        assert given(talk(user("repair?"), wants), "A1234", TICKET) == "A1234"
        assert given(talk(user("repair?"), wants, user("ok"), agent(asks="ticket")), "A1234", TICKET) == "A1234"
        assert given(talk(user("repair?"), wants, user("A1234"), agent("repair")), "hm", TICKET) == "A1234"
        assert given(talk(user("repair?"), wants, user("refund"), agent("refund")), "A1234", TICKET) is None
        assert given(talk(user("where"), ASKS), "A1234", TICKET) is None

    def test_the_last_one_counts(self) -> None:
        assert given(talk(user("KW-10000016"), agent()), "and KW-10000388?", ORDER) == "KW-10000388"
        assert given(talk(user("KW-10000016"), agent()), "and KW-10000389?", ORDER) == "KW-10000016"

    def test_what_the_company_says_is_no_customers_value(self) -> None:
        assert (
            given(talk(user("where"), agent("parcel", "order_number", "such as KW-10000016")), "?", ORDER) is None
        )
