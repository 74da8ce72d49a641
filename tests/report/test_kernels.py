"""Chapters do not depend on whose machine they are executed on."""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from nbformat.v4 import new_code_cell, new_notebook

from wna_utils.report import chapters, forked_kernels, kernels
from wna_utils.report.kernels import own_kernel
from wna_utils.support import paths

pytestmark = pytest.mark.notebook

SHOWS = """
import os, sys
import matplotlib.pyplot as plt
print(sys.executable, plt.rcParams["lines.linewidth"], plt.get_backend(), sys.flags.utf8_mode)
plt.plot([1, 2]);
"""


COUNTS_DRAWING = """
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from wna_utils.report import figures
drawn, draw = [], Figure.draw
Figure.draw = lambda *given: drawn.append(given) or draw(*given)
get_ipython().events.register("post_run_cell", lambda _: print(len(drawn)))
figures.use_style()
plt.plot([1, 2]);
"""

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked on macOS")


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


@pytest.fixture(params=[False, pytest.param(True, marks=on_linux)], ids=["started", "forked"])
def forked(request, monkeypatch):
    """Kernels that are forked, or new processes of their own."""
    monkeypatch.setattr(kernels, "_folders", [])  # what a kernel is, is decided once
    monkeypatch.setattr(forked_kernels, "possible", lambda: request.param)
    yield request.param
    kernels._folders[0].cleanup()


@on_linux
def test_server_that_is_gone_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv(forked_kernels.ADDRESS, str(tmp_path / "nobody"))
    monkeypatch.setattr(kernels, "_folders", [])
    monkeypatch.setattr(forked_kernels, "possible", lambda: True)
    assert printed("print(6 * 7)", tmp_path) == ["42"]
    kernels._folders[0].cleanup()


@on_linux
def test_killed_kernel_is_known_to_have_ended():
    wanted = {"arguments": [], "environment": dict(os.environ), "folder": str(paths.ROOT)}
    kernel = forked_kernels.ForkedProcess(wanted)
    assert kernel.poll() is None
    kernel.kill()
    assert kernel.wait() == kernel.poll() == 1


def executed(code, folder, **metadata):
    """A notebook of two cells, the second of which is this code, when it has been executed."""
    cells = [new_code_cell("", metadata={"tags": ["parameters"]}), new_code_cell(code, metadata=metadata)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), folder / "x.ipynb")
    chapters._attempt(folder / "x.ipynb", folder / "out.ipynb", {}, progress=False)
    return nbformat.read(folder / "out.ipynb", 4)


def printed(code, folder, **metadata):
    """What the code prints, in words."""
    outputs = executed(code, folder, **metadata).cells[-1].outputs
    return next(each.text for each in outputs if "text" in each).split()


@pytest.mark.usefixtures("unhelpful", "forked")
def test_kernel_is_this_interpreter_and_knows_nothing_of_the_users_settings(tmp_path):
    found = printed(SHOWS, tmp_path, mystnb={"figure": {"name": "fig-x"}})
    assert found == [sys.executable, "1.5", "module://matplotlib_inline.backend_inline", "1"]


def test_kernel_has_the_environment_of_the_moment_and_libraries_at_hand_if_forked(tmp_path, forked, monkeypatch):
    monkeypatch.setenv("WNA_CACHE", "here")
    code = "import os, sys\nhad = 'sklearn' in sys.modules, 'wna_utils' in sys.modules\nimport torch\n"
    code += "print(os.environ['WNA_CACHE'], os.getcwd(), *had, torch.get_num_threads())"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert printed(code, tmp_path) == ["here", str(paths.ROOT), str(forked), "False", "1"]


@pytest.mark.usefixtures("forked")
def test_chapters_say_how_long_they_took_themselves(tmp_path):
    code = "import time\nfrom wna_utils.report.provenance import _started\nprint(time.monotonic() - _started < 1)"
    for _ in range(2):
        assert printed(code, tmp_path) == ["True"]
        time.sleep(1)


def test_figure_is_drawn_to_lay_it_out_and_to_show_it_but_not_once_more(tmp_path):
    assert printed(COUNTS_DRAWING, tmp_path) == ["2"]


@pytest.mark.usefixtures("forked")
def test_kernel_cleans_up_when_it_ends(tmp_path):
    executed(f"import atexit, pathlib\natexit.register(pathlib.Path({str(tmp_path / 'left')!r}).touch)", tmp_path)
    assert (tmp_path / "left").exists()


@pytest.mark.usefixtures("forked")
def test_kernel_that_dies_is_told(tmp_path):
    with pytest.raises(chapters.ChapterFailed, match="its Python died"):
        executed("import os\nos._exit(3)", tmp_path)


@pytest.mark.usefixtures("forked")
def test_chapter_may_start_processes(tmp_path):
    code = "from multiprocessing import get_context\nfrom os.path import basename\n"
    code += "with get_context('spawn').Pool(1) as pool:\n    print(pool.map(basename, ['a/b']))"
    assert printed(code, tmp_path) == ["['b']"]


@pytest.mark.usefixtures("unhelpful")
def test_kernel_comes_before_the_users_in_every_thread():
    theirs = os.environ["JUPYTER_PATH"]

    def found(_):
        return KernelSpecManager().get_kernel_spec(own_kernel()).argv[0]

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(found, range(12))) == {sys.executable}
    assert os.environ["JUPYTER_PATH"].split(os.pathsep)[1:] == [theirs]
