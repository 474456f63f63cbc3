"""The endpoint for clients of OpenAI's, with their own client, over a real socket."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest

from chatbot.access import Scope
from tests.serving import Serving, listening, serving


@dataclass
class Shop:
    api: Serving
    client: openai.OpenAI
    address: str


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with serving(tmp_path, ("shop", "bank")) as api, listening(api.app) as address:
        key = api.key(Scope.CHAT)["Authorization"].removeprefix("Bearer ")
        yield Shop(api, openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0), address)


def test_the_models_are_the_bots(shop: Shop) -> None:
    assert [model.id for model in shop.client.models.list()] == ["shop", "bank"]
    assert shop.client.models.retrieve("bank").id == "bank"
    with pytest.raises(openai.NotFoundError):
        shop.client.models.retrieve("gpt-9")


def test_the_last_message_is_answered_and_kept(shop: Shop) -> None:
    done = shop.client.chat.completions.create(
        model="bank",
        messages=[
            {"role": "system", "content": "You are a pirate."},
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": "Hello!"},
            {"role": "user", "content": [{"type": "text", "text": "Where is it?"}]},
        ],
        temperature=1.5,
    )
    assert done.choices[0].message.content == "You asked: 3 words."
    assert (done.choices[0].finish_reason, done.model, done.object) == ("stop", "bank", "chat.completion")
    beside = (done.model_extra or {})["chatbot"]
    assert (beside["message"]["action"], beside["message"]["version"]) == ("answer", "v1")
    (kept,) = shop.api.service.bots["bank"].talks.exchanges(beside["conversation"])
    assert (kept.text, kept.reply is not None and kept.reply.text) == ("Where is it?", "You asked: 3 words.")


def test_a_stream_ends_with_what_the_whole_says(shop: Shop) -> None:
    stream = shop.client.chat.completions.create(
        model="shop", messages=[{"role": "user", "content": "one two three four"}], stream=True
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "You asked: 4 words."
    assert (chunks[0].choices[0].delta.role, chunks[-1].choices[0].finish_reason) == ("assistant", "stop")
    assert (chunks[-1].model_extra or {})["chatbot"]["message"]["text"] == "You asked: 4 words."


def test_a_conversation_goes_on_and_an_agent_may_take_it(shop: Shop) -> None:
    def say(text: str, **metadata: str) -> openai.types.chat.ChatCompletion:
        return shop.client.chat.completions.create(
            model="shop", messages=[{"role": "user", "content": text}], metadata=metadata
        )

    first = (say("a person please").model_extra or {})["chatbot"]
    named = {"conversation": first["conversation"], "token": first["token"]}
    bot = shop.api.service.bots["shop"]
    bot.desk.claim(first["conversation"], "Anna")
    quiet = say("are you there?", **named)
    assert quiet.choices[0].message.content == ""
    assert [one.text for one in bot.desk.messages(first["conversation"])] == ["are you there?"]
    with pytest.raises(openai.NotFoundError):
        say("let me in", conversation=first["conversation"], token="ct_guessed")


def test_a_key_of_the_second_bot_alone_does(shop: Shop) -> None:
    key = shop.api.key(Scope.CHAT, bot="bank")["Authorization"].removeprefix("Bearer ")
    client = openai.OpenAI(base_url=f"{shop.address}/v1", api_key=key, max_retries=0)
    assert [model.id for model in client.models.list()] == ["bank"]
    done = client.chat.completions.create(model="bank", messages=[{"role": "user", "content": "a b"}])
    assert (done.model, done.choices[0].message.content) == ("bank", "You asked: 2 words.")


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([{"role": "assistant", "content": "Hello!"}], openai.UnprocessableEntityError),
        ([{"role": "user", "content": ""}], openai.UnprocessableEntityError),
        ([{"role": "user", "content": [{"type": "image_url"}]}], openai.UnprocessableEntityError),
        ([], openai.UnprocessableEntityError),
        ([{"role": "user", "content": "boom"}], openai.InternalServerError),
    ],
)
def test_what_cannot_be_answered_is_an_error_that_the_client_knows(
    shop: Shop, messages: list[openai.types.chat.ChatCompletionMessageParam], error: type[openai.APIStatusError]
) -> None:
    with pytest.raises(error):
        shop.client.chat.completions.create(model="shop", messages=messages)


def test_a_key_is_asked_for_its_scope_and_its_bots(shop: Shop) -> None:
    asked = {"model": "bank", "messages": [{"role": "user", "content": "a"}]}
    for key, error in (
        (shop.api.key(Scope.CHAT, bot="shop"), openai.NotFoundError),
        (shop.api.key(Scope.SEARCH), openai.PermissionDeniedError),
        ({"Authorization": "Bearer ck_0_wrong"}, openai.AuthenticationError),
    ):
        client = openai.OpenAI(
            base_url=f"{shop.address}/v1", api_key=key["Authorization"].removeprefix("Bearer "), max_retries=0
        )
        with pytest.raises(error):
            client.chat.completions.create(**asked)  # type: ignore[call-overload]
