"""pump.fun bonding-curve accounts and instructions of January 2025, built from plain values.

Tokens have 6 decimals, SOL amounts are lamports.  A curve trades against virtual reserves; only the real
ones can be paid out.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

PROGRAM_ID = Pubkey.from_string("6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P")
SYSTEM_PROGRAM_ID = Pubkey.default()
TOKEN_PROGRAM_ID = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
ASSOCIATED_TOKEN_PROGRAM_ID = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
RENT_SYSVAR_ID = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
CURVE_SIZE = 49
TOKEN_SUPPLY = 1_000_000_000_000_000
INITIAL_VIRTUAL_TOKENS = 1_073_000_000_000_000
INITIAL_VIRTUAL_SOL = 30_000_000_000
INITIAL_REAL_TOKENS = 793_100_000_000_000


def _discriminator(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:8]


def _address(*seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), PROGRAM_ID)[0]


GLOBAL = _address(b"global")
EVENT_AUTHORITY = _address(b"__event_authority")


@dataclass(frozen=True)
class CurveKeys:
    """The addresses of one coin."""

    mint: Pubkey
    curve: Pubkey
    curve_tokens: Pubkey


def derive_curve(mint: Pubkey) -> CurveKeys:
    """The keys of the curve of a mint."""
    curve = _address(b"bonding-curve", bytes(mint))
    seeds = [bytes(curve), bytes(TOKEN_PROGRAM_ID), bytes(mint)]
    return CurveKeys(mint, curve, Pubkey.find_program_address(seeds, ASSOCIATED_TOKEN_PROGRAM_ID)[0])


def global_data(*, authority: Pubkey, fee_recipient: Pubkey, fee_basis_points: int) -> bytes:
    """The bytes of the program's Global account (113)."""
    numbers = (
        INITIAL_VIRTUAL_TOKENS, INITIAL_VIRTUAL_SOL, INITIAL_REAL_TOKENS, TOKEN_SUPPLY, fee_basis_points,
    )  # fmt: skip
    head = _discriminator("account:Global") + b"\1" + bytes(authority) + bytes(fee_recipient)
    return head + struct.pack("<5Q", *numbers)


def curve_data(
    *,
    virtual_tokens: int = INITIAL_VIRTUAL_TOKENS,
    virtual_sol: int = INITIAL_VIRTUAL_SOL,
    real_tokens: int = INITIAL_REAL_TOKENS,
    real_sol: int = 0,
    complete: bool = False,
) -> bytes:
    """The bytes of a BondingCurve account (49); as it is created, unless told otherwise.

    The account holds ``real_sol`` lamports above its rent.
    """
    numbers = (virtual_tokens, virtual_sol, real_tokens, real_sol, TOKEN_SUPPLY)
    return _discriminator("account:BondingCurve") + struct.pack("<5Q?", *numbers, complete)


def _trade(
    name: str,
    keys: CurveKeys,
    user: Pubkey,
    user_tokens: Pubkey,
    fee_recipient: Pubkey,
    programs: tuple[Pubkey, Pubkey],
    amounts: tuple[int, int],
) -> Instruction:
    def account(key: Pubkey, *, writable: bool = False) -> AccountMeta:
        return AccountMeta(key, is_signer=False, is_writable=writable)

    accounts = [
        account(GLOBAL),
        account(fee_recipient, writable=True),
        account(keys.mint),
        account(keys.curve, writable=True),
        account(keys.curve_tokens, writable=True),
        account(user_tokens, writable=True),
        AccountMeta(user, is_signer=True, is_writable=True),
        account(SYSTEM_PROGRAM_ID),
        account(programs[0]),
        account(programs[1]),
        account(EVENT_AUTHORITY),
        account(PROGRAM_ID),
    ]
    return Instruction(PROGRAM_ID, _discriminator(f"global:{name}") + struct.pack("<QQ", *amounts), accounts)


def buy_instruction(
    keys: CurveKeys, *, user: Pubkey, user_tokens: Pubkey, fee_recipient: Pubkey, tokens: int, max_sol: int
) -> Instruction:
    """Buys exactly ``tokens``; fails when they cost more than ``max_sol``, fee included."""
    programs = (TOKEN_PROGRAM_ID, RENT_SYSVAR_ID)
    return _trade("buy", keys, user, user_tokens, fee_recipient, programs, (tokens, max_sol))


def sell_instruction(
    keys: CurveKeys, *, user: Pubkey, user_tokens: Pubkey, fee_recipient: Pubkey, tokens: int, min_sol: int
) -> Instruction:
    """Sells exactly ``tokens``; fails when they bring less than ``min_sol`` after the fee."""
    programs = (ASSOCIATED_TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID)
    return _trade("sell", keys, user, user_tokens, fee_recipient, programs, (tokens, min_sol))
