from collections import OrderedDict

import pytest
import torch

from wna_utils.networks import architectures, layers

SHAPES = {"cnn": (1, 28, 28), "cifar_cnn": (3, 32, 32), "cnn_tanh": (1, 28, 28), "cifar_cnn_tanh": (3, 32, 32)}


@pytest.fixture(params=SHAPES)
def network(request):
    network = architectures.build(request.param, SHAPES[request.param], 10, seed=0).eval()
    network.shape = SHAPES[request.param]
    return network


@pytest.mark.parametrize("pooled", [False, True])
@torch.inference_mode()
def test_the_two_parts_make_the_whole(network, pooled):
    x = torch.rand(3, *network.shape)
    for layer in layers.names(network):
        before, after = layers.split(network, layer, pooled)
        torch.testing.assert_close(after(before(x)), network(x), rtol=0, atol=0)


def test_layers_are_read_in_any_network_where_they_are_done(network):
    x = torch.rand(3, *network.shape)
    nodes = layers.activation_nodes(network, ["conv1", "conv2", "fc1"])
    found = layers.extracted(network, list(nodes.values()))(x)
    for layer, node in nodes.items():
        before, _ = layers.split(network, layer, pooled=True)
        torch.testing.assert_close(found[node], before(x))
    with pytest.raises(ValueError, match="must follow each other as in the network: conv1, conv2"):
        layers.activation_nodes(network, ["conv2", "conv1"])


def test_activations_are_the_nonlinearity_s(network):
    x = torch.rand(3, *network.shape)
    before, _ = layers.split(network, "conv1")
    expected = network.conv1(x)
    if hasattr(network, "norm1"):
        expected = network.norm1(expected)
    expected = expected.tanh() if hasattr(network, "tanh1") else expected.relu()
    torch.testing.assert_close(before(x), expected)


@pytest.mark.parametrize(
    ("model", "layer", "size", "step", "positions"),
    [
        ("cnn", "conv1", 5, 1, 24),
        ("cnn", "conv2", 14, 2, 8),
        ("cifar_cnn", "conv1", 3, 1, 32),
        ("cifar_cnn", "conv2", 5, 1, 32),
        ("cifar_cnn", "conv4", 14, 2, 16),
        ("cifar_cnn", "conv6", 32, 4, 8),
    ],
)
def test_receptive_fields_are_those_of_fig_8(model, layer, size, step, positions):
    observer = layers.readout(architectures.build(model, SHAPES[model], 10, seed=0).eval(), layer)
    field = layers.field_of(observer, SHAPES[model])
    assert field.size == (size, size)
    assert field.step == step
    assert field.positions == (positions, positions)


@pytest.mark.parametrize(("model", "layer"), [("cnn", "conv2"), ("cifar_cnn", "conv4"), ("cifar_cnn", "conv6")])
def test_a_unit_sees_its_field_and_nothing_else(model, layer):
    observer = layers.readout(architectures.build(model, SHAPES[model], 10, seed=0).eval(), layer)
    field = layers.field_of(observer, SHAPES[model])
    x = torch.rand(1, *SHAPES[model], requires_grad=True)
    for p, q in [(0, 0), (2, 3), (field.positions[0] - 1,) * 2]:
        (seen,) = torch.autograd.grad(observer(x)[0, :, p, q].sum(), x)
        rows, columns = (field.pixel_of(axis)[:, at][field.inside(axis)[:, at]] for axis, at in ((0, p), (1, q)))
        expected = torch.zeros(SHAPES[model][1:], dtype=bool)
        expected[rows[:, None], columns] = True
        assert not seen.abs().sum((0, 1))[~expected].any()
        edges = seen.abs().sum((0, 1))[expected].view(len(rows), len(columns))
        assert (edges > 0).float().mean() > 0.8  # ReLU and pooling leave some out


def test_a_dense_unit_sees_the_image():
    observer = layers.readout(architectures.build("cnn", (1, 28, 28), 10, seed=0).eval(), "fc1", units=[4, 7])
    field = layers.field_of(observer, (1, 28, 28))
    assert field == layers.Field((28, 28), 1, 0, (1, 1), (1, 28, 28))
    assert field.pixels == 784
    assert observer(torch.rand(2, 1, 28, 28)).shape == (2, 2)


def test_unknown_layer_or_unit_is_one_sentence():
    network = architectures.build("cnn", (1, 28, 28), 10, seed=0)
    with pytest.raises(ValueError, match="layer must be one of conv1, conv2, fc1, fc2; got 'conv3'"):
        layers.readout(network, "conv3")
    with pytest.raises(ValueError, match="unit of conv1 must lie between 0 and 19; got 20"):
        layers.readout(network, "conv1", [3, 20])


class Residual(torch.nn.Module):
    """A network that is no plain sequence."""

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Conv2d(4, 4, 3, padding=1)
        self.scores = torch.nn.Linear(4, 3)

    def forward(self, x):
        x = self.first(x).relu()
        return self.scores((x + self.second(x)).mean((2, 3)))


def test_layers_of_any_network_can_be_read():
    network, x = Residual().eval(), torch.rand(5, 1, 8, 8)
    torch.testing.assert_close(layers.readout(network, "first", [1, 2])(x), network.first(x)[:, [1, 2]])
    torch.testing.assert_close(layers.readout(network, "second")(x), network.second(network.first(x).relu()))
    assert layers.field_of(layers.readout(network, "first"), (1, 8, 8)).size == (3, 3)


def test_layers_that_are_not_there_are_listed():
    with pytest.raises(ValueError, match="layer must be one of first, relu, second, add, mean, scores; got 'third'"):
        layers.readout(Residual(), "third")


def test_fields_of_branches_are_refused():
    observer = torch.nn.Sequential(*layers.readout(Residual(), "add"))
    with pytest.raises(ValueError, match="only where each layer feeds one other"):
        layers.field_of(observer, (1, 8, 8))


class Functional(torch.nn.Module):
    """Pooling that is a function, no module."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = torch.nn.Conv2d(1, 2, 3), torch.nn.Conv2d(2, 2, 3)

    def forward(self, x):
        return self.conv2(torch.nn.functional.max_pool2d(self.conv1(x).relu(), 2))


def test_fields_are_never_guessed():
    with pytest.raises(ValueError, match=r"cannot be worked out through .*max_pool2d"):
        layers.field_of(layers.readout(Functional(), "conv2"), (1, 28, 28))
    same = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, padding="same"))
    with pytest.raises(ValueError, match="cannot be worked out through Conv2d"):
        layers.field_of(same, (1, 28, 28))
    with pytest.raises(ValueError, match="cannot be worked out through Upsample"):
        layers.field_of(torch.nn.Sequential(torch.nn.Upsample(scale_factor=2)), (1, 28, 28))


def test_fields_see_average_pooling_and_gaps():
    pooled = torch.nn.Sequential(torch.nn.AvgPool2d(2), torch.nn.Conv2d(1, 2, 3, dilation=2))
    field = layers.field_of(pooled, (1, 28, 28))
    assert (field.size, field.step) == ((10, 10), 2)


def test_a_module_that_is_there_twice_is_there_twice():
    relu = torch.nn.ReLU()
    named = {"conv1": torch.nn.Conv2d(1, 2, 3), "relu1": relu, "conv2": torch.nn.Conv2d(2, 2, 3), "relu2": relu}
    network = torch.nn.Sequential(OrderedDict(named))
    torch.nn.init.constant_(named["conv2"].bias, -9)  # below zero before the second ReLU, zero after it
    assert layers.readout(network, "conv2")(torch.rand(5, 1, 8, 8)).min() == 0


def test_layers_of_nested_sequences_can_be_read():
    features = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU())
    network = torch.nn.Sequential(OrderedDict(features=features, pool=torch.nn.MaxPool2d(2)))
    x = torch.rand(5, 1, 8, 8)
    torch.testing.assert_close(layers.readout(network, "features.0")(x), features[0](x))


def test_network_that_cannot_be_traced_is_told():
    class Choosing(torch.nn.Module):
        def forward(self, x):
            return x if x.mean() > 0 else -x

    with pytest.raises(ValueError, match=r"layers cannot be read .*: only its scores can"):
        layers.readout(Choosing(), "relu")


def test_layers_in_words():
    assert layers.in_words(architectures.build("cnn", (1, 28, 28), 10, seed=0)) == (
        "20 maps of 5×5, pooling, ReLU, 50 maps of 5×5, pooling, ReLU, 500 units, ReLU, 10 units"
    )
    assert layers.in_words(architectures.build("rnn", (1, 28, 28), 10, seed=0)) == (
        "2 recurrent layers of 100 tanh units, 10 units"
    )
