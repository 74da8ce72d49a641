"""The kernel that executes a notebook: this interpreter, in an environment that is the same for every user."""

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from wna_utils.report import forked_kernels

NAME = "python3"
_lock = Lock()
_folders: list[TemporaryDirectory] = []  # of this process: it goes when the process ends


def own_kernel() -> str:
    """Name of a kernel that papermill finds in this process before any of that name that the user has installed.

    It runs this interpreter, draws figures inline, with matplotlib's own settings and none of IPython's user profile,
    and reads and writes UTF-8.
    """
    with _lock:
        if not _folders:
            _folders.append(TemporaryDirectory())
            folder = Path(_folders[0].name)
            kernel = folder / "kernels" / NAME / "kernel.json"
            kernel.parent.mkdir(parents=True)
            kernel.write_text(json.dumps(_specification(folder)), encoding="utf-8")
        before = os.environ.get("JUPYTER_PATH", "").split(os.pathsep)
        if before[0] != _folders[0].name:
            os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [_folders[0].name, *before]))
    return NAME


def _specification(folder: Path) -> dict[str, object]:
    return {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python 3",
        "language": "python",
        "env": forked_kernels.known_environment() | {"IPYTHONDIR": str(folder / "ipython")},
        "metadata": forked_kernels.declared() if forked_kernels.possible() else {},
    }
