"""How fast the streaming loop is, against the original's and the machine's best, and where its time goes."""

import resource
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from wna_utils.data import datasets
from wna_utils.networks import architectures, training
from wna_utils.networks.compiling import operations
from wna_utils.networks.layers import readout
from wna_utils.networks.observer import Observer
from wna_utils.observe.loop import observe
from wna_utils.observe.spike_triggered_average import spike_triggered
from wna_utils.observe.tally import ClassTally
from wna_utils.stimuli.blocks import Source
from wna_utils.stimuli.gabor import GaborNoise, fit_gabor
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support.devices import PRECISIONS, has_bf16, resolve_device

SHAPE = (1, 28, 28)
ROUNDS = 3  # of all measurements in turn, so that a slow spell of the machine hits them alike
MANY = 10**9  # images, for which compiling always pays


def bench(n: int = 100_000) -> None:
    """Print images/s of the original loop, of `observe` and of the bare network, and the ratios between them."""
    device = resolve_device()
    network = training.trained("cnn", "mnist")
    _bench_memory(network, device)
    flop = operations(network, torch.zeros(1, *SHAPE))
    observers = {precision: _compiled(network, device, precision) for precision in PRECISIONS}
    measurements: dict[str, Callable[[], int]] = {"original loop": lambda: _original_loop(network, n, device)}
    for precision, observer in observers.items():
        plain = Observer(network, SHAPE, device=device, precision=precision)
        measurements |= {
            f"observe, {precision}": lambda observer=observer: _observe(observer, n),
            f"plain network, {precision}": lambda plain=plain: _forward(plain),
            f"compiled network, {precision}": lambda observer=observer: _forward(observer),
            f"matrix product, {precision}": lambda precision=precision: _product(device, precision),
        }
    rate = _rates(measurements, device)
    print(
        f"MNIST CNN, {flop / 1e6:.1f} MFLOP per image; {device}, {torch.get_num_threads()} threads; medians of {ROUNDS}"
    )
    print(f"original loop, float32           {rate['original loop']:10,.0f} images/s")
    for precision, observer in observers.items():
        kinds = ("observe", "plain network", "compiled network", "matrix product")
        ours, plain, compiled, peak = (rate[f"{kind}, {precision}"] for kind in kinds)
        print(f"observe, {precision:24}{ours:10,.0f} images/s")
        print(f"  over the original loop         {ours / rate['original loop']:10.2f}")
        print(f"  over the plain network         {ours / plain:10.2f} of {plain:,.0f} images/s")
        print(f"  over the compiled network      {ours / compiled:10.2f} of {compiled:,.0f} images/s")
        print(f"  of the matrix-product limit    {ours * flop / peak:10.2f} of {peak / 1e9:,.0f} GFLOP/s")
        shares = ", ".join(f"{name} {share:.0%}" for name, share in _shares(observer).items())
        print(f"  time goes to                   {shares}")
    if has_bf16(device):
        print(f"labels that bf16 changes         {_labels_changed(network, device)}")
    else:
        print("this machine has no bf16: asking for it ran float32")
    _bench_averages(network, device)
    _bench_sources(device)


def _bench_memory(network: nn.Module, device: torch.device) -> None:
    """Print the largest memory so far, after small images were shown, and after large ones."""
    large = nn.Sequential(nn.Conv2d(3, 8, 7, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    for shown, shape, n in ((network, SHAPE, 100_000), (large, (3, 224, 224), 500)):
        observe(shown, WhiteNoise(shape), n, device=device, cache=False)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
        print(f"peak memory, {n:,} of {'×'.join(map(str, shape)):10} {peak:12.2f} GB")


def _rates(measurements: dict[str, Callable[[], int]], device: torch.device) -> dict[str, float]:
    """Median rate of each measurement, which returns how much it has done."""
    rates: dict[str, list[float]] = {name: [] for name in measurements}
    for _ in range(ROUNDS):
        for name, measure in measurements.items():
            started = time.perf_counter()
            done = measure()
            _wait(device)
            rates[name].append(done / (time.perf_counter() - started))
    return {name: statistics.median(values) for name, values in rates.items()}


def _compiled(network: nn.Module, device: torch.device, precision: str) -> Observer:
    observer = Observer(network, SHAPE, device=device, precision=precision)
    started = time.perf_counter()
    observer.compile_for(MANY)
    print(f"compiled for {precision:8} in           {time.perf_counter() - started:10.1f} s")
    return observer


def _shares(observer: Observer, blocks: int = 20) -> dict[str, float]:
    """Share of the loop's time that goes to making noise, to the network, and to counting."""
    source, tally = WhiteNoise(observer.shape), ClassTally()
    tally.prepare(observer)
    tally.to(observer.device)
    spent = {"noise": 0.0, "network": 0.0, "tally": 0.0}

    def timed(name: str, work: Callable):
        started = time.perf_counter()
        result = work()
        _wait(observer.device)
        spent[name] += time.perf_counter() - started
        return result

    for number in range(blocks):
        block = timed("noise", lambda number=number: source.block(number, observer.device))
        answers = timed("network", lambda block=block: observer(block.stimuli))
        timed("tally", lambda block=block, answers=answers: tally.add(block, answers))
    return {name: each / sum(spent.values()) for name, each in spent.items()}


def _bench_averages(network: nn.Module, device: torch.device) -> None:
    """Print how fast spike-triggered averages over all positions of a layer are made."""
    for layer in ("conv1", "conv2"):
        started = time.perf_counter()
        spike_triggered(readout(network, layer), WhiteNoise(SHAPE), 20_000, device=device, cache=False)
        print(f"average, all positions of {layer}  {20_000 / (time.perf_counter() - started):10,.0f} images/s")


def _bench_sources(device: torch.device) -> None:
    """Print how fast each kind of noise is made, and shown to the CIFAR-10 network (whose weights do not matter)."""
    network = architectures.build("cifar_cnn", (3, 32, 32), 10, seed=0)
    for name in ("mnist", "cifar10"):
        dataset = datasets.load(name)
        size = "×".join(map(str, dataset.shape))
        for kind, source in (("white", WhiteNoise(dataset.shape)), ("Gabor–PCA", GaborNoise(fit_gabor(dataset)))):
            print(f"making {kind} noise, {size:10} {_making(source, device):10,.0f} images/s")
    for precision in PRECISIONS if has_bf16(device) else PRECISIONS[:1]:
        observer = Observer(network, dataset.shape, device=device, precision=precision)
        plain = _one_rate(lambda observer=observer: _forward(observer, 1_000), device)
        observer.compile_for(MANY)
        compiled = _one_rate(lambda observer=observer: _observe(observer, 4_000), device)
        print(f"CIFAR-10 CNN, {precision:8} plain {plain:,.0f}, observed compiled {compiled:,.0f} images/s")


def _one_rate(measure: Callable[[], int], device: torch.device) -> float:
    measure()
    _wait(device)
    started = time.perf_counter()
    done = measure()
    _wait(device)
    return done / (time.perf_counter() - started)


def _making(source: Source, device: torch.device, blocks: int = 20) -> float:
    source.block(0, device)
    started = time.perf_counter()
    for number in range(blocks):
        source.block(number, device)
    _wait(device)
    return blocks * source.block_size / (time.perf_counter() - started)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@torch.no_grad()
def _original_loop(network: nn.Sequential, n: int, device: torch.device) -> int:
    """As the authors' notebooks do it: all noise kept, batches of 10,000, a masked mean for each class and batch."""
    modules = dict(network.named_children())
    order = ("conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "flatten", "fc1", "relu3", "fc2")
    network = nn.Sequential(*(modules[name] for name in order)).to(device, memory_format=torch.contiguous_format)
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


def _observe(observer: Observer, n: int) -> int:
    observe(observer, WhiteNoise(observer.shape), n, cache=False)
    return n


def _forward(observer: Observer, n: int = 25_000) -> int:
    batch = torch.rand(observer.batch_size, *observer.shape, device=observer.device)
    batches = -(-n // len(batch))
    for _ in range(batches):
        observer.answer(batch)
    return batches * len(batch)


def _product(device: torch.device, precision: str, size: int = 2048, times: int = 5) -> int:
    """Floating-point operations of square matrix products."""
    bf16 = precision == "bf16" and has_bf16(device)
    a = torch.rand(size, size, device=device, dtype=torch.bfloat16 if bf16 else torch.float32)
    for _ in range(times):
        a @ a
    return 2 * times * size**3


def _labels_changed(network: nn.Module, device: torch.device, blocks: int = 25) -> str:
    """How many labels bf16 changes, and how many of those go to a lower class: half, if it does not favour any."""
    source = WhiteNoise(SHAPE)

    def labels(precision: str) -> Tensor:
        observer = Observer(network, SHAPE, device=device, precision=precision)
        return torch.cat([observer.predict(source.block(number).stimuli) for number in range(blocks)])

    exact, rounded = labels("float32"), labels("bf16")
    changed = exact != rounded
    lower = int((rounded < exact).sum())
    return f"{int(changed.sum())} of {len(exact):,}, {lower} of them to a lower class"
