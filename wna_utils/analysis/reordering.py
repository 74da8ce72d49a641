"""Units of hidden layers in order of the class they respond to most (Pardo et al., 2019, §2.8, Eqs. 6 to 11)."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from wna_utils.support.checks import positive


def class_means(values: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Mean of values (n, p) over the images of each class, (K, p): E[h|H_k], Eq. 6; NaN for a class without images."""
    one_hot = np.eye(classes, dtype=np.float64)[labels]
    with np.errstate(invalid="ignore"):
        return one_hot.T @ values / one_hot.sum(0)[:, None]


def mean_code(codes: np.ndarray, limit: float = 4.0, step: float = 0.1) -> tuple[np.ndarray, float]:
    """Expected code (k,) as a Riemann sum over a grid from −limit to limit, Eq. 8, and the share of codes on that grid.

    The density is estimated by counting codes (n, k) in the cells around the grid's points. Codes beyond are lost, and
    so is their share of the mean, as in the paper. NaN if there are no codes.
    Raises `ValueError` for a limit or step not above 0.
    """
    positive("limit", limit)
    positive("step", step)
    points = np.arange(-round(limit / step), round(limit / step) + 1)
    cells = np.rint(codes / step).astype(int)
    inside = (np.abs(cells) <= points[-1]).all(1)
    if not len(codes):
        return np.full(codes.shape[1], np.nan), float("nan")
    return (cells[inside] * step).sum(0) / len(codes), float(inside.mean())


def assigned(means: np.ndarray) -> np.ndarray:
    """The class (p,) that each unit responds to most, Eq. 10, of mean activations (K, p); NaN ones do not count."""
    return np.nanargmax(means, axis=0)


def ordered(means: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Units (p,), layer by layer, those of the first class first, and of each class the strongest first."""
    of = assigned(means)
    starts = np.cumsum([0, *sizes])
    layers = [np.arange(start, end) for start, end in pairwise(starts)]
    return np.concatenate([layer[np.lexsort((-np.nanmax(means, axis=0)[layer], of[layer]))] for layer in layers])


def brainbow(means: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Colours (p, 3) of units, Eq. 11: of classes' colours (K, 3), each as strong as the mean activation (K, p).

    The equation's c_i must be c_k, and activations below 0, which ELUs have, are taken as 0. Divided by the largest
    value that there is, as colours end at 1.
    """
    mixed = np.clip(means, 0, None).T @ colours / len(means)
    return mixed / max(mixed.max(), np.finfo(float).tiny)


def between_classes(values: np.ndarray, labels: np.ndarray) -> float:
    """Share of the variance of values (n, p), summed over units, that lies between classes; NaN if there is none."""
    total = ((values - values.mean(0)) ** 2).sum()
    means = class_means(values, labels, int(labels.max()) + 1)
    known = ~np.isnan(means[:, 0])
    counts = np.bincount(labels)[known]
    between = (counts[:, None] * (means[known] - values.mean(0)) ** 2).sum()
    return float(between / total) if total > 0 else float("nan")


def block_activations(values: np.ndarray, of: np.ndarray, classes: int) -> np.ndarray:
    """Mean activation of each class's block of units, (n, K), of values (n, p); `of` (p,) are the units' classes.

    NaN for a class without units.
    """
    return class_means(values.T, of, classes).T


def fractions(means: np.ndarray, threshold: float = 0.25) -> dict[str, np.ndarray]:
    """Shares (K,) of units whose mean activation (K, p) is beyond a threshold: "excited", "inhibited"; "near zero"."""
    excited, inhibited = (means > threshold).mean(1), (means < -threshold).mean(1)
    return {"excited": excited, "inhibited": inhibited, "near zero": 1 - excited - inhibited}
