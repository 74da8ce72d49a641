"""Generated noise: what an autoencoder or a variational autoencoder makes of random codes (the paper's Fig. 15)."""

import torch

from wna_utils.data.datasets import Dataset
from wna_utils.networks.freezing import frozen
from wna_utils.networks.generators import Generator
from wna_utils.stimuli.blocks import CPU, Block, Source
from wna_utils.stimuli.philox import normal, uniform
from wna_utils.support.checks import one_of
from wna_utils.support.checks import seed as checked_seed

CODES = ("normal", "uniform", "observed")


class GeneratedNoise(Source):
    """Images decoded from random codes: standard normal, uniform in [0, 1), or uniform over an observed range.

    "normal" is the prior of a variational autoencoder. A plain autoencoder has none: "observed" draws each number of
    the code evenly from the range that it takes on the training images of `dataset`, as Gabor–PCA noise draws scores.
    Block i depends on (seed, i) alone.

    Raises `ValueError` for another kind of codes, a seed that is not whole or beyond 64 bit, or "observed" codes
    without a data set.
    """

    def __init__(self, generator: Generator, dataset: Dataset, codes: str, seed: int = 0):
        one_of("codes", codes, CODES)
        self._generator = frozen(generator, CPU)
        self.shape, self.codes, self.seed = dataset.shape, codes, checked_seed("seed", seed)
        self._low, self._range = torch.zeros(generator.code_size), torch.ones(generator.code_size)
        if codes == "observed":
            with torch.no_grad():
                observed = self._generator.encode(dataset.x_train)
            self._low, self._range = observed.amin(0), observed.amax(0) - observed.amin(0)

    @torch.no_grad()
    def block(self, number: int, device: torch.device = CPU) -> Block:
        size, device = (self.block_size, self._generator.code_size), torch.device(device)
        if self.codes == "normal":
            codes = normal(self.seed, number, size, device)
        else:
            codes = uniform(self.seed, number, size, device) * self._range.to(device) + self._low.to(device)
        return Block.of_noise(number, self._generator.to(device).decode(codes))
