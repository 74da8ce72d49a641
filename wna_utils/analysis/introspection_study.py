"""A network's introspection as the book makes it, computed or recorded (Pardo et al.).

To train a map and its estimator takes a core half a minute, and the book has two dozen of them. A record holds the
principal components, too, so that the same activations are the same features on every machine.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from wna_utils.analysis.hidden import Components, HiddenLayers
from wna_utils.analysis.introspection import Introspection, assembled, introspect
from wna_utils.data.datasets import Dataset
from wna_utils.networks import recorded_networks
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.infovae import AUTOENCODER, ESTIMATOR, recipes_of
from wna_utils.support import recorded

COMPONENTS = 100  # of hidden activations, that a map is made from
KEPT = 100  # test images of which a record keeps where they land, and what is expected there
PARTS = "components/"  # before the names of the components, among a record's tensors
LARGE = 100_000  # weights of a matrix, from which on a record keeps it in 8 bits
CODES, EXPECTED = "codes", "expected"


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

    It is a recorded one, if there is one of this network, data and settings; otherwise it is trained, or comes from the
    cache. With `times_longer`, map and estimator are trained in so many times the cycles.
    """
    settings = Settings(n_images, bottleneck, mmd_weight, seed, *recipes_of(profile, times_longer))
    name = recorded_networks.found_as(network) if recorded.used() else None
    if name is None or not is_recorded(name, dataset, settings):
        return computed(network, dataset, settings, device)
    path = path_of(name, settings)
    recorded.note(path)
    return _rebuilt(network, dataset, settings, recorded.read(path)[0], device)


def computed(network: nn.Sequential, dataset: Dataset, settings: Settings, device: str = "auto") -> Introspection:
    """The introspection of a network, whatever is recorded."""
    images, labels = dataset.x_train[: settings.n_images], dataset.y_train[: settings.n_images]
    hidden = HiddenLayers(network, images, components=min(COMPONENTS, len(images)), device=device)
    how = {name: each for name, each in vars(settings).items() if name != "n_images"}
    return introspect(hidden, images, labels, **how)


def path_of(network: str, settings: Settings) -> Path:
    """The file of the recorded map of a recorded network, such as "cnn-mnist-15-epochs-seed-0-map-of-20000"."""
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


def is_recorded(network: str, dataset: Dataset, settings: Settings) -> bool:
    """Whether the map of a recorded network, as it is now, is recorded; whether records are used or not."""
    path = path_of(network, settings)
    return path.exists() and _of(network, dataset, settings).items() <= recorded.about(path).items()


def _of(network: str, dataset: Dataset, settings: Settings) -> dict[str, Any]:
    """What a map is of: a record of anything else is another one."""
    return {
        "network": network,
        "weights": recorded_networks.weights_of(network),
        "fingerprint": dataset.fingerprint,
        "settings": asdict(settings),
    }


def write(network: str, found: Introspection, dataset: Dataset, settings: Settings, made: dict[str, Any]) -> Path:
    """Round the introspection of a recorded network, have it place test images, and write it among the records.

    `made` says when, where and by what it was trained.
    """
    parts = {f"{PARTS}{name}": each for name, each in vars(found.hidden.components).items()}
    tensors = recorded.rounded(parts | found.weights(), LARGE)
    device = str(found.hidden.observer.device)
    again = _rebuilt(found.hidden.network, dataset, settings, tensors, device)(dataset.x_test[:KEPT])
    path = path_of(network, settings)
    about = {**_of(network, dataset, settings), "made": made}
    recorded.write(path, {**tensors, CODES: again.codes, EXPECTED: again.expected}, about)
    return path


def _rebuilt(
    network: nn.Sequential, dataset: Dataset, settings: Settings, tensors: dict[str, Tensor], device: str
) -> Introspection:
    """The introspection that the tensors of a record hold."""
    whole = recorded.restored({name: each for name, each in tensors.items() if name not in (CODES, EXPECTED)})
    components = {name.removeprefix(PARTS): whole.pop(name) for name in list(whole) if name.startswith(PARTS)}
    images = dataset.x_train[: settings.n_images]
    hidden = HiddenLayers(network, images, components=Components(**components), device=device)
    return assembled(hidden, whole, settings.bottleneck)


@dataclass(frozen=True)
class Again:
    """Largest change of where a recorded map places test images, `codes`, and of `expected` errors, in spreads."""

    codes: float
    expected: float


def placed_again(path: Path, device: str = "auto") -> Again:
    """Have a recorded network and its recorded map place test images again."""
    tensors, about = recorded.read(path)
    network, of = cast(nn.Sequential, recorded_networks.load(about["network"])), about["settings"]
    recipes = {name: Cyclic(**of[name]) for name in ("autoencoder", "estimator")}
    dataset = recorded_networks.dataset_of(about["network"])
    now = _rebuilt(network, dataset, Settings(**of | recipes), tensors, device)(dataset.x_test[:KEPT])
    codes, expected = (
        float((each - tensors[name]).abs().max() / tensors[name].std(0).max())
        for name, each in ((CODES, now.codes), (EXPECTED, now.expected))
    )
    return Again(codes, expected)
