"""Chapters do not depend on whose machine they are executed on."""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from nbformat.v4 import new_code_cell, new_notebook

from wna_utils.report import chapters
from wna_utils.report.kernels import own_kernel

SHOWS = """
import os, sys
import matplotlib.pyplot as plt
print(sys.executable, plt.rcParams["lines.linewidth"], plt.get_backend(), sys.flags.utf8_mode)
plt.plot([1, 2]);
"""


@pytest.fixture
def unhelpful(tmp_path, monkeypatch):
    """A user with a kernel of another Python, another backend, and settings of IPython and matplotlib."""
    spec = tmp_path / "jupyter/kernels/python3"
    spec.mkdir(parents=True)
    kernel = {"argv": ["/nowhere/python", "{connection_file}"], "display_name": "x", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(kernel))
    profile = tmp_path / "ipython/profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.py").write_text("c.InlineBackend.figure_formats = {'svg'}")
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 7")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlibrc"))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("LC_ALL", "C")


@pytest.mark.usefixtures("unhelpful")
def test_kernel_is_this_interpreter_and_knows_nothing_of_the_users_settings(tmp_path):
    cells = [new_code_cell("", metadata={"tags": ["parameters"]})]
    cells.append(new_code_cell(SHOWS, metadata={"mystnb": {"figure": {"name": "fig-x"}}}))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), tmp_path / "x.ipynb")
    attempt = tmp_path / "out.ipynb"
    chapters._attempt(tmp_path / "x.ipynb", attempt, {}, progress=False)
    printed = next(each.text for each in nbformat.read(attempt, 4).cells[-1].outputs if "text" in each)
    assert printed.split() == [sys.executable, "1.5", "module://matplotlib_inline.backend_inline", "1"]


@pytest.mark.usefixtures("unhelpful")
def test_kernel_comes_before_the_users_in_every_thread():
    theirs = os.environ["JUPYTER_PATH"]

    def found(_):
        return KernelSpecManager().get_kernel_spec(own_kernel()).argv[0]

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(found, range(12))) == {sys.executable}
    assert os.environ["JUPYTER_PATH"].split(os.pathsep)[1:] == [theirs]
