"""The book's own extensions of Sphinx, on a small page."""

import sys

import pytest
from bs4 import BeautifulSoup

from wna_utils.support.paths import ROOT

PAGE = """# Page

See {numref}`tab-a`, {numref}`fig-b` and {numref}`tab-c`.

```{figure} a.png
:name: tab-a
First table
```

```{figure} a.png
:name: fig-b
First figure
```

```{figure} a.png
:name: tab-c
Second table
```
"""


@pytest.fixture
def page(tmp_path, monkeypatch):
    from sphinx.application import Sphinx

    monkeypatch.setattr(sys, "path", [str(ROOT / "book" / "_ext"), *sys.path])
    (tmp_path / "index.md").write_text(PAGE)
    (tmp_path / "a.png").write_bytes(b"")
    settings = {"extensions": ["myst_parser", "numbered_tables"], "numfig": True}
    out = tmp_path / "out"
    app = Sphinx(tmp_path, None, out, out, "html", settings, status=None, warning=None, warningiserror=True)
    app.build()
    return BeautifulSoup((out / "index.html").read_text(), "html.parser")


def test_tables_and_figures_are_numbered_apart(page):
    assert [each.text.strip() for each in page.select(".caption-number")] == ["Table 1", "Fig. 1", "Table 2"]
    assert [link.text for link in page.select("p a.reference")] == ["Table 1", "Fig. 1", "Table 2"]
    assert [each["id"] for each in page.select("figure")] == ["tab-a", "fig-b", "tab-c"]
