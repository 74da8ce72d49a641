"""The discrepancy is what theory says; a planted map is found again; an estimator of nothing estimates nothing."""

import numpy as np
import pytest
import torch

from wna_utils.analysis.embeddings import neighbour_accuracy, quality
from wna_utils.analysis.selective import auroc
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.infovae import InfoVAE, mmd, train_autoencoder, train_estimator

QUICK = Cyclic(cycles=1, iterations=600, held_out=200)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_discrepancy_of_the_prior_is_zero_in_the_mean(k):
    generator = torch.Generator().manual_seed(0)
    found = torch.stack([mmd(*torch.randn(2, 100, k, generator=generator)) for _ in range(300)])
    assert abs(found.mean()) < 4 * found.std() / 300**0.5


@pytest.mark.parametrize(("k", "shift"), [(1, 0.5), (2, 1.0), (5, 2.0)])
def test_discrepancy_of_a_shifted_normal_is_the_closed_form(k, shift):
    generator = torch.Generator().manual_seed(1)
    theory = 2 * (k / (k + 2)) ** (k / 2) * (1 - np.exp(-(shift**2) / (2 * (k + 2))))
    draws = torch.randn(100, 2, 400, k, generator=generator)
    draws[:, 0, :, 0] += shift
    assert np.mean([float(mmd(*pair)) for pair in draws]) == pytest.approx(theory, rel=0.03)


def test_discrepancy_needs_two_codes():
    with pytest.raises(ValueError, match="codes to compare must be 2 or more"):
        mmd(torch.zeros(1, 2), torch.zeros(5, 2))


@pytest.fixture(scope="module")
def planted():
    """Standard normal codes, in five sectors, and forty curved features of them."""
    generator = torch.Generator().manual_seed(2)
    codes = torch.randn(3_000, 2, generator=generator)
    labels = ((torch.atan2(*codes.T) / (2 * np.pi) + 0.5) * 5).long().clamp(max=4)
    features = torch.tanh(codes @ torch.randn(2, 40, generator=generator) / 2 + torch.randn(40, generator=generator))
    features -= features.mean(0)
    return codes, labels, features / features.square().mean().sqrt()


@pytest.fixture(scope="module")
def found(planted):
    _, _, features = planted
    return train_autoencoder(features, recipe=QUICK)


def test_planted_codes_are_recovered(planted, found):
    codes, labels, features = planted
    with torch.no_grad():
        seen, again = found(features)
    assert (again - features).square().mean() < 0.05
    assert seen.std(0).numpy() == pytest.approx([1, 1], abs=0.25)
    assert quality(codes[:500].numpy(), seen[:500].numpy(), labels[:500].numpy())["trustworthiness"] > 0.97
    assert neighbour_accuracy(seen[:2000].numpy(), labels[:2000], seen[2000:].numpy(), labels[2000:]) > 0.9


def test_without_the_discrepancy_codes_are_not_standard(planted):
    _, _, features = planted
    network = train_autoencoder(features, mmd_weight=0, recipe=QUICK)
    with torch.no_grad():
        free, _ = network(features)
    assert abs(free.std(0).numpy() - 1).max() > 0.5


@pytest.mark.slow
def test_training_repeats_itself_and_leaves_the_generator_alone(planted, found):
    _, _, features = planted
    before = torch.random.get_rng_state()
    again = train_autoencoder(features, recipe=QUICK)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), again.parameters(), strict=True))


def test_estimator_finds_errors_that_depend_on_the_place(planted):
    codes, _, _ = planted
    errors = -3 + 2 * codes[:, 0].tanh()
    judge = train_estimator(codes, errors, recipe=QUICK)
    with torch.no_grad():
        assert np.corrcoef(judge(codes)[:, 0], errors)[0, 1] > 0.98


def test_estimator_of_shuffled_errors_tells_nothing(planted):
    codes, _, _ = planted
    wrong = torch.rand(3_000, generator=torch.Generator().manual_seed(3)) < 0.3
    judge = train_estimator(codes[:2_000], torch.where(wrong[:2_000], -1.0, -4.0), recipe=QUICK)
    with torch.no_grad():
        expected = judge(codes[2_000:])[:, 0].numpy()
    assert auroc(wrong[2_000:].numpy(), -expected) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bottleneck": 0}, "bottleneck must be 1 or more"),
        ({"mmd_weight": -1.0}, "mmd_weight must be 0 or more"),
        ({"mmd_weight": float("inf")}, "mmd_weight must be finite"),
    ],
)
def test_impossible_maps_are_refused(planted, change, message):
    with pytest.raises(ValueError, match=message):
        train_autoencoder(planted[2], recipe=QUICK, **change)


def test_layers_are_those_of_table_2():
    network = InfoVAE(2_400)
    assert [each.out_features for each in network.modules() if isinstance(each, torch.nn.Linear)] == [
        *(200, 200, 200, 2),
        *(200, 200, 200, 2_400),
    ]
