"""Forty photographs of ImageNet's classes in five groups, which belong to this book, or a folder of the user's own."""

import csv
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from wna_utils.data import imagenet
from wna_utils.support.checks import at_least
from wna_utils.support.paths import ROOT

FOLDER = ROOT / "book" / "photographs"
GROUPS, UNGROUPED = "groups.csv", "all"
SIDE = 224  # pixels
FEWEST = 3  # of which there are three pairs


@dataclass(frozen=True)
class Photographs:
    """Photographs (n, 3, 224, 224) in [0, 1], their classes of ImageNet (n,), and the group that each belongs to."""

    images: Tensor
    labels: Tensor
    groups: tuple[str, ...]

    def few(self, n: int) -> "Photographs":
        """So many of the photographs, evenly from all groups; all, if there are fewer. Raises `ValueError` below 3."""
        at_least("the number of photographs", n, FEWEST)
        if n >= len(self.labels):
            return self
        kept = [round(i * (len(self.labels) - 1) / (n - 1)) for i in range(n)]
        return Photographs(self.images[kept], self.labels[kept], tuple(self.groups[i] for i in kept))


def load(folder: str | Path = "") -> Photographs:
    """The forty photographs, or those in a folder, in the order of their groups.

    Files there are called NNN_name.jpg, NNN being the class, 0 to 999; `groups.csv` there, if there is one, has the
    columns file and group. Raises `ValueError` for a folder without such files, another name or class, a file that is
    no picture, fewer than three photographs, or a photograph that `groups.csv` does not name.
    """
    place = Path(folder or FOLDER)
    images, labels = imagenet.photographs(place, SIDE)
    if len(images) < FEWEST:
        raise ValueError(f"{place} has {len(images)} photographs, and {FEWEST} or more are needed: put more into it")
    files = [file.name for file in imagenet.pictures_in(place)]
    of = _groups(place / GROUPS)
    if of and (missing := [file for file in files if file not in of]):
        raise ValueError(f"{place / GROUPS} has no group for {missing[0]}: add a line for it, or take the file out")
    named = [of.get(file, UNGROUPED) for file in files]
    known = list(dict.fromkeys(of.values())) or [UNGROUPED]
    order = sorted(range(len(files)), key=lambda i: known.index(named[i]))
    return Photographs(images[order], labels[order], tuple(named[i] for i in order))


def _groups(path: Path) -> dict[str, str]:
    """The group of each file, in the order of the list; none if there is no list."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"file", "group"} <= set(rows[0]):
        raise ValueError(f"{path} must have the columns file and group, and a line for each photograph")
    return {row["file"]: row["group"] for row in rows}
