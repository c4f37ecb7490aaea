"""`simnet clone` and `simnet --from`: from one simnet into another byte for byte, and a swap gives the same on both."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address
from solders.transaction import VersionedTransaction
from spl.token.instructions import create_idempotent_associated_token_account

from sniperforge import exits
from sniperforge.discovery.anatomy import PUMP_FUN_GLOBAL, TOKEN, WRAPPED_SOL
from sniperforge.simnet import amm_v4_accounts, cpmm_accounts, pump_fun_accounts
from sniperforge.simnet.clone_files import Manifest
from sniperforge.simnet.emulation import load_programs
from sniperforge.simnet.faucet import held_tokens, mint_data
from tests.integration.simnet_chain import SOL
from tests.integration.simnet_process import REPO, SimnetProcess, simnet, wait_until

CPMM = cpmm_accounts.PROGRAM_ID
AMM = amm_v4_accounts.PROGRAM_ID
PUMP = pump_fun_accounts.PROGRAM_ID
USDC = Pubkey.from_string("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
COIN = Pubkey([7] * 32)
RECIPIENT = Pubkey([8] * 32)
MARKET = Pubkey([9] * 32)
QUIET = ("--pools", "4", "--mints", "3", "--set", "market.trades_per_second=0")
QUIET += ("--set", 'market.venues=["raydium_cpmm"]')


def clone(url: str, out: Path, *flags: str, pools: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sniperforge.cli", "simnet", "clone", "--url", url, "--out", str(out)]
    return subprocess.run(
        [*command, "--pool", *pools, *flags], cwd=REPO, capture_output=True, text=True, timeout=60, check=False
    )


def dump(directory: Path, address: Pubkey, owner: Pubkey, data: bytes, lamports: int = 10**9) -> None:
    account = {
        "lamports": lamports,
        "data": [base64.b64encode(data).decode(), "base64"],
        "owner": str(owner),
        "executable": False,
        "rentEpoch": 2**64 - 1,
        "space": len(data),
    }
    (directory / f"{address}.json").write_text(json.dumps({"pubkey": str(address), "account": account}))


def made_pools(directory: Path) -> tuple[amm_v4_accounts.PoolKeys, pump_fun_accounts.CurveKeys]:
    """Dumps of an AMM v4 pool of wrapped SOL and USDC, and of a bonding curve."""
    keys = amm_v4_accounts.derive_pool(market=MARKET, market_program=Pubkey([5] * 32), mints=(WRAPPED_SOL, USDC))
    pool = amm_v4_accounts.pool_data(keys, decimals=(9, 6), lp_amount=10**9, need_take_pnl=(7, 11))
    dump(directory, keys.pool, AMM, pool)
    for vault, mint, amount in zip(keys.vaults, keys.mints, (500 * SOL, 75_000 * 10**6), strict=True):
        account = held_tokens(10**9, mint, amm_v4_accounts.AUTHORITY, amount)
        dump(directory, vault, TOKEN, account.data, account.lamports)
    for address, size in ((keys.open_orders, 3228), (keys.target_orders, 2208), (keys.market, 388)):
        dump(directory, address, AMM, bytes(size), 2**40)
    curve = pump_fun_accounts.derive_curve(COIN)
    settings = pump_fun_accounts.global_data(authority=COIN, fee_recipient=RECIPIENT, fee_basis_points=100)
    dump(directory, PUMP_FUN_GLOBAL, PUMP, settings)
    dump(directory, curve.curve, PUMP, pump_fun_accounts.curve_data(real_sol=SOL, virtual_sol=31 * SOL), 2 * SOL)
    dump(directory, curve.curve_tokens, TOKEN, held_tokens(10**9, COIN, curve.curve, 10**15).data)
    dump(directory, COIN, TOKEN, mint_data(decimals=6, supply=10**15, authority=None))
    dump(directory, RECIPIENT, Pubkey.default(), b"", SOL)
    return keys, curve


def send(node: SimnetProcess, wallet: Keypair, *instructions: Instruction) -> dict[str, Any]:
    """Executes a transaction; returns its meta."""
    latest = node.call("getLatestBlockhash", {"commitment": "processed"})["value"]["blockhash"]
    message = MessageV0.try_compile(wallet.pubkey(), list(instructions), [], Hash.from_string(latest))
    raw = base64.b64encode(bytes(VersionedTransaction(message, [wallet]))).decode()
    signature = node.call("sendTransaction", raw, {"encoding": "base64", "skipPreflight": True})
    options = {"encoding": "base64", "commitment": "confirmed", "maxSupportedTransactionVersion": 0}
    found: dict[str, Any] = wait_until(lambda: node.call("getTransaction", signature, options), 30.0, "execution")
    return dict(found["meta"])


def _has_tokens(node: SimnetProcess, account: str) -> bool:
    held = node.call("getTokenAccountBalance", account, {"commitment": "processed"})["value"]
    return bool(held["amount"] != "0")


def swaps(
    node: SimnetProcess, cpmm: cpmm_accounts.PoolKeys, amm: amm_v4_accounts.PoolKeys, curve: pump_fun_accounts.CurveKeys
) -> list[Any]:
    """A swap on each of three venues with a fixed wallet: error, tokens and compute units."""
    wallet = Keypair.from_seed(bytes([42] * 32))
    node.call("requestAirdrop", str(wallet.pubkey()), 100 * SOL)
    wait_until(lambda: node.call("getBalance", str(wallet.pubkey()), {"commitment": "processed"})["value"], 30.0, "SOL")
    mints = list(dict.fromkeys([*cpmm.mints, *amm.mints, COIN]))
    meta = send(
        node,
        wallet,
        *(create_idempotent_associated_token_account(wallet.pubkey(), wallet.pubkey(), mint, TOKEN) for mint in mints),
    )
    assert meta["err"] is None
    held = {mint: get_associated_token_address(wallet.pubkey(), mint) for mint in mints}
    for mint in {cpmm.mints[0], WRAPPED_SOL}:
        minted = node.call("simnetMintTo", str(mint), str(wallet.pubkey()), 3_000_000)["value"]
        wait_until(partial(_has_tokens, node, minted["account"]), 30.0, "tokens")
    results = []
    for instruction in (
        cpmm_accounts.swap_base_input_instruction(
            cpmm,
            payer=wallet.pubkey(),
            input_mint=cpmm.mints[0],
            input_account=held[cpmm.mints[0]],
            output_account=held[cpmm.mints[1]],
            amount_in=1_000_000,
            minimum_amount_out=1,
        ),
        amm_v4_accounts.swap_base_in_instruction(
            amm,
            owner=wallet.pubkey(),
            input_account=held[WRAPPED_SOL],
            output_account=held[USDC],
            amount_in=1_000_000,
            minimum_amount_out=1,
        ),
        pump_fun_accounts.buy_instruction(
            curve,
            user=wallet.pubkey(),
            user_tokens=held[COIN],
            fee_recipient=RECIPIENT,
            tokens=10**9,
            max_sol=SOL,
        ),
    ):
        meta = send(node, wallet, instruction)
        assert meta["err"] is None, meta["logMessages"]
        tokens = {
            row["mint"]: row["uiTokenAmount"]["amount"]
            for row in meta["postTokenBalances"]
            if row["owner"] == str(wallet.pubkey())
        }
        logs = [line for line in meta["logMessages"] if not line.startswith("Program data:")]  # has the time in it
        results.append((tokens, meta["computeUnitsConsumed"], logs, meta["fee"]))
    return results


def shown(node: SimnetProcess, address: str) -> Any:
    options = {"encoding": "base64", "commitment": "processed"}
    return node.call("getAccountInfo", address, options)["value"]


def test_from_one_simnet_into_another(tmp_path: Path) -> None:
    dumps, out = tmp_path / "dumps", tmp_path / "clone"
    for name in ("dumps", "a", "b", "c"):
        (tmp_path / name).mkdir()
    amm, curve = made_pools(dumps)
    with simnet(tmp_path / "a", *QUIET, "--speed", "10", "--account-dir", str(dumps)) as first:
        wait_until(lambda: first.call("getSlot", {"commitment": "confirmed"}) > 20, 30.0, "some slots")
        made = first.endpoints["market"]["pools"][0]["address"]
        pools = [made, str(amm.pool), str(curve.curve)]
        run = clone(first.rpc_url, out, "--json", pools=pools)
        assert run.returncode == exits.OK, run.stderr
        manifest = msgspec.json.decode(run.stdout, type=Manifest)
        assert msgspec.json.decode((out / "manifest.json").read_bytes(), type=Manifest) == manifest
        assert manifest.genesis_hash == first.endpoints["genesis_hash"]
        assert manifest.slots == (manifest.slot, manifest.slot)
        assert manifest.slot > 20
        assert manifest.unix_time == first.call("getBlockTime", manifest.slot)
        assert {row.venue for row in manifest.pools.values()} == {"raydium_cpmm", "raydium_amm_v4", "pump_fun"}
        assert {key: row.emulation for key, row in manifest.programs.items()} == {
            str(CPMM): True,
            str(AMM): True,
            str(PUMP): True,
        }
        for program in manifest.programs:
            assert (out / "programs" / f"{program}.so").read_bytes() == load_programs()[Pubkey.from_string(program)]
        keys = cpmm_accounts.read_pool(Pubkey.from_string(made), base64.b64decode(shown(first, made)["data"][0]))
        named = {made, str(keys.config), str(keys.observation), str(keys.lp_mint), *map(str, keys.vaults)}
        named |= {
            *map(str, keys.mints),
            *map(str, amm.vaults),
            str(amm.open_orders),
            str(curve.curve_tokens),
            str(COIN),
        }
        assert named <= manifest.accounts.keys()

        with simnet(tmp_path / "b", "--from", str(out)) as second:
            for address, row in manifest.accounts.items():
                account = shown(first, address)
                assert account is not None
                assert shown(second, address) == account, row.what
                file = json.loads((out / row.file).read_bytes())
                assert file == {"pubkey": address, "account": account}
            assert second.endpoints["emulated"] == first.endpoints["emulated"]
            assert second.endpoints["market"]["pools"] == []
            slot = second.endpoints["slot"]
            assert manifest.slot < slot < manifest.slot + 10
            late = second.call("getBlockTime", slot) - manifest.unix_time
            assert 0 <= late <= 10
            assert second.call("getEpochInfo")["absoluteSlot"] == manifest.slot
            assert swaps(first, keys, amm, curve) == swaps(second, keys, amm, curve)
            for address in (made, *map(str, keys.vaults), *map(str, amm.vaults), str(curve.curve)):
                assert shown(second, address) == shown(first, address), "and it leaves the same behind"

            again = tmp_path / "again"  # a clone of a clone
            assert clone(second.rpc_url, again, pools=pools).returncode == exits.OK
            assert sorted(path.name for path in again.iterdir()) == sorted(path.name for path in out.iterdir())

        restarted = SimnetProcess(tmp_path / "b" / "ledger", "--from", str(out))
        try:
            restarted.start()
            assert restarted.endpoints["restored"]
            assert restarted.endpoints["slot"] > slot
            assert shown(restarted, made) == shown(first, made)
        finally:
            restarted.kill()


def test_a_program_of_the_users_own_runs_instead(tmp_path: Path) -> None:
    """The ELF file of a clone is what runs, not the emulation under the same address."""
    elf = tmp_path / "real.so"
    elf.write_bytes(load_programs()[CPMM].replace(b".source\0", b".origin\0").replace(b"emulation of", b"not quite a "))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    out = tmp_path / "clone"
    with simnet(tmp_path / "a", *QUIET, "--bpf-program", str(CPMM), str(elf)) as first:
        assert clone(first.rpc_url, out, pools=[first.endpoints["market"]["pools"][0]["address"]]).returncode == 0
    manifest = msgspec.json.decode((out / "manifest.json").read_bytes(), type=Manifest)
    assert not manifest.programs[str(CPMM)].emulation
    with simnet(tmp_path / "b", "--from", str(out)) as second:
        assert str(CPMM) not in second.endpoints["emulated"]
        wallet = Keypair()
        second.call("requestAirdrop", str(wallet.pubkey()), SOL)
        wait_until(
            lambda: second.call("getBalance", str(wallet.pubkey()), {"commitment": "processed"})["value"], 30.0, "SOL"
        )
        meta = send(second, wallet, Instruction(CPMM, bytes(24), []))
        assert any("not quite a  Raydium" in line for line in meta["logMessages"])


def test_a_directory_that_is_not_empty_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "clone"
    with simnet(tmp_path, *QUIET) as node:
        first, second = (pool["address"] for pool in node.endpoints["market"]["pools"][:2])
        assert clone(node.rpc_url, out, pools=[first, second]).returncode == exits.OK
        before = (out / "manifest.json").read_bytes()
        run = clone(node.rpc_url, out, pools=[first])
        assert run.returncode == exits.REFUSED
        assert "--force" in run.stderr
        assert (out / "manifest.json").read_bytes() == before
        (out / "notes.txt").write_text("mine")
        assert clone(node.rpc_url, out, "--force", pools=[first]).returncode == exits.OK
        assert (out / "notes.txt").read_text() == "mine"
        manifest = msgspec.json.decode((out / "manifest.json").read_bytes(), type=Manifest)
        assert {path.stem for path in out.glob("*.json")} == {*manifest.accounts, "manifest"}


def test_what_cannot_be_cloned_is_said(tmp_path: Path) -> None:
    with simnet(tmp_path, *QUIET) as node:
        pool = node.endpoints["market"]["pools"][0]

        def said(*pools: str) -> str:
            run = clone(node.rpc_url, tmp_path / "clone", pools=list(pools))
            assert run.returncode == exits.FAILED
            assert not (tmp_path / "clone").exists()
            return run.stderr

        assert "which is no venue we know" in said(pool["address"], str(USDC))
        assert f"{pool['config']} of raydium_cpmm is no pool" in said(pool["config"])
        assert "does not exist on this node" in said(str(Pubkey([3] * 32)))
        bad = clone(node.rpc_url, tmp_path / "clone", pools=["nonsense"])
        assert bad.returncode == exits.USAGE and "--pool nonsense: is no public key" in bad.stderr

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        run = clone(f"http://127.0.0.1:{unused.getsockname()[1]}", tmp_path / "clone", pools=[str(USDC)])
    assert run.returncode == exits.NOT_RUNNING
    assert "ConnectionRefusedError" in run.stderr and "check --url" in run.stderr


def test_a_busy_node_is_asked_again(tmp_path: Path) -> None:
    with simnet(tmp_path, *QUIET, "--set", "faults.too_many_requests=0.3") as node:
        run = clone(node.rpc_url, tmp_path / "clone", pools=[node.endpoints["market"]["pools"][0]["address"]])
        assert run.returncode == exits.OK
        assert (tmp_path / "clone" / "manifest.json").exists()


def test_a_clone_that_was_changed_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "clone"
    with simnet(tmp_path, *QUIET) as node:
        pool = node.endpoints["market"]["pools"][0]["address"]
        assert clone(node.rpc_url, out, pools=[pool]).returncode == exits.OK

    def refusal() -> str:
        command = [sys.executable, "-m", "sniperforge.simnet", "--from", str(out), "--ledger", str(tmp_path / "other")]
        run = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=30, check=False)
        assert run.returncode == exits.USAGE
        return run.stderr

    path = out / f"{pool}.json"
    path.write_bytes(path.read_bytes() + b" ")
    assert f"{path} is not what was cloned" in refusal()
    path.unlink()
    assert "make the clone anew" in refusal()
    (out / "manifest.json").unlink()
    assert "name a directory that `simnet clone` made" in refusal()


def test_a_missing_vault_is_named(tmp_path: Path) -> None:
    dumps = tmp_path / "dumps"
    dumps.mkdir()
    keys, _ = made_pools(dumps)
    (dumps / f"{keys.vaults[1]}.json").unlink()
    with simnet(tmp_path, *QUIET, "--account-dir", str(dumps)) as node:
        run = clone(node.rpc_url, tmp_path / "clone", pools=[str(keys.pool)])
    assert run.returncode == exits.FAILED
    assert f"no vault {keys.vaults[1]}" in run.stderr


@pytest.mark.parametrize("url", ["ftp://host", "nonsense"])
def test_a_bad_url_is_bad_usage(tmp_path: Path, url: str) -> None:
    assert clone(url, tmp_path / "clone", pools=[str(USDC)]).returncode == exits.USAGE
