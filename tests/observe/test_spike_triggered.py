import io

import numpy as np
import pytest
import torch
from scipy import stats
from tqdm import tqdm

from wna_utils.networks import architectures, layers
from wna_utils.observe import loop
from wna_utils.observe import tally as tallies
from wna_utils.observe.neurons import ComplexCell, LinearNonlinear, gabor_pair
from wna_utils.observe.spike_triggered_average import cosines, jackknife, spike_triggered
from wna_utils.observe.spike_triggered_covariance import largest_angle, spike_triggered_covariance
from wna_utils.stimuli.blocks import LARGEST as BLOCK
from wna_utils.stimuli.pictures import Pictures
from wna_utils.stimuli.smooth import SmoothNoise
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support.paths import cache_dir

SIDE = 10
FIELD = (1, SIDE, SIDE)
NORMAL = WhiteNoise(FIELD, "normal", seed=1)


@pytest.fixture(scope="module")
def filters():
    return gabor_pair(SIDE)


def of(found, planted):
    """Cosine between one found map and the planted one."""
    return float(cosines(found, planted.numpy()[None])[0])


def lively(network, layer):
    """The untrained network with responses of about 1 instead of a hundredth: sums are whole units of 2⁻²⁴."""
    with torch.no_grad():
        getattr(network, layer).weight.mul_(100)
    return network.eval()


@torch.inference_mode()
def brute_force(network, layer, source, n):
    """Σ a·x / Σ a and Σ x / N over all images, positions, and pixels within the image, one by one."""
    observer = layers.readout(network, layer)
    field = layers.field_of(observer, source.shape)
    images = torch.cat([source.block(i).stimuli for i in range(-(-n // BLOCK))])[:n].double()
    responses = torch.cat([observer(batch.float()) for batch in images.split(250)]).double()
    m, c, (s, _) = responses.shape[1], source.shape[0], field.size
    weighted, weights = torch.zeros(2, m, c, s, s, dtype=torch.float64)
    stimuli, trials = torch.zeros(2, c, s, s, dtype=torch.float64)
    for p in range(field.positions[0]):
        for q in range(field.positions[1]):
            rows, columns = (field.pixel_of(axis)[:, at] for axis, at in ((0, p), (1, q)))
            in_rows, in_columns = (field.inside(axis)[:, at] for axis, at in ((0, p), (1, q)))
            inside = torch.outer(in_rows, in_columns)
            seen = images[:, :, rows.clamp(0, source.shape[1] - 1)][:, :, :, columns.clamp(0, source.shape[2] - 1)]
            a = responses[:, :, p, q]
            weighted += torch.einsum("bm,bcij->mcij", a, seen) * inside
            weights += a.sum(0)[:, None, None, None] * inside
            stimuli += seen.sum(0) * inside
            trials += len(images) * inside
    return weighted / weights - stimuli / trials, responses


@pytest.mark.parametrize(
    ("model", "layer", "shape"),
    [
        ("cnn", "conv1", (1, 20, 20)),
        ("cnn", "conv2", (1, 20, 20)),
        ("cifar_cnn", "conv2", (3, 8, 8)),
        ("cifar_cnn", "conv4", (3, 8, 8)),
    ],
)
def test_sta_over_all_positions_equals_brute_force(model, layer, shape):
    network = lively(architectures.build(model, shape, 10, seed=0), layer)
    n = 2_300
    source = WhiteNoise(shape, seed=5)
    tally = spike_triggered(layers.readout(network, layer), source, n)
    expected, responses = brute_force(network, layer, source, n)
    live = ~tally.dead
    assert live.sum() > 5
    np.testing.assert_allclose(tally.sta.filled(np.nan)[live], expected[torch.from_numpy(live)], atol=1e-4)
    np.testing.assert_allclose(tally.rates, responses.mean((0, 2, 3)), rtol=1e-5, atol=1e-7)
    assert (live == responses.flatten(2).any(2).any(0).numpy()).all()


def test_stc_and_whitened_sta_equal_the_equations(filters):
    cell = LinearNonlinear(filters[0], threshold=0.5)
    n = 3_000
    source = SmoothNoise(FIELD, seed=2, width=0.7)
    tally = spike_triggered_covariance(cell, source, n)
    x = torch.cat([source.block(i).stimuli for i in range(2)])[:n]
    y = cell(x)[:, 0].double().numpy()
    x = x.flatten(1).double().numpy()
    mean = (y[:, None] * x).sum(0) / y.sum()
    covariance = (y[:, None] * (x - mean)).T @ (x - mean) / y.sum()  # Eq. 4
    np.testing.assert_allclose(tally.sta[0].ravel(), mean - x.mean(0), atol=1e-6)
    np.testing.assert_allclose(tally.stc[0], covariance, atol=1e-6)
    np.testing.assert_allclose(tally.prior, np.cov(x.T, bias=True), atol=1e-6)
    centred = x - x.mean(0)
    regression = n / y.sum() * np.linalg.lstsq(centred, y - y.mean(), rcond=None)[0]  # Eq. 5
    np.testing.assert_allclose(tally.whitened_sta(1e-12)[0].ravel(), regression, rtol=1e-3, atol=1e-3)


def test_stc_over_positions_counts_whole_fields_only():
    network = architectures.build("cifar_cnn", (3, 8, 8), 10, seed=0).eval()
    with torch.no_grad():
        network.conv2.bias += 0.5  # so that no unit is silent
    observer = layers.readout(network, "conv2", [0, 3])
    source = WhiteNoise((3, 8, 8), seed=1)
    tally = spike_triggered_covariance(observer, source, 500)
    x = source.block(0).stimuli[:500]
    with torch.inference_mode():
        a = observer(x)[:, :, 2:6, 2:6].flatten(2).movedim(2, 1).flatten(0, 1).double().numpy()
    fields = x.unfold(2, 5, 1).unfold(3, 5, 1).movedim(1, 3).flatten(3).flatten(0, 2).double().numpy()
    mean = a.T @ fields / a.sum(0)[:, None]
    np.testing.assert_allclose(tally.sta.reshape(2, -1), mean - fields.mean(0), atol=1e-5)
    second = np.einsum("nu,nd,ne->ude", a, fields, fields) / a.sum(0)[:, None, None]
    np.testing.assert_allclose(tally.stc, second - mean[:, :, None] * mean[:, None], atol=1e-5)


def test_sta_finds_the_filter_of_a_linear_nonlinear_neuron(filters):
    tally = spike_triggered(LinearNonlinear(filters[0], threshold=0.5), NORMAL, 40_000)
    assert of(tally.sta, filters[0]) > 0.99
    assert of(tally.slope, filters[0]) > 0.99


def test_slope_is_the_mean_gradient(filters):
    tally = spike_triggered(LinearNonlinear(filters[0]), NORMAL, 40_000)
    gradient = 0.5 * filters[0].numpy() / np.linalg.norm(filters[0]) * 12**0.5  # the drive is above 0 half of the time
    value, error = jackknife(tally, lambda part: part.slope)
    z = (value[0] - gradient) / error[0]
    assert 0.8 < float(np.sqrt((z**2).mean())) < 1.4
    assert stats.norm.sf(abs(z.mean()) * np.sqrt(z.size)) > 1e-3


def test_error_falls_as_one_over_root_n(filters):
    cell = LinearNonlinear(filters[0])
    errors = [jackknife(spike_triggered(cell, NORMAL, n), lambda part: part.sta)[1].mean() for n in (20_000, 80_000)]
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.15)


def test_complex_cell_has_no_sta_but_stc_finds_its_filters(filters):
    tally = spike_triggered_covariance(ComplexCell(*filters), NORMAL, 40_000, shuffles=20)
    assert abs(of(tally.sta, filters[0])) < 0.5
    assert np.linalg.norm(tally.sta) < 0.1
    spectrum = tally.spectrum(0)
    assert spectrum.outside[-2:].all()
    assert spectrum.outside.sum() <= 3  # the two, and by chance one more
    assert largest_angle(spectrum.axes[-2:], filters) < 10


def test_shuffled_responses_have_no_axes():
    class Decimals(torch.nn.Module):
        """Responds to the fifth decimal of the pixels: nothing is to be found."""

        def forward(self, x):
            return x.flatten(1).mul(1e4).remainder(1).sum(1, keepdim=True)

    spectra = [
        spike_triggered_covariance(Decimals(), WhiteNoise((1, 5, 5), "normal", seed), 4_000, shuffles=20).spectrum(0)
        for seed in range(10)
    ]
    assert sum(each.outside.any() for each in spectra) <= 4  # expected: 1


def test_correlated_noise_needs_whitening():
    fine, _ = gabor_pair(SIDE, cycles=3)
    tally = spike_triggered_covariance(LinearNonlinear(fine), SmoothNoise(FIELD, width=0.6), 60_000)
    assert of(tally.sta, fine) < 0.9
    assert of(tally.whitened_sta(), fine) > 0.98


def test_smooth_noise_has_the_covariance_it_says():
    pixels = SmoothNoise((1, 16, 16), width=1.0).block(0).stimuli.double() - 0.5
    assert pixels.std() == pytest.approx(12**-0.5, rel=0.02)
    neighbours = (pixels[..., 1:] * pixels[..., :-1]).mean() / pixels.var()
    assert neighbours == pytest.approx(np.exp(-1 / 4), abs=0.02)  # a Gaussian blur of width 1, twice


def test_first_layer_sta_is_the_kernel():
    network = architectures.build("cnn", (1, 28, 28), 10, seed=0).eval()
    tally = spike_triggered(layers.readout(network, "conv1"), WhiteNoise((1, 28, 28), "normal"), 4_000)
    assert cosines(tally.sta, network.conv1.weight.detach().numpy()).min() > 0.99


def test_parts_of_an_average_add_up_to_the_whole(filters):
    cell = LinearNonlinear(filters[0])
    whole = spike_triggered(cell, NORMAL, 3 * BLOCK, cache=False)
    parts = [spike_triggered(cell, NORMAL, BLOCK, start=i * BLOCK, cache=False) for i in range(3)]
    total = parts[2] + parts[0] + parts[1]
    for name, sums in whole.tensors().items():  # the groups of blocks are others
        assert torch.equal(sums.sum(0), total.tensors()[name].sum(0))


def test_parts_of_a_covariance_add_up_to_the_whole(filters):
    cell = ComplexCell(*filters)
    whole = spike_triggered_covariance(cell, NORMAL, 3 * BLOCK, shuffles=2, cache=False)
    parts = [
        spike_triggered_covariance(cell, NORMAL, BLOCK, shuffles=2, start=i * BLOCK, cache=False) for i in range(3)
    ]
    assert parts[2] + parts[0] + parts[1] == whole


def test_an_interrupted_average_goes_on_to_the_same_bits(filters, monkeypatch):
    cell = LinearNonlinear(filters[0])
    whole = spike_triggered(cell, NORMAL, 3 * BLOCK, cache=False)
    monkeypatch.setattr(loop, "CHECKPOINT_EVERY", 0.0)

    class Pulled(tqdm):
        def update(self, n):
            super().update(n)
            if self.n == 3 * BLOCK:
                raise ConnectionError

    monkeypatch.setattr(loop, "bar", lambda **options: Pulled(**options, disable=False, file=io.StringIO()))
    with pytest.raises(ConnectionError):
        spike_triggered(cell, NORMAL, 3 * BLOCK)
    [checkpoint] = (cache_dir() / "tallies").glob("*.safetensors")
    assert tallies.read(checkpoint)[1] == 2 * BLOCK
    monkeypatch.undo()
    assert spike_triggered(cell, NORMAL, 3 * BLOCK) == whole


def test_dead_units_are_masked_and_counted(digits):
    network = architectures.build("cnn", digits.shape, 10, seed=0).eval()
    with torch.no_grad():
        network.conv1.bias[3] = -100
    tally = spike_triggered(layers.readout(network, "conv1"), WhiteNoise(digits.shape), 500)
    assert tally.dead.nonzero()[0].tolist() == [3]
    assert np.ma.getmaskarray(tally.sta)[3].all()
    assert np.isnan(np.ma.getdata(tally.sta)[3]).all()
    assert cosines(tally.sta, network.conv1.weight.detach().numpy()).mask.nonzero()[0].tolist() == [3]
    stc = spike_triggered_covariance(layers.readout(network, "conv1", [3]), WhiteNoise(digits.shape), 500)
    assert np.isnan(stc.sta).all()
    with pytest.raises(ValueError, match="unit 0 never responded"):
        stc.spectrum(0)
    _, error = jackknife(tally, lambda part: part.rates)
    assert np.ma.getmaskarray(error).all()  # one block has no spread


def test_a_response_in_one_block_alone_has_no_error():
    threshold = sorted(float(NORMAL.block(i).stimuli.max()) for i in range(3))[1]

    class Rare(torch.nn.Module):
        def forward(self, x):
            return (x.flatten(1).amax(1, keepdim=True) - threshold).relu() * 100

    value, error = jackknife(spike_triggered(Rare(), NORMAL, 3 * BLOCK), lambda part: part.sta)
    assert not np.ma.getmaskarray(value).any()
    assert np.ma.getmaskarray(error).all()


def test_pictures_are_stimuli_too(digits):
    network = lively(architectures.build("cnn", digits.shape, 10, seed=0), "fc1")
    images = digits.x_train[:300]
    tally = spike_triggered(layers.readout(network, "fc1"), Pictures(images, digits.y_train[:300]), 300)
    with torch.inference_mode():
        a = layers.readout(network, "fc1")(images).double()
    mean = torch.einsum("bm,bchw->mchw", a, images.double()) / a.sum(0)[:, None, None, None]
    live = ~tally.dead
    expected = (mean - images.double().mean(0))[torch.from_numpy(live)]
    np.testing.assert_allclose(
        tally.sta[live], expected, atol=1e-4
    )  # of single precision, in units that hardly respond


def test_bad_requests_are_one_sentence():
    network = architectures.build("cifar_cnn", (3, 40, 40), 10, seed=0).eval()
    with pytest.raises(ValueError, match=r"4,800 pixels .* choose a layer with a smaller field"):
        spike_triggered_covariance(layers.readout(network, "fc1", [0]), WhiteNoise((3, 40, 40)), 10)
    small = architectures.build("cifar_cnn", (3, 32, 32), 10, seed=0).eval()
    with pytest.raises(ValueError, match="reaches over the edge of the image: choose an earlier layer"):
        spike_triggered_covariance(layers.readout(small, "conv6", [0]), WhiteNoise((3, 32, 32)), 10)
    with pytest.raises(ValueError, match="n must be a multiple of 2,000"):
        spike_triggered_covariance(ComplexCell(*gabor_pair(SIDE)), NORMAL, 2_005, shuffles=10)
