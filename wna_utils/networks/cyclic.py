"""Training by cyclical learning rates, as Pardo et al. (2019, §2.6) train all of their networks."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from tqdm import tqdm

from wna_utils.data.datasets import Dataset
from wna_utils.support.checks import at_least, fraction, positive
from wna_utils.support.devices import autocast
from wna_utils.support.progress import bar

AT_ONCE = 2_000  # held-out samples in a batch

Loss = Callable[..., Tensor]  # of a network and a batch of its samples, (b,)


@dataclass(frozen=True)
class Cyclic:
    """How a network is trained in cycles, in each of which the learning rate climbs to `highest` and falls to zero.

    `decay` multiplies the peak learning rate after every cycle. With `noise`, Gaussian noise is added to every image,
    with a standard deviation drawn uniformly from 0 to `noise`. The last `held_out` training images are a validation
    set: early stopping ends training once their error has risen in `patience` consecutive cycles.
    """

    cycles: int = 2
    iterations: int = 1_500  # in a cycle
    batch_size: int = 128
    highest: float = 1e-3
    decay: float = 1.0
    noise: float = 0.0
    precision: str = "float32"
    held_out: int = 5_000
    patience: int = 5

    def __post_init__(self):
        for name in ("cycles", "iterations", "batch_size", "patience"):
            at_least(name, getattr(self, name), 1)
        positive("highest", self.highest)
        positive("decay", self.decay)
        fraction("decay", self.decay)
        at_least("noise", self.noise, 0)
        at_least("held_out", self.held_out, 0)

    @property
    def epochs(self) -> int:
        """Number of checkpoints: one after every cycle."""
        return self.cycles

    @property
    def length(self) -> str:
        """How long it trains, for a name: "30-cycles"."""
        return f"{self.cycles}-cycles{f'-in-noise-{self.noise:g}' if self.noise else ''}"

    def shown(self, _: int) -> int:
        """Number of training samples presented in total, with repetition, whatever the data set's size."""
        return self.cycles * self.iterations * self.batch_size

    def rate(self, iteration: int) -> float:
        """The learning rate at an iteration: a triangle over each cycle."""
        cycle, within = divmod(iteration, self.iterations)
        return self.highest * self.decay**cycle * (1 - abs(2 * (within + 0.5) / self.iterations - 1))


def fit(
    network: nn.Module,
    samples: tuple[Tensor, ...],
    loss: Loss,
    recipe: Cyclic,
    seed: int,
    device: torch.device,
    label: str = "training",
) -> Iterator[dict[str, Tensor]]:
    """Train a copy of the network; yields its weights after every cycle, the last ones again if it stopped early.

    `samples` are tensors of n rows each; a batch of them is what `loss` gets beside the network. All randomness in a
    cycle is determined by `seed` and the cycle number; torch's global RNG state is left untouched.
    Raises `ValueError` if the held-out samples leave none to train on.
    """
    learnt = len(samples[0]) - recipe.held_out
    at_least("training images beside those held out", learnt, 1)
    network = copy.deepcopy(network).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    samples = tuple(each.to(device) for each in samples)
    shown, kept = [each[:learnt] for each in samples], [each[learnt:] for each in samples]
    risen, before = 0, float("inf")
    with bar(total=recipe.cycles * recipe.iterations, desc=label, unit="batch") as progress:
        for cycle in range(recipe.cycles):
            if risen < recipe.patience:
                with torch.random.fork_rng():
                    torch.manual_seed((1_000_003 * seed + cycle) % 2**64)
                    _one_cycle(network, optimizer, shown, loss, recipe, cycle, progress)
                    error = held_out_error(network, kept, loss)
                risen, before = (risen + 1 if error > before else 0), error
            yield {name: value.cpu().clone() for name, value in network.state_dict().items()}


def _one_cycle(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    samples: Sequence[Tensor],
    loss: Loss,
    recipe: Cyclic,
    cycle: int,
    progress: tqdm,
) -> None:
    network.train()
    drawn = torch.randint(len(samples[0]), (recipe.iterations, recipe.batch_size)).to(samples[0].device)
    for i, batch in enumerate(drawn):
        optimizer.param_groups[0]["lr"] = recipe.rate(cycle * recipe.iterations + i)
        error = loss(network, *(each[batch] for each in samples)).mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        progress.update()
    network.eval()


@torch.no_grad()
def held_out_error(network: nn.Module, samples: Sequence[Tensor], loss: Loss) -> float:
    """Mean loss of samples (n rows each) that are not trained on; 0 if there are none."""
    if len(samples[0]) == 0:
        return 0.0
    batches = zip(*(each.split(AT_ONCE) for each in samples), strict=True)
    return float(torch.cat([loss(network, *batch) for batch in batches]).mean())


def fit_classifier(
    network: nn.Module, dataset: Dataset, recipe: Cyclic, seed: int, device: torch.device, label: str = "training"
) -> Iterator[dict[str, Tensor]]:
    """Train a classifier on squared errors with `fit`, in the noise that the recipe says."""

    def loss(inside: nn.Module, images: Tensor, wanted: Tensor) -> Tensor:
        if not inside.training:
            return squared_error(inside(images), wanted)
        images = noisy(images, recipe.noise) if recipe.noise else images
        with autocast(images.device, recipe.precision):
            answers = inside(images)
        return squared_error(answers.float(), wanted)

    wanted = one_hot(dataset.y_train, len(dataset.classes)).float()
    return fit(network, (dataset.x_train, wanted), loss, recipe, seed, device, label)


def squared_error(answers: Tensor, wanted: Tensor) -> Tensor:
    """Half the squared error of outputs (b, K) against targets (b, K), (b,): e = ½‖ŷ − y‖² of Pardo et al."""
    return (answers - wanted).square().sum(1) / 2


def noisy(images: Tensor, most: float) -> Tensor:
    """The images (b, c, h, w) in normal noise, whose standard deviation is drawn evenly from 0 to `most` for each."""
    spread = most * torch.rand(len(images), 1, 1, 1, device=images.device)
    return images + spread * torch.randn_like(images)
