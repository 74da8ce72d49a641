"""A result says which commit of this project made it, and nothing of another's."""

import subprocess
from importlib import import_module

provenance = import_module("wna_utils.report.provenance")  # the room exports a function of that name


def test_commit_of_another_repository_is_not_ours(tmp_path, monkeypatch):
    (tmp_path / "package").mkdir()
    monkeypatch.setattr(provenance, "ROOT", tmp_path / "package")
    assert provenance.commit() == "unknown"
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "theirs"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    assert provenance.commit() == "unknown"
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    assert len(provenance.commit()) == 8
