"""Parameters of a JSON-RPC call, checked one by one with Agave's wording (its serde and jsonrpc-core messages)."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from solders.pubkey import Pubkey

from sniperforge import base58
from sniperforge.simnet import encoding
from sniperforge.simnet.accounts import Filter, View
from sniperforge.simnet.errors import INVALID_PARAMS, RpcError, invalid_params

COMMITMENTS = ("processed", "confirmed", "finalized")
ACCOUNT_ENCODINGS = ("binary", "base58", "base64", "jsonParsed", "base64+zstd")
_LEGACY_COMMITMENTS = {
    "recent": "processed",
    "single": "confirmed",
    "singleGossip": "confirmed",
    "root": "finalized",
    "max": "finalized",
}
_MAX_FILTERS = 4
_MAX_MEMCMP_BYTES = 128


def wrong_type(value: Any, expected: str) -> RpcError:
    """The error for a value that is not of the expected type."""
    return invalid_params(f"Invalid params: invalid type: {_describe(value)}, expected {expected}.")


def _describe(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, float):
        return f"floating point `{value}`"
    if isinstance(value, str):
        return f"string {json.dumps(value)}"
    return "sequence" if isinstance(value, list) else "map"


def parse_u64(value: Any, expected: str = "u64", largest: int = 2**64 - 1) -> int:
    """An unsigned integer, or RpcError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(value, expected)
    if not 0 <= value <= largest:
        raise invalid_params(f"Invalid params: invalid value: integer `{value}`, expected {expected}.")
    return value


def parse_string(value: Any, expected: str = "a string") -> str:
    """A string, or RpcError."""
    if not isinstance(value, str):
        raise wrong_type(value, expected)
    return value


def parse_pubkey(text: str) -> Pubkey:
    """A base58 address, or RpcError."""
    return Pubkey.from_bytes(_parse_base58(text, 32, 44))


def parse_blockhash(text: str) -> bytes:
    """A base58 blockhash, or RpcError."""
    return _parse_base58(text, 32, 44)


def parse_signature(text: str) -> bytes:
    """A base58 signature, or RpcError."""
    return _parse_base58(text, 64, 88)


def _parse_base58(text: str, size: int, longest: int) -> bytes:
    with contextlib.suppress(ValueError):
        return base58.decode(text, size)
    if len(text) > longest:
        raise invalid_params("Invalid param: WrongSize")
    try:
        encoding.base58_decode(text)
    except encoding.EncodingError as error:
        raise invalid_params("Invalid param: Invalid") from error
    raise invalid_params("Invalid param: WrongSize")


def parse_variant(value: Any, allowed: tuple[str, ...]) -> str:
    """One of a fixed set of names, or RpcError."""
    if not isinstance(value, str):
        raise wrong_type(value, "a string")
    if value not in allowed:
        names = ", ".join(f"`{name}`" for name in allowed)
        raise invalid_params(f"Invalid params: unknown variant `{value}`, expected one of {names}.")
    return value


class Options:
    """The configuration object at the end of a call; unknown keys are ignored, as Agave does."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def commitment(self, name: str = "commitment") -> str:
        """The commitment; `finalized` when it is not given."""
        value = self.values.get(name)
        if value is None:
            return "finalized"
        if isinstance(value, str) and value in _LEGACY_COMMITMENTS:
            return _LEGACY_COMMITMENTS[value]
        return parse_variant(value, COMMITMENTS)

    def boolean(self, name: str) -> bool:
        """A switch; off when it is not given."""
        value = self.values.get(name)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise wrong_type(value, "a boolean")
        return value

    def u64(self, name: str) -> int | None:
        """An unsigned integer or None."""
        value = self.values.get(name)
        return None if value is None else parse_u64(value)

    def string(self, name: str) -> str | None:
        """A string or None."""
        value = self.values.get(name)
        return None if value is None else parse_string(value)

    def variant(self, name: str, allowed: tuple[str, ...], otherwise: str) -> str:
        """One of a set of names; `otherwise` when it is not given."""
        value = self.values.get(name)
        return otherwise if value is None else parse_variant(value, allowed)

    def view(self, otherwise: str) -> View:
        """How accounts are to be shown."""
        data_slice = self.values.get("dataSlice")
        part: tuple[int, int] | None = None
        if data_slice is not None:
            if not isinstance(data_slice, dict):
                raise wrong_type(data_slice, "struct UiDataSliceConfig")
            for name in ("offset", "length"):
                if name not in data_slice:
                    raise invalid_params(f"Invalid params: missing field `{name}`.")
            part = parse_u64(data_slice["offset"], "usize"), parse_u64(data_slice["length"], "usize")
        return View(self.variant("encoding", ACCOUNT_ENCODINGS, otherwise), part)

    def filters(self) -> list[Filter]:
        """Account filters."""
        value = self.values.get("filters")
        if value is None:
            return []
        if not isinstance(value, list):
            raise wrong_type(value, "a sequence")
        if len(value) > _MAX_FILTERS:
            raise invalid_params(f"Too many filters provided; max {_MAX_FILTERS}")
        return [_parse_filter(item) for item in value]


def _parse_filter(item: Any) -> Filter:
    if not isinstance(item, dict) or len(item) != 1:
        raise wrong_type(item, "enum RpcFilterType")
    kind, detail = next(iter(item.items()))
    if kind == "dataSize":
        return Filter(parse_u64(detail), 0, b"")
    if kind != "memcmp":
        raise invalid_params(f"Invalid params: unknown variant `{kind}`, expected one of `dataSize`, `memcmp`.")
    if not isinstance(detail, dict):
        raise wrong_type(detail, "struct Memcmp")
    for name in ("offset", "bytes"):
        if name not in detail:
            raise invalid_params(f"Invalid params: missing field `{name}`.")
    offset = parse_u64(detail["offset"], "usize")
    value = detail["bytes"]
    try:
        if isinstance(value, list):
            pattern = bytes(parse_u64(byte, "u8", 255) for byte in value)
        elif parse_variant(detail.get("encoding") or "base58", ("base58", "base64")) == "base58":
            text = parse_string(value)
            if len(text) > 2 * _MAX_MEMCMP_BYTES:
                raise invalid_params("Invalid param: DataTooLarge")
            pattern = encoding.base58_decode(text)
        else:
            pattern = encoding.base64_decode(parse_string(value))
    except encoding.EncodingError as error:
        raise invalid_params(f"Invalid param: {error}") from error
    if len(pattern) > _MAX_MEMCMP_BYTES:
        raise invalid_params("Invalid param: DataTooLarge")
    return Filter(None, offset, pattern)


class Params:
    """The positional parameters of one call, between `least` and `most` of them."""

    def __init__(self, values: Any, least: int, most: int) -> None:
        if isinstance(values, dict):
            raise wrong_type(values, f"a tuple of size {most}")
        self.values: list[Any] = values if values is not None else []
        if not most and self.values:
            raise RpcError(INVALID_PARAMS, "No parameters were expected", repr(self.values)[:200])
        if len(self.values) > most:
            text = f"Expected from {least} to {most} parameters."
            raise RpcError(INVALID_PARAMS, text, f'"Got: {len(self.values)}"')
        if len(self.values) < least:
            raise invalid_params(f"`params` should have at least {least} argument(s)")

    def has(self, index: int) -> bool:
        """Whether the parameter is given and not null."""
        return index < len(self.values) and self.values[index] is not None

    def string(self, index: int) -> str:
        """A string."""
        return parse_string(self.values[index])

    def pubkey(self, index: int) -> Pubkey:
        """A base58 address."""
        return parse_pubkey(self.string(index))

    def u64(self, index: int) -> int:
        """An unsigned integer."""
        return parse_u64(self.values[index])

    def strings(self, index: int, most: int) -> list[str]:
        """A list of at most `most` strings."""
        values = self.values[index]
        if not isinstance(values, list):
            raise wrong_type(values, "a sequence")
        if len(values) > most:
            raise invalid_params(f"Too many inputs provided; max {most}")
        return [parse_string(value) for value in values]

    def mapping(self, index: int, expected: str) -> dict[str, Any]:
        """An object."""
        value = self.values[index]
        if not isinstance(value, dict):
            raise wrong_type(value, expected)
        return value

    def options(self, index: int) -> Options:
        """The configuration object; empty when it is not given."""
        if not self.has(index):
            return Options({})
        return Options(self.mapping(index, "a configuration object"))
