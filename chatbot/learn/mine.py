"""What the models learn from: labelled questions for the encoder, ranked lists for the cross-encoder.

In: pairs, labelled matches, and (for lists) a retriever over those pairs with the encoder as it is now. Out:
`Labelled` and `RankedList`s. A list's wrong texts are hard negatives: the closest questions of the nearest wrong
answers, half by the encoder and half by BM25, which is what the cross-encoder meets when it works. What stands
under an answer of the question's, or is labelled to mean the same, is never called wrong.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from chatbot.domain import Match, QAPair
from chatbot.learn.contrastive import Labelled
from chatbot.learn.relevance import RankedList
from chatbot.retrieve import Retriever, form

MOST_MINED = 20_000  # questions, drawn by chance, that lists are made of: more than are ever learnt from
DEPTH = 60  # neighbours among which a list's candidates are looked for
WORDY = 10  # questions that share the most words, among which half of the wrong ones are looked for


def labelled(pairs: Sequence[QAPair], matches: Sequence[Match], casefold: bool) -> Labelled:
    """Questions of pairs and matches; those with one answer, or that a match says mean the same, share a label."""
    answers: dict[str, int] = {}
    number: dict[str, int] = {}

    def node(name: str) -> int:
        return number.setdefault(name, len(number))

    links = [(node("q" + form(pair.question, casefold)), node("a" + pair.answer_id)) for pair in pairs]
    links += [
        (node("q" + form(match.left, casefold)), node("q" + form(match.right, casefold)))
        for match in matches
        if match.same
    ]
    ends = np.array(links, dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(number), len(number)))
    count, label = connected_components(graph, directed=False)
    texts: list[str | None] = [None] * count
    for pair in pairs:
        answers.setdefault(pair.answer_id, int(label[number["a" + pair.answer_id]]))
        texts[answers[pair.answer_id]] = form(pair.answer, casefold)
    questions = [name[1:] for name in number if name[0] == "q"]
    return Labelled(questions, [int(label[number["q" + q]]) for q in questions], texts)


def paired(texts: Labelled) -> float:
    """The share of the questions that have another one with the same label."""
    counts = Counter(texts.answers)
    return sum(count for count in counts.values() if count > 1) / max(counts.total(), 1)


def ranked_lists(
    retriever: Retriever, negatives: int, seed: int, matches: Sequence[Match] = ()
) -> list[RankedList]:
    """One list for each question whose answer has another question, unless nothing else is near; candidates in
    random order. `matches` say which texts are not wrong for each other."""
    chance = random.Random(seed)
    right_for = _right_for(retriever, matches)
    table = retriever.table
    rows = np.array(sorted(table.pairs), dtype=np.int64)
    if len(rows) > MOST_MINED:
        rows = np.array(sorted(chance.sample(rows.tolist(), MOST_MINED)), dtype=np.int64)
    vectors = retriever.questions.vectors(rows)
    _, near = retriever.questions.search(vectors, DEPTH)
    forms = [form(table.pairs[row].question, retriever.casefold) for row in rows.tolist()]
    _, wordy = retriever.lexical.search(forms, WORDY)
    lists = []
    for row, question, neighbours, words in zip(rows.tolist(), forms, near.tolist(), wordy.tolist(), strict=True):
        pair = table.pairs[row]
        siblings = [other for other in table.rows[pair.answer_id] if other != row]
        if not siblings:
            continue
        by_meaning, by_words = (_closest(retriever, row, right_for, found) for found in (neighbours, words))
        right = by_meaning.pop(pair.answer_id, None)
        by_words.pop(pair.answer_id, None)
        near_ones, wordy_ones = list(by_meaning.values()), list(by_words.values())
        share = negatives // 2
        hardest = [*near_ones[: negatives - share], *wordy_ones[:share], *near_ones, *wordy_ones]
        wrong = list(dict.fromkeys(hardest))[:negatives]
        picked = [chance.choice(siblings) if right is None else right, *wrong]
        order = chance.sample(range(len(picked)), len(picked))
        if len(picked) > 1:
            read = tuple(form(table.pairs[picked[i]].question, retriever.casefold) for i in order)
            lists.append(RankedList(question, read, order.index(0)))
    return lists


def _right_for(retriever: Retriever, matches: Sequence[Match]) -> dict[str, set[str]]:
    """Of each text, the answers that it stands under, and one name more for each match that calls it the same."""
    right: dict[str, set[str]] = defaultdict(set)
    for pair in retriever.table.pairs.values():
        right[form(pair.question, retriever.casefold)].add(pair.answer_id)
    for number, match in enumerate(matches):
        if match.same:
            for text in (match.left, match.right):
                right[form(text, retriever.casefold)].add(f"match {number}")
    return right


def _closest(
    retriever: Retriever, row: int, right_for: Mapping[str, set[str]], found: Sequence[int]
) -> dict[str, int]:
    """The first row of each answer among those found, but for the question itself in whatever row, and for texts
    under another answer that are right for it all the same."""
    asked = retriever.table.pairs[row]
    question = form(asked.question, retriever.casefold)
    closest: dict[str, int] = {}
    for other in found:
        if other == -1:
            continue
        pair = retriever.table.pairs[other]
        text = form(pair.question, retriever.casefold)
        apart = pair.answer_id == asked.answer_id or right_for[text].isdisjoint(right_for[question])
        if text != question and apart:
            closest.setdefault(pair.answer_id, other)
    return closest


def matched_lists(matches: Sequence[Match], negatives: int, casefold: bool) -> list[RankedList]:
    """One list for each labelled 'same', with the texts that its left side is labelled not to mean; a text with
    no 'same' gives a list in which nothing is right."""
    same: dict[str, list[str]] = {}
    different: dict[str, list[str]] = {}
    for match in matches:
        left, right = form(match.left, casefold), form(match.right, casefold)
        (same if match.same else different).setdefault(left, []).append(right)
    lists = [
        RankedList(left, (right, *different.get(left, [])[:negatives]), 0)
        for left, rights in same.items()
        for right in rights
    ]
    lists += [
        RankedList(left, tuple(wrong[:negatives]), None) for left, wrong in different.items() if left not in same
    ]
    return lists
