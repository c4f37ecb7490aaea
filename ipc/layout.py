"""numpy types of the shared layouts, made from the cffi types; there is no second description."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ipc._core import ffi


@cache
def dtype(name: str) -> np.dtype[np.void]:
    """Returns the structured type of a C struct by its typedef name, e.g. `sf_pool_row_t`.

    Padding has no fields, but is part of the item size.  `char` arrays are byte strings, arrays of
    numbers are subarrays, so a public key is `uint8[32]`.  Raises KeyError for an unknown name.
    """
    if not name.startswith("sf_") or name not in ffi.list_types()[0]:
        raise KeyError(f"no layout {name}")
    found = _convert(ffi.typeof(name))
    assert isinstance(found, np.dtype)
    return found


def _convert(ctype: Any) -> Any:
    if ctype.kind == "array":
        if ctype.item.cname == "char":
            return np.dtype(f"S{ctype.length}")
        return np.dtype((_convert(ctype.item), (ctype.length,)))
    if ctype.kind == "struct":
        fields = [(name, field) for name, field in ctype.fields if not name.startswith("_pad")]
        return np.dtype(
            {
                "names": [name for name, _ in fields],
                "formats": [_convert(field.type) for _, field in fields],
                "offsets": [field.offset for _, field in fields],
                "itemsize": ffi.sizeof(ctype),
            }
        )
    if ctype.cname == "double":
        return np.dtype("<f8")
    sign = "i" if int(ffi.cast(ctype, -1)) < 0 else "u"
    return np.dtype(f"<{sign}{ffi.sizeof(ctype)}")
