import base64

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from wna_utils import claims, pages

GOOD = """<html><body><article><p id="here">text</p><img src="a.png" alt="a map"/>
<a href="#here">link</a></article></body></html>"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "a.png").write_bytes(b"png")
    (tmp_path / "other.html").write_text(GOOD)
    return tmp_path


def test_good_page_passes(site):
    (site / "page.html").write_text(GOOD.replace("#here", "other.html#here"))
    assert pages.page_problems(site) == []


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
    ],
)
def test_bad_page_is_noticed(site, old, new, problem):
    (site / "page.html").write_text(GOOD.replace(old, new))
    [found] = pages.page_problems(site)
    assert problem in found
    assert found.startswith("page.html")


def test_cover_is_the_named_figure(tmp_path):
    picture = new_output("display_data", data={"image/png": base64.b64encode(b"picture").decode()})
    cell = new_code_cell("", outputs=[picture], metadata={"mystnb": {"figure": {"name": "fig-a"}}})
    nbformat.write(new_notebook(cells=[new_code_cell(""), cell]), tmp_path / "chapter.ipynb")
    pages.write_cover(tmp_path / "chapter.ipynb", "fig-a", tmp_path / "cover.png")
    assert (tmp_path / "cover.png").read_bytes() == b"picture"


def test_scorecard_lists_every_claim_with_its_verdict(tmp_path):
    def output(name, text):
        data = {"application/papermill.record/text/plain": text}
        return new_output("display_data", data=data, metadata={"scrapbook": {"name": name}})

    metric = '{"value": 0.99, "low": 0.989, "high": 0.991, "n": 5, "of": "networks"}'
    cell = new_code_cell("", outputs=[output("metric s31_cnn_accuracy", metric), output("other", "1")])
    chapter = tmp_path / "chapter.ipynb"
    nbformat.write(new_notebook(cells=[cell]), chapter)
    missing = pages.write_scorecard([chapter], tmp_path / "scorecard.md")
    text = (tmp_path / "scorecard.md").read_text()
    assert len(missing) == len(claims.ledger()) - 1
    assert all(claim.statement in text for claim in claims.ledger().values())
    assert "99.00 % (95 % CI 98.90 to 99.10 %; n = 5 networks)\n  - {bdg-success}`reproduced`" in text
    assert "**1** reproduced" in text
