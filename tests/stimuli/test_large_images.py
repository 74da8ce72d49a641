"""Noise for networks that see large images: in small blocks, and with the spectrum of photographs."""

import pytest
import torch

from wna_utils.stimuli.blocks import SmallBlocks
from wna_utils.stimuli.smooth import PinkNoise
from wna_utils.stimuli.white import WhiteNoise


def test_small_blocks_are_the_first_images_of_each_block():
    noise = WhiteNoise((3, 8, 8), seed=4)
    few = SmallBlocks(noise, 25)
    assert (few.block_size, few.shape) == (25, (3, 8, 8))
    block = few.block(7)
    assert (len(block), block.number) == (25, 7)
    assert torch.equal(block.stimuli, noise.block(7).stimuli[:25])


@pytest.mark.parametrize("size", [0, 2_001, 2.5])
def test_block_that_the_source_does_not_have_is_refused(size):
    with pytest.raises(ValueError, match="size must"):
        SmallBlocks(WhiteNoise((3, 8, 8)), size)


def test_pink_noise_falls_with_frequency_and_has_the_spread_of_white():
    source = PinkNoise((3, 64, 64), seed=1)
    noise = torch.cat([source.block(number).noise for number in range(3)])
    assert noise.mean().item() == pytest.approx(0.5, abs=0.02)
    assert noise.std().item() == pytest.approx(12**-0.5, rel=0.03)
    power = torch.fft.fft2(noise - 0.5).abs().square().mean((0, 1))
    along = power[0, 1:32]  # of frequencies 1/64, 2/64, …
    slope = torch.log(along[20] / along[1]) / torch.log(torch.tensor(21 / 2))
    assert slope.item() == pytest.approx(-2, abs=0.1)  # of power; amplitude falls as 1/f
    channels = torch.corrcoef(noise[:, :, ::8, ::8].movedim(1, 0).flatten(1))
    assert (channels - torch.eye(3)).abs().max() < 0.1


def test_pink_noise_of_no_images_is_refused():
    with pytest.raises(ValueError, match="shape must be"):
        PinkNoise((3, 0, 8))


def test_pink_noise_depends_on_seed_and_number_alone():
    source, again = PinkNoise((1, 16, 16), seed=3), PinkNoise((1, 16, 16), seed=3)
    assert torch.equal(source.block(5).noise, again.block(5).noise)
    assert not torch.equal(source.block(5).noise, PinkNoise((1, 16, 16), seed=4).block(5).noise)
