"""docs/speed.md: every measurement of time and size in benchmarks/results, as tables and one plot.

tables.py calls `write`. The short tables of the READMEs come from the same files.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
KINDS = ("ours", "bm25s", "rank_bm25")
PAGE = """# Speed and size

What an answer costs, how that grows with the pairs, and what others need for the same. Every table is made by
`python benchmarks/tables.py` from a file in `benchmarks/results`, which says on what machine, when, with which
command and beside what else it was measured; the command makes it again. Times of different files are not of one
machine and must not be compared with each other.

## An answer, beside what one would write instead: `speed.json`

{speed}

Dense layers of the transformers need {work} million multiply-adds an answer (English, Chinese). At the speed that
an eight-bit product of their widest matrices was measured to have here, that takes {least} ms; an answer takes
{times} times as long.

## As the pairs grow: `scale.json`

Vectors of {dimension} numbers, {encoded} of them encoded texts and the others composed of these (see scale.py);
one question at a time, on one thread; milliseconds of the processor. *Chosen* is the kind that an index of that
size gets by itself. *Loaded* is what stays in memory after a load, *searched* what is mapped in after many
searches, which the system may take back.

{scale}

![milliseconds a search over rows](speed.svg)

Limited to a share of the rows (the kind that is chosen), recall at 10 and milliseconds:

{filtered}

A change to the index that is chosen: seconds for 1,000 rows, and a search afterwards:

{changed}

## Words: `lexical.json`

The same tokens for all; milliseconds a question, at the median, and seconds to build. bm25s without Numba.

{lexical}

Right answer first and among ten, on the demo's questions:

{words}

## Training: `training.json`

Against `SentenceTransformerTrainer` (MultipleNegativesRankingLoss) and `CrossEncoderTrainer` (binary
cross-entropy) on the same questions: seconds of the processor until both are as good as the worse of the two gets,
less half a point, and tokens read a second. The times of the cross-encoder say little: ours ranks well before its
first step (decision 6), and the plain one had not levelled off when it ended. Curves are in the file.

{training}

## ChatterBot: `peers.json`

The same pairs, first turns of the held-out dialogues; retrieval alone.

{peers}
"""


def write(speed: str) -> None:
    """The page and its plot; `speed` are the tables of speed.json."""
    found = {name: _read(name) for name in ("speed", "scale", "lexical", "training", "peers")}
    floors = [own["floor"] for own in found["speed"]["languages"].values()]
    page = PAGE.format(
        speed=speed,
        work=" and ".join(f"{floor['multiply_adds_an_answer'] / 1e6:,.0f}" for floor in floors),
        least=" and ".join(f"{floor['least_ms']:.1f}" for floor in floors),
        times=" and ".join(f"{floor['times_the_least']:.1f}" for floor in floors),
        dimension=found["scale"]["dimension"],
        encoded=f"{found['scale']['encoded']:,}",
        scale=_scale(found["scale"]["sizes"]),
        filtered=_filtered(found["scale"]["sizes"]),
        changed=_changed(found["scale"]["sizes"]),
        lexical=_lexical(found["lexical"]),
        words=_words(found["lexical"]["demo"]),
        training=_training(found["training"]["languages"]),
        peers=_peers(found["peers"]["languages"]),
    )
    (ROOT / "docs" / "speed.md").write_text(page, "utf-8")
    _plot(found["scale"]["sizes"])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found


def _scale(sizes: dict[str, Any]) -> str:
    rows = []
    for size, own in sizes.items():
        for kind, at in own["kinds"].items():
            name = f"{kind} (chosen)" if kind == own["chosen"] else kind
            if "left_out" in at:
                rows.append([f"{int(size):,}", name, at["left_out"], *[""] * 6])
                continue
            search = at["search"]
            rows.append(
                [
                    f"{int(size):,}",
                    name,
                    f"{at['build_seconds']:.1f}",
                    f"{search['recall_at_10']:.3f}",
                    f"{search['processor_p50']:.2f}",
                    f"{search['processor_p95']:.2f}",
                    *(f"{at[part] / 2**20:,.0f}" for part in ("bytes", "resident_after_load")),
                    f"{at['resident_after_searches'] / 2**20:,.0f}",
                ]
            )
    head = ["rows", "kind", "build s", "recall at 10", "ms p50", "ms p95", "files MB", "loaded MB", "searched MB"]
    return table(head, rows)


def _filtered(sizes: dict[str, Any]) -> str:
    shares = list(next(iter(sizes.values()))["kinds"]["flat"]["filtered"])
    shares = sorted({*shares, *sizes["1000000"]["kinds"]["lists"]["filtered"]}, key=float, reverse=True)
    rows = []
    for size, own in sizes.items():
        at = own["kinds"][own["chosen"]]["filtered"]
        cells = (
            f"{at[share]['recall_at_10']:.3f}, {at[share]['processor_p50']:.1f}" if share in at else ""
            for share in shares
        )
        rows.append([f"{int(size):,}", *cells])
    return table(["rows", *shares], rows)


def _changed(sizes: dict[str, Any]) -> str:
    rows = [
        [
            f"{int(size):,}",
            *(f"{at[name]:.4f}" for name in ("add_seconds", "remove_seconds")),
            *(
                f"{at[name]['processor_p50']:.2f}"
                for name in ("search", "search_after_add", "search_after_remove")
            ),
        ]
        for size, own in sizes.items()
        for at in [own["kinds"][own["chosen"]]]
    ]
    return table(["rows", "add s", "remove s", "ms before", "ms after adding", "ms after removing"], rows)


def _lexical(found: dict[str, Any]) -> str:
    sets = {f"demo, {name}": own for name, own in found["demo"].items()} | found["generated"]
    rows = []
    for name, own in sets.items():
        cells = (f"{own[kind]['ms']['median']:.2f}" if kind in own else "" for kind in KINDS)
        built = (f"{own[kind]['build_seconds']:.1f}" if kind in own else "" for kind in KINDS)
        rows.append([name, *cells, *built])
    return table(["texts", *KINDS, *(f"{kind}, build" for kind in KINDS)], rows)


def _words(demo: dict[str, Any]) -> str:
    rows = [
        [language, *(f"{own[kind]['right_first']:.3f}, {own[kind]['recall_at_10']:.3f}" for kind in KINDS)]
        for language, own in demo.items()
    ]
    return table(["language", *KINDS], rows)


def _training(languages: dict[str, Any]) -> str:
    rows = []
    for language, own in languages.items():
        for model, found in own.items():
            at = found["processor_seconds"]
            rows.append(
                [
                    f"{language}, {model}",
                    *(f"{seconds:.0f}" for seconds in at["to_equal_quality"]),
                    f"{at['times_faster']:.1f}",
                    *(f"{tokens:,.0f}" for tokens in at["tokens_a_second"]),
                    f"{at['times_the_tokens']:.1f}",
                ]
            )
    head = ["", "ours s", "plain s", "times as fast", "ours tokens/s", "plain tokens/s", "times the tokens"]
    return table(head, rows)


def _peers(languages: dict[str, Any]) -> str:
    rows = [
        [
            language,
            str(own["pairs"]),
            str(own["questions"]),
            *(f"{own[kind]['right_first']:.3f}" for kind in ("ours", "chatterbot")),
            *(f"{own[kind]['ms_p50']:.1f}" for kind in ("ours", "chatterbot")),
        ]
        for language, own in languages.items()
    ]
    head = ["language", "pairs", "questions", "right first", "ChatterBot", "ms a question", "ChatterBot"]
    return table(head, rows)


def _plot(sizes: dict[str, Any]) -> None:
    mpl.rcParams["svg.hashsalt"] = "speed"  # the same file each time
    plt.switch_backend("svg")
    figure, axes = plt.subplots(figsize=(7, 4))
    for kind in ("flat", "graph", "lists", "pieces"):
        at = {
            int(size): own["kinds"][kind]["search"]["processor_p50"]
            for size, own in sizes.items()
            if "search" in own["kinds"][kind]
        }
        axes.plot(list(at), list(at.values()), marker="o", label=kind)
    axes.set(xscale="log", yscale="log", xlabel="rows", ylabel="milliseconds a search")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(ROOT / "docs" / "speed.svg", metadata={"Date": None})
    plt.close(figure)
