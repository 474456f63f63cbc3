"""Edits in somebody's name: what is kept of them, and whose are undone."""

from collections.abc import Iterator

import pytest

from chatbot.domain import QAPair
from chatbot.editor import Editor
from chatbot.errors import BotError, Unrecorded, UserError
from chatbot.insight import revise
from chatbot.insight.changes import AnswerChange, Plan
from chatbot.journal import Kind, SqlEdits, SqlJournal
from tests.fakes import pair
from tests.live import FakeLive

pytestmark = pytest.mark.filterwarnings("error")  # such as pydantic's, of what it cannot keep as it is
PAIRS = (
    pair("where is my parcel", "track", "On its way."),
    pair("parcel is late", "track", "On its way."),
    pair("money back", "refund", "Three days."),
    pair("退款要多久", "refund", "三天。", "zh"),
)


@pytest.fixture
def journal(place: str) -> Iterator[SqlJournal]:
    journal = SqlJournal.connect(place)
    yield journal
    journal.close()


@pytest.fixture
def editor(journal: SqlJournal) -> Editor:
    return Editor(FakeLive(PAIRS), SqlEdits(journal.database))


def reworded(editor: Editor, text: str) -> Plan:
    return revise.reword(editor.stock.pairs, "track", text, "en")


def texts(editor: Editor) -> set[str]:
    return {one.answer for one in editor.stock.pairs if one.answer_id == "track"}


def told(editor: Editor) -> list[tuple[str, str, str, Kind, str]]:
    return [(one.version, one.before, one.who, one.kind, one.why) for one in editor.edits.latest(10)]


def test_an_edit_is_live_and_kept_with_who_made_it_and_what_changed(editor: Editor) -> None:
    assert editor.publish(reworded(editor, "Sent 📦."), " Anna ", "reworded track") == "v2"
    (kept,) = editor.edits.latest(10)
    assert told(editor) == [("v2", "v1", "Anna", Kind.PUBLISHED, "reworded track")]
    assert kept.counts["en"]["answers_reworded"] == 1 and kept.time is not None
    found = editor.changes(kept.number)
    assert found is not None
    assert found.answers_reworded == (AnswerChange("track", "en", "On its way.", "Sent 📦.", 2),)
    assert found.plan == Plan()


def test_questions_that_came_are_kept_as_pairs(editor: Editor) -> None:
    plan = revise.add_questions(editor.stock.pairs, "track", ["when will it come?"], "Anna")
    editor.publish(plan, "Anna", "")
    found = editor.changes(1)
    assert found is not None and found.questions_added == plan.added


def test_undo_steps_back_and_a_roll_back_can_be_undone(editor: Editor) -> None:
    for text in ("One.", "Two."):
        editor.publish(reworded(editor, text), "Anna", text)
    assert editor.undo("Anna") == "v2" and texts(editor) == {"One."}
    assert editor.undo("Anna") == "v1" and texts(editor) == {"On its way."}
    with pytest.raises(UserError, match="nothing to undo: v1, which is live"):
        editor.undo("Anna")
    assert editor.rollback("v3", "Bo") == "v3" and texts(editor) == {"Two."}
    with pytest.raises(UserError, match="Bo made what is live now"):
        editor.undo("Anna")
    assert editor.undo("Bo") == "v1"
    assert [row[:4] for row in told(editor)] == [
        ("v1", "v3", "Bo", Kind.UNDONE),
        ("v3", "v1", "Bo", Kind.ROLLED_BACK),
        ("v1", "v2", "Anna", Kind.UNDONE),
        ("v2", "v3", "Anna", Kind.UNDONE),
        ("v3", "v2", "Anna", Kind.PUBLISHED),
        ("v2", "v1", "Anna", Kind.PUBLISHED),
    ]


def test_what_came_after_a_roll_back_is_undone_to_where_it_came_from(editor: Editor) -> None:
    for text in ("One.", "Two."):
        editor.publish(reworded(editor, text), "Anna", text)
    editor.rollback("v1", "Anna")
    editor.publish(reworded(editor, "Three."), "Anna", "")
    assert editor.undo("Anna") == "v1" and texts(editor) == {"On its way."}  # not the version before by name


def test_the_edit_of_somebody_else_is_not_undone_by_mistake(editor: Editor) -> None:
    editor.publish(reworded(editor, "One."), "Anna", "")
    editor.publish(reworded(editor, "Two."), "Bo", "better")
    with pytest.raises(UserError, match=r"Bo made what is live now \(better\), so it is not undone"):
        editor.undo("Anna")
    assert texts(editor) == {"Two."}


def test_a_plan_for_another_version_changes_nothing(editor: Editor) -> None:
    plan, version = Plan(added=(pair("do you sell tea", "tea", "No."),)), editor.stock.version
    editor.publish(reworded(editor, "One."), "Bo", "")
    with pytest.raises(UserError, match=r"has changed since this was made for v1: it is v2 now"):
        editor.publish(plan, "Anna", "", after=version)
    assert len(editor.edits.latest(10)) == 1 and editor.live.version == "v2"


def test_mistakes_change_and_keep_nothing(editor: Editor) -> None:
    with pytest.raises(UserError, match="say who you are first"):
        editor.publish(reworded(editor, "One."), "  ", "")
    with pytest.raises(UserError, match="nothing would change"):
        editor.publish(Plan(), "Anna", "")
    with pytest.raises(UserError, match="v1 is in use already"):
        editor.rollback("v1", "Anna")
    with pytest.raises(BotError, match="no version 'v9'"):
        editor.rollback("v9", "Anna")
    with pytest.raises(UserError, match="knows no edit 7"):
        editor.changes(7)
    assert (editor.edits.latest(10), editor.stock.pairs) == ([], PAIRS)


def test_what_another_program_changed_is_taken_by_reload(editor: Editor) -> None:
    assert isinstance(editor.live, FakeLive)
    editor.live.elsewhere(Plan(removed=PAIRS[:1]))
    with pytest.raises(BotError, match="load it again"):
        editor.publish(reworded(editor, "One."), "Anna", "")
    assert editor.reload() == "v2" and editor.stock.pairs == PAIRS[1:]


def test_stock_is_never_seen_in_the_middle_of_an_edit(editor: Editor) -> None:
    assert isinstance(editor.live, FakeLive)
    found: list[tuple[QAPair, ...]] = []
    editor.live.slow = lambda: found.append(editor.stock.pairs)
    editor.publish(Plan(removed=PAIRS[:1]), "Anna", "")
    assert (found, editor.stock.pairs) == ([PAIRS], PAIRS[1:])


def test_a_journal_that_fails_is_told_and_the_edit_is_live(editor: Editor, journal: SqlJournal) -> None:
    with journal.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE edits")
    with pytest.raises(Unrecorded, match="v2 is live, but who made it could not be kept"):
        editor.publish(reworded(editor, "One."), "Anna", "")
    assert texts(editor) == {"One."}
