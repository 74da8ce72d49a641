import numpy as np
import pytest
import torch

from wna_utils.stimuli.blocks import LARGEST as BLOCK
from wna_utils.stimuli.pictures import SignalPlusNoise
from wna_utils.stimuli.white import DISTRIBUTIONS, WhiteNoise
from wna_utils.support.identity import identity

SHAPE = (1, 8, 8)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_block_depends_on_seed_and_number_alone(distribution):
    source = WhiteNoise(SHAPE, distribution, seed=5)
    again = WhiteNoise(SHAPE, distribution, seed=5)
    source.block(9)
    assert torch.equal(source.block(4).stimuli, again.block(4).stimuli)
    assert not torch.equal(source.block(4).stimuli, source.block(5).stimuli)
    assert not torch.equal(source.block(4).stimuli, WhiteNoise(SHAPE, distribution, seed=6).block(4).stimuli)


@pytest.mark.parametrize(("distribution", "sd"), [("uniform", 12**-0.5), ("normal", 12**-0.5), ("binary", 0.5)])
def test_noise_has_its_mean_spread_and_no_correlation(distribution, sd):
    pixels = WhiteNoise(SHAPE, distribution).block(0).stimuli.flatten(1).double()
    n = pixels.numel()
    assert abs(pixels.mean() - 0.5) < 5 * sd / n**0.5
    assert abs(pixels.std() / sd - 1) < 5 / n**0.5
    correlations = torch.corrcoef(pixels.T) - torch.eye(pixels.shape[1])
    assert correlations.abs().max() < 5.5 / BLOCK**0.5


def test_contrast_shrinks_the_noise_around_mid_grey():
    full, half = WhiteNoise(SHAPE).block(0).stimuli, WhiteNoise(SHAPE, contrast=0.5).block(0).stimuli
    torch.testing.assert_close(half, 0.5 + 0.5 * (full - 0.5))


def test_mean_moves_the_noise():
    usual, moved = WhiteNoise(SHAPE).block(0).stimuli, WhiteNoise(SHAPE, mean=0.0).block(0).stimuli
    torch.testing.assert_close(moved, usual - 0.5)


def test_signal_plus_noise_mixes_as_eq_3_says():
    signals, labels = torch.rand(3, *SHAPE), torch.tensor([0, 1, 1])
    source = SignalPlusNoise(signals, labels, WhiteNoise(SHAPE), gamma=0.3)
    block = source.block(2)
    trial = 7
    shown = (2 * BLOCK + trial) % 3
    torch.testing.assert_close(block.stimuli[trial], 0.3 * signals[shown] + 0.7 * block.noise[trial])
    assert block.signal[trial] == labels[shown]
    assert torch.equal(block.noise, WhiteNoise(SHAPE).block(2).stimuli)


def test_signal_of_gamma_zero_is_gone():
    source = SignalPlusNoise(torch.rand(3, *SHAPE), torch.zeros(3), WhiteNoise(SHAPE), gamma=0)
    assert torch.equal(source.block(0).stimuli, source.block(0).noise)


def test_sources_that_differ_have_different_identities():
    signals, labels, noise = torch.rand(3, *SHAPE), torch.zeros(3), WhiteNoise(SHAPE)
    identities = {
        identity(noise),
        identity(WhiteNoise(SHAPE, contrast=0.5)),
        identity(WhiteNoise(SHAPE, mean=0.0)),
        identity(SignalPlusNoise(signals, labels, noise, 0.1)),
        identity(SignalPlusNoise(signals, labels, noise, 0.2)),
        identity(SignalPlusNoise(signals + 1, labels, noise, 0.2)),
    }
    assert len(identities) == 6


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: WhiteNoise(SHAPE, "gauss"), "distribution must be one of uniform, normal, binary; got 'gauss'"),
        (lambda: WhiteNoise(SHAPE, seed=-1), "seed must be 0 or more; got -1"),
        (lambda: WhiteNoise(SHAPE, seed=1.5), "seed must be a whole number; got 1.5"),
        (lambda: WhiteNoise(SHAPE, seed=True), "seed must be a whole number; got True"),
        (lambda: WhiteNoise(SHAPE, seed=2**64), "seed must be below 2\\^64.*; got 18,446,744,073,709,551,616"),
        (lambda: WhiteNoise(SHAPE, contrast=0), "contrast must be greater than 0; got 0"),
        (lambda: WhiteNoise((8, 8)), r"shape must be \(channels, height, width\)"),
        (
            lambda: SignalPlusNoise(torch.rand(2, *SHAPE), torch.zeros(2), WhiteNoise(SHAPE), 1.5),
            "gamma must lie between 0 and 1; got 1.5",
        ),
        (
            lambda: SignalPlusNoise(torch.rand(2, 1, 9, 9), torch.zeros(2), WhiteNoise(SHAPE), 0.5),
            r"signals have shape \(1, 9, 9\) but the noise \(1, 8, 8\)",
        ),
        (
            lambda: SignalPlusNoise(torch.rand(0, *SHAPE), torch.zeros(0), WhiteNoise(SHAPE), 0.5),
            "1 or more; got 0 and 0",
        ),
    ],
)
def test_bad_input_is_named_in_one_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_antithetic_noise_shows_each_image_with_its_mirror_image():
    first, second = WhiteNoise(SHAPE, seed=1, antithetic=True, mean=0.25).block(2).stimuli.chunk(2)
    torch.testing.assert_close(first + second, torch.full_like(first, 0.5))
    assert first.std() == pytest.approx(1 / 12**0.5, rel=0.02)


def test_uniform_noise_is_counted_exactly():
    pixels = WhiteNoise(SHAPE).block(0).stimuli.double().numpy() * 2**24
    assert np.array_equal(pixels, np.round(pixels))


@pytest.mark.cuda
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_gpu_makes_the_same_noise(distribution):
    source = WhiteNoise(SHAPE, distribution, seed=5)
    here, there = source.block(4).stimuli, source.block(4, torch.device("cuda")).stimuli.cpu()
    assert torch.equal(here, there) if distribution != "normal" else torch.allclose(here, there, atol=1e-5)
