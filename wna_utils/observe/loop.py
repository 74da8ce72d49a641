"""The one streaming loop: show stimuli to an observer and tally them by its response.

It never holds more than a few blocks, so that ten billion images take the memory of ten thousand.
"""

import copy
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn

from wna_utils.observe import tally as tallies
from wna_utils.observe.tally import Filled, Tally
from wna_utils.stimuli.blocks import BLOCK, Block, Source
from wna_utils.support.checks import at_least, one_of
from wna_utils.support.devices import PRECISIONS, autocast, resolve_device
from wna_utils.support.fingerprint import code_digest, digest, model_digest
from wna_utils.support.paths import cache_dir, require_writable
from wna_utils.support.progress import bar

Observer = Callable[[Tensor], Tensor]  # stimuli (b, c, h, w) -> scores (b, K); the highest is the response

CHECKPOINT_EVERY = 20.0  # seconds


def observe(
    model: Observer,
    source: Source,
    n: int,
    classes: int | tuple[int, ...] = 10,
    *,
    start: int = 0,
    tally: Callable[[int | tuple[int, ...], tuple[int, ...]], Filled] = Tally.empty,
    batch_size: int | None = None,
    device: str = "auto",
    precision: str = "float32",
    cache: bool = True,
) -> Filled:
    """Show trials `start` … `start + n − 1` of `source` to `model` and tally them by response.

    `model` maps stimuli (b, c, h, w) to scores (b, `classes`); the highest score is the response. It is not changed.
    `tally` makes the empty tally to fill from `classes` and the shape (c, h, w) of a stimulus; `CellTally.of(2)`, for
    example, keeps two signals apart. A tally may want more than one score for each class, such as the activations of
    a layer's units; `classes` is then the shape of the model's answer to one stimulus.
    `batch_size` is the number of images in one forward pass (a size that suits the device by default).
    `precision` "bf16" runs the network in bfloat16 where the hardware has it: faster, with a few labels changed.

    With `cache`, the tally is kept in the cache folder: it is saved every 20 seconds, a killed run goes on
    from there to the identical tally, and a finished one comes back at once. This needs a model whose identity is
    certain (`fingerprint.model_digest`); others are run anew every time.

    Raises `ValueError`, before any work, for n < 1, an unknown device or precision, NaN in the weights, a model that
    cannot take the stimuli, or one whose output is not (b, classes); `OSError` if the cache cannot be written to.
    """
    answer = classes if isinstance(classes, tuple) else (classes,)
    whole = [
        ("n", n, 1),
        ("start", start, 0),
        ("batch_size", batch_size, 1),
        *[("classes", each, 1) for each in answer],
    ]
    for name, value, low in whole:
        if value is not None:
            _whole(name, value, low)
    one_of("precision", precision, PRECISIONS)
    target = resolve_device(device)
    _check_observer(model, source, answer, target)
    filled = tally(classes, source.shape)
    path = _checkpoint_path(model, source, n, start, precision, filled) if cache else None

    done = _restore(filled, path)
    if done == n:
        return filled
    if path:
        require_writable(path)
    saved = time.monotonic()
    with bar(total=n, initial=done, desc="showing noise", unit=" images", unit_scale=True) as progress:
        for block, scores in stream(model, source, start + done, start + n, batch_size, target, precision):
            filled.add(block, scores)
            done += len(block)
            progress.update(len(block))
            if path and (done == n or time.monotonic() - saved > CHECKPOINT_EVERY):
                tallies.write(path, filled.tensors(), done)
                saved = time.monotonic()
    return filled


@torch.inference_mode()
def stream(
    model: Observer,
    source: Source,
    start: int,
    stop: int,
    batch_size: int | None,
    device: torch.device,
    precision: str = "float32",
) -> Iterator[tuple[Block, Tensor]]:
    """Yield the trials `start` … `stop − 1` of `source` block by block, with the model's scores (b, K).

    The blocks are made ahead in threads while the model is busy. Raises `ValueError` if a score is not finite.
    """
    if isinstance(model, nn.Module):
        model = copy.deepcopy(model).to(device, memory_format=torch.channels_last).eval()
    batch_size = batch_size or _good_batch(source, device)
    for block in _ahead(source, start, stop):
        on_device = block.to(device)
        with autocast(device, precision):
            scores = torch.cat([model(batch) for batch in on_device.stimuli.split(batch_size)])
        if not scores.isfinite().all():
            raise ValueError("the model's output is not finite for some stimuli: check its weights")
        # Tallies count in float64, which accelerators other than CUDA may lack.
        yield (on_device, scores) if device.type == "cuda" else (block, scores.cpu())


def _good_batch(source: Source, device: torch.device) -> int:
    """Images in a forward pass: on a CPU few enough that the activations stay in cache, elsewhere a whole block."""
    return max(32, 200_000 // torch.Size(source.shape).numel()) if device.type == "cpu" else BLOCK


def _ahead(source: Source, start: int, stop: int) -> Iterator[Block]:
    """The blocks that hold trials `start` … `stop − 1`, cut to them, made a few ahead of their use."""
    workers = min(4, os.cpu_count() or 1)
    numbers = iter(range(start // BLOCK, -(-stop // BLOCK)))
    with ThreadPoolExecutor(workers) as pool:
        waiting = deque((i, pool.submit(source.block, i)) for i in islice(numbers, workers))
        while waiting:
            i, made = waiting.popleft()
            block = made.result()
            if (following := next(numbers, None)) is not None:
                waiting.append((following, pool.submit(source.block, following)))
            yield block[max(start - i * BLOCK, 0) : min(stop - i * BLOCK, BLOCK)]


def _whole(name: str, value: object, low: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} must be a whole number; got {value!r}")
    at_least(name, value, low)


@torch.inference_mode()
def _check_observer(model: Observer, source: Source, answer: tuple[int, ...], device: torch.device) -> None:
    """Try the model on two stimuli, so that a mistake is found before the work, not after it."""
    if isinstance(model, nn.Module):
        for name, weights in model.state_dict().items():
            if not weights.isfinite().all():
                raise ValueError(f"the model's weights are not finite (NaN or infinity in {name}): train it again")
        model = copy.deepcopy(model).to(device).eval()
    try:
        scores = model(source.block(0).stimuli[:2].to(device))
    except (RuntimeError, IndexError) as error:
        raise ValueError(
            f"the model cannot take stimuli of shape (b, {', '.join(map(str, source.shape))}): "
            f"{str(error).splitlines()[0]}"
        ) from error
    if not isinstance(scores, Tensor) or tuple(scores.shape) != (2, *answer):
        found = f"shape {tuple(scores.shape)} for 2 stimuli" if isinstance(scores, Tensor) else type(scores).__name__
        wanted = ", ".join(map(str, ("b", *answer)))
        raise ValueError(f"the model must answer ({wanted}) scores, one for each class; got {found}")


def _checkpoint_path(model: Observer, source: Source, n: int, start: int, precision: str, tally: Filled) -> Path | None:
    """Where this very run keeps its tally; None if the model's identity is not certain."""
    of_model = model_digest(model)
    if of_model is None:
        return None
    code = code_digest(type(source), *type(tally).__mro__[:-1], stream)
    shapes = [(name, tuple(each.shape)) for name, each in tally.tensors().items()]
    run = (source.identity(), BLOCK, n, start, precision, shapes)
    return cache_dir() / "tallies" / f"{digest(of_model, run, code)}.safetensors"


def _restore(tally: Filled, path: Path | None) -> int:
    """Fill the tally from its checkpoint, if there is one; returns how many images it has seen."""
    found = tallies.read(path) if path else None
    if found is None:
        return 0
    tensors, images = found
    tally.restore(tensors)
    return images
