"""The market: deterministic by seed, alive on every venue, found and priced by what knows nothing of it, adopting real
pools; test tokens; programs that replace emulations."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.token.associated import get_associated_token_address

from sniperforge import chain, discovery, funding
from sniperforge.rpc import RpcClient
from sniperforge.simnet import token_2022
from sniperforge.simnet.bank import Block, Changed
from sniperforge.simnet.config import ConfigError, VenueName
from sniperforge.simnet.faucet import WRAPPED_SOL
from sniperforge.simnet.ledger import BlockInfo, UnfitLedger
from sniperforge.simnet.market import Market, Pool
from sniperforge.simnet.transactions import Record
from sniperforge.simnet.venue_pools import VENUES
from sniperforge.venues import pools as venue_pools
from sniperforge.venues.dumps import Account, Dumps
from tests.data import data_dir
from tests.integration.simnet_chain import SOL, SteppedChain, stepped
from tests.integration.simnet_process import simnet

POOL = "7JuwJuNU88gurFnyWeiyGKbFmExMWcmRZntn9imEzdny"
CPMM = "CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C"
MARKET = {"enabled": True, "trades_per_second": 40.0}


def reserves_of(chain: SteppedChain, pool: Pool) -> tuple[float, float]:
    """Reserves of the constant-product pool with a pool's price and depth."""
    mints = chain.simnet.market.mints
    pair = mints[pool.mints[0]].token, mints[pool.mints[1]].token
    read = chain.bank.svm.get_account
    found = VENUES[pool.venue].live(Pubkey.from_string(pool.address), pair, read).reserves(read)
    assert found is not None, f"{pool.venue} {pool.address} has run dry"
    return found


def reserves(chain: SteppedChain) -> list[tuple[float, float]]:
    """The reserves of every pool."""
    return [reserves_of(chain, pool) for pool in chain.simnet.market.pools]


def gaps(chain: SteppedChain) -> list[float]:
    """Logarithm of each pool's price over the price at genesis of its mints."""
    found = []
    for pool, (first, second) in zip(chain.simnet.market.pools, reserves(chain), strict=True):
        a, b = (chain.simnet.market.mints[number].token for number in pool.mints)
        fair = a.price_usd / 10.0**a.decimals / (b.price_usd / 10.0**b.decimals)
        found.append(math.log(second / first / fair))
    return found


def test_the_same_seed_is_the_same_market(tmp_path: Path) -> None:
    outcomes = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        with stepped(tmp_path / name, market=MARKET, seed=seed) as chain:
            begun = reserves(chain)
            chain.slots(40)
            outcomes.append((chain.simnet.market, begun, reserves(chain), chain.bank.transactions))
            assert begun != outcomes[-1][2]
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] != outcomes[2][0]


def test_a_restart_does_not_change_what_the_traders_do_next(tmp_path: Path) -> None:
    """The unfinished slot is given up; from the next one on all is as it would have been."""
    with stepped(tmp_path / "a", market=MARKET) as chain:
        chain.slots(10)
        chain.bank.advance()
        chain.slots(9)
        expected = reserves(chain)
    with stepped(tmp_path / "b", market=MARKET) as chain:
        chain.slots(10)
        shutil.copytree(tmp_path / "b", tmp_path / "c")
    with stepped(tmp_path / "c", market=MARKET) as chain:
        chain.slots(9)
        assert reserves(chain) == expected


def test_trades_are_real_swaps_that_say_they_are_emulated(tmp_path: Path) -> None:
    with stepped(tmp_path / "ledger", market=MARKET) as chain:
        chain.slots(30)
        signatures = [str(Signature.from_bytes(each)) for each in chain.bank.ledger.locations]
        assert len(signatures) > 50
        options = {"commitment": "confirmed", "maxSupportedTransactionVersion": 0}
        shown = [chain.call("getTransaction", each, options) for each in signatures[:20]]
        metas = [each["meta"] for each in shown if each is not None]
        assert sum(meta["err"] is None for meta in metas) >= len(metas) - 2
        for meta in metas:
            assert any("emulat" in line for line in meta["logMessages"])
            assert meta["innerInstructions"] and len(meta["postTokenBalances"]) >= 2


class Tape:
    """Counts what executes: by venue and direction of the first vault, and what failed."""

    def __init__(self, chain: SteppedChain) -> None:
        self.moves: Counter[tuple[str, bool]] = Counter()
        self.executed_transactions = 0
        self.failed: list[Any] = []
        self._vaults = {Pubkey.from_string(pool.vaults[0]): pool.venue for pool in chain.simnet.market.pools}
        self._held = {key: self._amount(chain.bank.svm.get_account(key)) for key in self._vaults}
        chain.bank.listeners.append(self)

    @staticmethod
    def _amount(account: Any) -> int:
        return int.from_bytes(account.data[64:72], "little")

    def executed(self, slot: int, executed: Sequence[tuple[bytes, Record]], changed: Changed) -> None:
        self.executed_transactions += len(executed)
        self.failed += [record.error for _, record in executed if record.error is not None]
        for key, account in changed.items():
            if key in self._vaults and self._amount(account) != self._held[key]:
                self.moves[self._vaults[key], self._amount(account) > self._held[key]] += 1
                self._held[key] = self._amount(account)

    def advanced(self, block: BlockInfo, root: int) -> None:
        pass

    def committed(self, commitment: str, block: Block) -> None:
        pass


def test_every_venue_has_pools_on_pairs_that_others_trade_too(tmp_path: Path) -> None:
    assert set(VENUES) == set(get_args(VenueName))
    with stepped(tmp_path / "ledger", market=MARKET) as chain:
        market = chain.simnet.market
        counts = Counter(pool.venue for pool in market.pools)
        assert list(counts) == list(chain.simnet.config.market.venues) == list(VENUES)
        assert min(counts.values()) >= 2 and counts.total() == chain.simnet.config.market.pools
        venues_of: dict[frozenset[int], set[str]] = {}
        for pool in market.pools:
            venues_of.setdefault(frozenset(pool.mints), set()).add(pool.venue)
        assert len(venues_of[frozenset((0, 1))]) == 7, "all but the curves trade SOL against USDC"
        for venue in counts:
            shared = [p for p in market.pools if p.venue == venue and len(venues_of[frozenset(p.mints)]) > 1]
            assert len(shared) >= 2, venue
        fee_mints = [number for number, mint in enumerate(market.mints) if mint.transfer_fee_bps]
        assert len(fee_mints) == 1 and market.mints[fee_mints[0]].token.program == token_2022.PROGRAM_ID
        taking = {pool.venue for pool in market.pools if fee_mints[0] in pool.mints}
        assert {"raydium_cpmm", "orca_whirlpool"} <= taking and "raydium_amm_v4" not in taking
        assert max(map(abs, gaps(chain))) < 0.02, "each begins at its fair price"
    plain = {"market": {**MARKET, "transfer_fee_bps": 0}}
    with stepped(tmp_path / "plain", **plain) as chain:
        assert all(mint.token.program != token_2022.PROGRAM_ID for mint in chain.simnet.market.mints)


def test_a_minute_of_trades_on_every_venue(tmp_path: Path) -> None:
    with stepped(tmp_path / "ledger", market={"enabled": True, "trades_per_second": 15.0}) as chain:
        tape, begun = Tape(chain), reserves(chain)
        widest = 0.0
        for _ in range(30):
            chain.slots(5)
            widest = max(widest, *map(abs, gaps(chain)))
        assert tape.executed_transactions > 600
        assert len(tape.failed) < tape.executed_transactions / 100, tape.failed
        for venue in VENUES:
            assert min(tape.moves[venue, True], tape.moves[venue, False]) >= 5, (venue, tape.moves)
        spread = 2.0 * chain.simnet.config.market.volatility_bps / 10_000
        assert widest < spread + 0.15, "prices stay near the fair ones, which wander"
        for (first, second), (a, b) in zip(begun, reserves(chain), strict=True):
            assert first * second / 4 < a * b < first * second * 4, "no pool is drained of its depth"


def dumps_of(chain: SteppedChain, pools: list[discovery.Pool]) -> Dumps:
    """All that prices some pools, and their vaults, as account dumps."""
    found = []
    vaults = (Pubkey.from_string(vault) for pool in chain.simnet.market.pools for vault in pool.vaults)
    for key in dict.fromkeys((*discovery.accounts(pools), *vaults)):
        account = chain.bank.svm.get_account(key)
        assert account is not None, key
        found.append(Account(str(key), str(account.owner), account.data, Path(str(key))))
    return Dumps("the chain", found)


def test_every_pool_is_found_and_priced_by_those_who_do_not_know_the_market(tmp_path: Path) -> None:
    with stepped(tmp_path / "ledger", market={**MARKET, "trades_per_second": 20.0}) as chain:
        chain.slots(20)
        market: Market = chain.simnet.market
        chain.bank.tick()
        found = discovery.discover(chain.call)
        assert {str(pool.address) for pool in found} == {pool.address for pool in market.pools}
        assert {str(mint) for mint, _ in discovery.mints(found)} == {mint.address for mint in market.mints}
        dumps, now = dumps_of(chain, found), chain.bank.chain.blocks[-1].time
        for pool in market.pools:
            priced = venue_pools.load(dumps, pool.address)
            sides = reserves_of(chain, pool)
            fee = pool.trade_fee_rate / 1e6
            fee += sum(market.mints[number].transfer_fee_bps for number in pool.mints) / 1e4
            for side in (0, 1):
                amount = int(sides[side] / 10_000)
                quotes = [ask(side == 0, amount, now) for ask in (priced.c[0], priced.python[0])]
                assert quotes[0] == quotes[1] and quotes[0].status == "ok", (pool, quotes)
                price = quotes[0].amount_out / quotes[0].amount_in
                off = math.log(price / (sides[1 - side] / sides[side]))
                assert -fee - 0.01 < off < 0.003, (pool, side, off, fee)


def test_a_wallet_is_funded_for_every_mint(tmp_path: Path) -> None:
    with simnet(tmp_path, "--speed", "10", "--set", "market.trades_per_second=0") as node:
        with RpcClient(node.rpc_url, timeout_ms=5000) as rpc:
            pairs = discovery.mints(discovery.discover(rpc.call))
            wallet = Keypair().pubkey()
            said: list[str] = []
            funding.fund(rpc, wallet, pairs, sol=20, wrapped_sol=5, usdc=7, timeout_s=20.0, say=said.append)
            chain.settle(rpc, timeout_s=20.0)
        assert len(pairs) == len(node.endpoints["market"]["mints"])
        for mint, program in pairs:
            account = get_associated_token_address(wallet, mint, program)
            answer = node.call("getTokenAccountBalance", str(account), {"commitment": "confirmed"})
            held = int(answer["value"]["amount"])
            assert held == {str(WRAPPED_SOL): 5 * SOL, str(funding.USDC): 7 * 10**6}.get(str(mint), 0)


def test_a_thousand_pools(tmp_path: Path) -> None:
    market = {"enabled": True, "pools": 1000, "mints": 100}
    with stepped(tmp_path / "ledger", market=market) as chain:
        pools = chain.simnet.market.pools
        assert len(pools) == 1000 == len({pool.address for pool in pools})
        chain.slots(5)
    with pytest.raises(ConfigError, match="raise mints"):
        SteppedChain(tmp_path / "small", {"market": {"enabled": True, "pools": 1000, "mints": 3}})


def test_tokens_on_demand(tmp_path: Path) -> None:
    with stepped(tmp_path / "ledger", market={**MARKET, "trades_per_second": 0.0}) as chain:
        owner = Keypair().pubkey()
        mints = chain.simnet.market.mints[:3]
        assert mints[2].token.program == token_2022.PROGRAM_ID
        for mint in mints:
            answer = chain.call("simnetMintTo", mint.address, str(owner), 5 * SOL)["value"]
            assert answer["signature"] is not None
            chain.bank.tick()
            account = str(get_associated_token_address(owner, mint.token.address, mint.token.program))
            assert answer["account"] == account
            chain.call("simnetMintTo", mint.address, str(owner), 1)
            chain.bank.tick()
            balance = chain.call("getTokenAccountBalance", account, {"commitment": "processed"})["value"]
            assert balance["amount"] == str(5 * SOL + 1)
        wrapped = get_associated_token_address(owner, WRAPPED_SOL)
        assert chain.balance(wrapped) == 5 * SOL + 1 + chain.call("getMinimumBalanceForRentExemption", 165)


def real_pool(**changes: Any) -> dict[str, Any]:
    """Overrides that load the recorded SOL/USDC pool."""
    directory = str(data_dir("accounts/raydium_cpmm/sol_usdc"))
    return {"account_directories": [directory], "market": {**MARKET, "pools": 6, "mints": 4, **changes}}


def test_a_real_pool_is_adopted_and_gets_siblings(tmp_path: Path) -> None:
    with stepped(tmp_path / "ledger", **real_pool(trades_per_second=200.0)) as chain:
        market = chain.simnet.market
        adopted = [pool for pool in market.pools if pool.adopted]
        assert [pool.address for pool in adopted] == [POOL]
        siblings = [pool for pool in market.pools if not pool.adopted and set(pool.mints) == set(adopted[0].mints)]
        assert siblings
        number = market.pools.index(adopted[0])
        begun = reserves(chain)
        prices = [b / a for (a, b), pool in zip(begun, market.pools, strict=True) if pool.mints == adopted[0].mints]
        assert max(prices) / min(prices) < 1.02
        chain.slots(40)
        assert reserves(chain)[number] != begun[number]
        usdc = market.mints[1].address
        answer = chain.call("simnetMintTo", usdc, str(Keypair().pubkey()), 7)["value"]
        assert answer["signature"] is None
        held = chain.call("getTokenAccountBalance", answer["account"], {"commitment": "processed"})["value"]
        assert held["amount"] == "7"
    with stepped(tmp_path / "ledger", **real_pool()) as chain:
        assert chain.simnet.loaded
    with pytest.raises(UnfitLedger, match="dumps are loaded when a chain is made"):
        other = {"address": str(Pubkey([9] * 32)), "file": str(_dump(tmp_path))}
        SteppedChain(tmp_path / "ledger", {**real_pool(), "accounts": [other]})


def _dump(directory: Path) -> Path:
    path = directory / "dump.json"
    account = '{"lamports":5,"data":["","base64"],"owner":"11111111111111111111111111111111","executable":false'
    path.write_text('{"account":' + account + ',"rentEpoch":18446744073709551615,"space":0}}')
    return path


def test_a_dump_without_address_needs_one(tmp_path: Path) -> None:
    path = _dump(tmp_path)
    with pytest.raises(ConfigError, match='no "pubkey"'):
        SteppedChain(tmp_path / "a", {"market": {"enabled": False}, "accounts": [{"file": str(path)}]})
    key = Pubkey([9] * 32)
    loaded = [{"file": str(path), "address": str(key)}]
    with stepped(tmp_path / "b", accounts=loaded) as chain:
        assert chain.balance(key) == 5


def test_a_supplied_program_replaces_the_emulation(tmp_path: Path) -> None:
    elf = tmp_path / "program.so"
    with stepped(tmp_path / "a") as chain:
        assert Pubkey.from_string(CPMM) in chain.simnet.emulated
    from sniperforge.simnet.emulation import load_programs

    emulation = load_programs()[Pubkey.from_string(CPMM)]
    elf.write_bytes(emulation)
    with stepped(tmp_path / "c", programs=[{"id": CPMM, "file": str(elf)}]) as chain:
        assert Pubkey.from_string(CPMM) in chain.simnet.emulated, "the file itself says what it is"
    elf.write_bytes(emulation.replace(b".source\0", b".origin\0"))
    with stepped(tmp_path / "b", programs=[{"id": CPMM, "file": str(elf)}]) as chain:
        assert Pubkey.from_string(CPMM) not in chain.simnet.emulated


def test_the_seed_of_a_ledger_is_kept(tmp_path: Path) -> None:
    with stepped(tmp_path / "ledger", seed=3):
        pass
    with pytest.raises(UnfitLedger, match="seed 3"):
        SteppedChain(tmp_path / "ledger", {"seed": 4, "market": {"enabled": False}})


def test_the_market_of_a_ledger_is_kept(tmp_path: Path) -> None:
    with stepped(tmp_path / "ledger"):
        pass
    with pytest.raises(UnfitLedger, match=r"simnet\.market\.enabled: True differs from False"):
        SteppedChain(tmp_path / "ledger", {"market": {"enabled": True}})
