"""Folded cells as valid HTML: myst-nb puts paragraphs into <summary>, where only words and headings may stand."""

from html import escape

from myst_nb.sphinx_ import HideCodeCellNode, depart_HideCellInput


def visit(translator, node: HideCodeCellNode) -> None:
    show, hide = (
        f'<span class="{which} admonition-title">{escape(node[prompt])}</span>'
        for which, prompt in (("collapsed", "prompt_show"), ("expanded", "prompt_hide"))
    )
    classes = " ".join(node["classes"])
    translator.body.append(f'<details class="admonition hide {classes}">\n<summary>{show}{hide}</summary>\n')


def setup(app) -> dict:
    app.add_node(HideCodeCellNode, override=True, html=(visit, depart_HideCellInput))
    return {"parallel_read_safe": True}
