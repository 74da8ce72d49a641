"""Mean activations of layers by class, and what a network says when they are mixed with others (§3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from wna_utils.networks.layers import split
from wna_utils.networks.observer import INPUT, Observer
from wna_utils.observe.layers import ActivationTally, nodes_of_layers
from wna_utils.observe.loop import observe, shown
from wna_utils.observe.tally import Maps
from wna_utils.stimuli.blocks import Source, shape_of
from wna_utils.stimuli.mixtures import mixed
from wna_utils.support.checks import fraction, one_of
from wna_utils.support.fingerprint import digest, network_digest, tensor_digest
from wna_utils.support.recorded_results import in_parts


@dataclass(frozen=True)
class MeanActivations:
    """Images of each class, counts (K,), and by layer the mean of their activations and its standard error, (K, …).

    A class without images has its mean masked, one with fewer than two its error.
    """

    counts: np.ndarray
    means: dict[str, Maps]
    errors: dict[str, Maps]

    @property
    def reached(self) -> np.ndarray:
        """Whether a class has any images, (K,) bool."""
        return self.counts > 0


def activations_by_class(
    network: nn.Sequential, layers: Sequence[str], source: Source, n: int, by: str = "response", **options: Any
) -> MeanActivations:
    """Show n stimuli to a network and average the activations of its layers, by the class called, or "label".

    Activations are what a layer passes on, after its nonlinearity and pooling; the first layer may be "input", the
    stimulus itself. `options` are those of `observe`. Raises `ValueError` for an unknown layer.
    """
    nodes = nodes_of_layers(network, layers)
    tally = observe(network, source, n, into=ActivationTally(by), layers=nodes, **options)
    of = {layer: tally.of(layer) for layer in layers}
    return MeanActivations(
        of[layers[0]].counts,
        {layer: each.means for layer, each in of.items()},
        {layer: each.standard_error for layer, each in of.items()},
    )


def silent_units(
    networks: Sequence[nn.Sequential], layers: Sequence[str], sources: Sequence[Source], n: int, device: str = "auto"
) -> list[np.ndarray]:
    """Whether none of n stimuli wakes a unit: (units,) bool for each network, which is shown a source of its own.

    Units are the maps of convolutional layers (or neurons of others), layer after layer, and are silent where what the
    layer passes on is 0 at all positions. What was recorded of these networks and stimuli comes back at once. Raises
    `ValueError` for an unknown layer.
    """
    sizes = [source.block_size for source in sources]
    parts = [(i, start) for i, size in enumerate(sizes) for start in range(0, n, size)]

    def key(part: int) -> str:
        i, start = parts[part]
        stimuli = sources[i].block(start // sizes[i]).stimuli[: n - start]
        return digest(network_digest(networks[i]), list(layers), tensor_digest(stimuli))

    @torch.no_grad()
    def awake(which: Sequence[int], anew: bool) -> list[Tensor]:
        found = []
        for i, start in (parts[part] for part in which):
            nodes = nodes_of_layers(networks[i], layers)
            observer = Observer(networks[i], shape_of(sources[i]), layers=nodes, device=device)
            [(_, answers)] = shown(observer, sources[i], start, min(start + sizes[i], n))
            woken = [(answers[layer][:, :, None] != 0).flatten(2).any(2).any(0) for layer in layers]
            found.append(torch.cat(woken).cpu().to(torch.uint8))
        return found

    woken = torch.stack(in_parts("units that are woken", len(parts), key, awake)).bool()
    return [~woken[[i == k for k, _ in parts]].any(0).numpy() for i in range(len(networks))]


@torch.no_grad()
def at_the_edge(network: nn.Sequential, layer: str, stimuli: Tensor, device: str = "auto") -> np.ma.MaskedArray:
    """Share of each map's activations at `layer`, summed over stimuli, that its outermost positions give: (m,).

    Masked for a map that is always 0. For activations of 0 and more, of a convolutional layer. The network is not
    changed. Raises `ValueError` for an unknown layer.
    """
    observer = Observer(network, tuple(stimuli.shape[1:]), device=device)
    part, _ = split(cast(nn.Sequential, observer.network), layer)
    batches = [part(observer.prepared(batch)).sum(0).cpu().double() for batch in observer.batches(stimuli)]
    maps = torch.stack(batches).sum(0).numpy()  # (m, h', w')
    whole, inner = maps.sum((1, 2)), maps[:, 1:-1, 1:-1].sum((1, 2))
    return 1 - np.ma.masked_where(whole == 0, inner) / np.where(whole == 0, 1, whole)


@torch.no_grad()
def called_when_mixed(
    network: nn.Sequential, layer: str, pattern: Tensor, images: Tensor, gammas: Sequence[float], device: str = "auto"
) -> Tensor:
    """What the network calls images (n, c, h, w) when their activations at `layer` are mixed with a pattern: (g, n).

    Activations become (1 − γ)·pattern + γ·activation for each γ, as under Fig. 21, so that γ = 1 leaves the images
    alone. `layer` "input" mixes the images themselves. The network is not changed. Raises `ValueError` for a γ outside
    [0, 1], an unknown layer, or a pattern that does not fit it.
    """
    for gamma in gammas:
        fraction("gamma", gamma)
    observer = Observer(network, tuple(images.shape[1:]), device=device)
    inner = cast(nn.Sequential, observer.network)
    before, after = (nn.Identity(), inner) if layer == INPUT else split(inner, layer, pooled=True)
    activations = torch.cat([before(observer.prepared(batch)) for batch in observer.batches(images)])
    if pattern.shape != activations.shape[1:]:
        raise ValueError(f"a pattern for {layer} has shape {tuple(activations.shape[1:])}; got {tuple(pattern.shape)}")
    pattern = pattern.to(observer.device, torch.float32)
    mixtures = (mixed(batch, pattern, g) for g in gammas for batch in activations.split(observer.batch_size))
    return torch.cat([after(batch).argmax(1) for batch in mixtures]).view(len(gammas), -1).cpu()


def turned(called: Tensor, labels: Tensor, target: int) -> Tensor:
    """Which images of other classes (g, m) are called the target: what Fig. 21 takes the share of."""
    one_of("the number of labels", len(labels), [called.shape[1]])
    return (called == target)[:, labels != target]
