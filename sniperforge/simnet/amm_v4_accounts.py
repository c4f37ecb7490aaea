"""Raydium AMM v4 accounts and instructions, built from plain values: what a market needs to open pools.

Source: raydium-io/raydium-amm ``state.rs`` and ``instruction.rs``.  In pairs, coin comes first and pc
second; amounts are base units.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

PROGRAM_ID = Pubkey.from_string("675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8")
TOKEN_PROGRAM_ID = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
NOBODY = Pubkey.default()
POOL_SIZE = 752
SWAP_ONLY, WAITING_TRADE = 6, 7
"""Values of a pool's status in which it swaps; in the second from its opening time on."""

AUTHORITY, AUTHORITY_NONCE = Pubkey.find_program_address([b"amm authority"], PROGRAM_ID)
"""The address that owns every vault and signs what leaves it."""


@dataclass(frozen=True)
class PoolKeys:
    """The addresses of one pool."""

    pool: Pubkey
    mints: tuple[Pubkey, Pubkey]
    vaults: tuple[Pubkey, Pubkey]
    lp_mint: Pubkey
    open_orders: Pubkey
    market: Pubkey
    market_program: Pubkey
    target_orders: Pubkey


def derive_pool(*, market: Pubkey, market_program: Pubkey, mints: tuple[Pubkey, Pubkey]) -> PoolKeys:
    """The keys of the pool of a market; ``mints`` are the market's coin and pc."""

    def address(name: str) -> Pubkey:
        seeds = [bytes(PROGRAM_ID), bytes(market), name.encode()]
        return Pubkey.find_program_address(seeds, PROGRAM_ID)[0]

    return PoolKeys(
        pool=address("amm_associated_seed"),
        mints=mints,
        vaults=(address("coin_vault_associated_seed"), address("pc_vault_associated_seed")),
        lp_mint=address("lp_mint_associated_seed"),
        open_orders=address("open_order_associated_seed"),
        market=market,
        market_program=market_program,
        target_orders=address("target_associated_seed"),
    )


def read_pool(pool: Pubkey, data: bytes) -> PoolKeys:
    """The keys of an existing pool from its account's bytes; raises ValueError for other bytes."""
    if len(data) != POOL_SIZE:
        raise ValueError(f"{pool} does not hold a Raydium AMM v4 pool: {len(data)} bytes, not {POOL_SIZE}")
    keys = [Pubkey.from_bytes(data[offset : offset + 32]) for offset in range(336, 624, 32)]
    return PoolKeys(
        pool=pool,
        mints=(keys[2], keys[3]),
        vaults=(keys[0], keys[1]),
        lp_mint=keys[4],
        open_orders=keys[5],
        market=keys[6],
        market_program=keys[7],
        target_orders=keys[8],
    )


def pool_data(
    keys: PoolKeys,
    *,
    decimals: tuple[int, int],
    lp_amount: int,
    status: int = SWAP_ONLY,
    open_time: int = 0,
    swap_fee: tuple[int, int] = (25, 10_000),
    need_take_pnl: tuple[int, int] = (0, 0),
    owner: Pubkey = NOBODY,
) -> bytes:
    """The bytes of a pool's account (752) before its first swap.

    ``swap_fee`` is numerator and denominator; ``need_take_pnl`` is what the vaults hold but owe.
    """
    scale = 10 ** max(decimals)
    head = (
        status, AUTHORITY_NONCE, 7, 3, *decimals, 1, 1, 0, 500, scale * 5 // 1000, 0, 0, 1, 10**9, scale,
    )  # fmt: skip
    fees = (5, 10_000, 25, 10_000, 12, 100, *swap_fee)
    state = struct.pack("<5Q24x", *need_take_pnl, 0, 0, open_time) + bytes(80)  # the counters of swaps
    addresses = (
        *keys.vaults, *keys.mints, keys.lp_mint, keys.open_orders, keys.market, keys.market_program,
        keys.target_orders,
    )  # fmt: skip
    data = struct.pack("<24Q", *head, *fees) + state + b"".join(map(bytes, addresses))
    data += bytes(64) + bytes(owner) + struct.pack("<QQQQ", lp_amount, 0, 0, 0)
    assert len(data) == POOL_SIZE
    return data


def _swap(
    tag: int,
    keys: PoolKeys,
    owner: Pubkey,
    input_account: Pubkey,
    output_account: Pubkey,
    amounts: tuple[int, int],
) -> Instruction:
    def account(key: Pubkey, *, writable: bool = True) -> AccountMeta:
        return AccountMeta(key, is_signer=False, is_writable=writable)

    accounts = [
        account(TOKEN_PROGRAM_ID, writable=False),
        account(keys.pool),
        account(AUTHORITY, writable=False),
        account(keys.open_orders),
        account(keys.target_orders),
        account(keys.vaults[0]),
        account(keys.vaults[1]),
        account(keys.market_program, writable=False),
        *[account(keys.market) for _ in range(7)],  # of the market's accounts none is read: it stands for all
        account(input_account),
        account(output_account),
        AccountMeta(owner, is_signer=True, is_writable=False),
    ]
    return Instruction(PROGRAM_ID, struct.pack("<BQQ", tag, *amounts), accounts)


def swap_base_in_instruction(
    keys: PoolKeys,
    *,
    owner: Pubkey,
    input_account: Pubkey,
    output_account: Pubkey,
    amount_in: int,
    minimum_amount_out: int,
) -> Instruction:
    """Sells exactly ``amount_in``; fails below ``minimum_amount_out``.  The accounts' mints give the direction."""
    return _swap(9, keys, owner, input_account, output_account, (amount_in, minimum_amount_out))


def swap_base_out_instruction(
    keys: PoolKeys,
    *,
    owner: Pubkey,
    input_account: Pubkey,
    output_account: Pubkey,
    max_amount_in: int,
    amount_out: int,
) -> Instruction:
    """Buys exactly ``amount_out``; fails when it costs more than ``max_amount_in``."""
    return _swap(11, keys, owner, input_account, output_account, (max_amount_in, amount_out))
