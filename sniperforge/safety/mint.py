"""A mint account of either token program: what it says, down to each Token-2022 extension.

Source: token `state.rs`, token-2022 `extension/mod.rs` (type-length-value entries behind the account type byte).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from solders.pubkey import Pubkey
from spl.token.constants import TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID

TOKEN = TOKEN_PROGRAM_ID
TOKEN_2022 = TOKEN_2022_PROGRAM_ID

_MINT_BYTES = 82
_ACCOUNT_BYTES = 165
_IS_MINT, _IS_ACCOUNT = 1, 2
_FROZEN = 2


class NotAMintError(ValueError):
    """An account is no mint; the text says why."""


class Extension(NamedTuple):
    """One Token-2022 extension: its number and its bytes."""

    kind: int
    data: bytes


class Mint(NamedTuple):
    """A decoded mint."""

    program: Pubkey
    authority: Pubkey | None
    freeze_authority: Pubkey | None
    supply: int
    decimals: int
    extensions: tuple[Extension, ...]


def apart_from_supply(data: bytes) -> bytes:
    """A mint's bytes without its supply, which alone changes in the ordinary course of things."""
    return data[:36] + data[44:]


class Holding(NamedTuple):
    """A decoded token account."""

    mint: Pubkey
    owner: Pubkey
    amount: int
    frozen: bool


def decode(program: Pubkey, data: bytes) -> Mint:
    """The mint in the bytes of an account that `program` owns.

    Raises:
        NotAMintError: it is none.
    """
    if program not in (TOKEN, TOKEN_2022):
        raise NotAMintError(f"its owner {program} is neither of the token programs")
    if len(data) != _MINT_BYTES and (
        program == TOKEN or len(data) <= _ACCOUNT_BYTES or data[_ACCOUNT_BYTES] != _IS_MINT
    ):
        raise NotAMintError(f"its {len(data)} bytes are not those of a mint")
    if data[45] != 1 or any(data[_MINT_BYTES:_ACCOUNT_BYTES]):
        raise NotAMintError("it is not an initialized mint")
    return Mint(
        program=program,
        authority=_optional_key(data, 0),
        freeze_authority=_optional_key(data, 46),
        supply=struct.unpack_from("<Q", data, 36)[0],
        decimals=data[44],
        extensions=tuple(_extensions(data)),
    )


def _optional_key(data: bytes, offset: int) -> Pubkey | None:
    (some,) = struct.unpack_from("<I", data, offset)
    if some > 1:
        raise NotAMintError(f"{some} at offset {offset} tells neither an authority nor none")
    return Pubkey.from_bytes(data[offset + 4 : offset + 36]) if some else None


def _extensions(data: bytes) -> list[Extension]:
    found: list[Extension] = []
    at = _ACCOUNT_BYTES + 1
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("<HH", data, at)
        if not kind:
            break
        if at + 4 + length > len(data):
            raise NotAMintError(f"extension {kind} at offset {at} is longer than the account")
        found.append(Extension(kind, data[at + 4 : at + 4 + length]))
        at += 4 + length
    if any(data[at:]):
        raise NotAMintError(f"bytes at offset {at} belong to no extension")
    return found


def holding(program: Pubkey, data: bytes) -> Holding | None:
    """The token account in the bytes of an account that `program` owns; None if it is none."""
    if program not in (TOKEN, TOKEN_2022) or len(data) < _ACCOUNT_BYTES or data[108] not in (1, _FROZEN):
        return None
    if len(data) > _ACCOUNT_BYTES and data[_ACCOUNT_BYTES] != _IS_ACCOUNT:
        return None
    return Holding(
        Pubkey.from_bytes(data[:32]),
        Pubkey.from_bytes(data[32:64]),
        struct.unpack_from("<Q", data, 64)[0],
        data[108] == _FROZEN,
    )
