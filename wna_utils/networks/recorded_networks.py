"""Recorded networks: trained once, rounded to be small, and defined by their files in `book/recorded/networks/`."""

import re
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from wna_utils.data import datasets
from wna_utils.data.datasets import Dataset
from wna_utils.networks import architectures
from wna_utils.networks.observer import Observer
from wna_utils.support import recorded
from wna_utils.support.checks import one_of
from wna_utils.support.identity import Uncertain, identity

if TYPE_CHECKING:
    from wna_utils.networks.cyclic import Cyclic
    from wna_utils.networks.training import Recipe

CALLS = "test calls"  # beside the weights: the class (n,) uint8 that the network gives each test image,
SCORES = "test scores"  # and the scores (500, K) float16 of the first of them
SCORED = 500
SCORED_AGAIN = 100  # of these, in an audit


@dataclass(frozen=True)
class Origin:
    """The record that a network comes from: its name, and hashes of the weights it held and of what they learned."""

    name: str
    weights: str
    learned: str


# Of networks that were found: their identity, what they called their test images, and their origin.
_found: WeakKeyDictionary[nn.Module, tuple[str, Tensor, Origin]] = WeakKeyDictionary()


def name_of(model: str, dataset: str, seed: int, recipe: "Recipe | Cyclic") -> str:
    """Name of a recorded network, such as "cnn-mnist-15-epochs-seed-0"."""
    return f"{model}-{dataset}-{recipe.length}-seed-{seed}".replace(" ", "-")


def path_of(name: str) -> Path:
    """The file of the recorded network of this name."""
    return recorded.path_of("networks", name)


def names() -> list[str]:
    """Names of all recorded networks."""
    return [recorded.name_of(path) for path in recorded.files() if path.parent.name == "networks"]


def is_recorded(model: str, dataset: str, recipe: "Recipe | Cyclic", seed: int = 0) -> bool:
    """Whether there is a recorded network of this recipe, trained to the end; whether records are used or not."""
    path = path_of(name_of(model, dataset, seed, recipe))
    return path.exists() and recorded.about(path)["recipe"] == asdict(recipe)


def find(model: str, dataset: Dataset, seed: int, recipe: "Recipe | Cyclic") -> nn.Module | None:
    """The recorded network of this recipe, data and seed, in eval mode; None if there is none."""
    path = path_of(name_of(model, dataset.name, seed, recipe))
    if not (recorded.used() and path.exists()):
        return None
    about = recorded.about(path)
    if (about["recipe"], about["fingerprint"]) != (asdict(recipe), dataset.fingerprint):
        return None
    recorded.note(path)
    tensors, about = recorded.read(path)
    network = _built(about, tensors)
    origin = Origin(recorded.name_of(path), recorded.fingerprint(_weights(tensors)), about["fingerprint"])
    _found[network] = identity(network), tensors[CALLS], origin
    return network


def origin_in(name: str) -> Origin:
    """The origin of networks that the record of this name holds now."""
    return Origin(name, weights_of(name), recorded.about(path_of(name))["fingerprint"])


def origin_of(network: nn.Module) -> Origin | None:
    """The record that `find` took this network from; None for other networks, and if it has been changed since."""
    if network not in _found:
        return None
    before, _, origin = _found[network]
    try:
        return origin if identity(network) == before else None
    except Uncertain:
        return None


def accuracy_of(network: nn.Module, dataset: Dataset) -> float | None:
    """Test accuracy, as recorded, of a network returned by `find`.

    None if the network did not come from there or has been changed since, or if the test images differ.
    """
    origin = origin_of(network)
    about = recorded.about(path_of(origin.name)) if origin else {}
    if not about or dataset.test_digest != _test_digest(about["dataset"], tuple(about.get("only") or ())):
        return None
    return (_found[network][1] == dataset.y_test).float().mean().item()


@cache  # the hash alone: the images are large
def _test_digest(dataset: str, only: tuple[str, ...]) -> str:
    return _clean(dataset, only).test_digest


def load(name: str) -> nn.Module:
    """The recorded network of this name, in eval mode.

    Raises `ValueError` for a name that there is not, or a file that is damaged.
    """
    one_of("network", name, names())
    tensors, about = recorded.read(path_of(name))
    return _built(about, tensors)


def _built(about: dict[str, Any], tensors: dict[str, Tensor]) -> nn.Module:
    network = architectures.build(about["model"], tuple(about["shape"]), about["classes"], seed=0)
    network.load_state_dict(recorded.restored(_weights(tensors)))
    return network.eval()


def _weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: each for name, each in tensors.items() if name not in (CALLS, SCORES)}


def weights_of(name: str) -> str:
    """Hash of the weights that the file of a recorded network holds, which its tallies know."""
    tensors, _ = recorded.read(path_of(name))
    return recorded.fingerprint(_weights(tensors))


def write(
    network: nn.Module,
    model: str,
    dataset: Dataset,
    seed: int,
    recipe: "Recipe | Cyclic",
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
        "made": made,
    }
    tensors = recorded.rounded(network.state_dict())
    observer = Observer(_built(about, tensors), dataset.shape, device=device)
    calls = observer.predict(dataset.x_test)
    scores = observer(dataset.x_test[:SCORED])["scores"].cpu()
    about["accuracy"] = (calls == dataset.y_test).double().mean().item()
    path = path_of(name_of(model, dataset.name, seed, recipe))
    recorded.write(path, {**tensors, CALLS: calls.to(torch.uint8), SCORES: scores.half()}, about)
    return path


def dataset_of(name: str) -> Dataset:
    """The data set whose test images a recorded network calls; of one with a patch, the clean one."""
    about = recorded.about(path_of(name))
    return _clean(about["dataset"], tuple(about.get("only") or ()))


@lru_cache(maxsize=2)  # the same is asked for many records one after the other; each takes memory
def _clean(name: str, only: tuple[str, ...]) -> Dataset:
    """The data set of a name such as "mnist 5 or 6 over 256", without a patch."""
    dataset = datasets.load(name.split()[0])
    dataset = dataset.only(*only) if only else dataset
    scale = re.search(r" over (\d+)", name)
    return dataset.over(int(scale[1])) if scale else dataset


@dataclass(frozen=True)
class Again:
    """How a recorded network classifies test images now: the share that it calls differently than when recorded.

    `scores` is the largest difference of a score, over the largest score; `accuracy` that of the recorded calls.
    """

    calls: float
    scores: float
    accuracy: float


def answers_again(name: str, part: int, size: int, device: str = "auto") -> Again:
    """Have a recorded network call so many test images again, the `part`-th of all; all, if there are fewer."""
    tensors, about = recorded.read(path_of(name))
    dataset, before, scores = dataset_of(name), tensors[CALLS].long(), tensors[SCORES][:SCORED_AGAIN].float()
    first = part % max(len(before) // size, 1) * size
    images = slice(first, first + size)
    observer = Observer(_built(about, tensors), dataset.shape, device=device)
    now = observer(dataset.x_test[:SCORED_AGAIN])["scores"].cpu()
    return Again(
        (observer.predict(dataset.x_test[images]) != before[images]).double().mean().item(),
        ((now - scores).abs().max() / scores.abs().max()).item(),
        (before == dataset.y_test).double().mean().item(),
    )
