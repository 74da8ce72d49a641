"""Gabor–PCA noise: random mixtures of wavelets that vary like the images of a data set (the paper's Appendix)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wna_utils.data import datasets
from wna_utils.data.datasets import Dataset
from wna_utils.stimuli.blocks import CPU, Block, Source
from wna_utils.stimuli.philox import uniform
from wna_utils.stimuli.wavelets import authors_bank, gabor_bank
from wna_utils.support import recorded, tensor_files
from wna_utils.support.checks import between, one_of
from wna_utils.support.checks import seed as checked_seed
from wna_utils.support.fingerprint import code_digest, digest, tensor_digest
from wna_utils.support.paths import cache_dir
from wna_utils.support.progress import bar

COMPONENTS = {28: 250, 32: 600}  # principal components, for each channel
RIDGE = 0.1
BANKS = {"paper": gabor_bank, "code": authors_bank}


def wavelet_weights(images: Tensor, bank: Tensor, intercept: bool = False) -> np.ndarray:
    """Weights (n, m) with which the wavelets (m, h, w) add up to grey images (n, h, w), by ridge regression.

    With an `intercept` they do so but for a constant, which the authors' code fits and then forgets.
    """
    from sklearn.linear_model import Ridge

    pixels = images.flatten(1).numpy().T  # each image a target, each wavelet a regressor
    return Ridge(RIDGE, fit_intercept=intercept).fit(bank.flatten(1).numpy().T, pixels).coef_


@dataclass(frozen=True)
class GaborModel:
    """Principal components of a data set's wavelet weights, for each of c channels: what `GaborNoise` mixes.

    The wavelets are the `bank` (m, h, w). `components` (c, k, m) mix them; their scores were observed from `low` to
    `high` (c, k), and `mean` (c, m) are the mean weights. `explained` (c,) is the share of variance that the components
    explain, `error` (c,) the mean relative reconstruction error: the L2 norm of the residual over that of the image.
    """

    bank: Tensor
    components: Tensor
    low: Tensor
    high: Tensor
    mean: Tensor
    explained: Tensor
    error: Tensor

    def reconstruct(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, c, h, w) as sums of all the wavelets, and as the principal components alone show them."""
        flat = self.bank.flatten(1)
        by_wavelets, by_components = [], []
        for channel, components, mean in zip(images.unbind(1), self.components, self.mean, strict=True):
            weights = torch.from_numpy(wavelet_weights(channel, self.bank))
            by_wavelets.append(weights @ flat)
            by_components.append(((weights - mean) @ components.T @ components + mean) @ flat)
        return torch.stack(by_wavelets, 1).view(images.shape), torch.stack(by_components, 1).view(images.shape)


def fit_gabor(dataset: Dataset, components: int | None = None, *, bank_of: str = "paper") -> GaborModel:
    """The `GaborModel` of a data set's training images: the recorded one, or that of the cache if it was fitted before.

    `components` defaults to the paper's 250 (28×28) or 600 (32×32). `bank_of` "code" puts the wavelets of the authors'
    code on the images, as that does, instead of those that the "paper" describes. Raises `ValueError` for images of
    another size, another bank, or a number of components that there cannot be.
    """
    one_of("bank_of", bank_of, BANKS)
    side, intercept = dataset.shape[-1], bank_of == "code"
    bank = torch.from_numpy(BANKS[bank_of](side)).float()
    most = min(len(bank), len(dataset.y_train))  # as many components as there can be
    components = min(COMPONENTS[side], most) if components is None else components
    between("components", components, 1, most)
    about = {"fingerprint": dataset.fingerprint, "components": components, "bank_of": bank_of}
    path = recorded_path(dataset.name, bank_of)
    if recorded.used() and path.exists() and recorded.about(path).items() >= about.items():
        recorded.note(path)
        return recorded_model(dataset.name, bank_of)
    code = code_digest(wavelet_weights, _fit_channel)
    key = digest(dataset.fingerprint, components, tensor_digest(bank), intercept, RIDGE, code)
    path = cache_dir() / "generators" / f"gabor-{dataset.name}-{key}.safetensors"
    if found := tensor_files.read(path):
        return GaborModel(**found[0])
    images = dataset.x_train.unbind(1)
    with bar(images, desc=f"fitting wavelets to {dataset.name}", unit="channel") as progress:
        channels = [_fit_channel(channel, bank, components, intercept) for channel in progress]
    parts = {"bank": bank} | {name: torch.stack([fitted[name] for fitted in channels]) for name in channels[0]}
    tensor_files.write(path, parts)
    return GaborModel(**parts)


def record_model(dataset: Dataset, bank_of: str, made: dict[str, Any]) -> Path:
    """Round what is large of the model of a data set, and write it among the records."""
    model = fit_gabor(dataset, bank_of=bank_of)
    rounded = {name: each.half() if each.ndim > 2 else each for name, each in vars(model).items()}
    about = {"fingerprint": dataset.fingerprint, "components": model.components.shape[1], "bank_of": bank_of}
    path = recorded_path(dataset.name, bank_of)
    recorded.write(path, rounded, about | {"made": made})
    return path


def recorded_model(dataset: str, bank_of: str = "paper") -> GaborModel:
    """The recorded model of the data set of this name; raises `ValueError` if its file is missing or damaged."""
    tensors, _ = recorded.read(recorded_path(dataset, bank_of))
    return _model(tensors)


def gabor_of(name: str) -> GaborModel:
    """The `GaborModel` of the data set of this name; where it is recorded, the images are not read.

    Raises `ValueError` for an unknown name.
    """
    one_of("dataset", name, datasets.NAMES)
    path = recorded_path(name)
    if recorded.used() and path.exists():
        recorded.note(path)
        return recorded_model(name)
    return fit_gabor(datasets.load(name))


def _model(tensors: dict[str, Tensor]) -> GaborModel:
    return GaborModel(**{name: each.float() for name, each in tensors.items()})


def recorded_path(dataset: str, bank_of: str = "paper") -> Path:
    """Where the model of the data set of this name is recorded."""
    name = f"gabor-{dataset}-{bank_of}".replace(" ", "-")
    return recorded.path_of("noise", name)


def _fit_channel(images: Tensor, bank: Tensor, components: int, intercept: bool) -> dict[str, Tensor]:
    """Principal components of the weights of one channel's images (n, h, w).

    Weights are linear in pixels: those of every image follow from those of single pixels, and so does their covariance.
    """
    from scipy.linalg import eigh
    from sklearn.utils.extmath import svd_flip

    pixels, flat = images.flatten(1).numpy(), bank.flatten(1).numpy()
    single = torch.eye(pixels.shape[1]).view(-1, *bank.shape[1:])
    of_pixel = wavelet_weights(single, bank, intercept)  # (h·w, m)
    mean = pixels.mean(0, dtype=np.float64).astype(np.float32)
    centred = pixels - mean
    covariance = of_pixel.T @ (centred.T @ centred / (len(pixels) - 1)) @ of_pixel
    variances, found = eigh(covariance, subset_by_index=[len(bank) - components, len(bank) - 1])
    _, found = svd_flip(None, found.T[::-1].copy(), u_based_decision=False)  # (k, m), the largest variance first
    scores = centred @ (of_pixel @ found.T)
    missed = np.linalg.norm(pixels - pixels @ (of_pixel @ flat), axis=1)
    fitted = {
        "components": found,
        "low": scores.min(0),
        "high": scores.max(0),
        "mean": mean @ of_pixel,
        "explained": min(variances.sum() / covariance.trace(), 1),  # but for rounding
        "error": (missed / np.linalg.norm(pixels, axis=1).clip(1e-6)).mean(),
    }
    return {name: torch.tensor(value, dtype=torch.float32) for name, value in fitted.items()}


class GaborNoise(Source):
    """Images whose component scores are drawn evenly from their observed ranges, projected back to pixels.

    Block i depends on (seed, i) alone. `add_mean` adds the mean weights to the mixture, as a projection back from
    principal components does; the authors' code leaves them out. `stretch` stretches every channel of every image to
    [0, 1], as the code does and the paper does not say; without it, pixels lie far outside the training images' range.

    Raises `ValueError` for a seed that is not whole or beyond 64 bit.
    """

    def __init__(self, model: GaborModel, seed: int = 0, *, add_mean: bool = True, stretch: bool = True):
        self.shape = (len(model.components), *model.bank.shape[1:])
        self.seed, self.stretch = checked_seed("seed", seed), stretch
        self._low, self._range = model.low, model.high - model.low
        flat = model.bank.flatten(1)
        self._basis = model.components @ flat  # (c, k, h·w): each component as a picture
        self._mean = model.mean @ flat if add_mean else torch.zeros(len(model.mean), flat.shape[1])

    @property
    def components(self) -> int:
        """Number of components of each channel."""
        return self._low.shape[1]

    def mixed(self, places: Tensor) -> Tensor:
        """Images (b, c, h, w) of components that lie at places (b, c, k) within their ranges, from 0 to 1."""
        low, span, basis, mean = (each.to(places.device) for each in (self._low, self._range, self._basis, self._mean))
        scores = (places * span + low).movedim(1, 0)  # (c, b, k)
        images = torch.baddbmm(mean[:, None], scores, basis).movedim(0, 1)  # (b, c, h·w)
        if self.stretch:
            low, high = images.aminmax(dim=2, keepdim=True)
            images = (images - low) / (high - low)
        return images.reshape(-1, *self.shape)

    def block(self, number: int, device: torch.device = CPU) -> Block:
        drawn = (self.block_size, len(self._low), self.components)
        return Block.of_noise(number, self.mixed(uniform(self.seed, number, drawn, torch.device(device))))
