import os
import signal
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pytest
import torch

from tests.conftest import Linear
from wna_utils.networks import architectures
from wna_utils.observe import loop as observing
from wna_utils.observe.cells import CellTally
from wna_utils.observe.loop import NotCached, observe
from wna_utils.stimuli.blocks import LARGEST as BLOCK
from wna_utils.stimuli.blocks import Source
from wna_utils.stimuli.pictures import SignalPlusNoise
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support.paths import cache_dir

N = 3 * BLOCK + 700


def test_planted_template_is_recovered(planted, noise):
    tally = observe(planted, noise, 100_000)
    found = (tally.means[0] - tally.means[1]).ravel()
    assert np.corrcoef(found, planted.templates[0])[0, 1] > 0.98


def test_streaming_equals_brute_force(planted, noise):
    tally = observe(planted, noise, N)
    images = torch.cat([noise.block(i).stimuli for i in range(4)])[:N]
    responses = planted(images).argmax(1)
    for k in range(2):
        assert tally.counts[k] == (responses == k).sum()
        np.testing.assert_allclose(tally.means[k], images[responses == k].double().mean(0), atol=1e-7)


@pytest.mark.parametrize("cuts", [[BLOCK], [1, BLOCK - 1, 2 * BLOCK + 5], [2 * BLOCK, 2 * BLOCK + 1]])
def test_split_and_merge_order_do_not_change_a_bit(planted, noise, cuts):
    whole = observe(planted, noise, N, cache=False)
    ends = [0, *cuts, N]
    parts = [observe(planted, noise, stop - start, start=start, cache=False) for start, stop in pairwise(ends)]
    forwards, backwards = parts[0], parts[-1]
    for part in parts[1:]:
        forwards = forwards + part
    for part in parts[-2::-1]:
        backwards = part + backwards
    assert forwards == whole
    assert backwards == whole


def test_batch_size_flips_no_more_than_ties(digits):
    network = architectures.build("cnn", digits.shape, 10, seed=0)
    noise = WhiteNoise(digits.shape)
    small, large = (observe(network, noise, 20_000, batch_size=size, cache=False) for size in (37, 2000))
    assert np.abs(small.counts - large.counts).sum() <= 2  # one label in 100,000 leaves none here; allow one
    filled = small.counts > 1000
    np.testing.assert_allclose(small.means[filled], large.means[filled], atol=1e-5)


class Flaky(Source):
    """Noise that fails at blocks that are named in a file, once, and writes down in another what it was asked for."""

    def __init__(self, noise, folder):
        self.noise, self.shape, self.folder = noise, noise.shape, folder

    def block(self, number, device="cpu"):
        failing = self.folder / f"fails at {number}"
        if failing.exists():
            failing.unlink()
            raise ConnectionError
        with (self.folder / "shown").open("a") as shown:
            shown.write(f"{number} ")
        return self.noise.block(number, device)


@pytest.fixture
def flaky(noise, tmp_path):
    return Flaky(noise, tmp_path)


def shown_since_last(flaky):
    """Numbers of the blocks that were asked for since this was last called."""
    shown = (flaky.folder / "shown").read_text()
    (flaky.folder / "shown").unlink()
    return [int(number) for number in shown.split()]


def test_interrupted_run_goes_on_to_the_identical_tally(planted, noise, flaky, monkeypatch):
    monkeypatch.setattr(observing, "CHECKPOINT_EVERY", 0.0)
    (flaky.folder / "fails at 2").touch()
    with pytest.raises(ConnectionError):
        observe(planted, flaky, N)
    [checkpoint] = (cache_dir() / "tallies").glob("*.safetensors")
    _, images = observing.tallies.read(checkpoint)
    assert images == 2 * BLOCK
    shown_since_last(flaky)
    resumed = observe(planted, flaky, N)
    # Block 0 is for a look at how large the pixels are; the last one, twice, at whether it is the same each time.
    assert shown_since_last(flaky) == [0, 3, 3, 2, 3]
    assert resumed == observe(planted, noise, N, cache=False)


KILLED = """
import sys, torch
from wna_utils.networks import architectures
from wna_utils.observe import loop as observing
from wna_utils.stimuli.white import WhiteNoise
observing.CHECKPOINT_EVERY = 0.2
network = architectures.build(sys.argv[1], (1, 28, 28), 10, seed=0)
observing.observe(network, WhiteNoise((1, 28, 28)), int(sys.argv[2]), device="cpu")
"""


@pytest.mark.slow
def test_killed_process_leaves_a_whole_checkpoint_that_resumes(tmp_path):
    n = 20_000
    environment = {**os.environ, "WNA_CACHE": str(tmp_path / "cache")}
    process = subprocess.Popen([sys.executable, "-c", KILLED, "cnn", str(n)], env=environment)
    folder = tmp_path / "cache" / "tallies"
    deadline = time.monotonic() + 60
    while not list(folder.glob("*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    [checkpoint] = folder.glob("*.safetensors")
    _, images = observing.tallies.read(checkpoint)
    assert 0 < images < n
    network, noise = architectures.build("cnn", (1, 28, 28), 10, seed=0), WhiteNoise((1, 28, 28))
    resumed = observe(network, noise, n, device="cpu")
    assert list(folder.glob("*.safetensors")) == [checkpoint]
    assert resumed == observe(network, noise, n, device="cpu", cache=False)


def test_finished_run_comes_from_the_cache(planted, flaky):
    first = observe(planted, flaky, N)
    shown_since_last(flaky)
    assert observe(planted, flaky, N) == first
    assert shown_since_last(flaky) == [0]  # for a look at how large the pixels are; nothing else is shown again


def test_damaged_checkpoint_is_made_again(planted, noise):
    first = observe(planted, noise, N)
    [checkpoint] = (cache_dir() / "tallies").glob("*.safetensors")
    checkpoint.write_bytes(checkpoint.read_bytes()[:50])
    assert observe(planted, noise, N) == first


def test_cache_tells_networks_apart(planted, noise):
    other = Linear(planted.templates.flip(0))
    assert observe(planted, noise, N) != observe(other, noise, N)


def test_network_with_a_hook_is_never_taken_from_the_cache_and_that_is_said(noise):
    network = architectures.build("logistic", noise.shape, 2, seed=0)
    first = observe(network, noise, N)
    network.fc.register_forward_hook(lambda module, arguments, scores: -scores)
    with pytest.warns(NotCached, match="shown anew every time: .*hook"):
        assert (observe(network, noise, N).counts == first.counts[::-1]).all()


def test_network_is_not_changed(digits):
    network = architectures.build("cnn", digits.shape, 10, seed=0).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    observe(network, WhiteNoise(digits.shape), 500)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_any_function_can_be_the_observer(noise):
    with pytest.warns(NotCached, match="a plain function"):
        tally = observe(lambda x: torch.stack([x.mean((1, 2, 3)), 1 - x.mean((1, 2, 3))], 1), noise, 5_000)
    assert tally.means[0].mean() > 0.5 > tally.means[1].mean()
    assert not cache_dir().exists()


def test_class_never_chosen_has_no_map(noise):
    never = torch.tensor([0.0, 1.0, -1.0])
    tally = observe(lambda x: never.expand(len(x), 3), noise, N, cache=False)
    assert tally.counts.tolist() == [0, N, 0]
    assert np.ma.getmaskarray(tally.means)[[0, 2]].all()


def test_cells_add_up_to_the_trials(planted, noise):
    source = SignalPlusNoise(torch.rand(6, 1, 8, 8), torch.tensor([0, 1] * 3), noise, 0.2)
    tally = observe(planted, source, N, into=CellTally(2))
    assert tally.counts.sum(1).tolist() == [N // 2, N // 2]
    assert observe(planted, source, N, into=CellTally(2)).noise == tally.noise


def test_bf16_is_close(digits):
    network = architectures.build("cnn", digits.shape, 10, seed=0)
    exact, fast = (observe(network, WhiteNoise(digits.shape), 5_000, precision=p) for p in ("float32", "bf16"))
    assert np.abs(exact.counts - fast.counts).sum() < 0.2 * 5_000


# On Linux, resource would tell the peak of the process that started this one, if that was higher.
PEAK = """
import resource, sys
from pathlib import Path
if sys.platform == "linux":
    print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_n():
    code = KILLED + PEAK
    runs = [[sys.executable, "-c", code, "logistic", n] for n in ("10000", "60000")]
    peaks = [int(subprocess.run(run, capture_output=True, text=True, check=True).stdout) for run in runs]
    unit = 1 if sys.platform == "darwin" else 1024
    assert max(peaks) * unit < 1.5e9
    assert (peaks[1] - peaks[0]) * unit < 6e7  # all of the larger run's noise would be 1.9e8


LARGE = """
import torch
from wna_utils.observe.loop import observe
from wna_utils.stimuli.white import WhiteNoise
layers = torch.nn.Conv2d(3, 8, 7, 4), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(24200, 9)
network = torch.nn.Sequential(*layers)
observe(network, WhiteNoise((3, 224, 224)), 200, cache=False)
"""


@pytest.mark.slow
def test_large_images_take_little_memory():
    run = [sys.executable, "-c", LARGE + PEAK]
    peak = int(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    assert peak * (1 if sys.platform == "darwin" else 1024) < 1.5e9


def nan_network():
    network = architectures.build("logistic", (1, 8, 8), 2, seed=0)
    network.fc.weight.data[0, 0] = float("nan")
    return network


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"n": 0}, "n must be 1 or more; got 0"),
        ({"n": -5}, "n must be 1 or more; got -5"),
        ({"n": 2.5}, "n must be a whole number; got 2.5"),
        ({"n": True}, "n must be a whole number; got True"),
        ({"batch_size": 0}, "batch_size must be 1 or more; got 0"),
        ({"start": -1}, "start must be 0 or more; got -1"),
        ({"device": "tpu"}, "device must be one of auto, .*cpu; got 'tpu'"),
        ({"precision": "half"}, "precision must be one of float32, bf16; got 'half'"),
        ({"observer": nan_network()}, "NaN or infinity in fc.weight"),
        ({"observer": lambda x: x.mean((1, 2, 3))}, r"must answer with a row of scores .*; got shape \(2,\) for 2"),
        ({"observer": lambda x: x[:, :, :5]}, r"must answer \(b, K\) scores.*got shape \(b, 1, 5, 8\)"),
        ({"observer": lambda x: [0, 1]}, r"must answer with a row of scores .*; got list for 2"),
        (
            {"observer": architectures.build("cnn", (1, 28, 28), 2, seed=0)},
            r"cannot take stimuli of shape \(b, 1, 8, 8\)",
        ),
    ],
)
def test_bad_input_stops_before_any_work(planted, noise, change, sentence, monkeypatch):
    monkeypatch.setattr(observing, "shown", lambda *_: pytest.fail("work was begun"))
    arguments = {"observer": planted, "source": noise, "n": 100, **change}
    if not isinstance(arguments["observer"], torch.nn.Module):
        arguments["cache"] = False
    with pytest.raises(ValueError, match=sentence) as caught:
        observe(**arguments)
    assert "\n" not in str(caught.value)
    assert not cache_dir().exists()


def test_scores_that_turn_nan_on_the_way_are_noticed(noise):
    def sometimes(x):
        scores = torch.zeros(len(x), 2)
        return scores / 0 if len(x) > 2 else scores

    with pytest.raises(ValueError, match="not finite"):
        observe(sometimes, noise, 100, cache=False)
