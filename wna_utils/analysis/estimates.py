"""Estimates with their intervals: of proportions, means over repetitions, differences, areas under ROC curves."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A point estimate with its 95 % confidence interval (NaN bounds if there is none) and its sample size."""

    value: float
    low: float
    high: float
    n: int
    of: str  # what n counts: "networks", "test images", …

    @property
    def direction(self) -> int:
        """On which side of 0 the whole interval lies: 1, −1, or 0 if it includes 0 or there is none."""
        return int(self.low > 0) - int(self.high < 0)


def proportion(successes: int, n: int, of: str) -> Estimate:
    """Share of successes with its 95 % Wilson interval; NaN throughout if n is 0."""
    from statsmodels.stats.proportion import proportion_confint

    if n == 0:
        return Estimate(np.nan, np.nan, np.nan, 0, of)
    low, high = np.round(proportion_confint(successes, n, method="wilson"), 12)  # 0 of n begins at 0, not 1e-19
    return Estimate(successes / n, float(low), float(high), n, of)


def share_of(flags: Iterable[bool], of: str = "networks") -> Estimate:
    """Share of repetitions for which something holds, with its 95 % Wilson interval."""
    held = [bool(flag) for flag in flags]
    return proportion(sum(held), len(held), of)


def mean_over(values: Sequence[float], of: str = "networks", within: tuple[float, float] | None = None) -> Estimate:
    """Mean of independent repetitions with its 95 % t interval, clipped to the range `within` of possible values.

    Missing repetitions (NaN) are dropped; n counts the remaining ones.
    """
    from scipy.stats import t

    found = np.asarray(values, float)
    found = found[~np.isnan(found)]
    if len(found) == 0:
        return Estimate(np.nan, np.nan, np.nan, 0, of)
    n, mean = len(found), float(found.mean())
    half = t.ppf(0.975, n - 1) * found.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    low, high = (mean - half, mean + half) if within is None else np.clip((mean - half, mean + half), *within)
    return Estimate(mean, float(low), float(high), n, of)


def difference_of_means(
    first: Sequence[float], second: Sequence[float], of: str = "networks", within: tuple[float, float] | None = None
) -> Estimate:
    """Mean of some independent repetitions less that of others, with Welch's 95 % interval; n counts both.

    Repetitions that gave nothing (NaN) are left out. Without an interval if either group has fewer than two.
    """
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    groups = [values[~np.isnan(values)] for values in (np.asarray(first, float), np.asarray(second, float))]
    n = sum(map(len, groups))
    if min(map(len, groups)) == 0:
        return Estimate(np.nan, np.nan, np.nan, n, of)
    value = float(groups[0].mean() - groups[1].mean())
    if min(map(len, groups)) < 2:
        return Estimate(value, np.nan, np.nan, n, of)
    if not any(np.ptp(group) for group in groups):  # Welch's degrees of freedom are 0/0
        return Estimate(value, value, value, n, of)
    low, high = CompareMeans(*map(DescrStatsW, groups)).tconfint_diff(usevar="unequal")
    low, high = (low, high) if within is None else np.clip((low, high), *within)
    return Estimate(value, float(low), float(high), n, of)


def difference_of_proportions(first: int, m: int, second: int, n: int, of: str) -> Estimate:
    """Share of `first` in m less that of `second` in n, with Newcombe's 95 % interval; n counts both.

    NaN throughout if either group is empty.
    """
    from statsmodels.stats.proportion import confint_proportions_2indep

    if min(m, n) == 0:
        return Estimate(np.nan, np.nan, np.nan, m + n, of)
    low, high = confint_proportions_2indep(first, m, second, n, method="newcomb")
    return Estimate(first / m - second / n, float(low), float(high), m + n, of)


def mean_over_pairs(values: np.ndarray, of: str = "networks", within: tuple[float, float] | None = None) -> Estimate:
    """Mean over all pairs of n repetitions of `values` (n, n), symmetric, with its 95 % interval; ignores the diagonal.

    Pairs that share a member are alike, so that n(n − 1)/2 pairs tell less than as many repetitions would. With
    xᵢⱼ = μ + gᵢ + gⱼ + sᵢⱼ the variance of the mean is 4σ²_g/n + 2σ²_s/(n(n − 1)); both are estimated from mean squares
    (Griffing's method 4 of diallel analysis), the degrees of freedom by Satterthwaite's rule. n counts repetitions.
    Those of which a pair is NaN are left out; of fewer than three there is no interval.
    """
    from scipy.stats import t

    values = _without_gaps(np.asarray(values, float))
    n = len(values)
    pairs = values[np.triu_indices(n, 1)]
    if n < 2:
        return Estimate(np.nan, np.nan, np.nan, n, of)
    mean = float(pairs.mean())
    if n < 3:
        return Estimate(mean, np.nan, np.nan, n, of)
    rows, own, free = values.sum(1) - np.diag(values), n - 1, n * (n - 3) // 2
    of_members = max((rows**2).sum() / (n - 2) - 4 * pairs.sum() ** 2 / (n * (n - 2)), 0)
    of_pairs = max((pairs**2).sum() - n * (n - 1) / 2 * mean**2 - of_members, 0)
    member, pair = of_members / own, of_pairs / free if free else 0
    if member <= pair:  # the members differ by no more than the pairs alone would have it
        variance, freedom = (of_members + of_pairs) / (own + free), own + free
    else:
        weight = 2 * (n - 1) / (n - 2)
        terms = np.array([weight * member, (1 - weight) * pair])
        variance, freedom = terms.sum(), terms.sum() ** 2 / (terms**2 / [own, max(free, 1)]).sum()
    half = t.ppf(0.975, max(freedom, 1)) * np.sqrt(2 * variance / (n * (n - 1)))
    low, high = (mean - half, mean + half) if within is None else np.clip((mean - half, mean + half), *within)
    return Estimate(mean, float(low), float(high), n, of)


def jackknife_of_groups(
    statistic: Callable[..., float],
    sizes: Sequence[int],
    of: str = "networks",
    within: tuple[float, float] | None = None,
) -> Estimate:
    """A statistic of several groups of repetitions with its 95 % interval by the delete-one jackknife.

    `statistic` takes an array of indices for each group, 0 … size − 1 or all of them but one. Each group adds
    (m − 1)/m · Σ(θ₍ᵢ₎ − θ̄)² to the variance; the degrees of freedom are those of the smallest group. n counts all
    repetitions. Without an interval if a group has fewer than two.
    """
    from scipy.stats import t

    every = [np.arange(size) for size in sizes]
    value, n = float(statistic(*every)), int(sum(sizes))
    if min(sizes) < 2:
        return Estimate(value, np.nan, np.nan, n, of)
    variance = 0.0
    for g, size in enumerate(sizes):
        left_out = [
            statistic(*[np.delete(each, i) if k == g else each for k, each in enumerate(every)]) for i in range(size)
        ]
        variance += (size - 1) * float(np.var(left_out))
    half = t.ppf(0.975, min(sizes) - 1) * np.sqrt(variance)
    low, high = (value - half, value + half) if within is None else np.clip((value - half, value + half), *within)
    return Estimate(value, float(low), float(high), n, of)


def _without_gaps(values: np.ndarray) -> np.ndarray:
    """A symmetric matrix without the members whose pairs are NaN, those with most gaps first."""
    gaps = np.isnan(values) & ~np.eye(len(values), dtype=bool)
    while gaps.any():
        kept = np.arange(len(values)) != gaps.sum(1).argmax()
        values, gaps = values[kept][:, kept], gaps[kept][:, kept]
    return values


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
