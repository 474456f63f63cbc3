"""The chat page in one command: `python app.py`.

Trains and builds the demo bot where it is missing, then serves its page. It does what `chatbot train` and
`chatbot serve` do; the paths below are all that it knows.
"""

import sys
from pathlib import Path

from chatbot.__main__ import main

ROOT = Path(__file__).parent
DEMO = ROOT / "data" / "demo"
INDEX = ROOT / "index" / "demo"


def run() -> int:
    """Exit code of the page, or of the training that it needed first."""
    if not (INDEX / "manifest.json").exists():
        print("The demo bot is not there yet: training it takes a few minutes, once.", flush=True)
        pairs = [str(DEMO / name) for name in ("pairs_en.csv", "pairs_zh.csv")]
        code = main(
            ["train", "--pairs", *pairs, "--templates", str(DEMO / "templates.toml"), "--index", str(INDEX)]
        )
        if code:
            return code
    return main(["serve", "--index", str(INDEX), *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(run())
