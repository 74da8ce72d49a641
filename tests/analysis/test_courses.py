"""Courses of training say what the network after each epoch says, and are found where they are recorded."""

from dataclasses import replace

import numpy as np
import pytest

from wna_utils.analysis import courses
from wna_utils.networks.training import Recipe, accuracy, trained
from wna_utils.observe.loop import observe
from wna_utils.stimuli.white import WhiteNoise

RECIPE = Recipe(epochs=2, batch_size=64, precision="float32")


def test_course_is_that_of_the_networks_after_each_epoch(digits):
    found = courses.course("logistic", digits, 1, RECIPE, 100, 300)
    noise = WhiteNoise(digits.shape, seed=1)
    for epoch in (1, 2):
        network = trained("logistic", digits, 1, recipe=RECIPE, epoch=epoch)
        assert found.accuracies[epoch - 1] == accuracy(network, digits)
        assert (found.counts[epoch - 1] == observe(network, noise, 100).counts).all()
    assert (found.last == observe(network, noise, 300).counts).all()
    np.testing.assert_allclose(found.shares.sum(1), 1)
    np.testing.assert_allclose(found.last_shares.sum(), 1)


def test_recorded_course_is_found_for_the_same_numbers_alone(digits, records_folder, monkeypatch):
    computed = courses.course("logistic", digits, 1, RECIPE, 100, 300)
    courses.write(computed, "logistic", digits, 1, RECIPE, 100, 300, {})
    monkeypatch.setattr(courses, "trained", lambda *_, **__: pytest.fail("it was not found"))
    found = courses.course("logistic", digits, 1, RECIPE, 100, 300)
    assert (found.recorded, computed.recorded) == (True, False)
    assert found.n == 300
    for name, values in vars(replace(computed, recorded=True)).items():
        np.testing.assert_array_equal(getattr(found, name), values)
    others = replace(digits, y_test=digits.y_test.flip(0))
    for how in ((digits, 1, RECIPE, 101, 300), (others, 1, RECIPE, 100, 300)):
        with pytest.raises(pytest.fail.Exception):
            courses.course("logistic", *how)
