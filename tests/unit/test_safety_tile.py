"""The safety tile: what of a verdict goes into a message, and how messages reach bots and people."""

from __future__ import annotations

import json
import struct

from solders.pubkey import Pubkey

from ipc._core import lib
from sniperforge.config import load
from sniperforge.journal.records import decode
from sniperforge.safety import Check, Verdict
from sniperforge.strategies import Held, Strategy
from sniperforge.strategies import Verdict as Told
from sniperforge.strategies.base import Context
from sniperforge.tiles import safety, strategies
from sniperforge.tiles.safety import Market, reasons, supply_of, verdict_bytes
from sniperforge.tiles.strategies import Strategies, verdict_of
from sniperforge.topology import graph

MINT, POOL, MAKER = (str(Pubkey([n] * 32)) for n in (1, 2, 3))


def verdict(*refused: str, creators: tuple[str, ...] = (MAKER,)) -> Verdict:
    checks = [Check(name, "refuse", "why", 7) for name in refused] + [Check("holders", "warn", "why", 7)]
    account = bytes(36) + struct.pack("<Q", 10**15) + bytes(38)
    return Verdict(
        mint=MINT,
        pool=POOL,
        amount=9,
        slot=7,
        unix_s=1,
        checks=checks,
        creators=creators,
        mint_account=account,
        opened=5,
    )


def test_every_check_has_its_reason() -> None:
    assert reasons(verdict()) == 0
    assert reasons(verdict("mint authority", "liquidity lock")) == lib.SF_UNSAFE_MINT_AUTHORITY | lib.SF_UNSAFE_LOCK
    assert reasons(verdict("extension transfer hook")) == lib.SF_UNSAFE_EXTENSION
    assert reasons(verdict("node")) == lib.SF_UNSAFE_OTHER
    known = set(safety._CHECKS.values()) | set(safety._GUARDS.values()) | {lib.SF_UNSAFE_EXTENSION}
    assert known == {getattr(lib, name) for name in dir(lib) if name.startswith("SF_UNSAFE_")}


def test_a_verdict_becomes_a_message_and_comes_out_of_it() -> None:
    market = Market(4, POOL, 0, "So11111111111111111111111111111111111111112")
    payload = verdict_bytes(6, market, lib.SF_VERDICT_REFUSED, lib.SF_UNSAFE_AGE, verdict(creators=(MAKER,) * 3))
    told = verdict_of(payload)
    assert told == Told(6, 4, 0, lib.SF_VERDICT_REFUSED, lib.SF_UNSAFE_AGE, 7, 9, 10**15, 5, MINT, (MAKER, MAKER))
    shown = decode(lib.SF_MSG_VERDICT, payload)
    assert (shown["outcome"], shown["reasons"], shown["mint"], shown["creator"]) == (
        "refused", ["age"], MINT, [MAKER, MAKER],
    )  # fmt: skip
    json.dumps(shown)


def test_a_mint_that_is_not_there_has_no_supply() -> None:
    assert supply_of(b"") == 0


def test_what_earlier_runs_left_goes_to_its_bot() -> None:
    class Keeper(Strategy):
        def on_held(self, held: Held) -> None:
            seen.append(held)

    seen: list[Held] = []
    context = Context(token=lambda row: (_ for _ in ()).throw(LookupError), balances={}, intents_per_message=1)
    host = Strategies.__new__(Strategies)
    host._sold, host._bots = {}, [strategies.Bot(4, "keeper", Keeper(None, context))]
    host._by_number = {4: host._bots[0]}
    record = strategies._COMMAND
    for fields in (
        {"verb": lib.SF_VERB_SOLD, "token": 7, "bot": 4, "value": 30, "order": 700},
        {"verb": lib.SF_VERB_LOT, "token": 7, "bot": 4, "value": 1, "order": 1},
        {"verb": lib.SF_VERB_HELD, "token": 7, "bot": 4, "value": 120, "order": 2000, "number": 99},
        {"verb": lib.SF_VERB_HELD, "token": 7, "bot": 2, "value": 1, "order": 1, "number": 1},
    ):
        host._command(record.build(fields))
    assert seen == [Held(7, 120, 2000, 30, 700, 99)]


def test_the_tile_is_there_for_python_bots_while_the_gate_is_on() -> None:
    assert "safety" in graph(load()).tiles
    assert "safety" not in graph(load((), ["safety.gate=false"])).tiles
    found = graph(load((), ["bots.rebalance.enabled=false"]))
    assert "safety" not in found.tiles and "verdict" not in found.consumers
