import pytest
import torch

from wna_utils.networks.training import Recipe, trained
from wna_utils.stimuli.blocks import LARGEST as BLOCK
from wna_utils.stimuli.generated import GeneratedNoise
from wna_utils.support.identity import identity

QUICK = Recipe(epochs=1, batch_size=64, precision="float32")


@pytest.fixture
def generators(digits):
    return {name: trained(name, digits, recipe=QUICK) for name in ("autoencoder", "vae")}


@pytest.mark.parametrize(
    ("name", "codes"), [("autoencoder", "observed"), ("autoencoder", "uniform"), ("vae", "normal")]
)
def test_blocks_follow_from_seed_and_number_alone(name, codes, generators, digits):
    source, again = (GeneratedNoise(generators[name], digits, codes, seed=2) for _ in range(2))
    source.block(0)
    third = source.block(3).stimuli
    assert third.shape == (BLOCK, 1, 28, 28)
    assert not third.requires_grad
    assert torch.equal(third, again.block(3).stimuli)
    assert not torch.equal(third, again.block(2).stimuli)
    assert not torch.equal(third, GeneratedNoise(generators[name], digits, codes, seed=3).block(3).stimuli)


def test_observed_codes_fill_the_range_of_the_training_images(generators, digits):
    generator, seen = generators["autoencoder"], []
    source = GeneratedNoise(generator, digits, "observed")
    source._generator.decode = lambda codes: seen.append(codes) or digits.x_train[:1].expand(len(codes), -1, -1, -1)
    source.block(0)
    with torch.inference_mode():
        observed = generator.encode(digits.x_train)
    low, high = observed.amin(0), observed.amax(0)
    assert ((seen[0] >= low - 1e-5) & (seen[0] <= high + 1e-5)).all()
    spanned = seen[0].amax(0) - seen[0].amin(0)
    torch.testing.assert_close(spanned, high - low, rtol=0.02, atol=1e-5)


def test_identity_tells_generators_codes_and_seeds_apart(generators, digits):
    sources = [
        GeneratedNoise(generators["vae"], digits, "normal"),
        GeneratedNoise(generators["vae"], digits, "normal", seed=1),
        GeneratedNoise(generators["vae"], digits, "uniform"),
        GeneratedNoise(generators["vae"], digits, "observed"),
        GeneratedNoise(generators["autoencoder"], digits, "normal"),
    ]
    assert len({identity(source) for source in sources}) == len(sources)
    assert identity(sources[0]) == identity(GeneratedNoise(generators["vae"], digits, "normal"))


def test_bad_input_is_named_in_one_sentence(generators, digits):
    with pytest.raises(ValueError, match="codes must be one of normal, uniform, observed; got 'gauss'"):
        GeneratedNoise(generators["vae"], digits, "gauss")
    with pytest.raises(ValueError, match="seed must be 0 or more; got -1"):
        GeneratedNoise(generators["vae"], digits, "normal", seed=-1)
