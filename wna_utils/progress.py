"""Progress bars on standard error; `WNA_PROGRESS=off` silences them where a page is being made."""

import os
from collections.abc import Iterable

from tqdm import tqdm


def bar(iterable: Iterable | None = None, **options) -> tqdm:
    """A tqdm bar with the project's manners: gone when done, unless it is switched off altogether."""
    off = os.environ.get("WNA_PROGRESS", "").lower() in {"off", "0", "no"}
    return tqdm(iterable, **{"leave": False, "dynamic_ncols": True, "mininterval": 0.5, "disable": off, **options})
