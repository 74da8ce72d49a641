"""Attacks by addition: a pattern is mixed into images until a network calls them by the pattern's class (§3.2)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wna_utils.analysis.templates import stretch
from wna_utils.networks.observer import observer_of
from wna_utils.networks.training import predict
from wna_utils.observe.tally import Maps, empty_maps
from wna_utils.stimuli.mixtures import mixed
from wna_utils.support.checks import at_least, fraction, positive
from wna_utils.support.progress import without_widgets


def as_plotted(maps: Maps) -> np.ma.MaskedArray:
    """What the original added in place of a map (K, 1, h, w): the mean of red, green, blue and opacity of its picture.

    The picture is the stretched map in matplotlib's viridis, so that values run from 0.40 to 0.76.
    """
    from matplotlib import colormaps

    stretched = stretch(maps)
    pictures = colormaps["viridis"](np.ma.filled(stretched, 0))  # (K, 1, h, w, 4)
    return np.ma.masked_array(pictures.mean(-1), mask=np.ma.getmaskarray(stretched))


@dataclass(frozen=True)
class Fooled:
    """What a network calls attacked images: `called` (K, G, n), by target class, γ and image; -1 without a pattern.

    `own` (n,) is what each image was before the attack.
    """

    called: np.ndarray
    own: np.ndarray

    def rate(self, others_only: bool = False) -> np.ma.MaskedArray:
        """Share of images called by the target class, (K, G); masked where there is no pattern, or no image.

        The paper counts all images, also those that were of the target class before; `others_only` leaves them out.
        """
        targets = np.arange(len(self.called))[:, None, None]
        counted = self.called >= 0
        if others_only:
            counted &= self.own != targets
        return np.ma.masked_array(self.called == targets, mask=~counted).mean(2)


def fool(
    network: nn.Module,
    images: Tensor,
    own: np.ndarray,
    patterns: Maps,
    gammas: Sequence[float],
    *,
    device: str = "auto",
    precision: str = "float32",
) -> Fooled:
    """Mix each class's pattern (K, c, h, w) into the images (n, c, h, w) at every γ and ask the network what they are.

    The pattern is the signal of Eq. 3, and γ its share.
    `own` (n,) are the classes of the images before the attack. The network is not changed.
    Raises `ValueError` for a γ outside [0, 1], or if `own` and the images are not as many.
    """
    if len(own) != len(images):
        raise ValueError(f"images and their own classes must be as many; got {len(images)} and {len(own)}")
    for gamma in gammas:
        fraction("gamma", gamma)
    observer = observer_of(network, tuple(images.shape[1:]), device=device, precision=precision)
    images = images.to(observer.device)
    called = np.full((len(patterns), len(gammas), len(images)), -1)
    missing = empty_maps(patterns)
    for k in np.flatnonzero(~missing):
        pattern = torch.from_numpy(np.ma.getdata(patterns[k])).float().to(observer.device)
        for g, gamma in enumerate(gammas):
            called[k, g] = observer.predict(mixed(pattern, images, gamma))
    return Fooled(called, np.asarray(own))


def gradient_attack(
    network: nn.Module, images: Tensor, targets: np.ndarray, eps: float, steps: int = 20, device: str = "auto"
) -> Tensor:
    """Images (n, c, h, w) in [0, 1] moved towards the `targets` (n,) along the gradient, by up to `eps` in L2.

    One step is the fast gradient method, more are projected gradient descent: white-box attacks, for
    comparison. The network is not changed. Raises `ValueError` for an eps not above 0 or no steps.
    """
    with without_widgets():
        from art.attacks.evasion import FastGradientMethod, ProjectedGradientDescentPyTorch
        from art.estimators.classification import PyTorchClassifier

    positive("eps", eps)
    at_least("steps", steps, 1)
    observer = observer_of(network, tuple(images.shape[1:]), device=device)
    inside = PyTorchClassifier(
        observer.network,
        nn.CrossEntropyLoss(),
        observer.shape,
        observer.classes,
        clip_values=(0, 1),
        device_type="gpu" if observer.device.type == "cuda" else "cpu",
    )
    common = {"norm": 2, "eps": eps, "targeted": True, "batch_size": 500}
    if steps == 1:
        attack = FastGradientMethod(inside, **common)
    else:
        attack = ProjectedGradientDescentPyTorch(
            inside, eps_step=2.5 * eps / steps, max_iter=steps, verbose=False, **common
        )
    return torch.from_numpy(attack.generate(x=images.numpy(), y=targets))


def towards(images: Tensor, direction: Tensor, eps: float) -> Tensor:
    """Images (n, c, h, w) moved by `eps` in L2 along directions of the same shape, and cut to [0, 1]."""
    positive("eps", eps)
    lengths = direction.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
    return (images + eps * direction / lengths).clamp(0, 1)


def perceptibility(images: Tensor, attacked: Tensor) -> dict[str, float]:
    """How visible an attack on images (n, c, h, w) is: mean L2 and L∞ distance, and mean structural similarity.

    Structural similarity (SSIM) is 1 for identical images and near 0 for unrelated ones.
    """
    moved = (attacked - images).flatten(1)
    return {
        "L2": float(moved.norm(dim=1).mean()),
        "L∞": float(moved.abs().amax(1).mean()),
        "SSIM": float(similarity_of(images, attacked).mean()),
    }


def similarity_of(images: Tensor, attacked: Tensor) -> np.ndarray:
    """Structural similarity of each image (n, c, h, w) to what became of it, (n,)."""
    from skimage.metrics import structural_similarity

    pairs = zip(images.numpy(), attacked.numpy(), strict=True)
    return np.array([structural_similarity(a, b, data_range=1.0, channel_axis=0) for a, b in pairs])


def outcome(
    network: nn.Module, images: Tensor, labels: np.ndarray, attempts: Iterable[tuple[int, Tensor]]
) -> dict[str, float]:
    """How visible attacks are (see `perceptibility`) and what share of images of other classes is "called the target".

    `attempts` are targets with all images (n, c, h, w), attacked; means over targets, NaN if there is none.
    """
    seen, hits = [], []
    for target, attacked in attempts:
        if (others := labels != target).any():
            seen.append(perceptibility(images, attacked))
            hits.append(float((predict(network, attacked).numpy()[others] == target).mean()))
    names = seen[0] if seen else ("L2", "L∞", "SSIM")
    means = {name: float(np.mean([each[name] for each in seen])) if seen else np.nan for name in names}
    return means | {"called the target": float(np.mean(hits)) if hits else np.nan}


def length_for(share: float, lengths: Sequence[float], rates: Sequence[float]) -> float:
    """Length at which the rate of success first reaches a share, interpolated from 0 on; NaN if it never does."""
    order = np.argsort(lengths)
    x, y = np.r_[0, np.asarray(lengths)[order]], np.r_[0, np.asarray(rates)[order]]
    above = np.flatnonzero(y >= share)
    if not len(above):
        return np.nan
    i = above[0]
    return float(x[i - 1] + (share - y[i - 1]) / (y[i] - y[i - 1]) * (x[i] - x[i - 1]))


def nearest(gammas: Sequence[float], gamma: float) -> int:
    """Position of the γ that is nearest to the one that a claim is about."""
    return int(np.abs(np.subtract(gammas, gamma)).argmin())
