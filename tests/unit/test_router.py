"""Routes, splits, costs and slippage of one trade."""

from __future__ import annotations

import base64
import itertools
import json
import math
import random
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey

from sniperforge import exits, quote_command
from sniperforge.router import cli, routes
from sniperforge.router.market import SYMBOLS, WSOL, Market, MarketError, RoutePool
from sniperforge.router.plan import TOKEN_ACCOUNT_RENT, Plan, Terms, plan
from sniperforge.router.routes import Route
from sniperforge.router.slippage import SlippageTerms, Volatility, slippage, volatility
from sniperforge.venues import pump_fun
from sniperforge.venues.quote import Quote
from tests.data import data_dir

USDC = SYMBOLS["USDC"]
COIN = "Coin11111111111111111111111111111111111111"


def product(reserves: tuple[int, int], fee_ppm: int, a_to_b: bool, amount: int) -> Quote:
    """A constant product with a fee on the input."""
    x, y = reserves if a_to_b else reserves[::-1]
    fee = -(-amount * fee_ppm // 1_000_000)
    out = y * (amount - fee) // (x + amount - fee)
    return Quote(amount, out, "ok" if out else "refused", fee=fee)


def product_impact_ppm(reserves: tuple[int, int], fee_ppm: int, a_to_b: bool, amount: int) -> int:
    """What it makes the price worse by, from the definition: v / (x + v) of what goes in after the fee."""
    x = reserves[0 if a_to_b else 1]
    given = amount - -(-amount * fee_ppm // 1_000_000)
    return 1_000_000 * given // (x + given)


def market(*pools: tuple[str, str, int, int, int]) -> Market:
    """Pools as (mint a, mint b, reserve a, reserve b, fee per million)."""
    made = Market("the test")
    for number, (a, b, x, y, fee) in enumerate(pools):
        pays: Callable[[bool, int], Quote] = partial(product, (x, y), fee)
        impact: Callable[[bool, int], int] = partial(product_impact_ppm, (x, y), fee)
        made.add(RoutePool(f"pool{number}", "test", (a, b), pays, impact))
    return made


def test_one_pool_is_quoted_exactly() -> None:
    made = plan(market((WSOL, USDC, 10**12, 10**11, 2500)), USDC, WSOL, 10**8, Terms())
    assert made.expected_out == product((10**12, 10**11), 2500, False, 10**8).amount_out
    assert made.amount_in == 10**8 and len(made.slices) == 1 and len(made.routes) == 1


def test_a_split_beats_every_single_route_and_a_fine_grid_is_not_better() -> None:
    chosen = random.Random(7)
    for _ in range(25):
        reserves = [int(10 ** chosen.uniform(9, 12)) for _ in range(3)]
        pools = [(WSOL, USDC, 10 * r, r, chosen.choice((100, 2500, 3000))) for r in reserves]
        amount = int(sum(reserves) * chosen.uniform(0.01, 0.5))
        made = plan(market(*pools), USDC, WSOL, amount, Terms(cu_price_micro_lamports=0))
        assert made.amount_in == amount
        assert made.expected_out >= made.single_out
        steps = 40
        best = 0
        for first, second in itertools.product(range(steps + 1), repeat=2):
            if first + second > steps:
                continue
            cut = [amount * first // steps, amount * second // steps]
            cut.append(amount - sum(cut))
            paid = [
                product((p[2], p[3]), p[4], False, part).amount_out for p, part in zip(pools, cut, strict=True) if part
            ]
            best = max(best, sum(paid))
        assert made.expected_out >= best * (1 - 1e-6)


def test_two_hops_are_found_where_they_pay_more_and_tokens_are_met_once() -> None:
    made = market(
        (WSOL, USDC, 10**12, 10**10, 2500),
        (WSOL, COIN, 10**14, 10**13, 100),
        (COIN, USDC, 10**13, 10**12, 100),
    )
    found = plan(made, USDC, WSOL, 10**9, Terms())
    assert {len(route.part.route.hops) for route in found.routes} >= {2}
    for route in routes.find(made, USDC, WSOL, 10**9, 3):
        tokens = [hop.mint_in for hop in route.hops] + [route.hops[-1].mint_out]
        assert len(set(tokens)) == len(tokens)
    assert found.routes[0].rent == TOKEN_ACCOUNT_RENT  # of the token in between
    held = Terms(wallet_tokens=frozenset({USDC, WSOL, COIN}))
    assert plan(made, USDC, WSOL, 10**9, held).lamports < found.lamports


def test_parallel_routes_have_no_pool_in_common() -> None:
    chosen = random.Random(3)
    tokens = [WSOL, USDC, COIN, *(f"T{n}" for n in range(5))]
    pools = []
    for _ in range(40):
        a, b = chosen.sample(tokens, 2)
        pools.append((a, b, int(10 ** chosen.uniform(9, 11)), int(10 ** chosen.uniform(9, 11)), 2500))
    made = plan(market(*pools), USDC, WSOL, 10**9, Terms(max_routes=8))
    used = [hop.pool.address for route in made.routes for hop in route.part.route.hops]
    assert len(used) == len(set(used))
    assert sum(route.part.amount_in for route in made.routes) == 10**9


def test_no_route_is_said() -> None:
    with pytest.raises(MarketError, match="no route from USDC to SOL"):
        plan(market((COIN, USDC, 10, 10, 0), (WSOL, "T", 10, 10, 0)), USDC, WSOL, 5, Terms())


def walked(bps: float, changes: int = 9) -> list[Volatility]:
    return [Volatility(bps, changes)]


def test_slippage_grows_with_volatility_and_shallow_pools_and_never_lets_all_go() -> None:
    terms = SlippageTerms()
    calm, wild = slippage(terms, walked(1.0), 0.0), slippage(terms, walked(20.0), 0.0)
    assert terms.floor_bps < calm.bps < wild.bps <= terms.ceiling_bps
    assert slippage(terms, walked(1.0), 30.0).bps == pytest.approx(calm.bps + 30.0)
    assert slippage(terms, walked(1e9), 0.0).bps == terms.ceiling_bps
    assert slippage(SlippageTerms(ceiling_bps=10_000), walked(1e9), 0.0).min_out(5) == 1
    assert calm.min_out(1) == 1 and calm.min_out(10**9) < 10**9
    assert slippage(terms, [*walked(3.0), *walked(4.0)], 0.0).volatility_bps == pytest.approx(5.0)


def test_volatility_is_that_of_a_known_walk() -> None:
    chosen, price, samples = random.Random(1), 100.0, []
    for second in range(20_000):
        samples.append((second * 0.4, price))
        price *= math.exp(chosen.gauss(0.0, 10e-4 * math.sqrt(0.4)))
    measured = volatility(samples)
    assert measured.bps == pytest.approx(10.0, rel=0.05) and measured.changes == 19_999
    assert volatility(samples[:3]).changes == 2 and volatility(samples[:1]) == Volatility(0.0, 0)


def test_a_price_that_was_not_seen_to_change_is_not_taken_for_calm() -> None:
    quiet = volatility([(second * 0.4, 100.0) for second in range(4)])
    assert quiet == Volatility(0.0, 0)
    terms = SlippageTerms()
    allowed = slippage(terms, [quiet], 0.0)
    assert allowed.volatility_bps == terms.volatility_bps and allowed.wander_bps > 0
    assert "5.00 assumed, with 0 changes of price where 3 are needed" in allowed.why
    # one jump tells of no calm either; what is known of one pool is not forgotten for another
    assert "40.00 seen, with 1 change of price" in slippage(terms, walked(40.0, changes=1), 0.0).why
    mixed = slippage(terms, [quiet, *walked(12.0)], 0.0)
    assert mixed.volatility_bps == pytest.approx(13.0) and "12.00 measured on 9 changes of price" in mixed.why


def test_slippage_grows_with_the_impact() -> None:
    made = market((WSOL, USDC, 10**12, 10**11, 2500))
    plans = [plan(made, USDC, WSOL, 10**power, Terms()) for power in range(5, 12)]
    routes_of = [each.routes[0] for each in plans]
    assert all(one.impact_bps < other.impact_bps for one, other in itertools.pairwise(routes_of))
    assert all(one.slippage.bps <= other.slippage.bps for one, other in itertools.pairwise(routes_of))
    assert routes_of[-1].slippage.bps == SlippageTerms.ceiling_bps


def ranged(status: str, a_to_b: bool, amount: int) -> Quote:
    """A pool whose range ends: it pays one for one, and nothing more than 1000."""
    return Quote(amount, amount) if amount <= 1000 else Quote(1000, 1000, status)


@pytest.mark.parametrize("status", ["refused", "exhausted"])
def test_a_pool_that_others_can_drain_gets_the_most_slippage(status: str) -> None:
    made = Market("the test")
    pays: Callable[[bool, int], Quote] = partial(ranged, status)
    made.add(RoutePool("ranged", "test", (WSOL, USDC), pays, lambda a_to_b, amount: amount * 500))
    drained, held = (plan(made, USDC, WSOL, amount, Terms()).routes[0] for amount in (900, 80))
    assert drained.slippage.bps == SlippageTerms.ceiling_bps
    # the quotes of a small part do not see the end of the range; its impact still counts
    assert held.slippage.others_bps == pytest.approx(held.impact_bps / 2)


def test_impact_is_against_the_price_before_and_adds_up_over_hops() -> None:
    made = market((USDC, COIN, 10**12, 10**12, 0), (COIN, WSOL, 10**12, 10**12, 10_000))
    route = plan(made, USDC, WSOL, 10**11, Terms()).routes[0]
    assert route.part.amount_out == pytest.approx(10**11 * 0.99 * (1 - route.impact_bps / 10_000), rel=1e-5)


def _protected(amount: int, reserves: tuple[int, int] = (10**13, 10**12), **terms: object) -> Plan:
    made = market((WSOL, USDC, *reserves, 2500))
    return plan(made, USDC, WSOL, amount, Terms(mode="protected", **terms))  # type: ignore[arg-type]


def test_protected_is_tighter_dearer_and_cut_in_time() -> None:
    small, large = _protected(10**7), _protected(10**10)
    plain = plan(market((WSOL, USDC, 10**13, 10**12, 2500)), USDC, WSOL, 10**10, Terms())
    count = len(large.slices)
    assert len(small.slices) == 1 < count and not small.warning and not large.warning
    assert max(route.slices[0].impact_bps for route in large.routes) <= large.terms.slice_impact_bps
    assert large.routes[0].slippage.bps < plain.routes[0].slippage.bps
    assert large.routes[0].tip == count * large.terms.tip_lamports > 0 == plain.routes[0].tip
    assert large.routes[0].base_fee == count * plain.routes[0].base_fee
    assert large.fastest is not None and large.fastest.lamports == plain.lamports < large.lamports
    assert large.fastest.expected_out == plain.expected_out and large.min_out > plain.min_out
    sigma = SlippageTerms.volatility_bps
    assert large.slice_risk_bps == pytest.approx(sigma * math.sqrt(large.terms.slice_gap_s * (count - 1)))


def test_slices_are_quoted_on_what_those_before_them_left() -> None:
    """Against the pool moved step by step; all slices together never give more than the pool holds."""
    amount, x, y = 10**12 + 7, 10**12, 10**10
    made = _protected(amount, (y, x))
    for each in made.slices:
        out = product((x, y), 2500, True, each.amount_in).amount_out
        assert each.amount_out == pytest.approx(out, abs=3)
        x, y = x + each.amount_in - -(-each.amount_in * 2500 // 1_000_000), y - out
    assert made.expected_out == sum(each.amount_out for each in made.slices) == made.fastest.expected_out  # type: ignore[union-attr]
    assert made.expected_out < 10**10
    assert made.min_out == sum(each.min_out for each in made.slices)
    assert "above the limit of 20 bps" in made.warning and len(made.slices) == Terms.max_slices
    impacts = [each.impact_bps for each in made.slices]
    assert impacts == sorted(impacts)


@pytest.mark.parametrize("amount", [1_000_001, 1_000_009, 11, 3])
def test_slices_add_up_to_the_trade(amount: int) -> None:
    chosen = [(WSOL, USDC, 10**9, 10**5, 0), (WSOL, USDC, 10**9, 10**6, 2500)]
    made = plan(market(*chosen), USDC, WSOL, amount, Terms(mode="protected"))
    assert sum(each.amount_in for each in made.slices) == made.amount_in == amount
    assert all(each.amount_in and each.amount_out >= each.min_out for each in made.slices)


def test_a_trade_too_large_is_told_what_fits() -> None:
    made = Market("the test", decimals={USDC: 0})
    pays: Callable[[bool, int], Quote] = partial(ranged, "refused")
    made.add(RoutePool("ranged", "test", (WSOL, USDC), pays, lambda a_to_b, amount: 0))
    with pytest.raises(MarketError, match="at most 1000 USDC fits"):
        plan(made, USDC, WSOL, 10**15, Terms())
    assert plan(made, USDC, WSOL, 1000, Terms()).expected_out == 1000
    small = market((WSOL, USDC, 10, 10**9, 0))
    with pytest.raises(MarketError, match="too little"):
        plan(small, USDC, WSOL, 1, Terms())


SNAPSHOTS = ("pump_amm", "raydium_amm_v4", "raydium_cpmm", "meteora_damm_v2", "orca_whirlpool/sol_usdc_ts64_2023")


@pytest.fixture(name="accounts")
def accounts_fixture(tmp_path: Path) -> Path:
    """One snapshot of each of several venues."""
    for name in SNAPSHOTS:
        shutil.copytree(data_dir("accounts") / name, tmp_path / name)
    return tmp_path


def answer_of(capsys: pytest.CaptureFixture[str], *ask: str) -> dict[str, Any]:
    capsys.readouterr()
    assert cli.main([*ask, "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_command_on_real_pools(accounts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["--trade-size", "1000", "--token", "USDC", "--accounts", str(accounts), "--at", "1750000000"]
    answer = answer_of(capsys, *ask)
    assert answer["amount_in"] == 10**9 and answer["min_out"] > 0 and answer["fastest"] is None
    assert sum(route["amount_in"] for route in answer["routes"]) == 10**9
    for route in answer["routes"]:
        amounts = [(hop["amount_in"], hop["amount_out"]) for hop in route["hops"]]
        assert all(one[1] == other[0] for one, other in itertools.pairwise(amounts))
        assert route["min_out"] <= route["expected_out"] == amounts[-1][1]
    assert cli.main(ask) == 0
    out = capsys.readouterr().out
    assert "net" in out and out.count("\nslippage  route ") == len(answer["routes"])


CPMM_POOL = "7JuwJuNU88gurFnyWeiyGKbFmExMWcmRZntn9imEzdny"
CPMM = ["--token", "USDC", "--accounts", str(data_dir("accounts") / "raydium_cpmm" / "sol_usdc")]


def test_command_protected_promises_no_more_than_the_pool_holds(capsys: pytest.CaptureFixture[str]) -> None:
    ask = [*CPMM, "--trade-size", "1000", "--mode", "protected"]
    answer = answer_of(capsys, *ask)
    assert answer["expected_out"] == sum(each["expected_out"] for each in answer["slices"]) == 402292337
    assert answer["expected_out"] == answer["fastest"]["expected_out"] and answer["warning"]
    assert answer["lamports"] == 10 * (5000 + 1250 + 10_000)
    assert cli.main(ask) == 0
    out = capsys.readouterr().out
    for said in ("nothing is taken to flow back", "total         1000.000000", "beside", "base fees: 0.000050000 SOL"):
        assert said in out
    for said in ("tips: 0.000100000 SOL", "price risk: 1 sd of 5.00 bps a second over the 18 s", "warning   even cut"):
        assert said in out
    odd = answer_of(capsys, *CPMM, "--trade-size", "1.000001", "--mode", "protected")
    assert sum(each["amount_in"] for each in odd["slices"]) == 1_000_001


def test_impact_is_that_of_quote(capsys: pytest.CaptureFixture[str]) -> None:
    answer = answer_of(capsys, *CPMM, "--trade-size", "1000")
    ask = ["--pool", CPMM_POOL, "--in", USDC, "--amount", str(10**9), *CPMM[2:], "--json"]
    assert quote_command.main(ask) == 0
    quoted = json.loads(capsys.readouterr().out)
    assert answer["notes"] == quoted.get("notes", [])
    assert answer["routes"][0]["impact_bps"] == pytest.approx(quoted["impact_ppm"] / 100) == 9667.65


def test_command_names_the_largest_trade(capsys: pytest.CaptureFixture[str]) -> None:
    where = str(data_dir("accounts") / "orca_whirlpool" / "sol_usdc_ts64_2023")
    ask = ["--token", "SOL", "--accounts", where, "--trade-size"]
    assert cli.main([*ask, "1000000000"]) == exits.FAILED
    said = capsys.readouterr().err
    fits = re.search("at most ([0-9.]+) SOL fits", said)
    assert fits and "no route" not in said
    assert cli.main([*ask, fits[1]]) == 0
    assert cli.main([*ask, str(float(fits[1]) * 1.001)[:12]]) == exits.FAILED


def test_command_refuses_two_moments_of_a_pool_as_quote_does(capsys: pytest.CaptureFixture[str]) -> None:
    where = str(data_dir("accounts"))
    assert cli.main(["--trade-size", "1000", "--token", "USDC", "--accounts", where]) == exits.USAGE
    said = capsys.readouterr().err.partition(": ")[2]
    pool = "HJPjoWUrhoZzkNfRpHuieeFk9WcZWjwy6PBjZ81ngndJ"
    assert quote_command.main(["--pool", pool, "--in", WSOL, "--amount", "1", "--accounts", where]) == exits.USAGE
    assert capsys.readouterr().err.partition(": ")[2] == said and f"pool {pool} is in " in said


def test_vaults_of_two_moments_are_refused_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        shutil.copytree(data_dir("accounts") / "raydium_cpmm" / "sol_usdc", tmp_path / name)
    ask = ["--trade-size", "1", "--token", "USDC", "--accounts", str(tmp_path)]
    assert cli.main(ask) == 0
    changed = 0
    for path in (tmp_path / "b").glob("*.json"):
        dumped = json.loads(path.read_text())
        data = bytearray(base64.b64decode(dumped["account"]["data"][0]))
        if len(data) == 165:
            data[64] ^= 1
            dumped["account"]["data"][0] = base64.b64encode(data).decode()
            path.chmod(0o644)
            path.write_text(json.dumps(dumped))
            changed += 1
    assert changed == 2 and cli.main(ask) == exits.USAGE
    assert "name one of them" in capsys.readouterr().err


def test_a_bonding_curve_is_priced_as_quote_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where its coin's mint is among the dumps; else that is said, once."""
    shutil.copy(data_dir("accounts") / "pump_fun" / "global_2025q1.json", tmp_path)
    shutil.copytree(data_dir("accounts") / "raydium_cpmm" / "sol_usdc", tmp_path / "other")
    mint = Pubkey.new_unique()
    curve, _ = Pubkey.find_program_address([b"bonding-curve", bytes(mint)], pump_fun.PROGRAM)
    reserves = (1070419577927421, 30072319932, 790519577927421, 72319932, 10**15)
    data = pump_fun.CURVE_DISCRIMINATOR + b"".join(number.to_bytes(8, "little") for number in reserves) + b"\0"
    dump(tmp_path, str(curve), str(pump_fun.PROGRAM), data)
    without = answer_of(capsys, "--token", "USDC", "--trade-size", "1", "--accounts", str(tmp_path))
    assert [sentence.partition(":")[0] for sentence in without["left_out"]] == [str(curve)]
    assert "add the coin's mint account" in without["left_out"][0]
    dump(tmp_path, str(mint), "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", bytes(44) + b"\6\1" + bytes(36))
    answer = answer_of(capsys, "--token", "SOL", "--trade-size", "0.1", "--for", str(mint), "--accounts", str(tmp_path))
    ask = ["--pool", str(curve), "--in", WSOL, "--amount", str(10**8), "--accounts", str(tmp_path), "--json"]
    assert quote_command.main(ask) == 0
    quoted = json.loads(capsys.readouterr().out)
    assert (answer["expected_out"], str(mint)) == (quoted["amount_out"], quoted["mint_out"]) and not answer["left_out"]


def dump(directory: Path, address: str, owner: str, data: bytes) -> None:
    account = {"data": [base64.b64encode(data).decode(), "base64"], "owner": owner, "space": len(data)}
    (directory / f"{address}.json").write_text(json.dumps({"pubkey": address, "account": account}))


@pytest.mark.parametrize(
    "wrong",
    [
        ["--max-slippage-bps", "-3"],
        ["--max-slippage-bps", "0"],
        ["--max-slippage-bps", "nan"],
        ["--max-slippage-bps", "10000"],
        ["--tip", "-5"],
        ["--cu-price", "-4"],
        ["--cu-price", str(2**64)],
        ["--at", "-1"],
        ["--watch", "nan"],
        ["--watch", "-1"],
    ],
)
def test_command_refuses_numbers_that_cannot_be(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main([*CPMM, "--trade-size", "1", *wrong])
    assert stopped.value.code == exits.USAGE and f"argument {wrong[0]}: {wrong[1]}" in capsys.readouterr().err


def test_an_instance_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--token", "SOL", "--trade-size", "1", "--instance", "sf-none"]) == exits.NOT_RUNNING
    assert capsys.readouterr().err.count("start it") == 1


@pytest.mark.parametrize(
    "wrong", [["--trade-size", "x"], ["--trade-size", "-1"], ["--trade-size", "0.00000001"], ["--token", "NOPE"]]
)
def test_command_refuses_what_cannot_be(accounts: Path, wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["--trade-size", "1000", "--token", "USDC", "--accounts", str(accounts), *wrong]
    assert cli.main(ask) == 2
    assert "execution-optimize:" in capsys.readouterr().err


def test_routes_that_fail_are_no_routes() -> None:
    found = market((WSOL, USDC, 10, 10, 0))
    assert Route((found.leaving[USDC][0],)).pays(0) == 0
