"""Stages of training: what hidden layers do with test images before it and after each cycle (Pardo et al., Fig. 2)."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from wna_utils.analysis.hidden import HiddenLayers, principal_components
from wna_utils.analysis.reordering import between_classes
from wna_utils.data.datasets import Dataset
from wna_utils.networks import architectures
from wna_utils.networks import recorded_networks as networks
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.training import accuracy, trained
from wna_utils.support import recorded

COMPONENTS = 100  # that the activations of all stages are reduced to


@dataclass(frozen=True)
class Stages:
    """A network's hidden activations of n test images, before training and after each of S cycles.

    `features` (S + 1, n, k) are principal components of the activations of all stages together, scaled to a mean square
    of 1; `apart` (S + 1,) is the share of the variance of activations that lies between classes. `accuracy` () is that
    of the last stage, on all test images.
    """

    features: Tensor
    apart: Tensor
    accuracy: Tensor


def stages(model: str, dataset: Dataset, seed: int, recipe: Cyclic, n_images: int, *, device: str = "auto") -> Stages:
    """Train `model` in cycles, and see what its hidden layers do with the first n test images at every stage.

    Recorded stages of this recipe, data, seed and number of images come back at once. Raises `ValueError` for a network
    without hidden dense layers.
    """
    path = path_of(networks.name_of(model, dataset.name, seed, recipe))
    about = _about(dataset, recipe, n_images)
    if recorded.used() and path.exists() and recorded.about(path).items() >= about.items():
        recorded.note(path)
        tensors, _ = recorded.read(path)
        return Stages(**tensors | {"features": tensors["features"].float()})
    images, labels = dataset.x_test[:n_images], dataset.y_test[:n_images].numpy()
    seen = [_hidden(_untrained(model, dataset, seed), images, device)]
    for cycle in range(1, recipe.cycles + 1):
        network = trained(model, dataset, seed, recipe=recipe, epoch=cycle, device=device)
        seen.append(_hidden(network, images, device))
    hidden = torch.stack(seen)  # (S + 1, n, p)
    joint = principal_components(hidden.flatten(0, 1), min(COMPONENTS, n_images))
    shares = [between_classes(each.numpy(), labels) for each in hidden]
    right = torch.tensor(accuracy(network, dataset, device=device))
    return Stages(joint.features(hidden), torch.tensor(shares, dtype=torch.float64), right)


def _untrained(model: str, dataset: Dataset, seed: int) -> nn.Module:
    return architectures.build(model, dataset.shape, len(dataset.classes), seed).eval()


def _hidden(network: nn.Module, images: Tensor, device: str) -> Tensor:
    """All hidden activations (n, p) of images."""
    return HiddenLayers(cast(nn.Sequential, network), images, device=device).raw(images)


def path_of(network: str) -> Path:
    """Where the stages of the network of this name are recorded."""
    return recorded.path_of("stages", f"stages-{network}")


def write(
    found: Stages, model: str, dataset: Dataset, seed: int, recipe: Cyclic, n_images: int, made: dict[str, Any]
) -> Path:
    """Round stages and write them among the records; `made` says when, where and by what they were made."""
    path = path_of(networks.name_of(model, dataset.name, seed, recipe))
    about = _about(dataset, recipe, n_images) | {"model": model, "dataset": dataset.name, "seed": seed, "made": made}
    recorded.write(path, vars(found) | {"features": found.features.half()}, about)
    return path


def problem(path: Path) -> str:
    """Why a record cannot be what it says, by its sizes and the range of its values; empty if it may be."""
    tensors, about = recorded.read(path)
    features, shares = tensors["features"].float(), tensors["apart"]
    if features.shape[:2] != (about["recipe"]["cycles"] + 1, about["n"]) or shares.shape != features.shape[:1]:
        return "does not have as many stages or images as it says"
    of_all = torch.cat([shares, tensors["accuracy"][None]])
    if not (features.isfinite().all() and (of_all >= 0).all() and (of_all <= 1).all()):
        return "has shares that are not between 0 and 1, or values that are not finite"
    return ""


def apart(path: Path, dataset: Dataset, device: str = "auto") -> float:
    """By how much the variance between classes before training is now another than recorded; its share is in [0, 1].

    Of the stages, the first is the only one that can be made again at once.
    """
    tensors, about = recorded.read(path)
    images, labels = dataset.x_test[: about["n"]], dataset.y_test[: about["n"]].numpy()
    hidden = _hidden(_untrained(about["model"], dataset, about["seed"]), images, device)
    return abs(between_classes(hidden.numpy(), labels) - float(tensors["apart"][0]))


def _about(dataset: Dataset, recipe: Cyclic, n_images: int) -> dict[str, Any]:
    test = recorded.fingerprint({"images": dataset.x_test, "labels": dataset.y_test})
    return {"fingerprint": dataset.fingerprint, "test": test, "recipe": asdict(recipe), "n": n_images}
