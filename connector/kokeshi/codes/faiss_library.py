"""The one place that imports faiss, when it is first needed."""

from __future__ import annotations

from types import ModuleType

from kokeshi.errors import MissingExtraError


def load_faiss() -> ModuleType:
    """Return the module `faiss`.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise MissingExtraError("product quantisation", "codes") from error
    module: ModuleType = faiss
    return module
