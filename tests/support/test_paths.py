"""Files are put in place whole, with the user's modes, where the user says."""

import os
import subprocess
import sys

import pytest

from wna_utils.support import paths


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_new_files_have_the_modes_that_the_user_wants(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with paths.replacing(tmp_path / "x") as temporary:
            temporary.write_text("whole")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == mode


def test_folders_named_by_the_user_are_the_same_from_anywhere(tmp_path):
    code = "import os; from wna_utils.support.paths import cache_dir as cache, data_dir as data; cache(), data(); "
    code += "os.chdir('/'); print(cache(), data())"
    environment = os.environ | {"WNA_CACHE": "here", "WNA_DATA": "~/there", "HOME": "/home/me"}
    run = [sys.executable, "-c", code]
    printed = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert printed.split() == [str(tmp_path / "here"), "/home/me/there"]


def test_folder_of_a_user_that_there_is_not_is_told(monkeypatch):
    monkeypatch.setenv("WNA_DATA", "~no-such-user-here/x")
    with pytest.raises(ValueError, match="WNA_DATA must name a folder; got '~no-such-user-here/x'"):
        paths.data_dir()
