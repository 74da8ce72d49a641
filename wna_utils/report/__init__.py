"""From notebooks to a book: parameters, claims, figures, chapters, pages, records, sweeps, and their checks."""

from wna_utils.report.claims import ledger, record, say
from wna_utils.report.params import parameters
from wna_utils.report.provenance import provenance

__all__ = ["ledger", "parameters", "provenance", "record", "say"]
