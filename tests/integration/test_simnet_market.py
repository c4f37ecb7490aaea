"""The market: deterministic by seed, alive, adopting real pools; test tokens; programs that replace emulations."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.token.associated import get_associated_token_address

from sniperforge.simnet.config import ConfigError
from sniperforge.simnet.faucet import WRAPPED_SOL
from sniperforge.simnet.ledger import UnfitLedger
from sniperforge.simnet.market import pool_reserves
from tests.data import data_dir
from tests.integration.simnet_chain import SOL, SteppedChain, stepped

POOL = "7JuwJuNU88gurFnyWeiyGKbFmExMWcmRZntn9imEzdny"
CPMM = "CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C"
MARKET = {"enabled": True, "trades_per_second": 40.0}


def reserves(chain: SteppedChain) -> list[tuple[int, int]]:
    """The reserves of every pool."""
    found = []
    for pool in chain.simnet.market.pools:
        accounts = [chain.bank.svm.get_account(Pubkey.from_string(key)) for key in (pool.address, *pool.vaults)]
        first, second = (int.from_bytes(account.data[64:72], "little") for account in accounts[1:] if account)
        assert accounts[0] is not None
        found.append(pool_reserves(accounts[0].data, first, second))
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
            assert meta["innerInstructions"] and len(meta["postTokenBalances"]) == 4


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
        for mint in chain.simnet.market.mints[:3]:
            answer = chain.call("simnetMintTo", mint.address, str(owner), 5 * SOL)["value"]
            assert answer["signature"] is not None
            chain.bank.tick()
            account = str(get_associated_token_address(owner, Pubkey.from_string(mint.address)))
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
        prices = [b / a for (a, b), pool in zip(begun, market.pools, strict=True) if set(pool.mints) == {0, 1}]
        assert max(prices) / min(prices) < 1.01
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
