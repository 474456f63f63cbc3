"""What the bot knows: listed, changed, imported and exported. A change is live with the next message.

Every change goes through the bot's `Editor`, in the caller's name, so that it stands in the history and can be
undone, like those that people make on the pages.
"""

from collections.abc import Sequence
from pathlib import Path as File
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status
from fastapi.concurrency import run_in_threadpool

from chatbot.access import Scope
from chatbot.corpus import exported, pairs_of
from chatbot.domain import QAPair
from chatbot.errors import CorpusError, UserError
from chatbot.insight.changes import Plan, compare, merged
from chatbot.insight.changes import Scope as Reach
from chatbot.insight.revise import PROVENANCE, retire_answer, reword
from chatbot.privacy import without_personal_data
from chatbot.serve.cursor import Limit, Page, Start, page
from chatbot.serve.door import At, needs
from chatbot.serve.problems import Problem, unknown
from chatbot.serve.wire import Compared, Language, Live, Name, NewPair, Note, Pair, Publish, Reword
from chatbot.tabular import read_table, write_table
from chatbot.text import clean

router = APIRouter(tags=["pairs"])
Reading = Annotated[At, Depends(needs(Scope.READ_PAIRS))]
Writing = Annotated[At, Depends(needs(Scope.WRITE_PAIRS))]
Id = Annotated[str, Path(max_length=200)]
Of = Annotated[Language | None, Query(description="One language; all of them where none is named.")]
Why = Annotated[Note, Query(description="For the history.")]
FILES = {"csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
FILE = {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in FILES.values()}}


@router.get("/pairs")
def listed(
    at: Reading,
    language: Of = None,
    answer_id: Annotated[Name | None, Query(description="Pairs of one answer.")] = None,
    words: Annotated[str, Query(max_length=500, description="That question or answer must hold.")] = "",
    limit: Limit = 50,
    cursor: Start = None,
) -> Page[Pair]:
    """What is live, by language, answer and id."""
    wanted = clean(words).casefold().split()
    found = [
        pair
        for pair in at.bot.editor.stock.pairs
        if language in (None, pair.language)
        and answer_id in (None, pair.answer_id)
        and all(word in f"{pair.question}\n{pair.answer}".casefold() for word in wanted)
    ]
    return page(sorted(found, key=_key), _key, cursor, limit, Pair.of)


@router.get("/pairs/export", response_class=Response, responses={200: FILE})
def export(
    at: Reading,
    format: Annotated[Literal["csv", "xlsx"], Query(description="Of the file.")] = "csv",
) -> Response:
    """All that is live, as a file that the import takes back."""
    with TemporaryDirectory() as folder:
        file = File(folder) / f"pairs.{format}"
        write_table(file, *exported(at.bot.editor.stock.pairs))
        data = file.read_bytes()
    name = f'attachment; filename="{at.bot.name}-{at.bot.live.version}.{format}"'
    return Response(data, media_type=FILES[format], headers={"Content-Disposition": name})


@router.post("/pairs/import", openapi_extra={"requestBody": {"required": True, **FILE}})
async def take_in(
    request: Request,
    at: Writing,
    replace: Annotated[bool, Query(description="Whether what the file lacks is retired.")] = False,
    dry_run: Annotated[bool, Query(description="Only say what would change.")] = False,
    why: Why = "",
) -> Compared:
    """Publish a file of pairs, the body as it is: text/csv (columns question, answer, and answer_id, language,
    source or any other), application/jsonl, or an xlsx. Bad rows are told, and the others taken."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    suffix = next((suffix for suffix, named in _KINDS.items() if kind == named), None)
    if suffix is None:
        known = ", ".join(_KINDS.values())
        raise Problem(415, "unsupported-media-type", f"Content-Type {kind!r}: let it be one of {known}.")
    data, reach = await request.body(), Reach.REPLACE if replace else Reach.UPDATE
    return await run_in_threadpool(_compared, at, data, suffix, reach, dry_run, why)


@router.post("/publish", status_code=status.HTTP_201_CREATED)
def publish(at: Writing, asked: Publish) -> Live:
    """Retire and add pairs: all of it or nothing, as one version."""
    return _publish(at, _plan(at, asked), asked.why, asked.after)


@router.get("/pairs/{pair}")
def one(at: Reading, pair: Id) -> Pair:
    return Pair.of(_one(at, pair))


@router.put("/pairs/{pair}")
def change(at: Writing, pair: Id, asked: NewPair, why: Why = "") -> Live:
    """Put another pair into the place of one, as one version."""
    return _publish(at, _plan(at, Publish(add=[asked], retire=[pair])), why)


@router.delete("/pairs/{pair}")
def retire(at: Writing, pair: Id, why: Why = "") -> Live:
    return _publish(at, Plan(removed=(_one(at, pair),)), why)


@router.put("/answers/{answer_id}")
def say_otherwise(at: Writing, answer_id: Id, asked: Reword) -> Live:
    """Another text for an answer; its questions stay."""
    _known(at, answer_id, asked.language)
    plan = reword(at.bot.editor.stock.pairs, answer_id, asked.answer, asked.language)
    return _publish(at, plan, asked.why)


@router.delete("/answers/{answer_id}")
def retire_all(at: Writing, answer_id: Id, language: Of = None, why: Why = "") -> Live:
    """An answer goes with all its questions."""
    _known(at, answer_id, language)
    return _publish(at, retire_answer(at.bot.editor.stock.pairs, answer_id, language), why)


_KINDS = {".csv": FILES["csv"], ".jsonl": "application/jsonl", ".xlsx": FILES["xlsx"]}


def _key(pair: QAPair) -> tuple[str, str, str]:
    return pair.language, pair.answer_id, pair.id


def _one(at: At, id: str) -> QAPair:
    found = next((pair for pair in at.bot.editor.stock.pairs if pair.id == id), None)
    if found is None:
        raise unknown("pair of that id")
    return found


def _known(at: At, answer_id: str, language: str | None) -> None:
    live = at.bot.editor.stock.pairs
    if not any(pair.answer_id == answer_id and language in (None, pair.language) for pair in live):
        raise unknown("answer of that id, in that language,")


def _publish(at: At, plan: Plan, why: str, after: str | None = None) -> Live:
    return Live(version=at.bot.editor.publish(plan, at.caller.name, why, after))


def _plan(at: At, asked: Publish) -> Plan:
    live = at.bot.editor.stock.pairs
    gone = tuple(_one(at, id) for id in dict.fromkeys(asked.retire))
    left = [pair for pair in live if pair not in gone]
    added = merged(left, [_pair(new, live, at) for new in asked.add]).added
    if len(added) + len(gone) == 0:
        raise UserError("nothing would change: what is to be added is there already")
    return Plan(gone, added)


def _pair(new: NewPair, live: Sequence[QAPair], at: At) -> QAPair:
    """With the text of the answer that is there, where the request has none, and without personal data."""
    own = next((p for p in live if (p.answer_id, p.language) == (new.answer_id, new.language)), None)
    answer = new.answer if new.answer is not None else own.answer if own is not None else ""
    if not clean(answer) or not clean(new.question) or "|" in new.answer_id or not clean(new.answer_id):
        raise CorpusError(
            f"{new.question!r} under {new.answer_id!r} needs a question, an answer and an id without |"
        )
    question = at.bot.editor.masked(new.question)
    id = QAPair.content_id(question, new.answer_id, new.language)
    return QAPair(id, question, answer, new.answer_id, new.language, new.source, {PROVENANCE: at.caller.name})


def _compared(at: At, data: bytes, suffix: str, reach: Reach, dry_run: bool, why: str) -> Compared:
    stock = at.bot.editor.stock
    read = pairs_of([read_table(File(f"file{suffix}"), data)], {})
    corpus, _ = without_personal_data(read, at.bot.editor.masked)
    changes = compare(stock.pairs, corpus, reach)
    if changes.plan:
        at.bot.live.check(changes.plan)
    publishes = bool(changes.plan) and not dry_run
    version = stock.version
    if publishes:
        version = at.bot.editor.publish(changes.plan, at.caller.name, why, stock.version)
    bad = [str(row) for row in corpus.report.bad_rows]
    return Compared(version=version, published=publishes, counts=changes.counts(), bad_rows=bad)
