"""Accounts that price a pool and are not what they have to be: no price, whatever the venue, and the text says why."""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from functools import cache
from pathlib import Path

import pytest
from solders.pubkey import Pubkey

from sniperforge import exits, quote_command
from sniperforge.router.market import MarketError, from_dumps
from sniperforge.simnet.config import load as load_config
from sniperforge.simnet.market import GenesisBuilder
from sniperforge.simnet.venue_pools import VENUES
from sniperforge.venues import pool_accounts, pools
from sniperforge.venues.dumps import Account, Dumps

SYSTEM = str(Pubkey.default())
NOW = 1_790_000_000
STRANGER = bytes(range(32))
VAULT_WRONGS = {
    "frozen": (108, b"\2", "state 2 (frozen) at offset 108, not 1 (initialized)"),
    "uninitialized": (108, b"\0", "state 0 (uninitialized) at offset 108, not 1"),
    "unknown state": (108, b"\3", "state 3 (unknown) at offset 108, not 1"),
    "authority": (32, STRANGER, f"authority {Pubkey.from_bytes(STRANGER)} at offset 32, not "),
    "mint": (0, STRANGER, f"mint {Pubkey.from_bytes(STRANGER)} at offset 0, not "),
}


@cache
def chain() -> dict[str, Account]:
    """The accounts of a synthetic market with pools of all venues."""
    market = {"enabled": True, "pools": 24, "mints": 12, "venues": list(VENUES), "weights": dict.fromkeys(VENUES, 1)}
    config = load_config([Path(__file__).parents[2] / "configs/default.toml"], {"market": market})
    builder = GenesisBuilder(config, {}, NOW)
    builder.build()
    return {
        str(key): Account(str(key), str(account.owner), bytes(account.data), Path("genesis"))
        for key, account in builder.accounts.items()
    }


def pool_of(venue: str) -> tuple[str, pool_accounts.Names]:
    """A pool of the venue, and what it names."""
    program = {loader.__name__: key for key, (_, loader) in pools._LOADERS.items()}[LOADER[venue]]
    address = next(key for key, account in chain().items() if account.owner == program and pools.is_pool(account))
    return address, pools._LOADERS[program][0](dumps(), chain()[address])


LOADER = {
    "raydium_cpmm": "_cpmm",
    "raydium_amm_v4": "_amm",
    "raydium_clmm": "_clmm",
    "orca_whirlpool": "_whirlpool",
    "meteora_dlmm": "_dlmm",
    "meteora_damm_v2": "_damm",
    "pump_swap": "_pump_swap",
    "pump_fun": "_pump_fun",
}


def dumps(**changed: Account | None) -> Dumps:
    """The market's accounts; those `changed` are others, or gone."""
    return Dumps("the market", [account for account in (chain() | changed).values() if account])


def patched(key: Pubkey | None, at: int, new: bytes) -> Account:
    account = chain()[str(key)]
    return account._replace(data=account.data[:at] + new + account.data[at + len(new) :])


def refusal(address: str, wrong: Account, frozen: bool = False) -> str:
    with pytest.raises(ValueError, match=f"^(vault|mint|config) {wrong.address} of pool {address}: ") as refused:
        pools.load(dumps(**{wrong.address: wrong}), address, frozen)
    return str(refused.value).partition(": ")[2]


@pytest.mark.parametrize("venue", VENUES)
def test_what_a_market_holds_is_priced(venue: str) -> None:
    address, names = pool_of(venue)
    priced = pools.load(dumps(), address)
    assert priced.venue == venue and priced.mints == names.mints
    assert priced.c[0](True, 10**6, NOW).status == priced.python[0](True, 10**6, NOW).status == "ok"


@pytest.mark.parametrize("wrong", VAULT_WRONGS)
@pytest.mark.parametrize("venue", VENUES)
def test_a_wrong_vault_prices_nothing(venue: str, wrong: str) -> None:
    address, names = pool_of(venue)
    at, new, sentence = VAULT_WRONGS[wrong]
    for vault in filter(None, names.vaults):
        account = patched(vault, at, new)
        assert sentence in refusal(address, account)
        if wrong == "frozen":
            assert pools.load(dumps(**{str(vault): account}), address, frozen=True).venue == venue
        else:
            assert sentence in refusal(address, account, frozen=True)


@pytest.mark.parametrize("venue", VENUES)
def test_a_vault_of_another_program_or_layout_prices_nothing(venue: str) -> None:
    address, names = pool_of(venue)
    for vault in filter(None, names.vaults):
        account = chain()[str(vault)]
        program = account.owner
        other = str(pool_accounts.TOKEN if program == str(pool_accounts.TOKEN_2022) else pool_accounts.TOKEN_2022)
        for owner in (SYSTEM, other):
            assert f"it belongs to program {owner}, not {program}" in refusal(address, account._replace(owner=owner))
        assert "82 bytes, not 165" in refusal(address, account._replace(data=account.data[:82]))
        assert "0 bytes, not 165" in refusal(address, account._replace(data=b""))


def test_extensions_say_what_an_account_is() -> None:
    """Pools of Token-2022 mints: a mint may not stand for a vault, nor a multisig."""
    seen = 0
    for address, account in chain().items():
        if not pools.is_pool(account):
            continue
        names = pools._LOADERS[account.owner][0](dumps(), account)
        for key in filter(None, (*names.vaults, *names.mints)):
            held = chain()[str(key)]
            if len(held.data) <= 166:
                continue
            seen += 1
            assert f"at offset 165, not {held.data[165]}" in refusal(address, patched(key, 165, b"\0"))
            assert "355 bytes, not" in refusal(address, held._replace(data=held.data.ljust(355, b"\0")[:355]))
    assert seen


@pytest.mark.parametrize("venue", VENUES)
def test_a_wrong_mint_or_config_prices_nothing(venue: str) -> None:
    address, names = pool_of(venue)
    for mint in names.mints[venue == "pump_fun" :]:
        account = chain()[str(mint)]
        assert f"it belongs to program {SYSTEM}, not " in refusal(address, account._replace(owner=SYSTEM))
        assert "state 0 at offset 45, not 1" in refusal(address, patched(mint, 45, b"\0"))
        assert "81 bytes, not 82" in refusal(address, account._replace(data=account.data[:81]))
    for config, program in names.shared:
        if str(config) in chain():
            wrong = chain()[str(config)]._replace(owner=SYSTEM)
            assert f"it belongs to program {SYSTEM}, not {program}" in refusal(address, wrong)


def test_a_curve_is_known_by_its_token_account() -> None:
    address, names = pool_of("pump_fun")
    coin, vault = str(names.mints[0]), str(names.vaults[0])
    assert pools.load(dumps(**{coin: None}), address).mints[0] == names.mints[0]
    with pytest.raises(ValueError, match="offset 108"):
        pools.load(dumps(**{coin: None, vault: patched(names.vaults[0], 108, b"\2")}), address)
    tokens = tuple(map(str, pool_accounts.TOKEN_PROGRAMS))
    unknown = {key: None for key, account in chain().items() if account.owner in tokens}
    assert pools.load(dumps(**unknown), address).mints[0] is None


@pytest.mark.parametrize("venue", ["orca_whirlpool", "raydium_clmm", "meteora_dlmm", "meteora_damm_v2", "pump_fun"])
def test_vaults_that_are_not_there_are_not_judged(venue: str) -> None:
    """Where their amounts are no part of the price."""
    address, names = pool_of(venue)
    there, gone = (
        pools.load(which, address).c[0](True, 10**6, NOW)
        for which in (dumps(), dumps(**dict.fromkeys(map(str, filter(None, names.vaults)))))
    )
    assert there[:3] == gone[:3] and there.status == "ok"


def test_a_nonce_without_an_authority() -> None:
    address, _ = pool_of("raydium_amm_v4")
    for nonce in range(256):
        account = patched(Pubkey.from_string(address), 8, struct.pack("<Q", nonce))
        if nonce != chain()[address].data[8]:
            with pytest.raises(
                ValueError, match=f"authority .* at offset 32, not |: nonce {nonce} at offset 8 gives no "
            ):
                pools.load(dumps(**{address: account}), address)


def test_commands_refuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address, names = pool_of("orca_whirlpool")
    wrong = patched(names.vaults[1], 108, b"\2")
    accounts = [account for account in (chain() | {wrong.address: wrong}).values() if account.data]
    directory = tmp_path / "all"
    directory.mkdir()
    for account in accounts:
        described = {"data": [b64encode(account.data).decode(), "base64"], "owner": account.owner}
        (directory / f"{account.address}.json").write_text(
            json.dumps({"pubkey": account.address, "account": described})
        )
    sentence = f"vault {wrong.address} of pool {address}: state 2 (frozen) at offset 108, not 1 (initialized)"
    ask = ["--pool", address, "--in", str(names.mints[0]), "--amount", "1000", "--accounts", str(directory)]
    assert quote_command.main(ask) == exits.USAGE
    assert capsys.readouterr() == ("", f"sniperforge quote: {sentence}\n")
    market = from_dumps(directory, NOW)
    assert f"{address}: {sentence}" in market.left_out
    assert market.pools and address not in {pool.address for pool in market.pools}
    for account in accounts:
        if pools.is_pool(account) and account.address != address:
            (directory / f"{account.address}.json").unlink()
    with pytest.raises(MarketError, match="no pool that can be priced"):
        from_dumps(directory, NOW)
