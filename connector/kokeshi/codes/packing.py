"""Codes as the bytes that are stored: 4-bit codes two to a byte."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kokeshi.errors import CodebookError

Codes = npt.NDArray[np.uint8]
"""Codes (N, M), one byte each, or packed (N, B)."""

CODEBOOK_SIZES = (16, 256)
"""How many codewords a subvector can have: their numbers fill half a byte, or a byte."""


def pack(codes: Codes, codebook_size: int) -> Codes:
    """Return codes (N, M) as (N, B) bytes: B = M, or ceil(M / 2) of 16 codewords.

    Of 16 codewords, the even subvector is in the low half of a byte; after an odd number of
    subvectors the last high half is 0.

    >>> pack(np.array([[1, 2, 3]], np.uint8), 16)
    array([[33,  3]], dtype=uint8)

    Raises:
        CodebookError: the codebook size is neither 16 nor 256, or a code is not below it.
    """
    check_codes(codes, codebook_size)
    if codebook_size == 256:
        return codes
    packed: Codes = codes[:, ::2].copy()
    packed[:, : codes.shape[1] // 2] |= codes[:, 1::2] << 4
    return packed


def unpack(packed: Codes, num_subvectors: int, codebook_size: int) -> Codes:
    """Return the codes (N, M) of packed (N, B): the inverse of `pack`.

    Raises:
        CodebookError: the codebook size is neither 16 nor 256, or B does not fit M.
    """
    check_codebook_size(codebook_size)
    expected = code_bytes(num_subvectors, codebook_size)
    if packed.ndim != 2 or packed.shape[1] != expected:
        raise CodebookError(
            f"packed codes of shape {packed.shape}: {num_subvectors} subvectors of {codebook_size} "
            f"codewords take (N, {expected})"
        )
    if codebook_size == 256:
        return packed
    codes = np.empty((len(packed), 2 * expected), np.uint8)
    np.bitwise_and(packed, 15, out=codes[:, ::2])
    np.right_shift(packed, 4, out=codes[:, 1::2])
    return codes[:, :num_subvectors]


def code_bytes(num_subvectors: int, codebook_size: int) -> int:
    """Return B, the bytes that the codes of M subvectors take when they are packed.

    >>> code_bytes(25, 16), code_bytes(25, 256)
    (13, 25)
    """
    return num_subvectors if codebook_size == 256 else -(-num_subvectors // 2)


def check_codes(codes: Codes, codebook_size: int) -> None:
    """Refuse what are no codes (N, M) of uint8 below the codebook's size.

    Raises:
        CodebookError: names the type, shape or code.
    """
    check_codebook_size(codebook_size)
    if codes.ndim != 2 or codes.dtype != np.uint8:
        raise CodebookError(f"codes of {codes.dtype} {codes.shape}: give uint8 (N, M)")
    if codes.size and (top := int(codes.max())) >= codebook_size:
        raise CodebookError(
            f"the code {top} of a codebook of {codebook_size} codewords: codes are 0 to "
            f"{codebook_size - 1}"
        )


def check_codebook_size(codebook_size: int) -> None:
    """Refuse a number of codewords that does not fill half a byte or a byte.

    Raises:
        CodebookError: it is neither 16 nor 256.
    """
    if codebook_size not in CODEBOOK_SIZES:
        raise CodebookError(f"codebook_size {codebook_size}: write 16 (4 bits) or 256 (8 bits)")
