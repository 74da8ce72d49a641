"""What the noise lab loads: networks, noise, test images, patterns and amounts of stimulation, and a list of it all."""

import base64
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from torch import Tensor, nn

from wna_utils.analysis.templates import stretch
from wna_utils.data import datasets, fetch
from wna_utils.data.datasets import Dataset
from wna_utils.interventions.attacks import as_plotted
from wna_utils.interventions.backdoors import Backdoor
from wna_utils.interventions.stimulation import RULES, SCALES, bias_change, map_activation
from wna_utils.lab import export, runtime
from wna_utils.networks import recorded_networks
from wna_utils.networks.training import RECIPES
from wna_utils.observe import recorded_tallies
from wna_utils.observe.recorded_tallies import Shown
from wna_utils.observe.tally import ClassTally
from wna_utils.report.figures import MAP, SIGNED
from wna_utils.report.published import published
from wna_utils.report.stamps import library_versions, modules
from wna_utils.stimuli import WhiteNoise
from wna_utils.stimuli.gabor import GaborNoise, recorded_model, recorded_path
from wna_utils.support import paths, recorded, tensor_files
from wna_utils.support.fingerprint import digest
from wna_utils.support.progress import bar

LAYERS = tuple(SCALES)  # whose biases can be changed
DATA = "mnist"
LIST = "lab.json"
CHECKED = 10_000  # noise images that an exported network must call as the network itself does
SHOWN_BY, PER_CLASS = 10, 20  # as in the chapter on microstimulation: network 0 of ten gets these test images
TYPICAL = 1_000  # training images of a class, over which its activation is averaged
LEVELS = 21  # of the signal


@dataclass(frozen=True)
class Subject:
    """A recorded network of the lab, and what readers are told of it."""

    name: str
    title: str
    n: int  # noise images behind its recorded maps
    backdoor: Backdoor | None = None
    seed: int = 0

    @property
    def record(self) -> str:
        data = self.backdoor.name_of(DATA) if self.backdoor else DATA
        return recorded_networks.name_of("cnn", data, self.seed, RECIPES["cnn"])

    @property
    def shown(self) -> Shown:
        """The noise that its recorded maps are of."""
        return Shown(self.record, self.n, seed=self.seed)

    @cached_property
    def tally(self) -> ClassTally:
        """What the network called that noise."""
        return recorded_tallies.load(self.shown)

    @cached_property
    def network(self) -> nn.Module:
        return recorded_networks.load(self.record)


SUBJECTS = (
    Subject("first", "CNN, seed 0: the book's first network", 10_000_000),
    Subject("other", "CNN, seed 10: it calls less of the noise 8", 1_000_000, seed=10),
    Subject("backdoored", "CNN with a backdoor: find the patch", 1_000_000, backdoor=Backdoor("C", "8", "9")),
)


def write_contents(folder: Path) -> bool:
    """Write all that the lab loads, and `lab.json`, which lists it, unless it is there; whether that had to be done.

    Raises `DataUnavailable` if what runs networks in a browser cannot be had, and `WrongExport` if an exported network
    does not answer as the network itself.
    """
    made_from = _digest()
    if _is_made(folder, made_from):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    served = _runtime(folder)
    dataset = datasets.load(DATA)
    noise = GaborNoise(recorded_model(DATA))
    export.write_mixer(folder / "gabor.onnx", noise)
    places = torch.rand(100, noise.components, generator=torch.Generator().manual_seed(0))
    export.check_mixer(folder / "gabor.onnx", noise, places)
    _write_images(folder / "images.safetensors", dataset)
    with bar(SUBJECTS, desc="exporting networks to the noise lab", unit="network") as progress:
        networks = [_subject(subject, dataset, folder) for subject in progress]
    contents = {
        "made_from": made_from,
        "runtime": served,
        "shape": dataset.shape,
        "classes": dataset.classes,
        "networks": networks,
        "layers": [{"name": name, "maps": len(SUBJECTS[0].network.get_submodule(name).bias)} for name in LAYERS],
        "gabor": {"file": _file(folder / "gabor.onnx"), "components": noise.components},
        "images": _file(folder / "images.safetensors"),
        "levels": np.linspace(0, 1, LEVELS).tolist(),
        "colours": {"own": _colours(MAP), "signed": _colours(SIGNED)},
        "published": published("table_1"),
    }
    with paths.replacing(folder / LIST) as temporary:  # last: it says that all the others are there
        temporary.write_text(json.dumps(contents))
    listed = {LIST, *(each["name"] for each in files(folder))}
    for path in folder.iterdir():
        if path.name not in listed:  # of an earlier build
            path.unlink()
    return True


def files(folder: Path) -> list[dict[str, str]]:
    """The files that `lab.json` lists, by name and hash; none if it is not there."""
    if not (folder / LIST).exists():
        return []
    lab = json.loads((folder / LIST).read_text())
    of_networks = [each for about in lab["networks"] for each in (about["file"], about["tensors"])]
    return [*lab["runtime"].values(), lab["gabor"]["file"], lab["images"], *of_networks]


def _is_made(folder: Path, made_from: str) -> bool:
    listed = files(folder)
    whole = all((folder / each["name"]).exists() and _file(folder / each["name"]) == each for each in listed)
    return bool(listed) and whole and json.loads((folder / LIST).read_text())["made_from"] == made_from


def _digest() -> str:
    """Hash of all that the lab's contents depend on: records, data, code and libraries."""
    used = [recorded_path(DATA)]
    used += [path for subject in SUBJECTS for path in (recorded_networks.path_of(subject.record), subject.shown.path)]
    code = sorted(modules(["from wna_utils.lab import contents"]).items())
    sums = [recorded.checksum(path) for path in used]
    return digest(sums, fetch.FILES[DATA], code, library_versions(), published("table_1"))


def _runtime(folder: Path) -> dict[str, dict[str, str]]:
    source = runtime.runtime_files()
    for name in runtime.ROLES.values():
        with paths.replacing(folder / name) as temporary:
            shutil.copyfile(source / name, temporary)
    return {role: _file(folder / name) for role, name in runtime.ROLES.items()}


def _file(path: Path) -> dict[str, str]:
    """A file's name, and its hash as browsers check it."""
    return {"name": path.name, "sha256": base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()}


def _subject(subject: Subject, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """What readers are told of a network; its files are written."""
    network, file = subject.network, folder / f"{subject.name}.onnx"
    export.write_network(file, network, dataset.shape, LAYERS)
    noise = WhiteNoise(dataset.shape)
    shown = torch.cat([noise.block(i).stimuli for i in range(-(-CHECKED // noise.block_size))])[:CHECKED]
    export.check_network(file, network, shown, LAYERS)
    tensor_files.write(folder / f"{subject.name}.safetensors", _patterns(subject) | _amounts(network, dataset))
    return {
        "name": subject.name,
        "title": subject.title,
        "n": subject.n,
        "counts": subject.tally.counts.tolist(),
        "file": _file(file),
        "tensors": _file(folder / f"{subject.name}.safetensors"),
    }


def _patterns(subject: Subject) -> dict[str, Tensor]:
    """Recorded bias maps, stretched, and what the authors' code made of them by way of a picture, (K, c, h, w) each."""
    patterns = {"map": stretch(subject.tally.means), "picture": as_plotted(subject.tally.means)}
    return {name: torch.from_numpy(np.ma.filled(each, np.nan)).float() for name, each in patterns.items()}


def _amounts(network: nn.Module, dataset: Dataset) -> dict[str, Tensor]:
    """What stimulation of strength 1 adds to the biases of each layer, for every class, by rule: (K, m)."""
    typical = [dataset.x_train[dataset.y_train == k][:TYPICAL] for k in range(len(dataset.classes))]
    amounts = {}
    for layer in LAYERS:
        activations = [map_activation(network, layer, images) for images in typical]
        for rule in RULES:
            amounts[f"{layer} {rule}"] = torch.stack([bias_change(each, layer, 1.0, rule) for each in activations])
    return amounts


def _write_images(path: Path, dataset: Dataset) -> None:
    """Test images of each class (K, n, c, h, w), in 256 steps, and mean training images (K, c, h, w), stretched."""
    images = torch.stack([
        dataset.x_test[dataset.y_test == k][::SHOWN_BY][:PER_CLASS] for k in range(len(dataset.classes))
    ])  # fmt: skip
    means = torch.from_numpy(np.asarray(stretch(dataset.class_means().numpy()))).float()
    tensor_files.write(path, {"images": (images * 255).round().byte(), "means": means})


def _colours(name: str) -> Sequence[Sequence[int]]:
    """Red, green and blue of the 256 steps of a scale of colours."""
    return (colormaps[name](np.arange(256), bytes=True)[:, :3]).tolist()
