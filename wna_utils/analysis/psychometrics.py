"""Psychometric functions: how often a signal is seen against its strength, with guesses and lapses (§3.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from wna_utils.support.checks import one_of

THRESHOLDS = np.linspace(0, 1, 101)
SLOPES = np.geomspace(2, 200, 25)  # from 5 to 95 % within 3 to 0.03 of the levels' range
GUESSES = np.linspace(0, 1, 33) ** 2  # finer where rates are small, and so are their errors
LAPSES = 0.4 * np.linspace(0, 1, 12) ** 2
AT_ONCE = 16  # curves; their posteriors take 60 MB


def psychometric_function(level: Any, threshold: Any, slope: Any, guess: Any = 0.0, lapse: Any = 0.0) -> Any:
    """ψ(x) = guess + (1 − guess − lapse) / (1 + exp(−slope·(x − threshold))): share of yes answers; broadcasts."""
    return guess + (1 - guess - lapse) / (1 + np.exp(-slope * (level - threshold)))


@dataclass(frozen=True)
class Posterior:
    """What answers tell about one parameter of each curve: median and 95 % credible interval, of the curves' shape."""

    median: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def reshaped(self, shape: tuple[int, ...]) -> "Posterior":
        return Posterior(*(each.reshape(shape) for each in (self.median, self.low, self.high)))


@dataclass(frozen=True)
class PsychometricFits:
    """Posteriors of the parameters of psychometric functions."""

    threshold: Posterior
    slope: Posterior
    guess: Posterior
    lapse: Posterior


def fit_psychometric(levels: Sequence[float], yes: np.ndarray, n: int) -> PsychometricFits:
    """Psychometric functions given `yes` answers (…, levels) out of n at each level, levels between 0 and 1.

    The posterior over threshold, slope, guess rate and lapse rate on a grid, as psignifit computes it (Schütt et al.
    2016), all curves at once; its steps, 0.01 in the threshold, resolve some hundred answers a level. Priors: uniform
    for thresholds and guess rates, log-uniform for slopes, psignifit's Beta(1, 10) for lapse rates. Guess rates are
    fitted because noise that looks like the target lifts the whole curve. A flat curve tells no threshold:
    where the interval spans half of the levels or reaches the first or the last, threshold and slope are NaN. Raises
    `ValueError` if levels and answers differ in number.
    """
    yes, shape = _curves(levels, yes)
    parts = [_marginals(tuple(levels), part, n) for part in np.split(yes, range(AT_ONCE, len(yes), AT_ONCE))]
    threshold, slope, guess, lapse = (
        _posterior(grid, np.concatenate(each))
        for grid, each in zip((THRESHOLDS, SLOPES, GUESSES, LAPSES), zip(*parts, strict=True), strict=True)
    )
    flat = (threshold.high - threshold.low > 0.5) | (threshold.low < THRESHOLDS[1]) | (threshold.high > THRESHOLDS[-2])
    for each in (threshold, slope):
        for values in (each.median, each.low, each.high):
            values[flat] = np.nan
    return PsychometricFits(*(each.reshaped(shape) for each in (threshold, slope, guess, lapse)))


def _curves(levels: Sequence[float], yes: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """Answers (…, levels) as curves (curves, levels), and the shape that their parameters shall have."""
    yes = np.atleast_2d(yes)
    one_of("the number of answers", yes.shape[-1], [len(levels)])
    return yes.reshape(-1, len(levels)), yes.shape[:-1]


def s_shaped(levels: Sequence[float], yes: np.ndarray, n: int) -> np.ndarray:
    """Whether a psychometric function explains each curve of `yes` answers (…, levels) better than a line: bool (…).

    The line has two parameters (its ends), the psychometric function four; the maximum-likelihood fits are compared by
    Akaike's information criterion (AIC), which penalises the two extra parameters.
    """
    yes, shape = _curves(levels, yes)
    ends = np.linspace(0, 1, 101)
    first, last, level = np.ix_(ends, ends, np.asarray(levels))
    line = (first + (last - first) * level).reshape(-1, len(levels)).clip(1e-6, 1 - 1e-6)
    log_yes, log_no, _ = _grid(tuple(levels))
    by_line = _likeliest(np.log(line), np.log1p(-line), yes, n) - 2
    return (_likeliest(log_yes, log_no, yes, n) - 4 > by_line).reshape(shape)


def _likeliest(log_yes: np.ndarray, log_no: np.ndarray, yes: np.ndarray, n: int) -> np.ndarray:
    """Largest log likelihood of each curve over functions (points, levels), (curves,)."""
    parts = np.split(yes, range(AT_ONCE, len(yes), AT_ONCE))
    return np.concatenate([(log_yes @ part.T + log_no @ (n - part.T)).max(0) for part in parts])


def _marginals(levels: tuple[float, ...], yes: np.ndarray, n: int) -> list[np.ndarray]:
    """Posterior weights of each parameter's grid, [(curves, grid)] for threshold, slope, guess and lapse."""
    log_yes, log_no, log_prior = _grid(levels)
    weight = log_yes @ yes.T.astype(np.float32) + log_no @ (n - yes.T).astype(np.float32) + log_prior[:, None]
    np.exp(weight - weight.max(0), out=weight)
    weight = weight.reshape(len(THRESHOLDS), len(SLOPES), len(GUESSES), len(LAPSES), len(yes))
    rates = weight.sum((0, 1))
    shape = weight.sum((2, 3))
    sums = (shape.sum(1), shape.sum(0), rates.sum(1), rates.sum(0))
    return [each.T / each.T.sum(1, keepdims=True) for each in sums]


@cache
def _grid(levels: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logarithms of yes and of no (points, levels), and of the prior (points,), at all points of the grid; float32."""
    threshold, slope, guess, lapse, level = np.ix_(THRESHOLDS, SLOPES, GUESSES, LAPSES, np.asarray(levels))
    share = psychometric_function(level, threshold, slope, guess, lapse).astype(np.float32)
    share = share.clip(1e-6, 1 - 1e-6).reshape(-1, len(levels))
    prior = np.gradient(GUESSES)[:, None] * np.gradient(LAPSES) * (1 - LAPSES) ** 9
    prior = np.where(GUESSES[:, None] + LAPSES < 1, prior, 1e-30)  # more than all cannot be guesses or lapses
    log_prior = np.log(np.broadcast_to(prior, (len(THRESHOLDS), len(SLOPES), *prior.shape))).astype(np.float32)
    return np.log(share), np.log1p(-share), log_prior.ravel()


def _posterior(grid: np.ndarray, weights: np.ndarray) -> Posterior:
    """Median and interval from weights (curves, grid)."""
    up_to = weights.cumsum(1) - weights / 2
    ends = np.array([np.interp((0.5, 0.025, 0.975), each, grid) for each in up_to])
    return Posterior(*ends.T.copy())
