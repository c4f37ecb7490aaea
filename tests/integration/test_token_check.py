"""token-check on a simnet: each trap is refused for its own reason, clean tokens pass; gate and guards on the same."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from sniperforge import exits
from sniperforge.config import load
from sniperforge.rpc import RpcClient, RpcError
from sniperforge.safety import Exit, Gate, Guards, Verdict, command, reader
from sniperforge.safety.checks import Checker
from sniperforge.safety.mint import TOKEN, TOKEN_2022
from sniperforge.safety.reader import Reader
from sniperforge.safety.trial import make_account
from sniperforge.simnet import cpmm_accounts
from tests import token_traps as traps
from tests.integration.simnet_process import REPO, SimnetProcess, simnet, wait_until
from tests.token_traps import SOL, SUPPLY, Made, Token

SOMEBODY = Keypair().pubkey()
CREATOR = Keypair()

TOKENS = (
    Token("clean"),
    Token("clean-spl", program=TOKEN),
    Token("clean-fee", extensions=[traps.transfer_fee(50), traps.metadata_pointer(SOMEBODY)]),
    Token("freezable", program=TOKEN, freeze_authority=True),
    Token("mintable", program=TOKEN, mint_authority=True),
    Token("whale", program=TOKEN, holders=(9900,)),
    Token("split", program=TOKEN, holders=(), crowd=(1, 100, 9500), sol=500 * SOL),
    Token("split-2022", holders=(), crowd=(1, 100, 9500), sol=500 * SOL),
    Token("fifty", program=TOKEN, holders=(), crowd=(50, 1, 9500), sol=500 * SOL),
    Token("many", program=TOKEN, holders=(), crowd=(40, 1, 7600)),
    Token("beside", holders=(), beside=9400, sol=500 * SOL),
    Token("fee-90", extensions=[traps.transfer_fee(9000)]),
    Token("delegate", extensions=[traps.permanent_delegate(SOMEBODY)]),
    Token("hook", extensions=[traps.transfer_hook(SOMEBODY)], holders=(100,)),
    Token("default-frozen", extensions=[traps.default_frozen()]),
    Token("non-transferable", extensions=[traps.non_transferable()]),
    Token("pausable", extensions=[traps.pausable(SOMEBODY)]),
    Token("frozen-vault", freeze_vault=True),
    Token("unsellable", memo_vault=True),
    Token("disabled", status=4),
    Token("unlocked", lp_burnt_bps=5000),
    Token("shallow", program=TOKEN, sol=SOL),
    Token("closed", open_time=4_000_000_000),
    Token("made-by", creator=CREATOR.pubkey()),
)

REFUSED = {
    "freezable": {"freeze authority"},
    "mintable": {"mint authority"},
    "whale": {"holders"},
    "split": {"holders"},
    "split-2022": {"holders"},
    "fifty": {"holders"},
    "beside": {"holders"},
    "fee-90": {"extension transfer fee", "simulated exit"},
    "delegate": {"extension permanent delegate"},
    "hook": {"extension transfer hook", "simulated exit"},
    "default-frozen": {"extension default account state", "simulated exit"},
    "non-transferable": {"extension non-transferable", "simulated exit"},
    "pausable": {"extension pausable"},
    "frozen-vault": {"pool", "simulated exit"},
    "unsellable": {"simulated exit"},
    "disabled": {"simulated exit", "exit impact"},
    "unlocked": {"liquidity lock"},
    "shallow": {"pool depth", "exit impact"},
    "closed": {"pool age", "simulated exit", "exit impact"},
}
"""Exactly the checks that refuse each trap."""


class Desk:
    """A simnet with all the tokens, and a wallet."""

    def __init__(self, chain: SimnetProcess, made: dict[str, Made]) -> None:
        self.chain, self.made = chain, made
        self.wallet = Keypair()
        traps.fund(chain, self.wallet.pubkey(), 10 * SOL)

    def check(self, name: str, capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, dict[str, Any]]:
        """Exit code and report of the command."""
        wallet = ["--wallet", str(self.wallet.pubkey())]
        code = command.main([self.made[name].address, "--url", self.chain.rpc_url, *wallet, "--json", *flags])
        return code, json.loads(capsys.readouterr().out)

    def gate(self, *settings: str) -> Gate:
        return Gate(self.chain.rpc_url, load([], settings).safety, self.wallet.pubkey(), timeout_ms=20_000)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    directory = tmp_path_factory.mktemp("token-check")
    made = {token.name: Made(token) for token in TOKENS}
    traps.write_dumps(directory / "dumps", list(made.values()))
    with simnet(directory, "--speed", "10", "--no-market", "--account-dir", str(directory / "dumps")) as chain:
        for each in made.values():
            traps.build(chain, each)
        yield Desk(chain, made)


def refusals(report: dict[str, Any]) -> set[str]:
    return {check["name"] for check in report["checks"] if check["outcome"] == "refuse"}


@pytest.mark.parametrize("name", ["clean", "clean-spl", "clean-fee", "many"])
def test_a_clean_token_passes(desk: Desk, capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, report = desk.check(name, capsys)
    assert (code, report["verdict"], refusals(report)) == (exits.OK, "pass", set()), report
    assert report["pool"] == str(desk.made[name].keys.pool)
    assert report["exit_tokens"] > 0 and 0.98 * report["amount"] < report["exit_amount"] < report["amount"]
    assert all(check["slot"] > 0 for check in report["checks"])


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_each_trap_is_refused_for_its_own_reason(desk: Desk, capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, report = desk.check(name, capsys)
    assert (code, report["verdict"]) == (exits.UNSAFE, "refuse")
    assert refusals(report) == REFUSED[name], report


def holders_say(report: Verdict | dict[str, Any]) -> str:
    checks = report["checks"] if isinstance(report, dict) else json.loads(msgspec.json.encode(report.checks))
    (sentence,) = [check["sentence"] for check in checks if check["name"] == "holders"]
    return str(sentence)


def test_holders_are_told_by_owner(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    said = {
        name: holders_say(desk.check(name, capsys)[1]) for name in ("split", "split-2022", "fifty", "many", "beside")
    }
    for name in ("split", "split-2022"):
        assert "holds 95.00 % of the supply, more than safety.max_holder_share_bps" in said[name]
    assert said["fifty"].startswith("the 50 largest owners hold 95.00 % of the supply")
    assert said["many"] == (
        "the largest owner holds 1.90 %, the ten largest 19.00 % and the fifty largest 76.00 % of the supply;"
        " 24.00 % is in the pool"
    )
    assert said["beside"].startswith(f"{cpmm_accounts.AUTHORITY} holds 94.00 % of the supply")


class Unlisting(RpcClient):
    """A connection to a node that does not list the accounts of a token program."""

    def call(self, method: str, *params: Any, **options: Any) -> Any:
        if method == "getProgramAccounts" and params[0] in (str(TOKEN), str(TOKEN_2022)):
            raise RpcError(method, -32010, f"{params[0]} excluded from account secondary indexes", None)
        return super().call(method, *params, **options)


def test_what_a_node_does_not_list_may_be_one_owners(desk: Desk) -> None:
    said = {}
    with contextlib.closing(Unlisting(desk.chain.rpc_url, timeout_ms=20_000)) as rpc:
        checker = Checker(Reader(rpc), load().safety, desk.wallet.pubkey())
        for name in ("clean", "split", "split-2022", "fifty", "many"):
            verdict = checker.check(desk.made[name].address)
            said[name] = holders_say(verdict)
            assert verdict.passes == (name == "clean"), verdict.reasons
    # nineteen accounts of 0.95 %, and the vault
    assert said["split"].startswith(
        "76.95 % of the supply is in no balance that was read; if one owner has it all, he may hold 95.00 %,"
    )
    assert "excluded from account secondary indexes" in said["split-2022"]
    assert all("only the twenty largest accounts could be read" in said[name] for name in said if name != "clean")


def test_a_list_of_accounts_has_a_longest(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_LISTING_BYTES", 10_000)
    with desk.gate() as gate:
        verdict = gate.check(desk.made["many"].address)
        assert not verdict.passes and "the list of all of them is too long" in holders_say(verdict)
        assert gate.check(desk.made["clean"].address).passes


def test_what_can_be_bought_but_not_sold(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    _, report = desk.check("unsellable", capsys)
    (sentence,) = [check["sentence"] for check in report["checks"] if check["outcome"] == "refuse"]
    assert sentence.startswith("the sale of ") and "fails" in sentence


def test_the_command_by_its_name(desk: Desk) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sniperforge.cli", "token-check", *words]
        return subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=60)

    chain = ["--url", desk.chain.rpc_url, "--wallet", str(desk.wallet.pubkey())]
    good = run(desk.made["clean"].address, *chain)
    assert good.returncode == exits.OK and "PASSES" in good.stdout, good
    bad = run(desk.made["freezable"].address, *chain)
    assert bad.returncode == exits.UNSAFE and "can freeze any holder's account" in bad.stdout, bad
    assert run("nonsense", *chain).returncode == exits.USAGE
    away = run(desk.made["clean"].address, "--url", "http://127.0.0.1:9")
    assert away.returncode == exits.NOT_RUNNING and "127.0.0.1:9" in away.stderr


def test_what_is_no_mint_is_refused(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    for key in (SOMEBODY, desk.made["clean"].vault, desk.wallet.pubkey()):
        code = command.main([str(key), "--url", desk.chain.rpc_url, "--json"])
        report = json.loads(capsys.readouterr().out)
        assert (code, refusals(report)) == (exits.UNSAFE, {"owner program"})


def test_a_pool_of_another_mint_is_refused(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    other = str(desk.made["clean-spl"].keys.pool)
    code, report = desk.check("clean", capsys, "--pool", other)
    assert code == exits.UNSAFE and refusals(report) == {"pool", "holders"}


def test_without_a_wallet_that_can_pay_nothing_passes(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    poor = ["--wallet", str(SOMEBODY)]
    code, report = desk.check("clean", capsys, *poor)
    assert code == exits.UNSAFE and refusals(report) == {"simulated exit"}


def test_a_large_exit_is_refused_for_its_impact(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = desk.check("clean", capsys, "--amount", str(9 * SOL))
    assert code == exits.UNSAFE and refusals(report) == {"exit impact"}


def test_thresholds_are_configuration(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    cases = {
        "freezable": ["safety.allow_freeze_authority=true"],
        "mintable": ["safety.allow_mint_authority=true"],
        "whale": [f"safety.max_{count}_share_bps=10000" for count in ("holder", "top10", "top50")],
        "unlocked": ["safety.require_lp_locked=false"],
    }
    for name, settings in cases.items():
        code, report = desk.check(name, capsys, *(word for each in settings for word in ("--set", each)))
        assert code == exits.OK, (name, report)
    code, _ = desk.check("freezable", capsys, "--set", f'safety.listed_mints=["{desk.made["freezable"].address}"]')
    assert code == exits.OK


def test_a_creator_with_a_history(desk: Desk, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    history = tmp_path / "creators.jsonl"
    flags = ["--set", f"safety.creators_path={history}"]
    history.write_text(json.dumps({"creator": str(CREATOR.pubkey()), "verdict": "good"}) + "\n")
    assert desk.check("made-by", capsys, *flags)[0] == exits.OK
    with history.open("a") as file:
        file.write(json.dumps({"creator": str(CREATOR.pubkey()), "verdict": "bad", "note": "pulled one"}) + "\n")
    code, report = desk.check("made-by", capsys, *flags)
    assert code == exits.UNSAFE and refusals(report) == {"creators"}
    assert any("pulled one" in check["sentence"] for check in report["checks"])
    history.write_text("nonsense\n")
    code, report = desk.check("made-by", capsys, *flags)
    assert code == exits.UNSAFE and refusals(report) == {"creators"}


def test_the_wallets_own_holding_is_sold_with_it(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    made = desk.made["clean-spl"]
    associated = Pubkey.find_program_address(
        [bytes(desk.wallet.pubkey()), bytes(TOKEN), bytes(made.mint.pubkey())],
        Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"),
    )[0]
    held = SUPPLY // 10_000
    create = make_account(desk.wallet.pubkey(), associated, made.mint.pubkey(), TOKEN)
    traps.send(desk.chain, desk.wallet, [create])
    holder = made.holder_keys[0]
    move = traps.transfer(TOKEN, made.holders[0], made.mint.pubkey(), associated, holder.pubkey(), held)
    traps.send(desk.chain, desk.wallet, [move], holder)
    code, report = desk.check("clean-spl", capsys)
    assert code == exits.OK and report["exit_tokens"] > held
    code, report = desk.check("clean-spl", capsys, "--amount", str(10**14))  # more than the wallet has
    outcomes = {check["name"]: (check["outcome"], check["sentence"]) for check in report["checks"]}
    assert code == exits.UNSAFE and outcomes["exit impact"][0] == "refuse"
    assert (
        outcomes["simulated exit"][0] == "warn"
        and f"a buy with {10**14} was not tried" in outcomes["simulated exit"][1]
    )


# -- gate and guards ---------------------------------------------------------------------------------------


def test_the_gate_keeps_what_passes_until_the_mint_changes(desk: Desk) -> None:
    made = desk.made["mintable"]
    with desk.gate("safety.allow_mint_authority=true", "safety.verdict_slots=100000") as gate:
        first = gate.check(made.address)
        assert first.passes, first.reasons
        assert gate.check(made.address, amount=first.amount) is first
        assert gate.check(made.address, amount=first.amount + 1) is not first
        kept = gate.check(made.address)
        vault = traps.mint_to(TOKEN, made.mint.pubkey(), made.holders[0], made.owner.pubkey(), 1)
        traps.send(desk.chain, made.owner, [vault])
        assert gate.check(made.address) is kept  # the supply alone
        give = traps.set_authority(TOKEN, made.mint.pubkey(), made.owner.pubkey(), 0, made.owner.pubkey())
        traps.send(desk.chain, made.owner, [give])
        assert gate.check(made.address) is kept  # the same authority as before
        gate.forget(made.address)
        assert gate.check(made.address) is not kept
        assert not gate.check("nonsense").passes


def test_the_gate_asks_in_the_background(desk: Desk) -> None:
    names = ["clean", "whale", "clean-fee"]
    with desk.gate() as gate:
        for name in names:
            gate.ask(desk.made[name].address)
        found: list[Verdict] = []
        wait_until(lambda: found.extend(gate.results()) or len(found) == 3, 30.0, "three verdicts")
    assert [verdict.mint for verdict in found] == [desk.made[name].address for name in names]
    assert [verdict.passes for verdict in found] == [True, False, True]


def test_a_gate_without_a_node_refuses() -> None:
    with Gate("http://127.0.0.1:9", load().safety, SOMEBODY, timeout_ms=500) as gate:
        verdict = gate.check(str(SOMEBODY))
    assert not verdict.passes and "127.0.0.1:9" in verdict.reasons[0]


def first_event(guards: Guards, what: str) -> Exit:
    found: list[Exit] = []
    wait_until(lambda: found.extend(guards.events()) or found, 30.0, what)
    return found[0]


def test_guards_force_the_exit(desk: Desk) -> None:
    settings = (
        "safety.allow_mint_authority=true",
        "safety.allow_freeze_authority=true",
        "safety.guard_poll_ms=20",
        "safety.max_holder_share_bps=10000",
        "safety.max_top10_share_bps=10000",
        "safety.max_top50_share_bps=10000",
    )
    config = load([], settings).safety
    mintable, freezable, maker = desk.made["mintable"], desk.made["freezable"], desk.made["made-by"]
    # the creator holds a tenth of a percent
    account = Keypair()
    mint = maker.mint.pubkey()
    make = traps.make_account(maker.owner.pubkey(), account.pubkey(), mint, TOKEN_2022, CREATOR.pubkey())
    traps.send(desk.chain, maker.owner, make, account)
    holder = maker.holder_keys[0]
    amount = SUPPLY // 1000
    traps.send(
        desk.chain,
        maker.owner,
        [traps.transfer(TOKEN_2022, maker.holders[0], mint, account.pubkey(), holder.pubkey(), amount)],
        holder,
    )
    with desk.gate(*settings) as gate, Guards(desk.chain.rpc_url, config, timeout_ms=20_000) as guards:
        for made in (mintable, freezable, maker):
            verdict = gate.check(made.address)
            assert verdict.passes, verdict.reasons
            guards.watch(verdict)
        slot = guards.slot
        wait_until(lambda: guards.slot > slot, 30.0, "the guards look")
        assert guards.events() == []

        grow = traps.mint_to(TOKEN, mintable.mint.pubkey(), mintable.holders[0], mintable.owner.pubkey(), 1)
        traps.send(desk.chain, mintable.owner, [grow])
        event = first_event(guards, "the supply grew")
        assert (event.mint, event.reason) == (mintable.address, "supply") and event.slot > 0

        give = traps.set_authority(TOKEN, freezable.mint.pubkey(), freezable.owner.pubkey(), 1, SOMEBODY)
        traps.send(desk.chain, freezable.owner, [give])
        event = first_event(guards, "the freeze authority changed")
        assert (event.mint, event.reason) == (freezable.address, "freeze-authority")

        sell = traps.transfer(TOKEN_2022, account.pubkey(), mint, maker.holders[1], CREATOR.pubkey(), amount // 2)
        traps.send(desk.chain, maker.owner, [sell], CREATOR)
        event = first_event(guards, "the creator sold")
        assert (event.mint, event.reason) == (maker.address, "creator-sell")
        assert guards.events() == []
