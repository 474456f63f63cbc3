"""The API against its own document: schemathesis makes requests, good and bad, and judges every answer.

No answer may be a 5xx, have a status or a body that the document does not have, take what the document forbids, or
let in who shows nothing. `CASES` in all at least, half of them wrong. (That everything which the document allows
is accepted is not asked: it cannot say that an id must exist, or a cursor be one that was given out.)
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import booleans
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance

from chatbot.access import Scope
from chatbot.serve.limits import Limits
from tests.serving import PAIRS, Serving, serving

CASES = 2000


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    often = "1000000/second"
    limits = Limits(requests=often, messages=often, conversations=often, sign_ins=often, body=2**30)
    with serving(tmp_path_factory.mktemp("api"), limits=limits) as served:
        yield served


@pytest.fixture(scope="module")
def document(api: Serving) -> BaseSchema:
    return schemathesis.openapi.from_asgi("/v1/openapi.json", api.app)


def test_every_answer_is_one_that_the_document_has(api: Serving, document: BaseSchema) -> None:
    key, asked, answered = api.key(*Scope), Counter[str](), Counter[int]()
    operations = [found.ok() for found in document.get_all_operations() if isinstance(found, Ok)]
    examples = -(-CASES // (len(GenerationMode) * sum(not one.path.startswith("/health") for one in operations)))
    talk, _ = api.begin()
    there = {"conversation": talk.rpartition("/")[2], "pair": PAIRS[0].id, "answer_id": "A1", "version": "v1"}

    def ask(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode) -> None:
        @given(operation.as_strategy(generation_mode=mode), booleans())
        @settings(max_examples=examples, suppress_health_check=list(HealthCheck), derandomize=True)
        def answers(case: Case[Any], exists: bool) -> None:
            asked[case.operation.label] += 1
            if mode is GenerationMode.POSITIVE and exists:
                case.path_parameters |= {name: there[name] for name in case.path_parameters if name in there}
            told = case.call_and_validate(headers=key, excluded_checks=[positive_data_acceptance])
            answered[told.status_code] += 1

        with suppress(Unsatisfiable):  # nothing can be wrong with a request that has nothing in it
            answers()

    for operation, mode in product(operations, GenerationMode):
        ask(operation, mode)
    assert set(asked) == {operation.label for operation in operations}
    assert asked.total() >= CASES
    assert {200, 201, 401, 404, 409, 422} <= set(answered), answered
