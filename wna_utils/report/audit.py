"""The audit: in every build, some of every record is computed again and compared with what was recorded."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from wna_utils.networks import recorded_networks as networks
from wna_utils.observe import recorded_tallies as tallies
from wna_utils.observe.loop import observe
from wna_utils.observe.recorded_tallies import Shown
from wna_utils.observe.recording import Recording, by_response, packed, unpacked
from wna_utils.report.provenance import commit
from wna_utils.support import recorded
from wna_utils.support.checks import whole
from wna_utils.support.progress import bar

# Hardware that rounds otherwise changes a few answers in ten thousand; another network or other noise, one in ten.
LABELS = 0.005  # of those given again, that may be other ones
PIXEL = 1e-5  # by which the mean pixel of a block may differ; that of other noise does by some 2e-4
ROUNDED = 1e-3  # what 16 bits leave of mean responses
TEST_IMAGES = 1_000


@dataclass(frozen=True)
class Finding:
    """What was found about a record: the share of answers that are other ones now, and what is wrong, if anything."""

    name: str
    difference: float
    problem: str = ""


def audit(blocks: int = 1, device: str = "auto") -> list[Finding]:
    """Check the files of all records against their hashes; show every network some test images and noise again.

    Of every tally `blocks` blocks of noise are shown again, of every network 1,000 test images; which, the checked-out
    commit decides, so that builds check different ones. Raises `ValueError` for blocks < 1.
    """
    blocks = whole("blocks", blocks, 1)
    damaged = list(_damaged())
    if damaged:  # nothing is read of a file that is not what it was
        return damaged
    shown = tallies.everything()
    with bar([*networks.names(), *shown], desc="auditing the records", unit="record") as progress:
        return [
            _tally(each, blocks, device) if isinstance(each, Shown) else _network(each, device) for each in progress
        ]


def _damaged() -> Iterator[Finding]:
    """Files that are missing, changed, or not in the list of hashes."""
    expected = recorded.checksums()
    found = {str(path.relative_to(recorded.folder())): path for path in recorded.files()}
    for name in sorted(expected.keys() | found.keys()):
        path = recorded.folder() / name
        if name not in found:
            yield _problem(path, "is missing")
        elif name not in expected:
            yield _problem(path, "is not listed in SHA256SUMS")
        elif recorded.checksum(path) != expected[name]:
            yield _problem(path, "is not the file whose hash is in SHA256SUMS")


def _problem(path: Path, what: str, difference: float = float("nan")) -> Finding:
    return Finding(path.stem, difference, f"the record {path} {what}: {recorded.remedy(path)}")


def _network(name: str, device: str) -> Finding:
    parts = networks.test_images(name) // TEST_IMAGES
    first = _chosen(name, parts) * TEST_IMAGES if parts else 0
    before, now = networks.calls_again(name, slice(first, first + TEST_IMAGES), device)
    difference = (before != now).double().mean().item()
    if difference > LABELS:
        what = f"is another network: {difference:.1%} of {len(now):,} test images are called otherwise"
        return _problem(networks.path_of(name), what, difference)
    return Finding(name, difference)


def _tally(shown: Shown, blocks: int, device: str) -> Finding:
    tensors, about = recorded.read(shown.path)
    if inconsistent := _inconsistent(shown, tensors, about["block_size"]):
        return _problem(shown.path, inconsistent)
    largest, size = 0.0, about["block_size"]
    for i in range(blocks):
        number = _chosen(f"{shown.name} {i}", shown.n // size)
        again = _shown_again(shown, number, size, device)
        bright = abs(float(again["mean stimulus"][0] - tensors["mean stimulus"][number]))
        if bright > PIXEL:
            what = f"is of other noise: the mean pixel of its block {number} differs by {bright:.1e}"
            return _problem(shown.path, what)
        largest = max(largest, _apart(shown, again["added"][0], tensors["added"][number]))
    if largest > LABELS:
        return _problem(shown.path, f"is not what its network answers: {largest:.1%} of a block differ", largest)
    return Finding(shown.name, largest)


def _chosen(name: str, n: int) -> int:
    """A number below n that follows from the checked-out commit and a name."""
    return int(hashlib.sha256(f"{commit()} {name}".encode()).hexdigest(), 16) % n


def _shown_again(shown: Shown, number: int, size: int, device: str) -> dict[str, Tensor]:
    into = Recording(shown.empty(), 1, number)
    how = {"device": device, "precision": shown.precision, "cache": False}
    observe(shown.units(), shown.source(), size, into=into, start=number * size, **how)
    return packed(into, size)


def _apart(shown: Shown, again: Tensor, before: Tensor) -> float:
    """Share of a block's images that get another label, or relative difference of its mean responses."""
    again, before = again.double(), before.double()
    difference = float((again - before).abs().sum() / before.abs().sum())
    return difference if shown.layer else difference / 2  # a label is missed in one class and extra in another


def _inconsistent(shown: Shown, tensors: dict[str, Tensor], size: int) -> str:
    """What is wrong if blocks and sums of a tally do not belong together; empty if they do."""
    by_block = unpacked(tensors, size)
    total = tallies.together(by_block)
    if shown.layer:
        responses, added = total["responses"].sum((0, 2, 3)).double(), by_block["by_block"].double().sum(0)
        if ((added - responses).abs() > ROUNDED * responses.abs().max()).any():
            return "does not add up: its blocks' responses are not those of the whole"
        return ""
    counts, sums = by_response(total), total["sums" if "sums" in total else "stimuli sums"]
    if not torch.equal(by_block["by_block"].sum(0), counts) or int(counts.sum()) != shown.n:
        return "does not add up: its blocks' images are not those of the whole"
    pixels = float(sums.double().sum())
    if abs(float(by_block["brightness"].double().sum()) / pixels - 1) > PIXEL:
        return "does not add up: its blocks' pixels are not those of the whole"
    return ""
