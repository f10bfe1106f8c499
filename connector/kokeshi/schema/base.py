"""The base of every model in `kokeshi.yaml`: frozen, and an unknown key is an error."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen model that refuses keys it does not know, so that a typing error is never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")
