"""The command line: what outside scripts call. `chatbot --help` shows each command with an example.

Exit code 0 when it worked, 1 for a mistake of the user's (one line says what to do), 2 for wrong usage, 3 where
`compare` finds the new bot worse or `evaluate --perturb` finds more lost than its limit.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chatbot import account_commands, journal_commands, upkeep_commands
from chatbot.commands import (
    add,
    ask,
    audit,
    build,
    compare,
    doctor,
    evaluate,
    remove,
    rollback,
    serve,
    train,
    versions,
)
from chatbot.errors import ChatbotError
from chatbot.journal_commands import count
from chatbot.serve import logs

EXAMPLES = """examples:
  chatbot train --pairs faq.xlsx --index index/shop        fine-tune, calibrate and index: the whole bot
  chatbot build --pairs faq.csv --index index/shop         index only, in seconds
  chatbot ask --index index/shop "where is my parcel"      one question
  chatbot evaluate --index index/shop --dialogues held-out.jsonl --output runs/shop
  chatbot compare --index index/shop index/new --dialogues held-out.jsonl     what a new bot changes
  chatbot audit --index index/shop --output runs/audit     which answers it confuses, for the editor
  chatbot serve --index index/shop --port 7860             the chat page
  chatbot serve --index index/shop index/help --memory 2000     two bots, no more than 2 GB of memory
  chatbot add --pairs new.csv --index index/shop           more pairs, live at once, no training
  chatbot remove --answer gift_wrap --index index/shop     an answer that no longer holds
  chatbot doctor --index index/shop                        is everything here, and fast enough?
  chatbot rollback --index index/shop                      back to the version before
  chatbot journal purge --index index/shop --older-than 90d     forget conversations that ended long ago
  chatbot journal audit --index index/shop                 who did what with accounts, keys and customers' data
  chatbot accounts add Anna --role agent --index index/shop     who may sign in at the desk
  chatbot keys create --name website --scope chat --index index/shop     what a program calls with
  chatbot backup --index index/shop --output shop.tar.gz   the bot and its journal in one file
  chatbot restore shop.tar.gz --index index/shop           and back
  chatbot settings                                         what is set, and where it comes from
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        logs.set_up(os.environ)
        return int(options.run(options))
    except ChatbotError as error:
        print(f"chatbot: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("chatbot: stopped; nothing was changed", file=sys.stderr)
        return 130


def _assignment(text: str) -> str:
    if "=" not in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not OURS=THEIRS, such as question=Frage")
    return text


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return value


def _megabytes(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of megabytes")
    return int(text)


def _milliseconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of milliseconds")
    return value


def _add_budget(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--budget-ms",
        type=_milliseconds,
        metavar="MS",
        help="do not ask the cross-encoder where an answer would take longer (0: always; the bot's setting)",
    )


def _add_address(command: argparse.ArgumentParser) -> None:
    command.add_argument("--host", default="127.0.0.1", metavar="H", help="address to listen on (127.0.0.1)")
    command.add_argument("--port", type=int, default=7860, metavar="P", help="port to listen on (7860)")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chatbot",
        description="Answers customers from what the company has already answered.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], int], text: str, several: bool = False
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        many = {"nargs": "+", "help": "folders of built bots"} if several else {"help": "folder of the built bot"}
        added.add_argument("--index", type=Path, required=True, metavar="DIR", **many)
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
                "--risk",
                type=float,
                metavar="R",
                help="instead: at most this share wrong, guaranteed where held-out questions are enough for it",
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
                "--log",
                type=Path,
                metavar="DIR",
                help="losses and rates for TensorBoard (pip install 'chatbot[logs]')",
            )
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
        "--output", type=Path, required=True, metavar="DIR", help="for metrics.json, predictions.csv, curves"
    )
    made.add_argument(
        "--perturb", action="store_true", help="also mistyped, reworded and negated: robustness.json"
    )
    made.add_argument(
        "--limit", type=_share, default=0.1, metavar="D", help="drop of accuracy above which to fail (0.1)"
    )
    _add_budget(made)

    _of_a_built_bot(commands, command)
    return parser


def _of_a_built_bot(commands: Any, command: Callable[..., argparse.ArgumentParser]) -> None:
    """What is done with a bot that is there."""
    made = commands.add_parser("compare", help="What a new bot changes on held-out dialogues.")
    made.set_defaults(run=compare)
    made.add_argument("--index", type=Path, nargs=2, required=True, metavar=("OLD", "NEW"), help="two built bots")
    made.add_argument("--dialogues", type=Path, nargs="+", required=True, metavar="FILE", help="as for evaluate")
    made.add_argument("--output", type=Path, metavar="DIR", help="for difference.json, flips.csv")

    made = command("audit", audit, "Find answers that the bot confuses, and what to do about them.")
    made.add_argument("--output", type=Path, required=True, metavar="DIR", help="for audit.html, audit.json")
    made.add_argument(
        "--questions", type=count, default=2000, metavar="N", help="asked at most, of each language (2000)"
    )
    made.add_argument("--few", type=count, default=5, metavar="N", help="questions that an answer should have (5)")
    made.add_argument(
        "--alike",
        type=_share,
        default=0.95,
        metavar="S",
        help="similarity from which on two texts are nearly the same (0.95)",
    )

    made = command("ask", ask, "Ask one question.")
    _add_budget(made)
    made.add_argument("--json", action="store_true", help="the whole reply with candidates and scores")
    made.add_argument("question", metavar="QUESTION")

    made = command("serve", serve, "Serve the chat pages of one bot, or of several.", several=True)
    made.add_argument(
        "--memory",
        type=_megabytes,
        default=0,
        metavar="MB",
        help="of several bots, park those that rested longest when more is in use (0: never)",
    )
    _add_address(made)
    made.add_argument(
        "--name",
        nargs="+",
        default=[],
        metavar="NAME",
        help="names that the service answers to beside its address: chat.example, *.example",
    )
    made.add_argument(
        "--embed",
        nargs="+",
        default=[],
        metavar="ORIGIN",
        help="web sites whose pages may show the chat: https://shop.example (see /widget)",
    )
    made.add_argument(
        "--journal",
        metavar="URL",
        help="database, file or URL, of what happened (DIR/journal.sqlite); with {bot} in it for several bots",
    )
    made.add_argument(
        "--dialogues",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="held-out dialogues (jsonl) of the first bot, on which the desk tries an edit before it is published",
    )
    _add_budget(made)

    made = commands.add_parser("doctor", help="Check the installation, a bot and its journal, and say what to do.")
    made.set_defaults(run=doctor)
    made.add_argument("--index", type=Path, metavar="DIR", help="folder of a built bot, to check it too")
    made.add_argument("--journal", metavar="URL", help="its database, as for serve (DIR/journal.sqlite)")
    _add_address(made)

    command("versions", versions, "List the versions that are kept; * is in use.")
    made = command("rollback", rollback, "Go back to the version before, or to a named one.")
    made.add_argument("--version", metavar="ID", help="as `chatbot versions` prints it")

    journal_commands.add_to(commands)
    account_commands.add_to(commands)
    upkeep_commands.add_to(commands)


if __name__ == "__main__":
    sys.exit(main())
