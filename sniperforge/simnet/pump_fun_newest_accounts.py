"""The newest pump.fun program's accounts and instructions, built from plain values; `pump_fun_accounts` has those of
January 2025.

Source: pump-fun/pump-public-docs (``idl/pump.json``, ``docs/instructions``) and captured transactions.  The fee
program's account is that of `pump_swap_accounts.fee_config_data`, put at `FEE_CONFIG`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from sniperforge.simnet.pump_fun_accounts import (
    ASSOCIATED_TOKEN_PROGRAM_ID,
    EVENT_AUTHORITY,
    GLOBAL,
    INITIAL_REAL_TOKENS,
    INITIAL_VIRTUAL_SOL,
    INITIAL_VIRTUAL_TOKENS,
    PROGRAM_ID,
    SYSTEM_PROGRAM_ID,
    TOKEN_PROGRAM_ID,
    TOKEN_SUPPLY,
    _address,
    _discriminator,
)
from sniperforge.simnet.pump_swap_accounts import FEE_PROGRAM_ID, associated_account

NOBODY = Pubkey.default()
SOL = NOBODY
"""What a curve quoted in SOL says of its quote."""
WRAPPED_SOL = Pubkey.from_string("So11111111111111111111111111111111111111112")
CURVE_SIZE = 166
GLOBAL_SIZE = 1100
FEE_CONFIG = Pubkey.find_program_address([b"fee_config", bytes(PROGRAM_ID)], FEE_PROGRAM_ID)[0]
"""Owned by the fee program."""
GLOBAL_VOLUME = _address(b"global_volume_accumulator")


@dataclass(frozen=True)
class CurveKeys:
    """The addresses of one coin."""

    mint: Pubkey
    curve: Pubkey
    curve_tokens: Pubkey
    creator: Pubkey
    quote_mint: Pubkey = SOL
    token_programs: tuple[Pubkey, Pubkey] = (TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID)
    mayhem: bool = False
    cashback: bool = False

    @property
    def creator_vault(self) -> Pubkey:
        """What the creator is paid into; it has to hold rent."""
        return _address(b"creator-vault", bytes(self.creator))

    def quote_tokens(self, owner: Pubkey) -> Pubkey:
        """Where ``owner`` has its quote tokens."""
        mint = WRAPPED_SOL if self.quote_mint == SOL else self.quote_mint
        return associated_account(owner, mint, self.token_programs[1])

    def tokens(self, owner: Pubkey) -> Pubkey:
        """Where ``owner`` has its coins."""
        return associated_account(owner, self.mint, self.token_programs[0])


def user_volume(user: Pubkey) -> Pubkey:
    """Where a user's volume is counted and cashback is paid to; it has to hold rent."""
    return _address(b"user_volume_accumulator", bytes(user))


def derive_curve(
    mint: Pubkey,
    creator: Pubkey,
    *,
    quote_mint: Pubkey = SOL,
    token_programs: tuple[Pubkey, Pubkey] = (TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID),
    mayhem: bool = False,
    cashback: bool = False,
) -> CurveKeys:
    """The keys of the curve of a mint."""
    curve = _address(b"bonding-curve", bytes(mint))
    tokens = associated_account(curve, mint, token_programs[0])
    return CurveKeys(mint, curve, tokens, creator, quote_mint, token_programs, mayhem, cashback)


def curve_data(
    keys: CurveKeys,
    *,
    virtual_tokens: int = INITIAL_VIRTUAL_TOKENS,
    virtual_quote: int = INITIAL_VIRTUAL_SOL,
    real_tokens: int = INITIAL_REAL_TOKENS,
    real_quote: int = 0,
    supply: int = TOKEN_SUPPLY,
    complete: bool = False,
    creator_rate: int = 0,
) -> bytes:
    """The bytes of a BondingCurve account (166); as it is created, unless told otherwise.

    The account holds ``real_quote`` lamports above its rent, or its token account so many tokens.
    """
    numbers = (virtual_tokens, virtual_quote, real_tokens, real_quote, supply)
    data = _discriminator("account:BondingCurve") + struct.pack("<5Q?", *numbers, complete) + bytes(keys.creator)
    data += struct.pack("<??", keys.mayhem, keys.cashback) + bytes(keys.quote_mint) + struct.pack("<Q", creator_rate)
    return data.ljust(CURVE_SIZE, b"\0")


def read_curve(
    mint: Pubkey, data: bytes, token_programs: tuple[Pubkey, Pubkey] = (TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID)
) -> CurveKeys:
    """The keys of an existing curve from its account's bytes; raises ValueError for other bytes."""
    if len(data) < 49 or data[:8] != _discriminator("account:BondingCurve"):
        raise ValueError(f"not the bonding curve of {mint}")
    data = data.ljust(CURVE_SIZE, b"\0")
    return derive_curve(
        mint,
        Pubkey.from_bytes(data[49:81]),
        quote_mint=Pubkey.from_bytes(data[83:115]),
        token_programs=token_programs,
        mayhem=bool(data[81]),
        cashback=bool(data[82]),
    )


class Settings(NamedTuple):
    """What of the program's Global account an instruction names."""

    recipient: Pubkey
    reserved_recipient: Pubkey = NOBODY
    buyback_recipient: Pubkey = NOBODY
    buyback_rate: int = 0


def global_data(settings: Settings, *, creator_rates: bool = False, more_recipients: Sequence[Pubkey] = ()) -> bytes:
    """The bytes of the program's Global account (1100).

    ``creator_rates``: a coin's own creator rate counts.  Up to seven ``more_recipients`` of the protocol's fee.
    """
    numbers = (INITIAL_VIRTUAL_TOKENS, INITIAL_VIRTUAL_SOL, INITIAL_REAL_TOKENS, TOKEN_SUPPLY, 100)
    data = bytearray(GLOBAL_SIZE)
    data[:73] = _discriminator("account:Global") + b"\1" + bytes(NOBODY) + bytes(settings.recipient)
    struct.pack_into("<5Q", data, 73, *numbers)
    more = b"".join(map(bytes, more_recipients))
    data[162 : 162 + len(more)] = more
    data[483:515] = bytes(settings.reserved_recipient)
    data[741:773] = bytes(settings.buyback_recipient)
    struct.pack_into("<Q", data, 997, settings.buyback_rate)
    data[1045] = creator_rates
    return bytes(data)


def read_global(data: bytes) -> Settings:
    """The settings in the Global account's bytes; raises ValueError for other bytes and those of January 2025."""
    if len(data) <= 113 or data[:8] != _discriminator("account:Global"):
        raise ValueError("not the newest Global account of pump.fun")
    data = data.ljust(GLOBAL_SIZE, b"\0")
    keys = [Pubkey.from_bytes(data[at : at + 32]) for at in (41, 483, 741)]
    return Settings(keys[0], keys[1], keys[2], struct.unpack_from("<Q", data, 997)[0])


def _ro(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=False)


def _rw(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=True)


def _first(keys: CurveKeys, settings: Settings, user: Pubkey, *, sale: bool) -> list[AccountMeta]:
    recipient = settings.reserved_recipient if keys.mayhem else settings.recipient
    accounts = [_ro(GLOBAL), _rw(recipient), _ro(keys.mint), _rw(keys.curve), _rw(keys.curve_tokens)]
    accounts += [_rw(keys.tokens(user)), AccountMeta(user, is_signer=True, is_writable=True), _ro(SYSTEM_PROGRAM_ID)]
    pair = [_ro(keys.token_programs[0]), _rw(keys.creator_vault)]
    accounts += [*(reversed(pair) if sale else pair), _ro(EVENT_AUTHORITY), _ro(PROGRAM_ID)]
    if not sale:
        accounts += [_ro(GLOBAL_VOLUME), _rw(user_volume(user))]
    accounts += [_ro(FEE_CONFIG), _ro(FEE_PROGRAM_ID)]
    if sale and keys.cashback:
        accounts.append(_rw(user_volume(user)))
    if settings.buyback_recipient != NOBODY:
        accounts += [_ro(_address(b"bonding-curve-v2", bytes(keys.mint))), _rw(settings.buyback_recipient)]
    return accounts


def _second(keys: CurveKeys, settings: Settings, user: Pubkey, *, sale: bool) -> list[AccountMeta]:
    recipient = settings.reserved_recipient if keys.mayhem else settings.recipient
    buyback, volume = settings.buyback_recipient, user_volume(user)
    sharing = Pubkey.find_program_address([b"sharing-config", bytes(keys.mint)], FEE_PROGRAM_ID)[0]
    mint = WRAPPED_SOL if keys.quote_mint == SOL else keys.quote_mint
    accounts = [_ro(GLOBAL), _ro(keys.mint), _ro(mint), *map(_ro, keys.token_programs)]
    accounts += [_ro(ASSOCIATED_TOKEN_PROGRAM_ID), _rw(recipient), _rw(keys.quote_tokens(recipient))]
    accounts += [_rw(buyback), _rw(keys.quote_tokens(buyback)), _rw(keys.curve), _rw(keys.curve_tokens)]
    accounts += [_rw(keys.quote_tokens(keys.curve)), AccountMeta(user, is_signer=True, is_writable=True)]
    accounts += [_rw(keys.tokens(user)), _rw(keys.quote_tokens(user)), _rw(keys.creator_vault)]
    accounts += [_rw(keys.quote_tokens(keys.creator_vault)), _ro(sharing)]
    if not sale:
        accounts.append(_rw(GLOBAL_VOLUME))
    accounts += [_rw(volume), _rw(keys.quote_tokens(volume)), _ro(FEE_CONFIG), _ro(FEE_PROGRAM_ID)]
    return [*accounts, _ro(SYSTEM_PROGRAM_ID), _ro(EVENT_AUTHORITY), _ro(PROGRAM_ID)]


def _trade(
    names: tuple[str, str], keys: CurveKeys, settings: Settings, user: Pubkey, amounts: tuple[int, int], v2: bool
) -> Instruction:
    sale = names[0] == "sell"
    accounts = (_second if v2 else _first)(keys, settings, user, sale=sale)
    data = _discriminator(f"global:{names[v2]}") + struct.pack("<QQ", *amounts)
    return Instruction(PROGRAM_ID, data + (b"" if v2 or sale else b"\0"), accounts)


def buy_instruction(
    keys: CurveKeys, settings: Settings, *, user: Pubkey, tokens: int, max_quote: int, v2: bool = False
) -> Instruction:
    """Buys exactly ``tokens``; fails when they cost more than ``max_quote``, fees included."""
    return _trade(("buy", "buy_v2"), keys, settings, user, (tokens, max_quote), v2)


def buy_exact_quote_in_instruction(
    keys: CurveKeys, settings: Settings, *, user: Pubkey, quote: int, min_tokens: int, v2: bool = False
) -> Instruction:
    """Spends ``quote``, fees included; fails below ``min_tokens`` received."""
    return _trade(("buy_exact_sol_in", "buy_exact_quote_in_v2"), keys, settings, user, (quote, min_tokens), v2)


def sell_instruction(
    keys: CurveKeys, settings: Settings, *, user: Pubkey, tokens: int, min_quote: int, v2: bool = False
) -> Instruction:
    """Sells exactly ``tokens``; fails when they bring less than ``min_quote`` after fees."""
    return _trade(("sell", "sell_v2"), keys, settings, user, (tokens, min_quote), v2)
