"""The kernel that executes a notebook: this interpreter, in an environment that is the same for every user."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

NAME = "python3"


@contextmanager
def own_kernel() -> Iterator[str]:
    """Name of a kernel that papermill finds while the block lasts, before any of that name that the user has installed.

    It runs this interpreter, draws figures inline, with matplotlib's own settings and none of IPython's user profile,
    and reads and writes UTF-8.
    """
    before = os.environ.get("JUPYTER_PATH")
    with TemporaryDirectory() as folder:
        spec = Path(folder) / "kernels" / NAME
        spec.mkdir(parents=True)
        (spec / "kernel.json").write_text(json.dumps(_specification(folder)), encoding="utf-8")
        os.environ["JUPYTER_PATH"] = folder
        try:
            yield NAME
        finally:
            os.environ.pop("JUPYTER_PATH")
            if before is not None:
                os.environ["JUPYTER_PATH"] = before


def _specification(folder: str) -> dict[str, object]:
    import matplotlib.font_manager  # makes the list of fonts, if there is none yet: the kernel would say that it does

    settings = Path(matplotlib.get_data_path()) / "matplotlibrc"
    return {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python 3",
        "language": "python",
        "env": {
            "IPYTHONDIR": str(Path(folder) / "ipython"),
            "MATPLOTLIBRC": str(settings),
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "PYTHONUTF8": "1",
        },
    }
