"""Find encoders by name in the entry-point group `kokeshi.encoders`."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from kokeshi.encoders.base import Encoder
from kokeshi.encoders.cache import with_cache
from kokeshi.errors import EncoderError, KokeshiError
from kokeshi.schema import VectorSpec

GROUP = "kokeshi.encoders"


def encoder_names() -> list[str]:
    """Return the names of all installed encoders, sorted."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def load_encoder(spec: VectorSpec) -> Encoder:
    """Build the encoder that a vector names, with its cache in front where it has one.

    Raises EncoderError where it is unknown, not installed, refuses its options, or has another
    dimension than the spec says.
    """
    options = spec.encoder.options
    try:
        encoder: Encoder = _find(spec.encoder.name).load()(dimension=spec.dimension, **options)
    except KokeshiError:
        raise
    except (ImportError, AttributeError) as error:
        raise EncoderError(f"encoder {spec.encoder.name} cannot be loaded: {error}") from error
    except TypeError as error:
        raise EncoderError(f"encoder {spec.encoder.name}: options {options}: {error}") from error
    if encoder.dim != spec.dimension:
        raise EncoderError(
            f"encoder {spec.encoder.name} makes {encoder.dim} dimensions, the spec says "
            f"dimension: {spec.dimension}; write dimension: {encoder.dim}"
        )
    return with_cache(encoder, spec)


def _find(name: str) -> EntryPoint:
    for point in entry_points(group=GROUP):
        if point.name == name:
            return point
    raise EncoderError(f"unknown encoder '{name}'; installed are: {', '.join(encoder_names())}")
