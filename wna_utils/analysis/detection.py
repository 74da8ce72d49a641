"""Finding a planted patch: in classification images, in average gradients, and by inverting the trigger (§3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wna_utils.analysis.estimates import Estimate, area_under_curve
from wna_utils.networks.observer import observer_of
from wna_utils.observe.tally import ClassTally, Maps, empty_maps
from wna_utils.support.checks import at_least
from wna_utils.support.progress import without_widgets

WINDOW = 5  # pixels: maps are summed over squares of this side, and compared with what lies as far around
NEAR = 2  # pixels within which a place counts as that of the patch
BATCH = 16  # images per class and step of a trigger's inversion


@dataclass(frozen=True)
class Suspicion:
    """The place that stands out most in a network's maps: how much, for which class, and where."""

    score: float  # 0 if there is no map at all
    target: int  # -1 if there is no map at all
    row: int = -1
    column: int = -1

    def distance(self, mask: Tensor) -> float:
        """Pixels from the place to the nearest one of `mask` (h, w); NaN if there is no place."""
        if self.target < 0:
            return np.nan
        return float(np.hypot(*(np.argwhere(mask.numpy()) - (self.row, self.column)).T).min())


def smoothed(z: Maps) -> np.ma.MaskedArray:
    """Maps of z (K, c, h, w) summed over colours and squares of pixels, (K, h, w), again with variance 1 in noise."""
    from scipy.ndimage import uniform_filter

    def squares(maps: np.ndarray) -> np.ndarray:
        return WINDOW**2 * uniform_filter(maps, (0, WINDOW, WINDOW), mode="constant")

    empty = empty_maps(z)
    known = np.where(empty[:, None, None, None], 0, np.ma.getdata(z)).astype(float)
    summed = squares(known.sum(1)) / np.sqrt(z.shape[1] * squares(np.ones((1, *z.shape[2:]))))
    return np.ma.masked_array(summed, mask=np.broadcast_to(empty[:, None, None], summed.shape))


def standing_out(z: Maps, references: Maps | None = None) -> np.ma.MaskedArray:
    """How much each place of each class's map, z (K, c, h, w), stands out, (K, h, w).

    The smoothed z of a class, divided by one plus the highest value around that place in the maps to compare with:
    those of the network's other classes or, if given, `references` (m, K, c, h, w), maps of the same class of networks
    known to be clean. What digits are made of is bright in several classes, or in every network; a patch is in one.
    """
    from scipy.ndimage import maximum_filter

    maps = smoothed(z)
    bright = np.ma.filled(maps, 0).clip(min=0)
    if references is None:
        usual = np.array([np.delete(bright, k, 0).max(0) for k in range(len(bright))])
    else:
        usual = np.max([np.ma.filled(smoothed(each), 0).clip(min=0) for each in references], axis=0)
    return maps / (1 + maximum_filter(usual, (0, WINDOW, WINDOW)))


def most_suspicious(outstanding: Maps, target: int | None = None) -> Suspicion:
    """The place (of the class `target`, if it is known) that stands out most in maps (K, h, w)."""
    found = np.ma.filled(outstanding, -np.inf)
    if target is not None:
        found = np.where(np.arange(len(found))[:, None, None] == target, found, -np.inf)
    where = np.unravel_index(found.argmax(), found.shape)
    if np.isneginf(found[where]):
        return Suspicion(0.0, -1)
    return Suspicion(float(found[where]), *map(int, where))


def prominence(maps: Maps, mask: Tensor) -> np.ma.MaskedArray:
    """How pronounced a patch is in maps (K, c, h, w), (K,): their mean at the pixels of its `mask` (h, w) less that
    elsewhere, in standard deviations over the pixels elsewhere. Masked where a map is."""
    flat, at = maps.mean(1).reshape(len(maps), -1), mask.numpy().ravel()
    elsewhere = flat[:, ~at]
    return (flat[:, at].mean(1) - elsewhere.mean(1)) / elsewhere.std(1)


def suspicions(outstanding: Sequence[Maps], classes: Sequence[int | None]) -> tuple[list[Suspicion], list[Suspicion]]:
    """What stands out most in each network's maps (K, h, w), and what does if one is told the class to look at."""
    told = [most_suspicious(each, of) for each, of in zip(outstanding, classes, strict=True)]
    return [most_suspicious(each) for each in outstanding], told


@dataclass(frozen=True)
class Evaluation:
    """How a detector did on clean and attacked networks; the lists are of the attacked ones, in their order."""

    area: Estimate  # under the ROC curve, over networks
    named: list[bool]  # whether the suspected class is the source or the target
    distances: list[float]  # pixels from the suspected place to the patch; NaN if no place is suspected
    visible: list[bool]  # whether, told the class, it points to within `NEAR` pixels of the patch

    def in_words(self) -> dict[str, str]:
        """A row of a table."""
        n, off = len(self.named), np.array(self.distances)
        interval = f"{self.area.low:.2f} to {self.area.high:.2f}"
        return {
            "area under ROC curve": f"{self.area.value:.2f} ({interval})",
            "names source or target": f"{sum(self.named)} of {n}",
            "on the patch": f"{(off <= NEAR).sum()} of {n}",
            "median distance": f"{np.nanmedian(off):.0f} px" if np.isfinite(off).any() else "–",
            "class's map shows it": f"{sum(self.visible)} of {n}",
        }


def evaluate(
    said: Sequence[Suspicion],
    told: Sequence[Suspicion],
    patches: Sequence[tuple[Tensor, tuple[int, int]] | None],
) -> Evaluation:
    """Compare what a detector `said` of networks, and if `told` the class, with their patches.

    A patch is its mask (h, w) and its classes, source and target; a clean network has None.
    """
    attacked = [(own, known, patch) for own, known, patch in zip(said, told, patches, strict=True) if patch]
    return Evaluation(
        area_under_curve(
            [each.score for each, patch in zip(said, patches, strict=True) if not patch],
            [own.score for own, _, _ in attacked],
            "networks",
        ),
        [own.target in patch[1] for own, _, patch in attacked],
        [own.distance(patch[0]) for own, _, patch in attacked],
        [known.distance(patch[0]) <= NEAR for _, known, patch in attacked],
    )


def difference(tally: ClassTally, other: ClassTally) -> np.ma.MaskedArray:
    """How much the maps of two networks differ, (K, h, w): z of each class's mean less that of the other classes.

    The mean over channels, so that in grey images it is a z.
    """
    (ours, error), (theirs, their_error) = _contrast(tally), _contrast(other)
    return ((ours - theirs) / np.ma.sqrt(error**2 + their_error**2)).mean(1)


def _contrast(tally: ClassTally) -> tuple[np.ma.MaskedArray, np.ma.MaskedArray]:
    """Mean noise of a class less the mean noise of the others, and its standard error, (K, c, h, w)."""
    inside = tally.counts.reshape(-1, 1, 1, 1) / tally.n
    with np.errstate(divide="ignore", invalid="ignore"):
        between = tally.deviations / (1 - inside)
        return between, between / tally.z


def class_gradients(
    network: nn.Module, images: Tensor, labels: Tensor, classes: int, device: str = "auto"
) -> tuple[np.ma.MaskedArray, np.ma.MaskedArray]:
    """Mean gradient of the classification loss with respect to the image, by class, and its z: both (K, c, h, w).

    Over those of the images (n, c, h, w) that the network classifies correctly, as in the authors' code; a class with
    fewer than two is masked. Positive where brightness raises the loss. The network is not changed. Fig. 7.
    """
    with without_widgets():
        from captum.attr import Saliency

    observer = observer_of(network, tuple(images.shape[1:]), device=device)
    log_probability = Saliency(lambda batch: observer.differentiable(batch).log_softmax(1))
    counts = np.zeros(classes)
    sums, squares = np.zeros((2, classes, *images.shape[1:]))
    for batch, own in zip(observer.batches(images), labels.split(observer.batch_size), strict=True):
        batch, own = batch.requires_grad_(), own.to(observer.device)
        gradient = -log_probability.attribute(batch, target=own, abs=False).detach()
        correct = observer.differentiable(batch).argmax(1) == own
        one_hot = torch.nn.functional.one_hot(own, classes)[correct].double()
        each = gradient[correct].double()
        counts += one_hot.sum(0).cpu().numpy()
        sums += torch.einsum("nk,nchw->kchw", one_hot, each).cpu().numpy()
        squares += torch.einsum("nk,nchw->kchw", one_hot, each.square()).cpu().numpy()
    n = counts[:, None, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums / n
        error = np.sqrt((squares / n - mean**2).clip(min=0) / (n - 1))
        z = np.where(error > 0, mean / error, 0)
    too_few = np.broadcast_to(n < 2, sums.shape)
    return np.ma.masked_array(mean, mask=too_few), np.ma.masked_array(z, mask=too_few)


def inverted_triggers(
    network: nn.Module, images: Tensor, classes: int, steps: int = 100, device: str = "auto"
) -> np.ndarray:
    """For each class the smallest mask found that, painted with a pattern on any image, makes it that class: (K, h, w).

    Neural Cleanse's optimisation (Wang et al. 2019) on clean images (n, c, h, w), all classes at once. The weight of
    the mask's size grows while at least 99 % of a batch are converted and falls when they are not. A class for
    which no mask converts that many keeps a mask of ones. The network is not changed. Raises `ValueError` for fewer
    than one step.
    """
    at_least("steps", steps, 1)
    observer = observer_of(network, tuple(images.shape[1:]), device=device)
    target, (_, c, h, w) = observer.device, images.shape
    generator = torch.Generator().manual_seed(0)
    raw = [
        torch.full(shape, start, device=target)
        for shape, start in (((classes, 1, h, w), -1.0), ((classes, c, h, w), 0.0))
    ]
    for each in raw:
        each.requires_grad_()
    optimizer = torch.optim.Adam(raw, lr=0.2, betas=(0.5, 0.9))
    weight = torch.full((classes,), 1e-3, device=target)
    best = torch.ones(classes, h, w, device=target)
    towards = torch.arange(classes, device=target).repeat_interleave(BATCH)
    for _ in range(steps):
        batch = images[torch.randint(len(images), (BATCH,), generator=generator)].to(target)
        mask, pattern = (each.sigmoid() for each in raw)
        painted = (1 - mask[:, None]) * batch + (mask * pattern)[:, None]  # (K, BATCH, c, h, w)
        scores = observer.differentiable(painted.flatten(0, 1))
        loss = nn.functional.cross_entropy(scores, towards, reduction="none").view(classes, -1).mean(1)
        size = mask.flatten(1).sum(1)
        optimizer.zero_grad()
        (loss + weight * size).sum().backward()
        optimizer.step()
        converted = (scores.argmax(1) == towards).view(classes, -1).float().mean(1) >= 0.99
        better = converted & (size < best.flatten(1).sum(1))
        best[better] = mask.detach()[better, 0]
        weight *= torch.where(converted, 1.1, 1 / 1.3)
    return best.cpu().numpy()


def smallest_trigger(masks: np.ndarray) -> Suspicion:
    """The class with the smallest mask (K, h, w), scored in median absolute deviations, and the mask's peak."""
    sizes = masks.reshape(len(masks), -1).sum(1)
    middle = np.median(sizes)
    spread = 1.4826 * np.median(abs(sizes - middle))
    target = int(sizes.argmin())
    row, column = np.unravel_index(masks[target].argmax(), masks.shape[1:])
    return Suspicion(float((middle - sizes[target]) / max(spread, 1e-9)), target, int(row), int(column))
