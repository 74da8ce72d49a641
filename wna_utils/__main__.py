"""The commands of the project: `python -m wna_utils COMMAND`."""

import argparse
import sys
from functools import partial
from pathlib import Path

from wna_utils.data import fetch, human_it, imagenet, photographs
from wna_utils.report import chapters, glance, pages, scorecard, site, site_checks
from wna_utils.report.measured import Measured
from wna_utils.report.profiles import PROFILES
from wna_utils.support import paths
from wna_utils.support.checks import at_least, one_of
from wna_utils.support.devices import cores

DATA = (*fetch.FILES, *imagenet.OF_THE_BOOK)
ON_DEMAND = {
    "alexnet": partial(imagenet.weights_folder, "alexnet"),
    "imagenet_sample": partial(photographs.folder_of, photographs.SAMPLE),
    "human_it": human_it.folder,
}


def fetch_data(names: list[str]) -> None:
    """Fetch and verify the files of data sets, of networks that others trained, and what else is asked for by name."""
    for name in names or DATA:
        if name in fetch.FILES:
            found = fetch.ensure_files(name)
        else:
            found = ON_DEMAND[name]() if name in ON_DEMAND else imagenet.weights_folder(name)
        print(f"{name}: {found}", flush=True)


def run_notebooks(names: list[str], profile: str, force: bool, jobs: int | None) -> None:
    """Execute the notebooks into chapters where something has changed."""
    from wna_utils.report.build import build, usual_jobs

    jobs = usual_jobs() if jobs is None else jobs
    at_least("jobs", jobs, 1)
    parameters = {} if profile == "book" else {"profile": profile}
    for name in names:
        one_of("notebook", name, [notebook.stem for notebook in chapters.notebooks()])
    chosen = [notebook for notebook in chapters.notebooks() if not names or notebook.stem in names]
    for name, seconds in build(chosen, parameters, jobs=jobs, force=force):
        print(f"{name}: {f'{seconds:.0f} s' if seconds else 'up to date'}", flush=True)


def write_pages() -> None:
    """Write what the book's pages include that is made from the executed chapters."""
    executed, folder = [paths.CHAPTERS / notebook.name for notebook in chapters.notebooks()], paths.GENERATED
    for name, (chapter, figure) in pages.PICTURES.items():
        pages.write_picture(paths.CHAPTERS / f"{chapter}.ipynb", figure, folder / f"{name}.png")
    pages.write_status(executed, folder)
    pages.write_photographs(folder)
    pages.write_notice(executed, folder)
    if unread := pages.unread_records(executed):
        print(f"No chapter reads these records: {', '.join(unread)}.")
    measured = Measured.of(executed)
    glance.write_glance(measured, folder)
    _stop_at(scorecard.write_scorecard(measured, folder))


def write_lab() -> None:
    """Write what the noise lab loads, unless nothing has changed."""
    from wna_utils.lab import page

    if missing := page.write_lab(paths.GENERATED):
        print(f"The noise lab stays closed: {missing}")


def build_site() -> None:
    """Build the pages and check them, unless nothing has changed."""
    if not site.build():
        print("No page has changed.")


def check_pages() -> None:
    """Check the built pages."""
    _stop_at(site_checks.page_problems(paths.ROOT / "_build" / "html"))


def print_book() -> None:
    """Print the book, built as one page, to a PDF file."""
    from wna_utils.report import browser

    one_page, target = paths.ROOT / "_build" / "singlehtml", paths.ROOT / "_build" / "html" / "book.pdf"
    first, whole = one_page / "book" / "intro.html", one_page / "book.html"
    if not first.exists():
        sys.exit("the book is not built as one page: `make pdf` does both")
    whole.write_bytes(first.read_bytes())  # beside its pictures, which get lost where the builder puts it
    browser.print_pdf(whole, target)
    print(f"The book is in {target}")


def sweep_notebook(name: str, options: list[str], jobs: int, folder: Path, scheduler: str | None) -> None:
    """Run a notebook over all combinations of parameters, and tabulate what it records."""
    from wna_utils.report.sweeps import sweep

    one_of("notebook", Path(name).stem, [notebook.stem for notebook in chapters.notebooks()])
    notebook = paths.NOTEBOOKS / f"{Path(name).stem}.ipynb"
    table = sweep(notebook, options, folder, jobs=jobs, scheduler=scheduler)
    failed = table[table.status == "failed"]
    print(f"{len(table) - len(failed)} of {len(table)} runs done; the table is {folder / 'summary.csv'}")
    _stop_at([f"failed: {row.error}" for row in failed.itertuples()])


def make_records(names: list[str], device: str, jobs: int, scheduler: str | None) -> None:
    """Make the records that are planned and missing (hours); a run that is cut off goes on where it was."""
    from wna_utils.report import records

    records.make(names, device, jobs, scheduler)


def audit_records(blocks: int, device: str, force: bool) -> None:
    """Compute some of every record again, and compare."""
    from wna_utils.report import audit
    from wna_utils.report.build import usual_jobs

    findings = audit.audit(blocks, device, force=force, jobs=usual_jobs())
    _stop_at([finding.problem for finding in findings if finding.problem])
    pages.write_records(findings, paths.GENERATED)
    largest = max(finding.difference or 0 for finding in findings)
    print(f"{len(findings)} records audited: what was shown again differs by {largest:.2%} at most")
    print("(Said of this commit, and kept: `python -m wna_utils audit --force` shows everything again.)")


def make_book(profile: str, jobs: int | None) -> None:
    """Fetch the data, audit the records, execute the notebooks and build the pages, where something has changed."""
    fetch_data([])
    audit_records(blocks=1, device="auto", force=False)
    run_notebooks([], profile, force=False, jobs=jobs)
    write_pages()
    write_lab()
    build_site()


def _stop_at(problems: list[str]) -> None:
    if problems:
        sys.exit("\n".join(problems))


def parser() -> argparse.ArgumentParser:
    """What the command line may hold."""
    parser = argparse.ArgumentParser(prog="python -m wna_utils", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    book = commands.add_parser("book", help=make_book.__doc__)
    _sizes_and_jobs(book)
    data = commands.add_parser("data", help=fetch_data.__doc__)
    data.add_argument("names", nargs="*", choices=[*DATA, *ON_DEMAND, []], help="the book's, by default")
    run = commands.add_parser("run", help=run_notebooks.__doc__)
    run.add_argument("names", nargs="*", help="notebooks (all)")
    run.add_argument("--force", action="store_true", help="execute even if nothing has changed")
    _sizes_and_jobs(run)
    commands.add_parser("pages", help=write_pages.__doc__)
    commands.add_parser("lab", help=write_lab.__doc__)
    commands.add_parser("site", help=build_site.__doc__)
    commands.add_parser("check", help=check_pages.__doc__)
    commands.add_parser("pdf", help=print_book.__doc__)
    sweep = commands.add_parser("sweep", help=sweep_notebook.__doc__)
    sweep.add_argument("notebook", help="such as s21_classification_images")
    values = "values with commas between them (n_noise=1000,2000), or a range (seed=0:5); may be repeated"
    sweep.add_argument("-p", dest="options", metavar="NAME=VALUES", action="append", default=[], help=values)
    sweep.add_argument("--jobs", type=int, default=cores(), help="runs at a time, one core each (%(default)s)")
    sweep.add_argument(
        "-o", dest="folder", metavar="DIR", type=Path, required=True, help="where notebooks and table go"
    )
    sweep.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a running Dask cluster that shares this folder's files"
    )
    record = commands.add_parser("record", help=make_records.__doc__)
    record.add_argument("names", nargs="*", help="records (all)")
    record.add_argument("--device", default="auto", help="cpu, cuda, mps: any device of torch (%(default)s)")
    record.add_argument("--jobs", type=int, default=1, help="networks at a time, one core each (all cores for one)")
    record.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a running Dask cluster that shares this folder's files"
    )
    audit = commands.add_parser("audit", help=audit_records.__doc__)
    audit.add_argument("--blocks", type=int, default=1, help="of each tally to be shown again (%(default)s)")
    audit.add_argument("--device", default="auto", help="cpu, cuda, mps: any device of torch (%(default)s)")
    audit.add_argument("--force", action="store_true", help="audit even if nothing has changed")
    commands.add_parser("bench", help="measure the streaming loop against the original's")
    return parser


def _sizes_and_jobs(command: argparse.ArgumentParser) -> None:
    command.add_argument("--profile", choices=PROFILES, default="book", help="sizes (%(default)s)")
    command.add_argument(
        "--jobs", type=int, help="notebooks at a time, one core each (all cores, if there is memory; 1 on a GPU)"
    )


def main() -> None:
    options = parser().parse_args()
    if not options.command:
        parser().print_help()
        sys.exit(2)
    try:
        match options.command:
            case "book":
                make_book(options.profile, options.jobs)
            case "data":
                fetch_data(options.names)
            case "run":
                run_notebooks(options.names, options.profile, options.force, options.jobs)
            case "pages":
                write_pages()
            case "lab":
                write_lab()
            case "site":
                build_site()
            case "check":
                check_pages()
            case "pdf":
                print_book()
            case "sweep":
                sweep_notebook(options.notebook, options.options, options.jobs, options.folder, options.scheduler)
            case "record":
                make_records(options.names, options.device, options.jobs, options.scheduler)
            case "audit":
                audit_records(options.blocks, options.device, options.force)
            case "bench":
                from wna_utils.report.bench import bench

                bench()
    except (chapters.ChapterFailed, fetch.DataUnavailable, site.SiteFailed, OSError, ValueError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("\nstopped; what is done is kept, and the same command goes on from there", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
