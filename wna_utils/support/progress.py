"""Progress bars on standard error; `WNA_PROGRESS=off` silences them where a page is being made."""

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import TqdmWarning, tqdm


def bar(iterable: Iterable[Any] | None = None, **options: Any) -> tqdm:
    """A tqdm bar with the project's manners: gone when done, unless it is switched off altogether."""
    off = os.environ.get("WNA_PROGRESS", "").lower() in {"off", "0", "no"}
    return tqdm(iterable, **{"leave": False, "dynamic_ncols": True, "mininterval": 0.5, "disable": off, **options})


@contextmanager
def without_widgets() -> Iterator[None]:
    """Import libraries that, in a notebook, warn of missing progress widgets, which are not wanted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)
        yield
