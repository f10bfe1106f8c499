"""How large an index becomes and how long filling it takes, from what was measured."""

from kokeshi.sizing.coefficients import Coefficients, load_coefficients
from kokeshi.sizing.documents import DocumentSize, guess_document, measure_documents
from kokeshi.sizing.estimate import Estimate, Part, encode_hours, estimate

__all__ = [
    "Coefficients",
    "DocumentSize",
    "Estimate",
    "Part",
    "encode_hours",
    "estimate",
    "guess_document",
    "load_coefficients",
    "measure_documents",
]
