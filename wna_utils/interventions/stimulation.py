"""Microstimulation: biases of a layer raised or lowered by how much a class activates its maps (§3.4, Eq. 6)."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from wna_utils.networks.layers import names, readout
from wna_utils.networks.observer import SCORES, Observer, observer_of
from wna_utils.stimuli.blocks import Source
from wna_utils.stimuli.mixtures import mixed
from wna_utils.support.checks import at_least, one_of
from wna_utils.support.fingerprint import digest, network_digest, tensor_digest
from wna_utils.support.recorded_results import in_parts

RULES = ("paper", "code")
SIGNS = {"increase": 1.0, "decrease": -1.0}
SCALES = {"conv1": 0.1, "conv2": 1.0, "fc1": 0.01}  # λ of Eq. 6


def map_activation(network: nn.Module, layer: str, images: Tensor, device: str = "auto") -> Tensor:
    """Activation of a layer's maps, after the nonlinearity and before pooling, averaged over images: (m, h', w').

    A dense layer has one neuron per map, (m, 1, 1). Raises `ValueError` for an unknown layer or no images.
    """
    at_least("the number of images", len(images), 1)
    observer = Observer(readout(network, layer), tuple(images.shape[1:]), device=device)
    total = sum(observer.answer(batch)[SCORES].sum(0) for batch in observer.batches(images)).cpu()
    return (total / len(images)).reshape(len(total), *(total.shape[1:] or (1, 1)))


def bias_change(activation: Tensor, layer: str, k: float = 1.0, rule: str = "paper", sign: str = "increase") -> Tensor:
    """What is added to the bias of each map, (m,), given the maps' activation (m, h', w').

    "paper", Eq. 6 as written: λ·k times the sum over a map's neurons divided by their maximum, so that in a dense layer
    each active neuron gets λ·k. "code", as the authors' notebook does it: the mean over a map's neurons, divided by the
    largest such mean of the layer, or in a dense layer not divided at all. A silent map gets nothing. Raises
    `ValueError` for an unknown rule, sign, or layer without a λ, or k below 0.
    """
    one_of("rule", rule, RULES)
    one_of("sign", sign, SIGNS)
    one_of("layer", layer, SCALES)
    at_least("k", k, 0)
    neurons = activation.flatten(1)
    if rule == "paper":
        maximum = neurons.amax(1)
        amount = torch.where(maximum > 0, neurons.sum(1) / maximum.clamp(min=1e-30), 0)
    elif neurons.shape[1] == 1:
        amount = neurons[:, 0]
    else:
        amount = neurons.mean(1) / neurons.mean(1).max().clamp(min=1e-30)
    return SIGNS[sign] * SCALES[layer] * k * amount


def to_other_maps(change: Tensor, seed: int) -> Tensor:
    """The control: the same changes of bias (m,), given to the layer's maps in a random order."""
    return change[torch.randperm(len(change), generator=torch.Generator().manual_seed(seed))]


def stimulated(network: nn.Sequential, layer: str, change: Tensor) -> nn.Sequential:
    """A copy of the network with `change` (m,) added to the biases of `layer`."""
    one_of("layer", layer, names(network))
    other = copy.deepcopy(network)
    with torch.no_grad():
        getattr(other, layer).bias += change
    return other


@torch.no_grad()
def responses(
    network: nn.Sequential | Observer, layer: str, stimuli: Tensor, changes: Sequence[Tensor], device: str = "auto"
) -> Tensor:
    """What `stimulated` networks call stimuli (n, c, h, w), for each of the changes of bias, (len(changes), n).

    Only what follows the layer is computed anew for each change; the network itself is left alone.
    """
    observer = observer_of(network, tuple(stimuli.shape[1:]), device=device)
    one_of("layer", layer, names(observer.network))
    at = list(observer.network._modules).index(layer) + 1
    before, after = observer.network[:at], observer.network[at:]
    changes = [change.to(observer.device) for change in changes]
    called = []
    for batch in observer.batches(stimuli):
        driven = before(observer.prepared(batch))
        shape = (-1, *[1] * (driven.ndim - 2))
        called.append(torch.stack([after(driven + change.view(shape)).argmax(1) for change in changes]))
    return torch.cat(called, 1).cpu()


def noise_for(levels: Sequence[float], n: int, noise: Source) -> Tensor:
    """Noise to mix n images with at each level, (len(levels), n, c, h, w): fresh at every level.

    Raises `ValueError` for more images than a block of noise has.
    """
    if n > noise.block_size:
        raise ValueError(f"at most {noise.block_size:,} images can be mixed with a block of noise; got {n:,}")
    return torch.stack([noise.block(i).noise[:n] for i in range(len(levels))])


def psychometric(
    network: nn.Sequential,
    layer: str,
    images: Tensor,
    target: int,
    levels: Sequence[float],
    changes: Sequence[Tensor],
    noise: Tensor,
    device: str = "auto",
) -> Tensor:
    """How many of n images, mixed with noise, are called `target`, (len(changes), len(levels)) int64.

    At level γ the stimulus is γ·image + (1 − γ)·noise (Eq. 3); noise as from `noise_for`, at least n images of it at
    each level, the same for all changes. Raises `ValueError` for an unknown class.
    """
    observer = Observer(network, tuple(images.shape[1:]), device=device)
    one_of("target", target, range(observer.classes))
    counts = []
    for level, block in zip(levels, noise, strict=True):
        stimuli = mixed(images, block[: len(images)], level)
        counts.append((responses(observer, layer, stimuli, changes) == target).sum(1))
    return torch.stack(counts, 1)


@dataclass(frozen=True)
class Experiment:
    """Networks that are shown images of each class in noise, while their biases are raised or lowered (Figs. 9, 23–25).

    Network i is shown `images[i][k]` (n, c, h, w) of class k, mixed at each of the `levels` with its `noise[i]` (see
    `noise_for`). How much class k activates a map is averaged over the images `typical[k]`.
    """

    networks: Sequence[nn.Sequential]
    typical: Sequence[Tensor]
    images: Sequence[Sequence[Tensor]]
    noise: Sequence[Tensor]
    levels: Sequence[float]
    device: str = "auto"
    _activations: dict[tuple[int, str, int], Tensor] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def activation(self, i: int, layer: str, k: int) -> Tensor:
        """How much class k activates each neuron of the maps of network i's layer, (m, h', w')."""
        if (i, layer, k) not in self._activations:
            activation = map_activation(self.networks[i], layer, self.typical[k], self.device)
            self._activations[i, layer, k] = activation
        return self._activations[i, layer, k]

    def change(self, i: int, layer: str, k: int, strength: float, rule: str = "code") -> Tensor:
        """Change of the biases of network i's layer in favour of class k, (m,); a strength below 0 lowers them."""
        sign = "increase" if strength >= 0 else "decrease"
        return bias_change(self.activation(i, layer, k), layer, abs(strength), rule, sign)

    def recognised(
        self,
        layer: str,
        strengths: Sequence[float],
        rule: str = "code",
        *,
        classes: Sequence[int] | None = None,
        wrong_maps: bool = False,
    ) -> np.ndarray:
        """How many of a class's images are called it, (networks, K, strengths, levels); see `change` for the strengths.

        Of all classes, or of some. With `wrong_maps`, the control, each change is given to the layer's maps in a random
        order. What was recorded of these networks, images and noise comes back at once.
        """
        asked = range(len(self.typical)) if classes is None else classes
        parts = [(i, k) for i in range(len(self.networks)) for k in asked]

        def key(part: int) -> str:
            i, k = parts[part]
            how = layer, list(map(float, strengths)), list(map(float, self.levels)), rule, wrong_maps
            return digest(*self._hashes(i, k), k, *how)

        def counts(which: Sequence[int], _: bool) -> list[Tensor]:
            return [self._of_class(*parts[part], layer, strengths, rule, wrong_maps) for part in which]

        found = in_parts(f"stimulation of {layer}", len(parts), key, counts)
        return torch.stack(found).unflatten(0, (len(self.networks), len(asked))).numpy()

    def _hashes(self, i: int, k: int) -> tuple[str, ...]:
        """Hashes of a network, and of the images and the noise that it is shown of a class."""
        shown = self.typical[k], self.images[i][k], self.noise[i]
        return network_digest(self.networks[i]), *map(tensor_digest, shown)

    def _of_class(self, i: int, k: int, layer: str, strengths: Sequence[float], rule: str, wrong_maps: bool) -> Tensor:
        changes = [self.change(i, layer, k, strength, rule) for strength in strengths]
        changes = [to_other_maps(change, seed=k) for change in changes] if wrong_maps else changes
        shown = (self.images[i][k], k, self.levels, changes, self.noise[i], self.device)
        return psychometric(self.networks[i], layer, *shown)
