"""Self-introspection: a map of a network's hidden activations, and the error expected at each place (Pardo et al.)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import torch
from torch import Tensor, nn

from wna_utils.analysis.hidden import Activations, HiddenLayers
from wna_utils.networks import cyclic, elu_networks, infovae
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.elu_networks import elu_stack
from wna_utils.networks.infovae import (
    AUTOENCODER,
    ESTIMATOR,
    InfoVAE,
    train_autoencoder,
    train_estimator,
)
from wna_utils.support import recorded, tensor_files
from wna_utils.support.fingerprint import code_digest, digest, network_digest, tensor_digest
from wna_utils.support.paths import cache_dir
from wna_utils.support.recorded_results import in_parts

PART = 500  # images whose places are computed together


@dataclass(frozen=True)
class Place:
    """Where n images land in a map, and what is expected there.

    `codes` (n, k) are the places, `expected` (n,) log₁₀ of the estimated error ê; `missed` (n,) is the mean squared
    error with which their features are reconstructed from there, `outputs` (n, K), from 0 to 1, the network's answers.
    `read` returns the activations that all of this was made of.
    """

    codes: Tensor
    expected: Tensor
    missed: Tensor
    outputs: Tensor
    read: Callable[[], Activations]

    @property
    def calls(self) -> Tensor:
        """Class (n,) that the network gives each image."""
        return self.outputs.argmax(1)

    @property
    def activations(self) -> Activations:
        """The activations; read now, or from the cache, where the rest was recorded."""
        return self.read()

    @property
    def rows(self) -> Tensor:
        """Expected and missed errors, codes, and outputs, side by side, (n, 2 + k + K)."""
        return torch.cat([torch.stack([self.expected, self.missed], 1), self.codes, self.outputs], 1)

    @classmethod
    def of(cls, rows: Tensor, classes: int, read: Callable[[], Activations]) -> Self:
        """What the `rows` say, of so many classes, and how the activations are read."""
        errors, codes, outputs = rows.tensor_split([2, -classes], 1)
        return cls(codes, errors[:, 0], errors[:, 1], outputs, read)


@dataclass(frozen=True)
class Introspection:
    """A network's hidden layers, the autoencoder that maps them, and the estimator of error on the map."""

    hidden: HiddenLayers
    autoencoder: InfoVAE
    estimator: nn.Sequential

    def __call__(self, images: Tensor) -> Place:
        """Where images (n, c, h, w) land; from the records, where that takes long and was computed before."""
        parts = images.split(PART)

        def rows(which: Sequence[int], anew: bool) -> list[Tensor]:
            if anew:
                return [self.place(self.hidden.read(parts[i], anew=True)).rows for i in which]
            return list(self.place(self.hidden.read(images)).rows.split(PART))  # all of them

        found = in_parts("places", len(parts), lambda i: digest(self.key, tensor_digest(parts[i])), rows)
        return Place.of(torch.cat(found), self.hidden.observer.classes, lambda: self.hidden.read(images))

    @cached_property
    def key(self) -> str:
        """Hash of network, layers, components, map and estimator."""
        parts = recorded.fingerprint(vars(self.hidden.components) | self.weights())
        return digest(network_digest(self.hidden.network), self.hidden.layers, parts)

    @torch.no_grad()
    def place(self, activations: Activations) -> Place:
        """Where activations that were read before land."""
        codes, again = self.autoencoder(activations.features)
        missed = (again - activations.features).square().mean(1)
        return Place(codes, self.expected(codes), missed, activations.outputs, lambda: activations)

    @torch.no_grad()
    def expected(self, codes: Tensor) -> Tensor:
        """log₁₀ of the error (n,) expected at places (n, k) of the map."""
        return self.estimator(codes)[:, 0]

    def weights(self) -> dict[str, Tensor]:
        """The weights of autoencoder and estimator, from which `assembled` builds them again."""
        parts = {"map": self.autoencoder, "judge": self.estimator}
        return {f"{of}.{name}": each for of, part in parts.items() for name, each in part.state_dict().items()}

    @torch.no_grad()
    def decoded(self, codes: Tensor) -> Tensor:
        """Hidden activations (n, p) that belong to places (n, k) of the map."""
        return self.hidden.components.expanded(self.autoencoder.decoder(codes))


def introspect(
    hidden: HiddenLayers,
    images: Tensor,
    labels: Tensor,
    *,
    bottleneck: int = 2,
    mmd_weight: float = 10.0,
    seed: int = 0,
    autoencoder: Cyclic = AUTOENCODER,
    estimator: Cyclic = ESTIMATOR,
) -> Introspection:
    """Train the map of a network's hidden layers on images (n, c, h, w), and the estimator on their errors.

    Both come from the cache if they were trained before. Raises `ValueError` for a `bottleneck` below 1, an
    `mmd_weight` below 0, or fewer images than are held out.
    """
    known = hidden.read(images)
    features, errors = known.features, known.errors(labels)
    code = code_digest(infovae, cyclic, elu_networks, introspect)
    settings = (bottleneck, mmd_weight, seed, autoencoder, estimator)
    key = digest(tensor_digest(features), tensor_digest(errors), settings, code)
    path = cache_dir() / "introspection" / f"{key}.safetensors"

    def trained() -> dict[str, Tensor]:
        device = hidden.observer.device
        mapped = train_autoencoder(features, bottleneck, mmd_weight, seed, autoencoder, device)
        with torch.no_grad():
            codes = mapped.encoder(features)
        judge = train_estimator(codes, errors, seed, estimator, device)
        return Introspection(hidden, mapped, judge).weights()

    return assembled(hidden, tensor_files.made_once(path, trained), bottleneck)


def assembled(hidden: HiddenLayers, weights: dict[str, Tensor], bottleneck: int) -> Introspection:
    """An introspection of these hidden layers, of the weights that another one had."""
    mapped, judge = InfoVAE(len(hidden.components.basis), bottleneck), elu_stack(bottleneck, 1)
    for of, part in (("map.", mapped), ("judge.", judge)):
        part.load_state_dict({name.removeprefix(of): each for name, each in weights.items() if name.startswith(of)})
    return Introspection(hidden, mapped.eval(), judge.eval())
