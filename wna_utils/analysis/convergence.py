"""How maps converge with the number of images: cumulative tallies, distance from a converged map, images needed."""

from collections.abc import Callable, Sequence

import numpy as np

from wna_utils.analysis.significance import significant
from wna_utils.analysis.similarity import RELIABLE, limit_correlations, own_correlations
from wna_utils.observe.recording import Recording
from wna_utils.observe.tally import ClassTally, Maps
from wna_utils.support.checks import at_least

FEWEST = 10  # images in a class below which its pixels are not tested


def growing(show: Callable[[int, int], ClassTally], sizes: Sequence[int]) -> list[ClassTally]:
    """Tallies of the first `sizes` images, each the one before plus what is new: no image is shown twice.

    `show(start, n)` tallies trials start … start + n − 1. Raises `ValueError` unless sizes rise from 1 or more.
    """
    steps = np.diff([0, *sizes])
    at_least("each step between sizes", min(steps), 1)
    tallies: list[ClassTally] = []
    for start, n in zip([0, *sizes], map(int, steps), strict=False):
        new = show(start, n)
        tallies.append(tallies[-1] + new if tallies else new)
    return tallies


def likenesses(tally: ClassTally, converged: Recording[ClassTally]) -> np.ma.MaskedArray:
    """Correlation of each class's map with what it converges to, each less the mean of all stimuli, (K,).

    The converged maps have sampling noise of their own, most of all for rare classes. The correlation is corrected for
    it (disattenuated): r / √r', with r the mean correlation with the maps of the two halves and r' their split-half
    reliability. Classes with too low a reliability are masked, since their limit is unknown. A class without images
    counts as 0.
    """
    first, second = (part.deviations for part in converged.parts)
    return limit_correlations(tally.deviations, (first, second))


def likeness(tally: ClassTally, converged: Recording[ClassTally]) -> float:
    """Mean over classes of `likenesses`; NaN if no class has a reliable converged map."""
    alike = likenesses(tally, converged)
    return float(alike.mean()) if alike.count() else np.nan


def _known(converged: Recording[ClassTally]) -> np.ndarray:
    """Classes whose converged map is reliable, (K,) bool: the split-half reliability reaches `RELIABLE`."""
    first, second = (part.deviations for part in converged.parts)
    return own_correlations(first, second).filled(0) >= RELIABLE


def half_correlation(first: Maps, second: Maps) -> float:
    """Correlation of maps (K, …) of half the images with what they converge to, from two halves; mean over classes.

    The root of the split-half reliability, of classes in which that reaches `RELIABLE`; NaN if there are none.
    """
    reliability = own_correlations(first, second).filled(0)
    known = reliability[reliability >= RELIABLE]
    return float(np.sqrt(known).mean()) if len(known) else np.nan


def errors(tally: ClassTally, converged: ClassTally) -> np.ma.MaskedArray:
    """Root mean square difference of each class's map from the converged one, (K,)."""
    return np.ma.sqrt(((tally.means - converged.means) ** 2).mean((1, 2, 3)))


def expected_errors(tally: ClassTally, converged: ClassTally) -> np.ma.MaskedArray:
    """What `errors` should be by theory, (K,): σ·√(1/n + 1/N) for n images of a class, N in the converged map."""
    spread = np.ma.sqrt((converged.standard_error**2).mean((1, 2, 3)) * converged.counts)
    with np.errstate(divide="ignore"):
        return spread * np.ma.masked_invalid(np.sqrt(1 / tally.counts + 1 / converged.counts))


def errors_of_all(
    converged: Sequence[Recording[ClassTally]], grown: Sequence[Sequence[ClassTally]], fewest: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, `errors` and `expected_errors` of each class of each tally of each network, (maps,) each.

    Classes of fewer images than `fewest`, and those of one image or less in the converged map, are left out.
    """
    pairs = [(tally, each.whole) for each, tallies in zip(converged, grown, strict=True) for tally in tallies]
    n = np.concatenate([tally.counts for tally, _ in pairs])
    error = np.ma.concatenate([errors(*pair) for pair in pairs]).filled(np.nan)
    expected = np.ma.concatenate([expected_errors(*pair) for pair in pairs]).filled(np.nan)
    known = (n >= fewest) & np.isfinite(error) & np.isfinite(expected)
    return n[known], error[known], expected[known]


def expected_likeness(converged: Recording[ClassTally], n: int) -> float:
    """What `likeness` should be after n images, if the noise is white: signal and sampling noise by class.

    With S² the variance of the converged map over pixels, less its own sampling noise, and ν the sampling noise of n
    images, the correlation of a class with what it converges to is S / √(S² + ν).
    """
    whole, known = converged.whole, _known(converged)
    share = whole.counts / whole.n
    own = (whole.standard_error**2).mean((1, 2, 3)).filled(np.nan) * (1 - share)
    signal = (whole.deviations.var((1, 2, 3)).filled(np.nan) - own).clip(min=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.sqrt(signal / (signal + own * whole.n / n))
        seen = 1 - (1 - share) ** n  # a class that is still empty counts as 0
    return float(np.nan_to_num(expected * seen)[known].mean()) if known.any() else np.nan


def share_significant(tally: ClassTally, rate: float = 0.05) -> float:
    """Share of all pixels that differ from the mean of all stimuli; classes of fewer than ten images are not tested."""
    z = np.ma.masked_array(tally.z, copy=True)
    z[tally.counts < FEWEST] = np.ma.masked
    return float(significant(z, rate).mean())


def images_needed(sizes: Sequence[int], values: Sequence[float], target: float) -> float:
    """Number of images from which on a curve stays at or above `target`, between sizes on a log scale; ∞ if never."""
    above = np.asarray(values) >= target
    if not above[-1]:
        return np.inf
    below = np.flatnonzero(~above)
    if len(below) == 0:
        return float(sizes[0])
    i = below[-1]
    part = (target - values[i]) / (values[i + 1] - values[i])
    return float(np.exp(np.log(sizes[i]) + part * (np.log(sizes[i + 1]) - np.log(sizes[i]))))


def images_in_words(found: Sequence[float], sizes: Sequence[int]) -> str:
    """Median and range of numbers of images from `images_needed`, to one figure, as text: "3,000 (900 to 8,000)"."""

    def rounded(n: float) -> str:
        if np.isinf(n):
            return f"> {sizes[-1]:,}"
        to_one_figure = float(f"{n:.1g}")
        return f"{to_one_figure:,.0f}" if to_one_figure > sizes[0] else f"≤ {sizes[0]:,}"

    middle, low, high = rounded(np.percentile(found, 50, method="nearest")), rounded(min(found)), rounded(max(found))
    return middle if low == high else f"{middle} ({low} to {high})"
