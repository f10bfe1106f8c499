"""A first `kokeshi.yaml` from a sample of the user's file: profile the fields, guess, write."""

from kokeshi.init.guess import FieldGuess, Role, guess_fields, guess_sample
from kokeshi.init.naming import index_name
from kokeshi.init.profile import FieldProfile, Sample, read_sample
from kokeshi.init.writer import write_spec

__all__ = [
    "FieldGuess",
    "FieldProfile",
    "Role",
    "Sample",
    "guess_fields",
    "guess_sample",
    "index_name",
    "read_sample",
    "write_spec",
]
