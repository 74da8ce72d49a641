"""The data sets, as float32 tensors in [0, 1], training and test images scaled alike.

Images of files stay the bytes that they are until somebody looks at them, in a quarter of the memory.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wna_utils.data.fetch import ensure_files
from wna_utils.support.checks import between, one_of, whole
from wna_utils.support.fingerprint import digest, parts_digest, tensor_digest

DIGITS = tuple("0123456789")
CLASSES = {
    "mnist": DIGITS,
    "digits": DIGITS,
    "colour_digits": DIGITS,
    "fashion_mnist": (
        "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot",
    ),
    "cifar10": ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}  # fmt: skip
NAMES = tuple(CLASSES)


AT_ONCE = 2_000  # images turned into float32 where not all are needed at the same time


@dataclass(frozen=True)
class Dataset:
    """Images `x_train` and `x_test`, (n, c, h, w) float32 in [0, 1], with labels (n,) int64 that index `classes`.

    `train` and `test` are the same images as they are kept: uint8 from 0 to 255, or float32.
    """

    name: str
    train: Tensor
    y_train: Tensor
    test: Tensor
    y_test: Tensor
    classes: tuple[str, ...]

    @cached_property
    def x_train(self) -> Tensor:
        """All training images (n, c, h, w), float32 in [0, 1]; where some will do, `part` takes less memory."""
        return _from_0_to_1(self.train)

    @cached_property
    def x_test(self) -> Tensor:
        """All test images (n, c, h, w), float32 in [0, 1]."""
        return _from_0_to_1(self.test)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (c, h, w) of one image."""
        return tuple(self.train.shape[1:])

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the training set: what a network trained on it depends on."""
        found = hashlib.sha256(repr((self.shape, self.classes)).encode())
        for images in _parts_from_0_to_1(self.train):
            found.update(images.contiguous().numpy())
        found.update(self.y_train.contiguous().numpy())
        return found.hexdigest()

    @cached_property
    def test_digest(self) -> str:
        """Hash of the test images and their labels."""
        return digest(parts_digest(_parts_from_0_to_1(self.test), self.test.shape), tensor_digest(self.y_test))

    def only(self, *classes: str) -> "Dataset":
        """The images of these classes alone, relabelled 0, 1, … in the order given.

        A class is named, or numbered in its place among `classes`: "1" is the 1 of digits and the trouser of garments.
        Raises `ValueError` for a class that is neither.
        """
        numbered, asked = {str(k): name for k, name in enumerate(self.classes)}, " ".join(classes)
        classes = tuple(numbered.get(name, name) for name in classes)
        for name in classes:
            one_of(f'a class of "{asked}"', name, self.classes)
        labels = torch.tensor([self.classes.index(name) for name in classes])

        def subset(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            kept = torch.isin(y, labels)
            return x[kept], (y[kept, None] == labels).long().argmax(1)

        (train, y_train), (test, y_test) = subset(self.train, self.y_train), subset(self.test, self.y_test)
        name = f"{self.name} {' or '.join(classes)}"
        return Dataset(name, train, y_train, test, y_test, classes)

    def part(self, n: int) -> "Dataset":
        """The data set with its first `n` training images alone."""
        return replace(self, name=f"{self.name} {n}", train=self.train[:n], y_train=self.y_train[:n])

    def over(self, scale: int) -> "Dataset":
        """The same images with all pixels divided by `scale`: some of the authors' cells do so once too often.

        Raises `ValueError` for a scale that is not whole, or below 1.
        """
        scale = whole("scale", scale, 1)
        train, test = (_from_0_to_1(images) / scale for images in (self.train, self.test))
        return replace(self, name=f"{self.name} over {scale}", train=train, test=test)

    def shifted(self, most: int, seed: int = 0) -> "Dataset":
        """The data set with every image moved at random by up to `most` pixels down or up and right or left.

        What moves in is black, what moves out is lost. Raises `ValueError` unless 0 ≤ `most` < the images' side.
        """
        between("most", most, 0, min(self.shape[1:]) - 1)
        generator = torch.Generator().manual_seed(seed)

        def moved(images: Tensor) -> Tensor:
            framed = torch.nn.functional.pad(images, (most,) * 4)
            n, _, h, w = images.shape
            down, right = torch.randint(2 * most + 1, (2, n), generator=generator)
            rows, columns = down[:, None] + torch.arange(h), right[:, None] + torch.arange(w)
            where = torch.arange(n)[:, None, None]
            return framed.movedim(1, -1)[where, rows[:, :, None], columns[:, None]].movedim(-1, 1).contiguous()

        name = f"{self.name} shifted by {most}"
        return replace(self, name=name, train=moved(self.train), test=moved(self.test))

    def class_means(self) -> Tensor:
        """Mean training image of each class, (K, c, h, w)."""
        return torch.stack([of_class.mean(0) for of_class in self._by_class()])

    def class_rms(self) -> Tensor:
        """Root mean square training image of each class, (K, c, h, w): the original's "mean images" of CIFAR-10."""
        return torch.stack([of_class.square().mean(0) for of_class in self._by_class()]).sqrt()

    def _by_class(self) -> Iterator[Tensor]:
        """The training images of one class after the other, (n_k, c, h, w) in [0, 1]."""
        for k in range(len(self.classes)):
            yield _from_0_to_1(self.train[self.y_train == k])


def _from_0_to_1(images: Tensor) -> Tensor:
    return images.float().div_(255) if images.dtype == torch.uint8 else images


def _parts_from_0_to_1(images: Tensor) -> Iterator[Tensor]:
    return map(_from_0_to_1, images.split(AT_ONCE))


def load(name: str) -> Dataset:
    """The data set `name`: "mnist", "fashion_mnist", "cifar10", "digits" or "colour_digits".

    Files are fetched on first use and checked on every use (see `fetch`). "digits" comes with
    scikit-learn and needs no download: its 8×8 images are enlarged to 28×28. "colour_digits" are a third of them in
    random colours, 32×32, a stand-in for CIFAR-10 where a download would be too much.

    Raises `ValueError` for another name and `fetch.DataUnavailable` if the files cannot be had.
    """
    one_of("dataset", name, NAMES)
    if name == "digits":
        tensors = _read_digits(28)
    elif name == "colour_digits":
        tensors = _coloured(*(each[::3] for each in _read_digits(32)))
    elif name == "cifar10":
        tensors = _read_cifar10(ensure_files(name))
    else:
        tensors = _read_idx(ensure_files(name))
    return Dataset(name, *tensors, classes=CLASSES[name])


def _read_idx(folder: Path) -> tuple[Tensor, ...]:
    from torchvision.datasets.mnist import read_image_file, read_label_file

    tensors = []
    for part in ("train", "t10k"):
        images = read_image_file(str(folder / f"{part}-images-idx3-ubyte"))
        labels = read_label_file(str(folder / f"{part}-labels-idx1-ubyte"))
        tensors += [images[:, None], labels]
    return tuple(tensors)


def _read_cifar10(folder: Path) -> tuple[Tensor, ...]:
    """Records of one label byte and 3072 pixel bytes, red plane first."""

    def read(*names: str) -> tuple[Tensor, Tensor]:
        records = torch.empty(len(names), 10_000, 3073, dtype=torch.uint8)
        for i, name in enumerate(names):  # one file at a time is in memory twice
            records[i] = torch.from_numpy(np.fromfile(folder / name, np.uint8).reshape(-1, 3073))
        labels, images = records.flatten(0, 1).split([1, 3072], dim=1)
        return images.view(-1, 3, 32, 32), labels[:, 0].long()

    return *read(*(f"data_batch_{i}.bin" for i in range(1, 6))), *read("test_batch.bin")


def _read_digits(side: int) -> tuple[Tensor, ...]:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    small = torch.from_numpy(images.reshape(-1, 1, 8, 8) / 16).float()
    large = torch.nn.functional.interpolate(small, size=(side, side), mode="bilinear")
    split = train_test_split(large.numpy(), labels, test_size=0.2, stratify=labels, random_state=0)
    x_train, x_test, y_train, y_test = map(torch.from_numpy, split)
    return x_train, y_train, x_test, y_test


def _coloured(x_train: Tensor, y_train: Tensor, x_test: Tensor, y_test: Tensor) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)

    def paint(images: Tensor) -> Tensor:
        return images * torch.rand(len(images), 3, 1, 1, generator=generator)

    return paint(x_train), y_train, paint(x_test), y_test
