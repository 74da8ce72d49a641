"""Work spread over processes or machines by Dask: a cluster to send it to, and one long `observe` cut into shards."""

import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from dask.distributed import Client, LocalCluster, as_completed

from wna_utils.observe.loop import Observer, observe
from wna_utils.observe.spike_triggered_average import GROUPS
from wna_utils.observe.tally import Filled, Tally
from wna_utils.stimuli.white import BLOCK, Source
from wna_utils.support.checks import at_least
from wna_utils.support.progress import bar

ROUND = GROUPS * BLOCK  # images; some tallies deal blocks out to groups in turn, and a shard must begin with the first
# A worker has one core: torch must not start a thread for each core of the machine, and only the client shows progress.
WORKER = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "WNA_PROGRESS": "off"}


@contextmanager
def cluster(jobs: int = 2, scheduler: str | None = None) -> Iterator[Client]:
    """A Dask client: of the cluster at address `scheduler`, or of `jobs` new processes on this machine.

    New processes end with the block; a cluster that was there before goes on. Raises `ValueError` for jobs < 1, or an
    address at which no scheduler answers.
    """
    at_least("jobs", jobs, 1)
    if scheduler:
        _require_listener(scheduler)
        with Client(scheduler, timeout=10) as client:
            yield client
        return
    with _workers_deaf_to_interrupts():
        local = LocalCluster(
            jobs, threads_per_worker=1, dashboard_address="127.0.0.1:0", env=WORKER, silence_logs=logging.CRITICAL
        )
    with local, Client(local) as client:
        yield client


def _require_listener(address: str) -> None:
    """Raise `ValueError` if nothing listens at an address like tcp://host:8786."""
    try:
        parts = urlsplit(address)
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10).close()
    except (OSError, ValueError) as error:
        raise ValueError(f"no Dask scheduler answers at {address}: start one with `dask scheduler`") from error


@contextmanager
def _workers_deaf_to_interrupts() -> Iterator[None]:
    """Ctrl-C reaches all processes of a terminal: the client is to stop its workers, not each of them itself."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # new processes inherit it
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def observe_on(
    client: Client,
    model: Observer,
    source: Source,
    n: int,
    classes: int | tuple[int, ...] = 10,
    *,
    shard: int = 5 * ROUND,
    tally: Callable[[int | tuple[int, ...], tuple[int, ...]], Filled] = Tally.empty,
    **options,
) -> Filled:
    """`observe`, cut into shards of `shard` images that the client's workers do; the same tally to the last bit.

    Other options are those of `observe`. Each shard is kept in the worker's cache folder, so that a run that is cut off
    goes on where it was. Raises `ValueError` as `observe` does, or for a shard that is not a multiple of `ROUND`.
    """
    if shard < 1 or shard % ROUND:
        raise ValueError(f"shard must be a multiple of {ROUND:,} images; got {shard!r}")
    at_least("n", n, 1)
    model, source_there = client.scatter([model, source], hash=False)
    futures = [
        client.submit(
            observe,
            model,
            source_there,
            min(shard, n - start),
            classes,
            start=start,
            tally=tally,
            **options,
            pure=False,
        )
        for start in range(0, n, shard)
    ]
    total = tally(classes, source.shape)
    with bar(total=n, desc="showing noise", unit=" images", unit_scale=True) as progress:
        try:
            for future, part in as_completed(futures, with_results=True):
                merged = {name: sums + part.tensors()[name] for name, sums in total.tensors().items()}
                total.restore(merged)
                progress.update(min(shard, n - shard * futures.index(future)))
        finally:
            client.cancel(futures)
    return total
