"""What a network's layers hold alike of photographs, adversarial noise and interference (Zhang et al.), or its record.

A study takes a network of ImageNet minutes to hours, and comes down to dissimilarities, which are small. Those of a
network that is too slow for every build are recorded, with two of its photographs' images, so that an audit can see
whether the network still holds them alike as it did.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wna_utils.analysis.representations import dissimilarities, of_layers
from wna_utils.data.photographs import Photographs
from wna_utils.interventions import ascent
from wna_utils.interventions.ascent import Ascent, ascend
from wna_utils.interventions.attacks import similarity_of, towards
from wna_utils.networks import pretrained
from wna_utils.networks.observer import Observer
from wna_utils.support import recorded, tensor_files
from wna_utils.support.checks import one_of
from wna_utils.support.fingerprint import code_digest, digest, tensor_digest
from wna_utils.support.paths import cache_dir

KINDS = "AN", "AI"
CONTROLS = "white noise", "another's interference"
KEPT = 2  # photographs whose images a record keeps


@dataclass(frozen=True)
class Making:
    """How images are made: the probability at which they are compared and others to stop at, lengths of steps, λ."""

    confidence: float = 0.99
    stops: tuple[float, ...] = (0.9, 0.99, 0.999, 0.9999)
    length_noise: float = 1.0
    length_interference: float = 0.5
    pull: float = 0.001
    most_steps: int = 200
    seed: int = 0

    @property
    def levels(self) -> list[float]:
        """All probabilities at which an ascent stops, in order."""
        return sorted({*self.stops, self.confidence})


@dataclass(frozen=True)
class Study:
    """What was found of one network, m stops, L layers and n photographs; dissimilarities are over pairs (…, pairs).

    `found` holds "RE" (L, pairs), "AN" and "AI" (m, L, pairs), the `CONTROLS` (L, pairs), the same but for the stops by
    Euclidean distance and after the softmax ("far RE", "sure RE", …), and of the images "AN steps" and "AN probability"
    (m, n), "AN length", "AN largest" and "AN alike" (n,), how far and visibly they were moved, and "RE probability"
    (n,). `images` are those at the confidence, by kind, (n, 3, h, w); of a record, those of its first photographs.
    """

    layers: tuple[str, ...]
    making: Making
    found: Mapping[str, np.ndarray]
    images: Mapping[str, Tensor]

    @property
    def at(self) -> int:
        """Place of the confidence among the stops."""
        return self.making.levels.index(self.making.confidence)

    def kind(self, name: str, stop: int | None = None) -> dict[str, np.ndarray]:
        """Dissimilarities of a kind of images by layer; of AN and AI at a stop, the confidence if it is not given."""
        rows = self.found[name]
        if name in KINDS:
            rows = rows[self.at if stop is None else stop]
        return dict(zip(self.layers, rows, strict=True))


def path_of(network: str) -> Path:
    """The file of the recorded study of a network."""
    return recorded.path_of("representations", f"adversarial-{network}")


def study(network: str, shown: Photographs, making: Making, device: str = "auto") -> Study:
    """The study of a network, such as "mobilenet_v2": its record, if there is one of these photographs and this making.

    Raises `ValueError` for an unknown network, and `DataUnavailable` if its weights cannot be had.
    """
    one_of("network", network, pretrained.KNOWN)
    if not (recorded.used() and is_recorded(network, shown, making)):
        return computed(network, shown, making, device)
    path, layers = path_of(network), tuple(pretrained.layers_of(network))
    recorded.note(path)
    tensors, _ = recorded.read(path)
    images = {kind: tensors.pop(f"kept {kind}").float() for kind in KINDS}
    images["RE"] = shown.images[: len(images["AN"])]
    return Study(layers, making, {name: each.double().numpy() for name, each in tensors.items()}, images)


def is_recorded(network: str, shown: Photographs, making: Making) -> bool:
    """Whether a network's study of these photographs, made like this, is recorded; whether records are used or not."""
    path = path_of(network)
    return path.exists() and _of(network, shown, making).items() <= recorded.about(path).items()


def _of(network: str, shown: Photographs, making: Making) -> dict[str, Any]:
    """What a study is of: a record of anything else is another one. That its weights are the same, an audit tells."""
    return {
        "network": network,
        "photographs": digest(tensor_digest(shown.images), tensor_digest(shown.labels)),
        "making": asdict(making) | {"stops": list(making.stops)},
    }


def computed(network: str, shown: Photographs, making: Making, device: str = "auto") -> Study:
    """The study of a network, whatever is recorded."""
    whole, wanted = tuple(shown.images.shape[1:]), pretrained.layers_of(network)
    reader = Observer(pretrained.load(network), whole, layers=wanted, device=device)
    ascents = ascents_from(reader, shown, making)
    at = making.levels.index(making.confidence)
    images = {"RE": shown.images} | {kind: each.images[at] for kind, each in ascents.items()}
    found = _moved(ascents, shown, at)
    for kind, each in images.items():
        found |= _read(reader, each, kind, far=True)
    found["RE probability"] = reader(shown.images)["scores"].softmax(1).cpu()[range(len(shown.labels)), shown.labels]
    for kind, climbed in ascents.items():
        stops = [found[kind] if i == at else _read(reader, each, kind)[kind] for i, each in enumerate(climbed.images)]
        found[kind] = np.stack(stops)
    for kind, changed in _controls(shown.images, images["AI"], making.seed).items():
        found |= _read(reader, changed, kind)
    return Study(tuple(wanted), making, {name: np.asarray(each) for name, each in found.items()}, images)


def ascents_from(reader: Observer, shown: Photographs, making: Making) -> dict[str, Ascent]:
    """Ascents to AN and AI: from the mean colour to each photograph's class, and from the photograph to another one.

    They come from the cache if they were made before.
    """
    n, whole = len(shown.labels), shown.images.shape[1:]
    random = np.random.default_rng(making.seed)
    others = (shown.labels + torch.from_numpy(random.integers(1, reader.classes, n))) % reader.classes
    start = mean_image(whole).repeat(n, 1, 1, 1)
    way = {"confidences": making.levels, "steps": making.most_steps}
    return {
        "AN": _once(reader, start, shown.labels, length=making.length_noise, pull=making.pull, **way),
        "AI": _once(reader, shown.images, others, shown.labels, length=making.length_interference, **way),
    }


def _once(reader: Observer, start: Tensor, targets: Tensor, own: Tensor | None = None, **way: Any) -> Ascent:
    """The ascent from these images to these targets, made or from the cache."""
    of = reader.identity(), tensor_digest(start), tensor_digest(targets), sorted(way.items())
    path = cache_dir() / "ascents" / f"{digest(*of, code_digest(ascent))}.safetensors"

    def made() -> dict[str, Tensor]:
        found = ascend(reader, start, targets, own=own, **way)
        numbers = torch.from_numpy(found.steps), torch.from_numpy(found.probability)
        return {"images": found.images, "steps": numbers[0], "probability": numbers[1]}

    kept = tensor_files.made_once(path, made)
    return Ascent(tuple(way["confidences"]), kept["images"], kept["steps"].numpy(), kept["probability"].numpy())


def mean_image(shape: tuple[int, ...]) -> Tensor:
    """ImageNet's mean colour, everywhere: it stands in for the mean of its images, which could not be had."""
    return torch.tensor(pretrained.USUAL[0])[:, None, None].expand(*shape)


def _moved(ascents: Mapping[str, Ascent], shown: Photographs, at: int) -> dict[str, Any]:
    """How far ascents went and how visible that is."""
    found: dict[str, Any] = {}
    starts = {"AN": mean_image(tuple(shown.images.shape[1:])).expand_as(shown.images), "AI": shown.images}
    for kind, climbed in ascents.items():
        moved = (climbed.images[at] - starts[kind]).flatten(1)
        found |= {
            f"{kind} steps": climbed.steps,
            f"{kind} probability": climbed.probability,
            f"{kind} length": moved.norm(dim=1),
            f"{kind} largest": moved.abs().amax(1),
            f"{kind} alike": similarity_of(starts[kind], climbed.images[at]),
        }
    return found


def _read(reader: Observer, images: Tensor, kind: str, far: bool = False) -> dict[str, Any]:
    """Dissimilarities of images in each layer, (L, pairs); with `far`, in other ways, too."""
    answers = reader(images)
    found: dict[str, Any] = {kind: np.stack(list(of_layers(answers).values()))}
    if far:
        found[f"far {kind}"] = np.stack(list(of_layers(answers, "euclidean").values()))
        found[f"sure {kind}"] = dissimilarities(answers["scores"].softmax(1).cpu().numpy())
    return found


def _controls(photographs: Tensor, interference: Tensor, seed: int) -> dict[str, Tensor]:
    """Photographs with a change as long as their interference: white noise, and the one before's interference.

    Values beyond [0, 1] are cut, so that changes of photographs with much black or white are a little shorter.
    """
    made = interference - photographs
    white = torch.randn(made.shape, generator=torch.Generator().manual_seed(seed))
    lengths = made.flatten(1).norm(dim=1).tolist()
    return {
        kind: torch.cat([towards(*each) for each in zip(photographs.split(1), change.split(1), lengths, strict=True)])
        for kind, change in zip(CONTROLS, (white, made.roll(1, 0)), strict=True)
    }


def write(network: str, found: Study, shown: Photographs, made: dict[str, Any]) -> Path:
    """Write a study that was just computed among the records, with the images of its first photographs.

    `made` says when, where and by what.
    """
    tensors = {name: torch.from_numpy(each).float() for name, each in found.found.items()}
    tensors |= {f"kept {kind}": found.images[kind][:KEPT].half() for kind in KINDS}
    path = path_of(network)
    recorded.write(path, tensors, {**_of(network, shown, found.making), "made": made})
    return path


@dataclass(frozen=True)
class Again:
    """How else a network answers to the kept images of a record: the largest difference of a dissimilarity (`apart`).

    `probability` is the largest difference of the probability that it gives the classes of the kept noise.
    """

    apart: float
    probability: float


def read_again(network: str, shown: Photographs, device: str = "auto") -> Again:
    """Have a network look at the images that the record of its study keeps, and at their photographs, again."""
    tensors, _ = recorded.read(path_of(network))
    whole, wanted = tuple(shown.images.shape[1:]), pretrained.layers_of(network)
    reader = Observer(pretrained.load(network), whole, layers=wanted, device=device)
    making = Making(**recorded.about(path_of(network))["making"])
    at, apart, sure = making.levels.index(making.confidence), [], np.zeros(KEPT)
    for kind in ("RE", *KINDS):
        images = shown.images[:KEPT] if kind == "RE" else tensors[f"kept {kind}"].float()
        answers = reader(images)
        before = tensors[kind][:, 0] if kind == "RE" else tensors[kind][at][:, 0]
        now = [1 - np.corrcoef(each.flatten(1).cpu().double().numpy())[0, 1] for each in answers.values()]
        apart.append(float(np.abs(np.array(now) - before.numpy()).max()))
        if kind == "AN":
            sure = answers["scores"].softmax(1)[range(KEPT), shown.labels[:KEPT]].cpu().numpy()
    return Again(max(apart), float(np.abs(sure - tensors["AN probability"][at, :KEPT].numpy()).max()))
