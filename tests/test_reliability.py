"""Killed runs, runs side by side, full and read-only disks: nothing lost or half-written, one clear sentence."""

import errno
import os
import resource
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from wna_utils.networks.training import Recipe, trained
from wna_utils.observe.loop import observe
from wna_utils.report import chapters
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support import paths

pytestmark = pytest.mark.slow

TRAIN_AND_SHOW = """
from wna_utils.data import datasets
from wna_utils.observe.loop import observe
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.networks.training import Recipe, trained

digits = datasets.load("digits")
network = trained("cnn", digits, recipe=Recipe(epochs=2))
tally = observe(network, WhiteNoise((1, 28, 28)), {n})
print(tally.counts.tolist())
"""


def start(code, **options):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], cwd=paths.ROOT, **pipes, **options)


def test_two_builds_on_one_cache_do_not_harm_each_other():
    both = [start(TRAIN_AND_SHOW.format(n=6_000)) for _ in range(2)]
    outputs = [run.communicate(timeout=240) for run in both]
    assert outputs[0][0] == outputs[1][0] != ""
    assert [run.returncode for run in both] == [0, 0]
    assert not list(paths.cache_dir().rglob(".*"))


def test_a_run_killed_at_any_moment_goes_on_to_the_same_result(digits):
    for seconds in (2, 5):  # while importing, training or showing noise
        run = start(TRAIN_AND_SHOW.format(n=2_000_000))
        time.sleep(seconds)
        run.kill()
        run.communicate()
    finished, errors = start(TRAIN_AND_SHOW.format(n=4_000)).communicate(timeout=240)
    network = trained("cnn", digits, recipe=Recipe(epochs=2))
    expected = observe(network, WhiteNoise((1, 28, 28)), 4_000, cache=False).counts.tolist()
    assert finished.strip() == str(expected), errors


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_build_leaves_no_half_chapter_and_the_next_one_finishes(tmp_path, jobs):
    """Each notebook is slow at its first run only, and the build is killed then."""
    (tmp_path / "notebooks/profiles").mkdir(parents=True)
    flags = [tmp_path / name for name in "ab"[:jobs]]
    for flag in flags:
        slow_once = f"from pathlib import Path; import os, time\nflag = Path({str(flag)!r})\n"
        slow_once += "if not flag.exists():\n    flag.write_text(str(os.getpid()))\n    time.sleep(600)"
        cells = [new_code_cell("n = 1", metadata={"tags": ["parameters"]}), new_code_cell(slow_once)]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(new_notebook(cells=cells, metadata=kernel), tmp_path / f"notebooks/{flag.name}.ipynb")
    for name in ("notebooks/profiles/sizes.yaml", "book/claims.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    build = f"""
from pathlib import Path
from wna_utils import __main__
from wna_utils.support import paths
if __name__ == "__main__":
    paths.ROOT = Path({str(tmp_path)!r})
    paths.NOTEBOOKS, paths.CHAPTERS = paths.ROOT / "notebooks", paths.ROOT / "book/chapters"
    __main__.run_notebooks([], "book", False, {jobs})
"""
    run = start(build)
    deadline = time.monotonic() + 90
    while not all(flag.exists() and flag.read_text() for flag in flags) and time.monotonic() < deadline:
        time.sleep(0.2)
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=90)
    assert not list((tmp_path / "book").rglob("*.ipynb"))
    while any(is_running(int(flag.read_text())) for flag in flags) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not any(is_running(int(flag.read_text())) for flag in flags)  # no kernel works on for nobody
    again = start(build)
    _, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    for flag in flags:
        assert chapters.problems(nbformat.read(tmp_path / f"book/chapters/{flag.name}.ipynb", as_version=4)) == []


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_full_disk_is_told_in_one_sentence_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OSError, match=r"cannot write to .*No space left.*has space left"), paths.replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_errors_that_are_not_the_disks_pass_unchanged(tmp_path):
    with pytest.raises(ConnectionError, match="no route"), paths.replacing(tmp_path / "file"):
        raise ConnectionError("no route")


def test_files_that_may_not_grow_stop_training_and_showing_with_the_sentence():
    """A limit on the size of files stands for a disk that fills up while a network or a tally is written."""

    def no_large_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))

    run = start(TRAIN_AND_SHOW.format(n=2_000), preexec_fn=no_large_files)
    _, errors = run.communicate(timeout=240)
    assert run.returncode == 1
    assert "cannot write to" in errors.strip().splitlines()[-1]
    written = [path for path in paths.cache_dir().rglob("*") if path.is_file()]
    assert not [path for path in written if path.parent.name != "locks"]


def test_cache_that_cannot_be_written_is_told_before_any_work(digits, planted, noise, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("WNA_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match=r"cannot write to .*WNA_CACHE"):
        trained("cnn", digits, recipe=Recipe(epochs=1000))
    with pytest.raises(OSError, match=r"cannot write to .*WNA_CACHE"):
        observe(planted, noise, 10**11)
