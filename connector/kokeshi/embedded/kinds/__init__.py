"""The engines that can be embedded."""

from kokeshi.embedded.kinds.base import Kind, Run
from kokeshi.embedded.kinds.elasticsearch import ELASTICSEARCH
from kokeshi.embedded.kinds.opensearch import OPENSEARCH
from kokeshi.embedded.recipe import title_of

KINDS = {kind.name: kind for kind in (OPENSEARCH, ELASTICSEARCH)}


def find_kind(name: str) -> Kind:
    """Return the kind of an engine's name.

    Raises:
        EmbeddedError: there is no such engine.
    """
    title_of(name)
    return KINDS[name]


__all__ = ["KINDS", "Kind", "Run", "find_kind"]
