"""Pools of every venue over a simnet's JSON-RPC: found with what prices them, ranked, and watched while prices move."""

from __future__ import annotations

import struct
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from sniperforge.discovery import NoPoolError, Pace, Pool, Watcher, accounts_file, discover, mints
from sniperforge.discovery.anatomy import PUMP_FUN_GLOBAL, TOKEN, WRAPPED_SOL
from sniperforge.discovery.arrivals import Arrivals
from sniperforge.rpc import RpcClient, RpcUnavailable
from sniperforge.simnet import cpmm_accounts, pump_fun_accounts
from sniperforge.simnet.faucet import held_tokens, mint_data
from sniperforge.venues import dumps, meteora_damm_v2, orca_whirlpool, raydium_clmm, raydium_cpmm
from sniperforge.venues.ticks import orca_sqrt_price
from tests.data import data_dir
from tests.integration.simnet_chain import SteppedChain, stepped
from tests.integration.simnet_process import simnet, wait_until

WHIRLPOOL = Pubkey.from_string("HJPjoWUrhoZzkNfRpHuieeFk9WcZWjwy6PBjZ81ngndJ")
DLMM = Pubkey.from_string("9t3EyC9FweyL7PBWvKz3mrXg8B9fwFc9SK3QxM4ENqhd")
CLMM = Pubkey.from_string("3ucNos4NbumPLZNWztqGHNFFgkHeRMBQAVemeeomsUxv")
CPMM = "7JuwJuNU88gurFnyWeiyGKbFmExMWcmRZntn9imEzdny"
COIN = Pubkey([7] * 32)
RENT = 10**9


def recorded() -> dict[Pubkey, Account]:
    """Recorded accounts of six venues."""
    found = {}
    for name in (
        "orca_whirlpool/sol_usdc_ts64_2023",
        "meteora_dlmm/9t3EyC9FweyL7PBWvKz3mrXg8B9fwFc9SK3QxM4ENqhd",
        "meteora_damm_v2",
        "raydium_amm_v4/sol_usdc",
        "raydium_cpmm/sol_usdc",
        "pump_amm/usdc_sol",
    ):
        for dump in dumps.load(data_dir(f"accounts/{name}")):
            found[Pubkey.from_string(dump.address)] = Account(RENT, dump.data, Pubkey.from_string(dump.owner))
    return found


def clmm_capture() -> dict[Pubkey, Account]:
    """A recorded CLMM pool with its arrays, a config made for it, and its mints."""
    path = sorted(data_dir("accounts/raydium_clmm/sol_usdc_captures").glob("swap_*.json"))[0]
    capture = msgspec.json.decode(path.read_bytes())
    pool = b64decode(capture["pool_b64"])
    decoded = raydium_clmm.decode_pool(pool)
    config = bytearray(raydium_clmm.CONFIG_BYTES)
    config[:8] = raydium_clmm.CONFIG_DISCRIMINATOR
    struct.pack_into("<I", config, 47, 400)
    found = {
        CLMM: Account(RENT, pool, raydium_clmm.PROGRAM),
        decoded.config: Account(RENT, bytes(config), raydium_clmm.PROGRAM),
    }
    for each in capture["tick_arrays"]:
        data = b64decode(each["data_b64"])
        start = raydium_clmm.decode_array(data, decoded.tick_spacing).start
        seeds = [b"tick_array", bytes(CLMM), struct.pack(">i", start)]
        found[Pubkey.find_program_address(seeds, raydium_clmm.PROGRAM)[0]] = Account(RENT, data, raydium_clmm.PROGRAM)
    for mint in decoded.mints:
        found[mint] = Account(RENT, mint_data(decimals=9, supply=1, authority=None), TOKEN)
    return found


def bonding_curve() -> dict[Pubkey, Account]:
    """A coin's bonding curve as it is after its first buys."""
    keys = pump_fun_accounts.derive_curve(COIN)
    settings = pump_fun_accounts.global_data(authority=COIN, fee_recipient=COIN, fee_basis_points=100)
    curve = pump_fun_accounts.curve_data(real_sol=10**9)
    program = pump_fun_accounts.PROGRAM_ID
    return {
        PUMP_FUN_GLOBAL: Account(RENT, settings, program),
        keys.curve: Account(RENT, curve, program),
        keys.curve_tokens: held_tokens(RENT, COIN, keys.curve, 10**15),
        COIN: Account(RENT, mint_data(decimals=6, supply=10**15, authority=None), TOKEN),
    }


def clone_of(chain: SteppedChain, pool: str, number: int) -> dict[Pubkey, Account]:
    """Another CPMM pool on the vaults and mints of an existing one."""
    account = chain.bank.svm.get_account(Pubkey.from_string(pool))
    assert account is not None
    return {Pubkey([number] * 32): account}


@contextmanager
def all_venues(directory: Path, **market: Any) -> Iterator[SteppedChain]:
    """A chain with at least a pool of each of the eight venues."""
    settings = {
        "enabled": True,
        "venues": ["raydium_cpmm"],
        "trades_per_second": 0.0,
        "pools": 6,
        "mints": 4,
        **market,
    }
    with stepped(directory / "ledger", market=settings) as chain:
        chain.bank.inject([*recorded().items(), *clmm_capture().items(), *bonding_curve().items()])
        chain.slots(3)
        yield chain


def found_at(pools: list[Pool], address: Pubkey) -> Pool:
    return next(pool for pool in pools if pool.address == address)


def test_every_venue_is_found_with_what_prices_it(tmp_path: Path) -> None:
    with all_venues(tmp_path) as chain:
        calls: Counter[str] = Counter()

        def call(method: str, *params: Any) -> Any:
            calls[method] += 1
            return chain.call(method, *params)

        pools = discover(call)
        venues = Counter(pool.venue for pool in pools)
        assert venues == {
            "raydium_amm_v4": 1,
            "raydium_cpmm": 7,
            "raydium_clmm": 1,
            "orca_whirlpool": 1,
            "meteora_dlmm": 1,
            "meteora_damm_v2": 2,
            "pump_swap": 1,
            "pump_fun": 1,
        }
        assert calls["getProgramAccounts"] == 8
        assert calls["getMultipleAccounts"] <= 4
        for pool in pools:
            priced_by_vaults = pool.venue in ("raydium_amm_v4", "raydium_cpmm", "pump_swap")
            assert len(pool.vaults) == (2 if priced_by_vaults else pool.venue == "pump_fun")
            assert all(chain.bank.svm.get_account(key) is not None for key in (*pool.shared, *pool.vaults, *pool.own))
        curve = next(pool for pool in pools if pool.venue == "pump_fun")
        assert curve.mints == (COIN, WRAPPED_SOL)
        assert curve.vaults == (pump_fun_accounts.derive_curve(COIN).curve_tokens,)
        assert found_at(pools, CLMM).own
        assert found_at(pools, CLMM).shared
        whirlpool = found_at(pools, WHIRLPOOL)
        assert len(whirlpool.own) == 11

        lines = accounts_file(pools).splitlines()
        assert lines[0].startswith("# 15 pools: 1 of raydium_amm_v4, 7 of raydium_cpmm")
        assert len(lines) == len(set(lines))
        for pool in pools:
            place = lines.index(str(pool.address))
            assert all(lines.index(str(key)) > place for key in pool.own)
            assert all(str(mint) in lines for mint in pool.mints)


def test_what_is_named_is_taken_in_its_order(tmp_path: Path) -> None:
    with all_venues(tmp_path) as chain:
        names = [str(DLMM), str(WHIRLPOOL), str(TOKEN), str(CLMM)]
        assert [pool.address for pool in discover(chain.call, only=names)] == [DLMM, WHIRLPOOL, CLMM]
        assert [pool.address for pool in discover(chain.call, only=names, limit=1)] == [DLMM]
        assert [pool.venue for pool in discover(chain.call, only=names, venues=("meteora_dlmm",))] == ["meteora_dlmm"]
        with pytest.raises(NoPoolError, match="'nonsense' is no address"):
            discover(chain.call, only=["nonsense"])


def test_cpmm_is_found_as_before(tmp_path: Path) -> None:
    with all_venues(tmp_path) as chain:
        pools = discover(chain.call, venues=("raydium_cpmm",))
        made = [pool.address for pool in chain.simnet.market.pools]
        assert [str(pool.address) for pool in pools] == sorted([*made, CPMM])
        assert {str(mint): str(program) for mint, program in mints(pools)} == {
            mint.address: mint.program for mint in chain.simnet.market.mints
        }


def test_of_too_many_pools_the_useful_ones_are_kept(tmp_path: Path) -> None:
    with all_venues(tmp_path, pools=20, mints=8) as chain:
        everything = discover(chain.call)
        last = Pubkey.from_string(chain.simnet.market.pools[-1].address)
        keys = cpmm_accounts.read_pool(last, chain.bank.svm.get_account(last).data)  # type: ignore[union-attr]
        empty = [held_tokens(RENT, mint, last, 0) for mint in keys.mints]
        chain.bank.inject(list(zip(keys.vaults, empty, strict=True)))
        chain.slots(3)
        kept = discover(chain.call, limit=10)
        assert len(kept) == 10
        order = [pool.address for pool in everything]
        assert sorted((pool.address for pool in kept), key=order.index) == [pool.address for pool in kept]
        assert keys.pool not in {pool.address for pool in kept}
        trades = Counter(mint for pool in everything for mint in pool.mints)
        assert all(trades[mint] > 1 for pool in kept for mint in pool.mints)


def at_tick(chain: SteppedChain, tick: int) -> tuple[Pubkey, Account]:
    """The whirlpool with its price at another tick."""
    account = chain.bank.svm.get_account(WHIRLPOOL)
    assert account is not None
    data = bytearray(account.data)
    data[65:81] = orca_sqrt_price(tick).to_bytes(16, "little")
    struct.pack_into("<i", data, 81, tick)
    return WHIRLPOOL, Account(account.lamports, bytes(data), account.owner)


def array_at(start: int) -> Pubkey:
    seeds = [b"tick_array", bytes(WHIRLPOOL), str(start).encode()]
    return Pubkey.find_program_address(seeds, orca_whirlpool.PROGRAM)[0]


def test_arrays_follow_the_price(tmp_path: Path) -> None:
    span = 64 * orca_whirlpool.ARRAY_TICKS
    with all_venues(tmp_path) as chain:
        account = chain.bank.svm.get_account(WHIRLPOOL)
        assert account is not None
        here = orca_whirlpool.decode_pool(account.data).tick // span * span
        gap = array_at(here - 3 * span)
        model = chain.bank.svm.get_account(gap)
        assert model is not None
        chain.bank.inject([(gap, Account(0, b"", Pubkey.default()))])
        chain.slots(3)
        pools = discover(chain.call, venues=("orca_whirlpool", "meteora_dlmm"))
        watcher = Watcher(chain.call, pools, limit=10, pace=Pace(refresh_s=1.0, recheck_s=5.0))
        assert watcher.step(0.0) is None, "nothing has moved"
        chain.bank.inject([at_tick(chain, here - 2 * span + 1)])
        chain.slots(3)
        assert watcher.step(0.5) is None, "not due yet"
        text = watcher.step(1.0)
        assert text is not None
        followed = {str(array_at(here + number * span)) for number in range(-7, 4)}
        assert followed & set(text.split()) == followed - {str(gap)}
        chain.bank.inject([(gap, model)])  # somebody adds liquidity beside the price
        chain.slots(3)
        assert watcher.step(2.0) is None, "not looked for at every step"
        text = watcher.step(7.0)
        assert text is not None
        assert followed <= set(text.split())


def test_new_pools_come_and_cold_ones_go(tmp_path: Path) -> None:
    with all_venues(tmp_path) as chain:
        pools = discover(chain.call, venues=("raydium_cpmm",))
        pinned, used = pools[0].address, pools[1].address
        use: dict[Pubkey, float] = {}
        pace = Pace(list_s=10.0, cold_s=100.0, retry_s=50.0)
        watcher = Watcher(
            chain.call,
            pools,
            limit=len(pools) + 1,
            venues=("raydium_cpmm",),
            pinned=(pinned,),
            last_use=lambda: use,
            pace=pace,
        )
        assert watcher.step(0.0) is None, "all are followed"
        chain.bank.inject(list(clone_of(chain, chain.simnet.market.pools[0].address, 101).items()))
        chain.slots(3)
        text = watcher.step(10.0)
        assert text is not None
        assert str(Pubkey([101] * 32)) in text
        assert watcher.added == 1

        chain.bank.inject(list(clone_of(chain, chain.simnet.market.pools[0].address, 102).items()))
        chain.slots(3)
        assert watcher.step(20.0) is None, "full, and none is cold"
        assert watcher.step(30.0) is None, "not looked at again yet"
        use[used] = 60.0
        chain.bank.inject(list(clone_of(chain, chain.simnet.market.pools[0].address, 103).items()))
        chain.slots(3)
        text = watcher.step(105.0)
        assert text is not None
        assert str(Pubkey([103] * 32)) in text
        assert watcher.evicted == 1
        assert {pinned, used} <= watcher.pools.keys()
        assert len(watcher.pools) == len(pools) + 1


def test_a_node_that_does_not_answer_is_asked_less_and_less_often(tmp_path: Path) -> None:
    asked: list[float] = []

    def call(method: str, *params: Any) -> Any:
        asked.append(now)
        raise RpcUnavailable("away")

    watcher = Watcher(call, [], limit=5, venues=("raydium_cpmm",), pace=Pace(list_s=0.0))
    for now in range(100):
        assert watcher.step(float(now)) is None
    assert asked == [0, 1, 3, 7, 15, 31, 63]
    assert watcher.failures == 7


def test_pools_are_heard_of_over_the_websocket(tmp_path: Path) -> None:
    flags = ("--pools", "6", "--mints", "4", "--set", 'market.venues=["raydium_cpmm"]')
    with simnet(tmp_path, *flags, "--set", "market.trades_per_second=100", "--speed", "20") as node:
        arrivals = Arrivals(node.websocket_url, venues=("raydium_cpmm", "orca_whirlpool"))
        try:
            listed = {pool["address"] for pool in node.endpoints["market"]["pools"]}
            heard: set[str] = set()

            def all_heard() -> bool:
                heard.update(str(address) for address in arrivals.take(3))
                return heard == listed

            wait_until(all_heard, 30.0, "every pool to trade")
            assert arrivals.connected == 1
            assert not arrivals.take(10), "each is news once"
            first = Pubkey.from_string(min(listed))
            arrivals.forget(first)
            wait_until(lambda: first in arrivals.take(10), 30.0, "the forgotten pool to move")
            node.call("simnetSetFaults", {"close_sockets": 1.0})
            wait_until(lambda: arrivals.connected > 1, 30.0, "the connection to come back")
            node.call("simnetSetFaults", {"close_sockets": 0.0})

            with RpcClient(node.rpc_url, timeout_ms=20_000) as rpc:
                watcher = Watcher(rpc.call, [], limit=10, venues=("raydium_cpmm",), news=arrivals)
                text = watcher.step(0.0)
                assert text is not None, "they are listed after a connection was made"
                assert {str(address) for address in watcher.pools} == listed
        finally:
            arrivals.close()


def test_accounts_that_are_no_pools_are_left_out(tmp_path: Path) -> None:
    with all_venues(tmp_path) as chain:
        before = [pool.address for pool in discover(chain.call)]
        broken = bytearray(raydium_cpmm.POOL_BYTES)
        broken[:8] = raydium_cpmm.POOL_DISCRIMINATOR
        broken[389] = 9
        good = chain.bank.svm.get_account(Pubkey.from_string(CPMM))
        assert good is not None
        disabled = good.data[:329] + bytes([raydium_cpmm.SWAP_DISABLED]) + good.data[330:]
        chain.bank.inject(
            [
                (Pubkey([90] * 32), Account(RENT, bytes(broken), raydium_cpmm.PROGRAM)),
                (Pubkey([92] * 32), Account(RENT, disabled, raydium_cpmm.PROGRAM)),
                (Pubkey([93] * 32), Account(RENT, bytes(disabled[:-1]), raydium_cpmm.PROGRAM)),
                (
                    Pubkey([91] * 32),
                    Account(
                        RENT,
                        meteora_damm_v2.POOL_DISCRIMINATOR + bytes(meteora_damm_v2.POOL_BYTES - 8),
                        meteora_damm_v2.PROGRAM,
                    ),
                ),
            ]
        )
        chain.slots(3)
        assert [pool.address for pool in discover(chain.call)] == before
