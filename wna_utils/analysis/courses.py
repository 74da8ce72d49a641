"""Courses of training: test accuracy, and what noise is called, after every epoch."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wna_utils.data.datasets import Dataset
from wna_utils.networks import recorded_networks as networks
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.training import Recipe, accuracy, trained
from wna_utils.observe.loop import observe
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support import recorded


@dataclass(frozen=True)
class Course:
    """Test accuracy (E,) and noise images by class (E, K) after each of E epochs, and those of many more at the end."""

    accuracies: np.ndarray
    counts: np.ndarray
    last: np.ndarray
    recorded: bool = False

    @property
    def n(self) -> int:
        """Number of noise images at the end."""
        return int(self.last.sum())

    @property
    def shares(self) -> np.ndarray:
        """Share of the noise that each class gets after each epoch, (E, K)."""
        return self.counts / self.counts.sum(1, keepdims=True)

    @property
    def last_shares(self) -> np.ndarray:
        """Share of the noise that each class gets in the end, (K,)."""
        return self.last / self.last.sum()


def course(
    model: str, dataset: Dataset, seed: int, recipe: Recipe | Cyclic, n: int, n_last: int, *, device: str = "auto"
) -> Course:
    """Train `model`, and show it n images of white noise from its own seed after every epoch, n_last at the end.

    A recorded course of this recipe, data, seed and numbers of images comes back at once.
    """
    path = path_of(networks.name_of(model, dataset.name, seed, recipe))
    about = _about(dataset, recipe, n, n_last)
    if recorded.used() and path.exists() and recorded.about(path).items() >= about.items():
        recorded.note(path)
        tensors, _ = recorded.read(path)
        return Course(**{name: each.numpy() for name, each in tensors.items()}, recorded=True)
    noise = WhiteNoise(dataset.shape, seed=seed)
    accuracies: list[float] = []
    counts: list[np.ndarray] = []
    for epoch in range(1, recipe.epochs + 1):
        network = trained(model, dataset, seed, recipe=recipe, epoch=epoch, device=device)
        accuracies.append(accuracy(network, dataset, device=device))
        counts.append(observe(network, noise, n, device=device, records=False).counts)
    last: np.ndarray = observe(network, noise, n_last, device=device, records=False).counts
    return Course(np.array(accuracies), np.array(counts), last)


def path_of(network: str) -> Path:
    """Where the course of training of the network of this name is recorded."""
    return recorded.path_of("courses", f"course-{network}")


def write(
    found: Course,
    model: str,
    dataset: Dataset,
    seed: int,
    recipe: Recipe | Cyclic,
    n: int,
    n_last: int,
    made: dict[str, Any],
) -> Path:
    """Write a course among the records; `made` says when, where and by what it was made."""
    tensors = {name: torch.from_numpy(getattr(found, name)) for name in ("accuracies", "counts", "last")}
    path = path_of(networks.name_of(model, dataset.name, seed, recipe))
    recorded.write(path, tensors, _about(dataset, recipe, n, n_last) | {"made": made})
    return path


def _about(dataset: Dataset, recipe: Recipe | Cyclic, n: int, n_last: int) -> dict[str, Any]:
    test = recorded.fingerprint({"images": dataset.x_test, "labels": dataset.y_test})
    data = {"fingerprint": dataset.fingerprint, "test": test}
    return data | {"recipe": asdict(recipe), "n": n, "n_last": n_last}
