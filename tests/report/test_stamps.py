"""A stamp changes with what its notebook uses, and with nothing else."""

import ast
import importlib.util
import shutil
from importlib import metadata

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import wna_utils
from wna_utils.report import stamps
from wna_utils.support import paths

SMALL = {
    "wna_utils/__init__.py": '"""A small package."""',
    "wna_utils/base.py": "x = 1",
    "wna_utils/room/__init__.py": "from wna_utils.room.near import near, same\n__all__ = ['near', 'same']",
    "wna_utils/room/near.py": "from wna_utils.base import x\nnear = same = x",
    "wna_utils/room/same.py": "def far():\n    from wna_utils.room.far import far",
    "wna_utils/room/far.py": "far = 1",
    "wna_utils/report/__init__.py": "",
    "wna_utils/support/__init__.py": "",
    "wna_utils/support/recorded.py": "",
    "book/claims.yml": "",
    "book/recorded/SHA256SUMS": "",
    "notebooks/profiles/sizes.yaml": "",
    "requirements.txt": "# libraries\nnumpy==1\nno-such-library==1",
}
NEAR, SAME, FAR, BASE = (f"wna_utils/{name}.py" for name in ("room/near", "room/same", "room/far", "base"))
ROOM = "wna_utils/room/__init__.py"


def _live_in(folder, monkeypatch):
    """Make this folder the root of the project, as far as stamps see it; code is still imported from the real one."""
    package = folder / "wna_utils"
    spec = importlib.util.spec_from_file_location(
        "wna_utils", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    monkeypatch.setattr(wna_utils, "__spec__", spec)
    monkeypatch.setattr(paths, "ROOT", folder)
    monkeypatch.setattr(paths, "NOTEBOOKS", folder / "notebooks")


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The folder of a small project, without notebooks."""
    for name, text in SMALL.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    _live_in(tmp_path, monkeypatch)
    return tmp_path


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The folder of a copy of this project: its package, its notebooks, and what else stamps depend on."""
    folder = tmp_path_factory.mktemp("original")
    shutil.copytree(paths.ROOT / "wna_utils", folder / "wna_utils", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(paths.NOTEBOOKS, folder / "notebooks")
    (folder / "book").mkdir()
    for name in ("book/claims.yml", "book/published.yml", "requirements.txt"):
        shutil.copy(paths.ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def before(original):
    """Stamps of all chapters, before anything is edited."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _live_in(original, monkeypatch)
        return all_of(original)


@pytest.fixture
def real(original, tmp_path, monkeypatch):
    """The folder of such a copy, to edit."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    _live_in(tmp_path, monkeypatch)
    return tmp_path


def written(folder, *sources, name="a"):
    """A notebook of these code cells."""
    path = folder / "notebooks" / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources)]), path)
    return path


def all_of(folder):
    return {path.stem: stamps.stamp(path, {}) for path in sorted((folder / "notebooks").glob("*.ipynb"))}


def changed(folder, before):
    """The notebooks whose stamps are not what they were."""
    return {name for name, stamp in all_of(folder).items() if stamp != before[name]}


def append(path, text):
    path.write_text(f"{path.read_text()}\n{text}\n")


def test_editing_attacks_concerns_the_chapters_that_import_it(real, before):
    append(real / "wna_utils/interventions/attacks.py", "extra = 1")
    assert changed(real, before) == {
        "s32_adversarial_attack",
        "southampton",
        "zhang_representations",
        "zhang_planted_subjects",
    }


def test_editing_what_every_module_leans_on_concerns_all_chapters(real, before):
    append(real / "wna_utils/support/checks.py", "extra = 1")
    assert changed(real, before) == set(before)


def test_docstrings_comments_and_layout_concern_no_chapter(real, before):
    for path in (real / "wna_utils").rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, stamps.DOCUMENTED) and ast.get_docstring(node):
                node.body[0].value.value += " And more."
        path.write_text(f"# A comment.\n\n{ast.unparse(tree)}")
    assert changed(real, before) == set()
    assert "And more." in (real / "wna_utils/interventions/attacks.py").read_text()


def test_libraries_concern_all_chapters(real, before, monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: "0")
    assert changed(real, before) == set(before)


def test_library_that_is_missing_counts_as_none(small, monkeypatch):
    written(small, "1")
    before = all_of(small)
    assert stamps.library_versions()["no-such-library"] == "none"
    installed = stamps.library_versions() | {"no-such-library": "1"}
    monkeypatch.setattr(metadata, "version", installed.get)
    assert changed(small, before) == {"a"}


def test_sizes_concern_the_notebook_that_they_are_of(real, before):
    path = real / "notebooks/profiles/sizes.yaml"
    sizes = yaml.safe_load(path.read_text())
    sizes["smoke"]["s22_spike_triggered_analysis"]["n_neuron"] += 1
    path.write_text(yaml.safe_dump(sizes))
    assert changed(real, before) == {"s22_spike_triggered_analysis"}


@pytest.mark.parametrize(
    ("claim", "chapters"),
    [
        ("s31_rnn_share_of_1", {"s31_classifier_biases"}),  # an id that is put together, so that the figure tells
        ("s33_conv1_mnist", {"s33_filters"}),
        ("s21_fades_1_7", {"s21_classification_images", "sweep_example"}),
    ],
)
def test_claim_concerns_the_chapters_that_have_its_figure_or_its_id(real, before, claim, chapters):
    path = real / "book/claims.yml"
    claims = yaml.safe_load(path.read_text())
    [rule] = [each["rule"] for each in claims if each["id"] == claim]
    rule["partly"] = [-9, 9]
    path.write_text(yaml.safe_dump(claims))
    assert changed(real, before) == chapters


def test_published_numbers_concern_the_chapters_that_show_them(real, before):
    append(real / "book/published.yml", "table_2: [1]")
    assert changed(real, before) == {
        "s31_classifier_biases", "s31_sample_complexity", "s32_adversarial_attack", "southampton",
    }  # fmt: skip


@pytest.mark.parametrize("field", ["note", "few", "no_interval", "amended", "order"])
def test_what_the_scorecard_alone_says_concerns_no_chapter(small, field):
    path = written(small, "record('s1', 1)")
    append(small / "book/claims.yml", "- {id: s1, rule: a}")
    before = stamps.stamp(path, {})
    (small / "book/claims.yml").write_text(f"- {{id: s1, rule: a, {field}: b}}")
    assert stamps.stamp(path, {}) == before
    (small / "book/claims.yml").write_text(f"- {{id: s1, rule: b, {field}: b}}")
    assert stamps.stamp(path, {}) != before


def test_all_claims_concern_a_chapter_that_reads_the_ledger(small):
    written(small, "ledger()['s' + '1'].rule", name="reads")
    written(small, "if 's1' in ledger(): print()", name="asks")
    written(small, "1", name="other")
    before = all_of(small)
    append(small / "book/claims.yml", "- {id: s2, figure: fig-2}")
    assert changed(small, before) == {"reads"}
    append(small / "book/claims.yml", "- {id: s1}")
    assert changed(small, before) == {"reads", "asks"}


def test_no_room_hands_on_under_the_name_of_one_module_what_another_defines(real):
    """A name that is both a module's and another thing's is taken for the module's."""
    for init in (real / "wna_utils").glob("*/__init__.py"):
        for name, target in stamps._imports(ast.walk(ast.parse(init.read_text()))):
            if (init.parent / f"{name}.py").exists():
                assert target.split(".")[2] == name


def test_parameters_source_and_metadata_count(small):
    path = written(small, "n = 1")
    found = {stamps.stamp(path, {}), stamps.stamp(path, {}), stamps.stamp(path, {"n": 2})}
    written(small, "n = 2")
    found.add(stamps.stamp(path, {}))
    nbformat.write(new_notebook(cells=[new_code_cell("n = 1", id="c0", metadata={"tags": ["parameters"]})]), path)
    found.add(stamps.stamp(path, {}))
    nbformat.write(new_notebook(cells=[new_markdown_cell("n = 1", id="c0")]), path)
    found.add(stamps.stamp(path, {}))
    assert len(found) == 5


def test_without_prose_only_what_reaches_the_code_counts(small, monkeypatch):
    def stamp(parameters=None, **of_last):
        cells = [new_markdown_cell("Prose", id="a"), new_code_cell("n = 1", id="b")]
        cells[of_last.pop("cell", 0)].update(of_last)
        nbformat.write(new_notebook(cells=cells), path)
        return stamps.stamp(path, parameters or {}, prose=False)

    path = written(small, "n = 1")
    before = stamp()
    assert stamp(source="Other prose") == before
    assert stamp(cell=1, metadata={"mystnb": {"figure": {"name": "fig-a", "caption": "A caption"}}}) == before
    assert stamp({"n": 2}) != before
    assert stamp(cell=1, source="n = 2") != before
    assert stamp(cell=1, metadata={"tags": ["parameters"]}) != before
    monkeypatch.setattr(stamps, "FILES", {"mnist": {}})
    assert stamp() != before


def test_data_count(small, monkeypatch):
    written(small, "1")
    before = all_of(small)
    monkeypatch.setattr(stamps, "FILES", {"mnist": {}})
    assert changed(small, before) == {"a"}


def test_records_concern_chapters_that_read_them(small, monkeypatch):
    written(small, "from wna_utils.support import recorded", name="reads")
    written(small, "1", name="other")
    before = all_of(small)
    append(small / "book/recorded/SHA256SUMS", "f00d  networks/a.safetensors")
    assert changed(small, before) == {"reads"}
    before = all_of(small)
    monkeypatch.setenv("WNA_RECORDED", "off")
    assert changed(small, before) == {"reads"}


def test_chapter_depends_on_the_notebooks_that_it_runs_and_on_all_that_they_use(small):
    sources = {
        "runs": "sweep(paths.NOTEBOOKS / 'named.ipynb')",
        "named": "sweep(paths.NOTEBOOKS / 'last.ipynb')",
        "last": "from wna_utils.room import far",
        "other": "1",
    }

    def write():
        for name, source in sources.items():
            written(small, source, name=name)

    write()
    before = all_of(small)
    append(small / FAR, "extra = 1")
    assert changed(small, before) == {"runs", "named", "last"}
    before = all_of(small)
    (small / "notebooks/profiles/sizes.yaml").write_text("smoke: {named: {n: 1}, no_such_notebook: {n: 1}}")
    assert changed(small, before) == {"runs", "named"}
    before = all_of(small)
    sources["named"] += "\n1"
    write()
    assert changed(small, before) == {"runs", "named"}


@pytest.mark.parametrize(
    ("source", "used"),
    [
        ("import numpy as np", set()),
        ("from wna_utils.room import near", {NEAR, BASE}),
        ("from wna_utils.room import near as n", {NEAR, BASE}),
        ("from wna_utils.room.near import near", {NEAR, BASE}),
        ("from wna_utils.room import far", {FAR}),  # a module that the room does not hand on
        ("from wna_utils.room import same", {SAME, FAR}),  # which imports the other inside a function
        ("from wna_utils import room\nroom.near + 1", {NEAR, BASE}),
        ("from wna_utils import room as r\nprint(r.near.real, [r.far.far])", {NEAR, BASE, FAR}),
        ("import wna_utils.room as r\nr.near", {NEAR, BASE}),
        ("import wna_utils.room.far\nwna_utils.room.far.far", {FAR}),
        ("import wna_utils.room.far\nwna_utils.room.near", {NEAR, BASE}),  # the name is the whole package's
        ("def f():\n    from wna_utils.room import far", {FAR}),
        ("%matplotlib inline\nfrom wna_utils.room import far;", {FAR}),
        ("from wna_utils import room\n%time y = room.far.far", {FAR}),
        ("%%time\nfrom wna_utils import room\nroom.far;", {FAR}),
        ("!ls\nfrom wna_utils.room import far", {FAR}),
        # What cannot be told counts the room,
        ("from wna_utils.room import no_such_name", {NEAR, SAME, FAR, BASE}),
        ("from wna_utils.room import *", {NEAR, SAME, FAR, BASE}),
        ("from wna_utils import room\nroom.no_such_name", {NEAR, SAME, FAR, BASE}),
        ("from wna_utils import room\nr = room\nroom.near", {NEAR, SAME, FAR, BASE}),
        ("import wna_utils.room as r", {NEAR, SAME, FAR, BASE}),
        # or the whole package.
        ("import wna_utils", {NEAR, SAME, FAR, BASE}),
        ("import_module('wna_utils.room.far')", {NEAR, SAME, FAR, BASE}),
        ("!python -m wna_utils data", {NEAR, SAME, FAR, BASE}),
        ("%%bash\nmake book", {NEAR, SAME, FAR, BASE}),
    ],
)
def test_modules_that_a_notebook_names_count_and_those_that_they_import(small, source, used):
    path = written(small, source)
    before = stamps.stamp(path, {})
    found = set()
    for file in (NEAR, SAME, FAR, BASE):
        (small / file).write_text(SMALL[file] + "\nextra = 1")
        if stamps.stamp(path, {}) != before:
            found.add(file)
        (small / file).write_text(SMALL[file])
    assert found == used


def test_name_of_one_cell_may_be_used_in_another(small):
    path = written(small, "from wna_utils import room", "room.far")
    before = stamps.stamp(path, {})
    append(small / NEAR, "extra = 1")
    assert stamps.stamp(path, {}) == before
    append(small / FAR, "extra = 1")
    assert stamps.stamp(path, {}) != before


def test_room_counts_with_what_it_does_but_not_with_what_it_hands_on(small):
    written(small, "from wna_utils.room import far")
    before = all_of(small)
    append(small / ROOM, "from wna_utils.base import x")
    assert changed(small, before) == set()
    for file in (ROOM, "wna_utils/__init__.py"):
        before = all_of(small)
        append(small / file, "set_default(1)")
        assert changed(small, before) == {"a"}
