"""The stand-in gives torch's bits; both are frozen here."""

import numpy as np
import pytest
import torch
from scipy import stats

from wna_utils.stimuli import philox

SEEDS = [0, 3, 2**63 + 5, 2**64 - 1]
NUMBERS = [0, 1, 2**40, 2**64 - 1]


@pytest.fixture
def without_native(monkeypatch):
    """As on a torch that lacks the generator."""

    def both(draw, *arguments):
        found = draw(*arguments)
        with monkeypatch.context() as patch:
            patch.setattr(philox, "native", None)
            return found, draw(*arguments)

    if philox.native is None:
        pytest.skip("this torch has no generator of its own to compare with")
    return both


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("number", NUMBERS)
def test_integer_reference_gives_the_same_bits(without_native, seed, number):
    assert torch.equal(*without_native(philox.uniform, seed, number, (3, 1_337)))
    torch.testing.assert_close(*without_native(philox.normal, seed, number, (3, 1_337)), rtol=1e-4, atol=1e-5)


def test_golden_values():
    """The words of Random123's known-answer test for Philox4x32-10, and numbers that must never change."""
    zero = philox.philox((0, 0), 4).tolist()
    assert [f"{word:08x}" for word in zero] == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]
    found = (philox.uniform(3, 5, (4,)) * 2**24).long().tolist()
    assert found == GOLDEN_UNIFORM
    assert philox.fold_in((3, 0), 5) == (3107208424926726651, 9504068665982090144)


GOLDEN_UNIFORM = [12407920, 4002955, 8571539, 1879684]


def test_numbers_fill_the_unit_interval_evenly():
    x = philox.uniform(1, 2, (200_000,)).double().numpy()
    assert x.min() >= 0
    assert x.max() < 1
    assert stats.kstest(x, "uniform").pvalue > 0.001
    assert np.array_equal(x * 2**24, np.round(x * 2**24))


def test_normal_numbers_are_normal():
    x = philox.normal(1, 2, (200_001,)).double().numpy()
    assert stats.kstest(x, "norm").pvalue > 0.001
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 0.01


def test_a_smaller_shape_gives_the_first_numbers():
    assert torch.equal(philox.uniform(1, 2, (50, 7)).flatten()[:33], philox.uniform(1, 2, (33,)))


def test_numbers_of_other_seeds_and_blocks_are_others():
    drawn = [philox.uniform(seed, number, (1_000,)) for seed in range(3) for number in range(3)]
    correlations = torch.corrcoef(torch.stack(drawn)) - torch.eye(9)
    assert correlations.abs().max() < 0.15


@pytest.mark.cuda
def test_a_gpu_makes_the_same_bits():
    gpu = torch.device("cuda")
    assert torch.equal(philox.uniform(3, 5, (1_000,)), philox.uniform(3, 5, (1_000,), gpu).cpu())
    torch.testing.assert_close(philox.normal(3, 5, (1_000,)), philox.normal(3, 5, (1_000,), gpu).cpu())
