"""Workers that share the work: processes of this machine, or a Dask cluster that is there already."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import dask
from dask.distributed import Client, Future, LocalCluster, wait
from distributed.utils import get_mp_context

from wna_utils.support.checks import at_least

# A worker has one core: torch must not start a thread for each core of the machine, and only the client shows progress.
WORKER = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "WNA_PROGRESS": "off"}
# Dask's profiler looks at what each process does a hundred times a second, which takes a tenth of two cores.
UNPROFILED = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
# On Linux, new processes are forked from one that has these already: to import them takes each some seconds. What macOS
# imports does not bear to be forked.
PRELOADED = ["distributed", "torch", "pandas", "nbformat"]
START = "forkserver" if sys.platform == "linux" else "spawn"


@contextmanager
def cluster(jobs: int = 2, scheduler: str | None = None) -> Iterator[Client]:
    """A Dask client: of the cluster at address `scheduler` (host:port), or of `jobs` new processes on this machine.

    New processes end with the block; a cluster that was there before goes on. Raises `ValueError` for jobs < 1, or an
    address at which no scheduler answers.
    """
    at_least("jobs", jobs, 1)
    if scheduler:
        scheduler = scheduler if "://" in scheduler else f"tcp://{scheduler}"
        _require_listener(scheduler)
        with Client(scheduler, timeout=10) as client:
            yield client
        return
    how = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
    settings = {"distributed.worker.profile.enabled": False, "distributed.worker.multiprocessing-method": START}
    environment = dict(os.environ) | WORKER | UNPROFILED  # a forked process has that of the one it is forked from
    with _workers_deaf_to_interrupts(), dask.config.set(settings):
        if START == "forkserver":
            get_mp_context().set_forkserver_preload(PRELOADED)  # after Dask's own list, which it replaces
        local = LocalCluster(n_workers=jobs, env=environment, **how)
    with local, Client(local) as client:
        try:
            yield client
        except KeyboardInterrupt:
            local.sync(_end_at_once, local)
            raise


async def _end_at_once(local: LocalCluster) -> None:
    """End the workers without waiting for what they are at."""
    await asyncio.gather(*(nanny.close(timeout=0.2) for nanny in local.workers.values()), return_exceptions=True)


def as_they_finish(futures: list["Future[Any]"]) -> Iterator["Future[Any]"]:
    """The futures, each when it is done; raises `KeyboardInterrupt` within a second of Ctrl-C."""
    with _interrupt_noted() as interrupted:
        while futures:
            try:
                done, futures = wait(futures, timeout=1, return_when="FIRST_COMPLETED")
            except TimeoutError:
                done = set()
            if not interrupted.is_set():
                yield from done
            if interrupted.is_set():
                raise KeyboardInterrupt


@contextmanager
def _interrupt_noted() -> Iterator[Event]:
    """An event that Ctrl-C sets. As an exception, it could come while a finalizer runs, and be lost."""
    noted = Event()

    def note(*_: object) -> None:
        first = not noted.is_set()
        noted.set()
        if first:
            with suppress(OSError):  # of a terminal that is gone; print may not be called while it prints
                os.write(2, "\nstopping …\n".encode())

    before = signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


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
