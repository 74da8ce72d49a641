"""Making the records that are planned and not there yet, in the order of the plan or side by side."""

import time
from collections.abc import Callable
from functools import partial

from wna_utils.report.record_answers import Labelled, Tallied
from wna_utils.report.record_kinds import Fitted, Trained
from wna_utils.report.record_plan import Record, plan
from wna_utils.report.record_studies import Executed, OfInside
from wna_utils.support import recorded
from wna_utils.support.checks import at_least, one_of
from wna_utils.support.progress import bar


def missing(names: list[str]) -> list[Record]:
    """The records of these names (all, if there is none), and what they rest on, that are not there.

    One that is there by another recipe, or of another network, than planned now counts as missing. Raises `ValueError`
    for a name that is not planned.
    """
    by_name = {record.name: record for record in plan()}
    for name in names:
        one_of("record", name, by_name)
    wanted = set(names or by_name)
    wanted |= {
        by_name[name].network.name for name in wanted if isinstance(by_name[name], Tallied | Labelled | OfInside)
    }
    return [record for name, record in by_name.items() if name in wanted and not record.is_there]


def make(
    names: list[str],
    device: str = "auto",
    jobs: int = 1,
    scheduler: str | None = None,
    tell: Callable[[str], None] = print,
) -> None:
    """Make the records of these names (all, if there is none) that are not there yet.

    A run that is cut off goes on where it was, to the same bits. With `jobs` processes of this machine, or on the Dask
    cluster at address `scheduler` whose workers share this folder's files, networks are dealt with side by side; what
    fails there is told at the end. Raises `ValueError` for a name that is not planned, jobs < 1, an address at which no
    scheduler answers, or records that could not be made.
    """
    at_least("jobs", jobs, 1)
    for record in plan():  # of a run that was killed between a file and its place in the list
        if record.is_there and not recorded.is_listed(record.path):
            recorded.list_file(record.path)
    records = missing(names)
    if not records:
        tell("all of these records are there already; delete a file to have it made anew")
    with bar(total=sum(record.operations for record in records), desc="records", unit="FLOP", unit_scale=True) as done:

        def finished(record: Record, seconds: float) -> None:
            recorded.list_file(record.path)
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
        futures, last = dict.fromkeys(noise), {}
        for place, record in enumerate(records):  # what is planned first is made first, as far as it can be
            if isinstance(record, Fitted):
                continue
            submit = partial(client.submit, _made_after, pure=False, priority=-place)
            if isinstance(record, Executed):  # after all networks, whichever the chapter looks at
                future = submit(list(last.values()), record, device)
            else:  # after the noise, and after what its network has before
                network = record.name if isinstance(record, Trained) else record.network.name
                before = [last[network]] if network in last else noise
                future = last[network] = submit(before, record, device)
            futures[future] = record.name
        failed = []
        for future in as_completed(futures):
            if future.status == "finished":
                finished(*future.result())
            else:
                failed.append(f"{futures[future] or 'a model of noise'}: {future.exception()}")
    if failed:
        raise ValueError("\n".join(["some records could not be made, or rest on one that could not:", *failed]))


def _made_after(_: list[tuple[Record, float]], record: Record, device: str) -> tuple[Record, float]:
    return _made(record, device)
