"""Estimators of error on outputs: what a record gives back, when it is another one's, and what an audit sees of it."""

from functools import partial

import pytest
import torch

from tests.analysis.conftest import MADE, RECIPE
from wna_utils.analysis import outputs_study
from wna_utils.analysis.hidden import log_errors
from wna_utils.analysis.outputs_study import Settings, computed, path_of, study, write
from wna_utils.networks import recorded_networks
from wna_utils.networks.infovae import recipes_of
from wna_utils.networks.recorded_networks import origin_in
from wna_utils.report import audit_kinds
from wna_utils.support import recorded

SETTINGS = Settings(500, 0, recipes_of("smoke")[1])
judged = partial(study, n_images=500, profile="smoke")


@pytest.fixture(scope="module")
def found(digits, recorded_net1):
    """Name of a recorded network, and the estimator on its outputs before it is recorded."""
    return recorded_net1, computed(recorded_networks.load(recorded_net1), digits, SETTINGS)


@pytest.fixture
def record(found, digits):
    """The estimator, recorded."""
    path = write(*found, digits, SETTINGS, MADE)
    recorded.list_file(path)
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def network(record, digits):
    """The recorded network, as a chapter gets it."""
    return recorded_networks.find("elu_mlp", digits, 0, RECIPE)


@pytest.fixture
def counted(monkeypatch):
    """How often an estimator is computed whatever is recorded."""
    calls = []
    monkeypatch.setattr(outputs_study, "computed", lambda *_: calls.append(1))
    return calls


def test_an_estimator_tells_right_answers_from_wrong_ones():
    """Planted: of ten outputs, those that are sure are right, and those that are not are right at random."""
    torch.manual_seed(0)
    labels = torch.randint(10, (2_000,))
    said = torch.where(torch.arange(2_000) % 2 == 0, labels, torch.randint(10, (2_000,)))
    sure = torch.where(torch.arange(2_000) % 2 == 0, 8.0, 0.5)
    outputs = (torch.nn.functional.one_hot(said, 10) * sure[:, None]).softmax(1)
    judge = outputs_study.train_estimator(outputs, log_errors(outputs, labels), recipe=recipes_of("smoke")[1])
    expected = judge(outputs)[:, 0].detach()
    assert expected[1::2].mean() - expected[::2].mean() > 2  # factors of ten


def test_a_recorded_estimator_is_what_it_was_but_for_rounding(found, network, digits, counted):
    name, before = found
    again = judged(network, digits)
    assert f"estimators/{name}-by-outputs-of-500" in recorded.taken()
    assert not counted
    with torch.no_grad():
        outputs = torch.rand(50, 10)
        assert (again(outputs) - before(outputs)).abs().max() < 0.02 * before(outputs).std()


@pytest.mark.parametrize("change", [{"seed": 1}, {"n_images": 400}, {"profile": "book"}])
def test_an_estimator_of_other_settings_is_made(network, digits, change, counted):
    judged(network, digits, **change)
    assert counted


def test_an_estimator_of_other_data_or_another_network_is_made(network, record, digits, counted, monkeypatch):
    judged(network, digits.shifted(1))
    assert len(counted) == 1
    tensors, about = recorded.read(record)
    about["network"]["weights"] = "another's"
    recorded.write(record, tensors, about)
    judged(network, digits)
    assert len(counted) == 2
    assert "is of another network than the recorded elu_mlp-digits" in audit_kinds._estimator(record, "cpu").problem


def test_records_can_be_left_alone(network, digits, counted, monkeypatch):
    monkeypatch.setenv("WNA_RECORDED", "off")
    judged(network, digits)
    assert counted


@pytest.mark.parametrize("name", ["fc1.weight", "fc3.bias", "out.weight", "expected"])
def test_an_audit_sees_what_was_altered(record, name):
    finding = audit_kinds._estimator(record, "cpu")
    assert not finding.problem
    assert finding.difference < 1e-4
    tensors, about = recorded.read(record)
    tensors[name] = tensors[name] * 1.2 + 0.1
    recorded.write(record, tensors, about)
    problem = audit_kinds._estimator(record, "cpu").problem
    assert "is another estimator: what it says of test images differs by" in problem


def test_an_audit_sees_a_file_under_another_name(record):
    moved = record.with_name(record.name.replace("of-500", "of-501"))
    moved.write_bytes(record.read_bytes())
    assert "is of other settings than its name says" in audit_kinds._estimator(moved, "cpu").problem
    moved.unlink()


def test_an_estimator_that_expects_the_same_of_all_images_is_not_recorded(found, digits):
    name, _ = found
    same = outputs_study.elu_stack(10, 1)
    for weights in same.parameters():
        weights.data.zero_()
    with pytest.raises(ValueError, match="expects the same error of all images"):
        write(name, same, digits, SETTINGS, MADE)
    assert path_of(name, SETTINGS).name == f"{name}-by-outputs-of-500.safetensors"
    assert origin_in(name).name == name
