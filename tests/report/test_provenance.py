"""Of every kind of record, the foot of a page, the page of records and the audit know what it is."""

from importlib import import_module

from wna_utils.report import pages
from wna_utils.support import recorded

provenance = import_module("wna_utils.report.provenance")  # the room exports a function of that name


def test_every_kind_of_record_can_be_named_and_listed_and_audited():
    kinds = {path.parent.name for path in recorded.files()}
    assert kinds == set(provenance.WORDS)
    assert kinds - {"photographs"} == set(pages.RECORDS)
