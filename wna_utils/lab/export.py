"""Networks and noise as ONNX files, which run in a browser, checked against torch."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wna_utils.report.audit_kinds import LABELS
from wna_utils.stimuli.gabor import GaborNoise
from wna_utils.support.paths import replacing

CLOSE = 1e-4  # pixels of noise that is mixed anew
BATCHES = {0: torch.export.Dim("batch")}  # of any size


REMEDY = (
    "`python -m wna_utils audit` tells whether the record is whole; `pip install -r requirements.txt` mends versions"
)
BATCH = 1_000  # images that are answered at a time


class WrongExport(ValueError):
    """An exported network does not answer as the network itself."""


class Steered(nn.Module):
    """A network whose forward pass takes, beside images (b, c, h, w), what is added to the biases of some layers.

    Its weights are held in half precision, as those of recorded networks are, and computed with in float32.
    """

    def __init__(self, network: nn.Module, layers: Sequence[str]):
        super().__init__()
        self.network, self.layers = copy.deepcopy(network).half(), layers
        self.eval()

    def forward(self, images: Tensor, *changes: Tensor) -> Tensor:
        weights = {name: each.float() for name, each in self.network.named_parameters()}
        for layer, change in zip(self.layers, changes, strict=True):
            weights[f"{layer}.bias"] = weights[f"{layer}.bias"] + change
        return torch.func.functional_call(self.network, weights, (images,))


class Mixer(nn.Module):
    """Gabor–PCA noise (b, c, h, w) from where each component lies within its range, (b, k) from 0 to 1: one channel."""

    def __init__(self, noise: GaborNoise):
        super().__init__()
        self.noise = noise
        self.eval()

    def forward(self, places: Tensor) -> Tensor:
        return self.noise.mixed(places[:, None])


def write_network(path: Path, network: nn.Module, shape: tuple[int, int, int], layers: Sequence[str]) -> None:
    """Write a network as ONNX: inputs "images" (b, c, h, w) and a change of bias for each of the layers, by its name.

    The output is "scores" (b, K). Raises `WrongExport` if the network's weights are not those of half precision.
    """
    if any((each != each.half()).any() for each in network.parameters()):
        raise WrongExport(f"{path.name} would be rounded to half precision: only recorded networks are exported")
    changes = [torch.zeros_like(network.get_submodule(layer).bias) for layer in layers]
    shapes = (BATCHES, ({},) * len(layers))
    _write(path, Steered(network, layers), (torch.zeros(2, *shape), *changes), shapes, ("images", *layers), "scores")


def write_mixer(path: Path, noise: GaborNoise) -> None:
    """Write a Gabor–PCA noise of one channel as ONNX: input "places" (b, k) from 0 to 1, output "images"."""
    _write(path, Mixer(noise), (torch.rand(2, noise.components),), (BATCHES,), ("places",), "images")


def _write(path: Path, module: nn.Module, example: tuple[Tensor, ...], shapes: Any, names: Any, output: str) -> None:
    program = torch.onnx.export(
        module, example, dynamic_shapes=shapes, input_names=names, output_names=[output], verbose=False
    )
    with replacing(path) as temporary:
        program.save(temporary)


def answers(path: Path, inputs: Mapping[str, Tensor]) -> np.ndarray:
    """What an exported file answers to its inputs, of which the first comes in batches."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    batched, *others = inputs  # the first of the inputs
    fixed = {name: inputs[name].numpy() for name in others}
    parts = [session.run(None, {batched: part.numpy()} | fixed)[0] for part in inputs[batched].split(BATCH)]
    return np.concatenate(parts)


@torch.no_grad()
def check_network(path: Path, network: nn.Module, images: Tensor, layers: Sequence[str]) -> float:
    """Share of images (n, c, h, w) that an exported network calls otherwise than the network does.

    Raises `WrongExport` if that is more than 5 in 1,000.
    """
    unchanged = {layer: torch.zeros_like(network.get_submodule(layer).bias) for layer in layers}
    called = torch.from_numpy(answers(path, {"images": images} | unchanged).argmax(1))
    expected = torch.cat([network(batch).argmax(1) for batch in images.split(BATCH)])
    differ = float((called != expected).double().mean())
    if differ > LABELS:
        what = f"{path.name} calls {differ:.1%} of the noise otherwise than the network it was made from"
        raise WrongExport(f"{what}: {REMEDY}")
    return differ


def check_mixer(path: Path, noise: GaborNoise, places: Tensor) -> None:
    """Raise `WrongExport` if an exported mixer makes other images of the places (n, k) than the noise does."""
    differ = abs(answers(path, {"places": places}) - noise.mixed(places[:, None]).numpy()).max()
    if differ > CLOSE:
        raise WrongExport(f"{path.name} makes pixels that differ by {differ:.2g} from those of the noise: {REMEDY}")
