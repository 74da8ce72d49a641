"""The audit passes what is as it was, and stops at one byte, one count, another network and other noise."""

import lzma
import shutil
from contextlib import contextmanager

import pytest
import torch
from dask.distributed import Client
from safetensors.torch import load, load_file

from wna_utils.analysis import courses, stages
from wna_utils.data import datasets
from wna_utils.networks import recorded_networks as networks
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.training import Recipe, trained
from wna_utils.observe import recorded_labels
from wna_utils.observe import recorded_tallies as tallies
from wna_utils.observe.loop import observe
from wna_utils.observe.recorded_tallies import Shown
from wna_utils.observe.recording import Recording
from wna_utils.report.audit import audit
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support import checkout, recorded, workers

QUICK = Recipe(epochs=2)
MADE = {"seconds": 1}


@pytest.fixture(scope="module")
def made(digits, shared_records):
    """A folder with a recorded network, a tally of it, and averages of its units; and what the tally is of."""
    path = networks.write(trained("cnn", digits, recipe=QUICK), "cnn", digits, 0, QUICK, MADE)
    of_units, by_class = Shown(path.stem, 4_000, layer="conv1"), Shown(path.stem, 6_000)
    for each in (of_units, by_class):
        write(each, each.source())
    list_files()
    return shared_records, by_class


@pytest.fixture
def shown(made, records_folder, monkeypatch):
    """What a recorded tally is of; the records are this test's own, and every build shows them again."""
    folder, by_class = made
    monkeypatch.setattr("wna_utils.report.audit_kinds.GREY", 1)
    shutil.copytree(folder, records_folder, dirs_exist_ok=True)
    return by_class


def list_files():
    for path in recorded.files():
        recorded.list_file(path)


def write(shown, source):
    recording = Recording(shown.empty(), shown.n // 2_000)
    observe(shown.observer(source.shape), source, shown.n, into=recording, cache=False)
    tallies.write(shown, recording, 2_000, MADE)


def problems():
    return [finding.problem for finding in audit() if finding.problem]


def rewrite(path, change):
    """Change a record's tensors, and bring its hash up to date."""
    tensors, about = recorded.read(path)
    change(tensors)
    recorded.write(path, tensors, about)
    list_files()


def test_records_that_are_as_they_were_pass(shown):
    findings = audit(blocks=2)
    assert findings[0].name == shown.network
    assert len(findings) == 3
    assert all(finding.difference == 0 and not finding.problem for finding in findings)


@pytest.mark.slow
def test_audit_is_kept_until_something_changes(shown, monkeypatch):
    first, shown_again = audit(), []
    monkeypatch.setattr(
        "wna_utils.report.audit_kinds.observe", lambda *a, **k: shown_again.append(a) or observe(*a, **k)
    )
    assert audit() == first
    assert not shown_again
    audit(force=True)
    assert len(shown_again) == 2
    audit(blocks=2)
    assert len(shown_again) == 6
    write(Shown(shown.network, 8_000), shown.source())
    list_files()
    assert len(audit()) == 4
    assert len(shown_again) == 9


def test_labels_are_shown_again(shown):
    labels = recorded_labels.computed(shown)
    path = recorded_labels.write(shown, labels, MADE)
    list_files()
    assert {finding.name: finding.difference for finding in audit()}[path.name.split(".")[0]] == 0
    recorded_labels.write(shown, (labels + 1) % 10, MADE)
    list_files()
    assert len(problems()) == 1
    assert "is not what its network calls the noise: 100.0% of a block differ" in problems()[0]
    recorded_labels.write(shown, labels[1:], MADE)
    list_files()
    assert "does not have a label for each image" in problems()[0]


def test_processes_find_what_one_finds(shown, monkeypatch):
    @contextmanager
    def threads(jobs):  # of this process, so that they see the test's records
        with Client(processes=False, n_workers=jobs, threads_per_worker=1, dashboard_address=None) as client:
            yield client

    monkeypatch.setattr(workers, "cluster", threads)
    assert audit(force=True, jobs=2) == audit(force=True)


def test_audit_that_found_a_problem_is_not_kept(shown):
    rewrite(shown.path, lambda tensors: tensors["added"].view(-1).__setitem__(0, 1))
    assert problems() == problems() != []


def test_one_altered_byte_is_found(shown):
    content = bytearray(shown.path.read_bytes())
    content[-1] ^= 1
    shown.path.write_bytes(content)
    [problem] = problems()
    assert problem.startswith(f"the record {shown.path} is not the file whose hash is in SHA256SUMS: fetch it again")


def test_missing_and_unlisted_files_are_found(shown):
    unlisted = recorded.path_of("tallies", "unlisted")
    shown.path.rename(unlisted)
    assert [problem.split(": ")[0] for problem in problems()] == [
        f"the record {shown.path} is missing",
        f"the record {unlisted} is not listed in SHA256SUMS",
    ]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("0 counts", "it is not of as many images as it says"),
        ("added", "its blocks' images are not those of the whole"),
    ],
)
def test_one_altered_count_is_found(shown, name, sentence):
    def alter(tensors):
        tensors[name].view(-1)[0] += 1

    rewrite(shown.path, alter)
    [problem] = problems()
    assert f"does not add up: {sentence}" in problem


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
        tensors["1 sums"] *= 1.001

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
    list_files()
    [problem] = problems()
    assert "is of other noise" in problem


def test_network_that_is_not_the_recorded_one_is_found(shown, digits):
    other = trained("cnn", digits, seed=1, recipe=QUICK)

    def alter(tensors):
        tensors |= recorded.rounded(other.state_dict())

    rewrite(networks.path_of(shown.network), alter)
    found = problems()
    assert "is another network" in found[0]
    assert all("is of another network than the recorded" in each for each in found[1:])
    assert len(found) == 3


def test_damage_is_told_before_anything_is_read(shown, monkeypatch):
    networks.path_of(shown.network).write_bytes(b"half a network")
    monkeypatch.setattr(recorded, "read", lambda *_: pytest.fail("a damaged file was read"))
    assert len(problems()) == 1


def test_missing_list_of_hashes_is_told(shown, records_folder):
    (records_folder / "SHA256SUMS").unlink()
    with pytest.raises(ValueError, match="the list of the records' hashes, is missing: fetch it"):
        audit()


def test_scores_tell_networks_apart_that_call_all_test_images_alike(shown):
    def alter(tensors):
        tensors["fc2.weight"] *= 1.05

    rewrite(networks.path_of(shown.network), alter)
    [problem, *others] = problems()
    assert "0.0% of the test images are called otherwise, and scores differ by" in problem
    assert all("is of another network" in each for each in others)


def test_accuracy_that_the_calls_do_not_have_is_found(shown):
    path = networks.path_of(shown.network)
    tensors, about = recorded.read(path)
    recorded.write(path, tensors, about | {"accuracy": 0.999})
    list_files()
    [problem] = problems()
    assert "has an accuracy of" in problem


@pytest.mark.parametrize(("share", "found"), [(2e-7, 0), (2e-5, 1)])
def test_pixels_may_differ_by_rounding_alone(shown, share, found):
    """Another processor may round a block's sum of pixels to the next number in float32, whatever the image's size."""

    def alter(tensors):
        tensors["mean stimulus"] = (tensors["mean stimulus"].double() * (1 + share)).float()

    rewrite(Shown(shown.network, 4_000, layer="conv1").path, alter)
    assert ["is of other noise" in problem for problem in problems()] == [True] * found


def test_values_that_are_not_numbers_are_found(shown):
    def alter(tensors):
        tensors["mean stimulus"][:] = float("nan")

    rewrite(Shown(shown.network, 4_000, layer="conv1").path, alter)
    [problem] = problems()
    assert "is of other noise" in problem


def test_altered_squares_are_found(shown):
    def alter(tensors):
        tensors["0 squares"] *= 7

    rewrite(shown.path, alter)
    [problem] = problems()
    assert "its sums of squares are not those of pixels" in problem


def test_course_is_checked_against_the_network_that_it_ends_with(shown, digits):
    found = courses.course("cnn", digits, 0, QUICK, 100, 200)
    path = courses.write(found, "cnn", digits, 0, QUICK, 100, 200, MADE)
    list_files()
    assert problems() == []

    def alter(tensors):
        tensors["accuracies"][-1] += 0.01

    rewrite(path, alter)
    [problem] = problems()
    assert "does not end with the accuracy of the recorded network" in problem

    network = networks.name_of("cnn", digits.name, 0, QUICK)
    longer = courses.course("cnn", digits, 0, QUICK, 100, 6_000)
    path = courses.write(longer, "cnn", digits, 0, QUICK, 100, 6_000, MADE)
    assert shown.name == f"{network}-white-6000"
    list_files()
    assert problems() == []

    def swap(tensors):
        tensors["last"] = tensors["last"].flip(0)

    rewrite(path, swap)
    [problem] = problems()
    assert "does not end with what the recorded network called the same noise" in problem

    def count(tensors):
        tensors["counts"][0, 0] += 1

    rewrite(path, count)
    assert "its counts are not of as many images as it says" in problems()[0]


def test_stages_must_begin_with_their_network(shown, digits):
    recipe = Cyclic(cycles=1, iterations=2, held_out=100)
    found = stages.stages("elu_mlp", digits, 0, recipe, 40)
    path = stages.write(found, "elu_mlp", digits, 0, recipe, 40, MADE)
    list_files()
    assert problems() == []

    def alter(tensors):
        tensors["apart"][0] += 0.02

    rewrite(path, alter)
    [problem] = problems()
    assert "does not begin with its network" in problem

    def spoil(tensors):
        tensors["features"][0, 0, 0] = float("nan")

    rewrite(path, spoil)
    assert "values that are not finite" in problems()[0]

    def shorten(tensors):
        tensors["features"] = tensors["features"][1:]

    rewrite(path, shorten)
    assert "does not have as many stages or images as it says" in problems()[0]


def test_graded_tallies_are_shown_again(shown):
    graded = Shown(shown.network, 4_000, graded="scores")
    write(graded, graded.source())
    list_files()
    assert not problems()

    def alter(tensors):
        tensors["added"] *= 1.02
        tensors["0 responses"] *= 1.02

    rewrite(graded.path, alter)
    [problem] = problems()
    assert "is not what its network answers" in problem


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "colour_digits"])
def test_tallies_take_turns(name, records_folder, monkeypatch):
    """Whose turn it is depends on the commit; with more than one block, all are shown again."""
    of = datasets.load(name)
    path = networks.write(trained("cnn", of, recipe=QUICK), "cnn", of, 0, QUICK, MADE)
    shown = Shown(path.stem, 4_000)
    write(shown, shown.source())
    list_files()
    shown_again = set()
    for commit in range(8):
        monkeypatch.setattr(checkout, "committed", lambda commit=commit: str(commit))
        [network, tally] = audit()
        assert network.difference == 0
        assert tally.problem == ""
        shown_again.add(tally.difference)
        assert audit(blocks=2)[1].difference == 0
    assert shown_again == {None, 0}


@pytest.fixture
def of_layers(made, records_folder):
    """What tallies of layers and of calls are of."""
    folder, by_class = made
    shutil.copytree(folder, records_folder, dirs_exist_ok=True)
    layers = Shown(by_class.network, 4_000, activations="input conv1 fc1")
    calls = Shown(by_class.network, 4_000, calls=True)
    for each in (layers, calls):
        write(each, each.source())
    list_files()
    return layers, calls


def test_layers_and_calls_that_are_as_they_were_pass(of_layers):
    assert not [finding.problem for finding in audit(blocks=2) if finding.problem]


@pytest.mark.parametrize("name", ["0 input counts", "0 conv1 counts", "0 fc1 counts"])
def test_one_altered_count_of_any_layer_is_found(of_layers, name):
    def alter(tensors):
        tensors[name][:2] += torch.tensor([1, -1])

    rewrite(of_layers[0].path, alter)
    [problem] = problems()
    assert "block by block" in problem


@pytest.mark.parametrize(("which", "name"), [(0, "0 conv1 sums"), (1, "0 scores")])
def test_sums_that_cannot_be_are_found(of_layers, which, name):
    rewrite(of_layers[which].path, lambda tensors: tensors[name].mul_(3))
    [problem] = problems()
    assert "sums of squares are less than they can be" in problem


def test_number_of_blocks_is_checked(shown):
    with pytest.raises(ValueError, match="blocks must be 1 or more; got 0"):
        audit(blocks=0)


def test_unpacked_files_are_plain_safetensors(shown):
    with lzma.open(shown.path) as file:
        assert load(file.read())["added"].dtype == torch.int16
    assert load_file(networks.path_of(shown.network))["fc2.bias"].dtype == torch.float16
