"""What README and book tell people to type runs, and asks for nothing that there is not."""

import re
import shlex
import subprocess
import sys

import pytest
import yaml

from wna_utils.__main__ import parser
from wna_utils.report import params, site, sweeps
from wna_utils.support.paths import NOTEBOOKS, ROOT

pytestmark = pytest.mark.slow

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "book").glob("*.md")])
SMALL = [('"mnist"', '"digits"'), (r"n=[\d_]{6,}", "n=4_000"), (r"jobs=\d", "jobs=1")]  # for a run of seconds
ELSEWHERE = ("dask_jobqueue",)  # libraries for clusters, which the project does not need


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def scripts(page):
    """The Python of a page, one block after another: later ones may use what earlier ones define."""
    return [each for each in blocks(page, "python") if not any(library in each for library in ELSEWHERE)]


@pytest.mark.parametrize("page", [each for each in PAGES if scripts(each)], ids=lambda page: page.stem)
def test_python_of_a_page_runs(page, tmp_path):
    source = "\n".join(scripts(page))
    for large, small in SMALL:
        source = re.sub(large, small, source)
    (tmp_path / "script.py").write_text(source)
    run = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr


def commands():
    """Every command line of the pages, without comments; lines that end with a backslash go on."""
    for page in PAGES:
        for block in blocks(page, "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):  # of the environment
                    del words[0]
                if words and "…" not in words:
                    yield pytest.param(words, id=f"{page.stem}: {' '.join(words)[:60]}")


@pytest.mark.parametrize("words", [*commands()])
def test_commands_exist_and_take_what_they_are_given(words):
    match words:
        case ["make", target, *_]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        case ["python", "-m", "wna_utils", *arguments]:
            options = parser().parse_args(arguments)
            if options.command == "sweep":
                for parameters in sweeps.grid(options.options):
                    params.check(options.notebook, parameters, parameters)
        case ["papermill", "--help-notebook", notebook]:
            assert (ROOT / notebook).exists()
        case ["papermill", notebook, _, *options]:
            given = {}
            while options:
                match options:
                    case ["-f", profile, *options]:
                        given = yaml.safe_load((ROOT / profile).read_text()) | given
                    case ["-p", name, value, *options]:
                        given[name] = yaml.safe_load(value)
            params.check((NOTEBOOKS / notebook).stem, given, given)
        case ["python", "-m", "http.server", "-b", _, "-d", folder]:
            assert ROOT / folder == site.SITE
        case ["source" | "dask" | "git" | "pip", *_]:
            pass
        case _:
            pytest.fail(f"nobody checks `{' '.join(words)}`")
