"""How much of the personal data in customers' messages is found, and how much else: results/privacy.json.

    python benchmarks/privacy.py [--development]

In: data/privacy/{en,zh}.jsonl, messages with their personal data labelled. Out: precision and recall by language
and kind on the test half, of spans that are exactly the labelled ones, and of spans that overlap with one of the
same kind; how many of the messages without personal data stay as they are; how many of the texts of the demo
company's customers change; and milliseconds a message. `--development` prints what goes wrong on the other half
and writes nothing: rules are changed on that one only.
"""

import argparse
import csv
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from chatbot.learn.evaluate import write_metrics
from chatbot.personal import Kind, Span, find

HERE = Path(__file__).parent
DATA = HERE.parent / "data"
LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Message:
    text: str
    spans: tuple[Span, ...]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--development", action="store_true")
    if parser.parse_args().development:
        for language in LANGUAGES:
            slips(read(language, "development"))
        return 0
    result: dict[str, Any] = {language: measured(read(language, "test")) for language in LANGUAGES}
    result["demo"] = {language: changed(language) for language in LANGUAGES}
    files = {f"privacy/{name}.jsonl": _sha256(DATA / "privacy" / f"{name}.jsonl") for name in LANGUAGES}
    about = {"command": "python benchmarks/privacy.py", "split": "test", "files": files}
    write_metrics(HERE / "results" / "privacy.json", result, about)
    json.dump(result, sys.stdout, indent=1)
    return 0


def read(language: str, split: str) -> list[Message]:
    rows = map(json.loads, (DATA / "privacy" / f"{language}.jsonl").read_text("utf-8").splitlines())
    return [Message(row["text"], tuple(_places(row))) for row in rows if row["split"] == split]


def _places(row: dict[str, Any]) -> Iterator[Span]:
    end = 0
    for span in row["spans"]:
        start = row["text"].index(span["text"], end)
        end = start + len(span["text"])
        yield Span(start, end, Kind(span["kind"]))


def measured(messages: Sequence[Message]) -> dict[str, Any]:
    start = perf_counter()
    found = [find(message.text) for message in messages]
    milliseconds = 1000 * (perf_counter() - start) / len(messages)
    rows = {
        kind: _row([kind], messages, found)
        for kind in Kind
        if any(span.kind is kind for m in messages for span in m.spans)
    }
    rows["all"] = _row(list(Kind), messages, found)
    without = [spans for message, spans in zip(messages, found, strict=True) if not message.spans]
    return {
        "messages": len(messages),
        "without": {"messages": len(without), "unchanged": sum(not spans for spans in without)},
        "milliseconds": round(milliseconds, 3),
        "kinds": rows,
    }


def _row(kinds: Sequence[Kind], messages: Sequence[Message], found: Sequence[Sequence[Span]]) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    for message, spans in zip(messages, found, strict=True):
        labelled = [span for span in message.spans if span.kind in kinds]
        given = [span for span in spans if span.kind in kinds]
        counts["labelled"] += len(labelled)
        counts["found"] += len(given)
        counts["exact"] += sum(span in labelled for span in given)
        counts["found_overlapping"] += sum(any(map(_touches(span), labelled)) for span in given)
        counts["labelled_overlapping"] += sum(any(map(_touches(span), given)) for span in labelled)
    shares = {
        "precision": _share(counts["exact"], counts["found"]),
        "recall": _share(counts["exact"], counts["labelled"]),
        "precision_overlapping": _share(counts["found_overlapping"], counts["found"]),
        "recall_overlapping": _share(counts["labelled_overlapping"], counts["labelled"]),
    }
    return {"labelled": counts["labelled"], "found": counts["found"], **shares}


def _touches(one: Span) -> Any:
    return lambda other: one.kind is other.kind and one.start < other.end and other.start < one.end


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 3) if whole else None


def changed(language: str) -> dict[str, int]:
    """Customers' words of the demo company, which names nobody's data on purpose."""
    with (DATA / "demo" / f"pairs_{language}.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["question"] for row in csv.DictReader(file)]
    for name in ("development", "dialogues"):
        for line in (DATA / "demo" / f"{name}_{language}.jsonl").read_text("utf-8").splitlines():
            texts += [turn["text"] for turn in json.loads(line)["turns"] if turn["role"] == "user"]
    return {"texts": len(texts), "changed": sum(bool(find(text)) for text in texts)}


def slips(messages: Sequence[Message]) -> None:
    for message in messages:
        labelled, found = set(message.spans), set(find(message.text))
        for what, spans in (("missed", labelled - found), ("not personal", found - labelled)):
            for span in sorted(spans):
                print(what, span.kind, repr(message.text[span.start : span.end]), repr(message.text), sep=" | ")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
