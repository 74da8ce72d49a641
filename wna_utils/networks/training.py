"""Training networks, once: `trained` fits one or takes it from the cache."""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from wna_utils.data import datasets
from wna_utils.data.datasets import Dataset
from wna_utils.networks import architectures, cyclic, elu_networks, generators, recorded_networks
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.observer import Network, Observer, observer_of
from wna_utils.support import tensor_files
from wna_utils.support.checks import at_least, one_of, positive
from wna_utils.support.checks import seed as checked_seed
from wna_utils.support.devices import autocast, resolve_device
from wna_utils.support.fingerprint import code_digest, digest
from wna_utils.support.identity import Uncertain, identity
from wna_utils.support.paths import alone, cache_dir, require_writable
from wna_utils.support.progress import bar

OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
SCHEDULES = ("constant", "one_cycle")
SHIFT = 4  # pixels


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: cross-entropy on logits (generators: their own loss), keeping the final-epoch weights.

    The defaults are the original's for the MNIST CNN. No checkpoint is selected by test accuracy. With the "one_cycle"
    schedule, the learning rate climbs to `learning_rate` and falls to zero; `augment` adds random flips and shifts.
    """

    epochs: int = 15
    batch_size: int = 256
    learning_rate: float = 1e-3
    optimizer: str = "adam"
    precision: str = "bf16"  # float32 where the hardware lacks it
    weight_decay: float = 0.0
    schedule: str = "constant"
    augment: bool = False

    def __post_init__(self):
        at_least("epochs", self.epochs, 1)
        at_least("batch_size", self.batch_size, 1)
        positive("learning_rate", self.learning_rate)
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        one_of("schedule", self.schedule, SCHEDULES)

    @property
    def length(self) -> str:
        """How long it trains, for a name: "15-epochs"."""
        return f"{self.epochs}-epochs"

    def shown(self, images: int) -> int:
        """Number of training samples presented in total: `images`, once per epoch."""
        return self.epochs * images


RECIPES: dict[str, Recipe | Cyclic] = {  # the originals' where published; ours for CIFAR-10, tanh and ELU
    "cnn": Recipe(),
    "binary_cnn": Recipe(),
    "mlp": Recipe(),
    "logistic": Recipe(precision="float32"),
    "rnn": Recipe(optimizer="sgd", learning_rate=0.01, batch_size=100, epochs=17, precision="float32"),
    "cnn_tanh": Recipe(epochs=1, learning_rate=4e-3, batch_size=64, schedule="one_cycle"),
    "cifar_cnn": Recipe(epochs=5, learning_rate=2e-3, schedule="one_cycle", augment=True),
    "cifar_cnn_tanh": Recipe(epochs=5, learning_rate=2e-3, schedule="one_cycle", augment=True),
    "autoencoder": Recipe(epochs=2, batch_size=128, weight_decay=1e-5, precision="float32"),
    "vae": Recipe(epochs=2, batch_size=128, weight_decay=1e-5, precision="float32"),
    "elu_mlp": Cyclic(),
    "all_cnn": Cyclic(cycles=10, iterations=5_000, decay=0.95, precision="bf16"),
}
AUTHORS: dict[str, Recipe | Cyclic] = {  # where ours is another
    "binary_cnn": Recipe(epochs=20, batch_size=100),
    "cifar_cnn": Recipe(epochs=10),  # the rate is constant, no image is changed
    "elu_mlp": Cyclic(cycles=30, iterations=3_000, highest=1e-5),
}
CHANGES = {  # shorter training by profile; the book uses it only where no fully trained network is recorded
    "book": {
        "cnn": {"epochs": 5},
        "binary_cnn": {"epochs": 6},
        "cifar_cnn": {"epochs": 1, "augment": False},
        "cifar_cnn_tanh": {"epochs": 1, "batch_size": 64, "augment": False},
    },
    "smoke": {name: {"epochs": 2} for name in ("cnn", "binary_cnn", "mlp", "rnn")}
    | {"elu_mlp": {"cycles": 1, "iterations": 50, "held_out": 100}}
    | {"all_cnn": {"cycles": 1, "iterations": 3, "batch_size": 16, "held_out": 50}}
    | {name: {"epochs": 1, "augment": False} for name in ("cifar_cnn", "cifar_cnn_tanh")},
}


def recipe_of(
    model: str, profile: str = "book", dataset: str | None = None, *, theirs: bool = False
) -> Recipe | Cyclic:
    """How the network `model` is trained in a profile: by our recipe, or by `theirs`, the authors', where that differs.

    The "paper" profile trains it as long as the original. So does the book, on a `dataset` for which a network trained
    so is recorded.
    """
    one_of("model", model, architectures.MODELS)
    name = model.removesuffix("_softmax")  # another loss, but trained in the same way
    whole = AUTHORS.get(name, RECIPES[name]) if theirs else RECIPES[name]
    if profile == "book" and dataset and recorded_networks.is_recorded(model, dataset, whole):
        return whole
    return replace(whole, **CHANGES.get(profile, {}).get(name, {}))


def trained(
    model: str,
    dataset: str | Dataset,
    seed: int = 0,
    *,
    recipe: Recipe | Cyclic | None = None,
    profile: str = "book",
    epoch: int | None = None,
    start: nn.Module | None = None,
    device: str = "auto",
) -> nn.Module:
    """The network `model` trained on `dataset` from `seed`, in eval mode, on the CPU.

    It is a recorded network, if there is one of this recipe, data and seed (`recorded_networks`), or comes from the
    cache if the same recipe, data and architecture were trained before; otherwise it is trained with a progress bar.
    `recipe` defaults to the `profile`'s own (`recipe_of`); `epoch` asks for the network as it was after that many
    epochs. With `start`, training goes on from this network's weights.

    Raises `ValueError` for an unknown model, data set or device, a seed that is not whole or beyond 64 bit, or an epoch
    beyond the recipe's, and `OSError`, before any work, if the cache folder cannot be written to.
    """
    one_of("model", model, architectures.MODELS)
    seed = checked_seed("seed", seed)
    if isinstance(dataset, str):
        dataset = datasets.load(dataset)
    recipe = recipe or recipe_of(model, profile, dataset.name)
    epoch = recipe.epochs if epoch is None else epoch
    one_of("epoch", epoch, range(1, recipe.epochs + 1))
    target = resolve_device(device)
    whole = epoch == recipe.epochs and not start
    if whole and (found := recorded_networks.find(model, dataset, seed, recipe)):
        return found

    network = copy.deepcopy(start) if start else architectures.build(model, dataset.shape, len(dataset.classes), seed)
    folder = _folder(network, model, dataset, seed, recipe, start)
    path = folder / f"epoch{epoch:02}.safetensors"
    if not _load(network, path):
        require_writable(path)
        with alone(folder):  # another chapter may need the same network now
            if not _load(network, path):
                loop = cyclic.fit_classifier if isinstance(recipe, Cyclic) else fit
                label = f"training {model} on {dataset.name}, seed {seed}"
                for done, state in enumerate(loop(network, dataset, recipe, seed, target, label), start=1):
                    tensor_files.write(folder / f"epoch{done:02}.safetensors", state)
                _load(network, path)
    return network.eval()


def is_cached(model: str, dataset: Dataset, seed: int, recipe: Recipe | Cyclic) -> bool:
    """Whether the cache holds the network of this recipe, data and seed, trained to the end."""
    network = architectures.build(model, dataset.shape, len(dataset.classes), seed)
    return (_folder(network, model, dataset, seed, recipe) / f"epoch{recipe.epochs:02}.safetensors").exists()


def _folder(
    network: nn.Module, model: str, dataset: Dataset, seed: int, recipe: Recipe | Cyclic, start: nn.Module | None = None
) -> Path:
    """Where the cache keeps this network as it was after each epoch."""
    loop = (cyclic, elu_networks) if isinstance(recipe, Cyclic) else (fit, _loss, augmented)
    code = code_digest(architectures.MODELS[model], architectures.build, *loop, *_own_classes(network))
    before = [_identity(start)] if start else []
    key = digest(network, recipe, dataset.fingerprint, seed, code, *before)
    return cache_dir() / "networks" / f"{model} {dataset.name} seed {seed} {key}".replace(" ", "-")


def _identity(network: nn.Module) -> str:
    try:
        return identity(network)
    except Uncertain as reason:
        raise ValueError(f"training cannot go on from this network, whose identity is not certain: {reason}") from None


def _own_classes(network: nn.Module) -> list[type]:
    """The network's class and what it inherits, as far as they are this package's."""
    own = (architectures.__name__, generators.__name__)
    return [each for each in type(network).__mro__ if each.__module__ in own]


def _load(network: nn.Module, path: Path) -> bool:
    """Load the weights at `path` into the network; False if there are none, or they were damaged on disk."""
    found = tensor_files.read(path)
    if found:
        network.load_state_dict(found[0])
    return found is not None


def fit(
    network: nn.Module,
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    label: str = "training",
) -> Iterator[dict[str, Tensor]]:
    """Train a copy of the network; yields its weights after every epoch.

    All randomness in an epoch is determined by `seed` and the epoch number; torch's global RNG state is left untouched.
    """
    network = copy.deepcopy(network).to(device, memory_format=torch.channels_last).train()
    rate, decay = recipe.learning_rate, recipe.weight_decay
    optimizer = OPTIMIZERS[recipe.optimizer](network.parameters(), lr=rate, weight_decay=decay, fused=True)
    x, y = dataset.x_train.to(device), dataset.y_train.to(device)
    starts = range(0, len(x), recipe.batch_size)
    steps = recipe.epochs * len(starts)
    schedule = OneCycleLR(optimizer, rate, total_steps=steps) if recipe.schedule == "one_cycle" else None
    with bar(total=steps, desc=label, unit="batch") as progress:
        for epoch in range(recipe.epochs):
            with torch.random.fork_rng():
                torch.manual_seed((1_000_003 * seed + epoch) % 2**64)
                order = torch.randperm(len(x))
                for start in starts:
                    batch = order[start : start + recipe.batch_size].to(device)
                    images = augmented(x[batch]) if recipe.augment else x[batch]
                    with autocast(device, recipe.precision):
                        loss = _loss(network, images, y[batch])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    if schedule:
                        schedule.step()
                    progress.update()
            yield {name: value.cpu().clone() for name, value in network.state_dict().items()}


def _loss(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    if isinstance(network, generators.Generator):
        return network.loss(images)
    return nn.functional.cross_entropy(network(images), labels)


def augmented(images: Tensor) -> Tensor:
    """The images (b, c, h, w), each mirrored with probability ½ and shifted by up to 4 pixels, black moving in."""
    b, _, h, w = images.shape
    mirrored = torch.rand(b, 1, 1, 1, device=images.device) < 0.5
    images = nn.functional.pad(torch.where(mirrored, images.flip(3), images), [SHIFT] * 4)
    down, right = torch.randint(2 * SHIFT + 1, (2, b, 1), device=images.device)
    rows = down + torch.arange(h, device=images.device)  # (b, h)
    columns = right + torch.arange(w, device=images.device)
    each = torch.arange(b, device=images.device)[:, None, None]
    return images.movedim(1, 3)[each, rows[:, :, None], columns[:, None]].movedim(3, 1)


def predict(network: Network | Observer, images: Tensor, **options) -> Tensor:
    """Class (n,) that the network gives each image (n, c, h, w), on the CPU; `options` are those of `Observer`."""
    return observer_of(network, tuple(images.shape[1:]), **options).predict(images)


def accuracy(network: Network | Observer, dataset: Dataset, **options) -> float:
    """Share of the test images that the network classifies correctly; `options` are those of `Observer`.

    That of a recorded network, in float32, comes from its record: it was shown its test images then.
    """
    plain = options.get("precision", "float32") == "float32" and options.keys() <= {"device", "precision", "batch_size"}
    if plain and isinstance(network, nn.Module):
        resolve_device(options.get("device", "auto"))
        known = recorded_networks.accuracy_of(network, dataset)
        if known is not None:
            return known
    return (predict(network, dataset.x_test, **options) == dataset.y_test).float().mean().item()


def accuracies(networks: Iterable[Network], dataset: Dataset) -> np.ndarray:
    """Share of the test images that each network classifies correctly, (networks,)."""
    return np.array([accuracy(network, dataset) for network in networks])
