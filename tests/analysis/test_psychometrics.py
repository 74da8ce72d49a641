import numpy as np
import pytest

from wna_utils.analysis.psychometrics import fit_psychometric, psychometric_function, s_shaped

LEVELS = np.linspace(0, 1, 21)


def answers(n, observers, seed=0):
    """Answers of synthetic observers, and their parameters (4, observers): threshold, slope, guess, lapse."""
    rng = np.random.default_rng(seed)
    threshold = rng.uniform(0.2, 0.8, observers)
    slope = np.exp(rng.uniform(np.log(8), np.log(50), observers))
    truth = np.array([threshold, slope, rng.uniform(0, 0.5, observers), rng.beta(1, 10, observers)])
    return rng.binomial(n, psychometric_function(LEVELS[:, None], *truth).T), truth


@pytest.mark.parametrize("n", [30, 200])
def test_parameters_of_synthetic_observers_lie_within_their_intervals(n):
    yes, truth = answers(n, 200)
    fits = fit_psychometric(LEVELS, yes, n)
    for true, found in zip(truth, (fits.threshold, fits.slope, fits.guess, fits.lapse), strict=True):
        known = ~np.isnan(found.median)
        inside = ((found.low <= true) & (true <= found.high))[known]
        assert known.mean() > 0.95
        assert 0.89 < inside.mean() <= 1  # 95 % of 200, less four standard deviations


def test_intervals_shrink_with_the_root_of_the_number_of_answers():
    widths = []
    for n in (15, 240):  # intervals much finer than the grid would not be resolved
        yes, _ = answers(n, 50)
        threshold = fit_psychometric(LEVELS, yes, n).threshold
        widths.append(np.nanmedian(threshold.high - threshold.low))
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.25)


def test_psignifit_finds_the_same():
    """Its grid is coarser, and its prior prefers few guesses, so that interval ends differ by a third of a width."""
    import psignifit

    yes = np.round(100 * psychometric_function(LEVELS, 0.4, 18.0, 0.1, 0.03))
    data = np.column_stack([LEVELS, yes, np.full(21, 100)])
    theirs = psignifit.psignifit(data, experiment_type="yes/no", sigmoid="logistic", fixed_parameters={"eta": 1e-8})
    ours = fit_psychometric(LEVELS, yes, 100)
    assert ours.threshold.median[0] == pytest.approx(theirs.parameter_estimate_mean["threshold"], abs=0.002)
    low, high = theirs.confidence_intervals["threshold"]["0.95"]
    assert (ours.threshold.low[0], ours.threshold.high[0]) == pytest.approx((low, high), abs=0.008)
    from_5_to_95_percent = 2 * np.log(19)
    low, high = from_5_to_95_percent / np.array(theirs.confidence_intervals["width"]["0.95"])[::-1]
    assert (ours.slope.low[0], ours.slope.high[0]) == pytest.approx((low, high), rel=0.1)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_flat_curve_has_no_threshold(share):
    fits = fit_psychometric(LEVELS, np.full(21, int(share * 50)), 50)
    assert np.isnan([fits.threshold.median, fits.threshold.low, fits.slope.median]).all()
    assert fits.guess.low[0] - 0.03 < share < fits.guess.high[0] + 0.03 or share == 1


def test_a_step_is_where_it_is():
    yes = np.where(LEVELS > 0.62, 50, 0)
    assert fit_psychometric(LEVELS, yes, 50).threshold.median[0] == pytest.approx(0.625, abs=0.02)


def test_levels_and_answers_go_together():
    with pytest.raises(ValueError, match="the number of answers must be one of 21; got 3"):
        fit_psychometric(LEVELS, np.array([1, 2, 3]), 5)


def test_an_s_is_told_from_a_line_and_from_a_flat_curve():
    levels, n = np.linspace(0, 1, 21), 30
    rng = np.random.default_rng(0)
    shares = [psychometric_function(levels, 0.4, 15, 0.1, 0.02), 0.1 + 0.8 * levels, np.full(21, 0.97)]
    found = np.array([s_shaped(levels, rng.binomial(n, shares), n) for _ in range(20)]).mean(0)
    assert found[0] == 1
    assert (found[1:] < 0.3).all()


def test_curves_may_have_any_shape():
    yes, _ = answers(40, 6)
    flat, shaped = fit_psychometric(LEVELS, yes, 40), fit_psychometric(LEVELS, yes.reshape(2, 3, -1), 40)
    np.testing.assert_array_equal(shaped.threshold.median.ravel(), flat.threshold.median)
    assert shaped.lapse.high.shape == (2, 3)
    np.testing.assert_array_equal(s_shaped(LEVELS, yes.reshape(2, 3, -1), 40).ravel(), s_shaped(LEVELS, yes, 40))
