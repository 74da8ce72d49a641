"""Where things live on disk, and how a file is put there whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
CHAPTERS = ROOT / "book" / "chapters"


def data_dir() -> Path:
    """Folder of the downloaded data sets: `WNA_DATA`, or `data/` beside the notebooks."""
    return Path(os.environ.get("WNA_DATA") or ROOT / "data").expanduser()


def cache_dir() -> Path:
    """Folder of trained networks and tallies: `WNA_CACHE`, or `cache/` beside the notebooks."""
    return Path(os.environ.get("WNA_CACHE") or ROOT / "cache").expanduser()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the place of `path` if the block succeeds.

    Readers and parallel runs see the old file or the new one, never half of it.
    Raises `OSError` with a remedy if the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise OSError(
            f"cannot write to {path.parent} ({error.strerror}); "
            "set WNA_DATA and WNA_CACHE to folders that can be written to and have space left"
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
