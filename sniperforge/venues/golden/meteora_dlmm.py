"""Golden rows of Meteora DLMM: `program,lb_pair,unix_time,x_to_y,exact_out,amount,amount_in,amount_out,post_active_id`.

`program` names the build that ran (`BUILDS`). Payers had token accounts
of 165 bytes, which have no room for what a Token-2022 mint withholds: payments of such a mint to them fail.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.venues import core
from sniperforge.venues import meteora_dlmm as dlmm
from sniperforge.venues.dumps import Account, Dumps
from sniperforge.venues.golden import Swap
from sniperforge.venues.golden.lines import Line
from sniperforge.venues.golden.places import Places, State
from sniperforge.venues.pool_accounts import TOKEN, TOKEN_2022
from sniperforge.venues.quote import Quote
from sniperforge.venues.transfer_fee import NO_FEE, TransferFee

COLUMNS = ("program", "lb_pair", "unix_time", "x_to_y", "exact_out", "amount", "amount_in", "amount_out")
BUILDS = {"meteora_dlmm.so": True, "meteora_dlmm_zap.so": False}
"""Builds of the program by file name, and whether it is the newest."""
UNKNOWN_RESERVE = 2**64 - 1
EPOCH = 2**64 - 1
"""The rows do not say when they ran: of a mint's two transfer fees the newer is meant."""


class Loaded(NamedTuple):
    """The same pair twice."""

    c: Any  #: sf_meteora_dlmm_state_t *
    python: dlmm.State
    work: Any  #: sf_meteora_dlmm_work_t *
    notes: tuple[str, ...] = ()  #: what was taken for granted


def travel(work: Any, arrays: int = 2**32 - 1, room: int = lib.SF_DLMM_STATE_MAX) -> Any:
    """What `work` knows of the first `arrays` bin arrays, as a state of at most `room` bytes
    (`sf_meteora_dlmm_state_t *`); without these all that it knows."""
    state = ffi.from_buffer("sf_meteora_dlmm_state_t *", bytearray(room))
    lib.sf_meteora_dlmm_travel(work, arrays, room, state)
    return state


def load(dumps: Dumps, address: str, newest: bool, reserves_needed: bool = True) -> Loaded:
    """The pair at `address` with all of its bin arrays, reserves and mints among `dumps`.

    Unless `reserves_needed`, reserves that are not there count as holding what the bins say.
    """
    key = Pubkey.from_string(address)
    account = dumps.need(address, "pair").data
    pair = dlmm.decode_pair(account)
    work = ffi.new("sf_meteora_dlmm_work_t *")
    lib.sf_meteora_dlmm_clear(work, bytes(key))
    check(lib.sf_meteora_dlmm_account(account, len(account), work))
    arrays: dict[int, tuple[dlmm.Bin, ...]] = {}
    far: frozenset[int] | None = None
    for other in dumps.matching(partial(_of_pair, key)):
        if other.data[:8] == dlmm.ARRAY_DISCRIMINATOR:
            index, bins = dlmm.decode_array(key, pair, other.data)
            arrays[index] = bins
        else:
            far = dlmm.decode_bitmap(key, other.data)
        check(lib.sf_meteora_dlmm_account(other.data, len(other.data), work))
    fees, plain = [], []
    reserves: tuple[int, int] | None = None
    if reserves_needed or all(str(reserve) in dumps for reserve in pair.reserves):
        reserves = _reserve(dumps, pair, 0), _reserve(dumps, pair, 1)
    for side in (0, 1):
        fees.append(_transfer_fee(dumps, pair, side, work.head))
        plain.append(pair.token_2022[side])
        work.head.reserve[side] = reserves[side] if reserves else UNKNOWN_RESERVE
        work.head.plain_account[side] = plain[side]
    work.head.newest = newest
    python = dlmm.State(
        pair,
        arrays,
        far,
        newest,
        transfer_fees=(fees[0], fees[1]),
        reserves=reserves,
        plain_accounts=(plain[0], plain[1]),
    )
    notes = () if reserves else (f"reserves are not in {dumps.where}: taken to hold what the bins say",)
    return Loaded(travel(work), python, work, notes)


def _of_pair(key: Pubkey, account: Account) -> bool:
    """Whether it is a bin array or the bitmap of the pair `key`."""
    at = {dlmm.ARRAY_DISCRIMINATOR: 24, dlmm.BITMAP_DISCRIMINATOR: 8}.get(account.data[:8], len(account.data))
    return account.owner == str(dlmm.PROGRAM) and account.data[at : at + 32] == bytes(key)


def _reserve(dumps: Dumps, pair: dlmm.Pair, side: int) -> int:
    program = bytes(TOKEN_2022 if pair.token_2022[side] else TOKEN)
    reserve = dumps.need(str(pair.reserves[side]), "reserve").data
    return core.token_amount(program, reserve, bytes(pair.mints[side]))


def _transfer_fee(dumps: Dumps, pair: dlmm.Pair, side: int, head: Any) -> TransferFee:
    if not pair.token_2022[side]:
        return NO_FEE
    mint = dumps.need(str(pair.mints[side]), "mint").data
    fee = ffi.new("sf_transfer_fee_t *")
    check(lib.sf_transfer_fee_decode(bytes(TOKEN_2022), mint, len(mint), EPOCH, fee))
    head.transfer_fee[side] = fee[0]
    return dlmm.transfer_fee(mint, EPOCH)


def states(places: Places, of: tuple[str, bool]) -> list[State]:
    """A pair in each place, as the newest build reads it or not."""
    return places.states(f"pair {of[0]}", lambda dumps: [load(dumps, *of)])


def swap(line: Line) -> Swap:
    """A line."""
    exact_out, terms = line.flag("exact_out"), (line.flag("x_to_y"), line.number("amount"), line.number("unix_time"))
    in_c = lib.sf_meteora_dlmm_quote_out if exact_out else lib.sf_meteora_dlmm_quote_in

    def c(pair: Loaded) -> Quote:
        return core.quote(in_c, pair.c, *terms)

    def python(pair: Loaded) -> Quote:
        return (pair.python.quote_out if exact_out else pair.python.quote_in)(*terms)

    expected = line.outcome({"amount_in": "amount_in", "amount_out": "amount_out", "post_active_id": "tick"})
    return Swap((line.key("lb_pair"), BUILDS[line.text("program", *BUILDS)]), expected, c, python)
