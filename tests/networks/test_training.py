import dataclasses

import pytest
import torch

from wna_utils.networks import architectures, training
from wna_utils.networks.training import Recipe, accuracy, trained
from wna_utils.support.paths import cache_dir

QUICK = Recipe(epochs=2, batch_size=64)


@pytest.mark.parametrize(
    ("name", "classes", "parameters"),
    [
        ("cnn", 10, 431_080),
        ("binary_cnn", 2, 1_040 + 50_050 + 80_100 + 202),
        ("mlp", 10, 795_010),
        ("logistic", 10, 7_850),
        ("rnn", 10, 28 * 100 + 3 * 100 * 100 + 4 * 100 + 1_010),
        ("cifar_cnn", 10, 5_852_170),
    ],
)
def test_architectures_have_the_papers_size_and_answer_logits(name, classes, parameters):
    shape = (3, 32, 32) if name == "cifar_cnn" else (1, 28, 28)
    network = architectures.build(name, shape, classes, seed=0)
    assert sum(each.numel() for each in network.parameters()) == parameters
    scores = network(torch.rand(3, *shape))
    assert scores.shape == (3, classes)
    assert not torch.allclose(scores.exp().sum(1), torch.ones(3))


def test_pooling_before_relu_is_the_papers_network_to_the_last_bit():
    network = architectures.build("cnn", (1, 28, 28), 10, seed=0)
    modules = dict(network.named_children())
    order = ("conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "flatten", "fc1", "relu3", "fc2")
    x = torch.rand(5, 1, 28, 28)
    assert torch.equal(network(x), torch.nn.Sequential(*(modules[name] for name in order))(x))


@pytest.mark.parametrize(("name", "code_size", "low"), [("autoencoder", 9, -1), ("vae", 3, 0)])
def test_generators_turn_images_into_codes_and_back(name, code_size, low):
    generator = architectures.build(name, (1, 28, 28), 10, seed=0)
    codes = generator.encode(torch.rand(5, 1, 28, 28))
    assert codes.shape == (5, code_size) == (5, generator.code_size)
    images = generator.decode(codes)
    assert images.shape == (5, 1, 28, 28)
    assert images.min() >= low
    assert images.max() <= 1


def test_divergence_of_the_vae_is_that_of_two_normal_distributions():
    generator = architectures.build("vae", (1, 8, 8), 2, seed=0)
    x = torch.rand(4, 1, 8, 8)
    mean, log_variance = generator.encoder(x).split(3, dim=1)
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    prior = torch.distributions.Normal(torch.zeros(3), torch.ones(3))
    torch.manual_seed(0)
    squared = (generator.decode(posterior.rsample()) - x).square().sum()
    expected = (squared + torch.distributions.kl_divergence(posterior, prior).sum()) / 4
    torch.manual_seed(0)
    torch.testing.assert_close(generator.loss(x), expected)


def test_images_that_are_too_small_are_refused():
    with pytest.raises(ValueError, match="needs images of at least 8×8 pixels"):
        architectures.build("cifar_cnn", (3, 4, 4), 10, seed=0)


def test_weights_follow_the_seed_and_leave_the_global_generator_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    a, b, c = (architectures.build("logistic", (1, 8, 8), 2, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(a.fc.weight, b.fc.weight)
    assert not torch.equal(a.fc.weight, c.fc.weight)


def test_rnn_reads_rows_from_the_top():
    network = architectures.build("rnn", (1, 28, 28), 10, seed=0)
    image = torch.rand(1, 1, 28, 28)
    rows = image[:, 0]
    states, _ = network.rnn(rows)
    torch.testing.assert_close(network(image), network.fc(states[:, -1]))


def test_softmax_on_a_network_leaves_its_answers():
    x = torch.rand(4, 1, 28, 28)
    plain, doubled = (architectures.build(name, (1, 28, 28), 10, seed=0) for name in ("cnn", "cnn_softmax"))
    torch.testing.assert_close(doubled(x), plain(x).softmax(1))
    assert training.recipe_of("cnn_softmax") == training.recipe_of("cnn")


def test_training_learns(digits):
    network = trained("cnn", digits, recipe=Recipe(epochs=6, batch_size=64))
    assert accuracy(network, digits) > 0.93
    assert not network.training


def test_cached_network_is_the_trained_one(digits, monkeypatch):
    first = trained("logistic", digits, recipe=QUICK)
    calls = []
    monkeypatch.setattr(training.OPTIMIZERS["adam"], "step", lambda *_: calls.append(1))
    again = trained("logistic", digits, recipe=QUICK)
    assert not calls
    assert torch.equal(first.fc.weight, again.fc.weight)


def test_shorter_training_is_the_beginning_of_a_longer_one(digits):
    longer = trained("logistic", digits, recipe=Recipe(epochs=3, precision="float32"), epoch=2)
    shorter = trained("logistic", digits, recipe=Recipe(epochs=2, precision="float32"))
    assert torch.equal(longer.fc.weight, shorter.fc.weight)


@pytest.mark.parametrize("change", [{"seed": 1}, {"recipe": Recipe(epochs=2, batch_size=32)}])
def test_another_seed_or_recipe_is_another_network(digits, change):
    first = trained("logistic", digits, recipe=QUICK)
    other = trained("logistic", digits, **{"recipe": QUICK, **change})
    assert not torch.equal(first.fc.weight, other.fc.weight)


def test_damaged_weights_are_trained_again(digits):
    first = trained("logistic", digits, recipe=QUICK)
    for path in (cache_dir() / "networks").rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:40])
    assert torch.equal(trained("logistic", digits, recipe=QUICK).fc.weight, first.fc.weight)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"model": "resnet"},
            "model must be one of cnn, binary_cnn, mlp, rnn, logistic, cifar_cnn, cnn_tanh, "
            "cifar_cnn_tanh, cnn_softmax, cifar_cnn_softmax, autoencoder, vae, elu_mlp, all_cnn; got 'resnet'",
        ),
        ({"dataset": "mnits"}, "dataset must be one of"),
        ({"seed": -1}, "seed must be 0 or more; got -1"),
        ({"epoch": 99}, "epoch must be one of"),
        ({"device": "tpu"}, "device must be one of"),
    ],
)
def test_bad_input_is_named_in_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        trained(**{"model": "logistic", "dataset": "digits", **arguments})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"epochs": 0}, "epochs must be 1 or more"),
        ({"learning_rate": -1}, "learning_rate must be greater than 0"),
        ({"optimizer": "lion"}, "optimizer must be one of adam, sgd"),
    ],
)
def test_bad_recipe_is_named(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Recipe(**arguments)


def test_image_too_small_for_the_cnn_is_named():
    with pytest.raises(ValueError, match="at least 16×16"):
        architectures.build("cnn", (1, 8, 8), 10, seed=0)


def test_augmented_images_are_shifts_and_mirror_images():
    images = torch.rand(40, 3, 12, 12)
    torch.manual_seed(0)
    found = training.augmented(images)
    kinds = set()
    for image, changed in zip(images, found, strict=True):
        matches = [
            (mirrored, down, right)
            for mirrored, start in ((False, image), (True, image.flip(2)))
            for padded in [torch.nn.functional.pad(start, [4] * 4)]
            for down in range(9)
            for right in range(9)
            if torch.equal(padded[:, down : down + 12, right : right + 12], changed)
        ]
        assert len(matches) == 1
        kinds.add(matches[0])
    assert {mirrored for mirrored, *_ in kinds} == {False, True}
    assert len(kinds) > 25


def test_a_training_with_dropout_and_augmentation_follows_its_seed(digits):
    recipe = Recipe(epochs=2, batch_size=64, schedule="one_cycle", augment=True)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(784, 10))
    cpu = torch.device("cpu")
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first, again, other = (list(training.fit(network, digits, recipe, seed, cpu))[-1] for seed in (0, 0, 1))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first["2.weight"], again["2.weight"])
    assert not torch.equal(first["2.weight"], other["2.weight"])


def test_the_one_cycle_schedule_ends_at_rest(digits):
    network = architectures.build("logistic", digits.shape, 10, seed=0)
    cpu = torch.device("cpu")
    steps = [
        sum((late[name] - early[name]).norm().item() for name in late)
        for recipe in (Recipe(4, 256), Recipe(4, 256, schedule="one_cycle"))
        for states in [list(training.fit(network, digits, recipe, 0, cpu))]
        for early, late in [states[-2:]]
    ]
    assert steps[1] < 0.7 * steps[0]


def test_generators_learn_to_reconstruct(digits):
    untrained = architectures.build("autoencoder", digits.shape, 10, seed=0)
    generator = trained("autoencoder", digits, recipe=Recipe(epochs=3, batch_size=64, precision="float32"))
    with torch.inference_mode():
        assert generator.loss(digits.x_test) < 0.5 * untrained.loss(digits.x_test)


def test_only_the_paper_profile_trains_as_long_as_the_original():
    book, paper = (training.recipe_of("cnn", profile) for profile in ("book", "paper"))
    assert paper == training.RECIPES["cnn"]
    assert paper.epochs == 15
    assert book == dataclasses.replace(paper, epochs=book.epochs)
    assert training.recipe_of("logistic") == training.RECIPES["logistic"]
    with pytest.raises(ValueError, match="model must be one of"):
        training.recipe_of("transformer")


def test_training_goes_on_from_a_given_network(digits):
    before = trained("logistic", digits, recipe=QUICK)
    still = Recipe(epochs=1, batch_size=64, learning_rate=1e-12, precision="float32")
    after = trained("logistic", digits, recipe=still, start=before)
    torch.testing.assert_close(after.fc.weight, before.fc.weight)
    fresh = trained("logistic", digits, recipe=still)
    assert not torch.allclose(fresh.fc.weight, before.fc.weight)
    other = trained("logistic", digits, seed=1, recipe=QUICK)
    assert not torch.allclose(trained("logistic", digits, recipe=still, start=other).fc.weight, after.fc.weight)


def test_accuracies_are_those_of_each_network(digits):
    networks = [trained("logistic", digits, seed, recipe=QUICK) for seed in (0, 1)]
    assert training.accuracies(networks, digits).tolist() == [accuracy(each, digits) for each in networks]
