"""How fast the streaming loop is, against the original's and the machine's best, and how fast noise is made."""

import statistics
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from wna_utils.data import datasets
from wna_utils.networks import architectures, training
from wna_utils.networks.layers import readout
from wna_utils.observe.loop import observe, stream
from wna_utils.observe.spike_triggered_average import spike_triggered
from wna_utils.stimuli.blocks import BLOCK, Source
from wna_utils.stimuli.gabor import GaborNoise, fit_gabor
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support.devices import PRECISIONS, autocast, has_bf16, resolve_device

SHAPE = (1, 28, 28)
ROUNDS = 3  # of all measurements in turn, so that a slow spell of the machine hits them alike


def bench(n: int = 100_000) -> None:
    """Print images/s of the original loop, of `observe` and of the bare network, and the ratios between them."""
    device = resolve_device()
    network = training.trained("cnn", "mnist").to(device)
    flop = _flop_per_image(network, device)
    measurements: dict[str, Callable[[], int]] = {"original loop": lambda: _original_loop(network, n, device)}
    for precision in PRECISIONS:
        measurements[f"observe, {precision}"] = lambda precision=precision: _observe(network, n, device, precision)
        measurements[f"forward only, {precision}"] = lambda precision=precision: _forward(network, device, precision)
        measurements[f"matrix product, {precision}"] = lambda precision=precision: _product(device, precision)
    rates: dict[str, list[float]] = {name: [] for name in measurements}
    for _ in range(ROUNDS):
        for name, measure in measurements.items():
            started = time.perf_counter()
            done = measure()
            _wait(device)
            rates[name].append(done / (time.perf_counter() - started))
    rate = {name: statistics.median(values) for name, values in rates.items()}
    print(
        f"MNIST CNN, {flop / 1e6:.1f} MFLOP per image; {device}, {torch.get_num_threads()} threads; medians of {ROUNDS}"
    )
    print(f"original loop, float32           {rate['original loop']:10,.0f} images/s")
    for precision in PRECISIONS:
        ours, alone, peak = (rate[f"{what}, {precision}"] for what in ("observe", "forward only", "matrix product"))
        print(
            f"observe, {precision:24}{ours:10,.0f} images/s, {ours / rate['original loop']:.1f} times the original loop"
        )
        print(f"  network alone                  {alone:10,.0f} images/s")
        print(f"  of the matrix-product peak     {ours * flop / peak:10.0%} of {peak / 1e9:,.0f} GFLOP/s")
    if has_bf16(device):
        print(f"labels that bf16 changes         {_labels_changed(network, 50_000, device):10.2%}")
    else:
        print("this machine has no bf16: asking for it ran float32")
    _bench_averages(network, device)
    _bench_sources(device)


def _bench_averages(network: nn.Module, device: torch.device) -> None:
    """Print how fast spike-triggered averages over all positions of a layer are made."""
    for layer in ("conv1", "conv2"):
        started = time.perf_counter()
        spike_triggered(readout(network, layer), WhiteNoise(SHAPE), 20_000, device=str(device), cache=False)
        print(f"average, all positions of {layer}  {20_000 / (time.perf_counter() - started):10,.0f} images/s")


def _bench_sources(device: torch.device) -> None:
    """Print how fast each kind of noise is made, and shown to the CIFAR-10 network (whose weights do not matter)."""
    network = architectures.build("cifar_cnn", (3, 32, 32), 10, seed=0)
    for name in ("mnist", "cifar10"):
        dataset = datasets.load(name)
        size = "×".join(map(str, dataset.shape))
        for kind, source in (
            ("white", WhiteNoise(dataset.shape)),
            ("Gabor–PCA", GaborNoise(fit_gabor(dataset))),
        ):
            print(f"making {kind} noise, {size:10} {_making(source):10,.0f} images/s")
            if name == "cifar10":
                started = time.perf_counter()
                observe(network, source, 10_000, device=str(device), precision="bf16", cache=False)
                print(f"observe it, bf16                 {10_000 / (time.perf_counter() - started):10,.0f} images/s")


def _making(source: Source, blocks: int = 20) -> float:
    source.block(0)
    started = time.perf_counter()
    for i in range(blocks):
        source.block(i)
    return blocks * BLOCK / (time.perf_counter() - started)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _flop_per_image(network: nn.Module, device: torch.device) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *SHAPE, device=device))
    return counter.get_total_flops()


@torch.no_grad()
def _original_loop(network: nn.Sequential, n: int, device: torch.device) -> int:
    """As the authors' notebooks do it: all noise kept, batches of 10,000, a masked mean for each class and batch."""
    modules = dict(network.named_children())
    order = ("conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "flatten", "fc1", "relu3", "fc2")
    network = nn.Sequential(*(modules[name] for name in order)).to(memory_format=torch.contiguous_format)
    noise = torch.rand(n, *SHAPE)
    means = torch.zeros(10, *SHAPE)
    for batch in noise.split(10_000):
        batch = batch.to(device)
        response = network(batch).argmax(1)
        for k in range(10):
            chosen = batch[response == k]
            if len(chosen):
                means[k] += chosen.mean(0).cpu()
    return n


def _observe(network: nn.Module, n: int, device: torch.device, precision: str) -> int:
    observe(network, WhiteNoise(SHAPE), n, device=str(device), precision=precision, cache=False)
    return n


@torch.inference_mode()
def _forward(network: nn.Module, device: torch.device, precision: str, batches: int = 100) -> int:
    network = network.to(memory_format=torch.channels_last)
    batch = torch.rand(250, *SHAPE, device=device)
    with autocast(device, precision):
        for _ in range(batches):
            network(batch)
    return batches * len(batch)


def _product(device: torch.device, precision: str, size: int = 2048, times: int = 5) -> int:
    """Floating-point operations of square matrix products."""
    bf16 = precision == "bf16" and has_bf16(device)
    a = torch.rand(size, size, device=device, dtype=torch.bfloat16 if bf16 else torch.float32)
    for _ in range(times):
        a @ a
    return 2 * times * size**3


def _labels_changed(network: nn.Module, n: int, device: torch.device) -> float:
    labels = [
        torch.cat([s.argmax(1) for _, s in stream(network, WhiteNoise(SHAPE), 0, n, None, device, precision)])
        for precision in PRECISIONS
    ]
    return (labels[0] != labels[1]).float().mean().item()
