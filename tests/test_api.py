"""The REST API, over real HTTP shapes, a real journal and bots with a visible rule."""

import base64
import io
import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import jwt
import openpyxl
import pytest
import sqlalchemy as sql
from fastapi.testclient import TestClient
from httpx2 import Response
from starlette.types import Message, Receive, Send
from starlette.types import Scope as Scope_

from benchmarks.running import free_port
from chatbot.access import Role, Scope
from chatbot.domain import Conversation, Reply
from chatbot.errors import Busy
from chatbot.journal import retention
from chatbot.journal.audit import Deed, noted
from chatbot.serve.cursor import Page, page
from chatbot.serve.limits import Limits, Meter
from chatbot.serve.start import Offer, stack
from tests.fakes import FakeResponder
from tests.serving import SECRET, Serving, TalkingBot, bearer, listening, serving


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path) as served:
        yield served


def events(response: Response) -> list[tuple[str, dict[str, Any]]]:
    """What a stream told, in order."""
    told = [dict(line.split(": ", 1) for line in one.splitlines()) for one in response.text.strip().split("\n\n")]
    return [(one["event"], json.loads(one["data"])) for one in told]


def kind(response: Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    return response.status_code, body["type"].removeprefix("urn:chatbot:")


class TestConversations:
    def test_a_question_is_answered_and_kept_with_the_version_that_answered(self, api: Serving) -> None:
        talk, token = api.begin(language="en")
        said = api.client.post(f"{talk}/messages", json={"text": "Where is it?"}, headers=token)
        assert said.status_code == 201
        reply = said.json()
        assert (reply["role"], reply["text"], reply["action"]) == ("bot", "You asked: 3 words.", "answer")
        assert (reply["confidence"], reply["answer_id"], reply["exchange"]) == (0.95, "A1", 1)
        assert (reply["version"], reply["sources"][0]["source"]) == ("v1", "handbook")
        kept = api.client.get(f"{talk}/messages", headers=token).json()
        assert [(one["role"], one["text"]) for one in kept["items"]] == [
            ("customer", "Where is it?"),
            ("bot", "You asked: 3 words."),
        ]
        assert kept["next"] is None

    def test_a_streamed_reply_is_the_same_in_pieces(self, api: Serving) -> None:
        talk, token = api.begin()
        text = "one two three four five six seven"
        said = api.client.post(f"{talk}/messages", json={"text": text, "stream": True}, headers=token)
        assert said.headers["content-type"].startswith("text/event-stream")
        told = events(said)
        assert [name for name, _ in told] == ["delta", "message"]
        assert "".join(data["text"] for name, data in told if name == "delta") == told[-1][1]["text"]
        assert (told[-1][1]["text"], told[-1][1]["time"] is None) == ("You asked: 7 words.", False)

    def test_the_history_comes_in_pages_and_a_cursor_stays_good(self, api: Serving) -> None:
        talk, token = api.begin()
        for text in ("a", "b"):
            api.client.post(f"{talk}/messages", json={"text": text}, headers=token)
        first = api.client.get(f"{talk}/messages", params={"limit": 3}, headers=token).json()
        assert [one["text"] for one in first["items"]] == ["a", "You asked: 1 words.", "b"]
        api.client.post(f"{talk}/messages", json={"text": "c d"}, headers=token)
        more = {"limit": 3, "cursor": first["next"]}
        second = api.client.get(f"{talk}/messages", params=more, headers=token).json()
        assert [one["text"] for one in second["items"]] == ["You asked: 1 words.", "c d", "You asked: 2 words."]

    def test_a_thumb_is_kept_and_only_for_an_exchange_of_this_conversation(self, api: Serving) -> None:
        talk, token = api.begin()
        other, others = api.begin()
        number = api.client.post(f"{talk}/messages", json={"text": "a"}, headers=token).json()["exchange"]
        down = {"liked": False, "comment": "call me at jo@example.org"}
        judged = api.client.put(f"{talk}/messages/{number}/feedback", json=down, headers=token)
        assert judged.status_code == 204
        assert api.service.bots["shop"].journal.liked(number) is False
        assert kind(api.client.put(f"{other}/messages/{number}/feedback", json=down, headers=others)) == (
            404,
            "unknown",
        )

    def test_a_person_is_asked_for_waited_for_and_writes(self, api: Serving) -> None:
        talk, token = api.begin()
        agent = api.key(Scope.DESK)
        api.client.post(f"{talk}/messages", json={"text": "a person please"}, headers=token)
        assert api.client.get(talk, headers=token).json()["state"] == "waiting"
        left = api.client.post(f"{talk}/hand-over", json={"contact": "jo@example.org"}, headers=token).json()
        assert (left["state"], left["place"]) == ("waiting", 1)
        (case,) = api.client.get("/v1/hand-overs", headers=agent).json()["items"]
        assert (case["reason"], case["contact"], case["last"]) == (
            "asked_for_person",
            "jo@example.org",
            "a person please",
        )
        path = f"/v1/hand-overs/{case['conversation']}"
        refused = api.client.post(f"{path}/messages", json={"text": "hello"}, headers=agent)
        assert kind(refused) == (409, "taken")
        assert api.client.post(f"{path}/claim", headers=agent).json()["agent"] == "robot"
        assert kind(api.client.post(f"{path}/claim", headers=api.key(Scope.DESK, name="other"))) == (409, "taken")
        said = api.client.post(f"{talk}/messages", json={"text": "are you there?"}, headers=token).json()
        assert (said["role"], said["text"]) == ("customer", "are you there?")
        api.client.post(f"{path}/messages", json={"text": "I am"}, headers=agent)
        heard = api.client.get(f"{talk}/messages", headers=token).json()["items"][-1]
        assert (heard["role"], heard["text"], heard["name"]) == ("agent", "I am", "robot")
        unknown = api.client.post(f"{path}/close", json={"outcome": "withdrawn"}, headers=agent)
        assert unknown.json()["detail"] == "/outcome: Input should be 'resolved' or 'handed_back'"
        assert api.client.post(f"{path}/close", json={"outcome": "handed_back"}, headers=agent).status_code == 204
        again = api.client.post(f"{talk}/messages", json={"text": "a b"}, headers=token).json()
        assert again["text"] == "You asked: 2 words."
        assert kind(api.client.post(f"{path}/claim", headers=agent)) == (404, "unknown")

    def test_an_agent_who_comes_while_the_bot_thinks_has_the_conversation(self, api: Serving) -> None:
        bot = api.service.bots["shop"]
        assert isinstance(bot.live, TalkingBot)
        talk, token = api.begin()
        api.client.post(f"{talk}/hand-over", json={}, headers=token)

        def claimed_meanwhile(conversation: Conversation, text: str) -> Reply:
            bot.desk.claim(conversation.id, "Anna")
            return FakeResponder().reply(conversation, text)

        bot.live.reply = claimed_meanwhile  # type: ignore[method-assign]
        said = api.client.post(f"{talk}/messages", json={"text": "Where is it?"}, headers=token).json()
        assert (said["role"], said["text"]) == ("customer", "Where is it?")
        kept = api.client.get(f"{talk}/messages", headers=token).json()["items"]
        assert [(one["role"], one["text"]) for one in kept] == [("customer", "Where is it?")]

    def test_a_customer_may_stop_waiting(self, api: Serving) -> None:
        talk, token = api.begin()
        api.client.post(f"{talk}/hand-over", json={}, headers=token)
        assert api.client.delete(f"{talk}/hand-over", headers=token).json()["state"] == "bot"
        assert kind(api.client.delete(f"{talk}/hand-over", headers=token)) == (404, "unknown")

    def test_a_failing_bot_is_a_500_that_says_nothing_of_the_text(self, api: Serving) -> None:
        talk, token = api.begin()
        failed = api.client.post(f"{talk}/messages", json={"text": "boom 4111"}, headers=token)
        assert kind(failed) == (500, "internal") and "4111" not in failed.text and "fake" not in failed.text

    @pytest.mark.parametrize("forged", ['["\\ud800", "x"]', '["a\\u0000", "x"]', "[1]", "{}", "[" * 5000])
    def test_a_forged_cursor_breaks_nothing(self, api: Serving, forged: str) -> None:
        cursor = base64.urlsafe_b64encode(forged.encode()).decode()
        told = api.client.get("/v1/conversations", params={"cursor": cursor[:1000]}, headers=api.key(*Scope))
        assert told.status_code == 200 if '"x"' in forged else kind(told) == (422, "invalid")

    def test_what_is_wrong_with_a_request_is_told_by_its_place(self, api: Serving) -> None:
        talk, token = api.begin()
        wrong = api.client.post(f"{talk}/messages", json={"text": "", "colour": 1}, headers=token)
        assert kind(wrong) == (422, "invalid")
        assert [one["pointer"] for one in wrong.json()["errors"]] == ["/text", "/colour"]
        assert kind(api.client.get(f"{talk}/messages?cursor=x", headers=token)) == (422, "invalid")
        assert kind(api.client.get("/v1/nothing")) == (404, "not-found")


class TestWhoMayWhat:
    """As an attacker would."""

    def test_a_conversation_opens_to_its_own_token_alone(self, api: Serving) -> None:
        talk, _ = api.begin()
        _, others = api.begin()
        for headers in ({}, others, bearer("ct_"), bearer("ct_guessed"), api.key(Scope.CHAT, Scope.SEARCH)):
            assert kind(api.client.get(f"{talk}/messages", headers=headers)) == (404, "unknown")
            assert kind(api.client.post(f"{talk}/messages", json={"text": "a"}, headers=headers))[0] == 404
        guessed = api.client.get("/v1/conversations/0123456789abcdef0123456789abcdef")
        assert guessed.json() == api.client.get(talk).json()

    def test_who_reads_the_conversations_of_others_does_not_speak_in_them(self, api: Serving) -> None:
        talk, _ = api.begin()
        reader = api.key(Scope.CHAT, Scope.HISTORY)
        assert api.client.get(f"{talk}/messages", headers=reader).status_code == 200
        assert kind(api.client.post(f"{talk}/messages", json={"text": "a"}, headers=reader)) == (404, "unknown")
        assert kind(api.client.post(f"{talk}/hand-over", json={}, headers=reader)) == (404, "unknown")

    def test_a_key_that_is_not_valid_opens_nothing(self, api: Serving) -> None:
        _, token = api.begin()
        for key in ("ck_0123_guessed", "ck_", "ck_\x7f", "cs_guessed", "something", "ck_" + "a" * 5000):
            answered = api.client.get("/v1/pairs", headers=bearer(key))
            assert kind(answered) == (401, "unauthorized") and answered.headers["www-authenticate"] == "Bearer"
        assert kind(api.client.get("/v1/pairs", headers=token)) == (401, "unauthorized")
        assert kind(api.client.get("/v1/pairs")) == (401, "unauthorized")

    def test_a_session_of_the_staff_is_the_pages_alone(self, api: Serving) -> None:
        account = api.service.accounts.create("Anna", "correct horse battery", Role.ADMIN)
        session = bearer(f"cs_{api.service.accounts.open_session(account)}")
        assert kind(api.client.get("/v1/pairs", headers=session)) == (401, "unauthorized")

    @pytest.mark.parametrize(
        ("method", "path", "scope"),
        [
            ("GET", "/v1/pairs", Scope.READ_PAIRS),
            ("GET", "/v1/pairs/export", Scope.READ_PAIRS),
            ("POST", "/v1/publish", Scope.WRITE_PAIRS),
            ("DELETE", "/v1/answers/A1", Scope.WRITE_PAIRS),
            ("POST", "/v1/search", Scope.SEARCH),
            ("POST", "/v1/answers", Scope.SEARCH),
            ("POST", "/v1/evaluate", Scope.EVALUATE),
            ("GET", "/v1/versions", Scope.VERSIONS),
            ("POST", "/v1/versions/v1/rollback", Scope.VERSIONS),
            ("GET", "/v1/hand-overs", Scope.DESK),
            ("GET", "/metrics", Scope.METRICS),
        ],
    )
    def test_each_thing_needs_its_scope(self, api: Serving, method: str, path: str, scope: Scope) -> None:
        all_others = api.key(*(one for one in Scope if one is not scope))
        assert kind(api.client.request(method, path, headers=all_others, json={})) == (403, "forbidden")
        allowed = api.client.request(method, path, headers=api.key(scope), json={})
        assert allowed.status_code not in (401, 403)

    def test_another_tenants_key_sees_nothing_of_this_one(self, tmp_path: Path) -> None:
        with serving(tmp_path, ("shop", "bank")) as api:
            shop, bank = ("shop", "bank")
            everything = api.key(*Scope, bot=bank)
            talk, token = api.begin()
            assert api.client.post("/v1/conversations", json={}, headers=everything).json()["bot"] == bank
            assert kind(api.client.get(f"/v1/pairs?bot={shop}", headers=everything)) == (404, "unknown")
            assert kind(api.client.get(f"{talk}/messages", headers=everything)) == (404, "unknown")
            assert kind(api.client.get(f"{talk}/messages?bot={shop}", headers=everything)) == (404, "unknown")
            assert kind(api.client.get(f"{talk}/messages?bot={bank}", headers=everything)) == (404, "unknown")
            assert kind(api.client.get(f"{talk}/messages?bot={bank}", headers=token)) == (404, "unknown")
            assert api.client.get(f"/v1/pairs?bot={bank}", headers=everything).status_code == 200
            assert api.client.get(f"{talk}/messages?bot={shop}", headers=token).status_code == 200
            assert api.client.get("/v1/version", headers=everything).json()["bots"] == {bank: "v1"}
            assert kind(api.client.get("/v1/pairs?bot=none", headers=everything)) == (404, "unknown")

    def test_a_customer_names_nobody_and_a_key_may(self, api: Serving) -> None:
        claimed = api.client.post("/v1/conversations", json={"customer": "jo"})
        assert kind(claimed) == (403, "forbidden")
        named = api.client.post("/v1/conversations", json={"customer": "jo"}, headers=api.key(Scope.CHAT))
        assert named.status_code == 201 and named.headers["cache-control"] == "no-store"
        listed = api.client.get("/v1/conversations", params={"customer": "jo"}, headers=api.key(*Scope))
        assert [one["id"] for one in listed.json()["items"]] == [named.json()["id"]]
        assert kind(api.client.get("/v1/conversations")) == (403, "forbidden")


class TestCustomersWhoSignIn:
    """With a token that the company signed (JWT)."""

    def test_they_list_read_and_continue_their_own_conversations_and_no_others(self, api: Serving) -> None:
        jo, mo = (self._signed_in(api, name) for name in ("jo", "mo"))
        begun = api.client.post("/v1/conversations", json={}, headers=jo).json()
        own = f"/v1/conversations/{begun['id']}"
        assert api.client.post(f"{own}/messages", json={"text": "a b"}, headers=jo).status_code == 201
        for query in ({}, {"customer": "mo"}):
            listed = api.client.get("/v1/conversations", params=query, headers=jo).json()["items"]
            assert [(one["id"], one["customer"]) for one in listed] == [(begun["id"], "jo")]
        assert api.client.get("/v1/conversations?customer=jo", headers=mo).json()["items"] == []
        nobodys, _ = api.begin()
        for path, headers in ((own, mo), (own, {}), (nobodys, jo)):
            assert kind(api.client.get(f"{path}/messages", headers=headers)) == (404, "unknown")
            assert kind(api.client.post(f"{path}/messages", json={"text": "a"}, headers=headers))[0] == 404
            assert kind(api.client.post(f"{path}/hand-over", json={}, headers=headers)) == (404, "unknown")
        assert kind(api.client.post("/v1/conversations", json={"customer": "mo"}, headers=jo)) == (
            403,
            "forbidden",
        )
        assert kind(api.client.get("/v1/hand-overs", headers=jo)) == (401, "unauthorized")
        again = self._signed_in(api, "jo")
        assert api.client.get(f"{own}/messages", headers=again).json()["items"][0]["text"] == "a b"

    def test_a_token_is_good_once_and_not_for_long(self, api: Serving) -> None:
        token = self._token("jo")
        opened = api.client.post("/v1/customers/session", json={"token": token})
        assert (opened.status_code, opened.headers["cache-control"]) == (201, "no-store")
        for wrong in (token, self._token("jo", exp=int(time.time()) - 60), self._token("jo", aud="shop"), "a.b.c"):
            assert kind(api.client.post("/v1/customers/session", json={"token": wrong})) == (401, "unauthorized")
        foreign = jwt.encode(jwt.decode(token, options={"verify_signature": False}), "x" * 32, "HS256")
        assert kind(api.client.post("/v1/customers/session", json={"token": foreign})) == (401, "unauthorized")

    def test_a_session_is_of_the_bot_that_it_was_opened_at(self, tmp_path: Path) -> None:
        with serving(tmp_path, ("shop", "bank")) as api:
            jo = self._signed_in(api, "jo", "?bot=bank")
            assert api.client.post("/v1/conversations", json={}, headers=jo).json()["bot"] == "bank"
            assert kind(api.client.get("/v1/conversations?bot=shop", headers=jo)) == (404, "unknown")

    def test_who_is_forgotten_is_signed_out(self, api: Serving) -> None:
        jo, database = self._signed_in(api, "jo"), api.service.bots["shop"].journal.database
        begun = api.client.post("/v1/conversations", json={}, headers=jo).json()
        once = jo | {"Idempotency-Key": "k"}
        api.client.post(f"/v1/conversations/{begun['id']}/messages", json={"text": "a"}, headers=once)
        kept = {"conversations": 1, "exchanges": 1, "idempotency": 1, "sessions": 1}
        assert retention.forget(database, "jo", lambda _: None) == kept
        assert kind(api.client.get("/v1/conversations", headers=jo)) == (401, "unauthorized")

    def _token(self, customer: str, **changed: object) -> str:
        now = int(time.time())
        claims = {"sub": customer, "aud": "chatbot", "iat": now, "exp": now + 60, "jti": uuid.uuid4().hex}
        return jwt.encode(claims | {"iat": now - 120} | changed, SECRET, "HS256")

    def _signed_in(self, api: Serving, customer: str, query: str = "") -> dict[str, str]:
        told = api.client.post(f"/v1/customers/session{query}", json={"token": self._token(customer)})
        assert told.status_code == 201, told.text
        return bearer(told.json()["session"])


class TestPairs:
    def test_listed_by_page_and_by_words(self, api: Serving) -> None:
        key = api.key(Scope.READ_PAIRS)
        first = api.client.get("/v1/pairs", params={"limit": 3}, headers=key).json()
        rest = api.client.get("/v1/pairs", params={"limit": 3, "cursor": first["next"]}, headers=key).json()
        assert [one["answer_id"] for one in (*first["items"], *rest["items"])] == ["A1", "A1", "A2", "A2"]
        assert rest["next"] is None
        found = api.client.get("/v1/pairs", params={"words": "PAY"}, headers=key).json()["items"]
        assert [one["question"] for one in found] == ["How do I pay?"]
        only = api.client.get("/v1/pairs", params={"language": "zh"}, headers=key).json()["items"]
        assert [one["answer"] for one in only] == ["刷卡。"]
        assert api.client.get(f"/v1/pairs/{only[0]['id']}", headers=key).json() == only[0]

    def test_a_mistyped_parameter_is_refused_and_filters_not_nothing(self, api: Serving) -> None:
        told = api.client.get("/v1/pairs?langauge=zh", headers=api.key(Scope.READ_PAIRS))
        assert kind(told) == (422, "invalid")
        assert told.json()["detail"].startswith("'langauge' is no parameter of this; it has answer_id, bot, ")

    def test_a_change_is_live_has_a_name_in_the_history_and_a_way_back(self, api: Serving) -> None:
        key = api.key(Scope.READ_PAIRS, Scope.WRITE_PAIRS, Scope.VERSIONS)
        new = {"question": "Do you ship abroad?", "answer_id": "A3", "answer": "Yes.", "language": "en"}
        published = api.client.post("/v1/publish", json={"add": [new], "after": "v1", "why": "asked"}, headers=key)
        assert (published.status_code, published.json()) == (201, {"version": "v2"})
        stale = api.client.post("/v1/publish", json={"add": [new], "after": "v1"}, headers=key)
        assert kind(stale) == (422, "refused")
        (edit, *_) = api.client.get("/v1/edits", headers=key).json()["items"]
        assert (edit["version"], edit["before"], edit["who"], edit["why"]) == ("v2", "v1", "robot", "asked")
        reworded = {"answer": "To the EU.", "language": "en"}
        assert api.client.put("/v1/answers/A3", json=reworded, headers=key).json() == {"version": "v3"}
        texts = api.client.get("/v1/pairs", params={"answer_id": "A3"}, headers=key).json()["items"]
        assert [one["answer"] for one in texts] == ["To the EU."]
        moved = {"question": "Do you ship to Mars?", "answer_id": "A3", "language": "en"}
        assert api.client.put(f"/v1/pairs/{texts[0]['id']}", json=moved, headers=key).json() == {"version": "v4"}
        assert kind(api.client.delete(f"/v1/pairs/{texts[0]['id']}", headers=key)) == (404, "unknown")
        assert api.client.delete("/v1/answers/A3", headers=key).json() == {"version": "v5"}
        assert kind(api.client.delete("/v1/answers/A3", headers=key)) == (404, "unknown")
        back = api.client.post("/v1/versions/v4/rollback", json={}, headers=key)
        assert back.json() == {"version": "v4"}
        listed = api.client.get("/v1/versions", headers=key).json()["items"]
        assert [(one["version"], one["in_use"]) for one in listed][3:] == [("v4", True), ("v5", False)]
        assert kind(api.client.post("/v1/versions/v9/rollback", json={}, headers=key)) == (404, "unknown")

    def test_what_is_live_but_has_no_record_is_not_to_be_sent_again(self, api: Serving) -> None:
        key = api.key(Scope.READ_PAIRS, Scope.WRITE_PAIRS)
        with api.service.bots["shop"].journal.database.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE edits")
        reworded = api.client.put("/v1/answers/A2", json={"answer": "By cheque.", "language": "en"}, headers=key)
        assert kind(reworded) == (500, "unrecorded") and "Do not send it again" in reworded.json()["detail"]
        assert "retry-after" not in reworded.headers
        live = api.client.get("/v1/pairs", params={"answer_id": "A2"}, headers=key).json()["items"]
        assert "By cheque." in [one["answer"] for one in live]

    def test_a_publication_is_whole_or_not_at_all(self, api: Serving) -> None:
        key = api.key(Scope.READ_PAIRS, Scope.WRITE_PAIRS)
        good = {"question": "Do you ship abroad?", "answer_id": "A3", "answer": "Yes.", "language": "en"}
        bad = {"question": "Et alors ?", "answer_id": "A3", "answer": "Oui.", "language": "fr"}
        assert kind(api.client.post("/v1/publish", json={"add": [good, bad]}, headers=key)) == (422, "refused")
        assert kind(api.client.post("/v1/publish", json={"add": [good], "retire": ["x"]}, headers=key))[0] == 404
        assert kind(api.client.post("/v1/publish", json={}, headers=key)) == (422, "refused")
        assert len(api.client.get("/v1/pairs", headers=key).json()["items"]) == 4

    @pytest.mark.parametrize("form", ["csv", "xlsx"])
    def test_an_export_is_what_the_import_takes(self, api: Serving, form: str) -> None:
        key = api.key(Scope.READ_PAIRS, Scope.WRITE_PAIRS)
        file = api.client.get("/v1/pairs/export", params={"format": form}, headers=key)
        assert file.headers["content-disposition"] == f'attachment; filename="shop-v1.{form}"'
        headers = key | {"Content-Type": file.headers["content-type"]}
        same = api.client.post("/v1/pairs/import?replace=true", content=file.content, headers=headers)
        assert same.json() == {"version": "v1", "published": False, "counts": {}, "bad_rows": []}

    def test_an_import_tells_first_then_publishes(self, api: Serving) -> None:
        key = api.key(Scope.READ_PAIRS, Scope.WRITE_PAIRS)
        file = b"question,answer,answer_id\nDo you gift-wrap?,Yes.,A4\n,Yes.,A4\n"
        headers = key | {"Content-Type": "Text/CSV; charset=utf-8"}
        tried = api.client.post("/v1/pairs/import?dry_run=true", content=file, headers=headers).json()
        assert (tried["version"], tried["published"]) == ("v1", False)
        assert (tried["counts"]["en"]["answers_added"], len(tried["bad_rows"])) == (1, 1)
        assert "row 3" in tried["bad_rows"][0]
        done = api.client.post("/v1/pairs/import", content=file, headers=headers).json()
        assert (done["version"], done["published"]) == ("v2", True)
        assert kind(api.client.post("/v1/pairs/import", content=b"x", headers=headers)) == (422, "refused")
        other = key | {"Content-Type": "image/png"}
        assert kind(api.client.post("/v1/pairs/import", content=b"x", headers=other))[0] == 415

    def test_questions_come_in_without_personal_data(self, api: Serving) -> None:
        key = api.key(Scope.READ_PAIRS, Scope.WRITE_PAIRS)
        file = b"question,answer,answer_id\nI am jo@example.org and want out,Done.,A4\n"
        api.client.post("/v1/pairs/import", content=file, headers=key | {"Content-Type": "text/csv"})
        new = {"question": "write to jo@example.org", "answer_id": "A4", "language": "en"}
        api.client.post("/v1/publish", json={"add": [new]}, headers=key)
        kept = api.client.get("/v1/pairs", params={"answer_id": "A4"}, headers=key).json()["items"]
        assert {one["question"] for one in kept} == {"I am [✉] and want out", "write to [✉]"}

    def test_a_workbook_that_is_none_is_refused(self, api: Serving) -> None:
        workbook = io.BytesIO()
        openpyxl.Workbook().save(workbook)
        kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        headers = api.key(Scope.WRITE_PAIRS) | {"Content-Type": kinds}
        for data in (b"PK\x03\x04", workbook.getvalue()):
            assert kind(api.client.post("/v1/pairs/import", content=data, headers=headers)) == (422, "refused")


class TestSearch:
    def test_candidates_come_with_their_scores(self, api: Serving) -> None:
        found = api.client.post("/v1/search", json={"question": "a b"}, headers=api.key(Scope.SEARCH)).json()
        assert (found["action"], found["confidence"], found["version"]) == ("answer", 0.95, "v1")
        (candidate,) = found["candidates"]
        assert (candidate["similarity"], candidate["relevance"], candidate["answer_id"]) == (0.875, 2.5, "A1")

    def test_a_batch_is_answered_in_order(self, api: Serving) -> None:
        asked = {"questions": ["a b", "maybe this", "a person"]}
        found = api.client.post("/v1/answers", json=asked, headers=api.key(Scope.SEARCH)).json()
        assert [one["action"] for one in found] == ["answer", "clarify", "hand_over"]

    def test_held_out_dialogues_are_measured(self, api: Serving) -> None:
        key = api.key(Scope.EVALUATE)
        turns = [
            {"role": "user", "text": "a b", "expected": ["A1"]},
            {"role": "agent", "text": "In three days."},
            {"role": "user", "text": "c d", "expected": ["A2"]},
        ]
        dialogue = {"id": "1", "language": "en", "turns": turns}
        found = api.client.post("/v1/evaluate", json={"dialogues": [dialogue]}, headers=key).json()
        assert (found["turns"], found["version"], found["metrics"]["raw_accuracy"]) == (2, "v1", 0.5)
        nothing = {"id": "1", "language": "en", "turns": turns[1:2]}
        assert kind(api.client.post("/v1/evaluate", json={"dialogues": [nothing]}, headers=key))[0] == 422


class TestOnce:
    """`Idempotency-Key`."""

    def test_a_message_that_is_sent_twice_is_answered_once(self, api: Serving) -> None:
        talk, token = api.begin()
        headers = token | {"Idempotency-Key": "k1"}
        first = api.client.post(f"{talk}/messages", json={"text": "Where is it?"}, headers=headers)
        second = api.client.post(f"{talk}/messages", json={"text": "Where is it?"}, headers=headers)
        assert (second.status_code, second.json()) == (201, first.json())
        assert (second.headers["idempotent-replayed"], "idempotent-replayed" in first.headers) == ("true", False)
        assert len(api.client.get(f"{talk}/messages", headers=token).json()["items"]) == 2
        other = api.client.post(f"{talk}/messages", json={"text": "another"}, headers=headers)
        assert kind(other) == (422, "key-reused")

    @pytest.mark.parametrize("stream", [False, True])
    def test_whoever_has_the_whole_answer_gets_it_again_whatever_happens_next(
        self, tmp_path: Path, stream: bool
    ) -> None:
        """The process may die between any two parts that it sends."""
        with serving(tmp_path) as api:
            talk, token = api.begin()
            seen: list[tuple[bytes, int | None]] = []

            async def watched(scope: Scope_, receive: Receive, send: Send) -> None:
                async def looked(message: Message) -> None:
                    with api.service.bots["shop"].journal.database.work("read") as connection:
                        status = connection.execute(sql.text("SELECT status FROM idempotency")).scalar()
                    seen.append((message.get("body", b""), status))
                    await send(message)

                await api.app(scope, receive, looked)

            asked = {"text": "Where is it?", "stream": stream}
            with TestClient(watched) as client:
                client.post(f"{talk}/messages", json=asked, headers=token | {"Idempotency-Key": "k1"})
            assert [status for body, status in seen if b'"exchange"' in body] == [201]

    def test_a_key_that_was_revoked_meanwhile_is_told_nothing_again(self, api: Serving) -> None:
        key = api.key(Scope.WRITE_PAIRS)
        headers = key | {"Idempotency-Key": "k"}
        reworded = {"answer": "In four days.", "language": "en"}
        assert api.client.put("/v1/answers/A1", json=reworded, headers=headers).status_code == 200
        (made,) = [one for one in api.service.accounts.all_keys() if Scope.WRITE_PAIRS in one.scopes]
        api.service.accounts.revoke_key(made.id)
        again = api.client.put("/v1/answers/A1", json=reworded, headers=headers)
        assert kind(again) == (401, "unauthorized")

    def test_a_query_is_part_of_the_request(self, api: Serving) -> None:
        headers = api.key(Scope.WRITE_PAIRS) | {"Idempotency-Key": "k"}
        assert api.client.delete("/v1/answers/A2?language=en", headers=headers).status_code == 200
        other = api.client.delete("/v1/answers/A2?language=zh", headers=headers)
        assert kind(other) == (422, "key-reused")

    def test_a_completion_with_a_token_is_not_kept(self, api: Serving) -> None:
        headers = api.key(Scope.CHAT) | {"Idempotency-Key": "k"}
        asked = {"model": "shop", "messages": [{"role": "user", "content": "a"}]}
        told = [api.client.post("/v1/chat/completions", json=asked, headers=headers) for _ in range(2)]
        assert [one.headers["cache-control"] for one in told] == ["no-store"] * 2
        assert told[0].json()["chatbot"]["token"] != told[1].json()["chatbot"]["token"]

    def test_a_stream_is_told_again_by_its_last_event(self, api: Serving) -> None:
        talk, token = api.begin()
        headers = token | {"Idempotency-Key": "k1"}
        asked = {"text": "Where is it?", "stream": True}
        first = api.client.post(f"{talk}/messages", json=asked, headers=headers)
        second = api.client.post(f"{talk}/messages", json=asked, headers=headers)
        assert events(second) == events(first)[-1:]

    def test_a_refusal_to_hurry_is_not_remembered_and_a_secret_neither(self, api: Serving) -> None:
        talk, token = api.begin()
        headers = token | {"Idempotency-Key": "k1"}
        assert api.client.post(f"{talk}/messages", json={"text": "boom"}, headers=headers).status_code == 500
        begun = [api.client.post("/v1/conversations", json={}, headers={"Idempotency-Key": "k"}) for _ in "12"]
        assert begun[0].json()["token"] != begun[1].json()["token"]
        again = api.client.post(f"{talk}/messages", json={"text": "boom"}, headers=headers)
        assert "idempotent-replayed" not in again.headers

    def test_another_callers_key_is_another_key(self, api: Serving) -> None:
        talk, token = api.begin()
        api.client.post(f"{talk}/hand-over", json={}, headers=token)
        path = talk.replace("conversations", "hand-overs")
        told = [
            api.client.post(f"{path}/claim", headers=api.key(Scope.DESK, name=name) | {"Idempotency-Key": "k"})
            for name in ("Anna", "Ben")
        ]
        assert [one.status_code for one in told] == [200, 409]

    def test_who_is_refused_may_send_it_again(self, api: Serving) -> None:
        talk, token = api.begin()
        headers = token | {"Idempotency-Key": "k"}
        for asked, status in (({"text": ""}, 422), ({"text": "a"}, 201)):
            assert api.client.post(f"{talk}/messages", json=asked, headers=headers).status_code == status
        nowhere = "/v1/conversations/0123456789abcdef0123456789abcdef/messages"
        headers = token | {"Idempotency-Key": "another"}
        for _ in range(2):
            assert kind(api.client.post(nowhere, json={"text": "a"}, headers=headers)) == (404, "unknown")

    def test_who_leaves_a_stream_and_comes_again_said_it_once(self, api: Serving) -> None:
        talk, token = api.begin()
        headers = token | {"Idempotency-Key": "k", "Content-Type": "application/json"}
        body = b'{"text": "Where is it?", "stream": true}'
        request = {"type": "http.request", "body": body, "more_body": False}
        scope = {
            **{"type": "http", "method": "POST", "path": f"{talk}/messages", "query_string": b""},
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
        coming = iter([request])

        async def receive() -> Any:
            return next(coming, {"type": "http.disconnect"})

        async def send(_: Any) -> None:
            return None

        anyio.run(api.app, scope, receive, send)
        again = api.client.post(f"{talk}/messages", content=body, headers=headers)
        assert [name for name, _ in events(again)] == ["message"]
        assert len(api.client.get(f"{talk}/messages", headers=token).json()["items"]) == 2

    def test_it_is_kept_beside_the_conversation_and_deleted_with_it(self, tmp_path: Path) -> None:
        with serving(tmp_path, ("shop", "bank")) as api:
            begun = api.client.post("/v1/conversations?bot=bank", json={}).json()
            headers = bearer(begun["token"]) | {"Idempotency-Key": "k"}
            path, asked = f"/v1/conversations/{begun['id']}/messages?bot=bank", {"text": "a"}
            first, second = (api.client.post(path, json=asked, headers=headers) for _ in "12")
            assert (second.status_code, second.json()) == (201, first.json())
            bank = api.service.bots["bank"].journal.database
            note = noted("Lee", Deed.CONVERSATIONS_DELETED)
            gone = retention.delete(bank, retention.of_conversation(begun["id"]), note)
            assert gone == {"conversations": 1, "exchanges": 1, "idempotency": 1}
            assert retention.holdings(bank).rows["idempotency"] == 0

    def test_so_is_that_of_a_client_of_openais(self, tmp_path: Path) -> None:
        with serving(tmp_path, ("shop", "bank")) as api:
            begun = api.client.post("/v1/conversations?bot=bank", json={}).json()
            asked = {
                "model": "bank",
                "messages": [{"role": "user", "content": "a"}],
                "metadata": {"conversation": begun["id"], "token": begun["token"]},
            }
            headers = {"Idempotency-Key": "k"}
            first, second = (api.client.post("/v1/chat/completions", json=asked, headers=headers) for _ in "12")
            assert (second.status_code, second.json()) == (200, first.json())
            bank = api.service.bots["bank"].journal.database
            gone = retention.delete(
                bank, retention.of_conversation(begun["id"]), noted("Lee", Deed.CONVERSATIONS_DELETED)
            )
            assert gone["idempotency"] == 1
            for bot in api.service.bots.values():
                assert retention.holdings(bot.journal.database).rows["idempotency"] == 0

    def test_whoever_has_no_right_or_asks_too_often_costs_no_write(self, tmp_path: Path) -> None:
        with serving(tmp_path, limits=Limits(requests="1/minute")) as api:
            database, written = api.service.bots["shop"].journal.database, list[str]()
            sql.event.listen(
                database.engine, "before_cursor_execute", lambda *told: written.append(told[2].split()[0])
            )
            headers = {"Idempotency-Key": "k", "Authorization": "Bearer ck_nobody's"}
            assert kind(api.client.post("/v1/publish", json={}, headers=headers)) == (401, "unauthorized")
            assert api.client.get("/v1/models").status_code == 200
            del headers["Authorization"]
            told = api.client.post("/v1/conversations", json={}, headers=headers)
            assert kind(told) == (429, "too-many") and int(told.headers["retry-after"]) > 0
            assert not {"INSERT", "UPDATE", "DELETE"} & {*written}
            key = api.key(Scope.CHAT) | {"Idempotency-Key": "k"}
            written.clear()
            assert api.client.post("/v1/conversations", json={}, headers=key).status_code == 201
            assert written.count("INSERT") >= 2  # of the replay, and of the conversation

    def test_personal_data_is_remembered_by_its_placeholder(self, api: Serving) -> None:
        talk, token = api.begin()
        agent = api.key(Scope.DESK)
        api.client.post(f"{talk}/hand-over", json={}, headers=token)
        path = talk.replace("conversations", "hand-overs")
        api.client.post(f"{path}/claim", headers=agent)
        headers, asked = agent | {"Idempotency-Key": "k"}, {"text": "Is it jo@example.org?"}
        first = api.client.post(f"{path}/messages", json=asked, headers=headers).json()["text"]
        second = api.client.post(f"{path}/messages", json=asked, headers=headers).json()["text"]
        assert first == "Is it jo@example.org?" and second.startswith("Is it [✉")

    def test_two_at_once_are_one(self, tmp_path: Path) -> None:
        with serving(tmp_path) as api:
            live = api.service.bots["shop"].live
            assert isinstance(live, TalkingBot)
            began, go_on = threading.Event(), threading.Event()

            def slow(conversation: Conversation, text: str) -> Reply:
                began.set()
                go_on.wait(10)
                return TalkingBot.reply(live, conversation, text)

            live.reply = slow  # type: ignore[method-assign]
            talk, token = api.begin()
            headers = token | {"Idempotency-Key": "k"}
            asked = {"url": f"{talk}/messages", "json": {"text": "a"}, "headers": headers}
            with ThreadPoolExecutor(1) as beside:
                first = beside.submit(lambda: api.client.post(**asked))  # type: ignore[arg-type]
                began.wait(10)
                assert kind(api.client.post(**asked)) == (409, "under-way")  # type: ignore[arg-type]
                go_on.set()
                assert first.result().status_code == 201


class TestLimits:
    def test_what_was_counted_before_the_clock_was_set_back_does_not_count_for_a_day(self) -> None:
        times = iter([1e6, 1e6, 1e6 + 1, 1e6 + 2, 1e6 - 86_400, 1e6 - 86_399, 1e6 - 86_398])
        meter = Meter(Limits(messages="2/minute"), lambda: next(times))
        for _ in "12":
            meter.count("messages", "one")
        with pytest.raises(Busy):
            meter.count("messages", "one")
        for _ in "12":
            meter.count("messages", "one")
        with pytest.raises(Busy):
            meter.count("messages", "one")

    def test_more_than_wait_are_refused_at_once(self, tmp_path: Path) -> None:
        with serving(tmp_path, limits=Limits(workers=1, waiting=1)) as api:
            live = api.service.bots["shop"].live
            assert isinstance(live, TalkingBot)
            began, go_on = threading.Semaphore(0), threading.Event()

            def slow(conversation: Conversation, text: str) -> Reply:
                began.release()
                go_on.wait(10)
                return TalkingBot.reply(live, conversation, text)

            live.reply = slow  # type: ignore[method-assign]
            talks = [api.begin() for _ in range(3)]

            def ask(talk: str, token: dict[str, str]) -> Response:
                return api.client.post(f"{talk}/messages", json={"text": "a"}, headers=token)

            with ThreadPoolExecutor(2) as beside:
                first = beside.submit(ask, *talks[0])
                began.acquire()
                second = beside.submit(ask, *talks[1])
                while api.service.admission.depth < 1:
                    time.sleep(0.005)
                start = time.perf_counter()
                third = ask(*talks[2])
                assert time.perf_counter() - start < 1
                assert kind(third) == (429, "too-many") and int(third.headers["retry-after"]) >= 1
                go_on.set()
                assert [one.result().status_code for one in (first, second)] == [201, 201]
            assert ask(*talks[2]).status_code == 201

    def test_who_waits_too_long_is_told_so(self, tmp_path: Path) -> None:
        with serving(tmp_path, limits=Limits(workers=1, waiting=1, patience=0.1)) as api:
            live = api.service.bots["shop"].live
            assert isinstance(live, TalkingBot)
            go_on, began = threading.Event(), threading.Event()

            def slow(conversation: Conversation, text: str) -> Reply:
                began.set()
                go_on.wait(10)
                return TalkingBot.reply(live, conversation, text)

            live.reply = slow  # type: ignore[method-assign]
            (one, first), (other, second) = api.begin(), api.begin()
            with ThreadPoolExecutor(1) as beside:
                done = beside.submit(lambda: api.client.post(f"{one}/messages", json={"text": "a"}, headers=first))
                began.wait(10)
                late = api.client.post(f"{other}/messages", json={"text": "a"}, headers=second)
                assert kind(late) == (429, "too-many")
                go_on.set()
                assert done.result().status_code == 201

    def test_one_message_of_a_conversation_at_a_time(self, api: Serving) -> None:
        talk, token = api.begin()
        with api.service.turns.of(talk.rpartition("/")[2]):
            second = api.client.post(f"{talk}/messages", json={"text": "a"}, headers=token)
        assert (kind(second), second.headers["retry-after"]) == ((429, "too-many"), "1")
        assert api.client.post(f"{talk}/messages", json={"text": "a"}, headers=token).status_code == 201

    def test_what_is_asked_and_who_signs_in_have_rates_too(self, tmp_path: Path) -> None:
        with serving(tmp_path, limits=Limits(requests="3/minute", sign_ins="1/minute")) as api:
            signed_in = [api.client.post("/v1/customers/session", json={"token": "a"}) for _ in "12"]
            assert [one.status_code for one in signed_in] == [401, 429]
            assert [api.client.get("/v1/version").status_code for _ in "12"] == [200, 429]

    def test_each_caller_has_a_rate(self, tmp_path: Path) -> None:
        with serving(tmp_path, limits=Limits(messages="2/minute", conversations="3/hour")) as api:
            talk, token = api.begin()
            said = [api.client.post(f"{talk}/messages", json={"text": "a"}, headers=token) for _ in range(3)]
            assert [one.status_code for one in said] == [201, 201, 429]
            assert 0 < int(said[-1].headers["retry-after"]) <= 60
            begun = [api.client.post("/v1/conversations", json={}).status_code for _ in range(3)]
            assert begun == [201, 201, 429]
            robot = api.client.post("/v1/conversations", json={}, headers=api.key(Scope.CHAT))
            assert robot.status_code == 201

    def test_a_store_that_cannot_be_reached_is_told_and_not_passed_over(self, tmp_path: Path) -> None:
        with serving(tmp_path) as api:
            object.__setattr__(api.service, "meter", Meter(Limits(counts=f"redis://127.0.0.1:{free_port()}")))
            assert kind(api.client.post("/v1/conversations", json={})) == (503, "unavailable")

    def test_completions_are_messages_too(self, tmp_path: Path) -> None:
        with serving(tmp_path, limits=Limits(messages="1/minute")) as api:
            key = api.key(Scope.CHAT)
            asked = {"model": "shop", "messages": [{"role": "user", "content": "a"}]}
            told = [api.client.post("/v1/chat/completions", json=asked, headers=key) for _ in range(2)]
            assert [one.status_code for one in told] == [200, 429]

    def test_a_body_may_be_so_large_and_no_larger(self, tmp_path: Path) -> None:
        with serving(tmp_path, limits=Limits(body=1000, upload=3000)) as api:
            talk, token = api.begin()
            large = {"text": "a" * 990}
            assert kind(api.client.post(f"{talk}/messages", json=large, headers=token)) == (413, "too-large")

            def pieces() -> Iterator[bytes]:
                yield from [b"a" * 500] * 3

            unstated = api.client.post(f"{talk}/messages", content=pieces(), headers=token)
            assert kind(unstated) == (413, "too-large")
            headers = api.key(Scope.WRITE_PAIRS) | {"Content-Type": "text/csv"}
            assert kind(api.client.post("/v1/pairs/import", content=b"a" * 2000, headers=headers))[0] == 422
            assert kind(api.client.post("/v1/pairs/import", content=b"a" * 4000, headers=headers))[0] == 413

    def test_a_body_that_drips_is_slow_too(self, tmp_path: Path) -> None:
        with serving(tmp_path, limits=Limits(slowest=0.2)) as api, listening(api.app) as address:
            host, port = address.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port)), timeout=10) as there:
                there.sendall(
                    b"POST /v1/conversations HTTP/1.1\r\nHost: a\r\n"
                    b"Content-Type: application/json\r\nContent-Length: 9999\r\n\r\n"
                )
                there.setblocking(False)
                start, told = time.monotonic(), b""
                while not told and time.monotonic() - start < 5:
                    there.send(b" ")
                    time.sleep(0.05)
                    with suppress(BlockingIOError):
                        told = there.recv(100)
                assert told.startswith(b"HTTP/1.1 408 ")


class TestOperations:
    def test_what_is_not_there_is_told_as_everywhere_beside_the_pages_too(self, api: Serving) -> None:
        whole, _ = stack(api.service, Offer())
        with TestClient(whole, base_url="http://127.0.0.1") as client:
            assert kind(client.get("/v1/nothing")) == (404, "not-found")
            wrong = client.put("/v1/conversations", json={})
            assert (kind(wrong), wrong.headers["allow"]) == ((405, "method-not-allowed"), "POST")
            assert client.head("/health/live").status_code == client.head("/health/ready").status_code == 200
            assert client.get("/").headers["content-type"] == "text/html; charset=utf-8"
            assert client.get("/health/live", headers={"Host": "other.example"}).status_code == 400

    def test_alive_ready_and_about_to_end(self, api: Serving) -> None:
        assert api.client.get("/health/live").json() == {"status": "ok"}
        assert api.client.get("/health/ready").json() == {"status": "ok"}
        api.service.draining.set()
        assert kind(api.client.get("/health/ready")) == (503, "draining")
        assert api.client.get("/health/live").status_code == 200

    def test_the_version_of_each_bot_is_told(self, api: Serving) -> None:
        assert api.client.get("/v1/version").json()["bots"] == {"shop": "v1"}

    def test_metrics_are_told_to_a_key_that_may_read_them(self, api: Serving) -> None:
        told = api.client.get("/metrics", headers=api.key(Scope.METRICS))
        assert told.status_code == 200 and "# TYPE chatbot_queue_depth gauge" in told.text


def test_a_page_goes_on_after_the_last_item_seen_whatever_came_or_went() -> None:
    def listed(numbers: list[int], cursor: str | None) -> Page[int]:
        return page(numbers, lambda one: (one,), cursor, 2, lambda one: one)

    first = listed([1, 3, 5, 7], None)
    assert first.items == [1, 3]
    assert listed([0, 1, 4, 5, 7], first.next).items == [4, 5]
    assert listed([1, 3], first.next) == Page(items=[], next=None)
