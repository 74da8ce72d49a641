import re
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from wna_utils.analysis.significance import significant
from wna_utils.networks.observer import Observer
from wna_utils.observe.cells import CellTally
from wna_utils.observe.loop import observe
from wna_utils.observe.recording import Recording
from wna_utils.observe.tally import ClassTally
from wna_utils.stimuli.blocks import Block, Source
from wna_utils.stimuli.pictures import SignalPlusNoise
from wna_utils.stimuli.white import WhiteNoise


class AtRandom(torch.nn.Module):
    """An observer whose answers have nothing to do with what it sees: they hang on bits far below the noise."""

    def __init__(self, classes):
        super().__init__()
        self.classes = classes

    def forward(self, x):
        bits = (x.flatten(1).double() * 2**24).long().sum(1)
        return torch.nn.functional.one_hot((bits * 2654435761 >> 7) % self.classes, self.classes)


def test_maps_match_brute_force(noise):
    images, rows = noise.block(0).stimuli, torch.arange(2000) % 3
    tally = ClassTally.of(3, noise.shape)
    tally.count(images, rows)
    for k in range(3):
        chosen = images[rows == k].double().numpy()
        assert tally.counts[k] == len(chosen)
        np.testing.assert_allclose(tally.means[k], chosen.mean(0), atol=1e-7)
        np.testing.assert_allclose(tally.standard_error[k], chosen.std(0, ddof=1) / len(chosen) ** 0.5, rtol=1e-5)


def test_deviations_and_rms_match_brute_force(noise):
    images, rows = noise.block(0).stimuli, torch.arange(2000) % 3
    tally = ClassTally.of(4, noise.shape)
    tally.count(images, rows)
    assert tally.reached.tolist() == [True, True, True, False]
    for k in range(3):
        chosen = images[rows == k].double()
        np.testing.assert_allclose(tally.deviations[k], chosen.mean(0) - images.double().mean(0), atol=1e-6)
        np.testing.assert_allclose(tally.rms[k], chosen.square().mean(0).sqrt(), atol=1e-6)
    assert np.ma.getmaskarray(tally.deviations)[3].all()
    assert np.ma.getmaskarray(tally.rms)[3].all()


def test_standard_error_is_what_theory_says(noise):
    for n in (1_000, 4_000, 16_000):
        tally = observe(AtRandom(2), noise, n)
        theory = 1 / np.sqrt(12 * tally.counts)
        np.testing.assert_allclose(tally.standard_error.mean((1, 2, 3)), theory, rtol=0.03)


def test_z_of_a_random_observer_is_standard_normal():
    tally = observe(AtRandom(5), WhiteNoise((1, 28, 28), seed=1), 50_000)
    z = tally.z.ravel()
    assert abs(z.mean()) < 0.05
    assert abs(z.std() - 1) < 0.05
    assert abs((np.abs(z) > 1.96).mean() - 0.05) < 0.015


def test_false_discoveries_are_rare_under_a_random_observer():
    found = [significant(observe(AtRandom(4), WhiteNoise((1, 16, 16), seed=seed), 4_000).z).any() for seed in range(40)]
    assert sum(found) <= 6  # 5 % of 40 is 2; 7 or more has a probability below 1 %


def test_a_planted_template_is_significant_everywhere_it_should_be(planted, noise):
    tally = observe(planted, noise, 50_000)
    strong = planted.templates[0].abs().numpy() > 0.5
    assert significant(tally.z)[0].ravel()[strong].mean() > 0.95


def test_class_without_images_is_masked_and_never_zero(noise):
    tally = ClassTally.of(3, noise.shape)
    tally.count(noise.block(0).stimuli, torch.zeros(2000, dtype=torch.long))
    assert tally.counts.tolist() == [2000, 0, 0]
    for maps in (tally.means, tally.standard_error):
        assert not np.ma.getmaskarray(maps)[0].any()
        assert np.ma.getmaskarray(maps)[1:].all()
        assert np.isnan(np.ma.getdata(maps)[1:]).all()
    assert np.ma.getmaskarray(tally.z).all()  # all images in one class: nothing to compare it with


def test_one_image_has_a_mean_but_no_standard_error(noise):
    tally = ClassTally.of(2, noise.shape)
    tally.count(noise.block(0).stimuli[:3], torch.tensor([0, 1, 1]))
    assert not np.ma.getmaskarray(tally.means).any()
    assert np.ma.getmaskarray(tally.standard_error)[0].all()


def test_empty_tally_is_all_masked(noise):
    tally = ClassTally.of(2, noise.shape)
    assert tally.n == 0
    assert all(np.ma.getmaskarray(maps).all() for maps in (tally.means, tally.standard_error, tally.z))


def test_save_and_load_give_the_same_tally(tmp_path, planted, noise):
    tally = observe(planted, noise, 3_000)
    tally.save(tmp_path / "tally.safetensors")
    assert ClassTally.load(tmp_path / "tally.safetensors") == tally


def test_damaged_or_missing_file_is_refused(tmp_path, planted, noise):
    path = tmp_path / "tally.safetensors"
    with pytest.raises(ValueError, match="not a whole tally file"):
        ClassTally.load(path)
    observe(planted, noise, 3_000).save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="not a whole tally file"):
        ClassTally.load(path)


def test_tallies_of_different_shapes_do_not_add():
    with pytest.raises(ValueError, match="do not add"):
        ClassTally.of(2, (1, 8, 8)) + ClassTally.of(3, (1, 8, 8))


def test_cells_keep_signal_and_response_apart():
    images = torch.rand(4, 1, 8, 8)
    tally = CellTally(2)
    tally.prepare(Observer(lambda x: x.flatten(1)[:, :2], (1, 8, 8)))
    tally.add(Block(0, images, images - 1, torch.tensor([0, 0, 1, 1])), {"scores": torch.eye(2)[[0, 1, 1, 1]]})
    assert tally.counts.tolist() == [[1, 1], [0, 2]]
    np.testing.assert_allclose(tally.means("stimuli")[1, 1], images[2:].mean(0), atol=1e-6)
    np.testing.assert_allclose(tally.means("noise")[0, 1], images[1] - 1, atol=1e-6)
    assert np.ma.getmaskarray(tally.means("noise"))[1, 0].all()
    np.testing.assert_allclose(tally.by_response("stimuli").means[1], images[1:].mean(0), atol=1e-6)


def test_integers_that_would_overflow_are_refused_before_they_do(noise):
    bright = 250 * noise.block(0).stimuli
    tally = ClassTally.of(2, noise.shape)
    tally._sums["squares"] += 2**63 - 2**45
    tally.count(bright, torch.zeros(2000, dtype=torch.long))
    with pytest.raises(ValueError, match="cannot hold its sums: show fewer images"):
        tally.require_whole()


def test_tallies_whose_sum_would_overflow_do_not_add(noise):
    one, other = (ClassTally.of(2, noise.shape) for _ in range(2))
    for each in (one, other):
        each._sums["squares"] += 2**62
    with pytest.raises(ValueError, match="cannot hold its sums"):
        one + other


def test_tallies_of_different_kinds_do_not_add(planted, noise):
    cells = observe(planted, noise, 2_000, into=CellTally(2), cache=False)
    with pytest.raises(ValueError, match="a ClassTally and a CellTally do not add"):
        observe(planted, noise, 2_000, cache=False) + cells


def test_a_tally_to_be_filled_must_be_empty(planted, noise):
    tally = observe(planted, noise, 2_000, cache=False)
    with pytest.raises(ValueError, match="must be empty"):
        observe(planted, noise, 2_000, into=tally)


class Bright(Source):
    """Pixels near 250."""

    shape = (1, 8, 8)

    def block(self, number, device="cpu"):
        return Block.of_noise(number, 250 - WhiteNoise(self.shape).block(number, device).stimuli)


@dataclass(frozen=True)
class Narrow(Source):
    """Pixels in a narrow range around a large number."""

    around: float
    shape: tuple[int, int, int] = (1, 8, 8)

    def block(self, number, device="cpu"):
        return Block.of_noise(number, self.around + WhiteNoise(self.shape).block(number, device).stimuli)


def test_sums_of_large_pixels_are_exact_or_refused(planted):
    whole = observe(planted, Narrow(1_000.0), 2_000)
    assert observe(planted, Narrow(1_000.0), 777) + observe(planted, Narrow(1_000.0), 1_223, start=777) == whole
    with pytest.raises(ValueError, match="cannot hold its sums"):
        observe(planted, Narrow(3_000.0), 2_000)


def test_tally_that_could_not_be_filled_is_empty_again(planted):
    tally = ClassTally()
    with pytest.raises(ValueError, match="cannot hold its sums"):
        observe(planted, Narrow(3_000.0), 2_000, into=tally)
    assert tally.empty
    assert observe(planted, Narrow(0.0), 2_000, into=tally) is tally


def test_tallies_of_other_settings_do_not_add(planted, noise):
    source = SignalPlusNoise(torch.rand(2, 1, 8, 8), torch.tensor([0, 1]), noise, 0.3)
    two, other = (observe(planted, source, 2_000, into=CellTally(n)) for n in (2, 3))
    with pytest.raises(ValueError, match="different shapes or settings do not add"):
        two + other


def test_labels_that_are_no_signals_are_told(planted, noise):
    source = SignalPlusNoise(torch.rand(2, 1, 8, 8), torch.tensor([0, 7]), noise, 0.3)
    with pytest.raises(ValueError, match="signals must lie between 0 and 1; got 7"):
        observe(planted, source, 2_000, into=CellTally(2))


def test_too_many_bright_stimuli_are_refused_before_any_work(planted):
    with pytest.raises(ValueError, match=r"pixels as large as 250 overflow .*: show 8,796,\d+ at most, or scale them"):
        observe(planted, Bright(), 10_000_000)
    assert observe(planted, Bright(), 2_000).standard_error.min() > 0


def test_tally_says_what_was_counted(planted, noise):
    assert repr(ClassTally()) == "<ClassTally, empty>"
    assert re.fullmatch(r"<ClassTally, 1,200 images, of 2 of 2 classes>", repr(observe(planted, noise, 1_200)))
    trials = observe(planted, noise, 300, into=CellTally(3))
    assert re.fullmatch(r"<CellTally, 300 trials of 3 signals, in 2 of 6 cells>", repr(trials))
    assert "by_block (1, 2)" in repr(observe(planted, noise, 300, into=Recording(ClassTally(), 1)))
