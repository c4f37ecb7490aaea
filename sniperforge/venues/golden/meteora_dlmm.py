"""Golden rows of Meteora DLMM: `program,lb_pair,unix_time,x_to_y,exact_out,amount,amount_in,amount_out,post_active_id`.

`program` names the build that ran: `meteora_dlmm.so` is the newest, any other an older one. Payers had token accounts
of 165 bytes, which have no room for what a Token-2022 mint withholds: payments of such a mint to them fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from solders.pubkey import Pubkey

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.venues import core
from sniperforge.venues import meteora_dlmm as dlmm
from sniperforge.venues.dumps import Dumps, complete, snapshots
from sniperforge.venues.golden import FAILED, GoldenRow, failed, lines
from sniperforge.venues.transfer_fee import NO_FEE, TransferFee

NEWEST = "meteora_dlmm.so"
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
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
    for other in dumps:
        if other.owner != str(dlmm.PROGRAM):
            continue
        if other.data[:8] == dlmm.ARRAY_DISCRIMINATOR and other.data[24:56] == bytes(key):
            index, bins = dlmm.decode_array(key, pair, other.data)
            arrays[index] = bins
        elif other.data[:8] == dlmm.BITMAP_DISCRIMINATOR and other.data[8:40] == bytes(key):
            far = dlmm.decode_bitmap(key, other.data)
        else:
            continue
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


def rows(csv_path: Path, accounts_dir: Path) -> Iterator[GoldenRow]:
    """The rows of a file; each names its pair and the program's build."""
    pairs: dict[tuple[str, bool], Loaded] = {}
    columns = ("program", "lb_pair", "unix_time", "x_to_y", "exact_out", "amount", "amount_in", "amount_out")
    for name, line in lines(csv_path, *columns):
        address, newest = line["lb_pair"], line["program"] == NEWEST
        if (address, newest) not in pairs:
            build = partial(load, address=address, newest=newest)
            pairs[address, newest] = complete(snapshots(accounts_dir, address), build)
        loaded, exact_out = pairs[address, newest], line["exact_out"] == "1"
        known = {"amount_in": "amount_in", "amount_out": "amount_out", "tick": "post_active_id"}
        ended = failed(line["amount_in"]) or failed(line["amount_out"])
        expected = FAILED if ended else {key: int(line[at]) for key, at in known.items() if line.get(at)}
        terms = (line["x_to_y"] == "1", int(line["amount"]), int(line["unix_time"]))
        in_c = lib.sf_meteora_dlmm_quote_out if exact_out else lib.sf_meteora_dlmm_quote_in
        in_python = loaded.python.quote_out if exact_out else loaded.python.quote_in
        yield GoldenRow(name, expected, partial(core.quote, in_c, loaded.c, *terms), partial(in_python, *terms))
