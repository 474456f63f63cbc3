"""The components of the tab of answers, one value for each section, laid out in whatever block is open.

Labels are drawn by the sections' events, in the language of the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chatbot.corpus import COLUMNS
from chatbot.insight.changes import Scope
from chatbot.tabular import TABLES
from chatbot.ui.intake import Intake
from chatbot.ui.parts import CLICKS, SPEAKS, Parts
from chatbot.ui.shelf import Opened
from chatbot.ui.stubless import gr


@dataclass(frozen=True)
class DeskParts(Parts):
    """To find an answer and edit it."""

    opened: gr.State
    search: gr.Textbox
    spoken: gr.Radio
    found: gr.HTML
    told: gr.HTML
    head: gr.HTML
    form: gr.Column
    text: gr.Textbox
    save: gr.Button
    undo: gr.Button
    asked: gr.HTML
    more: gr.Textbox
    add: gr.Button
    into: gr.Dropdown
    merge: gr.Button
    retire: gr.Button


def desk_parts(languages: Sequence[str]) -> DeskParts:
    opened = gr.State(Opened())
    with gr.Row(elem_classes="answers-row"):
        with gr.Column(scale=2, elem_classes="answers-side"):
            search = gr.Textbox(elem_id="answers-search", max_lines=1)
            spoken = gr.Radio(["", *languages], value="", elem_id="answers-spoken")
            found = gr.HTML(elem_id="answers-found", js_on_load=CLICKS)
        with gr.Column(scale=3, elem_classes="answers-side"):
            undo = gr.Button(elem_id="answers-undo", size="sm")
            head = gr.HTML(elem_id="answers-head")
            with gr.Column(visible=False, elem_id="answers-form") as form:
                text = gr.Textbox(elem_id="answers-text", lines=4, max_lines=16)
                save = gr.Button(elem_id="answers-save", variant="primary", size="sm")
                asked = gr.HTML(elem_id="answers-asked", js_on_load=CLICKS)
                more = gr.Textbox(elem_id="answers-more", lines=2, max_lines=8)
                add = gr.Button(elem_id="answers-add", size="sm")
                with gr.Row(elem_classes="answers-row"):
                    into = gr.Dropdown([], elem_id="answers-into", allow_custom_value=True, scale=3, min_width=240)
                    merge = gr.Button(elem_id="answers-merge", size="sm", scale=0)
                retire = gr.Button(elem_id="answers-retire", variant="stop", size="sm")
            told = gr.HTML(
                elem_id="answers-told", js_on_load=SPEAKS
            )  # at the end, so that what it says moves nothing
    return DeskParts(
        opened, search, spoken, found, told, head, form, text, save, undo, asked, more, add, into, merge, retire
    )


@dataclass(frozen=True)
class ImportParts(Parts):
    """To take a file in."""

    intake: gr.State
    file: gr.File
    scope: gr.Radio
    mapped: gr.Row
    columns: tuple[gr.Dropdown, ...]  # in the order of COLUMNS
    told: gr.HTML
    report: gr.HTML
    difference: gr.HTML
    publish: gr.Button
    undo: gr.Button


def import_parts() -> ImportParts:
    intake = gr.State(Intake())
    file = gr.File(elem_id="import-file", file_types=list(TABLES), height=120)
    with gr.Row(visible=False, elem_id="import-columns") as mapped:
        columns = tuple(gr.Dropdown([], elem_id=f"import-{name}", min_width=140) for name in COLUMNS)
    scope = gr.Radio(list(Scope), value=Scope.UPDATE, elem_id="import-scope")
    report = gr.HTML(elem_id="import-report")
    difference = gr.HTML(elem_id="import-difference")
    told = gr.HTML(elem_id="import-told", js_on_load=SPEAKS)
    with gr.Row(elem_classes="answers-acts"):
        publish = gr.Button(elem_id="import-publish", variant="primary", interactive=False)
        undo = gr.Button(elem_id="import-undo")
    return ImportParts(intake, file, scope, mapped, columns, told, report, difference, publish, undo)


@dataclass(frozen=True)
class HistoryParts(Parts):
    """To see who changed what, to go back, and to take a version out."""

    told: gr.HTML
    history: gr.HTML
    undo: gr.Button
    changes: gr.HTML
    version: gr.Dropdown
    csv: gr.Button
    xlsx: gr.Button
    download: gr.DownloadButton
    failed: gr.HTML


def history_parts() -> HistoryParts:
    with gr.Column(elem_id="export"):
        with gr.Row(elem_classes="answers-row"):
            version = gr.Dropdown([], elem_id="export-version", scale=2)
            csv = gr.Button(elem_id="export-csv", size="sm")
            xlsx = gr.Button(elem_id="export-xlsx", size="sm")
        download = gr.DownloadButton(elem_id="export-download", visible=False)
        failed = gr.HTML(elem_id="export-failed", js_on_load=SPEAKS)
    told = gr.HTML(elem_id="history-told", js_on_load=SPEAKS)
    undo = gr.Button(elem_id="history-undo", size="sm")
    history = gr.HTML(elem_id="history-list", js_on_load=CLICKS)
    changes = gr.HTML(elem_id="history-changes")
    return HistoryParts(told, history, undo, changes, version, csv, xlsx, download, failed)
