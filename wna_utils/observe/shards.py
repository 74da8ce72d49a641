"""One long `observe` cut into shards that workers do; the tallies add up to the same integers."""

from collections.abc import Callable

from dask.distributed import Client, as_completed

from wna_utils.observe.loop import Observer, observe
from wna_utils.observe.spike_triggered_average import GROUPS
from wna_utils.observe.tally import Filled, Tally
from wna_utils.stimuli.blocks import BLOCK, Source
from wna_utils.support.checks import at_least
from wna_utils.support.progress import bar

ROUND = GROUPS * BLOCK  # images; some tallies deal blocks out to groups in turn, and a shard must begin with the first


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
