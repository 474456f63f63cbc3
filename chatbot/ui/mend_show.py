"""What the desk's tabs for unanswered questions and blamed answers draw, as HTML. Pure.

Everything that a customer, an agent or a file wrote goes through `show.plain` or `show.rich`. Buttons carry what
they stand for in `data-` attributes; the page listens for clicks on them.
"""

import html
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatbot.domain import Action
from chatbot.journal import Blamed
from chatbot.ui.casework import View, said
from chatbot.ui.mend import Dismissed, Done, Draft, Offer
from chatbot.ui.mend_words import MendWords
from chatbot.ui.show import Entry, plain, quoted, rich

if TYPE_CHECKING:  # scikit-learn
    from chatbot.insight.gaps import Gap

BAR, GAP, HEIGHT = 7, 2, 28  # of a trend's bars
FLIPS = 20  # shown at most


@dataclass(frozen=True, eq=False, slots=True)
class Topic:
    """A gap and its language."""

    language: str
    gap: "Gap"


def trend(days: Sequence[int], words: MendWords) -> str:
    """A bar for each day, with the numbers for who cannot see it."""
    most, step = max(*days, 1), BAR + GAP
    told = words.trend.format(days=len(days), count=", ".join(map(str, days)))
    bars = "".join(
        f'<rect x="{place * step}" y="{HEIGHT - tall}" width="{BAR}" height="{tall}" rx="1"/>'
        for place, tall in enumerate(max(1, round(HEIGHT * count / most)) for count in days)
    )
    width = len(days) * step - GAP
    return (
        f'<svg class="trend" role="img" aria-label="{html.escape(told)}" viewBox="0 0 {width} {HEIGHT}" '
        f'width="{width}" height="{HEIGHT}">{bars}</svg>'
    )


def topics(
    shown: Sequence[Topic], chosen: int | None, elsewhere: Sequence[tuple[str, int]], words: MendWords
) -> str:
    """A button for each gap, and how many questions there are in languages (and numbers) `elsewhere`."""
    items = "".join(
        f'<li><button type="button" data-gap="{number}" aria-pressed="{str(number == chosen).lower()}">'
        f'<span class="last">{plain(quoted(topic.gap.name))}</span>'
        f'<span class="quiet">{plain(_standing(topic, words))}</span>{trend(topic.gap.days, words)}</button></li>'
        for number, topic in enumerate(shown)
    )
    listed = f'<ul class="inbox">{items}</ul>' if items else f'<p class="quiet">{words.no_gaps}</p>'
    if not elsewhere:
        return listed
    named = ", ".join(language for language, _ in elsewhere)
    told = words.elsewhere.format(count=sum(count for _, count in elsewhere), languages=named)
    return f'{listed}<p class="quiet">{plain(told)}</p>'


def _standing(topic: Topic, words: MendWords) -> str:
    told = [topic.language, words.asked.format(count=topic.gap.count)]
    return " · ".join([*told, f"↗ {words.rises}"] if topic.gap.rises else told)


def topic_head(topic: Topic | None, listed: int, words: MendWords) -> str:
    """The chosen gap's name and numbers; `listed` of its questions are shown below."""
    if topic is None:
        return f'<p class="quiet">{words.choose_gap}</p>'
    left = len(topic.gap.texts) - listed
    more = f'<p class="quiet">{words.more.format(count=left)}</p>' if left > 0 else ""
    told = plain(_standing(topic, words))
    return f"<h2>{plain(quoted(topic.gap.name))}</h2><p>{told}</p>{trend(topic.gap.days, words)}{more}"


def blamed_list(shown: Sequence[Blamed], chosen: int | None, words: MendWords) -> str:
    """A button for each blamed answer."""
    if not shown:
        return f'<p class="quiet">{words.no_blamed}</p>'
    items = "".join(
        f'<li><button type="button" data-exchange="{one.number}" '
        f'aria-pressed="{str(one.number == chosen).lower()}">'
        f'<span class="last">{plain(quoted(one.question))}</span>'
        f'<span class="quiet">{plain(quoted(_blame(one, words)))}</span></button></li>'
        for one in shown
    )
    return f'<ul class="inbox">{items}</ul>'


def _blame(one: Blamed, words: MendWords) -> str:
    named = one.answer_id if one.answer_id is not None else words.no_answer_id
    told = [f"{one.time:%Y-%m-%d %H:%M} UTC", named, one.comment]
    return " · ".join(part for part in told if part)


def blamed_head(one: Blamed | None, entries: Sequence[Entry], view: View, words: MendWords) -> str:
    """What was asked and answered, what the customer says about it, and all that was said, to be opened."""
    if one is None:
        return f'<p class="quiet">{words.choose_blamed}</p>'
    named = one.answer_id if one.answer_id is not None else words.no_answer_id
    comment = f"<h2>{words.comment}</h2><div class='said'>{plain(one.comment)}</div>" if one.comment else ""
    return (
        f'<h2>{words.asked_by}</h2><div class="said">{plain(one.question)}</div>'
        f'<h2>{words.given} <span class="quiet">({plain(named)})</span></h2>'
        f'<div class="said">{rich(one.answer)}</div>{comment}'
        f"<details><summary>{words.talk}</summary>{said(entries, view)}</details>"
    )


def offers(found: Sequence[Offer], words: MendWords) -> str:
    """Stored answers, each with a button."""
    if not found:
        return f'<p class="quiet">{words.no_offers}</p>'
    items = "".join(
        f"<li><p><strong>{plain(one.answer_id)}</strong> "
        f'<span class="quiet">{plain(quoted(one.question))} · {_scores(one, words)}</span></p>'
        f'<div class="said">{rich(one.answer)}</div>'
        f'<button type="button" data-answer="{html.escape(one.answer_id)}">{words.use}</button></li>'
        for one in found
    )
    return f'<h3>{words.offers}</h3><ul class="answers">{items}</ul>'


def _scores(one: Offer, words: MendWords) -> str:
    if one.similarity is None or one.confidence is None:
        return words.by_id
    return words.scores.format(similarity=f"{one.similarity:.2f}", confidence=f"{one.confidence:.0%}")


def progress(text: str, share: float) -> str:
    """How far something is, told by `text` with the `{share}` in it."""
    told = plain(text.format(share=f"{share:.0%}"))
    return f'<p class="quiet">{told}</p><progress max="1" value="{share:.2f}" aria-label="{told}"></progress>'


def comparison(draft: Draft, words: MendWords) -> str:
    """What a draft does to held-out dialogues."""
    found = draft.difference
    if found is None:
        return ""
    counts = Counter(flip[-1] for flip in found.flips)
    told = [
        text.format(count=counts[change])
        for change, text in (("worse", words.worse), ("better", words.better))
        if counts[change]
    ]
    summary = f"{words.compared.format(turns=found.turns)} {', '.join(told) if told else words.same}"
    measures = f"<p>{plain(words.measures.format(measures=', '.join(found.worse)))}</p>" if found.worse else ""
    level = "warn" if draft.harms else "fine"
    drawn = f'<div class="compared {level}"><p><strong>{plain(summary)}</strong></p>{measures}</div>'
    if not found.flips:
        return drawn
    head = "".join(f'<th scope="col">{column}</th>' for column in words.columns)
    rows = "".join(
        f'<tr><th scope="row">{words.changes[change]}</th><td>{plain(quoted(text))}</td>'
        f"<td>{plain(expected.replace('|', ', ') if expected else words.nothing)}</td>"
        f"<td>{_did(before, words)}</td><td>{_did(after, words)}</td></tr>"
        for _, _, _, text, expected, before, after, change in found.flips[:FLIPS]
    )
    region = f'<div class="scroll" role="region" aria-label="{html.escape(summary)}" tabindex="0">'
    return f"{drawn}{region}<table><tr>{head}</tr>{rows}</table></div>"


def _did(done: str, words: MendWords) -> str:
    """`answer track` in the page's words."""
    action, _, answer_id = done.partition(" ")
    return plain(f"{words.actions[Action(action)]} {answer_id}".strip())


def finished(done: Done | Dismissed | None, words: MendWords) -> str:
    """What was done a moment ago."""
    if done is None:
        return ""
    if isinstance(done, Dismissed):
        told = words.needs_none.format(count=len(done.questions))
    else:
        told = words.live.format(count=len(done.published.plan.added), answer=done.answer_id)
    return f'<p class="finished">{plain(told)}</p>'
