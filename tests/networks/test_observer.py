"""Nothing of the caller's network or images ever changes, and what was shown is what is counted."""

import functools
import pickle
import threading

import numpy as np
import pytest
import torch
from torch import nn

from wna_utils.analysis.activations import activations_by_class, called_when_mixed
from wna_utils.analysis.detection import class_gradients
from wna_utils.analysis.gradients import mean_gradients
from wna_utils.interventions.attacks import fool
from wna_utils.interventions.stimulation import map_activation, responses
from wna_utils.networks import architectures
from wna_utils.networks.layers import field_of, readout
from wna_utils.networks.observer import SCORES, Observer, observer_of
from wna_utils.networks.training import accuracy, predict
from wna_utils.observe.loop import observe
from wna_utils.observe.spike_triggered_average import spike_triggered
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support.devices import has_bf16

SHAPE = (3, 32, 32)
IMAGES = torch.rand(12, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def dataset():
    from wna_utils.data.datasets import load

    return load("colour_digits")


@pytest.fixture
def network():
    """A network with batch normalisation and dropout, as it is in the middle of its training."""
    network = architectures.build("cifar_cnn", SHAPE, 10, seed=0).train()
    network(IMAGES)
    return network


NOISE = WhiteNoise(SHAPE)
USES = {
    "observe": lambda network, _: observe(network, NOISE, 200, cache=False),
    "observer": lambda network, _: Observer(network, SHAPE)(IMAGES),
    "bf16": lambda network, _: Observer(network, SHAPE, precision="bf16", layers=["relu2", "scores"])(IMAGES),
    "predict": lambda network, _: predict(network, IMAGES),
    "accuracy": lambda network, dataset: accuracy(network, dataset),
    "averages": lambda network, _: spike_triggered(readout(network, "conv1"), NOISE, 100, cache=False),
    "fields": lambda network, _: field_of(readout(network, "conv2"), SHAPE),
    "activations": lambda network, _: activations_by_class(network, ["input", "conv2", "fc1"], NOISE, 50, cache=False),
    "mixing": lambda network, _: called_when_mixed(network, "conv2", torch.zeros(64, 16, 16), IMAGES, [0.5]),
    "attack": lambda network, _: fool(network, IMAGES, np.zeros(12), IMAGES[:10].numpy(), [0.5]),
    "stimulation": lambda network, _: responses(network, "conv1", IMAGES, [torch.ones(32)]),
    "map activation": lambda network, _: map_activation(network, "conv1", IMAGES),
    "gradients by class": lambda network, _: class_gradients(network, IMAGES, torch.zeros(12).long(), 10),
    "mean gradients": lambda network, _: mean_gradients(readout(network, "fc1", [0]), NOISE, 4),
}


@pytest.mark.parametrize("use", USES)
def test_nothing_of_the_network_changes(network, dataset, use):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    places = [(id(each), each.device, each.requires_grad, each.grad) for each in network.parameters()]
    images = IMAGES.clone()
    USES[use](network, dataset.part(10))
    assert [module.training for module in network.modules()] == modes
    assert [(id(each), each.device, each.requires_grad, each.grad) for each in network.parameters()] == places
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(IMAGES, images)


def test_answers_are_those_of_eval_mode(network):
    found = Observer(network, SHAPE)(IMAGES)["scores"]
    torch.testing.assert_close(found, network.eval()(IMAGES))


class Caller:
    """It holds a network, and calls it."""

    def __init__(self, network):
        self.networks = [network]

    def __call__(self, x):
        return self.networks[0](x)

    def go(self, x):
        return self(x)


def doubled(network):
    """The network with a forward of its own, which calls the old one: a copy of it would call the original."""
    old = network.forward
    network.forward = lambda x: 2 * old(x)
    return network


CALLS = {
    "closure": lambda network: lambda x: network(x).softmax(1),
    "bound method": lambda network: network.forward,
    "partial": lambda network: functools.partial(network),
    "default argument": lambda network: lambda x, network=network: network(x),
    "object": Caller,
    "method of an object": lambda network: Caller(network).go,
    "in a list": lambda network: (lambda held: lambda x: held[0](x))([network]),
    "helper": lambda network: (lambda helper: lambda x: helper(x))(lambda x: network(x)),
    "forward of its own": doubled,
}


@pytest.mark.parametrize("call", CALLS)
def test_function_of_a_network_in_training_mode_is_refused(network, call):
    before = network.norm1.running_mean.clone()
    with pytest.raises(ValueError, match="uses a network in training mode, which stimuli would change"):
        observe(CALLS[call](network), NOISE, 100, cache=False)
    assert torch.equal(network.norm1.running_mean, before)


def test_function_of_a_network_in_eval_mode_is_called(network):
    assert observe(CALLS["closure"](network.eval()), NOISE, 100, cache=False).n == 100


class Aside(nn.Module):
    """What it computes last is not what it answers."""

    def __init__(self):
        super().__init__()
        self.fc, self.aside = nn.Linear(64, 3), nn.Linear(3, 3)

    def forward(self, x):
        scores = self.fc(x.flatten(1))
        self.aside(scores)
        return scores


def test_scores_are_what_the_network_returns_not_what_it_computes_last():
    network, x = Aside(), torch.rand(4, 1, 8, 8)
    found = Observer(network, (1, 8, 8), layers=["fc", "scores"])(x)
    torch.testing.assert_close(found["scores"], network(x))


def test_batches_of_another_size_are_another_observer():
    """A network that looks at its batch as a whole answers otherwise in other batches."""
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten())
    noise = WhiteNoise((1, 8, 8))
    tallies = [observe(network, noise, 2_000, batch_size=size) for size in (8, 1_000)]
    assert tallies[0] != tallies[1]


class Backwards(nn.Module):
    """Its layers are defined in another order than they are used in."""

    def __init__(self):
        super().__init__()
        self.head, self.body = nn.Linear(20, 5), nn.Linear(64, 20)

    def forward(self, x):
        return self.head(self.body(x.flatten(1)).relu())


@pytest.mark.parametrize("make", [Backwards, lambda: nn.Sequential(nn.Conv2d(1, 5, 8), nn.Flatten())])
def test_product_that_is_made_last_is_exact_in_bf16(make):
    if not has_bf16(torch.device("cpu")):
        pytest.skip("no bf16 here")
    scores = Observer(make(), (1, 8, 8), device="cpu", precision="bf16")(torch.rand(50, 1, 8, 8))["scores"]
    assert not torch.equal(scores, scores.bfloat16().float())


def test_later_changes_of_the_network_do_not_reach_the_observer(network):
    observer = Observer(network, SHAPE)
    before = observer(IMAGES)["scores"]
    with torch.no_grad():
        network.fc3.bias += 100
    assert torch.equal(observer(IMAGES)["scores"], before)


class InPlace(nn.Module):
    """It changes what it is given."""

    def forward(self, x):
        return x.sub_(0.5).flatten(1)[:, :3]


def by_numpy(x):
    x.numpy()[:] = 0
    return x.flatten(1)[:, :3] + torch.arange(3)


@pytest.mark.parametrize("observer", [InPlace(), lambda x: x.sub_(0.5).flatten(1)[:, :3], by_numpy])
def test_what_was_shown_is_counted_whatever_the_observer_does_to_it(observer):
    tally = observe(observer, WhiteNoise((1, 8, 8)), 4_000, cache=False)
    assert abs(tally.means.mean() - 0.5) < 0.05
    images = torch.rand(5, 1, 8, 8)
    before = images.clone()
    predict(observer, images)
    assert torch.equal(images, before)


def test_preprocessing_that_works_in_place_does_not_reach_the_tally():
    from torchvision.transforms import Normalize

    network, noise = architectures.build("logistic", (1, 8, 8), 3, seed=0), WhiteNoise((1, 8, 8))
    normalized = nn.Sequential(Normalize(0.5, 0.2, inplace=True), network)
    tally = observe(network, noise, 4_000, preprocess=Normalize(0.5, 0.2, inplace=True), cache=False)
    assert tally == observe(normalized, noise, 4_000, cache=False)
    assert 0 <= tally.means.min() <= tally.means.max() <= 1


def test_layers_are_read_under_their_names(network):
    network = network.eval()
    found = Observer(network, SHAPE, layers={"first": "conv1", "input": "input", "scores": "scores"})(IMAGES)
    torch.testing.assert_close(found["first"], network.conv1(IMAGES))
    assert torch.equal(found["input"], IMAGES)
    torch.testing.assert_close(found["scores"], network(IMAGES))
    assert Observer(network, SHAPE, layers=["fc3", "scores"]).answers == {"fc3": (10,), "scores": (10,)}


def test_layers_of_a_network_that_is_no_sequence_are_read():
    from torchvision.models import resnet18

    network = resnet18(weights=None).eval()
    x = torch.rand(2, 3, 64, 64)
    observer = Observer(network, (3, 64, 64), layers=["layer1", "layer3.0.conv1", "scores"])
    assert observer.answers == {"layer1": (64, 16, 16), "layer3.0.conv1": (256, 4, 4), "scores": (1000,)}
    torch.testing.assert_close(observer(x)["scores"], network(x), rtol=1e-4, atol=1e-5)


def test_what_nobody_reads_is_not_computed():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(999, 2))  # the last layer does not fit
    assert Observer(network, (1, 8, 8), layers=["0"]).answers == {"0": (2, 6, 6)}


def test_bf16_has_no_bias_towards_lower_classes():
    """Scores rounded to 8 bits tie, and a tie goes to the lower class; the last layer is therefore exact."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 50), nn.ReLU(), nn.Linear(50, 10))
    with torch.no_grad():
        network[3].bias += 20  # where bfloat16 has steps of an eighth
    x = torch.rand(20_000, 1, 8, 8)
    exact, rounded = (Observer(network, (1, 8, 8), precision=each).predict(x) for each in ("float32", "bf16"))
    lower, higher = (int(moved.sum()) for moved in (rounded < exact, rounded > exact))
    assert lower + higher < 2_000
    assert abs(lower - higher) <= 5 * (lower + higher) ** 0.5


class Locked(nn.Module):
    """It holds what cannot be copied."""

    def __init__(self):
        super().__init__()
        self.fc, self.lock = nn.Linear(64, 3), threading.Lock()

    def forward(self, x):
        return self.fc(x.flatten(1))


class Derived(Locked):
    """It holds a tensor that was computed from others."""

    def __init__(self):
        super().__init__()
        self.lock = self.fc.weight * 2


class Extra(nn.Module):
    """Its state holds more than tensors."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 3)

    def forward(self, x):
        return self.fc(x.flatten(1))

    def get_extra_state(self):
        return {"words": "more"}


@pytest.mark.parametrize("kind", [Locked, Derived])
def test_network_that_cannot_be_copied_is_told_in_one_sentence(kind):
    with pytest.raises(ValueError, match=r"^the network cannot be copied \(.*\): build it anew") as caught:
        observe(kind(), WhiteNoise((1, 8, 8)), 100)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_compiled_network_gives_the_same_labels(network):
    plain, fast = (Observer(network, SHAPE, device="cpu") for _ in range(2))
    fast.compile_for(10**9)
    if fast._compiled is None:
        pytest.skip("no C++ compiler at hand")
    x = NOISE.block(0).stimuli[:200]  # batches, and a rest
    assert torch.equal(plain.predict(x), fast.predict(x))
    torch.testing.assert_close(plain(x)["scores"], fast(x)["scores"], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(pickle.loads(pickle.dumps(fast))(x)["scores"], plain(x)["scores"])


@pytest.mark.slow
def test_networks_that_are_compiled_one_after_the_other_stay_compiled(network, monkeypatch):
    other = architectures.build("cifar_cnn", SHAPE, 10, seed=1)
    observers = [Observer(each, SHAPE, device="cpu") for each in (network, other)]
    for observer in observers:
        observer.compile_for(10**9)
    if observers[0]._compiled is None:
        pytest.skip("no C++ compiler at hand")
    x = NOISE.block(0).stimuli[: 2 * observers[0].batch_size]
    expected = [Observer(each, SHAPE, device="cpu")(x)["scores"] for each in (network, other)]
    for observer, scores in zip(observers, expected, strict=True):
        with torch.compiler.set_stance("fail_on_recompile"):
            found = observer(x)["scores"]
        torch.testing.assert_close(found, scores, rtol=1e-4, atol=1e-4)


def test_preprocessing_may_change_the_shape_of_what_is_compiled():
    network = nn.Sequential(nn.Flatten(), nn.Linear(256, 3))
    observer = Observer(network, (1, 32, 32), preprocess=nn.AvgPool2d(2), device="cpu")
    observer.compile_for(10**12)
    assert observer(torch.rand(300, 1, 32, 32))["scores"].shape == (300, 3)


def test_compiling_waits_until_it_repays(network, monkeypatch):
    observer = Observer(network, SHAPE, device="cpu")
    observer.compile_for(10)
    assert observer._compiled is None
    monkeypatch.setattr("shutil.which", lambda name: None)  # no compiler
    observer.compile_for(10**9)
    assert observer._compiled is None


def test_state_that_holds_more_than_tensors_is_no_trouble():
    assert observe(Extra(), WhiteNoise((1, 8, 8)), 100, cache=False).n == 100


def test_score_of_minus_infinity_rules_a_class_out():
    tally = observe(
        lambda x: torch.tensor([0.0, -np.inf, -1.0]).expand(len(x), 3), WhiteNoise((1, 8, 8)), 50, cache=False
    )
    assert tally.counts.tolist() == [50, 0, 0]
    with pytest.raises(ValueError, match="not finite"):
        observe(lambda x: torch.full((len(x), 3), -np.inf), WhiteNoise((1, 8, 8)), 50, cache=False)


def small(model="mlp", **options):
    return Observer(architectures.build(model, (1, 28, 28), 2, seed=0), (1, 28, 28), **options)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: small(precision="half"), "precision must be one of float32, bf16; got 'half'"),
        (lambda: small(batch_size=0), "batch_size must be 1 or more; got 0"),
        (lambda: small(layers=["fc9"]), "layer must be one of flatten, fc1, relu1, fc2; got 'fc9'"),
        (lambda: observer_of(small(), (1, 9, 9)), r"is for stimuli of shape \(1, 28, 28\); got \(1, 9, 9\)"),
        (lambda: observer_of(small(), (1, 28, 28), device="cpu"), "an observer has its own device"),
        (lambda: small("cnn", layers=["conv1"]).classes, 'must answer scores, too: add "scores" to its layers, conv1'),
        (lambda: Observer("cnn", (1, 28, 28)), "must be a network or a function of stimuli; got str"),
        (lambda: small(device="mps"), "torch finds no mps device on this machine: device may be auto"),
    ],
)
def test_bad_input_is_named_in_one_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_all_answers_can_be_differentiated(digits, precision):
    network = architectures.build("mlp", digits.shape, 10, 0).eval()
    observer = Observer(network, digits.shape, layers=("fc1", SCORES), device="cpu", precision=precision)
    images = digits.x_test[:3].requires_grad_()
    answers = observer.differentiable_answers(images)
    [gradient] = torch.autograd.grad(answers[SCORES][:, 2].sum() + answers["fc1"].sum(), images)
    assert gradient.abs().sum() > 0
    for name, expected in observer.answer(images.detach()).items():
        torch.testing.assert_close(answers[name].detach(), expected)


@pytest.mark.parametrize(
    ("images", "got"),
    [(torch.zeros(1, 8, 8), r"shape \(1, 8, 8\)"), (torch.zeros(2, 1, 9, 8), r"shape \(2, 1, 9, 8\)"), ([1], "list")],
)
def test_what_an_observer_does_not_answer_to_is_told(planted, images, got):
    with pytest.raises(ValueError, match=rf"this observer answers to tensors of shape \(n, 1, 8, 8\); got {got}"):
        Observer(planted, (1, 8, 8))(images)


def test_a_shape_that_is_none_and_answers_in_a_dictionary_are_told(planted):
    with pytest.raises(ValueError, match=r"the shape of stimuli must be \(c, h, w\), such as \(1, 28, 28\); got 64"):
        Observer(planted, 64)
    with pytest.raises(ValueError, match="must answer with a row of scores for each stimulus; got dict for 2"):
        Observer(lambda x: {"out": x.flatten(1)}, (1, 8, 8))
