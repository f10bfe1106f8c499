"""What happens to vectors before they are stored: spaces, prefixes. NumPy only, no engine."""

from kokeshi.codes.matryoshka import prefix, prefixes
from kokeshi.codes.spaces import SPACES, SpaceMap, normalise

__all__ = ["SPACES", "SpaceMap", "normalise", "prefix", "prefixes"]
