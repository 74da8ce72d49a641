"""How often the 95 % intervals of the book hold the truth, by simulation."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from wna_utils import analysis as st

pytestmark = pytest.mark.slow

RUNS = 1_500  # 95 % of so many has a standard error of 0.6 points


def coverage(draw, truth, runs=RUNS):
    """Share of intervals that hold the truth; `draw` makes one with a generator of random numbers."""
    rng = np.random.default_rng(0)
    found = [draw(rng) for _ in range(runs)]
    return np.mean([each.low <= truth <= each.high for each in found])


@pytest.mark.parametrize("n", [3, 5, 12])
def test_mean_over_networks(n):
    assert 0.93 < coverage(lambda rng: st.mean_over(rng.normal(2, 3, n)), 2) < 0.97


@pytest.mark.parametrize("n", [5, 12, 10_000])
def test_proportion_over_all_true_shares(n):
    """A share of five cannot hold 95 % at every truth; over all truths it does."""
    rng = np.random.default_rng(0)
    truths = rng.uniform(0, 1, RUNS)
    found = [st.proportion(rng.binomial(n, truth), n, "networks") for truth in truths]
    held = [each.low <= truth <= each.high for each, truth in zip(found, truths, strict=True)]
    assert 0.93 < np.mean(held) < 0.97


def of_pairs(n, members, pairs):
    """Values of pairs of n members, with these standard deviations of the members' and of the pairs' own part."""

    def draw(rng):
        own = rng.normal(0, members, n)
        both = np.triu(rng.normal(0, pairs, (n, n)), 1)
        return st.mean_over_pairs(1 + own[:, None] + own + both + both.T)

    return draw


@pytest.mark.parametrize("n", [4, 5, 12])
@pytest.mark.parametrize(("members", "pairs"), [(1, 0.01), (1, 1), (1, 3)])
def test_mean_over_pairs_of_networks(n, members, pairs):
    assert 0.93 < coverage(of_pairs(n, members, pairs), 1) < 0.97


def test_mean_over_pairs_errs_on_the_safe_side_where_members_are_all_alike():
    assert 0.95 < coverage(of_pairs(5, 0, 1), 1) < 0.99
    assert 0.94 < coverage(of_pairs(3, 1, 1), 1) < 0.99


def test_mean_over_pairs_that_are_correlations_of_maps():
    """Maps that share a template, each with noise of its own."""

    def draw(rng):
        return st.mean_over_pairs(np.corrcoef(np.linspace(-1, 1, 100) * rng.uniform(0.5, 2, (5, 1)) + noise(rng, 5)))

    def noise(rng, n):
        return rng.normal(0, 1, (n, 100))

    rng = np.random.default_rng(1)
    strengths = rng.uniform(0.5, 2, (2, 4_000, 1))
    first, second = (np.linspace(-1, 1, 100) * each + noise(rng, 4_000) for each in strengths)
    truth = np.mean([np.corrcoef(*each)[0, 1] for each in zip(first, second, strict=True)])
    assert 0.92 < coverage(draw, truth) < 0.97


def test_pairs_taken_for_repetitions_would_hold_the_truth_far_too_seldom():
    def naive(rng):
        own = rng.normal(0, 1, 5)
        return st.mean_over((own[:, None] + own)[np.triu_indices(5, 1)])

    assert coverage(naive, 0) < 0.7


@pytest.mark.parametrize("sizes", [(5, 5), (12, 12), (12, 6)])
@pytest.mark.parametrize("own", [0.0, 1.0])
def test_difference_of_what_is_between_groups_and_within_one(sizes, own):
    """How much attacked networks are like clean ones, less how much clean ones are like each other."""
    m, n = sizes

    def draw(rng):
        clean, attacked = rng.normal(0, own, m), rng.normal(0, own, n)
        within, between = rng.normal(0, 1, (m, m)), rng.normal(0, 1, (n, m))
        within = clean[:, None] + clean + within + within.T
        between = 2 + attacked[:, None] + clean + between

        def difference(of_clean, of_attacked):
            pairs = within[np.ix_(of_clean, of_clean)][~np.eye(len(of_clean), dtype=bool)]
            return between[np.ix_(of_attacked, of_clean)].mean() - pairs.mean()

        return st.jackknife_of_groups(difference, sizes)

    assert 0.93 < coverage(draw, 2, 600) <= 1


def test_jackknife_of_one_group_is_the_interval_of_its_mean():
    values = np.array([0.0, 1.0, 3.0, 4.0])
    found, mean = st.jackknife_of_groups(lambda some: values[some].mean(), [4]), st.mean_over(values)
    assert (found.low, found.high) == pytest.approx((mean.low, mean.high))
    assert np.isnan(st.jackknife_of_groups(lambda some, _: values[some].mean(), [4, 1]).low)
    assert st.jackknife_of_groups(lambda some: values[some].mean(), [4], within=(0, 3)).high == 3


def test_mean_over_pairs_that_are_all_equal_is_certain():
    for value in (0.3, 0.7, 0.95):
        found = st.mean_over_pairs(np.full((4, 4), value))
        assert found.low == pytest.approx(value)
        assert found.high == pytest.approx(value)


def test_mean_over_pairs_by_hand():
    """Without differences between pairs but through their members, it is twice the interval of the members' mean."""
    own = np.array([0.0, 1.0, 3.0, 4.0, 2.0])
    found, members = st.mean_over_pairs(own[:, None] + own), st.mean_over(own)
    assert found.value == pytest.approx(2 * members.value)
    assert found.high - found.low == pytest.approx(2 * (members.high - members.low))
    assert found.n == 5


def test_mean_over_few_or_missing_pairs():
    values = np.arange(16.0).reshape(4, 4)
    values = values + values.T
    values[2, :] = values[:, 2] = np.nan
    assert st.mean_over_pairs(values).n == 3
    assert st.mean_over_pairs(values[:2, :2]).value == 5
    assert np.isnan(st.mean_over_pairs(values[:2, :2]).low)
    assert np.isnan(st.mean_over_pairs(values[:1, :1]).value)
    assert st.mean_over_pairs(values, within=(0, 1)).high == 1


@pytest.mark.parametrize(("m", "n"), [(5, 3), (5, 5), (12, 5)])
def test_difference_of_two_groups_of_networks(m, n):
    def draw(rng):
        return st.difference_of_means(rng.normal(3, 1, m), rng.normal(1, 1, n))

    assert 0.93 < coverage(draw, 2) < 0.97


def test_difference_of_means_by_hand():
    found = st.difference_of_means([1, 3, np.nan], [0.0, 0.0])
    assert (found.value, found.n) == (2, 4)
    assert found.high - found.low == pytest.approx(2 * 12.706, rel=1e-3)  # the other group adds nothing to the error
    assert np.isnan(st.difference_of_means([1, 2], [3]).low)
    assert np.isnan(st.difference_of_means([], [3]).value)
    assert st.difference_of_means([1, 1], [0, 0]).low == 1
    assert st.difference_of_means([1, 5], [0, 1], within=(-1, 3)).high == 3


@pytest.mark.parametrize(("m", "n"), [(6, 12), (12, 12)])
def test_difference_of_two_shares_over_all_true_shares(m, n):
    rng = np.random.default_rng(0)
    truths = rng.uniform(0, 1, (RUNS, 2))
    found = [st.difference_of_proportions(rng.binomial(m, a), m, rng.binomial(n, b), n, "networks") for a, b in truths]
    held = [each.low <= a - b <= each.high for each, (a, b) in zip(found, truths, strict=True)]
    assert 0.93 < np.mean(held) < 0.975
    assert np.isnan(st.difference_of_proportions(0, 0, 1, 2, "networks").value)


@pytest.mark.parametrize("noise", [0.1, 1.0, 1.5])
def test_likeness_freed_of_sampling_noise(noise):
    """Five networks, each with maps of ten classes in halves; at a noise of 1 the halves correlate at a half."""
    truth = 0.4

    def draw(rng):
        per_network = []
        for _ in range(5):
            own, other = rng.normal(size=(2, 10, 784))
            likeness = truth + rng.normal(0, 0.1)
            pair = own, likeness * own + np.sqrt(1 - likeness**2) * other
            halves = [tuple(each + noise * rng.normal(size=(2, 10, 784))) for each in pair]
            per_network.append(float(st.true_correlations(*halves).mean()))
        return st.mean_over(per_network)

    assert 0.91 < coverage(draw, truth, 300) < 0.985  # 300 have a standard error of 1.3 points


def smooth(rng, shape):
    """Noise of unit variance whose pixels go together as those of Gabor–PCA and generated noise do."""
    noise = gaussian_filter(rng.normal(size=shape), 2, axes=(-2, -1))
    return noise / noise.std((-2, -1), keepdims=True)


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_likeness_freed_of_noise_whose_pixels_go_together(noise):
    """As above, but both maps and sampling noise are smooth, so that there is far less to tell from 784 pixels."""
    truth = 0.4

    def draw(rng):
        per_network = []
        for _ in range(5):
            own, other = smooth(rng, (2, 10, 28, 28))
            own, other = (each - each.mean((-2, -1), keepdims=True) for each in (own, other))
            other = other - (own * other).sum((1, 2), keepdims=True) / (own**2).sum((1, 2), keepdims=True) * own
            other = other / other.std((-2, -1), keepdims=True)
            likeness = truth + rng.normal(0, 0.1)
            pair = own, likeness * own / own.std((-2, -1), keepdims=True) + np.sqrt(1 - likeness**2) * other
            halves = [tuple(each + noise * smooth(rng, (2, 10, 28, 28))) for each in pair]
            per_network.append(float(st.true_correlations(*halves).mean()))
        return st.mean_over(per_network)

    assert 0.92 < coverage(draw, truth, 400) < 0.98  # 400 have a standard error of 1.1 points


def test_likeness_to_what_has_no_noise_and_of_what_is_nothing_but_noise():
    rng = np.random.default_rng(0)
    digits = rng.normal(size=(3, 784))
    halves = tuple(digits + rng.normal(size=(2, 3, 784)) * np.array([[0.5], [2], [20]]))
    found = st.true_correlations(halves, (digits, digits))
    assert found[:1] == pytest.approx(1, abs=0.05)
    assert np.ma.getmaskarray(found)[[0, 2]].tolist() == [False, True]
    empty = np.ma.masked_array(digits, mask=np.zeros_like(digits) + np.array([[1], [0], [0]]))
    assert np.ma.getmaskarray(st.true_correlations((empty, empty), (digits, digits))).tolist() == [True, False, False]


def test_false_positives_of_a_rule_about_the_low_end():
    """A difference that is not there is found as often as `rules.SIGNIFICANT` says."""
    rng = np.random.default_rng(0)
    found = [st.difference_of_means(rng.normal(size=5), rng.normal(size=5)).low > 0 for _ in range(RUNS)]
    assert 0.012 < np.mean(found) < 0.038
    found = [st.mean_over(rng.normal(size=5)).low > 0 for _ in range(RUNS)]
    assert 0.012 < np.mean(found) < 0.038
