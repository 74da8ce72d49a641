"""Studies of adversarial images: what they hold, what a record of one gives back, and what an audit sees of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from wna_utils.analysis.representations import by_layer
from wna_utils.data import photographs
from wna_utils.data.photographs import Photographs
from wna_utils.interventions import adversarial_study
from wna_utils.interventions.adversarial_study import (
    CONTROLS,
    Making,
    ascents_from,
    computed,
    is_recorded,
    path_of,
    study,
    write,
)
from wna_utils.networks import Observer, pretrained
from wna_utils.report import audit_kinds
from wna_utils.support import recorded

NETWORK = "untrained"
MAKING = Making(0.01, (0.002, 0.01), length_noise=3.0, length_interference=3.0, most_steps=30)
MADE = {"date": "today", "seconds": 1}


@pytest.fixture(scope="module")
def shown():
    whole = photographs.load()
    return Photographs(whole.images[:5], whole.labels[:5], whole.groups[:5])


@pytest.fixture(scope="module")
def found(shown):
    return computed(NETWORK, shown, MAKING)


@pytest.fixture
def record(found, shown, records_folder):
    """The study, recorded."""
    path = write(NETWORK, found, shown, MADE)
    recorded.list_file(path)
    return path


def test_a_study_holds_what_layers_hold_alike(found, shown):
    wanted = pretrained.layers_of(NETWORK)
    reader = Observer(pretrained.load(NETWORK), (3, 224, 224), layers=wanted)
    for kind in ("RE", "AN", "AI"):
        expected = by_layer(reader, found.images[kind])
        assert list(found.kind(kind)) == list(wanted)
        for layer, row in found.kind(kind).items():
            assert row == pytest.approx(expected[layer], abs=1e-6)
    assert found.kind("AN", 0)["scores"] != pytest.approx(found.kind("AN", 1)["scores"])
    assert found.at == 1
    scores = reader(found.images["AN"])["scores"].softmax(1)
    sure = scores[range(5), shown.labels].numpy()
    assert found.found["AN probability"][1] == pytest.approx(sure, rel=1e-3)


def test_ascents_come_from_the_cache_if_they_were_made_before(shown, monkeypatch):
    reader = Observer(pretrained.load(NETWORK), (3, 224, 224))
    before = ascents_from(reader, shown, MAKING)
    monkeypatch.setattr(adversarial_study, "ascend", lambda *_, **__: pytest.fail("made again"))
    again = ascents_from(Observer(pretrained.load(NETWORK), (3, 224, 224)), shown, MAKING)
    for kind, each in before.items():
        assert torch.equal(again[kind].images, each.images)
        assert np.array_equal(again[kind].probability, each.probability)
        assert np.array_equal(again[kind].reached, each.reached)
    for changed in (replace(MAKING, pull=0.1), replace(MAKING, stops=(0.004, 0.01))):
        with pytest.raises(pytest.fail.Exception, match="made again"):
            ascents_from(reader, shown, changed)


def test_controls_are_as_long_as_the_interference(shown):
    made = (shown.images + 0.01).clamp(0, 1)
    for changed in adversarial_study._controls(shown.images, made, seed=0).values():
        lengths = (changed - shown.images).flatten(1).norm(dim=1)
        assert (lengths <= (made - shown.images).flatten(1).norm(dim=1) + 1e-4).all()
        assert (lengths > 1).all()


def test_the_record_of_a_study_is_found_for_the_same_photographs_and_making_alone(found, shown, record):
    assert is_recorded(NETWORK, shown, MAKING)
    again = study(NETWORK, shown, MAKING)
    assert set(again.found) == set(found.found)
    assert all(again.found[name] == pytest.approx(each, abs=1e-6) for name, each in found.found.items())
    assert "representations/adversarial-untrained" in recorded.taken()
    assert torch.equal(again.images["RE"], shown.images[:2])
    assert again.images["AN"].numpy() == pytest.approx(found.images["AN"][:2].numpy(), abs=1e-3)
    assert not is_recorded(NETWORK, shown, replace(MAKING, pull=0.1))
    assert not is_recorded(NETWORK, replace(shown, labels=shown.labels + 1), MAKING)
    assert not is_recorded("untrained_too", shown, MAKING)


def test_records_can_be_left_alone(found, shown, record, monkeypatch):
    monkeypatch.setenv("WNA_RECORDED", "off")
    assert len(study(NETWORK, shown, MAKING).images["AN"]) == 5


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda tensors: tensors, ""),
        (lambda tensors: tensors | {"RE": tensors["RE"] + 0.02}, "is not what its network holds alike: 0.02 apart"),
        (lambda tensors: tensors | {"AI": tensors["AI"] * 0.9}, "is not what its network holds alike"),
        (lambda tensors: tensors | {"AN probability": tensors["AN probability"] + 0.1}, "is not as sure: by 0.10"),
        (lambda tensors: tensors | {"kept AN": tensors["kept AN"].flip(0)}, "its network"),
    ],
)
def test_an_audit_sees_what_was_altered(shown, record, monkeypatch, spoil, words):
    monkeypatch.setattr(audit_kinds.imagenet, "is_on_disk", lambda name: True)
    monkeypatch.setattr(audit_kinds.photographs, "load", lambda: shown)
    tensors, about = recorded.read(record)
    recorded.write(record, spoil(tensors), about)
    recorded.list_file(record)
    finding = audit_kinds._study(record, blocks=2, device="cpu")
    assert words in finding.problem
    assert bool(words) == bool(finding.problem)
    assert np.isfinite(finding.difference or 0)


def test_a_network_that_is_not_on_disk_is_not_fetched_for_an_audit(record, monkeypatch):
    monkeypatch.setattr(audit_kinds.imagenet, "is_on_disk", lambda name: False)
    assert audit_kinds._study(record, blocks=2, device="cpu") == audit_kinds.Finding("adversarial-untrained")


def test_the_books_own_record_is_of_the_books_photographs():
    assert path_of("resnet50").exists()
    assert is_recorded("resnet50", photographs.load(), Making())


def test_controls_have_names_of_their_own(found):
    assert set(CONTROLS) <= set(found.found)
