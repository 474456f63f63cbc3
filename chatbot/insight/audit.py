"""Where a bot takes one answer for another, found by hiding what it knows and asking it its own questions.

In: a loaded bot's retrievers, by language. Out: `Findings` of each language, for the editor of the pairs:

    hidden         asked with its whole answer hidden, a question is answered confidently all the same: this is the
                   wrong answer that a customer would get if that answer were missing
    confusions     asked with only itself hidden, a question brings up another answer first; by pairs of answers
    contradictions one question, as it is compared, under several answers
    near_questions nearly the same question under two answers, by the cosine of their vectors
    near_answers   nearly the same text under two answer ids, by edit distance (rapidfuzz's ratio)
    few            answers with too few questions to be found by
    strays         questions whose nearest other questions all belong to other answers

The bot may have learnt from these very questions, so that new wordings are confused at least as often. Whether two
answers may stand for one another, only a person can say.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rapidfuzz import fuzz, process
from tqdm import tqdm

from chatbot.decide import decide
from chatbot.domain import Action
from chatbot.merge import Contradiction
from chatbot.retrieve import Retriever, form

BATCH = 64  # questions asked, or texts compared, at once
NEIGHBOURS = 50  # nearest questions among which near duplicates are looked for
CIRCLE = 5  # nearest questions of which one should belong to the question's own answer


@dataclass(frozen=True, slots=True)
class Mistake:
    """A historical question, and the other answer that came first for it with the question that stands for it."""

    question: str
    answer_id: str
    wrong_id: str
    wrong_question: str
    confidence: float
    action: Action


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its number of questions. Of these `asked` were asked with the answer hidden, and `answered`
    got another answer confidently: the share `rate`, None where none was asked."""

    answer_id: str
    text: str
    questions: int
    asked: int
    answered: int
    rate: float | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """Two answers, ids in order. `there` counts the first one's questions that brought up the second, `back` the
    other way round; `mistakes` has them all, the surest first."""

    answer_ids: tuple[str, str]
    there: int
    back: int
    mistakes: tuple[Mistake, ...]


@dataclass(frozen=True, slots=True)
class Resemblance:
    """Two texts under two answers, and how similar they are (1: the same)."""

    texts: tuple[str, str]
    answer_ids: tuple[str, str]
    similarity: float


@dataclass(frozen=True, slots=True)
class Findings:
    """All of one language. `asked` questions were drawn; `compared` of them have a sibling, without which hiding
    the question hides its answer. `confidences` are those of every wrong answer that came first while the right
    one was hidden, whatever was decided; from `threshold` on it would have been given."""

    language: str
    pairs: int
    asked: int
    compared: int
    answers: tuple[Answer, ...]
    threshold: float
    confidences: tuple[float, ...]
    hidden: tuple[Mistake, ...]
    confusions: tuple[Confusion, ...]
    contradictions: tuple[Contradiction, ...]
    near_questions: tuple[Resemblance, ...]
    near_answers: tuple[Resemblance, ...]
    few: tuple[Answer, ...]
    strays: tuple[Resemblance, ...]

    @property
    def confused(self) -> int:
        return sum(confusion.there + confusion.back for confusion in self.confusions)

    def counts(self) -> dict[str, int]:
        """How much there is of each, by name."""
        return {
            "pairs": self.pairs,
            "answers": len(self.answers),
            "asked with the answer hidden": self.asked,
            "answered all the same": len(self.hidden),
            "asked with the question hidden": self.compared,
            "another answer came first": self.confused,
            "contradictory questions": len(self.contradictions),
            "nearly the same questions": len(self.near_questions),
            "nearly the same answers": len(self.near_answers),
            "answers with few questions": len(self.few),
            "questions far from their own": len(self.strays),
        }

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "hidden_rate": _share(len(self.hidden), self.asked),
            "confused_rate": _share(self.confused, self.compared),
        }


def audit(
    lines: Mapping[str, Retriever], questions: int = 2000, few: int = 5, alike: float = 0.95, seed: int = 0
) -> tuple[Findings, ...]:
    """Findings by language. At most `questions` of each are asked, drawn with `seed`; an answer with fewer than
    `few` has too few; texts are nearly the same from the similarity `alike` on. With a progress bar."""
    return tuple(_examine(language, lines[language], questions, few, alike, seed) for language in sorted(lines))


def _examine(language: str, line: Retriever, questions: int, few: int, alike: float, seed: int) -> Findings:
    pairs, rows = line.table.pairs, line.table.rows
    drawn = sorted(random.Random(seed).sample(sorted(pairs), min(questions, len(pairs))))
    whole = {answer_id: frozenset(own) for answer_id, own in rows.items()}
    with_siblings = [row for row in drawn if len(rows[pairs[row].answer_id]) > 1]
    hidden = _replay(line, {row: whole[pairs[row].answer_id] for row in drawn}, f"{language}: answers hidden")
    confused = _replay(line, {row: frozenset({row}) for row in with_siblings}, f"{language}: questions hidden")
    answered = [mistake for mistake in hidden if mistake.action is Action.ANSWER]
    near_questions, strays = _neighbourhoods(line, alike, f"{language}: neighbours")
    answers = _answers(line, Counter(pairs[row].answer_id for row in drawn), answered)
    return Findings(
        language=language,
        pairs=len(pairs),
        asked=len(drawn),
        compared=len(with_siblings),
        answers=answers,
        threshold=line.calibration.alone.answer_threshold,
        confidences=tuple(mistake.confidence for mistake in hidden),
        hidden=tuple(answered),
        confusions=_confusions(confused),
        contradictions=_contradictions(line, language),
        near_questions=near_questions,
        near_answers=_near_answers(line, alike, f"{language}: answers' texts"),
        few=tuple(sorted((a for a in answers if a.questions < few), key=lambda a: (a.questions, a.answer_id))),
        strays=strays,
    )


def _replay(line: Retriever, hidden: Mapping[int, frozenset[int]], title: str) -> list[Mistake]:
    """Ask the question of each row while its hidden rows cannot be seen: what another answer came first for, the
    surest first."""
    mistakes = []
    with tqdm(total=len(hidden), desc=title, unit="question") as bar:
        for batch in _batches(list(hidden)):
            asked = [line.table.pairs[row] for row in batch]
            found = line.retrieve([pair.question for pair in asked], hidden=[hidden[row] for row in batch])
            for pair, one in zip(asked, found, strict=True):
                decision = decide(one.candidates, one.judge)
                first = decision.candidates[0].pair if decision.candidates else pair
                if first.answer_id != pair.answer_id:
                    wrong, sure = (first.answer_id, first.question), round(decision.confidence, 4)
                    mistakes.append(Mistake(pair.question, pair.answer_id, *wrong, sure, decision.action))
            bar.update(len(batch))
    return sorted(mistakes, key=lambda m: (-m.confidence, m.answer_id, m.question))


def _batches(rows: Sequence[int]) -> Iterator[Sequence[int]]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))


def _answers(line: Retriever, asked: Mapping[str, int], answered: Sequence[Mistake]) -> tuple[Answer, ...]:
    """Every answer, those first that would most often be replaced by a wrong one."""
    wrong = Counter(mistake.answer_id for mistake in answered)
    answers = [
        Answer(a, _text(line, a), len(own), asked.get(a, 0), wrong[a], _share(wrong[a], asked.get(a, 0)))
        for a, own in line.table.rows.items()
    ]
    return tuple(sorted(answers, key=lambda a: (-a.answered, a.answer_id)))


def _text(line: Retriever, answer_id: str) -> str:
    return line.table.pairs[line.table.rows[answer_id][0]].answer


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _confusions(mistakes: Sequence[Mistake]) -> tuple[Confusion, ...]:
    """Mistakes by pairs of answers, the most frequent pair first."""
    between: dict[tuple[str, str], list[Mistake]] = defaultdict(list)
    for mistake in mistakes:
        first, second = sorted((mistake.answer_id, mistake.wrong_id))
        between[first, second].append(mistake)
    confusions = []
    for ids, found in between.items():
        there = sum(mistake.answer_id == ids[0] for mistake in found)
        confusions.append(Confusion(ids, there, len(found) - there, tuple(found)))
    return tuple(sorted(confusions, key=lambda c: (-c.there - c.back, c.answer_ids)))


def _contradictions(line: Retriever, language: str) -> tuple[Contradiction, ...]:
    asked: dict[str, dict[str, str]] = defaultdict(dict)  # question as compared -> answer_id -> as typed
    for pair in line.table.pairs.values():
        asked[form(pair.question, line.casefold)].setdefault(pair.answer_id, pair.question)
    return tuple(
        Contradiction(next(iter(typed.values())), language, tuple(typed))
        for typed in asked.values()
        if len(typed) > 1
    )


def _neighbourhoods(
    line: Retriever, alike: float, title: str
) -> tuple[tuple[Resemblance, ...], tuple[Resemblance, ...]]:
    """Nearly the same questions of two answers, and questions that have none of their own among the nearest."""
    table = line.table
    near: dict[tuple[int, int], float] = {}
    strays = []
    with tqdm(total=len(table.pairs), desc=title, unit="question") as bar:
        for batch in _batches(sorted(table.pairs)):
            vectors = line.questions.vectors(np.array(batch, dtype=np.int64))
            similarities, found = line.questions.search(vectors, NEIGHBOURS)
            for row, scores, others in zip(batch, similarities.tolist(), found.tolist(), strict=True):
                own = table.pairs[row].answer_id
                around = [(s, o) for s, o in zip(scores, others, strict=True) if o not in (row, -1)]
                foreign = [(s, o) for s, o in around if table.pairs[o].answer_id != own]
                near |= {(min(row, o), max(row, o)): s for s, o in foreign if s >= alike}
                if len(table.rows[own]) > 1 and foreign[:CIRCLE] and foreign[:CIRCLE] == around[:CIRCLE]:
                    strays.append(_resemblance(line, (row, foreign[0][1]), foreign[0][0]))
            bar.update(len(batch))
    alikes = [_resemblance(line, rows, similarity) for rows, similarity in near.items()]
    different = [r for r in alikes if form(r.texts[0], line.casefold) != form(r.texts[1], line.casefold)]
    return _most_similar(different), _most_similar(strays)


def _resemblance(line: Retriever, rows: tuple[int, int], similarity: float) -> Resemblance:
    one, other = (line.table.pairs[row] for row in rows)
    return Resemblance(
        (one.question, other.question), (one.answer_id, other.answer_id), round(min(similarity, 1.0), 4)
    )


def _near_answers(line: Retriever, alike: float, title: str) -> tuple[Resemblance, ...]:
    """Each answer's text is compared with those after it."""
    ids = sorted(line.table.rows)
    typed = [_text(line, answer_id) for answer_id in ids]
    texts = [form(text, line.casefold) for text in typed]
    found = []
    for start in tqdm(range(0, len(ids), BATCH), desc=title, unit="batch"):
        ratios = process.cdist(
            texts[start : start + BATCH], texts[start:], scorer=fuzz.ratio, score_cutoff=100 * alike
        )
        for i, j in np.argwhere(np.triu(ratios, 1) > 0).tolist():
            one, other = start + i, start + j
            similarity = round(float(ratios[i, j]) / 100, 4)
            found.append(Resemblance((typed[one], typed[other]), (ids[one], ids[other]), similarity))
    return _most_similar(found)


def _most_similar(found: Sequence[Resemblance]) -> tuple[Resemblance, ...]:
    return tuple(sorted(found, key=lambda r: (-r.similarity, r.answer_ids, r.texts)))
