"""The swap instruction of a pool's own program, for simulating our exit.

Where the C core writes the instruction it is asked; the others are written from the programs' IDLs.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any, NamedTuple

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.safety import layouts
from sniperforge.safety.mint import TOKEN, TOKEN_2022
from sniperforge.safety.pools import Pool
from sniperforge.simnet import cpmm_accounts
from sniperforge.venues import (
    meteora_damm_v2,
    meteora_dlmm,
    orca_whirlpool,
    pump_fun,
    pump_swap,
    raydium_amm_v4,
    raydium_clmm,
)
from sniperforge.venues.pools import PUMP_FUN_GLOBAL

MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
_INSTRUCTIONS = Pubkey.from_string("Sysvar1nstructions1111111111111111111111111")
_ORCA_LIMITS = (79226673515401279992447579055, 4295048016)
_PUMP_FUN_V1, _PUMP_FUN_V2 = 1, 2
_ACCOUNTS = 40
_DATA = 64
_BIN_ARRAYS = 3


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


def _metas(count: Any, metas: Any) -> list[AccountMeta]:
    return [
        AccountMeta(Pubkey.from_bytes(bytes(meta.pubkey)), bool(meta.signer), bool(meta.writable))
        for meta in (metas[i] for i in range(count[0]))
    ]


def _room() -> tuple[Any, Any, Any]:
    return ffi.new("sf_account_meta_t[]", _ACCOUNTS), ffi.new("uint32_t *"), ffi.new("uint8_t[]", _DATA)


def _written(length: int, data: Any) -> bytes:
    check(length)
    return bytes(ffi.buffer(data, length))


def _amm_v4(pool: Pool, swap: Swap, a_to_b: bool) -> Instruction:
    state = ffi.new("sf_raydium_amm_v4_state_t *")
    check(lib.sf_raydium_amm_v4_pool_decode(bytes(pool.address), pool.data, len(pool.data), state))
    metas, count, data = _room()
    source, target = map(bytes, swap.accounts)
    check(lib.sf_raydium_amm_v4_swap_accounts(state, 0, source, target, bytes(swap.user), metas, count))
    ask = ffi.new("sf_raydium_amm_v4_swap_t *", {"amount": swap.amount, "threshold": 1, "exact_in": 1})
    return Instruction(
        raydium_amm_v4.PROGRAM, _written(lib.sf_raydium_amm_v4_swap_data(ask, data), data), _metas(count, metas)
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
    arrays = layouts.whirlpool_arrays(pool.address, state, a_to_b)
    arrays += [arrays[-1]] * (3 - len(arrays))
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
    state = ffi.new("sf_meteora_dlmm_state_t *")
    lib.sf_meteora_dlmm_clear(state, bytes(pool.address))
    for account in pool.dumps:
        mine = account.address == str(pool.address) or account.data[:8] == meteora_dlmm.BITMAP_DISCRIMINATOR
        if account.owner == str(meteora_dlmm.PROGRAM) and mine:
            check(lib.sf_meteora_dlmm_account(account.data, len(account.data), state))
    metas, count, _ = _room()
    source, target = map(bytes, swap.accounts)
    form = lib.SF_DLMM_SWAP2
    check(
        lib.sf_meteora_dlmm_swap_accounts(
            state, form, a_to_b, _BIN_ARRAYS, bytes(swap.user), source, target, metas, count
        )
    )
    data = _tag("swap2") + struct.pack("<QQI", swap.amount, 1, 0)
    return Instruction(meteora_dlmm.PROGRAM, data, _metas(count, metas))


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
    state, settings = ffi.new("sf_pump_swap_state_t *"), ffi.new("sf_pump_swap_global_t *")
    config = pool.dumps.need(str(pump_swap.GLOBAL_CONFIG), "global config").data
    check(lib.sf_pump_swap_pool_decode(bytes(pool.address), pool.data, len(pool.data), state))
    check(lib.sf_pump_swap_global_decode(config, len(config), settings))
    for side, program in enumerate(_in_order(pool, pool.programs)):
        state.program[side] = bytes(program)
    metas, count, data = _room()
    users = _in_order(pool, (swap.user_token, swap.user_quote))
    user = (bytes(swap.user), bytes(users[0]), bytes(users[1]))
    check(lib.sf_pump_swap_trade_accounts(state, settings, 0, a_to_b, *user, metas, count))
    trade = ffi.new("sf_pump_swap_trade_t *", _pump_terms(swap, a_to_b))
    return Instruction(
        pump_swap.PROGRAM, _written(lib.sf_pump_swap_trade_data(trade, data), data), _metas(count, metas)
    )


def _pump_terms(swap: Swap, a_to_b: bool) -> dict[str, int]:
    """Sales are exact in; buys of these programs name the tokens, and the budget as the most they may cost."""
    if a_to_b:
        return {"amount": swap.amount, "threshold": 1, "a_to_b": 1, "exact_in": 1}
    return {"amount": swap.tokens, "threshold": swap.amount, "a_to_b": 0, "exact_in": 0}


def _pump_fun(pool: Pool, swap: Swap, a_to_b: bool) -> Instruction:
    state, settings = ffi.new("sf_pump_fun_state_t *"), ffi.new("sf_pump_fun_global_t *")
    config = pool.dumps.need(PUMP_FUN_GLOBAL, "global account").data
    check(lib.sf_pump_fun_curve_decode(bytes(pool.address), pool.data, len(pool.data), state))
    check(lib.sf_pump_fun_global_decode(config, len(config), settings))
    state.mint = bytes(pool.mint)
    for side, program in enumerate(pool.programs):
        state.program[side] = bytes(program)
    form = _PUMP_FUN_V1 if pump_fun.decode_global(config).schedule.floor else _PUMP_FUN_V2
    metas, count, data = _room()
    check(lib.sf_pump_fun_trade_accounts(state, settings, form, a_to_b, bytes(swap.user), metas, count))
    trade = ffi.new("sf_pump_fun_trade_t *", {**_pump_terms(swap, a_to_b), "form": form})
    return Instruction(pump_fun.PROGRAM, _written(lib.sf_pump_fun_trade_data(trade, data), data), _metas(count, metas))


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
