"""Confirm against a real simnet process: what it books is what the chain says, also when the node dies in between."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import get_associated_token_address, initialize_account, transfer
from spl.token.models import InitializeAccountParams, TransferParams

from ipc._core import lib
from sniperforge.funding import fund
from sniperforge.simnet.cpmm_accounts import PoolKeys
from tests.integration.confirm_desk import LAMPORTS, USDC, WSOL, Desk, Trader, desk
from tests.integration.simnet_process import SimnetProcess, simnet, wait_until

FLAGS = ["--speed", "10", "--pools", "6", "--mints", "3", "--set", "market.trades_per_second=0"]
FLAGS += ["--set", 'market.venues=["raydium_cpmm"]']
FLAGS += ["--set", "skipped_slots_rate=0.1"]
#: twelve seconds: what is signed can be sent, however long this machine stands still in between
VALID_BLOCKS = 300
#: over so soon that a test can wait for it; only of use for what is never sent, or may land or not
SOON = 20
RUN = 2 << 32


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimnetProcess]:
    valid = f"blockhash_valid_blocks={VALID_BLOCKS}"
    with simnet(tmp_path_factory.mktemp("confirm"), *FLAGS, "--set", valid) as process:
        yield process


class Market:
    """A funded trader, the mints as token rows, and pools by pair."""

    def __init__(self, chain: SimnetProcess) -> None:
        self.trader = Trader(chain.rpc_url)
        self.pools = self.trader.pools()
        listed = {
            (mint, program)
            for pool in self.pools
            for mint, program in zip(pool.mints, pool.token_programs, strict=True)
        }
        others = sorted({mint for mint, _ in listed} - {WSOL, USDC}, key=bytes)
        self.mints = [WSOL, USDC, *others]
        fund(
            self.trader.rpc,
            self.trader.keypair.pubkey(),
            sorted(listed, key=str),
            sol=100,
            wrapped_sol=50,
            usdc=1000,
            timeout_s=30,
            say=lambda text: None,
        )
        held = {0: 50 * 10**9, 1: 1000 * 10**6, LAMPORTS: 50 * 10**9}
        wait_until(lambda: self.holdings().items() >= held.items(), 20, "the funds are confirmed")

    def holdings(self, commitment: str = "confirmed") -> dict[int, int]:
        return self.trader.holdings(self.mints, commitment)

    def pair(self, a: Pubkey, b: Pubkey) -> list[PoolKeys]:
        return [pool for pool in self.pools if set(pool.mints) == {a, b}]

    def two_pools(self) -> tuple[PoolKeys, PoolKeys, Pubkey]:
        """Two pools of WSOL and one other mint, for a cycle."""
        for mint in self.mints[1:]:
            if len(found := self.pair(WSOL, mint)) > 1:
                return found[0], found[1], mint
        raise AssertionError("no pair of pools")


def booked(desk: Desk) -> dict[int, int]:
    """Sums of all fills' changes by token."""
    sums: dict[int, int] = {}
    for fill in desk.fills:
        changes = [(fill["token_in"], fill["delta_in"]), (LAMPORTS, fill["delta_lamports"])]
        if fill["token_out"] != fill["token_in"]:
            changes.append((fill["token_out"], fill["delta_out"]))
        changes += [(fill[f"leg[{place}].token"], fill[f"leg[{place}].delta"]) for place in range(3)]
        for token, delta in changes:
            sums[token] = sums.get(token, 0) + delta
    return sums


def check_books(desk: Desk, before: dict[int, int], after: dict[int, int]) -> None:
    """Every unit that the wallet gained or lost is in the fills, and the last balances told are the chain's."""
    sums = booked(desk)
    assert {token: before[token] + sums.get(token, 0) for token in before} == after
    desk.until(lambda: {token: each["amount"] for token, each in desk.balances.items()} == after, "balances told")
    orders = [fill["order"] for fill in desk.fills]
    assert len(orders) == len(set(orders))


@pytest.fixture
def market(chain: SimnetProcess) -> Market:
    return Market(chain)


def started(desk: Desk, market: Market) -> Desk:
    desk.tokens(market.mints)
    desk.start()
    desk.until(lambda: desk.cnc.value("reconciled"), "reconciled")
    desk.receive()
    return desk


def test_books_are_what_the_chain_says(
    chain: SimnetProcess, market: Market, instance_name: str, tmp_path: Path
) -> None:
    trader = market.trader
    before = market.holdings()
    first, second, mint = market.two_pools()
    usdc_pool = market.pair(WSOL, USDC)[0]
    with desk(instance_name, tmp_path, chain.rpc_url, trader.address) as confirm:
        started(confirm, market)
        assert {token: each["amount"] for token, each in confirm.balances.items()} == before
        row = confirm.chain
        assert row["slot"] >= row["blockhash_slot"] > 0 and row["unhealthy"] == 0
        left = row["last_valid_block_height"] - row["block_height"]  # two answers: blocks may pass in between
        assert VALID_BLOCKS // 2 < left < VALID_BLOCKS + 20
        assert (row["lamports_per_signature"], row["wallet_lamports"]) == (5000, before[LAMPORTS])

        # 1: a swap that lands, 2: a cycle over two pools that leaves something between, 3: one that reverts
        swap, last = trader.sign([trader.swap(usdc_pool, WSOL, 10**9)], 1)
        confirm.order(RUN | 1, token_in=0, token_out=1, amount_in=10**9, expected_out=7, tip_lamports=0)
        confirm.wire(RUN | 1, swap, last)
        trader.send(swap)
        confirm.sent(RUN | 1)
        hops = [trader.swap(first, WSOL, 2 * 10**9), trader.swap(second, mint, 1_000_000)]
        cycle, last = trader.sign(hops, 2)
        confirm.order(RUN | 2, amount_in=2 * 10**9)
        confirm.wire(RUN | 2, cycle, last)
        trader.send(cycle)
        confirm.sent(RUN | 2)
        greedy, last = trader.sign([trader.swap(usdc_pool, WSOL, 10**6, 10**15)], 3)
        confirm.order(RUN | 3, token_in=0, token_out=1)
        confirm.wire(RUN | 3, greedy, last)
        trader.send(greedy)
        confirm.sent(RUN | 3)
        # 4: signed and never sent, 5: refused by build, 6: refused by sign, 7: refused by send after it was signed
        silent, last = trader.sign([trader.swap(usdc_pool, WSOL, 10**9)], 4)
        confirm.order(RUN | 4)
        confirm.wire(RUN | 4, silent, last - VALID_BLOCKS + SOON)
        confirm.order(RUN | 5)
        confirm.refused(RUN | 5)
        confirm.order(RUN | 6)
        confirm.refused(RUN | 6, "wire")
        unsent, last = trader.sign([trader.swap(usdc_pool, WSOL, 10**9)], 7)
        confirm.order(RUN | 7)
        confirm.wire(RUN | 7, unsent, last)
        confirm.refused(RUN | 7, "sent")
        # 8: sent although nobody said so (send died in between)
        quiet, last = trader.sign([trader.swap(usdc_pool, USDC, 5 * 10**6)], 8)
        confirm.order(RUN | 8, token_in=1, token_out=0)
        confirm.wire(RUN | 8, quiet, last)
        trader.send(quiet)
        # 9: signed, never sent, and valid for longer than the test runs
        confirm.order(RUN | 9)
        open_one, last = trader.sign([trader.swap(usdc_pool, WSOL, 10**9)], 9)
        confirm.wire(RUN | 9, open_one, last + 10**6)

        landed, cycled, reverted = (confirm.fill_of(RUN | number) for number in (1, 2, 3))
        for number in (5, 6, 7):
            assert confirm.fill_of(RUN | number)["outcome"] == lib.SF_FILL_DROPPED
        expired, found = confirm.fill_of(RUN | 4), confirm.fill_of(RUN | 8)

        assert landed["outcome"] == cycled["outcome"] == found["outcome"] == lib.SF_FILL_LANDED
        assert landed["delta_in"] == -(10**9) and landed["delta_out"] > 0
        assert landed["delta_lamports"] == -landed["fee_lamports"] < 0
        assert landed["compute_units"] > 1000 and landed["latency_us"] > 0 and landed["error"] == 0
        assert landed["signature"] == bytes(swap.signatures[0]) and landed["flags"] == lib.SF_FILL_SIMULATED
        assert cycled["delta_in"] < 0 and cycled["delta_out"] == 0
        assert (cycled["leg[0].token"], cycled["leg[0].delta"] > 0) == (market.mints.index(mint), True)
        assert (reverted["outcome"], reverted["error"]) == (lib.SF_FILL_REVERTED, 6005)
        assert reverted["delta_lamports"] == -reverted["fee_lamports"] < 0 and reverted["delta_in"] == 0
        assert (expired["outcome"], expired["fee_lamports"]) == (lib.SF_FILL_EXPIRED, 0)
        check_books(confirm, before, market.holdings())
        assert not any(fill["order"] == RUN | 9 for fill in confirm.fills)  # unknown is not failed
        confirm.until(lambda: confirm.cnc.value("open_orders") == 1, "one open order")
        values = confirm.cnc.values()
        assert [values[name] for name in ("landed", "reverted", "expired", "dropped")] == [3, 1, 1, 3]
        assert values["unexpected_messages"] == 0


def test_a_new_token_row_is_told_its_balance(
    chain: SimnetProcess, market: Market, instance_name: str, tmp_path: Path
) -> None:
    with desk(instance_name, tmp_path, chain.rpc_url, market.trader.address) as confirm:
        confirm.start()
        confirm.until(lambda: confirm.cnc.value("reconciled"), "reconciled")
        confirm.until(lambda: set(confirm.balances) == {LAMPORTS}, "lamports are told")
        confirm.tokens([WSOL])
        confirm.until(lambda: 0 in confirm.balances, "the first token")
        confirm.tokens([USDC, Pubkey.new_unique()])
        confirm.until(lambda: 2 in confirm.balances, "the others")
        amounts = {token: each["amount"] for token, each in confirm.balances.items()}
        assert amounts == {0: 50 * 10**9, 1: 1000 * 10**6, 2: 0, LAMPORTS: 50 * 10**9}
        assert confirm.balances[1]["mint"] == bytes(USDC) and confirm.balances[1]["slot"] > 0


def test_the_node_is_killed_and_comes_back(instance_name: str, tmp_path: Path) -> None:
    rng = random.Random(11)
    with simnet(tmp_path, *FLAGS, "--set", "blockhash_valid_blocks=40") as chain:
        market = Market(chain)
        trader = market.trader
        before = market.holdings()
        pool = market.pair(WSOL, USDC)[0]
        with desk(instance_name, tmp_path, chain.rpc_url, trader.address, timeout_ms=500) as confirm:
            started(confirm, market)
            number = 0
            for kill in range(4):
                for _ in range(5):
                    number += 1
                    amount = rng.randrange(10**6, 10**8)
                    transaction, last = trader.sign([trader.swap(pool, WSOL, amount)], number)
                    confirm.order(RUN | number, token_in=0, token_out=1, amount_in=amount)
                    confirm.wire(RUN | number, transaction, last)
                    if rng.random() < 0.8:
                        trader.send(transaction)
                        confirm.sent(RUN | number)
                if kill == 3:
                    break
                if rng.random() < 0.7:
                    confirm.fill_of(RUN | number - 4)
                port = int(chain.rpc_url.rpartition(":")[2])
                chain.kill()
                if kill == 1:
                    confirm.until(lambda: confirm.chain["unhealthy"] == 1, "the chain is marked")
                    heartbeat = confirm.cnc.heartbeat_ns
                    confirm.until(lambda then=heartbeat: confirm.cnc.heartbeat_ns > then, "the tile goes on")
                slot = int(confirm.chain["slot"])
                chain.start(port=port)
                confirm.until(
                    lambda then=slot: confirm.chain["unhealthy"] == 0 and confirm.chain["slot"] > then, "goes on"
                )
            confirm.until(lambda: len(confirm.fills) == number, "every order has its fill", 60)
            outcomes = {fill["outcome"] for fill in confirm.fills}
            assert outcomes <= {lib.SF_FILL_LANDED, lib.SF_FILL_EXPIRED} and lib.SF_FILL_LANDED in outcomes
            check_books(confirm, before, market.holdings())
            assert confirm.cnc.value("unexpected_messages") == 0


def test_orders_of_an_earlier_run_are_booked_once(
    chain: SimnetProcess, market: Market, instance_name: str, tmp_path: Path
) -> None:
    trader, pool = market.trader, market.pair(WSOL, USDC)[0]
    before = market.holdings()
    orders: list[dict[str, Any]] = []

    def open_order(number: int, valid_for: int = VALID_BLOCKS, **about: Any) -> None:
        transaction, last = trader.sign([trader.swap(pool, WSOL, 10**8)], number)
        if number < 3:
            trader.send(transaction)
        values = {"order": number, "intent": number, "bot": 1, "kind": lib.SF_INTENT_SWAP, "t_origin": 5}
        values |= {"signature": str(transaction.signatures[0])}
        values |= {"last_valid_block_height": valid_for + last - VALID_BLOCKS}
        values |= {"mint_in": str(WSOL), "mint_out": str(USDC), "amount_in": 10**8, "expected_out": 1}
        orders.append(values | about)

    open_order(1)
    open_order(2, mint_in=None, mint_out=None, kind=0)
    open_order(3, 2 * SOON)
    open_order(4, last_valid_block_height=1)
    open_order(5, 10**6)
    (tmp_path / "open_orders.json").write_text(json.dumps(orders))
    wait_until(lambda: market.holdings()[0] == before[0] - 2 * 10**8, 20, "both have landed")
    with desk(instance_name, tmp_path, chain.rpc_url, trader.address) as confirm:
        confirm.tokens([Pubkey.new_unique(), USDC, WSOL])  # rows are others in this run
        confirm.start()
        confirm.until(lambda: confirm.cnc.value("reconciled"), "reconciled")
        confirm.receive()
        known = {fill["order"]: fill for fill in confirm.fills}
        assert set(known) >= {1, 2, 4} and 5 not in known
        expired = confirm.fill_of(3)
        assert expired["outcome"] == known[4]["outcome"] == lib.SF_FILL_EXPIRED
        for number in (1, 2):
            fill = known[number]
            assert (fill["token_in"], fill["token_out"]) == (2, 1)
            assert fill["delta_in"] == -(10**8) and fill["delta_out"] > 0
            assert fill["kind"] == lib.SF_INTENT_SWAP and fill["latency_us"] == 0
            assert fill["flags"] == lib.SF_FILL_SIMULATED | lib.SF_FILL_RECOVERED
        after = market.holdings()
        sums = booked(confirm)
        assert before[0] + sums[2] == after[0] and before[1] + sums[1] == after[1]
        assert before[LAMPORTS] + sums[LAMPORTS] == after[LAMPORTS]
        assert len(confirm.fills) == 4


def test_a_node_that_hangs_holds_nothing_up(instance_name: str, tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with desk(instance_name, tmp_path, url, str(Pubkey.new_unique()), timeout_ms=300) as confirm:
            confirm.start()
            confirm.until(lambda: confirm.cnc.value("unhealthy") == 1, "the chain is marked")
            assert confirm.chain["unhealthy"] == 1
            confirm.order(RUN | 1)
            confirm.refused(RUN | 1)
            assert confirm.fill_of(RUN | 1)["outcome"] == lib.SF_FILL_DROPPED
            heartbeat = confirm.cnc.heartbeat_ns
            confirm.until(lambda: confirm.cnc.heartbeat_ns > heartbeat, "the tile beats")
            confirm.until(lambda: confirm.cnc.value("rpc_failures") > 0, "a failure is counted")
            assert confirm.cnc.value("reconciled") == 0
            confirm.stop()
            assert confirm.cnc.state == "done"


@pytest.mark.parametrize("about", [{"poll_ms": 0}, {"wallet": "l"}, {"rpc_url": "localhost"}, {"commitment": "now"}])
def test_wrong_parameters_end_the_start(instance_name: str, tmp_path: Path, about: dict[str, object]) -> None:
    params = {"rpc_url": "http://127.0.0.1:1", "wallet": str(Pubkey.new_unique())} | about
    url, wallet = str(params.pop("rpc_url")), str(params.pop("wallet"))
    with (
        desk(instance_name, tmp_path, url, wallet, **params) as confirm,
        pytest.raises(ValueError, match=r"poll_ms|spells|base58|http|Invalid enum"),
    ):
        confirm.tile.boot()


def test_a_wallet_with_two_accounts_of_a_mint(
    chain: SimnetProcess, market: Market, instance_name: str, tmp_path: Path
) -> None:
    """Balances and deltas are sums over the wallet's accounts; rent that it pays is in its lamports."""
    trader, second = market.trader, Keypair()
    wallet = trader.keypair.pubkey()
    rent = trader.rpc.call("getMinimumBalanceForRentExemption", 165)
    source = get_associated_token_address(wallet, USDC)
    instructions = [
        create_account(
            CreateAccountParams(
                from_pubkey=wallet, to_pubkey=second.pubkey(), lamports=rent, space=165, owner=TOKEN_PROGRAM_ID
            )
        ),
        initialize_account(
            InitializeAccountParams(program_id=TOKEN_PROGRAM_ID, account=second.pubkey(), mint=USDC, owner=wallet)
        ),
        transfer(
            TransferParams(
                program_id=TOKEN_PROGRAM_ID, source=source, dest=second.pubkey(), owner=wallet, amount=5 * 10**6
            )
        ),
    ]
    with desk(instance_name, tmp_path, chain.rpc_url, trader.address, commitment="finalized") as confirm:
        started(confirm, market)
        told = confirm.balance_count
        transaction, last = trader.sign(instructions, 1, second)
        confirm.order(RUN | 1, token_in=1, token_out=0)
        confirm.wire(RUN | 1, transaction, last)
        trader.send(transaction)
        fill = confirm.fill_of(RUN | 1)
        assert (fill["outcome"], fill["delta_in"], fill["delta_out"]) == (lib.SF_FILL_LANDED, 0, 0)
        assert fill["delta_lamports"] == -fill["fee_lamports"] - rent
        confirm.until(lambda: confirm.balance_count >= told + 2, "balances after the fill")
        assert confirm.balances[1]["amount"] == 1000 * 10**6
        assert confirm.balances[1]["slot"] >= fill["slot"]
        on_chain = trader.holdings(market.mints, "finalized")
        assert (on_chain[1], confirm.balances[LAMPORTS]["amount"]) == (995 * 10**6, on_chain[LAMPORTS])
