"""Brain areas: what is planted is there, reliable vertices are those with a signal, and a user's own are checked."""

import numpy as np
import pytest

from wna_utils.analysis import areas
from wna_utils.analysis.areas import Area, planted
from wna_utils.analysis.encoding import accuracies, fit
from wna_utils.analysis.representations import dissimilarities, similarity

IMAGES, UNITS = 40, 300
FEATURES = np.random.default_rng(0).normal(size=(IMAGES, UNITS)) + 1


def test_vertices_are_sums_of_few_units_in_noise():
    area = planted(FEATURES, IMAGES, 60, noise=0.0, units=2, seed=1)
    assert area.betas.shape == (IMAGES, 2, 60)
    assert area.responses.std(0) == pytest.approx(np.ones(60))
    found = fit(FEATURES, area.responses, 2)
    exact = accuracies(found.predict(FEATURES), area.responses) > 1 - 1e-9
    assert exact.mean() > 0.9
    assert np.median((found.weights[:, exact] != 0).sum(0)) == 2
    noisy = planted(FEATURES, IMAGES, 60, noise=2.0, units=2, seed=1)
    assert np.subtract(*noisy.betas.swapaxes(0, 1)).std() == pytest.approx(2 * np.sqrt(2), rel=0.05)


def test_an_area_of_noise_is_like_no_layer_and_one_with_a_layer_is():
    silent = planted(None, IMAGES, 200, 1.0, 2, seed=2)
    telling = planted(FEATURES, IMAGES, 200, 1.0, 2, seed=2)
    layer = dissimilarities(FEATURES)
    assert abs(similarity(layer, dissimilarities(silent.responses))) < 0.15
    assert similarity(layer, dissimilarities(telling.responses)) > 0.3


def test_reliable_vertices_are_those_that_have_a_signal():
    with_signal, without = planted(FEATURES, IMAGES, 100, 0.5, 2, seed=3), planted(None, IMAGES, 100, 0.5, 2, seed=4)
    apart = without.places + 100  # elsewhere on the surface, so that no searchlight sees both
    both = Area(
        np.concatenate([with_signal.betas, without.betas], -1),
        np.concatenate([with_signal.places, apart]),
        np.concatenate([with_signal.hemisphere, without.hemisphere]),
    )
    kept = both.most_reliable(100, slice(0, IMAGES), radius=2)
    assert (kept.places < 100).all(1).mean() > 0.95
    assert kept.hemisphere.sum() == 50


def test_of_noise_alone_selection_makes_no_signal():
    """Vertices are chosen by photographs alone, so that other images are as unlike as before."""
    found = []
    for seed in range(20):
        area = planted(None, 80, 60, 1.0, 2, seed).most_reliable(30, slice(0, 40), radius=2)
        found.append(similarity(*(dissimilarities(area.responses[part]) for part in (slice(0, 40), slice(40, 80)))))
    assert abs(np.mean(found)) < 0.03


def test_own_areas_are_read(tmp_path):
    area = planted(FEATURES, IMAGES, 12, 1.0, 2, seed=5)
    arrays = {"V1 betas": area.betas, "V1 places": area.places, "V1 hemisphere": area.hemisphere}
    np.savez(tmp_path / "own.npz", **arrays)
    found = areas.load(tmp_path / "own.npz", IMAGES)
    assert list(found) == ["V1"]
    assert np.array_equal(found["V1"].betas, area.betas)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"V1 betas": np.zeros((39, 2, 12))}, r"V1 betas must have the shape \(40, 2, 12\); got \(39, 2, 12\)"),
        ({"V1 betas": np.full((40, 2, 12), np.nan)}, "V1 betas must be finite numbers"),
        ({"V1 betas": np.array(3.0)}, r"V1 betas must have the shape \(40, 2, 0\); got \(\)"),
        ({"V1 betas": np.full((40, 2, 12), "a")}, "V1 betas must be finite numbers"),
        ({"V1 places": np.full((12, 2), np.inf)}, "V1 places must be finite numbers"),
        ({"V1 hemisphere": np.full(12, 7)}, "V1 hemisphere must be 0 or 1"),
        ({"V1 places": np.zeros((11, 2))}, r"V1 places must have the shape \(12, 2\)"),
        ({"V1 hemisphere": None}, "there is no V1 hemisphere"),
        ({"V1 betas": None}, "has no areas"),
    ],
)
def test_own_areas_that_do_not_fit_are_told(tmp_path, change, words):
    arrays = {"V1 betas": np.zeros((40, 2, 12)), "V1 places": np.zeros((12, 2)), "V1 hemisphere": np.zeros(12)}
    np.savez(tmp_path / "own.npz", **{name: array for name, array in (arrays | change).items() if array is not None})
    with pytest.raises(ValueError, match=words):
        areas.load(tmp_path / "own.npz", IMAGES)


def test_files_that_are_none_are_told(tmp_path):
    for content in (b"", b"PK\x03\x04 truncated", b"text", b"\x93NUMPY\x01\x00v\x00"):
        (tmp_path / "own.npz").write_bytes(content)
        with pytest.raises(ValueError, match="no npz file of responses"):
            areas.load(tmp_path / "own.npz", IMAGES)


def test_a_file_that_is_damaged_within_is_told(tmp_path):
    np.savez_compressed(tmp_path / "own.npz", **{"V1 betas": np.random.default_rng(0).normal(size=(40, 2, 12))})
    content = bytearray((tmp_path / "own.npz").read_bytes())
    content[200:260] = bytes(60)
    (tmp_path / "own.npz").write_bytes(content)
    with pytest.raises(ValueError, match="no npz file of responses"):
        areas.load(tmp_path / "own.npz", IMAGES)


def test_what_cannot_be_done_is_told():
    with pytest.raises(ValueError, match="features of 41 images; got 40"):
        planted(FEATURES, 41, 10, 1.0, 2, 0)
    area = planted(None, IMAGES, 20, 1.0, 2, 0)
    with pytest.raises(ValueError, match="vertices of hemisphere 0 must be 50"):
        area.most_reliable(100, slice(0, IMAGES), 2)
    with pytest.raises(ValueError, match="vertices within the radius must be 3"):
        area.reliabilities(slice(0, IMAGES), 0.5)


def test_the_layer_that_was_planted_foretells_other_images_best():
    """Two layers that hold photographs alike, and other images in part: the planted one is told from the other."""
    random = np.random.default_rng(6)
    images, units = 80, 200
    common = random.normal(size=(images, 40))
    layers = [common @ random.normal(size=(40, units)) + random.normal(size=(images, units)) for _ in range(2)]
    for planted_one in (0, 1):
        area = planted(layers[planted_one], images, 40, noise=0.5, units=2, seed=7)
        known, new = slice(0, 40), slice(40, 80)
        found = []
        for layer in layers:
            model = fit(layer[known], area.responses[known], 2)
            found.append(accuracies(model.predict(layer[new]), area.responses[new]).mean())
        assert found[planted_one] > found[1 - planted_one] + 0.1
        assert found[planted_one] > 0.5
