import pytest

from wna_utils.report import site
from wna_utils.support import paths


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book whose pages a stand-in for jupyter-book makes; returns its folder and the list of builds."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(site, "SITE", tmp_path / "_build/html")
    monkeypatch.setattr(site, "MADE_FROM", tmp_path / "_build/site-made-from")
    (tmp_path / "book/recorded").mkdir(parents=True)
    for name in ("_config.yml", "_toc.yml", "book/intro.md", "book/recorded/some"):
        (tmp_path / name).write_text("text")
    builds = []

    def run(command, **_):
        builds.append(command)
        site.SITE.mkdir(parents=True)
        (site.SITE / "index.html").write_text("<!DOCTYPE html><title>t</title><p>text</p>")
        return type("Done", (), {"returncode": 0})

    monkeypatch.setattr(site.subprocess, "run", run)
    monkeypatch.setattr(site.browser, "find", lambda: None)
    return tmp_path, builds


def test_pages_are_built_once_and_again_when_something_changes(book, monkeypatch):
    folder, builds = book
    assert [site.build(), site.build()] == [True, False]
    (folder / "book/recorded/some").write_text("other")  # of which pages show what `pages` wrote
    assert not site.build()
    for name in ("_toc.yml", "book/intro.md", "book/new.md"):
        (folder / name).write_text("other")
        assert site.build()
    assert len(builds) == 4
    (site.SITE / "index.html").unlink()
    assert site.build()
    monkeypatch.setattr(site.browser, "find", lambda: "another browser")
    monkeypatch.setattr(site.browser, "complaints", lambda pages: [])
    assert [site.build(), site.build()] == [True, False]


def test_pages_with_a_problem_are_built_again(book, monkeypatch):
    monkeypatch.setattr(site.site_checks, "page_problems", lambda folder: ["a.html: shows an error"])
    for _ in range(2):
        with pytest.raises(site.SiteFailed, match=r"a\.html: shows an error"):
            site.build()
    assert len(book[1]) == 2


def test_build_that_fails_is_told(book, monkeypatch):
    monkeypatch.setattr(site.subprocess, "run", lambda *_, **__: type("Failed", (), {"returncode": 1}))
    with pytest.raises(site.SiteFailed, match="the pages were not built"):
        site.build()
