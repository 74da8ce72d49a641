"""What is read off tallies: templates, their significance, how well they classify, and intervals on all of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from wna_utils.networks.training import predict
from wna_utils.observe.tally import Tally
from wna_utils.support.checks import one_of

Maps = np.ndarray | np.ma.MaskedArray
MATCHING_RULES = ("dot", "cosine", "centred")


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval (NaN ends where there is none) and what it was counted over."""

    value: float
    low: float
    high: float
    n: int
    of: str  # what n counts: "networks", "test images", …


def proportion(successes: int, n: int, of: str) -> Estimate:
    """Share of successes with its 95 % Wilson interval; NaN throughout if n is 0."""
    from statsmodels.stats.proportion import proportion_confint

    if n == 0:
        return Estimate(np.nan, np.nan, np.nan, 0, of)
    low, high = np.round(proportion_confint(successes, n, method="wilson"), 12)  # 0 of n begins at 0, not 1e-19
    return Estimate(successes / n, float(low), float(high), n, of)


def mean_over(values: Sequence[float], of: str = "networks", within: tuple[float, float] | None = None) -> Estimate:
    """Mean of independent repetitions with its 95 % t interval, cut to the range `within` of possible values.

    Repetitions that gave nothing (NaN) are left out, and n is what remains.
    """
    from scipy.stats import t

    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return Estimate(np.nan, np.nan, np.nan, 0, of)
    n, mean = len(values), float(values.mean())
    half = t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    low, high = (mean - half, mean + half) if within is None else np.clip((mean - half, mean + half), *within)
    return Estimate(mean, float(low), float(high), n, of)


def area_under_curve(negatives: Sequence[float], positives: Sequence[float], of: str) -> Estimate:
    """Share of pairs in which the positive case scores higher than the negative: the area under the ROC curve.

    Its 95 % interval is Newcombe's (2006, method 5), which also means something at an area of 1 and for few cases.
    NaN throughout if either group is empty.
    """
    from scipy.optimize import brentq
    from sklearn.metrics import roc_auc_score

    m, n = len(negatives), len(positives)
    if min(m, n) == 0:
        return Estimate(np.nan, np.nan, np.nan, m + n, of)
    area = float(roc_auc_score([0] * m + [1] * n, [*negatives, *positives]))
    rest = (m + n) / 2 - 1

    def too_far(limit: float) -> float:
        spread = limit * (1 - limit) * (1 + rest * (1 - limit) / (2 - limit) + rest * limit / (1 + limit)) / (m * n)
        return abs(area - limit) - 1.96 * np.sqrt(spread)

    tiny = 1e-9  # at the area itself the two sides are equal, too
    low = 0.0 if area == 0 else brentq(too_far, 0, area - tiny)
    high = 1.0 if area == 1 else brentq(too_far, area + tiny, 1)
    return Estimate(area, low, high, m + n, of)


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


def classification_image(means: Maps) -> np.ma.MaskedArray:
    """Eq. 1 for two signals and responses: means n̄ˢʳ (2, 2, c, h, w) → c = Σₛ n̄ˢ¹ − Σₛ n̄ˢ².

    Positive where brightness speaks for the first class, as in the paper's Fig. 1 (Eq. 1 itself has the other sign).
    Masked if any cell is empty: the equation gives each cell the same weight, and there is nothing to weigh.
    """
    return np.ma.asarray(means[0, 0] + means[1, 0] - means[0, 1] - means[1, 1])


def match_templates(templates: Maps, images: Tensor, rule: str = "dot") -> np.ndarray:
    """Class (n,) whose template (K, c, h, w) fits each image (n, c, h, w) best; a masked template is never chosen.

    "dot" is the raw dot product, the paper's rule; "cosine" divides by the template's length; "centred" is the
    correlation of template and image. Raises `ValueError` for another rule or if every template is masked.
    """
    one_of("rule", rule, MATCHING_RULES)
    masked = np.ma.getmaskarray(templates).reshape(len(templates), -1).any(1)
    if masked.all():
        raise ValueError("there is no template to match: every class is empty")
    flat = np.ma.getdata(templates).reshape(len(templates), -1)
    if rule == "centred":
        flat = flat - flat.mean(1, keepdims=True)
    if rule != "dot":
        flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    scores = images.flatten(1).double().numpy() @ np.where(masked[:, None], 0, flat).T  # (n, K)
    return np.where(masked, -np.inf, scores).argmax(1)


def template_accuracy(templates: Maps, images: Tensor, labels: Tensor, rule: str = "dot") -> Estimate:
    """Share of images that `match_templates` classifies correctly."""
    correct = match_templates(templates, images, rule) == labels.numpy()
    return proportion(int(correct.sum()), len(correct), "test images")


def confusion(truth: Tensor | np.ndarray, response: np.ndarray, classes: int) -> np.ndarray:
    """Confusion matrix (K, K): share of each true class (row) that gets each response (column)."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(truth, response, labels=range(classes), normalize="true")


def stretch(maps: Maps) -> Maps:
    """Each map (K, c, h, w) stretched to [0, 1], as the original does before it shows one to a network."""
    axes = tuple(range(1, maps.ndim))
    low, high = maps.min(axes, keepdims=True), maps.max(axes, keepdims=True)
    return (maps - low) / (high - low)


def read_back(network: nn.Module, maps: Maps) -> np.ma.MaskedArray:
    """Class (K,) that a network gives each stretched map; masked for an empty class."""
    empty = np.ma.getmaskarray(maps).reshape(len(maps), -1).any(1)
    shown = torch.from_numpy(np.ma.filled(stretch(maps), 0.5)).float()
    return np.ma.masked_array(predict(network, shown).numpy(), mask=empty)


def correlations(a: Maps, b: Maps) -> np.ma.MaskedArray:
    """Correlation over pixels of every map in `a` (K, …) with every map in `b` (L, …), (K, L).

    Masked if either is, or if either has the same value everywhere.
    """

    def standardized(maps: Maps) -> tuple[np.ndarray, np.ndarray]:
        size = int(np.prod(maps.shape[1:]))  # -1 would not do for no maps
        flat = np.ma.getdata(maps).reshape(len(maps), size)
        flat = flat - flat.mean(1, keepdims=True)
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        empty = np.ma.getmaskarray(maps).reshape(len(maps), size).any(1) | (length[:, 0] == 0)
        return flat / np.where(length == 0, 1, length), empty

    (a, a_empty), (b, b_empty) = standardized(a), standardized(b)
    return np.ma.masked_array(a @ b.T, mask=a_empty[:, None] | b_empty)


def most_like_own(maps: Maps, references: Maps) -> np.ndarray:
    """Which maps (K, …) are more like the reference of their own class than any other's, (K,); False if empty."""
    alike = correlations(maps, references)
    return (alike.filled(-np.inf).argmax(1) == np.arange(len(maps))) & ~np.ma.getmaskarray(alike).all(1)


def agreement(a: Maps, b: Maps) -> float:
    """Mean correlation of two sets of maps, class by class, over the classes that both have; NaN if there are none."""
    same_class = np.ma.diagonal(correlations(a, b))
    return float(same_class.mean()) if same_class.count() else np.nan


def distances(means: Maps, errors: Maps) -> np.ndarray:
    """L2 distance between any two of the means (K, …) of samples, (pairs,), freed of what sampling adds to it.

    Two means of the same thing differ by their errors (K, …): the errors' squares are taken off the squared distance.
    Means without an error are left out.
    """
    known = ~np.ma.getmaskarray(errors).reshape(len(errors), -1).any(1)
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


def pool(tally: Tally, groups: int, weights: np.ndarray) -> np.ma.MaskedArray:
    """Class means (K, c, h, w) of a tally of K·`groups` rows, the images of group i weighted by `weights[i]`.

    A class whose images all weigh nothing is masked.
    """
    means = np.ma.filled(tally.means, 0)
    means = means.reshape(-1, groups, *means.shape[1:])  # (K, groups, c, h, w)
    weight = tally.counts.reshape(-1, groups) * weights  # (K, groups)
    total = weight.sum(1).reshape(-1, *[1] * (means.ndim - 2))
    with np.errstate(invalid="ignore"):
        return np.ma.masked_invalid(np.einsum("kg,kg...->k...", weight, means) / total)
