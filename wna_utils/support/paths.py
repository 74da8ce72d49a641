"""Where things live on disk, and how a file is put there whole or not at all."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
CHAPTERS = ROOT / "book" / "chapters"
GENERATED = ROOT / "book" / "generated"
for _name in ("WNA_DATA", "WNA_CACHE"):  # read in processes that work in other folders, too
    if os.environ.get(_name):
        os.environ[_name] = str(Path(os.environ[_name]).expanduser().absolute())
DISK_TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


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
    Raises `OSError` with a remedy if the folder cannot be written to or the disk is full.
    """
    temporary = _new_file(path)
    try:
        yield temporary
        with suppress(OSError):  # some file systems know no modes
            temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if error.errno in DISK_TROUBLE:
            raise _cannot_write(path, error) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def require_writable(path: Path) -> None:
    """Raise `OSError` with a remedy now, before any work, if `path` cannot be written later."""
    _new_file(path).unlink()


def _new_file(path: Path) -> Path:
    """An empty file of a name of its own in the folder of `path`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _cannot_write(path, error) from error
    os.close(handle)
    return Path(name)


def _umask() -> int:
    """The modes that new files are not to have, which can only be read by setting them."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _cannot_write(path: Path, error: OSError) -> OSError:
    return OSError(
        f"cannot write to {path.parent} ({error.strerror}); "
        "choose a folder that can be written to and has space left (WNA_DATA and WNA_CACHE say where things go)"
    )
