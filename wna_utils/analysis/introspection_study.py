"""A network's introspection as the book makes it, computed or recorded (Pardo et al.).

To train a map and its estimator takes a core half a minute, and the book has two dozen of them. A record holds the
principal components, too, so that the same activations are the same features on every machine.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from wna_utils.analysis.hidden import FITTED, Components, HiddenLayers, dense_activations
from wna_utils.analysis.introspection import Introspection, Place, assembled, introspect
from wna_utils.data.datasets import Dataset
from wna_utils.networks import recorded_networks
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.infovae import AUTOENCODER, ESTIMATOR, recipes_of
from wna_utils.networks.recorded_networks import Origin
from wna_utils.support import recorded

COMPONENTS = 100  # of hidden activations, that a map is made from
KEPT = 100  # test images of which a record keeps what the map says
SAID = ("codes", "expected", "missed")  # of the kept images; see `Place`
PARTS = "components/"  # before the names of the components, among a record's tensors
LARGE = 100_000  # weights of a matrix, from which on a record keeps it in 8 bits


@dataclass(frozen=True)
class Settings:
    """How a map is made: of the first so many training images, in `bottleneck` numbers, with λ, a seed and recipes."""

    n_images: int = 20_000
    bottleneck: int = 2
    mmd_weight: float = 10.0
    seed: int = 0
    autoencoder: Cyclic = AUTOENCODER
    estimator: Cyclic = ESTIMATOR


def study(
    network: nn.Sequential,
    dataset: Dataset,
    n_images: int = 20_000,
    *,
    bottleneck: int = 2,
    mmd_weight: float = 10.0,
    seed: int = 0,
    profile: str = "book",
    times_longer: int = 1,
    device: str = "auto",
) -> Introspection:
    """The introspection of a network's dense layers by the first so many training images, at a `profile`'s sizes.

    It is a recorded one, if there is one of this network, what it learned, and these settings; otherwise it is trained,
    or comes from the cache. With `times_longer`, map and estimator are trained in so many times the cycles.
    Raises `ValueError` for a network without hidden dense layers, an unknown profile, settings that `introspect`
    refuses, or a record that is damaged.
    """
    settings = Settings(n_images, bottleneck, mmd_weight, seed, *recipes_of(profile, times_longer))
    origin = recorded_networks.origin_of(network) if recorded.used() else None
    if origin is None or origin.learned != dataset.fingerprint or not is_recorded(origin, settings):
        return computed(network, dataset, settings, device)
    path = path_of(origin.name, settings)
    recorded.note(path)
    return _rebuilt(network, dataset, recorded.read(path)[0], device)


def computed(network: nn.Sequential, dataset: Dataset, settings: Settings, device: str = "auto") -> Introspection:
    """The introspection of a network, whatever is recorded; raises what `study` raises."""
    images, labels = dataset.part(settings.n_images).x_train, dataset.y_train[: settings.n_images]
    hidden = HiddenLayers(network, images, components=min(COMPONENTS, len(images)), device=device)
    how = {name: each for name, each in vars(settings).items() if name != "n_images"}
    return introspect(hidden, images, labels, **how)


def path_of(network: str, settings: Settings) -> Path:
    """The file of the recorded map of a recorded network, such as "cnn-mnist-15-epochs-seed-0-map-of-20000".

    Of the recipes, only the number of cycles is in its name: the rest is in the file.
    """
    parts = [f"{network}-map-of-{settings.n_images}"]
    if settings.bottleneck != Settings.bottleneck:
        parts.append(f"bottleneck-{settings.bottleneck}")
    if settings.mmd_weight != Settings.mmd_weight:
        parts.append(f"mmd-weight-{settings.mmd_weight:g}")
    if settings.autoencoder.cycles != AUTOENCODER.cycles:
        parts.append(settings.autoencoder.length)
    if not network.endswith(f"-seed-{settings.seed}"):  # usually, a map has its network's
        parts.append(f"seed-{settings.seed}")
    return recorded.path_of("introspections", "-".join(parts))


def is_recorded(network: Origin, settings: Settings) -> bool:
    """Whether the map of a recorded network by its own training images is recorded; whether records are used or not."""
    path = path_of(network.name, settings)
    return path.exists() and _of(network, settings).items() <= recorded.about(path).items()


def _of(network: Origin, settings: Settings) -> dict[str, Any]:
    """What a map is of: a record of anything else is another one."""
    sizes = {"components": COMPONENTS, "fitted to": FITTED}
    return {"network": asdict(network), "settings": asdict(settings), **sizes}


def write(name: str, found: Introspection, dataset: Dataset, settings: Settings, made: dict[str, Any]) -> Path:
    """Round the introspection of a recorded network, have it place test images, and write it among the records.

    `made` says when, where and by what it was trained. Raises `ValueError` for a map that says the same of all images.
    """
    parts = {f"{PARTS}{part}": each for part, each in vars(found.hidden.components).items()}
    tensors = recorded.rounded(parts | found.weights(), LARGE)
    device = str(found.hidden.observer.device)
    said = _said(_rebuilt(found.hidden.network, dataset, tensors, device), dataset)
    if not all((each.std(0) > 0).all() for each in said.values()):
        raise ValueError(f"the map of {name} says the same of all images: train it otherwise")
    path = path_of(name, settings)
    about = {**_of(recorded_networks.origin_in(name), settings), "layers": found.hidden.layers, "made": made}
    recorded.write(path, tensors | said, about)
    return path


def _rebuilt(network: nn.Sequential, dataset: Dataset, tensors: dict[str, Tensor], device: str) -> Introspection:
    """The introspection that the tensors of a record hold."""
    whole = recorded.restored({name: each for name, each in tensors.items() if name not in SAID})
    components = {name.removeprefix(PARTS): whole.pop(name) for name in list(whole) if name.startswith(PARTS)}
    hidden = HiddenLayers(network, dataset.part(FITTED).x_train, components=Components(**components), device=device)
    return assembled(hidden, whole, len(whole["map.encoder.out.bias"]))


@torch.no_grad()
def _said(found: Introspection, dataset: Dataset) -> dict[str, Tensor]:
    """What a map says of the kept test images, which the network is shown anew."""
    place: Place = found.place(found.hidden.read(dataset.x_test[:KEPT], anew=True))
    return {name: getattr(place, name) for name in SAID}


def problem(path: Path) -> str:
    """Why a record is not the map that its name and the records of networks promise; empty if it is."""
    about = recorded.about(path)
    origin, of = Origin(**about["network"]), about["settings"]
    recipes = {name: Cyclic(**of[name]) for name in ("autoencoder", "estimator")}
    if origin != recorded_networks.origin_in(origin.name):
        return f"is of another network than the recorded {origin.name}"
    if path != path_of(origin.name, Settings(**of | recipes)):
        return "is of other settings than its name says"
    if about["layers"] != dense_activations(cast(nn.Sequential, recorded_networks.load(origin.name))):
        return "is of other layers than are read now"
    return ""


def apart(path: Path, device: str = "auto") -> float:
    """The most by which a recorded map says something else of the kept images now, in spreads of what it said."""
    tensors, about = recorded.read(path)
    name = about["network"]["name"]
    network, dataset = cast(nn.Sequential, recorded_networks.load(name)), recorded_networks.dataset_of(name)
    now = _said(_rebuilt(network, dataset, tensors, device), dataset)
    return max(float(((now[each] - tensors[each]).abs() / tensors[each].std(0)).max()) for each in SAID)
