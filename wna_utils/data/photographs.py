"""Forty photographs of ImageNet's classes in five groups: the book's, some to be fetched, or the user's own."""

import csv
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from wna_utils.data import imagenet
from wna_utils.data.fetch import download, ensured
from wna_utils.support.checks import at_least
from wna_utils.support.paths import ROOT, own_images_dir

FOLDER = ROOT / "book" / "photographs"
GROUPS, UNGROUPED = "groups.csv", "all"
SAMPLE, OWN = "sample", "own"
SAMPLED = FOLDER / "sample.csv"  # files, their groups, what they are called where they come from, and their hashes
SAMPLE_URL = (
    "https://raw.githubusercontent.com/EliSchwartz/imagenet-sample-images/bc69043e2862758a1906c6a24a792bb28c6bb2ff/"
)
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


def load(which: str | Path = "") -> Photographs:
    """The book's forty photographs, or others, in the order of their groups.

    `which` is a folder; or "own", the folder that the environment variable `WNA_IMAGES` names; or "sample", forty of
    ImageNet's own in the paper's groups, which are fetched if they are not there. Files are called NNN_name.jpg, NNN
    being the class, 0 to 999; `groups.csv` beside them, if there is one, has the columns file and group. Raises
    `ValueError` for a folder without such files, another name or class, a file that is no picture, fewer than three
    photographs, or a photograph that `groups.csv` does not name; `DataUnavailable` if a sample cannot be had.
    """
    place = folder_of(which)
    listed = SAMPLED if which == SAMPLE else place / GROUPS
    images, labels = imagenet.photographs(place, SIDE)
    if len(images) < FEWEST:
        raise ValueError(f"{place} has {len(images)} photographs, and {FEWEST} or more are needed: put more into it")
    files = [file.name for file in imagenet.pictures_in(place)]
    of = _groups(listed)
    if of and (missing := [file for file in files if file not in of]):
        raise ValueError(f"{listed} has no group for {missing[0]}: add a line for it, or take the file out")
    named = [of.get(file, UNGROUPED) for file in files]
    known = list(dict.fromkeys(of.values())) or [UNGROUPED]
    order = sorted(range(len(files)), key=lambda i: known.index(named[i]))
    return Photographs(images[order], labels[order], tuple(named[i] for i in order))


def folder_of(which: str | Path = "") -> Path:
    """The folder of the photographs that `load` calls so; raises `ValueError` where it is not there."""
    if which == SAMPLE:
        return _sample()
    if which == OWN:
        folder = own_images_dir()
        if not (folder and folder.is_dir()):
            names = f"{folder} is none" if folder else "it is not set"
            raise ValueError(f'for "{OWN}" photographs, set WNA_IMAGES to the folder that they are in: {names}')
        return folder
    if not Path(which or FOLDER).is_dir():
        raise ValueError(f'{which} is no folder: photographs are "{SAMPLE}", "{OWN}", or a folder that is there')
    return Path(which or FOLDER)


def _sample() -> Path:
    """Folder with the sample, each file of the SHA-256 that is listed; what is missing is fetched."""
    with SAMPLED.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def from_site(workspace: Path) -> Path:
        download(SAMPLE_URL, {row["original"]: row["sha256"] for row in rows}, workspace)
        for row in rows:
            (workspace / row["original"]).rename(workspace / row["file"])
        return workspace

    files = {row["file"]: row["sha256"] for row in rows}
    title = f"the sample of ImageNet's photographs (from {SAMPLE_URL}, renamed as {SAMPLED} says)"
    return ensured("imagenet_sample", title, files, {"collection": from_site})


def _groups(path: Path) -> dict[str, str]:
    """The group of each file, in the order of the list; none if there is no list."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"file", "group"} <= set(rows[0]):
        raise ValueError(f"{path} must have the columns file and group, and a line for each photograph")
    return {row["file"]: row["group"] for row in rows}
