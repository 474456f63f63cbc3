"""Write the result tables from benchmarks/results: the READMEs', in both languages, and docs/ablation.md.

The READMEs' tables stand between `<!-- results:begin -->` and `<!-- results:end -->`; everything else is left
alone.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
MEASURES = (
    "raw_accuracy",
    "mrr_at_10",
    "accuracy",
    "mcc",
    "in_scope_accuracy",
    "out_of_scope_recall",
    "answered_precision",
    "coverage",
    "ece",
)
ABLATED = ("raw_accuracy", "accuracy", "answered_precision", "coverage", "ece")
JUDGED = ("alone", "raw_accuracy", "accuracy", "answered_precision", "coverage", "ece", "auroc")
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
FOOT = {
    "README.md": "Each row is a file in benchmarks/results, with data hashes, seed, machine and command; "
    "`make bench` "
    "measures again. `risk` is what the bot stated and what was observed of the answers that it gave. "
    "`minutes` is the time from pairs to built bot on two cores.",
    "README.zh-CN.md": "每一行都来自 benchmarks/results 里的一个文件，其中记有数据哈希、随机种子、机器和命令；"
    "`make bench` 可重新测量。`risk` 是机器人声明的风险与给出的回答中实际出错的比例。"
    "`minutes` 是两核机器上从问答对到建好机器人的时间（分钟）。",
}
ABLATION = """# What each ingredient is worth

Each ingredient is removed in turn: mean and standard deviation over the seeds, and in brackets the change against
the bot as it ships. A kind of evidence is removed from fusion and confidence; nothing else changes. Asking back
counts as handing over here. Made by `python benchmarks/tables.py` from the files in
`benchmarks/results/ablation`, which `python benchmarks/ablation.py --sets DIR NAME …` makes again.
"""
LOSSES = """
# Which loss teaches the cross-encoder

The same encoder and the same lists, a fresh cross-encoder for each loss; in brackets the change against the loss
that ships (`both`: of each list and of each pair). `alone` is how often the most relevant of the answers that were
read is right; the other columns are of all evidence together. A fifth of the questions and some whole answers were
left out to fit on, so that the figures lie below those of a whole bot. Made by `python benchmarks/tables.py` from
the files in `benchmarks/results/losses`, which `python benchmarks/losses.py --sets DIR NAME …` makes again.
"""


def main() -> int:
    rows = []
    for file in sorted(RESULTS.glob("*.json")):
        result = json.loads(file.read_text("utf-8"))
        if "languages" in result:
            only = next(iter(result["languages"])) if len(result["languages"]) == 1 else None
            rows.append(_row(file.stem, result, result, only))
            for name, own in result["languages"].items() if only is None else ():
                rows.append(_row(f"{file.stem}, {name}", result, own, name))
    table = _table(["set", "pairs", "turns", *MEASURES, "risk", "minutes"], rows)
    for name, foot in FOOT.items():
        path = ROOT / name
        before, _, rest = path.read_text("utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        path.write_text(f"{before}{BEGIN}\n{table}\n\n{foot}\n{END}{after}", "utf-8")
    ablation = _compared("ablation", "as it ships", ABLATED)
    losses = _compared("losses", "both", JUDGED)
    (ROOT / "docs" / "ablation.md").write_text("".join([ABLATION, *ablation, LOSSES, *losses]), "utf-8")
    return 0


def _compared(folder: str, ships: str, names: Sequence[str]) -> Iterable[str]:
    """A section with a table for each set that has results in a folder."""
    files = sorted((RESULTS / folder).glob("*.json"))
    for name in sorted({file.stem.rpartition("-")[0] for file in files}):
        runs = [json.loads(f.read_text("utf-8"))["rows"] for f in files if f.stem.rpartition("-")[0] == name]
        lines = [[kind, *_changes(kind, runs, ships, names)] for kind in runs[0]]
        seeds = "one seed" if len(runs) == 1 else f"{len(runs)} seeds"
        yield f"\n## {name}, {seeds}\n\n{_table(['', *names], lines)}\n"


def _row(name: str, whole: dict[str, Any], part: dict[str, Any], language: str | None) -> list[str]:
    numbers = [_number(part.get(measure)) for measure in MEASURES]
    minutes = f"{whole['made_in_seconds'] / 60:.1f}" if name.count(",") == 0 else ""
    pairs = str(whole["pairs"]) if name.count(",") == 0 else ""
    risk = whole["risk"].get(language) if language is not None and "risk" in whole else None
    told = "" if risk is None else f"{risk['stated_risk']:.2f} / {_number(risk['observed_risk'])}"
    return [name, pairs, str(part["turns"]), *numbers, told, minutes]


def _changes(
    kind: str, runs: Sequence[dict[str, dict[str, Any]]], ships: str, names: Sequence[str]
) -> Iterable[str]:
    for measure in names:
        values = [run[kind][measure] for run in runs]
        if any(value is None for value in values):
            yield "–"
            continue
        spread = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
        shipped = [run[ships][measure] for run in runs]
        change = "" if kind == ships or None in shipped else f" ({mean(values) - mean(shipped):+.3f})"
        yield f"{mean(values):.3f}{spread}{change}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
