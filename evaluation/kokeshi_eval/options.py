"""Options of an evaluation, from what a user writes."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from kokeshi.errors import InputError
from kokeshi.schema.load import describe
from kokeshi_eval.model import Measure, Options

ENGINE_MEASURES: Final[tuple[Measure, ...]] = ("nDCG", "RR", "P", "R", "ERR")
"""Those that `_rank_eval` computes too."""


def parse_options(**values: object) -> Options:
    """Return options; raises InputError, naming option and value, where one is not accepted."""
    try:
        return Options.model_validate(values)
    except ValidationError as error:
        raise InputError(f"options: {describe(error, values)}") from None
