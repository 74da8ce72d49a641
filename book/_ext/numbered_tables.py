"""Tables that are made by a cell of code, and so stand in a figure, are numbered as tables."""

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.writers.html5 import HTML5Translator
from sphinx.writers.latex import LaTeXTranslator

PREFIX = "tab-"  # of their labels


class table_figure(nodes.figure):  # its name is what translators look for
    """A figure that holds a table."""


class TableFigures(SphinxTransform):
    """Make them of figures with a table's label, before labels are collected."""

    default_priority = 800

    def apply(self, **_) -> None:
        for figure in list(self.document.findall(nodes.figure)):
            if any(name.startswith(PREFIX) for name in figure["names"]):
                table = table_figure("", *figure.children, **figure.attributes)
                figure.replace_self(table)
                for name in table["ids"]:
                    self.document.ids[name] = table


def setup(app) -> dict:
    app.add_enumerable_node(
        table_figure,
        "table",
        html=(HTML5Translator.visit_figure, HTML5Translator.depart_figure),
        latex=(LaTeXTranslator.visit_figure, LaTeXTranslator.depart_figure),
    )
    app.add_transform(TableFigures)
    return {"parallel_read_safe": True}
