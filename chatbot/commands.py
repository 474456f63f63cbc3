"""What each command of the command line does: options in, exit code out.

A command imports what it needs when it runs, so that `--help` and a mistake in the options take no time.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from chatbot.answer import Templates
from chatbot.corpus import BadRows, read_pairs
from chatbot.domain import HeldOutDialogue, QAPair
from chatbot.errors import CorpusError, UserError
from chatbot.privacy import cleaned
from chatbot.protocols import Responder
from chatbot.settings import Privacy, Settings

WORSE = 3  # exit code of compare, and of evaluate --perturb above its limit


def build(options: argparse.Namespace) -> int:
    from chatbot.make import build_bot

    pairs, templates, settings = _read(options)
    build_bot(pairs, templates, settings, options.index)
    return 0


def train(options: argparse.Namespace) -> int:
    from chatbot.held_out import read_dialogues, read_matches
    from chatbot.make import train_bot

    matches = read_matches(options.matches) if options.matches else ()
    dialogues = read_dialogues(options.dialogues) if options.dialogues else ()
    pairs, templates, settings = _read(options)
    train_bot(pairs, matches, dialogues, templates, settings, options.index, options.log)
    return 0


def add(options: argparse.Namespace) -> int:
    from chatbot.amend import add_pairs
    from chatbot.fleet import Fleet, sharing
    from chatbot.room import Room

    fleet = Fleet.open([options.index], Room(0), sharing())
    live = fleet.bot(fleet.default)
    added = add_pairs(_read_pairs(options, live.settings.privacy, live.templates), options.index)
    print(f"{added} pairs are new and answer from now on; chatbot train learns from them too")
    return 0


def remove(options: argparse.Namespace) -> int:
    from chatbot.amend import remove_pairs

    if not options.answer and not options.question:
        raise UserError("name what to remove: --answer ID … or --question TEXT …")
    print(f"{remove_pairs(options.answer, options.question, options.index)} pairs are gone")
    return 0


def evaluate(options: argparse.Namespace) -> int:
    if options.perturb and not options.dialogues:
        raise UserError("--perturb changes the turns of dialogues: give --dialogues FILE instead of --matches")
    from chatbot.assemble import load_bot
    from chatbot.files import find_files
    from chatbot.held_out import read_dialogues, read_matches
    from chatbot.learn.evaluate import evaluate as replay
    from chatbot.learn.evaluate import stated_risks
    from chatbot.learn.matching import evaluate_matches

    dialogues = read_dialogues(options.dialogues) if options.dialogues else ()
    matches = read_matches(options.matches) if options.matches else ()
    _make_folder(options.output)
    bot = load_bot(options.index, budget_ms=options.budget_ms)
    about = {"index": str(options.index), "seed": bot.settings.seed, "profile": bot.settings.profile}
    if options.budget_ms is not None:
        about["budget_ms"] = options.budget_ms
    if options.dialogues:
        from chatbot.learn import curves

        about["dialogues"] = {path.name: _sha256(path) for path in find_files(options.dialogues, (".jsonl",))}
        evaluation = replay(dialogues, bot)
        metrics = evaluation.save(options.output, about, stated_risks(bot.lines, evaluation.predictions))
        curves.save(options.output, evaluation.predictions, bot.lines)
        if options.perturb:
            return _perturb(options, dialogues, bot, bot.settings.seed, about)
    else:
        about["matches"] = {path.name: _sha256(path) for path in find_files(options.matches, (".tsv",))}
        metrics = evaluate_matches(matches, bot, options.output, about)
    print(json.dumps({name: value for name, value in metrics.items() if name != "about"}, indent=2))
    return 0


def _perturb(
    options: argparse.Namespace,
    dialogues: Sequence[HeldOutDialogue],
    bot: Responder,
    seed: int,
    about: dict[str, object],
) -> int:
    from chatbot.learn.evaluate import write_csv, write_metrics
    from chatbot.learn.perturb import COLUMNS, LEAST_TURNS, robustness

    found = robustness(dialogues, bot, seed)
    write_csv(options.output / "robustness.csv", COLUMNS, found.turns)
    write_metrics(options.output / "robustness.json", {"limit": options.limit, "rows": found.as_json()}, about)
    print("kind        language  turns  raw accuracy    answered wrongly  drop (negation: silent flips)")
    for row in found.rows:
        right, wrong = (
            f"{row.before[name]:.3f} -> {row.after[name]:.3f}" if row.before[name] is not None else "-"
            for name in ("raw_accuracy", "answered_wrongly")
        )
        few = "" if row.judged >= LEAST_TURNS else f"  ({row.judged} turns: too few to judge)"
        print(f"{row.kind:12s}{row.language:10s}{row.turns:5d}  {right:15s} {wrong:17s} {row.drop:+.3f}{few}")
    above = found.above(options.limit)
    if above:
        print(f"above the limit of {options.limit:g}: {'; '.join(above)}", file=sys.stderr)
    return WORSE if above else 0


def compare(options: argparse.Namespace) -> int:
    from chatbot.assemble import load_bot
    from chatbot.held_out import read_dialogues
    from chatbot.learn.difference import COLUMNS, difference
    from chatbot.learn.evaluate import evaluate as replay
    from chatbot.learn.evaluate import write_csv, write_metrics

    dialogues = read_dialogues(options.dialogues)
    if options.output is not None:
        _make_folder(options.output)
    bots = [load_bot(index) for index in options.index]
    before, after = (replay(dialogues, bot).predictions for bot in bots)
    found = difference(before, after, bots[0].settings.seed)
    if options.output is not None:
        write_csv(options.output / "flips.csv", COLUMNS, found.flips)
        about = {"old": str(options.index[0]), "new": str(options.index[1]), "seed": bots[0].settings.seed}
        write_metrics(
            options.output / "difference.json", {"turns": found.turns, **asdict(found)["changes"]}, about
        )
    for flip in found.flips:
        print(f"{flip[-1]}: {flip[0]}, turn {flip[1]}: {flip[3]!r}: {flip[5]} -> {flip[6]}")
    for name, change in found.changes.items():
        if change.before is not None and change.after is not None:
            sure = "(too few dialogues to tell from chance)"
            if change.low is not None and change.high is not None:
                sure = f"[{change.low:+.3f}, {change.high:+.3f}]{'  worse' * change.worse}"
            apart = f"{change.after - change.before:+.3f} {sure}"
            print(f"{name:20s} {change.before:.3f} -> {change.after:.3f}  {apart}")
    return WORSE if found.worse else 0


def audit(options: argparse.Namespace) -> int:
    from chatbot.assemble import load_bot
    from chatbot.insight.audit import audit as examine
    from chatbot.insight.report import render
    from chatbot.learn.evaluate import write_metrics

    _make_folder(options.output)
    bot = load_bot(options.index)
    asked = {"questions": options.questions, "few": options.few, "alike": options.alike, "seed": bot.settings.seed}
    found = examine(bot.lines, **asked)
    languages = {findings.language: findings.as_json() for findings in found}
    whole = write_metrics(
        options.output / "audit.json", {"languages": languages}, {"index": str(options.index), **asked}
    )
    report = options.output / "audit.html"
    report.write_text(render(found, whole["about"]), "utf-8")
    for findings in found:
        for name, count in findings.counts().items():
            print(f"{findings.language}  {name:32s} {count}")
    print(f"what they are and what to do about them: {report}")
    return 0


def ask(options: argparse.Namespace) -> int:
    from chatbot.domain import Conversation
    from chatbot.edit import LiveBot

    reply = LiveBot.load(options.index, options.budget_ms).reply(Conversation(), options.question)
    if options.json:
        print(json.dumps(asdict(reply), ensure_ascii=False, indent=2))
        return 0
    print(reply.text)
    for suggestion in reply.suggestions:
        print(f"  - {suggestion}")
    for citation in reply.citations:
        print(f"  [{citation.answer_id}: {citation.question!r}, {citation.source}]")
    return 0


def serve(options: argparse.Namespace) -> int:
    from chatbot.fleet import Fleet, sharing
    from chatbot.held_out import read_dialogues
    from chatbot.journal_commands import journal_of, retention
    from chatbot.room import Room, give_back, settling

    kept = retention()
    dialogues = read_dialogues(options.dialogues) if options.dialogues else ()
    fleet = Fleet.open(options.index, Room.of(options.memory), sharing(options.budget_ms))
    lives = {name: fleet.bot(name) for name in fleet.names}
    places = {
        name: journal_of(name, live.folder, options.journal, len(lives) == 1) for name, live in lives.items()
    }

    def load_the_first() -> None:
        for line in lives[fleet.default].lines.values():
            line.retrieve(["hello"])  # whatever is made on first use is made before the first customer comes

    with settling(), ThreadPoolExecutor(1) as beside:  # models are read while pages are made
        loading = beside.submit(load_the_first)
        from chatbot.serve.start import Offer, start

        def loaded() -> None:
            loading.result()
            give_back()

        offer = Offer(options.host, options.port, tuple(options.name), tuple(options.embed))
        site = start(fleet, places, dialogues, kept, offer, loaded)
    site.wait()
    return 0


def doctor(options: argparse.Namespace) -> int:
    from chatbot.doctor import State, examine
    from chatbot.journal_commands import JOURNAL

    journal, worst = options.journal, State.FINE
    if journal is None and options.index is not None:
        journal = options.index / JOURNAL
    for finding in examine(options.index, journal, (options.host, options.port)):
        print(f"{finding.state:6s} {finding.what}", flush=True)
        worst = State.BROKEN if State.BROKEN in (worst, finding.state) else worst
    return 1 if worst is State.BROKEN else 0


def versions(options: argparse.Namespace) -> int:
    from chatbot import bundle

    used = bundle.in_use(options.index)
    for version in bundle.versions(options.index):
        print(f"{'*' if version == used else ' '} {version}")
    return 0


def rollback(options: argparse.Namespace) -> int:
    from chatbot import bundle

    print(f"{options.index} is now at version {bundle.rollback(options.index, options.version).version}")
    return 0


def _read(options: argparse.Namespace) -> tuple[Sequence[QAPair], Templates, Settings]:
    """The pairs, templates and settings of a build or training; the ingest report goes to standard error."""
    settings = Settings.load(options.profile).aiming_at(options.precision).promising(options.risk)
    templates = Templates() if options.templates is None else Templates.load(options.templates)
    return _read_pairs(options, settings.privacy, templates), templates, settings


def _read_pairs(options: argparse.Namespace, privacy: Privacy, templates: Templates) -> Sequence[QAPair]:
    mapping = dict(entry.split("=", 1) for entry in options.map)
    corpus = read_pairs(options.pairs, mapping, BadRows.FAIL if options.strict else BadRows.SKIP)
    print(corpus.report, file=sys.stderr)
    if not corpus.pairs:
        raise CorpusError("no row could be used; the report above says why")
    corpus, changed = cleaned(corpus, privacy, templates)
    if changed:
        print(f"{changed:,} questions held personal data, which is replaced by [✉] and the like", file=sys.stderr)
    return corpus.pairs


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise UserError(f"--output {path} is no folder to write to: {cause.strerror}") from cause


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
