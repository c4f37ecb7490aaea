"""Lookup tables of our own on a running chain: what is in them, how they are made, and by which command."""

from __future__ import annotations

import json
from pathlib import Path

from solders.keypair import Keypair

from sniperforge import chain, exits, lookup_tables
from sniperforge.discovery import discover
from sniperforge.rpc import RpcClient
from tests.engine import Engine, running
from tests.integration.simnet_process import simnet

SOL = 10**9


def test_tables_hold_whole_pools_and_what_they_share(tmp_path: Path) -> None:
    quiet = ("--speed", "10", "--set", "market.trades_per_second=0")
    with simnet(tmp_path, *quiet) as node, RpcClient(node.rpc_url, timeout_ms=20_000) as rpc:
        payer = Keypair()
        rpc.call("requestAirdrop", str(payer.pubkey()), 10 * SOL)
        chain.settle(rpc, timeout_s=30.0)
        pools = discover(rpc.call)
        wanted = lookup_tables.contents(rpc, pools, payer.pubkey())
        made = lookup_tables.create(rpc, payer, wanted, timeout_s=30.0)
        found = chain.lookup_tables(rpc, [str(table) for table in made])
        rent = sum(rpc.call("getBalance", str(table), {"commitment": "confirmed"})["value"] for table in made)
        by_pool = lookup_tables.swap_accounts(rpc, pools, payer.pubkey())
    assert [sorted(accounts) for accounts in found.values()] == [sorted(map(str, table)) for table in wanted]
    assert all(len(table) <= lookup_tables.ADDRESSES for table in wanted)
    assert rent == lookup_tables.rent_lamports(wanted)
    assert len(by_pool) == len(pools)
    shared = set(wanted[0])
    for keys in by_pool.values():
        own = set(keys) - shared
        assert any(own <= set(table) for table in wanted)


def test_the_command_says_what_it_would_do_and_does_it(instance_name: str, tmp_path: Path) -> None:
    engine = Engine(instance_name, tmp_path / "state", ["simnet.market.pools=12", "simnet.market.mints=4"])
    with running(engine):
        listed = json.loads(engine.command("lookup-tables", "list", "--json").stdout)["tables"]
        assert len(listed) == 1 and listed[0]["accounts"]
        told = json.loads(engine.command("lookup-tables", "create", "--json").stdout)
        assert not told["sent"] and told["rent_lamports"] > 0 and told["tables"][0]["address"] == ""
        assert json.loads(engine.command("lookup-tables", "list", "--json").stdout)["tables"] == listed
        text = engine.command("lookup-tables", "create", "--send")
        assert text.returncode == exits.OK and text.stdout.endswith("made\n"), text.stderr
        assert len(json.loads(engine.command("lookup-tables", "list", "--json").stdout)["tables"]) == 2
        assert engine.end() == exits.OK, engine.said()
        assert engine.summary()["books_equal_chain"]
