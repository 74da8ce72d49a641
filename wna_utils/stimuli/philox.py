"""Random numbers that follow from a seed and a number alone, the same on every device.

The generator is Philox4x32-10 (Salmon et al. 2011), counter-based: it gives random access to any of its numbers.
torch has it as `torch.func._random` (experimental, so that it is called here only); where torch lacks it, the few lines
below compute the same bits from integers.
"""

import math

import torch
from torch import Tensor

from wna_utils.stimuli.blocks import CPU

try:
    import torch.func._random as native
except ImportError:  # torch before 2.13
    native = None

Key = tuple[int, int]
WORD = 2**32 - 1
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
STEPS = (0x9E3779B9, 0xBB67AE85)  # of the key, from round to round
ROUNDS = 10
BITS = 24  # of a number between 0 and 1: what a float32 holds exactly


def uniform(seed: int, number: int, shape: tuple[int, ...], device: torch.device = CPU) -> Tensor:
    """Numbers in [0, 1), multiples of 2⁻²⁴, float32: always the same for a seed and a number, both of 64 bit.

    The same bits on every device; a smaller shape gives the first of them.
    """
    if _has_native(device):
        return native.uniform(native.fold_in(native.key(seed, device=device), number), *shape)
    words = philox(fold_in((seed, 0), number), math.prod(shape), device)
    return ((words & (2**BITS - 1)).float() / 2**BITS).view(shape)


def normal(seed: int, number: int, shape: tuple[int, ...], device: torch.device = CPU) -> Tensor:
    """Standard normal numbers, float32, from pairs of words (Box and Muller): none is beyond ±6.8.

    The same on every device to float32 rounding, since logarithms and cosines are not rounded alike everywhere.
    """
    if _has_native(device):
        return native.normal(native.fold_in(native.key(seed, device=device), number), *shape)
    count = math.prod(shape)
    words = philox(fold_in((seed, 0), number), count + count % 2, device).view(-1, 2)
    real = torch.float32 if device.type == "mps" else torch.float64
    first, second = ((words.to(real) + 0.5) / 2**32).unbind(1)  # in (0, 1)
    length, angle = (-2 * first.log()).sqrt(), 2 * math.pi * second
    both = torch.stack([length * angle.cos(), length * angle.sin()], 1)
    return both.flatten()[:count].float().view(shape)


def _has_native(device: torch.device) -> bool:
    return native is not None and device.type in ("cpu", "cuda")


def philox(key: Key, count: int, device: torch.device = CPU) -> Tensor:
    """The first `count` words of 32 bit of a key, (count,) int64: what `uniform` is made of, in plain integers."""
    start, blocks = key[1], -(-count // 4)
    index = torch.arange(blocks, dtype=torch.int64, device=device) + _signed(start)  # wraps round as 64 bit do
    counter = [index & WORD, (index >> 32) & WORD, torch.zeros_like(index), torch.zeros_like(index)]
    keys = [key[0] & WORD, key[0] >> 32]
    for _ in range(ROUNDS):
        (high, low), (other_high, other_low) = (
            _product(counter[place], factor) for place, factor in zip((0, 2), MULTIPLIERS, strict=True)
        )
        counter = [other_high ^ counter[1] ^ keys[0], other_low, high ^ counter[3] ^ keys[1], low]
        keys = [(each + step) & WORD for each, step in zip(keys, STEPS, strict=True)]
    return torch.stack(counter, 1).flatten()[:count]


def fold_in(key: Key, number: int) -> Key:
    """A key that follows from another key and a number."""
    words = philox((key[0], (key[1] + number) % 2**64), 4).tolist()
    return words[0] | words[1] << 32, words[2] | words[3] << 32


def _product(words: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """High and low 32 bit of the product of words and a factor, both of 32 bit."""
    product = words * factor  # its 64 bit are right, though their sign may not be
    return (product >> 32) & WORD, product & WORD


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number
