"""Templates: what they render, and what a mistake in one is told when a bot is built."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatbot.answer import Part, Templates
from chatbot.errors import TemplateError
from tests.fakes import pair

ORDER = pair("Where is my parcel?", "order_status", "See My orders > Track. 100% {{ safe }} & <b>sound</b>\n")
REFUND = pair("Money back?", "refund", "Three days.")
FILE = """
[slots]
company = "Kitewire"
phone = "555"
[en]
examples = ["Where is my parcel?", "Money back?"]
text = "{% if first %}Hello from {{ company }}! {% endif %}{{ answer }}"
[en.answers.refund]
text = "{{ answer }} Call {{ phone }} or {{ mail }}."
slots = { mail = "help@kitewire.example", phone = "777" }
[en.answers.order_status]
slots = { company = "the parcel desk" }
[zh]
text = "您好，{{ answer }}"
"""


@pytest.fixture
def templates(tmp_path: Path) -> Templates:
    path = tmp_path / "templates.toml"
    path.write_text(FILE, "utf-8")
    return Templates.load(path)


def test_an_answer_that_goes_takes_its_template_along(templates: Templates) -> None:
    left = templates.only({"order_status"})
    assert list(left.of_answer) == [("en", "order_status")]
    left.check([ORDER])  # which would refuse a template that no pair has


class TestRender:
    def test_without_a_template_the_stored_answer_is_said_word_for_word(self) -> None:
        assert Templates().render(ORDER) == ORDER.answer
        assert Templates().render(ORDER, first=True) == ORDER.answer

    def test_the_languages_template_frames_the_answer_and_touches_nothing_in_it(
        self, templates: Templates
    ) -> None:
        german = pair("Wo?", "other", "Dort.", "de")
        chinese = pair("在哪？", "refund", "三天。", "zh")
        english = pair("Where?", "other", "{{ company }} {% raise %}")
        assert templates.render(german, first=True) == "Dort."
        assert templates.render(chinese) == "您好，三天。"
        assert templates.render(english) == "{{ company }} {% raise %}"
        assert templates.render(english, first=True) == "Hello from Kitewire! {{ company }} {% raise %}"

    def test_a_single_answer_has_its_own_template_and_slots_before_those_of_all(
        self, templates: Templates
    ) -> None:
        assert templates.render(REFUND) == "Three days. Call 777 or help@kitewire.example."
        assert templates.render(ORDER, first=True) == f"Hello from the parcel desk! {ORDER.answer}"

    def test_slots_given_with_the_call_come_before_all_others(self, templates: Templates) -> None:
        assert templates.render(REFUND, slots={"phone": "999", "answer": "no"}) == (
            "Three days. Call 999 or help@kitewire.example."
        )

    def test_a_template_sees_the_source_and_the_historical_question(self) -> None:
        own = Templates(of_language={"en": "{{ question }}: {{ answer }} ({{ source }})"})
        assert own.render(REFUND) == "Money back?: Three days. ()"

    @pytest.mark.parametrize(
        "text",
        [
            "{{ answer }} {{ order_number }}",  # a slot without a value
            "{{ answer }",
            "{% if %}{{ answer }}",
            "{{ answer }}{{ 1 / 0 }}",
            "{{ answer }}{{ first + 'x' }}",
            "{{ answer }}{{ answer.index('zzz') }}",
            "{{ answer }}{{ '%d' % answer }}",
            "{{ answer }}{{ '{gone}'.format(answer) }}",
            "{{ answer.__class__.__mro__ }}{{ answer }}",  # the sandbox
            "{{ answer }}{% include 'other' %}",
        ],
    )
    def test_a_template_that_does_not_render_is_the_companys_mistake(self, text: str) -> None:
        with pytest.raises(
            TemplateError, match=r"^the en template of answer 'refund' does not render: .*\[slots\]"
        ):
            Templates(of_language={"en": text}).render(REFUND)


class TestFile:
    def test_a_built_bot_keeps_them_as_they_were(self, templates: Templates) -> None:
        assert Templates.parse(templates.as_toml_values(), "templates.json") == templates
        assert Templates.parse(Templates().as_toml_values(), "templates.json") == Templates()

    def test_example_questions_are_kept_by_language_in_order(self, templates: Templates) -> None:
        assert templates.examples == {"en": ("Where is my parcel?", "Money back?"), "zh": ()}

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"slots": "x"}, "t.toml, slots: Input should be a valid dictionary (found 'x')"),
            ({"slots": {"days": 5}}, "t.toml, slots.days: Input should be a valid string (found 5)"),
            ({"en": "Hello"}, "t.toml, en: Input should be a valid dictionary"),
            ({"en": {"txt": "a"}}, "t.toml, en.txt: Extra inputs are not permitted (found 'a')"),
            ({"en": {"text": 5}}, "t.toml, en.text: Input should be a valid string (found 5)"),
            ({"en": {"examples": "Where?"}}, "t.toml, en.examples: Input should be a valid list (found 'Where?')"),
            ({"en": {"answers": {"a": "b"}}}, "t.toml, en.answers.a: Input should be a valid dictionary"),
            ({"en": {"answers": {"a": {"slot": 1}}}}, "t.toml, en.answers.a.slot: Extra inputs are not permitted"),
            (
                {"en": {"answers": {"a": {"slots": {"n": 1}}}}},
                "t.toml, en.answers.a.slots.n: Input should be a valid",
            ),
        ],
    )
    def test_what_cannot_be_read_is_named_with_its_place(self, values: dict[str, Any], message: str) -> None:
        with pytest.raises(TemplateError) as caught:
            Templates.parse(values, "t.toml")
        assert str(caught.value).startswith(message)
        assert "\n" not in str(caught.value)

    def test_a_file_that_is_missing_no_toml_or_no_utf_8(self, tmp_path: Path) -> None:
        path = tmp_path / "t.toml"
        with pytest.raises(TemplateError, match=rf"^templates file {path} cannot be read: No such file"):
            Templates.load(path)
        for content in (b"[en\n", "# Größe".encode("latin-1")):
            path.write_bytes(content)
            with pytest.raises(TemplateError, match=rf"^templates file {path} is not valid TOML in UTF-8: "):
                Templates.load(path)


class TestCheck:
    def test_every_answer_is_tried_as_a_first_and_as_a_later_reply(self, templates: Templates) -> None:
        templates.check([ORDER, REFUND])
        later = Templates(
            of_language={"en": "{% if first %}{{ answer }}{% else %}{{ phone }}{{ answer }}{% endif %}"}
        )
        with pytest.raises(TemplateError, match="'phone' is undefined"):
            later.check([REFUND])

    @pytest.mark.parametrize("text", ["Call us.", "{{ answer | upper }}", "{{ answer[:5] }}", "{{ question }}"])
    def test_a_template_must_say_the_stored_answer_whole(self, text: str) -> None:
        with pytest.raises(
            TemplateError, match=r"^the en template of answer 'refund' leaves the stored answer out"
        ):
            Templates(of_language={"en": text}).check([REFUND])

    def test_the_second_language_of_an_answer_is_tried_as_well(self) -> None:
        chinese = pair("退款多久？", "refund", "三天。", "zh")
        with pytest.raises(TemplateError, match="the zh template of answer 'refund'"):
            Templates(of_language={"zh": "{{ nobody }}"}).check([REFUND, chinese])

    def test_a_template_of_an_answer_that_no_pair_has_is_a_slip_of_the_pen(self, templates: Templates) -> None:
        with pytest.raises(
            TemplateError, match=r"^\[en.answers.order_status\] is a template for an answer that no pair"
        ):
            templates.check([REFUND])


LOOKED_UP = r"""
[slots]
phone = "555"
[ask.order_number]
pattern = '(?:KW[- ]?|^)(\d{4})[- ]?(\d{4})'
value = 'KW-\1\2'
checksum = "luhn"
[ask.ticket]
pattern = 'T\d+'
[connectors.orders]
kind = "sql"
url = "sqlite:///orders.sqlite"
query = "SELECT status FROM orders WHERE number = :order_number"
[connectors.prices]
kind = "csv"
file = "prices.csv"
key = { code = "ticket" }
timeout_seconds = 1
[connectors.repairs]
kind = "http"
url = "https://repairs.example/{ticket}"
fields = { state = "repair.state" }
headers = { Authorization = "Bearer ${TOKEN}" }
[en]
text = "{% if first %}Hi! {% endif %}{{ answer }}"
[en.ask.order_number]
prompt = "Your order number?"
again = "That is none. Call {{ phone }}."
mistyped = "One digit is wrong."
[en.ask.ticket]
prompt = "Your ticket?"
again = "That is none."
[en.answers.order_status]
connector = "orders"
text = "{{ answer }} {{ order_number }} is {{ found.status }}."
missing = "{{ answer }} There is no {{ order_number }}."
failed = "{{ answer }} Call {{ phone }}."
[en.answers.refund]
asking = "{{ prompt }}"
text = "{{ answer }} ({{ ticket }}, {{ order_number }})"
"""


class TestLookedUp:
    @pytest.fixture
    def templates(self, tmp_path: Path) -> Templates:
        path = tmp_path / "templates.toml"
        path.write_text(LOOKED_UP, "utf-8")
        return Templates.load(path)

    def test_a_built_bot_keeps_all_of_it(self, templates: Templates) -> None:
        stored = json.loads(json.dumps(templates.as_toml_values()))
        assert Templates.parse(stored, "templates.json") == templates
        assert templates.ask["order_number"].anywhere
        assert not templates.ask["ticket"].anywhere
        assert templates.only({"refund"}).connectors == templates.connectors
        templates.check([ORDER, REFUND])

    def test_an_answer_needs_what_its_template_and_its_connector_name(self, templates: Templates) -> None:
        assert [slot.name for slot in templates.needs(ORDER)] == ["order_number"]
        assert [slot.name for slot in templates.needs(REFUND)] == ["order_number", "ticket"]
        assert templates.needs(pair("Hm?", "other")) == ()
        assert Templates().needs(ORDER) == ()

    def test_each_part_is_said_in_its_own_words(self, templates: Templates) -> None:
        given = {"order_number": "KW-10000016"}
        said = {
            part: templates.render(ORDER, part=part, slots={**given, "prompt": "?"}, found={"status": "Paid"})
            for part in Part
        }
        assert said == {
            Part.TEXT: f"{ORDER.answer} KW-10000016 is Paid.",
            Part.ASKING: f"{ORDER.answer}\n?",
            Part.MISSING: f"{ORDER.answer} There is no KW-10000016.",
            Part.FAILED: f"{ORDER.answer} Call 555.",
        }
        assert templates.prompt(ORDER, "order_number") == "Your order number?"
        assert templates.again(ORDER, "order_number") == "That is none. Call 555."
        assert templates.again(ORDER, "order_number", mistyped=True) == "One digit is wrong."
        assert templates.again(REFUND, "ticket", mistyped=True) == "That is none."

    @pytest.mark.parametrize("value", ["{{ 7 * 7 }}", "{% raise %}", "{{ phone }}", "</b>\n'"])
    def test_values_and_fields_are_data_never_templates(self, templates: Templates, value: str) -> None:
        said = templates.render(ORDER, slots={"order_number": value}, found={"status": value})
        assert said == f"{ORDER.answer} {value} is {value}."

    @pytest.mark.parametrize("name", ["items", "keys", "count", "Order state", "状态"])
    def test_a_field_may_have_any_name(self, templates: Templates, name: str) -> None:
        own = replace(
            templates.of_answer["en", "order_status"],
            texts={Part.TEXT: f"{{{{ answer }}}}{{{{ found['{name}'] }}}}"},
        )
        whole = replace(templates, of_answer={("en", "order_status"): own})
        assert whole.render(ORDER, found={name: "7"}) == f"{ORDER.answer}7"

    def test_a_record_without_the_field_does_not_render(self, templates: Templates) -> None:
        with pytest.raises(TemplateError, match="has no attribute 'status'"):
            templates.render(ORDER, slots={"order_number": "KW-1"}, found={"state": "Paid"})

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            (
                'failed = "{{ answer }} Call',
                'failed = "Call',
                "`failed` of answer 'order_status' leaves the stored",
            ),
            (
                'missing = "{{ answer }} There',
                'missing = "There',
                "`missing` of answer 'order_status' leaves the sto",
            ),
            ('asking = "{{ prompt }}"', 'asking = "{{ answer }}"', "`asking` of answer 'refund' asks for nothing"),
            ("is {{ found.status }}", "is {{ fuond.status }}", "'fuond' is undefined"),
            ("Call {{ phone }}.", "Call {{ fax }}.", "'fax' is undefined"),
            (
                '[en.ask.ticket]\nprompt = "Your ticket?"\nagain = "That is none."\n',
                "",
                "add [en.ask.ticket] with",
            ),
        ],
    )
    def test_every_part_is_checked_when_a_bot_is_built(
        self, tmp_path: Path, old: str, new: str, message: str
    ) -> None:
        path = tmp_path / "t.toml"
        assert old in LOOKED_UP
        path.write_text(LOOKED_UP.replace(old, new), "utf-8")
        with pytest.raises(TemplateError) as caught:
            Templates.load(path).check([ORDER, REFUND])
        assert message in str(caught.value)

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            (r"'T\d+'", r"'T(\d+'", "ask.ticket: Value error, pattern and value do not make a regular expression"),
            (r"'T\d+'", r"'T)(\d'", "ask.ticket: Value error, pattern and value do not make"),
            (r"'T\d+'", r"'(?:T\d+)?'", "ask.ticket: Value error, the pattern fits nothing at all"),
            (r"'KW-\1\2'", r"'KW-\3'", "ask.order_number: Value error, pattern and value do not make"),
            ('"luhn"', '"crc"', "ask.order_number.checksum: Input should be 'luhn', 'mod11_10' or 'mod97_10'"),
            ("[ask.ticket]", "[ask.phone]", "ask.phone: the name is a slot with a default as well"),
            ("[ask.ticket]", "[ask.found]", "ask.found: a slot's name is made of letters"),
            ("[ask.ticket]", "[ask.my-ticket]", "ask.my-ticket: a slot's name is made of letters"),
            (
                'kind = "csv"',
                'kind = "xml"',
                "connectors.prices: Input tag 'xml' found using 'kind' does not match",
            ),
            ("file = ", "path = ", "connectors.prices.csv.file: Field required"),
            (
                "timeout_seconds = 1",
                "timeout_seconds = 0",
                "connectors.prices.csv.timeout_seconds: Input should be gr",
            ),
            (
                "timeout_seconds = 1",
                "timeout_seconds = inf",
                "connectors.prices.csv.timeout_seconds: Input should be",
            ),
            ('{ code = "ticket" }', "{}", "connectors.prices.csv.key: Dictionary should have at least 1 item"),
            ('{ code = "ticket" }', '{ code = "toket" }', "connectors.prices: it needs 'toket', which is no slot"),
            ("= :order_number", "= '1'", "connectors.orders.sql.query: Value error, a query names the value"),
            ("SELECT status FROM", "DELETE FROM", "connectors.orders.sql.query: Value error, a query begins with"),
            ("https://", "file://", "connectors.repairs.http.url: Value error, an address begins with http"),
            (
                "repairs.example/",
                "{ticket}.example/",
                "connectors.repairs.http.url: Value error, a slot's value may",
            ),
            (
                "example/{ticket}",
                "example/",
                "connectors.repairs.http.url: Value error, an address names the value",
            ),
            (
                '{ state = "repair.state" }',
                "{}",
                "connectors.repairs.http.fields: Dictionary should have at least",
            ),
            ("[en.ask.ticket]", "[en.ask.tocket]", "en.ask.tocket: it is no slot under [ask]"),
            ('again = "That is none."\n', "", "en.ask.ticket.again: Field required"),
            ('connector = "orders"', 'connector = "order"', "en.answers.order_status.connector: 'order' is none"),
            ('connector = "orders"\n', "", "en.answers.order_status: Value error, connector, missing and failed"),
            (
                'failed = "{{ answer }} Call {{ phone }}."\n',
                "",
                "en.answers.order_status: Value error, connector, mis",
            ),
        ],
    )
    def test_what_cannot_be_read_is_named_with_its_place(
        self, tmp_path: Path, old: str, new: str, message: str
    ) -> None:
        path = tmp_path / "t.toml"
        assert old in LOOKED_UP
        path.write_text(LOOKED_UP.replace(old, new), "utf-8")
        with pytest.raises(TemplateError) as caught:
            Templates.load(path)
        assert str(caught.value).startswith(f"{path}, {message}")
        assert "\n" not in str(caught.value)
