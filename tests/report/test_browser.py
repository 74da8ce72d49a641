import pytest

from wna_utils.report import browser

pytestmark = pytest.mark.slow

PAGE = "<!DOCTYPE html><title>t</title><p>text</p>"
needs_browser = pytest.mark.skipif(browser.find() is None, reason="no browser is installed")


@needs_browser
def test_page_that_is_in_order_says_nothing(tmp_path):
    (tmp_path / "page.html").write_text(PAGE)
    assert browser.complaints([tmp_path / "page.html"]) == []


@needs_browser
def test_errors_of_every_page_are_heard_but_not_what_libraries_note(tmp_path):
    pages = [tmp_path / f"page {i}.html" for i in range(3)]
    for i, page in enumerate(pages):
        page.write_text(f"{PAGE}<script>console.log('[library]: a note'); nothing{i}.of.that.name()</script>")
    found = browser.complaints(pages)
    assert len(found) == 3
    assert all(any(f"nothing{i} is not defined" in each for each in found) for i in range(3))


@needs_browser
def test_page_is_printed(tmp_path):
    (tmp_path / "page.html").write_text(PAGE)
    browser.print_pdf(tmp_path / "page.html", tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


def test_missing_browser_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(browser, "NAMES", ("no-such-browser",))
    with pytest.raises(ValueError, match="no browser is installed: one of no-such-browser is needed"):
        browser.complaints([tmp_path / "page.html"])


def test_browser_that_does_not_work_is_told(tmp_path, monkeypatch):
    for command in ("true", "false"):
        monkeypatch.setattr(browser.shutil, "which", lambda name, command=command: command)
        with pytest.raises(ValueError, match=f"{command} shows no page"):
            browser.complaints([tmp_path / "page.html"])


def test_browser_that_prints_nothing_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(browser.shutil, "which", lambda name: "true")
    with pytest.raises(ValueError, match="the browser printed nothing"):
        browser.print_pdf(tmp_path / "page.html", tmp_path / "page.pdf")
    assert not list(tmp_path.iterdir())
