"""The audit passes what is as it was, and stops at one byte, one count, another network and other noise."""

import pytest
import torch
from safetensors.torch import load_file

from wna_utils.networks import recorded_networks as networks
from wna_utils.networks.training import Recipe, trained
from wna_utils.observe import recorded_tallies as tallies
from wna_utils.observe.loop import observe
from wna_utils.observe.recorded_tallies import Shown
from wna_utils.observe.recording import Recording
from wna_utils.report.audit import audit
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support import recorded

QUICK = Recipe(epochs=2)
MADE = {"seconds": 1}


@pytest.fixture
def shown(digits, records_folder):
    """What a recorded tally is of; its network and units' averages are recorded, too."""
    path = networks.write(trained("cnn", digits, recipe=QUICK), "cnn", digits, 0, QUICK, 2, MADE)
    of_units = Shown(path.stem, 4_000, layer="conv1")
    by_class = Shown(path.stem, 6_000)
    for each in (of_units, by_class):
        write(each, each.source())
    recorded.write_checksums()
    return by_class


def write(shown, source):
    recording = Recording(shown.empty(), shown.n // 2_000)
    observe(shown.units(), source, shown.n, into=recording, cache=False)
    tallies.write(shown, recording, 2_000, MADE)


def problems():
    return [finding.problem for finding in audit() if finding.problem]


def rewrite(path, change):
    """Change a record's tensors, and bring its hash up to date."""
    tensors, about = recorded.read(path)
    change(tensors)
    recorded.write(path, tensors, about)
    recorded.write_checksums()


def test_records_that_are_as_they_were_pass(shown):
    findings = audit(blocks=2)
    assert [finding.name for finding in findings][:1] == [shown.network]
    assert len(findings) == 3
    assert all(finding.difference == 0 and not finding.problem for finding in findings)


def test_one_altered_byte_is_found(shown):
    content = bytearray(shown.path.read_bytes())
    content[-1] ^= 1
    shown.path.write_bytes(content)
    [problem] = problems()
    assert problem.startswith(f"the record {shown.path} is not the file whose hash is in SHA256SUMS: fetch it again")


def test_missing_and_unlisted_files_are_found(shown):
    unlisted = shown.path.with_stem("unlisted")
    shown.path.rename(unlisted)
    assert [problem.split(": ")[0] for problem in problems()] == [
        f"the record {shown.path} is missing",
        f"the record {unlisted} is not listed in SHA256SUMS",
    ]


@pytest.mark.parametrize("name", ["0 counts", "added"])
def test_one_altered_count_is_found(shown, name):
    def alter(tensors):
        tensors[name].view(-1)[0] += 1

    rewrite(shown.path, alter)
    [problem] = problems()
    assert "does not add up: its blocks' images are not those of the whole" in problem


def test_counts_moved_in_blocks_and_whole_alike_are_found(shown):
    def alter(tensors):
        added = tensors["added"]
        most = int(added.sum(0).argmax())
        for number in range(len(added)):  # whichever block is chosen
            moved = int(added[number, most]) // 2
            added[number, most] -= moved
            added[number, most - 1] += moved
            counts = tensors[f"{number % 2} counts"]
            counts[most] -= moved
            counts[most - 1] += moved

    rewrite(shown.path, alter)
    [problem] = problems()
    assert "is not what its network answers" in problem


def test_altered_sums_are_found(shown):
    def alter(tensors):
        tensors["1 sums"] += tensors["1 sums"] // 1_000

    rewrite(shown.path, alter)
    [problem] = problems()
    assert "its blocks' pixels are not those of the whole" in problem


def test_altered_averages_of_units_are_found(shown):
    path = Shown(shown.network, 4_000, layer="conv1").path

    def alter(tensors):
        tensors["0 responses"][:, 3] *= 2

    rewrite(path, alter)
    [problem] = problems()
    assert "its blocks' responses are not those of the whole" in problem


def test_tally_of_other_noise_is_found(shown, digits):
    write(shown, WhiteNoise(digits.shape, seed=1))
    recorded.write_checksums()
    [problem] = problems()
    assert "is of other noise" in problem


def test_network_that_is_not_the_recorded_one_is_found(shown, digits):
    other = trained("cnn", digits, seed=1, recipe=QUICK)

    def alter(tensors):
        tensors |= recorded.rounded(other.state_dict())

    rewrite(networks.path_of(shown.network), alter)
    found = problems()
    assert "is another network" in found[0]
    assert all("is not what its network answers" in each for each in found[1:])
    assert len(found) == 3


def test_damage_is_told_before_anything_is_read(shown, monkeypatch):
    networks.path_of(shown.network).write_bytes(b"half a network")
    monkeypatch.setattr(recorded, "read", lambda *_: pytest.fail("a damaged file was read"))
    assert len(problems()) == 1


def test_number_of_blocks_is_checked(shown):
    with pytest.raises(ValueError, match="blocks must be 1 or more; got 0"):
        audit(blocks=0)


def test_recorded_files_are_plain_safetensors(shown):
    assert load_file(shown.path)["added"].dtype == torch.int16
