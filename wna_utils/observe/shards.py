"""One long `observe` cut into shards that workers do; the tallies add up to the same integers."""

import copy
from typing import Any, cast

from dask.distributed import Client, as_completed

from wna_utils.networks.observer import Network, Observer
from wna_utils.observe.loop import Filled, observe
from wna_utils.observe.tally import ClassTally
from wna_utils.stimuli.blocks import Source
from wna_utils.support.checks import whole
from wna_utils.support.progress import bar

BLOCKS = 50  # in a shard


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
    goes on where it was. Raises `ValueError` as `observe` does, or for a shard that is not a multiple of the source's
    blocks.
    """
    n, shard = whole("n", n, 1), BLOCKS * source.block_size if shard is None else shard
    if shard < 1 or shard % source.block_size:
        raise ValueError(f"shard must be a multiple of {source.block_size:,} images; got {shard!r}")
    observer_there, source_there = client.scatter([observer, source], hash=False)
    empty = ClassTally() if into is None else into
    parts = {start: min(shard, n - start) for start in range(0, n, shard)}
    futures = {
        client.submit(
            observe, observer_there, source_there, size, copy.copy(empty), start=start, **options, pure=False
        ): size
        for start, size in parts.items()
    }
    total: Filled | None = None
    with bar(total=n, desc="showing noise", unit=" images", unit_scale=True) as progress:
        try:
            for future, part in as_completed(futures, with_results=True):
                total = part if total is None else total + part
                progress.update(futures[future])
        finally:
            client.cancel(list(futures))
    return cast(Filled, total)
