"""Routes, splits, costs and slippage of one trade."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Callable
from functools import partial

import pytest

from sniperforge.router import cli, routes
from sniperforge.router.market import SYMBOLS, WSOL, Market, MarketError, RoutePool
from sniperforge.router.plan import TOKEN_ACCOUNT_RENT, Plan, Terms, plan
from sniperforge.router.routes import Route
from sniperforge.router.slippage import SlippageTerms, slippage, volatility_bps
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


def market(*pools: tuple[str, str, int, int, int]) -> Market:
    """Pools as (mint a, mint b, reserve a, reserve b, fee per million)."""
    made = Market("the test")
    for number, (a, b, x, y, fee) in enumerate(pools):
        pays: Callable[[bool, int], Quote] = partial(product, (x, y), fee)
        made.add(RoutePool(f"pool{number}", "test", (a, b), pays))
    return made


def test_one_pool_is_quoted_exactly() -> None:
    made = plan(market((WSOL, USDC, 10**12, 10**11, 2500)), USDC, WSOL, 10**8, Terms())
    assert made.expected_out == product((10**12, 10**11), 2500, False, 10**8).amount_out
    assert made.slice_in == 10**8 and made.slices == 1 and len(made.routes) == 1


def test_a_split_beats_every_single_route_and_a_fine_grid_is_not_better() -> None:
    chosen = random.Random(7)
    for _ in range(25):
        reserves = [int(10 ** chosen.uniform(9, 12)) for _ in range(3)]
        pools = [(WSOL, USDC, 10 * r, r, chosen.choice((100, 2500, 3000))) for r in reserves]
        amount = int(sum(reserves) * chosen.uniform(0.01, 0.5))
        made = plan(market(*pools), USDC, WSOL, amount, Terms(cu_price_micro_lamports=0))
        assert made.slice_in == amount
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


def test_slippage_grows_with_volatility_and_shallow_pools_and_never_lets_all_go() -> None:
    terms = SlippageTerms()
    calm, wild = slippage(terms, 1.0, 0.0), slippage(terms, 20.0, 0.0)
    assert terms.floor_bps < calm.bps < wild.bps <= terms.ceiling_bps
    assert slippage(terms, 1.0, 30.0).bps == pytest.approx(calm.bps + 30.0)
    assert slippage(terms, 1e9, 0.0).bps == terms.ceiling_bps
    assert slippage(SlippageTerms(ceiling_bps=10_000), 1e9, 0.0).min_out(5) == 1
    assert calm.min_out(1) == 1 and calm.min_out(10**9) < 10**9
    assert "assumed" in slippage(terms, None, 0.0).why and "measured" in calm.why


def test_volatility_is_that_of_a_known_walk() -> None:
    chosen, price, samples = random.Random(1), 100.0, []
    for second in range(20_000):
        samples.append((second * 0.4, price))
        price *= math.exp(chosen.gauss(0.0, 10e-4 * math.sqrt(0.4)))
    assert volatility_bps(samples) == pytest.approx(10.0, rel=0.05)
    assert volatility_bps(samples[:3]) is None


def _protected(amount: int, **terms: object) -> Plan:
    made = market((WSOL, USDC, 10**13, 10**12, 2500))
    return plan(made, USDC, WSOL, amount, Terms(mode="protected", **terms))  # type: ignore[arg-type]


def test_protected_is_tighter_dearer_and_cut_in_time() -> None:
    small, large = _protected(10**7), _protected(10**10)
    plain = plan(market((WSOL, USDC, 10**13, 10**12, 2500)), USDC, WSOL, 10**10, Terms())
    assert small.slices == 1 < large.slices
    assert large.slice_in * large.slices >= 10**10
    assert max(route.impact_bps for route in large.routes) <= large.terms.slice_impact_bps
    assert large.routes[0].slippage.bps < plain.routes[0].slippage.bps
    assert large.routes[0].tip > 0 == plain.routes[0].tip


def test_command_on_real_pools(capsys: pytest.CaptureFixture[str]) -> None:
    where = str(data_dir("accounts"))
    ask = ["--trade-size", "1000", "--token", "USDC", "--accounts", where, "--at", "1750000000"]
    assert cli.main([*ask, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["amount_in"] == 10**9 and answer["min_out"] > 0
    assert sum(route["amount_in"] for route in answer["routes"]) == 10**9
    for route in answer["routes"]:
        amounts = [(hop["amount_in"], hop["amount_out"]) for hop in route["hops"]]
        assert all(one[1] == other[0] for one, other in itertools.pairwise(amounts))
        assert route["min_out"] <= route["expected_out"] == amounts[-1][1]
    assert cli.main(ask) == 0
    assert "net" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong", [["--trade-size", "x"], ["--trade-size", "-1"], ["--trade-size", "0.00000001"], ["--token", "NOPE"]]
)
def test_command_refuses_what_cannot_be(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["--trade-size", "1000", "--token", "USDC", "--accounts", str(data_dir("accounts")), *wrong]
    assert cli.main(ask) == 2
    assert "execution-optimize:" in capsys.readouterr().err


def test_routes_that_fail_are_no_routes() -> None:
    found = market((WSOL, USDC, 10, 10, 0))
    assert Route((found.leaving[USDC][0],)).pays(0) == 0
