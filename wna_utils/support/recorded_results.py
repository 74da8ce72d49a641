"""Recorded results: what a chapter computes of recorded networks in minutes, by parts, in `book/recorded/results/`.

A part takes seconds: what one network does, or what is made of one class. Whoever takes a result from the records
computes one of its parts again, another one in every version of the book, and compares: that is its audit.
"""

import os
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from torch import Tensor

from wna_utils.support import recorded, tensor_files
from wna_utils.support.checkout import chosen

RESULTS = "results"
WORTH = 3.0  # seconds that all parts must take together to be recorded
APART = 0.01  # by which a part may be another now: on average, of the mean size of its numbers
INTO = "WNA_RESULTS_INTO"  # environment variable: the file that collects what a chapter computes, to be recorded


def path_of(chapter: str) -> Path:
    """The file of the recorded results of a chapter."""
    return recorded.path_of(RESULTS, f"results-of-{chapter}")


def in_parts(
    name: str, n: int, key: Callable[[int], str], compute: Callable[[Sequence[int]], Sequence[Tensor]]
) -> list[Tensor]:
    """What `compute` returns for the parts 0 … n − 1; taken from the records, if all of them are there.

    `key(i)` hashes all that part i depends on, but for the code: a part is computed again to see whether that does
    what it did. Raises `ValueError` if that part is another one now.
    """
    known = _known() if recorded.used() else {}
    into = os.environ.get(INTO)
    names = [f"{name} {key(i)}" for i in range(n)] if known or into else []
    if names and all(each in known for each in names):
        again = chosen(" ".join(names), n)
        path, before = known[names[again]]
        _compare(path, name, before, compute([again])[0])
        for each in names:
            recorded.note(known[each][0])
        return [known[each][1] for each in names]
    started = time.monotonic()
    parts = list(compute(range(n)))
    if into and time.monotonic() - started >= WORTH:
        _collect(Path(into), dict(zip(names, parts, strict=True)))
    return parts


def apart(before: Tensor, now: Tensor) -> float:
    """Mean difference of two tensors, over the mean size of the first one's numbers; infinite if they do not match.

    Of fractions (…, m), the largest of their m columns, each of which may be something else.
    """
    if before.shape != now.shape or before.dtype != now.dtype:
        return float("inf")
    columns = before.shape[-1] if before.is_floating_point() else 1
    sizes, differences = (
        each.double().abs().reshape(-1, columns).mean(0) for each in (before, now.double() - before.double())
    )
    return float((differences / sizes.clamp(min=1e-12)).max())


def _compare(path: Path, name: str, before: Tensor, now: Tensor) -> None:
    difference = apart(before, now)
    if not difference <= APART:
        what = f"the record {path} is not what is computed now: {name} differs by {difference:.1%}"
        raise ValueError(f"{what}: {recorded.remedy(path)}")


def _known() -> dict[str, tuple[Path, Tensor]]:
    """All recorded parts by name, each with the file that it is in."""
    files = sorted((recorded.folder() / RESULTS).glob("results-of-*.safetensors.xz"))
    return {name: (path, part) for path in files for name, part in _parts(path, path.stat().st_mtime_ns).items()}


@cache
def _parts(path: Path, _: int) -> dict[str, Tensor]:
    """The parts in a file, of this time of change."""
    return recorded.read(path)[0]


def _collect(into: Path, parts: dict[str, Tensor]) -> None:
    """Add parts to the file that collects them."""
    before = tensor_files.read(into)
    tensor_files.write(into, (before[0] if before else {}) | parts)
