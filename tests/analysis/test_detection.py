import numpy as np
import pytest
import torch

from tests.conftest import Linear
from wna_utils.analysis.detection import (
    WINDOW,
    Suspicion,
    class_gradients,
    difference,
    evaluate,
    inverted_triggers,
    most_suspicious,
    prominence,
    smallest_trigger,
    smoothed,
    standing_out,
    suspicions,
)
from wna_utils.interventions.backdoors import Backdoor
from wna_utils.networks import architectures
from wna_utils.observe.loop import observe
from wna_utils.stimuli.white import WhiteNoise

SHAPE = (1, 28, 28)
C = Backdoor("C", "3", "4")


def observer(backdoor=None, seed=0):
    """Five classes that share strokes in the middle; the target also likes its patch."""
    rng = torch.Generator().manual_seed(seed)
    templates = torch.zeros(5, 28, 28)
    strokes = torch.nn.functional.avg_pool2d(torch.randn(5, 1, 18, 18, generator=rng), 5, 1)[:, 0]
    templates[:, 7:21, 7:21] = strokes - strokes.mean(0)
    if backdoor is not None:
        templates[4] += 0.3 * backdoor.mask(SHAPE)
    return Linear(templates.flatten(1))


def z_of(model, n=20_000, seed=1):
    return observe(model, WhiteNoise(SHAPE, seed=seed), n).z


def test_a_patch_planted_in_a_linear_observer_is_found_where_it_is():
    found = most_suspicious(standing_out(z_of(observer(C))))
    assert found.target == 4
    assert found.distance(C.mask(SHAPE)) <= 1
    innocent = most_suspicious(standing_out(z_of(observer())))
    assert found.score > 2 * innocent.score


def test_clean_observers_to_compare_with_sharpen_the_finding():
    references = [z_of(observer(seed=0), seed=9)]
    found = most_suspicious(standing_out(z_of(observer(C)), references))
    assert found.target == 4
    assert found.distance(C.mask(SHAPE)) <= 1
    assert most_suspicious(standing_out(z_of(observer()), references)).score < found.score / 3


def test_one_who_is_told_the_target_looks_in_its_map_alone():
    maps = np.zeros((3, 4, 4))
    maps[0, 1, 1], maps[2, 3, 0] = 9, 5
    assert most_suspicious(maps) == Suspicion(9.0, 0, 1, 1)
    assert most_suspicious(maps, target=2) == Suspicion(5.0, 2, 3, 0)


def test_smoothed_noise_has_variance_one_also_at_the_edge():
    z = np.random.default_rng(0).standard_normal((2000, 3, 7, 7))
    np.testing.assert_allclose(smoothed(z).std(0), 1, atol=0.1)


def test_smoothing_sums_squares_of_pixels():
    z = np.zeros((1, 1, 15, 15))
    z[0, 0, 7, 7] = 1
    found = smoothed(z)[0]
    assert found.max() == pytest.approx(1 / WINDOW)
    assert (found > 0).sum() == WINDOW**2


def test_what_is_bright_in_two_classes_does_not_stand_out():
    z = np.zeros((3, 1, 28, 28))
    z[:2, 0, 10:15, 10:15] = 10
    z[2, 0, 2:7, 20:25] = 3
    assert most_suspicious(standing_out(z)).target == 2


def test_a_class_without_a_map_is_never_suspected():
    z = np.ma.masked_array(np.zeros((2, 1, 9, 9)), mask=np.zeros((2, 1, 9, 9), bool))
    z[0, 0, 4, 4] = 1
    z[1] = np.ma.masked
    assert most_suspicious(standing_out(z)).target == 0
    nobody = most_suspicious(standing_out(z), target=1)
    assert nobody == Suspicion(0.0, -1)
    assert np.isnan(nobody.distance(torch.ones(9, 9, dtype=torch.bool)))
    assert most_suspicious(np.ma.masked_all((2, 9, 9))) == Suspicion(0.0, -1)


def test_distance_is_to_the_nearest_pixel_of_the_patch():
    mask = torch.zeros(9, 9, dtype=torch.bool)
    mask[1:3, 1:3] = True
    assert Suspicion(1.0, 0, 2, 2).distance(mask) == 0
    assert Suspicion(1.0, 0, 5, 6).distance(mask) == 5


def test_class_gradients_are_those_of_the_loss_over_correct_images(planted):
    images = torch.rand(600, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = planted(images).argmax(1)
    labels[:100] = 1 - labels[:100]  # those count as wrong
    mean, z = class_gradients(planted, images, labels, 3)
    inputs = images.clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy(planted(inputs), labels, reduction="sum")
    by_hand = torch.autograd.grad(loss, inputs)[0].numpy()
    for k in (0, 1):
        own = by_hand[100:][labels[100:] == k]
        np.testing.assert_allclose(mean[k], own.mean(0), atol=1e-6)
        np.testing.assert_allclose(z[k], own.mean(0) / (own.std(0, ddof=1) / len(own) ** 0.5), rtol=1e-3)
    assert np.ma.getmaskarray(mean[2]).all()


def test_the_smallest_trigger_is_the_planted_one():
    """Three classes are told by which stripe is bright, a fourth by a corner that no image uses."""

    class Tampered(torch.nn.Module):
        def forward(self, x):
            stripes = [10 * x[:, 0, top : top + 3].mean((1, 2)) for top in (5, 8, 11)]
            return torch.stack([*stripes, 40 * x[:, 0, 1:4, 1:4].mean((1, 2)) - 5], 1)

    rng = torch.Generator().manual_seed(0)
    images = 0.2 * torch.rand(99, 1, 16, 16, generator=rng)
    for i, top in enumerate((5, 8, 11)):
        images[i::3, :, top : top + 3] += 0.6
    masks = inverted_triggers(Tampered(), images, 4)
    assert masks.shape == (4, 16, 16)
    found = smallest_trigger(masks)
    assert found.target == 3
    assert found.score > 2
    assert max(found.row, found.column) < 5
    with pytest.raises(ValueError, match="steps must be 1 or more"):
        inverted_triggers(Tampered(), images, 4, steps=0)


def test_looking_inside_a_network_leaves_it_as_it_was(digits):
    network = architectures.build("cnn", digits.shape, 10, seed=0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    class_gradients(network, digits.x_test[:20], digits.y_test[:20], 10)
    inverted_triggers(network, digits.x_test[:20], 10, steps=2)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(weights.grad is None for weights in network.parameters())
    assert network.training


def test_an_evaluation_says_what_was_found_and_where():
    """By hand: two clean networks, one attacked and found, one attacked and missed."""
    mask = C.mask(SHAPE)
    row, column = map(int, mask.nonzero()[0])
    patches = [None, None, (mask, (3, 4)), (mask, (3, 4))]
    said = [Suspicion(1.0, 0, 9, 9), Suspicion(2.0, 1, 9, 9), Suspicion(3.0, 4, row, column), Suspicion(1.5, 0, 27, 0)]
    told = [*said[:3], Suspicion(1.0, 4, row - 1, column)]
    found = evaluate(said, told, patches)
    assert found.area.value == 0.75  # three of four pairs of a clean and an attacked one
    assert found.named == [True, False]
    assert found.distances[0] == 0
    assert found.distances[1] > 20
    assert found.visible == [True, True]
    words = found.in_words()
    assert words["on the patch"] == words["names source or target"] == "1 of 2"
    assert words["class's map shows it"] == "2 of 2"


def test_an_evaluation_without_a_map_suspects_no_place():
    none = Suspicion(0.0, -1)
    found = evaluate([none, none], [none, none], [None, (C.mask(SHAPE), (3, 4))])
    assert np.isnan(found.distances[0])
    assert not found.named[0]
    assert not found.visible[0]
    assert found.in_words()["median distance"] == "–"


def test_suspicions_are_those_of_whoever_is_told_the_class_and_of_whoever_is_not():
    maps = np.zeros((2, 3, 4, 4))
    maps[:, 0, 1, 1], maps[:, 2, 3, 0] = 9, 5
    said, told = suspicions(maps, [2, None])
    assert said == [Suspicion(9.0, 0, 1, 1)] * 2
    assert told == [Suspicion(5.0, 2, 3, 0), said[1]]


def test_prominence_of_a_patch_is_its_contrast_in_deviations_of_what_is_around_it():
    rng = np.random.default_rng(0)
    mask = torch.zeros(28, 28, dtype=torch.bool)
    mask[:6, :6] = True
    maps = np.ma.masked_array(rng.normal(5, 2, (3, 1, 28, 28)))
    maps[1, :, mask.numpy()] += 6
    maps[2] = np.ma.masked
    found = prominence(maps, mask)
    assert found[:2].filled(np.nan) == pytest.approx([0, 3], abs=0.5)
    assert found[2] is np.ma.masked


def test_difference_of_two_networks_shows_the_patch_that_one_of_them_likes():
    clean, attacked = (observe(observer(each), WhiteNoise(SHAPE, seed=s), 40_000) for s, each in enumerate((None, C)))
    z = difference(attacked, clean)
    mask = C.mask(SHAPE).numpy()
    assert z.shape == (5, 28, 28)
    assert z[4][mask].mean() > 5
    assert abs(z[4][~mask].mean()) < 0.5


def test_two_looks_at_one_network_differ_by_chance_alone():
    one, other = (observe(observer(), WhiteNoise(SHAPE, seed=seed), 40_000) for seed in (3, 4))
    assert difference(one, other).std() == pytest.approx(1, abs=0.1)
