import base64

import nbformat
import torch
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.conftest import chapter_of
from wna_utils.report import pages
from wna_utils.report.audit_kinds import Finding
from wna_utils.support import recorded


def test_picture_is_the_named_figure(tmp_path):
    picture = new_output("display_data", data={"image/png": base64.b64encode(b"picture").decode()})
    cell = new_code_cell("", outputs=[picture], metadata={"mystnb": {"figure": {"name": "fig-a"}}})
    nbformat.write(new_notebook(cells=[new_code_cell(""), cell]), tmp_path / "chapter.ipynb")
    pages.write_picture(tmp_path / "chapter.ipynb", "fig-a", tmp_path / "cover.png")
    assert (tmp_path / "cover.png").read_bytes() == b"picture"


def test_status_says_when_and_where_each_chapter_was_executed(tmp_path):
    chapter = new_notebook(
        metadata={
            "papermill": {"duration": 125.4, "end_time": "2026-01-02T03:04:05"},
            "wna": {"commit": "abc", "device": "cpu (2 threads)", "versions": "torch 9"},
        }
    )
    nbformat.write(chapter, tmp_path / "s00_a.ipynb")
    pages.write_status([tmp_path / "s00_a.ipynb"], tmp_path)
    text = (tmp_path / "status.md").read_text()
    assert "2026-01-02 03:04 | 2 min 5 s | abc | cpu (2 threads) | torch 9 |" in text


def test_every_photograph_is_shown_with_its_author_and_licence(tmp_path):
    pages.write_photographs(tmp_path)
    text = (tmp_path / "photographs.md").read_text()
    assert text.count("{grid-item-card}") == 40
    assert text.count("## ") == 5
    assert "**lesser panda**: a red panda" in text
    assert "Mathias Appel, [CC0](https://commons.wikimedia.org/" in text


def test_banner_is_there_only_where_numbers_are_no_results(tmp_path):
    pages.write_notice([chapter_of("book", tmp_path), chapter_of("smoke", tmp_path)], tmp_path)
    assert "smoke sizes" in (tmp_path / "notice.txt").read_text()
    pages.write_notice([chapter_of("book", tmp_path), chapter_of("paper", tmp_path)], tmp_path)
    assert (tmp_path / "notice.txt").read_text() == ""


def test_records_page_says_when_each_was_made_and_what_differs_now(records_folder, tmp_path):
    made = {"seconds": 90, "date": "2026-01-02", "commit": "abc", "device": "cpu", "versions": "torch 9"}
    for name, about in (
        ("networks/cnn", {"accuracy": 0.9912, "made": made | {"seconds": None}}),
        ("tallies/cnn-white", {"made": made}),
        ("courses/course-cnn", {"made": made}),
    ):
        recorded.write(records_folder / f"{name}.safetensors", {"x": torch.zeros(3)}, about)
    findings = [Finding("cnn", 0.001), Finding("cnn-white", 0.0), Finding("course-cnn")]
    pages.write_records(findings, tmp_path)
    text = (tmp_path / "records.md").read_text()
    assert "| cnn | 99.12% | 0.10% | – | 2026-01-02 | abc | cpu | torch 9 |" in text
    assert "| cnn-white | 0.00% | 1.5 min | 2026-01-02 |" in text
    assert "| course-cnn | 1.5 min | 2026-01-02 |" in text
    assert "Models of noise" not in text
    assert text.count("1 file, 0.0 MB") == 3


def test_a_record_that_no_chapter_reads_is_named(records_folder, tmp_path):
    for name in ("networks/cnn", "tallies/cnn-white"):
        recorded.write(records_folder / f"{name}.safetensors", {"x": torch.zeros(3)}, {})
    foot = new_output("display_data", {"text/markdown": ""}, metadata={"records": ["networks/cnn"]})

    def chapter(profile):
        path = tmp_path / f"{profile}.ipynb"
        cells = [new_code_cell("", outputs=[foot])]
        nbformat.write(new_notebook(cells=cells, metadata={"wna": {"profile": profile}}), path)
        return path

    assert pages.unread_records([chapter("book")]) == ["tallies/cnn-white"]
    assert pages.unread_records([chapter("book"), chapter("smoke")]) == []  # other sizes read other records


def test_a_chapter_tells_which_records_it_has_taken(records_folder):
    path = records_folder / "networks" / "cnn.safetensors"
    recorded.note(path)
    assert recorded.title(path) in recorded.taken()
