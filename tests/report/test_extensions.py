"""The book's own extensions of Sphinx, on a small page."""

import sys
from types import SimpleNamespace

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


def folded(*parts):
    """What a folded cell is called that holds these parts."""
    import folded_cells
    from docutils import nodes
    from numbered_tables import table_figure

    figures = [{"fig": nodes.figure, "tab": table_figure}[name[:3]]("", ids=[name] if name else []) for name in parts]
    kinds = {nodes.figure: "figure", table_figure: "table"}
    domain = SimpleNamespace(get_enumerable_node_type=lambda node: kinds.get(type(node)))
    builder = SimpleNamespace(
        env=SimpleNamespace(domains={"std": domain}), fignumbers={"figure": {"fig-a": (1,)}, "table": {"tab-b": (2,)}}
    )
    config = SimpleNamespace(numfig_format={"figure": "Fig. %s", "table": "Table %s"})
    node = SimpleNamespace(parent=nodes.container("", *figures))
    return folded_cells._what(SimpleNamespace(builder=builder, config=config), node)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (["fig-a"], "the code of Fig. 1"),
        (["tab-b"], "the code of Table 2"),
        (["fig-without-number"], "the code of this step"),
        ([], "the code of this step"),
    ],
)
def test_folded_code_says_what_it_makes(monkeypatch, parts, said):
    monkeypatch.setattr(sys, "path", [str(ROOT / "book" / "_ext"), *sys.path])
    assert folded(*parts) == said
