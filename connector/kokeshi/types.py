"""Array types that docstrings and signatures share."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
"""An array of float32; the docstring gives its shape."""

Floats = npt.NDArray[np.floating[Any]]
"""An array of float32 or float64."""

FieldType = Literal["float", "integer", "keyword", "boolean", "date"]
"""What metadata can be; `float` is a double in the engine, `integer` a long."""

Base64Floats = Literal["<f4", ">f4"]
"""The NumPy type of the numbers that an engine takes as a vector in base64."""

Json = dict[str, Any]
"""A JSON object: a mapping, a request body, a response."""
