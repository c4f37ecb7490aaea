"""Books against the chain, and what is said about them."""

from __future__ import annotations

from typing import Any

from sniperforge.recovery import OpenOrder, Position, State
from sniperforge.report import LAMPORTS, WSOL, Books, Difference, compare_books, line, summary, summary_text
from sniperforge.reverts import MOVED, UNEXPLAINED, Causes, Revert

USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
BOT = {
    "number": 1,
    "name": "arb",
    "running": True,
    "intents": 5,
    "orders": 4,
    "denied": 1,
    "landed": 3,
    "reverted": 1,
    "expired": 0,
    "dropped": 0,
    "profitable": 2,
    "profit_lamports": 1_500_000_000,
    "fee_lamports": 20_000,
    "last_reason": "",
}
FINAL: dict[str, Any] = {
    "instance": "x",
    "run": 3,
    "uptime_s": 12.34,
    "bots": [BOT],
    "chain": {"slot": 77},
    "pools": [1, 2],
    "tiles": [{"name": "risk", "origin": {"count": 1, "p50_ns": 870}}],
    "trading": True,
    "kill": {"level": "run"},
}


def journal(**positions: int) -> State:
    mints = {"wsol": WSOL, "usdc": USDC}
    state = State(lamports=-20_000, fee_lamports=20_000, fills=4)
    state.positions = {mints[name]: Position(booked=booked, fills=1) for name, booked in positions.items()}
    return state


def books(*, baseline: dict[str, int], held: dict[str, int], **positions: int) -> Books:
    return Books(baseline=baseline, held=held, journal=journal(**positions))


def test_books_that_equal_the_chain() -> None:
    found = books(baseline={WSOL: 100, LAMPORTS: 50_000}, held={WSOL: 107, USDC: 5, LAMPORTS: 30_000}, wsol=7, usdc=5)
    assert compare_books(found) == []
    text = summary_text(FINAL, found, [], Causes())
    assert "books equal the chain" in text and "landed 3 (2 profitable)" in text and "1.500000000 SOL" in text
    assert summary(FINAL, found, [], Causes())["books_equal_chain"]
    assert summary(FINAL, found, [], Causes())["balances"][USDC] == {"baseline": 0, "held": 5, "booked": 5}


def test_every_balance_is_compared() -> None:
    same = {"baseline": {WSOL: 1, LAMPORTS: 50_000}, "held": {WSOL: 1, LAMPORTS: 30_000}}
    assert compare_books(books(**same)) == []
    assert compare_books(books(**same, usdc=3)) == [Difference(USDC, 3, 0)]
    assert compare_books(books(**same, wsol=-1)) == [Difference(WSOL, -1, 0)]
    gone = {"baseline": {WSOL: 1, LAMPORTS: 50_000}, "held": {LAMPORTS: 30_000}}
    assert compare_books(books(**gone)) == [Difference(WSOL, 0, -1)]
    dearer = {"baseline": {LAMPORTS: 50_000}, "held": {LAMPORTS: 29_999}}
    assert compare_books(books(**dearer)) == [Difference(LAMPORTS, -20_000, -20_001)]


def test_a_difference_is_told_with_the_open_orders() -> None:
    found = books(baseline={LAMPORTS: 20_000}, held={LAMPORTS: 0, USDC: 9})
    found.journal.orders[7] = OpenOrder(order=7, run=1, wired=True)
    differences = compare_books(found)
    text = summary_text(FINAL, found, differences, Causes())
    assert "DIFFERENT" in text and USDC in text and "still open" in text and "equal the chain" not in text
    assert not summary(FINAL, found, differences, Causes())["books_equal_chain"]
    assert summary(FINAL, found, differences, Causes())["open_orders"] == 1


def test_reverts_are_told_by_cause() -> None:
    found = books(baseline={LAMPORTS: 20_000}, held={LAMPORTS: 0})
    lost = Revert(order=1 << 32 | 5, bot=1, signature="s", slot=7, error=6005, venues=("raydium cpmm",), cause=MOVED)
    ours = Revert(
        order=1 << 32 | 6, bot=1, signature="s", slot=7, error=1, venues=("pump swap",), hop=0, cause=UNEXPLAINED
    )
    text = summary_text(FINAL, found, [], Causes([lost, ours]))
    assert "reverted: 1 moved, 1 unexplained" in text
    assert "order 6 of bot 1 unexplained: error 1, hop 1 (pump swap" in text and "order 5" not in text
    assert summary(FINAL, found, [], Causes([lost, ours]))["reverted"] == {"moved": 1, "unexplained": 1, "unknown": 0}
    assert "NOT ALL EXPLAINED" not in text
    assert "and 20 more unexplained" in summary_text(FINAL, found, [], Causes([ours] * 120))


def test_reverts_that_nobody_can_explain_are_told_plainly() -> None:
    found = books(baseline={LAMPORTS: 20_000}, held={LAMPORTS: 0})
    lost = Revert(order=1 << 32 | 5, bot=1, signature="s", slot=7, error=6005, venues=())
    text = summary_text(FINAL, found, [], Causes([lost, lost]))
    assert "reverted: 0 moved, 0 unexplained, 2 unknown; NOT ALL EXPLAINED" in text
    assert summary(FINAL, found, [], Causes([lost]))["reverted"] == {"moved": 0, "unexplained": 0, "unknown": 1}


def test_the_line() -> None:
    said = line(FINAL)
    assert said.startswith(
        "x run 3 trading | slot 77 | pools 2 | landed 3 (profitable 2) denied 1 | earned 1.500000000"
    )
    assert "tick to order p50 870 ns" in said
    assert "halted" in line(FINAL | {"kill": {"level": "halt"}})
