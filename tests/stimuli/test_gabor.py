import itertools

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from wna_utils.data import datasets
from wna_utils.data.datasets import Dataset
from wna_utils.stimuli import gabor as gabor_noise
from wna_utils.stimuli import wavelets
from wna_utils.stimuli.blocks import LARGEST as BLOCK
from wna_utils.stimuli.gabor import GaborNoise, fit_gabor, gabor_of, record_model, wavelet_weights
from wna_utils.stimuli.philox import uniform
from wna_utils.stimuli.wavelets import authors_bank, gabor_bank
from wna_utils.support.identity import identity
from wna_utils.support.paths import cache_dir


@pytest.fixture(scope="module")
def bank():
    return gabor_bank(28)


@pytest.fixture(scope="module")
def planted(bank):
    """Two hundred images that three mixtures of wavelets make up, around a mean."""
    rng = np.random.default_rng(0)
    mixtures = rng.standard_normal((4, len(bank)))
    scores = np.column_stack([rng.standard_normal((200, 3)), np.ones(200)])
    images = torch.from_numpy((scores @ mixtures @ bank.reshape(len(bank), -1)).reshape(200, 1, 28, 28)).float()
    labels = torch.arange(200) % 2
    return Dataset("planted", images, labels, images[:20], labels[:20], ("a", "b"))


@pytest.mark.parametrize(("side", "wavelets"), [(28, 960), (32, 1520)])
def test_bank_has_the_papers_number_of_wavelets(side, wavelets):
    bank = gabor_bank(side)
    assert bank.shape == (wavelets, side, side)
    assert len(np.unique(bank.round(6), axis=0)) == wavelets
    assert abs(bank).max() <= 1


@pytest.mark.parametrize("side", [28, 32])
def test_authors_wavelets_fill_their_cells_and_nothing_else(side):
    bank = authors_bank(side)
    assert bank.shape == gabor_bank(side).shape
    start = 0
    for cell, cycles in zip(wavelets.CELLS[side], wavelets.CYCLES[side], strict=True):
        part = bank[start : start + cycles**2 * 8].reshape(cycles, cycles, 8, side, side)
        start += cycles**2 * 8
        for row, column in itertools.product(range(cycles), repeat=2):
            inside = np.zeros((side, side), bool)
            inside[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = True
            assert not part[row, column][:, ~inside].any()
        assert (part[0, 0].max((1, 2)) == 1).all()
        assert (part[0, 0, :, :cell, :cell].min((1, 2)) == 0).all()


def test_authors_wavelets_are_what_opencv_makes():
    """The formula of cv2.getGaborKernel, written out for one wavelet of each cell's size."""
    bank, start = authors_bank(28), 0
    for cell, cycles in zip(wavelets.CELLS[28], wavelets.CYCLES[28], strict=True):
        half, sigma, wavelength, theta, psi = cell // 2, cell / 7, cell / 2, np.pi / 4, np.pi / 2
        kernel = np.empty((cell, cell))
        for y, x in itertools.product(range(-half, half + 1), repeat=2):
            xr, yr = x * np.cos(theta) + y * np.sin(theta), -x * np.sin(theta) + y * np.cos(theta)
            envelope = np.exp(-0.5 * xr**2 / sigma**2 - 0.5 * yr**2 / (sigma / 0.5) ** 2)
            kernel[half - y, half - x] = envelope * np.cos(2 * np.pi * xr / wavelength + psi)
        kernel = (kernel - kernel.min()) / np.ptp(kernel)
        np.testing.assert_allclose(bank[start + 3, :cell, :cell], kernel, atol=1e-12)  # 45 degrees, 90 degrees
        start += cycles**2 * 8


@pytest.mark.parametrize("side", [28, 32])
def test_wavelets_have_their_frequency_and_orientation(side):
    bank, size = gabor_bank(side), 256
    start = 0
    for cycles in wavelets.CYCLES[side]:
        part = bank[start : start + cycles**2 * 8].reshape(cycles, cycles, 4, 2, side, side)
        start += cycles**2 * 8
        at_centre = part[cycles // 2, cycles // 2]  # (orientation, phase, h, w)
        power = (abs(np.fft.fft2(at_centre, (size, size))) ** 2).sum(1)  # both phases: DC is not the peak
        frequencies = np.fft.fftfreq(size) * side  # cycles per image
        for orientation, spectrum in zip(wavelets.ORIENTATIONS, power, strict=True):
            row, column = np.unravel_index(spectrum.argmax(), spectrum.shape)
            fy, fx = frequencies[row], frequencies[column]
            assert np.hypot(fx, fy) == pytest.approx(cycles, rel=0.15)
            off = (np.rad2deg(np.arctan2(fy, fx)) - orientation + 90) % 180 - 90
            assert abs(off) < 8


def test_even_and_odd_wavelets_are_a_quadrature_pair(bank):
    even, odd = bank[0::2].reshape(480, -1), bank[1::2].reshape(480, -1)
    inside = slice(8 * 4 + 16, None)  # the coarsest are cut off most
    cosine = (even * odd).sum(1) / np.linalg.norm(even, axis=1) / np.linalg.norm(odd, axis=1)
    assert np.median(abs(cosine[inside])) < 0.1


def test_weights_are_those_of_one_ridge_regression_for_each_image(bank, digits):
    images = digits.x_train[:3, 0]
    weights = wavelet_weights(images, torch.from_numpy(bank).float())
    for image, found in zip(images, weights, strict=True):
        one = Ridge(gabor_noise.RIDGE, fit_intercept=False).fit(bank.reshape(960, -1).T, image.flatten().numpy())
        np.testing.assert_allclose(found, one.coef_, atol=2e-3)


def test_digits_are_sums_of_wavelets(digits):
    model = fit_gabor(digits, components=100)
    assert float(model.error) < 0.1
    sums, by_components = model.reconstruct(digits.x_test[:50])
    assert sums.shape == by_components.shape == (50, 1, 28, 28)
    missed = (sums - digits.x_test[:50]).flatten(1).norm(dim=1) / digits.x_test[:50].flatten(1).norm(dim=1)
    assert missed.mean() < 0.1
    assert (by_components - sums).norm() > 0


def test_components_explain_planted_images_and_no_fewer_do(planted):
    three, two = fit_gabor(planted, components=3), fit_gabor(planted, components=2)
    assert float(three.explained) > 0.999
    assert float(two.explained) < 0.95
    sums, by_components = three.reconstruct(planted.x_test)
    torch.testing.assert_close(by_components, sums, atol=2e-2, rtol=0)
    weights = wavelet_weights(planted.x_train[:, 0], three.bank)
    variances = np.linalg.svd(weights - weights.mean(0), compute_uv=False) ** 2
    assert float(two.explained) == pytest.approx(variances[:2].sum() / variances.sum(), abs=1e-4)


@pytest.mark.parametrize("bank_of", ["paper", "code"])
def test_model_is_the_pca_of_the_images_weights(digits, bank_of):
    """Made from the covariance of pixels; here, from the weights of all images, one by one."""
    model = fit_gabor(digits, components=30, bank_of=bank_of)
    weights = wavelet_weights(digits.x_train[:, 0], model.bank, intercept=bank_of == "code")
    pca = PCA(30, svd_solver="full").fit(weights)
    scores = (weights - pca.mean_) @ model.components[0].numpy().T
    lengths = abs(pca.components_ @ model.components[0].numpy().T).max(1)
    np.testing.assert_allclose(lengths, 1, atol=0.01)
    np.testing.assert_allclose(model.mean[0], pca.mean_, atol=1e-3)
    np.testing.assert_allclose(model.low[0], scores.min(0), atol=0.02)
    np.testing.assert_allclose(model.high[0], scores.max(0), atol=0.02)
    assert float(model.explained) == pytest.approx(pca.explained_variance_ratio_.sum(), abs=1e-3)


def test_blocks_follow_from_seed_and_number_alone(digits):
    model = fit_gabor(digits, components=20)
    source, again = GaborNoise(model, seed=4), GaborNoise(model, seed=4)
    source.block(0)
    third = source.block(3).stimuli
    assert third.shape == (BLOCK, 1, 28, 28)
    assert torch.equal(third, again.block(3).stimuli)
    assert not torch.equal(third, again.block(2).stimuli)
    assert not torch.equal(third, GaborNoise(model, seed=5).block(3).stimuli)


def test_noise_is_the_drawn_scores_projected_back(digits):
    model = fit_gabor(digits, components=20)
    bank = torch.from_numpy(gabor_bank(28)).flatten(1).float()
    evenly = uniform(0, 1, (BLOCK, 1, 20))
    scores = model.low + evenly * (model.high - model.low)
    plain = scores[:, 0] @ model.components[0] @ bank
    raw = GaborNoise(model, add_mean=False, stretch=False).block(1).stimuli.flatten(1)
    torch.testing.assert_close(raw, plain, atol=1e-3, rtol=1e-4)
    with_mean = GaborNoise(model, stretch=False).block(1).stimuli.flatten(1)
    torch.testing.assert_close(with_mean, plain + model.mean @ bank, atol=1e-3, rtol=1e-4)


def test_stretched_noise_fills_each_channel():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(30, 3, 32, 32, generator=generator)
    colour = Dataset("colour", images, torch.arange(30) % 2, images, torch.arange(30) % 2, ("a", "b"))
    noise = GaborNoise(fit_gabor(colour, components=5)).block(0).stimuli.flatten(2)
    assert torch.equal(noise.amin(2), torch.zeros(BLOCK, 3))
    assert torch.equal(noise.amax(2), torch.ones(BLOCK, 3))


def test_identity_tells_every_setting_apart(digits):
    model, other, narrow = fit_gabor(digits, 20), fit_gabor(digits, 21), fit_gabor(digits, 20, bank_of="code")
    sources = [
        GaborNoise(model),
        GaborNoise(other),
        GaborNoise(narrow),
        GaborNoise(model, seed=1),
        GaborNoise(model, add_mean=False),
        GaborNoise(model, stretch=False),
    ]
    assert len({identity(source) for source in sources}) == len(sources)


def test_a_damaged_model_is_fitted_again(digits):
    first = fit_gabor(digits, components=5)
    [file] = (cache_dir() / "generators").iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert torch.equal(fit_gabor(digits, components=5).components, first.components)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda _: gabor_bank(20), "the side of the images must be one of 28, 32; got 20"),
        (lambda _: gabor_bank(28, width=0), "width must be greater than 0; got 0"),
        (lambda _: authors_bank(20), "the side of the images must be one of 28, 32; got 20"),
        (lambda digits: fit_gabor(digits, bank_of="text"), "bank_of must be one of paper, code; got 'text'"),
        (lambda digits: fit_gabor(digits, components=0), "components must lie between 1 and 960; got 0"),
        (lambda digits: fit_gabor(digits, components=961), "components must lie between 1 and 960; got 961"),
        (lambda digits: GaborNoise(fit_gabor(digits, 2), seed=-1), "seed must be 0 or more; got -1"),
    ],
)
def test_bad_input_is_named_in_one_sentence(make, sentence, digits):
    with pytest.raises(ValueError, match=sentence):
        make(digits)


def test_model_of_a_name_is_the_fitted_one_and_reads_no_images_if_recorded(digits, records_folder, monkeypatch):
    fitted = gabor_of("digits")
    assert torch.equal(fitted.components, fit_gabor(digits).components)
    record_model(digits, "paper", {})
    monkeypatch.setattr(datasets, "load", lambda _: pytest.fail("images were read"))
    torch.testing.assert_close(gabor_of("digits").components, fitted.components, atol=1e-3, rtol=1e-3)
    with pytest.raises(ValueError, match="dataset must be one of mnist, "):
        gabor_of("imagenet")
