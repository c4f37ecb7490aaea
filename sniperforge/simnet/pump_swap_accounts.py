"""PumpSwap accounts and instructions, built from plain values: what a market needs to open pools.

Source: pump-fun/pump-public-docs (``idl/pump_amm.json``, ``idl/pump_fees.json``, ``PUMP_SWAP_TRADE_V2``) and
accounts of the chain.  Pairs are (base, quote); rates are basis points; amounts are base units.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

PROGRAM_ID = Pubkey.from_string("pAMMBay6oceH9fJKBRHGP5D4bD4sWpmSwMn52FMfXEA")
CURVE_PROGRAM_ID = Pubkey.from_string("6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P")
FEE_PROGRAM_ID = Pubkey.from_string("pfeeUxB6jkeY1Hxd7CsFCAjcbHA9rWtchMGdZ6VojVZ")
TOKEN_PROGRAM_ID = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
ASSOCIATED_TOKEN_PROGRAM_ID = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
SYSTEM_PROGRAM_ID = Pubkey.default()
NOBODY = Pubkey.default()
RECIPIENTS = 8
POOL_SIZE = 300
GLOBAL_SIZE = 949
FEE_CONFIG_SIZE = 4097
TIERS_MAX = 99
"""As many tiers as fit an account of that size."""


class Rates(NamedTuple):
    """Basis points of the quote that a trade moves."""

    lp: int = 0
    protocol: int = 0
    creator: int = 0


NO_RATES = Rates()
OLDER_RATES = Rates(20, 5, 5)
"""What every pool paid before there was a fee program."""


def _discriminator(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:8]


def _address(*seeds: bytes, program: Pubkey = PROGRAM_ID) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), program)[0]


GLOBAL_CONFIG = _address(b"global_config")
FEE_CONFIG = _address(b"fee_config", bytes(PROGRAM_ID), program=FEE_PROGRAM_ID)
"""Owned by the fee program."""
EVENT_AUTHORITY = _address(b"__event_authority")
GLOBAL_VOLUME = _address(b"global_volume_accumulator")


def associated_account(owner: Pubkey, mint: Pubkey, token_program: Pubkey = TOKEN_PROGRAM_ID) -> Pubkey:
    """Where ``owner`` has its tokens of ``mint``."""
    return _address(bytes(owner), bytes(token_program), bytes(mint), program=ASSOCIATED_TOKEN_PROGRAM_ID)


def pool_authority(base_mint: Pubkey) -> Pubkey:
    """Creator of the pool that pump.fun itself makes of a coin."""
    return _address(b"pool-authority", bytes(base_mint), program=CURVE_PROGRAM_ID)


@dataclass(frozen=True)
class PoolKeys:
    """The addresses of one pool."""

    pool: Pubkey
    bump: int
    index: int
    creator: Pubkey
    mints: tuple[Pubkey, Pubkey]
    token_programs: tuple[Pubkey, Pubkey]
    vaults: tuple[Pubkey, Pubkey]
    lp_mint: Pubkey
    coin_creator: Pubkey

    @property
    def creator_vault(self) -> Pubkey:
        """Owner of the token account that the coin's creator is paid into."""
        return _address(b"creator_vault", bytes(self.coin_creator))

    @property
    def creator_tokens(self) -> Pubkey:
        """The token account that the coin's creator is paid into."""
        return associated_account(self.creator_vault, self.mints[1], self.token_programs[1])

    def recipient_tokens(self, recipient: Pubkey) -> Pubkey:
        """The token account that a recipient of fees is paid into."""
        return associated_account(recipient, self.mints[1], self.token_programs[1])


def derive_pool(
    *,
    mints: tuple[Pubkey, Pubkey],
    creator: Pubkey | None = None,
    coin_creator: Pubkey = NOBODY,
    index: int = 0,
    token_programs: tuple[Pubkey, Pubkey] = (TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID),
) -> PoolKeys:
    """The keys of the pool of two mints; without ``creator`` the one that pump.fun makes."""
    creator = creator or pool_authority(mints[0])
    seeds = [b"pool", struct.pack("<H", index), bytes(creator), bytes(mints[0]), bytes(mints[1])]
    pool, bump = Pubkey.find_program_address(seeds, PROGRAM_ID)
    base, quote = (associated_account(pool, mints[i], token_programs[i]) for i in (0, 1))
    lp_mint = _address(b"pool_lp_mint", bytes(pool))
    return PoolKeys(pool, bump, index, creator, mints, token_programs, (base, quote), lp_mint, coin_creator)


def read_pool(
    pool: Pubkey, data: bytes, token_programs: tuple[Pubkey, Pubkey] = (TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID)
) -> PoolKeys:
    """The keys of an existing pool from its account's bytes; raises ValueError for other bytes."""
    if len(data) < 243 or data[:8] != _discriminator("account:Pool"):
        raise ValueError(f"{pool} does not hold a PumpSwap pool")

    def key(offset: int) -> Pubkey:
        return Pubkey.from_bytes(data[offset : offset + 32])

    bump, index = struct.unpack_from("<BH", data, 8)
    mints, vaults = (key(43), key(75)), (key(139), key(171))
    return PoolKeys(pool, bump, index, key(11), mints, token_programs, vaults, key(107), key(211))


def pool_data(
    keys: PoolKeys,
    *,
    lp_supply: int,
    mayhem: bool = False,
    cashback: bool = False,
    virtual_quote: int = 0,
    creator_rate: int = 0,
    protocol_fees: int = 0,
    creator_fees: int = 0,
) -> bytes:
    """The bytes of a pool's account (300).

    ``virtual_quote`` (signed) is added to what the quote vault holds; the two fees wait in the vault.
    """
    addresses = (keys.creator, *keys.mints, keys.lp_mint, *keys.vaults)
    data = _discriminator("account:Pool") + struct.pack("<BH", keys.bump, keys.index)
    data += b"".join(map(bytes, addresses)) + struct.pack("<Q", lp_supply) + bytes(keys.coin_creator)
    data += struct.pack("<??", mayhem, cashback) + virtual_quote.to_bytes(16, "little", signed=True)
    data += struct.pack("<QBBQQ", creator_rate, 0, 0, protocol_fees, creator_fees)
    return data.ljust(POOL_SIZE, b"\0")


def global_data(
    *,
    recipients: Sequence[Pubkey],
    reserved_recipient: Pubkey = NOBODY,
    buyback_recipients: Sequence[Pubkey] = (),
    buyback_rate: int = 0,
    rates: Rates = OLDER_RATES,
    creator_rates: bool = False,
    disabled: int = 0,
    admin: Pubkey = NOBODY,
) -> bytes:
    """The bytes of the program's GlobalConfig account (949).

    Up to eight ``recipients`` of the protocol's fee; ``buyback_rate`` is the part of it that goes to one of
    ``buyback_recipients``.  ``disabled`` has bit 3 for buys and bit 4 for sales; ``creator_rates``: a pool's
    own creator rate counts.
    """

    def padded(keys: Sequence[Pubkey]) -> bytes:
        return b"".join(map(bytes, keys)).ljust(32 * RECIPIENTS, b"\0")

    data = _discriminator("account:GlobalConfig") + bytes(admin)
    data += struct.pack("<QQB", rates.lp, rates.protocol, disabled) + padded(recipients)
    data += struct.pack("<Q", rates.creator) + bytes(64) + bytes(reserved_recipient) + bytes(226)
    data += padded(buyback_recipients) + struct.pack("<Q33x?", buyback_rate, creator_rates)
    return data.ljust(GLOBAL_SIZE, b"\0")


@dataclass(frozen=True)
class Settings:
    """What of the program's GlobalConfig an instruction names."""

    recipient: Pubkey
    reserved_recipient: Pubkey
    buyback_recipient: Pubkey
    buyback_rate: int


def read_global(data: bytes) -> Settings:
    """The settings in the GlobalConfig's bytes; raises ValueError for other bytes."""
    if len(data) < 353 or data[:8] != _discriminator("account:GlobalConfig"):
        raise ValueError("not PumpSwap's GlobalConfig")
    data = data.ljust(GLOBAL_SIZE, b"\0")
    keys = [Pubkey.from_bytes(data[at : at + 32]) for at in (57, 385, 643)]
    return Settings(keys[0], keys[1], keys[2], struct.unpack_from("<Q", data, 899)[0])


def fee_config_data(
    *,
    flat: Rates,
    tiers: Sequence[tuple[int, Rates]],
    stable: Sequence[tuple[int, Rates]] = (),
    exotic: Rates = NO_RATES,
) -> bytes:
    """The bytes of the fee program's FeeConfig account (4097).

    ``flat`` is for pools that are not pump.fun's own.  ``tiers`` are (market cap from which they hold, rates)
    for pairs with SOL, ``stable`` for pairs with USDC (none: as ``tiers``), ``exotic`` for other pairs.
    """
    if len(tiers) + len(stable) > TIERS_MAX:
        raise ValueError(f"{len(tiers) + len(stable)} tiers are more than {TIERS_MAX}")

    def listed(them: Sequence[tuple[int, Rates]]) -> bytes:
        entries = (cap.to_bytes(16, "little") + struct.pack("<3Q", *rates) for cap, rates in them)
        return struct.pack("<I", len(them)) + b"".join(entries)

    data = _discriminator("account:FeeConfig") + bytes(33) + struct.pack("<3Q", *flat)
    data += listed(tiers) + listed(stable) + struct.pack("<3Q", *exotic)
    return data.ljust(FEE_CONFIG_SIZE, b"\0")


def _accounts(
    keys: PoolKeys,
    settings: Settings,
    user: Pubkey,
    users: tuple[Pubkey, Pubkey],
    *,
    sale: bool,
    v2: bool,
    mayhem: bool,
) -> list[AccountMeta]:
    def ro(key: Pubkey) -> AccountMeta:
        return AccountMeta(key, is_signer=False, is_writable=False)

    def rw(key: Pubkey) -> AccountMeta:
        return AccountMeta(key, is_signer=False, is_writable=True)

    user_volume = _address(b"user_volume_accumulator", bytes(user))
    head = [
        rw(keys.pool),
        AccountMeta(user, is_signer=True, is_writable=True),
        ro(GLOBAL_CONFIG),
        *map(ro, keys.mints),
        *map(rw, users),
        *map(rw, keys.vaults),
    ]
    programs = [*map(ro, keys.token_programs), ro(SYSTEM_PROGRAM_ID)]
    end = [ro(EVENT_AUTHORITY), ro(PROGRAM_ID)]
    if v2:
        buyback = keys.recipient_tokens(settings.buyback_recipient)
        return [*head, *programs, rw(user_volume), ro(FEE_CONFIG), rw(buyback), *end]
    recipient = settings.reserved_recipient if mayhem else settings.recipient
    accounts = [*head, ro(recipient), rw(keys.recipient_tokens(recipient)), *programs]
    accounts += [ro(ASSOCIATED_TOKEN_PROGRAM_ID), *end, rw(keys.creator_tokens), ro(keys.creator_vault)]
    if not sale:
        accounts += [rw(GLOBAL_VOLUME), rw(user_volume)]
    accounts += [ro(FEE_CONFIG), ro(FEE_PROGRAM_ID)]
    if settings.buyback_rate:
        buyer = settings.buyback_recipient
        if keys.coin_creator != NOBODY:
            accounts.append(ro(_address(b"pool-v2", bytes(keys.mints[0]))))
        accounts += [ro(buyer), rw(keys.recipient_tokens(buyer))]
    return accounts


def buy_instruction(
    keys: PoolKeys,
    settings: Settings,
    *,
    user: Pubkey,
    user_accounts: tuple[Pubkey, Pubkey],
    base: int,
    max_quote: int,
    v2: bool = False,
    mayhem: bool = False,
) -> Instruction:
    """Buys exactly ``base``; fails when it costs more than ``max_quote``.  ``v2``: fees stay in the pool."""
    accounts = _accounts(keys, settings, user, user_accounts, sale=False, v2=v2, mayhem=mayhem)
    data = struct.pack("<QQ", base, max_quote) + (b"" if v2 else b"\0")
    return Instruction(PROGRAM_ID, _discriminator("global:buy_v2" if v2 else "global:buy") + data, accounts)


def buy_exact_quote_in_instruction(
    keys: PoolKeys,
    settings: Settings,
    *,
    user: Pubkey,
    user_accounts: tuple[Pubkey, Pubkey],
    quote: int,
    min_base: int,
    v2: bool = False,
    mayhem: bool = False,
) -> Instruction:
    """Spends exactly ``quote``; fails below ``min_base`` received.  ``v2``: fees stay in the pool."""
    accounts = _accounts(keys, settings, user, user_accounts, sale=False, v2=v2, mayhem=mayhem)
    name = "global:buy_exact_quote_in_v2" if v2 else "global:buy_exact_quote_in"
    data = struct.pack("<QQ", quote, min_base) + (b"" if v2 else b"\0")
    return Instruction(PROGRAM_ID, _discriminator(name) + data, accounts)


def sell_instruction(
    keys: PoolKeys,
    settings: Settings,
    *,
    user: Pubkey,
    user_accounts: tuple[Pubkey, Pubkey],
    base: int,
    min_quote: int,
    v2: bool = False,
    mayhem: bool = False,
) -> Instruction:
    """Sells exactly ``base``; fails below ``min_quote`` received.  ``v2``: fees stay in the pool."""
    accounts = _accounts(keys, settings, user, user_accounts, sale=True, v2=v2, mayhem=mayhem)
    name = "global:sell_v2" if v2 else "global:sell"
    return Instruction(PROGRAM_ID, _discriminator(name) + struct.pack("<QQ", base, min_quote), accounts)
