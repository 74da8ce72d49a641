"""How what noise is called is spread over classes, and whether the classes' scores foretell it."""

import numpy as np


def effective_classes(counts: np.ndarray) -> float:
    """Number of equally frequent classes of the same entropy as counts (K,); NaN if there are none."""
    from scipy.stats import entropy

    return float(np.exp(entropy(counts))) if counts.any() else np.nan


def share_of_highest(counts: np.ndarray, scores: np.ndarray, top: int = 10) -> float:
    """Share of counts (K,) that the `top` classes of the highest scores (K,) have; NaN if there are no counts."""
    if not counts.any():
        return np.nan
    return float(counts[np.argsort(scores)[::-1][:top]].sum() / counts.sum())
