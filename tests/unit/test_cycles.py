"""The list of all profitable cycles against brute force in Python's integers."""

from __future__ import annotations

import itertools
import random

import pytest

from ipc.errors import CoreError
from sniperforge.venues import cycles
from sniperforge.venues.raydium_cpmm import Rates, State
from tests.unit.market import update_bytes

BASE = 2
TOKENS = 7
FEE = 2500


class Pool:
    """A random pool and its reference."""

    def __init__(self, rng: random.Random, tokens: tuple[int, int]) -> None:
        self.tokens = tokens
        self.reserves = (rng.randrange(10**9, 1_030_000_000), rng.randrange(10**9, 1_030_000_000))
        self.state = State(self.reserves, Rates(FEE, 0))

    def quote(self, a_to_b: bool, amount: int) -> int:
        return self.state.quote_in(a_to_b, amount).amount_out


def market(rng: random.Random, pools: int) -> list[Pool]:
    pairs = list(itertools.permutations(range(TOKENS), 2))
    return [Pool(rng, rng.choice(pairs)) for _ in range(pools)]


def messages(pools: list[Pool]) -> list[bytes]:
    return [
        update_bytes(number, a=pool.reserves[0], b=pool.reserves[1], tokens=pool.tokens, trade_fee_ppm=FEE)
        for number, pool in enumerate(pools)
    ]


def walks(pools: list[Pool], hops: int) -> list[tuple[tuple[int, bool], ...]]:
    """Every cycle of two to `hops` swaps over different pools and tokens."""
    found = []
    edges = [(number, a_to_b) for number in range(len(pools)) for a_to_b in (True, False)]
    for length in range(2, hops + 1):
        for walk in itertools.permutations(edges, length):
            at, seen = BASE, set()
            for number, a_to_b in walk:
                tokens = pools[number].tokens
                if at != tokens[not a_to_b] or at in seen:
                    break
                seen.add(at)
                at = tokens[a_to_b]
            else:
                if at == BASE and len({number for number, _ in walk}) == length:
                    found.append(walk)
    return found


def through(pools: list[Pool], walk: tuple[tuple[int, bool], ...], amount: int) -> int:
    for number, a_to_b in walk:
        amount = pools[number].quote(a_to_b, amount)
    return amount


def best(pools: list[Pool], walk: tuple[tuple[int, bool], ...]) -> int:
    """The most that a cycle earns: ternary search, then every input around the summit."""
    low, high = 1, 10**9
    while high - low > 64:
        third = (high - low) // 3
        left, right = low + third, high - third
        if through(pools, walk, left) - left < through(pools, walk, right) - right:
            low = left
        else:
            high = right
    return max(through(pools, walk, amount) - amount for amount in range(max(low - 100, 1), high + 100))


@pytest.mark.parametrize("seed", range(4))
def test_none_is_missed_and_none_is_better(seed: int) -> None:
    rng = random.Random(seed)
    pools = market(rng, 14)
    for hops in (2, 3):
        found = cycles.profitable(messages(pools), base=BASE, tokens=TOKENS, pools=len(pools), hops=hops)
        by_walk = {tuple((hop.pool, hop.a_to_b) for hop in cycle.hops): cycle for cycle in found}
        assert len(by_walk) == len(found)
        for walk in walks(pools, hops):
            most = best(pools, walk)
            cycle = by_walk.pop(walk, None)
            assert (cycle is not None) == (most > 0), (walk, most)
            if cycle is not None:
                assert cycle.profit >= most - 1
                amount = cycle.hops[0].amount_in
                for hop in cycle.hops:
                    assert hop.amount_in == amount
                    amount = pools[hop.pool].quote(hop.a_to_b, amount)
                assert amount == cycle.amount_out
        assert not by_walk
        assert [cycle.profit for cycle in found] == sorted((cycle.profit for cycle in found), reverse=True)


def test_an_input_may_be_bounded() -> None:
    rng = random.Random(9)
    pools = market(rng, 14)
    found = cycles.profitable(messages(pools), base=BASE, tokens=TOKENS, pools=len(pools), max_input=50_000)
    assert found and all(cycle.hops[0].amount_in <= 50_000 for cycle in found)


def test_what_is_no_market_message_is_refused() -> None:
    payloads = messages(market(random.Random(1), 2))
    with pytest.raises(ValueError, match="not a head and its state"):
        cycles.profitable([payloads[0][:-16]], base=0, tokens=TOKENS, pools=2)
    with pytest.raises(CoreError):
        cycles.profitable(payloads, base=0, tokens=TOKENS, pools=1)
    assert cycles.profitable([], base=0, tokens=1, pools=1) == []
