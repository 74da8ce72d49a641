"""The committed records hold what their plans say, and blocks of noise shown again are contained in them."""

from dataclasses import replace

import pytest
import torch

from wna_utils.networks import architectures
from wna_utils.observe.loop import observe
from wna_utils.observe.tally import ClassTally
from wna_utils.report import records
from wna_utils.report.records import PLANS
from wna_utils.stimuli.blocks import LARGEST as BLOCK
from wna_utils.stimuli.white import WhiteNoise

BLOCK_SHOWN = 41


@pytest.mark.parametrize("name", PLANS)
def test_a_block_shown_again_is_contained_in_the_record(name):
    record = records.load(name)
    assert record.plan == PLANS[name]
    assert record.tally.n == record.plan.n == len(record.by_block) * BLOCK
    again = record.shown_again(BLOCK_SHOWN)
    for name, part in again.tally.tensors().items():
        whole = record.tally.tensors()[name]
        if record.plan.layer:  # groups of blocks, of which this one has only the first
            part, whole = part.sum(0), whole.sum(0)
        if (part >= 0).all():  # counts and sums of what cannot be negative
            assert (part <= whole).all()
    assert record.difference(BLOCK_SHOWN, again) < 0.005  # answers that hang on how the hardware rounds


@pytest.mark.parametrize("name", PLANS)
def test_blocks_add_up_to_the_record(name):
    record = records.load(name)
    tensors = record.tally.tensors()
    whole = tensors["counts"] if "counts" in tensors else tensors["responses"].sum((0, 2, 3))
    assert torch.equal(record.by_block.sum(0), whole)
    assert {"commit", "date", "device", "seconds", "versions", "accuracy"} <= record.made.keys()


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Plans of a few thousand images, on digits, recorded elsewhere."""
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    for name in ("mnist-white", "mnist-gabor", "mnist-conv2"):
        monkeypatch.setitem(PLANS, name, replace(PLANS[name], dataset="digits", n=4_000))


@pytest.mark.parametrize("name", ["mnist-white", "mnist-gabor", "mnist-conv2"])
def test_records_can_be_made_anew(small, name, monkeypatch):
    monkeypatch.setattr(records.training, "recipe_of", lambda *_: records.training.Recipe(epochs=1))
    records.make(name)
    record = records.load(name)
    assert record.tally.n == 4_000
    again = record.shown_again(1)
    assert record.difference(1, again) == 0
    record.by_block[1, 0] += 1_000_000
    assert record.difference(1, again) > 0
    with pytest.raises(ValueError, match="block must lie between 0 and 1"):
        record.shown_again(2)


def test_missing_damaged_or_unknown_record_is_told(small, tmp_path):
    with pytest.raises(ValueError, match="missing or damaged: fetch it again"):
        records.load("mnist-white")
    (tmp_path / "mnist-white.safetensors").write_bytes(b"half a record")
    with pytest.raises(ValueError, match="missing or damaged: fetch it again"):
        records.load("mnist-white")
    with pytest.raises(ValueError, match="record must be one of mnist-white"):
        records.load("imagenet")


def test_records_add_up_and_leave_their_parts_alone():
    network = architectures.build("mlp", (1, 8, 8), 3, seed=0)
    first, second, whole = (
        observe(network, WhiteNoise((1, 8, 8)), n, into=records.Blockwise(ClassTally(), 2), start=start)
        for start, n in ((0, BLOCK), (BLOCK, BLOCK), (0, 2 * BLOCK))
    )
    assert first + second == whole
    assert first.tally.n == second.tally.n == BLOCK
