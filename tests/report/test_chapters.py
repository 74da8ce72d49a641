import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from wna_utils.report import chapters
from wna_utils.support import paths


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Write a notebook of one cell, with failed runs kept out of the real build."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "notebooks/profiles").mkdir(parents=True)
    (tmp_path / "notebooks/profiles/sizes.yaml").write_text("{}")
    (tmp_path / "book").mkdir()
    (tmp_path / "book/claims.yml").write_text("[]")
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path / "notebooks")

    def write(source):
        path = tmp_path / "notebooks" / "x.ipynb"
        cells = [new_code_cell("n = 1", metadata={"tags": ["parameters"]}), new_code_cell(source)]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(new_notebook(cells=cells, metadata=kernel), path)
        return path

    return write


@pytest.mark.notebook
def test_complete_chapter_is_kept_and_remade_only_when_something_changed(notebook, tmp_path):
    source = notebook("import time; print(time.time_ns())  # of claim s00_time")
    chapter = chapters.execute(source, tmp_path / "chapters/x.ipynb", {})
    made = chapter.read_text()
    assert chapters.execute(source, tmp_path / "chapters/x.ipynb", {}).read_text() == made
    assert chapters.execute(source, tmp_path / "chapters/x.ipynb", {"n": 2}).read_text() != made
    made = chapter.read_text()
    (tmp_path / "book/claims.yml").write_text("- {id: s00_time}")
    assert chapters.execute(source, tmp_path / "chapters/x.ipynb", {"n": 2}).read_text() != made


@pytest.mark.notebook
def test_new_prose_is_taken_over_without_running_the_code_again(notebook, tmp_path):
    def rewrite(change):
        written = nbformat.read(source, as_version=4)
        change(written.cells)
        nbformat.write(written, source)

    def output():
        return [each.outputs for each in nbformat.read(chapter, as_version=4).cells if "time_ns" in each.source]

    source, target = notebook("import time; print(time.time_ns())"), tmp_path / "chapters/x.ipynb"
    chapter = chapters.execute(source, target, {"n": 2})
    before = output()
    rewrite(lambda cells: cells.insert(1, new_markdown_cell("New prose")))
    rewrite(lambda cells: cells[2].metadata.update(mystnb={"figure": {"name": "tab-x", "caption": "New caption"}}))
    chapters.execute(source, target, {"n": 2})
    cells = nbformat.read(chapter, as_version=4).cells
    assert [each.source for each in cells if each.cell_type == "markdown"] == ["New prose"]
    assert [each.metadata.get("tags") for each in cells[:2]] == [["parameters"], ["injected-parameters"]]
    assert cells[-1].metadata.mystnb.figure.caption == "New caption"
    assert output() == before
    assert chapters.is_current(source, chapter, {"n": 2})
    rewrite(lambda cells: cells[2].update(source="import time; print(time.time_ns(), 2)"))
    chapters.execute(source, target, {"n": 2})
    assert output() != before


@pytest.mark.notebook
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import warnings; warnings.warn('take care')", "standard error: .*UserWarning: take care"),
        (
            "import warnings\nfrom wna_utils.observe.loop import NotCached\nwarnings.warn('anew', NotCached)",
            "standard error: .*NotCached: anew",
        ),
    ],
)
def test_failed_notebook_stops_the_build_and_keeps_the_old_chapter(notebook, tmp_path, source, reason):
    chapter = chapters.execute(notebook("n"), tmp_path / "chapters/x.ipynb", {})
    old = chapter.read_text()
    with pytest.raises(chapters.ChapterFailed, match=reason):
        chapters.execute(notebook(source), tmp_path / "chapters/x.ipynb", {})
    assert chapter.read_text() == old
    assert (tmp_path / "_build/failed/x.ipynb").exists()


@pytest.mark.notebook
def test_what_a_library_notes_on_standard_error_does_no_harm(notebook, tmp_path):
    source = notebook("import sys; print('building the font cache', file=sys.stderr)")
    assert chapters.execute(source, tmp_path / "chapters/x.ipynb", {}).exists()


def complete():
    cell = new_code_cell("1", execution_count=1)
    return new_notebook(cells=[cell], metadata={"papermill": {"exception": None, "end_time": "now"}})


def test_complete_notebook_has_no_problems():
    assert chapters.problems(complete()) == []


def _not_executed(executed):
    executed.cells[0].execution_count = None


def _killed(executed):
    executed.metadata.papermill["end_time"] = None


def _raised(executed):
    executed.metadata.papermill["exception"] = True


def _shows_an_error(executed):
    executed.cells[0].outputs = [
        nbformat.v4.new_output("error", ename="ValueError", evalue="bad", traceback=["ValueError: bad"])
    ]


def _never_run(executed):
    del executed.metadata["papermill"]


@pytest.mark.parametrize("damage", [_not_executed, _killed, _raised, _shows_an_error, _never_run])
def test_incomplete_notebook_is_noticed(damage):
    executed = complete()
    damage(executed)
    assert chapters.problems(executed)


@pytest.mark.parametrize("data", [{}, {"text/plain": "<Axes>"}, {"image/svg+xml": "<svg/>"}])
def test_figure_without_a_picture_is_noticed(data):
    executed = complete()
    [cell] = executed.cells
    cell.metadata["mystnb"] = {"figure": {"name": "fig-x"}}
    cell.outputs = [nbformat.v4.new_output("display_data", data=data)]
    assert chapters.problems(executed) == ["fig-x shows no picture"]
    cell.outputs = [nbformat.v4.new_output("display_data", data={"image/png": ""})]
    assert chapters.problems(executed) == []
