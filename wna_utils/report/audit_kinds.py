"""What an audit computes again of a record, kind by kind, and how far it may differ."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

from torch import Tensor

from wna_utils.analysis import introspection_study, outputs_study, stages
from wna_utils.data import datasets, imagenet, photographs
from wna_utils.interventions import adversarial_study
from wna_utils.networks import named, pretrained
from wna_utils.networks import recorded_networks as networks
from wna_utils.networks.observer import Observer
from wna_utils.observe import recorded_labels
from wna_utils.observe import recorded_tallies as tallies
from wna_utils.observe.loop import observe
from wna_utils.observe.recorded_tallies import Shown
from wna_utils.observe.recording import Recording, packed, unpacked
from wna_utils.report.adding_up import PIXEL, inconsistent
from wna_utils.support import checkout, recorded, recorded_results

# Different floating-point rounding changes a few answers in ten thousand, and scores by less than half precision.
# Two networks that differ in their seed alone agree on 99.5 % of the digits, and differ in most scores.
LABELS = 0.005  # of those given again, that may be other ones
SCORES = 0.01  # of the largest score, by which a score may differ
APART = 0.01  # of a dissimilarity, from 0 to 2, and of a probability: images are kept in half precision
TEST_IMAGES, IN_COLOUR = 500, 100  # that a network answers again; one that sees colours takes ten times as long
# One build of so many, on average, shows a network noise again; slow are noise in colour and of ImageNet's size, and
# averages of layers. So an audit stays short, and some builds later all has been shown.
GREY, SLOW = 2, 6


@dataclass(frozen=True)
class Finding:
    """What was found about a record: what is wrong, if anything, and how much of it differs when it is made again.

    That is the share of test images that are called otherwise, the difference between what a block of noise adds now
    and what it added, or the most by which a map places an image elsewhere, in spreads; None where nothing can be shown
    again, or it is not its turn.
    """

    name: str
    difference: float | None = None
    problem: str = ""


def finding_of(path: Path, blocks: int, device: str) -> Finding:
    """What is found when some of a record is computed again."""
    kinds = {"networks": _network, "tallies": partial(_tally, blocks=blocks), "courses": _course}
    kinds |= {"noise": _finite, "photographs": _photographs, "representations": partial(_study, blocks=blocks)}
    kinds |= {"introspections": _map, "estimators": _estimator, "stages": _stages}
    kinds |= {"labels": partial(_labels, blocks=blocks), "results": _results}
    return kinds[path.parent.name](path, device=device)


def problem_of(path: Path, what: str, difference: float | None = None) -> Finding:
    """The finding that something is wrong with a record, in a sentence that ends with the remedy."""
    return Finding(recorded.name_of(path), difference, f"the record {path} {what}: {recorded.remedy(path)}")


def _network(path: Path, device: str) -> Finding:
    name, about = recorded.name_of(path), recorded.about(path)
    size = TEST_IMAGES if named.shape_of(name)[0] == 1 else IN_COLOUR
    again = networks.answers_again(name, checkout.chosen(name, 1_000), size, device)
    if not (again.calls <= _most(size) and again.scores <= SCORES):
        what = f"{again.calls:.1%} of the test images are called otherwise, and scores differ by {again.scores:.1%}"
        return problem_of(path, f"is another network: {what}", again.calls)
    if again.accuracy != about["accuracy"]:
        return problem_of(path, f"has an accuracy of {again.accuracy:.2%}, not {about['accuracy']:.2%}")
    return Finding(name, again.calls)


def _most(images: int) -> float:
    """Share of so many images whose labels may be others: of few, one label."""
    return max(LABELS, 1 / images)


def _course(path: Path, device: str) -> Finding:
    tensors, about = recorded.read(path)
    if (tensors["counts"].sum(1) != about["n"]).any() or tensors["last"].sum() != about["n_last"]:
        return problem_of(path, "does not add up: its counts are not of as many images as it says")
    name = recorded.name_of(path).removeprefix("course-")
    network, tally = networks.path_of(name), recorded.path_of("tallies", f"{name}-white-{about['n_last']}")
    if network.exists() and round(float(tensors["accuracies"][-1]), 6) != round(recorded.about(network)["accuracy"], 6):
        return problem_of(path, "does not end with the accuracy of the recorded network")
    if tally.exists():
        of_tally, known = recorded.read(tally)
        counts = tallies.together(unpacked(of_tally, known["block_size"]))["counts"]
        if not float((counts - tensors["last"]).abs().sum()) / 2 <= LABELS * about["n_last"]:
            return problem_of(path, "does not end with what the recorded network called the same noise")
    return Finding(recorded.name_of(path))


def _stages(path: Path, device: str) -> Finding:
    """What a network does before it is trained: of its stages, this one is made again in a second."""
    if problem := stages.problem(path):
        return problem_of(path, problem)
    apart = stages.apart(path, datasets.load(recorded.about(path)["dataset"]), device)
    if not apart <= SCORES:
        return problem_of(
            path, f"does not begin with its network: variance between classes is {apart:.1%} apart", apart
        )
    return Finding(recorded.name_of(path), apart)


def _results(path: Path, device: str) -> Finding:
    """What a chapter took minutes for: it computes a part of it again itself."""
    if problem := recorded_results.problem(path):
        return problem_of(path, problem)
    return Finding(recorded.name_of(path))


def _finite(path: Path, device: str) -> Finding:
    tensors, _ = recorded.read(path)
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        return problem_of(path, "has values that are not finite")
    return Finding(recorded.name_of(path))


def _photographs(path: Path, device: str) -> Finding:
    """Networks that were fetched, and what they answer to thumbnails: in turns, and if they are on disk."""
    tensors, largest = imagenet.thumbnails_record(), 0.0
    if tensors["thumbnails"].shape != (len(imagenet.classes()), 3, imagenet.THUMBNAIL, imagenet.THUMBNAIL):
        return problem_of(path, "does not have a thumbnail for every class of ImageNet")
    for network in filter(imagenet.is_on_disk, imagenet.OF_THE_BOOK):
        before = tensors[f"scores of {network}"].float()
        images = imagenet.thumbnails()[: len(before)]
        now = Observer(pretrained.load(network), tuple(images.shape[1:]), device=device)(images)["scores"].cpu()
        largest = max(largest, float((now - before).abs().max() / before.abs().max()))
        if not largest <= SCORES:
            return problem_of(
                path, f"is of another {network} than was fetched: scores differ by {largest:.1%}", largest
            )
    return Finding(recorded.name_of(path), largest)


def _study(path: Path, blocks: int, device: str) -> Finding:
    """What a network that was fetched holds alike: in turns, and if it is on disk."""
    name, network = recorded.name_of(path), recorded.about(path)["network"]
    waits = blocks == 1 and checkout.chosen(f"turn of {name}", SLOW) > 0
    if waits or not imagenet.is_on_disk(network):
        return Finding(name)
    again = adversarial_study.read_again(network, photographs.load(), device)
    if not again.apart <= APART:
        return problem_of(path, f"is not what its network holds alike: {again.apart:.2f} apart", again.apart)
    if not again.probability <= APART:
        return problem_of(path, f"keeps noise of which its network is not as sure: by {again.probability:.2f}")
    return Finding(name, again.apart)


def _inside(study: ModuleType, kind: str, path: Path, device: str) -> Finding:
    """What a map or an estimator says now of the test images that its record keeps."""
    if problem := study.problem(path):
        return problem_of(path, problem)
    apart = study.apart(path, device)
    if not apart <= SCORES:
        what = f"is another {kind}: what it says of test images differs by {apart:.1%} of its spread"
        return problem_of(path, what, apart)
    return Finding(recorded.name_of(path), apart)


_map = partial(_inside, introspection_study, "map")
_estimator = partial(_inside, outputs_study, "estimator")


def _tally(path: Path, blocks: int, device: str) -> Finding:
    tensors, about = recorded.read(path)
    shown, largest, size = Shown(**about["shown"]), 0.0, about["block_size"]
    if about["weights"] != named.weights_of(shown.network):
        return problem_of(path, f"is of another network than the recorded {shown.network}")
    if problem := inconsistent(shown, tensors, size):
        return problem_of(path, problem)
    if _waits(shown, blocks):
        return Finding(recorded.name_of(path))
    for i in range(blocks):
        number = checkout.chosen(f"{shown.name} {i}", shown.n // size)
        again = _shown_again(shown, number, size, device)
        apart = float(again["mean stimulus"][0] / tensors["mean stimulus"][number] - 1)
        if not abs(apart) <= PIXEL[shown.noise]:
            return problem_of(path, f"is of other noise: the pixels of its block {number} differ by {apart:.1e}")
        largest = max(largest, _apart(shown, again["added"][0], tensors["added"][number]))
        if not largest <= (LABELS if shown.of_units else _most(size)):
            return problem_of(path, f"is not what its network answers: {largest:.1%} of a block differ", largest)
    return Finding(recorded.name_of(path), largest)


def _labels(path: Path, blocks: int, device: str) -> Finding:
    """What a network calls noise now: in turns, as with tallies."""
    if problem := recorded_labels.problem(path):
        return problem_of(path, problem)
    about = recorded.about(path)
    shown, size = Shown(**about["shown"]), about["block_size"]
    if _waits(shown, blocks):
        return Finding(recorded.name_of(path))
    numbers = [checkout.chosen(f"labels {shown.name} {i}", -(-shown.n // size)) for i in range(blocks)]
    largest = max(recorded_labels.apart(path, number, device) for number in numbers)
    if not largest <= _most(size):
        return problem_of(path, f"is not what its network calls the noise: {largest:.1%} of a block differ", largest)
    return Finding(recorded.name_of(path), largest)


def _waits(shown: Shown, blocks: int) -> bool:
    """Whether it is not this build's turn to show a tally's noise again."""
    in_colour = named.shape_of(shown.network)[0] > 1
    builds = SLOW if in_colour or shown.activations else GREY
    return blocks == 1 and checkout.chosen(f"turn of {shown.name}", builds) > 0


def _shown_again(shown: Shown, number: int, size: int, device: str) -> dict[str, Tensor]:
    into = Recording(shown.empty(), 1, number)
    source = shown.source()
    observer = shown.observer(source.shape, device=device, precision=shown.precision)
    observe(observer, source, size, into=into, start=number * size, cache=False)
    return packed(into, size)


def _apart(shown: Shown, again: Tensor, before: Tensor) -> float:
    """Share of a block's images that get another label, or relative difference of its mean responses."""
    again, before = again.double(), before.double()
    difference = float((again - before).abs().sum() / before.abs().sum())
    return difference if shown.of_units else difference / 2  # a label is missed in one class and extra in another
