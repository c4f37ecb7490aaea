"""The bank: order, fees, statuses, blockhashes, commitment, simulation."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from solders.account import Account
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import AdvanceNonceAccountParams, advance_nonce_account, create_nonce_account
from solders.transaction import VersionedTransaction

from sniperforge.simnet.failures import Failure, Failures
from sniperforge.simnet.transactions import decode
from tests.integration.simnet_chain import SOL, SteppedChain, pay, stepped
from tests.integration.simnet_process import RpcFailure


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[SteppedChain]:
    with stepped(tmp_path / "ledger") as chain:
        yield chain


def test_priority_fee_per_compute_unit_then_arrival_decides_the_order(chain: SteppedChain) -> None:
    wallets = [chain.funded() for _ in range(4)]
    prices = (0, 500, 9000, 500)
    signatures = []
    for wallet, price in zip(wallets, prices, strict=True):
        budget = [set_compute_unit_limit(1000), set_compute_unit_price(price)]
        signatures.append(chain.send(chain.sign(wallet, [*budget, pay(wallet, Pubkey.new_unique(), SOL)])))
    chain.bank.tick()
    slot = chain.status(signatures[0])["slot"]
    executed = [str(Signature.from_bytes(signature)) for signature in chain.bank.ledger.by_slot[slot]]
    assert executed[-4:] == [signatures[number] for number in (2, 1, 3, 0)]


def test_a_failed_transaction_is_charged_and_recorded(chain: SteppedChain) -> None:
    wallet = chain.funded(SOL)
    signature = chain.send(chain.sign(wallet, [pay(wallet, Pubkey.new_unique(), 2 * SOL)]))
    chain.bank.tick()
    assert chain.balance(wallet.pubkey()) == SOL - 5000
    status = chain.status(signature)
    assert status["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert status["status"] == {"Err": status["err"]}
    chain.slots(4)
    shown = chain.call("getTransaction", signature, {"commitment": "confirmed", "maxSupportedTransactionVersion": 0})
    assert shown["meta"]["err"] == status["err"] and shown["meta"]["fee"] == 5000
    assert shown["meta"]["preBalances"][0] - shown["meta"]["postBalances"][0] == 5000


def test_what_a_client_s_failed_transaction_found_is_kept(chain: SteppedChain) -> None:
    wallet, target = chain.funded(SOL), Pubkey.new_unique()
    failing = [chain.send(chain.sign(wallet, [pay(wallet, target, (2 + n) * SOL)])) for n in range(2)]
    chain.bank.tick()
    for number, signature in enumerate(failing):
        failure = chain.call("simnetFailure", signature)
        assert failure["slot"] == chain.bank.chain.slot and failure["unixTimestamp"] == chain.bank.chain.blocks[-1].time
        assert failure["accounts"][str(wallet.pubkey())]["lamports"] == SOL - number * 5000
        assert failure["accounts"][str(target)] is None and len(failure["accounts"]) == 2  # not the program
    passing = chain.send(chain.sign(wallet, [pay(wallet, target, SOL // 2)]))
    crowd = decode(bytes(chain.sign(wallet, [pay(wallet, target, 9 * SOL)])))
    chain.bank.submit(crowd, 0, by_client=False)
    chain.bank.tick()
    assert chain.status(str(Signature.from_bytes(crowd.signature)))["err"] is not None
    assert chain.call("simnetFailure", passing) is None
    assert chain.call("simnetFailure", str(Signature.from_bytes(crowd.signature))) is None
    assert chain.call("simnetStatus")["failures"] == {"kept": 2, "forgotten": 0}


def test_the_oldest_failures_go_by_bytes_and_are_counted() -> None:
    found = {Pubkey.new_unique(): Account(1, random.Random(7).randbytes(10_000), Pubkey.new_unique())}
    failures = Failures(limit_bytes=25_000)
    for number in range(5):
        failures.keep(bytes([number]), number, 1_000 + number, found)
    assert (len(failures), failures.forgotten) == (2, 3)
    assert failures.get(bytes([2])) is None
    assert failures.get(bytes([3])) == Failure(3, 1_003, found)


def test_fee_is_signatures_and_price_times_requested_limit(chain: SteppedChain) -> None:
    wallet = chain.funded()
    budget = [set_compute_unit_limit(33_333), set_compute_unit_price(1_234_567)]
    transaction = chain.sign(wallet, [*budget, pay(wallet, Pubkey.new_unique(), SOL)])
    message = base64.b64encode(to_bytes_versioned(transaction.message)).decode()
    expected = chain.call("getFeeForMessage", message, {"commitment": "processed"})["value"]
    assert expected == 5000 + -(-33_333 * 1_234_567 // 1_000_000)
    chain.send(transaction)
    chain.bank.tick()
    assert chain.balance(wallet.pubkey()) == 9 * SOL - expected


def test_a_signature_executes_once(chain: SteppedChain) -> None:
    wallet, target = chain.funded(), Pubkey.new_unique()
    transaction = chain.sign(wallet, [pay(wallet, target, SOL)])
    for _ in range(3):
        chain.send(transaction)
        chain.bank.tick()
    chain.slots(1)
    chain.send(transaction)
    chain.bank.tick()
    assert chain.balance(target) == SOL
    with pytest.raises(RpcFailure, match="already been processed") as failure:
        chain.send(transaction, skipPreflight=False, preflightCommitment="processed")
    assert failure.value.code == -32002 and failure.value.data["err"] == "AlreadyProcessed"


def test_blockhashes_are_new_every_block_and_expire_by_height(tmp_path: Path) -> None:
    with stepped(tmp_path / "ledger", blockhash_valid_blocks=20, skipped_slots_rate=0.3) as chain:
        wallet = chain.funded()
        latest = chain.call("getLatestBlockhash", {"commitment": "processed"})["value"]
        blockhash = Hash.from_string(latest["blockhash"])
        last = latest["lastValidBlockHeight"]
        assert last == chain.bank.chain.height + 20
        seen = set()
        while chain.bank.chain.height < last:
            seen.add(chain.call("getLatestBlockhash", {"commitment": "processed"})["value"]["blockhash"])
            chain.slots(1)
        assert len(seen) == 20
        assert chain.bank.chain.slot > chain.bank.chain.height
        valid = chain.call("isBlockhashValid", str(blockhash), {"commitment": "processed"})
        assert valid["value"] is True
        landed = chain.send(chain.sign(wallet, [pay(wallet, Pubkey.new_unique(), SOL)], blockhash))
        chain.slots(1)
        assert chain.status(landed) is not None
        assert chain.call("isBlockhashValid", str(blockhash), {"commitment": "processed"})["value"] is False
        late = chain.send(chain.sign(wallet, [pay(wallet, Pubkey.new_unique(), 2 * SOL)], blockhash))
        chain.slots(1)
        assert chain.status(late) is None


def test_preflight_uses_the_blockhash_as_the_commitment_sees_it(chain: SteppedChain) -> None:
    wallet = chain.funded()
    chain.slots(40)
    transaction = chain.sign(wallet, [pay(wallet, Pubkey.new_unique(), SOL)])
    with pytest.raises(RpcFailure, match="Transaction simulation failed: Blockhash not found"):
        chain.send(transaction, skipPreflight=False)
    chain.send(transaction, skipPreflight=False, preflightCommitment="processed")
    chain.bank.tick()


def test_commitment_levels_show_their_own_state(chain: SteppedChain) -> None:
    target = Pubkey.new_unique()
    chain.slots(40)
    wallet = chain.funded()
    signature = chain.send(chain.sign(wallet, [pay(wallet, target, SOL)]))
    chain.bank.tick()
    levels = ("processed", "confirmed", "finalized")
    assert [chain.balance(target, level) for level in levels] == [SOL, 0, 0]
    assert chain.status(signature)["confirmationStatus"] == "processed"
    chain.slots(2)
    assert [chain.balance(target, level) for level in levels] == [SOL, SOL, 0]
    status = chain.status(signature)
    assert status["confirmationStatus"] == "confirmed" and status["confirmations"] == 2
    chain.send(chain.sign(wallet, [pay(wallet, target, SOL)]))
    chain.bank.tick()
    assert [chain.balance(target, level) for level in levels] == [2 * SOL, SOL, 0]
    owned = {
        level: any(
            account["pubkey"] == str(target)
            for account in chain.call("getProgramAccounts", str(Pubkey.default()), {"commitment": level})
        )
        for level in levels
    }
    assert owned == {"processed": True, "confirmed": True, "finalized": False}
    chain.slots(30)
    assert [chain.balance(target, level) for level in levels] == [2 * SOL, 2 * SOL, SOL]
    chain.slots(2)
    assert chain.balance(target, "finalized") == 2 * SOL
    status = chain.status(signature)
    assert status["confirmationStatus"] == "finalized" and status["confirmations"] is None


def test_simulation_sees_the_state_of_its_commitment_and_leaves_none(chain: SteppedChain) -> None:
    chain.slots(40)
    wallet, target = chain.funded(), Pubkey.new_unique()
    text = base64.b64encode(bytes(chain.sign(wallet, [pay(wallet, target, SOL)]))).decode()
    options = {"encoding": "base64", "replaceRecentBlockhash": True}
    assert chain.call("simulateTransaction", text, options)["value"]["err"] == "AccountNotFound"
    wanted = {"accounts": {"addresses": [str(target)], "encoding": "base64"}, "commitment": "processed"}
    outcome = chain.call("simulateTransaction", text, {**options, **wanted})["value"]
    assert outcome["err"] is None and outcome["accounts"][0]["lamports"] == SOL
    assert outcome["replacementBlockhash"]["lastValidBlockHeight"] > 0
    assert chain.balance(target) == 0 and chain.balance(wallet.pubkey()) == 10 * SOL
    with pytest.raises(RpcFailure, match="sigVerify may not be used with replaceRecentBlockhash"):
        chain.call("simulateTransaction", text, {**options, "sigVerify": True})


def test_signatures_are_checked(chain: SteppedChain) -> None:
    wallet, other = chain.funded(), Keypair()
    transaction = chain.sign(wallet, [pay(wallet, Pubkey.new_unique(), SOL)])
    forged = transaction.populate(transaction.message, [other.sign_message(to_bytes_versioned(transaction.message))])
    with pytest.raises(RpcFailure, match="Transaction signature verification failure") as failure:
        chain.send(forged, skipPreflight=False, preflightCommitment="processed")
    assert failure.value.code == -32003
    signature = chain.send(forged)
    chain.slots(1)
    assert chain.status(signature) is None and chain.balance(wallet.pubkey()) == 10 * SOL


def test_a_failed_durable_nonce_transaction_uses_the_nonce_up(chain: SteppedChain) -> None:
    wallet, nonce = chain.funded(), Keypair()
    rent = chain.call("getMinimumBalanceForRentExemption", 80)
    create = create_nonce_account(wallet.pubkey(), nonce.pubkey(), wallet.pubkey(), rent)
    latest, _ = chain.bank.chain.latest_blockhash(chain.bank.chain.slot)
    message = MessageV0.try_compile(wallet.pubkey(), create, [], Hash.from_bytes(latest))
    chain.send(VersionedTransaction(message, [wallet, nonce]))
    chain.slots(200)

    def stored() -> Hash:
        account = chain.bank.svm.get_account(nonce.pubkey())
        assert account is not None
        return Hash.from_bytes(account.data[40:72])

    before = stored()
    accounts = {"nonce_pubkey": nonce.pubkey(), "authorized_pubkey": wallet.pubkey()}
    advance = advance_nonce_account(AdvanceNonceAccountParams(**accounts))
    failing = chain.sign(wallet, [advance, pay(wallet, Pubkey.new_unique(), 100 * SOL)], before)
    signature = chain.send(failing)
    chain.slots(1)
    assert chain.status(signature)["err"] == {"InstructionError": [1, {"Custom": 1}]}
    assert stored() != before
    again = chain.send(chain.sign(wallet, [advance, pay(wallet, Pubkey.new_unique(), SOL)], before))
    chain.slots(1)
    assert chain.status(again) is None
    good = chain.send(chain.sign(wallet, [advance, pay(wallet, Pubkey.new_unique(), SOL)], stored()))
    chain.slots(1)
    assert chain.status(good)["err"] is None


def test_a_full_block_makes_transactions_wait(tmp_path: Path) -> None:
    with stepped(tmp_path / "ledger", block_compute_units=1_400_000) as chain:
        wallet = chain.funded()
        chain.bank.recent[-1].compute_units = 1_400_000
        signature = chain.send(chain.sign(wallet, [pay(wallet, Pubkey.new_unique(), SOL)]))
        chain.bank.tick()
        assert chain.status(signature) is None
        chain.slots(2)
        assert chain.status(signature) is not None


def test_clock_and_epoch_move(tmp_path: Path) -> None:
    with stepped(tmp_path / "ledger", slots_per_epoch=32) as chain:
        before = chain.bank.svm.get_clock()
        chain.slots(50)
        after = chain.bank.svm.get_clock()
        assert after.slot == chain.bank.chain.slot and after.epoch == after.slot // 32
        assert after.unix_timestamp - before.unix_timestamp == pytest.approx((after.slot - before.slot) * 0.4, abs=1)
        epoch = chain.call("getEpochInfo", {"commitment": "processed"})
        assert epoch["slotIndex"] == after.slot % 32


def test_lost_transactions_come_back_only_when_the_node_may_retry(tmp_path: Path) -> None:
    with stepped(tmp_path / "ledger") as chain:
        wallet = chain.funded()
        chain.call("simnetSetFaults", {"drop_transactions": 1.0})
        lost = chain.send(chain.sign(wallet, [pay(wallet, Pubkey.new_unique(), SOL)]), maxRetries=0)
        retried = chain.send(chain.sign(wallet, [pay(wallet, Pubkey.new_unique(), SOL)]))
        chain.slots(10)
        assert chain.status(lost) is None
        assert chain.status(retried) is not None


def test_an_account_that_was_emptied_is_gone_at_every_commitment(chain: SteppedChain) -> None:
    wallet = chain.funded()
    key = wallet.pubkey()
    chain.send(chain.sign(wallet, [pay(wallet, Pubkey.new_unique(), chain.balance(key) - 5000)]))
    chain.slots(4)  # confirmed, not finalized
    for commitment in ("processed", "confirmed"):
        assert chain.call("getAccountInfo", str(key), {"commitment": commitment})["value"] is None
        options = {"commitment": commitment, "encoding": "base64"}
        assert chain.call("getMultipleAccounts", [str(key)], options)["value"] == [None]
