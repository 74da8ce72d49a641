import pytest

from wna_utils.report import site_checks

GOOD = """<!DOCTYPE html>
<html><head><title>t</title></head><body><article><p id="here">text</p><img src="a.png" alt="a map"/>
<a href="#here">link</a></article></body></html>"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setattr(site_checks.browser, "find", lambda: None)  # it has tests of its own
    (tmp_path / "a.png").write_bytes(b"png")
    (tmp_path / "other.html").write_text(GOOD)
    return tmp_path


def test_good_page_passes(site):
    (site / "page.html").write_text(GOOD.replace("#here", "other.html#here"))
    assert site_checks.page_problems(site) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("text", "Traceback (most recent call last): ValueError", "shows an error"),
        ("<p ", '<div class="output stderr">warning</div><p ', "shows standard error"),
        ("<article>", '<script src="https://cdn.example/x.js"></script><article>', "from elsewhere"),
        ("<article>", '<link rel="stylesheet" href="//cdn.example/x.css"/><article>', "from elsewhere"),
        (' alt="a map"', "", "no alt text"),
        ("#here", "#there", "dead link #there"),
        ("#here", "missing.html", "dead link missing.html"),
        ("#here", "other.html#there", "dead link other.html#there"),
        ("text", "x" * 5_000_001, "weighs"),
        ("<p ", "<div><p ", "bad HTML"),
        ("<!DOCTYPE html>", "", "bad HTML"),
        ("</article>", '<i id="here"></i></article>', "the id here stands 2 times"),
    ],
)
def test_bad_page_is_noticed(site, old, new, problem):
    (site / "page.html").write_text(GOOD.replace(old, new))
    [found] = site_checks.page_problems(site)
    assert problem in found
    assert found.startswith("page.html")


def test_what_a_browser_complains_of_is_a_problem(site, monkeypatch):
    (site / "page.html").write_text(GOOD)
    monkeypatch.setattr(site_checks.browser, "find", lambda: "a browser")
    monkeypatch.setattr(site_checks.browser, "complaints", lambda pages: ["x is not defined"] * (len(pages) == 2))
    assert site_checks.page_problems(site) == ["in a browser: x is not defined"]
