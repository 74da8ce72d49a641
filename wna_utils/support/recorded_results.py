"""Recorded results: what a chapter computes of recorded networks in minutes, by parts, in `book/recorded/results/`.

A part takes seconds, or a minute at most: what one network does, or what is made of one class. Whoever takes a result
from the records computes one of its parts again, another one in every version of the book, and compares: that is its
audit.
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
APART = 0.01  # by which a part may differ now; see `apart`
TINY = 1e-6  # spread of a column that is the same throughout
FEW = 3  # answers that rounding may change in a part that counts them
INTO = "WNA_RESULTS_INTO"  # environment variable: the file that collects what a chapter computes, to be recorded

DECISIVE = ("networks", "introspections", "estimators")  # kinds of records that results rest on
Compute = Callable[[Sequence[int], bool], Sequence[Tensor]]


def path_of(chapter: str) -> Path:
    """The file of the recorded results of a chapter."""
    return recorded.path_of(RESULTS, f"results-of-{chapter}")


def rests_on(titles: Sequence[str]) -> dict[str, str]:
    """The hashes, as listed now, of those of these records that results rest on; empty for one that is missing."""
    listed = recorded.checksums()
    wanted = (title for title in titles if title.split("/")[0] in DECISIVE)
    return {title: listed.get(f"{title}.safetensors", "") for title in wanted}


def in_parts(name: str, n: int, key: Callable[[int], str], compute: Compute) -> list[Tensor]:
    """What `compute` returns for the parts 0 … n − 1: from the records, if all are there, and one of them is the same.

    `key(i)` hashes all that part i depends on, but for the code: that is what a part is computed again for.
    `compute(which, anew)` returns these parts; if `anew`, it must not take them from the cache. While a chapter is
    recorded, everything is computed, and collected if it takes three seconds or more. Raises `ValueError` if the part
    that is computed again differs from the recorded one.
    """
    into = os.environ.get(INTO)
    known = _known() if recorded.used() and not into else {}
    names = [f"{name} {key(i)}" for i in range(n)] if known or into else []
    if names and all(each in known for each in names):
        again = chosen(" ".join(names), n)
        path, before = known[names[again]]
        _compare(path, name, before, compute([again], True)[0])
        for each in names:
            recorded.note(known[each][0])
        return [known[each][1].clone() for each in names]
    started = time.monotonic()
    parts = list(compute(range(n), False))
    if into and time.monotonic() - started >= WORTH:
        _collect(Path(into), dict(zip(names, parts, strict=True)))
    return parts


def problem(path: Path) -> str:
    """Why a record is of other networks, maps or estimators than are recorded now, or cannot be; empty if it is not."""
    parts, about = recorded.read(path)
    if not all(part.isfinite().all() for part in parts.values()):
        return "has values that are not finite"
    changed = [title for title, value in about["rests on"].items() if rests_on([title])[title] != value]
    return f"rests on another {changed[0]} than is recorded now" if changed else ""


def apart(before: Tensor, now: Tensor) -> float:
    """How much a part differs now; infinite if type or shape do.

    Of fractions (…, m): mean difference over the spread of the column, the largest of m columns. Of whole numbers: sum
    of all differences over that of all numbers, but for three, which may be rounding.
    """
    if before.shape != now.shape or before.dtype != now.dtype:
        return float("inf")
    if not before.is_floating_point():
        changed = int((now.long() - before.long()).abs().sum())
        return max(0, changed - FEW) / max(1, int(before.long().abs().sum()))
    columns = before.double().reshape(-1, before.shape[-1])
    differences = (now.double().reshape(columns.shape) - columns).abs().mean(0)
    return float((differences / columns.std(0, correction=0).clamp(min=TINY)).max())


def _compare(path: Path, name: str, before: Tensor, now: Tensor) -> None:
    difference = apart(before, now)
    if not difference <= APART:
        what = f"the record {path} is not what is computed now: {name} differ by {difference:.1%}"
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
