"""How many images graded and labelled maps need: the linear share of what is averaged, and what follows from it.

With white noise of d pixels, the map of a score converges as if the score were a linear one with noise: let R² be the
share of its variance that is linear in the pixels. After n images, a map correlates with what it converges to as
r² = R² / (R² + d/n). A label is a score, too, of 0 or 1, so that the same formula tells what grading gains.
"""

import numpy as np

from wna_utils.observe.tally import Maps
from wna_utils.support.checks import at_least


def linear_share(z: Maps, n: int) -> np.ndarray:
    """R² of each class's score or label, (K,): the share of its variance that is linear in the pixels of white noise.

    `z` (K, c, h, w) are a tally's after n images: squared correlations, added up over pixels, less what chance adds.
    It can be slightly negative by chance; NaN for a masked class. Raises `ValueError` for fewer than two images.
    """
    at_least("n", n, 2)
    flat: np.ndarray = np.ma.filled(np.ma.asarray(z, float), np.nan).reshape(len(z), -1)
    return ((flat**2).sum(1) - flat.shape[1]) / (n - 1)


def expected_correlation(share: np.ndarray, pixels: int, n: int) -> np.ndarray:
    """Correlation of maps after n images of so many pixels with what they converge to: √(R² / (R² + d/n))."""
    share = np.clip(share, 0, None)
    return np.sqrt(share / (share + pixels / n))


def images_for(share: np.ndarray, pixels: int, correlation: float) -> np.ndarray:
    """Images of so many pixels after which maps correlate so much with what they converge to; ∞ where R² is 0.

    Raises `ValueError` for a correlation that is not above 0 and below 1.
    """
    if not 0 < correlation < 1:
        raise ValueError(f"correlation must be above 0 and below 1; got {correlation}")
    share = np.clip(share, 0, None)
    with np.errstate(divide="ignore"):
        return pixels * correlation**2 / (1 - correlation**2) / share
