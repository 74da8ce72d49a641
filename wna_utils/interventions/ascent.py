"""Images that a network is led to call a class, by gradient ascent from noise or photographs (Zhang et al., Eq. 1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wna_utils.networks.observer import Observer, observer_of
from wna_utils.support.checks import at_least, positive, whole
from wna_utils.support.progress import bar

FEWER = 4  # times, in a batch: for a gradient the activations of all layers are kept


@dataclass(frozen=True)
class Ascent:
    """Where n ascents were when they first reached each of m confidences, or else at their last step.

    `images` (m, n, c, h, w) in [0, 1]; `steps` (m, n) taken until then, and `probability` (m, n) of the target there;
    `confidences` are the m probabilities asked for.
    """

    confidences: tuple[float, ...]
    images: Tensor
    steps: np.ndarray
    probability: np.ndarray

    @property
    def reached(self) -> np.ndarray:
        """Which ascents got as far as each confidence, (m, n) bool."""
        return self.probability >= np.array(self.confidences)[:, None]


def ascend(
    network: nn.Module | Observer,
    start: Tensor,
    targets: Sequence[int] | Tensor,
    *,
    own: Sequence[int] | Tensor | None = None,
    confidences: Sequence[float] = (0.99,),
    length: float = 0.5,
    pull: float = 0.0,
    steps: int = 200,
    device: str = "auto",
) -> Ascent:
    """Move images `start` (n, c, h, w) in [0, 1] until the network gives each its target with these probabilities.

    Each step goes by `length` (L2) along the gradient of log P(target) − pull · ‖image − start‖², and values beyond
    [0, 1] are cut. That is the paper's Eq. 1 but for the logarithm, without which the gradient is lost where P is near
    0. `confidences` rise. The network is not changed. `own` (n,) are the classes of the images, if none may be its own
    target.

    Raises `ValueError` for a target that is no class, or an image's own, another number of them than of images,
    confidences that do not rise within (0, 1), a step that is not above 0, or fewer than one step.
    """
    levels = _rising(confidences)
    positive("length", length)
    at_least("pull", pull, 0)
    whole("steps", steps, 1)
    observer = observer_of(network, tuple(start.shape[1:]), device=device)
    aims = _classes(targets, len(start), observer.classes)
    if own is not None and len(same := (aims == _classes(own, len(start), observer.classes)).nonzero()):
        raise ValueError(f"image {int(same[0])} is of class {int(aims[same[0]])} already: give it another target")
    parts = [each.split(max(1, observer.batch_size // FEWER)) for each in (start, aims)]
    found = []
    with bar(zip(*parts, strict=True), total=len(parts[0]), desc="ascending", unit="batch") as progress:
        for batch, aim in progress:
            found.append(_climb(observer, batch, aim, levels, length, pull, steps))
    images, taken, probability = (torch.cat(each, 1) for each in zip(*found, strict=True))
    return Ascent(levels, images, taken.numpy(), probability.numpy())


def _rising(confidences: Sequence[float]) -> tuple[float, ...]:
    levels = tuple(confidences)
    if not levels or list(levels) != sorted(set(levels)) or not (levels[0] > 0 and levels[-1] < 1):
        raise ValueError(f"confidences must rise between 0 and 1, both left out; got {', '.join(map(str, levels))}")
    return levels


def _classes(targets: Sequence[int] | Tensor, n: int, classes: int) -> Tensor:
    aims = torch.as_tensor(targets).long()
    if aims.shape != (n,):
        raise ValueError(f"there must be a class for each of {n} images; got {aims.numel()}")
    if n and not (aims.min() >= 0 and aims.max() < classes):
        raise ValueError(f"targets must be classes, 0 to {classes - 1}; got {int(aims.min())} to {int(aims.max())}")
    return aims


def _climb(
    observer: Observer,
    start: Tensor,
    aims: Tensor,
    levels: tuple[float, ...],
    length: float,
    pull: float,
    steps: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """One batch of ascents: images (m, b, c, h, w), steps (m, b) and probabilities (m, b) at each level."""
    now, aims, home = (each.to(observer.device, copy=True) for each in (start, aims, start))
    images = now.cpu().repeat(len(levels), 1, 1, 1, 1)
    taken = torch.zeros(len(levels), len(start), dtype=torch.long)
    probability = torch.zeros(len(levels), len(start), dtype=torch.double)
    wanted = torch.tensor(levels, dtype=torch.double)
    climbing = torch.arange(len(start))  # those that have not reached the last level
    for step in range(steps + 1):
        shown = now[climbing].to(memory_format=torch.channels_last).requires_grad_()
        found = observer.differentiable(shown).double().log_softmax(1)
        gained = found[torch.arange(len(climbing)), aims[climbing]]
        short = probability[:, climbing] < wanted[:, None]  # levels that were not reached before
        level, which = torch.nonzero(short, as_tuple=True)
        here = gained.detach().exp().cpu()
        at = climbing[which]
        probability[level, at], taken[level, at] = here[which], step
        images[level, at] = shown.detach()[which].cpu()
        going = here < levels[-1]
        if step == steps or not going.any():
            break
        away = ((shown - home[climbing]) ** 2).flatten(1).sum(1)
        [gradient] = torch.autograd.grad((gained - pull * away).sum(), shown)
        size = gradient.flatten(1).norm(dim=1).clamp(min=1e-30).view(-1, 1, 1, 1)
        now[climbing] = (shown.detach() + length * gradient / size).clamp(0, 1)
        climbing = climbing[going]
    return images, taken, probability
