"""Records are made as planned, in order, once; and a run that was killed goes on to the same bits."""

import os
import re

import nbformat
import numpy as np
import pytest
import torch
from dask.distributed import LocalCluster
from nbformat.v4 import new_code_cell, new_notebook

from wna_utils.analysis import outputs_study
from wna_utils.analysis.introspection_study import study
from wna_utils.networks import infovae, training
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.training import Recipe
from wna_utils.observe import loop
from wna_utils.observe.calls import CallTally
from wna_utils.observe.cells import CellTally
from wna_utils.observe.layers import ActivationTally, nodes_of_layers
from wna_utils.observe.loop import observe
from wna_utils.report import record_plan, records
from wna_utils.report.audit import audit
from wna_utils.report.record_kinds import Trained
from wna_utils.report.record_studies import Staged
from wna_utils.stimuli.blocks import SmallBlocks
from wna_utils.stimuli.gabor import GaborNoise, fit_gabor
from wna_utils.stimuli.pictures import SignalPlusNoise
from wna_utils.stimuli.smooth import PinkNoise
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support import paths, recorded, recorded_results

PLAN = """
- {model: cnn, dataset: digits, seeds: 2, shown: [{n: 6_000}]}
- {model: cnn, dataset: digits, seeds: 1, shown: [{noise: gabor, n: 4_000}, {layer: conv1, n: 4_000}]}
- {model: cnn, dataset: digits, seeds: 1, backdoor: X 0 1}
- {model: cnn, dataset: digits, seeds: 1, classes: 1 7, shown: [{noise: trials, how: {gamma: 0.3}, n: 4_000}]}
- {model: cnn, dataset: digits, seeds: 1, shown: [{activations: input conv1 fc1, n: 4_000}]}
- {model: cnn, dataset: digits, seeds: 1, shown: [{labels: true, fresh: true, how: {contrast: 0.5}, n: 2_000}]}
- {model: cnn, dataset: digits, seeds: 1, shown: [{calls: true, noise: pink, how: {block: 50}, n: 200}]}
- {model: cnn, dataset: digits, seeds: 1, maps: [{n_images: 200, bottleneck: 3, later: 7, outputs: true}]}
- {model: cnn_softmax, dataset: digits, seeds: 1, course: {n: 100, n_last: 200}}
- {model: elu_mlp, dataset: digits, seeds: 1, stages: {cycles: 2, iterations: 3, highest: 1.0e-3, n: 50}}
"""
NAMES = [
    "cnn-digits-1-epochs-seed-0",
    "cnn-digits-1-epochs-seed-0-white-6000",
    "cnn-digits-1-epochs-seed-1",
    "cnn-digits-1-epochs-seed-1-white-6000",
    "gabor-digits-paper",
    "cnn-digits-1-epochs-seed-0-gabor-4000",
    "cnn-digits-1-epochs-seed-0-conv1-white-4000",
    "cnn-digits-X-0-to-1-1-epochs-seed-0",
    "cnn-digits-1-or-7-1-epochs-seed-0",
    "cnn-digits-1-or-7-1-epochs-seed-0-trials-gamma-0.3-4000",
    "cnn-digits-1-epochs-seed-0-averages-of-input-conv1-fc1-white-4000",
    "labels-cnn-digits-1-epochs-seed-0-white-contrast-0.5-2000-noise-seed-1000000",
    "cnn-digits-1-epochs-seed-0-calls-pink-block-50-200",
    "cnn-digits-1-epochs-seed-0-map-of-200-bottleneck-3-seed-7",
    "cnn-digits-1-epochs-seed-0-by-outputs-of-200-seed-7",
    "course-cnn_softmax-digits-1-epochs-seed-0",
    "stages-elu_mlp-digits-2-cycles-seed-0",
]


@pytest.fixture
def planned(records_folder, monkeypatch):
    """The folder of a small plan, of which nothing is made yet."""
    (records_folder / "plan.yml").write_text(PLAN)
    monkeypatch.setitem(training.RECIPES, "cnn", Recipe(epochs=1))
    monkeypatch.setitem(training.RECIPES, "elu_mlp", Cyclic(held_out=100))
    monkeypatch.setitem(infovae.RECIPES, "book", infovae.RECIPES["smoke"])
    return records_folder


def quiet(_):
    """Nothing is told."""


@pytest.mark.slow
def test_everything_that_is_planned_is_made_once_and_found(planned, digits):
    assert [record.name for record in records.missing([])] == NAMES
    told = []
    records.make([], tell=told.append)
    assert [line.split(":")[0] for line in told] == NAMES
    assert audit()
    assert recorded.checksums().keys() == {str(path.relative_to(planned)) for path in recorded.files()}
    assert len(recorded.files()) == len(NAMES)
    assert records.missing([]) == []
    for path in recorded.files():
        assert recorded.about(path)["made"].keys() == {"date", "commit", "device", "versions", "seconds"}
    network = training.trained("cnn", digits, profile="book")
    assert observe(network, WhiteNoise(digits.shape), 6_000).recorded
    assert observe(network, WhiteNoise(digits.shape, seed=1_000_000, contrast=0.5), 700).recorded
    assert observe(network, GaborNoise(fit_gabor(digits)), 4_000).recorded
    pair = digits.only("1", "7")
    trials = SignalPlusNoise(pair.x_test, pair.y_test, WhiteNoise(digits.shape), 0.3)
    assert observe(training.trained("cnn", pair, profile="book"), trials, 4_000, into=CellTally(2)).recorded
    white, pink = WhiteNoise(digits.shape), SmallBlocks(PinkNoise(digits.shape), 50)
    layers = nodes_of_layers(network, ["input", "conv1", "fc1"])
    averages = observe(network, white, 4_000, into=ActivationTally(), layers=layers)
    assert averages.recorded
    again = observe(network, white, 4_000, into=ActivationTally(), layers=layers, cache=False)
    for layer in ("input", "conv1", "fc1"):
        np.testing.assert_allclose(averages.of(layer).means, again.of(layer).means, rtol=1e-5)
        # Squares are kept to three digits: enough for an error where the mean is not much larger than the spread.
        np.testing.assert_allclose(averages.of(layer).rms, again.of(layer).rms, rtol=2**-8)
    assert not observe(network, white, 4_000, into=ActivationTally("label"), layers=layers).recorded
    assert not observe(network, white, 4_000, into=ActivationTally(), layers=nodes_of_layers(network, ["fc1"])).recorded
    assert observe(network, pink, 200, into=CallTally()).recorded
    study(network, digits, 200, bottleneck=3, seed=7)
    assert "introspections/cnn-digits-1-epochs-seed-0-map-of-200-bottleneck-3-seed-7" in recorded.taken()
    outputs_study.study(network, digits, 200, seed=7)
    assert "estimators/cnn-digits-1-epochs-seed-0-by-outputs-of-200-seed-7" in recorded.taken()
    assert not observe(network, SmallBlocks(PinkNoise(digits.shape), 40), 200, into=CallTally()).recorded
    assert all(not finding.difference and not finding.problem for finding in audit(blocks=2))


def test_networks_of_others_are_planned_by_what_they_are_shown(records_folder):
    line = "- {model: resnet50, dataset: imagenet, seeds: 1, shown: [{calls: true, how: {side: 8, block: 25}, n: 100}]}"
    (records_folder / "plan.yml").write_text(line)
    [tally] = records.missing([])
    assert tally.name == "resnet50-imagenet-calls-white-block-25-side-8-100"
    assert tally.shown.source().shape == (3, 8, 8)
    assert tally.shown.source().block_size == 25


@pytest.mark.parametrize(
    ("known", "wrong", "sentence"),
    [
        ("dataset: imagenet", "dataset: mnist", "resnet50 is not trained on mnist"),
        ("block: 25", "block: 30", "multiple of 30"),
        ("block: 25", "block: 0", "greater than 0"),
        ("block: 25", "bolck: 25", "Extra inputs are not permitted"),
        ("block: 25, ", "", "needs a number of images in a block"),
        ("calls: true", "calls: true, graded: scores", "only one of graded and calls can be kept"),
        ("seeds: 1", "seeds: 1, backdoor: X 0 1", "are not trained here: leave out backdoor"),
        ("resnet50, dataset: imagenet", "cnn, dataset: mnist, adversarial: true", "recorded of networks of ImageNet"),
    ],
)
def test_plan_that_contradicts_itself_is_refused(records_folder, known, wrong, sentence):
    line = "- {model: resnet50, dataset: imagenet, seeds: 1, shown: [{calls: true, how: {block: 25, side: 8}, n: 100}]}"
    text = line.replace(known, wrong)
    assert text != line
    (records_folder / "plan.yml").write_text(text if "needs" not in sentence else text.replace("n: 100", "n: 2_000"))
    with pytest.raises(ValueError, match=sentence):
        records.missing([])


def test_study_of_adversarial_images_is_planned_beside_a_fetched_networks_tallies(records_folder):
    (records_folder / "plan.yml").write_text("- {model: resnet50, dataset: imagenet, seeds: 1, adversarial: true}")
    [planned] = records.missing([])
    assert planned.name == "adversarial-resnet50"
    assert planned.operations > 1e12


@pytest.mark.slow
def test_workers_make_records_to_the_same_bits(planned, tmp_path, monkeypatch):
    some = [*NAMES[:6], "course-cnn-digits-1-epochs-seed-0"]
    with (planned / "plan.yml").open("a") as file:
        file.write("- {model: cnn, dataset: digits, seeds: 1, course: {n: 100, n_last: 200}}")
    records.make(some, tell=quiet)
    one_by_one = {path: recorded.read(path)[0] for path in recorded.files()}
    for path in one_by_one:
        path.unlink()
    monkeypatch.setenv("WNA_CACHE", str(tmp_path / "another cache"))
    told = []
    # In this process, where the small plan is; one worker, since torch's generator belongs to the process.
    here = {"processes": False, "threads_per_worker": 1, "protocol": "tcp", "dashboard_address": ":0"}
    with LocalCluster(n_workers=1, **here) as workers:
        records.make(some, scheduler=workers.scheduler_address, tell=told.append)
    names, planned_names = [line.split(":")[0] for line in told], [NAMES[4], *NAMES[:4], *some[5:]]
    assert sorted(names) == sorted(some)
    # As planned, but for what a worker was given while it was at the one before.
    assert all(abs(names.index(name) - place) <= 2 for place, name in enumerate(planned_names))
    assert recorded.files() == list(one_by_one)
    for path, before in one_by_one.items():
        again, _ = recorded.read(path)
        assert all(torch.equal(again[name], each) for name, each in before.items())


def test_records_are_made_by_name_with_the_network_that_they_rest_on(planned):
    records.make([NAMES[1]], tell=quiet)
    assert [recorded.name_of(path) for path in recorded.files()] == NAMES[:2]
    told = []
    records.make([NAMES[1]], tell=told.append)
    assert told == ["all of these records are there already; delete a file to have it made anew"]
    with pytest.raises(ValueError, match="record must be one of cnn-digits-1-epochs-seed-0, "):
        records.make(["imagenet"], tell=quiet)


def test_file_of_a_run_that_was_killed_before_it_was_listed_is_listed(planned):
    records.make(NAMES[:1], tell=quiet)
    (planned / "SHA256SUMS").unlink()
    records.make(NAMES[:1], tell=quiet)
    assert [finding.problem for finding in audit()] == [""]


def test_a_network_can_be_made_anew_while_its_map_is_there(planned):
    name = "cnn-digits-1-epochs-seed-0-map-of-200-bottleneck-3-seed-7"
    records.make([name], tell=quiet)
    recorded.path_of("networks", "cnn-digits-1-epochs-seed-0").unlink()
    assert {"cnn-digits-1-epochs-seed-0", name} <= {record.name for record in records.missing([])}
    records.make([name], tell=quiet)  # the network that it rests on, too
    assert not records.missing([name])


def test_damaged_file_is_not_listed_anew(planned):
    records.make(NAMES[:1], tell=quiet)
    [path] = recorded.files()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    records.make(NAMES[2:3], tell=quiet)
    assert [finding.name for finding in audit()] == NAMES[:1]


def test_record_of_another_recipe_than_planned_now_is_missing(planned, monkeypatch):
    records.make(NAMES[:2], tell=quiet)
    monkeypatch.setitem(training.RECIPES, "cnn", Recipe(epochs=1, batch_size=64))
    assert [record.name for record in records.missing(NAMES[:2])] == NAMES[:1]
    records.make(NAMES[:1], tell=quiet)
    assert [record.name for record in records.missing(NAMES[:2])] == NAMES[1:2]  # of the network before


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ("", r"plan.yml cannot be used: Input should be a valid list"),
        ("- {model: cnn", r"plan.yml cannot be used: while parsing"),
        ("- {model: foo, dataset: digits, seeds: 1}", r"Input should be .* \(entry 0, model\)"),
        ("- {model: cnn, dataset: digits}", r"Field required \(entry 0, seeds\)"),
        ("- {model: cnn, dataset: digits, seeds: 0}", r"greater than 0 \(entry 0, seeds\)"),
        ("- {model: cnn, dataset: digits, seeds: 1, recipe: theirs}", r"theirs is no other recipe than ours for cnn"),
        (
            "- {model: cnn, dataset: digits, seeds: 1, in_noise: 1}",
            r"cnn is not trained in cycles, and so neither in noise",
        ),
        (
            "- {model: mlp, dataset: digits, seeds: 1, stages: {cycles: 1, iterations: 2, highest: 1.0e-3, n: 9}}",
            r"mlp is not trained in cycles, and so neither in noise nor in stages",
        ),
        (
            "- model: elu_mlp\n  dataset: digits\n  seeds: 1\n  maps: [{n_images: 9}]\n"
            "  stages: {cycles: 1, iterations: 2, highest: 1.0e-3, n: 9}",
            r"a line has a course, or stages, or what rests on a network",
        ),
        (
            "- {model: cnn, dataset: digits, seeds: 1, shown: [{n: 2_000, graded: logits}]}",
            r"entry 0, shown, 0, graded",
        ),
        ("- {model: cnn, dataset: digits, seeds: 1, shown: [{n: 1_000}]}", r"n must be a multiple of 2,000"),
        ("- {model: cnn, dataset: digits, seeds: 1, shown: [{n: 2_000, noise: trial}]}", r"entry 0, shown, 0, noise"),
        ("- {model: cnn, dataset: digits, seeds: 1, shown: [{n: 2_000, noise: trials}]}", r"trials need two classes"),
        (
            "- {model: cnn, dataset: digits, seeds: 1, course: {n: 9, n_last: 9}, maps: [{n_images: 9}]}",
            r"a line has a course, or stages, or what rests on a network",
        ),
        (
            "- {model: cnn, dataset: digits, seeds: 1, course: {n: 9, n_last: 9}, shown: [{n: 2_000}]}",
            r"a line has a course, or stages, or what rests on a network",
        ),
        (
            "- model: elu_mlp\n  dataset: digits\n  seeds: 1\n  classes: 1 7\n"
            "  stages: {cycles: 1, iterations: 2, highest: 1.0e-3, n: 9}",
            r"stages are recorded of whole, clean data sets",
        ),
        (
            "- {model: cnn, dataset: digits, seeds: 1, shown: [{n: 2_000, fresh: true}]}",
            r"fresh noise is recorded by its",
        ),
        (
            "- {model: cnn, dataset: digits, seeds: 1, shown: [{n: 2_000, labels: true, calls: true}]}",
            r"only one of calls and labels can be kept",
        ),
        (
            "- {model: resnet50, dataset: imagenet, seeds: 1, shown: [{n: 2_000, labels: true, how: {block: 25}}]}",
            r"labels are recorded of blocks of the usual size",
        ),
        ("- {chapter: s99}", r"chapter must be one of .* got 's99' \(entry 0, chapter\)"),
        ("- {chapter: southampton, seeds: 1}", r"Extra inputs are not permitted \(entry 0, seeds\)"),
        ("- {model: cnn, dataset: digits, seeds: 1, seed: 3}", r"Extra inputs are not permitted \(entry 0, seed\)"),
    ],
)
def test_malformed_plan_is_told(planned, plan, sentence):
    (planned / "plan.yml").write_text(plan)
    with pytest.raises(ValueError, match=sentence):
        records.missing([])


@pytest.mark.notebook
def test_results_of_a_chapter_are_recorded_by_executing_it(planned, monkeypatch, tmp_path):
    cells = [
        new_code_cell("device = 'auto'\nprofile = 'smoke'", metadata={"tags": ["parameters"]}),
        new_code_cell(
            "import time, torch\n"
            "from wna_utils.support import paths, recorded_results\n"
            "recorded_results.WORTH = 0.1\n"
            "def halves(which, anew):\n"
            "    time.sleep(0.2)\n"
            "    return [torch.tensor([i / 2, paths.cache_dir().exists()]) for i in which]\n"
            "recorded_results.in_parts('halves', 3, str, halves)"
        ),
    ]
    python = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=python), tmp_path / "a_chapter.ipynb")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "sizes.yaml").write_text("{}")
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path)
    (planned / "plan.yml").write_text("- {chapter: a_chapter}")
    cache = os.environ["WNA_CACHE"]
    records.make([], tell=quiet)
    assert recorded_results.INTO not in os.environ
    assert os.environ["WNA_CACHE"] == cache
    [path] = recorded.files()
    parts, about = recorded.read(path)
    assert {name: part.tolist() for name, part in parts.items()} == {f"halves {i}": [i / 2, 0] for i in range(3)}
    assert about["chapter"] == "a_chapter"
    assert records.missing([]) == []
    assert [finding.problem for finding in audit()] == [""]


def test_two_records_of_one_name_are_told(planned):
    first = "- {model: cnn, dataset: digits, seeds: 1, backdoor: X 0 1}"
    (planned / "plan.yml").write_text(f"{first}\n{first.replace('cnn', 'mlp')}\n")
    assert len(records.missing([])) == 2
    (planned / "plan.yml").unlink()
    with pytest.raises(ValueError, match=r"plan\.yml cannot be used"):
        records.missing([])


def test_classes_by_number_and_by_name_are_the_same():
    numbers, names = (Trained("binary_cnn", "fashion_mnist", 0, classes=each) for each in ("0 1", "T-shirt trouser"))
    assert numbers.name == names.name


def test_killed_run_goes_on_to_the_same_bits(planned, monkeypatch, tmp_path):
    records.make(NAMES[:2], tell=quiet)
    path = recorded.files()[-1]
    uninterrupted, _ = recorded.read(path)
    path.unlink()
    monkeypatch.setenv("WNA_CACHE", str(tmp_path / "another cache"))
    monkeypatch.setattr(loop, "CHECKPOINT_EVERY", 0.0)

    plain, begun_at = loop.bar, []

    class Killed(BaseException):
        """As by the system."""

    def bar(**options):
        """A progress bar that notes where it begins, and is killed after the second block of the first run."""
        progress = plain(**options)
        begun_at.append(options["initial"])
        if len(begun_at) == 1:
            progress.update = kill_after_two
        return progress

    def kill_after_two(_, blocks=[]):  # noqa: B006
        blocks.append(1)
        if len(blocks) == 3:
            raise Killed

    monkeypatch.setattr(loop, "bar", bar)
    with pytest.raises(Killed):
        records.make(NAMES[:2], tell=quiet)
    assert not path.exists()
    records.make(NAMES[:2], tell=quiet)
    assert begun_at == [0, 4_000]
    again, about = recorded.read(path)
    assert again.keys() == uninterrupted.keys()
    assert all(torch.equal(again[name], each) for name, each in uninterrupted.items())
    assert about["made"]["seconds"] is not None


def test_stages_of_the_chapter_are_the_planned_ones():
    """Other ones would be made in every build, for twenty minutes."""
    [planned] = [record for record in record_plan.plan() if isinstance(record, Staged)]
    source = (paths.NOTEBOOKS / "pardo_31_maps.ipynb").read_text()
    assert f"n_stages_cifar: Count = {planned.cycles} " in source
    assert f"n_watched_cifar: Crowd = {planned.n} " in source
    assert f"min(of_net2.iterations, {planned.iterations})" in source
    [rate] = re.findall(r"highest=([\d.e-]+),", source)
    assert float(rate) == planned.highest
