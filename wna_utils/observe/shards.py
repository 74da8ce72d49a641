"""One long `observe` cut into shards that workers do; the tallies add up to the same integers."""

import copy
from typing import Any, cast

from dask.distributed import Client, Future, KilledWorker, as_completed

from wna_utils.networks.observer import Network, Observer
from wna_utils.observe.loop import Filled, observe
from wna_utils.observe.tally import ClassTally, Tally
from wna_utils.stimuli.blocks import Source
from wna_utils.support.checks import whole
from wna_utils.support.progress import bar

BLOCKS = 50  # in a shard
TRIES = 5  # at shards whose workers are lost


def observe_on(
    client: Client,
    observer: Network | Observer,
    source: Source,
    n: int,
    into: Filled | None = None,
    *,
    shard: int | None = None,
    **options: Any,
) -> Filled:
    """`observe`, split into shards of `shard` images that the client's workers process; the tally is bitwise identical.

    Other options are those of `observe`. Each shard is kept in the worker's cache folder, so that a run that is cut off
    goes on where it was; shards that are lost with a worker are done again. Raises `ValueError` as `observe` does, for
    a shard that is not a multiple of the source's blocks, or if workers are lost again and again.
    """
    n, shard = whole("n", n, 1), BLOCKS * source.block_size if shard is None else shard
    if shard < 1 or shard % source.block_size:
        raise ValueError(f"shard must be a multiple of {source.block_size:,} images; got {shard!r}")
    empty = ClassTally() if into is None else into
    left = {start: min(shard, n - start) for start in range(0, n, shard)}
    total: Filled | None = None
    with bar(total=n, desc="showing noise", unit=" images", unit_scale=True) as progress:
        for _ in range(TRIES):
            futures = _submitted(client, observer, source, left, empty, options)
            try:
                for future in as_completed(list(futures)):
                    if (part := _result(future)) is not None:
                        total = part if total is None else total + part
                        progress.update(left.pop(futures[future]))
            finally:
                client.cancel(list(futures))
            if not left:
                return cast(Filled, total)
    raise ValueError(f"workers were lost {TRIES} times: see what ends them, such as a lack of memory, and run it again")


def _submitted(
    client: Client, observer: Network | Observer, source: Source, left: dict[int, int], empty: Tally, options: Any
) -> "dict[Future[Any], int]":
    """Tasks for the shards that are left, by future; a worker that was lost has taken what it held with it."""
    sent = client.scatter([observer, source], hash=False)
    return {
        client.submit(observe, *sent, size, copy.copy(empty), start=start, **options, pure=False): start
        for start, size in left.items()
    }


def _result(future: "Future[Any]") -> Any:
    """The tally of a shard; None if it was lost with its worker. Raises what went wrong in it otherwise."""
    if future.status == "finished":
        return future.result()
    error = future.exception() if future.status == "error" else None
    if error is not None and not isinstance(error, KilledWorker):
        raise error
    return None
