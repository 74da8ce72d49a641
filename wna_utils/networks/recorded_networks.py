"""Recorded networks: trained once, rounded to be small, and defined by their files in `book/recorded/networks/`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from wna_utils.data import datasets
from wna_utils.data.datasets import Dataset
from wna_utils.networks import architectures
from wna_utils.networks.observer import Observer
from wna_utils.support import recorded
from wna_utils.support.checks import one_of

if TYPE_CHECKING:
    from wna_utils.networks.training import Recipe

CALLS = "test calls"  # the class (n,) uint8 that the network gives each test image, beside its weights


def name_of(model: str, dataset: str, seed: int, recipe: "Recipe", epoch: int) -> str:
    """Name of a recorded network, such as "cnn-mnist-15-epochs-seed-0"."""
    part = f"{recipe.epochs}-epochs" if epoch == recipe.epochs else f"{epoch}-of-{recipe.epochs}-epochs"
    return f"{model}-{dataset}-{part}-seed-{seed}".replace(" ", "-")


def path_of(name: str) -> Path:
    """The file of the recorded network of this name."""
    return recorded.folder() / "networks" / f"{name}.safetensors"


def names() -> list[str]:
    """Names of all recorded networks."""
    return [path.stem for path in recorded.files() if path.parent.name == "networks"]


def is_recorded(model: str, dataset: str, recipe: "Recipe", seed: int = 0) -> bool:
    """Whether there is a recorded network of this recipe, trained to the end; whether records are used or not."""
    return path_of(name_of(model, dataset, seed, recipe, recipe.epochs)).exists()


def find(model: str, dataset: Dataset, seed: int, recipe: "Recipe", epoch: int) -> nn.Module | None:
    """The recorded network of this recipe, data and seed, in eval mode; None if there is none."""
    path = path_of(name_of(model, dataset.name, seed, recipe, epoch))
    if not (recorded.used() and path.exists()):
        return None
    about = recorded.about(path)
    if (about["recipe"], about["fingerprint"]) != (asdict(recipe), dataset.fingerprint):
        return None
    tensors, about = recorded.take(path)
    return _built(about, tensors)


def load(name: str) -> nn.Module:
    """The recorded network of this name, in eval mode.

    Raises `ValueError` for a name that there is not, or a file that is damaged.
    """
    one_of("network", name, names())
    tensors, about = recorded.read(path_of(name))
    return _built(about, tensors)


def _built(about: dict[str, Any], tensors: dict[str, Tensor]) -> nn.Module:
    network = architectures.build(about["model"], tuple(about["shape"]), about["classes"], seed=0)
    network.load_state_dict(recorded.restored({name: each for name, each in tensors.items() if name != CALLS}))
    return network.eval()


def write(
    network: nn.Module,
    model: str,
    dataset: Dataset,
    seed: int,
    recipe: "Recipe",
    epoch: int,
    made: dict[str, Any],
    device: str = "auto",
) -> Path:
    """Round a trained network, have it call the test images, and write it among the records.

    `made` says when, where and by what it was trained.
    """
    about = {
        "model": model,
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "shape": dataset.shape,
        "classes": len(dataset.classes),
        "only": [] if dataset.classes == datasets.CLASSES[dataset.name.split()[0]] else dataset.classes,
        "seed": seed,
        "recipe": asdict(recipe),
        "epoch": epoch,
        "made": made,
    }
    tensors = recorded.rounded(network.state_dict())
    calls = Observer(_built(about, tensors), dataset.shape, device=device).predict(dataset.x_test)
    about["accuracy"] = (calls == dataset.y_test).float().mean().item()
    path = path_of(name_of(model, dataset.name, seed, recipe, epoch))
    recorded.write(path, {**tensors, CALLS: calls.to(torch.uint8)}, about)
    return path


def dataset_of(name: str) -> Dataset:
    """The data set whose test images a recorded network calls; of one with a patch, the clean one."""
    about = recorded.about(path_of(name))
    dataset = datasets.load(about["dataset"].split()[0])
    return dataset.only(*about["only"]) if about.get("only") else dataset


def test_images(name: str) -> int:
    """Number of test images that the network called when it was recorded."""
    tensors, _ = recorded.read(path_of(name))
    return len(tensors[CALLS])


def calls_again(name: str, images: slice, device: str = "auto") -> tuple[Tensor, Tensor]:
    """What the network called some of the test images when it was recorded, and what it calls them now."""
    tensors, _ = recorded.read(path_of(name))
    dataset = dataset_of(name)
    now = Observer(load(name), dataset.shape, device=device).predict(dataset.x_test[images])
    return tensors[CALLS][images].long(), now
