"""The options of an encoder: one way to check them, and to say that a package is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from pydantic import ValidationError

from kokeshi.errors import EncoderError, MissingExtraError
from kokeshi.schema.base import Model
from kokeshi.schema.load import describe

M = TypeVar("M", bound=Model)


def parse_options(model: type[M], encoder: str, options: Mapping[str, object]) -> M:
    """Check the options of an encoder against their model.

    Raises EncoderError that names the option, its value and what is accepted. The value of an
    option that is not known stays unsaid: it may be a key.
    """
    known = ", ".join(model.model_fields)
    for name in options:
        if name not in model.model_fields:
            takes = f"it takes {known}" if known else "it takes no options"
            raise EncoderError(f"encoder {encoder}: the option '{name}' is not known; {takes}")
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        reason = describe(error, dict(options))
        raise EncoderError(f"encoder {encoder}: option {reason}") from None


@contextmanager
def needs_extra(feature: str, extra: str) -> Iterator[None]:
    """Imports inside raise MissingExtraError where a package is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(feature, extra) from error
