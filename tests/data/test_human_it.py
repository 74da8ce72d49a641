"""What is fetched of human IT is read as it is stored, and refused if it is another."""

import hashlib

import numpy as np
import pytest
from scipy.io import savemat
from scipy.spatial.distance import squareform

from wna_utils.data import fetch, human_it


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Files of the demonstrations' form: two people, two sessions, five pictures. Their dissimilarities."""
    random = np.random.default_rng(0)
    pairs = random.random((2, 2, 10))
    measured = np.empty((1, 2, 2), [("RDM", object), ("name", object)])
    for person in range(2):
        for session in range(2):
            measured[0, person, session] = squareform(pairs[person, session]), f"hIT | {person} | {session}"
    pictures = np.empty((1, 5), [("category", object), ("image", object)])
    for i in range(5):
        pictures[0, i] = "human", np.full((175, 175, 3), 51 * i, np.uint8)
    folder = tmp_path / "human_it"
    folder.mkdir()
    savemat(folder / human_it.BRAINS, {"RDMs": measured})
    savemat(folder / human_it.PICTURES, {"stimuli_92objs": pictures})
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in human_it.FILES}
    monkeypatch.setattr(human_it, "FILES", hashes)
    monkeypatch.setenv("WNA_DATA", str(tmp_path))
    return pairs


def test_people_and_sessions_and_pictures_keep_their_order(stored):
    found = human_it.load()
    np.testing.assert_allclose(found.dissimilarities, stored)
    assert found.images.shape == (5, 3, 175, 175)
    np.testing.assert_allclose(found.images.mean((1, 2, 3)), np.arange(5) / 5, atol=1e-6)


def test_altered_measurements_are_not_read(stored, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "download", lambda *_: None)
    with (tmp_path / "human_it" / human_it.BRAINS).open("ab") as file:
        file.write(b"!")
    with pytest.raises(fetch.DataUnavailable, match=r"holds alike of 92 pictures .from https://raw.* is not on disk"):
        human_it.load()
