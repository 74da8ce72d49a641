"""A noise lab of two networks, made once; the tests of its contents and of its page share it."""

from dataclasses import replace

import pytest

from wna_utils.data import datasets
from wna_utils.data.fetch import DataUnavailable
from wna_utils.lab import contents, runtime


@pytest.fixture(scope="session")
def small_lab(tmp_path_factory):
    """Folder of what the lab loads: two networks, and digits that need no download."""
    try:
        runtime.runtime_files()
    except DataUnavailable as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("lab") / "files"
    digits = replace(datasets.load("digits"), name="mnist")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contents.datasets, "load", lambda name: digits)
        patch.setattr(contents, "SUBJECTS", contents.SUBJECTS[:2])
        patch.setattr(contents, "CHECKED", 500)
        assert contents.write_contents(folder)
        assert not contents.write_contents(folder)  # nothing has changed
    return folder
