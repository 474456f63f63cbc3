"""The audit's page: all is said and nothing that somebody typed is run."""

import base64
import re
import warnings
from dataclasses import replace

from chatbot.domain import Action
from chatbot.insight.audit import Answer, Confusion, Findings, Mistake, Resemblance
from chatbot.insight.report import most_confused, render
from chatbot.merge import Contradiction

HOSTILE = '<script>alert("1")</script><img src=x onerror=alert(2)>'
ABOUT = {"index": "index/shop", "seed": 7}


def findings(*answer_ids: str, language: str = "en") -> Findings:
    """Answers with one question each and nothing found."""
    answers = tuple(Answer(a, f"Text of {a}", 1, 1, 0, 0.0) for a in answer_ids)
    nothing: tuple[()] = ()
    return Findings(
        language, len(answers), len(answers), 0, answers, 0.7, *(nothing,) * 8
    )  # confidences, then the seven findings


def confusion(one: str, other: str, count: int = 1) -> Confusion:
    mistake = Mistake(f"asked of {one}", one, other, f"asked of {other}", 0.825, Action.ANSWER)
    return Confusion((one, other), count, 0, (mistake,) * count)


def full(a: str, b: str, text: str) -> Findings:
    """One finding of each kind between the answers a and b, in which each text is `text`."""
    mistake = Mistake(text, a, b, text, 0.825, Action.ANSWER)
    alike = Resemblance((text, text), (a, b), 0.975)
    answers = tuple(Answer(answer_id, text, 1, 1, 1, 1.0) for answer_id in (a, b))
    return replace(
        findings(a, b),
        answers=answers,
        confidences=(0.825,),
        hidden=(mistake,),
        confusions=(Confusion((a, b), 1, 0, (mistake,)),),
        contradictions=(Contradiction(text, "en", (a, b)),),
        near_questions=(alike,),
        near_answers=(alike,),
        few=answers,
        strays=(alike,),
    )


def pictures(page: str) -> list[str]:
    return [
        base64.b64decode(code).decode("utf-8") for code in re.findall(r"image/svg\+xml;base64,([\w+/=]+)", page)
    ]


def test_what_was_typed_is_shown_and_never_markup() -> None:
    page = render([full(HOSTILE, "$x^{", HOSTILE)], ABOUT | {"index": HOSTILE})
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;" in page
    assert all("<script" not in picture for picture in pictures(page))


def test_the_page_needs_nothing_else() -> None:
    page = render([full("a", "b", "text"), replace(full("a", "b", "字"), language="zh")], ABOUT)
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert {address.split(",")[0] for address in addresses} == {"#en", "#zh", "data:image/svg+xml;base64"}
    assert "url(" not in page
    assert "@import" not in page
    assert page == render([full("a", "b", "text"), replace(full("a", "b", "字"), language="zh")], ABOUT)


def test_both_languages_head_every_finding_and_pictures_show_what_there_is() -> None:
    page = render([full("a", "b", "text")], ABOUT)
    headings = re.findall(r'<h3><span lang="en">(.+?)</span> <span lang="zh">(.+?)</span>', page)
    assert len(headings) == 7
    assert all(re.search(r"[一-鿿]", chinese) for _, chinese in headings)
    assert len(pictures(page)) == 3  # heat map, confidences, questions an answer
    assert "1 of 2 questions, asked while their answer was hidden" in page
    assert "<code>b</code> 82%</small>" in page
    assert len(pictures(render([findings("a", "b")], ABOUT))) == 1


def test_where_there_is_nothing_to_confuse_the_page_says_so() -> None:
    assert "There is nothing to confuse: the bot holds no answers." in render([], ABOUT)
    assert "There is nothing to confuse; answers in this language: 1." in render([findings("a")], ABOUT)
    assert "没有可混淆的内容：该语言只有 0 个答案。" in render([findings(language="zh")], ABOUT)
    assert "There is nothing to confuse" not in render([findings("a", "b")], ABOUT)


def test_a_long_list_is_cut_and_says_how_much_is_left() -> None:
    contradictions = tuple(Contradiction(f"question {n:02d}.", "en", ("a", "b")) for n in range(53))
    page = render([replace(findings("a", "b"), contradictions=contradictions)], ABOUT)
    assert page.count("<p>question ") == 50
    assert "3 more are in audit.json." in page
    assert "其余 3 条见 audit.json。" in page


def test_the_map_has_the_most_confused_answers_first() -> None:
    pairs = (confusion("a", "b", 2), confusion("b", "c"), confusion("d", "e"))
    found = replace(findings(*"abcde"), confusions=pairs)
    assert most_confused(found) == ("b", "a", "c", "d", "e")  # 3, 2, then by id
    many = tuple(confusion(f"{n:02d}", "x") for n in range(20))
    assert most_confused(replace(found, confusions=many)) == ("x", *(f"{n:02d}" for n in range(11)))


def test_an_id_that_no_font_can_write_is_a_number_of_the_legend() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = render([full("\U000130b8", "退货", "text")], ABOUT)
    legend = re.search(r'<ol class="legend">(.+?)</ol>', page)
    assert legend is not None
    assert re.findall(r"<li><code>(.+?)</code>", legend[1]) == ["退货", "\U000130b8"]
