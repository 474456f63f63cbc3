"""The chat page in one command: `python app.py`.

Trains and builds the demo bot where it is missing or of an older format, then serves its page. It does what
`chatbot train` and `chatbot serve` do; the paths below are all that it knows, and the orders that the demo
bot looks up. It takes the arguments of `chatbot serve`: `--port`.
"""

import sys
from pathlib import Path

from chatbot import bundle
from chatbot.__main__ import main
from chatbot.errors import BotError
from data.demo import orders

ROOT = Path(__file__).parent
DEMO = ROOT / "data" / "demo"
PAIRS = [DEMO / "pairs_en.csv", DEMO / "pairs_zh.csv"]
DEVELOPMENT = [DEMO / "development_en.jsonl", DEMO / "development_zh.jsonl"]
HELD_OUT = [DEMO / "dialogues_en.jsonl", DEMO / "dialogues_zh.jsonl"]
PROFILE = DEMO / "profile.toml"
PRECISION = 0.95  # this shop would rather hand over than answer wrongly
INDEX = ROOT / "index" / "demo"
ORDERS = INDEX / "orders.sqlite"


def train() -> int:
    """Make the demo bot; the exit code of `chatbot train`."""
    given = ["--pairs", *map(str, PAIRS), "--dialogues", *map(str, DEVELOPMENT)]
    given += ["--templates", str(DEMO / "templates.toml")]
    given += ["--profile", str(PROFILE), "--precision", str(PRECISION)]
    return main(["train", *given, "--index", str(INDEX)])


def is_built(folder: Path) -> bool:
    """Whether `folder` holds a bot that this program can read."""
    try:
        bundle.in_use(folder)
    except BotError:
        return False
    return True


def run() -> int:
    """Serve the page; the exit code of whatever failed, or of the page."""
    if not is_built(INDEX):
        print("There is no demo bot that can be read yet: training it takes a few minutes, once.", flush=True)
        code = train()
        if code:
            return code
    if not ORDERS.exists():
        orders.write(ORDERS)
    return main(["serve", "--index", str(INDEX), "--dialogues", *map(str, HELD_OUT), *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(run())
