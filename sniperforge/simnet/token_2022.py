"""Token-2022 mints that withhold a fee of every transfer, and accounts of theirs.

Source: spl-token-2022 ``extension/{mod,transfer_fee/mod}.rs``.
"""

from __future__ import annotations

import struct

from solders.pubkey import Pubkey

from sniperforge.simnet.faucet import mint_data, token_account_data
from sniperforge.simnet.transactions import TOKEN_2022_PROGRAM

PROGRAM_ID = TOKEN_2022_PROGRAM
_ACCOUNT_BYTES = 165
_MINT, _ACCOUNT = b"\1", b"\2"
_FEE_CONFIG, _FEE_AMOUNT, _IMMUTABLE_OWNER = 1, 2, 7


def _extension(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def fee_mint_data(*, decimals: int, supply: int, authority: Pubkey, fee_bps: int, most: int = 2**64 - 1) -> bytes:
    """A mint (278 bytes) that withholds ``fee_bps`` of each transfer, ``most`` units at most."""
    fee = struct.pack("<QQH", 0, most, fee_bps)
    config = bytes(authority) * 2 + bytes(8) + fee * 2
    head = mint_data(decimals=decimals, supply=supply, authority=authority).ljust(_ACCOUNT_BYTES, b"\0")
    return head + _MINT + _extension(_FEE_CONFIG, config)


def fee_account_data(*, mint: Pubkey, owner: Pubkey, amount: int) -> bytes:
    """An account (182 bytes) of such a mint, as the associated token program makes it."""
    head = token_account_data(mint=mint, owner=owner, amount=amount, rent=None)
    return head + _ACCOUNT + _extension(_IMMUTABLE_OWNER, b"") + _extension(_FEE_AMOUNT, bytes(8))
