import numpy as np
import pytest

from wna_utils.psychometrics import PsychometricFunction, fit_psychometric

LEVELS = np.linspace(0, 1, 21)


def test_parameters_of_a_synthetic_observer_are_recovered():
    truth = PsychometricFunction(threshold=0.4, slope=18.0, guess=0.15, lapse=0.03)
    rng = np.random.default_rng(0)
    fits = [fit_psychometric(LEVELS, rng.binomial(200, truth(LEVELS)), 200) for _ in range(40)]
    for name, within in (("threshold", 0.005), ("slope", 1.5), ("guess", 0.01), ("lapse", 0.01)):
        found = np.array([getattr(fit, name) for fit in fits])
        assert found.mean() == pytest.approx(getattr(truth, name), abs=within)
        standardized = (found.mean() - getattr(truth, name)) / found.std(ddof=1) * np.sqrt(len(found))
        assert abs(standardized) < 4


def test_a_step_is_where_it_is():
    yes = np.where(LEVELS > 0.62, 50, 0)
    assert fit_psychometric(LEVELS, yes, 50).threshold == pytest.approx(0.625, abs=0.03)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_flat_curve_has_no_threshold(share):
    fit = fit_psychometric(LEVELS, np.full(21, int(share * 50)), 50)
    assert np.isnan(fit.threshold)
    assert fit.guess == share


def test_levels_and_answers_go_together():
    with pytest.raises(ValueError, match="the number of answers must be one of 21; got 3"):
        fit_psychometric(LEVELS, [1, 2, 3], 5)
