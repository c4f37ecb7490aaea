"""A pool of any venue out of account dumps, priced by the C core and by the plain-integer reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address
from spl.token.constants import WRAPPED_SOL_MINT

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.venues import (
    core,
    meteora_damm_v2,
    meteora_dlmm,
    orca_whirlpool,
    pool_accounts,
    pump_fees,
    pump_fun,
    pump_swap,
    raydium_amm_v4,
    raydium_clmm,
    raydium_cpmm,
)
from sniperforge.venues.dumps import Account, AmbiguousAccountError, Dumps, MissingAccountError
from sniperforge.venues.golden import meteora_dlmm as golden_dlmm
from sniperforge.venues.golden import pump_swap as golden_pump_swap
from sniperforge.venues.golden import raydium_amm_v4 as golden_amm
from sniperforge.venues.golden import raydium_cpmm as golden_cpmm
from sniperforge.venues.pool_accounts import TOKEN, TOKEN_2022, TOKEN_ACCOUNT_BYTES, TOKEN_PROGRAMS, Names
from sniperforge.venues.quote import Quote
from sniperforge.venues.transfer_fee import NO_FEE, TransferFee

WRAPPED_SOL = WRAPPED_SOL_MINT
PUMP_FUN_GLOBAL = "4wTV1YmiEkRvAtNtsSGPtUrqRYQMe5SKy2uB4Jjaxnjf"
PUMP_FUN_FEE_CONFIG = "8Wf5TiAheLUqBrKXeYg2JtAFFMWtKdG2BSFgqUcPVwTt"
EPOCH = 2**64 - 1
"""Of a mint's two transfer fees the newer is taken."""

Ask = Callable[[bool, int, int], Quote]
"""Direction (a to b), amount, unix seconds."""


class UnknownPoolError(ValueError):
    """An account is no pool of a venue we know; the text says what it is."""


class AmbiguousPoolError(ValueError):
    """A pool is there at more than one moment; the text names them."""


class Priced(NamedTuple):
    """A pool. `mints` are tokens a and b.

    A bonding curve's account does not name the coin: it is None unless the coin's mint is among the dumps.
    """

    venue: str
    mints: tuple[Pubkey | None, Pubkey]
    c: tuple[Ask, Ask]
    """Exact in and exact out in the C core."""
    python: tuple[Ask, Ask]
    impact: tuple[Callable[[bool, int, int], int], ...] = ()
    """Price impact per million, of the same two, where the core says it."""
    notes: tuple[str, ...] = ()
    """What was taken for granted."""
    state: object = None
    """All that the reference prices it by."""


class _State(Protocol):
    def quote_in(self, a_to_b: bool, amount: int, now: int) -> Quote: ...
    def quote_out(self, a_to_b: bool, amount: int, now: int) -> Quote: ...


def _priced(name: str, mints: tuple[Pubkey | None, Pubkey], c: Any, python: _State, notes: list[str]) -> Priced:
    functions = getattr(lib, f"sf_{name}_quote_in"), getattr(lib, f"sf_{name}_quote_out")
    return Priced(
        name,
        mints,
        (partial(core.quote, functions[0], c), partial(core.quote, functions[1], c)),
        (python.quote_in, python.quote_out),
        (partial(core.impact_ppm, functions[0], c), partial(core.impact_ppm, functions[1], c)),
        tuple(notes),
        python,
    )


def load(dumps: Dumps, address: str, frozen: bool = False) -> Priced:
    """The pool at `address`, with all that prices it among `dumps`.

    Args:
        frozen: price it although a vault is frozen, for those who judge that themselves.

    Raises:
        MissingAccountError: it, or something that prices it, is not there.
        UnknownPoolError: it is no pool.
        VenueDataError, CoreError: its bytes, or another account's, are wrong.
    """
    account = dumps.need(address, "pool")
    if account.owner not in _LOADERS:
        raise UnknownPoolError(f"{address} belongs to {account.owner}, which is no venue we know")
    names, loader = _LOADERS[account.owner]
    pool_accounts.check(dumps, account, names(dumps, account), frozen)
    return loader(dumps, account)


def load_from(places: Sequence[Dumps], address: str) -> Priced:
    """The pool out of the one of `places` that has all of it, or else of the last.

    Args:
        places: as `dumps.snapshots` gives them.

    Raises:
        AmbiguousPoolError: two of them have all of it, and in different states.
        Exception: as `load`, of the last.
    """
    whole: list[tuple[Dumps, Priced]] = []
    for dumps in places[:-1]:
        if address not in dumps:
            continue
        try:
            whole.append((dumps, load(dumps, address)))
        except (MissingAccountError, AmbiguousAccountError):
            continue
    if not whole:
        return load(places[-1], address)
    if any(priced.state != whole[0][1].state for _, priced in whole):
        where = " and ".join(dumps.where for dumps, _ in whole)
        raise AmbiguousPoolError(f"pool {address} is in {where}, in different states; name one of them with --accounts")
    return whole[0][1]


def _transfer_fees(dumps: Dumps, mints: tuple[Pubkey, Pubkey], state: Any) -> tuple[tuple[Any, Any], list[str]]:
    """What the mints withhold, also set in the C state; and what was not known."""
    fees: list[TransferFee] = []
    notes: list[str] = []
    for side, mint in enumerate(mints):
        fee = NO_FEE
        if str(mint) not in dumps:
            notes.append(f"mint {mint} is not in {dumps.where}: taken for one without a transfer fee")
        elif (account := dumps[str(mint)]).owner == str(TOKEN_2022):
            got = ffi.new("sf_transfer_fee_t *")
            check(lib.sf_transfer_fee_decode(bytes(TOKEN_2022), account.data, len(account.data), EPOCH, got))
            state.transfer_fee[side] = got[0]
            fee = meteora_dlmm.transfer_fee(account.data, EPOCH)
        fees.append(fee)
    return (fees[0], fees[1]), notes


def _of_pool(dumps: Dumps, pool: Account, offsets: tuple[int, ...]) -> Iterator[Account]:
    """Accounts of the pool's program that name the pool at one of `offsets`."""
    key = bytes(Pubkey.from_string(pool.address))
    yield from dumps.matching(
        lambda account: account.owner == pool.owner and any(account.data[at : at + 32] == key for at in offsets)
    )


def _amm(dumps: Dumps, account: Account) -> Priced:
    loaded = golden_amm.load(dumps, account)
    return _priced("raydium_amm_v4", loaded.mints, loaded.c, loaded.python, [])


def _cpmm(dumps: Dumps, account: Account) -> Priced:
    loaded = golden_cpmm.load(dumps, account)
    state = loaded.c
    fees, notes = _transfer_fees(dumps, loaded.mints, state)
    check(lib.sf_raydium_cpmm_price(state, *state.amount, ffi.addressof(state.rates)))  # the short way is of its fees
    return _priced("raydium_cpmm", loaded.mints, loaded.c, replace(loaded.python, transfer_fees=fees), notes)


def _clmm(dumps: Dumps, account: Account) -> Priced:
    pool = raydium_clmm.decode_pool(account.data)
    config = dumps.need(str(pool.config), "config").data
    work = ffi.new("sf_raydium_clmm_work_t *")
    lib.sf_raydium_clmm_clear(work, bytes(Pubkey.from_string(account.address)))
    arrays: list[raydium_clmm.TickArray] = []
    extension: frozenset[int] | None = None
    first = (account, dumps[str(pool.config)])
    for other in (*first, *_of_pool(dumps, account, (8,))):
        if other.data[:8] == raydium_clmm.ARRAY_DISCRIMINATOR:
            arrays.append(raydium_clmm.decode_array(other.data, pool.tick_spacing))
        elif other.data[:8] == raydium_clmm.EXTENSION_DISCRIMINATOR:
            _, extension = raydium_clmm.decode_extension(other.data)
        elif other not in first:
            continue
        check(lib.sf_raydium_clmm_account(other.data, len(other.data), work))
    fees, notes = _transfer_fees(dumps, pool.mints, work.state)
    check(lib.sf_raydium_clmm_prepare(work))
    python = raydium_clmm.State.of(pool, raydium_clmm.decode_config(config), arrays, extension)
    return _priced("raydium_clmm", pool.mints, core.state_of(work), replace(python, transfer_fees=fees), notes)


def _whirlpool(dumps: Dumps, account: Account) -> Priced:
    pool = orca_whirlpool.decode_pool(account.data)
    work = ffi.new("sf_orca_whirlpool_work_t *")
    lib.sf_orca_whirlpool_clear(work, bytes(Pubkey.from_string(account.address)))
    check(lib.sf_orca_whirlpool_account(account.data, len(account.data), work))
    arrays: dict[int, dict[int, int]] = {}
    oracle: orca_whirlpool.Oracle | None = None
    for other in _of_pool(dumps, account, (9956, 12, 8)):
        if other.data[:8] in (orca_whirlpool.ARRAY_DISCRIMINATOR, orca_whirlpool.DYNAMIC_DISCRIMINATOR):
            array = orca_whirlpool.decode_array(other.data, pool.tick_spacing)
            arrays[array.start] = array.net
        elif other.data[:8] == orca_whirlpool.ORACLE_DISCRIMINATOR:
            oracle = orca_whirlpool.decode_oracle(other.data)
        else:
            continue
        check(lib.sf_orca_whirlpool_account(other.data, len(other.data), work))
    fees, notes = _transfer_fees(dumps, pool.mints, work.state)
    check(lib.sf_orca_whirlpool_prepare(work))
    python = orca_whirlpool.State.of(pool, arrays, oracle)
    return _priced("orca_whirlpool", pool.mints, core.state_of(work), replace(python, transfer_fees=fees), notes)


def _dlmm(dumps: Dumps, account: Account) -> Priced:
    loaded = golden_dlmm.load(dumps, account.address, newest=True, reserves_needed=False)
    python = replace(loaded.python, plain_accounts=(False, False))
    for side in (0, 1):
        loaded.work.head.plain_account[side] = 0
    return _priced("meteora_dlmm", python.pair.mints, golden_dlmm.travel(loaded.work), python, [*loaded.notes])


def _damm(dumps: Dumps, account: Account) -> Priced:
    state = ffi.new("sf_meteora_damm_v2_state_t *")
    check(lib.sf_meteora_damm_v2_decode(account.data, len(account.data), state))
    python = meteora_damm_v2.decode_pool(account.data)
    fees, notes = _transfer_fees(dumps, python.mints, state)
    own = tuple(meteora_damm_v2.TransferFee(*fee) for fee in fees)
    return _priced("meteora_damm_v2", python.mints, state, replace(python, transfer_fees=(own[0], own[1])), notes)


def _pump_swap(dumps: Dumps, account: Account) -> Priced:
    loaded = golden_pump_swap.load(dumps, account)
    python, notes = loaded.python, []
    for mint in map(str, loaded.mints):
        if (
            mint in dumps
            and dumps[mint].owner == str(TOKEN_2022)
            and meteora_dlmm.transfer_fee(dumps[mint].data, EPOCH).of(1)
        ):
            notes.append(f"mint {mint} withholds a fee: what PumpSwap then pays is not published, so nothing is quoted")
            python = replace(python, no_buys=True, no_sales=True)
            loaded.c.no_buys = loaded.c.no_sales = 1
    return _priced("pump_swap", loaded.mints, loaded.c, python, notes)


def _pump_fun(dumps: Dumps, account: Account) -> Priced:
    curve = pump_fun.decode_curve(account.data)
    settings = dumps.need(PUMP_FUN_GLOBAL, "global account").data
    state, settings_c = ffi.new("sf_pump_fun_state_t *"), ffi.new("sf_pump_fun_global_t *")
    key = bytes(Pubkey.from_string(account.address))
    check(lib.sf_pump_fun_curve_decode(key, account.data, len(account.data), state))
    check(lib.sf_pump_fun_global_decode(settings, len(settings), settings_c))
    fees_c, fees = ffi.NULL, None
    decoded = pump_fun.decode_global(settings)
    if not decoded.schedule.floor:
        data = dumps.need(PUMP_FUN_FEE_CONFIG, "fee config").data
        fees_c, fees = ffi.new("sf_pump_fee_config_t *"), pump_fees.decode_config(data)
        check(lib.sf_pump_fee_config_decode(data, len(data), fees_c))
    check(lib.sf_pump_fun_price(state, settings_c, fees_c))
    python = pump_fun.State.of(curve, decoded, fees)
    return _priced("pump_fun", (_coin(dumps, account.address), _quote_mint(curve)), state, python, [])


def _quote_mint(curve: pump_fun.Curve) -> Pubkey:
    return WRAPPED_SOL if curve.quote_mint == Pubkey.default() else curve.quote_mint


def _coin(dumps: Dumps, curve: str) -> Pubkey | None:
    """The mint that the curve's address is derived from, if it or a token account of it is there."""
    tokens = str(TOKEN), str(TOKEN_2022)
    for account in dumps.unambiguous():
        if account.owner in tokens and is_curve_of(curve, mint := Pubkey.from_string(account.address)):
            return mint
        if _token_account_like(account) and is_curve_of(curve, mint := Pubkey.from_bytes(account.data[:32])):
            return mint
    return None


def _token_account_like(account: Account) -> bool:
    size = len(account.data)
    return size == TOKEN_ACCOUNT_BYTES or (size > TOKEN_ACCOUNT_BYTES and account.data[TOKEN_ACCOUNT_BYTES] == 2)


@lru_cache(1 << 16)
def _curve_of(mint: Pubkey) -> str:
    return str(Pubkey.find_program_address([b"bonding-curve", bytes(mint)], pump_fun.PROGRAM)[0])


def is_curve_of(address: str, mint: Pubkey) -> bool:
    """Whether the bonding curve at `address` is that of `mint`."""
    return _curve_of(mint) == address


# -- what a pool names ---------------------------------------------------------------------------------


def _amm_names(_: Dumps, account: Account) -> Names:
    pool = raydium_amm_v4.decode_pool(account.data)
    seeds = b"amm authority" + bytes([pool.nonce]) + bytes(raydium_amm_v4.PROGRAM) + b"ProgramDerivedAddress"
    authority = Pubkey.from_bytes(sha256(seeds).digest())
    if authority.is_on_curve():
        raise raydium_cpmm.VenueDataError(f"pool {account.address}: nonce {pool.nonce} at offset 8 gives no authority")
    return Names(pool.mints, pool.vaults, authority, (TOKEN, TOKEN))


def _cpmm_names(_: Dumps, account: Account) -> Names:
    pool = raydium_cpmm.decode_pool(Pubkey.from_string(account.address), account.data)
    shared = ((pool.config, raydium_cpmm.PROGRAM),)
    return Names(pool.mints, pool.vaults, raydium_cpmm.AUTHORITY, pool.token_programs, shared)


def _clmm_names(_: Dumps, account: Account) -> Names:
    pool = raydium_clmm.decode_pool(account.data)
    shared = ((pool.config, raydium_clmm.PROGRAM),)
    return Names(pool.mints, pool.vaults, Pubkey.from_string(account.address), shared=shared)


def _whirlpool_names(_: Dumps, account: Account) -> Names:
    pool = orca_whirlpool.decode_pool(account.data)
    return Names(pool.mints, pool.vaults, Pubkey.from_string(account.address))


def _dlmm_names(_: Dumps, account: Account) -> Names:
    pair = meteora_dlmm.decode_pair(account.data)
    return Names(pair.mints, pair.reserves, Pubkey.from_string(account.address), _token_programs(pair.token_2022))


def _damm_names(_: Dumps, account: Account) -> Names:
    pool = meteora_damm_v2.decode_pool(account.data)
    return Names(pool.mints, pool.vaults, meteora_damm_v2.AUTHORITY, _token_programs(pool.token_2022))


def _token_programs(token_2022: tuple[bool, bool]) -> tuple[Pubkey, Pubkey]:
    return TOKEN_PROGRAMS[token_2022[0]], TOKEN_PROGRAMS[token_2022[1]]


def _pump_swap_names(_: Dumps, account: Account) -> Names:
    pool = pump_swap.decode_pool(account.data)
    shared = (pump_swap.GLOBAL_CONFIG, pump_swap.PROGRAM), (pump_swap.FEE_CONFIG, pump_fees.PROGRAM)
    return Names(pool.mints, pool.vaults, Pubkey.from_string(account.address), shared=shared)


def _pump_fun_names(dumps: Dumps, account: Account) -> Names:
    """The curve's tokens are in its associated account: of the coin's program, if that is known."""
    curve, coin = Pubkey.from_string(account.address), _coin(dumps, account.address)
    vault = None
    if coin:
        there = (get_associated_token_address(curve, coin, program) for program in TOKEN_PROGRAMS)
        vault = next((key for key in there if str(key) in dumps), None)
    shared = (
        (Pubkey.from_string(PUMP_FUN_GLOBAL), pump_fun.PROGRAM),
        (Pubkey.from_string(PUMP_FUN_FEE_CONFIG), pump_fees.PROGRAM),
    )
    return Names((coin, _quote_mint(pump_fun.decode_curve(account.data))), (vault, None), curve, shared=shared)


_LOADERS: dict[str, tuple[Callable[[Dumps, Account], Names], Callable[[Dumps, Account], Priced]]] = {
    str(raydium_amm_v4.PROGRAM): (_amm_names, _amm),
    str(raydium_cpmm.PROGRAM): (_cpmm_names, _cpmm),
    str(raydium_clmm.PROGRAM): (_clmm_names, _clmm),
    str(orca_whirlpool.PROGRAM): (_whirlpool_names, _whirlpool),
    str(meteora_dlmm.PROGRAM): (_dlmm_names, _dlmm),
    str(meteora_damm_v2.PROGRAM): (_damm_names, _damm),
    str(pump_swap.PROGRAM): (_pump_swap_names, _pump_swap),
    str(pump_fun.PROGRAM): (_pump_fun_names, _pump_fun),
}
"""By the pool account's owner: what it names, and how it is priced."""

_POOL_TAGS = frozenset(
    {
        meteora_damm_v2.POOL_DISCRIMINATOR,  # PumpSwap's is the same
        meteora_dlmm.PAIR_DISCRIMINATOR,
        orca_whirlpool.POOL_DISCRIMINATOR,
        pump_fun.CURVE_DISCRIMINATOR,
        bytes.fromhex("f7ede3f5d7c3de46"),  # PoolState: Raydium CPMM and CLMM
    }
)
_AMM_POOL_BYTES = 752


def is_pool(account: Account) -> bool:
    """Whether an account looks like a pool of a venue; `load` says if it is one."""
    if account.owner == str(raydium_amm_v4.PROGRAM):
        return len(account.data) == _AMM_POOL_BYTES
    return account.owner in _LOADERS and account.data[:8] in _POOL_TAGS
