"""A result says which commit of this project made it, and nothing of another's."""

import subprocess

from wna_utils.support import checkout


def test_commit_of_another_repository_is_not_ours(tmp_path, monkeypatch):
    (tmp_path / "package").mkdir()
    monkeypatch.setattr(checkout, "ROOT", tmp_path / "package")
    assert checkout.commit() == "unknown"
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "theirs"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    assert checkout.commit() == "unknown"
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    assert len(checkout.commit()) == 8


def test_what_is_chosen_depends_on_commit_and_name(monkeypatch):
    found = {}
    for commit in "abcdefgh":
        monkeypatch.setattr(checkout, "committed", lambda commit=commit: commit)
        found[commit] = [checkout.chosen(name, 10) for name in ("x", "y", "z")]
    assert all(0 <= number < 10 for numbers in found.values() for number in numbers)
    assert len({tuple(numbers) for numbers in found.values()}) == 8
    assert checkout.chosen("x", 1) == 0
