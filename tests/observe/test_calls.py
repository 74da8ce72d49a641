"""What stimuli are called and how all classes score, counted without their pixels."""

import numpy as np
import pytest
import torch

from wna_utils.analysis.calls import effective_classes, share_of_highest
from wna_utils.observe.calls import CallTally
from wna_utils.observe.loop import observe
from wna_utils.observe.recording import Recording, packed, unpacked
from wna_utils.stimuli.blocks import SmallBlocks
from wna_utils.stimuli.white import WhiteNoise

NOISE = SmallBlocks(WhiteNoise((1, 8, 8), seed=2), 50)


class Observer(torch.nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, :7] * torch.arange(1.0, 8.0)


def scores_of(blocks):
    return torch.cat([Observer()(NOISE.block(number).stimuli) for number in range(blocks)]).double()


def test_calls_and_scores_are_those_counted_by_hand():
    tally = observe(Observer(), NOISE, 500, into=CallTally(), cache=False)
    scores = scores_of(10)
    assert tally.n == 500
    assert tally.counts.tolist() == scores.argmax(1).bincount(minlength=7).tolist()
    np.testing.assert_allclose(tally.means, scores.mean(0), atol=1e-6)
    np.testing.assert_allclose(tally.spread, scores.std(0, correction=0), atol=1e-5)


def test_parts_add_up_to_the_whole():
    whole = observe(Observer(), NOISE, 500, into=CallTally(), cache=False)
    first = observe(Observer(), NOISE, 300, into=CallTally(), cache=False)
    rest = observe(Observer(), NOISE, 200, into=CallTally(), start=300, cache=False)
    assert first + rest == whole


def test_record_keeps_them_and_what_each_block_added():
    recording = observe(Observer(), NOISE, 500, into=Recording(CallTally(), 10), cache=False)
    assert len(recording.parts) == 1
    kept = unpacked(packed(recording, 50), 50)
    assert torch.equal(kept["by_block"].sum(0), recording.tensors()["0 counts"])
    again = Recording(CallTally(), 10)
    again.restore(kept)
    assert again.whole.counts.tolist() == recording.whole.counts.tolist()
    np.testing.assert_allclose(again.whole.means, recording.whole.means, rtol=1e-6)


def test_score_of_minus_infinity_is_told():
    class Certain(torch.nn.Module):
        def forward(self, x):
            return torch.tensor([0.0, -torch.inf]).expand(len(x), 2)

    with pytest.raises(ValueError, match="scores of −∞ have no mean: have the network answer with probabilities"):
        observe(Certain(), NOISE, 50, into=CallTally(), cache=False)


def test_no_stimuli_have_no_calls():
    tally = CallTally()
    with pytest.raises(ValueError, match="n must be 1 or more"):
        observe(Observer(), NOISE, 0, into=tally)
    assert tally.empty


@pytest.mark.parametrize(("counts", "expected"), [([5, 5, 5, 5], 4), ([9, 0, 0], 1), ([0, 0], np.nan)])
def test_effective_number_of_classes(counts, expected):
    assert effective_classes(np.array(counts)) == pytest.approx(expected, nan_ok=True)


def test_share_that_the_highest_scores_have():
    counts, scores = np.array([10, 0, 30, 60]), np.array([3.0, 2.0, 1.0, 0.0])
    assert share_of_highest(counts, scores, top=2) == pytest.approx(0.1)
    assert share_of_highest(counts, scores, top=10) == 1
    assert np.isnan(share_of_highest(0 * counts, scores))
