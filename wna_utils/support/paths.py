"""Where things live on disk, and how a file is put there whole or not at all."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
CHAPTERS = ROOT / "book" / "chapters"
GENERATED = ROOT / "book" / "generated"
DISK_TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


def data_dir() -> Path:
    """Folder of the downloaded data sets: `WNA_DATA`, or `data/` beside the notebooks."""
    return _folder("WNA_DATA", ROOT / "data")


def cache_dir() -> Path:
    """Folder of trained networks and tallies: `WNA_CACHE`, or `cache/` beside the notebooks."""
    return _folder("WNA_CACHE", ROOT / "cache")


def own_images_dir() -> Path | None:
    """Folder of the user's own photographs: `WNA_IMAGES`, if it is set."""
    return _folder("WNA_IMAGES", None)


Usual = TypeVar("Usual", Path, None)


def _folder(variable: str, usual: Usual) -> Path | Usual:
    """The folder that an environment variable names, for processes that work in other folders, too."""
    if not (named := os.environ.get(variable)):
        return usual
    try:
        folder = Path(named).expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(f"{variable} must name a folder; got {named!r}: {error}") from None
    os.environ[variable] = str(folder)
    return folder


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the place of `path` if the block succeeds.

    Readers and parallel runs see the old file or the new one, never half of it.
    Raises `OSError` with a remedy if the folder cannot be written to or the disk is full.
    """
    temporary = _new_file(path)
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.errno in DISK_TROUBLE:
            raise _cannot_write(path, error) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait while another process makes what belongs at `path` in the cache, so that it is made once and then found.

    A process that ends, however it does, holds up no other. Raises `OSError` as `replacing` does.
    """
    from filelock import FileLock

    locks = cache_dir() / "locks"
    try:
        locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(locks / f"{path.parent.name}-{path.name}.lock")
        lock.acquire()
    except OSError as error:
        raise _cannot_write(locks, error) from error
    try:
        yield
    finally:
        lock.release()


def require_writable(path: Path) -> None:
    """Raise `OSError` with a remedy now, before any work, if `path` cannot be written later."""
    _new_file(path).unlink()


def _new_file(path: Path) -> Path:
    """An empty file of a name of its own in the folder of `path`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))  # less what the user's umask forbids
    except OSError as error:
        raise _cannot_write(path, error) from error
    return new


def _cannot_write(path: Path, error: OSError) -> OSError:
    return OSError(
        f"cannot write to {path.parent} ({error.strerror}); "
        "choose a folder that can be written to and has space left (WNA_DATA and WNA_CACHE say where things go)"
    )
