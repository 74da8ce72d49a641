"""A recording holds its parts and its blocks, and what is packed of it comes back."""

import pytest
import torch

from wna_utils.networks.architectures import build
from wna_utils.networks.layers import readout
from wna_utils.observe.loop import observe
from wna_utils.observe.recording import OWN, WHOLE, Recording, in_halves, packed, unpacked
from wna_utils.observe.spike_triggered_average import FieldTally
from wna_utils.observe.tally import UNIT, ClassTally
from wna_utils.stimuli.white import WhiteNoise

SHAPE = (1, 16, 16)
NOISE = WhiteNoise(SHAPE, seed=5)
BLOCK = NOISE.block_size


@pytest.fixture(scope="module")
def network():
    return build("cnn", SHAPE, 3, seed=0).eval()


def shown(network, blocks, into, start=0):
    return observe(network, NOISE, blocks * BLOCK, into=into, start=start * BLOCK, cache=False)


def test_parts_are_even_and_odd_blocks(network):
    recording = shown(network, 3, Recording(ClassTally(), 3))
    each = [shown(network, 1, None, start) for start in range(3)]
    assert recording.parts[0] == each[0] + each[2]
    assert recording.parts[1] == each[1]
    assert recording.whole == shown(network, 3, None)
    assert torch.equal(recording.by_block, torch.stack([torch.from_numpy(tally.counts) for tally in each]))
    pixels = [int(NOISE.block(i).stimuli.double().sum() * UNIT) for i in range(3)]
    assert recording.brightness.tolist() == pixels


def test_units_stay_in_one_part(network):
    units = readout(network, "conv1")
    recording = shown(units, 2, Recording(FieldTally(), 2))
    assert recording.whole == shown(units, 2, FieldTally())
    first = shown(units, 1, FieldTally()).tensors()["responses"].sum((0, 2, 3))
    assert torch.equal(recording.by_block[0], first)


def test_rows_count_from_the_first_block(network):
    later = shown(network, 1, Recording(ClassTally(), 1, first=2), start=2)
    whole = shown(network, 3, Recording(ClassTally(), 3))
    assert torch.equal(later.by_block[0], whole.by_block[2])


@pytest.mark.parametrize(("kind", "layer"), [(ClassTally, ""), (FieldTally, "conv2")])
def test_what_is_packed_comes_back(network, kind, layer):
    units = readout(network, layer) if layer else network
    recording = shown(units, 2, Recording(kind(), 2))
    small = packed(recording, BLOCK)
    assert small["added"].element_size() == 2
    back, before = unpacked(small, BLOCK), recording.tensors()
    assert back.keys() == before.keys()
    for name in back.keys() - set(OWN):
        rounding = 0 if name.split(" ", 1)[1] in WHOLE else 2**-24
        torch.testing.assert_close(back[name].double(), before[name].double(), rtol=rounding, atol=0)
    torch.testing.assert_close(back["by_block"].double(), before["by_block"].double(), rtol=2**-11, atol=UNIT)
    torch.testing.assert_close(back["brightness"].double(), before["brightness"].double(), rtol=2**-24, atol=0)


def test_recordings_add_up_and_leave_their_parts_alone(network):
    first, second, whole = (
        shown(network, n, Recording(ClassTally(), 2), start) for start, n in ((0, 1), (1, 1), (0, 2))
    )
    assert first + second == whole
    assert first.whole.n == second.whole.n == BLOCK


def test_halves_are_of_different_images_and_together_the_whole(network):
    found = in_halves(network, WhiteNoise(SHAPE), 3 * BLOCK)
    assert [part.n for part in found.parts] == [2 * BLOCK, BLOCK]
    assert found.whole == observe(network, WhiteNoise(SHAPE), 3 * BLOCK)
