"""Psychometric functions: how often a signal is seen against its strength, with guesses and lapses (§3.4)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wna_utils.checks import one_of

STEEPEST = 200.0  # of the logistic function, per unit of level


@dataclass(frozen=True)
class PsychometricFunction:
    """ψ(x) = guess + (1 − guess − lapse) / (1 + exp(−slope·(x − threshold)))."""

    threshold: float
    slope: float
    guess: float
    lapse: float

    def __call__(self, level: np.ndarray) -> np.ndarray:
        """Expected share of yes answers at these levels."""
        rise = 1 / (1 + np.exp(-np.clip(self.slope * (np.asarray(level) - self.threshold), -500, 500)))
        return self.guess + (1 - self.guess - self.lapse) * rise


def fit_psychometric(levels: Sequence[float], yes: Sequence[int], n: int) -> PsychometricFunction:
    """The function of highest likelihood for `yes` answers out of n at each level, levels between 0 and 1.

    Guess rate and lapse rate are fitted, too: noise that looks like the target lifts the whole curve. A curve that
    nowhere rises, or is up from the start, has no threshold: its parameters are NaN. Raises `ValueError` if levels and
    answers differ in number.
    """
    from scipy.optimize import minimize

    one_of("the number of answers", len(yes), [len(levels)])
    x, share = np.asarray(levels, float), np.asarray(yes, float) / n
    if share.max() - share[0] < 0.1:
        return PsychometricFunction(np.nan, np.nan, float(share[0]), float(1 - share.max()))

    def cost(parameters: np.ndarray) -> float:
        expected = PsychometricFunction(*parameters)(x).clip(1e-9, 1 - 1e-9)
        return -float((share * np.log(expected) + (1 - share) * np.log(1 - expected)).sum())

    bounds = [(0, 1), (1, STEEPEST), (0, 1), (0, 0.5)]
    middle = float(np.interp((share[0] + share.max()) / 2, np.maximum.accumulate(share), x))
    fits = [
        minimize(
            cost, [middle, slope, min(share[0], 0.9), 1 - min(share.max(), 0.999)], bounds=bounds, method="L-BFGS-B"
        )
        for slope in (5.0, 20.0, 60.0)
    ]
    return PsychometricFunction(*map(float, min(fits, key=lambda fit: fit.fun).x))
