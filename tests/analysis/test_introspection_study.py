"""Maps of hidden activations: what a record gives back, when it is another one's, and what an audit sees of it."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from wna_utils.analysis import introspection_study
from wna_utils.analysis.introspection_study import Settings, computed, is_recorded, path_of, study, write
from wna_utils.networks import architectures, recorded_networks
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.infovae import recipes_of
from wna_utils.networks.training import trained
from wna_utils.report import audit
from wna_utils.support import recorded

RECIPE = Cyclic(cycles=1, iterations=100, held_out=200)
SETTINGS = Settings(500, 2, 10.0, 0, *recipes_of("smoke"))
MADE = {"date": "today", "seconds": 1}
mapped = partial(study, n_images=500, profile="smoke")


@pytest.fixture(scope="module")
def found(digits, shared_records):
    """A recorded network, and the map of it before it is recorded."""
    path = recorded_networks.write(trained("elu_mlp", digits, recipe=RECIPE), "elu_mlp", digits, 0, RECIPE, MADE)
    network = recorded_networks.load(recorded.name_of(path))
    return recorded.name_of(path), computed(network, digits, SETTINGS)


@pytest.fixture
def record(found, digits):
    """The map, recorded; with all hashes listed."""
    path = write(*found, digits, SETTINGS, MADE)
    for each in recorded.files():
        recorded.list_file(each)
    yield path
    path.unlink()


def test_a_recorded_map_is_what_it_was_but_for_rounding(found, record, digits, monkeypatch):
    name, before = found
    network = recorded_networks.find("elu_mlp", digits, 0, RECIPE)
    monkeypatch.setattr(introspection_study, "introspect", lambda *_, **__: pytest.fail("trained again"))
    again = mapped(network, digits)
    assert f"introspections/{name}-map-of-500" in recorded.taken()
    was, now = before(digits.x_test), again(digits.x_test)
    assert (now.codes - was.codes).abs().max() < 0.05 * was.codes.std()
    assert (now.expected - was.expected).abs().max() < 0.05 * was.expected.std()
    assert again.decoded(now.codes).shape == (len(digits.x_test), 2_400)


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"bottleneck": 1}, {"mmd_weight": 0.0}, {"times_longer": 2}, {"n_images": 501}]
)
def test_a_map_of_other_settings_is_made(record, digits, change):
    network = recorded_networks.find("elu_mlp", digits, 0, RECIPE)
    before = set(recorded.taken())
    assert mapped(network, digits, **change)(digits.x_test[:2]).codes.shape == (2, change.get("bottleneck", 2))
    assert not any("introspections" in each for each in set(recorded.taken()) - before)


def test_a_network_that_was_changed_has_another_map(record, digits):
    network = recorded_networks.find("elu_mlp", digits, 0, RECIPE)
    with torch.no_grad():
        network[1].weight.zero_()
    assert not torch.equal(
        mapped(network, digits)(digits.x_test[:9]).codes,
        mapped(recorded_networks.find("elu_mlp", digits, 0, RECIPE), digits)(digits.x_test[:9]).codes,
    )
    untrained = architectures.build("elu_mlp", digits.shape, 10, seed=0).eval()
    assert recorded_networks.found_as(untrained) is None


def test_a_record_is_of_its_images_and_its_network_alone(found, record, digits, monkeypatch):
    name, _ = found
    assert is_recorded(name, digits, SETTINGS)
    assert not is_recorded(name, digits.shifted(1), SETTINGS)
    assert not is_recorded(name, digits, replace(SETTINGS, autoencoder=replace(SETTINGS.autoencoder, highest=1e-5)))
    monkeypatch.setattr(recorded_networks, "weights_of", lambda _: "others")
    assert not is_recorded(name, digits, SETTINGS)
    [problem] = [each.problem for each in audit.audit(force=True) if each.problem]
    assert "is of another network than the recorded elu_mlp-digits" in problem


def test_records_can_be_left_alone(record, digits, monkeypatch):
    network = recorded_networks.find("elu_mlp", digits, 0, RECIPE)
    monkeypatch.setenv("WNA_RECORDED", "off")
    monkeypatch.setattr(introspection_study, "_rebuilt", lambda *_: pytest.fail("taken from the record"))
    mapped(network, digits)


@pytest.mark.parametrize(
    "name", ["components/basis", "map.encoder.fc2.weight", "judge.fc3.weight", "components/scale", "codes", "expected"]
)
def test_an_audit_sees_what_was_altered(record, name):
    assert not audit._map(record, device="cpu").problem
    tensors, about = recorded.read(record)
    name = name if name in tensors else next(each for each in tensors if each.startswith(name.rpartition(".")[0]))
    tensors[name] = (tensors[name].float() * 1.2 + 0.01).to(tensors[name].dtype)
    recorded.write(record, tensors, about)
    assert "is another map: test images land" in audit._map(record, device="cpu").problem


def test_names_tell_settings_apart(found):
    name, _ = found
    settings = [
        Settings(),
        Settings(n_images=5_000),
        Settings(bottleneck=1),
        Settings(mmd_weight=0.0),
        Settings(seed=7),
        Settings(20_000, 2, 10.0, 0, *recipes_of("book", 2)),
    ]
    paths = [path_of(name, each).name for each in settings]
    assert len(set(paths)) == len(settings)
    assert paths[0] == f"{name}-map-of-20000.safetensors"
    assert paths[4].endswith("-map-of-20000-seed-7.safetensors")
