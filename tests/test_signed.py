"""Whoever is signed in acts in no other name: a request is forged, as a colleague could, past the page."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chatbot.access import Role
from chatbot.journal import SqlAccounts, SqlJournal
from chatbot.ui.launch import Site, launch
from chatbot.ui.signed import SignedBlocks
from chatbot.ui.stubless import gr
from tests.test_accounts import PASSWORD

HEADERS = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    journal = SqlJournal.connect(tmp_path / "journal.sqlite")
    accounts = SqlAccounts(journal.database)
    accounts.create("Anna", PASSWORD, Role.AGENT)
    with SignedBlocks(analytics_enabled=False) as desk:
        name, text, said = gr.Textbox(elem_id="agent"), gr.Textbox(), gr.Textbox()
        gr.Button().click(lambda name, text: f"{name}: {text}", [name, text], said)
    with gr.Blocks(analytics_enabled=False) as chat:
        gr.HTML("hello")
    site = launch({"/": chat, "/desk": desk}, port=0, accounts=accounts)
    yield site
    site.close()
    journal.close()


def sign_in(client: httpx.Client) -> None:
    page = client.get("/login").text
    token = page.partition('name="token" value="')[2].partition('"')[0]
    client.post("/login", data={"name": "Anna", "password": PASSWORD, "token": token}, headers=HEADERS)


def test_a_forged_name_is_not_taken(site: Site) -> None:
    with httpx.Client(base_url=site.address, timeout=30) as client:
        sign_in(client)
        asked = {"data": ["Mallory", "hello"], "fn_index": 0, "session_hash": "s"}
        queued = client.post("/desk/gradio_api/queue/join", json=asked, headers=HEADERS)
        assert queued.status_code == 200, queued.text
        with client.stream("GET", "/desk/gradio_api/queue/data?session_hash=s", headers=HEADERS) as stream:
            told = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")]
    done = next(one for one in told if one["msg"] == "process_completed")
    assert done["output"]["data"] == ["Anna: hello"]
