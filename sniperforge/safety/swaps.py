"""The swap instruction of a pool's own program, for simulating our exit.

Sources: the programs' IDLs, as far as simnet's builders of accounts and instructions do not have them already.
"""

from __future__ import annotations

import hashlib
import struct
from typing import NamedTuple

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM

from sniperforge.discovery.anatomy import PUMP_FUN_FEE_CONFIG, PUMP_FUN_GLOBAL
from sniperforge.safety.layouts import key_at
from sniperforge.safety.mint import TOKEN, TOKEN_2022
from sniperforge.safety.pools import Pool
from sniperforge.simnet import amm_v4_accounts, cpmm_accounts, pump_fun_accounts, pump_swap_accounts
from sniperforge.venues import (
    meteora_damm_v2,
    meteora_dlmm,
    meteora_dlmm_accounts,
    orca_whirlpool,
    pump_fees,
    pump_fun,
    pump_swap,
    raydium_clmm,
)
from sniperforge.venues.pools import WRAPPED_SOL

MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
_INSTRUCTIONS = Pubkey.from_string("Sysvar1nstructions1111111111111111111111111")
_ORCA_LIMITS = (79226673515401279992447579055, 4295048016)
_BIN_ARRAYS = 3
_PUMP_FUN_RESERVED, _PUMP_FUN_BUYBACK = 483, 741
"""Offsets in the global account of the recipients of fees of mayhem coins, and of the buyback."""


class Swap(NamedTuple):
    """Exact input: `amount` of the mint if `sell`, else of the quote. `tokens`: what a buy is quoted to give."""

    sell: bool
    amount: int
    tokens: int
    user: Pubkey
    user_token: Pubkey
    user_quote: Pubkey

    @property
    def accounts(self) -> tuple[Pubkey, Pubkey]:
        """The user's accounts: what goes in, what comes out."""
        pair = (self.user_token, self.user_quote)
        return pair if self.sell else (pair[1], pair[0])


def instruction(pool: Pool, swap: Swap) -> Instruction:
    """The instruction; it accepts any output but none, so that the simulation tells what comes out."""
    return _BUILDERS[pool.venue](pool, swap, swap.sell == pool.sell_a_to_b)


def _tag(name: str) -> bytes:
    return hashlib.sha256(f"global:{name}".encode()).digest()[:8]


def _meta(key: Pubkey, *, writable: bool = False, signer: bool = False) -> AccountMeta:
    return AccountMeta(key, is_signer=signer, is_writable=writable)


def _amm_v4(pool: Pool, swap: Swap, a_to_b: bool) -> Instruction:
    source, target = swap.accounts
    return amm_v4_accounts.swap_base_in_instruction(
        amm_v4_accounts.read_pool(pool.address, pool.data),
        owner=swap.user,
        input_account=source,
        output_account=target,
        amount_in=swap.amount,
        minimum_amount_out=1,
    )


def _cpmm(pool: Pool, swap: Swap, a_to_b: bool) -> Instruction:
    keys = cpmm_accounts.read_pool(pool.address, pool.data)
    source, target = swap.accounts
    return cpmm_accounts.swap_base_input_instruction(
        keys,
        payer=swap.user,
        input_mint=keys.mints[0 if a_to_b else 1],
        input_account=source,
        output_account=target,
        amount_in=swap.amount,
        minimum_amount_out=1,
    )


def _sides(pool: Pool, swap: Swap) -> tuple[tuple[Pubkey, Pubkey], tuple[Pubkey, Pubkey]]:
    """Vaults and mints of what goes in and what comes out."""
    vaults, mints = pool.vaults, (pool.mint, pool.quote)
    return (vaults, mints) if swap.sell else ((vaults[1], vaults[0]), (mints[1], mints[0]))


def _clmm(pool: Pool, swap: Swap, a_to_b: bool) -> Instruction:
    state = raydium_clmm.decode_pool(pool.data)
    vaults, mints = _sides(pool, swap)
    source, target = swap.accounts
    span = 60 * state.tick_spacing
    arrays: list[tuple[int, Pubkey]] = []
    extension: list[Pubkey] = []
    for account in pool.dumps:
        if account.data[:8] == raydium_clmm.ARRAY_DISCRIMINATOR:
            start = raydium_clmm.decode_array(account.data, state.tick_spacing).start
            ahead = start <= state.tick if a_to_b else start + span > state.tick
            if ahead:
                arrays.append((-start if a_to_b else start, Pubkey.from_string(account.address)))
        elif account.data[:8] == raydium_clmm.EXTENSION_DISCRIMINATOR:
            extension.append(Pubkey.from_string(account.address))
    metas = [
        _meta(swap.user, signer=True),
        _meta(state.config),
        *(_meta(key, writable=True) for key in (pool.address, source, target, *vaults, state.observation)),
        *(_meta(key) for key in (TOKEN, TOKEN_2022, MEMO, *mints)),
        *(_meta(key, writable=True) for key in (*extension, *(key for _, key in sorted(arrays)))),
    ]
    data = struct.pack("<QQQQ?", swap.amount, 1, 0, 0, True)
    return Instruction(raydium_clmm.PROGRAM, _tag("swap_v2") + data, metas)


def _in_order(pool: Pool, pair: tuple[Pubkey, Pubkey]) -> tuple[Pubkey, Pubkey]:
    """(of the mint, of the quote) as (of token a, of token b)."""
    return pair if pool.sell_a_to_b else (pair[1], pair[0])


def _whirlpool(pool: Pool, swap: Swap, a_to_b: bool) -> Instruction:
    state = orca_whirlpool.decode_pool(pool.data)
    starts = orca_whirlpool.array_starts(state.tick_spacing, state.tick, a_to_b)
    starts += [starts[-1]] * (3 - len(starts))
    seeds = [[b"tick_array", bytes(pool.address), str(start).encode()] for start in starts]
    arrays = [Pubkey.find_program_address(seed, orca_whirlpool.PROGRAM)[0] for seed in seeds]
    users = _in_order(pool, (swap.user_token, swap.user_quote))
    vaults = _in_order(pool, pool.vaults)
    oracle = Pubkey.find_program_address([b"oracle", bytes(pool.address)], orca_whirlpool.PROGRAM)[0]
    metas = [
        *(_meta(key) for key in (*_in_order(pool, pool.programs), MEMO)),
        _meta(swap.user, signer=True),
        _meta(pool.address, writable=True),
        *(_meta(key) for key in state.mints),
        *(_meta(key, writable=True) for key in (users[0], vaults[0], users[1], vaults[1], *arrays, oracle)),
    ]
    limit = _ORCA_LIMITS[a_to_b].to_bytes(16, "little")
    data = struct.pack("<QQ", swap.amount, 1) + limit + struct.pack("<??B", True, a_to_b, 0)
    return Instruction(orca_whirlpool.PROGRAM, _tag("swap_v2") + data, metas)


def _dlmm(pool: Pool, swap: Swap, a_to_b: bool) -> Instruction:
    program = meteora_dlmm.PROGRAM
    pair = meteora_dlmm_accounts.decode_pair(pool.data)
    active = pair.active_id // meteora_dlmm_accounts.ARRAY_BINS
    extension, arrays = program, list[tuple[int, Pubkey]]()
    for account in pool.dumps:
        if account.data[:8] == meteora_dlmm_accounts.BITMAP_DISCRIMINATOR:
            extension = Pubkey.from_string(account.address)
        elif account.data[:8] == meteora_dlmm_accounts.ARRAY_DISCRIMINATOR:
            (index,) = struct.unpack_from("<q", account.data, 8)
            if index <= active if a_to_b else index >= active:
                arrays.append((-index if a_to_b else index, Pubkey.from_string(account.address)))
    event = Pubkey.find_program_address([b"__event_authority"], program)[0]
    metas = [
        _meta(pool.address, writable=True),
        _meta(extension),
        *(_meta(key, writable=True) for key in (*pair.reserves, *swap.accounts)),
        *(_meta(key) for key in pair.mints),
        _meta(pair.oracle, writable=True),
        _meta(program),
        _meta(swap.user, signer=True),
        *(_meta(key) for key in (*_in_order(pool, pool.programs), MEMO, event, program)),
        *(_meta(key, writable=True) for _, key in sorted(arrays)[:_BIN_ARRAYS]),
    ]
    return Instruction(program, _tag("swap2") + struct.pack("<QQI", swap.amount, 1, 0), metas)


def _damm(pool: Pool, swap: Swap, a_to_b: bool) -> Instruction:
    program = meteora_damm_v2.PROGRAM
    event = meteora_damm_v2.EVENT_AUTHORITY
    metas = [
        _meta(meteora_damm_v2.AUTHORITY),
        *(_meta(key, writable=True) for key in (pool.address, *swap.accounts, *_in_order(pool, pool.vaults))),
        *(_meta(key) for key in _in_order(pool, (pool.mint, pool.quote))),
        _meta(swap.user, signer=True),
        *(_meta(key) for key in (*_in_order(pool, pool.programs), program, event, program, _INSTRUCTIONS)),
    ]
    return Instruction(program, _tag("swap2") + struct.pack("<QQB", swap.amount, 1, 0), metas)


def _pump_swap(pool: Pool, swap: Swap, a_to_b: bool) -> Instruction:
    keys = pump_swap_accounts.read_pool(pool.address, pool.data, _in_order(pool, pool.programs))
    settings = pump_swap_accounts.read_global(pool.dumps.need(str(pump_swap.GLOBAL_CONFIG), "global config").data)
    users = _in_order(pool, (swap.user_token, swap.user_quote))
    mayhem = pump_swap.decode_pool(pool.data).mayhem
    if a_to_b:
        return pump_swap_accounts.sell_instruction(
            keys, settings, user=swap.user, user_accounts=users, base=swap.amount, min_quote=1, mayhem=mayhem
        )
    if not swap.sell:  # the mint is the base: the quote says how much of it the budget buys
        return pump_swap_accounts.buy_instruction(
            keys,
            settings,
            user=swap.user,
            user_accounts=users,
            base=swap.tokens,
            max_quote=swap.amount,
            mayhem=mayhem,
        )
    return pump_swap_accounts.buy_exact_quote_in_instruction(
        keys, settings, user=swap.user, user_accounts=users, quote=swap.amount, min_base=1, mayhem=mayhem
    )


def _pump_fun(pool: Pool, swap: Swap, a_to_b: bool) -> Instruction:
    config = pool.dumps.need(str(PUMP_FUN_GLOBAL), "global account").data
    keys = pump_fun_accounts.derive_curve(pool.mint)
    recipient = key_at(config, 41)
    if pump_fun.decode_global(config).schedule.floor:
        users = {"user": swap.user, "user_tokens": swap.user_token, "fee_recipient": recipient}
        if swap.sell:
            return pump_fun_accounts.sell_instruction(keys, **users, tokens=swap.amount, min_sol=1)
        return pump_fun_accounts.buy_instruction(keys, **users, tokens=swap.tokens, max_sol=swap.amount)
    return _pump_fun_now(pool, swap, config)


def _pump_fun_now(pool: Pool, swap: Swap, config: bytes) -> Instruction:
    """buy and sell of the program as it is since 2026, for coins quoted in SOL."""
    program, curve = pump_fun.PROGRAM, pump_fun.decode_curve(pool.data)
    if pool.quote != WRAPPED_SOL:
        raise ValueError(f"no exit can be tried on a bonding curve in {pool.quote}")

    def derived(*seeds: bytes, of: Pubkey = program) -> Pubkey:
        return Pubkey.find_program_address(list(seeds), of)[0]

    creator = _meta(derived(b"creator-vault", bytes(curve.creator)), writable=True)
    volume = _meta(derived(b"user_volume_accumulator", bytes(swap.user)), writable=True)
    fees = [_meta(PUMP_FUN_FEE_CONFIG), _meta(pump_fees.PROGRAM)]
    events = [_meta(derived(b"__event_authority")), _meta(program)]
    last = [
        _meta(derived(b"bonding-curve-v2", bytes(pool.mint))),
        _meta(key_at(config, _PUMP_FUN_BUYBACK), writable=True),
    ]
    recipient = key_at(config, _PUMP_FUN_RESERVED if curve.mayhem else 41)
    head = [
        _meta(PUMP_FUN_GLOBAL),
        _meta(recipient, writable=True),
        _meta(pool.mint),
        *(_meta(key, writable=True) for key in (pool.address, pool.vaults[0], swap.user_token)),
        _meta(swap.user, writable=True, signer=True),
        _meta(SYSTEM),
    ]
    token = _meta(pool.programs[0])
    if swap.sell:
        cashback = [volume] if curve.cashback else []
        metas = [*head, creator, token, *events, *fees, *cashback, *last]
        return Instruction(program, _tag("sell") + struct.pack("<QQ", swap.amount, 1), metas)
    metas = [*head, token, creator, *events, _meta(derived(b"global_volume_accumulator")), volume, *fees, *last]
    return Instruction(program, _tag("buy") + struct.pack("<QQ", swap.tokens, swap.amount), metas)


_BUILDERS = {
    "raydium_amm_v4": _amm_v4,
    "raydium_cpmm": _cpmm,
    "raydium_clmm": _clmm,
    "orca_whirlpool": _whirlpool,
    "meteora_dlmm": _dlmm,
    "meteora_damm_v2": _damm,
    "pump_swap": _pump_swap,
    "pump_fun": _pump_fun,
}
