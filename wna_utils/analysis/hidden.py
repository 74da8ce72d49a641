"""What a network's dense hidden layers do with images, side by side as one vector (Pardo et al., 2019, §2.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from wna_utils.networks.observer import SCORES, Answers, Observer
from wna_utils.support import tensor_files
from wna_utils.support.checks import between, whole
from wna_utils.support.fingerprint import code_digest, digest, tensor_digest
from wna_utils.support.paths import cache_dir

FLOOR = -12.0  # of log10 errors, where float32 has none left
FITTED = 2_000  # images that the principal components are fitted to
AT_ONCE = 2_000  # images whose activations are in memory

Values = TypeVar("Values", Tensor, np.ndarray)


@dataclass(frozen=True)
class Activations:
    """What a network does with n images.

    `features` (n, k) are principal components of all its hidden activations, scaled to a mean square of 1; `last`
    (n, w) is its last hidden layer, and `outputs` (n, K), from 0 to 1, are its answers.
    """

    features: Tensor
    last: Tensor
    outputs: Tensor

    @property
    def calls(self) -> Tensor:
        """Class (n,) that the network gives each image."""
        return self.outputs.argmax(1)

    def errors(self, labels: Tensor) -> Tensor:
        """log₁₀ of e = ½‖y − ŷ‖², (n,), but no less than −12."""
        return log_errors(self.outputs, labels)


def log_errors(outputs: Tensor, labels: Tensor) -> Tensor:
    """log₁₀ of e = ½‖y − ŷ‖² (n,) of outputs (n, K) for images of these labels (n,), but no less than −12."""
    wanted = nn.functional.one_hot(labels, outputs.shape[1])
    error = (outputs.double() - wanted).square().sum(1) / 2
    return error.clamp(min=10**FLOOR).log10().float()


def dense_activations(network: nn.Sequential) -> list[str]:
    """Names of the nonlinearities that follow a network's dense layers, without the outputs' own.

    Raises `ValueError` for a network that has none.
    """
    names, modules = list(network._modules), list(network)
    after_dense = [
        name
        for name, module, before in zip(names[1:], modules[1:], modules, strict=False)
        if isinstance(before, nn.Linear) and isinstance(module, nn.ELU | nn.ReLU | nn.Tanh)
    ]
    if not after_dense:
        raise ValueError(f"the network has no hidden dense layers; its layers are {', '.join(names)}")
    return after_dense


def as_probabilities(network: nn.Sequential, answers: Tensor) -> Tensor:
    """A network's answers (n, K), by a softmax if it ends in neither that nor sigmoids."""
    return answers if isinstance(network[-1], nn.Sigmoid | nn.Softmax) else answers.softmax(1)


@dataclass(frozen=True)
class Components:
    """Principal components (k, p) of hidden activations, whose scores are divided by `scale`: a mean square of 1.

    `explained` is the share of variance that they hold.
    """

    mean: Tensor
    basis: Tensor
    scale: Tensor
    explained: Tensor

    def features(self, hidden: Tensor) -> Tensor:
        """Scores (n, k) of hidden activations (n, p)."""
        return (hidden - self.mean) @ self.basis.T / self.scale

    def expanded(self, features: Tensor) -> Tensor:
        """Hidden activations (n, p) that have these features (n, k), as far as the components hold them."""
        return features * self.scale @ self.basis + self.mean


def principal_components(hidden: Tensor, components: int) -> Components:
    """The first so many principal components of hidden activations (n, p).

    Raises `ValueError` for more components than there can be.
    """
    from sklearn.decomposition import PCA

    whole("components", components, 1)
    between("components", components, 1, min(hidden.shape))
    pca = PCA(components, svd_solver="randomized", random_state=0).fit(hidden.numpy())
    return Components(
        torch.from_numpy(pca.mean_).float(),
        torch.from_numpy(pca.components_).float(),
        torch.tensor(float(np.sqrt(pca.explained_variance_.mean()))),
        torch.tensor(float(pca.explained_variance_ratio_.sum())),
    )


class HiddenLayers:
    """A network's hidden `layers`, by default all dense ones, read as one vector, and its principal components.

    A number of `components` is fitted, when they are first needed, to the first 2,000 of some `images`; or such as were
    fitted before are given. Answers that are no probabilities are turned into such by a softmax. Raises `ValueError`
    for an unknown layer, or fewer than one component.
    """

    def __init__(
        self,
        network: nn.Sequential,
        images: Tensor,
        layers: Sequence[str] | None = None,
        components: int | Components = 100,
        device: str = "auto",
    ):
        self.network, self.layers = network, list(layers or dense_activations(network))
        self.observer = Observer(network, tuple(images.shape[1:]), layers=(*self.layers, SCORES), device=device)
        self.sizes = [int(np.prod(self.observer.answers[layer])) for layer in self.layers]
        self._fitted = images[:FITTED].clone()  # lest all others stay in memory with them
        self._given = components if isinstance(components, Components) else None
        self._wanted = len(self._given.basis) if self._given else whole("components", components, 1)

    @cached_property
    def _key(self) -> str:
        read = HiddenLayers.raw, HiddenLayers._activations, HiddenLayers._read, HiddenLayers._parts
        code = code_digest(*read, HiddenLayers._of_parts, Components, principal_components, as_probabilities)
        given = map(tensor_digest, vars(self._given).values()) if self._given else []
        return digest(self.observer.identity(), tensor_digest(self._fitted), self._wanted, *given, code)

    @cached_property
    def components(self) -> Components:
        """The principal components; from the cache if they were fitted before."""
        if self._given:
            return self._given
        path = cache_dir() / "activations" / f"{self._key}.safetensors"
        parts = tensor_files.made_once(path, lambda: vars(principal_components(self._read_first[0], self._wanted)))
        return Components(**parts)

    @cached_property
    def _read_first(self) -> tuple[Tensor, Tensor, Tensor]:
        """What is read of the images that the components are fitted to, which are read with others again."""
        return self._read(self._fitted)

    def raw(self, images: Tensor) -> Tensor:
        """All hidden activations (n, p) of images (n, c, h, w), layer after layer, on the CPU."""
        return torch.cat([self._read(batch)[0] for batch in images.split(AT_ONCE)])

    def read(self, images: Tensor, *, anew: bool = False) -> Activations:
        """What the network does with images (n, c, h, w); unless read `anew`, from the cache if it was read before."""
        if anew:
            return Activations(**self._activations(images))
        path = cache_dir() / "activations" / f"{self._key}-{tensor_digest(images)}.safetensors"
        return Activations(**tensor_files.made_once(path, lambda: self._activations(images)))

    def _activations(self, images: Tensor) -> dict[str, Tensor]:
        found = []
        for batch in images.split(AT_ONCE):
            fitted = torch.equal(batch, self._fitted)
            found.append(self._of_parts(*(self._read_first if fitted else self._read(batch))))
        return {name: torch.cat([getattr(each, name) for each in found]) for name in vars(found[0])}

    def _read(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """All hidden activations (n, p), those of the last layer (n, w), and the network's answers (n, K)."""
        return self._parts(self.observer(images))

    def _parts(self, answers: Answers) -> tuple[Tensor, Tensor, Tensor]:
        flat = {name: each.flatten(1).cpu() for name, each in answers.items()}
        hidden = [flat[layer] for layer in self.layers]
        return torch.cat(hidden, 1), hidden[-1], flat[SCORES]

    def of_answers(self, answers: Answers) -> Activations:
        """What the network does with images that its observer has answered."""
        return self._of_parts(*self._parts(answers))

    def _of_parts(self, hidden: Tensor, last: Tensor, scores: Tensor) -> Activations:
        return Activations(self.components.features(hidden), last, as_probabilities(self.network, scores))

    def by_layer(self, values: Values) -> list[Values]:
        """Hidden activations (n, p), or any other tensor or array (…, p) of units, layer by layer."""
        edges = np.cumsum([0, *self.sizes])
        return [values[..., start:end] for start, end in pairwise(edges)]
