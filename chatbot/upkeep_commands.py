"""`chatbot backup`, `restore` and `settings`: what whoever runs a service does now and then.

In: options of the command line. Out: an exit code, as commands.py's.
"""

import argparse
import os
from pathlib import Path
from typing import Any

BACKUP_EXAMPLES = """examples:
  chatbot backup --index index/shop --output shop.tar.gz          the bot in use and the journal in its folder
  chatbot backup --index index/shop --output shop.tar.gz --all    with all versions that are kept
  chatbot backup --index index/shop --output shop.tar.gz --journal postgresql+psycopg://…
                                                   the bot; of the journal it says how pg_dump keeps it
"""
RESTORE_EXAMPLES = """examples:
  chatbot restore shop.tar.gz --index index/shop              to a folder that is not there yet, or empty
  chatbot restore shop.tar.gz --index index/shop --replace    what is there is kept as index/shop.before-…
Stop a service before its folder is replaced.
"""
SETTINGS_EXAMPLES = """examples:
  chatbot settings                        what is in force, and where each value comes from
  chatbot settings --profile own.toml     with a profile of your own
  chatbot settings --index index/shop     what a built bot was made with and keeps
  chatbot settings --reference            everything that can be set, as Markdown (docs/configuration.md)
"""


def add_to(commands: Any) -> None:
    """Put these commands beside the others."""

    def command(name: str, run: Any, text: str, examples: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(run=run)
        return added

    made = command("backup", backup, "Write a bot and its journal to one file, while it serves.", BACKUP_EXAMPLES)
    made.add_argument("--index", type=Path, required=True, metavar="DIR", help="folder of the built bot")
    made.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="a .tar.gz, for you alone to read"
    )
    made.add_argument("--journal", metavar="URL", help="where the journal is, as for serve (DIR/journal.sqlite)")
    made.add_argument("--all", action="store_true", help="all versions that are kept, not only the one in use")

    made = command("restore", restore, "Make a bot's folder of a backup again.", RESTORE_EXAMPLES)
    made.add_argument("archive", type=Path, metavar="FILE", help="what `chatbot backup` wrote")
    made.add_argument("--index", type=Path, required=True, metavar="DIR", help="the folder that it becomes")
    made.add_argument("--replace", action="store_true", help="put a folder that is there aside")

    made = command("settings", settings, "Show what is set and what can be set.", SETTINGS_EXAMPLES)
    what = made.add_mutually_exclusive_group()
    what.add_argument("--profile", default="default", metavar="NAME", help="a shipped profile or .toml file")
    what.add_argument("--index", type=Path, metavar="DIR", help="folder of a built bot")
    what.add_argument("--reference", action="store_true", help="all keys and environment variables, as Markdown")


def backup(options: argparse.Namespace) -> int:
    from chatbot.backup import back_up

    contents = back_up(options.index, options.output, options.journal, options.all)
    size = options.output.stat().st_size
    print(f"{options.output}: {len(contents.files)} files of version {contents.version}, {size / 1e6:,.1f} MB")
    for reason in contents.left_out:
        print(f"not in it: {reason}")
    return 0


def restore(options: argparse.Namespace) -> int:
    from chatbot.restore import restore as put_back

    contents, kept = put_back(options.archive, options.index, options.replace)
    print(f"{options.index} is at version {contents.version}, as it was on {contents.created}")
    if kept is not None:
        print(f"what was there is in {kept}")
    for reason in contents.left_out:
        print(f"not in the backup: {reason}")
    return 0


def settings(options: argparse.Namespace) -> int:
    from chatbot import bundle, reference

    if options.reference:
        print(reference.markdown(), end="")
        return 0
    if options.index is not None:
        found = reference.flat(bundle.load(options.index)[1].bot["settings"])
        rows = [(key, value, "built bot") for key, value in found]
    else:
        rows = list(reference.in_force(options.profile, os.environ))
    width = max(len(key) for key, _, _ in rows)
    for key, value, origin in rows:
        shown = value if key.startswith("CHATBOT_") else reference.toml(value)
        print(f"{key:{width}s}  {shown}  ({origin})")
    return 0
