"""What names tell: of fields, whether the schema takes them and what they usually hold; of files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from kokeshi.schema import IndexSpec

ID_NAMES: Final = (
    "id",
    "sku",
    "uuid",
    "guid",
    "product_id",
    "productid",
    "item_id",
    "itemid",
    "article_id",
    "asin",
    "gtin",
    "ean",
    "upc",
    "isbn",
    "handle",
)
"""Names that an id usually has, the likeliest first."""

TEXT_NAMES: Final = (
    "title",
    "name",
    "product_name",
    "product_title",
    "headline",
    "subtitle",
    "short_description",
    "description",
    "product_description",
    "long_description",
    "summary",
    "abstract",
    "features",
    "bullet_points",
    "details",
    "text",
    "body",
    "content",
)
"""Names of fields with words to search, the most telling first."""

PROPER_NAMES: Final = frozenset(
    {"brand", "manufacturer", "vendor", "maker", "author", "artist", "designer", "publisher"}
)
"""Names of fields whose few values people both type and filter by."""

FACET_WORDS: Final = frozenset(
    {"category", "categories", "department", "collection", "colour", "color", "colours", "colors"}
    | {"material", "size", "sizes", "gender", "tags"}
)
"""Words in the names of fields that people filter by, however long the values are."""

_CODE_WORDS: Final = frozenset(
    {"id", "sku", "uuid", "guid", "ean", "gtin", "upc", "isbn", "asin", "mpn", "code", "barcode"}
    | {"zip", "postcode", "plz", "phone", "tel"}
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_LONGEST_NAME = 200


def normal_name(name: str) -> str:
    """Return a name in lower case with `_` between its words.

    >>> normal_name("productName"), normal_name("Product Name")
    ('product_name', 'product_name')
    """
    return "_".join(_WORDS.findall(name)).lower() or name.lower()


def text_rank(name: str) -> int | None:
    """Return how telling a text of this name usually is, 0 the most; None for an unknown name."""
    normal = normal_name(name)
    return TEXT_NAMES.index(normal) if normal in TEXT_NAMES else None


def id_rank(name: str) -> int | None:
    """Return how likely a field of this name is the id, 0 the likeliest; None for an unknown name."""
    known = name.lower() if name.lower() in ID_NAMES else normal_name(name)
    if known in ID_NAMES:
        return ID_NAMES.index(known)
    return len(ID_NAMES) if known.endswith("_id") else None


def is_code_name(name: str) -> bool:
    """Return whether digits under this name are an identifier and no quantity."""
    return not _CODE_WORDS.isdisjoint(normal_name(name).split("_"))


def is_proper_name(name: str) -> bool:
    """Return whether a field of this name holds brands, authors and the like."""
    return normal_name(name).split("_")[0] in PROPER_NAMES


def is_facet_name(name: str) -> bool:
    """Return whether a field of this name holds categories, colours and the like."""
    return not FACET_WORDS.isdisjoint(normal_name(name).split("_"))


def is_field_name(name: str) -> bool:
    """Return whether the schema takes a field of this name."""
    if len(name) > _LONGEST_NAME:
        return False
    try:
        IndexSpec(index="any", metadata={name: "keyword"})
    except ValidationError:
        return False
    return True


def index_name(path: str | Path) -> str:
    """Return a valid index name from a file name; `products` where nothing of it is left.

    >>> index_name("data/Spring Sale 2024.csv.gz")
    'spring-sale-2024'
    """
    name = Path(path).name.lower()
    for suffix in (".gz", ".jsonl", ".ndjson", ".csv", ".tsv"):
        name = name.removesuffix(suffix)
    return re.sub(r"[^a-z0-9_]+", "-", name).strip("-_")[:200] or "products"
