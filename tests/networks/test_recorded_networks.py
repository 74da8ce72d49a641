"""Recorded networks are found by recipe, data and seed, and by nothing else."""

from dataclasses import replace

import pytest
import torch

from wna_utils.networks import recorded_networks as networks
from wna_utils.networks import training
from wna_utils.networks.training import Recipe, accuracy, trained
from wna_utils.support import recorded

QUICK = Recipe(epochs=1, batch_size=64, precision="float32")


@pytest.fixture
def written(digits, records_folder):
    """The path of a recorded network."""
    network = trained("logistic", digits, seed=3, recipe=QUICK)
    return networks.write(network, "logistic", digits, 3, QUICK, {"seconds": 1})


def weights(network):
    return network.fc.weight.detach()


def test_recorded_network_is_what_its_file_holds(digits, written):
    found = trained("logistic", digits, seed=3, recipe=QUICK)
    assert not found.training
    assert torch.equal(weights(found), weights(found).half().float())
    assert torch.equal(weights(found), weights(networks.load(written.stem)))


def test_network_is_rounded_before_it_answers_the_test_images(digits, written):
    again = networks.answers_again(written.stem, 0, 1_000)
    assert again.calls == 0
    assert again.scores < 1e-3
    assert again.accuracy == pytest.approx(accuracy(networks.load(written.stem), digits), abs=1e-6)


def test_accuracy_of_a_recorded_network_comes_from_its_record(digits, written, monkeypatch):
    found = trained("logistic", digits, seed=3, recipe=QUICK)
    shown = accuracy(networks.load(written.stem), digits)
    monkeypatch.setattr(training, "predict", lambda *_, **__: pytest.fail("it was not taken from the record"))
    assert accuracy(found, digits) == pytest.approx(shown, abs=1e-6)
    assert accuracy(found, digits, device="cpu", precision="float32") == accuracy(found, digits)


def test_accuracy_of_anything_else_is_measured(digits, written):
    found = trained("logistic", digits, seed=3, recipe=QUICK)
    assert networks.accuracy_of(found, digits) is not None
    assert networks.accuracy_of(networks.load(written.stem), digits) is None
    assert networks.accuracy_of(found, replace(digits, test=1 - digits.x_test)) is None
    assert networks.accuracy_of(found, digits.only("1", "7")) is None
    handle = found.register_forward_hook(lambda *_: -_[2])
    assert networks.accuracy_of(found, digits) is None
    handle.remove()
    with torch.no_grad():
        found.fc.weight[0, 0] += 1
    assert networks.accuracy_of(found, digits) is None


@pytest.mark.usefixtures("written")
def test_accuracy_that_is_asked_for_otherwise_is_measured(digits, monkeypatch):
    found = trained("logistic", digits, seed=3, recipe=QUICK)
    usual = accuracy(found, digits)
    assert accuracy(found, digits, preprocess=lambda x: 1 - x) < usual
    with pytest.raises(ValueError, match="device must be one of"):
        accuracy(found, digits, device="nonsense")
    monkeypatch.setattr(training, "predict", lambda *_, **__: digits.y_test)
    assert accuracy(found, digits, precision="bf16") == 1


def test_accuracy_does_not_need_the_file_any_more(digits, written):
    found = trained("logistic", digits, seed=3, recipe=QUICK)
    of_record = accuracy(found, digits)
    other = networks.write(trained("logistic", digits, seed=4, recipe=QUICK), "logistic", digits, 3, QUICK, {})
    assert other == written
    assert accuracy(found, digits) == of_record


def test_data_set_of_a_record_is_what_the_network_was_tested_on(digits, records_folder):
    for of in (digits, digits.only("1", "7"), digits.only("5", "6").over(256)):
        path = networks.write(trained("logistic", of, recipe=QUICK), "logistic", of, 0, QUICK, {})
        assert networks.dataset_of(path.stem).test_digest == of.test_digest


def test_weights_alone_decide_what_tallies_know_of_a_network(digits, written):
    before = networks.weights_of(written.stem)
    tensors, about = recorded.read(written)
    recorded.write(written, tensors, about | {"made": {"date": "another"}})
    assert networks.weights_of(written.stem) == before
    tensors["fc.bias"][0] += 1
    recorded.write(written, tensors, about)
    assert networks.weights_of(written.stem) != before


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"recipe": replace(QUICK, learning_rate=2e-3)},
        {"recipe": replace(QUICK, epochs=2)},
        {"model": "mlp"},
    ],
)
def test_another_recipe_seed_or_model_is_trained(digits, written, change):
    how = {"model": "logistic", "dataset": digits, "seed": 3, "recipe": QUICK} | change
    found = next(iter(trained(**how).parameters()))
    assert not torch.equal(found, found.half().float())


def test_other_data_of_the_same_name_are_learned(digits, written):
    other = replace(digits, train=1 - digits.x_train)
    found = weights(trained("logistic", other, seed=3, recipe=QUICK))
    assert not torch.equal(found, found.half().float())


def test_records_that_are_switched_off_are_not_found(digits, written, monkeypatch):
    monkeypatch.setenv("WNA_RECORDED", "off")
    found = weights(trained("logistic", digits, seed=3, recipe=QUICK))
    assert not torch.equal(found, found.half().float())


def test_training_that_goes_on_from_a_network_is_no_record(digits, written):
    start = trained("logistic", digits, seed=3, recipe=QUICK)
    gone_on = trained("logistic", digits, seed=3, recipe=QUICK, start=start)
    assert not torch.equal(weights(gone_on), weights(start))


def test_book_trains_as_long_as_the_original_where_that_is_recorded(digits, records_folder):
    whole, short = training.RECIPES["cnn"], training.recipe_of("cnn", "book", "digits")
    assert short.epochs < whole.epochs
    network = trained("cnn", digits, seed=0, recipe=Recipe(epochs=1))
    networks.write(network, "cnn", digits, 0, whole, {})
    assert training.recipe_of("cnn", "book", "digits") == whole
    assert training.recipe_of("cnn", "book", "mnist") == short
    assert training.recipe_of("cnn", "smoke", "digits").epochs == 2


def test_unknown_name_is_told(records_folder):
    with pytest.raises(ValueError, match="network must be one of"):
        networks.load("cnn-mnist-99-epochs-seed-0")
