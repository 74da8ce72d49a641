"""Stamps: hashes of what a notebook really uses, so that its chapter is executed again only where that has changed."""

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import grimp
import nbformat
import yaml

from wna_utils.data.fetch import FILES
from wna_utils.report import kernels
from wna_utils.report.prose import FOR_READERS
from wna_utils.support import paths, recorded
from wna_utils.support.fingerprint import code_digest

PACKAGE = "wna_utils"
ONLY_ON_SCORECARD = ("amended", "few", "no_interval", "note", "order")  # which is written anew in every build
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def stamp(notebook: Path, parameters: dict[str, Any], *, prose: bool = True) -> str:
    """Hash of all that an executed notebook depends on; without `prose`, of what the outputs of its code depend on.

    That is its source, parameters, sizes, the claims that it records, the code that it uses of the package, data,
    records, published numbers, library versions, and the same for every notebook that it names (in order to run it).
    """
    cells = _cells(notebook)
    profiles = _yaml((paths.NOTEBOOKS / "profiles" / "sizes.yaml").read_text()) or {}
    sizes = {f"{name} {stem}": of[stem] for name, of in profiles.items() for stem in cells if stem in (of or {})}
    used = modules([source for each in cells.values() for kind, source, *_ in each if kind == "code"])
    counted = cells if prose else {stem: [*_code_of(each)] for stem, each in cells.items()}
    parts = [
        parameters,
        FILES,
        counted,
        sizes,
        _claims(json.dumps(cells)),
        used,
        library_versions(),
        code_digest(kernels),
    ]
    if recorded.__name__ in used:
        parts += [recorded.used(), recorded.checksums()]
    if f"{PACKAGE}.report.published" in used:
        parts.append((paths.ROOT / "book" / "published.yml").read_text())
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _cells(notebook: Path) -> dict[str, list]:
    """Type, source, metadata and attachments of every cell, by notebook: of this one, and of those named in it."""
    found, waiting = {}, [notebook]
    while waiting:
        each = waiting.pop()
        cells = nbformat.read(each, as_version=4).cells
        found[each.stem] = [[c.cell_type, c.source, c.metadata, c.get("attachments", {})] for c in cells]
        text = json.dumps(found[each.stem])
        named = [other for other in paths.NOTEBOOKS.glob("*.ipynb") if other.name in text]
        waiting += [other for other in named if other.stem not in found]
    return found


def _code_of(cells: list) -> Iterator[list]:
    """Cells of code, without the metadata that are for readers only."""
    for kind, source, about, _ in cells:
        if kind == "code":
            yield [kind, source, {name: value for name, value in about.items() if name not in FOR_READERS}]


def _claims(text: str) -> dict[str, Any]:
    """The claims that notebooks of this text may record or look up, by id."""
    # An id may be put together from parts, but the claim's figure is in the notebook, as that notebook's test demands.
    # Who asks the ledger more than `in ledger()` may read any claim.
    reads_all = re.search(r"(?<! in )ledger\(|ledger\(\)[.\[]|LEDGER", text)
    files = sorted((paths.ROOT / "book").glob("claims*.yml"))
    claims = [claim for file in files for claim in _yaml(file.read_text()) or []]
    mentioned = [each for each in claims if each["id"] in text or (each.get("figure") or each["id"]) in text]
    chosen = claims if reads_all else mentioned
    return {each["id"]: {k: value for k, value in each.items() if k not in ONLY_ON_SCORECARD} for each in chosen}


def library_versions(file: str = "requirements.txt") -> dict[str, str]:
    """Installed versions of Python and of what the requirements, or the constraints, name."""
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    requirements = (Path(find_spec(PACKAGE).origin).parents[1] / file).read_text()
    for name in re.findall(r"^\w[\w.-]*", requirements, re.MULTILINE):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return found


def modules(cells: list[str]) -> dict[str, str]:
    """Code of each module that code cells use, and of all that these import, inside functions or out."""
    root = Path(find_spec(PACKAGE).origin).parent
    graph = _graph(frozenset((each, each.stat().st_mtime_ns, each.stat().st_size) for each in root.rglob("*.py")))
    files = {}
    for module in graph.modules:
        place = root.joinpath(*module.split(".")[1:])
        files[module] = file if (file := place.with_suffix(".py")).exists() else place / "__init__.py"
    used = _named(cells, files)
    used |= {other for module in used for other in graph.find_upstream_modules(module)}
    rooms = {module.rpartition(".")[0] for module in used} - {""}  # their `__init__` runs, too
    return {module: _code(files[module].read_bytes(), files[module].name) for module in {PACKAGE, *rooms, *used}}


@cache  # by what the files hold: stamps of many notebooks are asked for in a row
def _yaml(text: str) -> Any:
    return yaml.safe_load(text)


@lru_cache(1)
def _graph(files: frozenset[tuple[Path, int, int]]) -> grimp.ImportGraph:
    """Who imports whom, as long as the files, known by times and sizes, stay as they are."""
    return grimp.build_graph(PACKAGE, cache_dir=None)


@cache
def _code(content: bytes, name: str) -> str:
    """What a module does: comments, docstrings and layout do not count, nor does what an `__init__` only passes on."""
    tree = ast.parse(content)
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            del node.body[0]
    if name == "__init__.py":
        tree.body = [each for each in tree.body if not ast.unparse(each).startswith(("from ", "__all__ = "))]
    return ast.dump(tree)


def _named(cells: list[str], files: dict[str, Path]) -> set[str]:
    """The modules that define what code cells name of the package; all modules where that cannot be known."""
    try:
        nodes = [node for cell in cells for node in ast.walk(_parsed(cell))]
    except SyntaxError:
        return set(files)
    if any(isinstance(node, ast.Constant) and PACKAGE in str(node.value) for node in nodes):
        return set(files)  # perhaps imported by a name in quotes
    owners = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    chains = [node for node in nodes if isinstance(node, ast.Name | ast.Attribute) and id(node) not in owners]
    uses = {text for text in map(ast.unparse, chains) if re.fullmatch(r"[\w.]+", text)}
    found = set()
    for name, target in _imports(nodes):
        # After `from wna_utils import analysis as st`, `st.mean_over` is `wna_utils.analysis.mean_over`.
        ways = [use.removeprefix(name) for use in uses if f"{use}.".startswith(f"{name}.")]
        found |= {module for way in ways or [""] for module in _defining(target + way, files)}
    return found


def _parsed(cell: str) -> ast.Module:
    """A cell as Python; of a magic or a shell command, what follows its sign. Raises `SyntaxError` for what is none."""
    try:
        return ast.parse(cell)
    except SyntaxError:
        return ast.parse(re.sub(r"^([ \t]*)(%%?\w+|!)[ \t]*", r"\1", cell, flags=re.MULTILINE))


def _imports(nodes: Iterable[ast.AST]) -> list[tuple[str, str]]:
    """What is imported of the package: the name that it gets, and its own, with dots."""
    found = []
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            found += [(each.asname or each.name, f"{node.module}.{each.name}") for each in node.names]
        elif isinstance(node, ast.Import):
            found += [(each.asname or PACKAGE, each.name) for each in node.names]
    inside = [(name, target) for name, target in found if target.split(".")[0] == PACKAGE]
    return [(name, PACKAGE if name == PACKAGE else target) for name, target in inside]  # `import a.b` names a


def _defining(name: str, files: dict[str, Path]) -> set[str]:
    """The module that defines a dotted name of the package; its whole room where `__init__` does not tell."""
    module = name
    while module not in files:
        module = module.rpartition(".")[0]
    if files[module].name != "__init__.py":
        return {module}
    exported = dict(_imports(ast.walk(ast.parse(files[module].read_bytes()))))
    origin = exported.get(name.removeprefix(f"{module}.").split(".")[0], module)
    if origin == module or f"{origin}.".startswith(f"{name}."):
        return {each for each in files if f"{each}.".startswith(f"{module}.")}
    return _defining(origin, files)
