"""Parameters of a notebook: what its parameters cell declares, checked before any work is done.

The cell tagged `parameters` holds annotated literals; it is the only declaration. Its types (see `parameter_types`)
are imported in a cell above it. Papermill checks neither names nor values, so the notebook's next cell calls
`parameters`, which does.
"""

import ast
import json
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any, get_type_hints

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from wna_utils.support import paths

STRICT = ConfigDict(strict=True, frozen=True)  # "5" is no number, and nothing changes later


def parameters(notebook: str) -> Any:
    """The checked parameters of the running notebook, as a frozen pydantic model.

    Values come, in this order, from papermill's `-p`, from the profile's part of `notebooks/profiles/sizes.yaml`, and
    from the parameters cell. Raises `ValueError` for a name that the notebook does not declare, a wrong type, or a
    value out of range.
    """
    from IPython import get_ipython

    shell = get_ipython()
    injected = [source for source in shell.user_ns["In"] if source.startswith("# Parameters\n")]
    return check(notebook, shell.user_ns, assigned(injected[-1]) if injected else {})


def running_profile() -> str:
    """Profile of the running notebook; "book" where no notebook runs."""
    from IPython import get_ipython

    shell = get_ipython()
    return shell.user_ns.get("profile", "book") if shell else "book"


def check(notebook: str, namespace: Mapping[str, Any], injected: Mapping[str, Any] = {}) -> BaseModel:
    """Check `namespace`, in which the names `injected` were set from outside, against the notebook's declaration."""
    declared = declaration(notebook)
    for name in injected:
        if name not in declared:
            raise ValueError(f"{notebook} has no parameter {name!r}; it has {', '.join(declared)}")
    values = {name: namespace.get(name, default) for name, (_, default) in declared.items()}
    sizes = yaml.safe_load((paths.NOTEBOOKS / "profiles" / "sizes.yaml").read_text()) or {}
    of_profile = sizes.get(str(values.get("profile")), {}).get(notebook, {})
    values |= {name: value for name, value in of_profile.items() if name not in injected}
    try:
        return create_model(notebook, __config__=STRICT, **declared)(**values)
    except ValidationError as error:
        raise ValueError(_first_problem(error)) from None


def _first_problem(error: ValidationError) -> str:
    """In one sentence: "sizes[1]: input should be a valid integer; got 'x'"."""
    first = error.errors()[0]
    name, *places = first["loc"]
    where = name + "".join(f"[{place}]" for place in places)
    problem = "Must not be empty" if first["type"] == "too_short" else first["msg"].removeprefix("Value error, ")
    got = f"; got {first['input']!r}"
    ways = f" (a list is -y '{{{where}: [1, 2]}}' for papermill, and -p '{where}=[1, 2]' for a sweep)"
    return f"{where}: {problem[0].lower()}{problem[1:].removesuffix(got)}{got}{ways * (first['type'] == 'list_type')}"


def declaration(notebook: str) -> dict[str, tuple[Any, Any]]:
    """Type and default of each name in the notebook's parameters cell.

    That cell is executed here, and the cells of code above it, which import its types.
    """
    cells = json.loads((paths.NOTEBOOKS / f"{notebook}.ipynb").read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    [last] = [i for i, cell in enumerate(code) if "parameters" in cell["metadata"].get("tags", [])]
    module = ModuleType(notebook)
    exec("\n".join("".join(cell["source"]) for cell in code[: last + 1]), vars(module))
    types = get_type_hints(module, include_extras=True)
    return {name: (annotation, vars(module)[name]) for name, annotation in types.items()}


def assigned(source: str) -> dict[str, Any]:
    """The literals that a cell of plain assignments sets, by name."""
    return {
        target.id: _literal(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
    }


def _literal(value: ast.expr) -> Any:
    """A literal, and what papermill writes for numbers that have none: float('nan')."""
    if isinstance(value, ast.List):
        return [_literal(each) for each in value.elts]
    if found := re.fullmatch(r"float\('(-?\w+)'\)", ast.unparse(value)):
        return float(found[1])
    return ast.literal_eval(value)
