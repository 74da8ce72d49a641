"""Targeted attacks step by step, and the paths that activations take on a network's map (Pardo et al., §3.5)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from wna_utils.analysis.confidence import neighbours
from wna_utils.analysis.hidden import as_probabilities
from wna_utils.analysis.introspection import Introspection, Place
from wna_utils.networks.cyclic import squared_error
from wna_utils.networks.observer import SCORES, Answers, Observer
from wna_utils.support.checks import at_least, between, positive, whole
from wna_utils.support.progress import bar


def fgsm_steps(
    observer: Observer,
    images: Tensor,
    targets: Tensor,
    *,
    eps: float = 0.01,
    steps: int = 100,
    clip: bool = True,
) -> Iterator[tuple[Tensor, Answers]]:
    """Images (n, c, h, w) on their way to the `targets` (n,), by the fast gradient sign method, and what is answered.

    Each step moves every pixel by `eps` against the gradient of E = ½‖y_target − ŷ‖²; with `clip` they stay in [0, 1],
    which the paper does not say. What comes first are the images themselves, and then those after each of the `steps`,
    on the observer's device. The network is not changed.
    Raises `ValueError` for a target that is no class, images and targets that are not as many, an eps not above 0, or
    no steps.
    """
    positive("eps", eps)
    at_least("steps", steps, 1)
    if len(images) != len(targets):
        raise ValueError(f"images and targets must be as many; got {len(images)} and {len(targets)}")
    for target in targets.tolist():
        between("target", target, 0, observer.classes - 1)
    wanted = one_hot(targets.long(), observer.classes).float().to(observer.device)
    return _stepping(observer, images.to(observer.device), wanted, eps, steps, clip)


def _stepping(
    observer: Observer, now: Tensor, wanted: Tensor, eps: float, steps: int, clip: bool
) -> Iterator[tuple[Tensor, Answers]]:
    with bar(range(steps), desc="attacking step by step", unit="step") as progress:
        for _ in progress:
            shown = now.detach().clone().requires_grad_()
            answers = observer.differentiable_answers(shown)
            error = squared_error(as_probabilities(observer.network, answers[SCORES]), wanted).sum()
            [gradient] = torch.autograd.grad(error, shown)
            yield now, {name: each.detach() for name, each in answers.items()}
            now = now - eps * gradient.sign()
            now = now.clamp(0, 1) if clip else now
    yield now, observer.answer(now)


@dataclass(frozen=True)
class Paths:
    """Where m attacks on images (m,), from the class `own` (m,) to the `target` (m,), are on a map after each step.

    `image` (m,) numbers the images attacked. `codes` (steps + 1, m, k) are the places, `calls` (steps + 1, m) what the
    network calls the images there, and `expected` (steps + 1, m) is log₁₀ of the error expected.
    """

    image: np.ndarray
    own: np.ndarray
    target: np.ndarray
    codes: np.ndarray
    calls: np.ndarray
    expected: np.ndarray

    @property
    def succeeded(self) -> np.ndarray:
        """Which attacks end with the target called, (m,) bool."""
        return self.calls[-1] == self.target

    @property
    def first_success(self) -> np.ndarray:
        """Step at which the target is first called, (m,); the last one where it never is."""
        hit = self.calls == self.target
        return np.where(hit.any(0), hit.argmax(0), len(hit) - 1)

    def gateways(self) -> float:
        """Distance of paths to one target over that of paths to different targets, of different images of a class.

        Means over steps until both attacks have succeeded, so that where they end does not count. It is 1 if the target
        makes no difference to the way; NaN if there are no two attacks of either kind.
        """
        same, other = [], []
        for i, j in combinations(range(len(self.own)), 2):
            if self.own[i] == self.own[j] and self.image[i] != self.image[j]:
                way = slice(0, max(self.first_success[[i, j]]) + 1)
                apart = np.linalg.norm(self.codes[way, i] - self.codes[way, j], axis=1).mean()
                (same if self.target[i] == self.target[j] else other).append(apart)
        return float(np.mean(same) / np.mean(other)) if same and other else np.nan

    def landed(self, around: Place, k: int = 10) -> np.ndarray:
        """Whether most of the k nearest images of where a successful attack ends are called its target, (s,) bool."""
        near = neighbours(around.codes, k).kneighbors(self.codes[-1, self.succeeded], return_distance=False)
        votes = around.calls.numpy()[near] == self.target[self.succeeded, None]  # (s, k)
        return votes.mean(1) > 0.5

    def beyond(self, limit: float) -> dict[str, np.ndarray]:
        """Whether more error than `limit` is expected of successful attacks, (s,) bool, and when.

        "on the way", at any step; "at first success", when the target is first called; "at the end".
        """
        high = self.expected[:, self.succeeded] > limit
        first = self.first_success[self.succeeded]
        return {
            "on the way": high.any(0),
            "at first success": high[first, np.arange(high.shape[1])],
            "at the end": high[-1],
        }


def paths_on_map(
    found: Introspection,
    images: Tensor,
    own: Tensor,
    *,
    targets: int | None = None,
    steps: int = 100,
    clip: bool = True,
) -> Paths:
    """Attack images (n, c, h, w) of the classes `own` (n,), and see the way on the map.

    The `targets` of an image are the so many classes that follow its own, the first one after the last; all others, if
    that is None or more than there are. For `steps` and `clip`, see `fgsm_steps`. Raises `ValueError` for no targets.
    """
    classes = found.hidden.observer.classes
    n = classes - 1 if targets is None else min(whole("targets", targets, 1), classes - 1)
    jobs = [(i, (k + 1 + j) % classes) for i, k in enumerate(own.tolist()) for j in range(n)]
    which, aims = (torch.tensor(each) for each in zip(*jobs, strict=True))
    walked = fgsm_steps(found.hidden.observer, images[which], aims, steps=steps, clip=clip)
    places = [found.place(found.hidden.of_answers(answers)) for _, answers in walked]
    return Paths(
        which.numpy(),
        own[which].numpy(),
        aims.numpy(),
        torch.stack([place.codes for place in places]).numpy(),
        torch.stack([place.calls for place in places]).numpy(),
        torch.stack([place.expected for place in places]).numpy(),
    )
