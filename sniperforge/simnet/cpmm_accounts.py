"""Raydium CPMM accounts and instructions, built from plain values: what a market needs to open pools.

Source: raydium-io/raydium-cp-swap ``states/{pool,config,oracle}.rs`` and ``instructions/swap_base_*.rs``.
All rates are in millionths; amounts are base units.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

PROGRAM_ID = Pubkey.from_string("CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C")
TOKEN_PROGRAM_ID = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
NOBODY = Pubkey.default()
POOL_SIZE = 637
CONFIG_SIZE = 236
OBSERVATION_SIZE = 4075


def _discriminator(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:8]


def _address(*seeds: bytes) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address(list(seeds), PROGRAM_ID)


AUTHORITY, AUTHORITY_BUMP = _address(b"vault_and_lp_mint_auth_seed")
"""The address that owns every vault and signs what leaves it."""


def config_address(index: int) -> Pubkey:
    """Address of AmmConfig number ``index``."""
    return _address(b"amm_config", struct.pack(">H", index))[0]


@dataclass(frozen=True)
class PoolKeys:
    """The addresses of one pool; index 0 and 1 are the program's token 0 and token 1."""

    pool: Pubkey
    config: Pubkey
    mints: tuple[Pubkey, Pubkey]
    token_programs: tuple[Pubkey, Pubkey]
    vaults: tuple[Pubkey, Pubkey]
    lp_mint: Pubkey
    observation: Pubkey


def derive_pool(
    *,
    config: Pubkey,
    mints: tuple[Pubkey, Pubkey],
    token_programs: tuple[Pubkey, Pubkey] = (TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID),
) -> PoolKeys:
    """The keys of the pool of two mints, given in any order; the program's order is by address."""
    if bytes(mints[1]) < bytes(mints[0]):
        mints, token_programs = (mints[1], mints[0]), (token_programs[1], token_programs[0])
    pool, _ = _address(b"pool", bytes(config), bytes(mints[0]), bytes(mints[1]))
    return PoolKeys(
        pool=pool,
        config=config,
        mints=mints,
        token_programs=token_programs,
        vaults=(
            _address(b"pool_vault", bytes(pool), bytes(mints[0]))[0],
            _address(b"pool_vault", bytes(pool), bytes(mints[1]))[0],
        ),
        lp_mint=_address(b"pool_lp_mint", bytes(pool))[0],
        observation=_address(b"observation", bytes(pool))[0],
    )


def read_pool(pool: Pubkey, data: bytes) -> PoolKeys:
    """The keys of an existing pool from its account's bytes; raises ValueError for other bytes."""
    if len(data) < POOL_SIZE or data[:8] != _discriminator("account:PoolState"):
        raise ValueError(f"{pool} does not hold a Raydium CPMM PoolState")

    def key(offset: int) -> Pubkey:
        return Pubkey.from_bytes(data[offset : offset + 32])

    return PoolKeys(
        pool=pool,
        config=key(8),
        mints=(key(168), key(200)),
        token_programs=(key(232), key(264)),
        vaults=(key(72), key(104)),
        lp_mint=key(136),
        observation=key(296),
    )


def config_data(
    *,
    index: int,
    trade_fee_rate: int,
    protocol_fee_rate: int,
    fund_fee_rate: int,
    creator_fee_rate: int,
    create_pool_fee: int = 0,
    protocol_owner: Pubkey = NOBODY,
    fund_owner: Pubkey = NOBODY,
) -> bytes:
    """The bytes of an AmmConfig account (236).

    ``protocol_fee_rate`` and ``fund_fee_rate`` are shares of the trade fee.
    """
    bump = _address(b"amm_config", struct.pack(">H", index))[1]
    head = _discriminator("account:AmmConfig") + struct.pack(
        "<B?HQQQQ", bump, False, index, trade_fee_rate, protocol_fee_rate, fund_fee_rate, create_pool_fee
    )
    data = head + bytes(protocol_owner) + bytes(fund_owner) + struct.pack("<Q", creator_fee_rate)
    return data.ljust(CONFIG_SIZE, b"\0")


def pool_data(
    keys: PoolKeys,
    *,
    decimals: tuple[int, int],
    lp_supply: int,
    creator: Pubkey = NOBODY,
    status: int = 0,
    open_time: int = 0,
    recent_epoch: int = 0,
    creator_fee_on: int = 0,
    enable_creator_fee: bool = False,
    protocol_fees: tuple[int, int] = (0, 0),
    fund_fees: tuple[int, int] = (0, 0),
    creator_fees: tuple[int, int] = (0, 0),
) -> bytes:
    """The bytes of a PoolState account (637).

    ``status`` bit 2 set stops swaps.  ``creator_fee_on`` says which token pays the creator's fee: 0 the
    one that comes in, 1 token 0, 2 token 1.  The fees are what the vaults hold but owe.
    """
    addresses = (
        keys.config, creator, *keys.vaults, keys.lp_mint, *keys.mints, *keys.token_programs,
        keys.observation,
    )  # fmt: skip
    data = _discriminator("account:PoolState") + b"".join(map(bytes, addresses))
    data += struct.pack(
        "<BBBBBQ4QQQB?6x2Q", AUTHORITY_BUMP, status, 9, *decimals, lp_supply, *protocol_fees,
        *fund_fees, open_time, recent_epoch, creator_fee_on, enable_creator_fee, *creator_fees,
    )  # fmt: skip
    return data.ljust(POOL_SIZE, b"\0")


def observation_data(keys: PoolKeys) -> bytes:
    """The bytes of a pool's ObservationState account (4075) before its first swap."""
    head = _discriminator("account:ObservationState") + bytes(3) + bytes(keys.pool)
    return head.ljust(OBSERVATION_SIZE, b"\0")


def _swap(
    name: str,
    keys: PoolKeys,
    payer: Pubkey,
    input_mint: Pubkey,
    input_account: Pubkey,
    output_account: Pubkey,
    amounts: tuple[int, int],
) -> Instruction:
    side = keys.mints.index(input_mint)
    accounts = [
        AccountMeta(payer, is_signer=True, is_writable=False),
        AccountMeta(AUTHORITY, is_signer=False, is_writable=False),
        AccountMeta(keys.config, is_signer=False, is_writable=False),
        AccountMeta(keys.pool, is_signer=False, is_writable=True),
        AccountMeta(input_account, is_signer=False, is_writable=True),
        AccountMeta(output_account, is_signer=False, is_writable=True),
        AccountMeta(keys.vaults[side], is_signer=False, is_writable=True),
        AccountMeta(keys.vaults[1 - side], is_signer=False, is_writable=True),
        AccountMeta(keys.token_programs[side], is_signer=False, is_writable=False),
        AccountMeta(keys.token_programs[1 - side], is_signer=False, is_writable=False),
        AccountMeta(keys.mints[side], is_signer=False, is_writable=False),
        AccountMeta(keys.mints[1 - side], is_signer=False, is_writable=False),
        AccountMeta(keys.observation, is_signer=False, is_writable=True),
    ]
    return Instruction(PROGRAM_ID, _discriminator(f"global:{name}") + struct.pack("<QQ", *amounts), accounts)


def swap_base_input_instruction(
    keys: PoolKeys,
    *,
    payer: Pubkey,
    input_mint: Pubkey,
    input_account: Pubkey,
    output_account: Pubkey,
    amount_in: int,
    minimum_amount_out: int,
) -> Instruction:
    """Sells exactly ``amount_in`` of ``input_mint``; fails below ``minimum_amount_out`` received."""
    amounts = (amount_in, minimum_amount_out)
    return _swap("swap_base_input", keys, payer, input_mint, input_account, output_account, amounts)


def swap_base_output_instruction(
    keys: PoolKeys,
    *,
    payer: Pubkey,
    input_mint: Pubkey,
    input_account: Pubkey,
    output_account: Pubkey,
    max_amount_in: int,
    amount_out: int,
) -> Instruction:
    """Buys exactly ``amount_out`` (as received); fails when it costs more than ``max_amount_in``."""
    amounts = (max_amount_in, amount_out)
    return _swap("swap_base_output", keys, payer, input_mint, input_account, output_account, amounts)
