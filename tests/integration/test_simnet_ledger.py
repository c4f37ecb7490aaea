"""The ledger: torn tails, restarts, and kill -9 of the process under load."""

from __future__ import annotations

import os
import random
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from sniperforge.simnet.encoding import base64_encode
from sniperforge.simnet.ledger import LedgerError
from tests.integration.simnet_chain import SOL, SteppedChain, pay, stepped
from tests.integration.simnet_process import SimnetProcess, wait_until


def _sizes(ledger: Path) -> tuple[int, int]:
    state = max(ledger.glob("state-*.log"), key=lambda path: int(path.stem.split("-")[1]))
    return state.stat().st_size, sum(path.stat().st_size for path in ledger.glob("history-*.log"))


def test_every_cut_of_the_logs_restores_a_whole_prefix(tmp_path: Path) -> None:
    """After each transfer the files' sizes and the balances are noted; any cut must restore one of these points."""
    ledger = tmp_path / "ledger"
    points: list[tuple[int, int, int]] = []
    target = Pubkey.new_unique()
    with stepped(ledger) as chain:
        wallet = chain.funded()
        for number in range(12):
            chain.send(chain.sign(wallet, [pay(wallet, target, SOL // 100 + number)]))
            chain.bank.tick()
            points.append((*_sizes(ledger), chain.balance(target)))
            if number % 4 == 3:
                chain.slots(1)
    state = max(ledger.glob("state-*.log"), key=lambda path: int(path.stem.split("-")[1]))
    content = state.read_bytes()
    dice = random.Random(7)
    cuts = [dice.randrange(len(content) + 1) for _ in range(40)] + [size for size, _, _ in points]
    for cut in cuts:
        copy = tmp_path / f"cut-{cut}"
        shutil.copytree(ledger, copy, dirs_exist_ok=True)
        torn = bytearray(content[:cut])
        if dice.random() < 0.5:
            torn += dice.randbytes(dice.randrange(1, 600))
        (copy / state.name).write_bytes(torn)
        expected = [balance for size, _, balance in points if size <= cut]
        with stepped(copy) as chain:
            assert chain.balance(target) == (expected[-1] if expected else 0)
            history = chain.call("getSignaturesForAddress", str(target), {"commitment": "confirmed"})
            assert len(history) <= len(expected)
            chain.slots(3)
            history = chain.call("getSignaturesForAddress", str(target), {"commitment": "confirmed"})
            assert len(history) == len(expected)
            again = chain.funded()
            chain.send(chain.sign(again, [pay(again, target, SOL)]))
            chain.bank.tick()
        with stepped(copy) as chain:
            assert chain.balance(target) == (expected[-1] if expected else 0) + SOL
        shutil.rmtree(copy)


def test_a_restart_keeps_versions_statuses_and_blockhashes(tmp_path: Path) -> None:
    ledger, target = tmp_path / "ledger", Pubkey.new_unique()
    with stepped(ledger, snapshot_log_mb=1) as chain:
        chain.slots(40)
        wallet = chain.funded()
        first = chain.sign(wallet, [pay(wallet, target, SOL)])
        signature = chain.send(first)
        chain.slots(3)
        second = chain.send(chain.sign(wallet, [pay(wallet, target, SOL)]))
        chain.bank.tick()
        before = _facts(chain, target)
    with stepped(ledger, snapshot_log_mb=1) as chain:
        after = _facts(chain, target)
        assert after["slot"] > before["slot"] and after["height"] == before["height"] + 1
        assert after["genesis"] == before["genesis"] and after["identity"] == before["identity"]
        assert after["balances"] == before["balances"] == [2 * SOL, SOL, 0]
        assert chain.status(signature)["confirmationStatus"] == "confirmed"
        chain.send(first)
        chain.bank.tick()
        assert chain.balance(target) == 2 * SOL
        chain.slots(2)
        assert chain.status(second)["confirmationStatus"] == "confirmed"
        assert chain.balance(target, "confirmed") == 2 * SOL
        chain.slots(40)
        assert chain.balance(target, "finalized") == 2 * SOL


def _facts(chain: SteppedChain, target: Pubkey) -> dict[str, Any]:
    return {
        "slot": chain.bank.chain.slot,
        "height": chain.bank.chain.height,
        "genesis": chain.call("getGenesisHash"),
        "identity": chain.call("getIdentity"),
        "balances": [chain.balance(target, level) for level in ("processed", "confirmed", "finalized")],
    }


def test_snapshots_replace_the_log_and_old_history_goes(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    market = {"enabled": True, "trades_per_second": 2000.0}
    with stepped(ledger, market=market, snapshot_log_mb=1, history_mb=17) as chain:
        chain.slots(25)
        assert _sizes(ledger)[0] < 3 << 20
        assert _sizes(ledger)[1] < 30 << 20
        assert chain.call("getFirstAvailableBlock") > 0
        supply, count = chain.call("getSupply")["value"]["total"], chain.call("getTransactionCount")
        pools = chain.call("getProgramAccounts", "CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C", {"encoding": "base64"})
        state = chain.bank.state()
    with stepped(ledger, market=market, snapshot_log_mb=1, history_mb=17) as chain:
        assert chain.call("getSupply")["value"]["total"] == supply
        assert chain.call("getTransactionCount") == count
        assert pools == chain.call(
            "getProgramAccounts", "CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C", {"encoding": "base64"}
        )
        newest = {account.key: account.state for account in state.accounts}
        assert newest == {account.key: account.state for account in chain.bank.state().accounts}


def test_a_ledger_in_use_is_refused(tmp_path: Path) -> None:
    with stepped(tmp_path / "ledger"), pytest.raises(LedgerError, match="in use by another simnet"):
        SteppedChain(tmp_path / "ledger", {"market": {"enabled": False}})


def test_a_damaged_snapshot_is_refused_with_the_fix(tmp_path: Path) -> None:
    with stepped(tmp_path / "ledger"):
        pass
    path = tmp_path / "ledger" / "snapshot"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(LedgerError, match="snapshot is damaged"):
        SteppedChain(tmp_path / "ledger", {"market": {"enabled": False}})


class Load:
    """Sends transfers of 1 lamport more each time and notes which were seen executed."""

    def __init__(self, process: SimnetProcess) -> None:
        self.process = process
        self.wallet = Keypair()
        self.target = Keypair().pubkey()
        self.amount = 1_000_000
        self.seen: dict[str, int] = {}
        self.sent: dict[str, int] = {}

    def fund(self) -> None:
        """Get SOL and wait for it."""
        self.process.call("requestAirdrop", str(self.wallet.pubkey()), 1000 * SOL)
        options = {"commitment": "processed"}
        wait_until(
            lambda: self.process.call("getBalance", str(self.wallet.pubkey()), options)["value"], 30, "an airdrop"
        )

    def turn(self) -> None:
        """Send a few transfers and look at the statuses of those not yet seen."""
        latest = self.process.call("getLatestBlockhash", {"commitment": "processed"})["value"]["blockhash"]
        for _ in range(4):
            self.amount += 1
            move = transfer(
                TransferParams(from_pubkey=self.wallet.pubkey(), to_pubkey=self.target, lamports=self.amount)
            )
            message = MessageV0.try_compile(self.wallet.pubkey(), [move], [], Hash.from_string(latest))
            transaction = VersionedTransaction(message, [self.wallet])
            text = base64_encode(bytes(transaction))
            self.sent[str(transaction.signatures[0])] = self.amount
            self.process.call("sendTransaction", text, {"encoding": "base64", "skipPreflight": True})
        open_ones = [signature for signature in self.sent if signature not in self.seen][-200:]
        statuses = self.process.call("getSignatureStatuses", open_ones)["value"]
        for signature, status in zip(open_ones, statuses, strict=True):
            if status is not None:
                self.seen[signature] = status["slot"]

    def check(self) -> None:
        """What was seen is still there, and the balance is the sum of what the history holds."""
        every = list(self.sent)
        executed = 0
        for start in range(0, len(every), 256):
            part = every[start : start + 256]
            statuses = self.process.call("getSignatureStatuses", part, {"searchTransactionHistory": True})["value"]
            for signature, status in zip(part, statuses, strict=True):
                if status is not None:
                    executed += self.sent[signature]
                if signature in self.seen:
                    assert status is not None and status["slot"] == self.seen[signature]
        balance = self.process.call("getBalance", str(self.target), {"commitment": "processed"})["value"]
        assert balance == executed


def test_kill_9_at_random_moments_under_load(tmp_path: Path) -> None:
    process = SimnetProcess(tmp_path / "ledger", "--speed", "5")
    dice = random.Random(11)
    try:
        process.start()
        genesis, identity = process.endpoints["genesis_hash"], process.endpoints["identity"]
        port = int(process.rpc_url.rsplit(":", 1)[1])
        load = Load(process)
        load.fund()
        slot, starts = 0, []
        for _ in range(12):
            timer = threading.Timer(dice.uniform(0.02, 0.5), process.process.kill)  # type: ignore[union-attr]
            timer.start()
            try:
                while True:
                    load.turn()
            except OSError:
                pass
            timer.join()
            process.kill()
            starts.append(process.start(port=port))
            assert process.endpoints["genesis_hash"] == genesis and process.endpoints["identity"] == identity
            assert process.endpoints["slot"] > slot
            slot = process.endpoints["slot"]
            load.check()
        assert len(load.seen) > 50
        assert sorted(starts)[len(starts) // 2] < 1.0
        assert process.call("simnetStatus")["counters"].get("internal_errors", 0) == 0
    finally:
        process.kill()


def test_dies_with_its_parent(tmp_path: Path) -> None:
    """A process between the test and the simnet is killed; the simnet must follow."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        process = SimnetProcess(tmp_path / "ledger", "--no-market")
        process.start()
        assert process.process is not None
        os.write(writer, str(process.process.pid).encode())
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    pid = int(os.read(reader, 32))
    os.close(reader)
    os.close(writer)

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            return True

    wait_until(gone, 30, "the simnet's end")
