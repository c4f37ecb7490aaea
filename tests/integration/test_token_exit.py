"""The simulated exit on recorded pools of each venue that simnet emulates, and the instructions it uses."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from sniperforge.rpc import RpcClient
from sniperforge.safety import pools, trial
from sniperforge.safety.mint import TOKEN
from sniperforge.safety.reader import Reader
from sniperforge.simnet import pump_fun_accounts, pump_swap_accounts
from sniperforge.simnet.emulation import EMULATED
from sniperforge.simnet.faucet import mint_data, token_account_data
from sniperforge.venues import dumps as venue_dumps
from sniperforge.venues import orca_whirlpool, pump_swap
from tests import token_traps as traps
from tests.data import data_dir
from tests.integration.simnet_process import SimnetProcess, simnet
from tests.token_traps import SOL

USDC = Pubkey.from_string("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"
COIN = Keypair.from_seed(bytes([7] * 32)).pubkey()
RECORDED = {
    "raydium_cpmm": ("raydium_cpmm/sol_usdc", "sol_usdc_pool_state.json"),
    "raydium_amm_v4": ("raydium_amm_v4/sol_usdc", "amm_id.json"),
    "orca_whirlpool": ("orca_whirlpool/sol_usdc_ts64_2023", ""),
    "pump_swap": ("pump_amm/usdc_sol", "pool.json"),
}
"""Pools of SOL and USDC: directory of the dumps, and the pool's."""


def curve_dumps(directory: Path) -> None:
    """A coin of pump.fun as it is created, beside the recorded global account."""
    keys = pump_fun_accounts.derive_curve(COIN)
    supply, held = pump_fun_accounts.TOKEN_SUPPLY, pump_fun_accounts.TOKEN_SUPPLY
    accounts = {
        COIN: Account(SOL, mint_data(decimals=6, supply=supply, authority=None), TOKEN),
        keys.curve: Account(
            40 * SOL,
            pump_fun_accounts.curve_data(real_tokens=700_000_000_000_000, real_sol=30 * SOL, virtual_sol=60 * SOL),
            pump_fun_accounts.PROGRAM_ID,
        ),
        keys.curve_tokens: Account(SOL, token_account_data(mint=COIN, owner=keys.curve, amount=held, rent=None), TOKEN),
    }
    write(directory, [(str(key), str(account.owner), account.data) for key, account in accounts.items()])


def write(directory: Path, accounts: Iterable[tuple[str, str, bytes]]) -> None:
    """Dumps that simnet loads; lamports enough for any vault of wrapped SOL."""
    directory.mkdir()
    for key, owner, data in accounts:
        shown = {
            "lamports": 10**15,
            "data": [base64.b64encode(data).decode(), "base64"],
            "owner": owner,
            "executable": False,
            "rentEpoch": 0,
        }
        (directory / f"{key}.json").write_text(json.dumps({"pubkey": key, "account": shown}))


def fee_accounts(directory: Path, recorded: venue_dumps.Dumps) -> None:
    """The token accounts that a trade of PumpSwap pays fees into, which the recording lacks."""
    address = pool_address("pump_swap")
    keys = pump_swap_accounts.read_pool(address, recorded[str(address)].data)
    settings = pump_swap_accounts.read_global(recorded[str(pump_swap.GLOBAL_CONFIG)].data)
    owners = {
        keys.recipient_tokens(settings.recipient): settings.recipient,
        keys.recipient_tokens(settings.buyback_recipient): settings.buyback_recipient,
        keys.creator_tokens: keys.creator_vault,
    }
    accounts = []
    for key, owner in owners.items():
        data = token_account_data(mint=keys.mints[1], owner=owner, amount=0, rent=2_039_280)
        accounts.append((str(key), str(TOKEN), data))
    write(directory, accounts)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimnetProcess]:
    directory = tmp_path_factory.mktemp("token-exit")
    accounts = data_dir() / "accounts"
    curve_dumps(directory / "curve")
    places = ["pump_fun", *(where for where, _ in RECORDED.values())]
    for number, where in enumerate(places):
        recorded = venue_dumps.load(accounts / where)
        write(directory / str(number), (account[:3] for account in recorded if account.owner != LOADER))
    fee_accounts(directory / "fees", venue_dumps.load(accounts / RECORDED["pump_swap"][0]))
    flags = [directory / "fees", directory / "curve", *(directory / str(number) for number in range(len(places)))]
    words = [word for each in flags for word in ("--account-dir", str(each))]
    with simnet(directory, "--no-market", *words) as running:
        yield running


def pool_address(venue: str) -> Pubkey:
    where, name = RECORDED[venue]
    directory = data_dir() / "accounts" / where
    if name:
        return Pubkey.from_string(json.loads((directory / name).read_text())["pubkey"])
    found = (account for account in venue_dumps.load(directory) if len(account.data) == orca_whirlpool.POOL_BYTES)
    return Pubkey.from_string(next(found).address)


@pytest.mark.parametrize("venue", sorted(RECORDED))
def test_the_exit_of_a_recorded_pool_is_what_its_quotes_say(chain: SimnetProcess, venue: str) -> None:
    if venue not in EMULATED.values():
        pytest.skip(f"simnet does not emulate {venue}")
    wallet = Keypair().pubkey()
    traps.fund(chain, wallet, 10 * SOL)
    with RpcClient(chain.rpc_url, timeout_ms=20_000) as rpc:
        reader = Reader(rpc)
        pool = pools.load(reader, pool_address(venue), USDC, TOKEN)
        assert pool.venue == venue
        tried = trial.run(reader, pool, wallet, SOL)
        assert not tried.failure
        quoted = pool.quote_in(False, SOL)
        assert tried.bought == quoted.amount_out
        assert 0.9 * SOL < tried.proceeds < SOL


def test_the_exit_of_a_bonding_curve(chain: SimnetProcess) -> None:
    wallet = Keypair().pubkey()
    traps.fund(chain, wallet, 10 * SOL)
    with RpcClient(chain.rpc_url, timeout_ms=20_000) as rpc:
        reader = Reader(rpc)
        address = pools.find(reader, COIN, TOKEN, {})
        pool = pools.load(reader, address, COIN, TOKEN)
        assert (pool.venue, pool.depth) == ("pump_fun", 30 * SOL)
        tried = trial.run(reader, pool, wallet, SOL)
        assert not tried.failure
        assert tried.bought == pool.quote_in(False, SOL).amount_out
        assert 0.97 * SOL < tried.proceeds < 0.99 * SOL
