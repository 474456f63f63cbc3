"""Write the README's result tables, in both languages, from benchmarks/results/*.json.

The tables stand between `<!-- results:begin -->` and `<!-- results:end -->`; everything else is left alone.
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
MEASURES = ("raw_accuracy", "accuracy", "in_scope_accuracy", "out_of_scope_recall", "answered_precision", "ece")
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
FOOT = {
    "README.md": "Each row is a file in benchmarks/results, with data hashes, seed, machine and command; "
    "`make bench` measures again. `minutes` is the time from pairs to built bot on two cores.",
    "README.zh-CN.md": "每一行都来自 benchmarks/results 里的一个文件，其中记有数据哈希、随机种子、机器和命令；"
    "`make bench` 可重新测量。`minutes` 是两核机器上从问答对到建好机器人的时间（分钟）。",
}


def main() -> int:
    rows = []
    for file in sorted(RESULTS.glob("*.json")):
        result = json.loads(file.read_text("utf-8"))
        rows.append(_row(file.stem, result, result))
        if len(result["languages"]) > 1:
            rows += [_row(f"{file.stem}, {name}", result, own) for name, own in result["languages"].items()]
    head = ["set", "pairs", "turns", *MEASURES, "minutes"]
    table = "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))
    for name, foot in FOOT.items():
        path = ROOT / name
        before, _, rest = path.read_text("utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        path.write_text(f"{before}{BEGIN}\n{table}\n\n{foot}\n{END}{after}", "utf-8")
    return 0


def _row(name: str, whole: dict[str, Any], part: dict[str, Any]) -> list[str]:
    numbers = ["–" if part[measure] is None else f"{part[measure]:.3f}" for measure in MEASURES]
    minutes = f"{whole['made_in_seconds'] / 60:.1f}" if part is whole else ""
    return [name, str(whole["pairs"]) if part is whole else "", str(part["turns"]), *numbers, minutes]


if __name__ == "__main__":
    sys.exit(main())
