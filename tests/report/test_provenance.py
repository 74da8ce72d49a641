"""A result says which commit of this project made it, and nothing of another's."""

import subprocess
from importlib import import_module

from wna_utils.report import pages
from wna_utils.support import recorded

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


def test_every_kind_of_record_can_be_named_and_listed_and_audited():
    kinds = {path.parent.name for path in recorded.files()}
    assert kinds == set(provenance.WORDS)
    assert kinds - {"photographs"} == set(pages.RECORDS)
