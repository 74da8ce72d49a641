import copy

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from wna_utils.analysis.templates import stretch
from wna_utils.interventions.attacks import (
    as_plotted,
    fool,
    gradient_attack,
    length_for,
    nearest,
    outcome,
    perceptibility,
    towards,
)
from wna_utils.stimuli.mixtures import mixed

GAMMAS = [0.0, 0.3, 1.0]


@pytest.fixture
def images():
    return torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def patterns(planted):
    """The planted templates themselves, as images from 0 to 1."""
    return stretch(planted.templates.view(2, 1, 8, 8).numpy())


def test_answers_are_those_to_each_mixture(planted, images, patterns):
    own = planted(images).argmax(1).numpy()
    fooled = fool(planted, images, own, patterns, GAMMAS)
    assert fooled.called.shape == (2, 3, 200)
    for k in range(2):
        for g, gamma in enumerate(GAMMAS):
            stimuli = (1 - gamma) * images + gamma * torch.from_numpy(patterns[k])
            assert np.array_equal(fooled.called[k, g], planted(stimuli).argmax(1).numpy())


def test_rates_count_all_images_or_only_those_of_other_classes(planted, images, patterns):
    own = planted(images).argmax(1).numpy()
    fooled = fool(planted, images, own, patterns, GAMMAS)
    everyone, others = fooled.rate(), fooled.rate(others_only=True)
    np.testing.assert_allclose(everyone[:, 0], [(own == 0).mean(), (own == 1).mean()])
    np.testing.assert_allclose(others[:, 0], 0)
    np.testing.assert_allclose(everyone[:, 2], 1)
    np.testing.assert_allclose(others[:, 2], 1)
    assert (np.diff(others, axis=1) >= 0).all()
    for k in range(2):
        assert others[k, 1] == (fooled.called[k, 1][own != k] == k).mean()


def test_a_class_without_a_pattern_is_masked(planted, images, patterns):
    masked = np.ma.masked_array(patterns, mask=np.zeros(patterns.shape, bool))
    masked[1] = np.ma.masked
    fooled = fool(planted, images, np.zeros(200, int), masked, GAMMAS)
    assert np.ma.getmaskarray(fooled.rate()).tolist() == [[False] * 3, [True] * 3]
    assert np.ma.getmaskarray(fooled.rate(others_only=True)).all()  # every image is of class 0


def test_the_network_is_left_as_it_was(planted, images, patterns):
    before = copy.deepcopy(planted.state_dict())
    fool(planted, images, np.zeros(200, int), patterns, GAMMAS)
    assert all(torch.equal(value, before[name]) for name, value in planted.state_dict().items())


def test_the_plotted_pattern_is_the_mean_over_the_pictures_channels(patterns):
    found = as_plotted(patterns)
    for pattern, plotted in zip(patterns, found, strict=True):
        figure, ax = plt.subplots()
        picture = ax.imshow(pattern[0])  # viridis and the full range are matplotlib's defaults
        rgba = picture.to_rgba(picture.get_array())
        plt.close(figure)
        np.testing.assert_allclose(plotted[0], rgba.mean(-1), atol=1e-6)
    assert found.min() == pytest.approx(0.40, abs=0.005)
    assert found.max() == pytest.approx(0.76, abs=0.005)


@pytest.mark.parametrize("gamma", [-0.1, 1.1, float("nan")])
def test_gamma_outside_its_range_is_named(gamma, planted, images, patterns):
    with pytest.raises(ValueError, match="gamma must lie between 0 and 1"):
        mixed(images, torch.zeros(1, 8, 8), gamma)
    with pytest.raises(ValueError, match="gamma must lie between 0 and 1"):
        fool(planted, images, np.zeros(200), patterns, [gamma])


def test_classes_must_be_as_many_as_images(planted, images, patterns):
    with pytest.raises(ValueError, match="must be as many; got 200 and 3"):
        fool(planted, images, np.zeros(3), patterns, GAMMAS)


@pytest.mark.parametrize("steps", [1, 20])
def test_gradient_attacks_on_a_linear_observer_go_along_its_weights(steps, planted):
    images = torch.full((40, 1, 8, 8), 0.5) + 0.05 * torch.rand(40, 1, 8, 8)
    targets = 1 - planted(images).argmax(1).numpy()
    attacked = gradient_attack(planted, images, targets, eps=0.4, steps=steps)
    moved = (attacked - images).flatten(1)
    assert moved.norm(dim=1).max() <= 0.4 + 1e-5
    along = planted.templates[targets] - planted.templates[1 - targets]
    assert torch.nn.functional.cosine_similarity(moved, along).min() > 0.99
    before = (planted(images).argmax(1).numpy() == targets).mean()
    assert (planted(attacked).argmax(1).numpy() == targets).mean() > before
    with pytest.raises(ValueError, match="eps must be greater than 0"):
        gradient_attack(planted, images, targets, eps=0)
    with pytest.raises(ValueError, match="steps must be 1 or more"):
        gradient_attack(planted, images, targets, eps=1, steps=0)


def test_steps_have_their_length_and_stay_in_range(images):
    direction = torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    grey = torch.full_like(images, 0.5)
    torch.testing.assert_close((towards(grey, direction, 0.3) - grey).flatten(1).norm(dim=1), torch.full((200,), 0.3))
    far = towards(images, direction, 100.0)
    assert far.min() == 0
    assert far.max() == 1
    assert torch.equal(towards(images, torch.zeros_like(images), 1.0), images)  # no direction, no step


def test_perceptibility_of_known_changes(images):
    same = perceptibility(images, images)
    assert same == {"L2": 0, "L∞": 0, "SSIM": pytest.approx(1)}
    brighter = perceptibility(images, images + 0.125)
    assert brighter["L2"] == pytest.approx(0.125 * 8, rel=1e-5)
    assert brighter["L∞"] == pytest.approx(0.125, rel=1e-5)
    assert 0.5 < brighter["SSIM"] < 1
    assert perceptibility(images, images.flip(0))["SSIM"] < 0.3


def test_outcome_counts_images_of_other_classes_and_averages_targets(planted, images, patterns):
    labels = planted(images).argmax(1).numpy()
    pattern = torch.from_numpy(np.ma.getdata(patterns)).float()
    found = outcome(planted, images, labels, [(k, mixed(pattern[k], images, 0.4)) for k in (0, 1)])
    turned = fool(planted, images, labels, patterns, [0.4]).rate(others_only=True)[:, 0]
    assert found["called the target"] == pytest.approx(float(turned.mean()))
    lengths = [perceptibility(images, mixed(pattern[k], images, 0.4))["L2"] for k in (0, 1)]
    assert found["L2"] == pytest.approx(np.mean(lengths))


def test_outcome_of_no_attack_is_unknown(planted, images):
    labels = np.zeros(len(images), int)
    for attempts in ([], [(0, images)]):
        assert np.isnan(list(outcome(planted, images, labels, attempts).values())).all()


def test_length_is_interpolated_where_the_share_is_first_reached():
    assert length_for(0.5, [3, 1, 2], [0.9, 0.1, 0.3]) == pytest.approx(2 + 0.2 / 0.6)
    assert length_for(0.5, [4], [1.0]) == 2
    assert np.isnan(length_for(0.5, [1, 2], [0.1, 0.2]))


def test_nearest_gamma():
    assert nearest([0.0, 0.33, 1.0], 0.5) == 1
