"""The section `cache:` of a vector: where its vectors are kept, so that no text is encoded twice."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from kokeshi.schema.base import Model


class CacheSpec(Model):
    """Where the vectors of texts are kept between runs.

    path: of the file, `embeddings.sqlite` in the user's cache folder (or KOKESHI_CACHE) if not given.
    limit_gb: how large it may grow, in GB (10^9 bytes); what was used longest ago goes first.
    """

    path: str | None = None
    limit_gb: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0
