"""Representational similarity: which images a layer holds alike, and whether two kinds of images agree about it.

Zhang et al., Eqs. 2 and 3. A dissimilarity matrix of n images is kept as its n(n − 1)/2 pairs, in the order of scipy's
`squareform`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.distance import pdist, squareform
from scipy.stats import norm, rankdata
from torch import Tensor

from wna_utils.analysis.estimates import Estimate
from wna_utils.networks.observer import Answers, Observer
from wna_utils.support.checks import one_of, whole

DISTANCES = ("correlation", "euclidean")
FEWEST = 3  # images, of which there are three pairs


def dissimilarities(activations: np.ndarray, distance: str = "correlation") -> np.ndarray:
    """Distances between the activations (n, …) of all pairs of n images, (n(n − 1)/2,).

    "correlation" is 1 − Pearson's correlation over units; "euclidean" the length of the difference. Raises `ValueError`
    for an unknown distance, fewer than three images, or an image with the same activation everywhere, which has no
    correlation.
    """
    one_of("distance", distance, DISTANCES)
    if len(activations) < FEWEST:
        raise ValueError(f"similarities need {FEWEST} images or more; got {len(activations)}")
    flat = np.asarray(activations, np.float64).reshape(len(activations), -1)
    constant = np.flatnonzero(np.ptp(flat, axis=1) == 0)
    if distance == "correlation" and len(constant):
        raise ValueError(f"image {constant[0]} has the same activation in every unit, so that it has no correlation")
    return pdist(flat, distance)


def by_layer(observer: Observer, images: Tensor, distance: str = "correlation") -> dict[str, np.ndarray]:
    """Dissimilarities of images (n, c, h, w) in each layer that an observer reads; see `dissimilarities`."""
    return of_layers(observer(images), distance)


def of_layers(answers: Answers, distance: str = "correlation") -> dict[str, np.ndarray]:
    """Dissimilarities of n images in each layer, of which an observer answered the activations (n, …)."""
    return {layer: dissimilarities(each.cpu().numpy(), distance) for layer, each in answers.items()}


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's correlation of two sets of dissimilarities, over pairs of images (Eqs. 2 and 3)."""
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


def p_by_permutation(first: np.ndarray, second: np.ndarray, n: int = 1000, seed: int = 0) -> float:
    """Probability of so high a similarity if the images of one matrix had nothing to do with those of the other.

    The images of the first are dealt out anew n times, rows and columns together; p = (1 + #)/(1 + n), so that it is
    never 0. Raises `ValueError` for fewer than one permutation.
    """
    whole("n", n, 1)
    random = np.random.default_rng(seed)
    ranks, other = squareform(rankdata(first)), rankdata(second)
    other = other - other.mean()
    pairs = np.triu_indices(len(ranks), 1)
    found = ranks[pairs] @ other
    orders = (random.permutation(len(ranks)) for _ in range(n))
    by_chance = np.array([ranks[np.ix_(order, order)][pairs] @ other for order in orders])
    return (1 + int((by_chance >= found - 1e-9 * abs(found)).sum())) / (1 + n)


@dataclass(frozen=True)
class Resampled:
    """A statistic of dissimilarities, and what it is when images are drawn anew, with replacement: `drawn` (n, …)."""

    value: np.ndarray
    drawn: np.ndarray
    images: int

    def of(self, function: Callable[[np.ndarray], float | np.ndarray]) -> "Resampled":
        """A function of the statistic, with the same draws."""
        return Resampled(
            np.asarray(function(self.value)), np.array([function(each) for each in self.drawn]), self.images
        )

    def estimate(self) -> Estimate:
        """A single number with the middle 95 % of what was drawn."""
        low, high = np.quantile(self.drawn, [0.025, 0.975])
        return Estimate(float(self.value), float(low), float(high), self.images, "images")

    def p_not_above(self) -> np.ndarray:
        """Share of draws in which each number is not above 0; (1 + #)/(1 + n), so that it is never 0."""
        return (1 + (self.drawn <= 0).sum(0)) / (1 + len(self.drawn))


def resampled(
    matrices: Sequence[np.ndarray],
    statistic: Callable[[np.ndarray], float | np.ndarray],
    n: int = 1000,
    seed: int = 0,
    duplicates: bool = False,
) -> Resampled:
    """What a statistic of several sets of dissimilarities (sets, pairs) becomes when images are drawn anew, n times.

    The same images are drawn for all. A pair of the same image twice is left out: its distance is 0 in every matrix,
    which makes any two look alike. With `duplicates` it is kept, as the paper may have done, which says nothing of it.
    Raises `ValueError` for fewer than one draw, or sets that are not of the same size.
    """
    whole("n", n, 1)
    sizes = [len(each) for each in matrices]
    if len(set(sizes)) != 1:
        raise ValueError(f"matrices must be of the same images; got {', '.join(map(str, sizes))} pairs")
    random = np.random.default_rng(seed)
    squares = np.stack([squareform(each) for each in matrices])
    size = squares.shape[1]
    pairs = np.triu_indices(size, 1)
    drawn = []
    for _ in range(n):
        order = _enough(random, size)
        rows, columns = order[pairs[0]], order[pairs[1]]
        kept = slice(None) if duplicates else rows != columns
        drawn.append(statistic(squares[:, rows, columns][:, kept]))
    return Resampled(np.asarray(statistic(np.stack(matrices))), np.array(drawn), size)


def compared(reference: Mapping[str, np.ndarray], *kinds: Mapping[str, np.ndarray], **options: Any) -> Resampled:
    """Similarity of each kind of images to the reference in each layer, (kinds, layers); see `by_layer`.

    `options` are those of `resampled`: the same images are drawn for all kinds and layers.
    """
    matrices = [each for kind in (reference, *kinds) for each in kind.values()]
    layers = len(reference)

    def similarities(drawn: np.ndarray) -> np.ndarray:
        ranks = rankdata(drawn, axis=1)
        ranks -= ranks.mean(1, keepdims=True)
        ranks /= np.linalg.norm(ranks, axis=1, keepdims=True)
        first, *others = np.split(ranks, len(ranks) // layers)
        return np.array([(first * other).sum(1) for other in others])

    return resampled(matrices, similarities, **options)


def _enough(random: np.random.Generator, size: int) -> np.ndarray:
    """Images drawn with replacement, of which at least three differ, so that there are pairs to compare."""
    while True:
        order = random.integers(size, size=size)
        if len(set(order.tolist())) >= FEWEST:
            return order


@dataclass(frozen=True)
class Trend:
    """Mann and Kendall's test: `s` pairs that rise less those that fall, as a share `tau` of all, and p (two-sided)."""

    s: int
    tau: float
    p: float


def trend(values: Sequence[float]) -> Trend:
    """Whether values rise or fall from one to the next (Mann–Kendall, in the normal approximation that the paper used).

    It takes values to be independent, which layers of one network are not. Raises `ValueError` for fewer than three.
    """
    found = np.asarray(values, float)
    n = len(found)
    if n < FEWEST:
        raise ValueError(f"a trend needs {FEWEST} values or more; got {n}")
    first, second = np.triu_indices(n, 1)
    s = int(np.sign(found[second] - found[first]).sum())
    _, ties = np.unique(found, return_counts=True)
    variance = (n * (n - 1) * (2 * n + 5) - (ties * (ties - 1) * (2 * ties + 5)).sum()) / 18
    z = (s - np.sign(s)) / np.sqrt(variance) if variance else 0.0
    return Trend(s, s / (n * (n - 1) / 2), float(2 * norm.sf(abs(z))))
