"""From notebooks to a book: parameters, claims, figures, chapters, pages, records and their audit, sweeps."""

from wna_utils.report.claims import record, say
from wna_utils.report.params import parameters
from wna_utils.report.provenance import provenance
from wna_utils.report.published import published
from wna_utils.report.rules import ledger

__all__ = ["ledger", "parameters", "provenance", "published", "record", "say"]
