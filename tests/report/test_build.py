import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from wna_utils.report import chapters
from wna_utils.report.build import _by_section, build, usual_jobs
from wna_utils.support import paths

pytestmark = pytest.mark.notebook


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Write a notebook of one cell; chapters and failed runs stay among the test's own files."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "CHAPTERS", tmp_path / "chapters")
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/sizes.yaml").write_text("{}")
    (tmp_path / "book").mkdir()
    (tmp_path / "book/claims.yml").write_text("[]")

    def write(name, source):
        cells = [new_code_cell("n = 1", metadata={"tags": ["parameters"]}), new_code_cell(source)]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(new_notebook(cells=cells, metadata=kernel), tmp_path / f"{name}.ipynb")
        return tmp_path / f"{name}.ipynb"

    return write


def printed(name):
    return nbformat.read(paths.CHAPTERS / f"{name}.ipynb", as_version=4).cells[-1].outputs[0].text


def test_chapters_are_made_side_by_side_and_a_failed_one_stops_no_other(notebook):
    """Each waits for the other's file, so that one after the other both would fail."""
    wait = "import pathlib, time\npathlib.Path({own!r}).touch()\n"
    wait += "for _ in range(600):\n    time.sleep(0 if pathlib.Path({other!r}).exists() else 0.1)\n"
    wait += "assert pathlib.Path({other!r}).exists()\n"
    files = [str(paths.ROOT / name) for name in "ab"]
    meet = [wait.format(own=files[k], other=files[1 - k]) for k in (0, 1)]
    good = notebook("good", f"{meet[0]}import os; print(os.environ['OMP_NUM_THREADS'])")
    bad = notebook("bad", f"{meet[1]}1 / 0")
    done = []
    with pytest.raises(chapters.ChapterFailed, match=r"^bad\.ipynb: ZeroDivisionError: division by zero"):
        done.extend(build([good, bad], {}, jobs=2))
    assert [name for name, _ in done] == ["good"]
    assert printed("good") == "1\n"
    assert not (paths.CHAPTERS / "bad.ipynb").exists()
    assert (paths.ROOT / "_build/failed/bad.ipynb").exists()


def test_new_prose_is_taken_over_and_nothing_executed(notebook):
    one = notebook("one", "import time; print(time.time_ns())")
    [(_, seconds)] = build([one], {}, jobs=1)
    assert seconds > 0
    before = printed("one")
    for jobs in (1, 2):
        written = nbformat.read(one, as_version=4)
        written.cells.insert(0, new_markdown_cell(f"New prose, {jobs}"))
        nbformat.write(written, one)
        assert list(build([one], {}, jobs=jobs)) == [("one", 0.0)]
        assert printed("one") == before
        assert nbformat.read(paths.CHAPTERS / "one.ipynb", as_version=4).cells[0].source == f"New prose, {jobs}"
    [(_, seconds)] = build([one], {}, jobs=1, force=True)
    assert seconds > 0
    assert printed("one") != before


def test_only_what_has_changed_is_made_again(notebook):
    one, two = (notebook(name, "import time; print(time.time_ns())") for name in ("one", "two"))
    first = dict(build([one, two], {}, jobs=1))
    assert min(first.values()) > 0
    made = printed("one")
    notebook("two", "import os; print(os.environ['OMP_NUM_THREADS'])")
    started = time.monotonic()
    assert dict(build([one], {}, jobs=2)) == {"one": 0.0}
    assert time.monotonic() - started < 2  # no worker was started for it
    assert dict(build([one, two], {}, jobs=2))["one"] == 0.0
    assert (printed("one"), printed("two")) == (made, "1\n")  # a chapter that is alone left has one thread, too


def test_one_after_another_a_failed_chapter_stops_no_other(notebook):
    bad, good = notebook("bad", "1 / 0"), notebook("good", "import os; print(os.environ.get('OMP_NUM_THREADS', 'all'))")
    done = []
    with pytest.raises(chapters.ChapterFailed, match=r"^bad\.ipynb: ZeroDivisionError: division by zero"):
        done.extend(build([bad, good], {}, jobs=1))
    assert [name for name, _ in done] == ["good"]
    assert not (paths.CHAPTERS / "bad.ipynb").exists()


def test_chapters_of_a_section_wait_for_one_another_even_if_one_fails(notebook):
    times = "import time; began = time.time(); time.sleep(0.3); print(began, time.time())"
    made = [notebook(f"s1_{name}", times) for name in "abc"]
    broken = notebook("s1_a", "1 / 0")
    with pytest.raises(chapters.ChapterFailed, match=r"^s1_a\.ipynb: ZeroDivisionError"):
        list(build([*made, notebook("other", times)], {}, jobs=2))
    assert broken == made[0]
    (b, c), other = (list(map(float, printed(name).split())) for name in ("s1_b", "s1_c")), printed("other")
    assert max(b[0], c[0]) >= min(b[1], c[1])
    assert other


def test_chapters_run_one_by_one_where_they_share_what_is_not_recorded(monkeypatch):
    monkeypatch.setenv("WNA_RECORDED", "off")
    assert usual_jobs() == 1


def test_sections_with_most_code_come_first(notebook):
    one, two, three = (notebook(name, "x = 1\n" * n) for name, n in (("s1_a", 1), ("s2_b", 9), ("s1_c", 3)))
    found = _by_section({each: each for each in (one, two, three)})
    assert [[of.stem for of, _ in section] for section in found] == [["s2_b"], ["s1_a", "s1_c"]]
