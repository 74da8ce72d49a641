"""The estimator of error on a network's outputs instead of its map, as the book makes it, computed or recorded.

Whatever the map adds, it must add to this: the same stack, trained in the same way on the same images' errors.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from wna_utils.analysis.hidden import as_probabilities, log_errors
from wna_utils.data.datasets import Dataset
from wna_utils.networks import cyclic, elu_networks, infovae, recorded_networks
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.elu_networks import elu_stack
from wna_utils.networks.infovae import ESTIMATOR, recipes_of, train_estimator
from wna_utils.networks.observer import SCORES, Observer
from wna_utils.networks.recorded_networks import Origin
from wna_utils.support import recorded, tensor_files
from wna_utils.support.devices import resolve_device
from wna_utils.support.fingerprint import code_digest, digest, tensor_digest
from wna_utils.support.paths import cache_dir

KEPT = 100  # test images of which a record keeps what error is expected
EXPECTED = "expected"  # log10 of it (100,), beside the weights


@dataclass(frozen=True)
class Settings:
    """How an estimator is made: of the first so many training images, with a seed and a recipe."""

    n_images: int = 20_000
    seed: int = 0
    recipe: Cyclic = ESTIMATOR


def study(
    network: nn.Sequential,
    dataset: Dataset,
    n_images: int = 20_000,
    *,
    seed: int = 0,
    profile: str = "book",
    device: str = "auto",
) -> nn.Sequential:
    """The estimator, from outputs (n, K) to log₁₀ of the error (n, 1), on the CPU, at a `profile`'s sizes.

    It is a recorded one, if there is one of this network, what it learned, and these settings; otherwise it is trained,
    or comes from the cache. Raises `ValueError` for an unknown profile, or a record that is damaged.
    """
    settings = Settings(n_images, seed, recipes_of(profile)[1])
    origin = recorded_networks.origin_of(network) if recorded.used() else None
    if origin is None or origin.learned != dataset.fingerprint or not is_recorded(origin, settings):
        return computed(network, dataset, settings, device)
    path = path_of(origin.name, settings)
    recorded.note(path)
    weights, _ = recorded.read(path)
    weights.pop(EXPECTED)
    return _built(recorded.restored(weights), len(dataset.classes))


def computed(network: nn.Sequential, dataset: Dataset, settings: Settings, device: str = "auto") -> nn.Sequential:
    """The estimator of a network, whatever is recorded; from the cache if it was trained before."""
    outputs = _outputs(network, dataset.part(settings.n_images).x_train, device)
    errors = log_errors(outputs, dataset.y_train[: settings.n_images])
    code = code_digest(infovae, cyclic, elu_networks, log_errors)
    key = digest(tensor_digest(outputs), tensor_digest(errors), settings, code)

    def trained() -> dict[str, Tensor]:
        on = resolve_device(device)
        return train_estimator(outputs, errors, settings.seed, settings.recipe, on).cpu().state_dict()

    kept = tensor_files.made_once(cache_dir() / "introspection" / f"{key}.safetensors", trained)
    return _built(kept, outputs.shape[1])


@torch.no_grad()
def _outputs(network: nn.Sequential, images: Tensor, device: str) -> Tensor:
    """Probabilities (n, K) that a network gives images."""
    scores = Observer(network, tuple(images.shape[1:]), device=device)(images)[SCORES]
    return as_probabilities(network, scores.cpu())


def _built(weights: dict[str, Tensor], classes: int) -> nn.Sequential:
    judge = elu_stack(classes, 1)
    judge.load_state_dict(weights)
    return judge.eval()


def path_of(network: str, settings: Settings) -> Path:
    """The file of the recorded estimator of a recorded network: "cnn-mnist-15-epochs-seed-0-by-outputs-of-20000"."""
    own = network.endswith(f"-seed-{settings.seed}")  # usually, an estimator has its network's
    seed = "" if own else f"-seed-{settings.seed}"
    return recorded.path_of("estimators", f"{network}-by-outputs-of-{settings.n_images}{seed}")


def is_recorded(network: Origin, settings: Settings) -> bool:
    """Whether the estimator of a recorded network is recorded, made like this; whether records are used or not."""
    path = path_of(network.name, settings)
    return path.exists() and _of(network, settings).items() <= recorded.about(path).items()


def _of(network: Origin, settings: Settings) -> dict[str, Any]:
    """What an estimator is of: a record of anything else is another one."""
    return {"network": asdict(network), "settings": asdict(settings)}


def write(name: str, judge: nn.Sequential, dataset: Dataset, settings: Settings, made: dict[str, Any]) -> Path:
    """Round the estimator of a recorded network, have it judge test images, and write it among the records.

    `made` says when, where and by what it was trained. Raises `ValueError` for one that expects the same of all images.
    """
    weights = recorded.rounded(judge.state_dict())
    expected = _expected(name, weights, dataset)
    if not float(expected.std()) > 0:
        raise ValueError(f"the estimator of {name} expects the same error of all images: train it otherwise")
    path = path_of(name, settings)
    recorded.write(
        path, weights | {EXPECTED: expected}, {**_of(recorded_networks.origin_in(name), settings), "made": made}
    )
    return path


@torch.no_grad()
def _expected(name: str, weights: dict[str, Tensor], dataset: Dataset, device: str = "auto") -> Tensor:
    """log₁₀ of the error expected of the kept test images, (100,), which the recorded network is shown anew."""
    network = cast(nn.Sequential, recorded_networks.load(name))
    outputs = _outputs(network, dataset.x_test[:KEPT], device)
    return _built(recorded.restored(weights), outputs.shape[1])(outputs)[:, 0]


def problem(path: Path) -> str:
    """Why a record is not the estimator that its name and the records of networks promise; empty if it is."""
    about = recorded.about(path)
    origin, of = Origin(**about["network"]), about["settings"]
    if origin != recorded_networks.origin_in(origin.name):
        return f"is of another network than the recorded {origin.name}"
    if path != path_of(origin.name, Settings(**of | {"recipe": Cyclic(**of["recipe"])})):
        return "is of other settings than its name says"
    return ""


def apart(path: Path, device: str = "auto") -> float:
    """The most by which a recorded estimator expects another error of the kept images now, in spreads of them."""
    weights, about = recorded.read(path)
    before, name = weights.pop(EXPECTED), about["network"]["name"]
    now = _expected(name, weights, recorded_networks.dataset_of(name), device)
    return float((now - before).abs().max() / before.std())
