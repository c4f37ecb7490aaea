"""What a run says at its end and `status` at any time: results, and books held against the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spl.token.constants import WRAPPED_SOL_MINT

from sniperforge.recovery import State
from sniperforge.reverts import UNEXPLAINED, Causes
from sniperforge.text import amount, short_ns

WSOL = str(WRAPPED_SOL_MINT)
LAMPORTS = "lamports"


@dataclass(frozen=True)
class Books:
    """Three sources about one wallet, in base units by mint ("lamports" for the native balance).

    Attributes:
        baseline: what the chain said before the first order ever.
        held: what the chain says now.
        journal: what the journal has booked since.
    """

    baseline: dict[str, int]
    held: dict[str, int]
    journal: State


@dataclass(frozen=True)
class Difference:
    """A balance that the journal does not explain, in base units."""

    mint: str
    booked: int
    changed: int


def compare_books(books: Books) -> list[Difference]:
    """Balances whose change on the chain is not what was booked; orders still open explain nothing yet."""
    booked = {mint: position.booked for mint, position in books.journal.positions.items()}
    booked[LAMPORTS] = books.journal.lamports
    differences = []
    for mint in sorted(booked.keys() | books.held.keys() | books.baseline.keys()):
        changed = books.held.get(mint, 0) - books.baseline.get(mint, 0)
        if changed != booked.get(mint, 0):
            differences.append(Difference(mint, booked.get(mint, 0), changed))
    return differences


def books_notes(differences: Sequence[Difference]) -> list[str]:
    """What a start says of balances that moved while nothing ran, or that a lost journal had booked."""
    return [
        f"before this run: {item.mint}: booked {item.booked:+d}, on the chain {item.changed:+d} base units; "
        "the wallet was used elsewhere, or part of the journal is gone"
        for item in differences
    ]


def _bot_lines(bots: list[dict[str, Any]]) -> list[str]:
    lines = []
    for bot in bots:
        lines.append(
            f"  bot {bot['name']:<12} intents {bot['intents']}, orders {bot['orders']}, denied {bot['denied']}, "
            f"landed {bot['landed']} ({bot['profitable']} profitable), reverted {bot['reverted']}, "
            f"expired {bot['expired']}, dropped {bot['dropped']}, result {amount(bot['profit_lamports'], 9)} SOL"
            + (f", last denied for {bot['last_reason']}" if bot["last_reason"] else "")
            + ("" if bot["running"] else ", STOPPED")
        )
    return lines


def _revert_lines(reverted: Causes) -> list[str]:
    if not any(reverted.counts.values()):
        return []
    more = reverted.counts[UNEXPLAINED] - len(reverted.unexplained)
    lines = [f"  reverted: {reverted.text()}", *(f"  {revert.text()}" for revert in reverted.unexplained)]
    return [*lines, f"  and {more} more unexplained"] if more else lines


def summary_text(final: dict[str, Any], books: Books, differences: list[Difference], reverted: Causes) -> str:
    """The end of a run for a person: what was landed and earned in it, why orders reverted, and whether the books equal
    the chain."""
    journal = books.journal
    lines = [
        f"summary of run {final['run']} ({final['uptime_s']:.1f} s):",
        *_bot_lines(final["bots"]),
        *_revert_lines(reverted),
        f"  all runs: {journal.fills} orders resolved, {len(journal.open_orders)} open, "
        f"fees {amount(journal.fee_lamports, 9)} SOL, tips {amount(journal.tip_lamports, 9)} SOL",
    ]
    for mint in sorted(journal.positions):
        position = journal.positions[mint]
        changed = books.held.get(mint, 0) - books.baseline.get(mint, 0)
        lines.append(f"  {mint}: booked {position.booked:+d}, on the chain {changed:+d} base units")
    changed = books.held.get(LAMPORTS, 0) - books.baseline.get(LAMPORTS, 0)
    lines.append(f"  native lamports: booked {journal.lamports:+d}, on the chain {changed:+d}")
    if differences:
        for item in differences:
            lines.append(f"  DIFFERENT: {item.mint}: booked {item.booked:+d}, changed {item.changed:+d}")
        if journal.open_orders:
            lines.append("  (orders are still open: the next start asks the chain about them)")
    else:
        lines.append("  books equal the chain: every booked amount is the wallet's balance change")
    return "\n".join(lines)


def summary(final: dict[str, Any], books: Books, differences: list[Difference], reverted: Causes) -> dict[str, Any]:
    """The same as plain data; amounts in base units."""
    journal = books.journal
    mints = sorted(books.baseline.keys() | books.held.keys() | journal.positions.keys())
    return {
        "instance": final["instance"],
        "run": final["run"],
        "uptime_s": final["uptime_s"],
        "bots": final["bots"],
        "reverted": reverted.counts,
        "fills": journal.fills,
        "open_orders": len(journal.open_orders),
        "fee_lamports": journal.fee_lamports,
        "tip_lamports": journal.tip_lamports,
        "balances": {
            mint: {
                "baseline": books.baseline.get(mint, 0),
                "held": books.held.get(mint, 0),
                "booked": journal.lamports if mint == LAMPORTS else journal.booked(mint),
            }
            for mint in mints
        },
        "books_equal_chain": not differences,
    }


def stale(name: str) -> str:
    """What is said of an instance whose supervisor is gone."""
    return f"instance {name} is stale: its supervisor is gone; `sniperforge clean` removes it"


def activity(status: dict[str, Any]) -> str:
    """What the instance does: `trading`, `reducing` (exits only), `halted` by the kill word, or `not trading` yet."""
    if status["kill"]["level"] != "run":
        return {"reduce": "reducing", "halt": "halted"}[status["kill"]["level"]]
    return "trading" if status["trading"] else "not trading"


def line(status: dict[str, Any]) -> str:
    """The instance in one line."""
    landed = sum(bot["landed"] for bot in status["bots"])
    profitable = sum(bot["profitable"] for bot in status["bots"])
    denied = sum(bot["denied"] for bot in status["bots"])
    profit = sum(bot["profit_lamports"] for bot in status["bots"])
    chain = status["chain"]
    stage = next((tile["origin"] for tile in status["tiles"] if tile["name"] == "risk"), None)
    tick = f" | tick to order p50 {short_ns(stage['p50_ns'])}" if stage and stage["count"] else ""
    return (
        f"{status['instance']} run {status['run']} {activity(status)} | slot {chain['slot']} | "
        f"pools {len(status['pools'])} | landed {landed} (profitable {profitable}) denied {denied} | "
        f"earned {amount(profit, 9)} SOL{tick}"
    )


def nonces_text(status: dict[str, Any]) -> str:
    """That the nonce pool is on, and what it did; empty if it is off."""
    nonces = status["nonces"]
    if not nonces["slots"]:
        return ""
    signatures = nonces["hits"] + nonces["misses"]
    return (
        f"nonce pool ON: {nonces['ready']} of {nonces['slots']} ready, "
        f"{nonces['hits']} of {signatures} signatures from it, {nonces['dropped']} dropped"
    )


def status_text(status: dict[str, Any]) -> str:
    """The status for a person."""
    supervisor = "alive" if status["supervisor"]["alive"] else "GONE"
    lines = [
        f"instance {status['instance']}, run {status['run']}, up {status['uptime_s']:.0f} s, "
        f"supervisor {supervisor} (process {status['supervisor']['pid']})",
        f"{activity(status)}, kill word {status['kill']['level']} (by {status['kill']['by']}), "
        f"slot {status['chain']['slot']}, {len(status['pools'])} pools",
    ]
    for tile in status["tiles"]:
        core = "any core" if tile["core"] is None else f"core {tile['core']}"
        error = f"  {tile['error']}" if tile["error"] else ""
        lines.append(
            f"  {tile['name']:<12}{tile['state']:<6}{tile['group']:<12}{core:<10}process {tile['pid']:<8}"
            f"turn p50 {short_ns(tile['turn']['p50_ns']):<9} in {tile['messages_in']:<10} "
            f"out {tile['messages_out']}{error}"
        )
    lines += _bot_lines(status["bots"])
    lines += [nonces] if (nonces := nonces_text(status)) else []
    for row in status["positions"]:
        lines.append(
            f"  {row['mint']}: balance {amount(row['balance'], row['decimals'])}, "
            f"booked {amount(row['booked'], row['decimals'])}, reserved {amount(row['reserved'], row['decimals'])}"
        )
    memory = status["memory"]
    lines.append(
        f"memory: hot path {memory['hot_path_bytes'] / 1e6:.1f} MB in all its processes "
        f"(proportional set size, shared workspaces left out), workspaces {memory['workspace_bytes'] / 1e6:.1f} MB"
    )
    for process in memory["processes"]:
        hot = " (hot path)" if process["hot"] else ""
        lines.append(f"  process {process['pid']}: {', '.join(process['tiles'])}: {process['bytes'] / 1e6:.1f} MB{hot}")
    return "\n".join(lines)
