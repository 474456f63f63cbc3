"""The command line: what outside scripts call. `chatbot --help` shows each command with an example.

Exit code 0 when it worked, 1 for a mistake of the user's (one line says what to do), 2 for wrong usage.
"""

import argparse
import hashlib
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from chatbot.answer import Templates
from chatbot.corpus import BadRows, read_pairs
from chatbot.domain import QAPair
from chatbot.errors import ChatbotError, CorpusError, SettingsError, UserError
from chatbot.settings import Settings

EXAMPLES = """examples:
  chatbot train --pairs faq.xlsx --index index/shop        fine-tune, calibrate and index: the whole bot
  chatbot build --pairs faq.csv --index index/shop         index only, in seconds
  chatbot ask --index index/shop "where is my parcel"      one question
  chatbot evaluate --index index/shop --dialogues held-out.jsonl --output runs/shop
  chatbot serve --index index/shop --port 7860             the chat page
  chatbot add --pairs new.csv --index index/shop           more pairs, live at once, no training
  chatbot remove --answer gift_wrap --index index/shop     an answer that no longer holds
  chatbot rollback --index index/shop                      back to the version before
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        _log_to_standard_error(os.environ.get("CHATBOT_LOG", "info"))
        return int(options.run(options))
    except ChatbotError as error:
        print(f"chatbot: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("chatbot: stopped; nothing was changed", file=sys.stderr)
        return 130


def _log_to_standard_error(level: str) -> None:
    levels = logging.getLevelNamesMapping()
    if level.upper() not in levels:
        raise SettingsError(f"CHATBOT_LOG is {level!r}; set it to debug, info, warning or error")
    logging.basicConfig(level=levels[level.upper()], format="%(message)s", stream=sys.stderr)
    for noisy in ("httpx", "sentence_transformers", "transformers", "faiss", "bm25s", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def build(options: argparse.Namespace) -> int:
    from chatbot.assemble import build_bot

    pairs, templates, settings = _read(options)
    build_bot(pairs, templates, settings, options.index)
    return 0


def train(options: argparse.Namespace) -> int:
    from chatbot.assemble import train_bot
    from chatbot.corpus import read_dialogues, read_matches

    matches = read_matches(options.matches) if options.matches else ()
    dialogues = read_dialogues(options.dialogues) if options.dialogues else ()
    pairs, templates, settings = _read(options)
    train_bot(pairs, matches, dialogues, templates, settings, options.index)
    return 0


def add(options: argparse.Namespace) -> int:
    from chatbot.assemble import add_pairs

    added = add_pairs(_read_pairs(options), options.index)
    print(f"{added} pairs are new and answer from now on; chatbot train learns from them too")
    return 0


def remove(options: argparse.Namespace) -> int:
    from chatbot.assemble import remove_pairs

    if not options.answer and not options.question:
        raise UserError("name what to remove: --answer ID … or --question TEXT …")
    print(f"{remove_pairs(options.answer, options.question, options.index)} pairs are gone")
    return 0


def evaluate(options: argparse.Namespace) -> int:
    from chatbot.assemble import load_bot
    from chatbot.corpus import read_dialogues, read_matches
    from chatbot.learn.evaluate import evaluate as replay
    from chatbot.learn.matching import evaluate_matches
    from chatbot.tabular import find_files

    dialogues = read_dialogues(options.dialogues) if options.dialogues else ()
    matches = read_matches(options.matches) if options.matches else ()
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise UserError(f"--output {options.output} is no folder to write to: {cause.strerror}") from cause
    bot = load_bot(options.index)
    about = {"index": str(options.index), "seed": bot.settings.seed, "profile": bot.settings.profile}
    if options.dialogues:
        about["dialogues"] = {path.name: _sha256(path) for path in find_files(options.dialogues, (".jsonl",))}
        metrics = replay(dialogues, bot).save(options.output, about)
    else:
        about["matches"] = {path.name: _sha256(path) for path in find_files(options.matches, (".tsv",))}
        metrics = evaluate_matches(matches, bot, options.output, about)
    print(json.dumps({name: value for name, value in metrics.items() if name != "about"}, indent=2))
    return 0


def ask(options: argparse.Namespace) -> int:
    from chatbot.assemble import load_bot
    from chatbot.domain import Conversation

    reply = load_bot(options.index).reply(Conversation(), options.question)
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
    from chatbot.assemble import load_bot

    with ThreadPoolExecutor(1) as beside:  # reading the models and importing the page's libraries take as long
        loading = beside.submit(load_bot, options.index)
        from chatbot.journal import SqlJournal
        from chatbot.ui.chat import build_page, launch
    bot = loading.result()
    for line in bot.lines.values():
        line.retrieve(["hello"])  # whatever is made on first use is made before the first customer comes
    journal = SqlJournal.connect(
        options.journal if options.journal is not None else options.index / "journal.sqlite"
    )
    company = bot.templates.slots.get("company", options.index.name)
    page = build_page(bot, journal, company=company, examples=bot.templates.examples, languages=sorted(bot.lines))
    launch(page, options.host, options.port)
    return 0


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
    settings = Settings.load(options.profile).aiming_at(options.precision)
    templates = Templates() if options.templates is None else Templates.load(options.templates)
    return _read_pairs(options), templates, settings


def _read_pairs(options: argparse.Namespace) -> Sequence[QAPair]:
    mapping = dict(entry.split("=", 1) for entry in options.map)
    corpus = read_pairs(options.pairs, mapping, BadRows.FAIL if options.strict else BadRows.SKIP)
    print(corpus.report, file=sys.stderr)
    if not corpus.pairs:
        raise CorpusError("no row could be used; the report above says why")
    return corpus.pairs


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _assignment(text: str) -> str:
    if "=" not in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not OURS=THEIRS, such as question=Frage")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chatbot",
        description="Answers customers from what the company has already answered.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        added.add_argument("--index", type=Path, required=True, metavar="DIR", help="folder of the built bot")
        return added

    for name, run, text in (
        ("build", build, "Encode and index pairs; no training."),
        ("train", train, "Fine-tune, calibrate and index: the whole bot."),
        ("add", add, "Add pairs to a bot without training it again."),
    ):
        made = command(name, run, text)
        made.add_argument(
            "--pairs",
            type=Path,
            nargs="+",
            required=True,
            metavar="FILE",
            help="csv, tsv, jsonl, xlsx, or a folder",
        )
        if run is not add:
            made.add_argument(
                "--profile", default="default", metavar="NAME", help="a shipped profile or .toml file"
            )
            made.add_argument("--templates", type=Path, metavar="FILE", help="answer templates and slots (TOML)")
            made.add_argument(
                "--precision",
                type=float,
                metavar="P",
                help="of the answers given, the share that must be right (0.85)",
            )
        made.add_argument(
            "--map",
            type=_assignment,
            nargs="+",
            default=[],
            metavar="OURS=THEIRS",
            help="column names, question=Frage",
        )
        made.add_argument(
            "--strict", action="store_true", help="stop at bad rows instead of reporting and skipping"
        )
        if run is train:
            made.add_argument(
                "--matches", type=Path, nargs="+", default=[], metavar="FILE", help="labelled question pairs (tsv)"
            )
            made.add_argument(
                "--dialogues",
                type=Path,
                nargs="+",
                default=[],
                metavar="FILE",
                help="labelled dialogues to calibrate on (jsonl); do not evaluate on the same ones",
            )

    made = command("remove", remove, "Take answers or questions out of a bot without training it again.")
    made.add_argument("--answer", nargs="+", default=[], metavar="ID", help="an answer_id, with all its questions")
    made.add_argument("--question", nargs="+", default=[], metavar="TEXT", help="a single historical question")

    made = command("evaluate", evaluate, "Measure on held-out dialogues, or on labelled question pairs.")
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument("--dialogues", type=Path, nargs="+", metavar="FILE", help="held-out dialogues (jsonl)")
    what.add_argument("--matches", type=Path, nargs="+", metavar="FILE", help="labelled question pairs (tsv)")
    made.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="for metrics.json, predictions.csv"
    )

    made = command("ask", ask, "Ask one question.")
    made.add_argument("--json", action="store_true", help="the whole reply with candidates and scores")
    made.add_argument("question", metavar="QUESTION")

    made = command("serve", serve, "Serve the chat page.")
    made.add_argument("--host", default="127.0.0.1", metavar="H", help="address to listen on (127.0.0.1)")
    made.add_argument("--port", type=int, default=7860, metavar="P", help="port to listen on (7860)")
    made.add_argument("--journal", metavar="FILE", help="database of what happened (DIR/journal.sqlite)")

    command("versions", versions, "List the versions that are kept; * is in use.")
    made = command("rollback", rollback, "Go back to the version before, or to a named one.")
    made.add_argument("--version", metavar="ID", help="as `chatbot versions` prints it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
