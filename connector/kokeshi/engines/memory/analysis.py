"""The standard analyzer: words as Unicode breaks them (UAX #29), in lower case.

Characters become letters for their class, and one expression over the classes finds the words.
Where this is coarser than Lucene: quotation marks within Hebrew words, and symbols that are emoji
only with a variation selector. Scripts without spaces, such as Thai, stay unbroken, as in Lucene.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final

MAX_LENGTH: Final = 255
"""A longer word is cut into pieces of so many characters."""

_X = "[xj]*"  # marks and joiners belong to what they follow
_MIXED = rf"(?:A{_X}(?:[:.']{_X}(?=A))?|N{_X}(?:[,.']{_X}(?=N))?)+"
_RUN = rf"(?:{_MIXED}|(?:K{_X})+)"
_WORDS: Final = re.compile(
    rf"(?:_{_X})*{_RUN}(?:(?:_{_X})+{_RUN})*(?:_{_X})*"  # letters, digits, katakana
    rf"|H{_X}"  # ideographs and hiragana, each alone
    rf"|(?:S{_X})+"
    rf"|RR{_X}"  # flags
    r"|Ex*(?:jEx*)*"  # emoji, those that are joined as one
)
_MARKS: Final = {
    **dict.fromkeys("'", "'"),
    **dict.fromkeys(".‘’․﹒＇．", "."),
    **dict.fromkeys(":··״‧︓﹕：", ":"),
    **dict.fromkeys(",;;։،؍٬߸⁄︐︔﹐﹔，；", ","),
    "\u200b": " ",
    "\u200d": "j",
}
_RANGES: Final = (
    ("H", 0x3041, 0x3096),
    ("H", 0x309D, 0x309F),
    ("H", 0x3400, 0x4DBF),
    ("H", 0x4E00, 0x9FFF),
    ("H", 0xF900, 0xFAFF),
    ("H", 0x20000, 0x323AF),
    ("K", 0x3031, 0x3035),
    ("K", 0x309B, 0x309C),
    ("K", 0x30A0, 0x30FA),
    ("K", 0x30FC, 0x30FF),
    ("K", 0x31F0, 0x31FF),
    ("K", 0xFF66, 0xFF9D),
    ("A", 0x24B6, 0x24E9),
    ("R", 0x1F1E6, 0x1F1FF),
    ("x", 0x1F3FB, 0x1F3FF),
    ("E", 0x1F300, 0x1FAFF),
    ("E", 0x2600, 0x2604),
    ("E", 0x2648, 0x2653),
    ("S", 0x0E01, 0x0EDF),  # Thai, Lao
    ("S", 0x1000, 0x109F),  # Myanmar
    ("S", 0x1780, 0x17D3),  # Khmer
)
_CATEGORIES: Final = {"L": "A", "M": "x", "Nd": "N", "Nl": "A", "Pc": "_", "Cf": "x"}


def analyse(text: str) -> list[str]:
    """Return the words of a text, in order.

    >>> analyse("Don't pay 1,000.50 for 藍色 shoes!")
    ["don't", 'pay', '1,000.50', 'for', '藍', '色', 'shoes']
    """
    classes = "".join(map(_classify, text))
    spans = (found.span() for found in _WORDS.finditer(classes))
    words = ("".join(map(_lower, text[start:end])) for start, end in spans)
    return [word[at : at + MAX_LENGTH] for word in words for at in range(0, len(word), MAX_LENGTH)]


@cache
def _classify(character: str) -> str:
    if character in _MARKS:
        return _MARKS[character]
    category = unicodedata.category(character)
    code = ord(character)
    if category != "Nd" and category[0] != "M":
        for name, first, last in _RANGES:
            if first <= code <= last:
                return name
    return _CATEGORIES.get(category) or _CATEGORIES.get(category[0], " ")


@cache
def _lower(character: str) -> str:
    """One character for one, as Java does it: `İ` becomes `i`, a final sigma is none."""
    return character.lower()[0]
