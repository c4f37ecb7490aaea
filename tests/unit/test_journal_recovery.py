"""Recovery: what a run begins with, from what the journal says."""

from __future__ import annotations

import fcntl
import os
import time
import zlib
from pathlib import Path

import msgspec
import pytest
from solders.pubkey import Pubkey
from solders.signature import Signature

from ipc._core import lib
from sniperforge import recovery
from sniperforge.checkpoints import Checkpoints
from sniperforge.journal import runs
from sniperforge.recovery import WSOL, RecoveryError, State
from tests.journal_files import LINKS, JournalFiles, order_number, payload

WSOL_BYTES = bytes(Pubkey.from_string(WSOL))
USDC_BYTES = bytes(range(100, 132))
USDC = str(Pubkey.from_bytes(USDC_BYTES))
SIGNATURE = bytes(range(64))


def read(directory: Path) -> State:
    return recovery.advance(directory, State())


def test_nothing_there_is_an_empty_state(tmp_path: Path) -> None:
    assert read(tmp_path / "none") == State()
    with recovery.locked(tmp_path / "none"):
        assert recovery.recover(tmp_path / "none") == State()


def test_fills_are_booked_by_mint(tmp_path: Path) -> None:
    journal = JournalFiles(tmp_path, 3)
    journal.balance(5, WSOL_BYTES)
    journal.balance(7, USDC_BYTES)
    journal.order(order_number(3, 1), bot=2, token_in=5, token_out=5, amount_in=1000)
    journal.wire(order_number(3, 1))
    fields = {"bot": 2, "token_in": 5, "token_out": 5, "tip_lamports": 30}
    journal.fill(order_number(3, 1), delta_in=900, delta_lamports=-80, fee_lamports=50, **fields)
    journal.order(order_number(3, 2), bot=2, kind=lib.SF_INTENT_SWAP, token_in=5, token_out=7)
    swap = {"bot": 2, "kind": lib.SF_INTENT_SWAP, "token_in": 5, "token_out": 7}
    journal.fill(order_number(3, 2), delta_in=-400, delta_out=60, delta_lamports=-5, fee_lamports=5, **swap)
    reverted = {"outcome": lib.SF_FILL_REVERTED, "delta_lamports": -5, "fee_lamports": 5}
    journal.fill(order_number(3, 3), **fields, **reverted)
    journal.commit()
    state = read(tmp_path)
    assert (state.booked(WSOL), state.booked(USDC), state.booked("other")) == (500, 60, 0)
    assert (state.lamports, state.fee_lamports, state.tip_lamports) == (-90, 60, 30)
    bot = state.bots[2]
    assert (bot.orders, bot.landed, bot.reverted, bot.profit_lamports) == (2, 2, 1, 900 - 80 - 5 - 5)
    assert bot.fee_lamports == 50 + 30 + 5 + 5
    assert (state.day_lamports, state.day_fee_lamports) == (810, 90)
    assert state.day == journal.time_ns // 86_400_000_000_000
    assert (state.last_run, state.last_order, state.open_orders, state.unsent_orders) == (3, order_number(3, 3), [], [])


def test_what_a_sale_earned_counts_also_when_it_was_bought_in_an_earlier_run(tmp_path: Path) -> None:
    swap = {"bot": 2, "kind": lib.SF_INTENT_SWAP}
    first = JournalFiles(tmp_path, 3)
    first.balance(5, WSOL_BYTES)
    first.balance(7, USDC_BYTES)
    bought = {"token_in": 5, "token_out": 7, "delta_in": -1000, "delta_out": 60}
    first.fill(order_number(3, 1), **bought, delta_lamports=-5, fee_lamports=5, **swap)
    first.commit()
    lot = read(tmp_path).lots[USDC]
    assert (lot.amount, lot.cost_lamports) == (60, 1000)
    second = JournalFiles(tmp_path, 4)
    second.balance(1, USDC_BYTES)
    second.balance(2, WSOL_BYTES)
    sold = {"token_in": 1, "token_out": 2, "delta_in": -30, "delta_out": 200}
    second.fill(order_number(4, 1), **sold, delta_lamports=-5, fee_lamports=5, **swap)
    second.commit()
    state = read(tmp_path)
    assert (state.lots[USDC].amount, state.lots[USDC].cost_lamports) == (30, 500)
    assert state.day_lamports == (200 - 500) - 5 - 5
    assert state.bots[2].profit_lamports == state.day_lamports


def test_what_a_bot_holds_is_counted_by_bot_until_all_is_sold(tmp_path: Path) -> None:
    swap = {"kind": lib.SF_INTENT_SWAP, "delta_lamports": -5, "fee_lamports": 5}
    first = JournalFiles(tmp_path, 3)
    first.balance(5, WSOL_BYTES)
    first.balance(7, USDC_BYTES)
    for number, bot in ((1, 2), (2, 4), (3, 4)):
        bought = {"token_in": 5, "token_out": 7, "delta_in": -1000, "delta_out": 60, "amount_in": 1000}
        first.fill(order_number(3, number), **bought, bot=bot, **swap)
    first.commit()
    held = read(tmp_path).held[4][USDC]
    assert (held.bought, held.cost_lamports, held.sold, held.since_s) == (120, 2000, 0, 1_700_000_000)
    second = JournalFiles(tmp_path, 4)
    second.balance(1, USDC_BYTES)
    second.balance(2, WSOL_BYTES)
    sold = {"token_in": 1, "token_out": 2, "delta_in": -30, "delta_out": 700, "amount_in": 30}
    second.fill(order_number(4, 1), **sold, bot=4, **swap)
    second.commit()
    held = read(tmp_path).held[4][USDC]
    assert (held.bought, held.cost_lamports, held.sold, held.proceeds_lamports) == (120, 2000, 30, 700)
    third = JournalFiles(tmp_path, 5)
    third.balance(1, USDC_BYTES)
    third.balance(2, WSOL_BYTES)
    third.fill(order_number(5, 1), **(sold | {"delta_in": -90}), bot=4, **swap)
    third.commit()
    assert set(read(tmp_path).held[4]) == set() and read(tmp_path).held[2][USDC].bought == 60


def test_a_verdict_tells_which_mint_a_token_is(tmp_path: Path) -> None:
    journal = JournalFiles(tmp_path, 3, links=(*LINKS, "verdict"))
    journal.balance(5, WSOL_BYTES)
    journal.add("verdict", lib.SF_MSG_VERDICT, payload("sf_verdict_t", token=7, mint=USDC_BYTES))
    bought = {"token_in": 5, "token_out": 7, "delta_in": -1000, "delta_out": 60, "amount_in": 1000}
    journal.fill(order_number(3, 1), **bought, bot=4, kind=lib.SF_INTENT_SWAP)
    journal.commit()
    state = read(tmp_path)
    assert state.held[4][USDC].bought == state.lots[USDC].amount == 60 and not state.unmapped


def test_a_balance_record_may_come_after_the_fill(tmp_path: Path) -> None:
    journal = JournalFiles(tmp_path, 1)
    journal.fill(order_number(1, 1), token_in=4, token_out=4, delta_in=11)
    journal.commit()
    assert read(tmp_path).unmapped == {4: 11}
    journal.balance(4, USDC_BYTES)
    journal.balance(recovery.NATIVE, bytes(32))
    journal.commit()
    state = read(tmp_path)
    assert state.unmapped == {} and state.booked(USDC) == 11


def test_token_rows_are_of_their_run(tmp_path: Path) -> None:
    for run, mint in ((1, WSOL_BYTES), (2, USDC_BYTES)):
        journal = JournalFiles(tmp_path, run)
        journal.balance(0, mint)
        journal.fill(order_number(run, 1), delta_in=run)
        journal.commit()
    state = read(tmp_path)
    assert (state.booked(WSOL), state.booked(USDC)) == (1, 2)


def test_open_orders_have_a_wire_and_no_fill(tmp_path: Path) -> None:
    journal = JournalFiles(tmp_path, 1)
    journal.balance(0, WSOL_BYTES)
    for n in range(1, 6):
        journal.order(order_number(1, n), amount_in=n, expected_out=n + 1, tip_lamports=9, intent=n, bot=1)
    journal.wire(order_number(1, 1))
    journal.wire(order_number(1, 2), last_valid=321)
    journal.wire(order_number(1, 3))
    journal.refused(order_number(1, 3), link="sent")
    journal.refused(order_number(1, 4))
    journal.fill(order_number(1, 1))
    journal.commit()
    state = read(tmp_path)
    assert [o.order & 0xFFFF for o in state.open_orders] == [2]
    assert [o.order & 0xFFFF for o in state.unsent_orders] == [3, 4, 5]
    order = state.open_orders[0]
    assert (order.signature, order.last_valid_block_height) == (str(Signature.from_bytes(SIGNATURE)), 321)
    assert (order.run, order.intent, order.bot, order.amount_in, order.expected_out) == (1, 2, 1, 2, 3)
    assert (order.mint_in, order.mint_out, order.tip_lamports, order.t_origin) == (WSOL, WSOL, 9, 77)

    second = JournalFiles(tmp_path, 2)  # the next run books what the chain says of it
    second.balance(6, WSOL_BYTES)
    second.fill(order_number(1, 2), token_in=6, token_out=6, delta_in=40, flags=lib.SF_FILL_RECOVERED)
    second.commit()
    state = read(tmp_path)
    assert (state.open_orders, state.unsent_orders, state.booked(WSOL), state.last_run) == ([], [], 40, 2)


def test_records_of_an_order_come_in_any_order_over_links(tmp_path: Path) -> None:
    journal = JournalFiles(tmp_path, 1)
    journal.fill(order_number(1, 1), delta_in=5)
    journal.wire(order_number(1, 1))
    journal.order(order_number(1, 1))
    journal.wire(order_number(1, 2))
    journal.order(order_number(1, 2), amount_in=8)
    journal.commit()
    state = read(tmp_path)
    assert [(o.order & 0xFFFF, o.amount_in) for o in state.open_orders] == [(2, 8)]


def test_a_fill_is_booked_once(tmp_path: Path) -> None:
    for run in (1, 2):
        journal = JournalFiles(tmp_path, run)
        journal.balance(0, WSOL_BYTES)
        journal.fill(order_number(1, 1), delta_in=5, delta_lamports=-1)
        journal.commit()
    state = read(tmp_path)
    assert (state.booked(WSOL), state.lamports, state.fills, state.duplicate_fills) == (5, -1, 1, 1)


def test_kill_and_resume(tmp_path: Path) -> None:
    journal = JournalFiles(tmp_path, 1)
    journal.command(lib.SF_VERB_KILL, value=lib.SF_KILL_HALT)
    journal.command(lib.SF_VERB_KILL, value=lib.SF_KILL_REDUCE)
    journal.commit()
    assert read(tmp_path).kill == lib.SF_KILL_HALT
    journal.command(lib.SF_VERB_RESUME)
    journal.command(lib.SF_VERB_TRADE)
    journal.commit()
    assert read(tmp_path).kill == lib.SF_KILL_RUN


def test_the_days_result_begins_anew_at_midnight(tmp_path: Path) -> None:
    journal = JournalFiles(tmp_path, 1)
    journal.fill(order_number(1, 1), delta_lamports=-100, fee_lamports=100)
    journal.commit()
    journal.time_ns += 86_400_000_000_000
    journal.fill(order_number(1, 2), delta_lamports=-7, fee_lamports=7)
    journal.commit()
    state = read(tmp_path)
    assert (state.day_lamports, state.day_fee_lamports, state.lamports) == (-7, 7, -107)


def test_the_checkpoint_goes_on_where_it_was(tmp_path: Path) -> None:
    journal = JournalFiles(tmp_path, 1, segment_blocks=2)
    for n in range(1, 6):
        journal.balance(0, WSOL_BYTES)
        journal.order(order_number(1, n))
        journal.wire(order_number(1, n))
        if n % 2:
            journal.fill(order_number(1, n), delta_in=n)
        journal.commit()
        with recovery.locked(tmp_path):
            state = recovery.recover(tmp_path)
        assert state == recovery.load(tmp_path)
        whole = read(tmp_path)
        assert msgspec.json.encode(state) == msgspec.json.encode(whole)
    assert state.place is not None and state.place.number == 5
    journal.segment_path(0).unlink()  # what lies before the checkpoint is not read again
    assert recovery.advance(tmp_path, recovery.load(tmp_path)) == whole


def test_a_torn_tail_is_cut_once_and_recorded(tmp_path: Path) -> None:
    journal = JournalFiles(tmp_path, 1)
    for n in range(1, 4):
        journal.order(order_number(1, n))
        journal.wire(order_number(1, n))
        journal.commit()
    with journal.path.open("r+b") as file:
        file.seek(journal.ends[1][1] + 200)
        file.write(b"torn")
        file.seek(0, os.SEEK_END)
        file.write(bytes(1 << 20))
    for _ in range(2):
        with recovery.locked(tmp_path):
            state = recovery.recover(tmp_path)
        assert len(state.open_orders) == 2
        assert [(cut.file, cut.offset) for cut in state.cuts] == [("00000001-00000000.sfj", journal.ends[1][1])]
        assert "checksum" in state.cuts[0].reason
        assert journal.path.stat().st_size == journal.ends[1][1]
    second = JournalFiles(tmp_path, 2)
    second.fill(order_number(1, 1))
    second.commit()
    with recovery.locked(tmp_path):
        assert [o.order & 0xFF for o in recovery.recover(tmp_path).open_orders] == [2]


def test_an_earlier_run_has_no_torn_tail(tmp_path: Path) -> None:
    journal = JournalFiles(tmp_path, 1)
    for n in range(1, 4):
        journal.order(order_number(1, n))
        journal.commit()
    JournalFiles(tmp_path, 2).commit()
    data = bytearray(journal.path.read_bytes())
    data[journal.ends[1][1] + 70] ^= 1  # in its last block: what a power cut leaves in a last run
    journal.path.write_bytes(data)
    with recovery.locked(tmp_path), pytest.raises(RecoveryError, match=rf"damaged at offset {journal.ends[1][1]}"):
        recovery.recover(tmp_path)
    assert journal.path.read_bytes() == data


def test_damage_is_not_cut(tmp_path: Path) -> None:
    journal = JournalFiles(tmp_path, 1)
    for n in range(1, 100):
        journal.order(order_number(1, n))
        journal.commit()
    data = bytearray(journal.path.read_bytes())
    data[journal.ends[9][1] + 70] ^= 1
    journal.path.write_bytes(data)
    with recovery.locked(tmp_path), pytest.raises(RecoveryError, match=r"offset 40960 .*no torn tail"):
        recovery.recover(tmp_path)
    assert journal.path.read_bytes() == data
    JournalFiles(tmp_path, 2).commit()
    with pytest.raises(RecoveryError, match="is damaged at offset 40960"):
        read(tmp_path)


def test_a_checkpoint_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    journal = JournalFiles(tmp_path, 1)
    journal.order(1)
    journal.commit()
    (tmp_path / recovery.CHECKPOINT).write_bytes(b"{")
    with pytest.raises(RecoveryError, match=r"checkpoint\.json: cannot be used"):
        recovery.load(tmp_path)
    (tmp_path / recovery.CHECKPOINT).write_bytes(b'{"format":9}\n%08x\n' % zlib.crc32(b'{"format":9}'))
    with pytest.raises(RecoveryError, match="has format 9"):
        recovery.load(tmp_path)
    (tmp_path / recovery.CHECKPOINT).unlink()
    state = read(tmp_path)
    recovery.save(tmp_path, state)
    whole = (tmp_path / recovery.CHECKPOINT).read_bytes()
    for at in range(len(whole)):
        (tmp_path / recovery.CHECKPOINT).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(RecoveryError, match="cannot be used"):
            recovery.load(tmp_path)
    (tmp_path / recovery.CHECKPOINT).write_bytes(whole)
    os.truncate(journal.path, 0)
    with pytest.raises(RecoveryError, match="the checkpoint is ahead of the journal"):
        recovery.advance(tmp_path, recovery.load(tmp_path))


def test_the_lock_keeps_a_writer_away(tmp_path: Path) -> None:
    with (
        recovery.locked(tmp_path),
        pytest.raises(RecoveryError, match="another process writes"),
        recovery.locked(tmp_path, timeout_s=0.02),
    ):
        pass
    with recovery.locked(tmp_path), (tmp_path / "lock").open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_prune_keeps_what_recovery_needs(tmp_path: Path) -> None:
    for run in (1, 2, 3):
        journal = JournalFiles(tmp_path, run)
        journal.order(order_number(run, 1))
        journal.commit()
        (tmp_path / f"{run}.config.json").write_text("{}")
    assert recovery.prune(tmp_path, State(), 0) == []
    state = read(tmp_path)
    assert recovery.prune(tmp_path, state, 1 << 30) == []
    assert recovery.prune(tmp_path, state, 4 * 4096) == [1]
    assert recovery.prune(tmp_path, state, 0) == [2]
    assert runs(tmp_path) == [3] and sorted(path.name for path in tmp_path.glob("*.json")) == ["3.config.json"]


def test_checkpoints_follow_a_running_journal(tmp_path: Path) -> None:
    journal = JournalFiles(tmp_path, 1)
    checkpoints = Checkpoints(tmp_path, State(), period_s=0.001)
    checkpoints.start()
    try:
        for n in range(1, 4):
            journal.order(order_number(1, n))
            journal.wire(order_number(1, n))
            journal.commit()
            deadline = time.monotonic() + 30
            while len(recovery.load(tmp_path).open_orders) != n:
                assert time.monotonic() < deadline, checkpoints.error
                time.sleep(0.001)
    finally:
        checkpoints.close()
    assert checkpoints.saved and not checkpoints.error
    assert not list(tmp_path.glob("*.part"))
    assert recovery.load(tmp_path) == read(tmp_path)


def test_the_last_checkpoint_is_of_the_whole_journal(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, State(), period_s=1000.0)
    checkpoints.start()
    journal = JournalFiles(tmp_path, 1)
    journal.order(order_number(1, 1))
    journal.commit()
    checkpoints.last()
    checkpoints.close()
    assert checkpoints.saved == 1 and recovery.load(tmp_path) == read(tmp_path)
