"""The checked-out commit, and what follows from it: which parts of the records a version of the book computes again."""

import hashlib
import subprocess
from functools import cache
from pathlib import Path

from wna_utils.support.paths import ROOT


def commit() -> str:
    """Short hash of the checked-out commit, with a + if the tree differs from it; "unknown" outside a clone of ours."""
    try:
        inside = Path(_git("rev-parse", "--show-toplevel"))  # the package may have been copied into another repository
        return _git("describe", "--always", "--abbrev=8", "--dirty=+") if inside.samefile(ROOT) else "unknown"
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*command: str) -> str:
    run = subprocess.run(["git", "-C", str(ROOT), *command], capture_output=True, text=True, check=True)
    return run.stdout.strip()


@cache  # asked for every record
def committed() -> str:
    """The checked-out commit, whether the tree differs from it or not."""
    return commit().removesuffix("+")


def chosen(name: str, n: int) -> int:
    """A number below n that follows from the checked-out commit and a name."""
    return int(hashlib.sha256(f"{committed()} {name}".encode()).hexdigest(), 16) % n
