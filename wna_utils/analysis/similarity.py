"""How alike maps are: correlations, agreement, distances, and what sets a map apart from the others."""

import numpy as np

from wna_utils.observe.tally import Maps, empty_maps

RELIABLE = 0.2  # correlation of two halves of a map below which it is taken for noise


def correlations(a: Maps, b: Maps) -> np.ma.MaskedArray:
    """Correlation over pixels of every map in `a` (K, …) with every map in `b` (L, …), (K, L).

    Masked if either is, or if either has the same value everywhere.
    """

    def standardized(maps: Maps) -> tuple[np.ndarray, np.ndarray]:
        size = int(np.prod(maps.shape[1:]))  # -1 would not do for no maps
        flat = np.ma.getdata(maps).reshape(len(maps), size)
        flat = flat - flat.mean(1, keepdims=True)
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        empty = empty_maps(maps) | (length[:, 0] == 0)
        return flat / np.where(length == 0, 1, length), empty

    (first, first_empty), (second, second_empty) = standardized(a), standardized(b)
    return np.ma.masked_array(first @ second.T, mask=first_empty[:, None] | second_empty)


def own_correlations(a: Maps, b: Maps) -> np.ma.MaskedArray:
    """Correlation of every map in `a` (K, …) with that of the same class in `b` (K, …), (K,); masked as above."""
    return np.ma.asarray(np.ma.diagonal(correlations(a, b)))


def most_like_own(maps: Maps, references: Maps) -> np.ndarray:
    """Which maps (K, …) are more like the reference of their own class than any other's, (K,); False if empty."""
    alike = correlations(maps, references)
    return (alike.filled(-np.inf).argmax(1) == np.arange(len(maps))) & ~np.ma.getmaskarray(alike).all(1)


def places_of(labels: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """Share of the other columns that each row of `alike` (n, K) puts before that of its label (n,), (n,).

    0 is best, and 0.5 is chance; ties count half.
    """
    own = alike[np.arange(len(alike)), labels][:, None]
    before = (alike > own).sum(1) + ((alike == own).sum(1) - 1) / 2
    return before / (alike.shape[1] - 1)


def limit_correlations(maps: Maps, halves: tuple[Maps, Maps]) -> np.ma.MaskedArray:
    """Correlation of maps (K, …) with what converged ones, given as two halves, converge to, class by class: (K,).

    The mean correlation with the halves, which share no images with the maps, over the root of their reliability.
    Masked where the reliability is below `RELIABLE`, so that the limit is unknown; an empty map counts as 0.
    """
    alike = np.mean([own_correlations(maps, half).filled(0) for half in halves], axis=0)
    reliability = own_correlations(*halves).filled(0)
    known = reliability >= RELIABLE
    return np.ma.masked_array(alike / np.sqrt(np.where(known, reliability, 1)), mask=~known)


def true_correlations(a: tuple[Maps, Maps], b: tuple[Maps, Maps]) -> np.ma.MaskedArray:
    """Disattenuated correlation, class by class, of two sets of maps (corrected for sampling noise): (K,).

    Each set comes as two halves (K, …) from disjoint images; a[0] and b[1] must not share images either, nor a[1] and
    b[0]. Pass a noise-free set twice. The mean correlation of these cross-pairs is divided by the geometric mean of the
    two split-half reliabilities (Spearman 1904). Masked where a reliability is below `RELIABLE`; by chance, the result
    can slightly exceed 1.
    """
    first, second = (own_correlations(*each) for each in (a, b))
    across = (own_correlations(a[0], b[1]) + own_correlations(a[1], b[0])) / 2
    unknown = (first.filled(0) < RELIABLE) | (second.filled(0) < RELIABLE) | np.ma.getmaskarray(across)
    with np.errstate(invalid="ignore"):
        return np.ma.masked_array(across.filled(0) / np.sqrt(first.filled(0) * second.filled(0)), mask=unknown)


def resemblance(halves: tuple[Maps, Maps], references: np.ndarray) -> float:
    """Mean over classes of the correlation of maps with references (K, …), corrected for the maps' sampling noise.

    Classes whose map is mostly noise are left out; NaN if all are. The references are assumed to be noise-free.
    """
    alike = true_correlations(halves, (references, references))
    return float(alike.mean()) if alike.count() else np.nan


def agreement(a: Maps, b: Maps) -> float:
    """Mean correlation of two sets of maps, class by class, over the classes that both have; NaN if there are none."""
    same_class = own_correlations(a, b)
    return float(same_class.mean()) if same_class.count() else np.nan


def distances(means: Maps, errors: Maps) -> np.ndarray:
    """Pairwise L2 distances between sample means (K, …), (pairs,), corrected for sampling noise.

    Sampling noise inflates the squared distance of two means by their squared standard errors (K, …), which are
    subtracted. Means without an error are left out.
    """
    known = ~empty_maps(errors)
    flat, noise = (np.ma.getdata(each).reshape(len(each), -1)[known] for each in (means, errors))
    first, second = np.triu_indices(len(flat), 1)
    spread = (noise**2).sum(1)
    squared = ((flat[first] - flat[second]) ** 2).sum(1) - spread[first] - spread[second]
    return np.sqrt(squared.clip(min=0))


def orientedness(maps: Maps) -> np.ndarray:
    """How much of each map (m, c, s, s) lies in stripes of one orientation, (m,): 1 for a grating, 0 for a round spot.

    The length of the mean of exp(2i·orientation) over the map's spectrum, weighted by power; NaN for a masked map.
    """
    filled = np.ma.filled(maps, np.nan)
    power = (abs(np.fft.fft2(filled - filled.mean((-2, -1), keepdims=True), s=(16, 16))) ** 2).sum(1)
    frequency = np.fft.fftfreq(16)
    angle = np.arctan2(frequency[:, None], frequency)
    return abs((power * np.exp(2j * angle)).sum((-2, -1))) / power.sum((-2, -1))


def distinctive(maps: Maps) -> Maps:
    """Maps (K, …) less the mean over classes: what tells a class from the others."""
    return maps - maps.mean(0, keepdims=True)
