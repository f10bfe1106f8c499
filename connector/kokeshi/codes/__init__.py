"""What happens to vectors before they are stored: spaces, prefixes, rotations, short codes. No engine.

NumPy, and faiss (extra `codes`) where something is learned.
"""

from kokeshi.codes.binary import BinaryCode
from kokeshi.codes.cells import Cells
from kokeshi.codes.codebook import Codebook, load_codebook
from kokeshi.codes.in_process import build_faiss_index, search_codes
from kokeshi.codes.int8 import Int8Code
from kokeshi.codes.matryoshka import prefix, prefixes
from kokeshi.codes.packing import pack, unpack
from kokeshi.codes.product import ProductQuantizer
from kokeshi.codes.rotation import OpqRotation, PcaRotation, Rotation
from kokeshi.codes.score_aware import ScoreAwareQuantizer
from kokeshi.codes.spaces import SPACES, SpaceMap, normalise
from kokeshi.codes.training import TrainingOptions, train_codebook

__all__ = [
    "SPACES",
    "BinaryCode",
    "Cells",
    "Codebook",
    "Int8Code",
    "OpqRotation",
    "PcaRotation",
    "ProductQuantizer",
    "Rotation",
    "ScoreAwareQuantizer",
    "SpaceMap",
    "TrainingOptions",
    "build_faiss_index",
    "load_codebook",
    "normalise",
    "pack",
    "prefix",
    "prefixes",
    "search_codes",
    "train_codebook",
    "unpack",
]
