"""Workers are as many as were asked for, and end when they are told to."""

import signal
import time

import pytest

from wna_utils.support.workers import as_they_finish, cluster

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("jobs", [1, 3])
def test_there_are_as_many_workers_as_jobs(jobs):
    with cluster(jobs) as client:
        assert len(client.scheduler_info(n_workers=-1)["workers"]) == jobs


def test_interrupt_while_the_last_result_is_used_is_not_lost(capfd):
    def use():
        with cluster(1) as client:
            for _ in as_they_finish([client.submit(int, "3")]):
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        use()
    assert capfd.readouterr().err.count("stopping …") == 1


def test_what_workers_are_at_is_not_waited_for():
    interrupted = []

    def use():
        with cluster(1) as client:
            busy = client.submit(time.sleep, 60)
            while not any(client.processing().values()):
                time.sleep(0.1)
            interrupted.append((busy, time.monotonic()))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        use()
    assert time.monotonic() - interrupted[0][1] < 3  # Dask by itself gives a busy worker four seconds
