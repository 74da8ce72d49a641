"""The audit: in every build, some of every record is computed again and compared with what was recorded."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

from wna_utils.report.audit_kinds import Finding, finding_of, problem_of
from wna_utils.report.provenance import device_in_words
from wna_utils.report.stamps import library_versions, modules
from wna_utils.support import checkout, paths, recorded
from wna_utils.support.checks import whole
from wna_utils.support.fingerprint import digest
from wna_utils.support.progress import bar


def audit(blocks: int = 1, device: str = "auto", *, force: bool = False, jobs: int = 1) -> list[Finding]:
    """Check the files of all records against their hashes; show every network some test images and noise again.

    For every network, 500 test images are shown again, or 100 in colour; for every tally, `blocks` blocks of noise. The
    checked-out commit determines which, so that builds check different ones. With one block, tallies take turns. A
    clean audit is cached: unless `force` is set, nothing is shown again until a record, the commit, the code, a library
    or the device changes.
    With more `jobs`, so many processes share the records.
    Raises `ValueError` for blocks or jobs < 1, or if the list of hashes is missing.
    """
    blocks = whole("blocks", blocks, 1)
    damaged = list(_damaged())
    if damaged:  # nothing is read of a file that is not what it was
        return damaged
    before = paths.cache_dir() / "audits" / f"{_key(blocks, device)}.json"
    if not force and (kept := _kept(before)):
        return kept
    findings = _findings(blocks, device, jobs)
    if not any(finding.problem for finding in findings):
        with paths.replacing(before) as temporary:
            temporary.write_text(json.dumps([asdict(finding) for finding in findings]))
    return findings


def _kept(path: Path) -> list[Finding]:
    """The findings of an audit before; none if there are none, or they were damaged."""
    try:
        return [Finding(**finding) for finding in json.loads(path.read_text())]
    except (FileNotFoundError, TypeError, ValueError):
        return []


def _key(blocks: int, device: str) -> str:
    """Hash of all that the findings of an audit depend on."""
    code = modules(["from wna_utils.report import audit"])
    machine = device_in_words(device), sorted(library_versions().items())
    return digest(checkout.committed(), recorded.checksums(), blocks, *machine, sorted(code.items()))


def _findings(blocks: int, device: str, jobs: int) -> list[Finding]:
    """What is found when some of every record is computed again."""
    look, files = partial(finding_of, blocks=blocks, device=device), recorded.files()
    how = {"total": len(files), "desc": "auditing the records", "unit": "record"}
    if jobs == 1:
        return [look(path) for path in bar(files, **how)]
    from wna_utils.support.workers import as_they_finish, cluster

    with cluster(jobs) as client:
        futures = [client.submit(look, path, pure=False) for path in files]
        for _ in bar(as_they_finish(futures), **how):
            pass
        return [future.result() for future in futures]


def _damaged() -> Iterator[Finding]:
    """Files that are missing, changed, or not in the list of hashes."""
    expected, where = recorded.checksums(), recorded.folder() / recorded.LIST
    if not expected:
        raise ValueError(f"{where}, the list of the records' hashes, is missing: fetch it with `git checkout {where}`")
    found = {str(path.relative_to(recorded.folder())): path for path in recorded.files()}
    for name in sorted(expected.keys() | found.keys()):
        path = recorded.folder() / name
        if name not in found:
            yield problem_of(path, "is missing")
        elif name not in expected:
            yield problem_of(path, f"is not listed in {recorded.LIST}")
        elif recorded.checksum(path) != expected[name]:
            yield problem_of(path, f"is not the file whose hash is in {recorded.LIST}")
