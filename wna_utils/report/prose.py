"""New prose for an executed chapter: where a notebook's code is the same, what it gave need not be computed again."""

import nbformat

INJECTED = "injected-parameters"  # the tag of the cell that papermill adds
FOR_READERS = ("mystnb",)  # captions, names and alternative texts: metadata that do not reach the code


def renewed(notebook: nbformat.NotebookNode, executed: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The executed chapter with the prose and the captions of its notebook, whose cells of code are the same."""
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    injected = [cell for cell in code if INJECTED in cell.metadata.get("tags", [])]
    given = iter([cell for cell in code if cell not in injected])
    cells = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            cells.append(cell)
            continue
        before = next(given)
        kept = {name: value for name, value in before.metadata.items() if name not in FOR_READERS}
        before.metadata = nbformat.from_dict(kept | cell.metadata)
        cells += [before, *(injected if "parameters" in cell.metadata.get("tags", []) else [])]
    result = nbformat.from_dict(dict(executed))
    result.cells = cells
    return result
