import numpy as np
import pytest
import torch

from wna_utils import analysis as st
from wna_utils.analysis.similarity import places_of
from wna_utils.observe.loop import observe
from wna_utils.observe.tally import ClassTally


def masked(maps, *empty):
    maps = np.ma.masked_array(np.array(maps, float), mask=False)
    for k in empty:
        maps[k] = np.ma.masked
    return maps


def test_proportion_has_wilson_ends():
    estimate = st.proportion(8, 10, "images")
    assert (round(estimate.low, 3), round(estimate.high, 3)) == (0.490, 0.943)
    assert st.proportion(0, 50, "images").low == 0
    assert np.isnan(st.proportion(0, 0, "images").value)


def test_mean_over_has_t_ends_and_leaves_out_what_gave_nothing():
    estimate = st.mean_over([1.0, 2.0, 3.0, np.nan])
    assert (estimate.value, estimate.n) == (2.0, 3)
    assert round(estimate.high - 2, 2) == 2.48
    assert np.isnan(st.mean_over([0.5]).low)
    assert np.isnan(st.mean_over([np.nan]).value)
    assert st.mean_over([0.1, 0.9], within=(0, 1)).low == 0


def test_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    estimates = [st.mean_over(rng.normal(size=5)) for _ in range(400)]
    assert 0.92 < np.mean([each.low < 0 < each.high for each in estimates]) < 0.98


def test_significant_finds_the_planted_pixels_only():
    rng = np.random.default_rng(0)
    z = np.ma.masked_array(rng.normal(size=(3, 1, 10, 10)), mask=False)
    z[0, 0, :2] += 8
    z[2] = np.ma.masked
    found = st.significant(z)
    assert found[0, 0, :2].all()
    assert found.sum() <= 24
    assert not found[2].any()


def test_classification_image_is_eq_1():
    means = masked(np.arange(8.0).reshape(2, 2, 1, 1, 2))
    assert st.classification_image(means).ravel().tolist() == [0 + 4 - 2 - 6, 1 + 5 - 3 - 7]
    means[0, 1] = np.ma.masked
    assert np.ma.getmaskarray(st.classification_image(means)).all()


def test_classification_image_recovers_a_planted_template(planted, noise):
    from wna_utils.observe.cells import CellTally
    from wna_utils.stimuli.pictures import SignalPlusNoise

    signals = 0.5 + 0.02 * planted.templates.view(2, 1, 8, 8)
    source = SignalPlusNoise(signals, torch.tensor([0, 1]), noise, gamma=0.3)
    tally = observe(planted, source, 100_000, into=CellTally(2))
    found = st.classification_image(tally.means("noise")).ravel()
    assert np.corrcoef(found, planted.templates[0])[0, 1] > 0.98


@pytest.mark.parametrize("rule", st.MATCHING_RULES)
def test_each_template_is_matched_to_itself(rule):
    templates = np.eye(4).reshape(4, 1, 2, 2)
    images = torch.tensor(templates).float()
    assert st.match_templates(templates, images, rule).tolist() == [0, 1, 2, 3]
    assert st.template_accuracy(templates, images, torch.arange(4), rule).value == 1


def test_rules_differ_where_they_should():
    bright, shape = np.full((1, 1, 3), 2.0), np.array([[[0.0, 1.0, 0.0]]])
    image = torch.tensor([[[[0.1, 1.0, 0.1]]]])
    templates = np.stack([bright + np.array([[[0, 0, 0.01]]]), shape])
    assert st.match_templates(templates, image, "dot").tolist() == [0]
    assert st.match_templates(templates, image, "cosine").tolist() == [1]
    assert st.match_templates(templates, image, "centred").tolist() == [1]


def test_empty_class_is_never_chosen():
    templates = masked(np.eye(4).reshape(4, 1, 2, 2), 1)
    images = torch.eye(4).reshape(4, 1, 2, 2)
    assert 1 not in st.match_templates(templates, images)
    with pytest.raises(ValueError, match="every class is empty"):
        st.match_templates(masked(np.eye(2).reshape(2, 1, 1, 2), 0, 1), images)
    with pytest.raises(ValueError, match="rule must be one of dot, cosine, centred; got 'nearest'"):
        st.match_templates(templates, images, "nearest")


def test_confusion_rows_are_true_classes():
    matrix = st.confusion(torch.tensor([0, 0, 1]), np.array([0, 1, 1]), 3)
    assert matrix.tolist() == [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 0]]


def test_read_back_shows_stretched_maps_and_skips_empty_ones():
    network = torch.nn.Flatten()
    maps = masked(0.5 + 0.001 * np.eye(4).reshape(4, 1, 2, 2), 2)
    called = st.read_back(network, maps)
    assert called.compressed().tolist() == [0, 1, 3]
    assert called.mask.tolist() == [False, False, True, False]


def test_correlations_and_agreement_skip_empty_classes():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(3, 1, 5, 5))
    a, b = masked(maps, 0), masked(-maps, 1)
    found = st.correlations(a, b)
    assert found[2, 2] == pytest.approx(-1)
    assert found[1, 0] == pytest.approx(-np.corrcoef(maps[1].ravel(), maps[0].ravel())[0, 1])
    assert found.mask[0].all()
    assert found.mask[:, 1].all()
    assert st.agreement(a, b) == pytest.approx(-1)
    assert np.isnan(st.agreement(masked(maps, 0, 2), masked(maps, 1)))


def test_pool_weighs_groups():
    tally = ClassTally.of(4, (1, 1, 1))
    tally.count(torch.tensor([0.0, 0.25, 1.0]).view(3, 1, 1, 1), torch.tensor([0, 0, 1]))
    both = st.pool(tally, 2, np.ones(2))
    assert both[0].item() == pytest.approx(1.25 / 3)
    assert np.ma.getmaskarray(both)[1].all()
    assert st.pool(tally, 2, np.array([0.0, 1.0]))[0].item() == 1
    assert st.pool(tally, 2, np.array([1.0, 3.0]))[0].item() == pytest.approx(3.25 / 5)


def test_places_of_labels_count_what_is_put_before():
    alike = np.array([[3.0, 1, 2], [5, 1, 4], [1, 1, 1], [1, 2, 3]])
    assert places_of(np.array([0, 1, 2, 1]), alike).tolist() == [0, 1, 0.5, 0.5]
    by_chance = places_of(np.arange(1_000), np.random.default_rng(0).normal(size=(1_000, 1_000)))
    assert by_chance.mean() == pytest.approx(0.5, abs=0.03)


def test_most_like_own_names_the_maps_that_are_nearest_to_their_class():
    references = np.random.default_rng(0).standard_normal((4, 1, 5, 5))
    maps = masked(references[[0, 2, 2, 3]] + 0.1, 3)
    assert st.most_like_own(maps, references).tolist() == [True, False, True, False]


def test_area_under_curve_counts_pairs():
    found = st.area_under_curve([1, 2, 3], [2.5, 4], "networks")
    assert found.value == pytest.approx(5 / 6)
    assert found.low < found.value < found.high <= 1
    assert (found.n, found.of) == (5, "networks")


def test_area_of_one_is_still_uncertain_with_few_cases():
    few, many = (st.area_under_curve(range(n), range(n, 2 * n), "networks") for n in (3, 12))
    assert (few.value, few.high, many.value, many.high) == (1, 1, 1, 1)
    assert 0.2 < few.low < many.low < 0.95
    mirrored = st.area_under_curve(range(12, 24), range(12), "networks")
    assert (mirrored.value, mirrored.low) == (0, 0)
    assert mirrored.high == pytest.approx(1 - many.low, abs=1e-6)
    assert np.isnan(st.area_under_curve([], [1.0], "networks").value)


def test_area_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    truth = 0.7602  # two normal distributions, a standard deviation apart
    covered = [
        each.low <= truth <= each.high
        for each in (st.area_under_curve(rng.normal(0, 1, 12), rng.normal(1, 1, 12), "cases") for _ in range(400))
    ]
    assert np.mean(covered) > 0.92


def test_clusters_are_found_where_planted_and_seldom_in_noise():
    rng = np.random.default_rng(1)
    false = np.mean([st.clusters(rng.standard_normal((4, 20, 20))).any() for _ in range(60)])
    assert false <= 0.15
    z = rng.standard_normal((4, 20, 20))
    z[2, 3:7, 5:9] += 6
    z[1, 12:16, 12:16] -= 6
    found = st.clusters(z)
    assert found[2, 3:7, 5:9].mean() > 0.9
    assert found[1, 12:16, 12:16].mean() > 0.9
    assert not found[[0, 3]].any()


def test_a_single_bright_pixel_is_no_cluster():
    z = np.zeros((1, 20, 20))
    z[0, 5, 5] = 50
    assert not st.clusters(z).any()


def test_stripes_are_oriented_and_spots_are_not():
    y, x = np.mgrid[:5, :5] - 2
    stripes, spot = np.cos(2 * x), np.exp(-(x**2 + y**2))
    oriented = st.orientedness(
        np.ma.masked_array([[stripes], [stripes.T], [spot], [spot]], mask=[[[[k == 3] * 5] * 5] for k in range(4)])
    )
    assert oriented[:2].min() > 0.7
    assert oriented[2] < 0.05
    assert np.isnan(oriented[3])


def test_distances_are_those_of_the_truth_and_not_of_the_samples():
    rng = np.random.default_rng(0)
    truth = np.zeros((3, 400))
    truth[2] = 0.5  # at a distance of 10 from the others
    samples = truth[:, None] + rng.standard_normal((3, 20, 400))
    means, errors = samples.mean(1), samples.std(1, ddof=1) / 20**0.5
    same, far, other = st.distances(means, errors)
    assert same < 2.5  # as they are, about 6
    assert far == pytest.approx(10, abs=0.7)
    assert other == pytest.approx(10, abs=0.7)
    hidden = np.ma.masked_array(errors, mask=np.arange(3)[:, None] == [1] * 400)
    assert len(st.distances(means, hidden)) == 1
    assert len(st.distances(means, np.ma.masked_all(errors.shape))) == 0


def test_no_maps_have_no_correlations():
    assert st.correlations(np.zeros((0, 1, 4, 4)), np.zeros((3, 1, 4, 4))).shape == (0, 3)


def test_one_template_classifies_as_a_pair_of_opposite_ones():
    images, labels = torch.tensor([[[[1.0, 0.0]]], [[[0.0, 1.0]]], [[[0.2, 0.9]]]]), torch.tensor([0, 1, 0])
    template = np.ma.array([[[1.0, -1.0]]])
    assert st.pair_accuracy(template, images, labels).value == pytest.approx(2 / 3)
    assert st.pair_accuracy(np.ma.masked_all((1, 1, 2)), images, labels).n == 0


def test_strength_is_freed_of_what_the_errors_add():
    rng = np.random.default_rng(0)
    truth, error = 0.1 * rng.standard_normal((1, 200, 200)), np.full((4, 1, 200, 200), 0.03)
    template = np.ma.array(truth + sum(each * rng.standard_normal(truth.shape) for each in error))
    strength, noise = st.strength_and_error(template, np.ma.array(error))
    assert strength == pytest.approx(0.1, rel=0.02)
    assert noise == pytest.approx(0.06)
    assert np.isnan(st.strength_and_error(np.ma.masked_all((1, 2, 2)), np.ma.ones((1, 1, 2, 2)))).all()


def test_direction_is_what_the_whole_interval_says():
    directions = [
        st.Estimate(0, *ends, 5, "networks").direction for ends in ((0.1, 2), (-2, -1), (-1, 1), (np.nan,) * 2)
    ]
    assert directions == [1, -1, 0, 0]


def test_share_of_counts_what_holds():
    assert st.share_of(each > 2 for each in (1, 3, 5)) == st.proportion(2, 3, "networks")
    assert st.share_of([], "maps").n == 0


def test_accuracies_are_those_of_each_set_of_templates(digits):
    means = digits.class_means().numpy()
    found = st.template_accuracies([means, -means], digits, "centred")
    expected = [st.template_accuracy(each, digits.x_test, digits.y_test, "centred").value for each in (means, -means)]
    assert found.tolist() == expected
