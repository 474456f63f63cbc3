"""Conversations, hand-overs and publications in any order that hypothesis thinks of, beside a model of few lines.

After every step each conversation stands as the model says: what was said, by whom, by which version, who has it.
"""

import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from chatbot.access import Scope
from chatbot.serve.limits import Limits
from tests.serving import serving

WORDS = st.text("ab ", min_size=1, max_size=12).filter(str.strip)
OFTEN = "1000000/second"


@dataclass
class Talk:
    """What the model knows of a conversation. `agent` is None while it waits, "" while the bot has it."""

    path: str
    token: dict[str, str]
    said: list[tuple[str, str, str | None]] = field(default_factory=list)  # who, what, version
    agent: str | None = ""


class Service(RuleBasedStateMachine):
    talks = Bundle("talks")
    agents = st.sampled_from(["anna", "ben"])

    @initialize()
    def start(self) -> None:
        self.stack, self.folder = ExitStack(), Path(tempfile.mkdtemp())
        limits = Limits(requests=OFTEN, messages=OFTEN, conversations=OFTEN)
        self.api = self.stack.enter_context(serving(self.folder, limits=limits))
        self.keys = {name: self.api.key(Scope.DESK, name=name) for name in ("anna", "ben")}
        self.lead = self.api.key(Scope.WRITE_PAIRS, Scope.VERSIONS)
        self.all: list[Talk] = []
        self.versions = ["v1"]
        self.live = "v1"

    def teardown(self) -> None:
        self.stack.close()
        shutil.rmtree(self.folder)

    @rule(target=talks)
    def begin(self) -> Talk:
        self.all.append(Talk(*self.api.begin()))
        return self.all[-1]

    @rule(talk=talks, text=WORDS)
    def say(self, talk: Talk, text: str) -> None:
        told = self.api.client.post(f"{talk.path}/messages", json={"text": text}, headers=talk.token)
        assert told.status_code == 201
        talk.said.append(("customer", text, None))
        if talk.agent:
            assert told.json()["role"] == "customer"  # the bot is quiet
        else:
            talk.said.append(("bot", f"You asked: {len(text.split())} words.", self.live))

    @rule(talk=talks)
    def ask_for_a_person(self, talk: Talk) -> None:
        assert self.api.client.post(f"{talk.path}/hand-over", json={}, headers=talk.token).status_code == 201
        talk.agent = None if talk.agent == "" else talk.agent

    @rule(talk=talks)
    def stop_waiting(self, talk: Talk) -> None:
        told = self.api.client.delete(f"{talk.path}/hand-over", headers=talk.token)
        assert told.status_code == (404 if talk.agent == "" else 200)
        talk.agent = ""

    @rule(talk=talks, agent=agents)
    def claim(self, talk: Talk, agent: str) -> None:
        told = self._desk(talk, "claim", agent)
        assert told == (404 if talk.agent == "" else 200 if talk.agent in (None, agent) else 409)
        talk.agent = agent if told == 200 else talk.agent

    @rule(talk=talks, agent=agents, text=WORDS)
    def write(self, talk: Talk, agent: str, text: str) -> None:
        told = self._desk(talk, "messages", agent, text=text)
        assert told == (404 if talk.agent == "" else 201 if talk.agent == agent else 409)
        if told == 201:
            talk.said.append(("agent", text, None))

    @rule(talk=talks, agent=agents, outcome=st.sampled_from(["resolved", "handed_back"]))
    def close(self, talk: Talk, agent: str, outcome: str) -> None:
        told = self._desk(talk, "close", agent, outcome=outcome)
        assert told == (404 if talk.agent == "" else 204 if talk.agent in (None, agent) else 409)
        talk.agent = "" if told == 204 else talk.agent

    @rule(text=WORDS)
    def publish(self, text: str) -> None:
        new = {"question": f"{text} {len(self.versions)}", "answer_id": "A9", "answer": "Yes.", "language": "en"}
        told = self.api.client.post("/v1/publish", json={"add": [new]}, headers=self.lead)
        if told.status_code == 201:
            self.live = told.json()["version"]
            self.versions.append(self.live)
        else:  # live already, but for its spaces
            assert told.status_code == 422

    @rule(which=st.integers(0, 9))
    def roll_back(self, which: int) -> None:
        version = self.versions[which % len(self.versions)]
        told = self.api.client.post(f"/v1/versions/{version}/rollback", json={}, headers=self.lead)
        assert told.status_code == (409 if version == self.live else 200)
        self.live = version

    @invariant()
    def each_stands_as_the_model_says(self) -> None:
        for talk in getattr(self, "all", ()):
            kept = self.api.client.get(f"{talk.path}/messages?limit=200", headers=talk.token).json()["items"]
            assert [(one["role"], one["text"], one["version"]) for one in kept] == talk.said
            state = self.api.client.get(talk.path, headers=talk.token).json()
            expected = "bot" if talk.agent == "" else "waiting" if talk.agent is None else "person"
            assert (state["state"], state["agent"]) == (expected, talk.agent or None)

    def _desk(self, talk: Talk, done: str, agent: str, **asked: str) -> int:
        path = talk.path.replace("conversations", "hand-overs")
        return self.api.client.post(f"{path}/{done}", json=asked, headers=self.keys[agent]).status_code


TestService = Service.TestCase
TestService.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
