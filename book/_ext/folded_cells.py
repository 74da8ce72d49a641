"""Folded cells: valid HTML, since myst-nb puts paragraphs into <summary>, and titles that say what they open."""

from html import escape

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode, depart_HideCellInput


def visit(translator, node: HideCodeCellNode) -> None:
    what = _what(translator, node)
    show, hide = (
        f'<span class="{which} admonition-title">{verb} {escape(what)}</span>'
        for which, verb in (("collapsed", "Show"), ("expanded", "Hide"))
    )
    classes = " ".join(node["classes"])
    translator.body.append(f'<details class="admonition hide {classes}">\n<summary>{show}{hide}</summary>\n')


def _what(translator, node: HideCodeCellNode) -> str:
    """What the code of a cell makes: "the code of Fig. 3"; of one that makes no figure, "the code of this step"."""
    domain = translator.builder.env.domains["std"]
    for figure in node.parent.findall(nodes.figure):
        kind = domain.get_enumerable_node_type(figure)
        if number := translator.builder.fignumbers.get(kind, {}).get((figure["ids"] or [""])[0]):
            return f"the code of {translator.config.numfig_format[kind] % '.'.join(map(str, number))}"
    return "the code of this step"


def setup(app) -> dict:
    app.add_node(HideCodeCellNode, override=True, html=(visit, depart_HideCellInput))
    return {"parallel_read_safe": True}
