import os
import signal
import subprocess
import sys
import time

import nbformat
import pandas as pd
import pytest
from dask.distributed import LocalCluster
from nbformat.v4 import new_code_cell, new_notebook

from wna_utils.report.sweeps import file_name, grid, sweep
from wna_utils.support import paths

FAILS_AT_2 = """
from wna_utils.report import claims
from wna_utils.analysis import Estimate
import torch
assert torch.get_num_threads() == 1
if n == 2:
    raise ValueError("two is not possible")
claims.record("s31_cnn_accuracy", Estimate(n / 10, 0.0, 1.0, 5, "networks"))
"""


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """A notebook with the parameters n and gamma that cannot do n = 2."""
    folder = tmp_path / "notebooks"
    (folder / "profiles").mkdir(parents=True)
    (folder / "profiles/sizes.yaml").write_text("{}")
    monkeypatch.setattr(paths, "NOTEBOOKS", folder)
    literals = 'profile: str = "book"\nn: int = 1\ngamma: float = 0.5'
    cells = [new_code_cell(literals, metadata={"tags": ["parameters"]}), new_code_cell(FAILS_AT_2)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), folder / "x.ipynb")
    return folder / "x.ipynb"


def test_grid_is_the_cartesian_product():
    combinations = grid(["gamma=0.2,0.5", "seed=0:3"])
    assert len(combinations) == 6
    assert combinations[0] == {"gamma": 0.2, "seed": 0}
    assert combinations[-1] == {"gamma": 0.5, "seed": 2}
    assert grid([]) == [{}]


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("a=true,false", [True, False]),
        ("a=[1, 2],[3]", [[1, 2], [3]]),
        ("a=mnist,fashion_mnist", ["mnist", "fashion_mnist"]),
        ("a=-2:1", [-2, -1, 0]),
        ("a=1e-3,010", [0.001, 10]),
    ],
)
def test_values_are_yaml_or_a_range(option, values):
    assert [each["a"] for each in grid([option])] == values


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["gamma"], "must look like n_noise=1000,2000"),
        (["gamma="], "must look like n_noise=1000,2000"),
        (["0=1"], "must look like n_noise=1000,2000"),
        (["a=1", "a=2"], "a is given twice"),
        (["a=[1,"], "not YAML"),
        (["a=5:5"], "has no values"),
    ],
)
def test_bad_options_are_told(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        grid(options)


def test_file_names_tell_parameters_apart():
    names = {file_name(each) for each in grid(["a=x/y,x_y", "b=[1],[1.0]"])}
    assert len(names) == 4
    assert not any("/" in name for name in names)
    assert file_name({"gamma": 0.2, "seed": 3}).startswith("gamma=0.2,seed=3,")


@pytest.mark.notebook
def test_sweep_tabulates_all_runs_and_repeats_only_what_failed(notebook, tmp_path):
    with pytest.raises(ValueError, match="x has no parameter 'm'"):
        sweep(notebook, ["m=1"], tmp_path / "out")
    assert not (tmp_path / "out").exists()

    table = sweep(notebook, ["n=2:4", "gamma=0.25"], tmp_path / "out")
    assert list(table.n) == [2, 3]
    assert list(table.status) == ["failed", "done"]
    assert "two is not possible" in table.error[0]
    assert table["s31_cnn_accuracy"][1] == 0.3
    assert table["s31_cnn_accuracy high"][1] == 1
    on_disk = pd.read_csv(tmp_path / "out/summary.csv")
    assert list(on_disk.columns) == list(table.columns)
    assert len(list((tmp_path / "out/failed").glob("n=2*.ipynb"))) == 1

    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("n=*.ipynb")}
    again = sweep(notebook, ["n=2:4", "gamma=0.25"], tmp_path / "out", jobs=1)
    assert list(again.status) == ["failed", "done"]
    assert all(path.stat().st_mtime_ns == when for path, when in made.items())


@pytest.mark.notebook
def test_sweep_uses_a_cluster_that_is_there(notebook, tmp_path):
    with LocalCluster(1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as there:
        table = sweep(notebook, ["n=1"], tmp_path / "out", scheduler=there.scheduler_address)
    assert list(table.status) == ["done"]


@pytest.mark.notebook
def test_interrupt_stops_a_sweep_cleanly(notebook, tmp_path):
    """What was done is kept, no process is left, and the exit code is that of an interrupt."""
    cells = nbformat.read(notebook, as_version=4)
    cells.cells[1].source = "import time; time.sleep(60 * n)"
    nbformat.write(cells, notebook)
    here = "from pathlib import Path; from wna_utils import __main__; from wna_utils.support import paths; "
    here += f"paths.NOTEBOOKS = Path({str(tmp_path)!r})"
    command = [sys.executable, "-c", f"{here} / 'notebooks'; __main__.main()", "sweep", "x", "-p", "n=0:9", "--jobs=1"]
    run = subprocess.Popen(
        [*command, "-o", str(tmp_path / "out")], start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    try:
        assert _soon(lambda: (tmp_path / "out/summary.csv").exists())
        os.killpg(run.pid, signal.SIGINT)
        assert run.stderr.readline() + run.stderr.readline() == "\nstopping …\n"
        interrupted = time.monotonic()
        _, errors = run.communicate(timeout=60)
        assert time.monotonic() - interrupted < 10  # where the run that it was at would have taken minutes
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()
    assert run.returncode == 130
    assert "the same command goes on from there" in errors
    assert "Traceback" not in errors
    assert list(pd.read_csv(tmp_path / "out/summary.csv").status) == ["done"]
    assert _soon(lambda: not _alive(run.pid))


def _soon(condition):
    """Whether the condition comes true within a minute and a half."""
    deadline = time.monotonic() + 90
    while not (true := condition()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return true


def _alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_folder_that_cannot_be_written_to_is_told_before_any_run(notebook, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot write to .*file/x .*choose a folder that can be written to"):
        sweep(notebook, ["n=1"], tmp_path / "file" / "x")
