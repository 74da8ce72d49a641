"""Which pixels of maps differ from noise: pixel by pixel, and in clusters."""

from functools import cache

import numpy as np

from wna_utils.observe.tally import Maps


def significant(z: Maps, rate: float = 0.05) -> np.ndarray:
    """Which pixels of z maps (K, c, h, w) differ from noise, all maps tested together; False where masked.

    Two-sided, with the false discovery rate held at `rate` (Benjamini & Hochberg).
    """
    from scipy.stats import false_discovery_control, norm

    known = ~np.ma.getmaskarray(z)
    found = np.zeros(z.shape, bool)
    if known.any():
        p = 2 * norm.sf(np.abs(np.ma.getdata(z)[known]))
        found[known] = false_discovery_control(p) <= rate
    return found


def clusters(z: np.ndarray, threshold: float = 2.7) -> np.ndarray:
    """Which pixels of z maps (K, h, w) lie in a cluster too large for noise, all maps tested together: bool.

    A cluster is a set of touching pixels beyond ±`threshold`, of one sign. It must be larger than the largest cluster
    in 95 % of 1,000 sets of K maps of independent normal noise.
    """
    limit = _largest_by_chance(z.shape, threshold)
    large = np.zeros(z.shape, bool)
    for beyond in (z > threshold, z < -threshold):
        labels, sizes = _labelled(beyond)
        large |= (sizes > limit)[labels] & beyond
    return large


def _labelled(beyond: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of the cluster that each pixel (K, h, w) is in, 0 for none, and the size of each by number."""
    from scipy.ndimage import label, sum_labels

    within_a_map = np.array([[[0] * 3] * 3, [[0, 1, 0], [1, 1, 1], [0, 1, 0]], [[0] * 3] * 3])
    labels, found = label(beyond, within_a_map)
    return labels, sum_labels(beyond, labels, range(found + 1))


@cache
def _largest_by_chance(shape: tuple[int, ...], threshold: float) -> float:
    """Size that the largest cluster of either sign exceeds in one of twenty sets of maps of noise."""
    rng = np.random.default_rng(0)
    noise = (rng.standard_normal(shape, dtype=np.float32) for _ in range(1000))
    return float(np.quantile([_labelled(each > threshold)[1].max() for each in noise], 0.975))  # one sign of two
