"""Records are made as planned, in order, once; and a run that was killed goes on to the same bits."""

import pytest
import torch
from dask.distributed import LocalCluster

from wna_utils.networks import training
from wna_utils.networks.training import Recipe
from wna_utils.observe import loop
from wna_utils.observe.cells import CellTally
from wna_utils.observe.loop import observe
from wna_utils.report import records
from wna_utils.report.audit import audit
from wna_utils.stimuli.gabor import GaborNoise, fit_gabor
from wna_utils.stimuli.pictures import SignalPlusNoise
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support import recorded

PLAN = """
- {model: cnn, dataset: digits, seeds: 2, shown: [{n: 6_000}]}
- {model: cnn, dataset: digits, seeds: 1, shown: [{noise: gabor, n: 4_000}, {layer: conv1, n: 4_000}]}
- {model: cnn, dataset: digits, seeds: 1, backdoor: X 0 1}
- {model: cnn, dataset: digits, seeds: 1, classes: 1 7, shown: [{noise: trials, how: {gamma: 0.3}, n: 4_000}]}
- {model: cnn_softmax, dataset: digits, seeds: 1, course: {n: 100, n_last: 200}}
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
    "course-cnn_softmax-digits-1-epochs-seed-0",
]


@pytest.fixture
def planned(records_folder, monkeypatch):
    """The folder of a small plan, of which nothing is made yet."""
    (records_folder / "plan.yml").write_text(PLAN)
    monkeypatch.setitem(training.RECIPES, "cnn", Recipe(epochs=1))
    return records_folder


def quiet(_):
    """Nothing is told."""


def test_everything_that_is_planned_is_made_once_and_found(planned, digits):
    assert [record.name for record in records.missing([])] == NAMES
    told = []
    records.make([], tell=told.append)
    assert [line.split(":")[0] for line in told] == NAMES
    assert recorded.checksums().keys() == {str(path.relative_to(planned)) for path in recorded.files()}
    assert len(recorded.files()) == len(NAMES)
    assert records.missing([]) == []
    for path in recorded.files():
        assert recorded.about(path)["made"].keys() == {"date", "commit", "device", "versions", "seconds"}
    network = training.trained("cnn", digits, profile="book")
    assert observe(network, WhiteNoise(digits.shape), 6_000).recorded
    assert observe(network, GaborNoise(fit_gabor(digits)), 4_000).recorded
    pair = digits.only("1", "7")
    trials = SignalPlusNoise(pair.x_test, pair.y_test, WhiteNoise(digits.shape), 0.3)
    assert observe(training.trained("cnn", pair, profile="book"), trials, 4_000, into=CellTally(2)).recorded
    assert all(finding.difference == 0 and not finding.problem for finding in audit())


def test_workers_make_records_to_the_same_bits(planned, tmp_path, monkeypatch):
    records.make(NAMES[:6], tell=quiet)
    one_by_one = {path: recorded.read(path)[0] for path in recorded.files()}
    for path in one_by_one:
        path.unlink()
    monkeypatch.setenv("WNA_CACHE", str(tmp_path / "another cache"))
    told = []
    # In this process, where the small plan is; one worker, since torch's generator belongs to the process.
    here = {"processes": False, "threads_per_worker": 1, "protocol": "tcp", "dashboard_address": ":0"}
    with LocalCluster(1, **here) as workers:
        records.make(NAMES[:6], scheduler=workers.scheduler_address, tell=told.append)
    assert sorted(line.split(":")[0] for line in told) == sorted(NAMES[:6])
    assert recorded.files() == list(one_by_one)
    for path, before in one_by_one.items():
        again, _ = recorded.read(path)
        assert all(torch.equal(again[name], each) for name, each in before.items())


def test_records_are_made_by_name(planned):
    records.make([NAMES[0]], tell=quiet)
    assert [path.stem for path in recorded.files()] == NAMES[:1]
    with pytest.raises(ValueError, match="record must be one of cnn-digits-1-epochs-seed-0, "):
        records.make(["imagenet"], tell=quiet)


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
