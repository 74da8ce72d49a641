"""Networks of ImageNet take images of any size, and those that were trained know a cat from a cup."""

import json
import pickle

import pytest
import torch
from torch import nn
from torchvision.models import alexnet, resnet50

from wna_utils.data import imagenet
from wna_utils.networks import named, pretrained
from wna_utils.networks.observer import Observer
from wna_utils.networks.pretrained import Prepared


class Passes(nn.Module):
    """A network that answers what it was shown."""

    def forward(self, images):
        return images.flatten(1)


def test_images_are_enlarged_normalised_and_turned_to_what_the_network_learned():
    images = torch.rand(2, 3, 4, 4)
    kept = Prepared(Passes(), [0.5, 0.25, 0.0], [0.5, 0.5, 2.0], swapped=True, side=4)(images).view(2, 3, 4, 4)
    torch.testing.assert_close(kept[:, 0], images[:, 2] / 2)
    torch.testing.assert_close(kept[:, 2], 2 * images[:, 0] - 1)
    large = Prepared(Passes(), [0.0] * 3, [1.0] * 3, swapped=False, side=8)(images).view(2, 3, 8, 8)
    torch.testing.assert_close(large.mean((2, 3)), images.mean((2, 3)))


def test_stand_ins_answer_with_a_thousand_scores_that_differ():
    first, second = (Observer(pretrained.load(name), (3, 8, 8)) for name in pretrained.UNTRAINED)
    images = torch.rand(5, 3, 8, 8)
    assert first(images)["scores"].shape == (5, 1_000)
    assert first(images)["scores"].std(0).min() > 0
    assert not torch.equal(first(images)["scores"], second(images)["scores"])
    assert torch.equal(
        Observer(pretrained.load("untrained"), (3, 8, 8))(images)["scores"],
        first(images)["scores"],
    )


def test_large_images_come_in_small_batches():
    observer = Observer(pretrained.load("untrained"), (3, 8, 8), device="cpu")
    assert observer.batch_size == 200_000 // (3 * 32 * 32)


def test_arrays_of_keras_reach_the_layers_that_they_belong_to(tmp_path):
    """A plan of arrays, each full of its own number, comes back layer by layer."""
    network = resnet50()
    names = {pretrained._convolution(layer.removesuffix(".0")) for layer in _convolutions(network)}
    assert len(names) == 53  # none is taken for another
    layout, numbers = [], []
    for convolution in sorted(names):
        out, into, *size = _convolutions(network)[_layer_of(convolution, network)].weight.shape
        parts = {f"{convolution}/kernel": [*size, into, out], f"{convolution}/bias": [out]}
        own = pretrained._normalization(convolution)
        parts |= {f"{own}/{each}": [out] for each in pretrained.OF_NORMALIZATION.values()}
        for name, shape in parts.items():
            layout.append({"name": name, "shape": shape})
            numbers.append(torch.rand(shape))
    for name, shape in (("fc1000/kernel", [2048, 1000]), ("fc1000/bias", [1000])):
        layout.append({"name": name, "shape": shape})
        numbers.append(torch.rand(shape))
    (tmp_path / imagenet.RESNET_LAYOUT).write_text(json.dumps({"weightsManifest": [{"weights": layout}]}))
    (tmp_path / imagenet.RESNET).write_bytes(torch.cat([each.flatten() for each in numbers]).numpy().tobytes())
    arrays = {each["name"]: number for each, number in zip(layout, numbers, strict=True)}
    state = pretrained._state_of(network, pretrained._arrays(tmp_path))
    torch.testing.assert_close(state["layer3.4.conv2.weight"][7, 5], arrays["res4e_branch2b/kernel"][:, :, 5, 7])
    expected = arrays["bn2a_branch1/moving_mean"] - arrays["res2a_branch1/bias"]
    torch.testing.assert_close(state["layer1.0.downsample.1.running_mean"], expected)
    torch.testing.assert_close(state["bn1.weight"], arrays["bn_conv1/gamma"])
    torch.testing.assert_close(state["fc.weight"], arrays["fc1000/kernel"].T)


def _convolutions(network):
    return {name: each for name, each in network.named_modules() if isinstance(each, nn.Conv2d)}


def _layer_of(convolution, network):
    found = [name for name in _convolutions(network) if pretrained._convolution(name.removesuffix(".0")) == convolution]
    return found[0]


def test_names_of_networks_tell_who_trained_them():
    assert named.name_of("resnet50") == "resnet50-imagenet"
    assert named.fetched("resnet50-imagenet") == "resnet50"
    assert named.fetched("cnn-mnist-15-epochs-seed-0") == ""
    assert named.shape_of("resnet50-imagenet") == (3, 224, 224)
    assert named.weights_of("resnet50-imagenet") != named.weights_of("mobilenet_v2-imagenet")


def test_resnet_is_the_one_that_keras_trained(monkeypatch):
    monkeypatch.setattr(pretrained, "_arrays", lambda _: {})
    monkeypatch.setattr(pretrained, "_state_of", lambda network, _: network.state_dict())
    prepared = pretrained._resnet(None)
    for stage in (prepared.network.layer2, prepared.network.layer3, prepared.network.layer4):
        assert (stage[0].conv1.stride, stage[0].conv2.stride) == ((2, 2), (1, 1))
    assert prepared.network.layer1[0].conv1.stride == (1, 1)
    assert {each.eps for each in prepared.modules() if isinstance(each, nn.BatchNorm2d)} == {1e-3}
    assert prepared.swapped
    torch.testing.assert_close(255 * prepared.mean.flatten(), torch.tensor([123.68, 116.779, 103.939]))
    torch.testing.assert_close(255 * prepared.deviation.flatten(), torch.ones(3))
    assert pickle.loads(pickle.dumps(prepared)).side == 224


def test_grey_images_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match="the network takes 3 channels; got 1: repeat a grey one thrice"):
        Observer(pretrained.load("untrained"), (1, 8, 8))


def test_layers_can_be_read():
    network = pretrained.load("untrained")
    answers = Observer(network, (3, 8, 8), layers=["network.1", "scores"])(torch.rand(2, 3, 8, 8))
    assert answers["network.1"].shape == (2, 16, 4, 4)


@pytest.mark.parametrize("name", pretrained.KNOWN)
def test_layers_that_are_compared_end_with_the_scores_and_are_there(name):
    layers = pretrained.layers_of(name)
    assert list(layers)[-1] == "scores"
    if name in pretrained.UNTRAINED or imagenet.is_on_disk(name):
        answers = Observer(pretrained.load(name), (3, 224, 224), layers=layers, batch_size=2).answers
        assert list(answers) == list(layers)
    if name not in pretrained.UNTRAINED:
        assert len(layers) == 8  # as many as AlexNet has


def test_alexnet_is_read_layer_by_layer(tmp_path, monkeypatch):
    """Torchvision's, with weights that were drawn: no package has the trained ones."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = alexnet()
    torch.save(drawn.state_dict(), tmp_path / imagenet.ALEXNET)
    monkeypatch.setattr(imagenet, "weights_folder", lambda _: tmp_path)
    images, layers = torch.rand(2, 3, 32, 32), pretrained.layers_of("alexnet")
    answers = Observer(pretrained.load("alexnet"), (3, 32, 32), layers=layers)(images)
    assert [each.flatten(1).shape[1] for each in answers.values()] == [
        64 * 55**2, 192 * 27**2, 384 * 13**2, 256 * 13**2, 256 * 13**2, 4096, 4096, 1000
    ]  # fmt: skip
    assert all(answers[layer].min() == 0 for layer in list(layers)[:-1])  # rectified
    mean, deviation = (torch.tensor(each)[:, None, None] for each in pretrained.USUAL)
    large = torch.nn.functional.interpolate(images, size=(224, 224), mode="bilinear", antialias=True)
    torch.testing.assert_close(answers["scores"], drawn.eval()((large - mean) / deviation), rtol=1e-3, atol=1e-4)


def test_layers_of_an_unknown_network_are_refused():
    with pytest.raises(ValueError, match="network must be one of mobilenet_v2"):
        pretrained.layers_of("vgg16")


def test_another_networks_attribute_is_no_shape():
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 10))
    network.seen = 0  # as networks have it that count the images of their training
    assert Observer(network.eval(), (3, 8, 8)).classes == 10


@pytest.mark.slow
@pytest.mark.parametrize("name", imagenet.OF_THE_BOOK)
def test_trained_networks_answer_as_they_did(name):
    """To thumbnails: a wrong mean, stride or order of colours would change their scores."""
    if not imagenet.is_on_disk(name):
        pytest.skip(f"{name} was not fetched: `python -m wna_utils data {name}` does")
    before = imagenet.thumbnails_record()[f"scores of {name}"].float()
    now = Observer(pretrained.load(name), (3, 8, 8))(imagenet.thumbnails()[: len(before)])["scores"].cpu()
    assert (now - before).abs().max() < 0.002 * before.abs().max()


@pytest.mark.slow
@pytest.mark.parametrize("name", imagenet.NETWORKS)
def test_trained_networks_know_a_cat_and_a_cup(name):
    """On two photographs that come with scikit-image."""
    from skimage import data
    from skimage.transform import resize

    if not imagenet.is_on_disk(name):
        pytest.skip(f"{name} was not fetched: `python -m wna_utils data {name}` does")
    cat, cup = data.chelsea()[:, 75:375], data.coffee()[:, 100:500]
    images = torch.stack([torch.from_numpy(resize(each, (224, 224))).permute(2, 0, 1).float() for each in (cat, cup)])
    called = [imagenet.classes()[k] for k in Observer(pretrained.load(name), (3, 224, 224)).predict(images)]
    assert called[0] in ("tabby", "tiger cat", "Egyptian cat")
    assert called[1] in ("espresso", "cup", "coffee mug")
