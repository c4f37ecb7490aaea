"""A guarded mint: what its accounts give reason for, told once each; the creator history; the verdict."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey

from sniperforge.config import ConfigError, load
from sniperforge.safety import Check, Verdict
from sniperforge.safety.creators import Creators, CreatorsFileError
from sniperforge.safety.guards import Watch
from sniperforge.safety.mint import TOKEN, TOKEN_2022
from sniperforge.safety.pools import Pool
from sniperforge.safety.reader import Account, Clock
from sniperforge.venues.dumps import Dumps
from sniperforge.venues.pools import Priced
from tests.unit.test_safety_mint import base, extended, fee

MINT, POOL, OTHER, CREATOR = (Pubkey([n] * 32) for n in (1, 2, 3, 4))


def token(amount: int, mint: Pubkey = MINT, *, frozen: bool = False) -> Account:
    data = bytes(mint) + bytes(POOL) + struct.pack("<Q", amount) + bytes(36) + bytes((1 + frozen,)) + bytes(56)
    return Account(1, TOKEN, data)


def mint_account(data: bytes, program: Pubkey = TOKEN) -> Account:
    return Account(1, program, data)


def watch(data: bytes, program: Pubkey = TOKEN, *, depth: int = 1000) -> Watch:
    verdict = Verdict(
        mint=str(MINT), pool=str(POOL), amount=1, slot=1, unix_s=1, checks=(), mint_account=data, depth=depth
    )
    pool = Pool(
        address=POOL,
        venue="raydium_cpmm",
        mint=MINT,
        quote=OTHER,
        sell_a_to_b=True,
        programs=(program, TOKEN),
        vaults=(Pubkey([5] * 32), Pubkey([6] * 32)),
        held=1,
        depth=depth,
        frozen=False,
        creators=(),
        opened=0,
        lp=None,
        locked_bps=None,
        canonical=False,
        priced=Priced("raydium_cpmm", (MINT, OTHER), (_never, _never), (_never, _never)),
        dumps=Dumps("", []),
        clock=Clock(0, 0),
        slot=1,
    )
    return Watch(verdict, pool, [CREATOR], load().safety)


def _never(*terms: Any) -> Any:
    raise AssertionError


def reasons(guard: Watch, mint: Account | None, *rest: Account | None) -> list[str]:
    return [event.reason for event in guard.look(5, [mint, *rest])]


def test_nothing_happens() -> None:
    data = base()
    guard = watch(data)
    assert len(guard.keys) == 4
    for depth in (1000, 5000, 3600):
        assert reasons(guard, mint_account(data), token(9), token(depth, OTHER), token(50)) == []
    assert reasons(guard, mint_account(base(supply=1)), token(9), token(3600, OTHER), token(500)) == []


def test_each_reason_is_told_once() -> None:
    data = base(authority=CREATOR)
    guard = watch(data)
    fine = (token(9), token(1000, OTHER), token(1000))
    assert reasons(guard, mint_account(data), *fine) == []
    assert reasons(guard, mint_account(base(authority=OTHER)), *fine) == ["mint-authority"]
    assert reasons(guard, mint_account(base(authority=OTHER)), *fine) == []
    assert reasons(guard, mint_account(base(freezer=OTHER)), *fine) == ["freeze-authority"]
    assert reasons(guard, mint_account(base(supply=10**15 + 1)), *fine) == ["supply"]
    assert reasons(guard, mint_account(data), token(9, frozen=True), *fine[1:]) == ["frozen"]
    assert reasons(guard, mint_account(data), token(9), token(699, OTHER), fine[2]) == ["liquidity"]
    assert reasons(guard, mint_account(data), *fine[:2], token(900)) == []
    assert reasons(guard, mint_account(data), *fine[:2], token(899)) == ["creator-sell"]
    assert reasons(guard, None, *fine[:2], None) == ["unknown"]


def test_an_authority_given_up_is_no_reason() -> None:
    guard = watch(base(authority=CREATOR, freezer=CREATOR))
    assert reasons(guard, mint_account(base()), token(9), token(1000, OTHER), None) == []


def test_extensions_and_vaults_that_go_are_reasons() -> None:
    guard = watch(extended((1, fee(5))), TOKEN_2022)
    changed = mint_account(extended((1, fee(9000))), TOKEN_2022)
    assert reasons(guard, changed, token(9), token(1000, OTHER), None) == ["extension"]
    assert reasons(guard, changed, None, token(1000, OTHER), None) == ["liquidity"]


def test_the_creator_history(tmp_path: Path) -> None:
    path = tmp_path / "creators.jsonl"
    lines = [
        {"creator": str(CREATOR), "verdict": "good"},
        {"creator": str(OTHER), "verdict": "bad", "note": "a note"},
        {"creator": str(CREATOR), "verdict": "bad"},
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    creators = Creators(str(path))
    known, other = creators.get(str(CREATOR)), creators.get(str(OTHER))
    assert known is not None and other is not None
    assert (known.verdict, other.verdict, other.note) == ("bad", "bad", "a note")
    assert creators.get(str(MINT)) is None and Creators("").get(str(CREATOR)) is None
    path.write_text(json.dumps(lines[0]))
    known = creators.get(str(CREATOR))
    assert known is not None and known.verdict == "good"
    for wrong in ("{}", "x", '{"creator": "1", "verdict": "bad"}', '{"creator": 1, "verdict": "so-so"}'):
        path.write_text(wrong)
        with pytest.raises(CreatorsFileError, match=r"creators\.jsonl:1"):
            creators.get(str(CREATOR))
    path.unlink()
    with pytest.raises(CreatorsFileError, match="creators_path"):
        creators.get(str(CREATOR))


def test_a_verdict_passes_unless_a_check_refuses() -> None:
    def verdict(*outcomes: Any) -> Verdict:
        checks = tuple(Check("a check", outcome, "why", 1) for outcome in outcomes)
        return Verdict(mint="m", pool="p", amount=1, slot=1, unix_s=1, checks=checks)

    assert verdict("pass", "warn").passes
    assert verdict("pass", "refuse").reasons == ["a check: why"] and not verdict("refuse").passes


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("safety.max_transfer_fee_bps=10001", "safety.max_transfer_fee_bps"),
        ('safety.listed_mints=["11111111111111111111111111111111111111111111"]', r"safety.listed_mints\[0\]"),
        ('safety.lockers=["0000"]', "safety.lockers"),
        ("safety.min_liquidity={nonsense = 5}", "safety.min_liquidity.nonsense"),
        ("safety.unknown=1", "safety"),
    ],
)
def test_wrong_keys_stop_the_start(setting: str, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        load([], [setting])
