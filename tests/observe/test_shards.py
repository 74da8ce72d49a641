import os
import signal

import pytest
import torch

from wna_utils.networks.observer import Observer
from wna_utils.observe.cells import CellTally
from wna_utils.observe.loop import observe
from wna_utils.observe.shards import observe_on
from wna_utils.observe.spike_triggered_average import FieldTally, spike_triggered
from wna_utils.stimuli.pictures import SignalPlusNoise
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support.workers import cluster

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client():
    with cluster(jobs=2) as client:
        yield client


def test_merged_shards_are_the_local_tally(client, planted, noise):
    local = observe(planted, noise, 50_500, cache=False)
    assert observe_on(client, planted, noise, 50_500, shard=20_000, cache=False) == local
    assert observe_on(client, planted, noise, 50_500, shard=6_000, cache=False) == local
    assert observe_on(client, planted, noise, 50_500, cache=False) == local


def test_an_observer_can_be_sent_too(client, planted, noise):
    observer = Observer(planted, noise.shape)
    assert observe_on(client, observer, noise, 9_000, shard=4_000, cache=False) == observe(observer, noise, 9_000)


def test_tallies_of_cells_can_be_merged(client, planted):
    signals = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    source = SignalPlusNoise(signals, torch.tensor([0, 1, 1]), WhiteNoise((1, 8, 8)), gamma=0.3)
    local = observe(planted, source, 25_000, into=CellTally(2), cache=False)
    assert observe_on(client, planted, source, 25_000, into=CellTally(2), shard=20_000, cache=False) == local


def test_averages_of_fields_can_be_merged(client, noise):
    torch.manual_seed(0)
    units = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU())
    local = spike_triggered(units, noise, 42_000, cache=False)
    assert observe_on(client, units, noise, 42_000, into=FieldTally(), shard=6_000, cache=False) == local


def test_a_mistake_on_a_worker_is_told_here(client, planted, noise):
    with pytest.raises(ValueError, match="the observer is for stimuli of shape"):
        observe_on(client, Observer(planted, noise.shape), WhiteNoise((1, 9, 9)), 4_000, cache=False)


class KillsItsWorkerOnce(WhiteNoise):
    """White noise whose fourth block takes the process with it that makes it first."""

    def __init__(self, shape, marker):
        super().__init__(shape)
        self.marker = marker

    def block(self, number, *where):
        if number == 3 and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().block(number, *where)


@pytest.mark.slow
def test_worker_that_is_killed_is_replaced_and_what_it_held_is_sent_again(planted, tmp_path):
    source = KillsItsWorkerOnce((1, 8, 8), tmp_path / "killed")
    with cluster(jobs=2) as client:
        for n in (20_000, 24_000):  # the second one after a loss
            assert observe_on(client, planted, source, n, shard=2_000, cache=False) == observe(
                planted, WhiteNoise((1, 8, 8)), n, cache=False
            )
    assert source.marker.exists()


@pytest.mark.parametrize("shard", [0, 19_999, -2_000])
def test_shards_are_whole_blocks(client, planted, noise, shard):
    with pytest.raises(ValueError, match="multiple of 2,000"):
        observe_on(client, planted, noise, 4_000, shard=shard)


def test_no_jobs_are_told():
    with pytest.raises(ValueError, match="jobs must be 1 or more"), cluster(jobs=0):
        pass


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:1", "tcp://127.0.0.1:1", "tcp://127.0.0.1:99999"])
def test_no_scheduler_is_told(address):
    with pytest.raises(ValueError, match=f"no Dask scheduler answers at .*{address}"), cluster(scheduler=address):
        pass
