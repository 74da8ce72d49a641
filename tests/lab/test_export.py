"""What is exported answers as the network itself, also with changed biases; what does not is refused."""

import pytest
import torch

from wna_utils.interventions.stimulation import stimulated
from wna_utils.lab import export
from wna_utils.networks import architectures
from wna_utils.stimuli.gabor import GaborNoise, recorded_model

SHAPE, LAYERS = (1, 16, 16), ("conv1", "fc1")
IMAGES = torch.rand(300, *SHAPE, generator=torch.Generator().manual_seed(0))


def network(seed=0):
    """A small network whose weights are those of half precision, as recorded ones are."""
    return architectures.build("cnn", SHAPE, 10, seed).half().float().eval()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "network.onnx"
    export.write_network(path, network(), SHAPE, LAYERS)
    return path


def unchanged():
    return {layer: torch.zeros_like(network().get_submodule(layer).bias) for layer in LAYERS}


@torch.no_grad()
def test_network_answers_alike_in_batches_of_any_size(exported):
    for n in (1, 7, 300):
        answered = export.answers(exported, {"images": IMAGES[:n]} | unchanged())
        assert abs(answered - network()(IMAGES[:n]).numpy()).max() < 1e-6
    assert export.check_network(exported, network(), IMAGES, LAYERS) == 0


@torch.no_grad()
@pytest.mark.parametrize("layer", LAYERS)
def test_changed_biases_are_those_of_a_stimulated_network(exported, layer):
    change = torch.randn(len(unchanged()[layer]), generator=torch.Generator().manual_seed(1))
    answered = export.answers(exported, {"images": IMAGES} | unchanged() | {layer: change})
    expected = stimulated(network(), layer, change)(IMAGES).numpy()
    assert abs(answered - expected).max() < 1e-5
    assert abs(answered - network()(IMAGES).numpy()).max() > 0.01


def test_export_leaves_the_network_as_it_was(tmp_path):
    own, before = network(), network().state_dict()
    export.write_network(tmp_path / "network.onnx", own, SHAPE, LAYERS)
    assert all(torch.equal(each, before[name]) for name, each in own.state_dict().items())


def test_another_network_and_other_noise_are_found_out(exported, tmp_path):
    with pytest.raises(export.WrongExport, match=r"network.onnx calls .* of the noise otherwise"):
        export.check_network(exported, network(seed=1), IMAGES, LAYERS)
    noise = GaborNoise(recorded_model("mnist"))
    export.write_mixer(tmp_path / "mixer.onnx", noise)
    places = torch.rand(20, noise.components)
    export.check_mixer(tmp_path / "mixer.onnx", noise, places)
    with pytest.raises(export.WrongExport, match="makes pixels that differ by"):
        export.check_mixer(tmp_path / "mixer.onnx", GaborNoise(recorded_model("mnist"), add_mean=False), places)


def test_only_weights_of_half_precision_are_exported(tmp_path):
    with pytest.raises(export.WrongExport, match="only recorded networks are exported"):
        export.write_network(tmp_path / "x.onnx", architectures.build("cnn", SHAPE, 10, 0).eval(), SHAPE, LAYERS)
    assert not list(tmp_path.iterdir())
