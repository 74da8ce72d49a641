"""Making the records that are planned and not there yet, in the order of the plan or side by side."""

import time
from collections.abc import Callable
from itertools import groupby

from wna_utils.report.record_plan import Fitted, Followed, Record, Trained, plan
from wna_utils.support import recorded
from wna_utils.support.checks import one_of
from wna_utils.support.progress import bar


def missing(names: list[str]) -> list[Record]:
    """The records of these names (all, if there is none) that are not there; `ValueError` for a name not planned."""
    by_name = {record.name: record for record in plan()}
    for name in names:
        one_of("record", name, by_name)
    return [record for name, record in by_name.items() if (not names or name in names) and not record.path.exists()]


def make(
    names: list[str],
    device: str = "auto",
    jobs: int = 1,
    scheduler: str | None = None,
    tell: Callable[[str], None] = print,
) -> None:
    """Make the records of these names (all, if there is none) that are not there yet.

    A run that is cut off goes on where it was, to the same bits. With `jobs` processes of this machine, or on the Dask
    cluster at address `scheduler` whose workers share this folder's files, networks are dealt with side by side.
    Raises `ValueError` for a name that is not planned, jobs < 1, or an address at which no scheduler answers.
    """
    records = missing(names)
    with bar(total=sum(record.operations for record in records), desc="records", unit="FLOP", unit_scale=True) as done:

        def finished(record: Record, seconds: float) -> None:
            recorded.write_checksums()
            done.update(record.operations)
            tell(f"{record.name}: {seconds:.0f} s")

        if jobs == 1 and scheduler is None:
            for record in records:
                finished(*_made(record, device))
        else:
            _make_on_workers(records, device, jobs, scheduler, finished)


def _made(record: Record, device: str) -> tuple[Record, float]:
    started = time.monotonic()
    record.make(device)
    return record, time.monotonic() - started


def _make_on_workers(
    records: list[Record],
    device: str,
    jobs: int,
    scheduler: str | None,
    finished: Callable[[Record, float], None],
) -> None:
    from dask.distributed import as_completed

    from wna_utils.support.workers import cluster

    with cluster(jobs, scheduler) as client:
        noise = [client.submit(_made, each, device, pure=False) for each in records if isinstance(each, Fitted)]
        others = sorted((each for each in records if not isinstance(each, Fitted)), key=_network_of)
        futures = list(noise)
        for _, group in groupby(others, key=_network_of):
            before = noise  # a network's tallies come after it, and after the noise that they may be of
            for record in group:
                futures.append(client.submit(_made_after, before, record, device, pure=False))
                before = [futures[-1]]
        for _, (record, seconds) in as_completed(futures, with_results=True):
            finished(record, seconds)


def _made_after(_: list[tuple[Record, float]], record: Record, device: str) -> tuple[Record, float]:
    return _made(record, device)


def _network_of(record: Record) -> str:
    """Name of the network that a record is of."""
    return record.name if isinstance(record, Trained | Followed) else record.network.name
