"""Maps of hidden activations: what a record gives back, when it is another one's, and what an audit sees of it."""

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch

from tests.analysis.conftest import MADE, RECIPE
from wna_utils.analysis import introspection_study
from wna_utils.analysis.hidden import HiddenLayers
from wna_utils.analysis.introspection_study import Settings, computed, is_recorded, path_of, study, write
from wna_utils.networks import recorded_networks
from wna_utils.networks.infovae import recipes_of
from wna_utils.networks.recorded_networks import origin_in, origin_of
from wna_utils.report import audit_kinds
from wna_utils.support import recorded

SETTINGS = Settings(500, 2, 10.0, 0, *recipes_of("smoke"))
mapped = partial(study, n_images=500, profile="smoke")


@pytest.fixture(scope="module")
def found(digits, recorded_net1):
    """Name of a recorded network, and the map of it before it is recorded."""
    return recorded_net1, computed(recorded_networks.load(recorded_net1), digits, SETTINGS)


@pytest.fixture
def record(found, digits):
    """The map, recorded."""
    path = write(*found, digits, SETTINGS, MADE)
    recorded.list_file(path)
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def network(record, digits):
    """The recorded network, as a chapter gets it."""
    return recorded_networks.find("elu_mlp", digits, 0, RECIPE)


@pytest.fixture
def untouched(record, monkeypatch):
    """A record that must not be taken."""
    monkeypatch.setattr(introspection_study, "_rebuilt", lambda *_: pytest.fail("taken from the record"))


def test_a_recorded_map_is_what_it_was_but_for_rounding(found, network, digits, monkeypatch):
    name, before = found
    monkeypatch.setattr(introspection_study, "introspect", lambda *_, **__: pytest.fail("trained again"))
    again = mapped(network, digits)
    assert f"introspections/{name}-map-of-500" in recorded.taken()
    was, now = before(digits.x_test), again(digits.x_test)
    for part in ("codes", "expected", "missed"):
        assert (getattr(now, part) - getattr(was, part)).abs().max() < 0.05 * getattr(was, part).std()
    assert again.decoded(now.codes).shape == (len(digits.x_test), 2_400)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("change", [{"seed": 1}, {"bottleneck": 1}, {"mmd_weight": 0.0}, {"times_longer": 2}])
def test_a_map_of_other_settings_is_made(found, record, digits, change, monkeypatch):
    monkeypatch.setattr(introspection_study, "computed", lambda *_: "computed")
    assert mapped(recorded_networks.find("elu_mlp", digits, 0, RECIPE), digits, **change) == "computed"


def test_a_network_that_was_changed_has_no_record(found, network, digits):
    assert origin_of(network) == origin_in(found[0])
    with torch.no_grad():
        network[1].weight.zero_()
    assert origin_of(network) is None


def test_a_record_of_another_network_of_the_same_name_is_not_taken(network, record, digits, monkeypatch):
    """A network that is held in memory stays itself, whatever its file holds by now."""
    monkeypatch.setattr(introspection_study, "computed", lambda *_: "computed")
    tensors, about = recorded.read(record)
    about["network"]["weights"] = "another's"
    recorded.write(record, tensors, about)
    assert mapped(network, digits) == "computed"
    assert "is of another network than the recorded elu_mlp-digits" in audit_kinds._map(record, "cpu").problem


def test_a_record_is_of_what_its_network_learned(found, network, digits, monkeypatch):
    name, _ = found
    assert is_recorded(origin_in(name), SETTINGS)
    assert not is_recorded(origin_in(name), replace(SETTINGS, autoencoder=replace(SETTINGS.autoencoder, highest=1e-5)))
    monkeypatch.setattr(introspection_study, "computed", lambda *_: "computed")
    assert mapped(network, digits.shifted(1)) == "computed"
    monkeypatch.setattr(introspection_study, "COMPONENTS", 50)
    assert mapped(network, digits) == "computed"


@pytest.mark.usefixtures("untouched")
def test_records_can_be_left_alone(network, digits, monkeypatch):
    monkeypatch.setenv("WNA_RECORDED", "off")
    monkeypatch.setattr(introspection_study, "computed", lambda *_: "computed")
    assert mapped(network, digits) == "computed"


@pytest.mark.parametrize(
    "name",
    [
        "components/basis",
        "components/scale",
        "map.encoder.fc2.weight",
        "map.decoder.fc2.weight",
        "map.decoder.out.weight",
        "judge.fc3.weight",
        "codes",
        "expected",
        "missed",
    ],
)
def test_an_audit_sees_what_was_altered(record, name):
    tensors, about = recorded.read(record)
    tensors[name] = (tensors[name].float() * 1.2 + 0.01).to(tensors[name].dtype)
    recorded.write(record, tensors, about)
    assert "is another map: what it says of test images differs by" in audit_kinds._map(record, "cpu").problem


def test_an_audit_shows_images_anew_and_passes_what_is_as_it_was(record, monkeypatch):
    read, shown = HiddenLayers._read, []
    monkeypatch.setattr(HiddenLayers, "_read", lambda self, images: shown.append(len(images)) or read(self, images))
    for _ in range(2):  # whatever is in the cache
        finding = audit_kinds._map(record, "cpu")
        assert not finding.problem
        assert finding.difference < 1e-4
    assert shown == [100, 100]


def test_an_audit_sees_a_file_under_another_name_and_of_other_layers(record, monkeypatch):
    moved = record.with_name(record.name.replace("of-500", "of-501"))
    moved.write_bytes(record.read_bytes())
    assert "is of other settings than its name says" in audit_kinds._map(moved, "cpu").problem
    moved.unlink()
    monkeypatch.setattr(introspection_study, "dense_activations", lambda _: ["elu1"])
    assert "is of other layers than are read now" in audit_kinds._map(record, "cpu").problem


def test_a_map_that_says_the_same_of_all_images_is_not_recorded(found, digits):
    name, introspection = found
    flat = replace(introspection, estimator=copy.deepcopy(introspection.estimator))
    for weights in flat.estimator.parameters():
        weights.data.zero_()
    with pytest.raises(ValueError, match="says the same of all images"):
        write(name, flat, digits, SETTINGS, MADE)


def test_a_damaged_record_is_told(network, record, digits):
    record.write_bytes(record.read_bytes()[:-9])
    with pytest.raises(ValueError, match="is missing or damaged: fetch it again"):
        mapped(network, digits)


def test_names_tell_apart_what_the_book_records(found):
    name, _ = found
    settings = [
        Settings(),
        Settings(n_images=5_000),
        Settings(bottleneck=1),
        Settings(mmd_weight=0.0),
        Settings(seed=7),
        Settings(20_000, 2, 10.0, 0, *recipes_of("book", 2)),
    ]
    names = [path_of(name, each).name for each in settings]
    assert len(set(names)) == len(settings)
    assert names[0] == f"{name}-map-of-20000.safetensors"
    assert names[4].endswith("-map-of-20000-seed-7.safetensors")
