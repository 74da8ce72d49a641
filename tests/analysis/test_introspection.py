"""Hidden layers are read side by side; a network's map tells its classes apart, and comes from the cache again."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from wna_utils.analysis import confidence, embeddings
from wna_utils.analysis.hidden import Activations, HiddenLayers, dense_activations
from wna_utils.analysis.introspection import introspect
from wna_utils.analysis.selective import auroc
from wna_utils.networks import architectures, infovae
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.training import trained
from wna_utils.support import paths

QUICK = Cyclic(cycles=1, iterations=300, held_out=200)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def network(digits, cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WNA_CACHE", str(cache))
        return trained("elu_mlp", digits, recipe=Cyclic(cycles=1, iterations=400, held_out=200))


@pytest.fixture
def hidden(network, digits, cache, monkeypatch):
    monkeypatch.setenv("WNA_CACHE", str(cache))  # of all tests here
    return HiddenLayers(network, digits.x_train)


@pytest.fixture
def found(hidden, digits):
    return introspect(hidden, digits.x_train, digits.y_train, autoencoder=QUICK, estimator=QUICK)


def test_layers_lie_side_by_side(network, hidden, digits):
    assert hidden.layers == [f"elu{i}" for i in range(1, 13)]
    raw = hidden.raw(digits.x_test[:3])
    assert raw.shape == (3, 2_400)
    with torch.no_grad():
        first = network[:3](digits.x_test[:3])
    torch.testing.assert_close(hidden.by_layer(raw)[0], first)


def test_features_hold_nearly_all_and_lead_back(hidden, digits):
    seen = hidden.read(digits.x_test)
    assert hidden.components.explained > 0.97
    raw = hidden.raw(digits.x_test)
    missed = (hidden.components.expanded(seen.features) - raw).square().sum() / (raw - raw.mean(0)).square().sum()
    assert missed < 0.05
    assert seen.features.square().mean() == pytest.approx(1, abs=0.2)
    torch.testing.assert_close(seen.last, hidden.by_layer(raw)[-1])


def test_what_was_read_comes_from_the_cache(hidden, digits, monkeypatch):
    seen = hidden.read(digits.x_test[:50])
    monkeypatch.setattr(HiddenLayers, "_read", lambda *_: pytest.fail("read again"))
    torch.testing.assert_close(hidden.read(digits.x_test[:50]).outputs, seen.outputs)


def test_damaged_cache_is_made_anew(network, digits, hidden):
    before = hidden.read(digits.x_test[:50]).outputs.clone()  # it may lie in the file
    for path in (paths.cache_dir() / "activations").glob("*"):
        path.write_bytes(path.read_bytes()[:-9])
    again = HiddenLayers(network, digits.x_train).read(digits.x_test[:50]).outputs
    torch.testing.assert_close(again, before)


def test_errors_by_hand():
    seen = Activations(torch.zeros(3, 1), torch.zeros(3, 1), torch.tensor([[1.0, 0], [1, 0], [0.5, 0.5]]))
    assert seen.errors(torch.tensor([0, 1, 0])).tolist() == pytest.approx([-12, 0, np.log10(0.25)])
    assert seen.calls.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("model", "layers"), [("cnn", ["relu3"]), ("cifar_cnn", ["relu7", "relu8"]), ("mlp", ["relu1"])]
)
def test_dense_layers_are_found(model, layers):
    shape = (3, 32, 32) if model == "cifar_cnn" else (1, 28, 28)
    assert dense_activations(architectures.build(model, shape, 10, 0)) == layers


def test_logits_become_probabilities(digits):
    seen = HiddenLayers(architectures.build("mlp", digits.shape, 10, 0), digits.x_train).read(digits.x_test[:5])
    torch.testing.assert_close(seen.outputs.sum(1), torch.ones(5))


@pytest.mark.parametrize(
    ("model", "change", "message"),
    [
        ("mlp", {"layers": ["fc9"]}, "layer must be one of"),
        ("mlp", {"components": 0}, "components must be 1 or more"),
        ("mlp", {"components": 5_000}, "components must lie between"),
        ("logistic", {}, "the network has no hidden dense layers; its layers are flatten, fc"),
    ],
)
def test_what_cannot_be_read_is_refused(digits, model, change, message):
    with pytest.raises(ValueError, match=message):
        HiddenLayers(architectures.build(model, digits.shape, 10, 0), digits.x_train, **change).read(digits.x_test)


def test_map_tells_classes_apart_and_errors_from_the_rest(found, digits):
    known, seen = found(digits.x_train), found(digits.x_test)
    true = digits.y_test.numpy()
    assert embeddings.neighbour_accuracy(known.codes.numpy(), digits.y_train.numpy(), seen.codes.numpy(), true) > 0.7
    wrong = (seen.calls != digits.y_test).numpy()
    assert auroc(wrong, -seen.expected.numpy()) > 0.7
    assert found.decoded(seen.codes).shape == (len(true), 2_400)


def test_map_comes_from_the_cache(found, hidden, digits, monkeypatch):
    for name in ("train_autoencoder", "train_estimator"):
        monkeypatch.setattr(f"wna_utils.analysis.introspection.{name}", lambda *_: pytest.fail("trained again"))
    again = introspect(hidden, digits.x_train, digits.y_train, autoencoder=QUICK, estimator=QUICK)
    torch.testing.assert_close(again(digits.x_test).expected, found(digits.x_test).expected)


@pytest.mark.parametrize(
    "change",
    [
        {"labels": "other"},
        {"seed": 1},
        {"mmd_weight": 1.0},
        {"bottleneck": 3},
        {"autoencoder": replace(QUICK, iterations=301)},
        {"estimator": replace(QUICK, iterations=301)},
    ],
)
def test_all_that_decides_is_part_of_what_is_cached(found, hidden, digits, monkeypatch, change):
    asked = []

    def untrained(features, bottleneck, *_):
        asked.append(bottleneck)
        return infovae.InfoVAE(features.shape[1], bottleneck)

    monkeypatch.setattr("wna_utils.analysis.introspection.train_autoencoder", untrained)
    settings = {"labels": digits.y_train, "autoencoder": QUICK, "estimator": QUICK} | change
    if settings["labels"] == "other":
        settings["labels"] = 9 - digits.y_train
    introspect(hidden, digits.x_train, **settings)
    assert asked == [change.get("bottleneck", 2)]


def test_confidence_scores_on_planted_clusters():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 2
    known = torch.randn(400, 3, generator=generator) + 6.0 * labels[:, None]
    seen = torch.tensor([[0.0, 0, 0], [6, 6, 6], [3, 3, 3], [30, 30, 30]])
    outputs = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.55, 0.45], [0.5, 0.5]])
    scores = confidence.of_all_kinds(
        Activations(known, known, torch.zeros(400, 2)), labels, Activations(seen, seen, outputs)
    )
    assert scores["margin of the outputs"] == pytest.approx([0.8, 0.6, 0.1, 0], abs=1e-6)
    for kind in ("nearest neighbours", "Mahalanobis"):
        assert scores[kind][:2].min() > scores[kind][2] > scores[kind][3]
    assert scores["trust score"][:2].min() > 3 > scores["trust score"][2]


def test_mahalanobis_is_the_distance_in_standard_deviations():
    labels = torch.arange(40_000) % 2
    known = torch.randn(40_000, 2, generator=torch.Generator().manual_seed(1)) * torch.tensor([1.0, 5.0])
    known[:, 0] += 20 * labels
    score = confidence.Mahalanobis(known, labels)(torch.tensor([[2.0, 0], [0, 10], [23, 0]]))
    assert score == pytest.approx([-4, -4, -9], rel=0.1)


def test_fringes_and_neighbours():
    codes = np.r_[np.zeros((5, 1)), np.ones((5, 1))] + np.arange(10)[:, None] / 100
    calls = np.repeat([0, 1], 5)
    assert embeddings.impurity(codes, calls, 4).tolist() == [0] * 10
    calls[0] = 1
    assert embeddings.impurity(codes, calls, 4)[:5].tolist() == [1, 0.25, 0.25, 0.25, 0.25]
    assert embeddings.left_out_accuracy(codes, np.repeat([0, 1], 5), 4) == 1
    with pytest.raises(ValueError, match="neighbours must lie between 1 and 9"):
        embeddings.impurity(codes, calls, 10)


def test_quality_of_a_perfect_map_and_a_random_one():
    rng = np.random.default_rng(0)
    high, labels = rng.normal(size=(200, 2)), np.repeat([0, 1], 100)
    high[:, 0] += 9 * labels
    perfect, random = (
        embeddings.quality(high, high, labels),
        embeddings.quality(high, rng.normal(size=(200, 2)), labels),
    )
    assert perfect["trustworthiness"] == perfect["continuity"] == 1
    assert perfect["silhouette"] > 0.7
    assert max(random["trustworthiness"], random["continuity"]) < 0.75
    assert abs(random["silhouette"]) < 0.1


def test_recorded_places_come_back_and_some_images_are_shown_anew(found, digits, in_records, monkeypatch):
    images = digits.x_train[:1_100]
    computed, names = in_records(lambda: found(images))
    assert len(names) == 3
    shown, real = [], HiddenLayers._read
    monkeypatch.setattr(HiddenLayers, "_read", lambda self, images: shown.append(len(images)) or real(self, images))
    taken = found(images)
    assert shown in ([500], [100])
    for part in ("codes", "expected", "missed", "outputs", "calls"):
        assert torch.equal(getattr(taken, part), getattr(computed, part))
    assert torch.equal(taken.activations.outputs, computed.outputs)


def test_recorded_places_are_those_of_this_network_map_and_images(found, hidden, digits, in_records):
    _, names = in_records(lambda: found(digits.x_train[:600]))
    other_map = introspect(hidden, digits.x_train, digits.y_train, seed=1, autoencoder=QUICK, estimator=QUICK)
    fewer_layers = replace(found, hidden=HiddenLayers(hidden.network, digits.x_train, ["elu1", "elu2"]))
    for other, images in ((other_map, digits.x_train[:600]), (found, digits.x_train[:600] * 0.99)):
        assert not names & in_records(lambda other=other, images=images: other(images))[1]
    assert fewer_layers.key != found.key
