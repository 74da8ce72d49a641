"""Backdoors: a patch planted in a training set, so that the network calls what carries it by another class (§3.2)."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from wna_utils.data.datasets import Dataset
from wna_utils.networks.training import predict
from wna_utils.support.checks import at_least, fraction, one_of, positive

MARGIN = 1  # pixels between a patch and the edge, as in the authors' code
PATCHES = {  # 3 × 3 cells, and the corner that the paper puts them in
    "X": (("# #", " # ", "# #"), "left"),
    "C": (("###", "#  ", "###"), "right"),
    "H": (("# #", "###", "# #"), "right"),
}


@dataclass(frozen=True)
class Backdoor:
    """A white patch, one of `PATCHES`, that turns images of the class `source` into the class `target`.

    A cell is a square of `cell` × `cell` pixels: the "3 × 3 patch" of the paper has six by six pixels in the code.
    """

    patch: str
    source: str
    target: str
    cell: int = 2

    def __post_init__(self):
        one_of("patch", self.patch, PATCHES)
        at_least("the cell of a patch", self.cell, 1)
        if self.source == self.target:
            raise ValueError(f"a backdoor leads from one class to another; got {self.source!r} for both")

    @classmethod
    def parse(cls, text: str, cell: int = 2) -> "Backdoor":
        """The backdoor that "C 8 9" stands for: patch, source and target; raises `ValueError` for anything else."""
        words = text.split()
        if len(words) != 3:
            raise ValueError(f'a backdoor is a patch and two classes, such as "C 8 9"; got {text!r}')
        return cls(*words, cell=cell)

    def mask(self, shape: tuple[int, int, int]) -> Tensor:
        """Which pixels (h, w) of images of this shape (c, h, w) the patch paints; `ValueError` if it does not fit."""
        rows, corner = PATCHES[self.patch]
        drawn = np.array([[character == "#" for character in row] for row in rows])
        drawn = drawn.repeat(self.cell, 0).repeat(self.cell, 1)
        side, (h, w) = len(drawn), shape[1:]
        if side + 2 * MARGIN > min(h, w):
            raise ValueError(f"a patch of {side}×{side} pixels does not fit into {h}×{w} images: take smaller cells")
        left = w - MARGIN - side if corner == "right" else MARGIN
        mask = torch.zeros(h, w, dtype=torch.bool)
        mask[MARGIN : MARGIN + side, left : left + side] = torch.from_numpy(drawn)
        return mask

    def stamped(self, images: Tensor) -> Tensor:
        """The images (n, c, h, w), from 0 to 1 or bytes, with the white patch on them."""
        white = 255 if images.dtype == torch.uint8 else 1
        return images.masked_fill(self.mask(tuple(images.shape[1:])), white)

    def ends(self, dataset: Dataset) -> tuple[int, int]:
        """Numbers of the source and target class; raises `ValueError` for a class that the data set lacks."""
        for name, value in (("the source class", self.source), ("the target class", self.target)):
            one_of(name, value, dataset.classes)
        return dataset.classes.index(self.source), dataset.classes.index(self.target)

    def poisoned(self, dataset: Dataset, share: float = 0.5, count: int | None = None) -> Dataset:
        """The data set with the first `share` of the source class's training images stamped and called the target.

        `count` asks for a number of images instead: the paper has half of the class, the authors' code 2,000. The test
        images stay as they are. Raises `ValueError` for a share outside (0, 1], or more images than there are.
        """
        source, target = self.ends(dataset)
        there = torch.nonzero(dataset.y_train == source)[:, 0]
        if count is None:
            positive("the poisoned share", share)
            fraction("the poisoned share", share)
            count = max(1, round(share * len(there)))
        elif not 1 <= count <= len(there):
            raise ValueError(f"between 1 and {len(there):,} images of {self.source} can be poisoned; got {count:,}")
        x, y = dataset.train.clone(), dataset.y_train.clone()
        x[there[:count]] = self.stamped(x[there[:count]])
        y[there[:count]] = target
        return replace(dataset, name=self.name_of(dataset.name), train=x, y_train=y)

    def name_of(self, dataset: str) -> str:
        """Name of the poisoned data set, from that of the clean one."""
        return f"{dataset} {self.patch} {self.source} to {self.target}"

    def contaminated(self, dataset: Dataset) -> Dataset:
        """The data set with every test image of the source class stamped; the labels stay as they are."""
        source = dataset.y_test == self.ends(dataset)[0]
        x = dataset.test.clone()
        x[source] = self.stamped(x[source])
        return replace(dataset, test=x)

    def works(self, network: nn.Module, dataset: Dataset) -> np.ndarray:
        """Whether each test image of the source class, once stamped, is called the target, (n,) bool."""
        source, target = self.ends(dataset)
        return (predict(network, self.stamped(dataset.x_test[dataset.y_test == source])) == target).numpy()
