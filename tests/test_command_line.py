"""What scripts outside rely on: the commands, their exit codes, and one line for a mistake of the user's."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from chatbot import bundle
from chatbot.__main__ import main

PAIRS = "question,answer,answer_id\nwhere is my parcel,On its way.,parcel\nhow do I pay,By card.,pay\n"
DIALOGUE = {
    "id": "d1",
    "language": "en",
    "turns": [{"role": "user", "text": "my parcel?", "expected": ["parcel"]}],
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own folder to stand in, with a file of each kind and no settings in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHATBOT_LOG", raising=False)
    Path("pairs.csv").write_text(PAIRS, "utf-8")
    Path("dialogues.jsonl").write_text(json.dumps(DIALOGUE) + "\n", "utf-8")
    Path("matches.tsv").write_text("where is it\twhere is my parcel\t1\n", "utf-8")
    Path("thesis").mkdir()
    Path("thesis/thesis.txt").touch()
    return tmp_path


def versions(folder: Path, count: int) -> list[str]:
    """A folder with so many versions of something that is kept like a bot."""
    made = []
    for number in range(count):
        with bundle.writing(folder) as draft:
            (draft.path / "pairs.jsonl").write_text(str(number), "utf-8")
            made.append(draft.commit({"profile": "default"}).version)
    return made


class TestUsage:
    def test_help_names_every_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stopped:
            main(["--help"])
        assert stopped.value.code == 0
        text = capsys.readouterr().out
        for command in (
            "build",
            "train",
            "add",
            "remove",
            "evaluate",
            "compare",
            "audit",
            "ask",
            "serve",
            "doctor",
            "versions",
            "rollback",
            "journal",
            "accounts",
            "keys",
            "backup",
            "restore",
            "settings",
        ):
            assert f"\n    {command} " in text

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["tran"],
            ["ask", "where is my parcel"],
            ["ask", "--index", "bot"],
            ["build", "--index", "bot"],
            ["build", "--pairs", "pairs.csv"],
            ["build", "--pairs", "pairs.csv", "--index", "bot", "--map", "question"],
            ["evaluate", "--index", "bot", "--output", "out"],
            ["evaluate", "--index", "bot", "--dialogues", "dialogues.jsonl"],
            ["compare", "--index", "bot", "--dialogues", "dialogues.jsonl"],
            [
                "evaluate",
                "--index",
                "b",
                "--output",
                "o",
                "--dialogues",
                "dialogues.jsonl",
                "--matches",
                "matches.tsv",
            ],
            ["serve", "--index", "bot", "--port", "http"],
        ],
    )
    def test_wrong_usage_is_told_with_code_2(
        self, arguments: Sequence[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
        out, err = capsys.readouterr()
        assert (out, err.startswith("usage: chatbot")) == ("", True)


NO_BOT = "chatbot: There is no folder bot. Build it with `chatbot train --pairs FILE --index bot`."
TAKEN = "chatbot: thesis holds other things (thesis.txt) and no bot; nothing was written there."
EVALUATE = ["evaluate", "--index", "bot", "--output", "out"]
BUILD = ["build", "--index", "bot", "--pairs"]


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["ask", "--index", "bot", "where?"], NO_BOT),
            (
                ["ask", "--index", "pairs.csv", "where?"],
                "chatbot: pairs.csv is a file; expected the folder of a built",
            ),
            (["ask", "--index", "thesis", "where?"], "chatbot: thesis/manifest.json is missing"),
            (["serve", "--index", "bot"], NO_BOT),
            (
                ["serve", "--index", "bot", "--dialogues", "gone.jsonl"],
                "chatbot: gone.jsonl: there is no such file or folder",
            ),
            (["versions", "--index", "bot"], NO_BOT),
            (["add", "--index", "bot", "--pairs", "pairs.csv"], NO_BOT),
            (["remove", "--index", "bot", "--answer", "pay"], NO_BOT),
            (["remove", "--index", "bot"], "chatbot: name what to remove: --answer ID"),
            ([*BUILD, "pairs.csv", "--precision", "1.5"], "chatbot: precision, decide.target_precision: Input"),
            (["rollback", "--index", "bot"], NO_BOT),
            ([*EVALUATE, "--dialogues", "dialogues.jsonl"], NO_BOT),
            ([*EVALUATE, "--matches", "matches.tsv"], NO_BOT),
            (["compare", "--index", "bot", "bot", "--dialogues", "dialogues.jsonl"], NO_BOT),
            ([*EVALUATE, "--dialogues", "gone.jsonl"], "chatbot: gone.jsonl: there is no such file or folder"),
            ([*EVALUATE, "--dialogues", "matches.tsv"], "chatbot: matches.tsv"),
            ([*EVALUATE, "--matches", "gone.tsv"], "chatbot: gone.tsv: there is no such file or folder"),
            (
                [*EVALUATE, "--matches", "gone.tsv", "--perturb"],
                "chatbot: --perturb changes the turns of dialogues",
            ),
            (
                ["evaluate", "--index", "bot", "--output", "pairs.csv", "--dialogues", "dialogues.jsonl"],
                "chatbot: --output pairs.csv is no folder to write to: File exists",
            ),
            ([*BUILD, "gone.csv"], "chatbot: gone.csv: there is no such file or folder; check the path"),
            ([*BUILD, "thesis"], "chatbot: thesis"),
            ([*BUILD, "pairs.csv", "--map", "z=q"], "chatbot: --map z=q: 'z' is not one of question, answer"),
            ([*BUILD, "pairs.csv", "--profile", "fast"], "chatbot: no profile 'fast'; there are default"),
            ([*BUILD, "pairs.csv", "--profile", "gone.toml"], "chatbot: profile gone.toml cannot be read"),
            ([*BUILD, "pairs.csv", "--templates", "no.toml"], "chatbot: templates file no.toml cannot be read"),
            (["build", "--index", "thesis", "--pairs", "pairs.csv"], TAKEN),
            (["train", "--index", "thesis", "--pairs", "pairs.csv"], TAKEN),
            (
                ["train", "--index", "bot", "--pairs", "pairs.csv", "--matches", "no.tsv"],
                "chatbot: no.tsv: there is no",
            ),
        ],
    )
    def test_each_has_one_line_and_code_1(
        self, arguments: Sequence[str], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(arguments) == 1
        out, err = capsys.readouterr()
        lines = [
            line for line in err.splitlines() if "rows read" not in line
        ]  # the report on the pairs comes first
        assert out == ""
        assert len(lines) == 1
        assert lines[0].startswith(message)
        assert not Path("bot").exists()
        assert [path.name for path in Path("thesis").iterdir()] == ["thesis.txt"]

    def test_a_template_that_does_not_fit_is_told_before_any_model_is_loaded(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("t.toml").write_text('[en]\ntext = "{{ answer }} {{ phone }}"\n', "utf-8")
        assert main([*BUILD, "pairs.csv", "--templates", "t.toml"]) == 1
        last = capsys.readouterr().err.splitlines()[-1]
        assert last.startswith("chatbot: the en template of answer 'parcel' does not render: 'phone' is undefined")

    def test_bad_rows_are_reported_and_skipped_but_stop_everything_when_strict(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("bad.csv").write_text("question,answer\n,By card.\n", "utf-8")
        assert main([*BUILD, "bad.csv", "--strict"]) == 1
        assert "\n  bad.csv, row 2: the question is empty\n" in capsys.readouterr().err  # every bad row has a line
        assert main([*BUILD, "bad.csv"]) == 1
        assert capsys.readouterr().err.splitlines()[-1] == (
            "chatbot: no row could be used; the report above says why"
        )

    @pytest.mark.parametrize(
        ("variable", "value", "message"),
        [
            ("CHATBOT_LOG", "loud", "chatbot: CHATBOT_LOG is 'loud'; set it to debug, info, warning or error"),
            (
                "CHATBOT_SEDE",
                "1",
                "chatbot: profile default with CHATBOT_SEDE, sede: Extra inputs are not permitted",
            ),
        ],
    )
    def test_the_environment_can_be_wrong_as_well(
        self,
        variable: str,
        value: str,
        message: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv(variable, value)
        assert main([*BUILD, "pairs.csv"]) == 1
        (only,) = capsys.readouterr().err.splitlines()
        assert only.startswith(message)


class TestVersions:
    def test_they_are_listed_with_the_one_in_use(self, capsys: pytest.CaptureFixture[str]) -> None:
        made = versions(Path("bot"), 2)
        assert main(["versions", "--index", "bot"]) == 0
        listed = capsys.readouterr().out.splitlines()
        assert sorted(listed) == sorted([f"  {made[0]}", f"* {made[1]}"])

    def test_back_to_the_one_before_or_to_a_named_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        made = versions(Path("bot"), 3)
        assert main(["rollback", "--index", "bot"]) == 0
        assert capsys.readouterr().out == f"bot is now at version {made[1]}\n"
        assert main(["rollback", "--index", "bot", "--version", made[2]]) == 0
        assert capsys.readouterr().out == f"bot is now at version {made[2]}\n"
        assert main(["rollback", "--index", "bot", "--version", "1999"]) == 1
        assert capsys.readouterr().err.startswith("chatbot: bot holds no version '1999'.")


@pytest.mark.models
def test_a_bot_is_built_asked_and_measured(capsys: pytest.CaptureFixture[str]) -> None:
    topics = {
        "parcel": [
            "where is my parcel",
            "track my package",
            "has my order been sent",
            "when does my delivery come",
        ],
        "pay": ["how do I pay", "which cards do you take", "can I pay by card", "what are the payment methods"],
        "return": ["how do I return it", "I want to send it back", "return an item", "can I give something back"],
        "refund": [
            "when do I get my money back",
            "how long does a refund take",
            "refund time",
            "is my refund sent",
        ],
    }
    rows = [f"{question},Answer to {name}.,{name}" for name, asked in topics.items() for question in asked]
    Path("pairs.csv").write_text("\n".join(["question,answer,answer_id", *rows]), "utf-8")
    assert main([*BUILD, "pairs.csv"]) == 0
    assert "16 rows read" in capsys.readouterr().err

    assert main(["ask", "--index", "bot", "where is my parcel"]) == 0
    assert capsys.readouterr().out
    assert main(["ask", "--index", "bot", "--json", "where is my parcel"]) == 0
    reply = json.loads(capsys.readouterr().out)
    assert reply["decision"]["candidates"][0]["pair"]["answer_id"] == "parcel"
    assert reply["language"] == "en"

    assert main([*EVALUATE, "--dialogues", "dialogues.jsonl"]) == 0
    printed = json.loads(capsys.readouterr().out)
    metrics = json.loads(Path("out/metrics.json").read_text("utf-8"))
    assert printed["turns"] == metrics["turns"] == 1
    assert list(metrics["about"]["dialogues"]) == ["dialogues.jsonl"]
    with Path("out/predictions.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["dialogue_id"], row["turn"], row["expected"]) == ("d1", "1", "parcel")

    compare = ["compare", "--index", "bot", "bot", "--dialogues", "dialogues.jsonl", "--output", "flips"]
    assert main(compare) == 0
    assert "raw_accuracy         1.000 -> 1.000  +0.000 (too few dialogues" in capsys.readouterr().out
    assert json.loads(Path("flips/difference.json").read_text("utf-8"))["raw_accuracy"]["high"] is None
    (line,) = Path("dialogues.jsonl").read_text("utf-8").splitlines()
    Path("dialogues.jsonl").write_text("".join(line.replace("d1", f"d{n}") + "\n" for n in range(10)), "utf-8")
    assert main(compare) == 0
    assert "raw_accuracy         1.000 -> 1.000  +0.000 [+0.000, +0.000]\n" in capsys.readouterr().out
    assert Path("flips/flips.csv").read_text("utf-8").startswith("dialogue_id,turn,")

    before = bundle.versions(Path("bot"))
    kayaks = "do you sell kayaks,Three kinds of them.,kayaks\nDo you sell KAYAKS?,Three kinds of them.,kayaks\n"
    Path("pairs.csv").write_text(f"question,answer,answer_id\n{kayaks}", "utf-8")
    assert main(["add", "--index", "bot", "--pairs", "pairs.csv"]) == 0
    assert capsys.readouterr().out.startswith("1 pairs are new")
    assert main(["ask", "--index", "bot", "--json", "do you sell kayaks"]) == 0
    assert json.loads(capsys.readouterr().out)["decision"]["candidates"][0]["pair"]["answer_id"] == "kayaks"
    Path("pairs.csv").write_text("question,answer,answer_id\nhow many kayaks,Only two now.,kayaks\n", "utf-8")
    assert main(["add", "--index", "bot", "--pairs", "pairs.csv"]) == 1  # the old text would win, unsaid
    assert "several answers (kayaks: Three kinds of them. | Only two now.)" in capsys.readouterr().err
    assert main(["remove", "--index", "bot", "--answer", "kayaks", "--question", "How do I  PAY"]) == 0
    assert capsys.readouterr().out == "2 pairs are gone\n"
    assert len(bundle.versions(Path("bot"))) == len(before) + 2
    for wrong in (["--answer", "kayaks"], ["--answer", "parcel", "pay", "return", "refund"]):
        assert main(["remove", "--index", "bot", *wrong]) == 1
    assert "no answer or question 'kayaks'" in capsys.readouterr().err
    Path("pairs.csv").write_text("question,answer,language\n怎么付款,用卡,zh\n", "utf-8")
    assert main(["add", "--index", "bot", "--pairs", "pairs.csv"]) == 1
    assert "bot has no pairs in zh" in capsys.readouterr().err

    Path("more").mkdir()
    Path("matches.tsv").rename("more/matches.tsv")
    assert main([*EVALUATE, "--matches", "more"]) == 0
    assert json.loads(capsys.readouterr().out)["matches"] == 1
