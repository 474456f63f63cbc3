"""Measure this machine for `chatbot doctor`, which compares others with it: writes chatbot/pace.json.

The fastest of many runs counts, so other work on the machine disturbs little; the medians are for information.
"""

import json
import os
import platform
import re
from dataclasses import asdict
from pathlib import Path

from chatbot.pace import measure

OUTPUT = Path(__file__).parents[1] / "chatbot" / "pace.json"


def machine() -> str:
    about = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.+)", about.read_text("utf-8")) if about.exists() else None
    return f"{platform.machine() if named is None else named[1]}, {os.cpu_count()} cores"


if __name__ == "__main__":
    tasks = {
        name: {key: round(value, 3) for key, value in asdict(pace).items()} for name, pace in measure(400).items()
    }
    OUTPUT.write_text(json.dumps({"machine": machine(), "tasks": tasks}, indent=1) + "\n", "utf-8")
    print(OUTPUT.read_text("utf-8"), end="")
