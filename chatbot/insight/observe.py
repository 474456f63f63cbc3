"""Held-out dialogues asked once, so that any thresholds can be tried on them afterwards.

In: dialogues and a bot. Out: `Observed` turns by language. A turn may be judged twice, early and by the whole
calibration after reading (rank.judge, learn/early.py); which of the two decides depends on the thresholds, so that
both are kept, with what the whole one would say at either end of what reading can find. Every turn is asked of the
same bot with its thresholds out of the way: once by a copy that reads and answers always, once by one that answers
always before reading. Two things are not foreseen: a message with several questions is judged as one, where the
bot may answer each of them, and an upset customer is asked back, where a person may take over (tone.py).
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tqdm import tqdm

from chatbot.converse import Chatbot, readings
from chatbot.decide import RELEVANCE, Calibration, bounds, evidence, signs
from chatbot.domain import Action, Candidate, Conversation, HeldOutDialogue, Reason, Reply, Role, Turn
from chatbot.rank import Budget
from chatbot.retrieve import Retriever
from chatbot.text import clean

ALWAYS = -1.0  # a threshold that every confidence reaches


@dataclass(frozen=True, slots=True)
class Judged:
    """What one calibration says of a turn: the answer that comes first, the probabilities that it and that one
    of three is right, and what is done where that is enough to answer (a refusal or small talk may prevent it)."""

    answer_id: str
    first: float
    among: float
    done: Action


@dataclass(frozen=True, slots=True)
class Observed:
    """A scored turn. `fixed` is done whatever the thresholds, and then nothing was judged; `otherwise` where they
    do not let it be answered. `early` is None where nothing is judged early, `ends` (least and most relevance,
    first and among) where reading might put another answer first."""

    dialogue_id: str
    turn: int
    text: str
    expected: frozenset[str]
    later: bool
    fixed: Action | None
    otherwise: Action | None = None
    whole: Judged | None = None
    early: Judged | None = None
    ends: tuple[tuple[float, float], tuple[float, float]] | None = None


def observe(
    dialogues: Sequence[HeldOutDialogue], bot: Chatbot, progress: Callable[..., Any] = tqdm
) -> dict[str, tuple[Observed, ...]]:
    """Every scored turn by the language that serves it, asked as learn.evaluate does; takes as long as two
    evaluations that read everything. `progress` is tqdm or called like it."""
    judges = _judges(bot)
    scored = [
        (dialogue, position)
        for dialogue in dialogues
        for position, turn in enumerate(dialogue.turns)
        if turn.role is Role.USER and turn.expected is not None
    ]
    observed: dict[str, list[Observed]] = {language: [] for language in sorted(bot.lines)}
    for dialogue, position in progress(scored, desc="observing", unit="turn"):
        language, turn = _observed(dialogue, position, bot, judges)
        observed[language].append(turn)
    return {language: tuple(turns) for language, turns in observed.items()}


def with_calibrations(bot: Chatbot, calibrations: Mapping[str, Calibration]) -> Chatbot:
    """The same bot judged by others, to try it out; the given one stays as it is."""
    return replace(bot, lines={name: _judging(line, calibrations.get(name)) for name, line in bot.lines.items()})


def _judging(line: Retriever, calibration: Calibration | None) -> Retriever:
    other = copy.copy(line)
    other.calibration = line.calibration if calibration is None else calibration
    other.budget = Budget()
    return other


def _judges(bot: Chatbot) -> tuple[Chatbot, Chatbot, Chatbot]:
    """Bots that always answer after reading, always before reading, and that have nothing to answer from."""
    bot, wholes, earlies = replace(bot, apart=False), {}, {}
    for language, line in bot.lines.items():
        calibration = line.calibration
        wholes[language] = replace(_always(calibration), early=None)
        early = None if calibration.early is None or line.reranker is None else _always(calibration.early)
        earlies[language] = replace(calibration, early=early)
    return with_calibrations(bot, wholes), with_calibrations(bot, earlies), replace(bot, lines={})


def _always(calibration: Calibration) -> Calibration:
    return replace(
        calibration,
        alone=replace(calibration.alone, answer_threshold=ALWAYS),
        later=replace(calibration.later, answer_threshold=ALWAYS),
    )


def _observed(
    dialogue: HeldOutDialogue, position: int, bot: Chatbot, judges: tuple[Chatbot, Chatbot, Chatbot]
) -> tuple[str, Observed]:
    whole_bot, early_bot, empty = judges
    turn = dialogue.turns[position]
    history = tuple(Turn(earlier.role, earlier.text) for earlier in dialogue.turns[:position])
    conversation = Conversation(dialogue.id, history, dialogue.language)
    plain = empty.reply(conversation, turn.text)
    language = _serving(bot, plain.language, turn.text)
    talk = plain.decision.reason is Reason.SMALL_TALK
    before = Conversation() if talk else conversation
    later = len(readings(before, clean(turn.text))) > 1
    about = (dialogue.id, position + 1, turn.text, frozenset(turn.expected or ()), later)
    judged = talk or plain.decision.reason is Reason.UNSURE
    whole = whole_bot.reply(conversation, turn.text) if judged else plain
    if not whole.decision.candidates:
        return language, Observed(*about, fixed=whole.decision.action)
    calibration = bot.lines[language].calibration
    observed = Observed(
        *about,
        fixed=None,
        otherwise=Action.CHAT if talk else None,
        whole=_judged(whole, calibration, later),
    )
    early = early_bot.lines[language].calibration.early
    if early is None:
        return language, observed
    unread = early_bot.reply(conversation, turn.text)
    ends = _ends(unread.decision.candidates, calibration, later)
    return language, replace(observed, early=_judged(unread, early, later), ends=ends)


def _serving(bot: Chatbot, language: str, text: str) -> str:
    """The language of the line that serves a text in `language`."""
    if language in bot.lines:
        return language
    line = bot.line_for(text)
    return next(name for name, one in bot.lines.items() if one is line)


def _judged(reply: Reply, calibration: Calibration, later: bool) -> Judged:
    candidates = reply.decision.candidates
    confidence = calibration.later if later else calibration.alone
    first, among = (float(p[0]) for p in confidence.of(signs(evidence(candidates), calibration)[None]))
    return Judged(candidates[0].pair.answer_id, first, among, reply.decision.action)


def _ends(
    unread: Sequence[Candidate], calibration: Calibration, later: bool
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """What `rank.judge` finds settled: nothing where the early one puts another answer first."""
    values = evidence(unread)
    values[:, RELEVANCE] = calibration.mean[RELEVANCE]
    scores = calibration.score(values).tolist()
    order = sorted(range(len(unread)), key=lambda i: (-scores[i], unread[i].pair.answer_id))
    if order[0] != 0:
        return None
    found = bounds(evidence([unread[i] for i in order]), calibration, later)
    if found is None:
        return None
    (least, least_among), (most, most_among) = found.tolist()
    return (least, least_among), (most, most_among)
