"""Shared structs as tuples: which bytes are which field is taken from the cffi types, there is no second description.

numpy is for many messages at once; for one message `struct` is several times faster.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ipc._core import ffi

_CODES = {"1u": "B", "1i": "b", "2u": "H", "2i": "h", "4u": "I", "4i": "i", "8u": "Q", "8i": "q"}


class Record:
    """Fields of a struct of `ipc/include`, in the order of memory.

    A field of a nested struct is named `intent.slot`, one of an array of structs or numbers `hop[0].pool`; an array of
    bytes or characters is one `bytes` value. Padding is skipped when reading and zero when writing.

    Args:
        name: the struct's typedef name.
        fields: the fields wanted, in the order of memory; all when left out.
        stride: 0, or the bytes of a message with this struct as payload; its header then is `message.seq`, ...
    """

    def __init__(self, name: str, fields: Sequence[str] | None = None, *, stride: int = 0) -> None:
        leaves = list(_leaves(ffi.typeof("sf_message_t"), "message", 0)) if stride else []
        leaves += _leaves(ffi.typeof(name), "", ffi.sizeof("sf_message_t") if stride else 0)
        if fields is not None:
            known = {leaf[0]: leaf for leaf in leaves}
            leaves = [known[field] for field in fields]
        size = stride or ffi.sizeof(name)
        form, end = "<", 0
        for _, at, code in leaves:
            form += f"{at - end}x{code}" if at > end else code
            end = at + struct.calcsize("<" + code)
        self._struct = struct.Struct(form + (f"{size - end}x" if size > end else ""))
        if self._struct.size != size:
            raise ValueError(f"{name}: the fields are not in the order of memory, or do not fit into {size} bytes")
        self.names: tuple[str, ...] = tuple(leaf[0] for leaf in leaves)
        self.size = size
        self.pack = self._struct.pack
        self.unpack_from = self._struct.unpack_from

    def iter_unpack(self, buffer: bytes | bytearray | memoryview) -> Iterator[tuple[Any, ...]]:
        """The records that stand one after the other in `buffer`, whose length must be a multiple of `size`."""
        return self._struct.iter_unpack(buffer)

    def build(self, values: Mapping[str, object]) -> bytes:
        """The bytes of one record; fields that are not named are zero. Raises KeyError for an unknown one."""
        unknown = values.keys() - set(self.names)
        if unknown:
            raise KeyError(f"no field {', '.join(sorted(unknown))}")
        zeros = dict(zip(self.names, self.unpack_from(bytes(self.size)), strict=True))
        return self.pack(*{**zeros, **values}.values())

    def named(self, buffer: bytes | bytearray | memoryview, offset: int = 0) -> dict[str, Any]:
        """The fields of one record by name."""
        return dict(zip(self.names, self.unpack_from(buffer, offset), strict=True))


def _leaves(ctype: Any, name: str, at: int) -> Iterator[tuple[str, int, str]]:
    """Name, offset and struct code of every number, and of every array of bytes, in a type."""
    if ctype.kind == "struct":
        for field, about in ctype.fields:
            if not field.startswith("_pad"):
                yield from _leaves(about.type, f"{name}.{field}" if name else field, at + about.offset)
    elif ctype.kind == "array":
        size = ffi.sizeof(ctype.item)
        if size == 1 and ctype.item.kind == "primitive":
            yield name, at, f"{ctype.length}s"
            return
        for index in range(ctype.length):
            yield from _leaves(ctype.item, f"{name}[{index}]", at + index * size)
    elif ctype.cname == "double":
        yield name, at, "d"
    else:
        sign = "i" if int(ffi.cast(ctype, -1)) < 0 else "u"
        yield name, at, _CODES[f"{ffi.sizeof(ctype)}{sign}"]
