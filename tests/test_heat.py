"""An explanation as HTML: all is said, nothing that was typed is markup, and letters stay legible."""

import re
from dataclasses import dataclass, fields, replace
from html.parser import HTMLParser
from itertools import product
from string import Formatter

import pytest

from chatbot.insight.deletion import Deletion, Verdict
from chatbot.insight.explain import Explanation, Side
from chatbot.ui.heat import BLUE, MOST_COLOUR, VERMILION, heat
from chatbot.ui.heat_words import CHINESE, ENGLISH, HEAT_WORDS, HeatWords

FALLS = Deletion(
    (0.0, 0.25, 0.5), (2.0, 0.0, -2.0), (2.0, 2.0, 1.5), ((2.0, 1.0, 0.5), (2.0, 1.5, 1.0), (2.0, 2.0, 1.0))
)
PARCEL = Explanation(
    Side(("my", "parcel"), (-0.5, 2.0), 0.0, True),
    Side(("the", "package", "?"), (0.04, 1.0, -0.01), 0.03, False),
    ((0.01, 0.02, 0.04), (0.0, 0.08, 0.005)),
    2.0,
    FALLS,
)


class Page(HTMLParser):
    """Elements with their attributes, and the text in each."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("br", "path", "polyline"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "polyline"):
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_map_is_a_table_with_heads_and_numbers() -> None:
    page = Page(heat(PARCEL, ENGLISH))
    assert page.open == []
    assert [head["scope"] for head in page.all("th")] == ["col"] * 3 + ["row"] * 2
    cells = page.all("td")[1:]  # the corner is empty
    assert [cell["title"] for cell in cells] == [
        *("my · the: 1.0%", "my · package: 2.0%", "my · ?: 4.0%"),
        *("parcel · the: 0.0%", "parcel · package: 8.0%", "parcel · ?: 0.5%"),
    ]
    assert [re.findall(r"[\d.]+\)", str(cell["style"])) for cell in cells] == [
        [f"{opacity:.2f})"] for opacity in (0.06, 0.12, 0.25, 0, 0.5, 0.03)
    ]
    scrolled = next(div for div in page.all("div") if div.get("role") == "region")
    assert ("overflow-x:auto" in str(scrolled["style"]), scrolled["tabindex"]) == (True, "0")


def test_words_carry_sign_number_and_line() -> None:
    page = heat(PARCEL, ENGLISH)
    words = re.findall(
        r"background:rgba\((.*?)\);border-bottom:2px (\w+) currentColor\">(\S+) <small>(\S+)</small>", page
    )
    assert words == [
        (f"{VERMILION},0.12", "dotted", "my", "−0.5"),
        (f"{BLUE},0.50", "solid", "parcel", "+2.0"),
        (f"{BLUE},0.01", "none", "the", "0.0"),
        (f"{BLUE},0.25", "solid", "package", "+1.0"),
        (f"{VERMILION},0.00", "none", "?", "0.0"),
    ]
    assert page.count(ENGLISH.unread) == 1  # the candidate's rest


@pytest.mark.parametrize(
    ("words", "counts", "looks"),
    [
        (ENGLISH, "Can be trusted here: taking out", "Not to be trusted here: taking out"),
        (CHINESE, "这里可信：去掉", "这里不可信：去掉"),
    ],
)
def test_the_verdicts_are_said_in_both_languages(words: HeatWords, counts: str, looks: str) -> None:
    texts = Page(heat(PARCEL, words)).texts
    said = [text for text in texts if text.startswith((counts, looks))]
    assert [text.startswith(counts) for text in said] == [True, False]


def test_the_numbers_of_the_verdicts() -> None:
    """By attribution 3 lower on average, by attention 0.25, by chance 0.83: 3.6 times."""
    page = heat(PARCEL, ENGLISH)
    assert "moves the relevance by −3.0, words by chance by −0.8. That is 3.6 times as much." in page
    assert "moves the relevance by −0.2, words by chance by −0.8.<" in page


def test_the_curves_are_drawn_and_told() -> None:
    """From 2 at the left and at the top to −2 at the bottom."""
    page = Page(heat(PARCEL, ENGLISH))
    told = (
        "Relevance while words are taken out, from +2.0 with all words. With 50% of the words gone: −2.0 by what "
        "counts, +1.5 by attention, +0.8 by chance."
    )
    assert page.all("svg")[0]["aria-label"] == told
    assert told in page.texts
    *draws, chance, attention, attribution = [line["points"] for line in page.all("polyline")]
    assert attribution == "0.0,0.0 150.0,55.0 300.0,110.0"
    assert attention == "0.0,0.0 150.0,0.0 300.0,13.8"
    assert chance == "0.0,0.0 150.0,13.8 300.0,32.1"
    assert len(draws) == 3


def test_what_cannot_be_tested_has_no_curves() -> None:
    flat = Deletion((0.0, 0.5), (1.0, 0.0), (1.0, 0.0), ((1.0, 0.0), (1.0, 0.0)))
    nothing = Side((), (), 0.0, True)
    page = Page(heat(Explanation(nothing, nothing, (), 1.0, flat), ENGLISH))
    assert page.open == []
    assert page.texts.count(ENGLISH.verdicts[Verdict.UNTESTED]) == 2
    assert page.texts.count(ENGLISH.no_words) == 2
    assert (page.all("svg"), page.all("table")) == ([], [])


@pytest.mark.parametrize("language", HEAT_WORDS)
@pytest.mark.parametrize("typed", ["<script>", '"><img onerror=', "&#x3c;", "{{ 7*7 }}", "'\x00<b>", "{% raw %}"])
def test_what_was_typed_is_text(typed: str, language: str) -> None:
    words = (typed, typed)
    side = Side(words, (1.0, -1.0), 0.0, True)
    hostile = Page(
        heat(replace(PARCEL, question=side, candidate=side, attention=((0.1, 0.2),) * 2), HEAT_WORDS[language])
    )
    harmless = replace(side, words=("a", "a"))
    plain = Page(
        heat(
            replace(PARCEL, question=harmless, candidate=harmless, attention=((0.1, 0.2),) * 2),
            HEAT_WORDS[language],
        )
    )
    shape = [[(tag, attributes.keys()) for tag, attributes in page.elements] for page in (hostile, plain)]
    assert shape[0] == shape[1]
    shown = typed.replace("\x00", "\ufffd")
    assert hostile.texts.count(shown) == plain.texts.count("a") == 8  # four words, and four heads
    assert hostile.all("td")[1]["title"] == f"{shown} · {shown}: 10.0%"


def test_long_texts_and_long_words_are_clipped() -> None:
    side = Side(("w" * 300,) * 60, (1.0,) * 60, 0.0, True)
    page = Page(heat(replace(PARCEL, question=side, candidate=side, attention=((0.1,) * 60,) * 60), CHINESE))
    assert len(page.all("td")) == 1 + 24 * 24
    assert "……还有 72 个词" in page.texts
    assert "w" * 24 + "…" in page.texts
    assert max(map(len, page.texts)) < 200


@dataclass(frozen=True)
class Theme:
    ground: tuple[int, int, int]
    letters: tuple[int, int, int]


LIGHT, DARK = Theme((255, 255, 255), (31, 41, 55)), Theme((31, 41, 55), (243, 244, 246))


@pytest.mark.parametrize(("hue", "theme"), list(product((BLUE, VERMILION), (LIGHT, DARK))))
def test_letters_stay_legible_on_the_strongest_colour(hue: str, theme: Theme) -> None:
    """4.5 is what the Web Content Accessibility Guidelines ask for."""
    colour = [int(part) for part in hue.split(",")]
    ground = [MOST_COLOUR * c + (1 - MOST_COLOUR) * g for c, g in zip(colour, theme.ground, strict=True)]
    bright, dark = sorted((_luminance(ground), _luminance(theme.letters)), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 4.5


def _luminance(colour: tuple[int, ...] | list[float]) -> float:
    """WCAG 2.2's relative luminance."""
    parts = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def test_both_languages_fill_in_the_same() -> None:
    def blanks(words: HeatWords) -> list[set[str | None]]:
        held = [getattr(words, field.name) for field in fields(words)]
        texts = [
            t
            for one in held
            for t in ([one] if isinstance(one, str) else one if isinstance(one, tuple) else one.values())
        ]
        return [{name for _, name, _, _ in Formatter().parse(text)} - {None} for text in texts]

    assert blanks(ENGLISH) == blanks(CHINESE)
    assert set(ENGLISH.verdicts) == set(CHINESE.verdicts) == set(Verdict)
