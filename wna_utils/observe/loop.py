"""The one streaming loop: show stimuli to an observer and tally them by its answers.

It never holds more than a few blocks, so that ten billion images take the memory of ten thousand.
"""

import math
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from wna_utils.networks.observer import SCORES, Answers, Network, Observer, observer_of
from wna_utils.observe import tally as tallies
from wna_utils.observe.tally import LIMIT, UNIT, ClassTally, Tally
from wna_utils.stimuli.blocks import Block, Source, shape_of
from wna_utils.support.checks import whole
from wna_utils.support.identity import Uncertain, identity
from wna_utils.support.paths import cache_dir, require_writable
from wna_utils.support.progress import bar

Filled = TypeVar("Filled", bound=Tally)

CHECKPOINT_EVERY = 20.0  # seconds
LOOK_EVERY = 1.0  # seconds, after which answers are looked at: doing so more often makes a GPU wait


class NotCached(UserWarning):
    """A result that cannot be cached, because not all that it depends on can be identified."""


def observe(
    observer: Network | Observer,
    source: Source,
    n: int,
    into: Filled | None = None,
    *,
    start: int = 0,
    cache: bool = True,
    records: bool = True,
    **options: Any,
) -> Filled:
    """Show trials `start` … `start + n − 1` of `source` to an observer and tally them by what it answers.

    `observer` is an `Observer`, or a network or function from stimuli (b, c, h, w) to scores (b, K), of which one is
    made with the `options`: `device`, `precision`, `batch_size`, `layers`, `preprocess`. `into` is an empty tally to
    be filled, and what is returned: stimuli by the class of the highest score (`ClassTally`) if none is given.

    With `cache`, the tally is kept in the cache folder: it is saved every 20 seconds, a killed run goes on from there
    to the identical tally, and a finished one comes back at once, as does one that is recorded (`recorded_tallies`);
    where what the network calls these stimuli is recorded (`recorded_labels`), they are tallied without it.
    Without `records`, neither is taken from there. This needs an observer, a source and a tally whose identity is
    certain (`support.identity`); others are run anew every time, and that is said once.

    Raises `ValueError`, before any work, for n < 1, a tally that is not empty, stimuli that its integers could not
    hold, a source whose last block differs each time, and all that `Observer` refuses; `OSError` if the cache cannot be
    written to. Raises `ValueError` during the run for a source that violates its contract, or outputs that are not
    finite.
    """
    n, start = whole("n", n, 1), whole("start", start, 0)
    if not isinstance(source, Source):
        what = f"the class {source.__name__} itself" if isinstance(source, type) else type(source).__name__
        raise ValueError(f"source must be a Source of stimuli, such as WhiteNoise((1, 28, 28)); got {what}")
    if into is not None and not isinstance(into, Tally):
        raise ValueError(f"into must be an empty tally, such as CellTally(2); got {into!r}")
    observer = observer_of(observer, shape_of(source), **options)
    tally = cast(Filled, ClassTally() if into is None else into)
    if not tally.empty:
        raise ValueError("a tally to be filled must be empty: show new trials into an empty one, and add the two")
    path = _checkpoint_path(observer, source, n, start, tally) if cache else None
    tally.prepare(observer)
    first = _block(source, 0, observer.device).stimuli
    _require_room(first, n)

    from wna_utils.observe import recorded_labels, recorded_tallies  # which need this loop

    found = recorded_tallies.find(observer, source, n, tally) if cache and records and start == 0 else None
    if found:
        tally.restore(found)
        tally.recorded = True
        return tally
    labels = recorded_labels.find(observer, source, start + n, tally) if cache and records else None
    if labels is not None:
        path = None  # noise is made again too quickly for its tally to be kept
    done = _restore(tally, path)
    if done == n:
        return tally
    if path:
        require_writable(path)
    if labels is None:
        _require_repeatable(source, (start + n - 1) // source.block_size, observer.device)
        observer.compile_for(n)
    tally.to(_where(observer.device))
    try:
        _fill(tally, observer, source, start, n, done, path, labels)
    except BaseException:  # what is kept on disk is whole; a half-filled tally would be taken for a whole one
        tally.clear()
        raise
    tally.recorded = labels is not None
    return tally.to(torch.device("cpu"))


def _fill(
    tally: Tally,
    observer: Observer,
    source: Source,
    start: int,
    n: int,
    done: int,
    path: Path | None,
    labels: Tensor | None,
) -> None:
    """Show the trials that are not done yet, and keep the tally at `path` every now and then, and at the end.

    With the `labels` (start + n,) of the first trials, which are recorded, the observer is not asked.
    """
    finite = torch.ones((), dtype=torch.bool, device=_where(observer.device))
    looked = saved = time.monotonic()
    with bar(total=n, initial=done, desc="showing noise", unit=" images", unit_scale=True) as progress:
        for block, answers in shown(observer, source, start + done, start + n, labels):
            for answer in answers.values():
                finite &= _answered(answer)
            tally.add(block, answers)
            done += len(block)
            progress.update(len(block))
            now = time.monotonic()
            save = done == n or now - saved > CHECKPOINT_EVERY
            if save or finite.device.type == "cpu" or now - looked > LOOK_EVERY:
                looked = now
                tally.require_whole()
                if not finite:
                    raise ValueError("the model's output is not finite for some stimuli: check its weights")
            if save and path:
                saved = now
                tallies.write(path, tally.tensors(), done)


@torch.no_grad()
def shown(
    observer: Observer, source: Source, start: int, stop: int, labels: Tensor | None = None
) -> Iterator[tuple[Block, Answers]]:
    """Show the trials `start` … `stop − 1` of `source`, block by block; yields each block with the answers to it.

    Both are on the observer's device if it is a CPU or CUDA device, or else on the CPU. With `labels` (stop,) of the
    first trials, nothing is shown, and the class of the label has the highest score. Raises `ValueError` if a block is
    not what the source says.
    """
    where = _where(observer.device)
    for number in range(start // source.block_size, -(-stop // source.block_size)):
        first = number * source.block_size
        block = _block(source, number, observer.device)[max(start - first, 0) : stop - first]
        if labels is None:
            answers = observer(block.stimuli)
        else:
            called = labels[max(start, first) :][: len(block)].long()
            answers = {SCORES: nn.functional.one_hot(called, observer.classes).float()}
        yield block.to(where), {name: answer.to(where) for name, answer in answers.items()}


def _answered(answer: Tensor) -> Tensor:
    """Whether no answer is NaN or +∞, and each stimulus has a finite one: −∞ rules a class out."""
    if not answer.is_floating_point():
        return torch.ones((), dtype=torch.bool, device=answer.device)
    highest = answer.flatten(1).amax(1)  # NaN if there is one
    return highest.isfinite().all()


def _where(device: torch.device) -> torch.device:
    """Where tallies are summed: accelerators other than CUDA may lack float64."""
    return device if device.type in ("cpu", "cuda") else torch.device("cpu")


def _block(source: Source, number: int, device: torch.device) -> Block:
    """A block of the source on the device, if it is what the source says; raises `ValueError` otherwise."""
    block = source.block(number, device)
    if not isinstance(block, Block):
        raise ValueError(f"block {number} of {type(source).__name__} must be a Block; got {type(block).__name__}")
    block = block.to(device)
    size = (source.block_size, *source.shape)
    for name, images in (("stimuli", block.stimuli), ("noise", block.noise)):
        if tuple(images.shape) != size or images.dtype != torch.float32:
            raise ValueError(
                f"block {number} of {type(source).__name__} must have {name} of shape {size}, float32; "
                f"got {tuple(images.shape)}, {str(images.dtype).removeprefix('torch.')}"
            )
    if block.number != number or tuple(block.signal.shape) != size[:1]:
        raise ValueError(
            f"block {number} of {type(source).__name__} must say its number, and a signal for each of {size[0]} "
            f"stimuli; got number {block.number} and signals of shape {tuple(block.signal.shape)}"
        )
    return block


def _require_room(stimuli: Tensor, n: int) -> None:
    """Raise `ValueError` now if n stimuli like these overflow the integers of a tally, or are not finite."""
    largest = float(stimuli.abs().max())
    if not math.isfinite(largest):
        raise ValueError("the first block of stimuli is not finite: it has NaN or infinity among its pixels")
    if largest**2 * UNIT * n >= LIMIT:
        raise ValueError(
            f"{n:,} stimuli with pixels as large as {largest:.4g} overflow a tally's integers: "
            f"show {LIMIT / (largest**2 * UNIT):,.0f} at most, or scale them to the range 0 to 1"
        )


def _require_repeatable(source: Source, number: int, device: torch.device) -> None:
    """Raise `ValueError` if a block differs when it is made again: a run could not go on, nor its result be found."""
    first, again = (_block(source, number, device) for _ in range(2))
    bits = [[each.contiguous().view(torch.int32) for each in (of.stimuli, of.noise)] for of in (first, again)]
    if not (all(map(torch.equal, *bits)) and torch.equal(first.signal, again.signal)):
        raise ValueError(
            f"block {number} of {type(source).__name__} differs each time: make a block from its number and a seed "
            "alone, such as with torch.Generator().manual_seed(seed + number)"
        )


def _checkpoint_path(observer: Observer, source: Source, n: int, start: int, tally: Tally) -> Path | None:
    """Where this very run keeps its tally; None, and a warning, if what decides it cannot be told for certain."""
    try:
        versions = (torch.__version__, np.__version__)
        key = identity(observer.identity(), Observer, shown, source, source.block_size, tally, n, start, versions)
    except Uncertain as reason:
        warnings.warn(f"not kept in the cache, but shown anew every time: {reason}", NotCached, stacklevel=3)
        return None
    return cache_dir() / "tallies" / f"{key}.safetensors"


def _restore(tally: Tally, path: Path | None) -> int:
    """Fill the tally from its checkpoint, if there is one; returns how many images it has seen."""
    found = tallies.read(path) if path else None
    if found is None:
        return 0
    tensors, images = found
    tally.restore(tensors)
    return images
