"""Recorded tallies: what a recorded network answered to millions of images, in `book/recorded/tallies/`."""

from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from wna_utils.data import imagenet
from wna_utils.networks import named, recorded_networks
from wna_utils.networks.layers import readout
from wna_utils.networks.observer import Observer, Shape
from wna_utils.observe.calls import CallTally
from wna_utils.observe.cells import CellTally
from wna_utils.observe.graded import GradedTally
from wna_utils.observe.layers import ActivationTally, nodes_of_layers
from wna_utils.observe.recording import OWN, Recording, packed, unpacked
from wna_utils.observe.spike_triggered_average import FieldTally
from wna_utils.observe.tally import ClassTally, Tally
from wna_utils.stimuli.blocks import SmallBlocks, Source
from wna_utils.stimuli.gabor import GaborNoise, recorded_model
from wna_utils.stimuli.pictures import SignalPlusNoise
from wna_utils.stimuli.smooth import PinkNoise
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support import recorded
from wna_utils.support.identity import Uncertain, identity

SOURCES = {"white": WhiteNoise, "gabor": GaborNoise, "trials": SignalPlusNoise, "pink": PinkNoise}


@dataclass(frozen=True)
class Shown:
    """What a record is the tally of: n images of a noise from a seed, shown to a recorded network.

    "trials" are the test images of a network's classes in white noise, by stimulus and response. What is kept is images
    by class, or one of these instead: averages of the units of a `layer`; noise `graded` by a scale of scores; `calls`,
    what noise is called and how it scores, without images; averages by class of several layers' `activations`, such as
    "conv2 fc1". `how` are options of the noise: the γ of trials; whose wavelets Gabor noise is mixed from, or `of`
    which data set's; the `side` of images that are not as large as the network's own; the images in a `block`, if they
    are fewer than usual.
    """

    network: str
    n: int
    noise: str = "white"
    seed: int = 0
    layer: str = ""
    how: dict[str, Any] = field(default_factory=dict)
    precision: str = "float32"
    graded: str = ""
    calls: bool = False
    activations: str = ""

    @property
    def name(self) -> str:
        """Name of the record, such as "cnn-mnist-15-epochs-seed-0-white-10000000"."""
        how = [f"{name}-{value}" for name, value in sorted(self.how.items())]
        precision = "" if self.precision == "float32" else self.precision
        graded = self.graded and f"graded-by-{self.graded}"
        calls = "calls" if self.calls else ""
        layers = self.activations and f"averages-of-{self.activations.replace(' ', '-')}"
        parts = (self.network, self.layer, graded, calls, layers, self.noise, *how, precision, str(self.n))
        return "-".join(filter(None, parts))

    @property
    def of_units(self) -> bool:
        """Whether stimuli are weighted by responses, instead of being counted by class."""
        return bool(self.layer or self.graded)

    @property
    def path(self) -> Path:
        """The file of the record."""
        return recorded.path_of("tallies", self.name)

    def source(self) -> Source:
        """The noise."""
        how = dict(self.how)
        size = how.pop("block", None)
        noise = self._noise(**how)
        return SmallBlocks(noise, size) if size else noise

    def _noise(
        self, side: int = 0, of: str = "", bank_of: str = "paper", **how: Any
    ) -> WhiteNoise | PinkNoise | GaborNoise | SignalPlusNoise:
        if self.noise == "gabor":
            of = of or recorded.about(recorded_networks.path_of(self.network))["dataset"]
            return GaborNoise(recorded_model(of, bank_of), self.seed, **how)
        if self.noise == "trials":
            dataset = recorded_networks.dataset_of(self.network)
            noise = WhiteNoise(dataset.shape, seed=self.seed)
            return SignalPlusNoise(dataset.x_test, dataset.y_test, noise, **how)
        channels, height, width = named.shape_of(self.network)
        shape = channels, side or height, side or width
        return WhiteNoise(shape, seed=self.seed, **how) if self.noise == "white" else PinkNoise(shape, self.seed, **how)

    def units(self) -> nn.Module:
        """What is shown the noise: the network, or the units of the layer."""
        network = named.load(self.network)
        return readout(network, self.layer) if self.layer else network

    def observer(self, shape: tuple[int, ...], **options: Any) -> Observer:
        """The `units` as an observer of images of this shape, which answers with what is tallied."""
        units = self.units()
        if not self.activations:
            return Observer(units, shape, **options)
        layers = nodes_of_layers(cast(nn.Sequential, units), self.activations.split())
        return Observer(units, shape, layers=layers, **options)

    def empty(self) -> ClassTally | CellTally | CallTally | ActivationTally | FieldTally:
        """An empty tally of the kind that is recorded."""
        if self.graded:
            return GradedTally(self.graded)
        if self.layer:
            return FieldTally()
        if self.calls:
            return CallTally()
        if self.activations:
            return ActivationTally()
        return CellTally(2) if self.noise == "trials" else ClassTally()


def write(shown: Shown, recording: Recording[Any], block_size: int, made: dict[str, Any]) -> Path:
    """Write a recording among the records; `made` says when, where and by what it was made."""
    weights = named.weights_of(shown.network)
    about = {"shown": asdict(shown), "weights": weights, "block_size": block_size, "made": made}
    recorded.write(shown.path, packed(recording, block_size), about)
    return shown.path


def load(shown: Shown) -> Tally:
    """The recorded tally of all blocks.

    Raises `ValueError` if its file is missing or damaged, or of another network than is recorded now.
    """
    tensors, about = recorded.read(shown.path)
    if Shown(**about["shown"]) != shown:
        raise ValueError(f"the record {shown.path} is of something else: {recorded.remedy(shown.path)}")
    if about["weights"] != named.weights_of(shown.network):
        what = f"the record {shown.path} is of another network than the recorded {shown.network}"
        raise ValueError(f"{what}: {recorded.remedy(shown.path)}")
    tally = shown.empty()
    tally.restore(together(unpacked(tensors, about["block_size"])))
    return tally


def find(observer: Observer, source: Source, n: int, tally: Tally) -> dict[str, Tensor] | None:
    """The integers of a recorded tally of the first n stimuli of this very source, shown to this very observer.

    None if there is no such record, or that cannot be told for certain. Raises `ValueError` for a damaged record.
    """
    kind = _kind(tally.parts[0] if isinstance(tally, Recording) else tally)
    if not recorded.used():
        return None
    noise = source.noise if isinstance(source, SmallBlocks) else source
    seed = getattr(getattr(noise, "noise", noise), "seed", None)
    wanted = n, observer.precision, type(noise), seed, kind, getattr(noise, "gamma", None)
    for path in sorted((recorded.folder() / "tallies").glob(f"*-{n}.safetensors.xz")):
        shown = shown_in(path)
        gamma = shown.how.get("gamma")
        alike = shown.n, shown.precision, SOURCES[shown.noise], shown.seed, _kind(shown.empty()), gamma
        if alike == wanted and _is_at_hand(shown):
            try:
                if is_source(shown, source) and is_observer(path, observer):
                    return _fitting(shown, tally)
            except Uncertain:
                return None
    return None


def shown_in(path: Path) -> Shown:
    """What the record in a file is of."""
    return _shown(path, path.stat().st_mtime_ns)


@cache  # unpacking the heads of all records takes longer than showing some noise
def _shown(path: Path, _: int) -> Shown:
    return Shown(**recorded.about(path)["shown"])


def _is_at_hand(shown: Shown) -> bool:
    """Whether the network of a record can be loaded without fetching anything."""
    network = named.fetched(shown.network)
    return not network or imagenet.is_on_disk(network)


def _kind(tally: Tally) -> tuple[object, ...]:
    """What tallies of the same stimuli must have in common to count the same."""
    return type(tally), *(getattr(tally, name, None) for name in ("scale", "temperature", "by"))


def _fitting(shown: Shown, tally: Tally) -> dict[str, Tensor] | None:
    """The integers of a record, if they are as many as the tally has room for, and of its network as it now is."""
    tensors, about = recorded.read(shown.path)
    found = unpacked(tensors, about["block_size"])
    if not isinstance(tally, Recording):
        found = together(found)
    shapes = [{name: each.shape for name, each in of.items()} for of in (found, tally.tensors())]
    if shapes[0] != shapes[1] or about["weights"] != named.weights_of(shown.network):
        return None
    recorded.note(shown.path)
    return found


def is_source(shown: Shown, source: Source) -> bool:
    """Whether this source is what was shown; raises `Uncertain` if that cannot be told."""
    return identity(shown.source()) == identity(source)


def is_observer(path: Path, observer: Observer) -> bool:
    """Whether this observer is what the record in a file is of; raises `Uncertain` if that cannot be told."""
    network = recorded_networks.path_of(shown_in(path).network)
    changed = path.stat().st_mtime_ns, network.stat().st_mtime_ns if network.exists() else 0
    how = observer.shape, str(observer.device), observer.precision, observer.batch_size
    return _identity(path, changed, *how) == observer.identity()


@cache  # of few records, but many times where a tally grows in steps
def _identity(path: Path, _: tuple[int, int], shape: Shape, device: str, precision: str, batch_size: int) -> str:
    """Identity of the observer that the record in a file, when it and its network were last changed, is of."""
    how = {"device": device, "precision": precision, "batch_size": batch_size}
    return shown_in(path).observer(shape, **how).identity()


def together(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The integers of the tally of all blocks, from those of a `Recording`."""
    total: dict[str, Tensor] = {}
    for name, sums in tensors.items():
        if name not in OWN:
            _, own = name.split(" ", 1)
            total[own] = total[own] + sums if own in total else sums
    return total
