"""Recorded labels: what a recorded network calls each of the first images of a noise, in `book/recorded/labels/`.

Noise is made again in no time; what takes long is the network. With its labels at hand, any of these images are tallied
by class without it.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wna_utils.networks import named, recorded_networks
from wna_utils.networks.observer import SCORES, Observer
from wna_utils.observe import loop
from wna_utils.observe.cells import CellTally
from wna_utils.observe.recorded_tallies import SOURCES, Shown, is_observer, is_source, shown_in
from wna_utils.observe.recording import Recording
from wna_utils.observe.tally import ClassTally, Tally
from wna_utils.stimuli.blocks import Source
from wna_utils.support import recorded
from wna_utils.support.identity import Uncertain
from wna_utils.support.progress import bar

LABELS = "labels"
MOST_CLASSES = 256  # that a byte tells apart


def path_of(shown: Shown) -> Path:
    """The file of the labels of what is `shown`, such as "labels-cnn-mnist-15-epochs-seed-0-white-200000"."""
    own = shown.network.endswith(f"-seed-{shown.seed}")  # usually, noise has its network's seed
    return recorded.path_of(LABELS, f"labels-{shown.name}{'' if own else f'-noise-seed-{shown.seed}'}")


def computed(shown: Shown, device: str = "auto", start: int = 0, stop: int | None = None) -> Tensor:
    """The class (stop − start,) uint8 that a recorded network gives each of these images, all by default, on the CPU.

    Raises `ValueError` for a network of more classes than a byte tells apart.
    """
    stop, source = shown.n if stop is None else stop, shown.source()
    observer = shown.observer(source.shape, device=device, precision=shown.precision)
    if observer.classes > MOST_CLASSES:
        raise ValueError(f"labels are recorded of {MOST_CLASSES} classes at most; {shown.network} has more")
    observer.compile_for(stop - start)
    labels = []
    with bar(total=stop - start, desc="labelling noise", unit=" images", unit_scale=True) as progress:
        for block, answers in loop.shown(observer, source, start, stop):
            labels.append(answers[SCORES].argmax(1).to("cpu", torch.uint8))
            progress.update(len(block))
    return torch.cat(labels)


def write(shown: Shown, labels: Tensor, made: dict[str, Any]) -> Path:
    """Write the labels of what is shown among the records; `made` says when, where and by what they were computed."""
    path, size = path_of(shown), shown.source().block_size
    about = {"shown": asdict(shown), "weights": named.weights_of(shown.network), "block_size": size, "made": made}
    recorded.write(path, {LABELS: labels}, about)
    return path


def find(observer: Observer, source: Source, stop: int, tally: Tally) -> Tensor | None:
    """The recorded labels (stop,) of the first trials of this very source, shown to this very observer.

    None if there are not so many, if that cannot be told for certain, or if the tally needs more than labels.
    Raises `ValueError` for a damaged record, or one of another network than is recorded now.
    """
    part = tally.parts[0] if isinstance(tally, Recording) else tally
    if not recorded.used() or type(part) not in (ClassTally, CellTally):
        return None
    wanted = observer.precision, type(source), getattr(getattr(source, "noise", source), "seed", None)
    for path in sorted((recorded.folder() / LABELS).glob("labels-*.safetensors.xz")):
        shown = shown_in(path)
        alike = (shown.precision, SOURCES[shown.noise], shown.seed) == wanted
        try:
            if alike and shown.n >= stop and is_source(shown, source) and is_observer(path, observer):
                return _read(path)[:stop]
        except Uncertain:
            return None
    return None


def _read(path: Path) -> Tensor:
    if what := problem(path):
        raise ValueError(f"the record {path} {what}: {recorded.remedy(path)}")
    recorded.note(path)
    return recorded.read(path)[0][LABELS]


def problem(path: Path) -> str:
    """Why a record is not of the labels that it says, or of another network than is recorded now; empty if it is."""
    tensors, about = recorded.read(path)
    shown, labels = Shown(**about["shown"]), tensors[LABELS]
    if path != path_of(shown):
        return "is of something else than its name says"
    if about["weights"] != named.weights_of(shown.network):
        return f"is of another network than the recorded {shown.network}"
    classes = recorded.about(recorded_networks.path_of(shown.network))["classes"]
    if labels.shape != (shown.n,) or int(labels.max()) >= classes:
        return "does not have a label for each image, or has labels of no class"
    return ""


def apart(path: Path, number: int, device: str = "auto") -> float:
    """Share of the images of a block that the network calls otherwise now."""
    tensors, about = recorded.read(path)
    size = about["block_size"]
    some = slice(number * size, (number + 1) * size)
    now = computed(Shown(**about["shown"]), device, some.start, some.stop)
    return float((now != tensors[LABELS][some]).double().mean())
